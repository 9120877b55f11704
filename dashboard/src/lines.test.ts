import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { compareNames, filterLines, sortLines, sumOfLines, toCsv } from './lines.ts'
import type { Line } from './usage.ts'
import type { SortEntry } from './view.ts'

const lineWith = (given: Partial<Line>): Line => ({
  id: 1,
  at: 0,
  timestamp: '1970-01-01T00:00:00Z',
  report: undefined,
  member: undefined,
  team: undefined,
  model: undefined,
  feature: undefined,
  outcome: 'succeeded',
  micros: 0,
  unpriced: undefined,
  ...given,
})

const lines = fc.array(
  fc
    .record({
      id: fc.nat(),
      report: fc.option(fc.constantFrom('Report 9', 'Report 10', 'report 9', 'Ärger', 'Zins'), { nil: undefined }),
      micros: fc.constantFrom(undefined, 0, 1, 50_000, 1_000_000, 9_007_199_254_740_991),
    })
    .map(lineWith),
)
const sorts = fc.uniqueArray(fc.record({ id: fc.constantFrom('report', 'credits'), desc: fc.boolean() } as const), {
  selector: ({ id }) => id,
})

/** The specification: by the first column, then the next, then in the original order; no report and no price come last. */
const compare = (one: Line, other: Line, sort: readonly SortEntry[]): number => {
  for (const { id, desc } of sort) {
    const [value, otherValue] = id === 'credits' ? [one.micros, other.micros] : [one.report, other.report]
    if ((value === undefined) !== (otherValue === undefined)) return value === undefined ? 1 : -1
    const order =
      id === 'credits' ? (one.micros ?? 0) - (other.micros ?? 0) : compareNames(one.report ?? '', other.report ?? '')
    if (order !== 0) return desc ? -order : order
  }
  return 0
}

test('sorts lines as a stable sort that compares the columns in order', () => {
  fc.assert(
    fc.property(lines, sorts, (all, sort) => {
      assert.deepEqual(
        sortLines(all, sort),
        all.toSorted((one, other) => compare(one, other, sort)),
      )
    }),
  )
})

test('returns the same list if no sort is given', () => {
  const all = [lineWith({ id: 2 }), lineWith({ id: 1 })]
  assert.equal(sortLines(all, []), all)
})

const NONE = {
  report: undefined,
  member: undefined,
  team: undefined,
  model: undefined,
  feature: undefined,
  outcome: undefined,
  anyReport: false,
  minCredits: undefined,
  unpriced: false,
  search: undefined,
}
const idsOf = (all: readonly Line[]) => all.map(({ id }) => id)

test('keeps the lines that match all filters, exact to a millionth of a credit and to a millisecond', () => {
  const all = [
    lineWith({ id: 10, micros: 4_999_999, at: 99 }),
    lineWith({ id: 11, micros: 5_000_000, at: 100, report: 'Lease', member: 'ada' }),
    lineWith({ id: 'x-11', micros: 7_000_000, at: 199, member: 'ada' }),
    lineWith({ id: 12, micros: 9_000_000, at: 200, report: 'Lease' }),
  ]
  assert.equal(filterLines(all, NONE, undefined), all)
  assert.deepEqual(idsOf(filterLines(all, { ...NONE, minCredits: '5' }, undefined)), [11, 'x-11', 12])
  assert.deepEqual(idsOf(filterLines(all, { ...NONE, minCredits: '4.999999' }, undefined)), [10, 11, 'x-11', 12])
  assert.deepEqual(idsOf(filterLines(all, { ...NONE, search: '11' }, undefined)), [11, 'x-11'])
  assert.deepEqual(idsOf(filterLines(all, { ...NONE, report: 'Lease' }, undefined)), [11, 12])
  assert.deepEqual(idsOf(filterLines(all, { ...NONE, report: '' }, undefined)), [10, 'x-11'])
  assert.deepEqual(idsOf(filterLines(all, { ...NONE, member: 'ada' }, undefined)), [11, 'x-11'])
  assert.deepEqual(idsOf(filterLines(all, { ...NONE, member: '' }, undefined)), [10, 12])
  assert.deepEqual(idsOf(filterLines(all, { ...NONE, anyReport: true }, undefined)), [11, 12])
  const failed = lineWith({ id: 13, team: 'legal', model: 'gpt-5.4', feature: 'chat', outcome: 'failed' })
  for (const filter of [{ team: 'legal' }, { model: 'gpt-5.4' }, { feature: 'chat' }, { outcome: 'failed' }]) {
    assert.deepEqual(idsOf(filterLines([...all, failed], { ...NONE, ...filter }, undefined)), [13])
  }
  assert.deepEqual(idsOf(filterLines([...all, failed], { ...NONE, team: '' }, undefined)), [10, 11, 'x-11', 12])
  assert.deepEqual(idsOf(filterLines(all, NONE, { from: 100, to: 200 })), [11, 'x-11'])
  assert.deepEqual(idsOf(filterLines(all, { ...NONE, member: 'ada', report: '' }, { from: 100, to: 200 })), ['x-11'])
})

test('counts a line without a price apart: it is in no sum, and not among the lines of a minimum, even of 0', () => {
  const all = [
    lineWith({ id: 1, micros: 2_000_000 }),
    lineWith({ id: 2, micros: undefined, unpriced: 'no case holds' }),
    lineWith({ id: 3, micros: 0 }),
  ]
  assert.deepEqual(sumOfLines(all), { micros: 2_000_000, unpriced: 1 })
  assert.deepEqual(idsOf(filterLines(all, { ...NONE, unpriced: true }, undefined)), [2])
  assert.deepEqual(idsOf(filterLines(all, { ...NONE, minCredits: '0' }, undefined)), [1, 3])
  for (const desc of [false, true]) assert.equal(sortLines(all, [{ id: 'credits', desc }]).at(-1)?.id, 2)
})

test('writes amounts in CSV with every digit, the reason if there is no price, and no cell that a spreadsheet would run as a formula', () => {
  const csv = toCsv([
    lineWith({ id: '=1+1', micros: 1, report: 'A, "B"', member: '@sum' }),
    lineWith({ id: -7, micros: 2_264_400_000 }),
    lineWith({ id: 'a\nb', micros: 9_007_199_254_740_000, member: '+49' }),
    lineWith({ id: 8, micros: 0 }),
    lineWith({ id: 9, micros: undefined, unpriced: 'the model "x" has no price' }),
  ])
  assert.equal(
    csv,
    [
      'message_id,timestamp,report_name,credits_used,user_id,unpriced',
      `'=1+1,1970-01-01T00:00:00Z,"A, ""B""",0.000001,'@sum,`,
      '-7,1970-01-01T00:00:00Z,,2264.4,,',
      `"a\nb",1970-01-01T00:00:00Z,,9007199254.74,'+49,`,
      '8,1970-01-01T00:00:00Z,,0,,',
      '9,1970-01-01T00:00:00Z,,,,"the model ""x"" has no price"',
      '',
    ].join('\r\n'),
  )
})
