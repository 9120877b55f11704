import type { Credits } from './credits.ts'

/**
 * A versioned, immutable price list. It holds amounts and limits; the rules and their order are code (`#rating/price.ts`).
 */
export type RateCard = {
  /** Identifies this price list permanently: any change of a price needs a new version. */
  readonly version: string
  /** For every message. */
  readonly base: Credits
  /** For each code point of the text. */
  readonly codePoint: Credits
  /** For each word, by its length in code points. The bands ascend and the first begins at 1. */
  readonly words: readonly WordBand[]
  /** For each vowel among the 3rd, 6th, 9th, … code points. */
  readonly thirdVowel: Credits
  /** Once, if the text has more than `above` code points. */
  readonly lengthPenalty: { readonly above: number; readonly credits: Credits }
  /** Once, if there is a word and no two words are equal. Negative: it is a discount. */
  readonly uniqueWords: Credits
  /** The lowest total of the rules so far. */
  readonly minimum: Credits
  /** Multiplies the total of a palindrome, last of all; an integer of at least 1. */
  readonly palindromeFactor: number
}

/** Words of at least `from` code points, up to the next band. */
export type WordBand = { readonly from: number; readonly credits: Credits }
