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
  /** Absent if no rate card in force could price the message: it is kept and counted, and not charged. */
  readonly credits?: Credits
  /** Present on an unpriced line: what tells why it is. */
  readonly facts?: Uint8Array
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
export type Priced = Omit<RecordedLine, 'facts'> & {
  /** What is known of the message, packed: `#rating/packed-measurement.ts`. */
  readonly facts: Uint8Array
  /** Keyed digest of the content, `DIGEST_BYTES` long: `#intake/content-digest.ts`. */
  readonly digest: Uint8Array
}

/** Says why a message is unpriced, by pricing its facts again: the reason is not kept. */
export type ReasonOf = (unpriced: Pick<Priced, 'at' | 'cell' | 'facts' | 'credits'>) => string

export const DIGEST_BYTES = 16

/** One charge of a message. A message that was amended has several. */
export type StoredCharge = Priced & {
  /** 0 for the first charge, then 1, 2, … for each amendment. */
  readonly revision: number
  readonly recordedAt: EpochMs
  /** The revision that superseded it; absent if it still counts. A charge of a closed period is adjusted, not superseded. */
  readonly supersededBy?: number
}
