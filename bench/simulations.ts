/**
 * How long does it take to price a month again by another rate card, and to charge it anew? And how long do messages wait that are
 * reported meanwhile?
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openStore } from '../src/compose/store.ts'
import { readConfig } from '../src/config.ts'
import type { Card } from '../src/model/card.ts'
import { credits } from '../src/model/credits.ts'
import { startPostgres } from '../test/postgres-server.ts'
import { call } from './ledger.ts'
import { startService } from './processes.ts'
import { FIRST, SPAN_MS } from './records.ts'
import { median, type Report } from './report.ts'
import { cpuOf } from './turns.ts'
import { REPORT } from './wire-messages.ts'

const ROUNDS = 3
const MESSAGES_PER_REQUEST = 50
const REQUEST_EVERY_MS = 25
const QUIET_MS = 5000
const MODELS = 20

/** Prices reports, tokens of 20 models, and texts. */
const cardOf = (version: string, factor: number): Card => ({
  version,
  prices: Object.fromEntries(
    Array.from({ length: MODELS }, (_, model) => [
      `model-${model}`,
      [
        { when: { prompt_tokens: { above: 200_000 } }, input: 500, output: 2250 },
        { input: factor * model, output: 1500 },
      ],
    ]),
  ),
  cases: [
    { name: 'report', when: { report: true }, lines: [{ rule: 'report', of: 'report_credits', rate: 1 }] },
    {
      name: 'tokens',
      when: { model: '*' },
      lines: [
        { rule: 'input', of: 'input_tokens', per: 1_000_000, price: 'input' },
        { rule: 'output', of: 'output_tokens', per: 1_000_000, price: 'output' },
      ],
    },
    {
      name: 'text',
      when: { text: true },
      lines: [
        { rule: 'base', rate: 1 },
        { rule: 'characters', of: 'characters', rate: 0.05 * factor },
      ],
    },
  ],
})

/** One in ten has a report, one in ten a text, and the others tokens; of 1,000 members in 10 teams. */
const messageOf = (id: number, at: number) => ({
  id,
  timestamp: new Date(at).toISOString(),
  user_id: `user-${(id * 7919) % 1000}`,
  team_id: `team-${(id * 7919) % 10}`,
  ...(id % 10 === 0
    ? { report_id: REPORT.id }
    : id % 10 === 1
      ? { text: `What does clause ${id} say about the rent?` }
      : {
          model: `model-${id % MODELS}`,
          usage: { input_tokens: (id * 31) % 9000, output_tokens: (id * 17) % 900 },
        }),
})

export const benchSimulations = async (report: Report, count: number): Promise<void> => {
  const folder = mkdtempSync(join(tmpdir(), 'copilot-credits-bench-'))
  await benchStore(report, 'SQLite', `sqlite:${join(folder, 'ledger.db')}`, count)
  rmSync(folder, { recursive: true })
  await using server = await startPostgres({ sync: true })
  await benchStore(report, 'PostgreSQL', await server.createDatabase(), count)
}

const benchStore = async (report: Report, name: string, DATABASE_URL: string, count: number): Promise<void> => {
  report.heading(`A month of ${count.toLocaleString('en')} messages in ${name}, priced again by another rate card`)
  const [before, after] = [cardOf('before', 1), cardOf('after', 2)]
  await fill(DATABASE_URL, before, count, (done) => report.progress('filling', done, count))
  await using service = await startService({ DATABASE_URL, LOG_LEVEL: 'warn' })
  const request = { rate_card: after, period: '2026-10' }
  let next = count

  /** Reports messages at a steady rate while the work lasts. */
  const beside = async (work: () => Promise<unknown>): Promise<Figures> => {
    let isOver = false
    const waits: number[] = []
    const load = async (): Promise<void> => {
      while (!isOver) {
        const startedAt = performance.now()
        // Of the next month: what is simulated stays the same.
        const messages = Array.from({ length: MESSAGES_PER_REQUEST }, (_, index) =>
          messageOf(next + index, FIRST + SPAN_MS + ((next + index) % 86_400_000)),
        )
        next += MESSAGES_PER_REQUEST
        await call(service, 'POST', '/v1/messages', { messages })
        const waited = performance.now() - startedAt
        waits.push(waited)
        await new Promise((resolve) => setTimeout(resolve, Math.max(0, REQUEST_EVERY_MS - waited)))
      }
    }
    const loading = load()
    loading.catch(() => {})
    const [startedAt, cpuBefore] = [performance.now(), cpuOf(service.pid)]
    await work().finally(() => {
      isOver = true
    })
    const [seconds, cpu] = [(performance.now() - startedAt) / 1000, (cpuOf(service.pid) - cpuBefore) / 1e6]
    await loading
    return { seconds, cpu, waits: waits.sort((one, other) => one - other), peak: service.peakBytes() }
  }

  const simulate = async (): Promise<string> => {
    const response = await fetch(`http://127.0.0.1:${service.port}/v1/simulations`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(request),
    })
    return ((await response.json()) as { readonly hash: string }).hash
  }
  const quiet = await beside(() => new Promise((resolve) => setTimeout(resolve, QUIET_MS)))
  const simulated: Figures[] = []
  for (let round = 0; round < ROUNDS; round++) simulated.push(await beside(simulate))
  await call(service, 'POST', '/v1/rate-cards', after)
  await call(service, 'PUT', '/v1/default-rate-card', { version: after.version, from: new Date(FIRST).toISOString() })
  const hash = await simulate()
  const applied = await beside(() => call(service, 'POST', `/v1/simulations/${hash}/apply`, request))
  const again = await beside(simulate)
  const best = simulated.toSorted((one, other) => one.seconds - other.seconds)
  report.table(
    ['beside intake', 'seconds', 'CPU, s', 'peak memory, MB', 'requests', 'wait, ms: median', 'p99', 'max'],
    [
      toRow('nothing', quiet),
      ...best.map((each, index) => toRow(`simulated, ${index + 1}.`, each)),
      toRow('applied', applied),
      toRow('simulated again', again),
    ],
  )
}

type Figures = {
  readonly seconds: number
  readonly cpu: number
  readonly waits: readonly number[]
  readonly peak: number
}

const toRow = (name: string, { seconds, cpu, waits, peak }: Figures): readonly string[] => [
  name,
  seconds.toFixed(2),
  cpu.toFixed(2),
  (peak / 1e6).toFixed(0),
  String(waits.length),
  median(waits).toFixed(1),
  (waits[Math.floor(waits.length * 0.99)] ?? Number.NaN).toFixed(1),
  (waits.at(-1) ?? Number.NaN).toFixed(1),
]

const fill = async (url: string, card: Card, count: number, progress: (done: number) => void): Promise<void> => {
  const store = await openStore(readConfig({ DATABASE_URL: url }), () => {})
  await store.reports.put({ id: REPORT.id, name: REPORT.name, creditCost: credits(REPORT.credit_cost * 1_000_000) })
  await store.rateCards.put(card)
  await store.cardUses.useByDefault({ version: card.version, from: 0 })
  const organization = await store.organizations.find('default')
  if (organization === undefined) throw new Error('there is no organization')
  const batch = 2000
  for (let from = 0; from < count; from += batch) {
    const messages = Array.from({ length: Math.min(batch, count - from) }, (_, index) =>
      messageOf(from + index, FIRST + Math.floor(((from + index) * SPAN_MS) / count)),
    )
    const { counts } = await store.intake.take(organization, messages)
    if (counts.accepted !== Math.min(batch, count - from)) throw new Error('not all messages were accepted')
    progress(from)
  }
  await store.close()
}
