/**
 * The service detects changes to its SQLite file, both while it runs and between two starts. Other programs make the changes,
 * because closing the file in this process would release SQLite's locks.
 */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { describe, test } from 'node:test'
import { createSqliteLedger } from '../src/store/sqlite/ledger.ts'
import { type Running, startService } from './harness.ts'

const temporaryFolder = () => {
  const path = mkdtempSync(join(tmpdir(), 'copilot-credits-files-'))
  return { path, database: join(path, 'data', 'ledger.db'), [Symbol.dispose]: () => rmSync(path, { recursive: true }) }
}

const shell = (script: string, ...args: readonly string[]): void => {
  const { status, stderr } = spawnSync('sh', ['-ec', script, 'sh', ...args], { encoding: 'utf8' })
  assert.equal(status, 0, stderr)
}

const start = (database: string): Promise<Running> => startService({ DATABASE_URL: `sqlite:${database}` })

let lastId = 0

const report = async ({ url }: Running, count = 1): Promise<number> => {
  const messages = Array.from({ length: count }, () => ({
    id: ++lastId,
    text: 'What is the lease term?',
    timestamp: '2024-05-10T12:00:00Z',
  }))
  const response = await fetch(`${url}/v1/messages`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ messages }),
  })
  await response.arrayBuffer()
  return response.status
}

const statusOf = async ({ url }: Running, path: string): Promise<number> => {
  const response = await fetch(`${url}${path}`)
  await response.arrayBuffer()
  return response.status
}

const USAGE = '/usage?from=2024-05-01&to=2024-06-01'
const READS = [
  USAGE,
  '/v1/usage?from=2024-05-01&to=2024-06-01',
  '/v1/usage/totals?from=2024-05-01&to=2024-06-01&bucket=day',
]

/** What happens to the file at `$1`, the error, and how to undo it, if possible. */
const MISHAPS: readonly {
  readonly name: string
  readonly does: string
  readonly says: RegExp
  readonly undo?: string
}[] = [
  { name: 'removed', does: 'rm "$1"', says: /no longer exists/ },
  { name: 'renamed', does: 'mv "$1" "$1.old"', says: /no longer exists/, undo: 'mv "$1.old" "$1"' },
  { name: 'replaced by a copy', does: 'cp "$1" "$1.new"; mv "$1.new" "$1"', says: /is now a different file/ },
  { name: 'emptied', does: ': > "$1"', says: /was overwritten|cannot be read/ },
  { name: 'overwritten with text', does: 'printf %9000d 1 > "$1"', says: /cannot be read/ },
  { name: 'overwritten with another database', does: 'cat "$2" > "$1"', says: /was overwritten with other content/ },
  { name: 'overwritten with an older copy', does: 'cat "$3" > "$1"', says: /was overwritten/ },
  { name: 'moved with its folder', does: 'mv "$(dirname "$1")" "$(dirname "$1").old"', says: /no longer exists/ },
  {
    name: 'hidden behind another folder',
    does: 'd=$(dirname "$1"); mv "$d" "$d.old"; mkdir "$d"; cp "$2" "$1"',
    says: /is now a different file/,
    undo: 'd=$(dirname "$1"); rm -r "$d"; mv "$d.old" "$d"',
  },
  { name: 'robbed of its write-ahead log', does: 'rm "$1-wal"', says: /has lost its write-ahead log/ },
  { name: 'left with an empty write-ahead log', does: ': > "$1-wal"', says: /truncated write-ahead log/ },
]

describe('if the SQLite file of a running service is', () => {
  for (const { name, does, says, undo } of MISHAPS) {
    test(`${name}, every request fails and the log says why`, async () => {
      using folder = temporaryFolder()
      const other = join(folder.path, 'other.db')
      await (await createSqliteLedger({ path: other })).close()
      // A copy from before the last start.
      {
        await using before = await start(folder.database)
        assert.equal(await report(before, 100), 200)
      }
      const older = join(folder.path, 'older.db')
      shell('cp "$1" "$2"', folder.database, older)

      await using service = await start(folder.database)
      assert.equal(await report(service, 100), 200)
      assert.equal(await statusOf(service, '/readyz'), 200)
      shell(does, folder.database, other, older)
      assert.equal(await report(service), 503)
      for (const path of READS) assert.equal(await statusOf(service, path), 503, path)
      assert.match(service.logged(), says)
      assert.match(service.logged(), /All requests to the database are refused/)
      if (undo === undefined) return
      shell(undo, folder.database)
      assert.equal(await report(service), 200)
      for (const path of READS) assert.equal(await statusOf(service, path), 200, path)
    })
  }

  test('gone, /readyz fails', async () => {
    using folder = temporaryFolder()
    await using service = await start(folder.database)
    shell('rm "$1"', folder.database)
    assert.equal(await statusOf(service, '/readyz'), 503)
  })

  test('checkpointed by another program, everything keeps working', async () => {
    using folder = temporaryFolder()
    await using service = await start(folder.database)
    for (const mode of ['PASSIVE', 'RESTART', 'TRUNCATE']) {
      assert.equal(await report(service, 500), 200)
      using other = new DatabaseSync(folder.database)
      other.exec(`PRAGMA wal_checkpoint(${mode})`)
      assert.equal(await report(service, 5), 200)
      for (const path of READS) assert.equal(await statusOf(service, path), 200)
    }
  })
})

describe('at start, a SQLite file that', () => {
  const mishaps: readonly { readonly name: string; readonly does: string; readonly says: RegExp }[] = [
    { name: 'is missing', does: 'rm "$1"', says: /is missing or empty/ },
    { name: 'is missing together with its companion files', does: 'rm "$1"*', says: /is missing or empty/ },
    { name: 'is empty', does: ': > "$1"', says: /is missing or empty/ },
    { name: 'is another installation’s', does: 'cp "$2" "$1"', says: /holds a different database/ },
    { name: 'is an older copy', does: 'cp "$3" "$1"', says: /holds an older copy/ },
  ]
  for (const { name, does, says } of mishaps) {
    test(`${name} is rejected`, async () => {
      using folder = temporaryFolder()
      const [other, older] = [join(folder.path, 'other.db'), join(folder.path, 'older.db')]
      await (await createSqliteLedger({ path: other })).close()
      await (await createSqliteLedger({ path: folder.database })).close()
      shell('cp "$1" "$2"', folder.database, older)
      {
        await using service = await start(folder.database)
        assert.equal(await report(service, 10), 200)
      }
      shell(does, folder.database, other, older)
      await assert.rejects(createSqliteLedger({ path: folder.database }), (error: Error) => {
        assert.match(error.message, says)
        assert.match(error.message, /db restore/)
        assert.match(error.message, /delete the marker file/)
        return true
      })
      // Removing the marker, as the error suggests, accepts the file.
      shell('rm "$(dirname "$1")/.ledger.db.marker"', folder.database)
      await (await createSqliteLedger({ path: folder.database })).close()
    })
  }

  test('lost its write-ahead log after a kill is rejected', async () => {
    using folder = temporaryFolder()
    const module = `import { createSqliteLedger } from ${JSON.stringify(new URL('../src/store/sqlite/ledger.ts', import.meta.url).href)}
      const { reports } = await createSqliteLedger({ path: ${JSON.stringify(folder.database)} })
      await reports.put({ id: 1, name: 'Lease', creditCost: 1 })
      process.kill(process.pid, 'SIGKILL')`
    spawnSync(process.execPath, ['--eval', module])
    assert.ok(statSync(`${folder.database}-wal`).size > 0)
    shell('rm "$1-wal"', folder.database)
    await assert.rejects(
      createSqliteLedger({ path: folder.database }),
      /write-ahead log with the latest writes is missing/,
    )
  })

  test('predates marker files is opened and gets one', async () => {
    using folder = temporaryFolder()
    await (await createSqliteLedger({ path: folder.database })).close()
    shell('rm "$(dirname "$1")/.ledger.db.marker"', folder.database)
    using database = new DatabaseSync(folder.database)
    database.exec("DELETE FROM installation WHERE name IN ('database_id', 'generation')")
    await (await createSqliteLedger({ path: folder.database })).close()
    shell('rm "$1"', folder.database)
    await assert.rejects(createSqliteLedger({ path: folder.database }), /is missing or empty/)
  })
})

describe('only the owner can read', () => {
  const modeOf = (path: string): string => (statSync(path).mode & 0o777).toString(8)

  test('the files of a new database and their new folder', async () => {
    using folder = temporaryFolder()
    await using service = await start(folder.database)
    assert.equal(await report(service), 200)
    const data = join(folder.path, 'data')
    assert.equal(modeOf(data), '700')
    const files = readdirSync(data)
    assert.deepEqual(files.sort(), ['.ledger.db.marker', 'ledger.db', 'ledger.db-shm', 'ledger.db-wal'])
    for (const file of files) assert.equal(modeOf(join(data, file)), '600', file)
  })

  test('existing files after the next start; an existing folder keeps its mode', async () => {
    using folder = temporaryFolder()
    const data = join(folder.path, 'data')
    mkdirSync(data)
    shell('chmod 755 "$1"', data)
    await (await createSqliteLedger({ path: folder.database })).close()
    shell('chmod 644 "$1"', folder.database)
    await using service = await start(folder.database)
    assert.equal(modeOf(folder.database), '600')
    assert.equal(modeOf(data), '755')
    assert.match(service.logged(), /had mode 644/)
  })
})

describe('/readyz', () => {
  test('is 503 while another process locks the database, and 200 again afterwards', async () => {
    using folder = temporaryFolder()
    await using service = await start(folder.database)
    {
      using other = new DatabaseSync(folder.database)
      other.exec('BEGIN IMMEDIATE')
      assert.equal(await statusOf(service, '/readyz'), 503)
      assert.match(service.logged(), /it is locked or too slow/)
    }
    for (let status = 503; status !== 200; ) status = await statusOf(service, '/readyz')
  })

  test('tries at most one write per second, whatever the number of requests', async () => {
    using folder = temporaryFolder()
    await using service = await start(folder.database)
    using reader = new DatabaseSync(folder.database, { readOnly: true })
    const versionOf = () => reader.prepare('PRAGMA data_version').get()?.['data_version']
    const writes = new Set([versionOf()])
    for (let time = 0; time < 20; time++) {
      await Promise.all(Array.from({ length: 10 }, () => statusOf(service, '/readyz')))
      writes.add(versionOf())
    }
    assert.ok(writes.size > 1, 'no write')
    assert.ok(writes.size < 10, `${writes.size} writes for 200 requests`)
  })
})
