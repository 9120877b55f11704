import type { Period } from 'copilot-credits-client'
import { memo } from 'react'
import { isRunning, rangeBefore } from './comparison.ts'
import { type Comparison, type Overview, useComparison } from './data.ts'
import {
  changeFrom,
  count,
  credits,
  DAY_MS,
  dayOf,
  daysName,
  daysOf,
  messagesName,
  roundedCredits,
  share,
} from './format.ts'
import { sumOf } from './usage.ts'
import type { View } from './view.ts'

type Props = {
  readonly range: View['range']
  readonly overview: Overview
  readonly periods: readonly Period[] | undefined
}

const NO_PERIODS: readonly Period[] = []

/** Memoized: a change that affects only the table does not redraw it. */
export const Figures = memo(({ range, overview, periods = NO_PERIODS }: Props) => {
  const { from, to, micros, messages, unpriced, bars, isListing, timeZone } = overview
  const comparison = useComparison(overview, rangeBefore(range, overview, periods))
  const before = comparison.micros
  const now = Date.parse(overview.session.time)
  const isUnderWay = isRunning(overview)
  // Calendar days: one can have 23 or 25 hours.
  const days = daysOf(dayOf(from, timeZone), dayOf(to - 1, timeZone))
  const elapsedDays = isUnderWay ? Math.max((now - from) / DAY_MS, 1) : days
  const reports = sumOf(bars.flatMap(({ parts }) => parts.filter(({ report }) => report !== undefined)))
  const isRange = range !== undefined
  const beforeName = isUnderWay ? 'at the same point' : isRange ? 'in the days before' : 'in total'
  return (
    <section aria-label="Figures">
      <dl className="figures">
        <Figure
          name={isRange ? 'Credits in this range' : 'Credits this period'}
          note={unpriced === 0 ? 'all messages' : 'all messages with a price'}
          isMain
        >
          {credits(micros)}
        </Figure>
        <Figure name="Average per day" note={isUnderWay ? 'so far' : `over ${daysName(days)}`}>
          {roundedCredits(micros / elapsedDays)}
        </Figure>
        <Figure name="Projected total" note={projectionNote(overview, now)}>
          {isListing ? '–' : isUnderWay ? roundedCredits((micros / elapsedDays) * days) : credits(micros)}
        </Figure>
        <Figure
          name={isRange ? 'Change from previous days' : 'Change from previous period'}
          note={comparisonNote(comparison, beforeName)}
        >
          {before ? changeFrom(before, micros) : '–'}
        </Figure>
        <Figure name="Messages" note={`${count(messages - reports.messages)} without a report`}>
          {count(messages)}
        </Figure>
        <Figure name="Share from reports" note={`${credits(reports.micros)} for ${messagesName(reports.messages)}`}>
          {share(reports.micros, micros)}
        </Figure>
      </dl>
    </section>
  )
})

const projectionNote = ({ from, to, isListing }: Overview, now: number): string => {
  if (isListing) return 'no end date'
  if (now <= from) return 'not started'
  return now < to ? 'at the current rate' : 'ended'
}

const comparisonNote = ({ micros, isPending, hasFailed }: Comparison, name: string): string => {
  if (isPending) return 'loading…'
  if (hasFailed) return 'failed to load; refresh to retry'
  return micros === undefined ? 'nothing to compare' : `${credits(micros)} ${name}`
}

type FigureProps = {
  readonly name: string
  readonly note: string
  readonly isMain?: boolean
  readonly children: string
}

const Figure = ({ name, note, isMain = false, children }: FigureProps) => (
  <div className={isMain ? 'figure main' : 'figure'}>
    <dt>{name}</dt>
    <dd>
      <span className="value">{children}</span>
      <span className="note">{note}</span>
    </dd>
  </div>
)
