/**
 * The facts of one message as numbers, each in the slot that its name got when the card was compiled. A number is itself, and
 * everything else has a negative code, so a condition compares numbers whatever it is about. Flags have bits instead.
 */
import type { Facts, TokenCounts } from '#model/facts.ts'
import type { Measurement } from '#model/measurement.ts'
import { checked, MILLION } from './amounts.ts'
import { FACTS, type FactName, TOKEN_KINDS, type TokenKind } from './fact-names.ts'

/** Below everything else. */
export const ABSENT = Number.NEGATIVE_INFINITY
const FALSE = -2
const TRUE = -3
/** A string that the card does not mention. Those that it does have the codes below. */
const OTHER = -4

const SLOTS = Object.fromEntries(Object.keys(FACTS).map((name, slot) => [name, slot])) as Record<FactName, number>
/** Always 1: the quantity of a line that counts once. */
export const ONCE = Object.keys(FACTS).length

/** The numbers of a text: whole, and there if the message has one. */
export const TEXT_SLOTS: ReadonlySet<number> = new Set([SLOTS.characters, SLOTS.words, SLOTS.third_vowels])

const TEXT = 1
/** Conditions name them so often that each has a bit. Some are absent from a message without a text. */
export const FLAGS = {
  text: { flag: TEXT, present: 0 },
  report: { flag: 2, present: 0 },
  any_words: { flag: 4, present: TEXT },
  words_differ: { flag: 8, present: TEXT },
  palindrome: { flag: 16, present: TEXT },
} as const

export const isFlag = (name: string): name is keyof typeof FLAGS => Object.hasOwn(FLAGS, name)

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
  /** A bit for each of `FLAGS` that is true. */
  flags = 0
  /** Of the text, if there is one. */
  wordLengths: readonly number[] = []
  /** A bit for each of `TOKEN_KINDS` that the message brought above 0. */
  broughtKinds = 0
  readonly #codes: ReadonlyMap<string, number>
  /** Names of quantities and attributes. */
  readonly #chosen: readonly string[]
  /** Whether the slots have facts of a text, and of tokens, from this message or the one before. */
  #hasText = false
  #hasTokens = false
  readonly #succeeded: number

  constructor(codes: ReadonlyMap<string, number>, chosen: readonly string[]) {
    this.#codes = codes
    this.#chosen = chosen
    this.values = new Float64Array(ONCE + 1 + chosen.length)
    this.values.fill(ABSENT)
    this.values[ONCE] = 1
    this.#succeeded = this.codeOf('succeeded')
  }

  /** `model` is the code of the message's model by the card's aliases. */
  load({ measurement, report, tokens, quantities, attributes, outcome }: Facts, model: number): void {
    const { values } = this
    let flags = 0
    if (measurement === undefined) this.#clearText()
    else flags = this.#loadText(measurement)
    if (tokens === undefined) this.#clearTokens()
    else this.#loadTokens(tokens)
    const cost = report?.credits
    if (cost !== undefined) flags |= FLAGS.report.flag
    this.flags = flags
    values[SLOTS.report_credits] = cost === undefined ? ABSENT : cost / MILLION
    values[SLOTS.model] = model
    values[SLOTS.outcome] = outcome === undefined ? this.#succeeded : this.codeOf(outcome)
    for (let index = 0; index < this.#chosen.length; index++) {
      const name = this.#chosen[index] as string
      const quantity = quantities?.[name]
      values[ONCE + 1 + index] = typeof quantity === 'number' ? quantity : this.codeOf(attributes?.[name])
    }
  }

  codeOf(value: string | boolean | undefined): number {
    if (typeof value === 'string') return this.#codes.get(value) ?? OTHER
    return typeof value === 'boolean' ? (value ? TRUE : FALSE) : ABSENT
  }

  /** The number of words of a length within the band. */
  words(from: number, to: number): number {
    const lengths = this.wordLengths
    const end = to < lengths.length ? to : lengths.length
    let count = 0
    for (let index = from - 1; index < end; index++) count += lengths[index] as number
    return count
  }

  #clearText(): void {
    if (!this.#hasText) return
    this.#hasText = false
    this.values.fill(ABSENT, SLOTS.characters, SLOTS.third_vowels + 1)
  }

  #loadText({ codePoints, wordLengths, thirdVowels, wordsDiffer, palindrome }: Measurement): number {
    const { values } = this
    this.#hasText = true
    let words = 0
    for (let index = 0; index < wordLengths.length; index++) words += wordLengths[index] as number
    this.wordLengths = wordLengths
    values[SLOTS.characters] = codePoints
    values[SLOTS.words] = words
    values[SLOTS.third_vowels] = thirdVowels
    return (
      TEXT |
      (words > 0 ? FLAGS.any_words.flag : 0) |
      (wordsDiffer ? FLAGS.words_differ.flag : 0) |
      (palindrome ? FLAGS.palindrome.flag : 0)
    )
  }

  #clearTokens(): void {
    if (!this.#hasTokens) return
    this.#hasTokens = false
    this.broughtKinds = 0
    this.values.fill(ABSENT, SLOTS.input_tokens, SLOTS.cache_write_1h_tokens + 1)
  }

  #loadTokens({ input, cacheRead, cacheWrite, output, reasoning, cacheWrite1h }: TokenCounts): void {
    const { values } = this
    this.#hasTokens = true
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
}

/** A bit for each of the kinds. */
export const bitsOf = (kinds: readonly TokenKind[]): number =>
  kinds.reduce((bits, kind) => bits | (1 << TOKEN_KINDS.indexOf(kind)), 0)
