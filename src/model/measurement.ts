/**
 * What pricing needs to know about a text, without the text itself.
 *
 * Code points are those of the text as received; a lone surrogate counts as one.
 * `measure` in `#rating/measure.ts` makes it, rate cards read it (`#rating/compile-card.ts`).
 */
export type Measurement = {
  /** Code points of the whole text, white space included. */
  readonly codePoints: number
  /**
   * Entry `i` is the number of words of `i + 1` code points; the last entry is that of the longest word. Words of
   * `LONGEST_WORD` or more code points share an entry, so that a measurement stays small for any text.
   */
  readonly wordLengths: readonly number[]
  /** How many of the 3rd, 6th, 9th, … code points are one of `aeiouAEIOU`. */
  readonly thirdVowels: number
  /** No two words are equal, compared by code points. True if there are no words. */
  readonly wordsDiffer: boolean
  /** There is at least one letter or number, and all of them, in lower case, read the same in both directions. */
  readonly palindrome: boolean
}

/** As the API and the command line write it. */
export const toMeasurementResponse = (measurement: Measurement) => ({
  code_points: measurement.codePoints,
  word_lengths: [...measurement.wordLengths],
  third_vowels: measurement.thirdVowels,
  words_differ: measurement.wordsDiffer,
  palindrome: measurement.palindrome,
})

/** Words of at least this length are counted together, so a rate card cannot distinguish them. */
export const LONGEST_WORD = 32
