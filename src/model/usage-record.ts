import type { Credits } from './credits.ts'
import type { EpochMs } from './organization.ts'
import type { Id } from './report.ts'

/** A charge as it appears in lists. */
export type RecordedLine = {
  readonly messageId: Id
  /** The instant of the message in whole milliseconds; `timestamp` may be more precise. */
  readonly at: EpochMs
  /** Exactly as received. */
  readonly timestamp: string
  readonly member?: string
  /** If a report priced the message: its id, and its name at that time. */
  readonly reportId?: Id
  readonly reportName?: string
  readonly credits: Credits
  /** Version of the rate card that priced the message, or would have done so without the report. */
  readonly rateCard: string
}

/**
 * A message with its price and without its text: enough to explain what it cost. Made once from a message, then passed on by the
 * listing, the recorder and the ledger.
 */
export type Priced = RecordedLine & {
  /** The packed measurement of the text: `#rating/packed-measurement.ts`. */
  readonly measurement: Uint8Array
  /** Keyed digest of the content: `#intake/content-digest.ts`. */
  readonly digest: Uint8Array
}

/** One charge of a message. A message that was amended has several. */
export type StoredCharge = Priced & {
  /** 0 for the first charge, then 1, 2, … for each amendment. */
  readonly revision: number
  readonly recordedAt: EpochMs
  /** The revision that superseded it; absent for the current charge. */
  readonly supersededBy?: number
}
