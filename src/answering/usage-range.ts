/** Resolves a named period, or a first and a last instant, to a range of an organization. */
import { dayAt } from '#calendar/days.ts'
import { entryAt, periodAt, periodBefore, periodNamed } from '#calendar/periods.ts'
import type { Range } from '#ledger/ledger.ts'
import { InvalidRequest } from '#model/errors.ts'
import type { BillingCalendar, EpochMs } from '#model/organization.ts'
import { instantOf, isTimestamp } from '#model/timestamp.ts'
import type { Reading } from './readings.ts'

export type RangeQuery = {
  /** `current`, `previous`, or the month or day in which a period starts: `2024-05`, `2024-05-15`. */
  readonly period?: string | undefined
  /** Instants, or dates, which stand for the midnight at their start. `to` is exclusive. */
  readonly from?: string | undefined
  readonly to?: string | undefined
}

/** Whether the query is for the current period, which is the default. */
export const isCurrent = ({ period = 'current', from, to }: RangeQuery): boolean =>
  period === 'current' && from === undefined && to === undefined

type Place = Pick<Reading<unknown>, 'organization' | 'time' | 'current'>

/** Nothing is wrong with the form of the name, but no billing period starts there. */
export class UnknownPeriod extends InvalidRequest {
  constructor() {
    super('period', 'a month or a day in which a billing period starts')
  }
}

/** Throws InvalidRequest, with the name of a field of the query. */
export const rangeOf = ({ organization: { calendar }, time, current }: Place, query: RangeQuery): Range => {
  if (isCurrent(query)) return current
  const { period, from, to } = query
  if (period !== undefined && from === undefined && to === undefined) return rangeOfPeriod(calendar, period, time)
  if (period !== undefined) throw new InvalidRequest('period', 'absent if "from" or "to" is given')
  if (from === undefined) throw new InvalidRequest('from', `given together with "to", as ${INSTANT}`)
  if (to === undefined) throw new InvalidRequest('to', `given together with "from", as ${INSTANT}`)
  const range = { from: instantIn(calendar, 'from', from), to: instantIn(calendar, 'to', to) }
  if (range.from >= range.to) throw new InvalidRequest('to', 'later than "from"')
  return range
}

const rangeOfPeriod = (calendar: BillingCalendar, period: string, time: EpochMs): Range => {
  if (period === 'previous') {
    const { start, end } = periodBefore(calendar, periodAt(calendar, time))
    return { from: start, to: end }
  }
  if (!/^\d{4}-(0[1-9]|1[0-2])(-\d\d)?$/.test(period)) {
    throw new InvalidRequest('period', 'current, previous, a month such as 2024-05, or a day such as 2024-05-15')
  }
  const found = periodNamed(calendar, period)
  if (found === undefined) throw new UnknownPeriod()
  return { from: found.start, to: found.end }
}

const INSTANT = 'an RFC 3339 date-time with an offset, such as 2024-05-01T00:00:00Z, or a date, such as 2024-05-01'

const instantIn = (calendar: BillingCalendar, field: 'from' | 'to', text: string): EpochMs => {
  if (text.length <= 64 && isTimestamp(text)) return instantOf(text)
  if (/^\d{4}-\d\d-\d\d$/.test(text) && isTimestamp(`${text}T00:00:00Z`)) return midnightOf(calendar, text)
  throw new InvalidRequest(field, INSTANT)
}

/** The first instant of the date, in the time zone that is in force then. */
const midnightOf = (calendar: BillingCalendar, date: string): EpochMs => {
  const nearby = Date.parse(`${date}T12:00:00Z`)
  const { entry } = entryAt(calendar, nearby)
  const { epochMilliseconds } = Temporal.PlainDate.from(date).toZonedDateTime(entry.timeZone)
  const { start, end } = dayAt(calendar, epochMilliseconds)
  return epochMilliseconds - start < end - epochMilliseconds ? start : epochMilliseconds
}
