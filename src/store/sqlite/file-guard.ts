/**
 * Notices when the file at the path is no longer the one that is open: it was removed, renamed, replaced, overwritten or
 * truncated. SQLite itself would keep writing to the removed file, and all of that would be gone after a restart.
 *
 * Uses only `stat` and SQL. Opening the files in any other way would be a mistake: under POSIX, closing such a descriptor drops
 * all of SQLite's locks.
 */
import { realpathSync, statSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { pathToFileURL } from 'node:url'
import { StoreError } from '#model/errors.ts'
import { type DatabaseMark, readMark } from './database-mark.ts'

/** Identifies a file, whatever its name. */
export type FileIdentity = { readonly device: bigint; readonly inode: bigint }

/** The file that is open and the database in it. All threads must use the same. */
export type OpenedFile = FileIdentity & { readonly databaseId: string }

export const identityOf = (path: string): FileIdentity | undefined => {
  const found = statSync(path, { bigint: true, throwIfNoEntry: false })
  return found && { device: found.dev, inode: found.ino }
}

export class FileGuard {
  readonly #path: string
  readonly #walPath: string
  readonly #opened: OpenedFile
  readonly #wal: FileIdentity | undefined
  readonly #database: DatabaseSync
  readonly #pageBytes: number
  #modifiedAt: bigint
  #mark: DatabaseMark | undefined
  #walBytes = 0n
  /** The modification time of the file when it was unreadable. As long as that is unchanged, there is no second wait. */
  #unreadableAt: bigint | undefined
  #checkedAt = 0

  /** `database` is an open connection. Throws StoreError if the path already leads to another file. */
  constructor(path: string, database: DatabaseSync, opened: OpenedFile) {
    this.#path = path
    // If the path is a symbolic link, SQLite puts the log next to the link's target.
    this.#walPath = `${realpathSync(path)}-wal`
    this.#opened = opened
    this.#database = database
    this.#pageBytes = Number(database.prepare('PRAGMA page_size').get()?.['page_size'])
    this.#wal = identityOf(this.#walPath)
    this.#modifiedAt = -1n
    this.check()
  }

  /** The size of the write-ahead log at the last check. */
  get walBytes(): number {
    return Number(this.#walBytes)
  }

  /** The mark in the file itself, without the write-ahead log: the mark as of the last checkpoint. */
  get mark(): DatabaseMark | undefined {
    return this.#mark
  }

  /** Throws StoreError, saying what happened to the file. */
  check(): void {
    this.#checkedAt = performance.now()
    const file = statSync(this.#path, { bigint: true, throwIfNoEntry: false })
    if (file === undefined) throw this.#lost('no longer exists')
    if (file.dev !== this.#opened.device || file.ino !== this.#opened.inode) throw this.#lost('is now a different file')
    const wal = statSync(this.#walPath, { bigint: true, throwIfNoEntry: false })
    if (wal?.dev !== this.#wal?.device || wal?.ino !== this.#wal?.inode) {
      throw this.#lost(`has lost its write-ahead log ${this.#walPath}, which holds the latest writes`)
    }
    if (wal !== undefined) this.#checkWal(wal.size)
    // Checkpoints, of any process, modify the file. Anything else that modifies it has overwritten it.
    if (file.mtimeNs !== this.#modifiedAt) this.#checkContent(file.mtimeNs)
  }

  /** As `check`, but does nothing if the last check was a few milliseconds ago. */
  checkAgain(): void {
    if (performance.now() - this.#checkedAt > RECENT_MS) this.check()
  }

  #checkWal(bytes: bigint): void {
    // A checkpoint can truncate the log, but then SQLite no longer uses its content.
    if (bytes < this.#walBytes) this.#expectWholeWal()
    this.#walBytes = bytes
  }

  #expectWholeWal(): void {
    for (let attempt = 1; ; attempt++) {
      const { log } = this.#database.prepare('PRAGMA wal_checkpoint(NOOP)').get() as { readonly log: number }
      const least = log <= 0 ? 0 : WAL_HEADER_BYTES + log * (WAL_FRAME_HEADER_BYTES + this.#pageBytes)
      if ((statSync(this.#walPath, { throwIfNoEntry: false })?.size ?? 0) >= least) return
      // Another connection may have reset the log between the two queries. A log that was truncated from outside stays short.
      if (attempt === READ_ATTEMPTS) throw this.#lost(`has a truncated write-ahead log, ${this.#walPath}`)
      pause()
    }
  }

  #checkContent(modifiedAt: bigint): void {
    const mark = this.#readMarkOfFile()
    const before = this.#mark
    const isOurs = mark === undefined ? before === undefined : mark.databaseId === this.#opened.databaseId
    if (!isOurs) throw this.#lost('was overwritten with other content')
    if (before !== undefined && mark !== undefined && mark.generation < before.generation) {
      throw this.#lost('was overwritten with an older copy of itself')
    }
    this.#mark = mark
    this.#modifiedAt = modifiedAt
  }

  /**
   * Reads the mark from the file alone, bypassing the write-ahead log and the page cache. That can fail while a checkpoint is
   * running, so it retries until the file has stopped changing for a second.
   */
  #readMarkOfFile(): DatabaseMark | undefined {
    let seenAt = this.#modified()
    for (let unchanged = 0; ; unchanged++) {
      try {
        using database = new DatabaseSync(`${pathToFileURL(this.#path).href}?immutable=1`, { readOnly: true })
        return readMark(database)
      } catch (error) {
        const modifiedAt = this.#modified()
        if (modifiedAt !== seenAt) unchanged = 0
        seenAt = modifiedAt
        if (unchanged >= UNCHANGED_ATTEMPTS || modifiedAt === this.#unreadableAt) {
          this.#unreadableAt = modifiedAt
          throw this.#lost(`cannot be read: ${(error as Error).message}`)
        }
        pause()
      }
    }
  }

  #modified(): bigint | undefined {
    return statSync(this.#path, { bigint: true, throwIfNoEntry: false })?.mtimeNs
  }

  #lost(what: string): StoreError {
    return new StoreError(
      `${this.#path} ${what}. All requests to the database are refused until the original file is back in place. ` +
        'If it is gone, stop the service and restore a backup with "copilot-credits db restore"',
    )
  }
}

/** Blocks the thread. That is fine here: all its requests must wait for the result of the check anyway. */
const pause = (): void => {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, READ_AGAIN_MS)
}

const RECENT_MS = 5
const READ_ATTEMPTS = 20
const UNCHANGED_ATTEMPTS = 200
const READ_AGAIN_MS = 5
const WAL_HEADER_BYTES = 32
const WAL_FRAME_HEADER_BYTES = 24
