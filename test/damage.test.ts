/** A damaged database causes an error, never an incomplete response. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { after, before, describe, test } from 'node:test'
import pg from 'pg'
import type { StoreNotice } from '../src/ledger/notices.ts'
import { checkPostgres } from '../src/store/postgres/check.ts'
import { createPostgresLedger } from '../src/store/postgres/ledger.ts'
import { backupTo, checkFile, restoreFrom } from '../src/store/sqlite/backup.ts'
import { createSqliteLedger } from '../src/store/sqlite/ledger.ts'
import { startService } from './harness.ts'
import { type PostgresServer, startPostgres } from './postgres-server.ts'

const temporaryFolder = () => {
  const path = mkdtempSync(join(tmpdir(), 'copilot-credits-damage-'))
  return { path, database: join(path, 'ledger.db'), [Symbol.dispose]: () => rmSync(path, { recursive: true }) }
}

/** Messages of several members on each day of May 2024; a few are amended, and one of each day counts to the model `(other)`. */
const fill = async (url: string, perDay: number): Promise<void> => {
  await using service = await startService({ DATABASE_URL: url })
  for (let day = 1; day <= 31; day++) {
    const messages = Array.from({ length: perDay }, (_, index) => ({
      id: day * 100_000 + index,
      text: 'What is the lease term?',
      timestamp: new Date(Date.UTC(2024, 4, day, 12, 0, 0, index)).toISOString(),
      user_id: `user-${index % 7}`,
      ...(index === 0 && { model: '(other)' }),
    }))
    const response = await fetch(`${service.url}/v1/messages`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ messages }),
    })
    assert.equal(response.status, 200)
  }
}

const run = (path: string, sql: string): void => {
  using database = new DatabaseSync(path)
  database.exec(sql)
}

/** Damage after which the file can still be opened, and the problem that is reported. */
const WRONG: readonly { readonly name: string; readonly sql: string; readonly says: RegExp }[] = [
  {
    name: 'missing records',
    sql: 'DELETE FROM record WHERE at_ms > 1715300000000 AND at_ms < 1715900000000 AND message_id % 2 = 0',
    says: /the total says 20 messages and \d+ micro-credits, the records add up to 10 messages/,
  },
  {
    name: 'a record with a changed amount',
    sql: 'UPDATE record SET credits_micros = credits_micros + 1 WHERE message_id = 100003',
    says: /micro-credits/,
  },
  {
    name: 'a missing total of a day',
    sql: 'DELETE FROM day WHERE day_start = 1715299200000',
    says: /the total says 0 messages/,
  },
  {
    name: 'a wrong total of a member on a day',
    sql: `UPDATE day_cell SET messages = messages + 1
          WHERE day_start = 1715299200000 AND cell_id = (SELECT cell_id FROM cell WHERE member = 'user-3')`,
    says: /member "user-3"/,
  },
  {
    name: 'a wrong total of a member in a period',
    sql: `UPDATE period_cell SET credits_micros = credits_micros + 1
          WHERE cell_id = (SELECT cell_id FROM cell WHERE member = 'user-3')`,
    says: /period starting 2024-05-01T00:00:00.000Z, report none, member "user-3"/,
  },
  {
    name: 'a record that names another day',
    sql: 'UPDATE record SET day_start = day_start + 86400000 WHERE message_id = 100003',
    says: /1 records name another day/,
  },
]

describe('a SQLite file with', () => {
  for (const { name, sql, says } of WRONG) {
    test(`${name} fails "db check", does not open, and cannot be backed up or restored`, async () => {
      using folder = temporaryFolder()
      await fill(`sqlite:${folder.database}`, 20)
      assert.deepEqual(checkFile(folder.database), [])
      run(folder.database, sql)
      assert.match(checkFile(folder.database).join('\n'), says)
      await assert.rejects(
        createSqliteLedger({ path: folder.database }),
        /is damaged: .*All requests to the database are refused/,
      )
      await assert.rejects(backupTo(folder.database, join(folder.path, 'copy.db'), { overwrite: false }), /is damaged/)
      assert.throws(() => restoreFrom(folder.database, join(folder.path, 'new.db'), { overwrite: false }), /is damaged/)
    })
  }

  test('a broken chain of amendments fails "db check"', async () => {
    using folder = temporaryFolder()
    await fill(`sqlite:${folder.database}`, 2)
    run(folder.database, 'UPDATE record SET revision = 1 WHERE message_id = 100000')
    assert.match(
      checkFile(folder.database).join('\n'),
      /message 100000 .*revision 1 does not supersede the one before it/,
    )
  })

  test('a record that lacks the name of its model, or has one that is not "(other)" in its cell, fails "db check"', async () => {
    for (const sql of [
      'DELETE FROM other_name WHERE message_id = 100000',
      "UPDATE other_name SET other_feature = 'chat' WHERE message_id = 100000",
      "UPDATE other_name SET other_model = NULL, other_feature = 'chat' WHERE message_id = 100000",
      `INSERT INTO other_name (organization_id, at_ms, message_id, revision, other_model)
       SELECT organization_id, at_ms, 100000, revision, 'm' FROM record WHERE message_id = 100001`,
    ]) {
      using folder = temporaryFolder()
      await fill(`sqlite:${folder.database}`, 2)
      assert.deepEqual(checkFile(folder.database), [])
      run(folder.database, sql)
      assert.match(
        checkFile(folder.database).join('\n'),
        /message 100000 .*keeps a model or feature that does not count/,
      )
    }
  })

  test('overwritten pages does not open', async () => {
    using folder = temporaryFolder()
    await fill(`sqlite:${folder.database}`, 200)
    const pages = Math.floor(readFileSync(folder.database).length / 4096)
    for (const page of [0, 1, Math.floor(pages / 2), pages - 2]) {
      const damaged = join(folder.path, `damaged-${page}.db`)
      spawnSync('cp', [folder.database, damaged])
      const file = openSync(damaged, 'r+')
      writeSync(file, new Uint8Array(4096).fill(0xa5), 0, 4096, page * 4096)
      closeSync(file)
      await assert.rejects(createSqliteLedger({ path: damaged }), `page ${page}`)
    }
  })

  test('damage that occurs while running gives an error instead of lines that do not match their totals', async () => {
    using folder = temporaryFolder()
    await fill(`sqlite:${folder.database}`, 20)
    await using service = await startService({ DATABASE_URL: `sqlite:${folder.database}` })
    const may = 'from=2024-05-01&to=2024-06-01'
    const paths = [
      `/usage?${may}`,
      `/v1/usage?limit=1000&${may}`,
      `/v1/usage?limit=100&${may}`,
      '/usage?from=2024-05-01T10:00:00Z&to=2024-05-20T11:00:00Z',
    ]
    const statuses = () => Promise.all(paths.map(async (path) => (await fetch(`${service.url}${path}`)).status))
    assert.deepEqual(await statuses(), [200, 200, 200, 200])
    // As if pages with records were lost. The changed total invalidates cached responses.
    run(
      folder.database,
      `DELETE FROM record WHERE at_ms BETWEEN 1714600000000 AND 1714900000000;
       UPDATE day SET version = version + 1 WHERE day_start = 1714694400000`,
    )
    assert.deepEqual(await statuses(), [503, 503, 503, 503])
    assert.match(service.logged(), /the database is damaged/)
  })

  test('more data than can be checked at start is checked while running; once found damaged, every request fails', async () => {
    using folder = temporaryFolder()
    await fill(`sqlite:${folder.database}`, 2)
    run(
      folder.database,
      `CREATE TABLE ballast (content BLOB);
       INSERT INTO ballast SELECT zeroblob(1048576) FROM record LIMIT 33;
       DELETE FROM record WHERE message_id = 100000`,
    )
    const notices: StoreNotice[] = []
    const { promise: told, resolve: tell } = Promise.withResolvers<void>()
    const ledger = await createSqliteLedger({ path: folder.database }, (notice) => {
      notices.push(notice)
      if (notice.isSound !== undefined) tell()
    })
    await told
    assert.equal(notices.at(-1)?.isSound, false)
    await assert.rejects(ledger.check(), /is damaged/)
    await assert.rejects(
      ledger.read('default', (view) => view.span()),
      /is damaged/,
    )
    await ledger.close()
  })
})

describe('a PostgreSQL database with', () => {
  let server: PostgresServer
  before(async () => {
    server = await startPostgres()
  })
  after(() => server[Symbol.asyncDispose]())

  test('inconsistent records, totals or revisions fails "db check"', async () => {
    const url = await server.createDatabase()
    await (await createPostgresLedger({ url, poolSize: 2 })).close()
    assert.deepEqual(await checkPostgres(url), [])
    await fill(url, 20)
    assert.deepEqual(await checkPostgres(url), [])
    const client = new pg.Client({ connectionString: url })
    await client.connect()
    const found = async (sql: string): Promise<string> => {
      await client.query(sql)
      return (await checkPostgres(url)).join('\n')
    }
    for (const wrong of ["other_feature = 'chat'", 'other_feature = NULL, other_model = NULL'])
      assert.match(
        await found(`UPDATE record SET ${wrong} WHERE message_number = 100000`),
        /message 100000 .*keeps a model or feature that does not count/,
      )
    assert.match(
      await found('UPDATE record SET revision = 1 WHERE message_number = 100000'),
      /message 100000 .*not consecutive/,
    )
    assert.match(
      await found(
        "UPDATE day_cell SET messages = 9 WHERE cell_id = (SELECT cell_id FROM cell WHERE member = 'user-3')",
      ),
      /member user-3/,
    )
    assert.match(
      await found('DELETE FROM record WHERE day_start = 1715299200000'),
      /2024-05-10T00:00:00Z: the total says 20 messages .*, the records add up to 0/,
    )
    await client.end()
  })
})
