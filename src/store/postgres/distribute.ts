/**
 * Citus: distributes the tables by organization, so that all rows of an organization are on one node. Tables without an
 * organization become reference tables, which every node has.
 */
import type { ClientBase } from 'pg'
import { StoreError } from '#model/errors.ts'
import { limits } from './connection.ts'
import { tableNames } from './migrations.ts'

export type Distribution = {
  /** False if the extension is not installed. */
  readonly isDistributed: boolean
  /** The tables that this call has distributed. Tables that already were are not listed. */
  readonly tables: readonly string[]
}

export type Cluster = {
  readonly isWorker: boolean
  /** What to do instead on a worker. */
  readonly atCoordinator: string
  /** Whether the ledger's tables are distributed. */
  readonly isDistributed: boolean
}

/** Undefined if the extension is not installed. */
export const clusterOf = async (client: ClientBase): Promise<Cluster | undefined> => {
  const { rowCount } = await client.query("SELECT 1 FROM pg_extension WHERE extname = 'citus'")
  if (rowCount === 0) return undefined
  const { rows } = await client.query(
    `SELECT (SELECT groupid FROM pg_dist_local_group) <> 0 AS is_worker,
       (SELECT nodename || ':' || nodeport FROM pg_dist_node WHERE groupid = 0 LIMIT 1) AS coordinator,
       EXISTS (SELECT 1 FROM pg_dist_partition WHERE logicalrelid = to_regclass('organization')) AS is_distributed`,
  )
  const { is_worker: isWorker, coordinator, is_distributed: isDistributed } = rows[0]
  return {
    isWorker,
    atCoordinator: `set DATABASE_URL to the coordinator${coordinator === null ? '' : `, ${coordinator}`}`,
    isDistributed,
  }
}

/** Distributes what is not distributed yet. Can be repeated if it was interrupted. Throws StoreError on a worker. */
export const distribute = async (client: ClientBase): Promise<Distribution> => {
  const cluster = await clusterOf(client)
  if (cluster === undefined) return { isDistributed: false, tables: [] }
  if (cluster.isWorker)
    throw new StoreError(`the tables must be distributed on the coordinator: ${cluster.atCoordinator}`)
  const tables = await distributeTables(client, (work) => inTransaction(client, work))
  // Only now, because a table cannot be emptied while one that is still local refers to it.
  for (const { name } of await tablesOf(client)) {
    const { rows } = await client.query('SELECT pg_relation_size(to_regclass($1)) > 0 AS has_local_rows', [name])
    if (rows[0]?.has_local_rows)
      await inTransaction(client, () => client.query('SELECT truncate_local_data_after_distributing_table($1)', [name]))
  }
  return { isDistributed: true, tables }
}

/** Distributes each table `within` a transaction. Returns those that were not distributed yet. */
export const distributeTables = async (
  client: ClientBase,
  within: <T>(work: () => Promise<T>) => Promise<T>,
): Promise<readonly string[]> => {
  const { rows } = await client.query('SELECT logicalrelid::oid AS id FROM pg_dist_partition')
  const known = new Set(rows.map(({ id }) => id))
  const missing = (await tablesOf(client)).filter(({ id }) => !known.has(id))
  for (const { name, hasOrganization } of missing) {
    const call = hasOrganization
      ? `create_distributed_table($1, 'organization_id'${name === FIRST ? '' : `, colocate_with => '${FIRST}'`})`
      : 'create_reference_table($1)'
    await within(() => client.query(`SELECT ${call}`, [name]))
  }
  await within(() =>
    client.query(
      `SELECT create_distributed_function(oid::regprocedure, 'of_organization', colocate_with => '${FIRST}')
       FROM pg_proc WHERE proname = 'append_usage' AND pronamespace = current_schema()::regnamespace`,
    ),
  )
  return missing.map(({ name }) => name)
}

/** The others are colocated with it. */
const FIRST = 'organization'

type Table = { readonly id: number; readonly name: string; readonly hasOrganization: boolean }

/** Reference tables first, then in the order in which they were created, so that none refers to a later one. */
const tablesOf = async (client: ClientBase): Promise<readonly Table[]> => {
  const { rows } = await client.query<Table>(
    `SELECT pg_class.oid AS id, relname AS name, attname IS NOT NULL AS "hasOrganization"
     FROM pg_class LEFT JOIN pg_attribute ON attrelid = pg_class.oid AND attname = 'organization_id'
     WHERE pg_class.oid IN (SELECT to_regclass(name) FROM unnest($1::text[]) AS name)
     ORDER BY 3, 1`,
    [tableNames],
  )
  return rows
}

/** Without a time limit: a large table takes long. */
const inTransaction = async <T>(client: ClientBase, work: () => Promise<T>): Promise<T> => {
  await client.query(`BEGIN; ${limits(0)}`)
  try {
    const result = await work()
    await client.query('COMMIT')
    return result
  } catch (error) {
    await client.query('ROLLBACK').catch(() => {})
    throw error
  }
}
