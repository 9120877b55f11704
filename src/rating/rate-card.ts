/** Parses a rate card and rejects one that the rules cannot use. */
import { type Credits, creditsFromDecimal } from '#model/credits.ts'
import { LONGEST_WORD } from '#model/measurement.ts'
import type { RateCard, WordBand } from '#model/rate-card.ts'
import standard from './rate-cards/standard-2024.json' with { type: 'json' }

/** Names the invalid field and what it must be. */
export class InvalidRateCard extends Error {
  readonly field: string

  constructor(field: string, expected: string) {
    super(`rate card: ${field} must be ${expected}`)
    this.name = 'InvalidRateCard'
    this.field = field
  }
}

/** Throws InvalidRateCard. Amounts are decimal credits with at most six decimals. */
export const parseRateCard = (input: unknown): RateCard => {
  const card = recordAt(input, 'the card')
  const penalty = recordAt(card['length_penalty'], 'length_penalty')
  refuseOthers(card, '', KNOWN_FIELDS)
  refuseOthers(penalty, 'length_penalty.', ['above', 'credits'])
  return {
    version: versionAt(card['version']),
    base: amountAt(card['base'], 'base'),
    codePoint: amountAt(card['code_point'], 'code_point'),
    words: bandsAt(card['words']),
    thirdVowel: amountAt(card['third_vowel'], 'third_vowel'),
    lengthPenalty: {
      above: wholeAt(penalty['above'], 'length_penalty.above', 0),
      credits: amountAt(penalty['credits'], 'length_penalty.credits'),
    },
    uniqueWords: discountAt(card['unique_words'], 'unique_words'),
    minimum: amountAt(card['minimum'], 'minimum'),
    palindromeFactor: wholeAt(card['palindrome_factor'], 'palindrome_factor', 1),
  }
}

const KNOWN_FIELDS = [
  'version',
  'base',
  'code_point',
  'words',
  'third_vowel',
  'length_penalty',
  'unique_words',
  'minimum',
  'palindrome_factor',
]

/** A higher rate, multiplied by the length of a long text, might no longer be exact. */
const RATE_MAX = 1_000

const recordAt = (input: unknown, field: string): Readonly<Record<string, unknown>> => {
  if (typeof input !== 'object' || input === null || Array.isArray(input)) throw new InvalidRateCard(field, 'an object')
  return input as Readonly<Record<string, unknown>>
}

const refuseOthers = (record: Readonly<Record<string, unknown>>, path: string, known: readonly string[]): void => {
  const other = Object.keys(record).find((key) => !known.includes(key))
  if (other !== undefined)
    throw new InvalidRateCard(`${path}${other}`, `absent; the known fields are ${known.join(', ')}`)
}

const versionAt = (input: unknown): string => {
  if (typeof input === 'string' && /^[a-z0-9][a-z0-9.-]{0,63}$/.test(input)) return input
  throw new InvalidRateCard(
    'version',
    'a string of 1 to 64 characters from a-z, 0-9, "." and "-" that starts with a letter or a digit',
  )
}

const amountAt = (input: unknown, field: string): Credits => {
  const amount = typeof input === 'number' ? creditsFromDecimal(input) : undefined
  if (amount !== undefined && amount >= 0 && (input as number) <= RATE_MAX) return amount
  throw new InvalidRateCard(field, `a number from 0 to ${RATE_MAX} with at most six decimals`)
}

const discountAt = (input: unknown, field: string): Credits => {
  const amount = typeof input === 'number' ? creditsFromDecimal(input) : undefined
  if (amount !== undefined && amount <= 0 && (input as number) >= -RATE_MAX) return amount
  throw new InvalidRateCard(field, `a number from -${RATE_MAX} to 0 with at most six decimals`)
}

const wholeAt = (input: unknown, field: string, least: number): number => {
  if (typeof input === 'number' && Number.isInteger(input) && input >= least && input <= RATE_MAX) return input
  throw new InvalidRateCard(field, `a whole number from ${least} to ${RATE_MAX}`)
}

const bandsAt = (input: unknown): readonly WordBand[] => {
  if (!Array.isArray(input) || input.length === 0) throw new InvalidRateCard('words', 'a list of at least one band')
  let least = 1
  return input.map((each: unknown, index) => {
    const field = `words[${index}]`
    const band = recordAt(each, field)
    refuseOthers(band, `${field}.`, ['from', 'credits'])
    const from = wholeAt(band['from'], `${field}.from`, least)
    if (index === 0 && from !== 1) throw new InvalidRateCard(`${field}.from`, '1, so that every word has a price')
    if (from > LONGEST_WORD) throw new InvalidRateCard(`${field}.from`, `at most ${LONGEST_WORD}`)
    least = from + 1
    return { from, credits: amountAt(band['credits'], `${field}.credits`) }
  })
}

/** The rate card described in the README and in DECISIONS.md. */
export const standardRateCard: RateCard = parseRateCard(standard)
