import assert from 'node:assert/strict'
import { test } from 'node:test'
import { credits } from '#model/credits.ts'
import { batchOf, recordOf, unpricedOf } from '../../test/priced.ts'
import { countsOf, IntakeResults } from './intake-results.ts'

const { priced } = batchOf([recordOf('a', { micros: 1 }), recordOf(2, { micros: 2 }), recordOf('c', { micros: 3 })])
const rejection = { field: 'text', reason: 'must be a string' }

test('results are in the order of the entries, whichever of them were rejected', () => {
  for (const at of [0, 1, 2, 3]) {
    const results = new IntakeResults({
      length: 4,
      rejections: new Map([[at, rejection]]),
      priced,
      outcomes: undefined,
      unknownReports: new Set([1]),
      reasonOf: () => 'no price',
    })
    const accepted = [
      { id: 'a', status: 'accepted', credits: 1 },
      { id: 2, status: 'accepted', credits: 2, unknownReport: true },
      { id: 'c', status: 'accepted', credits: 3 },
    ]
    assert.deepEqual([...results], accepted.toSpliced(at, 0, { status: 'rejected', ...rejection } as never))
    assert.deepEqual(results.counts, { accepted: 3, duplicate: 0, conflict: 0, rejected: 1 })
  }
})

test('a message that was charged before shows what it costs now, and the counts are those of the results', () => {
  const results = new IntakeResults({
    length: 3,
    rejections: new Map(),
    priced,
    outcomes: [
      { status: 'duplicate', credits: credits(7) },
      { status: 'accepted', credits: credits(2) },
      { status: 'conflict', credits: credits(9) },
    ],
    unknownReports: new Set(),
    reasonOf: () => 'no price',
  })
  assert.deepEqual(
    [...results].map((result) => 'credits' in result && result.credits),
    [7, 2, 9],
  )
  assert.deepEqual(results.counts, countsOf(results))
  assert.deepEqual(results.counts, { accepted: 1, duplicate: 1, conflict: 1, rejected: 0 })
})

test('a message without a price is unpriced, with the reason, and a duplicate of it says so too', () => {
  const parts = { length: 2, rejections: new Map(), unknownReports: new Set<number>(), reasonOf: () => 'no price' }
  const batch = batchOf([recordOf(1, { micros: 5 }), unpricedOf(2)]).priced
  const first = new IntakeResults({ ...parts, priced: batch, outcomes: undefined })
  assert.deepEqual(
    [...first],
    [
      { id: 1, status: 'accepted', credits: 5 },
      { id: 2, status: 'unpriced', unpriced: 'no price' },
    ],
  )
  assert.deepEqual(first.counts, { accepted: 1, duplicate: 0, conflict: 0, rejected: 0, unpriced: 1 })
  assert.deepEqual(first.counts, countsOf(first))
  const again = new IntakeResults({
    ...parts,
    priced: batch,
    outcomes: [{ status: 'conflict' }, { status: 'duplicate' }],
  })
  assert.deepEqual(
    [...again],
    [
      { id: 1, status: 'conflict' },
      { id: 2, status: 'duplicate', unpriced: 'no price' },
    ],
  )
  assert.deepEqual(again.counts, { accepted: 0, duplicate: 1, conflict: 1, rejected: 0 })
})
