/**
 * Keeps the write-ahead log from growing without limit. SQLite resets the log once all of it has been copied to the file and
 * nobody reads from it. A long read, in any process, prevents the reset, and every commit makes the log longer.
 */
import type { DatabaseSync } from 'node:sqlite'
import { StoreBusy } from '#model/errors.ts'
import { BUSY_TIMEOUT_MS } from './database.ts'
import type { FileGuard } from './file-guard.ts'

const MIB = 1024 * 1024
/** Without long reads, the checkpoints after every 16 MiB keep the log well below this. */
const RESET_FROM_BYTES = 64 * MIB
export const WAL_BYTES_MAX = 512 * MIB
/** The longest a read may last once the log is half full. */
const READING_MAX_MS = 2000
/** The longest a read may last once the log is full and blocks all writes. */
const READING_MAX_WHEN_FULL_MS = 100
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

  /** Throws StoreBusy if the log is full and cannot be reset now. */
  beforeWriting(): void {
    if (this.#guard.walBytes < this.#bytesMax || this.#reset()) return
    throw new StoreBusy(
      `The write-ahead log has grown to ${Math.round(this.#guard.walBytes / MIB)} MiB and cannot be reset while a long ` +
        'read is running, such as a query or a backup by another program. Try again once it has finished.',
    )
  }

  afterWriting(): void {
    const { walBytes } = this.#guard
    const isDue = performance.now() - this.#triedAt > TRY_EVERY_MS
    if (walBytes > Math.min(RESET_FROM_BYTES, this.#bytesMax / 4) && isDue) this.#reset()
  }

  /** The longest a read may last now. Undefined if there is no limit. */
  get readsMaxMs(): number | undefined {
    const { walBytes } = this.#guard
    if (walBytes >= this.#bytesMax) return READING_MAX_WHEN_FULL_MS
    return walBytes > this.#bytesMax / 2 ? READING_MAX_MS : undefined
  }

  #reset(): boolean {
    this.#triedAt = performance.now()
    try {
      this.#database.exec(`PRAGMA busy_timeout = ${WAIT_MS}; PRAGMA wal_checkpoint(TRUNCATE)`)
    } catch {
      // As with SQLite's own checkpoints: committed data is safe in the log, and the next attempt may succeed.
    } finally {
      this.#database.exec(`PRAGMA busy_timeout = ${BUSY_TIMEOUT_MS}`)
    }
    return this.#database.prepare('PRAGMA wal_checkpoint(NOOP)').get()?.['log'] === 0
  }
}
