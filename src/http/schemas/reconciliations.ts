/** Our bill against the vendor's. */
import Type from 'typebox'
import { COMPARISONS_BY_DEFAULT, COMPARISONS_MAX } from '#reconciling/answer.ts'
import { VENDORS } from '#reconciling/vendors.ts'
import { creditsSchema, oneOf, organizationQuery, quantitySchema } from './common.ts'
import { count, messageCount, unpricedCount } from './usage-fields.ts'

const vendor = oneOf(VENDORS, {
  description:
    'Whose file it is: `github` (a usage report of Copilot), `openrouter` (the activity export), or `csv` (any other; `columns` says ' +
    'which column holds what).',
  examples: ['github'],
})

const days = {
  period: Type.Optional(
    Type.String({
      description:
        'The days of a billing period of the organization, as days of the vendor: `current`, `previous`, a month such as `2024-05`, or ' +
        'a day such as `2024-05-15`. Without it, and without `from` and `to`, the days from the first to the last row of the file.',
      examples: ['2024-05'],
    }),
  ),
  from: Type.Optional(
    Type.String({ description: 'The first day, as a date. Requires `to`.', examples: ['2024-05-01'] }),
  ),
  to: Type.Optional(
    Type.String({ description: 'The day after the last, as a date. Requires `from`.', examples: ['2024-06-01'] }),
  ),
  time_zone: Type.Optional(
    Type.String({
      description: 'Where the days of the vendor begin: `UTC` unless given. Only for `csv`.',
      examples: ['UTC'],
    }),
  ),
}

const limit = Type.Optional(
  Type.Integer({
    minimum: 1,
    maximum: COMPARISONS_MAX,
    default: COMPARISONS_BY_DEFAULT,
    description: 'The most comparisons, users and models that are listed.',
    examples: [COMPARISONS_BY_DEFAULT],
  }),
)

const creditsPerUsd = 'How many credits a dollar is. 100 unless given.'
const tolerance = 'The most credits that may be unexplained. 0 unless given.'

export const reconciliationQuery = {
  ...organizationQuery,
  vendor: Type.Optional(vendor),
  ...days,
  credits_per_usd: Type.Optional(Type.String({ description: creditsPerUsd, examples: ['100'] })),
  tolerance: Type.Optional(Type.String({ description: tolerance, examples: ['0.5'] })),
  limit,
}

const names = (description: string, example: Readonly<Record<string, string>>) =>
  Type.Optional(Type.Record(Type.String(), Type.String(), { description, examples: [example] }))

export const ReconciliationRequestSchema = Type.Object(
  {
    vendor,
    csv: Type.Optional(
      Type.String({
        description: 'The text of the file. Absent if `rows` is given.',
        examples: ['date,username,model,quantity,unit_type\n2024-05-10,ada,GPT-5.2,12.5,ai-credits\n'],
      }),
    ),
    rows: Type.Optional(
      Type.Array(Type.Record(Type.String(), Type.Union([Type.String(), Type.Number(), Type.Boolean(), Type.Null()])), {
        description: 'The rows of the file, by the names of its columns.',
      }),
    ),
    columns: names('Which column holds what, if its name is another: by field, the name of the column.', {
      date: 'Day',
    }),
    members: names('Names of the vendor’s users, and the member that each is here.', { 'octo-ada': 'ada' }),
    models: names('Names of the vendor’s models, and the model that each is here.', {
      'Copilot Code Review': 'gpt-5.4',
    }),
    ...days,
    credits_per_usd: Type.Optional(Type.Number({ description: creditsPerUsd, examples: [100] })),
    tolerance: Type.Optional(Type.Number({ minimum: 0, description: tolerance, examples: [0.5] })),
    limit,
  },
  { additionalProperties: false },
)

export const VendorFileSchema = Type.String({ description: 'The file as the vendor writes it, in UTF-8.' })

const split = {
  difference: creditsSchema('`vendor_credits` less `credits`.'),
  missing_here: creditsSchema('What the vendor bills for a day, user and model of which no message is here.'),
  missing_there: creditsSchema(
    'What messages cost of a day, user and model of which the vendor has no row. Never above 0.',
  ),
  price: creditsSchema('What comes of another rate for the same quantity.'),
  rounding: creditsSchema('What comes of how each side rounds.'),
  unexplained: creditsSchema('The rest.'),
}

const sums = {
  messages: messageCount,
  unpriced: unpricedCount,
  vendor_rows: count('Rows of the file that count.'),
  credits: creditsSchema('What the messages cost here, in credits: an exact decimal with at most six decimal places.'),
  vendor_credits: creditsSchema('What the vendor bills for them before discounts, in credits.'),
  ...split,
}

const date = Type.String({ format: 'date', description: 'A day of the vendor.', examples: ['2024-05-10'] })
const user = Type.Optional(
  Type.String({
    description: 'The member, or the vendor’s user if there is none. Absent if unknown.',
    examples: ['ada'],
  }),
)
const model = Type.Optional(
  Type.String({ description: 'The model, as reported here if it was. Absent if unknown.', examples: ['gpt-5.4'] }),
)

const tokens = (description: string) => {
  const kind = (name: string) => Type.Optional(quantitySchema(`${name} tokens.`))
  return Type.Optional(
    Type.Object(
      {
        input: kind('Input'),
        cache_read: kind('Cache read'),
        cache_write: kind('Cache write'),
        output: kind('Output'),
      },
      { description },
    ),
  )
}

export const ReconciliationSchema = Type.Object(
  {
    organization: Type.String({ description: 'Id of the organization.', examples: ['acme'] }),
    vendor,
    time_zone: Type.String({ description: 'Where the days begin.', examples: ['UTC'] }),
    from: Type.String({ format: 'date', description: 'The first day.', examples: ['2024-05-01'] }),
    to: Type.String({ format: 'date', description: 'The day after the last.', examples: ['2024-06-01'] }),
    rows: Type.Object(
      {
        read: count('Rows of the file, without its header row.'),
        repeated: count('Rows that repeat an earlier one. They do not count.'),
        outside: count('Rows of other days. They do not count.'),
        other: Type.Array(
          Type.Object({
            unit: Type.String({ description: 'The unit, as written.', examples: ['user-months'] }),
            rows: count('Rows with it.'),
          }),
          { description: 'Rows of other products, by unit. They do not count.' },
        ),
      },
      { description: 'What became of the rows of the file.' },
    ),
    ...sums,
    unexplained_size: creditsSchema(
      'What is unexplained by day, user and model, added up without sign: too much does not make up for too little.',
    ),
    tolerance: creditsSchema('The most of it that was to be accepted.'),
    is_within_tolerance: Type.Boolean({ description: 'Whether it is no more than that.', examples: [true] }),
    adjustments: Type.Object(
      {
        messages: count('Adjustments of closed periods that are charged in these days.'),
        credits: creditsSchema('What they are.'),
      },
      { description: 'Corrections of earlier usage. They are no usage of these days and are not compared.' },
    ),
    by_day: Type.Array(Type.Object({ date, ...sums }), { description: 'In order of time.' }),
    by_user: Type.Array(Type.Object({ user, ...sums }), {
      description: 'At most `limit`, the largest difference first. Empty if no row names a user.',
    }),
    by_model: Type.Array(Type.Object({ model, ...sums }), {
      description: 'At most `limit`, the largest difference first. Empty if no row names a model.',
    }),
    comparisons: Type.Array(
      Type.Object({
        date,
        user,
        model,
        vendor_user: Type.Optional(
          Type.String({ description: 'As the vendor spells it. Absent if that is the same.', examples: ['Ada'] }),
        ),
        vendor_model: Type.Optional(
          Type.String({ description: 'As the vendor spells it. Absent if that is the same.', examples: ['GPT-5.4'] }),
        ),
        messages: messageCount,
        unpriced: unpricedCount,
        vendor_rows: sums.vendor_rows,
        tokens: tokens('Tokens of the messages. Absent if there are none.'),
        vendor_quantity: Type.Optional(
          quantitySchema('How many credits the vendor counts. Absent if it does not say.'),
        ),
        vendor_requests: Type.Optional(
          quantitySchema('How many requests the vendor counts. Absent if it does not say.'),
        ),
        vendor_tokens: tokens('The tokens that the vendor counts. Absent if it does not say.'),
        credits: sums.credits,
        vendor_credits: sums.vendor_credits,
        ...split,
        explanation: Type.Optional(
          Type.String({
            description: 'Why they differ, in words. Absent if they do not.',
            examples: ['GitHub bills 12.5 credits in 1 row, and no message of that day by ada with gpt-5.4 is here.'],
          }),
        ),
      }),
      { description: 'By day, user and model, the largest difference first.' },
    ),
    other_comparisons: Type.Optional(
      Type.Object(
        { groups: count('How many there are.'), ...sums },
        { description: 'All that `limit` left out. Absent if none.' },
      ),
    ),
  },
  { $id: 'Reconciliation', description: 'Our bill and the vendor’s, and how they differ.' },
)
