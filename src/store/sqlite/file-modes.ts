/** Only the owner may read the files: they contain the key for content digests, which also signs browser sessions. */
import { chmodSync, closeSync, fsyncSync, mkdirSync, openSync, realpathSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import type { StoreNotice } from '#ledger/notices.ts'

const OWNER_ONLY_FILE = 0o600
const OWNER_ONLY_FOLDER = 0o700
const OTHERS = 0o077

/** Creates an empty file, and its folder if it is missing. The mode of an existing folder is not changed. */
export const createFile = (path: string): void => {
  mkdirSync(dirname(path), { recursive: true, mode: OWNER_ONLY_FOLDER })
  try {
    closeSync(openSync(path, 'wx', OWNER_ONLY_FILE))
    syncFolder(dirname(path))
  } catch (error) {
    // Another process created it first.
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  }
}

/** Removes other users' access to the files, if this process owns them. */
export const tightenFiles = (path: string): readonly StoreNotice[] => {
  const real = realpathSync(path)
  return ['', '-wal', '-shm'].flatMap((suffix) => tighten(`${real}${suffix}`))
}

const tighten = (path: string): readonly StoreNotice[] => {
  const found = statSync(path, { throwIfNoEntry: false })
  const isOurs = found?.isFile() === true && found.uid === process.getuid?.()
  if (!isOurs || (found.mode & OTHERS) === 0) return []
  const before = (found.mode & 0o777).toString(8)
  chmodSync(path, found.mode & ~OTHERS & 0o777)
  return [
    {
      severity: 'warn',
      message: `${path} had mode ${before}, which gives other users access; it is now accessible to its owner only`,
    },
  ]
}

/** Syncs a folder, so that a file created or renamed in it survives a power failure. */
export const syncFolder = (folder: string): void => {
  if (process.platform === 'win32') return
  const descriptor = openSync(folder, 'r')
  try {
    fsyncSync(descriptor)
  } finally {
    closeSync(descriptor)
  }
}
