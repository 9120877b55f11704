/** How much memory do the heap flags of `npm start` save, and how much speed do they cost? */
import { call, type IntakeLoad, measured, streamMessages } from './ledger.ts'
import { startFlags, startService } from './processes.ts'
import { median, type Report } from './report.ts'
import { cpuOf, ratio, takeTurns } from './turns.ts'
import { REPORT } from './wire-messages.ts'

const ROUNDS = 6
const STREAMED = 200_000
const SECONDS = 2
const GROWING = '--heap-growing-percent=50'

const FLAGS: Readonly<Record<string, readonly string[]>> = {
  'as npm start': startFlags,
  'no flags': [],
  '8 MB': ['--max-semi-space-size=8', GROWING],
  '16 MB': ['--max-semi-space-size=16', GROWING],
}

type Figures = { readonly cpu: number; readonly rate: number; readonly peak: number }

export const benchHeap = async (report: Report, rounds = ROUNDS): Promise<void> => {
  const given = FLAGS['as npm start']?.join(' ')
  const others = Object.entries(FLAGS).filter(([name, flags]) => name === 'as npm start' || flags.join(' ') !== given)
  const loads: readonly (readonly [string, (flags: readonly string[]) => Promise<Figures>])[] = [
    [`${STREAMED.toLocaleString('en')} messages streamed into SQLite`, (flags) => under(flags, takeStream)],
    ['1,000 messages per request over 16 connections', (flags) => under(flags, takeRequests)],
  ]
  for (const [load, run] of loads) {
    report.heading(`Heap flags: ${load}`)
    const variants = Object.fromEntries(others.map(([name, flags]) => [name, () => run(flags)]))
    const figures = await takeTurns(report, load, rounds, variants)
    const ours = figures['as npm start'] ?? []
    const of = (each: readonly Figures[], name: keyof Figures) => each.map((one) => one[name])
    report.table(
      ['flags', 'peak resident memory, MB', 'messages/s', 'ratio', 'CPU, µs per message', 'ratio'],
      Object.entries(figures).map(([name, each]) => [
        `${name}: ${FLAGS[name]?.join(' ')}`,
        (median(of(each, 'peak')) / 1e6).toFixed(0),
        Math.round(median(of(each, 'rate'))).toLocaleString('en'),
        ratio(of(each, 'rate'), of(ours, 'rate')),
        median(of(each, 'cpu')).toFixed(1),
        ratio(of(each, 'cpu'), of(ours, 'cpu')),
      ]),
    )
  }
}

type Service = Awaited<ReturnType<typeof startService>>

/** Starts a new service with a new database. `load` resolves to the number of messages and of seconds. */
const under = async (
  flags: readonly string[],
  load: (service: Service) => Promise<readonly [number, number]>,
): Promise<Figures> => {
  await using service = await startService({ LOG_LEVEL: 'warn' }, flags)
  await call(service, 'PUT', `/v1/reports/${REPORT.id}`, { name: REPORT.name, credit_cost: REPORT.credit_cost })
  const before = cpuOf(service.pid)
  const [messages, seconds] = await load(service)
  return {
    cpu: (cpuOf(service.pid) - before) / messages,
    rate: messages / seconds,
    peak: service.peakBytes(),
  }
}

const takeStream = async (service: Service): Promise<readonly [number, number]> => {
  const startedAt = performance.now()
  const answer = await streamMessages(service, STREAMED)
  if (!answer.includes(`"done":true,"accepted":${STREAMED},`))
    throw new Error(`not all messages were accepted: ${answer}`)
  return [STREAMED, (performance.now() - startedAt) / 1000]
}

const takeRequests = async (service: Service): Promise<readonly [number, number]> => {
  const load = await measured<IntakeLoad>('bench/intake-load.ts', [service.port, 1000, 16, SECONDS, 0, 0])
  if (load.failures > 0) throw new Error(`${load.failures} requests were not accepted completely`)
  return [load.nextId, load.nextId / load.messagesPerSecond]
}
