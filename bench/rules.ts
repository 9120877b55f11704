/**
 * How long does it take to add up what the rules of a month have cost, the first time and again, and how long does another request
 * wait meanwhile?
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createSqliteLedger } from '../src/store/sqlite/ledger.ts'
import { startService } from './processes.ts'
import { fillLedger } from './records.ts'
import type { Report } from './report.ts'
import { cpuOf } from './turns.ts'

const ORGANIZATION = 'bench'
const PING_EVERY_MS = 10
/** Each range is another one, so that each is added up. */
const RANGES = ['period=2026-10', 'from=2026-10-01T00:00:00.001Z&to=2026-11-01', 'from=2026-10-01&to=2026-11-02']

export const benchRules = async (report: Report, records: number): Promise<void> => {
  report.heading(`The rules of a month of ${records.toLocaleString('en')} messages in SQLite`)
  const folder = mkdtempSync(join(tmpdir(), 'copilot-credits-bench-'))
  const path = join(folder, 'ledger.db')
  const ledger = await createSqliteLedger({ path })
  await fillLedger(ledger, ORGANIZATION, records, (done) => report.progress('filling', done, records))
  await ledger.close()
  await using service = await startService({ DATABASE_URL: `sqlite:${path}`, LOG_LEVEL: 'warn' })
  const url = `http://127.0.0.1:${service.port}`

  /** Asks for a small response over and over while the work lasts. */
  const measure = async (name: string, query: string): Promise<readonly string[]> => {
    let isOver = false
    const waits: number[] = []
    const ping = async (): Promise<void> => {
      while (!isOver) {
        const startedAt = performance.now()
        await (await fetch(`${url}/v1/usage/totals?organization=${ORGANIZATION}&period=2026-10&bucket=none`)).text()
        waits.push(performance.now() - startedAt)
        await new Promise((resolve) => setTimeout(resolve, PING_EVERY_MS))
      }
    }
    const pinging = ping()
    const [startedAt, cpuBefore] = [performance.now(), cpuOf(service.pid)]
    const response = await fetch(`${url}/v1/usage/rules?organization=${ORGANIZATION}&${query}`)
    const { messages } = (await response.json()) as { readonly messages: number }
    const [seconds, cpu] = [(performance.now() - startedAt) / 1000, (cpuOf(service.pid) - cpuBefore) / 1e6]
    isOver = true
    await pinging
    waits.sort((one, other) => one - other)
    const wait = (share: number) => (waits[Math.floor((waits.length - 1) * share)] ?? Number.NaN).toFixed(1)
    const peak = (service.peakBytes() / 1e6).toFixed(0)
    return [name, String(messages), seconds.toFixed(3), cpu.toFixed(2), peak, wait(0.5), wait(0.99), wait(1)]
  }

  const rows: (readonly string[])[] = []
  for (const [index, range] of RANGES.entries()) rows.push(await measure(`added up, ${index + 1}.`, range))
  rows.push(await measure('again', RANGES[0] ?? ''))
  rows.push(await measure('of one member', `${RANGES[0]}&user_id=user-8`))
  report.table(['', 'messages', 'seconds', 'CPU, s', 'peak memory, MB', 'totals, ms: median', 'p99', 'max'], rows)
  rmSync(folder, { recursive: true })
}
