/** What usage lines, totals, periods and charges have in common: the schemas of their fields, and how those are filled. */
import Type from 'typebox'
import type { Provenance } from '#answering/queries.ts'
import type { UsageSum } from '#current-period/listing.ts'
import { type Cell, DIMENSIONS, type Dimension, FIELD_OF, type Grouped } from '#model/cell.ts'
import type { ChargeFilter } from '#model/charge-filter.ts'
import { type Credits, creditsFromDecimal, DECIMAL_MAX, plainNumber } from '#model/credits.ts'
import { InvalidRequest } from '#model/errors.ts'
import { OUTCOMES } from '#model/facts.ts'
import { canonicalTimestamp } from '#model/timestamp.ts'
import { queryParameter } from '../fields.ts'
import { CreditsSchema, oneOf, TimestampSchema } from './common.ts'
import { MessageIdSchema } from './usage.ts'

export const count = (description: string) => Type.Integer({ minimum: 0, description, examples: [3] })

export const messageCount = count('Number of messages.')

export const unpricedCount = Type.Optional(
  Type.Integer({ minimum: 1, description: 'How many of the messages have no price. Absent if none.', examples: [1] }),
)

/** In place of the credits. */
export const unpricedReason = Type.Optional(
  Type.String({ description: 'Why the message has no price. Present only if it has none.', examples: ['no price'] }),
)

export const reportId = (description: string) =>
  Type.Optional(Type.Union([...MessageIdSchema.anyOf], { description, examples: [5392] }))
export const reportName = (description: string) =>
  Type.Optional(Type.String({ description, examples: ['Tenant Obligations Report'] }))
const text = (description: string, example: string) => Type.Optional(Type.String({ description, examples: [example] }))

/** The name of each dimension on the wire. */
const NAME_OF = {
  report: 'report_id',
  member: 'user_id',
  team: 'team_id',
  model: 'model',
  feature: 'feature',
  outcome: 'outcome',
  rate_card: 'rate_card',
} as const satisfies Readonly<Record<Dimension, string>>

/** All but the rate card. `orElse` completes when one is absent. */
const dimensionsWith = (orElse: string) => ({
  report_id: reportId(`Id of the report that set the price. Absent if none did${orElse}.`),
  report_name: reportName('Name of that report at the time of the charge.'),
  user_id: text(`The member who sent the message. Absent if unknown${orElse}.`, 'ada'),
  team_id: text(`The part of the organization for which it was sent. Absent if unknown${orElse}.`, 'legal'),
  model: text(`The model, as reported. Absent if none was${orElse}.`, 'gpt-5.4'),
  feature: text(`The attribute \`feature\` of the message. Absent if it has none${orElse}.`, 'chat'),
  outcome: Type.Optional(
    oneOf(UNSUCCESSFUL, {
      description: `How the message ended. Absent if it succeeded${orElse}.`,
      examples: ['failed'],
    }),
  ),
})

const UNSUCCESSFUL = OUTCOMES.filter((outcome) => outcome !== 'succeeded')

/** Of a message. */
export const dimensions = dimensionsWith('')

/** Of a group of messages. */
export const groupDimensions = {
  ...dimensionsWith(', or if not grouped by it'),
  rate_card: text('Version of the rate card. Absent if not grouped by it.', 'standard-2024'),
}

const only = (description: string, example: string) =>
  Type.Optional(Type.String({ minLength: 1, maxLength: 200, description, examples: [example] }))

/** Which messages are meant. */
export const filterQuery = {
  user_id: only('Only messages of this member.', 'ada'),
  report_id: only('Only messages that this report priced.', '5392'),
  team_id: only('Only messages of this part of the organization.', 'legal'),
  model: only('Only messages that report this model.', 'gpt-5.4'),
  feature: only('Only messages with this attribute `feature`.', 'chat'),
  outcome: Type.Optional(oneOf(OUTCOMES, { description: 'Only messages that ended so.', examples: ['failed'] })),
  rate_card: only('Only messages that were priced by this version of a rate card.', 'standard-2024'),
  min_credits: Type.Optional(
    Type.String({
      minLength: 1,
      maxLength: 40,
      description:
        'Only messages that cost at least so many credits: a number from 0 with at most six decimal places. Messages without a ' +
        'price cost none and are left out, as are negative adjustments. Answered from the individual messages.',
      examples: ['0.5'],
    }),
  ),
}

export const rateCard = Type.String({ description: 'Version of the rate card.', examples: ['standard-2024'] })

export const receivedTimestamp = TimestampSchema(
  'When the message was sent: the RFC 3339 timestamp exactly as received.',
)

export const version = Type.String({
  description:
    'Changes whenever an answer to this request can change; equal versions of one range mean that nothing in it has changed ' +
    'between the requests. `listing.as_of` does not count.',
  examples: ['1f0c2d7b9a4e4c6f8d3b5a7e9c1d0f2b'],
})

export const nextCursor = Type.Optional(
  Type.String({ description: 'The `cursor` of the next page. Absent on the last page.', examples: ['WzE3MTQ…'] }),
)

const sumOf = (description: string) =>
  Type.Optional(
    Type.Object({ messages: messageCount, unpriced: unpricedCount, credits: CreditsSchema }, { description }),
  )

export const notListed = sumOf(
  'Messages of this response, within the listed days or the current period, that the Copilot service does not list. Present ' +
    'only if `UPSTREAM_URL` is set and the response comes from the ledger.',
)

/** Where the data comes from, if there is an upstream. */
export const provenance = {
  listing: Type.Optional(
    Type.Object(
      {
        as_of: TimestampSchema('When the listing, and the rate cards that price it, were last confirmed.'),
        stale: Type.Boolean({
          description:
            '`true` if the Copilot service is failing and this is its last good listing, or if the database is failing and the ' +
            'rate cards read last price it.',
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

export const cursorQuery = {
  cursor: Type.Optional(
    Type.String({ maxLength: 1000, description: '`next_cursor` of the previous page.', examples: ['WzE3MTQ…'] }),
  ),
}

type Names = typeof NAME_OF
type Dimensions = { -readonly [D in Dimension as Names[D]]?: Exclude<Cell[(typeof FIELD_OF)[D]], undefined> }

/** Those that a cell or a group has. */
export const toDimensions = (cell: Grouped): Dimensions & { report_name?: string } => ({
  ...Object.fromEntries(
    DIMENSIONS.flatMap((dimension) => {
      const value = cell[FIELD_OF[dimension]]
      return value === undefined ? [] : [[NAME_OF[dimension], value]]
    }),
  ),
  ...(cell.reportName !== undefined && { report_name: cell.reportName }),
})

type Filter = Readonly<Partial<Record<Names[Dimension] | 'min_credits', string>>>

/** Throws InvalidRequest. */
export const filterIn = (query: Filter): ChargeFilter => ({
  ...Object.fromEntries(
    DIMENSIONS.flatMap((dimension) => {
      const value = query[NAME_OF[dimension]]
      return value === undefined ? [] : [[FIELD_OF[dimension], value]]
    }),
  ),
  ...(query.min_credits !== undefined && { minCredits: leastIn(query.min_credits) }),
})

/** Read from its digits: as a number, what has too many of them could become another amount. */
const leastIn = (text: string): Credits => {
  const amount = /^\d{1,10}(?:\.\d{1,6})?$/.test(text) ? creditsFromDecimal(Number(text)) : undefined
  if (amount !== undefined) return amount
  throw new InvalidRequest(
    queryParameter('min_credits'),
    `a number from 0 and below ${DECIMAL_MAX} with at most six decimal places, such as 0.5`,
  )
}

/** Where the data comes from, with an upstream: its listing, or the ledger and what that has beyond the listing. */
export const toProvenance = ({ listing, notListed, notRecorded }: Provenance) => ({
  ...(listing && { listing: { as_of: canonicalTimestamp(listing.asOf), stale: listing.isStale } }),
  ...(notListed && { not_listed: toSum(notListed) }),
  ...(notRecorded && { not_recorded: toSum(notRecorded) }),
})

export const toSum = ({ messages, unpriced, credits }: UsageSum) => ({
  messages,
  ...(unpriced > 0 && { unpriced }),
  credits: plainNumber(credits),
})
