/** What a card says about single messages. `compile-card.test.ts` compares random ones with a naive engine. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { credits } from '#model/credits.ts'
import type { Facts, TokenCounts } from '#model/facts.ts'
import { AmountTooLarge } from './amounts.ts'
import { compileCard } from './compile-card.ts'
import { measure } from './measure.ts'
import { parseCard } from './parse-card.ts'

type Fields = Readonly<Record<string, unknown>>

const cardOf = (cases: readonly Fields[], more: Fields = {}) =>
  compileCard(parseCard({ version: 'v', cases: cases.map((each, at) => ({ name: `case ${at}`, ...each })), ...more }))
const linesCard = (...lines: readonly Fields[]) => cardOf([{ lines }])

const tokens = (counts: Partial<TokenCounts>): Facts => ({
  tokens: { input: 0, cacheRead: 0, cacheWrite: 0, output: 0, reasoning: 0, cacheWrite1h: 0, ...counts },
})

/** The amounts of the lines by rule, or the code of what is missing. The total without lines must be the same. */
const pricedBy = (card: ReturnType<typeof compileCard>, facts: Facts): Fields | string => {
  const pricing = card.price(facts)
  assert.deepEqual(card.total(facts), pricing.status === 'priced' ? pricing.credits : pricing)
  if (pricing.status === 'unpriced') return pricing.code
  return Object.fromEntries(pricing.lines.map(({ rule, credits: amount }) => [rule, amount / 1_000_000]))
}

const unusedOf = (card: ReturnType<typeof compileCard>, facts: Facts) => {
  const pricing = card.price(facts)
  return pricing.status === 'priced' && pricing.unused
}

const INPUT = { rule: 'input', of: 'input_tokens', price: 'input' }
const FLAT = { rule: 'flat', rate: 1 }

describe('a message is unpriced', () => {
  test('if no case holds', () => {
    const card = cardOf([{ when: { text: true }, lines: [FLAT] }])
    assert.equal(pricedBy(card, {}), 'no-case')
    assert.deepEqual(pricedBy(card, { measurement: measure('') }), { flat: 1 })
    assert.deepEqual(card.price({}), { status: 'unpriced', code: 'no-case', reason: 'no case holds in the card v' })
  })

  test('if there are lines and none applies; without lines it is free, and a quantity of 0 applies', () => {
    const pages = { rule: 'pages', of: 'pages', rate: 1 }
    assert.equal(pricedBy(linesCard(pages), {}), 'no-line')
    assert.equal(pricedBy(linesCard({ ...FLAT, when: { plan: 'pro' } }), { attributes: { plan: 'free' } }), 'no-line')
    assert.equal(pricedBy(linesCard({ ...FLAT, when: { any_words: true } }), { measurement: measure('1') }), 'no-line')
    assert.deepEqual(pricedBy(linesCard(pages), { quantities: { pages: 0 } }), {})
    assert.deepEqual(pricedBy(linesCard(), {}), {})
  })

  test('if a kind of tokens has no line in a case that prices tokens', () => {
    const input = { rule: 'input', of: 'input_tokens', rate: 1 }
    const reached: readonly (readonly [of: string, ...kinds: (keyof TokenCounts)[]])[] = [
      ['input_tokens', 'input'],
      ['cache_read_tokens', 'cacheRead'],
      ['cache_write_tokens', 'cacheWrite'],
      ['output_tokens', 'output'],
      ['prompt_tokens', 'input', 'cacheRead', 'cacheWrite'],
      ['total_tokens', 'input', 'cacheRead', 'cacheWrite', 'output'],
    ]
    for (const [of, ...kinds] of reached) {
      for (const kind of ['input', 'cacheRead', 'cacheWrite', 'output'] as const) {
        const priced = pricedBy(linesCard({ rule: of, of, rate: 1 }), tokens({ [kind]: 1 }))
        assert.deepEqual(priced, kinds.includes(kind) ? { [of]: 1 } : 'tokens-without-line', `${of}, ${kind}`)
      }
    }
    assert.deepEqual(pricedBy(linesCard(input), tokens({ input: 1, reasoning: 0, cacheWrite1h: 0 })), { input: 1 })
    assert.deepEqual(linesCard(input).total(tokens({ input: 1, cacheRead: 1, output: 1 })), {
      status: 'unpriced',
      code: 'tokens-without-line',
      reason: 'no line of the case "case 0" prices cache_read_tokens or output_tokens in the card v',
    })
    assert.equal(
      pricedBy(linesCard({ ...input, when: { plan: 'pro' } }, FLAT), tokens({ input: 1 })),
      'tokens-without-line',
    )
    assert.deepEqual(pricedBy(linesCard(FLAT), tokens({ input: 1 })), { flat: 1 })
  })

  test('if a price depends on a model, a row or a column that is not there; a quantity of 0 needs no price', () => {
    const prices = { known: [{ when: { prompt_tokens: { upto: 9 } }, input: 2 }], bare: [{}] }
    const card = cardOf([{ lines: [INPUT] }], { prices, aliases: { other: 'known' } })
    const of = (model: string | undefined, input: number) =>
      pricedBy(card, { ...tokens({ input }), ...(model !== undefined && { model }) })
    assert.equal(of(undefined, 1), 'no-model')
    assert.equal(of('unknown', 1), 'model-without-price')
    assert.equal(of('known', 10), 'no-row')
    assert.equal(of('bare', 1), 'no-column')
    assert.deepEqual(of('known', 9), { input: 18 })
    assert.deepEqual(of('other', 9), { input: 18 })
    for (const model of [undefined, 'unknown', 'bare', 'known']) assert.deepEqual(of(model, 0), {})
  })
})

test('the first row that holds has the price, and the first case that holds decides even if it has none', () => {
  const prices = { m: [{ when: { plan: 'pro' }, input: 1 }, { input: 2 }, { input: 3 }] }
  const card = cardOf([{ when: { plan: '*' }, lines: [INPUT] }, { lines: [FLAT] }], { prices })
  const facts = { ...tokens({ input: 1 }), model: 'm' }
  assert.deepEqual(pricedBy(card, { ...facts, attributes: { plan: 'pro' } }), { input: 1 })
  assert.deepEqual(pricedBy(card, { ...facts, attributes: { plan: 'free' } }), { input: 2 })
  assert.equal(pricedBy(card, { attributes: { plan: 'pro' } }), 'no-line')
  assert.deepEqual(pricedBy(card, {}), { flat: 1 })
})

test('a condition compares with the name that aliases give the model, and the charge shows both names', () => {
  const card = cardOf([{ when: { model: 'a' }, lines: [FLAT] }], {
    prices: { a: [{}], b: [{}] },
    aliases: { b: 'a', c: 'a' },
  })
  const modelOf = (model: string) => {
    const pricing = card.price({ model })
    return pricing.status === 'priced' ? pricing.model : pricing.code
  }
  assert.deepEqual(modelOf('a'), { reported: 'a', priced: 'a' })
  assert.deepEqual(modelOf('c'), { reported: 'c', priced: 'a' })
  assert.equal(modelOf('b'), 'no-case', 'a key of prices stands for itself')
  assert.deepEqual(linesCard(FLAT).price({ model: 'x' }), {
    status: 'priced',
    credits: 1_000_000,
    case: 'case 0',
    lines: [{ rule: 'flat', quantity: 1, rate: 1_000_000, credits: 1_000_000 }],
    unused: [],
    model: { reported: 'x', priced: 'x' },
  })
})

test('no condition holds for a fact that is absent, and each holds up to its boundary', () => {
  const holds = (when: Fields, facts: Facts) => pricedBy(cardOf([{ when, lines: [FLAT] }]), facts) !== 'no-case'
  for (const condition of ['*', false, 'x', 0, [false, 0, 'x'], { above: 0 }, { upto: 9 }]) {
    assert.ok(!holds({ pages: condition }, {}), JSON.stringify(condition))
  }
  for (const condition of ['*', false, true, [true, false]]) {
    assert.ok(!holds({ palindrome: condition }, {}), JSON.stringify(condition))
    assert.equal(holds({ palindrome: condition }, { measurement: measure('ab') }), condition !== true)
  }
  assert.ok(holds({ text: false }, {}))
  assert.ok(!holds({ text: false, palindrome: false }, {}))
  assert.ok(!holds({ text: false, palindrome: false }, { measurement: measure('ab') }))
  const pages = (number: number): Facts => ({ quantities: { pages: number } })
  assert.deepEqual(
    [2, 2.000001, 3, 3.000001].map((n) => holds({ pages: { above: 2, upto: 3 } }, pages(n))),
    [false, true, true, false],
  )
  assert.ok(holds({ pages: { upto: 0 } }, pages(0)))
  assert.ok(holds({ pages: { above: 2 ** 53 - 2 } }, pages(2 ** 53 - 1)))
  assert.ok(!holds({ pages: { above: 2 ** 53 - 1 } }, pages(2 ** 53 - 1)))
  assert.ok(!holds({ plan: { upto: 9 } }, { attributes: { plan: 'pro' } }), 'a string is below no number')
  assert.ok(!holds({ plan: true }, { attributes: { plan: 'true' } }))
  assert.ok(!holds({ plan: 'pro' }, { attributes: { plan: 'other' } }))
})

test('facts of one message do not reach the next', () => {
  const card = cardOf([
    { when: { text: true }, lines: [FLAT] },
    { when: { total_tokens: '*' }, lines: [{ rule: 'tokens', of: 'total_tokens', rate: 1 }] },
    { when: { characters: '*' }, lines: [FLAT] },
    { when: { pages: '*' }, lines: [FLAT] },
    { when: { report: true }, lines: [FLAT] },
  ])
  for (const facts of [
    { measurement: measure('a') },
    tokens({ input: 1 }),
    { quantities: { pages: 1 } },
    { report: { id: 1, credits: credits(1) } },
  ]) {
    assert.notEqual(pricedBy(card, facts), 'no-case')
    assert.equal(pricedBy(card, {}), 'no-case')
  }
  const flat = linesCard(FLAT)
  flat.price(tokens({ input: 1 }))
  assert.deepEqual(unusedOf(flat, {}), [])
})

test('what no line used is listed: quantities and kinds of tokens above 0', () => {
  const quantities = { pages: 1, voice_minutes: 2, images: 0, audio: 0.000001 }
  const pages = { rule: 'pages', of: 'pages', rate: 1 }
  assert.deepEqual(unusedOf(linesCard(pages), { quantities }), ['audio', 'voice_minutes'])
  assert.deepEqual(unusedOf(linesCard({ ...pages, when: { plan: 'pro' } }, FLAT), { quantities: { pages: 1 } }), [
    'pages',
  ])
  assert.deepEqual(unusedOf(linesCard(FLAT), tokens({ output: 1, cacheRead: 1, reasoning: 1 })), [
    'cache_read_tokens',
    'output_tokens',
  ])
  assert.deepEqual(unusedOf(linesCard({ rule: 'all', of: 'total_tokens', rate: 1 }), tokens({ output: 1 })), [])
  assert.deepEqual(
    unusedOf(linesCard(FLAT), { measurement: measure('a b'), report: { id: 1, credits: credits(1) } }),
    [],
  )
})

test('the minimum is a line that fills up, then factors multiply in order, and last the share of the outcome', () => {
  const card = cardOf(
    [
      {
        lines: [{ rule: 'pages', of: 'pages', rate: 0.5 }],
        minimum: 2,
        multiply: [
          { rule: 'twice', by: 2 },
          { rule: 'same', by: 1 },
          { rule: 'pro', by: 0.75, when: { plan: 'pro' } },
        ],
      },
    ],
    { outcomes: { failed: 0, cancelled: 0.5, succeeded: 1.5 } },
  )
  const of = (pages: number, more: Facts = {}) => pricedBy(card, { quantities: { pages }, ...more })
  assert.deepEqual(of(0), { minimum: 2, twice: 2, succeeded: 2 })
  assert.deepEqual(of(3), { pages: 1.5, minimum: 0.5, twice: 2, succeeded: 2 })
  assert.deepEqual(of(4), { pages: 2, twice: 2, succeeded: 2 })
  assert.deepEqual(of(4, { outcome: 'failed' }), { pages: 2, twice: 2, failed: -4 })
  assert.deepEqual(of(4, { outcome: 'cancelled', attributes: { plan: 'pro' } }), {
    pages: 2,
    twice: 2,
    pro: -1,
    cancelled: -1.5,
  })
  assert.deepEqual(of(4, { outcome: 'retried' }), { pages: 2, twice: 2 })
})

test('a discount does not make a charge negative, and a share of nothing is 0 and not -0', () => {
  const card = cardOf([{ lines: [FLAT, { rule: 'discount', rate: -3, when: { text: true } }] }], {
    outcomes: { failed: 0 },
  })
  assert.deepEqual(pricedBy(card, { measurement: measure('') }), { flat: 1, discount: -3, minimum: 2 })
  const failed = card.price({ measurement: measure(''), outcome: 'failed' })
  assert.ok(failed.status === 'priced' && Object.is(failed.credits, 0) && Object.is(failed.lines.at(-1)?.credits, 0))
})

test('an amount that does not fit a charge is refused, with and without lines, and one that just fits is not', () => {
  const characters = { rule: 'characters', of: 'characters', rate: 2 ** 32 }
  const refuses = (card: ReturnType<typeof cardOf>, facts: Facts) => {
    assert.throws(() => card.price(facts), AmountTooLarge)
    assert.throws(() => card.total(facts), AmountTooLarge)
  }
  const text = (characters: number): Facts => ({ measurement: measure('.'.repeat(characters)) })
  assert.deepEqual(pricedBy(linesCard(characters), text(2)), { characters: 2 ** 33 })
  refuses(linesCard(characters), text(3))
  // The sum, not a single line.
  refuses(linesCard(characters, { rule: 'base', rate: 2 ** 32 }), text(2))
  refuses(linesCard(characters, { rule: 'extra', rate: 2 ** 32, when: { text: true } }), text(2))
  // Lines are added in order, so a later discount does not help, and an earlier one does.
  const discount = { rule: 'discount', rate: -(2 ** 32), when: { text: true } }
  const base = { rule: 'base', rate: 2 ** 32 }
  refuses(linesCard(base, characters, discount), text(2))
  assert.deepEqual(pricedBy(linesCard(discount, base, characters), text(2)), {
    discount: -(2 ** 32),
    base: 2 ** 32,
    characters: 2 ** 33,
  })
  refuses(cardOf([{ lines: [characters], multiply: [{ rule: 'twice', by: 2 }] }]), text(2))
  refuses(
    linesCard({ rule: 'all', of: 'total_tokens', rate: 0 }),
    tokens({ input: Number.MAX_SAFE_INTEGER, output: 1 }),
  )
})
