/**
 * The decimals of a vendor's file, exactly: whole numbers of 10^-18. Many files are written from binary floats, so
 * `0.08689859999999999` is there in place of 0.0868986, and has to be read for what it means.
 */
/** In 10^-18. */
export type Exact = bigint

const SCALE = 18
export const ONE: Exact = 10n ** BigInt(SCALE)
const MICRO: Exact = 10n ** BigInt(SCALE - 6)

/** A double holds any decimal of so many significant digits. With more, the digits come from arithmetic, not from a price. */
const DIGITS_TRUSTED = 15
/** The finest amounts that vendors state: nano-credits of US$0.01 have eleven decimals. */
const DECIMALS_TRUSTED = 12

export type Written = {
  readonly value: Exact
  /** How many decimals it has, without noise and trailing zeros. */
  readonly decimals: number
}

/**
 * Up to 15 significant digits are taken as they are written. With more, the number is the print of a float: it is rounded to 15
 * significant digits and to 12 decimals, half to even. Undefined if it is no plain decimal, or not below 10^15.
 */
export const writtenDecimal = (text: string): Written | undefined => {
  if (/^\d{1,15}$/.test(text)) return { value: BigInt(text) * ONE, decimals: 0 }
  const [, sign = '', whole = '', fraction = '', exponent = '0'] =
    /^([+-]?)(\d{0,40})(?:\.(\d{0,40}))?(?:[eE]([+-]?\d{1,3}))?$/.exec(text) ?? []
  const all = `${whole}${fraction}`
  if (all === '') return undefined
  const leading = all.replace(/^0+/, '')
  const digits = leading.replace(/0+$/, '')
  if (digits === '') return { value: 0n, decimals: 0 }
  const power = Number(exponent) - fraction.length + leading.length - digits.length
  if (digits.length + power > 15) return undefined
  const value = meantBy(digits, power)
  const isAsWritten = digits.length <= DIGITS_TRUSTED && -power <= SCALE
  return {
    value: sign === '-' ? -value : value,
    decimals: isAsWritten ? Math.max(0, -power) : decimalsOf(value),
  }
}

const meantBy = (digits: string, power: number): Exact => {
  const excess = digits.length - DIGITS_TRUSTED
  if (excess <= 0) return shifted(BigInt(digits), power + SCALE)
  const trusted = divided(BigInt(digits), powerOfTen(excess))
  const unit = powerOfTen(SCALE - DECIMALS_TRUSTED)
  return divided(shifted(trusted, power + excess + SCALE), unit) * unit
}

const shifted = (value: bigint, places: number): bigint =>
  places >= 0 ? value * powerOfTen(places) : divided(value, powerOfTen(-places))

const POWERS = Array.from({ length: 2 * SCALE }, (_, power) => 10n ** BigInt(power))
const powerOfTen = (power: number): bigint => POWERS[power] ?? 10n ** BigInt(power)

const decimalsOf = (value: Exact): number =>
  value
    .toString()
    .padStart(SCALE + 1, '0')
    .slice(-SCALE)
    .replace(/0+$/, '').length

/** Rounded half to even. The divisor is positive. */
export const divided = (value: bigint, by: bigint): bigint => {
  if (value < 0n) return -divided(-value, by)
  const quotient = value / by
  const twice = (value % by) * 2n
  return twice > by || (twice === by && quotient % 2n === 1n) ? quotient + 1n : quotient
}

export const product = (one: Exact, other: Exact): Exact => divided(one * other, ONE)

/** Half a unit of the last of so many decimals. */
export const halfUnit = (decimals: number): Exact => (5n * ONE) / 10n ** BigInt(decimals + 1)

export const sizeOf = (value: bigint): bigint => (value < 0n ? -value : value)

/** Rounded half to even to the millionth. */
export const toMicros = (value: Exact): bigint => divided(value, MICRO)

export const ofMicros = (micros: bigint): Exact => micros * MICRO

/** As a plain decimal without trailing zeros. */
export const plainText = (value: Exact): string => {
  const digits = sizeOf(value)
    .toString()
    .padStart(SCALE + 1, '0')
  const fraction = digits.slice(-SCALE).replace(/0+$/, '')
  return `${value < 0n ? '-' : ''}${digits.slice(0, -SCALE)}${fraction === '' ? '' : `.${fraction}`}`
}
