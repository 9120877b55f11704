import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createListing, listingView } from '#current-period/listing.ts'
import type { LedgerView } from '#ledger/ledger.ts'
import { credits, creditsSum } from '#model/credits.ts'
import { StoreError } from '#model/errors.ts'
import { type BillingCalendar, CALENDAR_BEGINS } from '#model/organization.ts'
import type { Priced } from '#model/usage-record.ts'
import { comparePage, LineTally, wholeDaysOf } from './agreement.ts'

const UTC: BillingCalendar = [{ effectiveFrom: CALENDAR_BEGINS, timeZone: 'UTC', anchorDay: 1 }]
const HOUR = 3_600_000
const DAY = 24 * HOUR
const MAY = Date.UTC(2024, 4, 1)
const range = { from: MAY, to: MAY + 3 * DAY }

/** One message every six hours, of one to twelve micro-credits. */
const charges = Array.from({ length: 12 }, (_, index): Priced => {
  const at = MAY + index * 6 * HOUR
  return {
    messageId: index,
    at,
    timestamp: new Date(at).toISOString(),
    credits: credits(index + 1),
    cell: { rateCard: 'standard-2024' },
    facts: Uint8Array.of(0, 1, 0),
    digest: new Uint8Array(16),
  }
})
const listing = createListing(new Map(charges.map((charge) => [charge.messageId, charge])))
const view = listingView(listing, UTC)

/** The same lines with one micro-credit too many in the total of the second day. */
const damaged: LedgerView = {
  ...view,
  dayTotals: async (query) =>
    (await view.dayTotals(query)).map((day) =>
      day.dayStart === MAY + DAY ? { ...day, credits: creditsSum(day.credits + 1n) } : day,
    ),
}

const tallyOf = (lines: readonly Priced[], within = range): LineTally => {
  const tally = new LineTally(UTC, within)
  tally.add(lines)
  return tally
}

test('lines that add up to the totals of their days pass, whatever the order of the lines', async () => {
  await tallyOf(charges.toReversed()).compare(view)
})

test('a line too few, a line too many and a single micro-credit are noticed', async () => {
  const [first, ...rest] = charges
  assert.ok(first)
  const wrong = [rest, [first, ...charges], [{ ...first, credits: credits(2) }, ...rest]]
  for (const lines of wrong) await assert.rejects(tallyOf(lines).compare(view), StoreError)
  await assert.rejects(tallyOf(charges).compare(damaged), StoreError)
})

test('sums beyond the exact integers of a number are compared exactly', async () => {
  const large = charges.slice(0, 3).map((each) => ({ ...each, credits: credits(Number.MAX_SAFE_INTEGER) }))
  const total = (micros: bigint): Pick<LedgerView, 'dayTotals'> => ({
    dayTotals: async () => [{ dayStart: MAY, messages: 3, unpriced: 0, credits: creditsSum(micros) }],
  })
  const exact = 3n * BigInt(Number.MAX_SAFE_INTEGER)
  await tallyOf(large).compare(total(exact))
  await assert.rejects(tallyOf(large).compare(total(exact + 1n)), StoreError)
})

test('only whole days are compared: the days at the edges of a range have totals of more than the range', async () => {
  assert.deepEqual(wholeDaysOf(UTC, { from: MAY + 1, to: range.to - 1 }), { from: MAY + DAY, to: MAY + 2 * DAY })
  assert.equal(wholeDaysOf(UTC, { from: MAY + 1, to: MAY + DAY + 1 }), undefined)
  const part = { from: MAY + 7 * HOUR, to: MAY + 2 * DAY + HOUR }
  const lines = charges.filter(({ at }) => at >= part.from && at < part.to)
  await tallyOf(lines, part).compare(view)
  await assert.rejects(tallyOf(lines, part).compare(damaged), StoreError)
})

test('page by page, damage to a day is noticed at the latest on the page on which the day ends', async () => {
  for (const limit of [1, 3, 4, 5, 12]) {
    const failed: number[] = []
    for (let start = 0; start < charges.length; start += limit) {
      const lines = charges.slice(start, start + limit)
      const after = charges[start - 1]
      const query = { ...range, limit, ...(after && { after }) }
      const hasMore = start + limit < charges.length
      await comparePage(view, UTC, query, lines, hasMore)
      await comparePage(damaged, UTC, query, lines, hasMore).catch((error) => {
        assert.ok(error instanceof StoreError)
        failed.push(start)
      })
    }
    assert.ok(failed.length > 0, `pages of ${limit}`)
  }
})
