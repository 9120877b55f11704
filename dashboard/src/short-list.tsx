import { type ReactNode, type RefObject, useLayoutEffect, useMemo, useRef, useState } from 'react'
import type { AreaProps } from './area-props.ts'
import { type FirstOrder, type Overview, useFirstLines } from './data.ts'
import { failureText } from './failure-text.ts'
import { isFocusLost } from './focus.ts'
import { credits, dateTime, messagesName, widthOf } from './format.ts'
import './short-list.css'
import { Tabs, tabId } from './tabs.tsx'
import { type Line, someReport } from './usage.ts'
import { changeView, type View } from './view.ts'
import { ViewLink } from './view-link.tsx'
import { WithReceipt } from './with-receipt.tsx'
import { ZoneNote, zoneOf } from './zone.tsx'

const SHOWN = 8
const PLACES = Array.from({ length: SHOWN }, (_, place) => place)

type List = Readonly<Record<'id' | 'name' | 'title' | 'nothing', string>> & {
  readonly order: FirstOrder
  /** How the area of messages is sorted to show all of it. */
  readonly sort: View['sort']
}

const NEWEST = {
  ...{ id: 'newest', name: 'Newest', title: 'Newest messages', nothing: 'No recent messages match.' },
  ...{ order: '-time', sort: [] },
} as const satisfies List
const DEAREST = {
  ...{ id: 'dearest', name: 'Most expensive', title: 'Most expensive messages', nothing: 'No messages match.' },
  ...{ order: '-credits', sort: [{ id: 'credits', desc: true }] },
} as const satisfies List

/** The latest messages that match the filters, or those that cost most, and the way to all of them. */
export const ShortList = ({ view, overview, chosen, isAway }: AreaProps) => {
  const list = view.isDearestFirst ? DEAREST : NEWEST
  const { lines, error, retry } = useFirstLines(overview, chosen, list.order)
  const body = useRef<HTMLTableSectionElement>(null)
  const { isFollowed, rows } = useFollowed(view.message, lines)
  useFocusKept(view.message, body)
  return (
    <section className="card newest-card" aria-labelledby="short-list-title" aria-busy={rows === undefined && !error}>
      <header className="card-head">
        <h2 id="short-list-title">{list.title}</h2>
        <ZoneNote view={view} overview={overview} />
        <Tabs
          name="Messages"
          tabs={[NEWEST, DEAREST]}
          shown={list.id}
          choose={(id, how) => changeView({ isDearestFirst: id === 'dearest', message: undefined }, how)}
          panel="short-list"
        />
      </header>
      {error !== null && !isAway && rows === undefined && (
        <p role="alert" className="notice bad">
          <span>
            <strong>Could not load the {list.title.toLowerCase()}.</strong> {failureText(error)}
          </span>
          <button type="button" onClick={() => retry()}>
            Try again
          </button>
        </p>
      )}
      <div role="tabpanel" id="short-list" aria-labelledby={tabId('short-list', list.id)}>
        <Followed view={view} overview={overview} lines={lines} isFollowed={isFollowed} hasFailed={error !== null}>
          {rows?.length === 0 ? (
            <p className="nothing">{overview.messages === 0 ? 'No messages in this period.' : list.nothing}</p>
          ) : (
            <Table rows={rows} body={body} view={view} overview={overview} />
          )}
        </Followed>
      </div>
      <p className="all">
        <ViewLink change={{ area: 'messages', sort: list.sort, message: undefined }}>
          All {messagesName((chosen ?? overview).messages)}
        </ViewLink>
      </p>
    </section>
  )
}

/** Whether the open message was opened from the list. If so, it remains beside it, and its row is among those that are shown. */
const useFollowed = (message: View['message'], lines: readonly Line[] | undefined) => {
  const [followed, setFollowed] = useState({ is: false, rows: SHOWN })
  const place = lines?.findIndex(({ id }) => id === message) ?? -1
  const is = message !== undefined && (followed.is || (place >= 0 && place < followed.rows))
  const rows = is ? Math.max(followed.rows, place + 1) : followed.rows
  if (is !== followed.is || rows !== followed.rows) setFollowed({ is, rows })
  return { isFollowed: is, rows: lines?.slice(0, rows) }
}

type FollowedProps = {
  readonly view: View
  readonly overview: Overview
  readonly lines: readonly Line[] | undefined
  readonly isFollowed: boolean
  readonly hasFailed: boolean
  readonly children: ReactNode
}

/** Until the list is known, so is not where the receipt belongs. */
const Followed = ({ view, overview, lines, isFollowed, hasFailed, children }: FollowedProps) => {
  const isKnown = lines !== undefined || hasFailed
  return (
    <WithReceipt
      view={isKnown ? view : { ...view, message: undefined }}
      messages={lines ?? NO_LINES}
      timeZone={zoneOf(view, overview)}
      isListed={isFollowed}
    >
      {children}
    </WithReceipt>
  )
}

const NO_LINES: readonly Line[] = []

/** The row of the open message stays in view, and its link has the focus once the receipt is closed. */
const useFocusKept = (message: View['message'], body: RefObject<HTMLElement | null>): void => {
  const before = useRef<View['message']>(undefined)
  useLayoutEffect(() => {
    if (before.current === message) return
    const key = rowKey(message ?? before.current)
    before.current = message
    const rows = [...(body.current?.querySelectorAll<HTMLElement>('[data-row]') ?? [])]
    const row = rows.find(({ dataset }) => dataset['row'] === key)
    if (message !== undefined) row?.scrollIntoView({ block: 'nearest' })
    else if (isFocusLost()) row?.querySelector('a')?.focus()
  })
}

const rowKey = (id: View['message']): string => `${typeof id} ${id}`

type TableProps = {
  /** Undefined while they load. */
  readonly rows: readonly Line[] | undefined
  readonly body: RefObject<HTMLTableSectionElement | null>
  readonly view: View
  readonly overview: Overview
}

const Table = ({ rows, body, view, overview }: TableProps) => {
  const hasMembers = overview.members.length > 0
  const hasReports = someReport(overview.bars)
  const amounts = useMemo(() => rows?.map(amountOf) ?? [], [rows])
  return (
    <table className="newest">
      <thead>
        <tr>
          <th scope="col" className="c-at">
            Timestamp
          </th>
          <th scope="col">Message ID</th>
          {hasReports && <th scope="col">Report</th>}
          {hasMembers && <th scope="col">Member</th>}
          <th scope="col" className="c-credits" style={{ width: widthOf(amounts) }}>
            Credits
          </th>
        </tr>
      </thead>
      <tbody ref={body}>
        {rows === undefined
          ? PLACES.slice(0, overview.messages).map((place) => (
              <tr key={place}>
                <td colSpan={3 + Number(hasReports) + Number(hasMembers)} />
              </tr>
            ))
          : rows.map((line) => (
              <Row
                key={rowKey(line.id)}
                line={line}
                timeZone={zoneOf(view, overview)}
                hasMembers={hasMembers}
                hasReports={hasReports}
                isOpen={line.id === view.message}
              />
            ))}
      </tbody>
    </table>
  )
}

const amountOf = ({ micros }: Line): string => (micros === undefined ? 'no price' : credits(micros))

type RowProps = {
  readonly line: Line
  readonly timeZone: string
  readonly hasMembers: boolean
  readonly hasReports: boolean
  readonly isOpen: boolean
}

const Row = ({ line, timeZone, hasMembers, hasReports, isOpen }: RowProps) => (
  <tr data-row={rowKey(line.id)} className={isOpen ? 'open' : undefined}>
    <td className="c-at">
      <time dateTime={line.timestamp} title={line.timestamp}>
        {dateTime(line.at, timeZone)}
      </time>
    </td>
    <td className="c-id" title={String(line.id)}>
      <ViewLink change={{ message: line.id }} isCurrent={isOpen}>
        {line.id}
      </ViewLink>
    </td>
    {hasReports && (
      <td className="c-report" title={line.report}>
        {line.report}
      </td>
    )}
    {hasMembers && (
      <td className="c-member" title={line.member}>
        {line.member}
      </td>
    )}
    <td className="c-credits">
      {line.micros === undefined ? (
        <span className="no-price" title={line.unpriced}>
          {amountOf(line)}
        </span>
      ) : (
        amountOf(line)
      )}
    </td>
  </tr>
)
