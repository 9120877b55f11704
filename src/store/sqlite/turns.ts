/**
 * Limits how many reads run at once. With a limit of 32 and a queue of 1,000, the 33rd read waits until one of the 32 has
 * finished, in order of arrival; the 1,033rd is rejected. Aborting a read removes it from the queue.
 */
import { StoreBusy } from '#model/errors.ts'

export class Turns {
  readonly #runningMax: number
  readonly #waitingMax: number
  readonly #waiting = new Set<() => void>()
  #running = 0

  constructor(runningMax: number, waitingMax: number) {
    this.#runningMax = runningMax
    this.#waitingMax = waitingMax
  }

  /** Resolves to a function that ends the turn. Throws StoreBusy if the queue is full, or the reason of `signal`. */
  async enter(signal: AbortSignal | undefined): Promise<() => void> {
    signal?.throwIfAborted()
    if (this.#running < this.#runningMax) this.#running++
    else await this.#wait(signal)
    return () => this.#leave()
  }

  #leave(): void {
    const [next] = this.#waiting
    if (next === undefined) this.#running--
    // The next read in the queue takes this one's place, so the number of running reads stays the same.
    else next()
  }

  #wait(signal: AbortSignal | undefined): Promise<void> {
    if (this.#waiting.size >= this.#waitingMax) {
      throw new StoreBusy('Too many reads are waiting for the database. Try again in a second.')
    }
    return new Promise((resolve, reject) => {
      const enter = (): void => {
        this.#waiting.delete(enter)
        signal?.removeEventListener('abort', giveUp)
        resolve()
      }
      const giveUp = (): void => {
        this.#waiting.delete(enter)
        reject(signal?.reason)
      }
      this.#waiting.add(enter)
      signal?.addEventListener('abort', giveUp, { once: true })
    })
  }
}
