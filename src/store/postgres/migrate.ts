/**
 * Applies numbered migrations, forward only, each in a transaction. The lock ends with the transaction, even after a crash.
 *
 * Statements are sent one by one, because Citus rejects several at once, and are safe to repeat. If the tables are distributed,
 * those that a migration creates are distributed before its next statement, which may refer to both.
 */
import { setTimeout as wait } from 'node:timers/promises'
import type { ClientBase } from 'pg'
import type { MigrationObserver } from '#ledger/notices.ts'
import { StoreError } from '#model/errors.ts'
import { findingsOfVersion1 } from './check.ts'
import { limits } from './connection.ts'
import { copyRecords } from './copy-records.ts'
import { type Cluster, clusterOf, distributeTables } from './distribute.ts'
import { migrations } from './migrations.ts'

/** An advisory lock number that no other program is likely to use: the bytes of "credits". */
const LOCK = '0x63726564697473'
/** How long a migration waits for statements of older programs. It has no time limit itself. */
const WAIT_MS = 60_000
const TRY_EVERY_MS = 200

/**
 * One process migrates; others wait, then find nothing to do. If nothing is missing, this only reads, so a server can start while
 * a node of a cluster is down. Throws StoreError if the schema is newer than this program.
 */
export const migrate = async (
  client: ClientBase,
  { upTo = Number.POSITIVE_INFINITY, observe = () => {} }: MigrationOptions = {},
): Promise<void> => {
  while (nextAfter(await versionOf(client), upTo) !== undefined) await applyNext(client, upTo, observe)
}

type MigrationOptions = { readonly upTo?: number; readonly observe?: MigrationObserver }

const nextAfter = (at: number, upTo: number) => migrations.find(({ version }) => version > at && version <= upTo)

/** Its tables are filled after they have been created. */
const CELLS = 2

const applyNext = async (client: ClientBase, upTo: number, observe: MigrationObserver): Promise<void> => {
  const cluster = await clusterOf(client)
  if (cluster?.isWorker)
    throw new StoreError(`the database must be migrated on the coordinator: ${cluster.atCoordinator}`)
  const applied = (version: number) =>
    client.query('INSERT INTO schema_migration (version, applied_at) VALUES ($1, now())', [version])
  const version = await withLock(client, { cluster, observe }, async () => {
    await client.query(
      'CREATE TABLE IF NOT EXISTS schema_migration (version integer PRIMARY KEY, applied_at timestamptz NOT NULL)',
    )
    const next = nextAfter(await versionOf(client), upTo)
    if (next?.version === CELLS) await refuseDamage(client, observe)
    for (const statement of next?.statements ?? []) {
      await client.query(statement)
      if (cluster?.isDistributed) await distributeTables(client, (work) => work())
    }
    if (next !== undefined && next.version !== CELLS) await applied(next.version)
    return next?.version
  })
  if (version !== CELLS) return
  await copyRecords(
    client,
    (work) => withLock(client, { cluster, observe }, work),
    {
      isFinished: async () => (await versionOf(client)) >= CELLS,
      finish: async () => {
        await applied(CELLS)
      },
    },
    observe,
  )
}

/** Old totals that contradict the records are not mended, because nobody knows which of the two is right. */
const refuseDamage = async (client: ClientBase, observe: MigrationObserver): Promise<void> => {
  const { rows } = await client.query("SELECT to_regclass('usage_record') IS NOT NULL AS exists")
  if (!rows[0]?.exists) return
  const { rowCount } = await client.query('SELECT 1 FROM daily_total LIMIT 1')
  if (rowCount !== 0) observe('The database is being migrated: its totals are being checked.')
  // Readers of older programs go on, writers wait.
  await client.query('LOCK TABLE usage_record, daily_total, daily_group_total IN SHARE MODE')
  const findings = await findingsOfVersion1(client)
  if (findings.length > 0) {
    throw new StoreError(
      `the database is damaged: ${findings[0]}${findings.length === 1 ? '' : `, and ${findings.length - 1} more findings`}. ` +
        'It was not migrated. List the damage with "copilot-credits db check", and restore a backup',
    )
  }
}

/**
 * Runs a transaction that no other process that migrates overlaps, and waits for as long as one does. A session lock would not do:
 * behind a pooler, it would outlive its client.
 */
const withLock = async <T>(
  client: ClientBase,
  { cluster, observe }: { readonly cluster: Cluster | undefined; readonly observe: MigrationObserver },
  work: () => Promise<T>,
): Promise<T> => {
  for (;;) {
    await client.query(`BEGIN ISOLATION LEVEL READ COMMITTED; ${limits(0)}; SET LOCAL lock_timeout = ${WAIT_MS}`)
    try {
      const { rows } = await client.query(`SELECT pg_try_advisory_xact_lock(${Number(LOCK)}) AS is_locked`)
      if (rows[0]?.is_locked) {
        // Without this, each table would use connections of its own, and would not see what the others have changed.
        if (cluster !== undefined) await client.query("SET LOCAL citus.multi_shard_modify_mode TO 'sequential'")
        const result = await work()
        await client.query('COMMIT')
        return result
      }
      await client.query('COMMIT')
    } catch (error) {
      await client.query('ROLLBACK').catch(() => {})
      throw error
    }
    observe('Another process is migrating the database.')
    await wait(TRY_EVERY_MS)
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
