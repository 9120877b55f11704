/** A lock that one process holds while it replaces the file of a database. It ends with the process. */
import { rmSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { identityOf } from './file-guard.ts'
import { createFile } from './file-modes.ts'

const TRY_EVERY_MS = 1000
const BUSY = 5

/** Waits for as long as another process has the lock, and calls `waiting` about once a second. */
export const lockMigration = (path: string, waiting: () => void): Disposable => {
  const lockPath = join(dirname(path), `.${basename(path)}.migration`)
  for (;;) {
    createFile(lockPath)
    const before = identityOf(lockPath)
    const database = new DatabaseSync(lockPath, { timeout: TRY_EVERY_MS })
    const isLocked = tryLock(database)
    const after = identityOf(lockPath)
    // Whoever had the lock has deleted its file, and a lock on a deleted file keeps nobody out.
    const isSame = before !== undefined && before.inode === after?.inode && before.device === after.device
    if (isLocked && isSame) return { [Symbol.dispose]: () => release(database, lockPath) }
    database.close()
    if (!isLocked) waiting()
  }
}

const tryLock = (database: DatabaseSync): boolean => {
  try {
    database.exec('PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE')
    return true
  } catch (error) {
    if ((error as { readonly errcode?: number }).errcode !== BUSY) throw error
    return false
  }
}

const release = (database: DatabaseSync, lockPath: string): void => {
  // Windows does not delete a file that is open. There the file stays, empty.
  if (process.platform !== 'win32') rmSync(lockPath, { force: true })
  database.close()
}
