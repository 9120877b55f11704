import { memo, type ReactNode } from 'react'
import type { Compared } from './compared.ts'
import { type Comparison, type Overview, useComparison } from './data.ts'
import './figures.css'
import type { Forecast } from './forecast.ts'
import {
  barName,
  changeFrom,
  count,
  credits,
  dayOf,
  daysName,
  daysOf,
  messagesName,
  roughCredits,
  roundedCredits,
  share,
  shortDay,
  unpricedName,
} from './format.ts'
import { type Bar, sumOf } from './usage.ts'
import { WhyChanged } from './why-changed.tsx'

type Props = {
  readonly overview: Overview
  readonly chosen: Bar | undefined
  readonly compared: Compared
  readonly forecast: Forecast | undefined
}

/** Of the period, or of the bar that is chosen. Memoized: a change that affects only the messages does not redraw it. */
export const Figures = memo(({ overview, chosen, compared, forecast }: Props) => {
  const comparison = useComparison(overview, compared.same)
  const { micros, messages, unpriced } = chosen ?? overview
  const parts = (chosen === undefined ? overview.bars : [chosen]).flatMap((bar) => bar.parts)
  const reports = sumOf(parts.filter(({ report }) => report !== undefined))
  const change = comparison.micros ? micros - comparison.micros : undefined
  const priced = messages - unpriced
  return (
    <section aria-label="Figures">
      <dl className="figures">
        <Figure
          name={nameOf(overview, chosen)}
          note={progressOf(overview, chosen, forecast)}
          more={
            forecast !== undefined &&
            chosen === undefined && (
              <progress value={micros} max={forecast.micros} aria-label="Used of what is expected" />
            )
          }
          isMain
        >
          {credits(micros)}
        </Figure>
        <Figure
          name={compared.title}
          note={comparisonNote(comparison, compared.words)}
          trend={comparison.micros ? Math.sign(micros - comparison.micros) : 0}
          more={<WhyChanged overview={overview} chosen={chosen} before={compared.same} change={change} />}
        >
          {comparison.micros ? changeFrom(comparison.micros, micros) : '–'}
        </Figure>
        <Figure
          name="Messages"
          note={
            priced === 0
              ? 'none with a price'
              : `${roundedCredits(micros / priced)} credits each${unpricedName(unpriced)}`
          }
        >
          {count(messages)}
        </Figure>
        <Figure name="Share from reports" note={`${credits(reports.micros)} for ${messagesName(reports.messages)}`}>
          {share(reports.micros, micros)}
        </Figure>
      </dl>
    </section>
  )
})

const nameOf = ({ view, bucket, timeZone }: Overview, chosen: Bar | undefined): string => {
  if (chosen !== undefined) return `Credits, ${barName(chosen.from, chosen.to, bucket, timeZone)}`
  return view.range === undefined ? 'Credits this period' : 'Credits in this range'
}

/** How far the period is, and what it is expected to come to. */
const progressOf = (overview: Overview, chosen: Bar | undefined, forecast: Forecast | undefined): string => {
  const { from, to, micros, isListing, timeZone, session } = overview
  if (chosen !== undefined) return `of ${credits(micros)} in all`
  const now = Date.parse(session.time)
  // Calendar days: one can have 23 or 25 hours.
  const dayCount = (end: number): number => daysOf(dayOf(from, timeZone), dayOf(end, timeZone))
  const days = dayCount(to - 1)
  if (isListing) return 'no end date, so no forecast'
  if (now <= from) return 'not started'
  if (now >= to) return `${roundedCredits(micros / days)} a day over ${daysName(days)}`
  if (forecast === undefined) return `day ${dayCount(now)} of ${days}`
  return `≈ ${roughCredits(forecast.micros)} expected by ${shortDay(to - 1, timeZone)}`
}

const comparisonNote = ({ micros, isPending, hasFailed }: Comparison, name: string): string => {
  if (isPending) return 'loading…'
  if (hasFailed) return 'failed to load; refresh to retry'
  if (micros === undefined) return name
  return micros === 0 ? `no usage ${name}` : `${credits(micros)} ${name}`
}

type FigureProps = {
  readonly name: string
  readonly note: string
  readonly isMain?: boolean
  /** 1 for more, -1 for less. */
  readonly trend?: number
  readonly more?: ReactNode
  readonly children: string
}

const Figure = ({ name, note, isMain = false, trend = 0, more, children }: FigureProps) => (
  <div className={isMain ? 'figure main' : 'figure'}>
    <dt>{name}</dt>
    <dd>
      {/* Another element: its mark moves the text. */}
      <span key={trend} className={`value${trend > 0 ? ' up' : trend < 0 ? ' down' : ''}`}>
        {children}
      </span>
      <span className="note">{note}</span>
      {more}
    </dd>
  </div>
)
