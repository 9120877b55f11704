import { type KeyboardEvent, type ReactNode, useRef, useState } from 'react'
import type { Earlier } from './comparison.ts'
import { type Overview, useChoices, useSplits } from './data.ts'
import { DIMENSION_NAMES, DIMENSIONS, type Dimension } from './dimensions.ts'
import { failureText } from './failure-text.ts'
import { changeFrom, count, credits, share, unpricedName } from './format.ts'
import { type Rank, ranksOf, sumOfRanks } from './ranking.ts'
import './rankings.css'
import type { Bar } from './usage.ts'
import { changeView, type Ranking } from './view.ts'
import { ViewLink } from './view-link.tsx'

type Props = {
  readonly ranking: Ranking | undefined
  readonly overview: Overview
  readonly chosen: Bar | undefined
  readonly before: Earlier | undefined
}

const TITLES: Readonly<Record<Dimension, string>> = {
  report: 'Which reports cost most',
  member: 'Who used most',
  team: 'Which teams used most',
  model: 'Which models cost most',
  feature: 'Which features cost most',
  outcome: 'What the outcomes cost',
}
/** In the order in which they are asked for most. */
const ORDER: readonly Dimension[] = ['member', ...DIMENSIONS.filter((dimension) => dimension !== 'member')]
const ROWS_SHOWN = 7

export const Rankings = ({ ranking, overview, chosen, before }: Props) => {
  const choices = useChoices(overview)
  const known = ORDER.filter((dimension) => choices[dimension].length > 0 || dimension === ranking)
  const tabs = known.length === 0 ? DIMENSIONS.slice(0, 1) : known
  const shown = tabs.find((dimension) => dimension === ranking) ?? tabs[0] ?? 'report'
  return (
    <section className="card ranking-card" aria-labelledby="ranking-title">
      <header className="card-head">
        <h2 id="ranking-title">{TITLES[shown]}</h2>
        <Tabs tabs={tabs} shown={shown} />
      </header>
      <div role="tabpanel" id="ranking" aria-labelledby={`ranking-${shown}`}>
        <RankingTable key={shown} dimension={shown} overview={overview} chosen={chosen} before={before} />
      </div>
    </section>
  )
}

type TabsProps = { readonly tabs: readonly Dimension[]; readonly shown: Dimension }

const Tabs = ({ tabs, shown }: TabsProps) => {
  const list = useRef<HTMLDivElement>(null)
  const press = (event: KeyboardEvent, at: number): void => {
    const next = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: tabs.length - 1 }[event.key]
    const ranking = next === undefined ? undefined : tabs[(next + tabs.length) % tabs.length]
    if (ranking === undefined) return
    event.preventDefault()
    list.current?.querySelector<HTMLElement>(`#ranking-${ranking}`)?.focus()
    changeView({ ranking }, 'typing')
  }
  return (
    <div ref={list} className="switch" role="tablist" aria-label="Ranking">
      {tabs.map((dimension, at) => (
        <button
          key={dimension}
          type="button"
          role="tab"
          id={`ranking-${dimension}`}
          aria-controls="ranking"
          aria-selected={dimension === shown}
          tabIndex={dimension === shown ? 0 : -1}
          onClick={() => changeView({ ranking: dimension })}
          onKeyDown={(event) => press(event, at)}
        >
          {DIMENSION_NAMES[dimension].many}
        </button>
      ))}
    </div>
  )
}

type TableProps = Pick<Props, 'overview' | 'chosen' | 'before'> & { readonly dimension: Dimension }

const RankingTable = ({ dimension, overview, chosen, before }: TableProps) => {
  const [isWhole, setIsWhole] = useState(false)
  const [split] = useSplits(overview, [dimension], chosen, before)
  if (split?.now === undefined) {
    if (!split?.error) return <p className="nothing">Loading…</p>
    return (
      <p role="alert" className="notice bad">
        <span>
          <strong>Could not load the ranking.</strong> {failureText(split.error)}
        </span>
        <button type="button" onClick={split.retry}>
          Try again
        </button>
      </p>
    )
  }
  const ranks = ranksOf(dimension, split.now, before === undefined ? undefined : split.before)
  if (ranks.length === 0) return <p className="nothing">No messages.</p>
  const isShort = isWhole || ranks.length <= ROWS_SHOWN + 1
  const rows = isShort ? ranks : ranks.slice(0, ROWS_SHOWN)
  const rest = ranks.slice(rows.length)
  const sum = sumOfRanks(ranks)
  const most = ranks[0]?.micros ?? 0
  const { one, many, none } = DIMENSION_NAMES[dimension]
  return (
    <table className="ranking">
      <thead>
        <tr>
          <th scope="col">{one}</th>
          <th scope="col">Credits</th>
          <th scope="col">Share</th>
          <th scope="col" className="r-messages">
            Messages
          </th>
          {before !== undefined && <th scope="col">Change</th>}
        </tr>
      </thead>
      <tbody>
        {rows.map((rank) => (
          <Row key={rank.value ?? ' none'} rank={rank} all={sum.micros} most={most} hasBefore={before !== undefined}>
            <ViewLink change={{ [dimension]: rank.value ?? '', ...(dimension === 'report' && { anyReport: false }) }}>
              <span title={rank.value}>{rank.value ?? none}</span>
            </ViewLink>
          </Row>
        ))}
        {rest.length > 0 && (
          <Row rank={sumOfRanks(rest)} all={sum.micros} most={most} hasBefore={before !== undefined} kind="others">
            <button type="button" className="quiet" onClick={() => setIsWhole(true)}>
              {count(rest.length)} more {many.toLowerCase()}
            </button>
          </Row>
        )}
      </tbody>
      <tfoot>
        <Row rank={sum} all={sum.micros} most={most} hasBefore={before !== undefined} kind="total">
          Total
        </Row>
      </tfoot>
    </table>
  )
}

type RowProps = {
  readonly rank: Omit<Rank, 'value'>
  readonly all: number
  readonly most: number
  readonly hasBefore: boolean
  readonly kind?: 'one' | 'others' | 'total'
  readonly children: ReactNode
}

const Row = ({ rank, all, most, hasBefore, kind = 'one', children }: RowProps) => {
  const { micros, messages, unpriced, before } = rank
  const width = most <= 0 ? 0 : Math.min(micros / most, 1) * 100
  return (
    <tr>
      <th scope="row">
        {children}
        {kind !== 'total' && <span className={`r-bar ${kind}`} style={{ width: `${width}%` }} aria-hidden="true" />}
      </th>
      <td className="r-credits">{credits(micros)}</td>
      <td>{share(micros, all)}</td>
      <td className="r-messages">
        {count(messages)}
        {unpriced > 0 && <span className="note">{unpricedName(unpriced).slice(2)}</span>}
      </td>
      {hasBefore && <td className="r-change">{before === undefined ? '' : changeOf(before, micros)}</td>}
    </tr>
  )
}

/** In words for those who do not see the arrow. */
const changeOf = (before: number, now: number) => {
  if (before === now) return 'same'
  if (before <= 0) return 'new'
  const [amount, word] = changeFrom(before, now).split(' ')
  return (
    <span className={now > before ? 'up' : 'down'}>
      {amount} <span className="visually-hidden">{word}</span>
    </span>
  )
}
