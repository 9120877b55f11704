import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { credits } from '#model/credits.ts'
import type { Priced } from '#model/usage-record.ts'
import { DAY_MS, dayOf, recordOf, START } from '../../test/priced.ts'
import { exactSum, PricedBatchBuilder, pricedAt, sumsOf } from './priced-batch.ts'

const cells = [
  { rateCard: 'a' },
  { rateCard: 'a', member: 'ada' },
  { rateCard: 'a', reportId: 5, reportName: 'Five', member: 'ada' },
]

const pricedArbitrary = fc
  .record({
    id: fc.oneof(fc.maxSafeInteger(), fc.string({ minLength: 1 })),
    at: fc.integer({ min: -DAY_MS * 3, max: DAY_MS * 3 }),
    isAsWritten: fc.boolean(),
    cell: fc.nat(2),
    micros: fc.oneof(fc.nat(), fc.constant((2 ** 33 - 1) * 1_000_000)),
    facts: fc.oneof(fc.uint8Array({ maxLength: 24 }), fc.uint8Array({ minLength: 60, maxLength: 90 })),
    digest: fc.uint8Array({ minLength: 16, maxLength: 16 }),
  })
  .map(({ id, at, isAsWritten, cell, micros, facts, digest }): Priced => {
    const timestamp = new Date(START + at).toISOString()
    return {
      ...recordOf(id, { at: START + at, timestamp: isAsWritten ? timestamp.replace('Z', '+00:00') : timestamp }),
      cell: cells[cell] as (typeof cells)[number],
      credits: credits(micros),
      facts,
      digest,
    }
  })

const build = (rows: readonly Priced[]) => {
  const builder = new PricedBatchBuilder(rows.length)
  for (const row of rows) builder.add(row, dayOf(row.at))
  return builder.build()
}

test('every row comes back as it was added, also from another thread', () => {
  fc.assert(
    fc.property(fc.array(pricedArbitrary), (rows) => {
      const batch = build(rows)
      for (const each of [batch, structuredClone(batch)]) {
        const found = rows.map((_, row) => pricedAt(each, row))
        assert.deepEqual(
          found.map((row) => ({ ...row, facts: [...row.facts], digest: [...row.digest] })),
          rows.map((row) => ({ ...row, facts: [...row.facts], digest: [...row.digest] })),
        )
      }
    }),
  )
})

test('sums by day and cell are those of the rows that count, exactly', () => {
  fc.assert(
    fc.property(fc.array(pricedArbitrary), fc.func(fc.boolean()), (rows, counts) => {
      const batch = build(rows)
      const named = new Map<string, readonly [number, bigint]>()
      for (const [row, { at, cell, credits: amount }] of rows.entries()) {
        if (!counts(row)) continue
        const key = `${dayOf(at).start} ${cells.indexOf(cell as never)}`
        const [messages, sum] = named.get(key) ?? [0, 0n]
        named.set(key, [messages + 1, sum + BigInt(amount ?? 0)])
      }
      const found = sumsOf(batch, counts).map(
        ({ day, cell, messages, credits: sum }) =>
          [`${day.start} ${cells.indexOf(batch.cells[cell] as never)}`, [messages, BigInt(sum)]] as const,
      )
      assert.deepEqual(new Map(found), named)
    }),
  )
})

test('a sum is a number for as long as that is exact', () => {
  assert.equal(exactSum(2 ** 53 - 2, 1), 2 ** 53 - 1)
  assert.equal(exactSum(2 ** 53 - 1, 1), 2n ** 53n)
  assert.equal(exactSum(2n ** 60n, 1), 2n ** 60n + 1n)
})
