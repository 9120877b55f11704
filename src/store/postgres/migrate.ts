/** Numbered files, forward only, each in a transaction, under a lock that goes with its connection. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { ClientBase } from 'pg'
import { StoreError } from '#model/errors.ts'

const folder = join(import.meta.dirname, 'migrations')

export const migrations = readdirSync(folder)
  .sort()
  .map((file) => ({ version: Number.parseInt(file, 10), sql: readFileSync(join(folder, file), 'utf8') }))

/** Any number that nobody else takes for an advisory lock: "credits" as bytes. */
const LOCK = '0x63726564697473'

/** One process migrates, others wait and find nothing to do. Throws StoreError where the schema is newer than this program. */
export const migrate = async (client: ClientBase, upTo = Number.POSITIVE_INFINITY): Promise<void> => {
  await client.query(`SELECT pg_advisory_lock(${Number(LOCK)})`)
  try {
    await client.query(
      'CREATE TABLE IF NOT EXISTS schema_migration (version integer PRIMARY KEY, applied_at timestamptz NOT NULL)',
    )
    const { rows } = await client.query<{ at: number }>(
      'SELECT coalesce(max(version), 0)::int AS at FROM schema_migration',
    )
    const at = rows[0]?.at ?? 0
    const newest = migrations.at(-1)?.version ?? 0
    if (at > newest) {
      throw new StoreError(
        `the database has schema ${at}, which is newer than this program knows (${newest}): use the newer program`,
      )
    }
    for (const { version, sql } of migrations) if (version > at && version <= upTo) await apply(client, version, sql)
  } finally {
    await client.query(`SELECT pg_advisory_unlock(${Number(LOCK)})`)
  }
}

const apply = async (client: ClientBase, version: number, sql: string): Promise<void> => {
  await client.query('BEGIN')
  try {
    await client.query(sql)
    await client.query('INSERT INTO schema_migration (version, applied_at) VALUES ($1, now())', [version])
    await client.query('COMMIT')
  } catch (error) {
    await client.query('ROLLBACK')
    throw error
  }
}
