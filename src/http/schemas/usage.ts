/** The frozen contract of `GET /usage`: other teams read it, so names and shape do not change. */
import Type from 'typebox'
import { ref } from './common.ts'

export const MessageIdSchema = Type.Union(
  [
    Type.Integer({ minimum: Number.MIN_SAFE_INTEGER, maximum: Number.MAX_SAFE_INTEGER }),
    Type.String({ minLength: 1, maxLength: 200 }),
  ],
  { description: 'Id of the message. `1000` and `"1000"` are different ids.', examples: [1000] },
)

export const UsageLineSchema = Type.Object(
  {
    message_id: MessageIdSchema,
    timestamp: Type.String({
      format: 'date-time',
      description: 'When the message was sent: the RFC 3339 timestamp exactly as received.',
      examples: ['2024-04-29T02:08:29.375Z'],
    }),
    report_name: Type.Optional(
      Type.String({
        minLength: 1,
        description: 'Name of the report that priced the message. Absent if the text was priced; never null or empty.',
        examples: ['Tenant Obligations Report'],
      }),
    ),
    credits_used: Type.Number({
      minimum: 0,
      description:
        'What the message cost, in credits: an exact decimal with at most six decimal places. For exact sums, add whole ' +
        'millionths of a credit.',
      examples: [79],
    }),
  },
  { $id: 'UsageLine', additionalProperties: false, description: 'What one message cost.' },
)

export const UsageResponseSchema = Type.Object(
  {
    usage: Type.Array(ref(UsageLineSchema), {
      description:
        'One line per message: in the order of the Copilot service for its current period, otherwise by time and id.',
    }),
  },
  {
    $id: 'UsageResponse',
    additionalProperties: false,
    description: 'What every message of a billing period or range cost.',
    examples: [
      {
        usage: [
          {
            message_id: 1000,
            timestamp: '2024-04-29T02:08:29.375Z',
            report_name: 'Tenant Obligations Report',
            credits_used: 79,
          },
          { message_id: 1001, timestamp: '2024-04-29T03:25:03.613Z', credits_used: 5.2 },
        ],
      },
    ],
  },
)
