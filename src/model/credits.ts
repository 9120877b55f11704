/**
 * An amount of credits in whole micro-credits (millionths of a credit), so that every sum is exact. The wire and the
 * terminal are the only places that turn it into a decimal.
 */
export type Credits = number & { readonly unit: 'micro-credits' }

export const MICROS_PER_CREDIT = 1_000_000
const DECIMALS = 6

/** Throws a RangeError where the number is not a whole number that a double holds exactly. */
export const credits = (micros: number): Credits => {
  if (!Number.isSafeInteger(micros)) throw new RangeError(`not a whole number of micro-credits: ${micros}`)
  return micros as Credits
}

/**
 * From here on neighbouring doubles are more than a micro-credit apart, and a decimal that was read as a double may not be
 * the one that was written.
 */
export const DECIMAL_MAX = 2 ** 33

/**
 * The amount that a decimal number means, read from its digits: `1.85` is 1,850,000 micro-credits. Undefined where it has
 * more than six decimals, or is not between -2^33 and 2^33 (8,589,934,592 credits).
 */
export const creditsFromDecimal = (decimal: number): Credits | undefined => {
  if (!(Math.abs(decimal) < DECIMAL_MAX)) return undefined
  const digits = /^(-?)(\d+)(?:\.(\d{1,6}))?$/.exec(String(decimal))
  if (digits === null) return undefined
  const [, sign, whole, fraction = ''] = digits
  return credits(Number(`${sign}${whole}${fraction.padEnd(DECIMALS, '0')}`) + 0)
}

/** The amount as a plain decimal without trailing zeros, made from the integer's digits: `1.85`, `79`, `-0.000001`. */
export const toDecimal = (amount: Credits): string => {
  const sign = amount < 0 ? '-' : ''
  const micros = Math.abs(amount)
  const fraction = micros % MICROS_PER_CREDIT
  const whole = (micros - fraction) / MICROS_PER_CREDIT
  if (fraction === 0) return `${sign}${whole}`
  return `${sign}${whole}.${String(fraction).padStart(DECIMALS, '0').replace(/0+$/, '')}`
}
