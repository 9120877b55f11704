/** What the service requires of a database and a connection pooler, and what it reports otherwise. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { after, before, describe, test } from 'node:test'
import pg from 'pg'
import { credits } from '#model/credits.ts'
import { StoreError } from '#model/errors.ts'
import { startPgBouncer, withoutPgBouncer } from '../../../test/pgbouncer.ts'
import { type PostgresServer, startPostgres } from '../../../test/postgres-server.ts'
import { Connection } from './connection.ts'
import { createPostgresLedger } from './ledger.ts'

let server: PostgresServer
before(async () => {
  server = await startPostgres()
})
after(() => server[Symbol.asyncDispose]())

/** Resolves to the error of a failed start, which must come at once, without retries. */
const refusalOf = async (url: string): Promise<string> => {
  const failure = await createPostgresLedger({ url, poolSize: 2, retryForMs: 60_000 }).then(
    async (ledger) => {
      await ledger.close()
      return undefined
    },
    (error: unknown) => error,
  )
  assert.ok(failure instanceof StoreError, `${failure}`)
  assert.doesNotMatch(failure.message, /\n/)
  return failure.message
}

for (const encoding of ['SQL_ASCII', 'LATIN1', 'EUC_JP']) {
  test(`a database with encoding ${encoding} is rejected at startup and not changed`, async () => {
    const url = await server.createDatabase(encoding)
    assert.match(await refusalOf(url), new RegExp(`encoding .* is ${encoding}, but must be UTF8: create a database`))
    const client = new pg.Client({ connectionString: url })
    await client.connect()
    const { rows } = await client.query("SELECT 1 FROM pg_tables WHERE schemaname = 'public'")
    await client.end()
    assert.equal(rows.length, 0)
  })
}

test('the connection uses UTF8 whatever client_encoding is the default of the database', async () => {
  const url = await server.createDatabase()
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  const name = new URL(url).pathname.slice(1)
  await client.query(`ALTER DATABASE ${name} SET client_encoding = 'LATIN1'`)
  await client.query(`ALTER DATABASE ${name} SET default_transaction_isolation = 'serializable'`)
  await client.end()
  const ledger = await createPostgresLedger({ url, poolSize: 2 })
  await ledger.reports.put({ id: 1, name: 'é😀', creditCost: credits(0) })
  assert.equal((await ledger.reports.find(1))?.name, 'é😀')
  await ledger.close()
})

const statementTimeouts = async (url: string): Promise<readonly string[]> => {
  const connection = new Connection({ url, poolSize: 1 })
  const show = async (client: pg.PoolClient): Promise<string> =>
    (await client.query('SHOW statement_timeout')).rows[0].statement_timeout
  try {
    return [
      await connection.once((client) => connection.autocommit(client, () => show(client))),
      await connection.once((client) => connection.transaction(client, () => show(client))),
      await connection.read(show),
    ]
  } finally {
    await connection.close()
  }
}

describe('behind PgBouncer', { skip: withoutPgBouncer }, () => {
  test('with session pooling, the service starts', async () => {
    const url = await server.createDatabase()
    await using pooler = await startPgBouncer(url, 'session')
    const ledger = await createPostgresLedger({ url: pooler.behind(url), poolSize: 2 })
    await ledger.check()
    await ledger.close()
  })

  test('with statement pooling, the service refuses to start', async () => {
    const url = await server.createDatabase()
    await using pooler = await startPgBouncer(url, 'statement')
    assert.match(await refusalOf(pooler.behind(url)), /PgBouncer uses statement pooling.*set pool_mode to transaction/)
  })

  test('an error at startup names the URL parameter that PgBouncer rejects', async () => {
    const url = await server.createDatabase()
    await using pooler = await startPgBouncer(url, 'transaction')
    assert.match(
      await refusalOf(`${pooler.behind(url)}?options=-c%20work_mem=8MB`),
      /rejects the startup parameter options/,
    )
  })

  test('the server enforces our statement timeouts as it does without a pooler, and other clients are not affected', async () => {
    const url = await server.createDatabase()
    await using pooler = await startPgBouncer(url, 'transaction')
    const limits = await statementTimeouts(url)
    assert.ok(!limits.includes('0'))
    assert.deepEqual(await statementTimeouts(pooler.behind(url)), limits)
    const other = new pg.Client({ connectionString: pooler.behind(url) })
    await other.connect()
    assert.equal((await other.query('SHOW statement_timeout')).rows[0].statement_timeout, '0')
    await other.end()
  })

  test('a process that is killed during a migration leaves no lock behind', async () => {
    const direct = await server.createDatabase()
    await using pooler = await startPgBouncer(direct, 'transaction')
    const url = pooler.behind(direct)
    const blocker = new pg.Client({ connectionString: direct })
    await blocker.connect()
    // The migration blocks, because an open transaction has created a table of the same name.
    await blocker.query('BEGIN; CREATE TABLE usage_record (made_by_another integer)')
    const module = `import { createPostgresLedger } from ${JSON.stringify(new URL('./ledger.ts', import.meta.url).href)}
      await createPostgresLedger(${JSON.stringify({ url, poolSize: 2 })})`
    const child = spawn(process.execPath, ['--eval', module], { stdio: 'ignore' })
    while ((await blocker.query("SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND granted")).rowCount === 0);
    const exited = once(child, 'exit')
    child.kill('SIGKILL')
    await exited
    await blocker.query('ROLLBACK')
    const ledgers = await Promise.all([1, 2].map(() => createPostgresLedger({ url, poolSize: 2 })))
    for (const ledger of ledgers) {
      assert.equal(await ledger.isEmpty(), true)
      await ledger.close()
    }
    assert.equal((await blocker.query("SELECT 1 FROM pg_locks WHERE locktype = 'advisory'")).rowCount, 0)
    await blocker.end()
  })
})

const runningIn = async (url: string): Promise<number> => {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  const { rows } = await client.query(
    "SELECT count(*)::int AS count FROM pg_stat_activity WHERE state = 'active' AND query LIKE 'SELECT pg_sleep%'",
  )
  await client.end()
  return rows[0].count
}

for (const poolMode of [undefined, 'transaction'] as const) {
  test(`aborting a read cancels its statement in the server${poolMode ? ', also behind PgBouncer' : ''}`, {
    skip: poolMode === undefined ? false : withoutPgBouncer,
  }, async () => {
    const url = await server.createDatabase()
    await using pooler = poolMode && (await startPgBouncer(url, poolMode))
    const connection = new Connection({ url: pooler?.behind(url) ?? url, poolSize: 2 })
    const leaving = new AbortController()
    const reading = connection.read((client) => client.query('SELECT pg_sleep(25)'), leaving.signal)
    while ((await runningIn(url)) === 0);
    const reason = new Error('the caller has left')
    const leftAt = performance.now()
    leaving.abort(reason)
    await assert.rejects(reading, (error) => error === reason)
    assert.ok(performance.now() - leftAt < 15_000)
    assert.equal(await runningIn(url), 0)
    assert.equal((await connection.read((client) => client.query('SELECT 1'))).rowCount, 1)
    await connection.close()
  })
}
