/**
 * Applies numbered migrations, forward only, each in a transaction. The lock ends with the transaction, even after a crash.
 *
 * Statements are sent one by one, because Citus rejects several at once, and are safe to repeat. If the tables are distributed,
 * those that a migration creates are distributed before its next statement, which may refer to both.
 */
import type { ClientBase } from 'pg'
import { StoreError } from '#model/errors.ts'
import { limits } from './connection.ts'
import { clusterOf, distributeTables } from './distribute.ts'
import { migrations } from './migrations.ts'

/** An advisory lock number that no other program is likely to use: the bytes of "credits". */
const LOCK = '0x63726564697473'
/** How long other processes wait for a running migration, which itself has no time limit. */
const WAIT_MS = 60_000

/**
 * One process migrates; others wait, then find nothing to do. If nothing is missing, this only reads, so a server can start while
 * a node of a cluster is down. Throws StoreError if the schema is newer than this program.
 */
export const migrate = async (client: ClientBase, upTo = Number.POSITIVE_INFINITY): Promise<void> => {
  while (nextAfter(await versionOf(client), upTo) !== undefined) await applyNext(client, upTo)
}

const nextAfter = (at: number, upTo: number) => migrations.find(({ version }) => version > at && version <= upTo)

/** A session lock would not do: behind a pooler, it would outlive its client. */
const applyNext = async (client: ClientBase, upTo: number): Promise<void> => {
  const cluster = await clusterOf(client)
  if (cluster?.isWorker)
    throw new StoreError(`the database must be migrated on the coordinator: ${cluster.atCoordinator}`)
  await client.query(`BEGIN ISOLATION LEVEL READ COMMITTED; ${limits(0)}; SET LOCAL lock_timeout = ${WAIT_MS}`)
  try {
    await client.query(`SELECT pg_advisory_xact_lock(${Number(LOCK)})`)
    await client.query(
      'CREATE TABLE IF NOT EXISTS schema_migration (version integer PRIMARY KEY, applied_at timestamptz NOT NULL)',
    )
    const next = nextAfter(await versionOf(client), upTo)
    // Without this, each table would use connections of its own, and would not see what the others have changed.
    if (cluster !== undefined) await client.query("SET LOCAL citus.multi_shard_modify_mode TO 'sequential'")
    for (const statement of next?.statements ?? []) {
      await client.query(statement)
      if (cluster?.isDistributed) await distributeTables(client, (work) => work())
    }
    if (next !== undefined)
      await client.query('INSERT INTO schema_migration (version, applied_at) VALUES ($1, now())', [next.version])
    await client.query('COMMIT')
  } catch (error) {
    await client.query('ROLLBACK').catch(() => {})
    throw error
  }
}

const versionOf = async (client: ClientBase): Promise<number> => {
  const { rows: found } = await client.query("SELECT to_regclass('schema_migration') IS NOT NULL AS exists")
  if (!found[0]?.exists) return 0
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
