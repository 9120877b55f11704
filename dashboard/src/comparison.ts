/** Which earlier usage a period or range is compared with. */
import { dayBefore, daysEarlier, daysOf } from './format.ts'
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

/**
 * The previous period or, for a range of days, the same number of days before it; up to the same point if the one shown is
 * still running. Undefined if there is nothing to compare with: for the first period, in the first minute of one, and for an
 * upstream's listing.
 */
export const rangeBefore = (
  range: View['range'],
  span: Span,
  periods: readonly { readonly start: string; readonly end: string }[],
): { readonly from: string; readonly to: string } | undefined => {
  const { from, to, isListing, session, timeZone } = span
  const now = Date.parse(session.time)
  const elapsed = isRunning(span) ? now - from : undefined
  if (isListing || (elapsed !== undefined && elapsed < MINUTE_MS)) return undefined
  // Whole minutes, so that the query key stays the same between refreshes and the cache is hit.
  const point = (at: number): string => new Date(Math.floor(at / MINUTE_MS) * MINUTE_MS).toJSON()
  if (range !== undefined) {
    const days = daysOf(range.from, range.to)
    return {
      from: dayBefore(range.from, days),
      to: elapsed === undefined ? range.from : point(daysEarlier(now, days, timeZone)),
    }
  }
  const index = periods.findIndex(({ start, end }) => Date.parse(start) === from && Date.parse(end) === to)
  const before = index < 0 ? undefined : periods[index + 1]
  if (before === undefined) return undefined
  if (elapsed === undefined) return { from: before.start, to: before.end }
  return { from: before.start, to: point(Math.min(Date.parse(before.end), Date.parse(before.start) + elapsed)) }
}
