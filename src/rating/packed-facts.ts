/**
 * Packs the facts of a message into the few bytes that are kept with its charge. The first byte says how: 0 to 3 are the packed
 * measurement of a text and nothing else (`packed-measurement.ts`), `FACTS` is followed by a byte that says which facts there
 * are, then by each of them. Numbers are LEB128, texts UTF-8 after their length. A usual message with tokens takes 30 bytes.
 */
import { credits, creditsFromDecimal, toDecimal } from '#model/credits.ts'
import { type Facts, OUTCOMES, type TokenCounts } from '#model/facts.ts'
import type { Id } from '#model/report.ts'
import { BytesReader, BytesWriter } from './packed-bytes.ts'
import { packMeasurement, unpackMeasurement } from './packed-measurement.ts'

const FACTS = 4

/** Which facts there are. */
const MEASUREMENT = 1
const REPORT = 2
const MODEL = 4
const TOKENS = 8
const QUANTITIES = 16
const ATTRIBUTES = 32
const OUTCOME = 64

export const packFacts = (facts: Facts): Uint8Array => {
  const { measurement, report, model, tokens, quantities, attributes, outcome } = facts
  const present =
    (measurement === undefined ? 0 : MEASUREMENT) |
    (report === undefined ? 0 : REPORT) |
    (model === undefined ? 0 : MODEL) |
    (tokens === undefined ? 0 : TOKENS) |
    (quantities === undefined ? 0 : QUANTITIES) |
    (attributes === undefined ? 0 : ATTRIBUTES) |
    (outcome === undefined ? 0 : OUTCOME)
  if (measurement !== undefined && present === MEASUREMENT) return packMeasurement(measurement)
  const to = new BytesWriter()
  to.byte(FACTS)
  to.byte(present)
  if (measurement !== undefined) to.bytes(packMeasurement(measurement))
  if (report !== undefined) writeReport(to, report)
  if (model !== undefined) to.text(model)
  if (tokens !== undefined) writeTokens(to, tokens)
  if (quantities !== undefined) writeQuantities(to, quantities)
  if (attributes !== undefined) writeAttributes(to, attributes)
  if (outcome !== undefined) to.byte(OUTCOMES.indexOf(outcome))
  return to.end()
}

/** Throws a RangeError if the bytes are not packed facts. */
export const unpackFacts = (bytes: Uint8Array): Facts => {
  if (bytes.length > 0 && (bytes[0] ?? 0) < FACTS) return { measurement: unpackMeasurement(bytes) }
  const from = new BytesReader(bytes)
  if (from.byte() !== FACTS) throw new RangeError('not packed facts')
  const present = from.byte()
  if (present > ALL) throw new RangeError('packed facts of an unknown kind')
  const facts = {
    ...((present & MEASUREMENT) !== 0 && { measurement: unpackMeasurement(from.bytes()) }),
    ...((present & REPORT) !== 0 && { report: readReport(from) }),
    ...((present & MODEL) !== 0 && { model: from.text() }),
    ...((present & TOKENS) !== 0 && { tokens: readTokens(from) }),
    ...((present & QUANTITIES) !== 0 && { quantities: readQuantities(from) }),
    ...((present & ATTRIBUTES) !== 0 && { attributes: readAttributes(from) }),
    ...((present & OUTCOME) !== 0 && { outcome: readOutcome(from) }),
  }
  from.end()
  return facts
}

const ALL = MEASUREMENT | REPORT | MODEL | TOKENS | QUANTITIES | ATTRIBUTES | OUTCOME

const STRING_ID = 1
const NEGATIVE_ID = 2
const CREDITS = 4
const NEGATIVE_CREDITS = 8

const writeReport = (to: BytesWriter, { id, credits: price }: NonNullable<Facts['report']>): void => {
  const idKind = typeof id === 'string' ? STRING_ID : id < 0 ? NEGATIVE_ID : 0
  to.byte(idKind | (price === undefined ? 0 : CREDITS) | ((price ?? 0) < 0 ? NEGATIVE_CREDITS : 0))
  if (typeof id === 'string') to.text(id)
  else to.number(Math.abs(id))
  if (price !== undefined) to.number(Math.abs(price))
}

const readReport = (from: BytesReader): NonNullable<Facts['report']> => {
  const kind = from.byte()
  const id: Id = (kind & STRING_ID) !== 0 ? from.text() : signed(from.number(), (kind & NEGATIVE_ID) !== 0)
  if ((kind & CREDITS) === 0) return { id }
  return { id, credits: credits(signed(from.number(), (kind & NEGATIVE_CREDITS) !== 0)) }
}

const signed = (number: number, isNegative: boolean): number => (isNegative ? -number : number)

/** In this order for good: a byte says which of them are not 0. */
const COUNTS = ['input', 'cacheRead', 'cacheWrite', 'output', 'reasoning', 'cacheWrite1h'] as const

const writeTokens = (to: BytesWriter, tokens: TokenCounts): void => {
  to.byte(COUNTS.reduce((bits, name, bit) => bits | (tokens[name] === 0 ? 0 : 1 << bit), 0))
  for (const name of COUNTS) if (tokens[name] !== 0) to.number(tokens[name])
}

const readTokens = (from: BytesReader): TokenCounts => {
  const bits = from.byte()
  if (bits >= 1 << COUNTS.length) throw new RangeError('packed counts of an unknown kind')
  const next = (bit: number): number => ((bits & (1 << bit)) === 0 ? 0 : from.number())
  return {
    input: next(0),
    cacheRead: next(1),
    cacheWrite: next(2),
    output: next(3),
    reasoning: next(4),
    cacheWrite1h: next(5),
  }
}

/** The length of a name is in the lower six bits of the byte before it. */
const NAME_LENGTH = 63
/** The number is in millionths. */
const MILLIONTHS = 64
/** The value is a boolean, and true. */
const FLAG = 64
const TRUE = 128

const writeQuantities = (to: BytesWriter, quantities: NonNullable<Facts['quantities']>): void => {
  const entries = Object.entries(quantities)
  to.number(entries.length)
  for (const [name, value] of entries) {
    const isWhole = Number.isSafeInteger(value)
    writeName(to, name, isWhole ? 0 : MILLIONTHS)
    to.number(isWhole ? value : (creditsFromDecimal(value) ?? Number.NaN))
  }
}

const readQuantities = (from: BytesReader): NonNullable<Facts['quantities']> =>
  Object.fromEntries(
    Array.from({ length: entriesIn(from) }, () => {
      const [name, kind] = readName(from)
      const number = from.number()
      return [name, kind === MILLIONTHS ? Number(toDecimal(credits(number))) : number]
    }),
  )

const writeAttributes = (to: BytesWriter, attributes: NonNullable<Facts['attributes']>): void => {
  const entries = Object.entries(attributes)
  to.number(entries.length)
  for (const [name, value] of entries) {
    writeName(to, name, typeof value === 'string' ? 0 : FLAG | (value ? TRUE : 0))
    if (typeof value === 'string') to.text(value)
  }
}

const readAttributes = (from: BytesReader): NonNullable<Facts['attributes']> =>
  Object.fromEntries(
    Array.from({ length: entriesIn(from) }, () => {
      const [name, kind] = readName(from)
      return [name, (kind & FLAG) === 0 ? from.text() : (kind & TRUE) !== 0]
    }),
  )

/** An entry takes at least two bytes, so a broken count cannot make a huge array. */
const entriesIn = (from: BytesReader): number => {
  const count = from.number()
  if (count > from.left()) throw new RangeError('a packed value ends too early')
  return count
}

/** `kind` is in the bits above the length. */
const writeName = (to: BytesWriter, name: string, kind: number): void => {
  if (!NAME.test(name)) throw new RangeError('a name cannot be packed')
  to.byte(name.length | kind)
  for (let at = 0; at < name.length; at++) to.byte(name.charCodeAt(at))
}

const NAME = /^[\x20-\x7e]{1,63}$/

const readName = (from: BytesReader): readonly [name: string, kind: number] => {
  const head = from.byte()
  let name = ''
  for (let left = head & NAME_LENGTH; left > 0; left--) name += String.fromCharCode(from.byte())
  return [name, head & ~NAME_LENGTH]
}

const readOutcome = (from: BytesReader): NonNullable<Facts['outcome']> => {
  const outcome = OUTCOMES[from.byte()]
  if (outcome === undefined || outcome === 'succeeded') throw new RangeError('a packed outcome is unknown')
  return outcome
}
