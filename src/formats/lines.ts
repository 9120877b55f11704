/** Splits a stream of bytes into lines. */
import { CollectedBytes } from './collected-bytes.ts'

export type Line = {
  /** Counts from 1. */
  readonly number: number
  /** Without its line end. Undefined if the line is too long, because its bytes are not kept. */
  readonly bytes: Uint8Array | undefined
}

export type LineSplitterSettings = {
  /** The byte that ends a line. A carriage return before it is part of the line. */
  readonly end?: number
  readonly bytesMax?: number
}

export class LineSplitter {
  readonly #end: number
  readonly #bytesMax: number
  /** The start of a line whose end has not arrived yet. */
  readonly #pending = new CollectedBytes()
  #isTooLong = false
  #number = 0
  #bytesPassed = 0

  constructor({ end = NEWLINE, bytesMax = Number.POSITIVE_INFINITY }: LineSplitterSettings = {}) {
    this.#end = end
    this.#bytesMax = bytesMax
  }

  /** How many bytes are no longer kept: those of all lines so far, and of an unfinished line that is already too long. */
  get bytesPassed(): number {
    return this.#bytesPassed
  }

  /** The lines that end in the chunk. Take all of them before the next call. */
  *push(chunk: Uint8Array): Generator<Line> {
    let from = 0
    for (let at = chunk.indexOf(this.#end); at >= 0; at = chunk.indexOf(this.#end, from)) {
      this.#bytesPassed++
      yield this.#endLine(chunk.subarray(from, at))
      from = at + 1
    }
    if (from < chunk.length) this.#keep(chunk.subarray(from))
  }

  /** The last line, if the input does not end with a line end. */
  end(): Line | undefined {
    return this.#pending.length > 0 || this.#isTooLong ? this.#endLine(new Uint8Array()) : undefined
  }

  #endLine(tail: Uint8Array): Line {
    const length = this.#pending.length + tail.length
    const isWhole = !this.#isTooLong && length <= this.#bytesMax
    this.#isTooLong = false
    this.#number++
    this.#bytesPassed += length
    if (isWhole) return { number: this.#number, bytes: this.#joined(tail) }
    this.#pending.clear()
    return { number: this.#number, bytes: undefined }
  }

  #joined(tail: Uint8Array): Uint8Array {
    if (this.#pending.length === 0) return tail
    this.#pending.push(tail)
    return this.#pending.take()
  }

  #keep(part: Uint8Array): void {
    if (!this.#isTooLong && this.#pending.length + part.length <= this.#bytesMax) {
      this.#pending.push(part)
      return
    }
    this.#isTooLong = true
    this.#bytesPassed += this.#pending.length + part.length
    this.#pending.clear()
  }
}

const NEWLINE = 0x0a
