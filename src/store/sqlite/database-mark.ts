/**
 * A mark that distinguishes a database from any other and from older copies of itself. It is stored in the database and in a
 * small marker file next to it, so that at the next start a missing, emptied or older database is not taken for a new one.
 */
import { randomUUID } from 'node:crypto'
import { closeSync, fsyncSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs'
import { open, rename } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import type { DatabaseSync } from 'node:sqlite'
import { threadId } from 'node:worker_threads'
import { StoreError } from '#model/errors.ts'

export type DatabaseMark = {
  readonly databaseId: string
  /** Increases at every start and shutdown, and after checkpoints. */
  readonly generation: number
}

/** A hidden file, so that `rm ledger.db*` does not remove it too. */
export const markerPathOf = (path: string): string => join(dirname(path), `.${basename(path)}.marker`)

/** Undefined if the database has no mark yet. */
export const readMark = (database: DatabaseSync): DatabaseMark | undefined => {
  const hasTable = database.prepare("SELECT 1 FROM sqlite_schema WHERE name = 'installation'").get() !== undefined
  if (!hasTable) return undefined
  const rows = database
    .prepare("SELECT name, value FROM installation WHERE name IN ('database_id', 'generation')")
    .all()
  const textOf = (name: string): string | undefined =>
    rows.find((row) => row['name'] === name)?.['value'] as string | undefined
  const databaseId = textOf('database_id')
  return databaseId === undefined ? undefined : { databaseId, generation: Number(textOf('generation') ?? 0) }
}

/** Increases the generation, inside the caller's transaction. */
export const advanceMark = (database: DatabaseSync, atLeast = 0): DatabaseMark => {
  database
    .prepare("INSERT INTO installation (name, value) VALUES ('database_id', ?) ON CONFLICT DO NOTHING")
    .run(randomUUID())
  const generation = Math.max((readMark(database)?.generation ?? 0) + 1, atLeast)
  database
    .prepare(`
      INSERT INTO installation (name, value) VALUES ('generation', ?)
      ON CONFLICT DO UPDATE SET value = excluded.value`)
    .run(String(generation))
  return readMark(database) as DatabaseMark
}

/** Throws StoreError if this is not the database that was there before, or an older copy of it. */
export const expectMark = (database: DatabaseSync, path: string, marker: DatabaseMark | undefined): void => {
  if (marker === undefined) return
  const found = readMark(database)
  if (found?.databaseId !== marker.databaseId) throw gone(path, 'holds a different database')
  if (found.generation < marker.generation) {
    throw gone(path, 'holds an older copy of the database, or its write-ahead log with the latest writes is missing')
  }
}

export const gone = (path: string, what: string): StoreError =>
  new StoreError(
    `${path} ${what}, but ${markerPathOf(path)} shows that a database was in use here. Put it back, or restore a backup with ` +
      '"copilot-credits db restore". To continue with the current file, or to start with an empty database, delete the marker file',
  )

export const readMarker = (path: string): DatabaseMark | undefined => {
  const markerPath = markerPathOf(path)
  let text: string
  try {
    text = readFileSync(markerPath, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw new StoreError(`${markerPath} cannot be read: ${(error as Error).message}`, { cause: error })
  }
  const [, databaseId, generation] = /"database_id": "([\w-]+)",\s*"generation": (\d+)/.exec(text) ?? []
  if (databaseId === undefined) {
    throw new StoreError(
      `${markerPath} is damaged. It identifies the database that belongs at ${path}. If that file is the right one, delete the ` +
        'marker and start again; a new one is written',
    )
  }
  return { databaseId, generation: Number(generation) }
}

export const writeMarker = (path: string, mark: DatabaseMark): void => {
  const fresh = freshPathOf(path)
  const file = openSync(fresh, 'w', OWNER_ONLY)
  try {
    writeSync(file, markerText(path, mark))
    fsyncSync(file)
  } finally {
    closeSync(file)
  }
  renameSync(fresh, markerPathOf(path))
}

/** As `writeMarker`, without blocking the thread: a sync can take as long as a commit. */
export const writeMarkerInBackground = async (path: string, mark: DatabaseMark): Promise<void> => {
  const fresh = `${freshPathOf(path)}-background`
  const file = await open(fresh, 'w', OWNER_ONLY)
  try {
    await file.writeFile(markerText(path, mark))
    await file.sync()
  } finally {
    await file.close()
  }
  await rename(fresh, markerPathOf(path))
}

const OWNER_ONLY = 0o600

/** A temporary name per process and thread, because others may be writing the marker too. */
const freshPathOf = (path: string): string => `${markerPathOf(path)}.${process.pid}-${threadId}`

const markerText = (path: string, { databaseId, generation }: DatabaseMark): string => {
  const about = `Tells which database belongs to ${basename(path)}, so that a missing one is not taken for a new one.`
  return `{\n  "about": ${JSON.stringify(about)},\n  "database_id": "${databaseId}",\n  "generation": ${generation}\n}\n`
}
