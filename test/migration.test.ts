/** While a database is being migrated, the service is alive and not ready, and commands wait. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { test } from 'node:test'
import { lockMigration } from '../src/store/sqlite/migration-lock.ts'
import { later, ServerProcess } from './faults/server-process.ts'
import { oldRecords, writeOldSqlite } from './version-1.ts'

const oldDatabase = () => {
  const folder = mkdtempSync(join(tmpdir(), 'copilot-credits-migration-'))
  const path = join(folder, 'ledger.db')
  writeOldSqlite(path, oldRecords(100))
  return { path, url: `sqlite:${path}`, [Symbol.dispose]: () => rmSync(folder, { recursive: true }) }
}

/** As if another process were migrating it. */
const lock = (path: string): Disposable => lockMigration(path, () => assert.fail('nobody else has the lock'))

const problemOf = async (url: string, method = 'GET') => {
  const body = method === 'POST' ? JSON.stringify({ messages: [] }) : null
  const response = await fetch(url, { method, body, headers: { 'content-type': 'application/json' } })
  const { type, detail, status } = (await response.json()) as Record<string, unknown>
  return { status: response.status, said: status, type, detail, retryAfter: response.headers.get('retry-after') }
}

test('during a migration, /healthz is 200 and everything else a 503 that says how far it is', async () => {
  using database = oldDatabase()
  await using server = await ServerProcess.create({ DATABASE_URL: database.url, AUTH: 'none' })
  const other = lock(database.path)
  await server.start()
  const notReady = {
    status: 503,
    said: 503,
    type: 'urn:copilot-credits:problem:not-ready',
    detail: 'Another process is migrating the database.',
    retryAfter: '5',
  }
  assert.deepEqual(await (await fetch(`${server.url}/healthz`)).json(), { status: 'alive' })
  assert.deepEqual(await problemOf(`${server.url}/readyz`), notReady)
  assert.deepEqual(await problemOf(`${server.url}/usage`), notReady)
  assert.deepEqual(await problemOf(`${server.url}/v1/messages`, 'POST'), notReady)
  other[Symbol.dispose]()
  while ((await fetch(`${server.url}/readyz`).catch(() => undefined))?.status !== 200) {
    assert.ok(server.isAlive)
    await later(20)
  }
  const usage = await fetch(`${server.url}/usage?from=2024-01-01&to=2024-07-01`)
  assert.equal(usage.status, 200)
  assert.ok(((await usage.json()) as { usage: readonly unknown[] }).usage.length > 0)
})

test('a command waits for a migration, and says so on standard error', async () => {
  using database = oldDatabase()
  const other = lock(database.path)
  const command = spawn(process.execPath, ['bin/copilot-credits.js', 'keys', 'list', '--organization', 'acme'], {
    env: { PATH: process.env['PATH'], DATABASE_URL: database.url },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const printed = text(command.stdout)
  const [said] = await once(command.stderr, 'data')
  assert.match(String(said), /^Another process is migrating the database\.\n$/)
  other[Symbol.dispose]()
  const [code] = await once(command, 'exit')
  assert.equal(code, 0)
  assert.match(await printed, /key-1/)
})
