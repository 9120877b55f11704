/** Ranges cut at the hours, days, weeks or months of a time zone. */
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
 * Buckets `[start, end)` that follow each other from `from` to `to` without a gap; the first and the last are cut there.
 * Weeks begin on Monday. An hour that the clock goes through twice is two buckets.
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

/** The first boundary behind an instant. */
const boundaryAfter = (at: EpochMs, width: Exclude<BucketWidth, 'none'>, timeZone: string): EpochMs => {
  if (width === 'hour') return hourAfter(at, timeZone)
  if (width === 'day') return localDayAt(timeZone, at).end
  const date = zoned(localDayAt(timeZone, at).start, timeZone).toPlainDate()
  let first = width === 'week' ? date.subtract({ days: date.dayOfWeek - 1 }) : date.with({ day: 1 })
  let boundary = midnightOf(first, timeZone)
  // A day that was skipped begins where the one after it does: go on until the boundary is behind.
  while (boundary <= at) {
    first = width === 'week' ? first.add({ days: 7 }) : first.add({ months: 1 })
    boundary = midnightOf(first, timeZone)
  }
  return boundary
}

/** The next full hour of the clock, or the moment at which the clock is set, where that comes first. */
const hourAfter = (at: EpochMs, timeZone: string): EpochMs => {
  const local = zoned(at, timeZone)
  const sinceFull = local.minute * 60_000 + local.second * 1000 + local.millisecond
  const full = at - sinceFull + HOUR_MS
  const change = local.getTimeZoneTransition('next')?.epochMilliseconds
  return change !== undefined && change < full ? change : full
}

const HOUR_MS = 3_600_000
