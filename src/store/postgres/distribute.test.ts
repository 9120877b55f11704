/**
 * What the schema must respect to be distributed, and a cluster itself if `CITUS_DATABASE_URL` names the coordinator of one. That
 * database must have the extension and its workers, and is filled with organizations of random names.
 */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { describe, test } from 'node:test'
import type { Ledger } from '#ledger/ledger.ts'
import { StoreError } from '#model/errors.ts'
import { CALENDAR_BEGINS } from '#model/organization.ts'
import { startPostgres, withClient } from '../../../test/postgres-server.ts'
import { batchOf, DAY_MS, recordOf, START } from '../../../test/priced.ts'
import { createPostgresLedger } from './ledger.ts'
import { tableNames } from './migrations.ts'

/** Each way of writing and reading, for an organization of its own. */
const useLedger = async (ledger: Ledger): Promise<void> => {
  const id = `test-${randomBytes(8).toString('hex')}`
  const calendar = [{ effectiveFrom: CALENDAR_BEGINS, timeZone: 'UTC', anchorDay: 1 }] as const
  await ledger.decide(id, { kind: 'create-organization', organization: { id, name: id, createdAt: START, calendar } })
  const records = Array.from({ length: 2000 }, (_, index) =>
    recordOf(index, { at: START + (index % 40) * DAY_MS, member: `m${index % 7}`, micros: 1_000_000 }),
  )
  const append = async (some: typeof records, onChange: 'refuse' | 'amend' = 'refuse') => {
    const { version: cardsVersion } = await ledger.rateCards.inForce(id)
    const answer = await ledger.append({ ...batchOf(some, { organizationId: id, onChange }), cardsVersion })
    assert.ok(answer !== 'other-cards')
    return answer
  }
  assert.equal(await append(records), undefined)
  assert.deepEqual(new Set((await append(records))?.map(({ status }) => status)), new Set(['duplicate']))
  await ledger.decide(id, { kind: 'close', until: START + 31 * DAY_MS })
  await ledger.decide(id, { kind: 'use-rate-card', version: 'dearer' })
  assert.equal(await ledger.append({ ...batchOf(records, { organizationId: id }), cardsVersion: -1 }), 'other-cards')
  const changed = records.slice(0, 40).map((record) => ({ ...record, digest: new Uint8Array(16).fill(9) }))
  assert.deepEqual(new Set((await append(changed, 'amend'))?.map(({ status }) => status)), new Set(['amended']))
  await ledger.read(id, async (view) => {
    const whole = { from: CALENDAR_BEGINS, to: -CALENDAR_BEGINS }
    const days = await view.dayTotals({ ...whole, group: ['member'] })
    const totals = await view.totals({ ...whole, group: ['member'] })
    assert.equal(
      totals.reduce((sum, { credits }) => sum + credits, 0n),
      2_000_000_000n,
    )
    assert.equal(
      days.reduce((sum, { credits }) => sum + credits, 0n),
      2_000_000_000n,
    )
    assert.equal(
      (await view.page({ ...whole, member: 'm3', limit: 10_000 })).length,
      totals.find(({ member }) => member === 'm3')?.messages,
    )
  })
}

test('every table is created by a migration, and every key of a table with organizations contains the organization', async () => {
  await using server = await startPostgres()
  const url = await server.createDatabase()
  await (await createPostgresLedger({ url, poolSize: 1 })).close()
  await withClient(url, async (client) => {
    const { rows: tables } = await client.query(
      "SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1",
    )
    // Tables of an earlier version are created as well, and gone in a new database.
    assert.deepEqual(
      tables.map(({ tablename }) => tablename).filter((name) => !tableNames.includes(name)),
      [],
    )
    const { rows: keys } = await client.query(
      `SELECT indexrelid::regclass::text AS name FROM pg_index JOIN pg_attribute ON attrelid = indrelid
       WHERE attname = 'organization_id' AND indisunique AND indrelid::regclass::text = ANY($1) AND attnum <> ALL(indkey)`,
      [tableNames],
    )
    assert.deepEqual(keys, [])
  })
})

test('without the extension, nothing is distributed', async () => {
  await using server = await startPostgres()
  const ledger = await createPostgresLedger({ url: await server.createDatabase(), poolSize: 1 })
  assert.deepEqual(await ledger.distribute(), { isDistributed: false, tables: [] })
  await useLedger(ledger)
  await ledger.close()
})

const coordinator = process.env['CITUS_DATABASE_URL']
const skip = coordinator === undefined && 'CITUS_DATABASE_URL does not name the coordinator of a Citus cluster'

describe('on Citus', { skip }, () => {
  const url = coordinator ?? ''

  test('the tables are distributed once, local copies are freed, and the ledger does the same as before', async () => {
    const before = await createPostgresLedger({ url, poolSize: 4 })
    await useLedger(before)
    await before.distribute()
    assert.deepEqual(await before.distribute(), { isDistributed: true, tables: [] })
    await before.close()
    await withClient(url, async (client) => {
      const { rows } = await client.query('SELECT logicalrelid::text AS name FROM pg_dist_partition')
      // Tables of an earlier version are gone in a new database.
      const { rows: tables } = await client.query(
        'SELECT name FROM unnest($1::text[]) AS name WHERE to_regclass(name) IS NOT NULL',
        [tableNames],
      )
      assert.deepEqual(
        tables.filter(({ name }) => !rows.some((row) => row.name === name)),
        [],
      )
      for (const { name } of tables) {
        const { rows: sizes } = await client.query('SELECT pg_relation_size(to_regclass($1)) AS bytes', [name])
        assert.equal(sizes[0].bytes, '0', `${name} still has rows on the coordinator`)
      }
    })
    const after = await createPostgresLedger({ url, poolSize: 4 })
    await useLedger(after)
    assert.equal(after.isDistributed, true)
    assert.deepEqual(await after.check(), [], 'every node can be reached')
    await after.close()
  })

  test('a server may connect to a worker, which does not distribute', async () => {
    const workers = await withClient(url, async (client) => {
      const { rows } = await client.query(
        "SELECT nodename, nodeport FROM pg_dist_node WHERE groupid <> 0 AND noderole = 'primary' AND isactive",
      )
      return rows as readonly { readonly nodename: string; readonly nodeport: number }[]
    })
    for (const { nodename, nodeport } of workers) {
      const ofWorker = new URL(url)
      ofWorker.hostname = nodename
      ofWorker.port = String(nodeport)
      const ledger = await createPostgresLedger({ url: ofWorker.href, poolSize: 4 })
      await useLedger(ledger)
      await assert.rejects(
        ledger.distribute(),
        (error) => error instanceof StoreError && /on the coordinator/.test(error.message),
      )
      await ledger.close()
    }
  })

  test('a node that cannot be reached is found, and the time is not recorded without it', async () => {
    const ledger = await createPostgresLedger({ url, poolSize: 4 })
    const time = await ledger.latestInstant(0)
    await withClient(url, async (client) => {
      const { rows } = await client.query(
        "SELECT nodeid, nodeport FROM pg_dist_node WHERE groupid <> 0 AND noderole = 'primary' LIMIT 1",
      )
      const { nodeid, nodeport } = rows[0]
      // Nobody listens on port 1.
      const move = 'UPDATE pg_dist_node SET nodeport = $2 WHERE nodeid = $1'
      await client.query(move, [nodeid, 1])
      try {
        assert.deepEqual(await ledger.check(), [nodeid])
        await assert.rejects(ledger.latestInstant(time), /these nodes of the cluster can be reached: .*:1$/)
      } finally {
        await client.query(move, [nodeid, nodeport])
      }
    })
    assert.deepEqual(await ledger.check(), [])
    await ledger.close()
  })
})
