/**
 * What pricing needs to know of a text; never the text.
 *
 * A code point is a Unicode code point of the text as received; a lone surrogate counts as one.
 * `measure` in `#rating/measure.ts` makes it, `price` in `#rating/price.ts` reads it.
 */
export type Measurement = {
  /** Code points of the whole text, white space included. */
  readonly codePoints: number
  /**
   * Entry `i` is the number of words of `i + 1` code points; it ends at the longest word. Words of `LONGEST_WORD` code
   * points or more share the last possible entry, so that a measurement stays small whatever the text.
   */
  readonly wordLengths: readonly number[]
  /** How many of the 3rd, 6th, 9th, … code points are one of `aeiouAEIOU`. */
  readonly thirdVowels: number
  /** No two words are equal, compared code point by code point. True where there are no words. */
  readonly wordsDiffer: boolean
  /** The letters and numbers, lower-cased, are at least one and read the same in both directions. */
  readonly palindrome: boolean
}

/** Words at least this long are counted together. A rate card cannot tell them apart. */
export const LONGEST_WORD = 32
