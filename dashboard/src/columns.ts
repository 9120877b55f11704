/** What the chart draws in each place: a bar, beside that of the period before, and what is expected. */
import type { Overview } from './data.ts'
import type { Forecast } from './forecast.ts'
import { weekdayOf } from './format.ts'
import type { StackPart } from './series.ts'
import type { Bar } from './usage.ts'

export type Column = Pick<Bar, 'messages' | 'unpriced' | 'micros'> & {
  readonly bar: Bar
  readonly stack: readonly StackPart[]
  /** In the period before; undefined if there is none, or if it was shorter. */
  readonly before: number | undefined
  /** What the bar is expected to come to; undefined if it is over, or if nobody can know. */
  readonly expected: number | undefined
  readonly isWeekend: boolean
  readonly isNow: boolean
  /** Its time has not begun, which is not the same as no usage. */
  readonly isToCome: boolean
}

type Shown = Pick<Overview, 'bars' | 'bucket' | 'timeZone'> & { readonly session: { readonly time: string } }

/** The columns of the bars, or of the sums up to each. */
export const columnsOf = (
  { bars, bucket, timeZone, session }: Shown,
  stacks: readonly (readonly StackPart[])[],
  before: readonly Bar[] | undefined,
  forecast: Forecast | undefined,
  isRunningTotal: boolean,
): readonly Column[] => {
  const now = Date.parse(session.time)
  const columns = bars.map((bar, at): Column => {
    const added = forecast?.added.get(bar.from)
    return {
      ...{ bar, messages: bar.messages, unpriced: bar.unpriced, micros: bar.micros },
      stack: stacks[at] ?? [],
      before: before?.[at]?.micros,
      expected: added === undefined ? undefined : bar.micros + added,
      isWeekend: bucket === 'day' && weekdayOf(bar.from, timeZone) % 6 === 0,
      isNow: bar.from <= now && now < bar.to,
      isToCome: bar.from > now,
    }
  })
  return isRunningTotal ? columns.reduce<readonly Column[]>(added, []) : columns
}

/** The next column on top of the one before it. Nothing is on top of what is still to come. */
const added = (columns: readonly Column[], next: Column): readonly Column[] => {
  const last = columns.at(-1)
  if (last === undefined) return [next]
  const sum = {
    messages: last.messages + next.messages,
    unpriced: last.unpriced + next.unpriced,
    micros: last.micros + next.micros,
    stack: next.stack.map(({ series, micros }, at) => ({ series, micros: micros + (last.stack[at]?.micros ?? 0) })),
  }
  const soFar = last.expected ?? last.micros
  return [
    ...columns,
    {
      ...next,
      ...(next.isToCome ? {} : sum),
      before: next.before === undefined ? undefined : next.before + (last.before ?? 0),
      expected: next.expected === undefined ? undefined : next.expected + soFar,
    },
  ]
}
