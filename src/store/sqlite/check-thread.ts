/**
 * Checks a large database while it is in use. Checking its whole structure would take one long read, which keeps the
 * write-ahead log from being reset. So only the small tables are checked for structure; the records are checked against the
 * totals.
 */
import { type MessagePort, workerData } from 'node:worker_threads'
import { openReader } from './database.ts'
import { checkTotals, FINDINGS_MAX } from './integrity.ts'

export type CheckResult = { readonly findings: readonly string[]; readonly durationMs: number }

const SMALL_TABLES = ['organization', 'billing_calendar', 'api_key', 'report', 'installation', 'account', 'day']

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
