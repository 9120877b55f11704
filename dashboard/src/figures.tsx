import type { Period } from 'copilot-credits-client'
import { memo } from 'react'
import { type Overview, usePreviousMicros } from './data.ts'
import { aboutCredits, changeFrom, count, credits, messagesName, share } from './format.ts'
import { sumOf } from './usage.ts'
import type { View } from './view.ts'

const DAY_MS = 86_400_000

type Props = {
  readonly range: View['range']
  readonly organization: string | undefined
  readonly overview: Overview
  readonly periods: readonly Period[] | undefined
}

const NO_PERIODS: readonly Period[] = []

/** Not drawn again where only the table has changed. */
export const Figures = memo(({ range, organization, overview, periods = NO_PERIODS }: Props) => {
  const { from, to, micros, messages, bars, isListing } = overview
  const { data: before } = usePreviousMicros({ range, organization }, overview, periods)
  const now = Date.parse(overview.session.time)
  const isRunning = now > from && now < to
  const elapsed = Math.max((isRunning ? now : to) - from, DAY_MS)
  const reports = sumOf(bars.flatMap(({ parts }) => parts.filter(({ report }) => report !== undefined)))
  const isRange = range !== undefined
  const beforeName = isRange ? 'in the days before' : isRunning ? 'at the same point' : 'in all'
  return (
    <section aria-label="Figures">
      <dl className="figures">
        <Figure name={isRange ? 'Credits in this range' : 'Credits this period'} note="of all messages" isMain>
          {credits(micros)}
        </Figure>
        <Figure name="Per day on average" note={isRunning ? 'of the time gone by' : 'of all its days'}>
          {aboutCredits((micros * DAY_MS) / elapsed)}
        </Figure>
        <Figure name="Projected to the end" note={projectionNote(isRunning, isListing)}>
          {isRunning ? aboutCredits((micros * (to - from)) / elapsed) : isListing ? '–' : credits(micros)}
        </Figure>
        <Figure
          name={isRange ? 'Against the days before' : 'Against the previous period'}
          note={before ? `${credits(before)} ${beforeName}` : 'nothing to compare with'}
        >
          {before ? changeFrom(before, micros) : '–'}
        </Figure>
        <Figure name="Messages" note={`${count(messages - reports.messages)} priced by their text`}>
          {count(messages)}
        </Figure>
        <Figure name="Share of reports" note={`${credits(reports.micros)} for ${messagesName(reports.messages)}`}>
          {share(reports.micros, micros)}
        </Figure>
      </dl>
    </section>
  )
})

const projectionNote = (isRunning: boolean, isListing: boolean): string => {
  if (isRunning) return 'at this pace'
  return isListing ? 'a listing has no end' : 'it is over'
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
