import assert from 'node:assert/strict'
import { test } from 'node:test'
import { BUILT_IN_CARDS } from '../../src/rating/built-in-cards.ts'
import { compileCard } from '../../src/rating/compile-card.ts'
import { measure } from '../../src/rating/measure.ts'
import { parseCard } from '../../src/rating/parse-card.ts'
import { ruleText } from '../../src/rating/rules.ts'
import type { Card } from './card-sentences.ts'
import { explainLines } from './receipt-lines.ts'

type Facts = Parameters<ReturnType<typeof compileCard>['price']>[0]

/** Prices a message as the service does, and explains its lines as the page does. */
const explained = (card: Card, facts: Facts, known: Card | 'not yet' = card) => {
  const pricing = compileCard(card).price(facts)
  assert.equal(pricing.status, 'priced')
  if (pricing.status !== 'priced') return []
  const { lines, case: caseName } = pricing
  const outcome = facts.outcome
  return explainLines(
    { lines, rateCard: card.version, caseName, outcome, card: known === 'not yet' ? undefined : known },
    ruleText,
  )
}
const textsOf = (...given: Parameters<typeof explained>) =>
  explained(...given).map(({ name, sum, reason }) => [name, sum, reason].filter((text) => text !== '').join(' | '))

const standard = BUILT_IN_CARDS.find(({ card: { version } }) => version === 'standard-2024')?.card as Card
const tokens = (counts: Partial<NonNullable<Facts['tokens']>>): NonNullable<Facts['tokens']> => ({
  input: 0,
  cacheRead: 0,
  cacheWrite: 0,
  output: 0,
  reasoning: 0,
  cacheWrite1h: 0,
  ...counts,
})

test('a text of the standard card is explained with its own numbers, and with the limits of the card', () => {
  assert.deepEqual(textsOf(standard, { measurement: measure('orbital latibro') }), [
    'Base | once',
    'Characters | 15 characters × 0.05 = 0.75',
    'Words | 2 words of 4 to 7 characters × 0.20 = 0.40',
    'Third vowels | 3 vowels among the 3rd, 6th, 9th, … characters × 0.30 = 0.90',
    'Unique words | once | because its text has words and its text uses no word twice',
    'Palindrome | 1.05 so far × 2 = 2.10 | because its text reads the same in both directions',
  ])
  assert.equal(
    textsOf(standard, { measurement: measure('ab') }).at(-1),
    'Up to the minimum | raises the total to the rate card’s minimum',
  )
  assert.match(
    textsOf(standard, { measurement: measure('a '.repeat(60)) }).join(),
    /Length penalty \| once \| because its text has more than 100 characters/,
  )
  assert.deepEqual(textsOf(standard, { report: { id: 1, credits: 79_000_000 as never } }), [
    'Report | the report’s price',
  ])
})

test('lines of any card name what they count, how, and why', () => {
  const card = parseCard({
    version: 'tokens',
    prices: { m: [{ input: 2.5 }] },
    cases: [
      {
        name: 'tokens',
        when: { model: '*' },
        lines: [
          { rule: 'input', of: 'input_tokens', per: 1_000_000, price: 'input' },
          { rule: 'tool', of: 'total_tokens', per: 1000, rate: 0.1, started: true, when: { tier: 'basic' } },
          { rule: 'pages', of: 'pages', rate: 8 },
          { rule: 'call', rate: 1, per: 4 },
        ],
        multiply: [{ rule: 'fast', by: 1.5 }],
      },
    ],
    outcomes: { cancelled: 0.5, failed: 0 },
  })
  const facts: Facts = {
    model: 'm',
    tokens: tokens({ input: 120_001 }),
    quantities: { pages: 1 },
    attributes: { tier: 'basic' },
    outcome: 'cancelled',
  }
  assert.deepEqual(textsOf(card, facts), [
    'input | 120,001 input tokens × 2.50 ÷ 1,000,000 ≈ 0.300002',
    'tool | 120,001 total tokens → 121 started packages of 1,000 × 0.10 = 12.10 | because its “tier” is “basic”',
    'pages | pages: 1 × 8.00 = 8.00',
    'call | 1 × 1.00 ÷ 4 = 0.25',
    'fast | 20.650002 so far × 1.5 = 30.975003',
    'cancelled | 50% of 30.975003 is charged | because the outcome is “cancelled”',
  ])
  assert.match(
    textsOf(card, { ...facts, outcome: 'failed' }).at(-1) ?? '',
    /^failed \| nothing of 30.975003 is charged/,
  )
  // Before the card is known, the numbers alone.
  assert.deepEqual(textsOf(card, facts, 'not yet').slice(0, 2), [
    'input | 120,001 × 2.50 ÷ 1,000,000 ≈ 0.300002',
    'tool | 120,001 → 121 started packages of 1,000 × 0.10 = 12.10',
  ])
})

test('a rule that counts different things under one name is not given the name of one of them', () => {
  const card = parseCard({
    version: 'same',
    cases: [
      {
        name: 'all',
        lines: [
          { rule: 'extra', of: 'pages', rate: 2 },
          { rule: 'extra', of: 'images', rate: 2 },
          { rule: 'extra', of: 'rows', rate: 3 },
        ],
      },
    ],
  })
  assert.deepEqual(textsOf(card, { quantities: { pages: 3, images: 4, rows: 5 } }), [
    'extra | 3 × 2.00 = 6.00',
    'extra | 4 × 2.00 = 8.00',
    'extra | 5 rows × 3.00 = 15.00',
  ])
})

test('a factor is told from a line of the same name', () => {
  const card = parseCard({
    version: 'same',
    cases: [{ name: 'all', lines: [{ rule: 'fast', of: 'pages', rate: 2 }], multiply: [{ rule: 'fast', by: 3 }] }],
  })
  assert.deepEqual(textsOf(card, { quantities: { pages: 4 } }), [
    'fast | 4 pages × 2.00 = 8.00',
    'fast | 8.00 so far × 3 = 24.00',
  ])
})

test('shares are of what is added, and what is taken off is negative', () => {
  const shares = explained(standard, { measurement: measure('What is the lease term?') }).map(({ share }) => share)
  assert.ok(Math.abs(shares.reduce((sum, share) => sum + Math.max(share, 0), 0) - 1) < 1e-9)
  assert.ok((shares.at(-1) ?? 0) < 0)
})

test('the exact product is told from a rounded one, also of large amounts', () => {
  const context = { rateCard: 'c', card: undefined }
  const sumOf = (line: { quantity: number; rate: number; per?: number; credits: number }) =>
    explainLines({ ...context, lines: [{ rule: 'r', ...line }] }, ruleText)[0]?.sum
  assert.equal(sumOf({ quantity: 1, rate: 2_500_000, per: 1_000_000, credits: 2 }), '1 × 2.50 ÷ 1,000,000 ≈ 0.000002')
  assert.equal(sumOf({ quantity: 3, rate: 333_333, credits: 999_999 }), '3 × 0.333333 = 0.999999')
  assert.equal(
    sumOf({ quantity: 8_589_934_591, rate: 1_000_001, credits: 8_589_943_180_934_591 }),
    '8,589,934,591 × 1.000001 = 8,589,943,180.934591',
  )
  assert.match(sumOf({ quantity: 8_589_934_591, rate: 1_000_001, credits: 8_589_943_180_934_590 }) ?? '', /≈/)
})
