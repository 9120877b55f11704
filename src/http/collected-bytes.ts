/**
 * Bytes that arrive in pieces, held in one piece. Pieces of one byte, each an object of its own, would take far more
 * memory than they are counted as.
 */
export class CollectedBytes {
  #bytes: Uint8Array = EMPTY
  #length = 0

  get length(): number {
    return this.#length
  }

  push(piece: Uint8Array): void {
    const length = this.#length + piece.length
    if (length > this.#bytes.length) {
      // The first piece is often the last: then it is copied once, to its size.
      const larger = Buffer.allocUnsafe(this.#length === 0 ? length : Math.max(length, this.#bytes.length * 2))
      larger.set(this.#bytes.subarray(0, this.#length))
      this.#bytes = larger
    }
    this.#bytes.set(piece, this.#length)
    this.#length = length
  }

  /** All of it; the collection is empty then. */
  take(): Uint8Array {
    const bytes = this.#bytes.subarray(0, this.#length)
    this.clear()
    return bytes
  }

  clear(): void {
    this.#bytes = EMPTY
    this.#length = 0
  }
}

const EMPTY = new Uint8Array()
