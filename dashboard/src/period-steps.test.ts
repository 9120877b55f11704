import assert from 'node:assert/strict'
import { test } from 'node:test'
import { presetsFor, stepFrom } from './period-steps.ts'

const month = (name: string, end: string) => ({ name, start: `${name}-01T00:00Z`, end: `${end}-01T00:00Z` })
const PERIODS = [month('2024-06', '2024-07'), month('2024-05', '2024-06'), month('2024-04', '2024-05')]
const NOW = Date.parse('2024-06-10T12:00Z')
const step = (by: 'earlier' | 'later', index: number, range?: { readonly from: string; readonly to: string }) =>
  stepFrom({ range }, by, PERIODS, index, NOW)

test('a period is followed by the one after it, and the running one is called current', () => {
  assert.deepEqual(step('earlier', 0), { period: '2024-05', range: undefined })
  assert.deepEqual(step('later', 2), { period: '2024-05', range: undefined })
  assert.deepEqual(step('later', 1), { period: 'current', range: undefined })
})

test('nothing is after the latest period, before the first, and beside one that is not listed', () => {
  assert.deepEqual([step('later', 0), step('earlier', 2)], [undefined, undefined])
  assert.deepEqual([step('later', -1), step('earlier', -1)], [undefined, undefined])
})

test('a range is followed by as many days, across months and a leap day', () => {
  const range = { from: '2024-02-27', to: '2024-02-28' }
  assert.deepEqual(step('later', -1, range)?.range, { from: '2024-02-29', to: '2024-03-01' })
  assert.deepEqual(step('earlier', -1, range)?.range, { from: '2024-02-25', to: '2024-02-26' })
})

test('a range that ends today has the days its name says', () => {
  const ranges = Object.fromEntries(presetsFor('2024-03-05').map(({ name, range }) => [name, range]))
  assert.deepEqual(ranges['Today'], { from: '2024-03-05', to: '2024-03-05' })
  assert.deepEqual(ranges['Yesterday'], { from: '2024-03-04', to: '2024-03-04' })
  assert.deepEqual(ranges['Last 7 days'], { from: '2024-02-28', to: '2024-03-05' })
  assert.deepEqual(ranges['Last 30 days'], { from: '2024-02-05', to: '2024-03-05' })
})
