/** What is reported, and what is answered to it. */
import Type from 'typebox'
import { CreditsSchema } from './common.ts'
import { MessageIdSchema } from './usage.ts'

export const MessageSchema = Type.Object(
  {
    id: MessageIdSchema,
    text: Type.String({
      description: 'What was asked. It is measured and not kept.',
      examples: ['What is the lease term?'],
    }),
    timestamp: Type.String({
      format: 'date-time',
      description: 'When it was sent: RFC 3339, with an offset.',
      examples: ['2024-04-29T02:08:29.375Z'],
    }),
    report_id: Type.Optional(
      Type.Union([...MessageIdSchema.anyOf, Type.Null()], {
        description: 'The report that was asked for: it prices the message if the catalogue has it.',
        examples: [5392],
      }),
    ),
    user_id: Type.Optional(
      Type.Union([Type.String({ minLength: 1, maxLength: 200 }), Type.Null()], {
        description: 'Who in the organization sent it.',
        examples: ['ada'],
      }),
    ),
  },
  { $id: 'Message', additionalProperties: false, description: 'A message to the copilot.' },
)

export const MessagesSchema = Type.Object(
  { messages: Type.Array(Type.Ref('Message#'), { description: 'Messages, in any order.' }) },
  { additionalProperties: false },
)

export const CloudEventSchema = Type.Object(
  {
    specversion: Type.Literal('1.0', { description: 'The version of CloudEvents.', examples: ['1.0'] }),
    type: Type.Literal('copilot.message', { description: 'What happened.', examples: ['copilot.message'] }),
    source: Type.String({
      minLength: 1,
      format: 'uri-reference',
      description: 'With a space and `id` behind it, the id of the message.',
      examples: ['/copilot/eu'],
    }),
    id: Type.String({ minLength: 1, description: 'Unique within `source`.', examples: ['A234-1234-1234'] }),
    time: Type.String({
      format: 'date-time',
      description: 'When the message was sent: RFC 3339, with an offset.',
      examples: ['2024-04-29T02:08:29.375Z'],
    }),
    subject: Type.Optional(
      Type.Union([Type.String({ minLength: 1, maxLength: 200 }), Type.Null()], {
        description: 'Who in the organization sent it.',
        examples: ['ada'],
      }),
    ),
    data: Type.Optional(
      Type.Object(
        { text: MessageSchema.properties.text, report_id: MessageSchema.properties.report_id },
        { additionalProperties: false, description: 'The message.' },
      ),
    ),
    data_base64: Type.Optional(
      Type.Union([Type.String(), Type.Null()], {
        description: 'In place of `data`: its JSON in base64.',
        examples: ['eyJ0ZXh0IjoiV2hhdCBpcyB0aGUgbGVhc2UgdGVybT8ifQ=='],
      }),
    ),
  },
  { $id: 'CloudEvent', description: 'A message to the copilot as a CloudEvent; other attributes may be there.' },
)

const count = (description: string) => Type.Integer({ minimum: 0, description, examples: [1] })

export const IntakeAnswerSchema = Type.Object({
  accepted: count('Messages that have been charged.'),
  duplicate: count('Messages that had been charged before, with the same content.'),
  conflict: count('Messages whose id is that of another one, with other content.'),
  rejected: count('Messages that are not valid.'),
  results: Type.Array(
    Type.Object({
      id: Type.Optional(MessageIdSchema),
      status: Type.Union(
        [Type.Literal('accepted'), Type.Literal('duplicate'), Type.Literal('conflict'), Type.Literal('rejected')],
        { description: 'What became of it.', examples: ['accepted'] },
      ),
      credits: Type.Optional(CreditsSchema),
      unknown_report: Type.Optional(
        Type.Literal(true, {
          description: 'The catalogue does not have the report that the message asks for; its text prices it.',
          examples: [true],
        }),
      ),
      field: Type.Optional(Type.String({ description: 'The field that is wrong.', examples: ['timestamp'] })),
      reason: Type.Optional(Type.String({ description: 'What is wrong with it.', examples: ['must be a string'] })),
    }),
    { description: 'A result for each message, in the order in which they came.' },
  ),
})
