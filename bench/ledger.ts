/**
 * Measures intake over HTTP compared with the bare engine, and reads from a large ledger. The load generator, the server and
 * PostgreSQL share the machine.
 */
import { spawn } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs'
import { request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import pg from 'pg'
import type { Ledger } from '../src/ledger/ledger.ts'
import { createPostgresLedger } from '../src/store/postgres/ledger.ts'
import { createSqliteLedger } from '../src/store/sqlite/ledger.ts'
import { startPostgres } from '../test/postgres-server.ts'
import { type Running, startService } from './processes.ts'
import { DAYS, dateOf, FIRST, fillLedger, SPAN_MS } from './records.ts'
import { median, type Report } from './report.ts'
import { REPORT, wireMessages, writeMessage } from './wire-messages.ts'

const CONNECTIONS = 16
const SECONDS = 4
const ROUNDS = 3
const BATCHES = [1, 100, 1000]

type Store = AsyncDisposable & {
  readonly name: string
  /** A new database, and a function that opens its ledger without the service. */
  readonly database: () => Promise<{
    readonly url: string
    readonly open: () => Promise<Ledger>
    readonly bytes: (() => number) | undefined
    /** Maintenance that the engine does on its own some time after a large change. */
    readonly settle: () => Promise<void>
  }>
}

const sqliteStore = (): Store => {
  const folder = mkdtempSync(join(tmpdir(), 'copilot-credits-bench-'))
  let count = 0
  return {
    name: 'SQLite',
    database: async () => {
      const path = join(folder, `${++count}.db`)
      const bytes = () =>
        readdirSync(folder)
          .filter((file) => file.startsWith(`${count}.db`))
          .reduce((sum, file) => sum + statSync(join(folder, file)).size, 0)
      return { url: `sqlite:${path}`, open: () => createSqliteLedger({ path }), bytes, settle: async () => {} }
    },
    [Symbol.asyncDispose]: async () => rmSync(folder, { recursive: true }),
  }
}

const postgresStore = async (): Promise<Store> => {
  const server = await startPostgres({ sync: true })
  return {
    name: 'PostgreSQL',
    database: async () => {
      const url = await server.createDatabase()
      const settle = async () => {
        const client = new pg.Client({ connectionString: url })
        await client.connect()
        await client.query('VACUUM ANALYZE')
        await client.query('CHECKPOINT')
        await client.end()
      }
      return { url, open: () => createPostgresLedger({ url, poolSize: 4 }), bytes: undefined, settle }
    },
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  }
}

const withStores = async (work: (store: Store) => Promise<void>): Promise<void> => {
  for (const create of [sqliteStore, postgresStore]) {
    await using store = await create()
    await work(store)
  }
}

export const benchIntake = (report: Report, batches: readonly number[] = BATCHES): Promise<void> =>
  withStores(async (store) => {
    report.heading(`Intake over HTTP into ${store.name}, ${CONNECTIONS} connections`)
    const { url } = await store.database()
    await using service = await startService({ DATABASE_URL: url })
    await call(service, 'PUT', `/v1/reports/${REPORT.id}`, { name: REPORT.name, credit_cost: REPORT.credit_cost })
    let nextId = 0
    const load = async (batch: number, seconds: number, rate = 0): Promise<IntakeLoad> => {
      const result = await measured<IntakeLoad>('bench/intake-load.ts', [
        service.port,
        batch,
        CONNECTIONS,
        seconds,
        nextId,
        rate,
      ])
      nextId = result.nextId
      if (result.failures > 0) throw new Error(`${result.failures} requests were not accepted completely`)
      return result
    }
    const bare = async (batch: number): Promise<number> => {
      nextId += 10_000_000
      const args = [url, batch, CONNECTIONS, SECONDS, 500_000_000_000_000 + nextId]
      return (await measured<{ rowsPerSecond: number }>('bench/bare-engine.ts', args)).rowsPerSecond
    }
    await load(1000, 2)
    const rows: string[][] = []
    for (const batch of batches) {
      const ours: IntakeLoad[] = []
      const engine: number[] = []
      for (let round = 0; round < ROUNDS; round++) {
        report.progress(`intake, ${store.name}, batches of ${batch}`, round, ROUNDS)
        ours.push(await load(batch, SECONDS))
        engine.push(await bare(batch))
      }
      const rates = ours.map((each) => each.messagesPerSecond)
      const halves: IntakeLoad[] = []
      for (let round = 0; round < ROUNDS; round++) halves.push(await load(batch, SECONDS, median(rates) / 2 / batch))
      const share = median(rates.map((each, index) => each / (engine[index] ?? Number.NaN)))
      rows.push([
        String(batch),
        whole(median(rates)),
        `${whole(Math.min(...rates))} to ${whole(Math.max(...rates))}`,
        median(ours.map((each) => each.p99Ms)).toFixed(1),
        whole(median(engine)),
        share.toFixed(2),
        median(halves.map((each) => each.p50Ms)).toFixed(1),
        halves.map((each) => each.p99Ms.toFixed(1)).join(', '),
      ])
    }
    report.table(
      [
        'messages per request',
        'messages/s (median)',
        'min to max',
        'p99 ms',
        'bare engine, rows/s',
        'share of bare engine',
        'p50 ms at half the load',
        'p99 ms at half the load, each round',
      ],
      rows,
    )
  })

export const benchReads = (report: Report, sizes: readonly number[]): Promise<void> =>
  withStores(async (store) => {
    for (const size of sizes) {
      report.heading(`Reading from ${store.name}, ${size.toLocaleString('en')} records`)
      const { url, open, bytes, settle } = await store.database()
      const fill = async (organizations: readonly string[], count: number): Promise<void> => {
        const ledger = await open()
        const tell = (done: number) => report.progress(`filling ${store.name}`, done, count * organizations.length)
        for (const [index, id] of organizations.entries()) {
          await fillLedger(ledger, id, count, (done) => tell(index * count + done))
        }
        await ledger.close()
        await settle()
      }
      await fill(['default'], size)
      if (bytes !== undefined)
        report.line(`${(bytes() / size).toFixed(1)} bytes per record on disk, including indexes.`)
      const alone = ['alone', ...(await timeReads(url))]
      const others = Array.from({ length: 1000 }, (_, index) => `other-${index}`)
      await fill(others, 1000)
      const rows = [alone, [`with ${others.length} others of 1,000 records each`, ...(await timeReads(url))]]
      report.table(
        ['organization', 'month by day, ms: median (p99)', 'page of 1,000 lines', 'month by day and report'],
        rows,
      )
    }
  })

/** Times totals of the month, and pages spread over it. */
const timeReads = async (url: string): Promise<readonly string[]> => {
  await using service = await startService({ DATABASE_URL: url })
  const month = `from=${dateOf(0)}&to=${dateOf(DAYS)}`
  const pathsOf: readonly ((time: number) => string)[] = [
    () => `/v1/usage/totals?bucket=day&limit=31&${month}`,
    (time) =>
      `/v1/usage?limit=1000&from=${new Date(FIRST + ((time * 7919) % 100) * (SPAN_MS / 110)).toISOString()}&to=${dateOf(DAYS)}`,
    () => `/v1/usage/totals?bucket=day&limit=31&group_by=report&${month}`,
  ]
  const figures: string[] = []
  for (const pathOf of pathsOf) {
    const times: number[] = []
    for (let time = 0; time < 150; time++) {
      const took = await call(service, 'GET', pathOf(time))
      if (time >= 50) times.push(took)
    }
    times.sort((one, other) => one - other)
    figures.push(`${median(times).toFixed(2)} (${times[Math.floor(times.length * 0.99)]?.toFixed(2)})`)
  }
  return figures
}

/** Measures `count` messages in one NDJSON request, and the peak memory of the server. */
export const benchStream = (report: Report, count: number): Promise<void> =>
  withStores(async (store) => {
    report.heading(`${count.toLocaleString('en')} messages streamed into ${store.name} as NDJSON`)
    const { url } = await store.database()
    await using service = await startService({ DATABASE_URL: url })
    await call(service, 'PUT', `/v1/reports/${REPORT.id}`, { name: REPORT.name, credit_cost: REPORT.credit_cost })
    const startedAt = performance.now()
    const answer = await streamMessages(service, count)
    const seconds = (performance.now() - startedAt) / 1000
    if (!answer.includes(`"done":true,"accepted":${count},`))
      throw new Error(`not all messages were accepted: ${answer}`)
    report.line(
      `${whole(count / seconds)} messages/s; peak resident memory ${(service.peakBytes() / 1e6).toFixed(0)} MB.`,
    )
  })

/** Resolves to the last line of the response. */
export const streamMessages = (service: Running, count: number): Promise<string> =>
  new Promise((resolve, reject) => {
    const outgoing = request(
      {
        port: service.port,
        host: '127.0.0.1',
        method: 'POST',
        path: '/v1/messages',
        headers: { 'content-type': 'application/x-ndjson' },
      },
      (response) => {
        let tail = ''
        response.setEncoding('utf8')
        response.on('data', (chunk: string) => {
          tail = (tail + chunk).slice(-500)
        })
        response.on('end', () => resolve(tail.trimEnd().split('\n').at(-1) ?? ''))
        response.on('error', reject)
      },
    )
    outgoing.on('error', reject)
    const messages = wireMessages()
    let next = 0
    const writeMore = (): void => {
      while (next < count) {
        const chunk = Buffer.allocUnsafe(500_000)
        let end = 0
        for (let line = 0; line < 400 && next < count; line++, next++) {
          const at = new Date(FIRST + next * 10).toISOString()
          end = writeMessage(chunk, end, messages[next % messages.length] as (typeof messages)[number], next, at)
          chunk[end++] = 0x0a
        }
        if (outgoing.write(chunk.subarray(0, end))) continue
        outgoing.once('drain', writeMore)
        return
      }
      outgoing.end()
    }
    writeMore()
  })

export type IntakeLoad = {
  readonly messagesPerSecond: number
  readonly p50Ms: number
  readonly p99Ms: number
  readonly failures: number
  readonly nextId: number
}

/** Runs another program of the benchmark and resolves to the JSON it prints. */
export const measured = async <T>(file: string, args: readonly (string | number)[]): Promise<T> => {
  const child = spawn(process.execPath, [file, ...args.map(String)], { stdio: ['ignore', 'pipe', 'inherit'] })
  return JSON.parse(await text(child.stdout)) as T
}

/** Resolves to how long the request took, in milliseconds. */
export const call = async ({ port }: Running, method: string, path: string, body?: unknown): Promise<number> => {
  const startedAt = performance.now()
  const response = await fetch(`http://127.0.0.1:${port}${path}`, {
    method,
    ...(body !== undefined && { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
  })
  const answer = await response.text()
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${answer}`)
  return performance.now() - startedAt
}

const whole = (value: number): string => Math.round(value).toLocaleString('en')
