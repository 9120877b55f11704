/** What clients ask the price of, and the quotes that they get back. */
import Type from 'typebox'
import { chargeLineProperties } from './charge-line.ts'
import { creditsSchema, oneOf, ref } from './common.ts'
import { MessageSchema } from './intake.ts'
import { RateCardSchema } from './rate-card.ts'
import { MessageIdSchema } from './usage.ts'

const { id: _, timestamp: __, ...others } = MessageSchema.properties

const QuotedMessageSchema = Type.Object(
  {
    id: Type.Optional(
      Type.Union([...MessageIdSchema.anyOf, Type.Null()], {
        description: 'Id of the message, which a quote does not need.',
        examples: [1000],
      }),
    ),
    timestamp: Type.Optional(
      Type.Union([Type.String({ format: 'date-time' }), Type.Null()], {
        description:
          'When the message would be sent: RFC 3339 with an offset, at most `INTAKE_MAX_AHEAD` (5 minutes by default) in the ' +
          'future. Now, if absent or `null`.',
        examples: ['2024-04-29T02:08:29.375Z'],
      }),
    ),
    ...others,
  },
  { additionalProperties: false, description: 'A message as it would be reported.' },
)

export const QuoteRequestSchema = Type.Object(
  {
    messages: Type.Array(QuotedMessageSchema, {
      description: 'The messages; at most `INTAKE_MAX_BATCH` (10,000 by default).',
    }),
    rate_card: Type.Optional(
      Type.Union([Type.String(), ref(RateCardSchema)], {
        description:
          'The card to price by: the version of a stored or built-in card, or a whole card, which is not stored. Absent: for each ' +
          'message the card that is in force at its timestamp.',
        examples: ['standard-2024'],
      }),
    ),
  },
  { additionalProperties: false },
)

export const QuoteSchema = Type.Object(
  {
    status: oneOf(['priced', 'unpriced', 'rejected'], {
      description:
        '`priced`: what the message costs. `unpriced`: the card has no price for it. `rejected`: invalid, see `field` and `reason`.',
      examples: ['priced'],
    }),
    rate_card: Type.Optional(
      Type.String({
        description: 'Version of the card that was asked. Absent if rejected.',
        examples: ['standard-2024'],
      }),
    ),
    credits: Type.Optional(creditsSchema('Only if priced: what the message costs, in credits.')),
    case: Type.Optional(
      Type.String({ description: 'Only if priced: the case of the card that applies.', examples: ['text'] }),
    ),
    lines: Type.Optional(
      Type.Array(Type.Object(chargeLineProperties), {
        description: 'Only if priced: one line per rule that applies. They add up to `credits`, exactly.',
      }),
    ),
    unused: Type.Optional(
      Type.Array(Type.String(), {
        description: 'Quantities and kinds of tokens above 0 that no line uses. Absent if there are none.',
        examples: [['pages']],
      }),
    ),
    unknown_report: Type.Optional(
      Type.Literal(true, {
        description: 'The catalogue does not have the requested report.',
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
      Type.String({
        description: 'If unpriced: why there is no price. If rejected: what is wrong with the field.',
        examples: ['the model "gpt-6" has no price in the card copilot-2026-06'],
      }),
    ),
  },
  { $id: 'Quote', description: 'What a message would cost.' },
)

export const QuotesSchema = Type.Object(
  { quotes: Type.Array(ref(QuoteSchema), { description: 'One quote per message, in the order of the request.' }) },
  { $id: 'Quotes', description: 'What messages would cost.' },
)
