/** Filters and sorts the lines, and writes them as CSV. */
import { DIMENSIONS, type Dimension, isKept } from './dimensions.ts'
import { toMicros } from './format.ts'
import type { Bar, Line } from './usage.ts'
import type { SortEntry, View } from './view.ts'

export type LineFilters = Pick<View, Dimension | 'anyReport' | 'minCredits' | 'unpriced' | 'search'>

/** Keeps the order. A line without a price costs no known amount, so it is not among those of a minimum, however low. */
export const filterLines = (
  lines: readonly Line[],
  filters: LineFilters,
  bar: Pick<Bar, 'from' | 'to'> | undefined,
): readonly Line[] => {
  const { anyReport, minCredits, unpriced, search } = filters
  const minMicros = minCredits === undefined ? undefined : toMicros(Number(minCredits))
  const dimensions = DIMENSIONS.filter((dimension) => filters[dimension] !== undefined)
  const isSplit = anyReport || dimensions.length > 0
  if (!isSplit && !unpriced && [minCredits, search, bar].every((each) => each === undefined)) return lines
  return lines.filter(
    (line) =>
      (bar === undefined || (line.at >= bar.from && line.at < bar.to)) &&
      (!isSplit || isKept(line, filters, dimensions)) &&
      (minMicros === undefined || (line.micros !== undefined && line.micros >= minMicros)) &&
      (!unpriced || line.micros === undefined) &&
      (search === undefined || String(line.id).includes(search)),
  )
}

/** What the lines cost together, and how many of them have no price. */
export const sumOfLines = (lines: readonly Line[]): { readonly micros: number; readonly unpriced: number } => {
  let [micros, unpriced] = [0, 0]
  for (const line of lines) {
    if (line.micros === undefined) unpriced++
    else micros += line.micros
  }
  return { micros, unpriced }
}

/** Sorts `Report 9` before `Report 10`, and treats case as the last difference. */
export const compareNames = new Intl.Collator('en', { numeric: true }).compare

/**
 * Sorts by several columns. Stable; lines without a report or without a price come last in either direction when sorted by
 * it. A radix sort, from the last column to the first: most lines share their values, so counting is faster than comparing.
 */
export const sortLines = (lines: readonly Line[], sort: readonly SortEntry[]): readonly Line[] => {
  if (sort.length === 0) return lines
  let places = new Uint32Array(lines.length)
  for (let at = 0; at < places.length; at++) places[at] = at
  for (const { id, desc } of sort.toReversed()) {
    places = sortPlaces(places, ranksOf[id](lines), desc)
  }
  const sorted: Line[] = []
  for (const place of places) sorted.push(lines[place] as Line)
  return sorted
}

type Ranks = {
  readonly ranks: Uint32Array<ArrayBuffer>
  readonly count: number
  /** The highest rank that a descending sort reverses. Ranks above it stay last. */
  readonly last: number
}

const sortPlaces = (places: Uint32Array<ArrayBuffer>, { ranks, count, last }: Ranks, desc: boolean) => {
  const keyOf = (place: number): number => {
    const rank = ranks[place] ?? 0
    return desc && rank <= last ? last - rank : rank
  }
  /** For each key, the position of its next line. */
  const next = new Uint32Array(count + 1)
  for (const place of places) {
    const after = keyOf(place) + 1
    next[after] = (next[after] ?? 0) + 1
  }
  for (let key = 1; key < count; key++) next[key] = (next[key] ?? 0) + (next[key - 1] ?? 0)
  const sorted = new Uint32Array(places.length)
  for (const place of places) {
    const key = keyOf(place)
    const to = next[key] ?? 0
    sorted[to] = place
    next[key] = to + 1
  }
  return sorted
}

const ranksOfCredits = (lines: readonly Line[]): Ranks => {
  const rankOf = new Map<number | undefined, number>()
  for (const { micros } of lines) if (micros !== undefined) rankOf.set(micros, 0)
  const amounts = Float64Array.from(rankOf.keys(), Number).sort()
  for (const [rank, micros] of amounts.entries()) rankOf.set(micros, rank)
  const ranks = new Uint32Array(lines.length)
  for (let at = 0; at < ranks.length; at++) ranks[at] = rankOf.get(lines[at]?.micros) ?? amounts.length
  return { ranks, count: amounts.length + 1, last: amounts.length - 1 }
}

const ranksOfReports = (lines: readonly Line[]): Ranks => {
  const rankOf = new Map<string | undefined, number>()
  for (const { report } of lines) rankOf.set(report, 0)
  rankOf.delete(undefined)
  const names = [...rankOf.keys()].sort((one, other) => compareNames(one ?? '', other ?? ''))
  for (const [rank, name] of names.entries()) rankOf.set(name, rank)
  const ranks = new Uint32Array(lines.length)
  for (let at = 0; at < ranks.length; at++) ranks[at] = rankOf.get(lines[at]?.report) ?? names.length
  return { ranks, count: names.length + 1, last: names.length - 1 }
}

/** Caches the ranks of a list of lines: computing them is most of the work of a first sort. */
const cached = (rank: (lines: readonly Line[]) => Ranks) => {
  const cache = new WeakMap<readonly Line[], Ranks>()
  return (lines: readonly Line[]): Ranks => {
    const ranks = cache.get(lines) ?? rank(lines)
    cache.set(lines, ranks)
    return ranks
  }
}

const ranksOf = { credits: cached(ranksOfCredits), report: cached(ranksOfReports) }

/** A cell as in RFC 4180. Text that a spreadsheet would run as a formula is prefixed with an apostrophe. */
const cell = (value: string | number): string => {
  if (typeof value === 'number') return String(value)
  const safe = /^[=+\-@\t\r]/.test(value) ? `'${value}` : value
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe
}

/** The columns have the names of the API's fields. A line without a price has the reason in place of an amount. */
export const toCsv = (lines: Iterable<Line>): string => {
  const rows = ['message_id,timestamp,report_name,credits_used,user_id,unpriced']
  for (const { id, timestamp, report = '', micros, member = '', unpriced = '' } of lines) {
    const amount = micros === undefined ? '' : micros / 1e6
    rows.push([id, timestamp, report, amount, member, unpriced].map(cell).join(','))
  }
  return `${rows.join('\r\n')}\r\n`
}
