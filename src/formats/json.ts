/**
 * Parses JSON as I-JSON (RFC 7493): UTF-8 only, and no duplicate keys. Of two equal keys, JSON.parse keeps the last and other
 * parsers the first. When a value decides what is charged, guessing is not an option.
 */

export type JsonFault = 'not-utf-8' | 'not-json' | 'duplicate-key'

/** `line` and `column` count from 1, `byte` from 0. `column` counts UTF-16 units, as editors do. */
export type JsonPlace = { readonly byte: number; readonly line: number; readonly column: number }

export type JsonPath = readonly (string | number)[]

/** Says what is wrong with the JSON. Keys are quoted, long ones shortened; values never are. */
export class InvalidJson extends Error {
  readonly fault: JsonFault
  /** Completes "must be". */
  readonly expected: string
  readonly place: JsonPlace | undefined
  /** The path of the duplicate key, from the root. */
  readonly path: JsonPath | undefined

  constructor(fault: JsonFault, where: { readonly place?: JsonPlace | undefined; readonly path?: JsonPath } = {}) {
    const expected = expectedOf(fault, where.path)
    super(`must be ${expected}`)
    this.name = 'InvalidJson'
    this.fault = fault
    this.expected = expected
    this.place = where.place
    this.path = where.path
  }
}

const expectedOf = (fault: JsonFault, path: JsonPath = []): string => {
  if (fault === 'not-utf-8') return 'valid UTF-8'
  if (fault === 'not-json') return 'valid JSON'
  return `JSON without duplicate keys; ${toPathText(path)} appears twice`
}

/** Formats a path as `messages[3].id`, or `messages[3]["a b"]` if a key is not a plain name. */
export const toPathText = (path: JsonPath): string => {
  const shown =
    path.length <= STEPS_MAX ? path : [...path.slice(0, STEPS_MAX / 2), undefined, ...path.slice(-STEPS_MAX / 2)]
  return shown
    .map((step, index) => {
      if (step === undefined) return index === 0 ? '…' : '.…'
      if (typeof step === 'number') return `[${step}]`
      const key = step.length > KEY_SHOWN_MAX ? `${step.slice(0, KEY_SHOWN_MAX)}…` : step
      if (!/^[\w-]+…?$/.test(key)) return `[${JSON.stringify(key.toWellFormed())}]`
      return index === 0 ? key : `.${key}`
    })
    .join('')
}

const STEPS_MAX = 12
const KEY_SHOWN_MAX = 50

export type ReadJsonOptions = {
  /** Whether the bytes start the stream: there, a byte order mark is ignored, as RFC 8259 allows. Default true. */
  readonly isStart?: boolean
}

/** Throws InvalidJson. Takes time linear in the input, even for hostile input. */
export const readJson = (bytes: Uint8Array, { isStart = true }: ReadJsonOptions = {}): unknown => {
  const text = decode(bytes, isStart)
  const placeAt = (index: number): JsonPlace => placeIn(text, index, isStart && hasMark(bytes) ? MARK_BYTES : 0)
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    const index = failedAt(error, text)
    throw new InvalidJson('not-json', { place: index === undefined ? undefined : placeAt(index) })
  }
  // If the text has as many keys as the parsed value, there is no duplicate, and no names need comparing: `{"a":1,"a":2}`
  // has two in the text and one in the value. `keysAtMost` may overcount, so a mismatch still needs the real search.
  if (keysAtMost(text) !== keysHeld(value)) {
    const twice = findKeyTwice(text)
    if (twice !== undefined) throw new InvalidJson('duplicate-key', { place: placeAt(twice.index), path: twice.path })
  }
  return value
}

const decoder = new TextDecoder('utf-8', { fatal: true })
const innerDecoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

const decode = (bytes: Uint8Array, isStart: boolean): string => {
  try {
    return (isStart ? decoder : innerDecoder).decode(bytes)
  } catch {
    throw new InvalidJson('not-utf-8', { place: placeOfBadByte(bytes) })
  }
}

/**
 * Counts the keys in valid JSON, or a few more: it counts colons after an unescaped quote, so a string that starts with a
 * colon counts too. It is fast because `indexOf` finds colons many characters at a time.
 */
const keysAtMost = (text: string): number => {
  let count = 0
  for (let colon = text.indexOf(':'); colon >= 0; colon = text.indexOf(':', colon + 1)) {
    let at = colon - 1
    let code = text.charCodeAt(at)
    while (code === SPACE || code === NEWLINE || code === RETURN || code === TAB) code = text.charCodeAt(--at)
    if (code !== QUOTE) continue
    let before = at - 1
    while (text.charCodeAt(before) === BACKSLASH) before--
    // An even number of backslashes escape each other, which leaves the quote unescaped.
    if ((at - before) % 2 === 1) count++
  }
  return count
}

/** The position after the closing quote of the string that starts at `open`. */
const endOfString = (text: string, open: number): number => {
  let from = open + 1
  for (;;) {
    const quote = text.indexOf('"', from)
    let before = quote - 1
    while (before >= from && text.charCodeAt(before) === BACKSLASH) before--
    // As above: after an even number of backslashes, the quote is unescaped.
    if ((quote - before) % 2 === 1) return quote + 1
    from = quote + 1
  }
}

/** Counts the keys of all objects in a value. Not recursive, because JSON can be nested deeper than the call stack. */
const keysHeld = (root: unknown): number => {
  let count = 0
  const waiting: unknown[] = [root]
  while (waiting.length > 0) {
    const value = waiting.pop()
    if (Array.isArray(value)) {
      for (const each of value) if (typeof each === 'object' && each !== null) waiting.push(each)
    } else if (typeof value === 'object' && value !== null) {
      const record = value as Readonly<Record<string, unknown>>
      for (const key in record) {
        count++
        const each = record[key]
        if (typeof each === 'object' && each !== null) waiting.push(each)
      }
    }
  }
  return count
}

/** An object or array that is still open. `step` is the key or index being read in it. */
type Open =
  | { readonly isObject: true; readonly keys: Set<string>; step: string; isKeyNext: boolean }
  | { readonly isObject: false; step: number }

/** Finds the first duplicate key in valid JSON. Slow: called only if the counts differ. */
const findKeyTwice = (text: string): { readonly index: number; readonly path: JsonPath } | undefined => {
  const around: Open[] = []
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at)
    const inner = around.at(-1)
    if (code === OPEN_BRACE) {
      around.push({ isObject: true, keys: new Set(), step: '', isKeyNext: true })
    } else if (code === OPEN_BRACKET) {
      around.push({ isObject: false, step: 0 })
    } else if (code === CLOSE_BRACE || code === CLOSE_BRACKET) {
      around.pop()
    } else if (code === COMMA && inner !== undefined) {
      if (inner.isObject) inner.isKeyNext = true
      else inner.step++
    } else if (code === QUOTE) {
      const end = endOfString(text, at)
      if (inner?.isObject === true && inner.isKeyNext) {
        inner.isKeyNext = false
        inner.step = JSON.parse(text.slice(at, end)) as string
        if (inner.keys.has(inner.step)) return { index: at, path: around.map(({ step }) => step) }
        inner.keys.add(inner.step)
      }
      at = end - 1
    }
  }
  return undefined
}

const [SPACE, NEWLINE, RETURN, TAB] = [0x20, 0x0a, 0x0d, 0x09]
const [QUOTE, COMMA, BACKSLASH] = [0x22, 0x2c, 0x5c]
const [OPEN_BRACE, CLOSE_BRACE, OPEN_BRACKET, CLOSE_BRACKET] = [0x7b, 0x7d, 0x5b, 0x5d]

/**
 * The index at which JSON.parse gave up, if its error says so. That error quotes the input, which may be a message's text, so
 * only the number at its end is used.
 */
const failedAt = (error: unknown, text: string): number | undefined => {
  const message = error instanceof Error ? error.message : ''
  if (message === 'Unexpected end of JSON input') return text.length
  const [, index] = /JSON at position (\d+)(?: \(line \d+ column \d+\))?$/.exec(message) ?? []
  return index === undefined ? undefined : Number(index)
}

const placeIn = (text: string, index: number, bytesBefore: number): JsonPlace => {
  const before = text.slice(0, index)
  const lineStart = before.lastIndexOf('\n') + 1
  return {
    byte: bytesBefore + Buffer.byteLength(before),
    line: before.split('\n').length,
    column: index - lineStart + 1,
  }
}

/** The first byte that makes the input invalid UTF-8: a binary search for the longest prefix that could still become valid. */
const placeOfBadByte = (bytes: Uint8Array): JsonPlace => {
  let [good, bad] = [0, bytes.length]
  while (good < bad) {
    const middle = Math.ceil((good + bad) / 2)
    if (isBeginning(bytes.subarray(0, middle))) good = middle
    else bad = middle - 1
  }
  const text = innerLenient.decode(bytes.subarray(0, good))
  return { ...placeIn(text, text.length, 0), byte: good }
}

const innerLenient = new TextDecoder('utf-8', { ignoreBOM: true })

const isBeginning = (bytes: Uint8Array): boolean => {
  try {
    new TextDecoder('utf-8', { fatal: true }).decode(bytes, { stream: true })
    return true
  } catch {
    return false
  }
}

const MARK_BYTES = 3
const hasMark = (bytes: Uint8Array): boolean => bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf
