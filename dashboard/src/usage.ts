/** Turns the service's responses into bars and lines. Amounts are whole millionths of a credit. */
import type { DetailedUsageLine, Totals } from 'copilot-credits-client'
import { type BucketSize, toMicros } from './format.ts'
import type { View } from './view.ts'

/** A line of the table. */
export type Line = {
  readonly id: number | string
  readonly at: number
  readonly timestamp: string
  /** The report's name; undefined if the text set the price. */
  readonly report: string | undefined
  readonly member: string | undefined
  /** Undefined if the message has no price, which is not the same as a price of 0. */
  readonly micros: number | undefined
  /** Why the message has no price. */
  readonly unpriced: string | undefined
}

/** The usage within a bar of one report (or none) and one member (or none). */
export type Part = {
  readonly report: string | undefined
  readonly reportId: string | undefined
  readonly member: string | undefined
  readonly messages: number
  /** How many of them have no price. */
  readonly unpriced: number
  readonly micros: number
}

/** One bucket of the totals, as the chart draws it. */
export type Bar = {
  readonly from: number
  readonly to: number
  readonly messages: number
  /** How many of them have no price. */
  readonly unpriced: number
  readonly micros: number
  readonly parts: readonly Part[]
}

const DAY_MS = 86_400_000

/** Hours for up to two days, days for up to two months, weeks for up to a year, then months. */
export const bucketFor = (ms: number): BucketSize => {
  const days = ms / DAY_MS
  if (days <= 2.1) return 'hour'
  if (days <= 62.1) return 'day'
  return days <= 366.1 ? 'week' : 'month'
}

export const lineOf = (line: DetailedUsageLine): Line => ({
  id: line.message_id,
  at: Date.parse(line.timestamp),
  timestamp: line.timestamp,
  report: line.report_id === undefined ? undefined : (line.report_name ?? String(line.report_id)),
  member: line.user_id,
  micros: line.credits_used === undefined ? undefined : toMicros(line.credits_used),
  unpriced: line.unpriced,
})

export const barsOf = ({ buckets }: Totals): readonly Bar[] =>
  buckets.map(({ start, end, messages, unpriced = 0, credits, groups = [] }) => ({
    from: Date.parse(start),
    to: Date.parse(end),
    messages,
    unpriced,
    micros: toMicros(credits),
    parts: groups.map((group) => ({
      report: group.report_id === undefined ? undefined : (group.report_name ?? String(group.report_id)),
      reportId: group.report_id === undefined ? undefined : String(group.report_id),
      member: group.user_id,
      messages: group.messages,
      unpriced: group.unpriced ?? 0,
      micros: toMicros(group.credits),
    })),
  }))

/** The index of the bar that contains an instant, or -1. */
export const indexAt = (bars: readonly Bar[], at: number): number => {
  let [low, high] = [0, bars.length]
  while (low < high) {
    const middle = (low + high) >> 1
    if ((bars[middle]?.to ?? 0) <= at) low = middle + 1
    else high = middle
  }
  const found = bars[low]
  return found !== undefined && found.from <= at ? low : -1
}

export const sumOf = (parts: readonly Pick<Part, 'messages' | 'unpriced' | 'micros'>[]) => ({
  messages: parts.reduce((sum, part) => sum + part.messages, 0),
  unpriced: parts.reduce((sum, part) => sum + part.unpriced, 0),
  micros: parts.reduce((sum, part) => sum + part.micros, 0),
})

type RangeQuery = { readonly from: string; readonly to: string }

/** Which lines to fetch for the table: those of the whole range, or fewer if that would be too many. */
export type FetchPlan = {
  readonly filter: { readonly report_id?: string; readonly user_id?: string; readonly unpriced?: 'true' }
  /** Contiguous parts of the range, each within the slice limit unless a single bar exceeds it. */
  readonly slices: readonly RangeQuery[]
  readonly messages: number
}

/**
 * Plans to fetch all lines if there are at most `linesMax`; the page then filters and sorts them. Otherwise plans to fetch only
 * those that match the filters, as far as the service can filter.
 */
export const planFetch = (
  bars: readonly Bar[],
  { report, member, unpriced }: Pick<View, 'report' | 'member' | 'unpriced'>,
  chosen: Bar | undefined,
  { linesMax, sliceMax }: { readonly linesMax: number; readonly sliceMax: number },
): FetchPlan => {
  if (sumOf(bars).messages <= linesMax) return { filter: {}, ...sliced(bars, sliceMax) }
  const ids = new Set(bars.flatMap(({ parts }) => parts.filter((part) => part.report === report)).map(reportIdOf))
  const [reportId] = report !== undefined && ids.size === 1 ? ids : []
  const user = member === '' ? undefined : member
  const narrowed = (chosen === undefined ? bars : [chosen]).map((bar) => {
    const parts = bar.parts.filter(
      (part) => (reportId === undefined || part.reportId === reportId) && (user === undefined || part.member === user),
    )
    const sum = sumOf(parts)
    return { ...bar, ...sum, ...(unpriced && { messages: sum.unpriced }) }
  })
  const filter = {
    ...(reportId !== undefined && { report_id: reportId }),
    ...(user !== undefined && { user_id: user }),
    ...(unpriced && { unpriced: 'true' as const }),
  }
  return { filter, ...sliced(narrowed, sliceMax) }
}

const reportIdOf = ({ reportId }: Part): string | undefined => reportId

const sliced = (bars: readonly Bar[], sliceMax: number): Pick<FetchPlan, 'slices' | 'messages'> => {
  const slices: { from: number; to: number; messages: number }[] = []
  for (const { from, to, messages } of bars) {
    const last = slices.at(-1)
    if (last !== undefined && last.messages + messages <= sliceMax) {
      last.to = to
      last.messages += messages
    } else slices.push({ from, to, messages })
  }
  return {
    slices: slices.map(({ from, to }) => ({ from: new Date(from).toJSON(), to: new Date(to).toJSON() })),
    messages: sumOf(bars).messages,
  }
}
