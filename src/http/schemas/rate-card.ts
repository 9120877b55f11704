/** A rate card as JSON. `#rating/parse-card.ts` checks it, and says more than a schema can. */
import Type, { type TSchema, type TSchemaOptions } from 'typebox'
import type { KnownCard } from '#intake/stored-cards.ts'
import type { Card } from '#model/card.ts'
import { OUTCOMES } from '#model/facts.ts'

const amount = (description: string, example: number) => Type.Number({ minimum: 0, description, examples: [example] })

/** `Type.Record` says it with patterns, of which fewer readers of OpenAPI make a type. */
const byName = (value: TSchema, options: TSchemaOptions) =>
  Type.Unsafe({ type: 'object', additionalProperties: value, ...options })

const scalar = Type.Union([Type.String(), Type.Number(), Type.Boolean()])

const ConditionsSchema = byName(
  Type.Union([
    scalar,
    Type.Array(scalar),
    Type.Object({
      above: Type.Optional(Type.Number({ description: 'More than this.', examples: [272_000] })),
      upto: Type.Optional(Type.Number({ description: 'At most this.', examples: [272_000] })),
    }),
  ]),
  {
    description:
      'Conditions on facts of the message, all of which must hold: a value, a list of values of which it must be one, `"*"` if the ' +
      'fact must be present, or a range. None holds on an absent fact. If `when` is absent, it always holds.',
    examples: [{ prompt_tokens: { above: 272_000 } }],
  },
)
const when = Type.Optional(ConditionsSchema)

const name = (description: string, example: string) =>
  Type.String({ minLength: 1, maxLength: 64, description, examples: [example] })

const LineSchema = Type.Object(
  {
    rule: name('Name of the line, as charges show it.', 'input'),
    of: Type.Optional(
      Type.String({
        description:
          'The fact that is the quantity: a count of the service, or a quantity of the sender. Absent: once.',
        examples: ['input_tokens'],
      }),
    ),
    rate: Type.Optional(
      Type.Number({
        description: 'Credits for `per` of the quantity. Negative only with `when`. Either `rate` or `price`.',
        examples: [0.05],
      }),
    ),
    price: Type.Optional(
      Type.String({ description: 'The column of `prices` that has the rate.', examples: ['input'] }),
    ),
    per: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: 10 ** 12,
        description: 'The quantity that costs the rate; 1 if absent.',
        examples: [1_000_000],
      }),
    ),
    started: Type.Optional(
      Type.Boolean({
        description: 'Whether every `per` that is started costs as much as a whole one.',
        examples: [true],
      }),
    ),
    from: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: 32,
        description: 'Only of `words`: the shortest word that counts, in characters.',
        examples: [4],
      }),
    ),
    to: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: 32,
        description: 'Only of `words`: the longest word that counts. Absent: no limit.',
        examples: [7],
      }),
    ),
    when,
  },
  { description: 'Costs quantity × rate ÷ per, rounded half to even to six decimal places.' },
)

const FactorSchema = Type.Object(
  { rule: name('Name of the factor, as charges show it.', 'palindrome'), by: amount('The factor.', 2), when },
  { description: 'Multiplies the total so far.' },
)

const CaseSchema = Type.Object(
  {
    name: name('Name of the case, different from the others.', 'tokens'),
    when,
    lines: Type.Array(LineSchema, { description: 'What is charged. An empty list makes the message free.' }),
    minimum: Type.Optional(amount('The least that a message costs; 0 if absent.', 1)),
    multiply: Type.Optional(Type.Array(FactorSchema, { description: 'Applied after the minimum, in order.' })),
  },
  { description: 'How messages of one kind are priced.' },
)

const PriceRowSchema = Type.Object(
  { when },
  {
    additionalProperties: true,
    description: 'Every other member is a column: credits for `per` of the line that names it.',
    examples: [{ input: 250, cache_read: 25, output: 1500 }],
  },
)

const CardSchema = Type.Object(
  {
    version: Type.String({
      minLength: 1,
      maxLength: 64,
      pattern: '^[a-z0-9][a-z0-9.-]*$',
      description: 'Name of the card, forever.',
      examples: ['copilot-2026-06'],
    }),
    prices: Type.Optional(
      byName(Type.Array(PriceRowSchema), {
        description: 'By model: rows of prices, of which the first that holds applies. At most 20,000 models.',
        examples: [{ 'gpt-5.4': [{ input: 250, output: 1500 }] }],
      }),
    ),
    aliases: Type.Optional(
      byName(Type.String(), {
        description: 'Other names of models that have prices.',
        examples: [{ 'gpt-5.4-2026-03-05': 'gpt-5.4' }],
      }),
    ),
    cases: Type.Array(CaseSchema, { description: 'In order: the first that holds prices the message.' }),
    outcomes: Type.Optional(
      Type.Object(
        Object.fromEntries(OUTCOMES.map((each) => [each, Type.Optional(amount(`If the outcome is ${each}.`, 0))])),
        { description: 'The share of the total that is charged, by outcome; 1 if absent.' },
      ),
    ),
  },
  {
    $id: 'RateCard',
    description: 'What messages cost, as data. Amounts are credits with at most six decimal places.',
    examples: [
      {
        version: 'copilot-2026-06',
        prices: { 'gpt-5.4': [{ input: 250, output: 1500 }] },
        cases: [
          {
            name: 'tokens',
            when: { model: '*' },
            lines: [
              { rule: 'input', of: 'input_tokens', per: 1_000_000, price: 'input' },
              { rule: 'output', of: 'output_tokens', per: 1_000_000, price: 'output' },
            ],
            minimum: 0.01,
            multiply: [{ rule: 'fast', by: 2, when: { speed: 'fast' } }],
          },
        ],
        outcomes: { failed: 0 },
      },
    ],
  },
)

export const RateCardSchema = Type.Unsafe<Card>(CardSchema)

const names = (description: string, examples: readonly string[]) =>
  Type.Optional(Type.Array(Type.String(), { description, examples: [examples] }))

const ExpectedFieldsSchema = Type.Object(
  {
    text: Type.Optional(Type.Literal(true, { description: 'The text.', examples: [true] })),
    report_id: Type.Optional(Type.Literal(true, { description: 'The report.', examples: [true] })),
    model: Type.Optional(Type.Literal(true, { description: 'The model.', examples: [true] })),
    usage: names('Kinds of tokens.', ['input_tokens', 'output_tokens']),
    quantities: names('Quantities.', ['pages']),
    attributes: names('Attributes.', ['feature']),
  },
  {
    description:
      'The fields of a message that the card reads. Senders must bring what it needs to price their messages.',
  },
)

export const ExpectedFactsSchema = Type.Unsafe<KnownCard['expects']>(ExpectedFieldsSchema)
