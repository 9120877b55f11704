/** The other nodes of a Citus cluster. While some of them are down, the organizations of the rest can be served. */
import { StoreError } from '#model/errors.ts'
import { type Connection, codeOf } from './connection.ts'

export type ClusterNode = {
  /** As in `pg_dist_node`. */
  readonly id: number
  readonly name: string
  readonly port: number
}

/** A node that is up answers within milliseconds. One that hangs would never answer. */
const ANSWER_MS = 1000
const STATEMENT_TIMEOUT = '57014'

/** The nodes that the connected one cannot reach. */
export const unreachableNodes = async (connection: Connection): Promise<readonly ClusterNode[]> => {
  const nodes = await connection.once((client) =>
    connection.autocommit(client, async () => (await client.query<ClusterNode>(OTHERS)).rows),
  )
  const reachable = await Promise.all(nodes.map((node) => isReachable(connection, node)))
  return nodes.filter((_, index) => !reachable[index])
}

const OTHERS = `
  SELECT nodeid AS id, nodename AS name, nodeport AS port FROM pg_dist_node
  WHERE isactive AND noderole = 'primary' AND groupid <> (SELECT groupid FROM pg_dist_local_group)
  ORDER BY nodeid`

const isReachable = async (connection: Connection, { name, port }: ClusterNode): Promise<boolean> => {
  const ask = 'SELECT citus_check_connection_to_node($1, $2) AS is_reachable'
  try {
    return await connection.once((client) =>
      connection.transaction(client, async () => (await client.query(ask, [name, port])).rows[0]?.is_reachable, {
        statementMs: ANSWER_MS,
      }),
    )
  } catch (error) {
    if (error instanceof StoreError && codeOf(error.cause) === STATEMENT_TIMEOUT) return false
    throw error
  }
}

/**
 * Writes and syncs something on the connected node alone, which works while others are down; every table of the ledger is on
 * other nodes as well. A transaction id alone would not be synced. PostgreSQL would accept this in read-only transactions.
 */
export const writeOnConnectedNode = async (connection: Connection): Promise<void> => {
  const { rows } = await connection.once((client) =>
    connection.autocommit(client, () =>
      client.query(
        `SELECT pg_logical_emit_message(true, 'copilot-credits', ''),
           current_setting('transaction_read_only') = 'on' AS is_read_only`,
      ),
    ),
  )
  if (rows[0]?.is_read_only) throw new StoreError('PostgreSQL: the database is read-only')
}
