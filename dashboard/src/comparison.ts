/** Which earlier usage a period or range is compared with. */
import { type BucketSize, dayBefore, daysEarlier, daysOf } from './format.ts'
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

/** As `spanBefore`, up to the same point if the one shown is still running; undefined in its first minute. */
export const rangeBefore = (
  range: View['range'],
  span: Span,
  periods: readonly { readonly start: string; readonly end: string }[],
): Earlier | undefined => {
  const before = spanBefore(range, span, periods)
  const now = Date.parse(span.session.time)
  if (before === undefined || !isRunning(span)) return before
  const elapsed = now - span.from
  if (elapsed < MINUTE_MS) return undefined
  if (range !== undefined) {
    return { from: before.from, to: point(daysEarlier(now, daysOf(range.from, range.to), span.timeZone)) }
  }
  return { from: before.from, to: point(Math.min(Date.parse(before.to), Date.parse(before.from) + elapsed)) }
}

/** Whole minutes, so that the query key stays the same between refreshes and the cache is hit. */
const point = (at: number): string => new Date(Math.floor(at / MINUTE_MS) * MINUTE_MS).toJSON()

const DAYS_BEFORE: Readonly<Partial<Record<BucketSize, number>>> = { hour: 1, day: 7 }

/**
 * What a bar is compared with: an hour with that of the day before, a day with the same weekday a week before, up to the same
 * point if it is still running. Weeks and months differ in length, so they are compared with nothing.
 */
export const barBefore = (bar: Pick<Span, 'from' | 'to'>, bucket: BucketSize, span: Span): Earlier | undefined => {
  const days = DAYS_BEFORE[bucket]
  if (days === undefined || span.isListing) return undefined
  const earlier = (at: number): string => point(daysEarlier(at, days, span.timeZone))
  const end = isRunning({ ...bar, session: span.session }) ? Date.parse(span.session.time) : bar.to
  return { from: earlier(bar.from), to: earlier(end) }
}
