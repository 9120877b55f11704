/** Messages with tokens beside messages with a text: intake over HTTP, and what a record takes. */
import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { call, measured } from './ledger.ts'
import { startService } from './processes.ts'
import { median, type Report } from './report.ts'
import { type Kind, REPORT } from './wire-messages.ts'

const ROUNDS = 5
const SECONDS = 3
const CONNECTIONS = 16
const KINDS = ['texts', 'tokens'] as const

type Load = { readonly messagesPerSecond: number; readonly failures: number; readonly nextId: number }
type Database = Awaited<ReturnType<typeof openDatabase>>

export const benchTokens = async (report: Report): Promise<void> => {
  report.heading(`Messages with tokens and with a text, into SQLite, ${CONNECTIONS} connections`)
  const rows: string[][] = []
  const databases = { texts: await openDatabase('texts'), tokens: await openDatabase('tokens') }
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

/** Texts are priced by the card that is in force from the start, tokens by that of GitHub. */
const openDatabase = async (kind: Kind) => {
  const folder = mkdtempSync(join(tmpdir(), 'copilot-credits-bench-'))
  const path = join(folder, 'ledger.db')
  const service = await startService({ DATABASE_URL: `sqlite:${path}` })
  await call(service, 'PUT', `/v1/reports/${REPORT.id}`, { name: REPORT.name, credit_cost: REPORT.credit_cost })
  if (kind === 'tokens') {
    const use = { version: 'github-copilot-2026-06', from: '2020-01-01T00:00:00Z' }
    await call(service, 'PUT', '/v1/organizations/default/rate-card', use)
  }
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
