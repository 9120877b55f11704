import assert from 'node:assert/strict'
import { test } from 'node:test'
import { monotonicMs } from '#model/clock.ts'
import { credits } from '#model/credits.ts'
import { StoreError } from '#model/errors.ts'
import { CALENDAR_BEGINS, type Organization } from '#model/organization.ts'
import type { Id } from '#model/report.ts'
import type { Priced } from '#model/usage-record.ts'
import { createListing, type Listing } from './listing.ts'
import { createUpstreamRecorder, type RecordingOutcome } from './upstream-recorder.ts'

const chargeOf = (messageId: Id, micros = 1_000_000): Priced => ({
  messageId,
  at: Date.UTC(2024, 4, 1) + Number(messageId),
  timestamp: '2024-05-01T00:00:00.000Z',
  cell: { rateCard: 'standard-2024' },
  credits: credits(micros),
  facts: Uint8Array.of(0, 1, 0),
  digest: new Uint8Array(16),
})

const listingOf = (...charges: readonly Priced[]): Listing =>
  createListing(new Map(charges.map((charge) => [charge.messageId, charge])))

const range = (from: number, to: number): readonly Priced[] =>
  Array.from({ length: to - from }, (_, index) => chargeOf(from + index))

const DEFAULT: Organization = {
  id: 'default',
  name: 'Default',
  createdAt: 0,
  calendar: [{ effectiveFrom: CALENDAR_BEGINS, timeZone: 'UTC', anchorDay: 1 }],
}

/** A recorder that writes to a map and can be made to fail. */
const startRecorder = (waitingMax?: number) => {
  const recorded = new Map<Id, Priced>()
  const outcomes: RecordingOutcome[] = []
  const state = { isFailing: false, writes: 0, time: 0, msAWrite: 0 }
  const recorder = createUpstreamRecorder({
    intake: {
      record: async (_, charges) => {
        if (state.isFailing) throw new StoreError('the disk is full')
        state.writes += charges.length
        state.time += state.msAWrite
        const amended = charges.filter(({ messageId }) => recorded.has(messageId)).length
        for (const charge of charges) recorded.set(charge.messageId, charge)
        return { accepted: charges.length - amended, amended }
      },
    },
    findOrganization: async () => DEFAULT,
    observe: (outcome) => outcomes.push(outcome),
    now: () => monotonicMs(state.time),
    ...(waitingMax !== undefined && { waitingMax }),
  })
  return { recorder, recorded, outcomes, state }
}

test('a listing is recorded whole, and of the next one only what is new or changed', async () => {
  const { recorder, recorded, state } = startRecorder()
  recorder.seen(listingOf(...range(0, 1200)))
  await recorder.settled()
  assert.equal(recorded.size, 1200)
  recorder.seen(listingOf(chargeOf(0, 5), ...range(1, 1201)))
  await recorder.settled()
  assert.equal(state.writes, 1202)
  assert.equal(recorded.get(0)?.credits, 5)
})

test('a failed write is reported to those who wait for it, and its charges are kept and written later', async () => {
  const { recorder, recorded, outcomes, state } = startRecorder()
  state.isFailing = true
  recorder.seen(listingOf(...range(0, 3)))
  await assert.rejects(recorder.settled(), /the disk is full/)
  assert.deepEqual(
    outcomes.map((outcome) => ('waiting' in outcome ? outcome.waiting : outcome)),
    [3],
  )
  // A message that is no longer listed must still be recorded.
  recorder.seen(listingOf(...range(1, 4)))
  state.isFailing = false
  await recorder.settled()
  assert.deepEqual([...recorded.keys()].sort(), [0, 1, 2, 3])
  assert.equal(recorder.gap(), undefined)
})

test('the backlog is limited: the rest is taken from the next listing, and what that no longer contains is a gap', async () => {
  const { recorder, recorded, outcomes, state } = startRecorder(10)
  state.isFailing = true
  recorder.seen(listingOf(...range(0, 25)))
  await assert.rejects(recorder.settled())
  // 10 are in the backlog; of the other 15, the next listing still contains 5.
  recorder.seen(listingOf(...range(20, 30)))
  state.isFailing = false
  await recorder.settled()
  assert.deepEqual(
    [...recorded.keys()].toSorted((one, other) => Number(one) - Number(other)),
    [...Array.from({ length: 10 }, (_, id) => id), ...Array.from({ length: 10 }, (_, index) => 20 + index)],
  )
  const { messages, credits: lost, from, to } = recorder.gap() ?? assert.fail('no gap')
  assert.deepEqual([messages, lost, from, to], [10, 10_000_000n, chargeOf(10).at, chargeOf(19).at])
  assert.deepEqual(
    outcomes.find((outcome) => 'lost' in outcome),
    { lost: 10, ids: Array.from({ length: 10 }, (_, index) => 10 + index) },
  )
})

test('a listing larger than the backlog is recorded whole', async () => {
  const { recorder, recorded } = startRecorder(10)
  recorder.seen(listingOf(...range(0, 1234)))
  await recorder.settled()
  assert.equal(recorded.size, 1234)
  assert.equal(recorder.gap(), undefined)
})

test('closing does not wait for a failing ledger, and reports what is left', async () => {
  const { recorder, outcomes, state } = startRecorder()
  state.isFailing = true
  recorder.seen(listingOf(...range(0, 7)))
  await recorder.close()
  assert.deepEqual(outcomes.at(-1), { abandoned: 7 })
})

test('closing does not wait for a slow ledger, and reports what is left', async () => {
  const { recorder, outcomes, state } = startRecorder()
  state.msAWrite = 1000
  recorder.seen(listingOf(...range(0, 10_000)))
  await recorder.close()
  const { abandoned } = outcomes.findLast((outcome) => 'abandoned' in outcome) ?? assert.fail('nothing was left')
  assert.ok(abandoned > 0 && abandoned < 10_000)
})

test('clients that wait for a listing have it before recording begins', async () => {
  const { recorder, recorded } = startRecorder()
  recorder.seen(listingOf(...range(0, 3)))
  for (let turn = 0; turn < 100; turn++) await Promise.resolve()
  assert.equal(recorded.size, 0)
  await recorder.settled()
  assert.equal(recorded.size, 3)
})

test('the same listing is recorded once, and a charge that changes while it waits is recorded as it is last', async () => {
  const { recorder, recorded, state } = startRecorder()
  const listing = listingOf(...range(0, 3))
  recorder.seen(listing)
  recorder.seen(listing)
  recorder.seen(listingOf(chargeOf(0, 5), ...range(1, 3)))
  await recorder.settled()
  recorder.seen(listingOf(chargeOf(0, 5), ...range(1, 3)))
  await recorder.settled()
  assert.equal(recorded.get(0)?.credits, 5)
  assert.equal(state.writes, 3)
})

test('rewriting records charges again that have not changed, and leaves the others alone', async () => {
  const { recorder, state } = startRecorder()
  recorder.seen(listingOf(...range(0, 10)))
  await recorder.settled()
  recorder.rewrite(range(0, 2))
  await recorder.settled()
  assert.equal(state.writes, 12)
})

test('rewriting an empty list of charges settles at once', async () => {
  const { recorder } = startRecorder()
  recorder.rewrite([])
  await recorder.settled()
})
