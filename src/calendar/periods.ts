/**
 * Billing periods. A period starts at local midnight on the anchor day and ends where the next one starts. In a month without
 * that day, it starts on the month's last day; if midnight does not exist, at the first instant after it.
 */
import type { BillingCalendar, BillingPeriod, CalendarEntry, EpochMs } from '#model/organization.ts'

/**
 * How far ahead a change must take effect. Messages can be dated up to five minutes in the future, and processes cache a
 * calendar for some seconds.
 */
export const CHANGE_LEAD_MS = 10 * 60_000

/** Time zones are up to 26 hours apart. Without a minimum, the first period after a change could last a few hours. */
const SHORTEST_AFTER_CHANGE_MS = 2 * 24 * 3_600_000

/** The period that contains the instant. */
export const periodAt = (calendar: BillingCalendar, at: EpochMs): BillingPeriod => {
  const { entry, next } = entryAt(calendar, at)
  // After a change, the first period runs from the change to the first boundary that is not too close.
  const firstEnd =
    entry === calendar[0] ? undefined : boundaryFrom(entry, entry.effectiveFrom + SHORTEST_AFTER_CHANGE_MS)
  const isFirst = firstEnd !== undefined && at < firstEnd
  const start = isFirst ? entry.effectiveFrom : boundaryUpTo(entry, at)
  const end = isFirst ? firstEnd : boundaryFrom(entry, at + 1)
  return { start, end: next === undefined ? end : Math.min(end, next.effectiveFrom) }
}

export const periodBefore = (calendar: BillingCalendar, { start }: BillingPeriod): BillingPeriod =>
  periodAt(calendar, start - 1)

export const periodAfter = (calendar: BillingCalendar, { end }: BillingPeriod): BillingPeriod => periodAt(calendar, end)

/** The first period that starts in a month (`2024-05`) or on a day (`2024-05-15`), by the local date at its start. */
export const periodNamed = (calendar: BillingCalendar, name: string): BillingPeriod | undefined => {
  const [year = 0, month = 0, day] = name.split('-').map(Number)
  // A local date is less than a day before or after the date in UTC.
  let period = periodAt(calendar, utc(year, month, day ?? 1) - 2 * DAY_MS)
  const limit = utc(year, month, day ?? 31) + 3 * DAY_MS
  while (period.start < limit) {
    if (startDate(calendar, period).startsWith(name)) return period
    period = periodAfter(calendar, period)
  }
  return undefined
}

/** The name of a period, for `periodNamed`: the month in which it starts, or its day if an earlier period starts in that month. */
export const nameOfPeriod = (calendar: BillingCalendar, period: BillingPeriod): string => {
  const date = startDate(calendar, period)
  const month = date.slice(0, -'-01'.length)
  return periodNamed(calendar, month)?.start === period.start ? month : date
}

const startDate = (calendar: BillingCalendar, { start }: BillingPeriod): string => {
  return zoned(start, entryAt(calendar, start).entry.timeZone).toPlainDate().toString()
}

/** The periods that overlap `[from, to)`, in ascending order. */
export const periodsBetween = (calendar: BillingCalendar, from: EpochMs, to: EpochMs): readonly BillingPeriod[] => {
  const periods: BillingPeriod[] = []
  let at = from
  while (at < to) {
    const period = periodAt(calendar, at)
    periods.push(period)
    at = period.end
  }
  return periods
}

export const isPeriodStart = (calendar: BillingCalendar, at: EpochMs): boolean => periodAt(calendar, at).start === at

export type CalendarChange = { readonly timeZone?: string; readonly anchorDay?: number }

/**
 * Adds a change that takes effect at the first period boundary at least `CHANGE_LEAD_MS` ahead. A pending change is replaced,
 * but its other field is kept: a new anchor day on top of a pending time zone changes both. A period that has started, or is
 * about to, is never moved.
 */
export const changedCalendar = (calendar: BillingCalendar, change: CalendarChange, time: EpochMs): BillingCalendar => {
  const [first, ...later] = calendar
  const last = calendar.at(-1) ?? first
  const settled: BillingCalendar = [
    first,
    ...later.filter(({ effectiveFrom }) => effectiveFrom <= time + CHANGE_LEAD_MS),
  ]
  const present = settled.at(-1) ?? first
  const wanted = { timeZone: last.timeZone, anchorDay: last.anchorDay, ...change }
  if (wanted.timeZone === present.timeZone && wanted.anchorDay === present.anchorDay) return settled
  let { end } = periodAt(settled, time)
  while (end < time + CHANGE_LEAD_MS) end = periodAt(settled, end).end
  return [...settled, { effectiveFrom: end, ...wanted }]
}

/** The entry in force at an instant, and the one that replaces it. */
export const entryAt = (calendar: BillingCalendar, at: EpochMs): EntryInForce => {
  const index = calendar.findLastIndex(({ effectiveFrom }) => effectiveFrom <= at)
  return { entry: calendar[index] ?? calendar[0], next: calendar[Math.max(index, 0) + 1] }
}

export type EntryInForce = { readonly entry: CalendarEntry; readonly next: CalendarEntry | undefined }

type Rule = Pick<CalendarEntry, 'timeZone' | 'anchorDay'>

/** The last boundary at or before the instant. */
const boundaryUpTo = (rule: Rule, at: EpochMs): EpochMs => {
  const month = zoned(at, rule.timeZone).toPlainDate().toPlainYearMonth()
  // The local month alone is not enough: if a day is skipped or the clock is set back across midnight, the boundary of the
  // next month may already have passed.
  for (const months of [1, 0, -1]) {
    const boundary = boundaryIn(rule, month.add({ months }))
    if (boundary <= at) return boundary
  }
  return boundaryIn(rule, month.add({ months: -2 }))
}

/** The first boundary at or after the instant. */
const boundaryFrom = (rule: Rule, at: EpochMs): EpochMs => {
  const month = zoned(at, rule.timeZone).toPlainDate().toPlainYearMonth()
  for (const months of [-1, 0, 1]) {
    const boundary = boundaryIn(rule, month.add({ months }))
    if (boundary >= at) return boundary
  }
  return boundaryIn(rule, month.add({ months: 2 }))
}

const boundaryIn = ({ timeZone, anchorDay }: Rule, month: Temporal.PlainYearMonth): EpochMs => {
  const date = month.toPlainDate({ day: Math.min(anchorDay, month.daysInMonth) })
  return midnightOf(date, timeZone)
}

/** The first instant of a local date, or, if the date was skipped, the first instant after it. */
export const midnightOf = (date: Temporal.PlainDate, timeZone: string): EpochMs =>
  date.toZonedDateTime(timeZone).epochMilliseconds

const DAY_MS = 24 * 3_600_000

const utc = (year: number, month: number, day: number): EpochMs => {
  const date = new Date(0)
  return date.setUTCFullYear(year, month - 1, day)
}

export const zoned = (at: EpochMs, timeZone: string): Temporal.ZonedDateTime =>
  Temporal.Instant.fromEpochMilliseconds(at).toZonedDateTimeISO(timeZone)
