/**
 * How long does SQLite take for readings that the stored totals cannot answer, and how long is each piece of a reading? While a
 * piece runs, the thread that reads can do nothing else.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openReader } from '../src/store/sqlite/database.ts'
import { createSqliteLedger } from '../src/store/sqlite/ledger.ts'
import { type PageRest, type Part, type RangeTotalsRest, UsageReader } from '../src/store/sqlite/usage-reader.ts'
import { DAYS, FIRST, fillLedger, SPAN_MS } from './records.ts'
import { median, type Report } from './report.ts'

const ORGANIZATION = 'bench'
const ROUNDS = 3
const HOUR_MS = 3_600_000

export const benchSqliteReadings = async (report: Report, records: number): Promise<void> => {
  report.heading(`Readings of ${records.toLocaleString('en')} records in one month from SQLite`)
  const folder = mkdtempSync(join(tmpdir(), 'copilot-credits-bench-'))
  const path = join(folder, 'ledger.db')
  const ledger = await createSqliteLedger({ path })
  await fillLedger(ledger, ORGANIZATION, records, (done) => report.progress('filling', done, records))
  await ledger.close()
  using database = openReader({ path })
  const reader = new UsageReader(database)
  const month = { from: FIRST, to: FIRST + SPAN_MS }
  const hours = Array.from({ length: DAYS * 24 }, (_, hour) => ({
    from: FIRST + hour * HOUR_MS,
    to: FIRST + (hour + 1) * HOUR_MS,
  }))
  const readings: Readonly<Record<string, () => Reading>> = {
    'totals by hour': () =>
      piecewise<RangeTotalsRest>({ ranges: hours, group: [] }, (rest) => reader.rangeTotals(ORGANIZATION, rest)),
    'totals by hour, report and member': () =>
      piecewise<RangeTotalsRest>({ ranges: hours, group: ['report', 'member'] }, (rest) =>
        reader.rangeTotals(ORGANIZATION, rest),
      ),
    'all lines': () => piecewise<PageRest>({ ...month, limit: records }, (rest) => reader.page(ORGANIZATION, rest)),
    'all lines of one member': () =>
      piecewise<PageRest>({ ...month, member: 'user-8', limit: records }, (rest) => reader.page(ORGANIZATION, rest)),
    ...Object.fromEntries(
      (['time', 'credits', 'id', 'member', 'report'] as const).flatMap((by) =>
        [false, true].map((isDescending) => [
          `a page of 1,000 lines by ${isDescending ? 'descending ' : ''}${by}`,
          () =>
            piecewise<PageRest>({ ...month, order: { by, isDescending }, limit: 1000 }, (rest) =>
              reader.page(ORGANIZATION, rest),
            ),
        ]),
      ),
    ),
  }
  const rows = Object.entries(readings).map(([name, read]) => {
    read()
    const all = Array.from({ length: ROUNDS }, read)
    const pieces = all.flatMap(({ pieces }) => pieces).sort((one, other) => one - other)
    return [
      name,
      (median(all.map(({ cpuMs }) => cpuMs)) / 1000).toFixed(3),
      (pieces.length / ROUNDS).toFixed(0),
      median(pieces).toFixed(1),
      (pieces[Math.floor(pieces.length * 0.99)] ?? Number.NaN).toFixed(1),
      pieces.at(-1)?.toFixed(1) ?? '',
    ]
  })
  report.table(['', 'total CPU, s', 'pieces', 'CPU per piece, ms: median', 'p99', 'max'], rows)
  rmSync(folder, { recursive: true })
}

type Reading = { readonly cpuMs: number; readonly pieces: readonly number[] }

const piecewise = <Query>(query: Query, ask: (rest: Query) => Part<unknown, Query>): Reading => {
  const pieces: number[] = []
  for (let rest: Query | undefined = query; rest !== undefined; ) {
    const before = process.threadCpuUsage()
    rest = ask(rest).rest
    const { user, system } = process.threadCpuUsage(before)
    pieces.push((user + system) / 1000)
  }
  return { cpuMs: pieces.reduce((sum, piece) => sum + piece, 0), pieces }
}
