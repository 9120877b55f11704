/**
 * Days of usage: local days in the zone in force, cut where another calendar takes effect. They have no gaps, and every
 * boundary of a billing period is one of theirs: what is summed by day can be summed by period.
 */
import type { BillingCalendar, EpochMs } from '#model/organization.ts'
import { indexAt, midnightOf, zoned } from './periods.ts'

export type UsageDay = { readonly start: EpochMs; readonly end: EpochMs }

export const dayAt = (calendar: BillingCalendar, at: EpochMs): UsageDay => {
  const index = indexAt(calendar, at)
  const { timeZone, effectiveFrom } = calendar[index] ?? calendar[0]
  const next = calendar[index + 1]?.effectiveFrom ?? Number.POSITIVE_INFINITY
  const { start, end } = localDayAt(timeZone, at)
  return { start: Math.max(start, effectiveFrom), end: Math.min(end, next) }
}

/** Days that overlap `[from, to)`, whole, ascending. */
export const daysBetween = (calendar: BillingCalendar, from: EpochMs, to: EpochMs): readonly UsageDay[] => {
  const days: UsageDay[] = []
  let at = from
  while (at < to) {
    const day = dayAt(calendar, at)
    days.push(day)
    at = day.end
  }
  return days
}

/**
 * Finds the start of the day of an instant. For every message that is taken in: it remembers the days that it has found,
 * and first looks at the latest.
 */
export const createDayFinder = (calendar: BillingCalendar): ((at: EpochMs) => EpochMs) => {
  let latest: UsageDay = { start: 0, end: 0 }
  /** By the hour: a zone changes its day at any minute, so that an hour may hold the end of one and the start of another. */
  let known = new Map<number, UsageDay>()
  return (at) => {
    if (at >= latest.start && at < latest.end) return latest.start
    const hour = Math.floor(at / HOUR_MS)
    const found = known.get(hour)
    latest = found !== undefined && at >= found.start && at < found.end ? found : dayAt(calendar, at)
    if (known.size >= REMEMBERED_MAX) known = new Map()
    known.set(hour, latest)
    return latest.start
  }
}

const HOUR_MS = 3_600_000
const REMEMBERED_MAX = 10_000

/**
 * The local day of an instant, `[midnight, next midnight)`. Where the clock is set back over midnight, the hour that comes
 * again counts to the day that began first.
 */
export const localDayAt = (timeZone: string, at: EpochMs): UsageDay => {
  const date = zoned(at, timeZone).toPlainDate()
  const own = midnightOf(date, timeZone)
  const next = midnightOf(date.add({ days: 1 }), timeZone)
  if (at < own) return { start: midnightOf(date.subtract({ days: 1 }), timeZone), end: own }
  if (at >= next) return { start: next, end: midnightOf(date.add({ days: 2 }), timeZone) }
  return { start: own, end: next }
}
