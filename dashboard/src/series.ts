/** What a bar is stacked of. */
import type { Bar, Part } from './usage.ts'
import type { Grouping } from './view.ts'

export type Series = {
  readonly name: string
  /** Which of the colours and patterns it has. */
  readonly style: number
  readonly has: (part: Part) => boolean
}

export type StackPart = { readonly series: Series; readonly micros: number }

const SERIES_MAX = 6
const OTHERS_STYLE = SERIES_MAX - 1

const WITHOUT: Readonly<Record<Grouping, string>> = { kind: 'Text', report: 'No report', member: 'No member' }

const nameIn = (group: Grouping, { report, member }: Part): string => {
  if (group === 'kind') return report === undefined ? WITHOUT.kind : 'Reports'
  return (group === 'report' ? report : member) ?? WITHOUT[group]
}

/** The largest ones, the largest first; the rest are one. Reports and text are always both there and in one order. */
export const seriesOf = (bars: readonly Bar[], group: Grouping): readonly Series[] => {
  if (group === 'kind') return [WITHOUT.kind, 'Reports'].map((name, style) => seriesNamed(name, style, group))
  const sums = new Map<string, number>()
  for (const { parts } of bars) {
    for (const part of parts) sums.set(nameIn(group, part), (sums.get(nameIn(group, part)) ?? 0) + part.micros)
  }
  const names = [...sums].sort(([, one], [, other]) => other - one).map(([name]) => name)
  if (names.length <= SERIES_MAX) return names.map((name, style) => seriesNamed(name, style, group))
  const shown = names.slice(0, SERIES_MAX - 1)
  const others: Series = {
    name: `${names.length - shown.length} others`,
    style: OTHERS_STYLE,
    has: (part) => !shown.includes(nameIn(group, part)),
  }
  return [...shown.map((name, style) => seriesNamed(name, style, group)), others]
}

const seriesNamed = (name: string, style: number, group: Grouping): Series => ({
  name,
  style,
  has: (part) => nameIn(group, part) === name,
})

/** From the bottom up: of each series what it has in the bar. */
export const stackOf = ({ parts }: Bar, series: readonly Series[]): readonly StackPart[] =>
  series.map((each) => ({
    series: each,
    micros: parts.reduce((sum, part) => (each.has(part) ? sum + part.micros : sum), 0),
  }))
