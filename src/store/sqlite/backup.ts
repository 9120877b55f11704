/** Backs up a database, even one in use, and restores a backup. Every copy is checked before it gets its final name. */
import {
  chmodSync,
  closeSync,
  constants,
  copyFileSync,
  existsSync,
  fsyncSync,
  openSync,
  realpathSync,
  renameSync,
  rmSync,
} from 'node:fs'
import { dirname } from 'node:path'
import { backup, DatabaseSync } from 'node:sqlite'
import { StoreError } from '#model/errors.ts'
import { openReader } from './database.ts'
import { advanceMark, readMark, readMarker, writeMarker } from './database-mark.ts'
import { createFile, syncFolder } from './file-modes.ts'
import { checkOtherNames, checkRevisions, checkStructure, checkTotals, summaryOf } from './integrity.ts'
import { versionOf } from './migrate.ts'
import { readAsCells } from './version-1.ts'

export type Copying = { readonly overwrite: boolean }

const OWNER_ONLY = 0o600

/** Runs all checks on a file, which may be in use, and returns the findings. Throws StoreError if the file does not exist. */
export const checkFile = (path: string): readonly string[] => {
  using database = openExisting(path)
  const structure = checkStructure(database, 'integrity_check')
  if (versionOf(database) === 0) return [...structure, `${path} is not a Copilot Credits database`]
  database.exec('PRAGMA query_only = OFF')
  readAsCells(database)
  return [...structure, ...checkTotals(database), ...checkRevisions(database), ...checkOtherNames(database)]
}

/**
 * Copies the database in one step. A copy in several steps would start over whenever another process commits. Resolves once the
 * copy is checked, synced and in place. Throws StoreError.
 */
export const backupTo = async (path: string, target: string, { overwrite }: Copying): Promise<void> => {
  if (existsSync(target) && !overwrite)
    throw new StoreError(`${target} already exists: choose another name, or add --force`)
  if (existsSync(target) && realpathSync(target) === realpathSync(path)) {
    throw new StoreError(`${target} is the database itself`)
  }
  const part = `${target}.part-${process.pid}`
  try {
    {
      using source = openExisting(path)
      createFile(part)
      await backup(source, part, { rate: ALL_PAGES })
    }
    settle(part, path)
    renameSync(part, target)
    syncFolder(dirname(target))
  } catch (error) {
    removeWithLogs(part)
    throw toStoreError(error, target)
  }
}

/**
 * Replaces the database, which must not be in use, with a backup. The old file is kept under a new name, which is returned.
 * Throws StoreError.
 */
export const restoreFrom = (source: string, path: string, { overwrite }: Copying): string | undefined => {
  if (!existsSync(source)) throw new StoreError(`${source} does not exist`)
  const marker = readMarker(path)
  if (existsSync(path)) refuseIfInUse(path, overwrite)
  const part = `${path}.part-${process.pid}`
  try {
    createFile(part)
    copyFileSync(source, part, constants.COPYFILE_FICLONE)
    chmodSync(part, OWNER_ONLY)
    const generation = Math.max(marker?.generation ?? 0, existsSync(path) ? generationOf(path) : 0) + 1
    const mark = settle(part, source, generation)
    const kept = existsSync(path) ? moveAside(path) : undefined
    renameSync(part, path)
    if (mark !== undefined) writeMarker(path, mark)
    syncFolder(dirname(path))
    return kept
  } catch (error) {
    removeWithLogs(part)
    throw toStoreError(error, path)
  }
}

const ALL_PAGES = 2 ** 31 - 1

/** Checks a copy and syncs it as a single file, without a log. `generation`, if given, makes it the newest copy of its database. */
const settle = (part: string, source: string, generation?: number) => {
  let mark: ReturnType<typeof readMark>
  {
    using database = new DatabaseSync(part)
    const findings = [...checkStructure(database, 'quick_check')]
    if (findings.length === 0 && versionOf(database) === 0) findings.push('it is not a Copilot Credits database')
    readAsCells(database)
    if (findings.length === 0) findings.push(...checkTotals(database))
    if (findings.length > 0) throw damagedCopy(source, findings)
    database.exec('PRAGMA journal_mode = DELETE')
    mark = generation === undefined ? readMark(database) : advanceMark(database, generation)
  }
  const descriptor = openSync(part, 'r+')
  try {
    fsyncSync(descriptor)
  } finally {
    closeSync(descriptor)
  }
  return mark
}

const damagedCopy = (source: string, findings: readonly string[]): StoreError =>
  new StoreError(
    `the copy of ${source} is damaged and was discarded: ${summaryOf(findings)}. ` +
      'List the damage of a database with "copilot-credits db check"',
  )

const refuseIfInUse = (path: string, overwrite: boolean): void => {
  let hasContent = true
  try {
    using database = openExisting(path)
    // Changing the journal mode needs exclusive access, so it fails if the file is in use. It also merges the log into the file.
    database.exec('PRAGMA query_only = OFF; PRAGMA busy_timeout = 0; PRAGMA journal_mode = DELETE')
    readAsCells(database)
    hasContent = versionOf(database) > 0 && database.prepare(HAS_CONTENT).get() !== undefined
  } catch (error) {
    if ((error as { errcode?: number }).errcode === BUSY) {
      throw new StoreError(`${path} is in use: stop the service and any command that uses it, then restore`)
    }
    // An unreadable file is kept under a new name like any other.
  }
  if (hasContent && !overwrite) {
    throw new StoreError(
      `${path} exists and is not empty: add --force to replace it with the backup; the old file is kept next to it`,
    )
  }
}

const BUSY = 5
const HAS_CONTENT = 'SELECT 1 FROM record UNION ALL SELECT 1 FROM api_key LIMIT 1'

const generationOf = (path: string): number => {
  try {
    using database = openExisting(path)
    return readMark(database)?.generation ?? 0
  } catch {
    // The file is damaged, so only the marker tells the generation.
    return 0
  }
}

const moveAside = (path: string): string => {
  const kept = `${path}.before-restore-${new Date().toISOString().replaceAll(/[:.]/g, '-')}`
  renameSync(path, kept)
  // SQLite would apply a leftover log to the restored file.
  for (const suffix of ['-wal', '-shm']) {
    if (existsSync(`${path}${suffix}`)) renameSync(`${path}${suffix}`, `${kept}${suffix}`)
  }
  return kept
}

const removeWithLogs = (path: string): void => {
  for (const suffix of ['', '-wal', '-shm', '-journal']) rmSync(`${path}${suffix}`, { force: true })
}

const openExisting = (path: string): DatabaseSync => {
  if (!existsSync(path)) throw new StoreError(`${path} does not exist`)
  return openReader({ path })
}

const toStoreError = (error: unknown, path: string): StoreError =>
  error instanceof StoreError ? error : new StoreError(`${path}: ${(error as Error).message}`, { cause: error })
