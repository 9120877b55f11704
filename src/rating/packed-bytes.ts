/** Writes and reads packed values: bytes, numbers as LEB128 (https://en.wikipedia.org/wiki/LEB128), and texts as UTF-8 after their length. */

/** Many packed values share one buffer: a buffer of its own is ten times as large as what is in it. */
const SHARED_BYTES = 8192
/** A longer value gets a buffer of its own. */
const SMALL_BYTES = 1024

let shared = new Uint8Array(SHARED_BYTES)
let sharedUsed = 0
/** Where a value is written before its length is known. Grows, and is used again for the next value. */
let draft = new Uint8Array(SMALL_BYTES)

const encoder = new TextEncoder()
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** Write one value at a time: all of them use the same draft. */
export class BytesWriter {
  #used = 0

  byte(value: number): void {
    this.#reserve(1)
    draft[this.#used++] = value
  }

  /** A safe integer from 0. */
  number(value: number): void {
    if (!Number.isSafeInteger(value) || value < 0) throw new RangeError(`cannot be packed: ${value}`)
    let left = value
    while (left >= 0x80) {
      this.byte((left % 0x80) | 0x80)
      left = Math.floor(left / 0x80)
    }
    this.byte(left)
  }

  /** Bytes after their number. */
  bytes(value: Uint8Array): void {
    this.number(value.length)
    this.#reserve(value.length)
    for (let index = 0; index < value.length; index++) draft[this.#used++] = value[index] as number
  }

  text(value: string): void {
    const start = this.#used
    this.number(value.length)
    this.#reserve(value.length)
    for (let index = 0; index < value.length; index++) {
      const unit = value.charCodeAt(index)
      // Hardly any name has other characters than ASCII.
      if (unit >= 0x80) {
        this.#used = start
        this.bytes(encoder.encode(value))
        return
      }
      draft[this.#used++] = unit
    }
  }

  end(): Uint8Array {
    const length = this.#used
    if (length > SMALL_BYTES) return draft.slice(0, length)
    if (sharedUsed + length > SHARED_BYTES) {
      shared = new Uint8Array(SHARED_BYTES)
      sharedUsed = 0
    }
    // A loop, because a view of so few bytes takes longer than copying them.
    for (let index = 0; index < length; index++) shared[sharedUsed++] = draft[index] as number
    return shared.subarray(sharedUsed - length, sharedUsed)
  }

  #reserve(more: number): void {
    if (this.#used + more <= draft.length) return
    const larger = new Uint8Array(2 * (this.#used + more))
    larger.set(draft.subarray(0, this.#used))
    draft = larger
  }
}

/** Every method throws a RangeError if the bytes end too early or are not what it reads. */
export class BytesReader {
  readonly #from: Uint8Array
  #at = 0

  constructor(from: Uint8Array) {
    this.#from = from
  }

  byte(): number {
    const value = this.#from[this.#at++]
    if (value === undefined) throw new RangeError('a packed value ends too early')
    return value
  }

  number(): number {
    let number = 0
    let weight = 1
    for (;;) {
      const byte = this.byte()
      number += (byte & 0x7f) * weight
      if (number > Number.MAX_SAFE_INTEGER) throw new RangeError('a packed number is too large')
      if (byte < 0x80) return number
      weight *= 0x80
    }
  }

  bytes(): Uint8Array {
    const length = this.number()
    const start = this.#at
    this.#at += length
    if (this.#at > this.#from.length) throw new RangeError('a packed value ends too early')
    return this.#from.subarray(start, this.#at)
  }

  text(): string {
    const bytes = this.bytes()
    try {
      return decoder.decode(bytes)
    } catch (cause) {
      throw new RangeError('a packed text is not UTF-8', { cause })
    }
  }

  /** How many bytes are left. */
  left(): number {
    return this.#from.length - this.#at
  }

  end(): void {
    if (this.#at !== this.#from.length) throw new RangeError('a packed value is followed by other bytes')
  }
}
