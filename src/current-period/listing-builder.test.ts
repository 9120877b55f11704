import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createContentDigest } from '#intake/content-digest.ts'
import { createPricer } from '#intake/pricing.ts'
import { credits } from '#model/credits.ts'
import { UnbillableListing } from '#model/errors.ts'
import { compileCard } from '#rating/compile-card.ts'
import { parseCard } from '#rating/parse-card.ts'
import { createListingBuilder } from './listing-builder.ts'

const card = compileCard(
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
    pricer: createPricer(createContentDigest('k'.repeat(32))),
    cards: { version: 1, at: () => card },
    wantReport: () => {},
  })

const timestamp = '2024-05-01T00:00:00Z'
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
