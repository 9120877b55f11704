import assert from 'node:assert/strict'
import { test } from 'node:test'
import { columnsOf } from './columns.ts'
import type { Bar } from './usage.ts'

const DAY = 86_400_000
/** 1 November 2024 was a Friday. */
const START = Date.parse('2024-11-01T00:00:00Z')
const barAt = (day: number, micros: number): Bar => ({
  from: START + day * DAY,
  to: START + (day + 1) * DAY,
  messages: micros === 0 ? 0 : 1,
  unpriced: 0,
  micros,
  parts: [],
})
const series = { name: 'All', style: 0, filter: undefined, has: () => true }
const bars = [5, 0, 3, 0].map((micros, day) => barAt(day, micros))
const stacks = bars.map(({ micros }) => [{ series, micros }])
const before = [4, 2, 1].map((micros, day) => barAt(day - 31, micros))
const forecast = {
  micros: 15,
  added: new Map([
    [START + 2 * DAY, 1],
    [START + 3 * DAY, 6],
  ]),
}
const shown = { bars, bucket: 'day', timeZone: 'UTC', session: { time: '2024-11-03T12:00:00Z' } } as const

test('tells a day to come from one without usage, and marks today and weekends', () => {
  const columns = columnsOf(shown, stacks, before, forecast, false)
  assert.deepEqual(
    columns.map(({ isToCome }) => isToCome),
    [false, false, false, true],
  )
  assert.deepEqual(
    columns.map(({ isNow }) => isNow),
    [false, false, true, false],
  )
  assert.deepEqual(
    columns.map(({ isWeekend }) => isWeekend),
    [false, true, true, false],
  )
  assert.deepEqual(
    columns.map((column) => column.before),
    [4, 2, 1, undefined],
  )
  assert.deepEqual(
    columns.map(({ expected }) => expected),
    [undefined, undefined, 4, 6],
  )
})

test('adds up what was, what was before and what is expected', () => {
  const columns = columnsOf(shown, stacks, before, forecast, true)
  assert.deepEqual(
    columns.map(({ micros }) => micros),
    [5, 5, 8, 0],
  )
  assert.deepEqual(
    columns.map(({ stack }) => stack[0]?.micros),
    [5, 5, 8, 0],
  )
  assert.deepEqual(
    columns.map((column) => column.before),
    [4, 6, 7, undefined],
  )
  assert.deepEqual(
    columns.map(({ expected }) => expected),
    [undefined, undefined, 9, 15],
  )
})
