/**
 * Parses `{"messages":[…]}` as it arrives, so that a large listing is never in memory as a whole and never blocks the process
 * while it is parsed. This code only splits the bytes at the commas between elements. `readJson` parses the parts and the
 * object around them, and it alone decides what is valid.
 */
import { InvalidJson, readJson, toPathText } from './json.ts'

/** The bytes are not the JSON that they should be. The message names keys and positions, never values. */
export class MalformedDocument extends Error {
  constructor(reason: string) {
    super(reason)
    this.name = 'MalformedDocument'
  }
}

/** Receives the next elements of the array and the index of the first one. */
export type TakeElements = (elements: readonly unknown[], first: number) => void

export class JsonListing {
  readonly #takeElements: TakeElements
  #state: 'before' | 'inside' | 'after' = 'before'
  /** How many brackets are open: inside the array, only those of the current element count. */
  #depth = 0
  #inString = false
  #isEscaped = false
  /** The last string at the top level, which is the key of a bracket that follows it. */
  #key: number[] = []
  /** The bytes around the elements: `{"messages":[]}` in most listings. */
  #around: Uint8Array[] = []
  #aroundBytes = 0
  /** The start of an element whose end has not arrived yet. */
  #pending: Uint8Array[] = []
  #count = 0
  #isCut = false

  constructor(takeElements: TakeElements) {
    this.#takeElements = takeElements
  }

  /** Throws MalformedDocument, and any error that `takeElements` throws. */
  push(chunk: Uint8Array): void {
    let at = 0
    while (at < chunk.length) at = this.#state === 'inside' ? this.#readInside(chunk, at) : this.#readAround(chunk, at)
  }

  /** Call at the end of the input. Throws MalformedDocument if the listing is incomplete or is not a listing. */
  end(): void {
    if (this.#state === 'inside') throw new MalformedDocument('the listing ends inside its "messages" array')
    const root = parseJson(this.#around, 'the listing')
    const messages = typeof root === 'object' && root !== null && 'messages' in root ? root.messages : undefined
    if (!Array.isArray(messages) || this.#state === 'before') {
      throw new MalformedDocument('the listing must be an object with a "messages" array')
    }
  }

  #readAround(chunk: Uint8Array, from: number): number {
    for (let at = from; at < chunk.length; at++) {
      const byte = chunk[at] as number
      if (this.#inString) {
        this.#readInString(byte)
      } else if (byte === QUOTE) {
        this.#inString = true
        if (this.#depth === 1) this.#key = []
      } else if (byte === CLOSE_BRACE || byte === CLOSE_BRACKET) {
        this.#depth--
      } else if (byte === OPEN_BRACE || byte === OPEN_BRACKET) {
        this.#depth++
        if (byte === OPEN_BRACE || this.#depth !== 2 || !this.#isMessagesNext()) continue
        if (this.#state === 'after') throw new MalformedDocument('the listing has a duplicate key: messages')
        this.#keepAround(chunk.subarray(from, at + 1))
        this.#state = 'inside'
        this.#depth = 0
        return at + 1
      }
    }
    this.#keepAround(chunk.subarray(from))
    return chunk.length
  }

  #readInString(byte: number): void {
    if (this.#isEscaped) this.#isEscaped = false
    else if (byte === BACKSLASH) this.#isEscaped = true
    else if (byte === QUOTE) this.#inString = false
    if (this.#depth === 1 && this.#inString && this.#key.length < KEY_MAX) this.#key.push(byte)
  }

  #isMessagesNext(): boolean {
    const key = String.fromCharCode(...this.#key)
    return key === 'messages' || (key.includes('\\') && parseKey(key) === 'messages')
  }

  #keepAround(bytes: Uint8Array): void {
    this.#aroundBytes += bytes.length
    if (this.#aroundBytes > AROUND_MAX) {
      throw new MalformedDocument(`the listing has more than ${AROUND_MAX} bytes outside its "messages" array`)
    }
    this.#around.push(bytes.slice())
  }

  /** The hot loop: finds strings, brackets and the commas between elements, and passes on complete elements. */
  #readInside(chunk: Uint8Array, from: number): number {
    let depth = this.#depth
    let inString = this.#inString
    let isEscaped = this.#isEscaped
    let cut = -1
    let at = from
    const end = chunk.length
    for (; at < end; at++) {
      if (inString) {
        if (isEscaped) {
          isEscaped = false
          continue
        }
        // Most bytes are inside strings, where only escapes and the closing quote matter.
        while (at < end && chunk[at] !== QUOTE && chunk[at] !== BACKSLASH) at++
        if (at === end) break
        if (chunk[at] === BACKSLASH) isEscaped = true
        else inString = false
        continue
      }
      const byte = chunk[at] as number
      if (byte === QUOTE) {
        inString = true
      } else if (byte === COMMA) {
        if (depth === 0) cut = at
      } else if (byte === OPEN_BRACE || byte === OPEN_BRACKET) {
        depth++
      } else if (byte === CLOSE_BRACE || byte === CLOSE_BRACKET) {
        if (depth === 0) break
        depth--
      }
    }
    if (at < end) {
      this.#passOn(chunk.subarray(from, at), true)
      this.#state = 'after'
      this.#depth = 2
      this.#inString = false
      return at
    }
    this.#depth = depth
    this.#inString = inString
    this.#isEscaped = isEscaped
    if (cut >= 0) this.#passOn(chunk.subarray(from, cut), false)
    this.#pending.push(chunk.slice(cut < 0 ? from : cut + 1))
    return chunk.length
  }

  #passOn(bytes: Uint8Array, isLast: boolean): void {
    const wasCut = this.#isCut
    this.#isCut = !isLast
    const parts = [...this.#pending, bytes]
    this.#pending = []
    const where = `the "messages" array${this.#count === 0 ? '' : ` from messages[${this.#count}] on`}`
    if (parts.every(isBlank)) {
      if (isLast && !wasCut && this.#count === 0) return
      throw new MalformedDocument(`${where} ${IS_NOT_JSON}`)
    }
    const elements = parseJson([OPENING, ...parts, CLOSING], where, this.#count) as readonly unknown[]
    this.#takeElements(elements, this.#count)
    this.#count += elements.length
  }
}

const [QUOTE, BACKSLASH, COMMA] = [0x22, 0x5c, 0x2c]
const [OPEN_BRACE, CLOSE_BRACE, OPEN_BRACKET, CLOSE_BRACKET] = [0x7b, 0x7d, 0x5b, 0x5d]
const [OPENING, CLOSING] = [Uint8Array.of(OPEN_BRACKET), Uint8Array.of(CLOSE_BRACKET)]

/** A longer key cannot be `messages`, even if every character is escaped. */
const KEY_MAX = 64
const AROUND_MAX = 4 * 1024 * 1024
const IS_NOT_JSON = 'is not valid JSON'

/** If the bytes are elements of `messages`, `first` is the index of the first one. Throws MalformedDocument. */
export const parseJson = (parts: readonly Uint8Array[], where: string, first?: number): unknown => {
  try {
    return readJson(parts.length === 1 ? (parts[0] as Uint8Array) : Buffer.concat(parts))
  } catch (error) {
    if (!(error instanceof InvalidJson)) throw error
    throw new MalformedDocument(reasonOf(error, where, first))
  }
}

const reasonOf = ({ fault, path = [] }: InvalidJson, where: string, first: number | undefined): string => {
  if (fault === 'not-utf-8') return `${where} is not valid UTF-8`
  if (fault === 'not-json') return `${where} ${IS_NOT_JSON}`
  if (first === undefined) return `${where} has a duplicate key: ${toPathText(path)}`
  const [index, ...rest] = path
  return `the listing has a duplicate key: ${toPathText(['messages', first + Number(index), ...rest])}`
}

const parseKey = (escaped: string): unknown => {
  try {
    return JSON.parse(`"${escaped}"`)
  } catch {
    return undefined
  }
}

const isBlank = (bytes: Uint8Array): boolean =>
  bytes.every((byte) => byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09)
