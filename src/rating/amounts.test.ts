import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { AmountTooLarge, amountOf, checked, packagesOf, toMillionths } from './amounts.ts'

const MAX = Number.MAX_SAFE_INTEGER

describe('an amount', () => {
  const known: readonly (readonly [quantity: number, rate: number, per: number, amount: number])[] = [
    [3, 7, 1, 21],
    [1, 1, 2, 0],
    [3, 1, 2, 2],
    [5, 1, 2, 2],
    [7, 1, 2, 4],
    [1, 2, 3, 1],
    [1, 1, 3, 0],
    [1, -1, 2, 0],
    [3, -1, 2, -2],
    [5, -1, 2, -2],
    [1, -2, 3, -1],
    [0.5, 1, 1, 0],
    [1.5, 1, 1, 2],
    [2.5, 1, 1, 2],
    [1.5, -1, 1, -2],
    [2.5, -1, 1, -2],
    [2.500001, 1, 1, 3],
    [0.000001, 1_000_000, 1, 1],
    [1.1, 1_000_000, 10 ** 12, 0],
    [2 ** 52, 1, 1, 2 ** 52],
    [2 ** 52 + 1, 1, 1, 2 ** 52 + 1],
    [MAX, 1, 1, MAX],
    [MAX, -1, 1, -MAX],
    [MAX, 10 ** 12, 10 ** 12, MAX],
    // Too large for a double: the quotient is 2^52 + 0.5, which is halfway.
    [2 ** 53 - 1, 3, 6, 2 ** 52],
    [2 ** 33 - 0.5, 2, 1, 2 ** 34 - 1],
  ]
  for (const [quantity, rate, per, amount] of known) {
    test(`${quantity} × ${rate} ÷ ${per} is ${amount}, rounded half to even`, () => {
      const result = amountOf(quantity, rate, per)
      assert.ok(result === amount, `${result}`)
    })
  }

  test('of 2^53 micro-credits or more is refused, of either sign', () => {
    for (const [quantity, rate, per] of [
      [MAX, 2, 1],
      [2 ** 26, 2 ** 27, 1],
      [MAX, 2 ** 52, 10 ** 12],
      [2 ** 33 - 0.5, 2 ** 52, 1],
    ] as const) {
      assert.throws(() => amountOf(quantity, rate, per), AmountTooLarge)
      assert.throws(() => amountOf(quantity, -rate, per), AmountTooLarge)
    }
    assert.equal(checked(MAX), MAX)
    assert.equal(checked(-MAX), -MAX)
    assert.throws(() => checked(MAX + 1), AmountTooLarge)
    assert.throws(() => checked(-MAX - 1), AmountTooLarge)
  })

  test('is what bigints say', () => {
    const whole = fc.oneof(fc.integer({ min: -(2 ** 52), max: 2 ** 52 }), fc.integer({ min: -999, max: 999 }))
    const quantity = fc.oneof(
      fc.maxSafeNat(),
      fc.nat(),
      fc.nat(5_000_000).map((n) => n / 1e6),
    )
    fc.assert(
      fc.property(
        quantity,
        whole,
        fc.oneof(fc.integer({ min: 1, max: 10 ** 12 }), fc.constant(10 ** 6)),
        (q, rate, per) => {
          const isWhole = Number.isInteger(q)
          const product = (isWhole ? BigInt(q) : BigInt(Math.round(q * 1e6))) * BigInt(rate)
          const divisor = BigInt(per) * (isWhole ? 1n : 1_000_000n)
          const expected = nearest(product, divisor)
          if (expected > BigInt(MAX) || expected < -BigInt(MAX))
            assert.throws(() => amountOf(q, rate, per), AmountTooLarge)
          else assert.equal(BigInt(amountOf(q, rate, per)), expected)
        },
      ),
      { numRuns: 20_000 },
    )
  })

  /** By trying the neighbors. */
  const nearest = (product: bigint, divisor: bigint): bigint => {
    const about = product / divisor
    const distance = (whole: bigint) =>
      product - whole * divisor < 0n ? whole * divisor - product : product - whole * divisor
    const candidates = [about - 1n, about, about + 1n].sort((one, other) => Number(distance(one) - distance(other)))
    const [first = 0n, second = 0n] = candidates
    return distance(first) === distance(second) && first % 2n !== 0n ? second : first
  }
})

test('a package that was started counts as a whole', () => {
  for (const [quantity, per, packages] of [
    [1, 1000, 1],
    [1000, 1000, 1],
    [1001, 1000, 2],
    [1000.000001, 1000, 2],
    [0.000001, 10 ** 12, 1],
    [MAX, 1, MAX],
    [MAX, 2, 2 ** 52],
    // The quotients are not exact in a double.
    [MAX, 3, 3002399751580331],
    [3 * 3002399751580330 + 1, 3, 3002399751580331],
  ] as const) {
    assert.equal(packagesOf(quantity, per), packages, `${quantity} ÷ ${per}`)
  }
})

test('a decimal is counted in millionths without the error of its double', () => {
  for (const [decimal, millionths] of [
    [1.005, 1_005_000],
    [0.000001, 1],
    [4338975981.125567, 4338975981125567],
    [1073741823.999999, 1073741823999999],
    [8589934591.999999, 8589934591999999],
  ] as const) {
    assert.equal(toMillionths(decimal), millionths)
  }
})

test('packages and millionths are what bigints say', () => {
  const millionths = fc.oneof(fc.bigInt(1n, 2n ** 33n * 1_000_000n - 1n), fc.bigInt(1n, 3_000_000n))
  const per = fc.oneof(fc.integer({ min: 1, max: 99 }), fc.integer({ min: 1, max: 10 ** 12 }))
  fc.assert(
    fc.property(millionths, fc.maxSafeNat(), per, (parts, whole, own) => {
      const decimal = Number(`${parts / 1_000_000n}.${String(parts % 1_000_000n).padStart(6, '0')}`)
      assert.equal(toMillionths(decimal), Number(parts))
      const divisor = BigInt(own) * 1_000_000n
      assert.equal(packagesOf(decimal, own), Number((parts + divisor - 1n) / divisor))
      assert.equal(packagesOf(whole, own), Number((BigInt(whole) + BigInt(own) - 1n) / BigInt(own)))
      const nearWhole = Math.floor(whole / own) * own
      assert.equal(packagesOf(nearWhole, own), nearWhole / own)
      if (nearWhole < MAX) assert.equal(packagesOf(nearWhole + 1, own), nearWhole / own + 1)
      const nearDecimal = (nearWhole % 2 ** 33) - ((nearWhole % 2 ** 33) % own) + 0.000001
      assert.equal(packagesOf(nearDecimal, own), Math.floor(nearDecimal / own) + 1)
    }),
    { numRuns: 20_000 },
  )
})
