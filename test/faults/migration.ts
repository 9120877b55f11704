/**
 * `OLD=<checkout of an older release> node --test test/faults/migration.ts`: migrates a SQLite file of version 1 while the server of
 * the older release writes to it, and kills the migration again and again. Afterwards every acknowledged message is there once, and
 * every other charge as it was. `RECORDS` sets the size, and `SEED` repeats the random choices.
 */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { checkFile } from '../../src/store/sqlite/backup.ts'
import { createSqliteLedger } from '../../src/store/sqlite/ledger.ts'
import { differingCharges, oldRecords, writeOldSqlite } from '../version-1.ts'
import { randomFrom } from './random.ts'
import { later, ServerProcess } from './server-process.ts'

const OLD = process.env['OLD']
const RECORDS = Number(process.env['RECORDS'] ?? 100_000)
const SEED = Number(process.env['SEED'] ?? Date.now() % 1_000_000)
const KILLS = 20
const withoutOld = OLD === undefined && 'OLD does not name a checkout of an older release'

const oldDatabase = () => {
  const folder = mkdtempSync(join(tmpdir(), 'copilot-credits-migration-'))
  const path = join(folder, 'ledger.db')
  writeOldSqlite(path, oldRecords(RECORDS))
  return { path, url: `sqlite:${path}`, [Symbol.dispose]: () => rmSync(folder, { recursive: true }) }
}

/** Opens the database in a process of its own. */
const migrating = (path: string) => {
  const module = `import { createSqliteLedger } from ${JSON.stringify(new URL('../../src/store/sqlite/ledger.ts', import.meta.url).href)}
    await (await createSqliteLedger({ path: ${JSON.stringify(path)} })).close()`
  return spawn(process.execPath, ['--eval', module], { stdio: ['ignore', 'ignore', 'inherit'] })
}

test(`seed ${SEED}: a migration killed ${KILLS} times loses and doubles nothing`, async (context) => {
  using database = oldDatabase()
  const random = randomFrom(SEED)
  const whole = performance.now()
  using copy = oldDatabase()
  await once(migrating(copy.path), 'exit')
  const durationMs = performance.now() - whole
  let finished = 0
  for (let kill = 0; kill < KILLS; kill++) {
    if (existsSync(`${database.path}.v1`)) finished++
    const child = migrating(database.path)
    const exited = once(child, 'exit')
    await later(random() * durationMs * 1.1)
    child.kill('SIGKILL')
    await exited
  }
  const [code] = await once(migrating(database.path), 'exit')
  assert.equal(code, 0)
  assert.equal(differingCharges(database.path, `${database.path}.v1`), 0)
  assert.deepEqual(checkFile(database.path), [])
  assert.ok(!existsSync(`${database.path}.v1-2`), 'it was migrated twice')
  context.diagnostic(`one migration took ${Math.round(durationMs)} ms, done before ${finished} kills`)
})

test(`seed ${SEED}: what an older server acknowledges while a new one migrates is in the new file`, {
  skip: withoutOld,
}, async (context) => {
  using database = oldDatabase()
  await using older = await ServerProcess.create({ DATABASE_URL: database.url, AUTH: 'none' }, [], OLD)
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
  await using newer = await ServerProcess.create({ DATABASE_URL: database.url, AUTH: 'none' })
  await newer.start()
  while ((await statusOf(`${newer.url}/readyz`)) !== 200) await later(20)
  const readyAt = performance.now()
  const during = [...acknowledged.values()].filter((at) => at > startedAt).length
  await later(1000)
  isStopping = true
  await Promise.all(writers)
  assert.equal(await report(older.url, 'after'), 503)
  assert.equal(await statusOf(`${older.url}/v1/usage/totals?from=2024-01-01&to=2024-06-01&bucket=day`), 503)
  assert.equal(await statusOf(`${older.url}/readyz`), 503)
  assert.deepEqual(
    [...acknowledged.values()].filter((at) => at > readyAt),
    [],
    'the older server has acknowledged messages after the exchange',
  )
  await older.kill('SIGTERM')
  // Its end must not touch the files of the new one.
  assert.equal(await report(newer.url, 'new'), 200)
  await newer.kill('SIGTERM')
  assert.deepEqual(checkFile(database.path), [])
  const ledger = await createSqliteLedger({ path: database.path })
  await ledger.read('default', async (view) => {
    for (const id of acknowledged.keys()) assert.equal((await view.charges(id)).length, 1, id)
    assert.equal((await view.charges('new')).length, 1)
  })
  await ledger.close()
  const counts = [...statuses].map(([status, count]) => `${count} times ${status}`).join(', ')
  context.diagnostic(
    `${acknowledged.size} acknowledged, ${during} of them after the new server began; the older one answered ${counts}; ` +
      `ready after ${Math.round(readyAt - startedAt)} ms`,
  )
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
