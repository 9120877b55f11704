/**
 * A second, slow and obvious implementation of the pricing rules, written from their text with regular expressions and string
 * functions. Tests compare `measure` and `price` with it, and the benchmark measures how much faster they are. It shares
 * nothing with them: even its amounts are BigInt micro-credits.
 */

/** The standard rate card's price of a text, in micro-credits. */
export const naivePrice = (text: string): bigint => {
  const codePoints = [...text]
  const words = naiveWords(text)

  let total = 1_000_000n
  total += 50_000n * BigInt(codePoints.length)
  for (const word of words) {
    const length = [...word].length
    total += length <= 3 ? 100_000n : length <= 7 ? 200_000n : 300_000n
  }
  total += 300_000n * BigInt(naiveThirdVowels(codePoints))
  if (codePoints.length > 100) total += 5_000_000n
  if (words.length > 0 && new Set(words).size === words.length) total -= 2_000_000n
  if (total < 1_000_000n) total = 1_000_000n
  if (isNaivePalindrome(codePoints)) total *= 2n
  return total
}

export const naiveWords = (text: string): readonly string[] =>
  (text.match(/[\p{L}\p{M}'-]+/gu) ?? []).filter((run) => /\p{L}/u.test(run))

export const naiveThirdVowels = (codePoints: readonly string[]): number =>
  codePoints.filter((codePoint, index) => (index + 1) % 3 === 0 && /^[aeiouAEIOU]$/.test(codePoint)).length

export const isNaivePalindrome = (codePoints: readonly string[]): boolean => {
  const read =
    codePoints
      .map((codePoint) => codePoint.toLowerCase())
      .join('')
      .match(/[\p{L}\p{N}]/gu) ?? []
  return read.length > 0 && read.join('') === read.toReversed().join('')
}
