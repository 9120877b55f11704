/** Priced messages for tests of the ledger, written as rows. */
import type { AppendBatch } from '../src/ledger/ledger.ts'
import { type CountedDay, PricedBatchBuilder } from '../src/ledger/priced-batch.ts'
import { credits } from '../src/model/credits.ts'
import type { Outcome } from '../src/model/facts.ts'
import type { EpochMs } from '../src/model/organization.ts'
import type { Id } from '../src/model/report.ts'
import type { Priced } from '../src/model/usage-record.ts'

export const DAY_MS = 86_400_000
export const START = Date.parse('2024-05-01T00:00:00Z')

export type RecordOptions = {
  readonly at?: EpochMs
  readonly timestamp?: string
  readonly member?: string
  readonly team?: string
  readonly model?: string
  readonly feature?: string
  readonly outcome?: Exclude<Outcome, 'succeeded'>
  readonly reportId?: Id
  readonly reportName?: string
  readonly rateCard?: string
  /** What the text says, as a number. */
  readonly content?: number
  readonly micros?: number
}

export const recordOf = (
  messageId: Id,
  { at = START, timestamp, content = 0, micros = 1_850_000, rateCard = 'standard-2024', ...cell }: RecordOptions = {},
): Priced => ({
  messageId,
  at,
  timestamp: timestamp ?? new Date(at).toISOString(),
  cell: { ...cell, rateCard },
  credits: credits(micros),
  facts: Uint8Array.of(1, 2, 3, content % 256),
  digest: new Uint8Array(16).fill(content),
})

/** The same without a price. */
export const unpricedOf = (messageId: Id, options: RecordOptions = {}): Priced => {
  const { credits: _, ...record } = recordOf(messageId, options)
  return record
}

/** Days in UTC, and billing periods that start with the month. */
export const dayOf = (at: EpochMs): CountedDay => {
  const date = new Date(at)
  const start = Math.floor(at / DAY_MS) * DAY_MS
  return { start, periodStart: start - (date.getUTCDate() - 1) * DAY_MS }
}

export const batchOf = (
  records: readonly Priced[],
  { onChange = 'refuse', organizationId = 'default' }: Partial<Pick<AppendBatch, 'onChange' | 'organizationId'>> = {},
): AppendBatch => {
  const batch = new PricedBatchBuilder(records.length)
  for (const record of records) batch.add(record, dayOf(record.at))
  return { organizationId, priced: batch.build(), onChange, recordedAt: START }
}
