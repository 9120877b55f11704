import assert from 'node:assert/strict'
import { test } from 'node:test'
import { cardAt, cardForUnpricedAt, timelineForUnpriced, timelineOf } from './cards-in-force.ts'
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

const forUnpriced = [
  { from: 100, version: 'wide', until: 400 },
  { from: 200, version: 'narrow', until: 300 },
]

test('a card for unpriced messages is used up to its end, and never for others', () => {
  const cards = { own: [...own, ...forUnpriced], byDefault: [] }
  assert.deepEqual(
    [99, 100, 199, 200, 299, 300, 399, 400].map((at) => cardForUnpricedAt(cards, at)),
    [undefined, 'wide', 'wide', 'narrow', 'narrow', 'wide', 'wide', undefined],
  )
  assert.deepEqual(
    [99, 100, 200, 400].map((at) => cardAt(cards, at)),
    ['standard-2024', 'own', 'newer', 'newer'],
  )
  assert.deepEqual(timelineOf(cards), timelineOf({ own, byDefault: [] }))
})

test('an organization that uses a card of its own is not priced by one that the installation uses for unpriced messages', () => {
  const cards = { own, byDefault: [...byDefault, { from: 50, version: 'rest', until: 500 }] }
  assert.deepEqual(
    [49, 50, 99, 100].map((at) => cardForUnpricedAt(cards, at)),
    [undefined, 'rest', 'rest', undefined],
  )
  const withOwn = { own: [{ from: 60, version: 'mine', until: 70 }], byDefault: cards.byDefault }
  assert.deepEqual(
    [59, 60, 70, 499].map((at) => cardForUnpricedAt(withOwn, at)),
    ['rest', 'mine', 'rest', 'rest'],
  )
})

test('the stretches of cards for unpriced messages are whole and do not overlap', () => {
  const rest = { from: 50, version: 'rest', until: 450 }
  for (const cards of [
    { own: [...own, ...forUnpriced], byDefault: [] },
    { own: [...own, ...forUnpriced], byDefault: [rest, ...byDefault] },
    { own: forUnpriced, byDefault: [rest, ...byDefault] },
    { own, byDefault },
  ]) {
    const stretches = timelineForUnpriced(cards)
    for (const at of [CALENDAR_BEGINS, 49, 50, 99, 100, 150, 199, 200, 299, 300, 399, 400, 449, 450, 1e15]) {
      const found = stretches.filter(({ from, until }) => from <= at && at < until)
      assert.deepEqual(
        found.map(({ version }) => version),
        [cardForUnpricedAt(cards, at) ?? []].flat(),
      )
    }
    for (const [index, { from, version, isDefault }] of stretches.entries()) {
      const before = stretches[index - 1]
      assert.ok(before === undefined || before.until <= from)
      assert.ok(before?.until !== from || before.version !== version || before.isDefault !== isDefault)
    }
  }
  assert.deepEqual(timelineForUnpriced({ own: forUnpriced, byDefault: [rest] }), [
    { from: 50, version: 'rest', until: 100, isDefault: true },
    { from: 100, version: 'wide', until: 200, isDefault: false },
    { from: 200, version: 'narrow', until: 300, isDefault: false },
    { from: 300, version: 'wide', until: 400, isDefault: false },
    { from: 400, version: 'rest', until: 450, isDefault: true },
  ])
})
