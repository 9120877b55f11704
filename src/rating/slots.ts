/**
 * The facts of one message as numbers, each in the slot that its name got when the card was compiled. A number is itself, and
 * everything else has a negative code, so a condition compares numbers whatever it is about.
 */
import type { Facts, TokenCounts } from '#model/facts.ts'
import { LONGEST_WORD, type Measurement } from '#model/measurement.ts'
import { checked, MILLION } from './amounts.ts'
import { FACTS, type FactName, TOKEN_KINDS, type TokenKind } from './fact-names.ts'

export const ABSENT = -1
const FALSE = -2
const TRUE = -3
/** A string that the card does not mention. Those that it does have the codes below. */
const OTHER = -4

const SLOTS = Object.fromEntries(Object.keys(FACTS).map((name, slot) => [name, slot])) as Record<FactName, number>
/** Always 1: the quantity of a line that counts once. */
export const ONCE = Object.keys(FACTS).length

/** Gives names their slots and strings their codes, while a card is compiled. */
export class SlotNames {
  readonly #slots = new Map<string, number>([...Object.entries(SLOTS), ['', ONCE]])
  readonly #codes = new Map<string, number>()

  slotOf(name: string): number {
    const slot = this.#slots.get(name) ?? this.#slots.size
    this.#slots.set(name, slot)
    return slot
  }

  codeOf(value: string | number | boolean): number {
    if (typeof value === 'number') return value
    if (typeof value === 'boolean') return value ? TRUE : FALSE
    const code = this.#codes.get(value) ?? OTHER - 1 - this.#codes.size
    this.#codes.set(value, code)
    return code
  }

  /** Once every name is known: a holder of the facts of one message at a time. */
  createSlots(): Slots {
    return new Slots(this.#codes, [...this.#slots.keys()].slice(ONCE + 1))
  }
}

export class Slots {
  readonly values: Float64Array
  /** A bit for each of `TOKEN_KINDS` that the message brought above 0. */
  broughtKinds = 0
  readonly #codes: ReadonlyMap<string, number>
  /** Names of quantities and attributes. */
  readonly #chosen: readonly string[]
  /** Entry `n`: the number of words of at most `n` code points. */
  readonly #wordsUpTo = new Float64Array(LONGEST_WORD + 1)
  #longestWord = 0

  constructor(codes: ReadonlyMap<string, number>, chosen: readonly string[]) {
    this.#codes = codes
    this.#chosen = chosen
    this.values = new Float64Array(ONCE + 1 + chosen.length)
    this.values[ONCE] = 1
  }

  /** `model` is that of the message by the card's aliases. */
  load({ measurement, report, tokens, quantities, attributes, outcome }: Facts, model: string | undefined): void {
    const { values } = this
    this.#loadText(measurement)
    this.#loadTokens(tokens)
    const cost = report?.credits
    values[SLOTS.report] = cost === undefined ? FALSE : TRUE
    values[SLOTS.report_credits] = cost === undefined ? ABSENT : cost / MILLION
    values[SLOTS.model] = model === undefined ? ABSENT : this.#codeOf(model)
    values[SLOTS.outcome] = this.#codeOf(outcome ?? 'succeeded')
    for (let index = 0; index < this.#chosen.length; index++) {
      const name = this.#chosen[index] as string
      const quantity = quantities?.[name]
      values[ONCE + 1 + index] = typeof quantity === 'number' ? quantity : this.#codeOf(attributes?.[name])
    }
  }

  /** The number of words of a length within the band. */
  words(from: number, to: number): number {
    const longest = this.#longestWord
    const upTo = this.#wordsUpTo[to < longest ? to : longest] as number
    return upTo - (this.#wordsUpTo[from - 1 < longest ? from - 1 : longest] as number)
  }

  #loadText(measurement: Measurement | undefined): void {
    const { values } = this
    if (measurement === undefined) {
      values[SLOTS.text] = FALSE
      values.fill(ABSENT, SLOTS.characters, SLOTS.palindrome + 1)
      return
    }
    const { codePoints, wordLengths, thirdVowels, wordsDiffer, palindrome } = measurement
    let words = 0
    for (let index = 0; index < wordLengths.length; index++) {
      words += wordLengths[index] as number
      this.#wordsUpTo[index + 1] = words
    }
    this.#longestWord = wordLengths.length
    values[SLOTS.text] = TRUE
    values[SLOTS.characters] = codePoints
    values[SLOTS.words] = words
    values[SLOTS.third_vowels] = thirdVowels
    values[SLOTS.any_words] = words > 0 ? TRUE : FALSE
    values[SLOTS.words_differ] = wordsDiffer ? TRUE : FALSE
    values[SLOTS.palindrome] = palindrome ? TRUE : FALSE
  }

  #loadTokens(tokens: TokenCounts | undefined): void {
    const { values } = this
    if (tokens === undefined) {
      this.broughtKinds = 0
      values.fill(ABSENT, SLOTS.input_tokens, SLOTS.cache_write_1h_tokens + 1)
      return
    }
    const { input, cacheRead, cacheWrite, output, reasoning, cacheWrite1h } = tokens
    const prompt = input + cacheRead + cacheWrite
    values[SLOTS.input_tokens] = input
    values[SLOTS.cache_read_tokens] = cacheRead
    values[SLOTS.cache_write_tokens] = cacheWrite
    values[SLOTS.output_tokens] = output
    values[SLOTS.prompt_tokens] = prompt
    values[SLOTS.total_tokens] = checked(prompt + output)
    values[SLOTS.reasoning_tokens] = reasoning
    values[SLOTS.cache_write_1h_tokens] = cacheWrite1h
    this.broughtKinds = (input > 0 ? 1 : 0) | (cacheRead > 0 ? 2 : 0) | (cacheWrite > 0 ? 4 : 0) | (output > 0 ? 8 : 0)
  }

  #codeOf(value: string | boolean | undefined): number {
    if (typeof value === 'string') return this.#codes.get(value) ?? OTHER
    return typeof value === 'boolean' ? (value ? TRUE : FALSE) : ABSENT
  }
}

/** A bit for each of the kinds. */
export const bitsOf = (kinds: readonly TokenKind[]): number =>
  kinds.reduce((bits, kind) => bits | (1 << TOKEN_KINDS.indexOf(kind)), 0)
