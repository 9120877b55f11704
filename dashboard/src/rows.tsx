/** The rows of the table. Only those in view are in the page, which scrolls as a whole. */
import {
  createColumnHelper,
  FlexRender,
  type Header,
  rowSortingFeature,
  tableFeatures,
  useTable,
} from '@tanstack/react-table'
import { defaultRangeExtractor, useWindowVirtualizer } from '@tanstack/react-virtual'
import {
  type CSSProperties,
  type KeyboardEvent,
  type MouseEvent,
  type RefObject,
  useEffect,
  useLayoutEffect,
  useMemo,
  useRef,
  useState,
} from 'react'
import { useCopying } from './copying.tsx'
import { focusMain, isFocusLost } from './focus.ts'
import { credits, dateTime } from './format.ts'
import { useMedia } from './media.ts'
import { ROWS_PRINTED } from './printed-head.tsx'
import type { Line } from './usage.ts'
import { addressOf, changeView, type SortColumn, type SortEntry, toSort, type View } from './view.ts'
import { isPlainClick } from './view-link.tsx'

const ROW_HEIGHT = 38
/** A narrow row has two lines. */
const NARROW_ROW_HEIGHT = 62
const HEAD_HEIGHT = 45
/** The next page loads when this many rows are left to scroll. */
const ROWS_AHEAD = 500

type Props = {
  readonly view: View
  readonly rows: readonly Line[]
  readonly sort: readonly SortEntry[]
  readonly rowsShown: number
  readonly timeZone: string
  readonly hasMembers: boolean
  readonly hasReports: boolean
  readonly isPaged: boolean
  readonly isReordering: boolean
  /** The number of rows is known. */
  readonly isComplete: boolean
  readonly fetchMore: () => void
  /** Why there are no rows. */
  readonly empty: string | undefined
}

export const Rows = (props: Props) => {
  const { view, rows, sort, rowsShown, timeZone, hasMembers, hasReports, isPaged, isReordering } = props
  const { isComplete, fetchMore, empty } = props
  const isPrinted = useMedia('print')
  const frame = useRef<HTMLDivElement>(null)
  const body = useRef<HTMLDivElement>(null)
  const { width, top } = useRoom(frame, body)
  const hasModels = useMemo(() => rows.some(({ model }) => model !== undefined), [rows])
  const { ids, isNarrow } = fitColumns({ width, hasMembers, hasModels, isOpen: view.message !== undefined })
  const isStacked = isNarrow && !isPrinted
  const rowHeight = isStacked ? NARROW_ROW_HEIGHT : ROW_HEIGHT
  const [focused, setFocused] = useState(0)
  const tabStop = Math.min(focused, Math.max(rows.length - 1, 0))
  const virtual = useWindowVirtualizer({
    count: rows.length,
    estimateSize: () => rowHeight,
    overscan: 10,
    scrollMargin: top,
    scrollPaddingStart: HEAD_HEIGHT,
    scrollPaddingEnd: 8,
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
  usePlaceKept(rows, sort, top, rowHeight)
  useFirstRowsShown(frame, view)

  const places = isPrinted ? range(Math.min(rows.length, ROWS_PRINTED)) : items.map(({ index }) => index)
  // TanStack Table gets only the rendered rows: filtering and sorting are done above.
  const drawn = places.flatMap((index) => rows[index] ?? [])
  const columns = useMemo(() => columnsOf(ids, timeZone, isPaged, isStacked), [ids, timeZone, isPaged, isStacked])
  const table = useTable({
    features,
    columns,
    data: drawn,
    manualSorting: true,
    sortDescFirst: false,
    // The service sorts by one column.
    isMultiSortEvent: () => !isPaged,
    state: { sorting: [...sort] },
    onSortingChange: (updater) => {
      const next = typeof updater === 'function' ? updater([...sort]) : updater
      changeView({ sort: toSort(next) })
    },
  })
  const headers = table.getHeaderGroups().flatMap((group) => group.headers)

  /** The row that gets the focus once it is rendered. */
  const wanted = useRef<number>(undefined)
  const focusWanted = (): void => {
    const link = body.current?.querySelector<HTMLElement>(`[data-row="${wanted.current}"] a`)
    if (link === null || link === undefined) return
    wanted.current = undefined
    link.focus({ preventScroll: true })
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
  const copying = useCopying()
  const press = (event: KeyboardEvent, index: number): void => {
    const page = Math.max(1, Math.floor((innerHeight - HEAD_HEIGHT) / rowHeight) - 1)
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
    if (!isPlainClick(event) || isSelecting()) return
    event.preventDefault()
    changeView({ message: id })
  }

  return (
    <>
      <p role="status" className="visually-hidden">
        {sortName(sort)}
      </p>
      <p role="status" className="visually-hidden">
        {copying.outcome}
      </p>
      <div className={isReordering ? 'rows reordering' : 'rows'} ref={frame}>
        <div
          role="table"
          aria-labelledby="table-title"
          aria-rowcount={isComplete ? rows.length + 1 : -1}
          aria-busy={isReordering}
          className={isStacked ? 'grid narrow' : 'grid'}
          style={gridOf(ids, hasReports)}
        >
          <div role="rowgroup" className="head">
            <div role="row" aria-rowindex={1} className="row">
              {headers.map((header) => (
                <HeaderCell key={header.id} header={header} sort={sort} />
              ))}
            </div>
          </div>
          <div
            role="rowgroup"
            className="body"
            ref={body}
            style={isPrinted ? {} : { height: virtual.getTotalSize(), minHeight: rowsShown * rowHeight }}
          >
            {table.getRowModel().rows.map((row, place) => {
              const index = places[place] ?? 0
              const line = row.original
              return (
                <div
                  role="row"
                  key={`${typeof line.id} ${line.id}`}
                  data-row={index}
                  aria-rowindex={index + 2}
                  className={line.id === view.message ? 'row open' : 'row'}
                  style={isPrinted ? {} : { transform: `translateY(${index * rowHeight}px)` }}
                  onClick={(event) => open(event, line)}
                  onKeyDown={(event) => press(event, index)}
                  onFocus={() => setFocused(index)}
                >
                  {/* Not keyed by the cell's own id, which counts rendered rows: scrolling would recreate every cell. */}
                  {row.getAllCells().map((cell) => (
                    <span
                      key={cell.column.id}
                      role="cell"
                      className={`c-${cell.column.id}`}
                      title={MAY_BE_CUT.has(cell.column.id) ? textOf(cell.getValue()) : undefined}
                    >
                      {cell.column.id === 'id' ? (
                        <a href={addressOf({ ...view, message: line.id })} tabIndex={index === tabStop ? 0 : -1}>
                          {line.id}
                        </a>
                      ) : (
                        <FlexRender cell={cell} />
                      )}
                      {COPIED.has(cell.column.id) && <CopyCell text={textOf(cell.getValue())} copy={copying.copy} />}
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

const range = (length: number): readonly number[] => Array.from({ length }, (_, index) => index)

/** A click that ends a selection of text does not open the message. */
const isSelecting = (): boolean => getSelection()?.isCollapsed === false

type Column = SortColumn

/** Wide enough for what they hold: times and usual amounts are never cut. */
const COLUMNS: Readonly<Record<Column, { readonly name: string; readonly width: string; readonly minPx: number }>> = {
  id: { name: 'Message ID', width: 'minmax(118px, 1fr)', minPx: 118 },
  time: { name: 'Timestamp', width: 'calc(14.5ch + 30px)', minPx: 160 },
  report: { name: 'Report Name', width: 'minmax(142px, 1.4fr)', minPx: 142 },
  credits: { name: 'Credits Used', width: 'calc(11ch + 60px)', minPx: 160 },
  member: { name: 'Member', width: 'minmax(100px, 1.3fr)', minPx: 100 },
  model: { name: 'Model', width: 'minmax(100px, 1fr)', minPx: 100 },
}

/** Where nobody used a report, its column leaves the room to the others. */
const gridOf = (ids: string, hasReports: boolean): CSSProperties =>
  ({
    '--columns': toColumns(ids)
      .map((id) => (id === 'report' && !hasReports ? 'minmax(142px, 0.1fr)' : COLUMNS[id].width))
      .join(' '),
  }) as CSSProperties

const toColumns = (ids: string): readonly Column[] => ids.split(' ') as readonly Column[]

const BASE: readonly Column[] = ['id', 'time', 'report', 'credits']

type Fit = Readonly<Record<'hasMembers' | 'hasModels' | 'isOpen', boolean>> & { readonly width: number }

/** The columns for which there is room, as a text, so that equal ones are the same. The receipt beside the rows has the rest. */
const fitColumns = ({
  width,
  hasMembers,
  hasModels,
  isOpen,
}: Fit): { readonly ids: string; readonly isNarrow: boolean } => {
  const fits = (columns: readonly Column[]): boolean => columns.reduce((sum, id) => sum + COLUMNS[id].minPx, 0) <= width
  const withMembers = hasMembers ? ([...BASE, 'member'] as const) : BASE
  const all = hasModels ? ([...withMembers, 'model'] as const) : withMembers
  const shown = fits(all) ? all : isOpen && !fits(withMembers) && fits(BASE) ? BASE : withMembers
  return { ids: shown.join(' '), isNarrow: !fits(shown) }
}

const features = tableFeatures({ rowSortingFeature })
type Features = typeof features
const helper = createColumnHelper<Features, Line>()

/** The service does not sort by the model, and a narrow head has room for three columns. */
const columnsOf = (ids: string, timeZone: string, isPaged: boolean, isStacked: boolean) => {
  const shown = toColumns(ids)
  const columns = helper.columns([
    helper.accessor('id', { header: COLUMNS.id.name, enableSorting: !isStacked }),
    helper.accessor('at', {
      id: 'time',
      header: COLUMNS.time.name,
      cell: ({ row: { original: line } }) => (
        <time dateTime={line.timestamp} title={line.timestamp}>
          {dateTime(line.at, timeZone)}
        </time>
      ),
    }),
    helper.accessor('report', { header: COLUMNS.report.name }),
    helper.accessor('micros', {
      id: 'credits',
      header: COLUMNS.credits.name,
      cell: ({ row }) => <Amount line={row.original} />,
    }),
    helper.accessor('member', { header: COLUMNS.member.name, enableSorting: !isStacked }),
    helper.accessor('model', { header: COLUMNS.model.name, enableSorting: !isPaged }),
  ])
  return columns.filter(({ id, ...column }) =>
    shown.some((each) => each === (id ?? ('accessorKey' in column && column.accessorKey))),
  )
}

const Amount = ({ line: { micros, unpriced } }: { readonly line: Line }) =>
  micros === undefined ? (
    <span className="no-price" title={unpriced}>
      no price
    </span>
  ) : (
    credits(micros)
  )

const MAY_BE_CUT: ReadonlySet<string> = new Set(['id', 'report', 'member', 'model'])
const COPIED: ReadonlySet<string> = new Set(['id', 'member'])

const textOf = (value: unknown): string | undefined => (value === undefined ? undefined : String(value))

type CopyCellProps = { readonly text: string | undefined; readonly copy: (text: string, done: string) => void }

/** Not a stop of the keyboard, because there are two in each row. The receipt copies too. */
const CopyCell = ({ text, copy }: CopyCellProps) =>
  text !== undefined && (
    <button
      type="button"
      className="copy-cell"
      tabIndex={-1}
      title="Copy"
      aria-label={`Copy ${text}`}
      onClick={(event) => {
        event.stopPropagation()
        copy(text, `Copied ${text}.`)
      }}
    >
      <svg aria-hidden="true" viewBox="0 0 16 16" width="14" height="14">
        <path d="M5.5 5.5v-3h8v8h-3m0-5h-8v8h8z" />
      </svg>
    </button>
  )

/** How wide the rows can be, and where they begin in the page. */
const useRoom = (frame: RefObject<HTMLElement | null>, body: RefObject<HTMLElement | null>) => {
  const [room, setRoom] = useState({ width: innerWidth, top: 0 })
  useLayoutEffect(() => {
    const measure = (): void => {
      const width = frame.current?.clientWidth ?? 0
      const top = (body.current?.getBoundingClientRect().top ?? 0) + scrollY
      setRoom((known) => (known.width === width && Math.abs(known.top - top) < 1 ? known : { width, top }))
    }
    measure()
    const observer = new ResizeObserver(measure)
    for (const element of [document.body, frame.current]) if (element !== null) observer.observe(element)
    return () => observer.disconnect()
  }, [frame, body])
  return room
}

/** Another order and other filters begin with their first row. */
const useFirstRowsShown = (frame: RefObject<HTMLElement | null>, view: View): void => {
  const list = addressOf({ ...view, message: undefined, isTrying: false })
  const before = useRef(list)
  useLayoutEffect(() => {
    if (before.current === list) return
    before.current = list
    const top = frame.current?.getBoundingClientRect().top ?? 0
    if (top < 0) scrollBy({ top, behavior: 'instant' })
  }, [frame, list])
}

/** New messages above the rows in view do not move them. */
const usePlaceKept = (rows: readonly Line[], sort: readonly SortEntry[], top: number, rowHeight: number): void => {
  const before = useRef({ rows, sort })
  useLayoutEffect(() => {
    const { rows: old, sort: oldSort } = before.current
    before.current = { rows, sort }
    const first = Math.ceil((scrollY + HEAD_HEIGHT - top) / rowHeight)
    const anchor = old[first]
    if (old === rows || first <= 0 || anchor === undefined || JSON.stringify(oldSort) !== JSON.stringify(sort)) return
    const index = rows.findIndex(({ id }) => id === anchor.id)
    if (index >= 0 && index !== first) scrollBy({ top: (index - first) * rowHeight, behavior: 'instant' })
  })
}

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

const sortName = (sort: readonly SortEntry[]): string =>
  sort.length === 0
    ? 'Messages sorted by Timestamp, the newest first'
    : `Messages sorted by ${sort.map(({ id, desc }) => `${COLUMNS[id].name} ${desc ? 'descending' : 'ascending'}`).join(', then ')}`

type HeaderCellProps = {
  readonly header: Header<Features, Line, unknown>
  readonly sort: readonly SortEntry[]
}

const HeaderCell = ({ header, sort }: HeaderCellProps) => {
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
  const isNewestFirst = sort.length === 0 && column.id === 'time'
  const sorted = isNewestFirst ? 'desc' : column.getIsSorted()
  const order = sorted === false ? 'none' : sorted === 'asc' ? 'ascending' : 'descending'
  const place = sort.length > 1 && sorted !== false ? column.getSortIndex() + 1 : undefined
  return (
    <span role="columnheader" aria-sort={order} className={className}>
      <button type="button" onClick={column.getToggleSortingHandler()}>
        {name}
        <span aria-hidden="true" className="arrow">
          {{ none: '↕', ascending: '↑', descending: '↓' }[order]}
          {place !== undefined && <span className="place">{place}</span>}
        </span>
        <span className="visually-hidden">
          {order === 'none' ? ', not sorted' : `, sorted ${order}`}
          {place !== undefined && `, sort column ${place} of ${sort.length}`}
        </span>
      </button>
    </span>
  )
}
