/**
 * `npm run test:faults`: moves, copies, replaces and damages SQLite's file while messages arrive. Afterwards no acknowledged
 * message may be missing, and no response may be incomplete. `SEED` repeats the random choices.
 */
import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, mkdtempSync, openSync, rmSync, statSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { randomFrom } from './random.ts'
import { later, ServerProcess } from './server-process.ts'
import { Writers } from './writers.ts'

const SEED = Number(process.env['SEED'] ?? Date.now() % 1_000_000)
const MOVES = 10
const DAMAGED_FILES = 30
const WRITERS = 8
const root = join(import.meta.dirname, '..', '..')

const temporaryFolder = () => {
  const path = mkdtempSync(join(tmpdir(), 'copilot-credits-files-'))
  return {
    path,
    database: join(path, 'ledger.db'),
    [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true, maxRetries: 5 }),
  }
}

const shell = (script: string, ...args: readonly string[]): void => {
  const { status, stderr } = spawnSync('sh', ['-ec', script, 'sh', ...args], { encoding: 'utf8' })
  assert.equal(status, 0, stderr)
}

const databaseCommand = async (database: string, ...args: readonly string[]): Promise<number | null> => {
  const child = spawn(process.execPath, ['bin/copilot-credits.js', 'db', ...args], {
    cwd: root,
    env: { PATH: process.env['PATH'], DATABASE_URL: `sqlite:${database}` },
    stdio: 'ignore',
  })
  return (await once(child, 'exit'))[0] as number | null
}

const statusOf = async (url: string): Promise<number> => {
  const response = await fetch(url)
  await response.arrayBuffer()
  return response.status
}

describe(`seed ${SEED}`, () => {
  test(`nothing acknowledged is lost when the file is moved away and back ${MOVES} times, with kills in between`, async (context) => {
    using folder = temporaryFolder()
    const random = randomFrom(SEED)
    await using server = await ServerProcess.create({ DATABASE_URL: `sqlite:${folder.database}` })
    await server.start()
    const writers = new Writers(() => [server.url], random)
    writers.start(WRITERS)
    for (let time = 0; time < MOVES; time++) {
      await later(random() * 400)
      shell('mv "$1" "$1.away"', folder.database)
      assert.equal(await statusOf(`${server.url}/readyz`), 503)
      const before = writers.acknowledged
      await later(random() * 200)
      assert.equal(writers.acknowledged, before, 'nothing may be acknowledged meanwhile')
      shell('mv "$1.away" "$1"', folder.database)
      if (random() < 0.5) {
        await server.kill()
        await server.start()
      }
    }
    await writers.stop()
    const { records } = await writers.verify(server.url)
    await server.kill()
    assert.equal(await databaseCommand(folder.database, 'check'), 0)
    context.diagnostic(`${writers.acknowledged} messages acknowledged, ${records} records`)
  })

  test('after a copy replaces the file, nothing is acknowledged, and a backup restores everything from before', async (context) => {
    using folder = temporaryFolder()
    const random = randomFrom(SEED + 1)
    await using server = await ServerProcess.create({ DATABASE_URL: `sqlite:${folder.database}` })
    await server.start()
    const backup = join(folder.path, 'backup.db')
    const writers = new Writers(() => [server.url], random)
    writers.start(WRITERS)
    await later(2000)
    assert.equal(await databaseCommand(folder.database, 'backup', join(folder.path, 'at-work.db')), 0)
    assert.equal(
      await databaseCommand(folder.database, 'restore', '--force', join(folder.path, 'at-work.db')),
      1,
      'in use',
    )
    await writers.stop()
    assert.equal(await databaseCommand(folder.database, 'backup', backup), 0)
    shell('cp "$1" "$1.new"; mv "$1.new" "$1"', folder.database)
    assert.equal(await statusOf(`${server.url}/readyz`), 503)
    await server.kill()
    assert.equal(await databaseCommand(folder.database, 'restore', '--force', backup), 0)
    await server.start()
    const found = await writers.verify(server.url)
    context.diagnostic(`${writers.acknowledged} messages acknowledged, ${found.records} records`)
  })

  test(`each of ${DAMAGED_FILES} damaged files is rejected, or gives the same responses as before or errors`, async (context) => {
    using folder = temporaryFolder()
    const random = randomFrom(SEED + 2)
    const writers = new Writers(() => [server.url], random)
    await using server = await ServerProcess.create({ DATABASE_URL: `sqlite:${folder.database}` })
    await server.start()
    writers.start(WRITERS)
    while (writers.acknowledged < 20_000) await later(50)
    await writers.stop()
    await server.kill('SIGTERM')
    const counts = { refused: 0, same: 0, failed: 0 }
    for (let time = 0; time < DAMAGED_FILES; time++) {
      const database = join(folder.path, `damaged-${time}.db`)
      shell('cp "$1" "$2"', folder.database, database)
      damage(database, random)
      await using damaged = await ServerProcess.create({ DATABASE_URL: `sqlite:${database}` })
      if (
        !(await damaged.start().then(
          () => true,
          () => false,
        ))
      ) {
        counts.refused++
        continue
      }
      const usage = await statusOf(`${damaged.url}/usage?from=2024-05-01&to=2024-06-01`)
      if (usage !== 200) {
        counts.failed++
        continue
      }
      try {
        await writers.verify(damaged.url)
        counts.same++
      } catch (error) {
        // An error is acceptable; any other response would be wrong.
        if (!/problem:store-failed/.test(String(error))) throw error
        counts.failed++
      }
    }
    context.diagnostic(JSON.stringify(counts))
    assert.ok(counts.refused > 0)
  })
})

/** Damages some bytes, a page, or the end of the file. */
const damage = (path: string, random: () => number): void => {
  const { size } = statSync(path)
  const at = Math.floor(random() * size)
  const kind = random()
  if (kind < 0.2) {
    shell('truncate -s "$2" "$1"', path, String(at))
    return
  }
  const length = kind < 0.5 ? 4096 : 1 + Math.floor(random() * 16)
  const file = openSync(path, 'r+')
  writeSync(
    file,
    Uint8Array.from({ length }, () => Math.floor(random() * 256)),
    0,
    length,
    kind < 0.5 ? at - (at % 4096) : at,
  )
  closeSync(file)
}
