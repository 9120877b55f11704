import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ReadyCards } from '#intake/compiled-cards.ts'
import { createContentDigest } from '#intake/content-digest.ts'
import { createPricer } from '#intake/pricing.ts'
import { credits } from '#model/credits.ts'
import { UnbillableListing } from '#model/errors.ts'
import type { Id } from '#model/report.ts'
import type { Priced } from '#model/usage-record.ts'
import { compileCard } from '#rating/compile-card.ts'
import { parseCard } from '#rating/parse-card.ts'
import { createListingBuilder } from './listing-builder.ts'

const pricer = createPricer(createContentDigest('k'.repeat(32)))
const timestamp = '2024-05-01T00:00:00.000Z'

const cardOf = (version: string, models: readonly string[]) =>
  compileCard(
    parseCard({
      version,
      cases: [{ name: 'page', when: { model: models }, lines: [{ rule: 'pages', of: 'pages', rate: 1 }] }],
    }),
  )

const charges = (cards: ReadyCards, before?: ReadonlyMap<Id, Priced>) => {
  const builder = createListingBuilder({ pricer, cards, wantReport: () => {}, before })
  const models = ['small', 'large', 'unheard-of']
  builder.take(models.map((model, id) => ({ id, timestamp, brought: { model, quantities: { pages: 1 } } })))
  return builder.charges(new Map())
}

const pricesOf = (listed: ReadonlyMap<Id, Priced>) =>
  [...listed.values()].map(({ credits, cell }) => `${credits} ${cell.rateCard}`)

test('a listing is priced by a card for unpriced messages as well, and what has not changed is the same object', async () => {
  const card = cardOf('first', ['small'])
  const withoutIt: ReadyCards = { version: 1, at: () => ({ card }) }
  const withIt: ReadyCards = { version: 2, at: () => ({ card, forUnpriced: cardOf('late', ['small', 'large']) }) }
  const before = await charges(withoutIt)
  assert.deepEqual(pricesOf(before), ['1000000 first', 'undefined first', 'undefined first'])
  const after = await charges(withIt, before)
  assert.deepEqual(pricesOf(after), ['1000000 first', '1000000 late', 'undefined first'])
  const again = await charges(withIt, after)
  for (const [id, charge] of after) assert.equal(again.get(id), charge)
  for (const id of [0, 2]) assert.equal(after.get(id), before.get(id))
  assert.deepEqual(pricesOf(await charges(withoutIt, after)), pricesOf(before))
})

const dearCard = compileCard(
  parseCard({
    version: 'dear-1',
    cases: [
      { name: 'pages', when: { pages: '*' }, lines: [{ rule: 'pages', of: 'pages', rate: 8e9 }] },
      { name: 'report', when: { report: true }, lines: [{ rule: 'report', of: 'report_credits', rate: 8e9 }] },
      { name: 'any', lines: [{ rule: 'base', rate: 1 }] },
    ],
  }),
)

const startBuilder = () =>
  createListingBuilder({
    pricer,
    cards: { version: 1, at: () => ({ card: dearCard }) },
    wantReport: () => {},
  })

const isRefused = (error: unknown): boolean =>
  error instanceof UnbillableListing &&
  error.message === 'the message 7 must cost at most 9007199254.740991 credits, by the rate card "dear-1"'

test('a message that costs more than a charge can hold refuses the listing, which names it, the limit and the card', async () => {
  const dear = startBuilder()
  assert.throws(() => dear.take([{ id: 7, timestamp, brought: { quantities: { pages: 2 } } }]), isRefused)
  const withReport = startBuilder()
  withReport.take([{ id: 7, timestamp, text: '', reportId: 5 }])
  const reports = new Map([[5, { id: 5, name: 'Lease', creditCost: credits(2_000_000) }]])
  await assert.rejects(withReport.charges(reports), isRefused)
})
