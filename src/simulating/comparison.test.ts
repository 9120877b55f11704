import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { KeptChargesBuilder } from '#ledger/kept-charges.ts'
import { type Cell, textOf } from '#model/cell.ts'
import { CALENDAR_BEGINS, type Organization } from '#model/organization.ts'
import { COMPARED, Comparison } from './comparison.ts'
import type { Sums } from './sums.ts'

const DAY_MS = 86_400_000
const ORGANIZATIONS = ['acme', 'globex'].map(
  (id): Organization => ({
    id,
    name: id,
    createdAt: 0,
    calendar: [{ effectiveFrom: CALENDAR_BEGINS, timeZone: 'UTC', anchorDay: 1 }],
  }),
)

/** `of` is the index of its organization. */
type Row = {
  readonly of?: number
  readonly cell: Cell
  readonly day: number
  readonly before: number
  readonly after: number
}

const compare = (rows: readonly Row[], pieceSize: number) => {
  const all = new Comparison()
  for (const [of, organization] of ORGANIZATIONS.entries()) {
    const own = rows.filter((row) => (row.of ?? 0) === of)
    const comparison = new Comparison()
    for (let from = 0; from < own.length; from += pieceSize) {
      const piece = own.slice(from, from + pieceSize)
      const after = Float64Array.from(piece, (row) => row.after)
      comparison.add({ organization, range: { from: 0, to: 4 * DAY_MS } }, keptOf(piece, from), after)
    }
    all.addAll(comparison)
  }
  return all.result()
}

const keptOf = (piece: readonly Row[], from: number) => {
  const cells = [...new Set(piece.map(({ cell }) => cell))]
  const kept = new KeptChargesBuilder(piece.length)
  const [timestamp, adjusts, replaced] = [undefined, undefined, undefined]
  const [facts, digest] = [new Uint8Array(), new Uint8Array(16)]
  for (const [index, { cell, day, before }] of piece.entries()) {
    const [messageId, at, dayStart] = [from + index, day * DAY_MS + index, day * DAY_MS]
    const credits = Number.isNaN(before) ? undefined : before
    const row = { messageId, at, dayStart, timestamp, adjusts, replaced, revision: 0, credits, facts, digest }
    kept.add({ ...row, cell: cells.indexOf(cell) })
  }
  return kept.build(cells)
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

const idOf = ({ of = 0 }: Row): string => ORGANIZATIONS[of]?.id ?? ''

const cells: readonly Cell[] = [
  { rateCard: 'a' },
  { rateCard: 'a', member: 'ada', team: 'legal' },
  { rateCard: 'b', member: 'ada', model: 'large' },
  { rateCard: 'a', reportId: 5, reportName: 'Five' },
  { rateCard: 'a', reportId: 5, reportName: 'Fünf', member: 'bob' },
]

const amounts = fc.oneof(fc.nat(20), fc.constant(Number.NaN), fc.constant(2 ** 53 - 1))

test('sums are exact in every dimension, whatever the pieces, and the largest changes come first', () => {
  const cell = fc.constantFrom(...cells)
  const rows = fc.array(fc.record({ of: fc.nat(1), cell, day: fc.nat(3), before: amounts, after: amounts }))
  fc.assert(
    fc.property(rows, fc.integer({ min: 1, max: 10 }), (unordered, pieceSize) => {
      const ordered = unordered.toSorted((one, other) => one.day - other.day)
      const { total, organizations, days, by, largest } = compare(ordered, pieceSize)
      assert.deepEqual(found(total), expected(ordered))
      assert.deepEqual(
        days.groups.map(({ start, sums }) => [start, found(sums)]),
        [...Map.groupBy(ordered, ({ day }) => day * DAY_MS)].map(([day, own]) => [day, expected(own)]),
      )
      assert.deepEqual(
        new Map(organizations.groups.map(({ organization, sums }) => [organization.id, found(sums)])),
        new Map([...Map.groupBy(ordered, idOf)].map(([id, own]) => [id, expected(own)])),
      )
      for (const dimension of COMPARED) {
        const isOfOne = dimension === 'member' || dimension === 'team'
        const keyOf = (row: Row) => `${isOfOne ? idOf(row) : ''} ${textOf(row.cell, dimension)}`
        const own = Map.groupBy(ordered, keyOf)
        const { groups, others } = by[dimension]
        assert.equal(others, undefined)
        assert.equal(groups.length, own.size)
        for (const { sums, organizationId = '', ...names } of groups)
          assert.deepEqual(found(sums), expected(own.get(`${organizationId} ${textOf(names, dimension)}`) ?? []))
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
  assert.deepEqual(
    namesOf([
      { of: 0, cell: five, day: 1, ...row },
      { of: 1, cell: fünf, day: 0, ...row },
    ]),
    ['Five'],
    'of several organizations',
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
