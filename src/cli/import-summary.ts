/** Counts the results of an import, and shows them at its end. */
import type { IntakeCounts } from '#intake/intake-results.ts'
import type { Id } from '#model/report.ts'
import type { FileEntry } from './file-entry.ts'
import type { Result } from './import-targets.ts'
import type { Rejects } from './rejects.ts'
import { grouped, shown, styled, type Terminal, table } from './terminal.ts'

export type Tally = ReturnType<typeof createTally>

/** What has become of the entries so far. */
export const createTally = () => {
  const counts: IntakeCounts = { accepted: 0, duplicate: 0, conflict: 0, rejected: 0 }
  const unknownReports = new Map<string, { readonly id: Id; count: number }>()
  let unanswered = 0
  const unpriced = new Map<string, number>()
  let unlisted = 0
  return {
    counts,
    done: () => Object.values(counts).reduce((sum, count) => sum + count, 0),
    add: (entry: FileEntry, { status, unpriced: reason, isReportUnknown }: Result): void => {
      const name = status as keyof IntakeCounts
      counts[name] = (counts[name] ?? 0) + 1
      if (reason !== undefined) {
        const key = unpriced.has(reason) || unpriced.size < REASONS_SHOWN ? reason : OTHER_REASONS
        unpriced.set(key, (unpriced.get(key) ?? 0) + 1)
      }
      if (isReportUnknown !== true || status === 'conflict' || !('entry' in entry)) return
      const { report_id: id } = entry.entry as { readonly report_id: Id }
      const known = unknownReports.get(String(id))
      if (known !== undefined) known.count++
      else if (unknownReports.size < UNKNOWN_REPORTS_MAX) unknownReports.set(String(id), { id, count: 1 })
      else unlisted++
    },
    leave: (count: number): void => {
      unanswered += count
    },
    unanswered: () => unanswered,
    /** Messages without a price, new ones and duplicates, by the reason. */
    unpriced: (): ReadonlyMap<string, number> => unpriced,
    unknownReports: () => [...unknownReports.values()].toSorted((a, b) => b.count - a.count),
    unlisted: () => unlisted,
  }
}

const UNKNOWN_REPORTS_MAX = 10_000
const UNKNOWN_REPORTS_SHOWN = 20
const REASONS_SHOWN = 20
const OTHER_REASONS = 'other reasons'

export type SummaryOptions = { readonly rejects: string; readonly json?: true }

type Outcome = {
  readonly tally: Tally
  readonly rejects: Rejects
  readonly failures: readonly string[]
  readonly seconds: number
}

/** Shows what is charged and what is not, and how to resume. */
export const showOutcome = (
  { out, err }: Terminal,
  options: SummaryOptions,
  { tally, rejects, failures, seconds }: Outcome,
): void => {
  out.write(
    options.json === true ? `${JSON.stringify(summaryJson(tally, failures))}\n` : summary(out, tally.counts, seconds),
  )
  for (const line of rejects.first) err.write(`${styled(err, 'red', line)}\n`)
  if (rejects.count() > rejects.first.length)
    err.write(`… and ${grouped(rejects.count() - rejects.first.length)} more\n`)
  if (rejects.count() > 0)
    err.write(`${rejects.isWhole() ? 'Full list' : 'Incomplete list'}: ${shown(options.rejects)}\n`)
  warnOfUnknownReports(err, tally)
  for (const [reason, count] of tally.unpriced()) {
    const text = `${grouped(count)} ${count === 1 ? 'message has' : 'messages have'} no price: ${reason}`
    err.write(`${styled(err, 'yellow', shown(text))}\n`)
  }
  for (const failure of failures) err.write(`${styled(err, 'red', 'copilot-credits:')} ${shown(failure)}\n`)
  if (failures.length === 0) return
  if (tally.unanswered() > 0)
    err.write(`${grouped(tally.unanswered())} more messages may or may not have been charged.\n`)
  err.write('Accepted messages are charged. Run the command again to import the rest; nothing is charged twice.\n')
}

const summaryJson = (tally: Tally, failures: readonly string[]): object => {
  const unknown = tally.unknownReports()
  return {
    ...tally.counts,
    ...(unknown.length > 0 && {
      unknown_reports: unknown.map(({ id, count }) => ({ report_id: id, messages: count })),
    }),
    ...(failures.length > 0 && { complete: false }),
  }
}

/** A wrong report id means a wrong price, and only the owner of the data can notice. */
const warnOfUnknownReports = (err: Terminal['err'], tally: Tally): void => {
  const unknown = tally.unknownReports()
  if (unknown.length === 0) return
  const messages = unknown.reduce((sum, { count }) => sum + count, tally.unlisted())
  const list = unknown
    .slice(0, UNKNOWN_REPORTS_SHOWN)
    .map(({ id, count }) => `${JSON.stringify(id)} (${grouped(count)})`)
    .join(', ')
  const more = unknown.length > UNKNOWN_REPORTS_SHOWN || tally.unlisted() > 0 ? ' and others' : ''
  const text =
    `${grouped(messages)} ${messages === 1 ? 'message names a report' : 'messages name reports'} missing from the ` +
    `catalogue and ${messages === 1 ? 'is' : 'are'} priced by text: ${list}${more}`
  err.write(`${styled(err, 'yellow', shown(text))}\n`)
}

const summary = (out: Terminal['out'], counts: IntakeCounts, seconds: number): string => {
  const total = Object.values(counts).reduce((sum, count) => sum + count, 0)
  const columns = [
    { title: 'result', align: 'left' },
    { title: 'messages', align: 'right' },
  ] as const
  const rows = Object.entries(counts).map(([status, count]) => [status, grouped(count)])
  const rate = Math.round(total / Math.max(seconds, 0.001))
  return `${table(out, columns, rows, [['total', grouped(total)]])}${seconds.toFixed(1)} s, ${grouped(rate)} messages/s\n`
}
