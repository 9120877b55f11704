/** Prices a measurement with a rate card. The numbers in the comments are the rule numbers in the README's table. */
import type { Charge, ChargeLine } from '#model/charge.ts'
import { type Credits, credits } from '#model/credits.ts'
import type { Measurement } from '#model/measurement.ts'
import type { RateCard, WordBand } from '#model/rate-card.ts'
import type { Report } from '#model/report.ts'

/**
 * Prices a text by its measurement. Each rule that applies adds a line (`words` adds one per band in use), and the lines add
 * up to the total exactly. Throws a RangeError if an amount is too large to be exact.
 */
export const price = (measurement: Measurement, card: RateCard): Charge => {
  const lines: ChargeLine[] = [line('base', 1, card.base)] // 1
  let total = card.base as number
  const { codePoints, thirdVowels } = measurement
  if (codePoints > 0) total += add(lines, 'characters', codePoints, card.codePoint) // 2
  const before = lines.length
  total += addWords(lines, measurement.wordLengths, card) // 3
  const anyWords = lines.length > before
  if (thirdVowels > 0) total += add(lines, 'third-vowels', thirdVowels, card.thirdVowel) // 4
  if (codePoints > card.lengthPenalty.above) total += add(lines, 'length-penalty', 1, card.lengthPenalty.credits) // 5
  if (anyWords && measurement.wordsDiffer) total += add(lines, 'unique-words', 1, card.uniqueWords) // 6
  if (total < card.minimum) total += add(lines, 'minimum', 1, credits(card.minimum - total)) // 7
  const again = card.palindromeFactor - 1
  if (measurement.palindrome && again > 0) total += add(lines, 'palindrome', again, credits(total)) // 8
  return { credits: credits(total), lines }
}

/** The total of `price` without its lines, in a fraction of the time: what intake needs of a charge. */
export const priceTotal = (measurement: Measurement, card: RateCard): Credits => {
  const { codePoints, thirdVowels, wordLengths, wordsDiffer, palindrome } = measurement
  let total = card.base + codePoints * card.codePoint + thirdVowels * card.thirdVowel
  let words = 0
  let band = -1
  for (let index = 0; index < wordLengths.length; index++) {
    while (card.words[band + 1] !== undefined && (card.words[band + 1] as WordBand).from <= index + 1) band++
    const quantity = wordLengths[index] as number
    if (quantity === 0 || band < 0) continue
    words += quantity
    total += quantity * (card.words[band] as WordBand).credits
  }
  if (codePoints > card.lengthPenalty.above) total += card.lengthPenalty.credits
  if (words > 0 && wordsDiffer) total += card.uniqueWords
  if (total < card.minimum) total = card.minimum
  return credits(palindrome ? total * card.palindromeFactor : total)
}

/** The charge of a message that asked for a report: the report's cost, whatever the text. */
export const priceReport = ({ creditCost }: Report): Charge => ({
  credits: creditCost,
  lines: [line('report', 1, creditCost)],
})

const line = (rule: string, quantity: number, rate: Credits): ChargeLine => ({
  rule,
  quantity,
  rate,
  credits: credits(quantity * rate),
})

const add = (lines: ChargeLine[], rule: string, quantity: number, rate: Credits): number => {
  const added = line(rule, quantity, rate)
  lines.push(added)
  return added.credits
}

const addWords = (lines: ChargeLine[], wordLengths: readonly number[], { words }: RateCard): number => {
  let total = 0
  for (let index = 0; index < words.length; index++) {
    const band = words[index]
    if (band === undefined) break
    const next = words[index + 1]?.from
    const end = next === undefined ? wordLengths.length : Math.min(next - 1, wordLengths.length)
    let quantity = 0
    for (let length = band.from - 1; length < end; length++) quantity += wordLengths[length] ?? 0
    if (quantity === 0) continue
    const amount = credits(quantity * band.credits)
    const range = next === undefined ? { from: band.from } : { from: band.from, to: next - 1 }
    lines.push({ rule: 'words', quantity, rate: band.credits, credits: amount, band: range })
    total += amount
  }
  return total
}
