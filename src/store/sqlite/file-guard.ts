/**
 * Notices when the file at the path is no longer the one that is open: removed, renamed, replaced, overwritten, cut short.
 * SQLite itself would go on writing to a file that no longer has a name, and all of it would be gone after a restart.
 *
 * Only `stat` and SQL look at the files: closing any other descriptor of them would drop SQLite's locks (POSIX).
 */
import { realpathSync, statSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { pathToFileURL } from 'node:url'
import { StoreError } from '#model/errors.ts'
import { type DatabaseMark, readMark } from './database-mark.ts'

/** Tells one file from another, whatever their names. */
export type FileIdentity = { readonly device: bigint; readonly inode: bigint }

/** What threads must agree on: which file is open, and which database it holds. */
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
  /** When the file was modified that could not be read: it is not waited for again. */
  #unreadableAt: bigint | undefined
  #checkedAt = 0

  /** `database` is a connection that is open. Throws StoreError if the path already leads elsewhere. */
  constructor(path: string, database: DatabaseSync, opened: OpenedFile) {
    this.#path = path
    // SQLite puts it beside the file that a symbolic link leads to.
    this.#walPath = `${realpathSync(path)}-wal`
    this.#opened = opened
    this.#database = database
    this.#pageBytes = Number(database.prepare('PRAGMA page_size').get()?.['page_size'])
    this.#wal = identityOf(this.#walPath)
    this.#modifiedAt = -1n
    this.check()
  }

  /** Of the write-ahead log when it was last looked at. */
  get walBytes(): number {
    return Number(this.#walBytes)
  }

  /** The mark that the file itself holds, which is that of the last checkpoint. */
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
    // A checkpoint writes to the file, of whichever process. Anything else that does has overwritten it.
    if (file.mtimeNs !== this.#modifiedAt) this.#checkContent(file.mtimeNs)
  }

  /** As `check`, unless the last one was a moment ago. */
  checkAgain(): void {
    if (performance.now() - this.#checkedAt > RECENT_MS) this.check()
  }

  #checkWal(bytes: bigint): void {
    // A checkpoint may shorten it, after which nothing in it counts.
    if (bytes < this.#walBytes) this.#expectWholeWal()
    this.#walBytes = bytes
  }

  #expectWholeWal(): void {
    for (let attempt = 1; ; attempt++) {
      const { log } = this.#database.prepare('PRAGMA wal_checkpoint(NOOP)').get() as { readonly log: number }
      const least = log <= 0 ? 0 : WAL_HEADER_BYTES + log * (WAL_FRAME_HEADER_BYTES + this.#pageBytes)
      if ((statSync(this.#walPath, { throwIfNoEntry: false })?.size ?? 0) >= least) return
      // Someone may have started it over between the two looks: what was cut stays short.
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
   * From the file alone, past the write-ahead log and the pages that are remembered. While a checkpoint is under way the file
   * cannot be read so: it is tried again until the file has not changed for a while.
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

/** Its threads have nothing else to do: what is asked of them must wait for the answer. */
const pause = (): void => {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, READ_AGAIN_MS)
}

const RECENT_MS = 5
const READ_ATTEMPTS = 20
const UNCHANGED_ATTEMPTS = 200
const READ_AGAIN_MS = 5
const WAL_HEADER_BYTES = 32
const WAL_FRAME_HEADER_BYTES = 24
