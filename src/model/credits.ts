/**
 * An amount of credits in whole micro-credits (millionths of a credit), so that every sum is exact. Only the wire and the
 * terminal turn it into a decimal.
 */
export type Credits = number & { readonly unit: 'micro-credits' }

const DECIMALS = 6

/** Throws a RangeError if the number is not an integer that a double holds exactly. */
export const credits = (micros: number): Credits => {
  if (!Number.isSafeInteger(micros)) throw new RangeError(`not a whole number of micro-credits: ${micros}`)
  return micros as Credits
}

/**
 * From here on, neighboring doubles are more than a micro-credit apart, and a decimal that was read as a double may differ from
 * the one that was written.
 */
export const DECIMAL_MAX = 2 ** 33

/**
 * The amount of a decimal number, read from its digits: `1.85` is 1,850,000 micro-credits. Undefined if it has more than six
 * decimals, or is not between -2^33 and 2^33 (8,589,934,592 credits).
 */
export const creditsFromDecimal = (decimal: number): Credits | undefined => {
  if (!(Math.abs(decimal) < DECIMAL_MAX)) return undefined
  // A decimal with six decimals is the double next to a quotient of whole numbers, and no other such decimal is as near to it. Of
  // a large one, the product can be a few millionths off.
  const micros = Math.round(decimal * 10 ** DECIMALS)
  if (micros / 10 ** DECIMALS === decimal) return credits(micros + 0)
  const digits = /^(-?)(\d+)(?:\.(\d{1,6}))?$/.exec(String(decimal))
  if (digits === null) return undefined
  const [, sign, whole, fraction = ''] = digits
  return credits(Number(`${sign}${whole}${fraction.padEnd(DECIMALS, '0')}`) + 0)
}

/** An exact sum of amounts in whole micro-credits. A bigint, because the sum of many amounts may exceed 2^53. */
export type CreditsSum = bigint & { readonly unit: 'micro-credits' }

/** Throws a RangeError if the sum does not fit into the 64 bits in which stores keep it. */
export const creditsSum = (micros: bigint): CreditsSum => {
  if (BigInt.asIntN(64, micros) !== micros) throw new RangeError(`not a sum of micro-credits in 64 bits: ${micros}`)
  return micros as CreditsSum
}

/** The amount as a plain decimal without trailing zeros, made from the digits of the integer: `1.85`, `79`, `-0.000001`. */
export const toDecimal = (amount: Credits | CreditsSum): string => decimalOf(amount)

const decimalOf = (amount: number | bigint): string => {
  const sign = amount < 0 ? '-' : ''
  const digits = String(amount < 0 ? -amount : amount).padStart(DECIMALS + 1, '0')
  const fraction = digits.slice(-DECIMALS).replace(/0+$/, '')
  const whole = `${sign}${digits.slice(0, -DECIMALS)}`
  return fraction === '' ? whole : `${whole}.${fraction}`
}

/** Part of ES2026; TypeScript's library does not declare it yet. */
const { rawJSON } = JSON as unknown as { readonly rawJSON: (json: string) => PlainNumber }

/** JSON.stringify writes it as the number in the text. */
export type PlainNumber = { readonly rawJSON: string }

/** The amount for JSON.stringify, as an exact decimal number. */
export const plainNumber = (amount: Credits | CreditsSum): PlainNumber => rawJSON(toDecimal(amount))

/** The same of a quantity in millionths. */
export const plainQuantity = (millionths: bigint): PlainNumber => rawJSON(decimalOf(millionths))
