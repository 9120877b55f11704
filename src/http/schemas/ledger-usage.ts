/** What is answered from the ledger. */
import Type from 'typebox'
import { CHANGES } from '#metering/usage-queries.ts'
import { CreditsSchema, TimestampSchema } from './common.ts'
import { MessageIdSchema } from './usage.ts'

const count = (description: string) => Type.Integer({ minimum: 0, description, examples: [3] })

const who = {
  report_id: Type.Optional(
    Type.Union([...MessageIdSchema.anyOf], {
      description: 'The report that priced it; absent where none did.',
      examples: [5392],
    }),
  ),
  report_name: Type.Optional(
    Type.String({ description: 'Its name when it was charged.', examples: ['Tenant Obligations Report'] }),
  ),
  user_id: Type.Optional(Type.String({ description: 'The member, where one is known.', examples: ['ada'] })),
}

const rateCard = Type.String({ description: 'Version of the rate card.', examples: ['standard-2024'] })

const nextCursor = Type.Optional(
  Type.String({ description: 'Asks for the next page, as `cursor`; absent on the last.', examples: ['WzE3MTQ…'] }),
)

const sumOf = (description: string) =>
  Type.Optional(Type.Object({ messages: count('Messages.'), credits: CreditsSchema }, { description }))

const notListed = sumOf(
  'Present in answers of the ledger if `UPSTREAM_URL` is set: what this answer has, within the listed days or the current ' +
    'period, that the Copilot service does not list.',
)

/** What an answer is of, with an upstream. */
const provenance = {
  listing: Type.Optional(
    Type.Object(
      {
        as_of: TimestampSchema('When it was last known to be what the Copilot service lists.'),
        stale: Type.Boolean({
          description: 'The Copilot service fails: this is the last good answer.',
          examples: [false],
        }),
      },
      { description: 'Present if the answer is of what the Copilot service lists as the current period.' },
    ),
  ),
  not_listed: notListed,
  not_recorded: sumOf(
    'Present if messages are missing here: the Copilot service listed them while the database could not be written, and no ' +
      'longer did when it could.',
  ),
}

export const UsagePageSchema = Type.Object({
  usage: Type.Array(
    Type.Object({
      message_id: MessageIdSchema,
      timestamp: TimestampSchema('Exactly as it was received.'),
      ...who,
      credits_used: CreditsSchema,
      rate_card: rateCard,
    }),
    { description: 'Usage lines.' },
  ),
  next_cursor: nextCursor,
  ...provenance,
})

export const TotalsSchema = Type.Object({
  time_zone: Type.String({ description: 'The zone in which buckets begin.', examples: ['Europe/London'] }),
  buckets: Type.Array(
    Type.Object({
      start: TimestampSchema('Inclusive.'),
      end: TimestampSchema('Exclusive.'),
      messages: count('Messages.'),
      credits: CreditsSchema,
      groups: Type.Optional(
        Type.Array(Type.Object({ ...who, messages: count('Messages.'), credits: CreditsSchema }), {
          description: 'With `group_by`: those that have usage; they add up to the bucket.',
        }),
      ),
    }),
    { description: 'Buckets, ascending.' },
  ),
  next_page: Type.Optional(
    Type.String({ description: 'Asks for the next buckets, as `page`.', examples: ['WzE3MTQ…'] }),
  ),
  ...provenance,
})

const periodFields = {
  name: Type.String({
    description:
      'What the query parameter `period` takes for it: the month in which it starts, or the day, where an earlier one starts in that month; `current` for what the Copilot service lists.',
    examples: ['2024-05'],
  }),
  start: TimestampSchema('Inclusive.'),
  end: TimestampSchema('Exclusive.'),
  state: Type.Literal('open', { description: 'Messages are still charged to it.', examples: ['open'] }),
  messages: count('Messages.'),
  credits: CreditsSchema,
}

const PeriodSchema = Type.Object({ ...periodFields, not_listed: notListed })

export const CurrentPeriodSchema = Type.Object({ ...periodFields, ...provenance })

export const PeriodsSchema = Type.Object({
  periods: Type.Array(PeriodSchema, { description: 'Periods, the latest first.' }),
  next_cursor: nextCursor,
})

export const ChargesSchema = Type.Object({
  message_id: MessageIdSchema,
  charges: Type.Array(
    Type.Object({
      state: Type.Union([Type.Literal('charged'), Type.Literal('superseded')], {
        description: '`superseded`: the message has changed since, and a later charge has taken its place.',
        examples: ['charged'],
      }),
      revision: count('0 for the first charge of the message, then one more for each change.'),
      superseded_by: Type.Optional(count('The revision that took its place.')),
      changed: Type.Optional(
        Type.Array(Type.Union(CHANGES.map((change) => Type.Literal(change))), {
          description:
            'What the revision that took its place has otherwise. `content`: another text of the same measurement.',
          examples: [['price']],
        }),
      ),
      timestamp: TimestampSchema('Exactly as it was received.'),
      ...who,
      credits: CreditsSchema,
      lines: Type.Array(
        Type.Object({
          rule: Type.String({ description: 'The rule.', examples: ['words'] }),
          band: Type.Optional(
            Type.Object(
              {
                from: count('The shortest.'),
                to: Type.Optional(count('The longest; absent where there is no limit.')),
              },
              { description: 'With `words`: the lengths that are counted here.' },
            ),
          ),
          quantity: count('How many.'),
          rate: CreditsSchema,
          credits: CreditsSchema,
          why: Type.String({ description: 'The rule in words.', examples: ['Charged per word of this length.'] }),
        }),
        { description: 'They add up to `credits`, exactly.' },
      ),
      rate_card: rateCard,
      measurement: Type.Object(
        {
          code_points: count('Characters.'),
          word_lengths: Type.Array(count('Words.'), { description: 'How many words of 1, 2, 3, … characters.' }),
          third_vowels: count('Vowels among the 3rd, 6th, 9th, … characters.'),
          words_differ: Type.Boolean({ description: 'No two words are equal.', examples: [true] }),
          palindrome: Type.Boolean({ description: 'It reads the same in both directions.', examples: [false] }),
        },
        { description: 'What is kept of the text.' },
      ),
      period: Type.Object(
        { start: TimestampSchema('Inclusive.'), end: TimestampSchema('Exclusive.') },
        { description: 'The billing period that it counts to.' },
      ),
      recorded: TimestampSchema('When it was charged.'),
    }),
    { description: 'Every charge of the message, the one that holds first.' },
  ),
})
