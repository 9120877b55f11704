import type { Credits } from './credits.ts'
import type { EpochMs } from './organization.ts'
import type { Id } from './report.ts'

/** A charge as lists show it. */
export type RecordedLine = {
  readonly messageId: Id
  /** The instant of the message, in whole milliseconds; what is finer is in `timestamp` only. */
  readonly at: EpochMs
  /** As it was received. */
  readonly timestamp: string
  readonly member?: string
  /** Where a report priced the message: its id, and its name at that time. */
  readonly reportId?: Id
  readonly reportName?: string
  readonly credits: Credits
  /** Version of the rate card that priced it, or would have if no report had. */
  readonly rateCard: string
}

/**
 * A message with its price and without its text: enough to say what it cost and why. It is made once of a message, and the
 * bill, the recorder and the ledger hand it on.
 */
export type Priced = RecordedLine & {
  /** The packed measurement of the text: `#metering/packed-measurement.ts`. */
  readonly measurement: Uint8Array
  /** Keyed digest of the content: `#metering/content-digest.ts`. */
  readonly digest: Uint8Array
}

/** One of the charges of a message: a message that changed within an open period has several. */
export type StoredCharge = Priced & {
  /** 0 for the first charge, then 1, 2, … for each amendment. */
  readonly revision: number
  readonly recordedAt: EpochMs
  /** The revision that replaced it; absent for the one that holds. */
  readonly supersededBy?: number
}
