import assert from 'node:assert/strict'
import { test } from 'node:test'
import { useCard } from './card-use.ts'

const A = { from: 100, version: 'a' }
const B = { from: 200, version: 'b' }

test('a card is added in its place, and replaces one that is used from the same instant', () => {
  const between = { from: 150, version: 'c' }
  assert.deepEqual(useCard(between, [A, B], 100), { outcome: { inForce: [A, between, B] }, added: between })
  const instead = { from: 200, version: 'c' }
  assert.deepEqual(useCard(instead, [A, B], 100), { outcome: { inForce: [A, instead] }, added: instead })
})

test('the same use again changes nothing', () => {
  assert.deepEqual(useCard(B, [A, B], 100), { outcome: { inForce: [A, B] } })
})

test('nothing changes in a closed period; the open one can be changed from its start', () => {
  assert.deepEqual(useCard({ from: 299, version: 'c' }, [A, B], 300), { outcome: { closedUntil: 300 } })
  const added = { from: 300, version: 'c' }
  assert.deepEqual(useCard(added, [A, B], 300), { outcome: { inForce: [A, B, added] }, added })
})

test('without an instant, a card is used for all that is not closed', () => {
  const added = { from: 300, version: 'c' }
  assert.deepEqual(useCard({ version: 'c' }, [A, B], 300), { outcome: { inForce: [A, B, added] }, added })
})

test('a card for unpriced messages is used beside the others, in what is closed and up to its end', () => {
  const use = { from: 100, version: 'c', for: 'unpriced' } as const
  const added = { from: 100, version: 'c', until: 300 }
  assert.deepEqual(useCard(use, [A, B], 300), { outcome: { inForce: [A, added, B] }, added })
  assert.deepEqual(useCard(use, [A, added, B], 300), { outcome: { inForce: [A, added, B] } })
  const longer = { ...added, until: 400 }
  assert.deepEqual(useCard(use, [A, added, B], 400), { outcome: { inForce: [A, longer, B] }, added: longer })
  const last = { ...use, from: 299 }
  assert.equal(useCard(last, [A, B], 300).added?.from, 299)
  assert.deepEqual(useCard({ ...use, from: 300 }, [A, B], 300), { outcome: { closedUntil: 300 } })
})
