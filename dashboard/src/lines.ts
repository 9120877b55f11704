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
  for (const { id, desc } of sort) {
    const { ranks, count } = id === 'credits' ? ranksOfCredits(lines, desc) : ranksOfReports(lines, desc)
    for (let at = 0; at < keys.length; at++) keys[at] = (keys[at] ?? 0) * count + (ranks[at] ?? 0)
  }
  // Few distinct amounts and reports: the product stays far below 2^53 for any number of lines that fits into a page.
  for (let at = 0; at < keys.length; at++) keys[at] = (keys[at] ?? 0) * keys.length + at
  keys.sort()
  return Array.from(keys, (key) => lines[key % keys.length] as Line)
}

type Ranks = { readonly ranks: Uint32Array; readonly count: number }

const ranksOfCredits = (lines: readonly Line[], desc: boolean): Ranks => {
  const distinct = Float64Array.from(new Set(lines.map(({ micros }) => micros))).sort()
  if (desc) distinct.reverse()
  const rankOf = new Map(Array.from(distinct, (micros, rank) => [micros, rank]))
  return { ranks: Uint32Array.from(lines, ({ micros }) => rankOf.get(micros) ?? 0), count: distinct.length }
}

const ranksOfReports = (lines: readonly Line[], desc: boolean): Ranks => {
  const distinct = [...new Set(lines.map(({ report }) => report))].filter((name) => name !== undefined)
  distinct.sort(compareNames)
  if (desc) distinct.reverse()
  const rankOf = new Map<string | undefined, number>(distinct.map((name, rank) => [name, rank]))
  return {
    ranks: Uint32Array.from(lines, ({ report }) => rankOf.get(report) ?? distinct.length),
    count: distinct.length + 1,
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
