/**
 * What do totals by cell cost with many cells? A million messages of 10,000 members and five reports in SQLite: the CPU of an
 * append, the size of a record, and the totals of the month by member and by day.
 */
import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createSqliteLedger } from '../src/store/sqlite/ledger.ts'
import { batchOf, FIRST, recordMaker, SPAN_MS } from './records.ts'
import { median, type Report } from './report.ts'

const MEMBERS = 10_000
const REPORTS = 5
const BATCH = 1000
const ROUNDS = 5

export const benchCells = async (report: Report, messages: number): Promise<void> => {
  report.heading(`Totals of ${MEMBERS.toLocaleString('en')} members and ${REPORTS} reports in SQLite`)
  const folder = mkdtempSync(join(tmpdir(), 'copilot-credits-bench-'))
  const path = join(folder, 'ledger.db')
  const ledger = await createSqliteLedger({ path })
  const recordOf = recordMaker(messages)
  const cells = Array.from({ length: MEMBERS * REPORTS }, (_, index) => ({
    member: `user-${index % MEMBERS}`,
    reportId: 1 + Math.floor(index / MEMBERS),
    reportName: `Report ${1 + Math.floor(index / MEMBERS)}`,
    rateCard: 'standard-2024',
  }))
  // A multiplicative step visits the cells in no order, the same in every run.
  const cellOf = (index: number) => cells[(index * 7919) % cells.length] as (typeof cells)[number]
  const before = process.cpuUsage()
  const underWay: Promise<unknown>[] = []
  for (let from = 0; from < messages; from += BATCH) {
    const records = Array.from({ length: BATCH }, (_, at) => ({ ...recordOf(from + at), cell: cellOf(from + at) }))
    underWay.push(ledger.append(batchOf('default', records)))
    if (underWay.length >= 6) await underWay.shift()
    if (from % 50_000 === 0) report.progress('appending', from, messages)
  }
  await Promise.all(underWay)
  const { user, system } = process.cpuUsage(before)
  const month = { from: FIRST, to: FIRST + SPAN_MS }
  const timed = async (read: () => Promise<unknown>): Promise<string> => {
    const times: number[] = []
    for (let round = 0; round < ROUNDS; round++) {
      const startedAt = performance.now()
      await read()
      times.push(performance.now() - startedAt)
    }
    return median(times).toFixed(1)
  }
  const rows = [
    ['CPU of an append, all threads, µs per message', ((user + system) / messages).toFixed(1)],
    [
      'month by member, ms',
      await timed(() => ledger.read('default', (view) => view.totals({ ...month, group: ['member'] }))),
    ],
    [
      'month by member from the totals of days, ms',
      await timed(() => ledger.read('default', (view) => view.dayTotals({ ...month, group: ['member'] }))),
    ],
    ['month by day, ms', await timed(() => ledger.read('default', (view) => view.dayTotals({ ...month, group: [] })))],
  ]
  await ledger.close()
  rows.push(['bytes a record, everything included', (statSync(path).size / messages).toFixed(1)])
  report.table(['', ''], rows)
  rmSync(folder, { recursive: true })
}
