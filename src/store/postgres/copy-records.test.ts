/** A PostgreSQL database of version 1 gets cells with the same charges, in pieces, or stays as it is. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { after, before, test } from 'node:test'
import { type PostgresServer, startPostgres, withClient } from '../../../test/postgres-server.ts'
import { assertMigrated, type OldTotals, oldRecords, writeOldPostgres } from '../../../test/version-1.ts'
import { checkPostgres } from './check.ts'
import { createPostgresLedger } from './ledger.ts'
import { migrate } from './migrate.ts'

let server: PostgresServer
before(async () => {
  server = await startPostgres()
})
after(() => server[Symbol.asyncDispose]())

const oldDatabase = async (messages: number) => {
  const url = await server.createDatabase()
  const records = [...oldRecords(messages)]
  const totals = await withClient(url, async (client): Promise<OldTotals> => {
    await migrate(client, { upTo: 1 })
    return writeOldPostgres(client, records)
  })
  return { url, records, totals }
}

const tables = (url: string): Promise<readonly string[]> =>
  withClient(url, async (client) => {
    const { rows } = await client.query("SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1")
    return rows.map(({ tablename }) => tablename as string)
  })

test('every charge, total, name and key comes over, and the old tables are kept', async () => {
  const { url, records, totals } = await oldDatabase(1500)
  assert.deepEqual(await checkPostgres(url), [])
  const progress: string[] = []
  const ledger = await createPostgresLedger({ url, poolSize: 2 }, (text) => progress.push(text))
  await assertMigrated(ledger, records, totals)
  await ledger.close()
  assert.deepEqual(await checkPostgres(url), [])
  assert.equal(progress[0], 'The database is being migrated: its totals are being checked.')
  assert.match(progress[1] ?? '', /^The database is being migrated: [\d,]+ of [\d,]+ records\.$/)
  assert.ok((await tables(url)).includes('usage_record_v1'))
})

test('a process waits for as long as another one migrates, and says so', async () => {
  const { url, records, totals } = await oldDatabase(20)
  await withClient(url, async (client) => {
    await client.query('SELECT pg_advisory_lock(27991802496250996)')
    const { promise: told, resolve: tell } = Promise.withResolvers<string>()
    const opening = createPostgresLedger({ url, poolSize: 2 }, tell)
    assert.equal(await told, 'Another process is migrating the database.')
    await client.query('SELECT pg_advisory_unlock_all()')
    const ledger = await opening
    await assertMigrated(ledger, records, totals)
    await ledger.close()
  })
})

test('a new database has no tables of older versions', async () => {
  const url = await server.createDatabase()
  await (await createPostgresLedger({ url, poolSize: 2 })).close()
  assert.deepEqual(
    (await tables(url)).filter((name) => name.endsWith('_v1') || name === 'usage_record'),
    [],
  )
})

test('programs of older releases can neither write nor read usage from the first step on', async () => {
  const { url } = await oldDatabase(10)
  await (await createPostgresLedger({ url, poolSize: 2 })).close()
  for (const table of ['usage_record', 'daily_total', 'daily_group_total']) {
    await assert.rejects(
      withClient(url, (client) => client.query(`SELECT 1 FROM ${table}`)),
      /does not exist/,
    )
  }
})

test('a total that contradicts its records is a refusal that changes nothing', async () => {
  const { url } = await oldDatabase(200)
  const before = await tables(url)
  await withClient(url, (client) =>
    client.query("UPDATE daily_group_total SET messages = messages + 1 WHERE member = 'ann'"),
  )
  await assert.rejects(
    createPostgresLedger({ url, poolSize: 2 }),
    /is damaged: organization .*, member ann: the total says .* It was not migrated/,
  )
  assert.deepEqual(await tables(url), before)
})

test('a migration that is killed again and again continues, also in several processes at once', async () => {
  const { url, records } = await oldDatabase(60_000)
  const module = `import { createPostgresLedger } from ${JSON.stringify(new URL('./ledger.ts', import.meta.url).href)}
    const told = (progress) => process.stdout.write(progress + '\\n')
    await (await createPostgresLedger(${JSON.stringify({ url, poolSize: 2 })}, told)).close()`
  const open = () => spawn(process.execPath, ['--eval', module], { stdio: ['ignore', 'pipe', 'inherit'] })
  const reached: string[] = []
  for (let round = 0; round < 2; round++) {
    const child = open()
    for await (const line of createInterface(child.stdout)) {
      if (!line.endsWith('records.')) continue
      reached.push(line)
      break
    }
    child.kill('SIGKILL')
    await once(child, 'exit')
  }
  assert.notEqual(reached[0], reached[1], 'it has begun again')
  const codes = await Promise.all([open(), open()].map(async (child) => (await once(child, 'exit'))[0]))
  assert.deepEqual(codes, [0, 0])
  assert.deepEqual(await checkPostgres(url), [])
  const ledger = await createPostgresLedger({ url, poolSize: 2 })
  for (const organizationId of ['default', 'acme', 'köln']) {
    const own = records.filter((record) => record.organizationId === organizationId && record.supersededBy === null)
    const total = await ledger.read(organizationId, (view) => view.totals({ from: -8e15, to: 8e15, group: [] }))
    assert.equal(total[0]?.messages, own.length)
    assert.equal(
      BigInt(total[0]?.credits ?? 0),
      own.reduce((sum, { credits }) => sum + BigInt(credits), 0n),
    )
  }
  await ledger.close()
})
