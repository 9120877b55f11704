/** Numbered files of SQL, applied in order, each once. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { DatabaseSync } from 'node:sqlite'
import { StoreError } from '#model/errors.ts'

type Migration = { readonly version: number; readonly sql: string }

const folder = join(import.meta.dirname, 'migrations')

export const migrations: readonly Migration[] = readdirSync(folder)
  .sort()
  .map((file) => ({ version: Number.parseInt(file, 10), sql: readFileSync(join(folder, file), 'utf8') }))

/** Creates the tables, in one transaction, after waiting for any other process that does. */
export const migrate = (database: DatabaseSync, path: string, upTo = Number.POSITIVE_INFINITY): void => {
  const newest = migrations.at(-1)?.version ?? 0
  database.exec('BEGIN IMMEDIATE')
  try {
    const at = versionOf(database)
    if (at > newest) {
      throw new StoreError(
        `${path} has schema version ${at}, but this program supports versions up to ${newest}: use a newer release`,
      )
    }
    // Older files are rebuilt before they are opened: `rebuild.ts`.
    if (at > 0 && at < Math.min(upTo, newest)) {
      throw new StoreError(`${path} was created by an older release at the same time: start again`)
    }
    for (const { version, sql } of migrations) {
      if (version > at && version <= upTo) database.exec(`${sql}\n; PRAGMA user_version = ${version}`)
    }
    database.exec('COMMIT')
  } catch (error) {
    database.exec('ROLLBACK')
    throw error
  }
}

/** 0 if there are no tables yet. */
export const versionOf = (database: DatabaseSync): number =>
  Number(database.prepare('PRAGMA user_version').get()?.['user_version'])
