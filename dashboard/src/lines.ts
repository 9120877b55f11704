/** Filters and sorts the lines. */
import { DIMENSIONS, type Dimension, isKept } from './dimensions.ts'
import { toMicros } from './format.ts'
import type { Bar, Line } from './usage.ts'
import type { SortColumn, SortEntry, View } from './view.ts'

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
 * Sorts lines, which are in order of time, by several columns; without any, the newest come first. Stable; lines without a value
 * come last in either direction when sorted by it. A radix sort, from the last column to the first: most lines share their values, so
 * counting is faster than comparing.
 */
export const sortLines = (lines: readonly Line[], sort: readonly SortEntry[]): readonly Line[] => {
  if (sort.length === 0) return lines.toReversed()
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

const ranksOfNumbers = (lines: readonly Line[], valueIn: (line: Line) => number | undefined): Ranks => {
  const rankOf = new Map<number | undefined, number>()
  for (const line of lines) rankOf.set(valueIn(line), 0)
  rankOf.delete(undefined)
  const values = Float64Array.from(rankOf.keys(), Number).sort()
  for (const [rank, value] of values.entries()) rankOf.set(value, rank)
  return ranksFrom(lines, (line) => rankOf.get(valueIn(line)), values.length)
}

const ranksOfNames = (lines: readonly Line[], valueIn: (line: Line) => string | undefined): Ranks => {
  const rankOf = new Map<string | undefined, number>()
  for (const line of lines) rankOf.set(valueIn(line), 0)
  rankOf.delete(undefined)
  const names = [...rankOf.keys()].sort((one, other) => compareNames(one ?? '', other ?? ''))
  for (const [rank, name] of names.entries()) rankOf.set(name, rank)
  return ranksFrom(lines, (line) => rankOf.get(valueIn(line)), names.length)
}

/** `count` is the number of distinct values. Lines without one have the rank after the last. */
const ranksFrom = (lines: readonly Line[], rankOf: (line: Line) => number | undefined, count: number): Ranks => {
  const ranks = new Uint32Array(lines.length)
  for (const [at, line] of lines.entries()) ranks[at] = rankOf(line) ?? count
  return { ranks, count: count + 1, last: count - 1 }
}

const ranksOfIds = (lines: readonly Line[]): Ranks => {
  const places = [...lines].map((line, place) => ({ id: line.id, place }))
  const ranks = new Uint32Array(lines.length)
  for (const [rank, { place }] of places.sort((one, other) => compareIds(one.id, other.id)).entries())
    ranks[place] = rank
  return { ranks, count: lines.length, last: lines.length - 1 }
}

/** Integers before texts, as in the service's order. */
const compareIds = (one: number | string, other: number | string): number => {
  if (typeof one !== typeof other) return typeof one === 'number' ? -1 : 1
  return one < other ? -1 : Number(one > other)
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

const ranksOf: Readonly<Record<SortColumn, (lines: readonly Line[]) => Ranks>> = {
  id: cached(ranksOfIds),
  time: cached((lines) => ranksOfNumbers(lines, ({ at }) => at)),
  report: cached((lines) => ranksOfNames(lines, ({ report }) => report)),
  credits: cached((lines) => ranksOfNumbers(lines, ({ micros }) => micros)),
  member: cached((lines) => ranksOfNames(lines, ({ member }) => member)),
  model: cached((lines) => ranksOfNames(lines, ({ model }) => model)),
}
