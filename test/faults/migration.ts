/**
 * `npm run test:faults`: kills the migration of a SQLite file of version 1 again and again; afterwards every charge is as it was.
 * With `OLD=<checkout of a release without cells>`, its server writes to both databases while they are migrated; afterwards every
 * message that it acknowledged is there once. `RECORDS` sets the size, and `SEED` repeats the random choices.
 */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { copyFileSync, existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { test } from 'node:test'
import pg from 'pg'
import type { Ledger } from '../../src/ledger/ledger.ts'
import { checkPostgres } from '../../src/store/postgres/check.ts'
import { createPostgresLedger } from '../../src/store/postgres/ledger.ts'
import { migrate } from '../../src/store/postgres/migrate.ts'
import { checkFile } from '../../src/store/sqlite/backup.ts'
import { createSqliteLedger } from '../../src/store/sqlite/ledger.ts'
import { startPostgres } from '../postgres-server.ts'
import { differingCharges, oldRecords, writeOldPostgres, writeOldSqlite } from '../version-1.ts'
import { randomFrom } from './random.ts'
import { later, ServerProcess } from './server-process.ts'

const OLD = process.env['OLD']
const RECORDS = Number(process.env['RECORDS'] ?? 100_000)
const SEED = Number(process.env['SEED'] ?? Date.now() % 1_000_000)
const KILLS = 20
const AFTER_PIECE_MS = 1200
const withoutOld = OLD === undefined && 'OLD does not name a checkout of an older release'

const oldDatabase = () => {
  const folder = mkdtempSync(join(tmpdir(), 'copilot-credits-migration-'))
  const path = join(folder, 'ledger.db')
  writeOldSqlite(path, oldRecords(RECORDS))
  return { path, url: `sqlite:${path}`, [Symbol.dispose]: () => rmSync(folder, { recursive: true }) }
}

/** Opens the database in a process of its own, which prints a line for each piece. */
const migrating = (path: string) => {
  const url = new URL('../../src/store/sqlite/ledger.ts', import.meta.url).href
  const module = `import { createSqliteLedger } from ${JSON.stringify(url)}
    const told = (progress) => process.stdout.write(progress + '\\n')
    await (await createSqliteLedger({ path: ${JSON.stringify(path)} }, undefined, told)).close()`
  const child = spawn(process.execPath, ['--eval', module], { stdio: ['ignore', 'pipe', 'inherit'] })
  return { child, lines: createInterface(child.stdout), exited: once(child, 'exit') }
}

const finish = async (path: string): Promise<number> => {
  const { lines, exited } = migrating(path)
  let count = 0
  lines.on('line', () => count++)
  assert.equal((await exited)[0], 0)
  assert.equal(differingCharges(path, `${path}.v1`), 0)
  assert.deepEqual(checkFile(path), [])
  assert.ok(!existsSync(`${path}.v1-2`), 'it was migrated twice')
  return count
}

test(`seed ${SEED}: a migration killed ${KILLS} times loses and doubles nothing`, async (context) => {
  using template = oldDatabase()
  const random = randomFrom(SEED)
  const fresh = (number: number): string => {
    const path = `${template.path}-${number}`
    copyFileSync(template.path, path)
    return path
  }
  const pieces = await finish(fresh(0))
  let path = fresh(1)
  let completed = 0
  for (let kill = 1; kill <= KILLS; kill++) {
    const { child, lines, exited } = migrating(path)
    // Half of the kills hit the end: the index, the comparison and the exchange.
    const last = random() < 0.5 ? pieces : 1 + Math.floor(random() * pieces)
    let count = 0
    const reached = new Promise<void>((resolve) => lines.on('line', () => ++count === last && resolve()))
    await Promise.race([reached, exited])
    await later(random() * AFTER_PIECE_MS)
    child.kill('SIGKILL')
    await exited
    if (!existsSync(`${path}.v1`)) continue
    completed++
    await finish(path)
    path = fresh(kill + 1)
  }
  await finish(path)
  context.diagnostic(`${pieces} pieces; ${completed} of ${KILLS} kills came after the old file had lost its name`)
})

/** Lets an older server write while a new one migrates, and compares what it acknowledged with what the new one has. */
const writeDuring = async (url: string, open: () => Promise<Ledger>): Promise<string> => {
  await using older = await ServerProcess.create({ DATABASE_URL: url, AUTH: 'none' }, [], OLD)
  await older.start()
  const acknowledged = new Map<string, number>()
  const statuses = new Map<number, number>()
  let isStopping = false
  const write = async (writer: number): Promise<void> => {
    for (let number = 0; !isStopping; number++) {
      const id = `during-${writer}-${number}`
      const status = await report(older.url, id)
      statuses.set(status, (statuses.get(status) ?? 0) + 1)
      if (status === 200) acknowledged.set(id, performance.now())
      else await later(5)
    }
  }
  const writers = Array.from({ length: 8 }, (_, writer) => write(writer))
  await later(1000)
  const startedAt = performance.now()
  await using newer = await ServerProcess.create({ DATABASE_URL: url, AUTH: 'none' })
  await newer.start()
  while ((await statusOf(`${newer.url}/readyz`)) !== 200) {
    assert.ok(newer.isAlive)
    await later(20)
  }
  const readyAt = performance.now()
  await later(1000)
  isStopping = true
  await Promise.all(writers)
  assert.equal(await report(older.url, 'after'), 503)
  assert.equal(await statusOf(`${older.url}/v1/usage/totals?from=2024-01-01&to=2024-06-01&bucket=day`), 503)
  assert.equal(await statusOf(`${older.url}/usage?from=2024-01-01&to=2024-06-01`), 503)
  const times = [...acknowledged.values()]
  assert.deepEqual(
    times.filter((at) => at > readyAt),
    [],
    'the older server acknowledges messages that the new one does not know',
  )
  await older.kill('SIGTERM')
  // Its end must not touch the files of the new one.
  assert.equal(await report(newer.url, 'new'), 200)
  await newer.kill('SIGTERM')
  const ledger = await open()
  await ledger.read('default', async (view) => {
    for (const id of acknowledged.keys()) assert.equal((await view.charges(id)).length, 1, id)
    assert.equal((await view.charges('new')).length, 1)
    assert.equal((await view.charges('after')).length, 0)
  })
  await ledger.close()
  const counts = [...statuses].map(([status, count]) => `${count} times ${status}`).join(', ')
  const during = times.filter((at) => at > startedAt).length
  return `the older server answered ${counts}; it acknowledged ${acknowledged.size} messages, ${during} after the new one began, which was ready after ${Math.round(readyAt - startedAt)} ms`
}

test('what an older server acknowledges while a new one migrates a SQLite file is in the new file', {
  skip: withoutOld,
}, async (context) => {
  using database = oldDatabase()
  context.diagnostic(await writeDuring(database.url, () => createSqliteLedger({ path: database.path })))
  assert.deepEqual(checkFile(database.path), [])
})

test('what an older server acknowledges while a new one migrates a PostgreSQL database is there', {
  skip: withoutOld,
}, async (context) => {
  await using server = await startPostgres()
  const url = await server.createDatabase()
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  await migrate(client, { upTo: 1 })
  await writeOldPostgres(client, oldRecords(RECORDS))
  await client.end()
  context.diagnostic(await writeDuring(url, () => createPostgresLedger({ url, poolSize: 2 })))
  assert.deepEqual(await checkPostgres(url), [])
})

const report = async (url: string, id: string): Promise<number> => {
  const response = await fetch(`${url}/v1/messages`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ messages: [{ id, text: 'What is the lease term?', timestamp: '2024-05-10T12:00:00Z' }] }),
  }).catch(() => undefined)
  await response?.arrayBuffer()
  return response?.status ?? 0
}

const statusOf = async (url: string): Promise<number> => {
  const response = await fetch(url).catch(() => undefined)
  await response?.arrayBuffer()
  return response?.status ?? 0
}
