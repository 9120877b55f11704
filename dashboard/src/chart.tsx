import { scaleBand, scaleLinear } from 'd3-scale'
import { type KeyboardEvent, memo, type RefObject, useEffect, useLayoutEffect, useMemo, useRef, useState } from 'react'
import './chart.css'
import { type Column, columnsOf } from './columns.ts'
import { type Overview, useChoices } from './data.ts'
import { DIMENSION_NAMES, DIMENSIONS } from './dimensions.ts'
import { Field } from './field.tsx'
import type { Forecast } from './forecast.ts'
import {
  BUCKET_NAMES,
  type BucketSize,
  barLabel,
  barName,
  compact,
  count,
  credits,
  dayOf,
  messagesName,
  roughCredits,
  shortDay,
  unpricedName,
} from './format.ts'
import { useMedia } from './media.ts'
import { type Series, type StackPart, seriesOf, stackOf } from './series.ts'
import type { Bar } from './usage.ts'
import { changeView, type Grouping, type View } from './view.ts'

const HEIGHT = 260
const MARGIN = { top: 22, right: 4, bottom: 28, left: 56 }
/** Within A4 and Letter. */
const PRINTED_WIDTH = 680
const TIP_WIDTH = 270
const TIP_GAP = 6

type Props = {
  readonly view: Pick<View, 'group' | 'isRunningTotal'>
  readonly overview: Overview
  readonly chosen: Bar | undefined
  /** The bars of what it is compared with, the first beside the first. */
  readonly before: readonly Bar[] | undefined
  /** When that was. */
  readonly beforeName: string | undefined
  readonly forecast: Forecast | undefined
  /** What it is compared with is still loading. */
  readonly isBusy: boolean
}

/** Memoized: a change that affects only the messages does not redraw it. */
export const Chart = memo(({ view, overview, chosen, before, beforeName = '', forecast, isBusy }: Props) => {
  const { group, isRunningTotal } = view
  const { bars, bucket } = overview
  const choices = useChoices(overview)
  const series = useMemo(() => seriesOf(bars, group), [bars, group])
  const stacks = useMemo(() => bars.map((bar) => stackOf(bar, series)), [bars, series])
  const columns = useMemo(
    () => columnsOf(overview, stacks, before, forecast, isRunningTotal),
    [overview, stacks, before, forecast, isRunningTotal],
  )
  const groups = DIMENSIONS.filter((dimension) => choices[dimension].length > 0 || dimension === group)
  return (
    <section className="card chart-card" aria-labelledby="chart-title" aria-busy={isBusy}>
      <header className="card-head">
        <h2 id="chart-title">
          {isRunningTotal ? 'Running total' : 'Credits'} by {bucket}
        </h2>
        <div className="card-actions">
          {chosen !== undefined && bucket === 'day' && <Zoom bar={chosen} timeZone={overview.timeZone} />}
          <div className="switch" role="group" aria-label="Amounts">
            {[false, true].map((isTotal) => (
              <button
                key={String(isTotal)}
                type="button"
                aria-pressed={isTotal === isRunningTotal}
                onClick={() => changeView({ isRunningTotal: isTotal })}
              >
                {isTotal ? 'Running total' : `Per ${bucket}`}
              </button>
            ))}
          </div>
          <Field name="Group by" isInline>
            {(input) => (
              <select
                {...input}
                value={group}
                onChange={({ target }) => changeView({ group: target.value as Grouping })}
              >
                <option value="kind">With or without a report</option>
                {groups.map((dimension) => (
                  <option key={dimension} value={dimension}>
                    {DIMENSION_NAMES[dimension].one}
                  </option>
                ))}
              </select>
            )}
          </Field>
        </div>
      </header>
      <div className="legends">
        <Legend series={series} />
        {forecast !== undefined && (
          <span className="legend">
            <span className="swatch-expected" aria-hidden="true" /> expected
          </span>
        )}
        {/* The last one, as it can be known later. */}
        {before !== undefined && (
          <span className="legend">
            <span className="swatch-before" aria-hidden="true" /> {beforeName}
          </span>
        )}
      </div>
      <Bars overview={overview} chosen={chosen} columns={columns} before={before} />
      <BarTable overview={overview} series={series} stacks={stacks} before={before} beforeName={beforeName} />
    </section>
  )
})

const Zoom = ({ bar, timeZone }: { readonly bar: Bar; readonly timeZone: string }) => {
  const day = dayOf(bar.from, timeZone)
  return (
    <button type="button" onClick={() => changeView({ range: { from: day, to: day }, bar: undefined })}>
      Hours of {shortDay(bar.from, timeZone)}
    </button>
  )
}

const Legend = ({ series }: { readonly series: readonly Series[] }) => (
  <ul className="legend" aria-label="Legend">
    {series.map(({ name, style, filter }) => (
      <li key={style}>
        {filter === undefined ? (
          <>
            <Swatch style={style} /> {name}
          </>
        ) : (
          <button type="button" title={`Show only: ${name}`} onClick={() => changeView(filter)}>
            <Swatch style={style} /> {name}
          </button>
        )}
      </li>
    ))}
  </ul>
)

const Swatch = ({ style }: { readonly style: number }) => (
  <svg className="swatch" width="12" height="12" aria-hidden="true">
    <Block style={style} x={0} y={0} width={12} height={12} />
  </svg>
)

type BlockProps = Readonly<Record<'style' | 'x' | 'y' | 'width' | 'height', number>>

/** Every other series is hatched as well, for readers who cannot tell the colors apart. */
const Block = ({ style, ...place }: BlockProps) => (
  <>
    <rect className={`series-${style}`} {...place} />
    {style % 2 === 1 && <rect fill={`url(#hatch-${style % 4})`} {...place} />}
  </>
)

const Hatches = () => (
  <defs>
    {[1, 3].map((style) => (
      <pattern
        key={style}
        id={`hatch-${style}`}
        width="6"
        height="6"
        patternUnits="userSpaceOnUse"
        patternTransform={`rotate(${style === 1 ? 45 : -45})`}
      >
        <line className="hatch" x1="0" y1="0" x2="0" y2="6" />
      </pattern>
    ))}
  </defs>
)

const useWidth = (element: RefObject<HTMLElement | null>): number => {
  const [width, setWidth] = useState(0)
  useLayoutEffect(() => {
    if (element.current === null) return
    setWidth(element.current.clientWidth)
    const observer = new ResizeObserver(([entry]) => setWidth(Math.floor(entry?.contentRect.width ?? 0)))
    observer.observe(element.current)
    return () => observer.disconnect()
  }, [element])
  return width
}

type BarsProps = {
  readonly overview: Overview
  readonly chosen: Bar | undefined
  readonly columns: readonly Column[]
  readonly before: readonly Bar[] | undefined
}

const Bars = ({ overview, chosen, columns, before: others }: BarsProps) => {
  const { bars, bucket, timeZone } = overview
  const frame = useRef<HTMLDivElement>(null)
  const screenWidth = useWidth(frame)
  const width = useMedia('print') ? PRINTED_WIDTH : screenWidth
  const [active, setActive] = useState<number>()
  const x = scaleBand<number>(bars.keys(), [MARGIN.left, Math.max(width - MARGIN.right, MARGIN.left)])
    .paddingInner(0.25)
    .paddingOuter(0.1)
  const most = Math.max(
    ...columns.map(({ micros, before = 0, expected = 0 }) => Math.max(micros, before, expected) / 1e6),
    1,
  )
  const y = scaleLinear([0, most], [HEIGHT - MARGIN.bottom, MARGIN.top]).nice(4)
  const labelled = labelledEvery(bars.length, Math.max(1, Math.floor((width - MARGIN.left) / 62)), bucket)
  const focused = chosen === undefined ? 0 : bars.indexOf(chosen)
  const shown = active === undefined ? undefined : columns[active]
  const today = columns.findIndex(({ isNow }) => isNow)
  const inset = x.bandwidth() * 0.12
  const placeOf = (index: number) => ({
    x: middle(index) - x.step() / 2,
    y: MARGIN.top,
    width: x.step(),
    height: HEIGHT - MARGIN.bottom - MARGIN.top,
  })
  const middle = (index: number): number => (x(index) ?? 0) + x.bandwidth() / 2

  const isTipShown = active !== undefined
  useEffect(() => {
    if (!isTipShown) return
    const hide = ({ key }: globalThis.KeyboardEvent): void => {
      if (key === 'Escape') setActive(undefined)
    }
    document.addEventListener('keydown', hide)
    return () => document.removeEventListener('keydown', hide)
  }, [isTipShown])

  const choose = (bar: Bar): void =>
    changeView({ bar: bar === chosen ? undefined : new Date(bar.from).toJSON(), message: undefined })
  const press = (event: KeyboardEvent, index: number, bar: Bar): void => {
    const next = { ArrowLeft: index - 1, ArrowRight: index + 1, Home: 0, End: bars.length - 1 }[event.key]
    if (event.key === 'Enter' || event.key === ' ') choose(bar)
    else if (next === undefined) return
    else frame.current?.querySelector<SVGGElement>(`[data-bar="${next}"]`)?.focus()
    event.preventDefault()
  }

  return (
    <div className="chart" ref={frame} onPointerLeave={() => setActive(undefined)}>
      {width > 0 && (
        <svg
          width={width}
          height={HEIGHT}
          // On paper narrower than that, it shrinks.
          viewBox={`0 0 ${width} ${HEIGHT}`}
          role="group"
          aria-label={`Credits by ${bucket}. Use the arrow keys to move between bars, and Enter to filter the messages by a bar.`}
        >
          <Hatches />
          {y.ticks(4).map((tick) => (
            <g key={tick} aria-hidden="true">
              <line className="grid" x1={MARGIN.left} x2={width} y1={y(tick)} y2={y(tick)} />
              <text className="tick" x={MARGIN.left - 8} y={y(tick)} dy="0.32em" textAnchor="end">
                {compact(tick)}
              </text>
            </g>
          ))}
          {columns.map(({ bar, stack, before, expected, isWeekend }, index) => (
            <g
              key={bar.from}
              data-bar={index}
              className={stateOf(bar, chosen, index === active)}
              role="button"
              tabIndex={index === (active ?? focused) ? 0 : -1}
              aria-label={labelOf(columns[index], others?.[index], overview)}
              aria-pressed={bar === chosen}
              onPointerEnter={() => setActive(index)}
              onFocus={() => setActive(index)}
              onBlur={() => setActive(undefined)}
              onKeyDown={(event) => press(event, index, bar)}
              onClick={() => choose(bar)}
            >
              {isWeekend && <rect className="weekend" {...placeOf(index)} />}
              <rect className="hit" {...placeOf(index)} />
              {before !== undefined && before > 0 && (
                <rect
                  className="before"
                  x={x(index) ?? 0}
                  y={y(before / 1e6)}
                  width={x.bandwidth()}
                  height={y(0) - y(before / 1e6)}
                />
              )}
              {expected !== undefined && (
                <rect
                  className="expected"
                  x={(x(index) ?? 0) + inset}
                  y={y(expected / 1e6)}
                  width={Math.max(x.bandwidth() - 2 * inset, 1)}
                  height={y(0) - y(expected / 1e6)}
                />
              )}
              {blocksOf(stack).map(({ series, from, to }) => (
                <Block
                  key={series.style}
                  style={series.style}
                  x={(x(index) ?? 0) + inset}
                  y={y(to)}
                  width={Math.max(x.bandwidth() - 2 * inset, 1)}
                  height={Math.max(y(from) - y(to) - (from === 0 ? 0 : 1), 1)}
                />
              ))}
              {index % labelled === 0 && (
                <text className="tick" x={middle(index)} y={HEIGHT - 8} textAnchor="middle" aria-hidden="true">
                  {barLabel(bar.from, bucket, timeZone)}
                </text>
              )}
            </g>
          ))}
          {today >= 0 && bucket === 'day' && (
            <g className="today" aria-hidden="true">
              <line
                x1={middle(today) + x.step() / 2}
                x2={middle(today) + x.step() / 2}
                y1={MARGIN.top - 12}
                y2={y(0)}
              />
              <text x={middle(today) + x.step() / 2 - 5} y={MARGIN.top - 6} textAnchor="end">
                today
              </text>
            </g>
          )}
          <line className="axis" x1={MARGIN.left} x2={width} y1={y(0)} y2={y(0)} />
        </svg>
      )}
      {shown !== undefined && active !== undefined && (
        <div className="tip" style={{ left: leftOfTip(middle(active), x.step(), width) }} aria-hidden="true">
          <strong>{barName(shown.bar.from, shown.bar.to, bucket, timeZone)}</strong>
          <dl>
            {shown.stack
              .filter(({ micros }) => micros > 0)
              .reverse()
              .map(({ series, micros }) => (
                <div key={series.style}>
                  <dt>
                    <Swatch style={series.style} /> {series.name}
                  </dt>
                  <dd>{credits(micros)}</dd>
                </div>
              ))}
            {!shown.isToCome && (
              <div className="total">
                <dt>{messagesName(shown.messages) + unpricedName(shown.unpriced)}</dt>
                <dd>{credits(shown.micros)}</dd>
              </div>
            )}
            {shown.isToCome && (
              <div>
                <dt>Still to come</dt>
                {shown.expected !== undefined && <dd>≈ {roughCredits(shown.expected)} expected</dd>}
              </div>
            )}
            {shown.before !== undefined && (
              <div>
                <dt>
                  <span className="swatch-before" /> {nameBeside(others, active, overview)}
                </dt>
                <dd>{credits(shown.before)}</dd>
              </div>
            )}
          </dl>
        </div>
      )}
    </div>
  )
}

/** Of how many bars one is labelled. Of hours, midnight always is, as its label says the day. */
const labelledEvery = (bars: number, labels: number, bucket: BucketSize): number => {
  const least = Math.max(1, Math.ceil(bars / labels))
  return bucket === 'hour' ? (PARTS_OF_A_DAY.find((hours) => hours >= least) ?? 24) : least
}

const PARTS_OF_A_DAY = [1, 2, 3, 4, 6, 8, 12]

/** To the right of the bar, or to its left if there is no room. */
const leftOfTip = (middle: number, step: number, width: number): number => {
  const right = middle + step / 2 + TIP_GAP
  const left = right + TIP_WIDTH <= width ? right : middle - step / 2 - TIP_GAP - TIP_WIDTH
  return Math.min(Math.max(left, 0), Math.max(width - TIP_WIDTH, 0))
}

const stateOf = (bar: Bar, chosen: Bar | undefined, isActive: boolean): string => {
  const names = ['bar']
  if (isActive) names.push('active')
  if (chosen !== undefined) names.push(bar === chosen ? 'chosen' : 'dimmed')
  return names.join(' ')
}

/** The lower and upper edge of each block, in credits. */
const blocksOf = (stack: readonly StackPart[]) => {
  let below = 0
  return stack.flatMap(({ series, micros }) => {
    const from = below / 1e6
    below += micros
    return micros === 0 ? [] : [{ series, from, to: below / 1e6 }]
  })
}

/** The bar of what is compared that stands in the same place. */
const nameBeside = (others: readonly Bar[] | undefined, at: number, { bucket, timeZone }: Overview): string => {
  const other = others?.[at]
  return other === undefined ? '' : barName(other.from, other.to, bucket, timeZone)
}

const labelOf = (column: Column | undefined, other: Bar | undefined, { bucket, timeZone }: Overview): string => {
  if (column === undefined) return ''
  const { bar, stack, micros, messages, unpriced, before, expected, isToCome } = column
  const name = barName(bar.from, bar.to, bucket, timeZone)
  const then =
    before === undefined || other === undefined
      ? ''
      : `; ${credits(before)} ${barName(other.from, other.to, bucket, timeZone)}`
  if (isToCome) {
    return `${name}: still to come${expected === undefined ? '' : `, ${roughCredits(expected)} credits expected`}${then}`
  }
  const parts = stack.filter((part) => part.micros > 0)
  const split = parts.map((part) => `${part.series.name} ${credits(part.micros)}`).join(', ')
  return `${name}: ${credits(micros)} credits, ${messagesName(messages)}${unpricedName(unpriced)}${split && `; ${split}`}${then}`
}

type BarTableProps = {
  readonly overview: Overview
  readonly series: readonly Series[]
  readonly stacks: readonly (readonly StackPart[])[]
  readonly before: readonly Bar[] | undefined
  readonly beforeName: string
}

/** The chart's numbers as a table, for screen readers. */
const BarTable = ({ overview: { bars, bucket, timeZone }, series, stacks, before, beforeName }: BarTableProps) => (
  <div className="visually-hidden">
    <table>
      <caption>Credits by {bucket}</caption>
      <thead>
        <tr>
          <th scope="col">{BUCKET_NAMES[bucket]}</th>
          <th scope="col">Messages</th>
          <th scope="col">Credits</th>
          {series.map(({ name, style }) => (
            <th key={style} scope="col">
              {name}
            </th>
          ))}
          {before !== undefined && <th scope="col">{beforeName}</th>}
        </tr>
      </thead>
      <tbody>
        {bars.map((bar, index) => (
          <tr key={bar.from}>
            <th scope="row">{barName(bar.from, bar.to, bucket, timeZone)}</th>
            <td>{count(bar.messages) + unpricedName(bar.unpriced)}</td>
            <td>{credits(bar.micros)}</td>
            {stacks[index]?.map(({ series: { style }, micros }) => (
              <td key={style}>{credits(micros)}</td>
            ))}
            {before !== undefined && <td>{before[index] === undefined ? '' : credits(before[index].micros)}</td>}
          </tr>
        ))}
      </tbody>
    </table>
  </div>
)
