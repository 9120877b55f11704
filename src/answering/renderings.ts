/**
 * The usage that is rendered in memory: in progress, being read, or cached for the next reader. Its total size is limited.
 * Rendering stops once every reader has left.
 */
import { StoreBusy } from '#model/errors.ts'
import { isLong, type LongReadings } from './long-readings.ts'

/** Receives how many long reads and renderings are in progress, and how many bytes of rendered usage are in memory. */
export type RenderingObserver = {
  readonly longReadings: (underWay: number) => void
  readonly renderings: (now: { readonly underWay: number; readonly bytes: number }) => void
  readonly rendered: (outcome: 'complete' | 'abandoned' | 'failed') => void
}

export type Rendering<T> = {
  /** Identifies the organization and range that were rendered. `version` identifies their state. */
  readonly key: string
  readonly version: number
  readonly usage: Promise<T>
  readonly isComplete: boolean
}

export type NewRendering = {
  readonly key: string
  readonly version: number
  /** The largest number of messages that it can contain, from which its size is estimated in advance. */
  readonly messages: number
  /** Aborted when the last reader leaves before it is complete. */
  readonly ending: AbortController
}

export type RenderingsNeeds<T> = {
  readonly bytesMax: number
  /** What a message of a rendering in progress is assumed to take. */
  readonly bytesPerMessage: number
  /** The size now. It grows: compressed forms are added later. */
  readonly sizeOf: (usage: T) => number
  readonly longReadings: LongReadings
  readonly observe: RenderingObserver
}

type Entry<T> = Omit<Rendering<T>, 'isComplete'> & {
  readonly ending: AbortController
  readonly settle: PromiseWithResolvers<T>
  readonly endReading: () => void
  isComplete: boolean
  value?: T
  readers: number
  bytes: number
}

export class Renderings<T> {
  readonly #needs: RenderingsNeeds<T>
  /** By key and version, least recently requested first. */
  readonly #entries = new Map<string, Entry<T>>()
  #bytes = 0
  #underWay = 0

  constructor(needs: RenderingsNeeds<T>) {
    this.#needs = needs
  }

  find(key: string, version: number): Rendering<T> | undefined {
    const name = nameOf(key, version)
    const entry = this.#entries.get(name)
    if (entry === undefined) return undefined
    this.#entries.delete(name)
    this.#entries.set(name, entry)
    return entry
  }

  /** Begins a rendering, which the caller must hold and then render. Throws StoreBusy if there is no room. */
  begin({ key, version, messages, ending }: NewRendering): Rendering<T> {
    const bytes = messages * this.#needs.bytesPerMessage
    if (isLong(messages)) this.#makeRoom(bytes)
    const endReading = isLong(messages) ? this.#needs.longReadings.begin() : () => {}
    const settle = Promise.withResolvers<T>()
    // Readers handle the rejection, and there may be none.
    settle.promise.catch(() => {})
    const entry: Entry<T> = {
      ...{ key, version, ending, settle, endReading, usage: settle.promise },
      ...{ isComplete: false, readers: 0, bytes },
    }
    this.#entries.set(nameOf(key, version), entry)
    this.#bytes += bytes
    this.#underWay++
    this.#report()
    return entry
  }

  async render(rendering: Rendering<T>, make: () => Promise<T>): Promise<void> {
    const entry = rendering as Entry<T>
    try {
      const usage = await make()
      entry.value = usage
      entry.isComplete = true
      this.#settled(entry, entry.ending.signal.aborted ? 'abandoned' : 'complete')
      entry.settle.resolve(usage)
    } catch (error) {
      this.#drop(entry)
      this.#settled(entry, entry.ending.signal.aborted ? 'abandoned' : 'failed')
      entry.settle.reject(error)
    }
  }

  /** Keeps the rendering for a reader until `signal` aborts, when the reader has received it or has left. */
  hold(rendering: Rendering<T>, signal: AbortSignal): void {
    const entry = rendering as Entry<T>
    entry.readers++
    signal.addEventListener('abort', () => this.#release(entry), { once: true })
  }

  #release(entry: Entry<T>): void {
    entry.readers--
    if (entry.readers > 0) return
    if (entry.isComplete) {
      this.#measure(entry)
      this.#trim()
    } else {
      // Later requests need a new rendering.
      this.#drop(entry)
      entry.ending.abort(new Error('every reader has left'))
    }
    this.#report()
  }

  #settled(entry: Entry<T>, outcome: 'complete' | 'abandoned' | 'failed'): void {
    entry.endReading()
    this.#underWay--
    this.#measure(entry)
    // Drops other versions of the same usage, unless they are still being read.
    for (const other of this.#entries.values()) {
      if (other.key === entry.key && other !== entry && isIdle(other)) this.#drop(other)
    }
    this.#trim()
    this.#needs.observe.rendered(outcome)
    this.#report()
  }

  #measure(entry: Entry<T>): void {
    if (entry.value === undefined || !this.#has(entry)) return
    const bytes = this.#needs.sizeOf(entry.value)
    this.#bytes += bytes - entry.bytes
    entry.bytes = bytes
  }

  #has(entry: Entry<T>): boolean {
    return this.#entries.get(nameOf(entry.key, entry.version)) === entry
  }

  #drop(entry: Entry<T>): void {
    if (!this.#has(entry)) return
    this.#entries.delete(nameOf(entry.key, entry.version))
    this.#bytes -= entry.bytes
  }

  /** Renderings without readers may fill at most half of `bytesMax`. */
  #trim(): void {
    this.#forgetUntil(this.#needs.bytesMax / 2)
  }

  #makeRoom(bytes: number): void {
    this.#forgetUntil(this.#needs.bytesMax - bytes)
    // A single response that exceeds the limit must still be served.
    if (this.#bytes === 0 || this.#bytes + bytes <= this.#needs.bytesMax) return
    throw new StoreBusy(
      'The memory for large responses (ANSWER_MEMORY) is in use. Try again in a second, or request a shorter range.',
    )
  }

  #forgetUntil(bytesMax: number): void {
    for (const entry of this.#entries.values()) {
      if (this.#bytes <= bytesMax) return
      if (isIdle(entry)) this.#drop(entry)
    }
  }

  #report(): void {
    this.#needs.observe.renderings({ underWay: this.#underWay, bytes: this.#bytes })
  }
}

const nameOf = (key: string, version: number): string => `${version} ${key}`

const isIdle = <T>({ isComplete, readers }: Entry<T>): boolean => isComplete && readers === 0
