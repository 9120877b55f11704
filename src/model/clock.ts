/**
 * A clock that never goes back, for durations and deadlines. The time of day (`EpochMs`) is for everything that is stored or
 * sent. Both are numbers at runtime, and a deadline in the wrong one would lie decades away: the compiler keeps them apart.
 */
declare const unit: unique symbol

/** A reading of the monotonic clock, meaningful only within this thread. Compare two with `<`; they are no numbers. */
export type MonotonicMs = { readonly [unit]: 'milliseconds of the monotonic clock' }

export type MonotonicClock = () => MonotonicMs

/** For clocks only: everything else receives a reading. */
export const monotonicMs = (ms: number): MonotonicMs => ms as unknown as MonotonicMs

export const monotonicNow: MonotonicClock = () => monotonicMs(performance.now())

/** Negative if `to` is the earlier one. */
export const elapsedMs = (from: MonotonicMs, to: MonotonicMs): number =>
  (to as unknown as number) - (from as unknown as number)

export const laterBy = (reading: MonotonicMs, ms: number): MonotonicMs =>
  monotonicMs((reading as unknown as number) + ms)

/** The deadline of what has none. */
export const NEVER: MonotonicMs = monotonicMs(Number.POSITIVE_INFINITY)
