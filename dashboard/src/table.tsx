import { useDeferredValue, useEffect, useMemo } from 'react'
import type { Lines, Overview } from './data.ts'
import { useExport } from './export.ts'
import { failureText } from './failure-text.ts'
import { Filters, isFiltered } from './filters.tsx'
import { count, credits, messagesName, unpricedName } from './format.ts'
import { useLineFilters } from './line-filters.ts'
import { filterLines, sortLines, sumOfLines } from './lines.ts'
import { MessageSearch } from './message-search.tsx'
import { PrintedHead, ROWS_PRINTED } from './printed-head.tsx'
import { Rows } from './rows.tsx'
import './table.css'
import { type Bar, type Line, someReport } from './usage.ts'
import { SORT_COLUMNS, type View } from './view.ts'
import { WithReceipt } from './with-receipt.tsx'
import { ZoneNote, zoneOf } from './zone.tsx'

const ROWS_SHOWN = 16

type Props = Lines & { readonly view: View; readonly overview: Overview; readonly chosen: Bar | undefined }

export const UsageTable = ({ view, overview, chosen, ...loaded }: Props) => {
  const { lines, isPaged, isReordering, isComplete, sort, error, retry, fetchMore, fetchAll } = loaded
  // Depends only on the filters, because opening a row must not filter again. Deferred, because typing has priority.
  const minCredits = useDeferredValue(view.minCredits)
  const search = useDeferredValue(view.search)
  const filters = useLineFilters({ ...view, minCredits, search })
  const filtered = useMemo(() => filterLines(lines, filters, chosen), [lines, filters, chosen])
  const rows = useMemo(() => (isPaged ? filtered : sortLines(filtered, sort)), [isPaged, filtered, sort])
  useEffect(() => {
    if (isPaged || !isComplete) return
    // Computes the ranks while the browser is idle, so that the first sort is as fast as later ones.
    const idle = globalThis.requestIdleCallback?.(() =>
      sortLines(
        lines,
        SORT_COLUMNS.map((id) => ({ id, desc: true })),
      ),
    )
    return () => {
      if (idle !== undefined) cancelIdleCallback(idle)
    }
  }, [lines, isPaged, isComplete])
  const sumName = useSumName(filtered, {
    ...loaded,
    of: chosen ?? overview,
    isNarrowed: minCredits !== undefined || search !== undefined,
  })
  const {
    isBusy: isExporting,
    failure,
    exportCsv,
  } = useExport(overview, chosen, async () => {
    if (!isPaged) return rows
    return sortLines(filterLines(await fetchAll(), filters, chosen), sort)
  })
  // `aria-disabled`, because a button that becomes `disabled` loses the focus.
  const canExport = !isExporting && (isComplete ? rows.length > 0 : isPaged)
  const total = Math.min(Math.max(overview.messages, 1), ROWS_SHOWN)
  return (
    <section className="card table-card" aria-labelledby="table-title">
      <PrintedHead title="Messages" view={view} overview={overview} chosen={chosen}>
        {rows.length > ROWS_PRINTED && (
          <p>
            The first {count(ROWS_PRINTED)} of {messagesName(rows.length)} follow. Export CSV for all of them.
          </p>
        )}
      </PrintedHead>
      <header className="card-head">
        <h2 id="table-title">Messages</h2>
        <p className="sum" role="status">
          {sumName}
        </p>
        <ZoneNote view={view} overview={overview} />
        <button type="button" onClick={canExport ? exportCsv : undefined} aria-disabled={!canExport}>
          {isExporting ? 'Exporting…' : 'Export CSV'}
        </button>
      </header>
      <MessageSearch
        view={view}
        overview={overview}
        isNowhere={rows.length === 0 && isComplete}
        isPart={isPaged && !isComplete}
      />
      <Filters view={view} overview={overview} chosen={chosen} />
      {(error ?? failure) && (
        <p role="alert" className="notice bad">
          <span>
            <strong>{error ? 'Could not load all messages.' : 'Could not export the messages.'}</strong>{' '}
            {failureText(error ?? failure)}
            {failure && !error && ' Refresh, then export again.'}
          </span>
          {error && (
            <button type="button" onClick={retry}>
              Try again
            </button>
          )}
        </p>
      )}
      <WithReceipt view={view} messages={rows} timeZone={overview.timeZone}>
        <Rows
          view={view}
          rows={rows}
          sort={sort}
          rowsShown={total}
          timeZone={zoneOf(view, overview)}
          hasMembers={overview.members.length > 0}
          hasReports={someReport(overview.bars)}
          isPaged={isPaged}
          isReordering={isReordering}
          isComplete={isComplete}
          fetchMore={fetchMore}
          empty={isComplete ? emptyReason(view, overview) : error === null ? 'Loading messages…' : undefined}
        />
      </WithReceipt>
    </section>
  )
}

const emptyReason = (view: View, { messages }: Overview): string =>
  messages === 0 && !isFiltered(view)
    ? 'No messages in this period. Choose another period, or report messages through the API.'
    : 'No messages match these filters. Change or clear them.'

type SumProps = Pick<Lines, 'lines' | 'isPaged' | 'isComplete' | 'error'> & {
  /** What the service says that there is. */
  readonly of: Pick<Bar, 'messages' | 'micros' | 'unpriced'>
  /** By filters that the service does not know. */
  readonly isNarrowed: boolean
}

/** What the rows are, and what they cost together. The sum of a part is never given as that of all. */
const useSumName = (rows: readonly Line[], { lines, isPaged, isComplete, error, of, isNarrowed }: SumProps): string => {
  const sum = useMemo(() => sumOfLines(rows), [rows])
  const ofRows = `${messagesName(rows.length)}, ${credits(sum.micros)} credits${unpricedName(sum.unpriced)}`
  if (isComplete) return ofRows
  if (lines.length === 0) return error === null ? 'Loading messages…' : ''
  if (isPaged && isNarrowed) return `${ofRows}, among ${count(lines.length)} of ${messagesName(of.messages)} so far`
  if (isPaged) return `${messagesName(of.messages)}, ${credits(of.micros)} credits${unpricedName(of.unpriced)}`
  return `${ofRows}${error ? ' so far' : ', loading…'}`
}
