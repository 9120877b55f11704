/**
 * The answers that are in memory: being rendered, being read, or kept for the next reader. All of them together are bounded.
 * One that nobody waits for any more is not rendered to its end.
 */
import type { MonotonicMs } from '#model/clock.ts'
import { StoreBusy } from '#model/errors.ts'
import { isLong, type LongReadings } from './long-readings.ts'
import type { RenderingObserver } from './ports.ts'

export type RenderedUsage<T> = {
  readonly usage: T
  /** When this was last known to be what the source says. */
  readonly lastConfirmed: MonotonicMs
  /** `refresh`: asked for this reader; `memory`: young enough; `stale`: the last good one, as the source fails. */
  readonly from: 'refresh' | 'memory' | 'stale'
}

export type Rendering<T> = {
  /** What the answer is of, and the state of that. */
  readonly key: string
  readonly version: number
  readonly usage: Promise<T>
  readonly isComplete: boolean
}

export type NewRendering = {
  readonly key: string
  readonly version: number
  /** How many it will have at most: by them it is judged beforehand. */
  readonly messages: number
  /** Aborted when the last reader leaves before it is complete. */
  readonly ending: AbortController
}

export type RenderingsNeeds<T> = {
  readonly bytesMax: number
  /** As it is now: compressed forms come later. */
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
  /** By key and version, those that were asked for longest ago first. */
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

  /** The caller is to hold it and then to render it. Throws StoreBusy if there is no room. */
  begin({ key, version, messages, ending }: NewRendering): Rendering<T> {
    const bytes = messages * BYTES_A_MESSAGE
    if (isLong(messages)) this.#makeRoom(bytes)
    const endReading = isLong(messages) ? this.#needs.longReadings.begin() : () => {}
    const settle = Promise.withResolvers<T>()
    // Whoever waits hears of a failure; there may be nobody.
    settle.promise.catch(() => {})
    const entry: Entry<T> = {
      ...{ key, version, ending, settle, endReading, usage: settle.promise },
      ...{ isComplete: false, readers: 0, bytes },
    }
    this.#entries.set(nameOf(key, version), entry)
    this.#bytes += bytes
    this.#underWay++
    this.#tell()
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

  /** Keeps it for a reader until `signal` says that they have it, or have left. */
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
      // Whoever asks from now on needs another one.
      this.#drop(entry)
      entry.ending.abort(new Error('nobody waits for the answer'))
    }
    this.#tell()
  }

  #settled(entry: Entry<T>, outcome: 'complete' | 'abandoned' | 'failed'): void {
    entry.endReading()
    this.#underWay--
    this.#measure(entry)
    // What it takes the place of is read to its end by those who have it.
    for (const other of this.#entries.values()) {
      if (other.key === entry.key && other !== entry && isIdle(other)) this.#drop(other)
    }
    this.#trim()
    this.#needs.observe.rendered(outcome)
    this.#tell()
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

  /** What nobody reads is kept as long as there is room, within half of it. */
  #trim(): void {
    this.#forgetUntil(this.#needs.bytesMax / 2)
  }

  #makeRoom(bytes: number): void {
    this.#forgetUntil(this.#needs.bytesMax - bytes)
    // One answer that is larger than all that may be has to be given as well.
    if (this.#bytes === 0 || this.#bytes + bytes <= this.#needs.bytesMax) return
    throw new StoreBusy(
      'As many large answers are being made and read as ANSWER_MEMORY allows: try again in a second, or ask for less at a time.',
    )
  }

  #forgetUntil(bytesMax: number): void {
    for (const entry of this.#entries.values()) {
      if (this.#bytes <= bytesMax) return
      if (isIdle(entry)) this.#drop(entry)
    }
  }

  #tell(): void {
    this.#needs.observe.renderings({ underWay: this.#underWay, bytes: this.#bytes })
  }
}

/** An entry of `GET /usage` with a timestamp, a report and an id of usual lengths. */
const BYTES_A_MESSAGE = 110

const nameOf = (key: string, version: number): string => `${version} ${key}`

const isIdle = <T>({ isComplete, readers }: Entry<T>): boolean => isComplete && readers === 0
