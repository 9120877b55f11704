/** Ids of cells: what happens if two cells have the same hash, or if the database no longer has a cell. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import pg from 'pg'
import type { Ledger } from '#ledger/ledger.ts'
import { type PostgresServer, startPostgres } from '../../../test/postgres-server.ts'
import { batchOf, DAY_MS, recordOf, START } from '../../../test/priced.ts'
import { checkPostgres } from './check.ts'
import { createPostgresLedger } from './ledger.ts'

let server: PostgresServer
before(async () => {
  server = await startPostgres()
})
after(() => server[Symbol.asyncDispose]())

const open = async () => {
  const url = await server.createDatabase()
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  const ledgers: Ledger[] = []
  return {
    url,
    client,
    open: async (): Promise<Ledger> => {
      const ledger = await createPostgresLedger({ url, poolSize: 2 })
      ledgers.push(ledger)
      return ledger
    },
    [Symbol.asyncDispose]: async () => {
      for (const ledger of ledgers) await ledger.close()
      await client.end()
    },
  }
}

const membersOf = (ledger: Ledger) =>
  ledger.read('default', async (view) => {
    const lines = await view.page({ from: START, to: START + DAY_MS, limit: 100 })
    return lines.map(({ messageId, cell }) => [messageId, cell.member])
  })

test('processes that see the same cells for the first time at once give them the same ids', async () => {
  await using opened = await open()
  const ledgers = await Promise.all(Array.from({ length: 4 }, opened.open))
  await Promise.all(
    ledgers.map((ledger, at) =>
      ledger.append(batchOf(Array.from({ length: 50 }, (_, id) => recordOf(at * 50 + id, { member: `m${id % 20}` })))),
    ),
  )
  const { rows } = await opened.client.query(
    'SELECT count(*)::int AS cells, count(DISTINCT member)::int AS members FROM cell',
  )
  assert.deepEqual(rows, [{ cells: 20, members: 20 }])
  assert.deepEqual(await checkPostgres(opened.url), [])
})

test('a cell whose id belongs to another cell gets the next one, in every process', async () => {
  await using opened = await open()
  await (await opened.open()).append(batchOf([recordOf(1, { member: 'ada' })]))
  // As if both had the same hash.
  await opened.client.query("UPDATE cell SET member = 'bob' WHERE member = 'ada'")
  const [one, other] = [await opened.open(), await opened.open()]
  await one.append(batchOf([recordOf(2, { member: 'ada' })]))
  await other.append(batchOf([recordOf(3, { member: 'ada' })]))
  assert.deepEqual(await membersOf(one), [
    [1, 'bob'],
    [2, 'ada'],
    [3, 'ada'],
  ])
  const { rows } = await opened.client.query('SELECT member FROM cell ORDER BY member')
  assert.deepEqual(rows, [{ member: 'ada' }, { member: 'bob' }])
})

test('a process that remembers a cell adds it again to a database that was replaced by one without it', async () => {
  await using opened = await open()
  const ledger = await opened.open()
  await ledger.append(batchOf([recordOf(1, { member: 'ada' })]))
  await opened.client.query('TRUNCATE record, day, day_cell, period_cell, cell')
  assert.equal(await ledger.append(batchOf([recordOf(1, { member: 'ada' })])), undefined)
  assert.deepEqual(await membersOf(ledger), [[1, 'ada']])
  assert.deepEqual(await checkPostgres(opened.url), [])
})
