/** The ledger in PostgreSQL. Any number of processes can share a database. */
import type { PoolClient } from 'pg'
import type { Command, CommandKind, Outcome } from '#ledger/commands.ts'
import type { Ledger } from '#ledger/ledger.ts'
import type { MigrationObserver, StoreObserver } from '#ledger/notices.ts'
import { StoreError } from '#model/errors.ts'
import {
  activityOf,
  carryOut,
  contentKey,
  daysOf,
  findKey,
  findOrganization,
  findReport,
  heartbeat,
  keyUsed,
  latestInstant,
  listKeys,
  listOrganizations,
  listReports,
  putReport,
  removeReport,
} from '../shared/catalogue.ts'
import { Others } from '../shared/others.ts'
import { findCard, findCardsInForce, listCards, putCard, useCardByDefault } from '../shared/rate-cards.ts'
import { runStepsAsync, type Steps } from '../shared/steps.ts'
import { AppendQueue } from './append-queue.ts'
import { Cells } from './cells.ts'
import { CommandQueue } from './command-queue.ts'
import { Connection, type ConnectionSettings, codeOf, NotYetVisible, UNIQUE_VIOLATION } from './connection.ts'
import { clusterOf, type Distribution, distribute } from './distribute.ts'
import { migrate } from './migrate.ts'
import { keyMilestone, usageMilestone } from './milestone.ts'
import { type ClusterNode, unreachableNodes, writeOnConnectedNode } from './nodes.ts'
import { type AppendsBy, RecordWriter } from './record-writer.ts'
import { createView } from './usage-reader.ts'

export type PostgresLedger = Ledger & {
  /** Whether the tables were distributed when it was opened. Then some organizations may be unavailable while others are not. */
  readonly isDistributed: boolean
  /** Distributes the tables if the `citus` extension is installed. */
  readonly distribute: () => Promise<Distribution>
}

export type PostgresSettings = ConnectionSettings & {
  /** By the function on Citus, if the tables are distributed; otherwise the statement is faster. */
  readonly appendsBy?: AppendsBy
  /** How many models and how many features of a billing period totals tell apart. */
  readonly namesMax?: number
}

/** Connects and applies missing migrations. Throws StoreError. */
export const createPostgresLedger = async (
  settings: PostgresSettings,
  observeMigration: MigrationObserver = () => {},
  observe: StoreObserver = () => {},
): Promise<PostgresLedger> => {
  const connection = new Connection(settings)
  let isDistributed: boolean
  try {
    isDistributed = await connection.unhurried(async (client) => {
      await migrate(client, { observe: observeMigration })
      return (await clusterOf(client))?.isDistributed === true
    })
  } catch (error) {
    await connection.close()
    throw error
  }
  const cells = new Cells()
  const hasUsage = usageMilestone()
  const hasKey = keyMilestone()
  const appendsBy = settings.appendsBy ?? (isDistributed ? 'function' : 'statement')
  const others = new Others({ namesMax: settings.namesMax, observe })
  const writer = new RecordWriter(connection, { appendsBy, cells, others, hasUsage })
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
    try {
      const outcome = await run(client, carryOut(organizationId, command))
      if (command.kind === 'create-key') await hasKey.reach(client)
      return outcome
    } catch (error) {
      if (codeOf(error) !== UNIQUE_VIOLATION) throw error
      throw new NotYetVisible('another process created the same at the same time')
    }
  }
  const commands = new CommandQueue(connection, decide)

  return {
    append: async (batch) => (batch.priced.count === 0 ? undefined : queue.append(batch)),

    decide: (organizationId, command) => commands.decide(organizationId, command),

    // No retry: lines that the reader has already passed on cannot be taken back.
    read: (organizationId, reading, { signal } = {}) =>
      connection.read((client) => reading(createView(client, organizationId, cells, signal)), signal),

    organizations: {
      find: (id) => repeatable(() => findOrganization(id)),
      list: (page) => repeatable(() => listOrganizations(page)),
      days: (ranges) => repeatable(() => daysOf(ranges)),
      activity: (ids) => repeatable(() => activityOf(ids)),
    },

    keys: {
      find: (organizationId, hash) => repeatable(() => findKey(organizationId, hash)),
      list: (organizationId) => repeatable(() => listKeys(organizationId)),
      any: () => connection.repeatable((client) => connection.autocommit(client, () => hasKey.isReached(client))),
      used: (organizationId, hash, at) => repeatable(() => keyUsed(organizationId, hash, at)),
    },

    reports: {
      find: (id) => repeatable(() => findReport(id)),
      list: (page) => repeatable(() => listReports(page)),
      put: (report) => once(() => putReport(report)),
      remove: (id) => once(() => removeReport(id)),
    },

    rateCards: {
      put: (card) => repeatable(() => putCard(card)),
      find: (version) => repeatable(() => findCard(version)),
      list: () => repeatable(listCards),
      inForce: (organizationId) => repeatable(() => findCardsInForce(organizationId)),
      useByDefault: (use) =>
        connection.repeatable((client) => connection.transaction(client, () => run(client, useCardByDefault(use)))),
    },

    isEmpty: () =>
      connection.repeatable((client) => connection.autocommit(client, async () => !(await hasUsage.isReached(client)))),

    contentKey: () => repeatable(contentKey),

    latestInstant: async (now) => {
      if (isDistributed) refuseToMiss(await unreachableNodes(connection))
      return repeatable(() => latestInstant(now))
    },

    // A write, because a read would also succeed on a database that no longer accepts writes.
    check: async () => {
      if (isDistributed) {
        await writeOnConnectedNode(connection)
        return (await unreachableNodes(connection)).map(({ id }) => id)
      }
      await connection.once((client) => run(client, heartbeat(Date.now())))
      return []
    },

    close: async () => {
      await Promise.all([queue.settled(), commands.settled()])
      await connection.close()
    },

    isDistributed,
    distribute: () => connection.unhurried((client) => distribute(client)),
  }
}

/**
 * Every node must accept the time, because every node has it. If it were only read, a calendar could be changed on a node that does
 * not know how far time has come, and a period that has begun could move.
 */
const refuseToMiss = (unreachable: readonly ClusterNode[]): void => {
  if (unreachable.length === 0) return
  const names = unreachable.map(({ name, port }) => `${name}:${port}`).join(', ')
  throw new StoreError(
    `the time cannot be recorded, nor a calendar changed, before these nodes of the cluster can be reached: ${names}`,
  )
}
