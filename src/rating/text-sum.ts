/** The sum of the lines of a case, in one pass, if it only counts what is in a text. Almost every message is priced this way. */
import { LONGEST_WORD } from '#model/measurement.ts'
import { hold, type When } from './conditions.ts'
import type { LinePlan } from './line-plan.ts'
import { type Slots, TEXT_SLOTS } from './slots.ts'

export type TextSum = {
  readonly always: number
  readonly products: readonly { readonly slot: number; readonly rate: number }[]
  /** Entry `i`: what a word of `i + 1` code points costs. */
  readonly wordRates: readonly number[]
  readonly sometimes: readonly { readonly amount: number; readonly when: When }[]
  /** A sum up to it is exact, and stays so whatever is added sometimes. */
  readonly exactUpTo: number
}

/** Undefined if the lines need more than this. */
export const planTextSum = (lines: readonly LinePlan[]): TextSum | undefined => {
  const products: { slot: number; rate: number }[] = []
  const wordRates = Array<number>(LONGEST_WORD).fill(0)
  const sometimes: { amount: number; when: When }[] = []
  let always = 0
  for (const { constant, isProduct, slot, rate, when, band } of lines) {
    const isConditional = !isEmpty(when)
    if (constant !== undefined && isConditional) sometimes.push({ amount: constant.credits, when })
    else if (constant !== undefined) always += constant.credits
    else if (!isProduct || isConditional || !TEXT_SLOTS.has(slot)) return undefined
    else if (band === undefined) products.push({ slot, rate })
    else for (let at = band.from - 1; at < band.to; at++) wordRates[at] = (wordRates[at] as number) + rate
  }
  const exactUpTo = sometimes.reduce((most, { amount }) => most - Math.abs(amount), Number.MAX_SAFE_INTEGER)
  // Without lines, or with conditional ones alone, no line may apply.
  return sometimes.length === lines.length ? undefined : { always, products, wordRates, sometimes, exactUpTo }
}

const isEmpty = ({ set, unset, checks }: When): boolean => set === 0 && unset === 0 && checks.length === 0

/** Undefined if it may not be exact. The slots have the facts of a text. */
export const textSum = (
  { always, products, wordRates, sometimes, exactUpTo }: TextSum,
  slots: Slots,
): number | undefined => {
  const { values, wordLengths } = slots
  // Apart from the products, so that integers are added, which is faster.
  let words = always
  for (let index = 0; index < wordLengths.length; index++) {
    words += (wordLengths[index] as number) * (wordRates[index] as number)
  }
  let sum = words
  for (let index = 0; index < products.length; index++) {
    const product = products[index] as TextSum['products'][number]
    sum += (values[product.slot] as number) * product.rate
  }
  if (sum > exactUpTo) return undefined
  for (let index = 0; index < sometimes.length; index++) {
    const constant = sometimes[index] as TextSum['sometimes'][number]
    if (hold(constant.when, slots)) sum += constant.amount
  }
  return sum
}
