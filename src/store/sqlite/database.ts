/** Opens the file: durable settings, then the migrations that it has not seen. */
import { mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { StoreError } from '#model/errors.ts'

export type SqliteFile = { readonly path: string }

/** A connection that writes. Acknowledged means synced: WAL alone would not sync at a commit. */
export const openWriter = ({ path }: SqliteFile): DatabaseSync => {
  mkdirSync(dirname(path), { recursive: true })
  const database = open(path)
  try {
    database.exec(
      `PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = ${CHECKPOINT_PAGES}`,
    )
    migrate(database, path)
    return database
  } catch (error) {
    database.close()
    throw error
  }
}

/** A connection that only reads; it waits for no writer. */
export const openReader = ({ path }: SqliteFile): DatabaseSync => {
  const database = open(path)
  database.exec('PRAGMA query_only = ON')
  return database
}

const open = (path: string): DatabaseSync => {
  const database = new DatabaseSync(path, { timeout: BUSY_TIMEOUT_MS, enableForeignKeyConstraints: true })
  database.exec(`PRAGMA cache_size = -${CACHE_KIB}; PRAGMA temp_store = MEMORY`)
  return database
}

/** How long a writer waits for one of another process. */
const BUSY_TIMEOUT_MS = 5000
const CACHE_KIB = 8192
const CHECKPOINT_PAGES = 4000

type Migration = { readonly version: number; readonly sql: string }

const folder = join(import.meta.dirname, 'migrations')

/** Numbered files, applied in their order, each once. */
export const migrations: readonly Migration[] = readdirSync(folder)
  .sort()
  .map((file) => ({ version: Number.parseInt(file, 10), sql: readFileSync(join(folder, file), 'utf8') }))

/** Each migration in a transaction of its own; another process that migrates meanwhile is waited for. */
export const migrate = (database: DatabaseSync, path: string, upTo = Number.POSITIVE_INFINITY): void => {
  const newest = migrations.at(-1)?.version ?? 0
  for (const { version, sql } of migrations) {
    if (version > upTo) break
    database.exec('BEGIN IMMEDIATE')
    try {
      const at = versionOf(database)
      if (at > newest) {
        throw new StoreError(
          `${path} has schema ${at}, which is newer than this program knows (${newest}): use the newer program`,
        )
      }
      if (at < version) database.exec(`${sql}\n; PRAGMA user_version = ${version}`)
      database.exec('COMMIT')
    } catch (error) {
      database.exec('ROLLBACK')
      throw error
    }
  }
}

const versionOf = (database: DatabaseSync): number =>
  Number(database.prepare('PRAGMA user_version').get()?.['user_version'])
