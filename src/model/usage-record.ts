import type { Cell } from './cell.ts'
import type { Credits } from './credits.ts'
import type { EpochMs } from './organization.ts'
import type { Id } from './report.ts'

/** A charge as it appears in lists. */
export type RecordedLine = {
  readonly messageId: Id
  /** The instant at which it counts, in whole milliseconds: that of the message, unless its period was already closed. */
  readonly at: EpochMs
  /** The timestamp of the message, exactly as received. It may be more precise than `at`. */
  readonly timestamp: string
  readonly cell: Cell
  readonly credits: Credits
  /**
   * Present on an adjustment: the instant of the message, whose period was closed when this was charged. An adjustment counts at
   * the start of the open period, and its credits can be negative.
   */
  readonly adjusts?: EpochMs
}

/**
 * A message with its price and without its text: enough to explain what it cost. Made once from a message, then passed on by the
 * listing, the recorder and the ledger.
 */
export type Priced = RecordedLine & {
  /** The packed measurement of the text: `#rating/packed-measurement.ts`. */
  readonly measurement: Uint8Array
  /** Keyed digest of the content, `DIGEST_BYTES` long: `#intake/content-digest.ts`. */
  readonly digest: Uint8Array
}

export const DIGEST_BYTES = 16

/** One charge of a message. A message that was amended has several. */
export type StoredCharge = Priced & {
  /** 0 for the first charge, then 1, 2, … for each amendment. */
  readonly revision: number
  readonly recordedAt: EpochMs
  /** The revision that superseded it; absent if it still counts. A charge of a closed period is adjusted, not superseded. */
  readonly supersededBy?: number
}
