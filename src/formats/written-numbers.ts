/** JSON whose numbers stay as they are written, for amounts that must not pass through a double. */
import { readJson } from './json.ts'

/** A number of a JSON file. */
export class WrittenNumber {
  readonly text: string

  constructor(text: string) {
    this.text = text
  }
}

/** Like `readJson`, with a WrittenNumber for each number. Throws InvalidJson. */
export const readWrittenJson = (bytes: Uint8Array): unknown => {
  readJson(bytes)
  return parseWithSource(new TextDecoder().decode(bytes), (_, value, { source = '' }) =>
    typeof value === 'number' ? new WrittenNumber(source) : value,
  )
}

/** The reviver's third argument is part of ES2026; TypeScript's library does not declare it yet. */
const parseWithSource = JSON.parse as (
  text: string,
  reviver: (key: string, value: unknown, context: { readonly source?: string }) => unknown,
) => unknown

/** An exact number: `over` divided by `under`, which is positive. */
export type Fraction = { readonly over: bigint; readonly under: bigint }

/** Of a number as JSON writes it. Undefined if it is none, or has hundreds of digits. */
export const fractionOf = (text: string): Fraction | undefined => {
  const [, sign = '', whole = '', fraction = '', exponent = '0'] =
    /^(-?)(\d{1,300})(?:\.(\d{1,300}))?(?:[eE]([+-]?\d{1,3}))?$/.exec(text) ?? []
  if (whole === '') return undefined
  const digits = BigInt(`${sign}${whole}${fraction}`)
  const power = Number(exponent) - fraction.length
  return power >= 0
    ? { over: digits * 10n ** BigInt(power), under: 1n }
    : { over: digits, under: 10n ** BigInt(-power) }
}

export const times = (one: Fraction, other: Fraction): Fraction => ({
  over: one.over * other.over,
  under: one.under * other.under,
})

/** The divisor must be positive. */
export const dividedBy = (one: Fraction, other: Fraction): Fraction => ({
  over: one.over * other.under,
  under: one.under * other.over,
})

export const minus = (one: Fraction, other: Fraction): Fraction => ({
  over: one.over * other.under - other.over * one.under,
  under: one.under * other.under,
})

export const isSame = (one: Fraction, other: Fraction): boolean => one.over * other.under === other.over * one.under

/** Undefined if it is not whole. */
export const wholeOf = ({ over, under }: Fraction): bigint | undefined =>
  over % under === 0n ? over / under : undefined
