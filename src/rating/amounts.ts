/** Products and quotients of whole numbers that are exact, or rounded once. */
import { creditsFromDecimal } from '#model/credits.ts'

/** An amount that no charge can hold exactly. */
export class AmountTooLarge extends RangeError {
  constructor() {
    super('an amount is too large to be exact: it must be below 2^53 micro-credits')
    this.name = 'AmountTooLarge'
  }
}

export const MILLION = 1_000_000

/** `quantity × rate ÷ per` in micro-credits, rounded half to even. The quantity has at most six decimals; the others are whole. */
export const amountOf = (quantity: number, rate: number, per: number): number => {
  if (Number.isInteger(quantity)) {
    const product = quantity * rate
    if (isExact(product)) return per === 1 ? product : divided(product, per)
    return exactly(BigInt(quantity) * BigInt(rate), BigInt(per))
  }
  const millionths = toMillionths(quantity)
  const product = millionths * rate
  if (isExact(product) && per <= MILLION) return divided(product, per * MILLION)
  return exactly(BigInt(millionths) * BigInt(rate), BigInt(per) * BigInt(MILLION))
}

/**
 * `⌈quantity ÷ per⌉`. The quotient is rounded, but never to a whole number that it is not: a quantity below 2^53 is too far from
 * the next multiple.
 */
export const packagesOf = (quantity: number, per: number): number => Math.ceil(quantity / per)

/** A decimal with at most six decimals, counted in millionths. */
export const toMillionths = (decimal: number): number => {
  // Below 2^30, the errors of the decimal and of the product add up to less than half a millionth.
  if (Math.abs(decimal) < 2 ** 30) return Math.round(decimal * MILLION)
  const exact = creditsFromDecimal(decimal)
  if (exact === undefined) throw new RangeError(`not a number with six decimals at most: ${decimal}`)
  return exact
}

/** Of an amount on a rate card. */
export const micros = (decimal: number): number => {
  const amount = creditsFromDecimal(decimal)
  if (amount === undefined) throw new RangeError(`not an amount with at most six decimals: ${decimal}`)
  return amount
}

/** Throws AmountTooLarge. */
export const checked = (micros: number): number => {
  if (micros > Number.MAX_SAFE_INTEGER || micros < Number.MIN_SAFE_INTEGER) throw new AmountTooLarge()
  return micros
}

/** Also for `divided`. */
const isExact = (product: number): boolean => product <= 2 ** 52 && product >= -(2 ** 52)

const divided = (product: number, divisor: number): number => {
  // Rounding the quotient changes it by less than 1 / divisor, so it does not reach the next whole number.
  const whole = Math.floor(product / divisor)
  const twice = 2 * (product - whole * divisor)
  return twice > divisor || (twice === divisor && whole % 2 !== 0) ? whole + 1 : whole
}

const exactly = (product: bigint, divisor: bigint): number => {
  const [size, sign] = product < 0n ? [-product, -1] : [product, 1]
  const whole = size / divisor
  const twice = 2n * (size - whole * divisor)
  const rounded = twice > divisor || (twice === divisor && whole % 2n === 1n) ? whole + 1n : whole
  return checked(sign * Number(rounded) + 0)
}
