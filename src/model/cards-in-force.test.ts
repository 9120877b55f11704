import assert from 'node:assert/strict'
import { test } from 'node:test'
import { cardAt } from './cards-in-force.ts'

const own = [
  { from: 100, version: 'own' },
  { from: 200, version: 'newer' },
]
const byDefault = [
  { from: 50, version: 'default' },
  { from: 150, version: 'newer default' },
]

test('a card is in force from its instant on, until the next one', () => {
  assert.deepEqual(
    [99, 100, 199, 200, 1e15].map((at) => cardAt({ own, byDefault: [] }, at)),
    ['standard-2024', 'own', 'own', 'newer', 'newer'],
  )
})

test('before its first card, an organization uses that of the installation, and before that, the standard one', () => {
  assert.deepEqual(
    [49, 50, 99, 100, 150].map((at) => cardAt({ own, byDefault }, at)),
    ['standard-2024', 'default', 'default', 'own', 'own'],
  )
  assert.deepEqual(
    [49, 50, 150].map((at) => cardAt({ own: [], byDefault }, at)),
    ['standard-2024', 'default', 'newer default'],
  )
})
