/** Opens the file with durable settings and applies missing migrations. */
import { realpathSync, statSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { pathToFileURL } from 'node:url'
import type { MigrationObserver, StoreNotice } from '#ledger/notices.ts'
import { advanceMark, type DatabaseMark, expectMark, gone, readMarker, writeMarker } from './database-mark.ts'
import { FileGuard, identityOf, type OpenedFile } from './file-guard.ts'
import { createFile, tightenFiles } from './file-modes.ts'
import { checkStructure, checkTotals, damaged } from './integrity.ts'
import { migrate, versionOf } from './migrate.ts'
import { rebuildIfOld } from './rebuild.ts'

export type SqliteFile = {
  readonly path: string
  /** When the write-ahead log reaches this size, writes are refused. From half of it, long reads are ended. */
  readonly walBytesMax?: number
  /** How many models and how many features of a billing period totals tell apart. */
  readonly namesMax?: number
}

export type OpenedWriter = {
  readonly database: DatabaseSync
  readonly guard: FileGuard
  readonly opened: OpenedFile
  readonly notices: readonly StoreNotice[]
}

/**
 * Opens a connection that writes. Acknowledged means synced, so `synchronous` is FULL: with less, WAL does not sync at a commit.
 * `known` is the file if it was open before: it must still be there, and no new one is created.
 */
export const openWriter = (
  { path }: SqliteFile,
  { known, observe = () => {} }: { readonly known?: OpenedFile; readonly observe?: MigrationObserver } = {},
): OpenedWriter => {
  const marker = readMarker(path)
  const rebuilt = known === undefined ? rebuildIfOld(path, marker, observe) : []
  if (isMissingOrEmpty(path)) {
    if (marker !== undefined || known !== undefined) throw gone(path, 'is missing or empty')
    createFile(path)
  }
  const database = open(path)
  try {
    // Must come before any write, and setting the journal mode is one.
    if (marker !== undefined && versionOf(database) === 0) throw gone(path, 'is not a Copilot Credits database')
    const notices = [...rebuilt, ...tightenFiles(path), ...(known === undefined ? checkIfSmall(database, path) : [])]
    database.exec(`
      PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
      PRAGMA wal_autocheckpoint = ${CHECKPOINT_PAGES}; PRAGMA journal_size_limit = ${WAL_KEPT_BYTES}`)
    migrate(database, path)
    const mark = markOpened(database, path, marker)
    const identity = identityOf(path)
    if (identity === undefined) throw gone(path, 'is missing')
    const opened = { ...identity, databaseId: mark.databaseId }
    if (known !== undefined && (known.inode !== opened.inode || known.databaseId !== opened.databaseId)) {
      throw gone(path, 'is now a different file')
    }
    // Copies the mark from the write-ahead log to the file, so that the file itself identifies the database.
    database.exec('PRAGMA wal_checkpoint(PASSIVE)')
    return { database, guard: new FileGuard(path, database, opened), opened, notices }
  } catch (error) {
    database.close()
    throw error
  }
}

/** Opens a connection that only reads and never waits for a writer. */
export const openReader = ({ path }: SqliteFile): DatabaseSync => {
  const database = open(path)
  database.exec('PRAGMA query_only = ON')
  return database
}

/** Never creates a file: it is an error if the path does not exist. */
const open = (path: string): DatabaseSync => {
  const url = `${pathToFileURL(realpathSync(path)).href}?mode=rw`
  const database = new DatabaseSync(url, { timeout: BUSY_TIMEOUT_MS, enableForeignKeyConstraints: true })
  database.exec(`PRAGMA cache_size = -${CACHE_KIB}; PRAGMA temp_store = MEMORY`)
  return database
}

const isMissingOrEmpty = (path: string): boolean => (statSync(path, { throwIfNoEntry: false })?.size ?? 0) === 0

/** A larger file is checked in the background instead, by `check-thread.ts`. */
export const isCheckedAtOpening = (path: string): boolean => statSync(path).size <= CHECKED_AT_OPENING_BYTES

/** Throws StoreError if the file is damaged. */
const checkIfSmall = (database: DatabaseSync, path: string): readonly StoreNotice[] => {
  if (!isCheckedAtOpening(path)) return []
  const isNew = versionOf(database) === 0
  const findings = isNew ? [] : [...checkStructure(database, 'quick_check')]
  if (!isNew && findings.length === 0) findings.push(...checkTotals(database))
  if (findings.length > 0) throw damaged(path, findings)
  return [{ severity: 'info', message: `${path} was checked: no damage found`, isSound: true }]
}

/** Advances the mark in the database and the marker file. Throws StoreError if this is not the database that was there before. */
const markOpened = (database: DatabaseSync, path: string, marker: DatabaseMark | undefined): DatabaseMark => {
  database.exec('BEGIN IMMEDIATE')
  try {
    expectMark(database, path, marker)
    const mark = advanceMark(database)
    database.exec('COMMIT')
    writeMarker(path, mark)
    return mark
  } catch (error) {
    if (database.isTransaction) database.exec('ROLLBACK')
    throw error
  }
}

/** How long a connection waits for a writer in another process. */
export const BUSY_TIMEOUT_MS = 5000
const CACHE_KIB = 8192
const CHECKPOINT_PAGES = 4000
const CHECKED_AT_OPENING_BYTES = 32 * 1024 * 1024
/** The size to which SQLite truncates the write-ahead log when it is reset. */
const WAL_KEPT_BYTES = 64 * 1024 * 1024
