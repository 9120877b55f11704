/** How long does it take to check a SQLite file for damage? The file is in the system's cache. */
import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openReader } from '../src/store/sqlite/database.ts'
import { checkStructure, checkTotals } from '../src/store/sqlite/integrity.ts'
import { createSqliteLedger } from '../src/store/sqlite/ledger.ts'
import { fillLedger } from './records.ts'
import { median, type Report } from './report.ts'

const ROUNDS = 3

export const benchSqliteCheck = async (report: Report, sizes: readonly number[]): Promise<void> => {
  report.heading('Checking a SQLite file for damage')
  const folder = mkdtempSync(join(tmpdir(), 'copilot-credits-bench-'))
  const rows: string[][] = []
  for (const size of sizes) {
    const path = join(folder, `${size}.db`)
    const ledger = await createSqliteLedger({ path })
    await fillLedger(ledger, 'bench', size, (done) => report.progress(`filling, ${size} records`, done, size))
    await ledger.close()
    using database = openReader({ path })
    const cpuOf = (check: () => readonly string[]): string => {
      const times = Array.from({ length: ROUNDS }, () => {
        const before = process.threadCpuUsage()
        const findings = check()
        if (findings.length > 0) throw new Error(findings[0])
        const { user, system } = process.threadCpuUsage(before)
        return (user + system) / 1e6
      })
      return median(times).toFixed(2)
    }
    rows.push([
      size.toLocaleString('en'),
      (statSync(path).size / 2 ** 20).toFixed(0),
      cpuOf(() => checkStructure(database, 'quick_check')),
      cpuOf(() => [...checkTotals(database)]),
      cpuOf(() => checkStructure(database, 'integrity_check')),
    ])
  }
  report.table(
    ['records', 'MiB', 'quick_check: CPU, s', 'all records against their totals', 'integrity_check (only in db check)'],
    rows,
  )
  rmSync(folder, { recursive: true })
}
