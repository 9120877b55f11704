/** A line of a charge or of a quote: one rule that applied. */
import Type from 'typebox'
import type { ChargeLine } from '#model/charge.ts'
import { plainNumber } from '#model/credits.ts'
import { creditsSchema } from './common.ts'
import { count } from './usage-fields.ts'

export const chargeLineProperties = {
  rule: Type.String({ description: 'The pricing rule.', examples: ['words'] }),
  band: Type.Optional(
    Type.Object(
      {
        from: count('Shortest word length, in characters.'),
        to: Type.Optional(count('Longest word length, in characters. Absent if unlimited.')),
      },
      { description: 'Only for lines of words: the word lengths that this line covers.' },
    ),
  ),
  quantity: Type.Number({
    description: 'How much the rule counted; for a report, the credits that it costs. At most six decimal places.',
    examples: [1200],
  }),
  rate: creditsSchema('Credits for each `per` of the quantity; negative for a discount.'),
  per: Type.Optional(
    Type.Integer({
      minimum: 2,
      description: 'The quantity that costs `rate`, such as 1000000 tokens. Absent if it is 1.',
      examples: [1_000_000],
    }),
  ),
  packages: Type.Optional(
    count('Only if every `per` that was started costs as much as a whole one: how many were started.'),
  ),
  credits: creditsSchema(
    '`quantity` × `rate` ÷ `per`, or `packages` × `rate`, rounded half to even to six decimal places.',
  ),
}

export const toLineResponse = ({ rule, band, quantity, rate, per, packages, credits }: ChargeLine) => ({
  rule,
  ...(band && { band }),
  quantity,
  rate: plainNumber(rate),
  ...(per !== undefined && { per }),
  ...(packages !== undefined && { packages }),
  credits: plainNumber(credits),
})
