import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { LedgerView } from '#ledger/ledger.ts'
import { credits } from '#model/credits.ts'
import { CALENDAR_BEGINS, type Organization } from '#model/organization.ts'
import type { Priced } from '#model/usage-record.ts'
import { createListing, type Listing, listingView } from './listing.ts'
import { createComparison, notListedIn } from './not-listed.ts'

const ORGANIZATION: Organization = {
  id: 'default',
  name: 'Default',
  createdAt: 0,
  calendar: [{ effectiveFrom: CALENDAR_BEGINS, timeZone: 'UTC', anchorDay: 1 }],
}
const DAY = 86_400_000
const MAY = Date.UTC(2024, 4, 1)
const NOW = MAY + 10 * DAY
const CELL = { rateCard: 'standard-2024' }
const ALWAYS = { from: Number.NEGATIVE_INFINITY, to: Number.POSITIVE_INFINITY }

const chargeOf = (messageId: number, at: number, more: Partial<Priced> = {}): Priced => ({
  messageId,
  at,
  timestamp: new Date(at).toISOString(),
  credits: credits(messageId),
  cell: CELL,
  facts: Uint8Array.of(0, 1, 0),
  digest: new Uint8Array(16),
  ...more,
})

const listingOf = (...charges: readonly Priced[]): Listing =>
  createListing(new Map(charges.map((charge) => [charge.messageId, charge])))

/** What a ledger with these charges shows, and how many pages were read. `version` is that of every day. */
const ledgerOf = (version: number, ...charges: readonly Priced[]): LedgerView & { pages: number } => {
  const view = listingView(listingOf(...charges), ORGANIZATION.calendar)
  return {
    ...view,
    pages: 0,
    page(query) {
      this.pages++
      return view.page(query)
    },
    version: async () => version,
  }
}

test('a charge that the listing lacks is not listed, and one that the ledger lacks or has otherwise differs', async () => {
  const [one, two, three, four] = [1, 2, 3, 4].map((id) => chargeOf(id, MAY + id * DAY))
  assert.ok(one && two && three && four)
  const corrected = { ...two, credits: credits(20) }
  const compare = createComparison(ORGANIZATION)
  const comparison = await compare(ledgerOf(1, one, two, four), listingOf(one, corrected, three), NOW)
  assert.deepEqual(comparison.notListed, [four])
  assert.deepEqual(comparison.differing, [corrected, three])
})

test('lines are compared one by one: two prices that were swapped differ although the sums are equal', async () => {
  const [one, two] = [chargeOf(1, MAY), chargeOf(2, MAY + 1)]
  const swapped = [
    { ...two, messageId: one.messageId, at: one.at, timestamp: one.timestamp },
    { ...one, messageId: two.messageId, at: two.at, timestamp: two.timestamp },
  ]
  const { differing } = await createComparison(ORGANIZATION)(ledgerOf(1, one, two), listingOf(...swapped), NOW)
  assert.deepEqual(differing, swapped)
})

test('a charge of a period that is neither listed nor current is not counted as missing from the listing', async () => {
  const [march, may] = [chargeOf(1, Date.UTC(2024, 2, 5)), chargeOf(2, MAY)]
  const compare = createComparison(ORGANIZATION)
  assert.deepEqual((await compare(ledgerOf(1, march, may), listingOf(), NOW)).notListed, [may])
  const april = chargeOf(3, Date.UTC(2024, 3, 5))
  assert.deepEqual((await compare(ledgerOf(1, march, april, may), listingOf(march), NOW)).notListed, [may])
})

test('a day that was equal is read again only if the ledger or the listing has changed it', async () => {
  const charges = [chargeOf(1, MAY), chargeOf(2, MAY + DAY)]
  const compare = createComparison(ORGANIZATION)
  const ledger = ledgerOf(1, ...charges)
  await compare(ledger, listingOf(...charges), NOW)
  assert.equal(ledger.pages, 2)
  await compare(ledger, listingOf(...charges), NOW)
  assert.equal(ledger.pages, 2)
  const added = chargeOf(3, MAY + DAY)
  assert.deepEqual((await compare(ledger, listingOf(...charges, added), NOW)).differing, [added])
  assert.equal(ledger.pages, 3)
  const amended = ledgerOf(2, ...charges, added, chargeOf(4, MAY))
  assert.equal((await compare(amended, listingOf(...charges, added), NOW)).notListed.length, 1)
  assert.equal(amended.pages, 2)
})

test('what is not listed is summed up for a range, a member and a report', async () => {
  const compare = createComparison(ORGANIZATION)
  const ledger = ledgerOf(
    1,
    chargeOf(1, MAY, { cell: { ...CELL, member: 'ada' } }),
    chargeOf(2, MAY + DAY, { cell: { ...CELL, member: 'ada', reportId: 7, reportName: 'Seven' } }),
    chargeOf(4, MAY + 2 * DAY, { cell: { ...CELL, member: 'bob' } }),
  )
  const comparison = await compare(ledger, listingOf(), NOW)
  const sum = (query: Parameters<typeof notListedIn>[1]) => {
    const { messages, credits: total } = notListedIn(comparison, query)
    return [messages, total]
  }
  assert.deepEqual(sum(ALWAYS), [3, 7n])
  assert.deepEqual(sum({ from: MAY + DAY, to: MAY + 2 * DAY }), [1, 2n])
  assert.deepEqual(sum({ ...ALWAYS, member: 'ada' }), [2, 3n])
  assert.deepEqual(sum({ ...ALWAYS, reportId: '7' }), [1, 2n])
})
