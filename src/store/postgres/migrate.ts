/** Applies numbered migrations, forward only, each in a transaction. The lock ends with the transaction, even after a crash. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { ClientBase } from 'pg'
import { StoreError } from '#model/errors.ts'
import { limits } from './connection.ts'

const folder = join(import.meta.dirname, 'migrations')

export const migrations = readdirSync(folder)
  .sort()
  .map((file) => ({ version: Number.parseInt(file, 10), sql: readFileSync(join(folder, file), 'utf8') }))

/** An advisory lock number that no other program is likely to use: the bytes of "credits". */
const LOCK = '0x63726564697473'
/** How long other processes wait for a running migration, which itself has no time limit. */
const WAIT_MS = 60_000

/** One process migrates; others wait, then find nothing to do. Throws StoreError if the schema is newer than this program. */
export const migrate = async (client: ClientBase, upTo = Number.POSITIVE_INFINITY): Promise<void> => {
  while (await applyNext(client, upTo)) {
    // Apply the next one.
  }
}

/** Returns false if nothing is left to apply. A session lock would not do: behind a pooler, it would outlive its client. */
const applyNext = async (client: ClientBase, upTo: number): Promise<boolean> => {
  await client.query(`BEGIN ISOLATION LEVEL READ COMMITTED; ${limits(0)}; SET LOCAL lock_timeout = ${WAIT_MS}`)
  try {
    await client.query(`SELECT pg_advisory_xact_lock(${Number(LOCK)})`)
    const at = await versionOf(client)
    const next = migrations.find(({ version }) => version > at && version <= upTo)
    if (next !== undefined) {
      await client.query(next.sql)
      await client.query('INSERT INTO schema_migration (version, applied_at) VALUES ($1, now())', [next.version])
    }
    await client.query('COMMIT')
    return next !== undefined
  } catch (error) {
    await client.query('ROLLBACK').catch(() => {})
    throw error
  }
}

const versionOf = async (client: ClientBase): Promise<number> => {
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
      `the database has schema version ${at}, but this program supports versions up to ${newest}: use a newer release`,
    )
  }
  return at
}
