import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Bar, bucketFor, indexAt, keepParts, lineOf, planFetch, sumOf } from './usage.ts'

const HOUR = 3_600_000
const DAY = 24 * HOUR

test('buckets are hours for up to two days, days for up to two months, weeks for up to a year, then months', () => {
  const buckets = [1, 2, 3, 31, 62, 63, 366, 367, 4000].map((days) => bucketFor(days * DAY))
  assert.deepEqual(buckets, ['hour', 'hour', 'day', 'day', 'day', 'week', 'week', 'month', 'month'])
  // Two days of which one has 25 hours, in autumn.
  assert.equal(bucketFor(2 * DAY + HOUR), 'hour')
})

const emptyBars = (count: number): readonly Bar[] =>
  Array.from({ length: count }, (_, at) => ({
    from: at * DAY,
    to: (at + 1) * DAY,
    messages: 0,
    unpriced: 0,
    micros: 0,
    parts: [],
  }))

test('finds the bar that starts at or before an instant and ends after it, or none', () => {
  const bars = emptyBars(3)
  assert.deepEqual(
    [-1, 0, DAY - 1, DAY, 3 * DAY - 1, 3 * DAY].map((at) => indexAt(bars, at)),
    [-1, 0, 0, 1, 2, -1],
  )
  assert.equal(indexAt([], 0), -1)
})

test('a message without a price costs an unknown amount, and one that is free costs 0', () => {
  const line = { message_id: 1, timestamp: '2024-05-01T00:00:00Z', rate_card: 'tokens-1' }
  assert.equal(lineOf({ ...line, credits_used: 0 }).micros, 0)
  const { micros, unpriced } = lineOf({ ...line, unpriced: 'no case holds' })
  assert.deepEqual({ micros, unpriced }, { micros: undefined, unpriced: 'no case holds' })
})

const partOf = (report: string | undefined, member: string | undefined, messages: number) => ({
  report,
  reportId: report === undefined ? undefined : `id of ${report}`,
  member,
  team: undefined,
  model: undefined,
  feature: undefined,
  outcome: 'succeeded',
  messages,
  unpriced: member === 'ada' ? 2 : 0,
  micros: messages,
})

/** Four days of 60 lines each: 10 with a report, 50 without; half of each by ada. */
const bars: readonly Bar[] = emptyBars(4).map((bar) => {
  const parts = [
    partOf('Lease', 'ada', 5),
    partOf('Lease', undefined, 5),
    partOf(undefined, 'ada', 25),
    partOf(undefined, undefined, 25),
  ]
  return { ...bar, ...sumOf(parts), parts }
})
const NONE = { report: undefined, unpriced: false }
const LIMITS = { linesMax: 100, sliceMax: 120 }

test('fetches all lines up to the limit, whatever the filters, in slices of whole bars', () => {
  const plan = planFetch(bars, { ...NONE, report: 'Lease' }, bars[1], { linesMax: 240, sliceMax: 120 })
  assert.deepEqual(plan, {
    filter: {},
    messages: 240,
    slices: [
      { from: '1970-01-01T00:00:00.000Z', to: '1970-01-03T00:00:00.000Z' },
      { from: '1970-01-03T00:00:00.000Z', to: '1970-01-05T00:00:00.000Z' },
    ],
  })
})

test('fetches only the lines that match the filters above the limit, as far as the service can filter', () => {
  assert.equal(planFetch(bars, NONE, undefined, LIMITS).messages, 240)
  const day = planFetch(bars, NONE, bars[1], LIMITS)
  assert.deepEqual(day.slices, [{ from: '1970-01-02T00:00:00.000Z', to: '1970-01-03T00:00:00.000Z' }])
  assert.equal(day.messages, 60)
  const report = planFetch(bars, { ...NONE, report: 'Lease' }, undefined, LIMITS)
  assert.deepEqual([report.filter, report.messages], [{ report_id: 'id of Lease' }, 40])
  const both = planFetch(bars, { ...NONE, report: 'Lease' }, bars[0], LIMITS)
  assert.deepEqual([both.filter, both.messages], [{ report_id: 'id of Lease' }, 10])
  const unpriced = planFetch(bars, { ...NONE, report: 'Lease', unpriced: true }, undefined, LIMITS)
  assert.deepEqual([unpriced.filter, unpriced.messages], [{ report_id: 'id of Lease', unpriced: 'true' }, 8])
  // The service cannot filter by “no report”, or by a name that two reports share.
  assert.deepEqual(planFetch(bars, { ...NONE, report: '' }, undefined, LIMITS).filter, {})
  const twice = bars.map((bar) => ({
    ...bar,
    parts: [...bar.parts, { ...partOf('Lease', 'ada', 0), reportId: 'other' }],
  }))
  assert.deepEqual(planFetch(twice, { ...NONE, report: 'Lease' }, undefined, LIMITS).filter, {})
})

const NO_FILTERS = {
  ...NONE,
  member: undefined,
  team: undefined,
  model: undefined,
  feature: undefined,
  outcome: undefined,
  anyReport: false,
}

test('keeps the parts that match, with sums of their own', () => {
  const sums = (filters: object, splits: readonly ('report' | 'member')[]) =>
    keepParts(bars, { ...NO_FILTERS, ...filters }, splits).map(({ messages, unpriced, micros, parts }) => [
      messages,
      unpriced,
      micros,
      parts.length,
    ])[0]
  assert.equal(keepParts(bars, NO_FILTERS, []), bars)
  assert.deepEqual(sums({ report: 'Lease' }, ['report']), [10, 2, 10, 2])
  assert.deepEqual(sums({ anyReport: true, member: '' }, ['report', 'member']), [5, 0, 5, 1])
  assert.deepEqual(sums({ report: '', member: '' }, ['report', 'member']), [25, 0, 25, 1])
  // Without a price: counted, and worth nothing.
  assert.deepEqual(sums({ unpriced: true }, []), [4, 4, 0, 2])
})
