/** Which other usage a period or range is compared with. */
import { type BucketSize, dayBefore, dayOf, daysEarlier, daysOf, nextDay, yearBefore } from './format.ts'
import type { View } from './view.ts'

const MINUTE_MS = 60_000

type Span = {
  readonly from: number
  readonly to: number
  readonly timeZone: string
  readonly isListing: boolean
  /** The service's clock. */
  readonly session: { readonly time: string }
}

/** Whether it has started and not ended. */
export const isRunning = ({ session, from, to }: Pick<Span, 'session' | 'from' | 'to'>): boolean => {
  const now = Date.parse(session.time)
  return now > from && now < to
}

/** A range of the past. */
export type Earlier = { readonly from: string; readonly to: string }

/**
 * The previous period or, for a range of days, the same number of days before it. Undefined if there is nothing to compare with:
 * for the first period, and for an upstream's listing.
 */
export const spanBefore = (
  range: View['range'],
  { from, to, isListing }: Pick<Span, 'from' | 'to' | 'isListing'>,
  periods: readonly { readonly start: string; readonly end: string }[],
): Earlier | undefined => {
  if (isListing) return undefined
  if (range !== undefined) return { from: dayBefore(range.from, daysOf(range.from, range.to)), to: range.from }
  const index = periods.findIndex(({ start, end }) => Date.parse(start) === from && Date.parse(end) === to)
  const before = index < 0 ? undefined : periods[index + 1]
  return before && { from: before.start, to: before.end }
}

type Listed = { readonly name: string; readonly start: string; readonly end: string }

/**
 * What the reader has chosen to compare with: undefined for what `spanBefore` gives, `year` for the same a year before, the name of a
 * period, or `none`. Undefined if there is no such usage.
 */
export const spanCompared = (
  compare: View['compare'],
  range: View['range'],
  span: Omit<Span, 'session'>,
  periods: readonly Listed[],
): Earlier | undefined => {
  const { from, to, timeZone, isListing } = span
  if (compare === undefined) return spanBefore(range, span, periods)
  if (compare === 'none' || isListing) return undefined
  if (range !== undefined) {
    return compare === 'year' ? { from: yearBefore(range.from), to: nextDay(yearBefore(range.to)) } : undefined
  }
  const day = yearBefore(dayOf(from, timeZone))
  const isWanted = ({ name, start, end }: Listed): boolean =>
    compare === 'year'
      ? dayOf(Date.parse(start), timeZone) <= day && day < dayOf(Date.parse(end), timeZone)
      : name === compare && !(Date.parse(start) === from && Date.parse(end) === to)
  const found = periods.find(isWanted)
  return found && { from: found.start, to: found.end }
}

/** As much of the other usage as has gone by of a running period or range; undefined in its first minute. */
export const upToSamePoint = (range: View['range'], span: Span, other: Earlier | undefined): Earlier | undefined => {
  const now = Date.parse(span.session.time)
  if (other === undefined || !isRunning(span)) return other
  const elapsed = now - span.from
  if (elapsed < MINUTE_MS) return undefined
  if (range !== undefined) {
    const at = daysEarlier(now, daysOf(other.from, range.from) - 1, span.timeZone)
    // A year with a leap day is a day longer.
    return dayOf(at, span.timeZone) < other.to ? { from: other.from, to: point(at) } : other
  }
  return { from: other.from, to: point(Math.min(Date.parse(other.to), Date.parse(other.from) + elapsed)) }
}

/** Whole minutes, so that the query key stays the same between refreshes and the cache is hit. */
const point = (at: number): string => new Date(Math.floor(at / MINUTE_MS) * MINUTE_MS).toJSON()

const DAYS_BEFORE: Readonly<Partial<Record<BucketSize, number>>> = { hour: 1, day: 7 }

type Times = Pick<Span, 'from' | 'to'>

/**
 * What a bar is compared with, if nothing else was chosen: an hour with that of the day before, a day with the same weekday a week
 * before. Weeks and months differ in length, so they are compared with nothing.
 */
export const barBefore = (bar: Times, bucket: BucketSize, span: Span): Times | undefined => {
  const days = DAYS_BEFORE[bucket]
  if (days === undefined || span.isListing) return undefined
  return { from: daysEarlier(bar.from, days, span.timeZone), to: daysEarlier(bar.to, days, span.timeZone) }
}

/** As much of the other bar as has gone by of a running one. */
export const barUpToSamePoint = (bar: Times, other: Times | undefined, { session }: Span): Earlier | undefined => {
  if (other === undefined) return undefined
  const elapsed = Date.parse(session.time) - bar.from
  const end = isRunning({ ...bar, session }) ? Math.min(other.to, other.from + elapsed) : other.to
  return { from: point(other.from), to: point(end) }
}
