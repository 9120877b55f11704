/**
 * Splits a stream of JSON into elements: of `[…]`, of `{"messages":[…]}`, or consecutive objects. It only finds the
 * boundaries; whether an element is valid is for the JSON parser to decide.
 */

/** Bytes that should be one value, and where they start. Lines and columns count from 1; columns count bytes. */
export type JsonElement = { readonly bytes: Buffer; readonly line: number; readonly column: number }

/** Something around the elements is invalid. The message never quotes the input. */
export class BadJsonList extends Error {
  readonly line: number
  readonly column: number

  constructor(line: number, column: number, reason: string) {
    super(reason)
    this.name = 'BadJsonList'
    this.line = line
    this.column = column
  }
}

export class JsonElements {
  readonly #name: string
  readonly #bytesMax: number
  #state: 'between' | 'object' | 'array' | 'listing' | 'around' | 'done' = 'between'
  #depth = 0
  #inString = false
  #isEscaped = false
  #line = 1
  #lineStart = 0
  /** The number of bytes in earlier chunks. */
  #passed = 0
  /** The start of an element whose end has not arrived yet. */
  #pending: Buffer[] = []
  #pendingBytes = 0
  #begin: { readonly line: number; readonly column: number } | undefined
  #isAfterComma = false
  #hadObject = false
  /** Where in the current chunk the unfinished element starts. */
  #from = 0
  /** The last string seen at the top level of an object: the key of the value that follows. */
  #key = ''
  /** The object around a `messages` array, without the array's elements. */
  #around: Buffer[] = []

  /** `name` is the key of the array in `{"messages":[…]}`, `bytesMax` the most that one element may have. */
  constructor(name = 'messages', bytesMax = VALUE_MAX) {
    this.#name = name
    this.#bytesMax = bytesMax
  }

  /** How many bytes are kept of an element that has not ended. */
  get pendingBytes(): number {
    return this.#pendingBytes
  }

  /** Whether the input is known by now to be `{"messages":[…]}`. */
  isListing(): boolean {
    return this.#around.length > 0
  }

  /** The object `{"messages":[…]}` with the array emptied. Parse it after `end`. */
  around(): Buffer | undefined {
    return this.#around.length === 0 ? undefined : Buffer.concat(this.#around)
  }

  /** Throws BadJsonList. */
  push(chunk: Buffer): readonly JsonElement[] {
    const elements: JsonElement[] = []
    this.#from = 0
    for (let at = 0; at < chunk.length; at++) {
      if (this.#inString) {
        at = this.#passString(chunk, at)
        continue
      }
      const byte = chunk[at] as number
      if (byte === SPACE || byte === RETURN || byte === TAB) continue
      if (byte === NEWLINE) this.#endLine(at)
      else if (this.#state === 'array' || this.#state === 'listing') this.#readInArray(chunk, at, byte, elements)
      else if (this.#state === 'object' || this.#state === 'around') this.#readInObject(chunk, at, byte, elements)
      else this.#readBetween(at, byte)
    }
    this.#keep(chunk)
    this.#passed += chunk.length
    return elements
  }

  #readInArray(chunk: Buffer, at: number, byte: number, elements: JsonElement[]): void {
    const isEnd = byte === CLOSE_BRACKET && this.#depth === 0
    if (!isEnd && !(byte === COMMA && this.#depth === 0)) {
      this.#begin ??= this.#placeOf(at)
      this.#passByte(at, byte)
      return
    }
    if (this.#begin !== undefined) elements.push(this.#cut(chunk, at))
    else if (!isEnd || this.#isAfterComma) throw this.#bad(at, 'a value is missing before or after a comma')
    this.#drop()
    this.#isAfterComma = !isEnd
    this.#from = at + 1
    if (!isEnd) return
    // The closing bracket of a listing's array already belongs to the object around it.
    if (this.#state === 'listing') this.#from = at
    this.#depth = this.#state === 'listing' ? 1 : 0
    this.#state = this.#state === 'listing' ? 'around' : 'done'
  }

  #readInObject(chunk: Buffer, at: number, byte: number, elements: JsonElement[]): void {
    if (byte === OPEN_BRACKET && this.#depth === 1 && this.#isListNext()) {
      if (this.#state === 'around') throw this.#bad(at, `duplicate key: ${this.#name}`)
      this.#around = [...this.#pending, Buffer.from(chunk.subarray(this.#from, at + 1))]
      this.#drop()
      this.#state = 'listing'
      this.#depth = 0
      this.#from = at + 1
      return
    }
    if (byte === QUOTE && this.#depth === 1) this.#key = ''
    this.#passByte(at, byte)
    if (this.#depth > 0) return
    if (this.#state === 'object') {
      elements.push(this.#cut(chunk, at + 1))
      this.#drop()
      this.#state = 'between'
    } else {
      this.#around.push(Buffer.from(chunk.subarray(this.#from, at + 1)))
      this.#state = 'done'
    }
  }

  #readBetween(at: number, byte: number): void {
    if (this.#state === 'done') throw this.#bad(at, 'unexpected content after the end of the JSON')
    if (byte === OPEN_BRACKET && !this.#hadObject) {
      this.#state = 'array'
      this.#from = at + 1
    } else if (byte === OPEN_BRACE) {
      this.#hadObject = true
      this.#state = 'object'
      this.#depth = 1
      this.#begin = this.#placeOf(at)
      this.#from = at
    } else {
      throw this.#bad(at, 'must be a JSON object or array')
    }
  }

  /** Call at the end of the input. Throws BadJsonList if it is incomplete. */
  end(): void {
    if (this.#state === 'between' || this.#state === 'done') return
    const { line, column } = this.#begin ?? this.#placeOf(0)
    const what = this.#begin === undefined ? 'the array or object' : 'the value that starts here'
    throw new BadJsonList(line, column, `${what} is never closed; the file may be cut off`)
  }

  #passByte(at: number, byte: number): void {
    if (byte === QUOTE) this.#inString = true
    else if (byte === OPEN_BRACE || byte === OPEN_BRACKET) this.#depth++
    else if ((byte === CLOSE_BRACE || byte === CLOSE_BRACKET) && --this.#depth < 0) {
      throw this.#bad(at, 'unmatched closing bracket')
    }
  }

  #isListNext(): boolean {
    if (!this.#key.includes('\\')) return this.#key === this.#name
    try {
      return JSON.parse(`"${this.#key}"`) === this.#name
    } catch {
      return false
    }
  }

  #endLine(at: number): void {
    this.#line++
    this.#lineStart = this.#passed + at + 1
  }

  /** Most bytes are inside strings, where only escapes, line ends and the closing quote matter. Returns the last position read. */
  #passString(chunk: Buffer, from: number): number {
    const isKey = this.#depth === 1 && (this.#state === 'object' || this.#state === 'around')
    let at = from
    if (this.#isEscaped) {
      this.#isEscaped = false
      at++
    }
    for (; at < chunk.length; at++) {
      const byte = chunk[at]
      if (byte === BACKSLASH) {
        if (at + 1 === chunk.length) this.#isEscaped = true
        at++
      } else if (byte === QUOTE) {
        this.#inString = false
        break
      } else if (byte === NEWLINE) {
        this.#endLine(at)
      }
    }
    if (isKey && this.#key.length < KEY_MAX)
      this.#key += chunk.toString('latin1', from, Math.min(at, chunk.length, from + KEY_MAX))
    return at
  }

  #cut(chunk: Buffer, to: number): JsonElement {
    const last = chunk.subarray(this.#from, to)
    const bytes = this.#pending.length === 0 ? last : Buffer.concat([...this.#pending, last])
    return { bytes: trimmedStart(bytes), ...(this.#begin ?? this.#placeOf(to)) }
  }

  #drop(): void {
    this.#pending = []
    this.#pendingBytes = 0
    this.#begin = undefined
  }

  #keep(chunk: Buffer): void {
    const from = this.#from
    if (this.#state === 'between' || this.#state === 'done' || from >= chunk.length) return
    if (this.#state === 'around') this.#around.push(Buffer.from(chunk.subarray(from)))
    else this.#pending.push(Buffer.from(chunk.subarray(from)))
    this.#pendingBytes += chunk.length - from
    if (this.#pendingBytes <= this.#bytesMax) return
    const { line, column } = this.#begin ?? this.#placeOf(0)
    throw new BadJsonList(line, column, `the value that starts here is longer than ${this.#bytesMax} bytes`)
  }

  #placeOf(at: number): { readonly line: number; readonly column: number } {
    return { line: this.#line, column: this.#passed + at - this.#lineStart + 1 }
  }

  #bad(at: number, reason: string): BadJsonList {
    const { line, column } = this.#placeOf(at)
    return new BadJsonList(line, column, reason)
  }
}

const [QUOTE, BACKSLASH, COMMA] = [0x22, 0x5c, 0x2c]
const [OPEN_BRACE, CLOSE_BRACE, OPEN_BRACKET, CLOSE_BRACKET] = [0x7b, 0x7d, 0x5b, 0x5d]
const [SPACE, TAB, NEWLINE, RETURN] = [0x20, 0x09, 0x0a, 0x0d]
const KEY_MAX = 64
const VALUE_MAX = 128 * 1024 * 1024

/** Drops white space, so that an error's position in the element can be added to the element's own. */
const trimmedStart = (bytes: Buffer): Buffer => {
  let at = 0
  while (bytes[at] === SPACE || bytes[at] === TAB || bytes[at] === NEWLINE || bytes[at] === RETURN) at++
  return at === 0 ? bytes : bytes.subarray(at)
}
