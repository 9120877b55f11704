/**
 * Measures how clients that request a large response and disconnect after a second affect others: the times of small requests
 * and intake meanwhile, and the CPU use a second after the last client has left. These clients run in this process.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { Agent, request } from 'node:http'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import type { Priced } from '../src/model/usage-record.ts'
import { measure } from '../src/rating/measure.ts'
import { packMeasurement } from '../src/rating/packed-measurement.ts'
import { createSqliteLedger } from '../src/store/sqlite/ledger.ts'
import { batchOf, DAY_MS, recordOf, START } from '../test/priced.ts'
import { type Running, startService } from './processes.ts'
import { median, type Report } from './report.ts'

const READERS = 200
const STAYS_MS = 1000
const SECONDS = 10

/** The path that each client requests, by its number. */
const KINDS: Readonly<Record<string, (reader: number) => string>> = {
  'the same month for all': () => '/usage?period=2024-05',
  'a different range for each': (reader) =>
    `/usage?from=2024-05-01&to=${new Date(START + 28 * DAY_MS + (reader % 500) * 60_000).toISOString()}`,
  'totals by hour': (reader) =>
    `/v1/usage/totals?from=2024-05-01&to=2024-06-01&bucket=hour&limit=${700 + (reader % 40)}`,
}

export const benchReaders = async (report: Report, messages: number): Promise<void> => {
  report.heading(
    `${READERS} concurrent clients that disconnect after a second, ${messages.toLocaleString('en')} messages`,
  )
  const folder = mkdtempSync(join(tmpdir(), 'copilot-credits-bench-'))
  const path = join(folder, 'ledger.db')
  await fill(path, messages)
  const rows: string[][] = []
  for (const [kind, pathOf] of Object.entries(KINDS)) {
    await using service = await startService({ DATABASE_URL: `sqlite:${path}`, LOG_LEVEL: 'warn' })
    rows.push([kind, ...(await bench(service, pathOf))])
  }
  const times = (what: string) => `${what}, ms: median, max`
  report.table(
    [
      'request',
      times('current period'),
      times('small /usage'),
      times('intake'),
      'memory growth, MB',
      'CPU after a second, %',
      'answers',
    ],
    rows,
  )
  rmSync(folder, { recursive: true })
}

const bench = async (service: Running, pathOf: (reader: number) => string): Promise<readonly string[]> => {
  const probes = [
    { path: '/v1/periods/current' },
    { path: '/usage?organization=small&period=2024-05' },
    { path: '/v1/messages?organization=small', posts: true },
  ]
  for (const probe of probes) await ask(service.port, probe)
  const before = service.residentBytes()
  const endsAt = performance.now() + SECONDS * 1000
  const statuses = new Map<string, number>()
  let reader = 0
  const reading = Array.from({ length: READERS }, async () => {
    while (performance.now() < endsAt) {
      const status = await readAndLeave(service.port, pathOf(reader++))
      statuses.set(status, (statuses.get(status) ?? 0) + 1)
    }
  })
  const probing = probes.map(async (probe) => {
    const times: number[] = []
    while (performance.now() < endsAt) {
      const startedAt = performance.now()
      const answered = await Promise.race([ask(service.port, probe), wait(20_000, false)])
      times.push(answered ? performance.now() - startedAt : Number.POSITIVE_INFINITY)
      await wait(20)
    }
    return `${median(times).toFixed(0)}, ${Math.max(...times).toFixed(0)}`
  })
  await Promise.all(reading)
  const timings = await Promise.all(probing)
  await wait(1000)
  const used = cpuSecondsOf(service)
  await wait(1000)
  const cpu = (cpuSecondsOf(service) - used) * 100
  const grown = (service.peakBytes() - before) / 1e6
  const answers = [...statuses].map(([status, count]) => `${count} × ${status}`).join(', ')
  return [...timings, grown.toFixed(0), cpu.toFixed(0), answers]
}

/** Closes the connection after a second, even amid the response. Resolves to the status, or to `left` if none arrived. */
const readAndLeave = (port: number, path: string): Promise<string> =>
  new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    let head = ''
    socket.on('connect', () => socket.write(`GET ${path} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n\r\n`))
    socket.on('data', (bytes: Buffer) => {
      if (head.length < 12) head += bytes.toString('latin1', 0, 12)
    })
    socket.on('error', () => {})
    setTimeout(() => {
      socket.destroy()
      resolve(head.slice(9, 12) || 'left')
    }, STAYS_MS)
  })

const agent = new Agent({ keepAlive: true })
let lastId = 10_000_000

const ask = (port: number, { path, posts = false }: { path: string; posts?: boolean }): Promise<boolean> =>
  new Promise((resolve) => {
    const headers = { 'Content-Type': 'application/json' }
    const asked = request(
      { port, host: '127.0.0.1', path, agent, ...(posts && { method: 'POST', headers }) },
      (response) => {
        response.resume()
        response.on('end', () => resolve(true))
      },
    )
    asked.on('error', () => resolve(false))
    const message = { id: ++lastId, timestamp: new Date().toISOString(), text: 'How much is left?' }
    asked.end(posts ? JSON.stringify({ messages: [message] }) : undefined)
  })

const fill = async (path: string, messages: number): Promise<void> => {
  const ledger = await createSqliteLedger({ path })
  const calendar = [{ effectiveFrom: -8_640_000_000_000_000, timeZone: 'UTC', anchorDay: 1 }] as const
  const small = { id: 'small', name: 'Small', createdAt: START, calendar }
  await ledger.decide('small', { kind: 'create-organization', organization: small })
  const facts = packMeasurement(measure('How much is left of the budget?'))
  const messageOf = (id: number, of: number): Priced => ({
    ...recordOf(id, { at: START + Math.floor((id * 31 * DAY_MS) / of) }),
    facts,
  })
  const append = (organizationId: string, records: readonly Priced[]) =>
    ledger.append(batchOf(records, { organizationId }))
  await append(
    'small',
    Array.from({ length: 100 }, (_, id) => messageOf(id, 100)),
  )
  for (let first = 0; first < messages; first += 10_000) {
    const count = Math.min(10_000, messages - first)
    await append(
      'default',
      Array.from({ length: count }, (_, index) => messageOf(first + index, messages)),
    )
  }
  await ledger.close()
}

/** CPU time of all threads, from Linux's /proc, which counts in hundredths of a second. */
const cpuSecondsOf = ({ pid }: Running): number => {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? []
  return (Number(fields[11]) + Number(fields[12])) / 100
}
