import assert from 'node:assert/strict'
import { test } from 'node:test'
import { KeptChargesBuilder, type KeptRow } from '#ledger/kept-charges.ts'
import type { Facts } from '#model/facts.ts'
import { compileCard } from '#rating/compile-card.ts'
import { packFacts } from '#rating/packed-facts.ts'
import { parseCard } from '#rating/parse-card.ts'
import { createPricingAgain } from './pricing-again.ts'

const card = compileCard(
  parseCard({
    version: 'new',
    cases: [{ name: 'pages', when: { pages: '*' }, lines: [{ rule: 'pages', of: 'pages', rate: 2 }] }],
  }),
)

const CELLS = [{ rateCard: 'old' }, { rateCard: 'new' }]
const [OLD, NEW] = [0, 1]

const rowOf = (pages: number, more: Partial<KeptRow>): KeptRow => ({
  messageId: 1,
  at: 0,
  timestamp: undefined,
  dayStart: 0,
  revision: 0,
  credits: 1_000_000,
  cell: OLD,
  adjusts: undefined,
  replaced: undefined,
  facts: packFacts({ quantities: { pages } } satisfies Facts),
  digest: new Uint8Array(16),
  ...more,
})

const priceAll = (...rows: readonly KeptRow[]) => {
  const kept = new KeptChargesBuilder(rows.length)
  for (const row of rows) kept.add(row)
  const pricing = createPricingAgain({ card, hash: 'h', chargedAs: 'new' }, ['about'])
  const after = [...pricing.price(kept.build(CELLS))]
  return { after, ...pricing.result() }
}

test('an amount that does not fit a charge is no price, and neither is a card without a case', () => {
  const { after, reasons, byAnother } = priceAll(
    rowOf(3, {}),
    rowOf(2 ** 53 - 1, { messageId: 2 }),
    rowOf(1, { messageId: 3, facts: packFacts({ model: 'large' }) }),
  )
  assert.deepEqual(after, [6_000_000, Number.NaN, Number.NaN])
  assert.deepEqual(
    [...reasons],
    [
      ['it must cost at most 9007199254.740991 credits', 1],
      ['no case holds in the card new', 1],
    ],
  )
  assert.equal(byAnother, 3)
})

test('an adjustment stays as it is, with a price or without one', () => {
  const { after, reasons, byAnother, hash } = priceAll(
    rowOf(3, { adjusts: -1, credits: -500_000 }),
    rowOf(3, { adjusts: -1, credits: undefined }),
  )
  assert.deepEqual(after, [-500_000, Number.NaN])
  assert.deepEqual([...reasons.values()], [1])
  assert.equal(byAnother, 0)
  assert.equal(hash, priceAll().hash)
})

test('a charge by the card counts as the one that it replaced, and a first one not at all', () => {
  const first = rowOf(3, { revision: 4 })
  const anew = (credits: number | undefined, cell = OLD) =>
    rowOf(3, { revision: 5, cell: NEW, credits: 6_000_000, replaced: { credits, cell } })
  const { hash } = priceAll(first)
  assert.equal(priceAll(anew(1_000_000)).hash, hash)
  assert.equal(priceAll(first, rowOf(1, { messageId: 2, cell: NEW, credits: 2_000_000 })).hash, hash)
  assert.equal(priceAll(rowOf(3, { credits: undefined })).hash, priceAll({ ...anew(undefined), revision: 1 }).hash)
  const unpriced = rowOf(3, { credits: undefined, facts: packFacts({ model: 'large' }) })
  const moved = { ...unpriced, revision: 1, cell: NEW, replaced: { credits: undefined, cell: OLD } }
  assert.equal(priceAll(moved).hash, priceAll(unpriced).hash)
  const others = [
    anew(2_000_000),
    anew(1_000_000, NEW),
    { ...anew(1_000_000), credits: 7_000_000 },
    { ...anew(1_000_000), revision: 6 },
    { ...first, messageId: '1' },
    { ...first, credits: 3_000_000 },
  ]
  assert.equal(new Set([hash, ...others.map((row) => priceAll(row).hash)]).size, 1 + others.length)
})
