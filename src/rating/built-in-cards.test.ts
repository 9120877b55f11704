/** The cards that come with the product, against what their vendors publish. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { toDecimal } from '#model/credits.ts'
import type { Facts, TokenCounts } from '#model/facts.ts'
import { readRates, readShared, skipWithout } from '../../test/shared-data.ts'
import { BUILT_IN_CARDS } from './built-in-cards.ts'
import { cardHash } from './card-hash.ts'
import { compileCard } from './compile-card.ts'

const cardOf = (version: string) => {
  const found = BUILT_IN_CARDS.find(({ card }) => card.version === version)
  assert.ok(found, version)
  return { ...found.card, compiled: compileCard(found.card) }
}

const NO_TOKENS: TokenCounts = { input: 0, cacheRead: 0, cacheWrite: 0, output: 0, reasoning: 0, cacheWrite1h: 0 }

test('a built-in card never changes: its version stays with these contents', () => {
  assert.deepEqual(Object.fromEntries(BUILT_IN_CARDS.map(({ card }) => [card.version, cardHash(card).slice(0, 16)])), {
    'copilot-studio-2026-09': 'f7ea441a0c6ffd0c',
    'github-copilot-2026-06': 'a73608ac93c7cb04',
    'github-premium-requests-2026-06': '9ee6f21fc609a754',
    'standard-2024': '63c241b93e79e858',
  })
})

test('each has a version of its own, a title, a source and a date', () => {
  assert.equal(new Set(BUILT_IN_CARDS.map(({ card }) => card.version)).size, BUILT_IN_CARDS.length)
  for (const { title, source, asOf } of BUILT_IN_CARDS) {
    assert.ok(title !== '' && source !== '')
    assert.match(asOf, /^20\d\d(-\d\d){0,2}$/)
  }
})

describe('GitHub Copilot by tokens', { skip: skipWithout('rates/github-models-and-pricing.tsv') }, () => {
  const KINDS = ['input', 'cacheRead', 'cacheWrite', 'output'] as const
  type Row = { readonly above: number; readonly dollars: Readonly<Record<(typeof KINDS)[number], string>> }

  /** By model, the row of the smallest prompts first. */
  const publishedRows = (): ReadonlyMap<string, readonly Row[]> => {
    const rows = new Map<string, Row[]>()
    for (const cells of readRates('github-models-and-pricing.tsv')) {
      const [model = '', above, input = '', cacheRead = '', output = '', cacheWrite = ''] = cells
      const row = { above: Number(above), dollars: { input, cacheRead, cacheWrite, output } }
      rows.set(model, [...(rows.get(model) ?? []), row])
    }
    return rows
  }

  /** From the digits of the table: dollars for a million tokens, 100 credits a dollar, to the nearest millionth, half to even. */
  const microsOf = (count: number, dollars: string): bigint => {
    const [whole = '', fraction = ''] = dollars.split('.')
    const product = BigInt(count) * BigInt(`${whole}${fraction.padEnd(4, '0')}`)
    const [low, rest] = [product / 100n, product % 100n]
    if (rest !== 50n) return rest < 50n ? low : low + 1n
    return low % 2n === 0n ? low : low + 1n
  }

  const { compiled, prices, aliases } = cardOf('github-copilot-2026-06')
  const rows = publishedRows()

  test('has the models of the table and no others', () => {
    assert.ok(rows.size > 30)
    assert.deepEqual(Object.keys(prices ?? {}), [...rows.keys()])
  })

  test('every cell costs what the table says, on both sides of each threshold', () => {
    let cells = 0
    for (const [model, own] of rows) {
      const sizes = own.flatMap(({ above }) => [above, above + 1, above + 999_999]).filter((size) => size > 0)
      for (const size of sizes) {
        const { dollars } = own.findLast(({ above }) => size > above) ?? assert.fail()
        for (const kind of KINDS) {
          for (const count of [1, 3, size]) {
            if (count > size) continue
            // The rest of the prompt is uncached, so that it has this size whatever the kind.
            const uncached = kind === 'cacheRead' || kind === 'cacheWrite' ? size - count : size
            const tokens = { ...NO_TOKENS, [kind]: count, input: uncached }
            const pricing = compiled.price({ model, tokens })
            cells++
            const where = `${model}, prompt of ${size}, ${count} of ${kind}`
            if (dollars[kind] === '-') {
              assert.equal(pricing.status, 'unpriced', where)
              continue
            }
            const expected = KINDS.filter((each) => tokens[each] > 0)
              .map((each) => microsOf(tokens[each], dollars[each]))
              .reduce((sum, each) => sum + each, 0n)
            assert.equal(pricing.status === 'priced' && BigInt(pricing.credits), expected, where)
          }
        }
      }
    }
    assert.ok(cells > 900, `${cells}`)
  })

  test('a prompt of 272,000 tokens costs 68 credits with gpt-5.4, and one token more 136.0005', () => {
    const costOf = (input: number) => {
      const pricing = compiled.price({ model: 'gpt-5.4', tokens: { ...NO_TOKENS, input } })
      return pricing.status === 'priced' && toDecimal(pricing.credits)
    }
    assert.deepEqual([costOf(272_000), costOf(272_001)], ['68', '136.0005'])
  })

  test('models are also known by the names that their APIs use', () => {
    const names = Object.keys(aliases ?? {})
    for (const name of ['gpt-5-mini', 'claude-sonnet-4.5', 'claude-sonnet-4-5-20250929', 'gemini-3.1-pro-preview'])
      assert.ok(names.includes(name), name)
    assert.deepEqual([...new Set(Object.values(aliases ?? {}))].sort(), [...rows.keys()].sort())
  })

  test('a model without a price, and a message without a model, are not free', () => {
    const tokens = { ...NO_TOKENS, input: 1 }
    assert.equal(compiled.price({ model: 'gpt-6', tokens }).status, 'unpriced')
    assert.equal(compiled.price({ tokens }).status, 'unpriced')
  })
})

describe('GitHub Copilot by premium requests', { skip: skipWithout('rates/github-multipliers.tsv') }, () => {
  test('every request costs the multiplier of its model and plan, and has no price if the table has none', () => {
    const { compiled, prices } = cardOf('github-premium-requests-2026-06')
    const rows = readRates('github-multipliers.tsv')
    assert.deepEqual(
      Object.keys(prices ?? {}),
      rows.map(([model]) => model),
    )
    for (const [model = '', ...multipliers] of rows) {
      for (const [at, plan] of ['paid', 'free', 'annual'].entries()) {
        const pricing = compiled.price({ model, attributes: { plan } })
        const cost = pricing.status === 'priced' ? toDecimal(pricing.credits) : '-'
        assert.equal(cost, multipliers[at], `${model}, ${plan}`)
      }
      assert.equal(compiled.price({ model }).status, 'unpriced')
    }
  })
})

describe('Copilot Studio', { skip: skipWithout('rates/copilot-studio-rates.json') }, () => {
  const { compiled } = cardOf('copilot-studio-2026-09')
  const costOf = (facts: Facts): string => {
    const pricing = compiled.price(facts)
    return pricing.status === 'priced' ? toDecimal(pricing.credits) : 'unpriced'
  }

  /** How a message brings each feature of the table. */
  const QUANTITIES: Readonly<Record<string, string>> = {
    'classic answer': 'classic_answers',
    'generative answer': 'generative_answers',
    'agent action': 'agent_actions',
    'tenant graph grounding': 'graph_groundings',
    'agent flow actions': 'flow_actions',
    'content processing': 'pages',
    'voice classic': 'voice_classic_minutes',
    'voice generative': 'voice_generative_minutes',
    'voice premium generative': 'voice_premium_minutes',
    'prediction (scheduled)': 'prediction_rows',
    'code execution': 'code_executions',
  }

  test('every feature costs what the table says', () => {
    type Rate = { readonly feature: string; readonly per?: number; readonly credits?: number }
    const { rates } = readShared('rates/copilot-studio-rates.json') as { readonly rates: readonly Rate[] }
    for (const { feature, per, credits } of rates) {
      if (per === undefined || credits === undefined) continue
      const quantity = QUANTITIES[feature]
      const [, tier] = /^text and generative AI tools \((\w+)\)$/.exec(feature) ?? []
      assert.ok(quantity !== undefined || tier !== undefined, feature)
      if (quantity !== undefined) {
        assert.equal(costOf({ quantities: { [quantity]: per } }), String(credits), feature)
        continue
      }
      const tokens = (input: number) => ({ attributes: { tier: `${tier}` }, tokens: { ...NO_TOKENS, input } })
      assert.deepEqual(
        [1, per, per + 1].map((input) => costOf(tokens(input))),
        [credits, credits, 2 * credits].map(String),
        feature,
      )
    }
    assert.equal(rates.filter(({ per }) => per !== undefined).length, Object.keys(QUANTITIES).length + 3)
  })

  test('the answers that Microsoft works out', () => {
    const basic = { attributes: { tier: 'basic' }, tokens: { ...NO_TOKENS, input: 4000, output: 200 } }
    assert.equal(costOf(basic), '0.5')
    assert.equal(costOf({ quantities: { pages: 3 } }), '24')
    assert.equal(costOf({ quantities: { flow_actions: 100 } }), '13')
    assert.equal(costOf({ quantities: { generative_answers: 1, graph_groundings: 1 } }), '12')
  })

  test('a reasoning model costs its feature and the premium rate for its tokens', () => {
    const tokens = { ...NO_TOKENS, input: 1500, output: 1000, reasoning: 800 }
    assert.equal(costOf({ attributes: { tier: 'premium' }, tokens, quantities: { generative_answers: 1 } }), '32')
  })

  test('tokens of an answer cost nothing, a licensed employee costs nothing, and an unknown feature is not free', () => {
    const tokens = { ...NO_TOKENS, input: 10 }
    assert.equal(costOf({ quantities: { classic_answers: 1 }, tokens }), '1')
    assert.equal(costOf({ quantities: { classic_answers: 1 }, attributes: { licensed: true } }), '0')
    assert.equal(costOf({ quantities: { classic_answers: 1 }, attributes: { licensed: false } }), '1')
    assert.equal(costOf({ quantities: { clasic_answers: 1 } }), 'unpriced')
    assert.equal(costOf({ tokens }), 'unpriced')
  })
})
