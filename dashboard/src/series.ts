/** The series that a bar is stacked from. */
import { DIMENSION_NAMES } from './dimensions.ts'
import type { Bar, Part } from './usage.ts'
import type { Grouping, View } from './view.ts'

export type Series = {
  readonly name: string
  /** Index of its color and pattern. */
  readonly style: number
  /** Shows nothing but this series; undefined for several combined. */
  readonly filter: Partial<View> | undefined
  readonly has: (part: Part) => boolean
}

export type StackPart = { readonly series: Series; readonly micros: number }

const SERIES_MAX = 6
const OTHERS_STYLE = SERIES_MAX - 1

/** The value that a part is stacked by, which can be any text; undefined if it has none. */
const keyIn = (group: Grouping, part: Part): string | undefined => {
  if (group === 'kind') return part.report === undefined ? undefined : 'Reports'
  return part[group]
}

const filterOf = (group: Grouping, key: string | undefined): Partial<View> => {
  if (group === 'kind')
    return key === undefined ? { report: '', anyReport: false } : { report: undefined, anyReport: true }
  return { [group]: key ?? '', ...(group === 'report' && { anyReport: false }) }
}

/** The largest series first, the rest combined. Grouped by kind, both series are always there, in the same order. */
export const seriesOf = (bars: readonly Bar[], group: Grouping): readonly Series[] => {
  if (group === 'kind') return [undefined, 'Reports'].map((key, style) => seriesWith(key, style, group))
  const sums = new Map<string | undefined, number>()
  for (const { parts } of bars) {
    for (const part of parts) sums.set(keyIn(group, part), (sums.get(keyIn(group, part)) ?? 0) + part.micros)
  }
  const keys = [...sums].sort(([, one], [, other]) => other - one).map(([key]) => key)
  if (keys.length <= SERIES_MAX) return keys.map((key, style) => seriesWith(key, style, group))
  const shown = keys.slice(0, SERIES_MAX - 1)
  const others: Series = {
    name: `${keys.length - shown.length} others`,
    style: OTHERS_STYLE,
    filter: undefined,
    has: (part) => !shown.includes(keyIn(group, part)),
  }
  return [...shown.map((key, style) => seriesWith(key, style, group)), others]
}

const seriesWith = (key: string | undefined, style: number, group: Grouping): Series => ({
  name: key ?? DIMENSION_NAMES[group === 'kind' ? 'report' : group].none,
  style,
  filter: filterOf(group, key),
  has: (part) => keyIn(group, part) === key,
})

/** What each series adds to the bar, from the bottom up. */
export const stackOf = ({ parts }: Bar, series: readonly Series[]): readonly StackPart[] =>
  series.map((each) => ({
    series: each,
    micros: parts.reduce((sum, part) => (each.has(part) ? sum + part.micros : sum), 0),
  }))
