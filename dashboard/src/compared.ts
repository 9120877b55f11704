/** What the usage shown is compared with, and how the page calls it. */
import type { Period } from 'copilot-credits-client'
import { useMemo } from 'react'
import {
  barBefore,
  barUpToSamePoint,
  type Earlier,
  isRunning,
  spanBefore,
  spanCompared,
  upToSamePoint,
} from './comparison.ts'
import { type Overview, useBarsBefore, usePeriods } from './data.ts'
import { barName, spanName } from './format.ts'
import type { Bar } from './usage.ts'
import type { View } from './view.ts'

export type Compared = {
  /** As much of it as has gone by. Undefined if there is nothing to compare with. */
  readonly same: Earlier | undefined
  /** `Change from a year before`. */
  readonly title: string
  /** `at the same point of 1 – 31 Oct 2026`, or why there is nothing. */
  readonly words: string
  /** `1 – 31 Oct 2026`, for what is compared bar by bar. */
  readonly span: string | undefined
  /** The bars of it, the first beside the first; undefined until they are known. */
  readonly bars: readonly Bar[] | undefined
  /** The bars of the period before, whatever is compared. */
  readonly history: readonly Bar[] | undefined
  readonly isPending: boolean
}

const NO_PERIODS: readonly Period[] = []

export const useCompared = (compare: View['compare'], overview: Overview, chosen: Bar | undefined): Compared => {
  const { view, bars } = overview
  const periods = usePeriods(view.organization).data ?? NO_PERIODS
  const whole = useMemo(() => spanCompared(compare, view.range, overview, periods), [compare, view, overview, periods])
  const previous = useMemo(() => spanBefore(view.range, overview, periods), [view, overview, periods])
  const ghost = useBarsBefore(overview, whole)
  const history = useBarsBefore(overview, previous)
  const beside = chosen === undefined ? undefined : ghost.bars?.[bars.indexOf(chosen)]
  return useMemo(() => {
    const { timeZone } = overview
    const span = whole && spanOf(whole, timeZone)
    const shared = { span, bars: ghost.bars, history: history.bars, isPending: ghost.isPending }
    if (chosen === undefined) {
      const same = upToSamePoint(view.range, overview, whole)
      const words = wordsOf(same && span, isRunning(overview), missingName(compare, whole, overview))
      return { ...shared, same, title: titleOf(compare, view, span), words }
    }
    const other = compare === undefined ? barBefore(chosen, overview.bucket, overview) : beside
    const name = other && barName(other.from, other.to, overview.bucket, timeZone)
    const missing =
      whole === undefined ? missingName(compare, whole, overview) : `no such ${overview.bucket} in ${span}`
    return {
      ...shared,
      same: barUpToSamePoint(chosen, other, overview),
      title: barTitleOf(compare, overview, name),
      words: wordsOf(name, isRunning({ ...overview, ...chosen }), missing),
    }
  }, [compare, view, overview, chosen, whole, beside, ghost.bars, ghost.isPending, history.bars])
}

/** The ends of a range of days are days. */
const spanOf = ({ from, to }: Earlier, timeZone: string): string =>
  spanName(Date.parse(from), Date.parse(to), from.includes('T') ? timeZone : 'UTC')

const wordsOf = (name: string | undefined, isPart: boolean, missing: string): string => {
  if (name === undefined) return missing
  return isPart ? `at the same point of ${name}` : `in ${name}`
}

/** Why there is nothing to compare with. */
const missingName = (compare: View['compare'], whole: Earlier | undefined, { isListing }: Overview): string => {
  if (compare === 'none') return 'compared with nothing'
  if (compare === undefined || isListing || whole !== undefined) return 'nothing to compare'
  return compare === 'year' ? 'no period a year before' : 'no other period to compare'
}

const titleOf = (compare: View['compare'], { range }: View, span: string | undefined): string => {
  if (compare === 'none') return 'Change'
  if (compare === 'year') return 'Change from a year before'
  if (compare !== undefined) return `Change from ${span ?? compare}`
  return range === undefined ? 'Change from previous period' : 'Change from previous days'
}

const barTitleOf = (compare: View['compare'], { bucket }: Overview, name: string | undefined): string => {
  if (compare === undefined) return bucket === 'hour' ? 'Change from a day earlier' : 'Change from a week earlier'
  return name === undefined ? 'Change' : `Change from ${name}`
}
