import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { compareNames, filterLines, sortLines, sumOfLines } from './lines.ts'
import type { Line } from './usage.ts'
import { SORT_COLUMNS, type SortEntry } from './view.ts'

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

const lines = fc.uniqueArray(
  fc
    .record({
      id: fc.oneof(fc.nat(), fc.string()),
      at: fc.nat(5),
      member: fc.option(fc.constantFrom('ada', 'Ben'), { nil: undefined }),
      report: fc.option(fc.constantFrom('Report 9', 'Report 10', 'report 9', 'Ärger', 'Zins'), { nil: undefined }),
      micros: fc.constantFrom(undefined, 0, 1, 50_000, 1_000_000, 9_007_199_254_740_991),
    })
    .map(lineWith),
  { selector: ({ id }) => JSON.stringify(id) },
)
const sorts = fc.uniqueArray(fc.record({ id: fc.constantFrom(...SORT_COLUMNS), desc: fc.boolean() }), {
  selector: ({ id }) => id,
  minLength: 1,
})

/** The specification: by the first column, then the next, then in the original order; lines without a value come last. */
const compare = (one: Line, other: Line, sort: readonly SortEntry[]): number => {
  for (const { id, desc } of sort) {
    const column = { time: 'at', credits: 'micros' }[id as string] ?? id
    const [value, otherValue] = [one, other].map((line) => line[column as keyof Line])
    if ((value === undefined) !== (otherValue === undefined)) return value === undefined ? 1 : -1
    const order = id === 'id' ? compareIds(one.id, other.id) : compareValues(value ?? 0, otherValue ?? 0)
    if (order !== 0) return desc ? -order : order
  }
  return 0
}

const compareValues = (one: number | string, other: number | string): number =>
  typeof one === 'number' ? one - Number(other) : compareNames(one, String(other))

const compareIds = (one: number | string, other: number | string): number => {
  if (typeof one !== typeof other) return typeof one === 'number' ? -1 : 1
  return one < other ? -1 : one > other ? 1 : 0
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

test('has the newest first if no sort is given', () => {
  const all = [lineWith({ id: 2, at: 1 }), lineWith({ id: 1, at: 2 })]
  assert.deepEqual(
    sortLines(all, []).map(({ id }) => id),
    [1, 2],
  )
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
