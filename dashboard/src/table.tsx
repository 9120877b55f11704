import {
  createColumnHelper,
  FlexRender,
  type Header,
  rowSortingFeature,
  type SortingState,
  tableFeatures,
  useTable,
} from '@tanstack/react-table'
import { defaultRangeExtractor, useVirtualizer } from '@tanstack/react-virtual'
import {
  type KeyboardEvent,
  type MouseEvent,
  useDeferredValue,
  useEffect,
  useLayoutEffect,
  useMemo,
  useRef,
  useState,
} from 'react'
import type { Lines, Overview } from './data.ts'
import { failureText } from './failure-text.ts'
import { Filters, isFiltered } from './filters.tsx'
import { focusMain } from './focus.ts'
import { count, credits, dateTime, messagesName, unpricedName } from './format.ts'
import { useLineFilters } from './line-filters.ts'
import { filterLines, sortLines, sumOfLines, toCsv } from './lines.ts'
import { useMedia } from './media.ts'
import type { Bar, Line } from './usage.ts'
import { addressOf, changeView, isSort, type View } from './view.ts'
import { WithReceipt } from './with-receipt.tsx'

const ROW_HEIGHT = 38
/** A narrow row has two lines. */
const NARROW_ROW_HEIGHT = 58
const NARROW = '(max-width: 640px)'
const ROWS_SHOWN = 16
/** The next page loads when this many rows are left to scroll. */
const ROWS_AHEAD = 500

type Props = Lines & { readonly view: View; readonly overview: Overview; readonly chosen: Bar | undefined }

export const UsageTable = ({ view, overview, chosen, ...loaded }: Props) => {
  const { lines, isPaged, isComplete, error, retry, fetchMore, fetchAll } = loaded
  // Depends only on the filters, because opening a row must not filter again. Deferred, because typing has priority.
  const { sort } = view
  const minCredits = useDeferredValue(view.minCredits)
  const search = useDeferredValue(view.search)
  const filters = useLineFilters({ ...view, minCredits, search })
  const filtered = useMemo(() => filterLines(lines, filters, chosen), [lines, filters, chosen])
  const rows = useMemo(() => (isPaged ? filtered : sortLines(filtered, sort)), [isPaged, filtered, sort])
  useEffect(() => {
    if (isPaged || !isComplete) return
    // Computes the ranks while the browser is idle, so that the first sort is as fast as later ones.
    const idle = globalThis.requestIdleCallback?.(() =>
      sortLines(lines, [
        { id: 'credits', desc: true },
        { id: 'report', desc: true },
      ]),
    )
    return () => {
      if (idle !== undefined) cancelIdleCallback(idle)
    }
  }, [lines, isPaged, isComplete])
  const sum = useMemo(() => sumOfLines(filtered), [filtered])
  const {
    isBusy: isExporting,
    failure,
    exportCsv,
  } = useExport(async () => {
    if (!isPaged) return rows
    return filterLines(await fetchAll(), filters, chosen)
  })
  // `aria-disabled`, because a button that becomes `disabled` loses the focus.
  const canExport = !isExporting && (isComplete ? rows.length > 0 : isPaged)
  const total = Math.min(Math.max(overview.messages, 1), ROWS_SHOWN)
  return (
    <section className="card table-card" aria-labelledby="table-title">
      <header className="card-head">
        <h2 id="table-title">Messages</h2>
        <p className="sum" role="status">
          {`${messagesName(rows.length)}, ${credits(sum.micros)} credits${unpricedName(sum.unpriced)}${isComplete ? '' : isPaged || error ? ' so far' : ', loading…'}`}
        </p>
        <button type="button" onClick={canExport ? exportCsv : undefined} aria-disabled={!canExport}>
          {isExporting ? 'Exporting…' : 'Export CSV'}
        </button>
      </header>
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
      {isPaged && (
        <p className="notice">
          <span>
            {count(overview.messages)} messages are too many to sort. They load in time order as you scroll. To sort,
            filter by day, report or member.
          </span>
        </p>
      )}
      <WithReceipt view={view} messages={rows} timeZone={overview.timeZone}>
        <Rows
          view={view}
          rows={rows}
          rowsShown={total}
          timeZone={overview.timeZone}
          hasMembers={overview.members.length > 0}
          isPaged={isPaged}
          isComplete={isComplete}
          fetchMore={fetchMore}
          empty={isComplete ? emptyReason(view, overview) : undefined}
        />
      </WithReceipt>
    </section>
  )
}

const emptyReason = (view: View, { messages }: Overview): string =>
  messages === 0 && !isFiltered(view)
    ? 'No messages in this period. Choose another period, or report messages through the API.'
    : 'No messages match these filters. Change or clear them.'

/** Saves the rows as a CSV file, in the order shown. */
const useExport = (fetchRows: () => Promise<readonly Line[]>) => {
  const [isBusy, setIsBusy] = useState(false)
  const [failure, setFailure] = useState<Error>()
  const exportCsv = async (): Promise<void> => {
    setIsBusy(true)
    setFailure(undefined)
    try {
      const url = URL.createObjectURL(new Blob([toCsv(await fetchRows())], { type: 'text/csv' }))
      const link = document.createElement('a')
      link.href = url
      link.download = 'copilot-credits.csv'
      link.click()
      setTimeout(() => URL.revokeObjectURL(url), 1000)
    } catch (error) {
      setFailure(error instanceof Error ? error : new Error(String(error)))
    } finally {
      setIsBusy(false)
    }
  }
  return { isBusy, failure, exportCsv }
}

const features = tableFeatures({ rowSortingFeature })
type Features = typeof features
const helper = createColumnHelper<Features, Line>()

const columnsOf = (timeZone: string, hasMembers: boolean) => {
  const columns = helper.columns([
    helper.accessor('id', { header: 'Message ID', enableSorting: false }),
    helper.accessor('at', {
      header: 'Timestamp',
      enableSorting: false,
      cell: ({ row: { original: line } }) => (
        <time dateTime={line.timestamp} title={line.timestamp}>
          {dateTime(line.at, timeZone)}
        </time>
      ),
    }),
    helper.accessor('report', { header: 'Report Name' }),
    helper.accessor('micros', {
      id: 'credits',
      header: 'Credits Used',
      cell: ({ row }) => <Amount line={row.original} />,
    }),
    helper.accessor('member', { header: 'Member', enableSorting: false }),
  ])
  return hasMembers ? columns : columns.slice(0, -1)
}

const Amount = ({ line: { micros, unpriced } }: { readonly line: Line }) =>
  micros === undefined ? (
    <span className="no-price" title={unpriced}>
      no price
    </span>
  ) : (
    credits(micros)
  )

type RowsProps = {
  readonly view: View
  readonly rows: readonly Line[]
  readonly rowsShown: number
  readonly timeZone: string
  readonly hasMembers: boolean
  readonly isPaged: boolean
  /** The number of rows is known. */
  readonly isComplete: boolean
  readonly fetchMore: () => void
  /** Why there are no rows. */
  readonly empty: string | undefined
}

const Rows = (props: RowsProps) => {
  const { view, rows, rowsShown, timeZone, hasMembers, isPaged, isComplete, fetchMore, empty } = props
  const isNarrow = useMedia(NARROW)
  const rowHeight = isNarrow ? NARROW_ROW_HEIGHT : ROW_HEIGHT
  const scroller = useRef<HTMLDivElement>(null)
  const [focused, setFocused] = useState(0)
  const tabStop = Math.min(focused, Math.max(rows.length - 1, 0))
  const virtual = useVirtualizer({
    count: rows.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => rowHeight,
    overscan: 10,
    // Keeps the row with the keyboard focus rendered, however far the wheel scrolls.
    rangeExtractor: (range) => {
      const shown = defaultRangeExtractor(range)
      return rows.length === 0 || shown.includes(tabStop) ? shown : [...shown, tabStop].sort((a, b) => a - b)
    },
  })
  // biome-ignore lint/correctness/useExhaustiveDependencies: measures again when the row height changes
  useEffect(() => virtual.measure(), [virtual, rowHeight])
  const items = virtual.getVirtualItems()
  const lastShown = Math.max(0, ...(virtual.range === null ? [] : [virtual.range.endIndex]))
  useEffect(() => {
    if (isPaged && lastShown > rows.length - ROWS_AHEAD) fetchMore()
  }, [isPaged, lastShown, rows.length, fetchMore])

  const columns = useMemo(() => columnsOf(timeZone, hasMembers), [timeZone, hasMembers])
  // TanStack Table gets only the rendered rows: filtering and sorting are done above.
  const drawn = useMemo(() => items.flatMap(({ index }) => rows[index] ?? []), [items, rows])
  const table = useTable({
    features,
    columns,
    data: drawn,
    manualSorting: true,
    enableSorting: !isPaged,
    sortDescFirst: false,
    isMultiSortEvent: () => true,
    state: { sorting: isPaged ? [] : [...view.sort] },
    onSortingChange: (updater) => {
      const next: SortingState = typeof updater === 'function' ? updater([...view.sort]) : updater
      changeView({ sort: next.filter(isSort) })
    },
  })
  const headers = table.getHeaderGroups().flatMap((group) => group.headers)

  /** The row that gets the focus once it is rendered. */
  const wanted = useRef<number>(undefined)
  const focusWanted = (): void => {
    const link = scroller.current?.querySelector<HTMLElement>(`[data-row="${wanted.current}"] a`)
    if (link === null || link === undefined) return
    wanted.current = undefined
    link.focus()
  }
  useLayoutEffect(focusWanted)

  const moveTo = (index: number): void => {
    setFocused(index)
    virtual.scrollToIndex(index)
    wanted.current = index
    focusWanted()
  }
  useFollowedReceipt(view.message, rows, moveTo, (index) => {
    setFocused(index)
    virtual.scrollToIndex(index)
  })
  const press = (event: KeyboardEvent, index: number): void => {
    const page = Math.max(1, Math.floor((scroller.current?.clientHeight ?? 0) / rowHeight) - 2)
    const last = rows.length - 1
    const next = {
      ArrowUp: index - 1,
      ArrowDown: index + 1,
      PageUp: index - page,
      PageDown: index + page,
      Home: 0,
      End: last,
    }[event.key]
    if (next === undefined) return
    event.preventDefault()
    moveTo(Math.min(Math.max(next, 0), last))
  }
  const open = (event: MouseEvent, { id }: Line): void => {
    if (event.ctrlKey || event.metaKey || event.shiftKey || event.altKey || event.button !== 0) return
    event.preventDefault()
    changeView({ message: id })
  }

  return (
    <>
      <p role="status" className="visually-hidden">
        {sortName(isPaged ? [] : view.sort)}
      </p>
      <div className="scroller" ref={scroller}>
        <div
          role="table"
          aria-labelledby="table-title"
          aria-rowcount={isComplete ? rows.length + 1 : -1}
          className={hasMembers ? 'grid with-members' : 'grid'}
        >
          <div role="rowgroup" className="head">
            <div role="row" aria-rowindex={1} className="row">
              {headers.map((header) => (
                <HeaderCell key={header.id} header={header} sortedBy={table.state.sorting?.length ?? 0} />
              ))}
            </div>
          </div>
          <div
            role="rowgroup"
            className="body"
            style={{ height: virtual.getTotalSize(), minHeight: rowsShown * rowHeight }}
          >
            {table.getRowModel().rows.map((row, place) => {
              const item = items[place]
              if (item === undefined) return undefined
              const { index, start } = item
              return (
                <div
                  role="row"
                  key={`${typeof row.original.id} ${row.original.id}`}
                  data-row={index}
                  aria-rowindex={index + 2}
                  className={row.original.id === view.message ? 'row open' : 'row'}
                  style={{ transform: `translateY(${start}px)` }}
                  onClick={(event) => open(event, row.original)}
                  onKeyDown={(event) => press(event, index)}
                  onFocus={() => setFocused(index)}
                >
                  {/* Not keyed by the cell's own id, which counts rendered rows: scrolling would recreate every cell. */}
                  {row.getAllCells().map((cell) => (
                    <span
                      key={cell.column.id}
                      role="cell"
                      className={`c-${cell.column.id}`}
                      title={MAY_BE_CUT.has(cell.column.id) ? titleOf(cell.getValue()) : undefined}
                    >
                      {cell.column.id === 'id' ? (
                        <a
                          href={addressOf({ ...view, message: row.original.id })}
                          tabIndex={index === tabStop ? 0 : -1}
                        >
                          {row.original.id}
                        </a>
                      ) : (
                        <FlexRender cell={cell} />
                      )}
                    </span>
                  ))}
                </div>
              )
            })}
          </div>
        </div>
        {rows.length === 0 && empty !== undefined && <p className="empty">{empty}</p>}
      </div>
    </>
  )
}

const MAY_BE_CUT: ReadonlySet<string> = new Set(['id', 'report', 'member'])

const titleOf = (value: unknown): string | undefined => (value === undefined ? undefined : String(value))

/** The row whose receipt is open stays in view. Its link has the focus once the receipt is closed, however it was opened. */
const useFollowedReceipt = (
  message: View['message'],
  rows: readonly Line[],
  focus: (index: number) => void,
  show: (index: number) => void,
): void => {
  const before = useRef<View['message']>(undefined)
  useLayoutEffect(() => {
    if (before.current === message) return
    const index = rows.findIndex(({ id }) => id === (message ?? before.current))
    before.current = message
    if (message === undefined && isFocusLost()) {
      if (index < 0) focusMain()
      else focus(index)
    } else if (index >= 0) show(index)
  })
}

/** The element that had it is gone, or it is where a click beside all controls leaves it. */
const isFocusLost = (): boolean => {
  const { activeElement: focused, body } = document
  return focused === null || focused === body || focused.matches('main, [data-row] a')
}

const NAMES = { report: 'Report Name', credits: 'Credits Used' }

const sortName = (sort: View['sort']): string =>
  sort.length === 0
    ? 'Messages in original order'
    : `Messages sorted by ${sort.map(({ id, desc }) => `${NAMES[id]} ${desc ? 'descending' : 'ascending'}`).join(', then ')}`

type HeaderCellProps = { readonly header: Header<Features, Line, unknown>; readonly sortedBy: number }

const HeaderCell = ({ header, sortedBy }: HeaderCellProps) => {
  const { column } = header
  const name = <FlexRender header={header} />
  const className = `c-${column.id}`
  if (column.columnDef.enableSorting === false) {
    return (
      <span role="columnheader" className={className}>
        {name}
      </span>
    )
  }
  const sorted = column.getIsSorted()
  const order = sorted === false ? 'none' : sorted === 'asc' ? 'ascending' : 'descending'
  const place = sortedBy > 1 && sorted !== false ? column.getSortIndex() + 1 : undefined
  return (
    <span role="columnheader" aria-sort={order} className={className}>
      <button type="button" disabled={!column.getCanSort()} onClick={column.getToggleSortingHandler()}>
        {name}
        <span aria-hidden="true" className="arrow">
          {{ none: '↕', ascending: '↑', descending: '↓' }[order]}
          {place !== undefined && <span className="place">{place}</span>}
        </span>
        <span className="visually-hidden">
          {order === 'none' ? ', not sorted' : `, sorted ${order}`}
          {place !== undefined && `, sort column ${place} of ${sortedBy}`}
        </span>
      </button>
    </span>
  )
}
