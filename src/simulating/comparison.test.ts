import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { KeptChargesBuilder } from '#ledger/kept-charges.ts'
import { type Cell, textOf } from '#model/cell.ts'
import { COMPARED, createComparison } from './comparison.ts'
import type { Sums } from './sums.ts'

type Row = { readonly cell: Cell; readonly day: number; readonly before: number; readonly after: number }

const compare = (rows: readonly Row[], pieceSize: number) => {
  const comparison = createComparison()
  for (let from = 0; from < rows.length; from += pieceSize) {
    const piece = rows.slice(from, from + pieceSize)
    const cells = [...new Set(piece.map(({ cell }) => cell))]
    const kept = new KeptChargesBuilder(piece.length)
    const [timestamp, adjusts, replaced] = [undefined, undefined, undefined]
    const [facts, digest] = [new Uint8Array(), new Uint8Array(16)]
    for (const [index, { cell, day, before }] of piece.entries()) {
      const [messageId, at, dayStart] = [from + index, day * 1000 + index, day * 1000]
      const credits = Number.isNaN(before) ? undefined : before
      const row = { messageId, at, dayStart, timestamp, adjusts, replaced, revision: 0, credits, facts, digest }
      kept.add({ ...row, cell: cells.indexOf(cell) })
    }
    comparison.add(
      kept.build(cells),
      Float64Array.from(piece, ({ after }) => after),
    )
  }
  return comparison.result()
}

const amount = (credits: number): bigint => BigInt(Number.isNaN(credits) ? 0 : credits)

const expected = (rows: readonly Row[]) => ({
  messages: rows.length,
  before: rows.reduce((sum, { before }) => sum + amount(before), 0n),
  after: rows.reduce((sum, { after }) => sum + amount(after), 0n),
  unpriced: [
    rows.filter(({ before }) => Number.isNaN(before)).length,
    rows.filter(({ after }) => Number.isNaN(after)).length,
  ],
  changed: [
    rows.filter(({ before, after }) => amount(after) > amount(before)).length,
    rows.filter(({ before, after }) => amount(after) < amount(before)).length,
  ],
})

const found = (sums: Sums) => ({
  messages: sums.messages,
  before: sums.before,
  after: sums.after,
  unpriced: [sums.unpricedBefore, sums.unpricedAfter],
  changed: [sums.costlier, sums.cheaper],
})

const cells: readonly Cell[] = [
  { rateCard: 'a' },
  { rateCard: 'a', member: 'ada', team: 'legal' },
  { rateCard: 'b', member: 'ada', model: 'large' },
  { rateCard: 'a', reportId: 5, reportName: 'Five' },
  { rateCard: 'a', reportId: 5, reportName: 'Fünf', member: 'bob' },
]

const amounts = fc.oneof(fc.nat(20), fc.constant(Number.NaN), fc.constant(2 ** 53 - 1))

test('sums are exact in every dimension, whatever the pieces, and the largest changes come first', () => {
  const rows = fc.array(fc.record({ cell: fc.constantFrom(...cells), day: fc.nat(3), before: amounts, after: amounts }))
  fc.assert(
    fc.property(rows, fc.integer({ min: 1, max: 10 }), (unordered, pieceSize) => {
      const ordered = unordered.toSorted((one, other) => one.day - other.day)
      const { total, days, by, largest } = compare(ordered, pieceSize)
      assert.deepEqual(found(total), expected(ordered))
      assert.deepEqual(
        days.groups.map(({ start, sums }) => [start, found(sums)]),
        [...Map.groupBy(ordered, ({ day }) => day * 1000)].map(([day, own]) => [day, expected(own)]),
      )
      for (const dimension of COMPARED) {
        const own = Map.groupBy(ordered, ({ cell }) => textOf(cell, dimension))
        const { groups, others } = by[dimension]
        assert.equal(others, undefined)
        assert.equal(groups.length, own.size)
        for (const { sums, ...names } of groups)
          assert.deepEqual(found(sums), expected(own.get(textOf(names, dimension)) ?? []))
        const changes = groups.map(({ sums: { difference } }) => (difference < 0n ? -difference : difference))
        assert.deepEqual(
          changes,
          changes.toSorted((one, other) => (one > other ? -1 : one < other ? 1 : 0)),
        )
      }
      const sizes = ordered.map(({ before, after }) => Number(amount(after) - amount(before))).map(Math.abs)
      assert.deepEqual(
        largest.map(({ before, after }) => Math.abs(Number(amount(after) - amount(before)))),
        sizes
          .filter((size) => size > 0)
          .toSorted((one, other) => other - one)
          .slice(0, 10),
      )
    }),
  )
})

test('a report has its latest name', () => {
  const [, , , five, fünf] = cells as [Cell, Cell, Cell, Cell, Cell]
  const row = { before: 1, after: 2 }
  const namesOf = (rows: readonly Row[]) => compare(rows, 1).by.report.groups.map(({ reportName }) => reportName)
  assert.deepEqual(
    namesOf([
      { cell: fünf, day: 0, ...row },
      { cell: five, day: 1, ...row },
    ]),
    ['Five'],
  )
  assert.deepEqual(
    namesOf([
      { cell: fünf, day: 0, ...row },
      { cell: five, day: 0, ...row },
    ]),
    ['Fünf'],
  )
})

test('of many members those are shown that change most, and the others are added up', () => {
  const count = 100_500
  const rows = Array.from({ length: count }, (_, index) => ({
    cell: { rateCard: 'a', member: `m${index}` },
    day: 0,
    before: 10,
    after: 10 + (index % 1000),
  }))
  const { total, by } = compare(rows, 2000)
  const { groups, others } = by.member
  assert.equal(groups.length, 100)
  assert.deepEqual(new Set(groups.map(({ sums }) => sums.difference)), new Set([999n]))
  const shown = groups.reduce((sum, { sums }) => sum + sums.after, 0n)
  assert.equal(shown + (others?.after ?? 0n), total.after)
  assert.equal(groups.length + (others?.messages ?? 0), count)
})
