import assert from 'node:assert/strict'
import { test } from 'node:test'
import { cardAt, timelineOf } from './cards-in-force.ts'
import { CALENDAR_BEGINS } from './organization.ts'

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

test('a timeline has the card that is in force at every instant, and no card that never is', () => {
  const early = [{ from: CALENDAR_BEGINS, version: 'always' }]
  for (const cards of [
    { own, byDefault },
    { own: [], byDefault },
    { own, byDefault: [] },
    { own: early, byDefault },
    { own: [...early, ...own], byDefault: early },
  ]) {
    const timeline = timelineOf(cards)
    for (const at of [CALENDAR_BEGINS, 49, 50, 99, 100, 149, 150, 200, 1e15]) {
      assert.equal(timeline.findLast(({ from }) => from <= at)?.version, cardAt(cards, at))
    }
    for (const { from, version } of timeline) assert.equal(cardAt(cards, from), version)
    assert.deepEqual(
      timeline.map(({ from }) => from),
      [...new Set(timeline.map(({ from }) => from))].sort((one, other) => one - other),
    )
  }
})
