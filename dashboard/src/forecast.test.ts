import assert from 'node:assert/strict'
import { test } from 'node:test'
import { forecastOf } from './forecast.ts'
import { roughCredits } from './format.ts'

const DAY = 86_400_000
/** 1 September 2025 was a Monday. */
const START = Date.parse('2025-09-01T00:00:00Z')
const weekdayOf = (at: number): number => new Date(at).getUTCDay()
/** 100 credits on a working day, 10 on a Saturday or Sunday. */
const usual = (at: number): number => (weekdayOf(at) % 6 === 0 ? 10e6 : 100e6)
const dayAt = (index: number, micros?: number) => {
  const from = START + index * DAY
  const amount = micros ?? usual(from)
  return { from, to: from + DAY, messages: amount === 0 ? 0 : 1, micros: amount }
}
/** The days from the first to the last, of which those from `now` on have no usage yet. */
const daysOf = (first: number, last: number, now: number) =>
  Array.from({ length: last - first + 1 }, (_, at) =>
    START + (first + at) * DAY < now ? dayAt(first + at) : dayAt(first + at, 0),
  )

test('expects of each day to come what its weekday used before', () => {
  const now = START + 20 * DAY
  const forecast = forecastOf(daysOf(0, 29, now), [], now, weekdayOf)
  const all = daysOf(0, 29, START + 30 * DAY).reduce((sum, { micros }) => sum + micros, 0)
  assert.equal(forecast?.micros, all)
  // A Sunday, then a Monday.
  assert.deepEqual([forecast?.added.get(START + 20 * DAY), forecast?.added.get(START + 21 * DAY)], [10e6, 100e6])
})

test('expects of today what is left of it', () => {
  const now = START + 21 * DAY + DAY / 4
  const days = daysOf(0, 29, now).map((day) => (day.from === START + 21 * DAY ? { ...day, micros: 7e6 } : day))
  assert.equal(forecastOf(days, [], now, weekdayOf)?.added.get(START + 21 * DAY), 75e6)
})

test('learns from the days before the period', () => {
  const now = START + 30 * DAY
  const forecast = forecastOf(daysOf(30, 59, now + 1), daysOf(0, 29, now), now + 1, weekdayOf)
  assert.equal(forecast?.added.get(START + 31 * DAY), 100e6)
})

test('says nothing before each weekday to come has been seen twice, nor counts days before the first message', () => {
  const now = START + 13 * DAY
  assert.equal(forecastOf(daysOf(0, 29, now), [], now, weekdayOf), undefined)
  const later = now + DAY
  assert.notEqual(forecastOf(daysOf(0, 29, later), [], later, weekdayOf), undefined)
  const idle = Array.from({ length: 28 }, (_, at) => dayAt(at - 28, 0))
  assert.equal(forecastOf(daysOf(0, 29, now), idle, now, weekdayOf), undefined)
  assert.equal(
    forecastOf(
      idle.map((day) => ({ ...day })),
      [],
      START - DAY,
      weekdayOf,
    ),
    undefined,
  )
})

test('says nothing of a period that is over or has not begun', () => {
  assert.equal(forecastOf(daysOf(0, 29, START + 30 * DAY), [], START + 30 * DAY, weekdayOf), undefined)
  assert.equal(forecastOf(daysOf(0, 29, START), daysOf(-30, -1, START), START - 1, weekdayOf), undefined)
})

test('what is expected is told with three digits, so that it does not differ at each look', () => {
  assert.deepEqual([32_123_456_789, 32_149_999_999, 987_654].map(roughCredits), ['32,100', '32,100', '0.988'])
})
