/**
 * Converts rows to model values. No other file does. An integer arrives as a number, as a bigint from SQLite, or as a string from
 * PostgreSQL.
 */
import type { ApiKey, Scope } from '#ledger/commands.ts'
import type { GroupTotal, StoredCard } from '#ledger/ledger.ts'
import type { CardAssignment } from '#model/cards-in-force.ts'
import type { Cell, Dimension, Grouped } from '#model/cell.ts'
import { credits, creditsSum } from '#model/credits.ts'
import type { BillingCalendar, CalendarEntry, EpochMs, Organization } from '#model/organization.ts'
import { canonicalReportId, type Id, type Report } from '#model/report.ts'
import { canonicalTimestamp } from '#model/timestamp.ts'
import type { RecordedLine, StoredCharge } from '#model/usage-record.ts'
import type { Row } from './steps.ts'

/** Throws a RangeError if a double cannot hold the value exactly. */
export const wholeNumber = (value: unknown): number => {
  const number = Number(value)
  if (!Number.isSafeInteger(number)) throw new RangeError(`not a safe integer: ${value}`)
  return number
}

const isPresent = (value: unknown): boolean => value !== null && value !== undefined && value !== ''

/** The dimensions of the table `cell`. '' means none. */
export const CELL_COLUMNS = ['report_id', 'report_name', 'member', 'rate_card'] as const
type CellColumn = (typeof CELL_COLUMNS)[number]

const VALUE_OF: { readonly [Column in CellColumn]: (cell: Cell) => string } = {
  report_id: ({ reportId }) => (reportId === undefined ? '' : String(reportId)),
  report_name: ({ reportName }) => reportName ?? '',
  member: ({ member }) => member ?? '',
  rate_card: ({ rateCard }) => rateCard,
}

/** In the order of `CELL_COLUMNS`. */
export const cellValues = (cell: Cell): readonly string[] => CELL_COLUMNS.map((column) => VALUE_OF[column](cell))

const COLUMN_OF: { readonly [D in Dimension]: CellColumn } = { report: 'report_id', member: 'member' }

/** The columns by which totals are grouped, and last the name of the report, whose totals `mergeTotals` merges. */
export const groupColumns = (group: readonly Dimension[]): readonly CellColumn[] => [
  ...group.map((dimension) => COLUMN_OF[dimension]),
  ...(group.includes('report') ? (['report_name'] as const) : []),
]

export const toCell = (row: Row): Cell => ({ ...dimensionsOf(row), rateCard: row['rate_card'] as string })

/** `messageIdOf` reads the id, which each database keeps in columns of its own. */
export const toLine = (row: Row, cell: Cell, messageIdOf: (row: Row) => Id): RecordedLine => {
  const at = wholeNumber(row['at_ms'])
  const adjusts = isPresent(row['own_at_ms']) ? wholeNumber(row['own_at_ms']) : undefined
  const line = {
    messageId: messageIdOf(row),
    at,
    timestamp: (row['timestamp'] as string | null) ?? canonicalTimestamp(adjusts ?? at),
    cell,
    credits: credits(wholeNumber(row['credits_micros'])),
  }
  return adjusts === undefined ? line : { ...line, adjusts }
}

export const toStoredCharge = (row: Row, cell: Cell, messageIdOf: (row: Row) => Id): StoredCharge => ({
  ...toLine(row, cell, messageIdOf),
  measurement: bytesOf(row['measurement']),
  digest: bytesOf(row['digest']),
  revision: wholeNumber(row['revision']),
  recordedAt: wholeNumber(row['recorded_at']),
  ...(isPresent(row['superseded_by']) && { supersededBy: wholeNumber(row['superseded_by']) }),
})

const bytesOf = (value: unknown): Uint8Array => new Uint8Array(value as Uint8Array)

/** A total of one name of a report, as databases return it. `latest` is the start of the latest day that it includes. */
export type NamedTotal = GroupTotal & { readonly latest: EpochMs }

export const toNamedTotal = (row: Row): NamedTotal => ({
  ...dimensionsOf(row),
  messages: wholeNumber(row['messages']),
  credits: creditsSum(BigInt(row['credits_micros'] as string | bigint)),
  latest: wholeNumber(row['latest'] ?? 0),
})

const dimensionsOf = (row: Row): Grouped => {
  const reportId = isPresent(row['report_id']) ? canonicalReportId(row['report_id'] as string) : undefined
  return {
    ...(reportId !== undefined && { reportId, reportName: row['report_name'] as string }),
    ...(isPresent(row['member']) && { member: row['member'] as string }),
  }
}

export const toReport = (row: Row): Report => ({
  id: canonicalReportId(row['report_id'] as string),
  name: row['name'] as string,
  creditCost: credits(wholeNumber(row['credit_cost_micros'])),
})

export const toStoredCard = (row: Row): Omit<StoredCard, 'body'> => ({
  version: row['version'] as string,
  hash: row['hash'] as string,
  createdAt: wholeNumber(row['created_at']),
})

export const toCardAssignment = (row: Row): CardAssignment => ({
  from: wholeNumber(row['from_ms']),
  version: row['version'] as string,
})

export const toApiKey = (row: Row): ApiKey => ({
  id: row['key_id'] as string,
  organizationId: row['organization_id'] as string,
  name: row['name'] as string,
  scopes: (row['scopes'] as string).split(' ') as Scope[],
  createdAt: wholeNumber(row['created_at']),
  ...(isPresent(row['revoked_at']) && { revokedAt: wholeNumber(row['revoked_at']) }),
  hash: bytesOf(row['key_hash']),
})

/** Takes the rows of one organization, one per calendar entry, in ascending order. */
export const toOrganization = (rows: readonly Row[]): Organization | undefined => {
  const [first] = rows
  if (first === undefined) return undefined
  const calendar = rows.map(
    (row): CalendarEntry => ({
      effectiveFrom: wholeNumber(row['effective_from']),
      timeZone: row['time_zone'] as string,
      anchorDay: wholeNumber(row['anchor_day']),
    }),
  )
  return {
    id: first['organization_id'] as string,
    name: first['name'] as string,
    createdAt: wholeNumber(first['created_at']),
    calendar: calendar as unknown as BillingCalendar,
  }
}
