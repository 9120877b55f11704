import assert from 'node:assert/strict'
import { test } from 'node:test'
import { seriesOf, stackOf } from './series.ts'
import type { Bar, Part } from './usage.ts'

const partOf = (report: string | undefined, micros: number): Part => ({
  report,
  reportId: report,
  member: undefined,
  team: undefined,
  model: undefined,
  feature: undefined,
  outcome: 'succeeded',
  messages: 1,
  unpriced: 0,
  micros,
})
const barOf = (parts: readonly Part[]): Bar => ({
  from: 0,
  to: 1,
  messages: parts.length,
  unpriced: 0,
  micros: 0,
  parts,
})

test('keeps a report named “No report” or “2 others” apart from the series with that label', () => {
  const bar = barOf([partOf(undefined, 8), partOf('No report', 4), partOf('2 others', 2)])
  const stack = stackOf(bar, seriesOf([bar], 'report'))
  assert.deepEqual(
    stack.map(({ series: { name }, micros }) => [name, micros]),
    [
      ['No report', 8],
      ['No report', 4],
      ['2 others', 2],
    ],
  )
  const styles = stack.map(({ series: { style } }) => style)
  assert.equal(new Set(styles).size, 3)
})

test('shows the largest series and combines the rest without losing credits', () => {
  const bar = barOf([1, 2, 3, 4, 5, 6, 7, 8].map((micros) => partOf(`r${micros}`, micros)))
  const stack = stackOf(bar, seriesOf([bar], 'report'))
  assert.deepEqual(
    stack.map(({ series: { name }, micros }) => [name, micros]),
    [
      ['r8', 8],
      ['r7', 7],
      ['r6', 6],
      ['r5', 5],
      ['r4', 4],
      ['3 others', 6],
    ],
  )
})

test('filters by the value of a series, or by none, and by nothing where several are combined', () => {
  const bar = barOf([undefined, 'Lease', 'c', 'd', 'e', 'f', 'g'].map((name, at) => partOf(name, 9 - at)))
  const filters = seriesOf([bar], 'report').map(({ filter }) => filter)
  assert.deepEqual(filters.slice(0, 2), [
    { report: '', anyReport: false },
    { report: 'Lease', anyReport: false },
  ])
  assert.equal(filters.at(-1), undefined)
  assert.deepEqual(
    seriesOf([bar], 'kind').map(({ filter }) => filter),
    [
      { report: '', anyReport: false },
      { report: undefined, anyReport: true },
    ],
  )
  assert.deepEqual(seriesOf([bar], 'team')[0]?.filter, { team: '' })
})
