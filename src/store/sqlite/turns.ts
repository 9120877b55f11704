/** Lets so many in at one time. Others wait for their turn, up to a number, and leave the line if they no longer want it. */
import { StoreBusy } from '#model/errors.ts'

export class Turns {
  readonly #insideMax: number
  readonly #waitingMax: number
  readonly #waiting = new Set<() => void>()
  #inside = 0

  constructor(insideMax: number, waitingMax: number) {
    this.#insideMax = insideMax
    this.#waitingMax = waitingMax
  }

  /** Resolves to what ends the turn. Throws StoreBusy if too many wait, or the reason of `signal`. */
  async enter(signal: AbortSignal | undefined): Promise<() => void> {
    signal?.throwIfAborted()
    if (this.#inside < this.#insideMax) this.#inside++
    else await this.#wait(signal)
    return () => this.#leave()
  }

  #leave(): void {
    const [next] = this.#waiting
    if (next === undefined) this.#inside--
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
