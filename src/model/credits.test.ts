import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { credits, creditsFromDecimal, toDecimal } from './credits.ts'

test('an amount is written as a plain decimal without trailing zeros', () => {
  for (const [micros, decimal] of [
    [0, '0'],
    [1, '0.000001'],
    [1_850_000, '1.85'],
    [79_000_000, '79'],
    [2_264_400_000, '2264.4'],
    [-2_000_000, '-2'],
    [-1, '-0.000001'],
    [Number.MAX_SAFE_INTEGER, '9007199254.740991'],
  ] as const) {
    assert.equal(toDecimal(credits(micros)), decimal)
  }
})

test('every written amount reads back as the same amount', () => {
  const most = 2 ** 33 * 1_000_000 - 1
  const micros = fc.oneof(
    fc.maxSafeInteger().filter((amount) => Math.abs(amount) <= most),
    fc.integer({ min: most - 1_000_000, max: most }),
    fc.integer({ min: -10_000_000, max: 10_000_000 }),
  )
  fc.assert(
    fc.property(micros, (amount) => {
      const decimal = toDecimal(credits(amount))
      assert.match(decimal, /^-?\d+(\.\d{0,5}[1-9])?$/)
      assert.equal(creditsFromDecimal(JSON.parse(decimal)), amount + 0)
    }),
    { numRuns: 5000 },
  )
})

test('a decimal that is not a whole number of micro-credits is not an amount', () => {
  for (const decimal of [
    0.0000001,
    1.0000001,
    1e-7,
    1e21,
    Number.NaN,
    Number.POSITIVE_INFINITY,
    2 ** 33,
    8594208395.084351,
  ]) {
    assert.equal(creditsFromDecimal(decimal), undefined, String(decimal))
  }
})

test('an amount beyond the exact range is rejected', () => {
  assert.throws(() => credits(0.5), RangeError)
  assert.throws(() => credits(2 ** 53), RangeError)
})
