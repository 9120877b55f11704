import assert from 'node:assert/strict'
import { test } from 'node:test'
import { STANDARD_ONLY } from '#intake/compiled-cards.ts'
import { createContentDigest } from '#intake/content-digest.ts'
import { createPricer } from '#intake/pricing.ts'
import { monotonicMs } from '#model/clock.ts'
import { StoreError, UpstreamError } from '#model/errors.ts'
import type { Message } from '#model/message.ts'
import type { CopilotService } from './copilot-service.ts'
import type { Listing } from './listing.ts'
import { createListingCache } from './listing-cache.ts'
import { createListingCards } from './listing-cards.ts'

const messageOf = (id: number, text: string): Message => ({ id, text, timestamp: '2024-05-01T00:00:00.000Z' })
const FAILED = new UpstreamError({ call: 'GET /messages', failure: 'connection', reason: 'refused', attempts: 1 })

/** A cache of at most 1 s, stale for at most 10 s, whose upstream answers when it is told to. */
const startCache = ({ maxAgeMs = 1000, staleLimitMs = 10_000 } = {}) => {
  const state = {
    time: 0,
    messages: [messageOf(1, 'one')] as readonly Message[],
    isFailing: false,
    isStoreFailing: false,
    calls: 0,
    renderings: 0,
    seen: [] as Listing[],
    answer: Promise.resolve(),
  }
  const copilot: CopilotService = {
    list: async ({ start }) => {
      state.calls++
      await state.answer
      if (state.isFailing) throw FAILED
      const reader = start()
      reader.take(state.messages)
      return { value: reader.finish(), validators: undefined }
    },
    lookUpReports: () => ({ want: () => {}, reports: async () => new Map(), cancel: () => {} }),
    close: async () => {},
  }
  const cache = createListingCache({
    copilot,
    pricer: createPricer(createContentDigest('k'.repeat(32))),
    cards: createListingCards({
      read: async () => {
        if (state.isStoreFailing) throw new StoreError('away')
        return STANDARD_ONLY
      },
      staleLimitMs,
      now: () => monotonicMs(state.time),
    }),
    render: async (lines) => {
      state.renderings++
      return [...lines].map(({ messageId, credits }) => `${messageId}: ${credits}`)
    },
    observer: { refreshed: () => {}, served: () => {} },
    now: () => monotonicMs(state.time),
    maxAgeMs,
    staleLimitMs,
    timeoutMs: 30_000,
    seen: (listing) => state.seen.push(listing),
  })
  return { cache, state }
}

test('everyone who waits shares one refresh, and nobody waits while the listing is young enough', async () => {
  const { cache, state } = startCache()
  assert.equal(cache.peek(), undefined)
  const reads = await Promise.all([cache.read(), cache.read(), cache.read(), cache.isReady()])
  assert.equal(state.calls, 1)
  assert.equal(reads[0].usage, reads[2].usage)
  state.time = 999
  assert.equal(cache.peek()?.from, 'memory')
  assert.equal((await cache.read()).from, 'memory')
  assert.equal(state.calls, 1)
  state.time = 1000
  assert.equal(cache.peek(), undefined)
  assert.equal((await cache.read()).from, 'refresh')
  assert.equal(state.calls, 2)
})

test('a listing that has not changed is not rendered again, and its charges stay the same objects', async () => {
  const { cache, state } = startCache()
  const before = await cache.read()
  state.time = 1000
  const after = await cache.read()
  assert.deepEqual([after.usage === before.usage, after.listing === before.listing, state.renderings], [true, true, 1])
  assert.equal(after.lastConfirmed, 1000)
  state.messages = [messageOf(1, 'one'), messageOf(2, 'two')]
  state.time = 2000
  const changed = await cache.read()
  assert.equal(changed.listing.byId.get(1), before.listing.byId.get(1))
  assert.deepEqual([changed.usage.length, state.renderings], [2, 2])
})

test('if the upstream fails, the last good listing is served as stale until it is too old', async () => {
  const { cache, state } = startCache()
  const good = await cache.read()
  state.isFailing = true
  state.time = 10_000
  const stale = await cache.read()
  assert.deepEqual([stale.from, stale.usage, stale.lastConfirmed], ['stale', good.usage, good.lastConfirmed])
  state.time = 11_001
  await assert.rejects(cache.read(), UpstreamError)
  assert.equal(await cache.isReady(), false)
  state.isFailing = false
  state.time = 12_001
  assert.equal((await cache.read()).from, 'refresh')
})

test('while the store fails, the cards read last price the listing, which is stale, until they are too old', async () => {
  const { cache, state } = startCache()
  await cache.read()
  state.isStoreFailing = true
  state.messages = [messageOf(1, 'one'), messageOf(2, 'two')]
  state.time = 9900
  const { usage, from, lastConfirmed } = await cache.read()
  assert.deepEqual([usage.length, from, lastConfirmed], [2, 'stale', 0])
  assert.equal(cache.peek()?.from, 'stale')
  state.time = 10_001
  assert.equal(cache.peek(), undefined)
  await assert.rejects(cache.read(), StoreError)
  assert.deepEqual([await cache.catchUp(), await cache.isReady()], [undefined, false])
  state.isStoreFailing = false
  state.time = 12_000
  assert.deepEqual([(await cache.read()).from, cache.peek()?.lastConfirmed], ['refresh', 12_000])
})

test('before any cards were read, a failing store fails the listing', async () => {
  const { cache, state } = startCache()
  state.isStoreFailing = true
  await assert.rejects(cache.read(), StoreError)
})

test('with a stale limit of zero, a failure is the answer', async () => {
  const { cache, state } = startCache({ staleLimitMs: 0 })
  await cache.read()
  state.isFailing = true
  state.time = 1000
  await assert.rejects(cache.read(), UpstreamError)
})

test('a failing upstream is not asked again for a second, even if listings may be older than that', async () => {
  const { cache, state } = startCache({ maxAgeMs: 60_000 })
  state.isFailing = true
  await assert.rejects(cache.read(), UpstreamError)
  await assert.rejects(cache.read(), UpstreamError)
  assert.equal(state.calls, 1)
  state.time = 1000
  await assert.rejects(cache.read(), UpstreamError)
  assert.equal(state.calls, 2)
})

test('an id that is listed twice with different content fails the refresh, and nothing of it is served', async () => {
  const { cache, state } = startCache()
  state.messages = [messageOf(7, 'one'), messageOf(7, 'one'), messageOf(8, 'one'), messageOf(8, 'other')]
  await assert.rejects(cache.read(), /messages\[2\] and messages\[3\] .*8.* text/)
  assert.deepEqual([cache.peek(), state.seen], [undefined, []])
  state.messages = state.messages.slice(0, 3)
  state.time = 1000
  assert.equal((await cache.read()).usage.length, 2)
})

test('whoever refetches gets a listing that the upstream confirmed after the call, or none', async () => {
  const { cache, state } = startCache()
  const { promise, resolve } = Promise.withResolvers<void>()
  state.answer = promise
  const under = cache.read()
  const refetched = cache.catchUp({ refetch: true })
  state.time = 5
  resolve()
  await under
  assert.equal(await refetched, (await cache.read()).listing)
  assert.equal(state.calls, 2)
  state.isFailing = true
  state.time = 10
  assert.equal(await cache.catchUp({ refetch: true }), undefined)
  assert.equal(await cache.catchUp(), (await cache.read()).listing)
})

test('the recorder is shown every listing that was confirmed, by the time it can be served', async () => {
  const { cache, state } = startCache()
  const { listing } = await cache.read()
  assert.deepEqual(state.seen, [listing])
  assert.equal(state.seen[0], listing)
})
