/** Prepared records for the ledger, all in one month: a quarter with a report, half with one of 50 members. */
import type { AppendBatch, Ledger } from '../src/ledger/ledger.ts'
import { PricedBatchBuilder } from '../src/ledger/priced-batch.ts'
import type { Priced } from '../src/model/usage-record.ts'
import { measure } from '../src/rating/measure.ts'
import { packMeasurement } from '../src/rating/packed-measurement.ts'
import { chargeOfText, standardCard } from '../src/rating/standard-card.ts'
import { madeUpText } from './texts.ts'
import { REPORT } from './wire-messages.ts'

export const FIRST = Date.parse('2026-10-01T00:00:00Z')
export const DAYS = 31
const DAY_MS = 86_400_000
export const SPAN_MS = DAYS * DAY_MS

export const dateOf = (day: number): string => new Date(FIRST + day * DAY_MS).toISOString().slice(0, 10)

/** Returns a function that makes the record with a given number, of `count` spread evenly over the month. */
export const recordMaker = (count: number): ((index: number) => Priced) => {
  const priced = Array.from({ length: 2000 }, (_, index) => {
    const measurement = measure(madeUpText(index))
    return { facts: packMeasurement(measurement), credits: chargeOfText(measurement).credits }
  })
  const cells = Array.from({ length: 100 }, (_, index) => ({
    ...(index % 2 === 0 && { member: `user-${index % 50}` }),
    ...(index % 4 === 0 && { reportId: REPORT.id, reportName: REPORT.name }),
    rateCard: standardCard.version,
  }))
  return (index) => {
    const at = FIRST + Math.floor(((index % count) * SPAN_MS) / count)
    const one = priced[index % priced.length] as (typeof priced)[number]
    const digest = new Uint8Array(16)
    new DataView(digest.buffer).setFloat64(0, index)
    return {
      messageId: index,
      at,
      timestamp: new Date(at).toISOString(),
      cell: cells[index % cells.length] as (typeof cells)[number],
      credits: one.credits,
      facts: one.facts,
      digest,
    }
  }
}

/** All of a batch count to the billing period that starts with the month. */
export const batchOf = (organizationId: string, records: readonly Priced[]): AppendBatch => {
  const batch = new PricedBatchBuilder(records.length)
  for (const record of records) {
    batch.add(record, { start: record.at - ((record.at - FIRST) % DAY_MS), periodStart: FIRST })
  }
  return { organizationId, priced: batch.build(), onChange: 'refuse', recordedAt: FIRST }
}

/** Appends the records in time order, as messages arrive. */
export const fillLedger = async (
  ledger: Ledger,
  organizationId: string,
  count: number,
  progress: (done: number) => void,
): Promise<void> => {
  const calendar = [{ effectiveFrom: -8.64e15, timeZone: 'UTC', anchorDay: 1 }] as const
  const organization = { id: organizationId, name: organizationId, createdAt: 0, calendar }
  await ledger.decide(organizationId, { kind: 'create-organization', organization })
  const recordOf = recordMaker(count)
  const batch = 2000
  const underWay: Promise<unknown>[] = []
  for (let from = 0; from < count; from += batch) {
    const records = Array.from({ length: Math.min(batch, count - from) }, (_, index) => recordOf(from + index))
    underWay.push(ledger.append(batchOf(organizationId, records)))
    if (underWay.length >= 6) await underWay.shift()
    if ((from / batch) % 50 === 0) progress(from)
  }
  await Promise.all(underWay)
}
