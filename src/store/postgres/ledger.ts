/** The ledger in PostgreSQL. Any number of processes can share a database. */
import type { PoolClient } from 'pg'
import type { Command, CommandKind, Outcome } from '#ledger/commands.ts'
import type { Ledger } from '#ledger/ledger.ts'
import type { MigrationObserver } from '#ledger/notices.ts'
import {
  carryOut,
  contentKey,
  findKey,
  findOrganization,
  findReport,
  heartbeat,
  latestInstant,
  listKeys,
  listOrganizations,
  putReport,
  removeReport,
} from '../shared/catalogue.ts'
import { runStepsAsync, type Steps } from '../shared/steps.ts'
import { AppendQueue } from './append-queue.ts'
import { Cells } from './cells.ts'
import { Connection, type ConnectionSettings, codeOf, NotYetVisible, UNIQUE_VIOLATION } from './connection.ts'
import { clusterOf, type Distribution, distribute } from './distribute.ts'
import { migrate } from './migrate.ts'
import { keyMilestone, usageMilestone } from './milestone.ts'
import { ADD_ACCOUNT, type AppendsBy, RecordWriter } from './record-writer.ts'
import { createView } from './usage-reader.ts'

export type PostgresLedger = Ledger & {
  /** Distributes the tables if the `citus` extension is installed. */
  readonly distribute: () => Promise<Distribution>
}

/** `appendsBy`: by the function on Citus, if the tables are distributed; otherwise the statement is faster. */
export type PostgresSettings = ConnectionSettings & { readonly appendsBy?: AppendsBy }

/** Connects and applies missing migrations. Throws StoreError. */
export const createPostgresLedger = async (
  settings: PostgresSettings,
  observe: MigrationObserver = () => {},
): Promise<PostgresLedger> => {
  const connection = new Connection(settings)
  let appendsBy: AppendsBy
  try {
    appendsBy = await connection.unhurried(async (client) => {
      await migrate(client, { observe })
      return settings.appendsBy ?? ((await clusterOf(client))?.isDistributed ? 'function' : 'statement')
    })
  } catch (error) {
    await connection.close()
    throw error
  }
  const cells = new Cells()
  const hasUsage = usageMilestone()
  const hasKey = keyMilestone()
  const writer = new RecordWriter(connection, { appendsBy, cells, hasUsage })
  const queue = new AppendQueue(writer, () => connection.deadline())

  const run = <T>(client: PoolClient, steps: Steps<T>): Promise<T> =>
    runStepsAsync(steps, async ({ sql, values }) => (await client.query(sql, [...values])).rows)

  /** For steps that are safe to repeat. */
  const repeatable = <T>(steps: () => Steps<T>): Promise<T> =>
    connection.repeatable((client) => connection.autocommit(client, () => run(client, steps())))

  const once = <T>(steps: () => Steps<T>): Promise<T> =>
    connection.once((client) => connection.transaction(client, () => run(client, steps())))

  const decide = async <K extends CommandKind>(
    client: PoolClient,
    organizationId: string,
    command: Command<K>,
  ): Promise<Outcome<K>> => {
    // Commands of an organization wait for each other here. There is no row yet if the command creates the organization.
    const locked = await client.query('SELECT 1 FROM account WHERE organization_id = $1 FOR UPDATE', [organizationId])
    if (locked.rowCount === 0) await client.query(ADD_ACCOUNT, [organizationId])
    try {
      const outcome = await run(client, carryOut(organizationId, command))
      if (command.kind === 'create-key') await hasKey.reach(client)
      return outcome
    } catch (error) {
      if (codeOf(error) !== UNIQUE_VIOLATION) throw error
      throw new NotYetVisible('another process created the same at the same time')
    }
  }

  return {
    append: async (batch) => (batch.priced.count === 0 ? undefined : queue.append(batch)),

    decide: (organizationId, command) =>
      connection.repeatable((client) => connection.transaction(client, () => decide(client, organizationId, command))),

    // No retry: lines that the reader has already passed on cannot be taken back.
    read: (organizationId, reading, { signal } = {}) =>
      connection.read((client) => reading(createView(client, organizationId, cells, signal)), signal),

    organizations: {
      find: (id) => repeatable(() => findOrganization(id)),
      list: (page) => repeatable(() => listOrganizations(page)),
    },

    keys: {
      find: (organizationId, hash) => repeatable(() => findKey(organizationId, hash)),
      list: (organizationId) => repeatable(() => listKeys(organizationId)),
      any: () => connection.repeatable((client) => connection.autocommit(client, () => hasKey.isReached(client))),
    },

    reports: {
      find: (id) => repeatable(() => findReport(id)),
      put: (report) => once(() => putReport(report)),
      remove: (id) => once(() => removeReport(id)),
    },

    isEmpty: () =>
      connection.repeatable((client) => connection.autocommit(client, async () => !(await hasUsage.isReached(client)))),

    contentKey: () => repeatable(contentKey),

    latestInstant: (now) => repeatable(() => latestInstant(now)),

    // A write, because a read would also succeed on a database that no longer accepts writes.
    check: () => connection.once((client) => run(client, heartbeat(Date.now()))),

    close: async () => {
      await queue.settled()
      await connection.close()
    },

    distribute: () => connection.unhurried((client) => distribute(client)),
  }
}
