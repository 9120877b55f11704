/** Concurrent transactions: they never deadlock with each other, and one that PostgreSQL aborts is retried. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import pg from 'pg'
import type { AppendBatch, Ledger } from '#ledger/ledger.ts'
import { type PostgresServer, startPostgres } from '../../../test/postgres-server.ts'
import { batchOf, DAY_MS, recordOf } from '../../../test/priced.ts'
import { createPostgresLedger } from './ledger.ts'

let server: PostgresServer
before(async () => {
  server = await startPostgres()
})
after(() => server[Symbol.asyncDispose]())

const contentsOf = (
  ids: readonly number[],
  content: number,
  onChange: AppendBatch['onChange'] = 'refuse',
): AppendBatch =>
  batchOf(
    ids.map((id) =>
      recordOf(id, {
        content,
        micros: 1_000_000 + content,
        at: ((id + content) % 5) * DAY_MS,
        member: `member ${(id * content) % 3}`,
      }),
    ),
    { onChange },
  )

const open = async (url: string, count: number) => {
  const ledgers = await Promise.all(Array.from({ length: count }, () => createPostgresLedger({ url, poolSize: 4 })))
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  return {
    ledgers,
    client,
    [Symbol.asyncDispose]: async () => {
      for (const ledger of ledgers) await ledger.close()
      await client.end()
    },
  }
}

const messagesOf = (ledger: Ledger | undefined) =>
  ledger?.read('default', async (view) => {
    const days = await view.dayTotals({ from: 0, to: 5 * DAY_MS, group: ['member'] })
    return days.reduce((sum, { messages }) => sum + messages, 0)
  })

test('appends of the same messages in any order, amending or not, never deadlock', async () => {
  await using opened = await open(await server.createDatabase(), 3)
  const { ledgers, client } = opened
  const ids = Array.from({ length: 60 }, (_, id) => id)
  await Promise.all(
    ledgers.flatMap((ledger, at) =>
      [0, 1, 2].map(async (writer) => {
        for (let round = 0; round < 12; round++) {
          const turn = (round * 17 + at * 5 + writer * 23) % ids.length
          const turned = [...ids.slice(turn), ...ids.slice(0, turn)].slice(0, 20 + 2 * round)
          const order = (at + writer + round) % 2 === 0 ? turned : turned.toReversed()
          const onChange = (round + writer) % 3 === 0 ? 'refuse' : 'amend'
          await ledger.append(contentsOf(order, 1 + round * 9 + at * 3 + writer, onChange))
        }
      }),
    ),
  )
  assert.equal(await messagesOf(ledgers[0]), ids.length)
  // A session reports its statistics when it ends.
  for (const ledger of ledgers) await ledger.close()
  const others = 'SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()'
  while ((await client.query(others)).rowCount !== 0);
  const { rows } = await client.query('SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()')
  assert.equal(rows[0].deadlocks, '0')
})

test('an append that PostgreSQL aborts because of a deadlock with another program is retried', async () => {
  await using opened = await open(await server.createDatabase(), 1)
  const { ledgers, client } = opened
  await ledgers[0]?.append(contentsOf([0], 1))
  // The append must detect the deadlock first.
  await client.query("BEGIN; SET LOCAL deadlock_timeout = '1h'; UPDATE day SET version = version + 1")
  const appended = ledgers[0]?.append(contentsOf([5], 1))
  const waiting = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
  while ((await client.query(waiting)).rowCount === 0);
  await client.query(`
    INSERT INTO record (organization_id, message_number, message_name, revision, at_ms, day_start, cell_id, credits_micros,
      recorded_at, facts, digest)
    VALUES ('default', 5, '', 0, 0, 0, 1, 1, 0, '', '')`)
  await client.query('ROLLBACK')
  assert.equal(await appended, undefined)
  assert.equal(await messagesOf(ledgers[0]), 2)
})

test('appends are retried until they succeed in a database whose default isolation level makes them fail with conflicts', async () => {
  const url = await server.createDatabase()
  const admin = new pg.Client({ connectionString: url })
  await admin.connect()
  const name = new URL(url).pathname.slice(1)
  await admin.query(`ALTER DATABASE ${name} SET default_transaction_isolation = 'repeatable read'`)
  await admin.end()
  await using opened = await open(url, 2)
  const outcomes = await Promise.all(
    Array.from({ length: 30 }, (_, id) => opened.ledgers[id % 2]?.append(contentsOf([id], 1))),
  )
  assert.deepEqual(outcomes, Array(30).fill(undefined))
  assert.equal(await messagesOf(opened.ledgers[0]), 30)
})

test('commands of an organization that wait for a lock leave the other connections to other organizations', async () => {
  await using opened = await open(await server.createDatabase(), 1)
  const { ledgers, client } = opened
  const [ledger] = ledgers
  await client.query("BEGIN; SELECT 1 FROM account WHERE organization_id = 'default' FOR UPDATE")
  const marks = Array.from({ length: 100 }, (_, index) => index * DAY_MS)
  const closed = marks.map((until) => ledger?.decide('default', { kind: 'close', until }))
  const waiting = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
  while ((await client.query(waiting)).rowCount === 0);
  assert.equal(await ledger?.decide('other', { kind: 'revoke-key', keyId: 'none', at: 0 }), undefined)
  await client.query('COMMIT')
  assert.deepEqual(await Promise.all(closed), marks)
})

test('an organization that an older program creates during a migration can be charged and closed', async () => {
  await using opened = await open(await server.createDatabase(), 1)
  const { ledgers, client } = opened
  const [ledger] = ledgers
  for (const id of ['charged', 'closed']) {
    await client.query("INSERT INTO organization (organization_id, name, created_at) VALUES ($1, 'Older', 0)", [id])
    await client.query(
      "INSERT INTO billing_calendar (organization_id, effective_from, time_zone, anchor_day) VALUES ($1, 0, 'UTC', 1)",
      [id],
    )
  }
  assert.equal(await ledger?.append(batchOf([recordOf(1)], { organizationId: 'charged' })), undefined)
  await ledger?.decide('closed', { kind: 'close', until: DAY_MS })
  assert.equal(await ledger?.read('closed', (view) => view.closedUntil()), DAY_MS)
})
