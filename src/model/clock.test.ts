import assert from 'node:assert/strict'
import { test } from 'node:test'
import { elapsedMs, laterBy, type MonotonicMs, monotonicMs, monotonicNow, NEVER } from './clock.ts'
import type { EpochMs } from './organization.ts'

test('a reading of the monotonic clock and an instant cannot stand in for each other', () => {
  const reading: MonotonicMs = monotonicNow()
  const instant: EpochMs = Date.now()
  // Each directive fails the type check if the line below it compiles.
  const mixed = [
    // @ts-expect-error
    (): EpochMs => reading,
    // @ts-expect-error
    (): MonotonicMs => instant,
    // @ts-expect-error
    () => reading < instant,
    // @ts-expect-error
    () => reading - instant,
    // @ts-expect-error
    () => reading + 1000,
    // @ts-expect-error
    () => elapsedMs(reading, instant),
    // @ts-expect-error
    () => laterBy(instant, 1000),
    // @ts-expect-error
    () => new Date(reading),
    // @ts-expect-error
    () => Math.max(reading, instant),
  ]
  assert.equal(mixed.length, 9)
})

test('the elapsed time between two readings is negative if the second is the earlier one', () => {
  const [earlier, later] = [monotonicMs(1000), monotonicMs(1500)]
  assert.equal(elapsedMs(earlier, later), 500)
  assert.equal(elapsedMs(later, earlier), -500)
  assert.ok(earlier < later)
})

test('a deadline lies the given time after the reading, and one that never comes lies after all others', () => {
  const reading = monotonicMs(1000.5)
  const deadline = laterBy(reading, 250)
  assert.equal(elapsedMs(reading, deadline), 250)
  assert.ok(deadline < NEVER)
  assert.equal(elapsedMs(reading, NEVER), Number.POSITIVE_INFINITY)
})

test('the monotonic clock does not go back', () => {
  const first = monotonicNow()
  const second = monotonicNow()
  assert.ok(first <= second)
})
