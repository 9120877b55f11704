import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { credits } from '#model/credits.ts'
import { type Facts, OUTCOMES } from '#model/facts.ts'
import { LONGEST_WORD } from '#model/measurement.ts'
import { measure } from '#rating/measure.ts'
import { packFacts, unpackFacts } from './packed-facts.ts'
import { packMeasurement } from './packed-measurement.ts'

const count = fc.oneof(fc.nat(300), fc.maxSafeNat())
const integer = fc.maxSafeInteger().map((each) => each + 0)
const plain = fc.string({ unit: 'grapheme', maxLength: 200 })
const name = fc.oneof(fc.stringMatching(/^[a-z][a-z0-9_]{0,62}$/), fc.constant('constructor'))
const measurement = fc.record({
  codePoints: count,
  wordLengths: fc.array(count, { maxLength: LONGEST_WORD }),
  thirdVowels: count,
  wordsDiffer: fc.boolean(),
  palindrome: fc.boolean(),
})
const millionths = fc
  .nat(2 ** 33 - 1)
  .chain((whole) => fc.nat(999_999).map((part) => Number(`${whole}.${String(part).padStart(6, '0')}`)))
const facts: fc.Arbitrary<Facts> = fc.record(
  {
    measurement,
    report: fc.oneof(
      fc.record({ id: fc.oneof(integer, plain) }),
      fc.record({ id: fc.oneof(integer, plain), credits: integer.map(credits) }),
    ),
    model: plain,
    tokens: fc.record({
      input: count,
      cacheRead: count,
      cacheWrite: count,
      output: count,
      reasoning: count,
      cacheWrite1h: count,
    }),
    quantities: fc.dictionary(name, fc.oneof(count, millionths), { maxKeys: 32, noNullPrototype: true }),
    attributes: fc.dictionary(name, fc.oneof(plain, fc.boolean()), { maxKeys: 16, noNullPrototype: true }),
    outcome: fc.constantFrom(...OUTCOMES.filter((each) => each !== 'succeeded')),
  },
  { requiredKeys: [], noNullPrototype: true },
)

const plainly = <T>(value: T): T => structuredClone(value)

test('facts survive packing and unpacking unchanged', () => {
  fc.assert(fc.property(facts, (each) => assert.deepEqual(unpackFacts(packFacts(each)), plainly(each))))
})

test('packing facts leaves those that were packed before as they are', () => {
  const packed = Array.from({ length: 5000 }, (_, input) => packFacts({ tokens: tokensOf({ input }) }))
  const wrong = packed.findIndex((each, input) => unpackFacts(each).tokens?.input !== input)
  assert.equal(wrong, -1)
})

test('the facts of a text alone are its packed measurement, as it always was', () => {
  const own = measure('What is the lease term?')
  assert.deepEqual(packFacts({ measurement: own }), packMeasurement(own))
  assert.deepEqual(unpackFacts(packMeasurement(own)), { measurement: own })
})

const tokensOf = (some: Partial<NonNullable<Facts['tokens']>>): NonNullable<Facts['tokens']> => ({
  input: 0,
  cacheRead: 0,
  cacheWrite: 0,
  output: 0,
  reasoning: 0,
  cacheWrite1h: 0,
  ...some,
})

test('the facts of a usual message with tokens are small', () => {
  const model = 'claude-sonnet-4-5-20'
  assert.equal(packFacts({ model, tokens: tokensOf({ input: 1200, output: 350 }) }).length, 28)
  assert.equal(packFacts({ model, tokens: tokensOf({ input: 1200, cacheRead: 30_000, output: 350 }) }).length, 31)
  assert.equal(packFacts({ attributes: { feature: 'chat' }, quantities: { pages: 3 } }).length, 24)
  assert.equal(packFacts({ report: { id: 5392, credits: credits(79_000_000) }, outcome: 'failed' }).length, 10)
})

test('packed facts of an unknown kind and truncated ones are rejected', () => {
  for (const bytes of [
    [],
    [5],
    [9, 1],
    [4, 128],
    [4, 64, 0],
    [4, 64, 5],
    [4, 4, 1, 0xff],
    [4, 8, 64],
    [4, 0, 0],
    [4, 16, 0xff, 0xff],
  ]) {
    assert.throws(() => unpackFacts(Uint8Array.from(bytes)), RangeError, String(bytes))
  }
  const wide = facts.filter((each) => Object.keys(each).some((key) => key !== 'measurement'))
  fc.assert(
    fc.property(wide, fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), (each, share) => {
      const packed = packFacts(each)
      assert.throws(() => unpackFacts(packed.subarray(0, Math.floor(packed.length * share))), RangeError)
    }),
  )
})

test('bytes that nobody packed are read or rejected, and nothing else', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
      try {
        unpackFacts(Uint8Array.of(4, ...bytes))
      } catch (error) {
        assert.ok(error instanceof RangeError, String(error))
      }
    }),
  )
})

test('facts that no edge lets in are not packed', () => {
  const bad: readonly Facts[] = [
    { quantities: { pages: -1 } },
    { quantities: { pages: 0.1234567 } },
    { quantities: { ['a'.repeat(64)]: 1 } },
    { attributes: { ä: true } },
    { tokens: tokensOf({ input: 1.5 }) },
  ]
  for (const each of bad) assert.throws(() => packFacts(each), RangeError)
})
