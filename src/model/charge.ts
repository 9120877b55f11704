import type { Credits } from './credits.ts'

/** What a message costs: a total and the lines that add up to it. */
export type Charge = {
  readonly credits: Credits
  readonly lines: readonly ChargeLine[]
}

/** One rule that applied. `quantity × rate = credits`, exactly. */
export type ChargeLine = {
  readonly rule: Rule
  readonly quantity: number
  readonly rate: Credits
  readonly credits: Credits
  /** For `words`: the word lengths that this line counts, in code points. Without `to` there is no upper bound. */
  readonly band?: { readonly from: number; readonly to?: number }
}

/** The rules, in the order in which they apply. `report` replaces all others. */
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
