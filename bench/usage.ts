/**
 * Measures `GET /usage` compared with a naive server on the same framework and with a bare `node:http` hello of 17 bytes or of
 * the size of the response. The servers are separate processes, loaded in turn; the load generator and the upstream share the
 * machine.
 */
import { spawn } from 'node:child_process'
import { text } from 'node:stream/consumers'
import { type Running, readWhole, startProcess, startService } from './processes.ts'
import { median, type Report } from './report.ts'
import { listingOf, startUpstream } from './upstream.ts'

const CONNECTIONS = 16

type Load = {
  readonly requestsPerSecond: number
  readonly p99Ms: number | null
  readonly megabytesPerSecond: number
  readonly failures: number
}

export const benchUsage = async (report: Report, sizes: readonly number[]): Promise<void> => {
  for (const size of sizes) {
    const listing = listingOf(size, 0)
    const isLarge = size >= 100_000
    await using upstream = await startUpstream(() => listing, { etag: isLarge ? '"v1"' : undefined })
    await using ours = await startOurs(upstream.url)
    report.heading(`GET /usage, ${size.toLocaleString('en')} messages, ${CONNECTIONS} connections`)
    if (!isLarge) await benchSmall(report, size, upstream.url, ours.port)
    else await benchLarge(report, ours, upstream.url)
  }
  await benchChange(report)
}

const benchSmall = async (report: Report, size: number, upstreamUrl: string, oursPort: number): Promise<void> => {
  await using naive = await startProcess('bench/naive-server.ts', upstreamUrl)
  await using hello = await startProcess('bench/hello-server.ts')
  const bytes = await readWhole(`http://127.0.0.1:${oursPort}/usage`)
  await using equalHello = await startProcess('bench/hello-server.ts', String(bytes))
  await using quiet = await startOurs(upstreamUrl, { LOG_LEVEL: 'warn' })
  const servers = [
    ['copilot-credits', oursPort, '/usage', 3],
    ['copilot-credits, without a log line per request', quiet.port, '/usage', 3],
    ['naive server', naive.port, '/usage', size > 1000 ? 20 : 5],
    ['bare hello of equal size', equalHello.port, '/', 3],
    ['bare hello', hello.port, '/', 3],
  ] as const
  const results = new Map<string, Load[]>()
  for (const [, port, path] of servers) if (port !== naive.port) await load(port, path, CONNECTIONS, 4)
  const rounds = size > 1000 ? 3 : 5
  for (let round = 0; round < rounds; round++) {
    for (const [name, port, path, seconds] of servers) {
      report.progress(`GET /usage, ${size} messages`, round, rounds)
      results.set(name, [...(results.get(name) ?? []), await load(port, path, CONNECTIONS, seconds)])
    }
  }
  const rate = (name: string) => median((results.get(name) ?? []).map((each) => each.requestsPerSecond))
  report.table(
    ['server', 'requests/s (median)', 'min to max', 'p99 ms (median)', 'MB/s', 'failures'],
    [...results].map(([name, loads]) => {
      const rates = loads.map((each) => each.requestsPerSecond)
      return [
        name,
        rate(name).toFixed(1),
        `${Math.min(...rates).toFixed(1)} to ${Math.max(...rates).toFixed(1)}`,
        median(loads.map((each) => each.p99Ms ?? Number.NaN)).toFixed(2),
        median(loads.map((each) => each.megabytesPerSecond)).toFixed(1),
        String(loads.reduce((sum, each) => sum + each.failures, 0)),
      ]
    }),
  )
  const ratio = (one: string, other: string): number => {
    const others = results.get(other) ?? []
    const loads = results.get(one) ?? []
    return median(loads.map((each, index) => each.requestsPerSecond / (others[index]?.requestsPerSecond ?? Number.NaN)))
  }
  for (const [name] of servers.slice(0, 2)) {
    report.line(
      `${name} / naive server: ${ratio(name, 'naive server').toFixed(0)}; / bare hello of equal size: ${ratio(name, 'bare hello of equal size').toFixed(2)}; / bare hello: ${ratio(name, 'bare hello').toFixed(2)} (median, pair by pair)`,
    )
  }
}

const benchLarge = async (report: Report, ours: Running, upstreamUrl: string): Promise<void> => {
  const firstAt = performance.now()
  const bytes = await readWhole(`http://127.0.0.1:${ours.port}/usage`)
  const firstSeconds = (performance.now() - firstAt) / 1000
  const rows: string[][] = []
  for (const readers of [1, 8, 1, 8]) {
    const before = ours.residentBytes()
    let most = before
    const watching = setInterval(() => {
      most = Math.max(most, ours.residentBytes())
    }, 10)
    const result = await load(ours.port, '/usage', readers, 8)
    clearInterval(watching)
    rows.push([
      String(readers),
      result.requestsPerSecond.toFixed(1),
      result.megabytesPerSecond.toFixed(0),
      (result.p99Ms ?? Number.NaN).toFixed(0),
      (most / 1e6).toFixed(0),
    ])
  }
  report.table(['clients', 'requests/s', 'MB/s', 'p99 ms', 'peak resident memory, MB'], rows)
  report.line(
    `The first response, ${(bytes / 1e6).toFixed(1)} MB, took ${firstSeconds.toFixed(1)} s; peak memory until then ${(ours.peakBytes() / 1e6).toFixed(0)} MB.`,
  )
  await using naive = await startProcess('bench/naive-server.ts', upstreamUrl)
  const naiveAt = performance.now()
  const isWhole = await readWhole(`http://127.0.0.1:${naive.port}/usage`).then(
    () => true,
    () => false,
  )
  const seconds = ((performance.now() - naiveAt) / 1000).toFixed(1)
  report.line(
    isWhole ? `The naive server took ${seconds} s for one response.` : `The naive server failed after ${seconds} s.`,
  )
}

/** Measures from the upstream's response to the end of the changed response at a client. */
const benchChange = async (report: Report): Promise<void> => {
  const listings = [listingOf(10_000, 0), listingOf(10_000, 1)]
  let version = 0
  let answeredAt = 0
  await using upstream = await startUpstream(() => listings[version % 2] ?? Buffer.alloc(0), {
    answered: () => {
      answeredAt = performance.now()
    },
  })
  await using ours = await startOurs(upstream.url, { UPSTREAM_MAX_AGE: '0' })
  const delays: number[] = []
  for (let time = 0; time < 40; time++) {
    version++
    await readWhole(`http://127.0.0.1:${ours.port}/usage`)
    if (time >= 10) delays.push(performance.now() - answeredAt)
  }
  delays.sort((one, other) => one - other)
  report.heading('A changed listing of 10,000 messages')
  report.line(
    `reaches a client ${median(delays).toFixed(1)} ms (median of ${delays.length}; max ${delays.at(-1)?.toFixed(1)} ms) after the upstream responded.`,
  )
}

const startOurs = (upstreamUrl: string, more: Record<string, string> = {}): Promise<Running> =>
  startService({
    UPSTREAM_URL: upstreamUrl,
    UPSTREAM_MAX_BYTES: '1GiB',
    UPSTREAM_ATTEMPT_TIMEOUT: '2min',
    UPSTREAM_TIMEOUT: '4min',
    ...more,
  })

const load = async (port: number, path: string, connections: number, seconds: number): Promise<Load> => {
  const args = ['bench/load.ts', port, path, connections, seconds].map(String)
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  return JSON.parse(await text(child.stdout)) as Load
}
