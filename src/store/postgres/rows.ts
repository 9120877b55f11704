/** Converts rows to model values. No other file does. A PostgreSQL bigint arrives as a string. */
import type { ApiKey, DayTotal, GroupTotal, RangeTotal, Scope } from '#ledger/ledger.ts'
import { credits, creditsSum } from '#model/credits.ts'
import type { BillingCalendar, CalendarEntry, Organization } from '#model/organization.ts'
import { canonicalReportId, type Id, type Report } from '#model/report.ts'
import { canonicalTimestamp } from '#model/timestamp.ts'
import type { RecordedLine, StoredCharge } from '#model/usage-record.ts'

export type Row = Readonly<Record<string, unknown>>

/** The value of `message_number` if the id is a text. */
export const NAMED = 2 ** 53

export const messageIdOf = (row: Row): Id => {
  const name = row['message_name'] as string
  return name === '' ? wholeNumber(row['message_number']) : name
}

/** Throws a RangeError if a double cannot hold the value exactly. */
export const wholeNumber = (value: unknown): number => {
  const number = Number(value)
  if (!Number.isSafeInteger(number)) throw new RangeError(`not a safe integer: ${value}`)
  return number
}

const present = <K extends string, T>(key: K, value: T | null | undefined | ''): { readonly [key in K]?: T } =>
  value === null || value === undefined || value === '' ? {} : ({ [key]: value } as { readonly [key in K]: T })

const reportIdOf = (row: Row): Id | undefined => {
  const text = row['report_id'] as string | null | undefined
  return text === null || text === undefined || text === '' ? undefined : canonicalReportId(text)
}

export const toLine = (row: Row): RecordedLine => {
  const at = wholeNumber(row['at_ms'])
  return {
    messageId: messageIdOf(row),
    at,
    timestamp: (row['timestamp'] as string | null) ?? canonicalTimestamp(at),
    ...present('member', row['member'] as string | null),
    ...present('reportId', reportIdOf(row)),
    ...present('reportName', row['report_name'] as string | null),
    credits: credits(wholeNumber(row['credits_micros'])),
    rateCard: row['rate_card'] as string,
  }
}

export const toStoredCharge = (row: Row): StoredCharge => ({
  ...toLine(row),
  measurement: new Uint8Array(row['measurement'] as Uint8Array),
  digest: new Uint8Array(row['digest'] as Uint8Array),
  revision: row['revision'] as number,
  recordedAt: wholeNumber(row['recorded_at']),
  ...present('supersededBy', row['superseded_by'] as number | null),
})

const toGroupTotal = (row: Row): GroupTotal => ({
  ...present('reportId', reportIdOf(row)),
  ...present('reportName', row['report_name'] as string | null),
  ...present('member', row['member'] as string | null),
  messages: wholeNumber(row['messages']),
  credits: creditsSum(BigInt(row['credits_micros'] as string)),
})

export const toDayTotal = (row: Row): DayTotal => ({ dayStart: wholeNumber(row['day_start']), ...toGroupTotal(row) })

export const toRangeTotal = (row: Row): RangeTotal => ({ range: wholeNumber(row['range']) - 1, ...toGroupTotal(row) })

export const toReport = (row: Row): Report => ({
  id: canonicalReportId(row['report_id'] as string),
  name: row['name'] as string,
  creditCost: credits(wholeNumber(row['credit_cost_micros'])),
})

export const toApiKey = (row: Row): ApiKey => ({
  id: row['key_id'] as string,
  organizationId: row['organization_id'] as string,
  name: row['name'] as string,
  scopes: (row['scopes'] as string).split(' ') as Scope[],
  createdAt: wholeNumber(row['created_at']),
  ...(row['revoked_at'] === null ? {} : { revokedAt: wholeNumber(row['revoked_at']) }),
  hash: new Uint8Array(row['key_hash'] as Uint8Array),
})

/** Takes the rows of one organization, one per calendar entry, in ascending order. */
export const toOrganization = (rows: readonly Row[]): Organization | undefined => {
  const [first] = rows
  if (first === undefined) return undefined
  const calendar = rows.map(
    (row): CalendarEntry => ({
      effectiveFrom: wholeNumber(row['effective_from']),
      timeZone: row['time_zone'] as string,
      anchorDay: row['anchor_day'] as number,
    }),
  )
  return {
    id: first['organization_id'] as string,
    name: first['name'] as string,
    createdAt: wholeNumber(first['created_at']),
    calendar: calendar as unknown as BillingCalendar,
  }
}
