/**
 * Classifies code points for the rules with one lookup in a table of one byte each.
 *
 * The categories come from the runtime's own Unicode tables through `\p{…}`. A block of 256 entries is filled when a text first
 * needs it, so startup costs nothing and a text in one script touches a few kilobytes. The table affects only the time, never
 * the result.
 */

/** Part of a word: a letter (L), a combining mark (M), `'` or `-`. */
export const WORD = 1
/** One of `aeiouAEIOU`. */
export const VOWEL = 2
/** A letter (L): a word needs at least one. */
export const LETTER = 4
/** A letter or a number (L or N) after lower-casing: what the palindrome rule compares. */
export const READ = 8
const KNOWN = 128

const table = new Uint8Array(0x110000)

export const classOf = (codePoint: number): number => {
  const kind = table[codePoint] as number
  return kind === 0 ? readBlockOf(codePoint) : kind
}

/** The classes of the 256 code points that a byte can hold, for loops that look up bytes. */
export const firstClasses = (): Uint8Array => Uint8Array.from({ length: 256 }, (_, codePoint) => classOf(codePoint))

/**
 * The letter or number that a code point lower-cases to on its own. Only U+0130 (İ) becomes two code points, `i` and a
 * combining dot; the dot is skipped. A test goes through all code points and would find another such case.
 */
export const foldedOf = (codePoint: number): number => {
  if (codePoint < 0x80) return codePoint > 0x40 && codePoint < 0x5b ? codePoint + 0x20 : codePoint
  const lowerCased = String.fromCodePoint(codePoint).toLowerCase()
  return lowerCased.match(READABLE)?.[0].codePointAt(0) ?? codePoint
}

const READABLE = /[\p{L}\p{N}]/u

const readBlockOf = (codePoint: number): number => {
  const first = codePoint & ~0xff
  for (let each = first; each < first + 256; each++) table[each] = classify(each)
  return table[codePoint] as number
}

const classify = (codePoint: number): number => {
  const character = String.fromCodePoint(codePoint)
  let kind = KNOWN
  if (/^[\p{L}\p{M}'-]$/u.test(character)) kind |= WORD
  if (/^[aeiouAEIOU]$/.test(character)) kind |= VOWEL
  if (/^\p{L}$/u.test(character)) kind |= LETTER
  if (READABLE.test(character.toLowerCase())) kind |= READ
  return kind
}
