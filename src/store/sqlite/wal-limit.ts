/**
 * Keeps the write-ahead log from growing without end. It starts over once all of it is in the file and nobody reads from it:
 * a reading that lasts, of whichever process, keeps it from that while every commit makes it longer.
 */
import type { DatabaseSync } from 'node:sqlite'
import { StoreBusy } from '#model/errors.ts'
import { BUSY_TIMEOUT_MS } from './database.ts'
import type { FileGuard } from './file-guard.ts'

const MIB = 1024 * 1024
/** Checkpoints of 16 MiB each keep it well below this, if no reading lasts. */
const STARTS_OVER_FROM_BYTES = 64 * MIB
export const WAL_BYTES_MAX = 512 * MIB
/** How long a reading may still last, and how long when nothing can be taken in until it ends. */
const READING_MAX_MS = 2000
const READING_MAX_IN_NEED_MS = 100
const TRY_EVERY_MS = 500
const WAIT_MS = 50

export class WalLimit {
  readonly #database: DatabaseSync
  readonly #guard: FileGuard
  readonly #bytesMax: number
  #triedAt = 0

  constructor(database: DatabaseSync, guard: FileGuard, bytesMax = WAL_BYTES_MAX) {
    this.#database = database
    this.#guard = guard
    this.#bytesMax = bytesMax
  }

  /** Throws StoreBusy if the log must not grow and cannot start over now. */
  beforeWriting(): void {
    if (this.#guard.walBytes < this.#bytesMax || this.#startOver()) return
    throw new StoreBusy(
      `The write-ahead log has grown to ${Math.round(this.#guard.walBytes / MIB)} MiB and cannot be reset while a long ` +
        'read is running, such as a query or a backup by another program. Try again once it has finished.',
    )
  }

  afterWriting(): void {
    const { walBytes } = this.#guard
    const isDue = performance.now() - this.#triedAt > TRY_EVERY_MS
    if (walBytes > Math.min(STARTS_OVER_FROM_BYTES, this.#bytesMax / 4) && isDue) this.#startOver()
  }

  /** How long readings may last now; undefined if they keep nothing up. */
  get readingsMaxMs(): number | undefined {
    const { walBytes } = this.#guard
    if (walBytes >= this.#bytesMax) return READING_MAX_IN_NEED_MS
    return walBytes > this.#bytesMax / 2 ? READING_MAX_MS : undefined
  }

  #startOver(): boolean {
    this.#triedAt = performance.now()
    try {
      this.#database.exec(`PRAGMA busy_timeout = ${WAIT_MS}; PRAGMA wal_checkpoint(TRUNCATE)`)
    } catch {
      // As with SQLite's own checkpoints: what is committed is safe in the log, and the next attempt may succeed.
    } finally {
      this.#database.exec(`PRAGMA busy_timeout = ${BUSY_TIMEOUT_MS}`)
    }
    return this.#database.prepare('PRAGMA wal_checkpoint(NOOP)').get()?.['log'] === 0
  }
}
