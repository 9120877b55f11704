/**
 * Converts rows to model values. No other file does. An integer arrives as a number, as a bigint from SQLite, or as a string from
 * PostgreSQL.
 */
import type { ApiKey, Scope } from '#ledger/commands.ts'
import type { DayTotal, GroupTotal, OrganizationActivity, StoredCard } from '#ledger/ledger.ts'
import type { CardAssignment } from '#model/cards-in-force.ts'
import { type Cell, DIMENSIONS, type Dimension, FIELD_OF, type Grouped, textOf } from '#model/cell.ts'
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

export const columnOf = (dimension: Dimension): string => (dimension === 'report' ? 'report_id' : dimension)

/** The dimensions in the table `cell`. '' means none. */
export const CELL_COLUMNS: readonly string[] = [...DIMENSIONS.map(columnOf), 'report_name']

/** In the order of `CELL_COLUMNS`. */
export const cellValues = (cell: Cell): readonly string[] => [
  ...DIMENSIONS.map((dimension) => textOf(cell, dimension)),
  cell.reportName ?? '',
]

/** The columns by which totals are grouped, and last the name of the report, whose totals `mergeTotals` merges. */
export const groupColumns = (group: readonly Dimension[]): readonly string[] => [
  ...group.map(columnOf),
  ...(group.includes('report') ? ['report_name'] : []),
]

/** Every cell has a rate card. */
export const toCell = (row: Row): Cell => dimensionsOf(row) as Cell

/** Of an unpriced line, `facts` must be there. `messageIdOf` reads the id, which each database keeps in columns of its own. */
export const toLine = (row: Row, cell: Cell, messageIdOf: (row: Row) => Id): RecordedLine => {
  const at = wholeNumber(row['at_ms'])
  const adjusts = isPresent(row['own_at_ms']) ? wholeNumber(row['own_at_ms']) : undefined
  const isPriced = isPresent(row['credits_micros'])
  const line = {
    messageId: messageIdOf(row),
    at,
    timestamp: (row['timestamp'] as string | null) ?? canonicalTimestamp(adjusts ?? at),
    cell,
    ...(isPriced ? { credits: credits(wholeNumber(row['credits_micros'])) } : { facts: bytesOf(row['facts']) }),
  }
  return adjusts === undefined ? line : { ...line, adjusts }
}

export const toStoredCharge = (row: Row, cell: Cell, messageIdOf: (row: Row) => Id): StoredCharge => ({
  ...toLine(row, cell, messageIdOf),
  facts: bytesOf(row['facts']),
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
  unpriced: wholeNumber(row['unpriced']),
  credits: creditsSum(BigInt(row['credits_micros'] as string | bigint)),
  latest: wholeNumber(row['latest'] ?? 0),
})

/** Of a whole day, without dimensions. */
export const toDayTotal = (row: Row): DayTotal => ({
  dayStart: wholeNumber(row['day_start']),
  messages: wholeNumber(row['messages']),
  unpriced: wholeNumber(row['unpriced']),
  credits: creditsSum(BigInt(row['credits_micros'] as string)),
})

export const toActivity = (row: Row): OrganizationActivity => ({
  keys: wholeNumber(row['keys'] ?? 0),
  ...(isPresent(row['latest_at']) && { latestAt: wholeNumber(row['latest_at']) }),
})

const dimensionsOf = (row: Row): Grouped =>
  Object.fromEntries(
    DIMENSIONS.flatMap((dimension): readonly (readonly [keyof Cell, unknown])[] => {
      const text = row[columnOf(dimension)]
      if (!isPresent(text)) return []
      if (dimension !== 'report') return [[FIELD_OF[dimension], text]]
      return [
        ['reportId', canonicalReportId(text as string)],
        ['reportName', row['report_name']],
      ]
    }),
  )

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
  ...(isPresent(row['until_ms']) && { until: wholeNumber(row['until_ms']) }),
})

export const toApiKey = (row: Row): ApiKey => ({
  id: row['key_id'] as string,
  organizationId: row['organization_id'] as string,
  name: row['name'] as string,
  scopes: (row['scopes'] as string).split(' ') as Scope[],
  createdAt: wholeNumber(row['created_at']),
  ...(isPresent(row['revoked_at']) && { revokedAt: wholeNumber(row['revoked_at']) }),
  ...(isPresent(row['used_at']) && { usedAt: wholeNumber(row['used_at']) }),
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
