/** Converts rows to model values. No other file does. */
import type { ApiKey, DayTotal, GroupTotal, RangeTotal, Scope } from '#ledger/ledger.ts'
import { credits, creditsSum } from '#model/credits.ts'
import type { BillingCalendar, CalendarEntry, Organization } from '#model/organization.ts'
import { canonicalReportId, type Id, type Report } from '#model/report.ts'
import { canonicalTimestamp } from '#model/timestamp.ts'
import type { RecordedLine, StoredCharge } from '#model/usage-record.ts'

export type Row = Record<string, unknown>

const present = <K extends string, T>(key: K, value: T | null | undefined | ''): { readonly [key in K]?: T } =>
  value === null || value === undefined || value === '' ? {} : ({ [key]: value } as { readonly [key in K]: T })

const reportIdOf = (row: Row): Id | undefined => {
  const text = row['report_id'] as string | null
  return text === null || text === undefined || text === '' ? undefined : canonicalReportId(text)
}

export const toLine = (row: Row): RecordedLine => {
  const at = row['at_ms'] as number
  return {
    messageId: row['message_id'] as Id,
    at,
    timestamp: (row['timestamp'] as string | null) ?? canonicalTimestamp(at),
    ...present('member', row['member'] as string | null),
    ...present('reportId', reportIdOf(row)),
    ...present('reportName', row['report_name'] as string | null),
    credits: credits(row['credits_micros'] as number),
    rateCard: row['rate_card'] as string,
  }
}

export const toStoredCharge = (row: Row): StoredCharge => ({
  ...toLine(row),
  measurement: row['measurement'] as Uint8Array,
  digest: row['digest'] as Uint8Array,
  revision: row['revision'] as number,
  recordedAt: row['recorded_at'] as number,
  ...present('supersededBy', row['superseded_by'] as number | null),
})

/** The row has bigints: node:sqlite reads either all integers of a statement as bigint, which the sums need, or none. */
const toGroupTotal = (row: Row): GroupTotal => ({
  ...present('reportId', reportIdOf(row)),
  ...present('reportName', row['report_name'] as string | null),
  ...present('member', row['member'] as string | null),
  messages: Number(row['messages']),
  credits: creditsSum(row['credits_micros'] as bigint),
})

export const toDayTotal = (row: Row): DayTotal => ({ dayStart: Number(row['day_start']), ...toGroupTotal(row) })

export const toRangeTotal = (row: Row, range: number): RangeTotal => ({ range, ...toGroupTotal(row) })

export const toReport = (row: Row): Report => ({
  id: canonicalReportId(row['report_id'] as string),
  name: row['name'] as string,
  creditCost: credits(row['credit_cost_micros'] as number),
})

export const toApiKey = (row: Row): ApiKey => ({
  id: row['key_id'] as string,
  organizationId: row['organization_id'] as string,
  name: row['name'] as string,
  scopes: (row['scopes'] as string).split(' ') as Scope[],
  createdAt: row['created_at'] as number,
  ...present('revokedAt', row['revoked_at'] as number | null),
  hash: row['key_hash'] as Uint8Array,
})

/** Takes the rows of one organization, one per calendar entry, in ascending order. */
export const toOrganization = (rows: readonly Row[]): Organization | undefined => {
  const [first] = rows
  if (first === undefined) return undefined
  const calendar = rows.map(
    (row): CalendarEntry => ({
      effectiveFrom: row['effective_from'] as number,
      timeZone: row['time_zone'] as string,
      anchorDay: row['anchor_day'] as number,
    }),
  )
  return {
    id: first['organization_id'] as string,
    name: first['name'] as string,
    createdAt: first['created_at'] as number,
    calendar: calendar as unknown as BillingCalendar,
  }
}
