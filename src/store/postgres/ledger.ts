/** The ledger in PostgreSQL. Any number of processes can share a database. */
import { randomBytes } from 'node:crypto'
import type { PoolClient } from 'pg'
import type { Ledger } from '#ledger/ledger.ts'
import type { Organization } from '#model/organization.ts'
import { AppendQueue } from './append-queue.ts'
import { Connection, type ConnectionSettings } from './connection.ts'
import { type Distribution, distribute } from './distribute.ts'
import { migrate } from './migrate.ts'
import { RecordWriter } from './record-writer.ts'
import { type Row, toApiKey, toOrganization, toReport } from './rows.ts'
import { createView } from './usage-reader.ts'

export type PostgresLedger = Ledger & {
  /** Distributes the tables if the `citus` extension is installed. */
  readonly distribute: () => Promise<Distribution>
}

/** Connects and applies missing migrations. Throws StoreError. */
export const createPostgresLedger = async (settings: ConnectionSettings): Promise<PostgresLedger> => {
  const connection = new Connection(settings)
  try {
    await connection.unhurried((client) => migrate(client))
  } catch (error) {
    await connection.close()
    throw error
  }
  const queue = new AppendQueue(new RecordWriter(connection), () => connection.deadline())

  const query = (text: string, ...values: readonly unknown[]): Promise<readonly Row[]> =>
    connection.repeatable(async (client) => {
      const { rows } = await connection.autocommit(client, () => client.query(text, [...values]))
      return rows as readonly Row[]
    })

  const changeOrganization = async (
    client: PoolClient,
    id: string,
    change: (organization: Organization) => Organization,
  ): Promise<Organization | undefined> => {
    const locked = await client.query('SELECT 1 FROM organization WHERE organization_id = $1 FOR UPDATE', [id])
    if (locked.rowCount === 0) return undefined
    const before = toOrganization(
      (await client.query(`${ORGANIZATIONS} WHERE organization_id = $1 ${BY_DATE}`, [id])).rows,
    )
    if (before === undefined) return undefined
    const after = change(before)
    await client.query('UPDATE organization SET name = $2, created_at = $3 WHERE organization_id = $1', [
      id,
      after.name,
      after.createdAt,
    ])
    await client.query('DELETE FROM billing_calendar WHERE organization_id = $1', [id])
    await writeCalendar(client, after)
    return after
  }

  return {
    append: (batch) => (batch.records.length === 0 ? Promise.resolve([]) : queue.append(batch)),

    // No retry: lines that the reader has already passed on cannot be taken back.
    read: (organizationId, reading, { signal } = {}) =>
      connection.read((client) => reading(createView(client, organizationId, signal)), signal),

    organizations: {
      find: async (id) => toOrganization(await query(`${ORGANIZATIONS} WHERE organization_id = $1 ${BY_DATE}`, id)),
      list: async ({ after = '', limit }) => {
        const rows = await query(
          `${ORGANIZATIONS} WHERE organization_id IN (
             SELECT organization_id FROM organization WHERE organization_id > $1 ORDER BY organization_id LIMIT $2)
           ${BY_DATE}`,
          after,
          limit,
        )
        return [...Map.groupBy(rows, (row) => row['organization_id']).values()].flatMap(
          (each) => toOrganization(each) ?? [],
        )
      },
      create: (organization) =>
        connection.once((client) =>
          connection.transaction(client, async () => {
            const { id, name, createdAt } = organization
            const { rowCount } = await client.query(
              `INSERT INTO organization (organization_id, name, created_at) VALUES ($1, $2, $3)
               ON CONFLICT (organization_id) DO NOTHING`,
              [id, name, createdAt],
            )
            if (rowCount === 1) await writeCalendar(client, organization)
            return rowCount === 1
          }),
        ),
      update: (id, change) =>
        connection.repeatable((client) => connection.transaction(client, () => changeOrganization(client, id, change))),
    },

    keys: {
      create: async ({ organizationId, hash, id, name, scopes, createdAt }) => {
        await query(
          `INSERT INTO api_key (organization_id, key_hash, key_id, name, scopes, created_at) VALUES ($1, $2, $3, $4, $5, $6)
           ON CONFLICT (organization_id, key_hash) DO NOTHING`,
          organizationId,
          hash,
          id,
          name,
          scopes.join(' '),
          createdAt,
        )
      },
      find: async (organizationId, hash) => {
        const [row] = await query(
          `SELECT ${KEY_COLUMNS} FROM api_key WHERE organization_id = $1 AND key_hash = $2`,
          organizationId,
          hash,
        )
        return row && toApiKey(row)
      },
      list: async (organizationId) =>
        (
          await query(
            `SELECT ${KEY_COLUMNS} FROM api_key WHERE organization_id = $1 ORDER BY created_at, key_id`,
            organizationId,
          )
        ).map(toApiKey),
      revoke: async (organizationId, id, at) => {
        const [row] = await query(
          `UPDATE api_key SET revoked_at = coalesce(revoked_at, $3) WHERE organization_id = $1 AND key_id = $2
           RETURNING ${KEY_COLUMNS}`,
          organizationId,
          id,
          at,
        )
        return row && toApiKey(row)
      },
      any: async () => (await query('SELECT 1 FROM api_key LIMIT 1')).length > 0,
    },

    reports: {
      find: async (id) => {
        const [row] = await query(
          'SELECT report_id, name, credit_cost_micros FROM report WHERE report_id = $1',
          String(id),
        )
        return row && toReport(row)
      },
      put: ({ id, name, creditCost }) =>
        connection.once((client) =>
          connection.transaction(client, async () => {
            const { rowCount } = await client.query(
              'UPDATE report SET name = $2, credit_cost_micros = $3 WHERE report_id = $1',
              [String(id), name, creditCost],
            )
            if (rowCount === 1) return 'replaced'
            await client.query(
              `INSERT INTO report (report_id, name, credit_cost_micros) VALUES ($1, $2, $3)
               ON CONFLICT (report_id) DO UPDATE SET name = excluded.name, credit_cost_micros = excluded.credit_cost_micros`,
              [String(id), name, creditCost],
            )
            return 'created'
          }),
        ),
      remove: (id) =>
        connection.once(async (client) => {
          const remove = () => client.query('DELETE FROM report WHERE report_id = $1', [String(id)])
          return (await connection.autocommit(client, remove)).rowCount === 1
        }),
    },

    isEmpty: async () => (await query('SELECT 1 FROM daily_total LIMIT 1')).length === 0,

    contentKey: async () => {
      await query(
        "INSERT INTO installation (name, value) VALUES ('content_key', $1) ON CONFLICT (name) DO NOTHING",
        randomBytes(32).toString('hex'),
      )
      const [row] = await query("SELECT value FROM installation WHERE name = 'content_key'")
      return row?.['value'] as string
    },

    latestInstant: async (now) => {
      const [row] = await query(
        `INSERT INTO installation (name, value) VALUES ('latest_instant', $1)
         ON CONFLICT (name) DO UPDATE SET value = greatest(installation.value::bigint, excluded.value::bigint)::text
         RETURNING value`,
        String(now),
      )
      return Number(row?.['value'])
    },

    check: () =>
      connection.once(async (client) => {
        // A write, because a read would also succeed on a database that no longer accepts writes.
        await client.query(
          `INSERT INTO installation (name, value) VALUES ('checked_at', $1)
           ON CONFLICT (name) DO UPDATE SET value = excluded.value`,
          [String(Date.now())],
        )
      }),

    close: async () => {
      await queue.settled()
      await connection.close()
    },

    distribute: () => connection.unhurried((client) => distribute(client, connection)),
  }
}

const ORGANIZATIONS = `
  SELECT organization_id, name, created_at, effective_from, time_zone, anchor_day
  FROM organization JOIN billing_calendar USING (organization_id)`

const BY_DATE = 'ORDER BY organization_id, effective_from'

const KEY_COLUMNS = 'organization_id, key_hash, key_id, name, scopes, created_at, revoked_at'

const writeCalendar = async (client: PoolClient, { id, calendar }: Organization): Promise<void> => {
  for (const { effectiveFrom, timeZone, anchorDay } of calendar) {
    await client.query(
      'INSERT INTO billing_calendar (organization_id, effective_from, time_zone, anchor_day) VALUES ($1, $2, $3, $4)',
      [id, effectiveFrom, timeZone, anchorDay],
    )
  }
}
