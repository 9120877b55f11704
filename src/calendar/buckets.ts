/** Divides a range into the hours, days, weeks or months of a time zone. */
import type { EpochMs } from '#model/organization.ts'
import { localDayAt } from './days.ts'
import { midnightOf, zoned } from './periods.ts'

export const BUCKET_WIDTHS = ['hour', 'day', 'week', 'month', 'none'] as const
export type BucketWidth = (typeof BUCKET_WIDTHS)[number]

export type BucketsQuery = {
  readonly from: EpochMs
  readonly to: EpochMs
  readonly width: BucketWidth
  readonly timeZone: string
}

/**
 * Yields consecutive buckets `[start, end)` that cover `[from, to)`; the first and the last may be partial. Weeks start on
 * Monday. An hour that occurs twice, because the clock is set back, is two buckets.
 */
export function* bucketsBetween({ from, to, width, timeZone }: BucketsQuery): Generator<{
  readonly start: EpochMs
  readonly end: EpochMs
}> {
  let start = from
  while (start < to) {
    const end = width === 'none' ? to : Math.min(to, boundaryAfter(start, width, timeZone))
    yield { start, end }
    start = end
  }
}

const boundaryAfter = (at: EpochMs, width: Exclude<BucketWidth, 'none'>, timeZone: string): EpochMs => {
  if (width === 'hour') return hourAfter(at, timeZone)
  if (width === 'day') return localDayAt(timeZone, at).end
  const date = zoned(localDayAt(timeZone, at).start, timeZone).toPlainDate()
  let first = width === 'week' ? date.subtract({ days: date.dayOfWeek - 1 }) : date.with({ day: 1 })
  let boundary = midnightOf(first, timeZone)
  // A skipped day starts at the same instant as the day after it, so one step may not be enough to get past `at`.
  while (boundary <= at) {
    first = width === 'week' ? first.add({ days: 7 }) : first.add({ months: 1 })
    boundary = midnightOf(first, timeZone)
  }
  return boundary
}

/** The next full hour on the clock, or the moment the clock is changed, whichever comes first. */
const hourAfter = (at: EpochMs, timeZone: string): EpochMs => {
  const local = zoned(at, timeZone)
  const sinceFull = local.minute * 60_000 + local.second * 1000 + local.millisecond
  const full = at - sinceFull + HOUR_MS
  const change = local.getTimeZoneTransition('next')?.epochMilliseconds
  return change !== undefined && change < full ? change : full
}

const HOUR_MS = 3_600_000
