/** What usage lines, totals, periods and charges have in common: the schemas of their fields, and how those are filled. */
import Type from 'typebox'
import type { Provenance } from '#answering/queries.ts'
import type { UsageSum } from '#current-period/listing.ts'
import type { GroupTotal } from '#ledger/ledger.ts'
import { plainNumber } from '#model/credits.ts'
import { canonicalTimestamp } from '#model/timestamp.ts'
import { CreditsSchema, TimestampSchema } from './common.ts'
import { MessageIdSchema } from './usage.ts'

export const count = (description: string) => Type.Integer({ minimum: 0, description, examples: [3] })

export const messageCount = count('Number of messages.')

export const reportId = (description: string) =>
  Type.Optional(Type.Union([...MessageIdSchema.anyOf], { description, examples: [5392] }))
export const reportName = (description: string) =>
  Type.Optional(Type.String({ description, examples: ['Tenant Obligations Report'] }))
export const userId = (description: string) => Type.Optional(Type.String({ description, examples: ['ada'] }))

/** Of a message. */
export const reportAndMember = {
  report_id: reportId('Id of the report that priced the message. Absent if the text was priced.'),
  report_name: reportName('Name of that report at the time of the charge.'),
  user_id: userId('The member who sent the message. Absent if unknown.'),
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
  Type.Optional(Type.Object({ messages: messageCount, credits: CreditsSchema }, { description }))

export const notListed = sumOf(
  'Messages of this response, within the listed days or the current period, that the Copilot service does not list. Present ' +
    'only if `UPSTREAM_URL` is set and the response comes from the ledger.',
)

/** Where the data comes from, if there is an upstream. */
export const provenance = {
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

export const cursorQuery = {
  cursor: Type.Optional(
    Type.String({ maxLength: 1000, description: '`next_cursor` of the previous page.', examples: ['WzE3MTQ…'] }),
  ),
}

export const toReportAndMember = ({
  reportId,
  reportName,
  member,
}: Pick<GroupTotal, 'reportId' | 'reportName' | 'member'>) => ({
  ...(reportId === undefined ? {} : { report_id: reportId }),
  ...(reportName === undefined ? {} : { report_name: reportName }),
  ...(member === undefined ? {} : { user_id: member }),
})

/** Where the data comes from, with an upstream: its listing, or the ledger and what that has beyond the listing. */
export const toProvenance = ({ listing, notListed, notRecorded }: Provenance) => ({
  ...(listing && { listing: { as_of: canonicalTimestamp(listing.asOf), stale: listing.isStale } }),
  ...(notListed && { not_listed: toSum(notListed) }),
  ...(notRecorded && { not_recorded: toSum(notRecorded) }),
})

export const toSum = ({ messages, credits }: UsageSum) => ({ messages, credits: plainNumber(credits) })
