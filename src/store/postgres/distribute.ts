/** Citus: the tables are distributed by organization, so that one organization's rows are on one node. */
import type { PoolClient } from 'pg'
import type { Connection } from './connection.ts'

export type Distribution = {
  /** False where the extension is not there. */
  readonly isDistributed: boolean
  /** Those that were distributed now; what was before is left as it is. */
  readonly tables: readonly string[]
}

const REFERENCE_TABLES = ['report', 'rate_card', 'installation']
/** The first is the one that the others lie beside. */
const DISTRIBUTED_TABLES = [
  'organization',
  'billing_calendar',
  'api_key',
  'usage_record',
  'daily_total',
  'daily_group_total',
]

export const distribute = async (client: PoolClient, connection: Connection): Promise<Distribution> => {
  // A large table takes longer than a statement may otherwise.
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
    const beside = table === 'organization' ? '' : ", colocate_with => 'organization'"
    await run(`SELECT create_distributed_table($1, 'organization_id'${beside})`, table)
    tables.push(table)
  }
  return { isDistributed: true, tables }
}
