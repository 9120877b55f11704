/**
 * Usage days: local days in the time zone in force, cut where a calendar change takes effect. They have no gaps, and every
 * billing period starts and ends with one, so daily totals can be added up to periods.
 */
import type { BillingCalendar, EpochMs } from '#model/organization.ts'
import { entryAt, midnightOf, periodAt, zoned } from './periods.ts'

export type UsageDay = { readonly start: EpochMs; readonly end: EpochMs }

export const dayAt = (calendar: BillingCalendar, at: EpochMs): UsageDay => {
  const { entry, next } = entryAt(calendar, at)
  const { start, end } = localDayAt(entry.timeZone, at)
  return {
    start: Math.max(start, entry.effectiveFrom),
    end: Math.min(end, next?.effectiveFrom ?? Number.POSITIVE_INFINITY),
  }
}

/** The whole days that overlap `[from, to)`, in ascending order. */
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

/** A usage day, and the start of the billing period that it belongs to. */
export type BilledDay = UsageDay & { readonly periodStart: EpochMs }

/**
 * Returns a function that finds the day of an instant. Intake calls it for every message, so it caches the days it has found
 * and tries the latest one first.
 */
export const createDayFinder = (calendar: BillingCalendar): ((at: EpochMs) => BilledDay) => {
  let latest: BilledDay = { start: 0, end: 0, periodStart: 0 }
  /** Keyed by hour. A day can start in the middle of an hour, so a cached day may not contain the instant: check it. */
  let known = new Map<number, BilledDay>()
  return (at) => {
    if (at >= latest.start && at < latest.end) return latest
    const hour = Math.floor(at / HOUR_MS)
    const found = known.get(hour)
    latest = found !== undefined && at >= found.start && at < found.end ? found : billedDayAt(calendar, at)
    if (known.size >= CACHED_MAX) known = new Map()
    known.set(hour, latest)
    return latest
  }
}

const billedDayAt = (calendar: BillingCalendar, at: EpochMs): BilledDay => {
  const day = dayAt(calendar, at)
  return { ...day, periodStart: periodAt(calendar, day.start).start }
}

const HOUR_MS = 3_600_000
const CACHED_MAX = 10_000

/**
 * The local day of an instant, `[midnight, next midnight)`. If the clock is set back across midnight, the repeated hour belongs
 * to the day that started first.
 */
export const localDayAt = (timeZone: string, at: EpochMs): UsageDay => {
  const date = zoned(at, timeZone).toPlainDate()
  const own = midnightOf(date, timeZone)
  const next = midnightOf(date.add({ days: 1 }), timeZone)
  if (at < own) return { start: midnightOf(date.subtract({ days: 1 }), timeZone), end: own }
  if (at >= next) return { start: next, end: midnightOf(date.add({ days: 2 }), timeZone) }
  return { start: own, end: next }
}
