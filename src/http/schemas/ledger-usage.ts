/** Responses from the ledger. */
import Type from 'typebox'
import { CHANGES } from '#answering/queries.ts'
import { CreditsSchema, creditsSchema, oneOf, ref, TimestampSchema } from './common.ts'
import { MessageIdSchema } from './usage.ts'

const count = (description: string) => Type.Integer({ minimum: 0, description, examples: [3] })

const messageCount = count('Number of messages.')

const reportId = (description: string) =>
  Type.Optional(Type.Union([...MessageIdSchema.anyOf], { description, examples: [5392] }))
const reportName = (description: string) =>
  Type.Optional(Type.String({ description, examples: ['Tenant Obligations Report'] }))
const userId = (description: string) => Type.Optional(Type.String({ description, examples: ['ada'] }))

/** Of a message. */
const reportAndMember = {
  report_id: reportId('Id of the report that priced the message. Absent if the text was priced.'),
  report_name: reportName('Name of that report at the time of the charge.'),
  user_id: userId('The member who sent the message. Absent if unknown.'),
}

const rateCard = Type.String({ description: 'Version of the rate card.', examples: ['standard-2024'] })

const receivedTimestamp = TimestampSchema('When the message was sent: the RFC 3339 timestamp exactly as received.')

const nextCursor = Type.Optional(
  Type.String({ description: 'The `cursor` of the next page. Absent on the last page.', examples: ['WzE3MTQ…'] }),
)

const sumOf = (description: string) =>
  Type.Optional(Type.Object({ messages: messageCount, credits: CreditsSchema }, { description }))

const notListed = sumOf(
  'Messages of this response, within the listed days or the current period, that the Copilot service does not list. Present ' +
    'only if `UPSTREAM_URL` is set and the response comes from the ledger.',
)

/** Where the data comes from, if there is an upstream. */
const provenance = {
  listing: Type.Optional(
    Type.Object(
      {
        as_of: TimestampSchema('When the Copilot service last confirmed the listing.'),
        stale: Type.Boolean({
          description: '`true` if the Copilot service is failing and this is its last good listing.',
          examples: [false],
        }),
      },
      {
        description: 'Present only if the response comes from the listing of the Copilot service (its current period).',
      },
    ),
  ),
  not_listed: notListed,
  not_recorded: sumOf(
    'Messages that are missing from this response: the Copilot service listed them while the database could not be written, ' +
      'and no longer listed them when it could. Absent if none are missing.',
  ),
}

export const DetailedUsageLineSchema = Type.Object(
  {
    message_id: MessageIdSchema,
    timestamp: receivedTimestamp,
    ...reportAndMember,
    credits_used: creditsSchema('What the message cost, in credits: an exact decimal with at most six decimal places.'),
    rate_card: rateCard,
  },
  { $id: 'DetailedUsageLine', description: 'What one message cost, with its report, member and rate card.' },
)

export const UsagePageSchema = Type.Object(
  {
    usage: Type.Array(ref(DetailedUsageLineSchema), { description: 'Usage lines, by time and id.' }),
    next_cursor: nextCursor,
    ...provenance,
  },
  { $id: 'UsagePage', description: 'A page of usage lines.' },
)

export const BucketSchema = Type.Object(
  {
    start: TimestampSchema('Start of the bucket, inclusive.'),
    end: TimestampSchema('End of the bucket, exclusive.', '2024-05-02T00:00:00.000Z'),
    messages: messageCount,
    credits: CreditsSchema,
    groups: Type.Optional(
      Type.Array(
        Type.Object({
          report_id: reportId('Id of the report. Absent if not grouped by report, or if the text was priced.'),
          report_name: reportName('Name of the report.'),
          user_id: userId('The member. Absent if not grouped by member, or if unknown.'),
          messages: messageCount,
          credits: CreditsSchema,
        }),
        { description: 'Only with `group_by`: the groups that have usage. They add up to the bucket.' },
      ),
    ),
  },
  { $id: 'Bucket', description: 'Messages and credits of one time bucket.' },
)

export const TotalsSchema = Type.Object(
  {
    time_zone: Type.String({ description: 'IANA time zone in which the buckets start.', examples: ['Europe/London'] }),
    buckets: Type.Array(ref(BucketSchema), { description: 'Consecutive buckets in ascending order, without gaps.' }),
    next_page: Type.Optional(
      Type.String({ description: 'The `page` of the next buckets. Absent on the last page.', examples: ['WzE3MTQ…'] }),
    ),
    ...provenance,
  },
  { $id: 'Totals', description: 'Messages and credits in consecutive time buckets.' },
)

const periodFields = {
  name: Type.String({
    description:
      'Value of the query parameter `period` that selects this period: the month in which it starts, or its first day if an ' +
      'earlier period starts in the same month; `current` for the period that the Copilot service lists.',
    examples: ['2024-05'],
  }),
  start: TimestampSchema('Start of the period, inclusive.'),
  end: TimestampSchema('End of the period, exclusive.', '2024-06-01T00:00:00.000Z'),
  state: Type.Literal('open', {
    description: 'Always `open`: late messages are still charged to the period.',
    examples: ['open'],
  }),
  messages: messageCount,
  credits: CreditsSchema,
}

export const PeriodSchema = Type.Object(
  { ...periodFields, not_listed: notListed },
  { $id: 'Period', description: 'A billing period and its usage.' },
)

export const CurrentPeriodSchema = Type.Object(
  { ...periodFields, ...provenance },
  { $id: 'CurrentPeriod', description: 'The current billing period and its usage so far.' },
)

export const PeriodsSchema = Type.Object({
  periods: Type.Array(ref(PeriodSchema), { description: 'Billing periods, latest first.' }),
  next_cursor: nextCursor,
})

export const ChargeSchema = Type.Object(
  {
    state: Type.Union([Type.Literal('charged'), Type.Literal('superseded')], {
      description: '`charged`: in effect. `superseded`: replaced by a later charge because the message changed.',
      examples: ['charged'],
    }),
    revision: count('0 for the first charge of the message, increased by one with each change.'),
    superseded_by: Type.Optional(count('Only if superseded: the revision that replaced this one.')),
    changed: Type.Optional(
      Type.Array(oneOf(CHANGES), {
        description:
          'Only if superseded: what the replacing revision changed. `content` means a different text with the same measurement.',
        examples: [['price']],
      }),
    ),
    timestamp: receivedTimestamp,
    ...reportAndMember,
    credits: creditsSchema('Total of the charge, in credits: an exact decimal with at most six decimal places.'),
    lines: Type.Array(
      Type.Object({
        rule: Type.String({ description: 'The pricing rule.', examples: ['words'] }),
        band: Type.Optional(
          Type.Object(
            {
              from: count('Shortest word length, in characters.'),
              to: Type.Optional(count('Longest word length, in characters. Absent if unlimited.')),
            },
            { description: 'Only for the rule `words`: the word lengths that this line covers.' },
          ),
        ),
        quantity: count('How often the rule applied.'),
        rate: creditsSchema('Credits per unit; negative for a discount.'),
        credits: creditsSchema('`quantity` × `rate`, exactly.'),
        why: Type.String({ description: 'Explanation of the rule.', examples: ['Charged per word of this length.'] }),
      }),
      { description: 'One line per rule that applied. They add up to `credits`, exactly.' },
    ),
    rate_card: rateCard,
    measurement: Type.Object(
      {
        code_points: count('Number of characters (Unicode code points).'),
        word_lengths: Type.Array(count('Number of words.'), {
          description: 'Number of words with 1, 2, 3, … 32 characters. Longer words count as 32.',
        }),
        third_vowels: count('Number of vowels among the 3rd, 6th, 9th, … characters.'),
        words_differ: Type.Boolean({ description: 'Whether no word occurs more than once.', examples: [true] }),
        palindrome: Type.Boolean({
          description: 'Whether the letters and digits of the text read the same in both directions, ignoring case.',
          examples: [false],
        }),
      },
      { description: 'What the charge was calculated from. Stored instead of the text.' },
    ),
    period: Type.Object(
      {
        start: TimestampSchema('Start of the period, inclusive.'),
        end: TimestampSchema('End of the period, exclusive.', '2024-06-01T00:00:00.000Z'),
      },
      { description: 'The billing period of the charge.' },
    ),
    recorded: TimestampSchema('When the charge was recorded.'),
  },
  { $id: 'Charge', description: 'What a message cost, with one line per pricing rule.' },
)

export const ChargesSchema = Type.Object(
  {
    message_id: MessageIdSchema,
    charges: Type.Array(ref(ChargeSchema), { description: 'All charges of the message, the one in effect first.' }),
  },
  { $id: 'Charges', description: 'All charges of a message.' },
)
