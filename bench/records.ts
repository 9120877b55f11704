/** Prepared records for the ledger, all in one month: a quarter with a report, half with one of 50 members. */
import type { Ledger, NewRecord } from '../src/ledger/ledger.ts'
import { measure } from '../src/rating/measure.ts'
import { packMeasurement } from '../src/rating/packed-measurement.ts'
import { price } from '../src/rating/price.ts'
import { standardRateCard } from '../src/rating/rate-card.ts'
import { madeUpText } from './texts.ts'
import { REPORT } from './wire-messages.ts'

export const FIRST = Date.parse('2026-10-01T00:00:00Z')
export const DAYS = 31
const DAY_MS = 86_400_000
export const SPAN_MS = DAYS * DAY_MS

export const dateOf = (day: number): string => new Date(FIRST + day * DAY_MS).toISOString().slice(0, 10)

/** Returns a function that makes the record with a given number, of `count` spread evenly over the month. */
export const recordMaker = (count: number): ((index: number) => NewRecord) => {
  const priced = Array.from({ length: 2000 }, (_, index) => {
    const measurement = measure(madeUpText(index))
    return { measurement: packMeasurement(measurement), credits: price(measurement, standardRateCard).credits }
  })
  return (index) => {
    const at = FIRST + Math.floor(((index % count) * SPAN_MS) / count)
    const one = priced[index % priced.length] as (typeof priced)[number]
    const digest = new Uint8Array(16)
    new DataView(digest.buffer).setFloat64(0, index)
    return {
      messageId: index,
      at,
      timestamp: new Date(at).toISOString(),
      ...(index % 2 === 0 && { member: `user-${index % 50}` }),
      ...(index % 4 === 0 && { reportId: REPORT.id, reportName: REPORT.name }),
      credits: one.credits,
      rateCard: standardRateCard.version,
      measurement: one.measurement,
      digest,
      dayStart: at - ((at - FIRST) % DAY_MS),
    }
  }
}

/** Appends the records in time order, as messages arrive. */
export const fillLedger = async (
  ledger: Ledger,
  organizationId: string,
  count: number,
  progress: (done: number) => void,
): Promise<void> => {
  const calendar = [{ effectiveFrom: -8.64e15, timeZone: 'UTC', anchorDay: 1 }] as const
  await ledger.organizations.create({ id: organizationId, name: organizationId, createdAt: 0, calendar })
  const recordOf = recordMaker(count)
  const batch = 2000
  const underWay: Promise<unknown>[] = []
  for (let from = 0; from < count; from += batch) {
    const records = Array.from({ length: Math.min(batch, count - from) }, (_, index) => recordOf(from + index))
    underWay.push(ledger.append({ organizationId, records, onChange: 'refuse', recordedAt: FIRST }))
    if (underWay.length >= 6) await underWay.shift()
    if ((from / batch) % 50 === 0) progress(from)
  }
  await Promise.all(underWay)
}
