import assert from 'node:assert/strict'
import { test } from 'node:test'
import { retryAfterMs, retryDelayMs } from './retry.ts'

test('the back-off doubles, is jittered from 0, and ends at two seconds', () => {
  assert.deepEqual(
    [1, 2, 3, 5, 6, 50].map((attempts) => retryDelayMs(attempts, 1)),
    [100, 200, 400, 1600, 2000, 2000],
  )
  assert.equal(retryDelayMs(4, 0), 0)
  assert.equal(retryDelayMs(1, 0.25), 25)
})

test('Retry-After is read as seconds or as a date, and ignored where it is neither', () => {
  const now = Date.parse('2024-05-01T00:00:00Z')
  assert.equal(retryAfterMs('3', now), 3000)
  assert.equal(retryAfterMs('Wed, 01 May 2024 00:00:07 GMT', now), 7000)
  assert.equal(retryAfterMs('Tue, 30 Apr 2024 00:00:00 GMT', now), 0)
  assert.equal(retryAfterMs('soon', now), undefined)
  assert.equal(retryAfterMs(undefined, now), undefined)
})
