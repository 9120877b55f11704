import { type ReactNode, useState } from 'react'
import type { Earlier } from './comparison.ts'
import { type Overview, useChoices, useRules, useSplits } from './data.ts'
import { DIMENSION_NAMES, DIMENSIONS, type Dimension } from './dimensions.ts'
import { failureText } from './failure-text.ts'
import { changeFrom, compact, count, credits, share, toMicros, widthOf } from './format.ts'
import { useMedia } from './media.ts'
import { ROWS_PRINTED } from './printed-head.tsx'
import { type Rank, ranksOf, ranksOfRules, sumOfRanks } from './ranking.ts'
import './rankings.css'
import { Tabs, tabId } from './tabs.tsx'
import type { Bar } from './usage.ts'
import { changeView, type Ranking } from './view.ts'
import { ViewLink } from './view-link.tsx'

type Props = {
  readonly ranking: Ranking | undefined
  readonly overview: Overview
  readonly chosen: Bar | undefined
  readonly before: Earlier | undefined
  /** Of when that is. */
  readonly beforeName: string
}

const TITLES: Readonly<Record<Ranking, string>> = {
  rule: 'What the rules cost',
  report: 'Which reports cost most',
  member: 'Who used most',
  team: 'Which teams used most',
  model: 'Which models cost most',
  feature: 'Which features cost most',
  outcome: 'What the outcomes cost',
}
/** In the order in which they are asked for most. */
const ORDER: readonly Ranking[] = ['member', ...DIMENSIONS.filter((dimension) => dimension !== 'member'), 'rule']
const ROWS_SHOWN = 7

export const Rankings = ({ ranking, overview, chosen, before, beforeName }: Props) => {
  const choices = useChoices(overview)
  const known = ORDER.filter((each) => each !== 'rule' && choices[each].length > 0)
  // Not the rules, which take the service longer, unless somebody asks for them.
  const shown = ranking ?? known[0] ?? 'report'
  const tabs = ORDER.filter((each) => each === 'rule' || each === shown || known.includes(each))
  return (
    <section className="card ranking-card" aria-labelledby="ranking-title">
      <header className="card-head">
        <h2 id="ranking-title">{TITLES[shown]}</h2>
        <Tabs
          name="Ranking"
          tabs={tabs.map((id) => ({ id, name: namesOf(id).many }))}
          shown={shown}
          choose={(ranking, how) => changeView({ ranking }, how)}
          panel="ranking"
        />
      </header>
      <div role="tabpanel" id="ranking" aria-labelledby={tabId('ranking', shown)}>
        {shown === 'rule' ? (
          <RulesTable {...{ overview, chosen, before, beforeName }} />
        ) : (
          <DimensionTable key={shown} dimension={shown} {...{ overview, chosen, before, beforeName }} />
        )}
      </div>
    </section>
  )
}

const namesOf = (ranking: Ranking) =>
  ranking === 'rule' ? { one: 'Rule', many: 'Rules', none: 'No rule' } : DIMENSION_NAMES[ranking]

type OneProps = Pick<Props, 'overview' | 'chosen' | 'before' | 'beforeName'>

const DimensionTable = ({ dimension, ...props }: OneProps & { readonly dimension: Dimension }) => {
  const { overview, chosen, before, beforeName } = props
  const [split] = useSplits(overview, [dimension], chosen, before)
  if (split?.now === undefined) return <NotLoaded error={split?.error ?? null} retry={() => split?.retry()} />
  const ranks = ranksOf(dimension, split.now, before === undefined ? undefined : split.before)
  return <RankingTable ranking={dimension} ranks={ranks} sum={sumOfRanks(ranks)} before={before && beforeName} />
}

const RulesTable = ({ overview, chosen, before, beforeName }: OneProps) => {
  const { isAskable, now, before: earlier, error, retry } = useRules(overview, chosen, before)
  if (!isAskable) {
    return <p className="nothing">The cost of each rule is not known for these filters. Remove “No …” or “Any …”.</p>
  }
  if (now === undefined) return <NotLoaded error={error} retry={() => retry()} />
  const sum = {
    ...{ messages: now.messages, unpriced: now.unpriced ?? 0, micros: toMicros(now.credits) },
    before: before === undefined || earlier === undefined ? undefined : toMicros(earlier.credits),
  }
  const ranks = ranksOfRules(now, before === undefined ? undefined : earlier)
  return <RankingTable ranking="rule" ranks={ranks} sum={sum} before={before && beforeName} />
}

const NotLoaded = ({ error, retry }: { readonly error: Error | null; readonly retry: () => void }) =>
  error === null ? (
    <p className="nothing" aria-busy="true">
      Loading…
    </p>
  ) : (
    <p role="alert" className="notice bad">
      <span>
        <strong>Could not load the ranking.</strong> {failureText(error)}
      </span>
      <button type="button" onClick={retry}>
        Try again
      </button>
    </p>
  )

type TableProps = {
  readonly ranking: Ranking
  readonly ranks: readonly Rank[]
  /** Of all of them. */
  readonly sum: Omit<Rank, 'value'>
  /** What the change is to; undefined if there is nothing to compare with. */
  readonly before: string | undefined
}

const RankingTable = ({ ranking, ranks, sum, before }: TableProps) => {
  const [isWhole, setIsWhole] = useState(false)
  const isPrinted = useMedia('print')
  if (ranks.length === 0) return <p className="nothing">Nothing to rank.</p>
  const most = isPrinted ? ROWS_PRINTED : isWhole ? ranks.length : ROWS_SHOWN
  const rows = ranks.length <= most + 1 ? ranks : ranks.slice(0, most)
  const rest = ranks.slice(rows.length)
  const scale = { all: sum.micros, most: ranks[0]?.micros ?? 0, hasBefore: before !== undefined }
  const { one, many } = namesOf(ranking)
  return (
    <table className="ranking">
      <thead>
        <tr>
          <th scope="col">{one}</th>
          <th scope="col" style={{ width: widthOf([sum, ...rows].map(({ micros }) => credits(micros))) }}>
            Credits
          </th>
          <th scope="col">Share</th>
          <th scope="col" className="r-messages">
            Messages
          </th>
          {before !== undefined && (
            <th scope="col" title={`Change from usage ${before}`}>
              Change<span className="visually-hidden"> from usage {before}</span>
            </th>
          )}
        </tr>
      </thead>
      <tbody>
        {rows.map((rank) => (
          <Row key={rank.value ?? ' none'} rank={rank} {...scale}>
            <Name ranking={ranking} value={rank.value} />
          </Row>
        ))}
        {rest.length > 0 && (
          <Row
            rank={ranking === 'rule' ? { ...sumOfRanks(rest), messages: 0 } : sumOfRanks(rest)}
            {...scale}
            kind="others"
          >
            <button type="button" className="quiet" onClick={() => setIsWhole(true)}>
              {count(rest.length)} more {many.toLowerCase()}
            </button>
          </Row>
        )}
      </tbody>
      <tfoot>
        <Row rank={sum} {...scale} kind="total">
          Total
        </Row>
      </tfoot>
    </table>
  )
}

/** The service filters by no rule: a message has several. */
const Name = ({ ranking, value }: { readonly ranking: Ranking; readonly value: string | undefined }) => {
  const name = value ?? namesOf(ranking).none
  if (ranking === 'rule') return <span title={name}>{name}</span>
  return (
    <ViewLink change={{ [ranking]: value ?? '', ...(ranking === 'report' && { anyReport: false }) }}>
      <span title={name}>{name}</span>
    </ViewLink>
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
        {kind === 'others' && messages === 0 ? '' : count(messages)}
        {unpriced > 0 && <span className="note">{count(unpriced)} unpriced</span>}
      </td>
      {hasBefore && <td className="r-change">{before === undefined ? '' : changeOf(before, micros)}</td>}
    </tr>
  )
}

/** From here on, a percentage says less than how many times as much it is. */
const MANY_TIMES = 10

/** In words for those who do not see the arrow. */
const changeOf = (before: number, now: number) => {
  if (before === now) return 'same'
  if (before <= 0) return 'new'
  const [amount, word] =
    now >= MANY_TIMES * before ? [`${compact(now / before)}×`, 'as much'] : changeFrom(before, now).split(' ')
  return (
    <span className={now > before ? 'up' : 'down'}>
      {amount} <span className="visually-hidden">{word}</span>
    </span>
  )
}
