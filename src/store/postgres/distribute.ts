/** Citus: distributes the tables by organization, so that all rows of an organization are on one node. */
import type { PoolClient } from 'pg'
import type { Connection } from './connection.ts'

export type Distribution = {
  /** False if the extension is not installed. */
  readonly isDistributed: boolean
  /** The tables that this call has distributed. Tables that already were are not listed. */
  readonly tables: readonly string[]
}

const REFERENCE_TABLES = ['report', 'rate_card', 'installation']
/** The others are colocated with the first. */
const DISTRIBUTED_TABLES = [
  'organization',
  'billing_calendar',
  'api_key',
  'usage_record',
  'daily_total',
  'daily_group_total',
]

export const distribute = async (client: PoolClient, connection: Connection): Promise<Distribution> => {
  // No statement timeout: distributing a large table takes long.
  const run = (text: string, table: string) =>
    connection.transaction(client, () => client.query(text, [table]), { statementMs: 0 })
  const { rowCount } = await client.query("SELECT 1 FROM pg_extension WHERE extname = 'citus'")
  if (rowCount === 0) return { isDistributed: false, tables: [] }
  const { rows } = await client.query('SELECT logicalrelid::text AS name FROM pg_dist_partition')
  const known = new Set(rows.map(({ name }) => name as string))
  const tables: string[] = []
  for (const table of REFERENCE_TABLES) {
    if (known.has(table)) continue
    await run('SELECT create_reference_table($1)', table)
    tables.push(table)
  }
  for (const table of DISTRIBUTED_TABLES) {
    if (known.has(table)) continue
    const colocation = table === 'organization' ? '' : ", colocate_with => 'organization'"
    await run(`SELECT create_distributed_table($1, 'organization_id'${colocation})`, table)
    tables.push(table)
  }
  return { isDistributed: true, tables }
}
