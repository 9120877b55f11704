/**
 * Collects chunks in one growing buffer. A list of chunks would be cheaper to append to, but a client that sends single bytes
 * would make the service hold two hundred times the memory that it counts.
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
      // The first chunk is often the only one, so it gets a buffer of exactly its size.
      const larger = Buffer.allocUnsafe(this.#length === 0 ? length : Math.max(length, this.#bytes.length * 2))
      larger.set(this.#bytes.subarray(0, this.#length))
      this.#bytes = larger
    }
    this.#bytes.set(piece, this.#length)
    this.#length = length
  }

  /** Returns all bytes and empties the collection. */
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
