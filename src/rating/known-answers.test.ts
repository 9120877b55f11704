/** Answers that vendors publish, and the rounding examples. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { ChargeLine } from '#model/charge.ts'
import { creditsFromDecimal, toDecimal } from '#model/credits.ts'
import type { Facts, TokenCounts } from '#model/facts.ts'
import { readRates, skipWithout } from '../../test/shared-data.ts'
import { compileCard } from './compile-card.ts'
import { parseCard } from './parse-card.ts'

const tokens = (counts: Partial<TokenCounts>): TokenCounts => ({
  input: 0,
  cacheRead: 0,
  cacheWrite: 0,
  output: 0,
  reasoning: 0,
  cacheWrite1h: 0,
  ...counts,
})

const costIn = (card: unknown, facts: Facts): string => {
  const pricing = compileCard(parseCard(card)).price(facts)
  return pricing.status === 'priced' ? toDecimal(pricing.credits) : pricing.reason
}

const TOKEN_LINES = [
  { rule: 'input', of: 'input_tokens', per: 1_000_000, price: 'input' },
  { rule: 'cache-read', of: 'cache_read_tokens', per: 1_000_000, price: 'cache_read' },
  { rule: 'cache-write', of: 'cache_write_tokens', per: 1_000_000, price: 'cache_write' },
  { rule: 'output', of: 'output_tokens', per: 1_000_000, price: 'output' },
]

/** A credit is a US cent, and the table has dollars. */
const toCredits = (dollars: string): number => (creditsFromDecimal(Number(dollars)) ?? Number.NaN) / 10_000

const githubCard = () => {
  const prices: Record<string, object[]> = {}
  for (const [model = '', above, input = '', cached = '', output = '', written = ''] of readRates(
    'github-models-and-pricing.tsv',
  )) {
    const row = {
      ...(above !== '0' && { when: { prompt_tokens: { above: Number(above) } } }),
      input: toCredits(input),
      cache_read: toCredits(cached),
      output: toCredits(output),
      ...(written !== '-' && { cache_write: toCredits(written) }),
    }
    // The dearer row has a condition, so it comes first.
    prices[model] = [row, ...(prices[model] ?? [])]
  }
  return { version: 'github-2026-06', prices, cases: [{ name: 'tokens', when: { model: '*' }, lines: TOKEN_LINES }] }
}

describe('GitHub Copilot', { skip: skipWithout('rates/github-models-and-pricing.tsv') }, () => {
  const costOf = (model: string, counts: Partial<TokenCounts>) =>
    costIn(githubCard(), { model, tokens: tokens(counts) })

  test('a prompt of 272,000 tokens costs 68 credits with GPT-5.4, and one token more costs twice as much', () => {
    assert.equal(costOf('GPT-5.4', { input: 272_000 }), '68')
    assert.equal(costOf('GPT-5.4', { input: 272_001 }), '136.0005')
    assert.equal(costOf('GPT-5.4', { input: 1, cacheRead: 272_000 }), '13.6005')
  })

  test('a cached token of GPT-5 mini is 2.5 micro-credits, which is rounded to the even 2', () => {
    assert.equal(costOf('GPT-5 mini', { cacheRead: 1 }), '0.000002')
    assert.equal(costOf('GPT-5 mini', { cacheRead: 2 }), '0.000005')
    assert.equal(costOf('GPT-5 mini', { cacheRead: 3 }), '0.000008')
  })

  test('a written token is not free with a model that has no price for it', () => {
    assert.equal(
      costOf('GPT-5.4', { cacheWrite: 1 }),
      'the model "GPT-5.4" has no price "cache_write" in the card github-2026-06',
    )
    assert.equal(costOf('GPT-5.4', { input: 1 }), '0.00025')
  })
})

describe('Copilot Studio', () => {
  const prompt = (tier: string, rate: number) => ({
    rule: `${tier}-tool`,
    of: 'total_tokens',
    rate,
    per: 1000,
    started: true,
    when: { tier },
  })
  const card = {
    version: 'copilot-studio-2026-09',
    cases: [
      { name: 'licensed', when: { licensed: true, feature: ['classic', 'generative'] }, lines: [] },
      {
        name: 'tools',
        when: { tier: '*' },
        lines: [prompt('basic', 0.1), prompt('standard', 1.5), prompt('premium', 10)],
      },
      {
        name: 'features',
        lines: [
          { rule: 'classic', rate: 1, when: { feature: 'classic' } },
          { rule: 'generative', rate: 2, when: { feature: 'generative' } },
          { rule: 'graph-grounding', rate: 10, when: { graph_grounding: true } },
          { rule: 'flow-actions', of: 'flow_actions', rate: 13, per: 100 },
          { rule: 'pages', of: 'pages', rate: 8 },
        ],
      },
    ],
  }

  test('4,200 tokens of a basic prompt cost 0.5 credits: five started thousands', () => {
    const facts = { attributes: { tier: 'basic' }, tokens: tokens({ input: 4000, output: 200 }) }
    assert.equal(costIn(card, facts), '0.5')
    const pricing = compileCard(parseCard(card)).price(facts)
    assert.deepEqual(pricing.status === 'priced' && pricing.lines, [
      { rule: 'basic-tool', quantity: 4200, rate: 100_000, per: 1000, packages: 5, credits: 500_000 },
    ] satisfies readonly (Omit<ChargeLine, 'rate' | 'credits'> & { rate: number; credits: number })[])
  })

  test('3 pages cost 24 credits, 100 flow actions 13, and a generative answer with graph grounding 12', () => {
    assert.equal(costIn(card, { quantities: { pages: 3 } }), '24')
    assert.equal(costIn(card, { quantities: { flow_actions: 100 } }), '13')
    assert.equal(costIn(card, { quantities: { flow_actions: 1 } }), '0.13')
    assert.equal(costIn(card, { attributes: { feature: 'generative', graph_grounding: true } }), '12')
  })

  test('a licensed employee pays nothing for answers, and the usual price for anything else', () => {
    assert.equal(costIn(card, { attributes: { feature: 'generative', licensed: true } }), '0')
    assert.equal(costIn(card, { attributes: { feature: 'generative', licensed: false } }), '2')
    assert.equal(costIn(card, { attributes: { licensed: true }, quantities: { pages: 3 } }), '24')
  })
})

test('half of a line of 3 micro-credits is 1 micro-credit: the part that is not charged is rounded to even', () => {
  const card = {
    version: 'half',
    cases: [{ name: 'any', lines: [{ rule: 'base', rate: 0.000003 }] }],
    outcomes: { cancelled: 0.5 },
  }
  const pricing = compileCard(parseCard(card)).price({ outcome: 'cancelled' })
  assert.deepEqual(pricing, {
    status: 'priced',
    credits: 1,
    case: 'any',
    lines: [
      { rule: 'base', quantity: 1, rate: 3, credits: 3 },
      { rule: 'cancelled', quantity: -0.5, rate: 3, credits: -2 },
    ],
    unused: [],
  })
})
