/**
 * Looks through a large database while it is already at work. A check of its whole structure would be one long reading, which
 * keeps the write-ahead log from starting over; so the small tables are checked by structure, the records by what they add up to.
 */
import { type MessagePort, workerData } from 'node:worker_threads'
import { openReader } from './database.ts'
import { checkTotals, FINDINGS_MAX } from './integrity.ts'

export type CheckResult = { readonly findings: readonly string[]; readonly durationMs: number }

const SMALL_TABLES = [
  'organization',
  'billing_calendar',
  'api_key',
  'report',
  'rate_card',
  'installation',
  'daily_total',
]

const { file, port } = workerData as { readonly file: { readonly path: string }; readonly port: MessagePort }
const startedAt = performance.now()
const findings: string[] = []
try {
  const database = openReader(file)
  for (const table of SMALL_TABLES) {
    for (const row of database.prepare(`PRAGMA quick_check('${table}')`).all()) {
      if (row['quick_check'] !== 'ok') findings.push(String(row['quick_check']))
    }
  }
  for (const finding of checkTotals(database)) {
    findings.push(finding)
    if (findings.length === FINDINGS_MAX) break
  }
  database.close()
} catch (error) {
  findings.push((error as Error).message)
}
port.postMessage({ findings, durationMs: performance.now() - startedAt } satisfies CheckResult)
port.close()
