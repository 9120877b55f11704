import assert from 'node:assert/strict'
import { test } from 'node:test'
import { retryAfterMs, retryDelayMs } from './retry.ts'

test('the backoff doubles, is jittered down to 0, and is capped at two seconds', () => {
  assert.deepEqual(
    [1, 2, 3, 5, 6, 50].map((attempts) => retryDelayMs(attempts, 1)),
    [100, 200, 400, 1600, 2000, 2000],
  )
  assert.equal(retryDelayMs(4, 0), 0)
  assert.equal(retryDelayMs(1, 0.25), 25)
})

test('Retry-After can be seconds or any HTTP date, is capped at an hour, and is ignored if it is neither', () => {
  const now = Date.parse('1994-11-06T08:49:30Z')
  const HOUR = 3_600_000
  for (const [header, ms] of [
    ['3', 3000],
    [' 3 ', 3000],
    ['3600', HOUR],
    ['3601', HOUR],
    ['999999999', HOUR],
    ['9'.repeat(400), HOUR],
    ['Sun, 06 Nov 1994 08:49:37 GMT', 7000],
    ['Sunday, 06-Nov-94 08:49:37 GMT', 7000],
    ['Sun Nov  6 08:49:37 1994', 7000],
    ['Fri, 31 Dec 9999 23:59:59 GMT', HOUR],
    ['0', undefined],
    ['Sat, 05 Nov 1994 00:00:00 GMT', undefined],
    ['-5', undefined],
    ['1.5', undefined],
    ['1e3', undefined],
    ['0x10', undefined],
    ['Infinity', undefined],
    ['Sun 9999', undefined],
    ['Xyz, 99 Nov 1994 99:99:99 GMT', undefined],
    ['1994-11-06T09:00:00Z', undefined],
    ['soon', undefined],
    ['', undefined],
    [undefined, undefined],
  ] as const) {
    assert.equal(retryAfterMs(header, now), ms, String(header))
  }
})
