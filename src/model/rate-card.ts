import type { Credits } from './credits.ts'

/**
 * A versioned, immutable price list. The amounts and limits are its data; which rules there are and in which order they
 * apply is code (`#rating/price.ts`).
 */
export type RateCard = {
  /** Names this price list for ever; another price needs another version. */
  readonly version: string
  /** For every message. */
  readonly base: Credits
  /** For each code point of the text. */
  readonly codePoint: Credits
  /** For each word, by its length in code points: the bands are ascending and the first begins at 1. */
  readonly words: readonly WordBand[]
  /** For each vowel among the 3rd, 6th, 9th, … code points. */
  readonly thirdVowel: Credits
  /** Once for a text of more than `above` code points. */
  readonly lengthPenalty: { readonly above: number; readonly credits: Credits }
  /** Once where there is a word and no two words are equal; negative, as it is a reduction. */
  readonly uniqueWords: Credits
  /** What the rules so far never go below. */
  readonly minimum: Credits
  /** What a palindrome multiplies the total with, last of all; a whole number from 1. */
  readonly palindromeFactor: number
}

/** Words of `from` code points up to the next band. */
export type WordBand = { readonly from: number; readonly credits: Credits }
