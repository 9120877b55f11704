/**
 * `npm run test:faults`: kills processes, fills disks and disconnects clients. Afterwards every acknowledged message must be
 * recorded exactly once, nothing may be recorded that was not sent, and totals must equal the sum of the records. Takes some
 * minutes. `KILLS` and `POSTGRES_KILLS` are the numbers of kills; `SEED` repeats the random choices, but not their timing.
 */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { describe, test } from 'node:test'
import { startPgBouncer, withoutPgBouncer } from '../pgbouncer.ts'
import { startPostgres } from '../postgres-server.ts'
import { randomFrom } from './random.ts'
import { later, ServerProcess } from './server-process.ts'
import { Writers } from './writers.ts'

const KILLS = Number(process.env['KILLS'] ?? 30)
const POSTGRES_KILLS = Number(process.env['POSTGRES_KILLS'] ?? 10)
const SEED = Number(process.env['SEED'] ?? Date.now() % 1_000_000)
const WRITERS = 8

const temporaryFolder = () => {
  const path = mkdtempSync(join(tmpdir(), 'copilot-credits-faults-'))
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true, maxRetries: 5 }) }
}

/** Kills a server at a random moment and restarts it, repeatedly. */
const killAgainAndAgain = async (servers: readonly ServerProcess[], times: number, random: () => number) => {
  for (let time = 0; time < times; time++) {
    const server = servers[Math.floor(random() * servers.length)]
    // Sometimes during its start, mostly while it handles requests.
    await later(random() * 400)
    await server?.kill()
    await server?.start()
  }
}

describe(`seed ${SEED}`, () => {
  test(`SQLite: nothing is lost or doubled when the server is killed ${KILLS} times`, async (context) => {
    using folder = temporaryFolder()
    const random = randomFrom(SEED)
    const database = join(folder.path, 'ledger.db')
    await using server = await ServerProcess.create({ DATABASE_URL: `sqlite:${database}` })
    await server.start()
    const writers = new Writers(() => [server.url], random)
    writers.start(WRITERS)
    await killAgainAndAgain([server], KILLS, random)
    await writers.stop()
    const found = await writers.verify(server.url)
    await server.kill()
    using file = new DatabaseSync(database)
    assert.equal(file.prepare('PRAGMA integrity_check').get()?.['integrity_check'], 'ok')
    context.diagnostic(`${KILLS} kills; ${described(writers, found)}`)
  })

  for (const pooler of ['', ' behind PgBouncer']) {
    const skip = pooler !== '' && withoutPgBouncer
    test(`PostgreSQL${pooler}: nothing is lost or doubled when one of two servers is killed ${KILLS} times and PostgreSQL ${POSTGRES_KILLS} times`, {
      skip,
    }, async (context) => {
      const random = randomFrom(SEED + 1)
      await using postgres = await startPostgres({ sync: true })
      const direct = await postgres.createDatabase()
      await using between = pooler === '' ? undefined : await startPgBouncer(direct, 'transaction')
      const environment = { DATABASE_URL: between?.behind(direct) ?? direct }
      await using one = await ServerProcess.create(environment)
      await using other = await ServerProcess.create(environment)
      await Promise.all([one.start(), other.start()])
      const writers = new Writers(() => [one.url, other.url], random)
      writers.start(WRITERS)
      await killAgainAndAgain([one, other], KILLS, random)
      const before = writers.acknowledged
      if (postgres.kill !== undefined && postgres.start !== undefined) {
        for (let time = 0; time < POSTGRES_KILLS; time++) {
          await later(200 + random() * 800)
          await postgres.kill()
          await postgres.start()
        }
        assert.ok(one.isAlive && other.isAlive, 'a server must survive its database')
        assert.ok(writers.acknowledged > before, 'messages must be acknowledged between the crashes')
      }
      await writers.stop()
      const found = await writers.verify(one.url)
      assert.deepEqual(await writers.verify(other.url), found)
      const kills = postgres.kill === undefined ? 'no' : POSTGRES_KILLS
      context.diagnostic(`${KILLS} kills of a server, ${kills} of PostgreSQL; ${described(writers, found)}`)
    })
  }

  test('SQLite: nothing is lost or doubled when the disk is full for a while', async (context) => {
    using folder = temporaryFolder()
    const random = randomFrom(SEED + 2)
    const database = join(folder.path, 'ledger.db')
    // Limits the size of every file in KiB. To SQLite this looks like a full disk.
    const limitKib = 3000
    await using server = await ServerProcess.create({ DATABASE_URL: `sqlite:${database}` }, [
      'bash',
      '-c',
      `ulimit -S -f ${limitKib}; exec "$@"`,
      'bash',
    ])
    await server.start()
    const writers = new Writers(() => [server.url], random)
    writers.start(WRITERS)
    const refused = await untilRefused(server.url)
    assert.ok(statSync(`${database}-wal`).size <= limitKib * 1024)
    assert.ok(server.isAlive)
    assert.equal((await fetch(`${server.url}/v1/usage?limit=1`)).status, 200, 'reads must still succeed')
    assert.match(refused, /urn:copilot-credits:problem:/)
    const before = writers.acknowledged
    const lifted = spawnSync('prlimit', ['--pid', String(server.pid), '--fsize=unlimited:unlimited'])
    assert.equal(lifted.status, 0, String(lifted.stderr))
    while (writers.acknowledged < before + 1000) await later(20)
    await writers.stop()
    const found = await writers.verify(server.url)
    await server.kill()
    await server.start()
    assert.deepEqual(await writers.verify(server.url), found)
    context.diagnostic(described(writers, found))
  })

  for (const store of ['SQLite', 'PostgreSQL'] as const) {
    test(`${store}: the same batch from sixteen connections at once is charged once`, async () => {
      using folder = temporaryFolder()
      await using postgres = store === 'PostgreSQL' ? await startPostgres({ sync: true }) : undefined
      const url = (await postgres?.createDatabase()) ?? `sqlite:${join(folder.path, 'ledger.db')}`
      await using one = await ServerProcess.create({ DATABASE_URL: url })
      await using other = await ServerProcess.create({ DATABASE_URL: url })
      await one.start()
      await other.start()
      for (let round = 0; round < 20; round++) {
        const messages = Array.from({ length: 200 }, (_, index) => ({
          id: `${round}-${index}`,
          text: 'a',
          timestamp: '2024-05-10T12:00:00Z',
        }))
        const answers = await Promise.all(
          Array.from({ length: 16 }, async (_, index) => {
            const response = await fetch(`${(index % 2 === 0 ? one : other).url}/v1/messages`, {
              method: 'POST',
              headers: { 'content-type': 'application/json' },
              body: JSON.stringify({ messages }),
            })
            assert.equal(response.status, 200)
            return (await response.json()) as { readonly accepted: number; readonly duplicate: number }
          }),
        )
        const sum = (key: 'accepted' | 'duplicate') => answers.reduce((total, each) => total + each[key], 0)
        assert.deepEqual([sum('accepted'), sum('duplicate')], [200, 15 * 200])
      }
    })
  }
})

/** Writes until a request fails; resolves to that response. */
const untilRefused = async (url: string): Promise<string> => {
  const text = 'What is the lease term?'
  for (let batch = 0; ; batch++) {
    const messages = Array.from({ length: 1 }, () => ({
      id: `probe-${batch}`,
      text,
      timestamp: '2023-01-01T00:00:00Z',
    }))
    const response = await fetch(`${url}/v1/messages`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ messages }),
    })
    const body = await response.text()
    if (response.ok) continue
    assert.equal(response.status, 503)
    return body
  }
}

const described = ({ counts, acknowledged }: Writers, found: { readonly records: number; readonly credits: string }) =>
  `${counts.batches} batches, ${counts.retries} sent again, ${counts.abandoned} abandoned; ` +
  `${acknowledged} messages acknowledged, ${counts.duplicates} of them as duplicates; ` +
  `${found.records} records of ${found.credits} credits`
