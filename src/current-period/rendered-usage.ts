import type { MonotonicMs } from '#model/clock.ts'

/** The usage of a period as it is sent, and how fresh it is. */
export type RenderedUsage<T> = {
  readonly usage: T
  /** When the upstream or the ledger last confirmed that this is current. */
  readonly lastConfirmed: MonotonicMs
  /**
   * `refresh`: made for this reader; `memory`: cached and still current; `stale`: the last good one, because the upstream fails, or
   * priced by the rate cards read last, because the store does.
   */
  readonly from: 'refresh' | 'memory' | 'stale'
}
