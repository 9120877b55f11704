import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { Card, CardLine, Condition, Conditions } from '#model/card.ts'
import { credits } from '#model/credits.ts'
import { type Facts, OUTCOMES } from '#model/facts.ts'
import { type NaivePricing, naivePricing } from '../../test/naive-card.ts'
import { AmountTooLarge } from './amounts.ts'
import { compileCard } from './compile-card.ts'
import { FACTS } from './fact-names.ts'
import { parseCard } from './parse-card.ts'

/** With undefined members left out, as in JSON. */
const json = <T>(arbitrary: fc.Arbitrary<unknown>): fc.Arbitrary<T> =>
  arbitrary.map((value) => JSON.parse(JSON.stringify(value)) as T)
const maybe = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined })

const decimal = fc.oneof(
  fc.integer({ min: 0, max: 9 }),
  fc.integer({ min: 0, max: 5_000_000 }).map((micros) => micros / 1e6),
  fc.integer({ min: 0, max: 2 ** 33 - 1 }),
)
const count = fc.oneof(
  fc.integer({ min: 0, max: 3 }),
  fc.integer({ min: 0, max: 400_000 }),
  fc.maxSafeNat().map((n) => Math.floor(n / 8)),
)
const quantity = fc.oneof(count, decimal)
const QUANTITIES = ['pages', 'minutes', 'constructor']
const ATTRIBUTES = ['tier', 'licensed']
const MODELS = ['a', 'b', 'c', 'd']
const tag = fc.constantFrom('x', 'y', 'z')

const condition = (name: string): fc.Arbitrary<Condition> => {
  const type = Object.hasOwn(FACTS, name) ? FACTS[name as keyof typeof FACTS] : undefined
  const range = json<Condition>(
    fc.record({ above: maybe(quantity), upto: maybe(quantity) }).filter((each) => JSON.stringify(each) !== '{}'),
  )
  const names = name === 'outcome' ? fc.constantFrom(...OUTCOMES) : name === 'model' ? fc.constantFrom(...MODELS) : tag
  const values: fc.Arbitrary<string | number | boolean> =
    type === 'flag'
      ? fc.boolean()
      : type === 'count'
        ? quantity
        : type === 'name'
          ? names
          : fc.oneof(tag, fc.boolean(), quantity)
  const some = fc.oneof(fc.constant<Condition>('*'), values, fc.array(values, { minLength: 1, maxLength: 3 }))
  return type === 'flag' || type === 'name' ? some : fc.oneof(some, range)
}
const conditions: fc.Arbitrary<Conditions> = fc
  .uniqueArray(fc.constantFrom(...Object.keys(FACTS), ...QUANTITIES, ...ATTRIBUTES), { minLength: 1, maxLength: 2 })
  .chain((names) => fc.tuple(...names.map((name) => fc.tuple(fc.constant(name), condition(name)))))
  .map((entries) => Object.fromEntries(entries))

const per = fc.constantFrom(1, 3, 1000, 1_000_000, 10 ** 12)
const COUNTS = Object.entries(FACTS).flatMap(([name, type]) => (type === 'count' ? [name] : []))
const line: fc.Arbitrary<CardLine> = json(
  fc
    .record({
      rule: tag,
      of: maybe(fc.constantFrom(...COUNTS, ...COUNTS, ...QUANTITIES)),
      rate: decimal,
      price: maybe(fc.constantFrom('input', 'output')),
      isNegative: fc.boolean(),
      per: maybe(per),
      started: maybe(fc.boolean()),
      from: fc.integer({ min: 1, max: 8 }),
      to: maybe(fc.integer({ min: 8, max: 32 })),
      when: maybe(conditions),
    })
    .map(({ rate, price, isNegative, from, to, ...rest }) => ({
      ...rest,
      ...(price === undefined ? { rate: isNegative && rest.when !== undefined ? -rate : rate } : { price }),
      ...(rest.of === 'words' && { from, to }),
    })),
)
const rows = json<NonNullable<Card['prices']>[string]>(
  fc.array(fc.record({ when: maybe(conditions), input: maybe(decimal), output: maybe(decimal) }), {
    minLength: 1,
    maxLength: 2,
  }),
)
const card: fc.Arbitrary<Card> = json(
  fc.record({
    version: fc.constant('any'),
    prices: fc.record({ a: rows, b: rows }),
    aliases: fc.constant({ c: 'a', b: 'a' }),
    cases: fc.tuple(
      ...['one', 'two', 'last'].map((name) =>
        fc.record({
          name: fc.constant(name),
          when: name === 'last' ? fc.constant(undefined) : maybe(conditions),
          lines: fc
            .array(line, { maxLength: 5 })
            // So that every column is used.
            .map((lines) => [
              ...lines,
              ...(name === 'last'
                ? ['input', 'output'].map((price) => ({ rule: price, of: `${price}_tokens`, per: 1_000_000, price }))
                : []),
            ]),
          minimum: maybe(decimal),
          multiply: maybe(fc.array(fc.record({ rule: tag, by: decimal, when: maybe(conditions) }), { maxLength: 2 })),
        }),
      ),
    ),
    outcomes: maybe(fc.record({ failed: maybe(decimal), utility: maybe(decimal) })),
  }),
)

const smallCounts = fc.array(fc.integer({ min: 0, max: 4 }), { maxLength: 32 })
const facts: fc.Arbitrary<Facts> = fc
  .record({
    measurement: maybe(
      fc.record({
        codePoints: count,
        wordLengths: smallCounts,
        thirdVowels: count,
        wordsDiffer: fc.boolean(),
        palindrome: fc.boolean(),
      }),
    ),
    report: maybe(fc.record({ id: fc.constant(1), credits: fc.nat().map(credits) })),
    model: maybe(fc.constantFrom(...MODELS)),
    tokens: maybe(
      fc.record({
        input: count,
        cacheRead: count,
        cacheWrite: count,
        output: count,
        reasoning: count,
        cacheWrite1h: count,
      }),
    ),
    quantities: maybe(
      json<Record<string, number>>(
        fc.record({ pages: maybe(quantity), minutes: maybe(quantity), other: maybe(quantity) }),
      ),
    ),
    attributes: maybe(fc.record({ tier: tag, licensed: fc.boolean() })),
    outcome: maybe(fc.constantFrom('failed', 'cancelled', 'utility')),
  })
  .map((all) => Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined)))

const inMillionths = (number: number): bigint => BigInt(Math.round(number * 1e6))

const pricingOf = (own: Card, given: Facts): NaivePricing => {
  const compiled = compileCard(own)
  try {
    const pricing = compiled.price(given)
    const total = compiled.total(given)
    if (pricing.status === 'unpriced') {
      assert.deepEqual(total, pricing)
      return 'unpriced'
    }
    assert.equal(total, pricing.credits)
    assert.equal(
      pricing.lines.reduce((sum, each) => sum + BigInt(each.credits), 0n),
      BigInt(pricing.credits),
    )
    return {
      credits: BigInt(pricing.credits),
      case: pricing.case,
      lines: pricing.lines.map(({ rule, quantity: own, rate, credits: amount, packages }) => {
        const all = [
          rule,
          Number.isInteger(own) ? BigInt(own) * 1_000_000n : inMillionths(own),
          BigInt(rate),
          BigInt(amount),
        ] as const
        return packages === undefined ? all : [...all, BigInt(packages)]
      }),
      unused: pricing.unused,
    }
  } catch (error) {
    if (!(error instanceof AmountTooLarge)) throw error
    assert.throws(() => compiled.total(given), AmountTooLarge)
    return 'refused'
  }
}

test('any card prices any message as the naive rules do, with lines and without', () => {
  const seen = { unpriced: 0, refused: 0, priced: 0 }
  fc.assert(
    fc.property(card, fc.array(facts, { minLength: 1, maxLength: 8 }), (own, messages) => {
      const parsed = parseCard(own)
      for (const given of messages) {
        const expected = naivePricing(parsed, given)
        assert.deepEqual(pricingOf(parsed, given), expected)
        seen[typeof expected === 'string' ? expected : 'priced']++
      }
    }),
    { numRuns: 3000 },
  )
  for (const [name, times] of Object.entries(seen)) assert.ok(times > 100, `${name}: ${times}`)
})
