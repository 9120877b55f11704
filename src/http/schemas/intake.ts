/** What clients report, and the results that they get back. */
import Type from 'typebox'
import { MESSAGE_FIELDS } from '#intake/message-fields.ts'
import { OUTCOMES } from '#model/facts.ts'
import { creditsSchema, oneOf, ref } from './common.ts'
import { ProblemSchema } from './problem.ts'
import { MessageIdSchema } from './usage.ts'
import { unpricedReason } from './usage-fields.ts'

/** `null` means absent, in every optional field of a message. */
const broughtProperties = Object.fromEntries(
  MESSAGE_FIELDS.map(({ name, schema: { description, examples, ...schema } }) => [
    name,
    Type.Optional(
      Type.Unsafe({
        anyOf: [schema, { type: 'null' }],
        description: `${description} \`null\` means absent.`,
        examples,
      }),
    ),
  ]),
)

export const MessageSchema = Type.Object(
  {
    id: MessageIdSchema,
    text: Type.Optional(
      Type.Union([Type.String(), Type.Null()], {
        description:
          'Text of the message, at most `INTAKE_MAX_TEXT` bytes of UTF-8 (1 MiB by default). It is measured but not stored. ' +
          'The empty text is one; `null` means absent.',
        examples: ['What is the lease term?'],
      }),
    ),
    timestamp: Type.String({
      format: 'date-time',
      description:
        'When the message was sent: RFC 3339 with an offset, at most `INTAKE_MAX_AHEAD` (5 minutes by default) in the future.',
      examples: ['2024-04-29T02:08:29.375Z'],
    }),
    report_id: Type.Optional(
      Type.Union([...MessageIdSchema.anyOf, Type.Null()], {
        description:
          'Id of the report that the message requested. If the catalogue has the report, its price replaces the price of the text. ' +
          '`null` means absent.',
        examples: [5392],
      }),
    ),
    user_id: Type.Optional(
      Type.Union([Type.String({ minLength: 1, maxLength: 200 }), Type.Null()], {
        description: 'Id of the member of the organization who sent the message. `null` means absent.',
        examples: ['ada'],
      }),
    ),
    ...broughtProperties,
  },
  {
    $id: 'Message',
    additionalProperties: false,
    description:
      'A message to the copilot. It has at least one of `text`, `report_id`, `model`, `usage` and `quantities`.',
  },
)

export const MessagesSchema = Type.Object(
  {
    messages: Type.Array(ref(MessageSchema), {
      description: 'The messages, in any order; at most `INTAKE_MAX_BATCH` (10,000 by default).',
    }),
  },
  { additionalProperties: false },
)

export const CloudEventSchema = Type.Object(
  {
    specversion: Type.Literal('1.0', { description: 'Version of the CloudEvents specification.', examples: ['1.0'] }),
    type: Type.Literal('copilot.message', { description: 'Type of the event.', examples: ['copilot.message'] }),
    source: Type.String({
      minLength: 1,
      format: 'uri-reference',
      description: 'Source of the event. `source`, a space and `id` together are the id of the message.',
      examples: ['/copilot/eu'],
    }),
    id: Type.String({
      minLength: 1,
      description: 'Id of the event, unique within `source`. `source` and `id` have at most 199 characters together.',
      examples: ['A234-1234-1234'],
    }),
    time: Type.String({
      format: 'date-time',
      description: 'When the message was sent: RFC 3339 with an offset.',
      examples: ['2024-04-29T02:08:29.375Z'],
    }),
    subject: Type.Optional(
      Type.Union([Type.String({ minLength: 1, maxLength: 200 }), Type.Null()], {
        description: 'Id of the member of the organization who sent the message. `null` means absent.',
        examples: ['ada'],
      }),
    ),
    data: Type.Optional(
      Type.Object(
        {
          text: MessageSchema.properties.text,
          report_id: MessageSchema.properties.report_id,
          ...broughtProperties,
        },
        { additionalProperties: false, description: 'Content of the message.' },
      ),
    ),
    data_base64: Type.Optional(
      Type.Union([Type.String(), Type.Null()], {
        description: 'The JSON of `data`, base64-encoded. Sent instead of `data`.',
        examples: ['eyJ0ZXh0IjoiV2hhdCBpcyB0aGUgbGVhc2UgdGVybT8ifQ=='],
      }),
    ),
  },
  { $id: 'CloudEvent', description: 'A message to the copilot as a CloudEvent. Other attributes are ignored.' },
)

export const MessageResultSchema = Type.Object(
  {
    id: Type.Optional(MessageIdSchema),
    status: oneOf(['accepted', 'unpriced', 'duplicate', 'conflict', 'rejected'], {
      description:
        '`accepted`: charged now. `unpriced`: kept, but no rate card could price it. `duplicate`: already kept with the same ' +
        'content, no effect. `conflict`: already kept with different content, no effect. `rejected`: invalid, see `field` and `reason`.',
      examples: ['accepted'],
    }),
    credits: Type.Optional(
      creditsSchema(
        'What the message costs, in credits; for a conflict, the charge that stays. Absent if rejected or without a price.',
      ),
    ),
    unpriced: unpricedReason,
    outcome: Type.Optional(
      oneOf(OUTCOMES, {
        description: 'Only for a conflict about the outcome of the message: the outcome that holds.',
        examples: ['succeeded'],
      }),
    ),
    unknown_report: Type.Optional(
      Type.Literal(true, {
        description: 'The catalogue does not have the requested report, so the text was priced.',
        examples: [true],
      }),
    ),
    field: Type.Optional(
      Type.String({
        description: 'Only if rejected: the invalid field, or an empty string if the message as a whole is invalid.',
        examples: ['timestamp'],
      }),
    ),
    reason: Type.Optional(
      Type.String({ description: 'Only if rejected: what is wrong with the field.', examples: ['must be a string'] }),
    ),
  },
  { $id: 'MessageResult', description: 'The result for one reported message.' },
)

const count = (description: string) => Type.Integer({ minimum: 0, description, examples: [1] })

export const ReportedMessagesSchema = Type.Object(
  {
    accepted: count('Messages that were charged.'),
    unpriced: Type.Optional(count('Messages that no rate card could price. Absent if none.')),
    duplicate: count('Messages that had already been charged, with the same content.'),
    conflict: count('Messages that had already been charged, with different content.'),
    rejected: count('Messages that are invalid.'),
    results: Type.Array(ref(MessageResultSchema), {
      description: 'One result per message, in the order of the request.',
    }),
  },
  { $id: 'ReportedMessages', description: 'The results for the messages of a request.' },
)

/** A line of the response to an NDJSON request. */
export const StreamedResultSchema = Type.Object(
  {
    line: Type.Integer({ minimum: 1, description: 'The line of the request, counted from 1.', examples: [1] }),
    ...MessageResultSchema.properties,
  },
  { $id: 'StreamedResult', description: 'The result for the message in one line of the request.' },
)

export const StreamEndSchema = Type.Object(
  {
    done: Type.Boolean({
      description: 'Whether every line of the request was processed. If false or missing, send the rest again.',
      examples: [true],
    }),
    accepted: count('Messages that were charged.'),
    unpriced: Type.Optional(count('Messages that no rate card could price. Absent if none.')),
    duplicate: count('Messages that had already been charged, with the same content.'),
    conflict: count('Messages that had already been charged, with different content.'),
    rejected: count('Lines that are invalid.'),
    problem: Type.Optional(ref(ProblemSchema, { description: 'Only if `done` is false: why the stream ended.' })),
  },
  { $id: 'StreamEnd', description: 'The last line of the response.' },
)
