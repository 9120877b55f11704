/** Which lines are shown, in which order, and how they are exported. */
import { toMicros } from './format.ts'
import type { Bar, Line } from './usage.ts'
import type { SortEntry, View } from './view.ts'

/** In the order in which they came. */
export const filterLines = (
  lines: readonly Line[],
  { report, member, least, search }: Pick<View, 'report' | 'member' | 'least' | 'search'>,
  bar: Pick<Bar, 'from' | 'to'> | undefined,
): readonly Line[] => {
  const leastMicros = least === undefined ? 0 : toMicros(Number(least))
  const isFiltered = [report, member, least, search, bar].some((each) => each !== undefined)
  if (!isFiltered) return lines
  return lines.filter(
    (line) =>
      (bar === undefined || (line.at >= bar.from && line.at < bar.to)) &&
      (report === undefined || (line.report ?? '') === report) &&
      (member === undefined || (line.member ?? '') === member) &&
      line.micros >= leastMicros &&
      (search === undefined || String(line.id).includes(search)),
  )
}

/** As people sort names: `Report 9` before `Report 10`, without regard to case. */
export const compareNames = new Intl.Collator('en', { numeric: true }).compare

/**
 * Sorted by several columns; lines that are equal in all of them stay in the order in which they came, and lines without a
 * report come last in either direction. Each line becomes one number, made of its ranks and its place, so that the
 * browser's own sort of numbers does it all: a tenth of the time that comparing lines takes.
 */
export const sortLines = (lines: readonly Line[], sort: readonly SortEntry[]): readonly Line[] => {
  if (sort.length === 0) return lines
  const keys = new Float64Array(lines.length)
  const reports = sort.some(({ id }) => id === 'report') ? ranksOfReports(lines) : undefined
  const credits = sort.some(({ id }) => id === 'credits') ? ranksOfCredits(lines, reports?.count ?? 1) : undefined
  for (const { id, desc } of sort) {
    const { ranks, count, last } = (id === 'credits' ? credits : reports) ?? NO_RANKS
    for (let at = 0; at < keys.length; at++) {
      const rank = ranks[at] ?? 0
      keys[at] = (keys[at] ?? 0) * count + (desc && rank <= last ? last - rank : rank)
    }
  }
  for (let at = 0; at < keys.length; at++) keys[at] = (keys[at] ?? 0) * keys.length + at
  keys.sort()
  return Array.from(keys, (key) => lines[key % keys.length] as Line)
}

type Ranks = {
  readonly ranks: ArrayLike<number>
  readonly count: number
  /** The highest rank that changes its place in the other direction. */
  readonly last: number
}

const NO_RANKS: Ranks = { ranks: [], count: 1, last: 0 }

/** The amounts themselves where the keys made of them stay exact, else their places among the amounts that there are. */
const ranksOfCredits = (lines: readonly Line[], otherCount: number): Ranks => {
  const amounts = Float64Array.from(lines, ({ micros }) => micros)
  const most = amounts.reduce((one, other) => Math.max(one, other), 0)
  if ((most + 1) * otherCount * lines.length <= Number.MAX_SAFE_INTEGER) {
    return { ranks: amounts, count: most + 1, last: most }
  }
  const distinct = Float64Array.from(new Set(amounts)).sort()
  const rankOf = new Map(Array.from(distinct, (micros, rank) => [micros, rank]))
  return {
    ranks: amounts.map((micros) => rankOf.get(micros) ?? 0),
    count: distinct.length,
    last: distinct.length - 1,
  }
}

const ranksOfReports = (lines: readonly Line[]): Ranks => {
  const names = [...new Set(lines.map(({ report }) => report))].filter((name) => name !== undefined).sort(compareNames)
  const rankOf = new Map<string | undefined, number>(names.map((name, rank) => [name, rank]))
  return {
    ranks: Uint32Array.from(lines, ({ report }) => rankOf.get(report) ?? names.length),
    count: names.length + 1,
    last: names.length - 1,
  }
}

/** RFC 4180. What a spreadsheet would take for a formula is made a text. */
const cell = (value: string | number): string => {
  if (typeof value === 'number') return String(value)
  const safe = /^[=+\-@\t\r]/.test(value) ? `'${value}` : value
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe
}

export const toCsv = (lines: Iterable<Line>): string => {
  const rows = ['message_id,timestamp,report_name,credits_used,member']
  for (const { id, timestamp, report = '', micros, member = '' } of lines) {
    rows.push([id, timestamp, report, micros / 1e6, member].map(cell).join(','))
  }
  return `${rows.join('\r\n')}\r\n`
}
