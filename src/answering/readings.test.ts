import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createListing, type Listing, listingView } from '#current-period/listing.ts'
import { monotonicMs } from '#model/clock.ts'
import { credits } from '#model/credits.ts'
import { CALENDAR_BEGINS, type Organization } from '#model/organization.ts'
import type { Priced } from '#model/usage-record.ts'
import { createReadings, type ReadingsNeeds } from './readings.ts'

const DEFAULT: Organization = {
  id: 'default',
  name: 'Default',
  createdAt: 0,
  calendar: [{ effectiveFrom: CALENDAR_BEGINS, timeZone: 'UTC', anchorDay: 1 }],
}
const MAY = Date.UTC(2024, 4, 1)

const listingOf = (micros: number): Listing => {
  const charge: Priced = {
    messageId: 1,
    at: MAY,
    timestamp: '2024-05-01T00:00:00.000Z',
    credits: credits(micros),
    cell: { rateCard: 'standard-2024' },
    facts: Uint8Array.of(0, 1, 0),
    digest: new Uint8Array(16),
  }
  return createListing(new Map([[1, charge]]))
}

/** Readings of an upstream that lists `latest`, and of a ledger that has `recorded`. */
const startReadings = (recorded: Listing, latest: Listing) => {
  const written = Promise.withResolvers<void>()
  const state = { reads: 0, refetches: 0, rewritten: [] as Priced[] }
  const view = listingView(recorded, DEFAULT.calendar)
  const needs: Pick<ReadingsNeeds<string>, 'listingCache' | 'recorder'> = {
    listingCache: {
      peek: () => undefined,
      read: async () => ({ usage: '', listing: latest, lastConfirmed: monotonicMs(0), from: 'memory' }),
      catchUp: async ({ refetch } = { refetch: false }) => {
        if (refetch) state.refetches++
        return latest
      },
      isReady: async () => true,
    },
    recorder: {
      settled: () => written.promise,
      rewrite: (charges) => state.rewritten.push(...charges),
      gap: () => undefined,
    },
  }
  const readings = createReadings<string>({
    ...needs,
    ledger: {
      read: (_: string, reading: (given: typeof view) => unknown) => {
        state.reads++
        return reading(view)
      },
    } as ReadingsNeeds<string>['ledger'],
    findOrganization: async () => DEFAULT,
    hasUpstream: true,
    isSample: async () => false,
    sampleBefore: async () => createListing(new Map()),
    cardOf: async () => undefined,
    cardsOf: async () => ({ own: [], byDefault: [] }),
    render: async () => '',
    sizeOf: () => 0,
    clock: () => MAY,
    now: () => monotonicMs(0),
    observeNotListed: () => {},
    observeRenderings: { longReadings: () => {}, renderings: () => {}, rendered: () => {} },
    limits: { longReadingsMax: 1, answerBytesMax: 1 },
  })
  return { readings, state, written }
}

test('listings that are replaced while the recorder is writing are not compared with the ledger', async () => {
  const newest = listingOf(3)
  const { readings, state, written } = startReadings(newest, newest)
  const compared = [listingOf(1), listingOf(2), newest].map((listing) => readings.compare(listing))
  assert.equal(state.reads, 0)
  written.resolve()
  await Promise.all(compared)
  assert.deepEqual(state, { reads: 1, refetches: 0, rewritten: [] })
})

test('a ledger that differs from the listing is written again as the upstream lists it now', async () => {
  const latest = listingOf(2)
  const { readings, state, written } = startReadings(listingOf(1), latest)
  written.resolve()
  await readings.compare(listingOf(2))
  assert.deepEqual([state.refetches, state.rewritten], [1, [...latest.byId.values()]])
})

test('the current period is what the upstream lists, and a range of dates is what the ledger has', async () => {
  const { readings, written } = startReadings(listingOf(1), listingOf(2))
  written.resolve()
  const range = { from: MAY, to: MAY + 1 }
  const { answer: current } = await (await readings.ofCurrent(DEFAULT)).queries.period(DEFAULT, range)
  assert.deepEqual([current?.credits, current?.notListed], [2n, undefined])
  const { answer: byDate } = await (await readings.byDate(DEFAULT)).queries.period(DEFAULT, range)
  assert.deepEqual([byDate?.credits, byDate?.notListed], [1n, { messages: 0, unpriced: 0, credits: 0n }])
})

test('an organization of its own is answered from the ledger alone', async () => {
  const { readings } = startReadings(listingOf(1), listingOf(2))
  const acme = { ...DEFAULT, id: 'acme' }
  assert.equal((await readings.situation(acme)).source, 'ledger')
  assert.equal((await readings.situation(DEFAULT)).source, 'upstream')
  const { answer } = await (await readings.ofCurrent(acme)).queries.period(acme, { from: MAY, to: MAY + 1 })
  assert.equal(answer?.listing, undefined)
  assert.equal(answer?.credits, 1n)
})
