import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { PricedBatch } from '#ledger/priced-batch.ts'
import { CALENDAR_BEGINS, type Organization } from '#model/organization.ts'
import { compileCard } from '#rating/compile-card.ts'
import { parseCard } from '#rating/parse-card.ts'
import { createContentDigest } from './content-digest.ts'
import { createIntake } from './intake.ts'
import { createPricer } from './pricing.ts'
import { createSenders } from './senders.ts'

const ORGANIZATION: Organization = {
  id: 'default',
  name: 'Default',
  createdAt: 0,
  calendar: [{ effectiveFrom: CALENDAR_BEGINS, timeZone: 'UTC', anchorDay: 1 }],
}

test('a message that costs more than a charge can hold is rejected, and the rest of its batch is charged', async () => {
  const lines = [{ rule: 'characters', of: 'characters', rate: 2 ** 32 }]
  const card = compileCard(parseCard({ version: 'dear', cases: [{ name: 'any', lines }] }))
  const inForce = { own: [], byDefault: [], version: 1 }
  const batches: PricedBatch[] = []
  const intake = createIntake({
    ledger: {
      append: async ({ priced }) => {
        batches.push(priced)
        return undefined
      },
    },
    cards: {
      appendBy: async (_, append) => {
        const answer = await append(inForce)
        return answer === 'other-cards' ? undefined : answer
      },
    },
    compiledCards: { ready: async () => ({ version: 1, at: () => ({ card }) }) },
    reportsOf: async () => new Map(),
    pricer: createPricer(createContentDigest('k'.repeat(32))),
    limits: { textBytesMax: 1000, aheadMaxMs: 0 },
    clock: () => Date.parse('2024-05-01T00:00:00Z'),
    observe: () => undefined,
    observeUnpriced: () => undefined,
    senders: createSenders(() => 0),
  })
  const timestamp = '2024-04-29T02:08:29.375Z'
  const results = await intake.take(ORGANIZATION, [
    {},
    { id: 'dear', text: 'abc', timestamp },
    { id: 'ok', text: 'ab', timestamp, report_id: 7 },
  ])
  const [, dear, ok] = results
  assert.deepEqual(dear, {
    id: 'dear',
    status: 'rejected',
    field: '',
    reason: 'must cost at most 9007199254.740991 credits',
  })
  assert.deepEqual(ok, { id: 'ok', status: 'accepted', credits: 2 ** 33 * 1_000_000, unknownReport: true })
  assert.deepEqual(results.counts, { accepted: 1, duplicate: 0, conflict: 0, rejected: 2 })
  assert.deepEqual(
    batches.map(({ messageIds }) => messageIds),
    [['ok']],
  )
})
