/** Messages with tokens beside messages with a text: intake over HTTP, and what a record takes. */
import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { call, measured } from './ledger.ts'
import { startService } from './processes.ts'
import { median, type Report } from './report.ts'
import { type Kind, MODELS, REPORT } from './wire-messages.ts'

const ROUNDS = 5
const SECONDS = 3
const CONNECTIONS = 16
const KINDS = ['texts', 'tokens'] as const

type Load = { readonly messagesPerSecond: number; readonly failures: number; readonly nextId: number }
type Database = Awaited<ReturnType<typeof openDatabase>>

/** Texts are priced as by the built-in card, so that both kinds are charged by the same one. */
const CARD = {
  version: 'bench',
  prices: Object.fromEntries(
    MODELS.map((model, index) => [model, [{ input: 250, cache_read: 25, output: 1500 + index }]]),
  ),
  cases: [
    { name: 'report', when: { report: true }, lines: [{ rule: 'report', of: 'report_credits', rate: 1 }] },
    {
      name: 'tokens',
      when: { model: '*' },
      lines: [
        { rule: 'input', of: 'input_tokens', per: 1_000_000, price: 'input' },
        { rule: 'cache-read', of: 'cache_read_tokens', per: 1_000_000, price: 'cache_read' },
        { rule: 'output', of: 'output_tokens', per: 1_000_000, price: 'output' },
      ],
    },
    {
      name: 'text',
      when: { text: true },
      lines: [
        { rule: 'base', rate: 1 },
        { rule: 'characters', of: 'characters', rate: 0.05 },
        { rule: 'words', of: 'words', from: 1, to: 3, rate: 0.1 },
        { rule: 'words', of: 'words', from: 4, to: 7, rate: 0.2 },
        { rule: 'words', of: 'words', from: 8, rate: 0.3 },
        { rule: 'third-vowels', of: 'third_vowels', rate: 0.3 },
      ],
      minimum: 1,
    },
  ],
}

export const benchTokens = async (report: Report): Promise<void> => {
  report.heading(`Messages with tokens and with a text, into SQLite, ${CONNECTIONS} connections`)
  const rows: string[][] = []
  const databases = { texts: await openDatabase(), tokens: await openDatabase() }
  for (const batch of [1, 1000]) {
    const rates: Record<Kind, number[]> = { texts: [], tokens: [] }
    for (let round = 0; round < ROUNDS; round++) {
      report.progress(`batches of ${batch}`, round, ROUNDS)
      const order = round % 2 === 0 ? KINDS : KINDS.toReversed()
      for (const kind of order) rates[kind].push(await load(databases[kind], kind, batch))
    }
    const ratio = median(rates.tokens.map((rate, round) => rate / (rates.texts[round] ?? Number.NaN)))
    rows.push([
      String(batch),
      ...KINDS.map((kind) => Math.round(median(rates[kind])).toLocaleString('en')),
      ratio.toFixed(2),
    ])
  }
  report.table(['messages per request', 'texts/s (median)', 'tokens/s (median)', 'ratio (median)'], rows)
  const bytes = await Promise.all(KINDS.map(async (kind) => `${kind} ${await bytesOf(databases[kind])}`))
  report.line(`Bytes per record, indexes and totals included: ${bytes.join(', ')}.`)
}

const openDatabase = async () => {
  const folder = mkdtempSync(join(tmpdir(), 'copilot-credits-bench-'))
  const path = join(folder, 'ledger.db')
  const service = await startService({ DATABASE_URL: `sqlite:${path}` })
  await call(service, 'PUT', `/v1/reports/${REPORT.id}`, { name: REPORT.name, credit_cost: REPORT.credit_cost })
  await call(service, 'POST', '/v1/rate-cards', CARD)
  await call(service, 'PUT', '/v1/organizations/default/rate-card', {
    version: CARD.version,
    from: '2020-01-01T00:00:00Z',
  })
  return { folder, path, service, nextId: 0 }
}

const load = async (database: Database, kind: Kind, batch: number): Promise<number> => {
  const { service, nextId: firstId } = database
  const result = await measured<Load>('bench/intake-load.ts', [
    service.port,
    batch,
    CONNECTIONS,
    SECONDS,
    firstId,
    0,
    kind,
  ])
  if (result.failures > 0) throw new Error(`${result.failures} requests were not accepted completely`)
  database.nextId = result.nextId
  return result.messagesPerSecond
}

const bytesOf = async ({ folder, path, service, nextId }: Database): Promise<string> => {
  await service[Symbol.asyncDispose]()
  const bytes = statSync(path).size / nextId
  rmSync(folder, { recursive: true })
  return `${bytes.toFixed(1)} (${nextId.toLocaleString('en')} records)`
}
