import assert from 'node:assert/strict'
import { test } from 'node:test'
import { monotonicMs } from './clock.ts'
import { createTimedCache } from './timed-cache.ts'

const createTimed = (entriesMin: number) => {
  let time = 0
  const cache = createTimedCache<number, string>({ lifetimeMs: 100, entriesMin, now: () => monotonicMs(time) })
  const wait = (ms: number): void => {
    time += ms
  }
  return { cache, wait }
}

test('a value is good until its time is over, and stays available as stale', () => {
  const { cache, wait } = createTimed(10)
  assert.equal(cache.set(1, 'one'), 'one')
  wait(99)
  assert.equal(cache.get(1), 'one')
  wait(1)
  assert.equal(cache.get(1), undefined)
  assert.equal(cache.getStale(1), 'one')
  cache.set(1, 'uno')
  assert.equal(cache.get(1), 'uno')
})

test('a value can have a lifetime of its own', () => {
  const { cache, wait } = createTimed(10)
  cache.set(1, 'brief', 10)
  cache.set(2, 'permanent', Number.POSITIVE_INFINITY)
  wait(10)
  assert.equal(cache.get(1), undefined)
  wait(1e12)
  assert.equal(cache.get(2), 'permanent')
})

test('the cache holds at least the entries set last, and at most twice as many', () => {
  const { cache } = createTimed(10)
  for (let last = 0; last < 100; last++) {
    cache.set(last, `${last}`)
    const held = Array.from({ length: last + 1 }, (_, key) => cache.get(key)).filter((value) => value !== undefined)
    assert.ok(held.length <= 20, `${held.length} entries`)
    assert.deepEqual(
      held.slice(-10),
      Array.from({ length: Math.min(10, last + 1) }, (_, index) => `${last - Math.min(9, last) + index}`),
    )
  }
})

test('a deleted value is gone, however old its entry is', () => {
  const { cache } = createTimed(1)
  cache.set(1, 'first')
  cache.set(2, 'old')
  cache.set(2, 'older')
  cache.set(3, 'young')
  cache.delete(2)
  assert.equal(cache.getStale(2), undefined)
  assert.equal(cache.get(3), 'young')
})
