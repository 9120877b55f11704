import type { Credits } from './credits.ts'

/** What a message costs: a total and the lines that add up to it. */
export type Charge = {
  readonly credits: Credits
  readonly lines: readonly ChargeLine[]
}

/** One rule that applied: `quantity × rate = credits`, exactly. */
export type ChargeLine = {
  readonly rule: Rule
  readonly quantity: number
  readonly rate: Credits
  readonly credits: Credits
  /** For `words`: the lengths that this line counts, in code points; without `to`, any length from `from`. */
  readonly band?: { readonly from: number; readonly to?: number }
}

/** The rules in the order in which they apply. A report replaces all the others. */
export type Rule =
  | 'report'
  | 'base'
  | 'characters'
  | 'words'
  | 'third-vowels'
  | 'length-penalty'
  | 'unique-words'
  | 'minimum'
  | 'palindrome'
