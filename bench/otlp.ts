/** The same calls over OpenTelemetry and as messages: how fast, and in how much memory. */
import { call, measured } from './ledger.ts'
import { DOORS, type Door } from './otlp-bodies.ts'
import { type Running, startService } from './processes.ts'
import { median, type Report } from './report.ts'
import { cpuOf, ratio, takeTurns } from './turns.ts'

const ROUNDS = 9
const SECONDS = 3
const CALLS = 1000
const CONNECTIONS = 16

type Load = {
  readonly messagesPerSecond: number
  readonly taken: number
  readonly refused: number
  readonly failures: number
  readonly nextId: number
}
type Figures = { readonly rate: number; readonly cpu: number }

/** The largest requests that each door takes: 10,000 messages, and 20 MiB of OTLP. */
const LARGE: readonly (readonly [Door, number, 'gzip' | ''])[] = [
  ['messages', 10_000, ''],
  ['json', 16_500, ''],
  ['protobuf', 32_000, ''],
  ['json', 16_500, 'gzip'],
  ['protobuf', 32_000, 'gzip'],
]

export const benchOtlp = async (report: Report, rounds = ROUNDS): Promise<void> => {
  await benchRate(report, rounds)
  await benchMemory(report)
}

const benchRate = async (report: Report, rounds: number): Promise<void> => {
  report.heading(
    `Calls over OTLP and as messages, ${CALLS.toLocaleString('en')} per request, ${CONNECTIONS} connections`,
  )
  await using services = new AsyncDisposableStack()
  const variants: Record<string, () => Promise<Figures>> = {}
  for (const door of DOORS) {
    const service = services.use(await startPriced())
    let nextId = 0
    variants[door] = async () => {
      const before = cpuOf(service.pid)
      const load = await loadOf(service, door, nextId)
      nextId = load.nextId
      return { rate: load.messagesPerSecond, cpu: (cpuOf(service.pid) - before) / load.taken }
    }
    await variants[door]()
  }
  const figures = await takeTurns(report, 'rounds', rounds, variants)
  const of = (door: Door, name: keyof Figures) => (figures[door] ?? []).map((each) => each[name])
  report.table(
    ['door', 'calls/s (median)', 'ratio', 'CPU, µs per call', 'ratio'],
    DOORS.map((door) => [
      door,
      Math.round(median(of(door, 'rate'))).toLocaleString('en'),
      ratio(of(door, 'rate'), of('messages', 'rate')),
      median(of(door, 'cpu')).toFixed(1),
      ratio(of(door, 'cpu'), of('messages', 'cpu')),
    ]),
  )
}

const benchMemory = async (report: Report): Promise<void> => {
  report.heading(`Memory of the largest requests, ${CONNECTIONS} connections`)
  const rows: string[][] = []
  for (const [door, calls, packing] of LARGE) {
    report.progress('requests', rows.length, LARGE.length)
    await using service = await startPriced()
    const load = await loadOf(service, door, 0, calls, packing)
    rows.push([
      [door, packing].filter(Boolean).join(', '),
      calls.toLocaleString('en'),
      String(load.taken / calls),
      String(load.refused),
      (service.peakBytes() / 1e6).toFixed(0),
    ])
  }
  report.table(['door', 'calls per request', 'requests taken', 'refused (429)', 'peak resident memory, MB'], rows)
}

const startPriced = async (): Promise<Running> => {
  const service = await startService({})
  const use = { version: 'github-copilot-2026-06', from: '2020-01-01T00:00:00Z' }
  await call(service, 'PUT', '/v1/organizations/default/rate-card', use)
  return service
}

const loadOf = async (
  service: Running,
  door: Door,
  firstId: number,
  calls = CALLS,
  packing: 'gzip' | '' = '',
): Promise<Load> => {
  const load = await measured<Load>('bench/otlp-load.ts', [
    service.port,
    door,
    calls,
    CONNECTIONS,
    SECONDS,
    firstId,
    packing,
  ])
  if (load.failures > 0) throw new Error(`${load.failures} requests were not taken completely`)
  return load
}
