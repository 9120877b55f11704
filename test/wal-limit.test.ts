/** The write-ahead log stays below its limit despite concurrent readers. */
import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { describe, test } from 'node:test'
import type { Ledger } from '../src/ledger/ledger.ts'
import { StoreBusy } from '../src/model/errors.ts'
import { backupTo, checkFile, restoreFrom } from '../src/store/sqlite/backup.ts'
import { createSqliteLedger } from '../src/store/sqlite/ledger.ts'
import { batchOf, DAY_MS, recordOf, START } from './priced.ts'

const MIB = 1024 * 1024
const LIMIT = 16 * MIB
/** A group of commits is written whole, so it can exceed the limit by this much. */
const BOUND = LIMIT + 8 * MIB
const ALL = { from: START, to: START + 31 * DAY_MS }

const open = async () => {
  const folder = mkdtempSync(join(tmpdir(), 'copilot-credits-wal-'))
  const path = join(folder, 'ledger.db')
  const ledger = await createSqliteLedger({ path, walBytesMax: LIMIT })
  return {
    folder,
    path,
    ledger,
    walBytes: () => statSync(`${path}-wal`).size,
    [Symbol.asyncDispose]: async () => {
      await ledger.close()
      rmSync(folder, { recursive: true })
    },
  }
}

let lastId = 0

/** Resolves to the number of accepted messages. */
const append = async (ledger: Ledger, count = 500): Promise<number> => {
  const records = Array.from({ length: count }, () => {
    const id = ++lastId
    const at = START + ((id * 7919) % 31) * DAY_MS + (id % DAY_MS)
    return { ...recordOf(id, { at }), facts: new Uint8Array(40) }
  })
  return (await ledger.append(batchOf(records))) === undefined ? count : 0
}

const isBusy = (error: unknown): boolean => error instanceof StoreBusy

test('a long-running read is ended with a reason, so that the log can restart', async () => {
  await using opened = await open()
  const { ledger, walBytes } = opened
  await append(ledger)
  let most = 0
  const reading = ledger.read('default', async (view) => {
    await view.span()
    // Until the read is ended.
    for (;;) {
      await append(ledger).catch((error) => assert.ok(isBusy(error), String(error)))
      most = Math.max(most, walBytes())
      await view.span()
    }
  })
  await assert.rejects(reading, isBusy)
  for (let time = 0; time < 100; time++) {
    await append(ledger).catch((error) => assert.ok(isBusy(error), String(error)))
    most = Math.max(most, walBytes())
  }
  assert.ok(most < BOUND, `${most} bytes`)
  await append(ledger)
  assert.deepEqual(
    await ledger.read('default', (view) => view.page({ ...ALL, limit: 1 })).then((page) => page.length),
    1,
  )
})

test('while another program reads, messages are rejected once the log is full, and accepted again afterwards', async () => {
  await using opened = await open()
  const { ledger, path, walBytes } = opened
  await append(ledger)
  {
    using other = new DatabaseSync(path, { readOnly: true })
    other.exec('BEGIN')
    other.prepare('SELECT count(*) FROM record').get()
    let refused: unknown
    for (let batch = 0; refused === undefined && batch < 5000; batch++) {
      refused = await append(ledger).then(
        () => undefined,
        (error) => error,
      )
    }
    assert.ok(isBusy(refused), String(refused))
    assert.match(String(refused), /write-ahead log has grown to \d+ MiB/)
    await assert.rejects(append(ledger), isBusy)
    assert.ok(walBytes() < BOUND, `${walBytes()} bytes`)
  }
  assert.equal(await append(ledger, 1), 1)
  assert.ok(walBytes() < LIMIT, 'the log has restarted')
})

test('checkpoints under load are not mistaken for damage', async () => {
  await using opened = await open()
  const { ledger } = opened
  let isDone = false
  const asking = (async () => {
    while (!isDone) await ledger.reports.find(1)
  })()
  await Promise.all(
    Array.from({ length: 16 }, async () => {
      for (let batch = 0; batch < 8; batch++) await append(ledger, 1000)
    }),
  )
  isDone = true
  await asking
})

describe('a backup of a running service', () => {
  test('is consistent, has everything acknowledged before it began, and keeps the log below its limit', async () => {
    await using opened = await open()
    const { ledger, path, folder, walBytes } = opened
    const contentKey = await ledger.contentKey()
    for (let batch = 0; batch < 100; batch++) await append(ledger)
    const target = join(folder, 'backup.db')
    let isDone = false
    let most = 0
    let acknowledged = 0
    const writing = (async () => {
      while (!isDone) {
        await append(ledger).then(
          (accepted) => {
            acknowledged += accepted
          },
          (error) => assert.ok(isBusy(error), String(error)),
        )
        most = Math.max(most, walBytes())
      }
    })()
    const before = await ledger.read('default', (view) => view.dayTotals({ ...ALL, group: [] }))
    const child = spawn(process.execPath, ['bin/copilot-credits.js', 'db', 'backup', target], {
      cwd: join(import.meta.dirname, '..'),
      env: { PATH: process.env['PATH'], DATABASE_URL: `sqlite:${path}` },
      stdio: ['ignore', 'ignore', 'inherit'],
    })
    assert.deepEqual(await once(child, 'exit'), [0, null])
    isDone = true
    await writing
    assert.ok(acknowledged > 0, 'writes continued')
    assert.ok(most < BOUND, `${most} bytes`)
    assert.equal(statSync(target).mode & 0o777, 0o600)

    const restored = join(folder, 'restored.db')
    assert.equal(restoreFrom(target, restored, { overwrite: false }), undefined)
    assert.deepEqual(checkFile(restored), [])
    const copy = await createSqliteLedger({ path: restored })
    const after = await copy.read('default', (view) => view.dayTotals({ ...ALL, group: [] }))
    const sum = (days: typeof before) => days.reduce((messages, day) => messages + day.messages, 0)
    assert.ok(sum(after) >= sum(before), 'has everything acknowledged before')
    assert.equal(await copy.contentKey(), contentKey)
    await copy.close()
  })

  test('replaces a file only with --force, and never the database itself', async () => {
    await using opened = await open()
    const { path, folder } = opened
    const target = join(folder, 'backup.db')
    await backupTo(path, target, { overwrite: false })
    await assert.rejects(backupTo(path, target, { overwrite: false }), /already exists/)
    await backupTo(path, target, { overwrite: true })
    await assert.rejects(backupTo(path, path, { overwrite: true }), /is the database itself/)
  })
})

describe('a restore', () => {
  test('rejects a database in use, even with --force', async () => {
    await using opened = await open()
    const { path, folder, ledger } = opened
    await append(ledger)
    const target = join(folder, 'backup.db')
    await backupTo(path, target, { overwrite: false })
    const { status, stderr } = spawnSync(
      process.execPath,
      ['bin/copilot-credits.js', 'db', 'restore', '--force', target],
      {
        cwd: join(import.meta.dirname, '..'),
        env: { PATH: process.env['PATH'], DATABASE_URL: `sqlite:${path}` },
        encoding: 'utf8',
      },
    )
    assert.equal(status, 1)
    assert.match(stderr, /is in use: stop the service/)
    assert.equal(await append(ledger, 1), 1)
  })

  test('of an older backup needs --force and keeps the previous database', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'copilot-credits-restore-'))
    const path = join(folder, 'ledger.db')
    const target = join(folder, 'backup.db')
    const countOf = async (ledger: Ledger) =>
      (await ledger.read('default', (view) => view.page({ ...ALL, limit: 9999 }))).length
    const first = await createSqliteLedger({ path })
    await append(first, 3)
    await backupTo(path, target, { overwrite: false })
    await append(first, 4)
    await first.close()
    assert.throws(() => restoreFrom(target, path, { overwrite: false }), /exists and is not empty/)
    const kept = restoreFrom(target, path, { overwrite: true })
    assert.ok(kept !== undefined)
    const second = await createSqliteLedger({ path })
    assert.equal(await countOf(second), 3)
    await second.close()
    const former = await createSqliteLedger({ path: kept })
    assert.equal(await countOf(former), 7)
    await former.close()
    rmSync(folder, { recursive: true })
  })
})
