/**
 * The monotonic clock, for durations and deadlines; the time of day (`EpochMs`) is for whatever is stored or sent. Both are
 * numbers at runtime, and a deadline on the wrong clock would be decades off, so the compiler keeps them apart.
 */
declare const unit: unique symbol

/** A reading of the monotonic clock, valid only within this thread. Readings can be compared with `<` but are not numbers. */
export type MonotonicMs = { readonly [unit]: 'milliseconds of the monotonic clock' }

export type MonotonicClock = () => MonotonicMs

/** Only for implementing a clock. */
export const monotonicMs = (ms: number): MonotonicMs => ms as unknown as MonotonicMs

export const monotonicNow: MonotonicClock = () => monotonicMs(performance.now())

/** Negative if `to` is earlier than `from`. */
export const elapsedMs = (from: MonotonicMs, to: MonotonicMs): number =>
  (to as unknown as number) - (from as unknown as number)

export const laterBy = (reading: MonotonicMs, ms: number): MonotonicMs =>
  monotonicMs((reading as unknown as number) + ms)

/** Later than every other reading: no deadline. */
export const NEVER: MonotonicMs = monotonicMs(Number.POSITIVE_INFINITY)
