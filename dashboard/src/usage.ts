/** Turns the service's responses into bars and lines. Amounts are whole millionths of a credit. */
import type { DetailedUsageLine, Totals } from 'copilot-credits-client'
import { type Asked, type Dimension, type DimensionFilters, isKept, USUAL_OUTCOME, type Values } from './dimensions.ts'
import { type BucketSize, toMicros } from './format.ts'
import type { View } from './view.ts'

/** A line of the table. Its report is undefined if the text set the price. */
export type Line = Values & {
  readonly id: number | string
  readonly at: number
  readonly timestamp: string
  /** Undefined if the message has no price, which is not the same as a price of 0. */
  readonly micros: number | undefined
  /** Why the message has no price. */
  readonly unpriced: string | undefined
}

/** The usage within a bar of one report (or none), and of one value of whatever else the bars are split by. */
export type Part = Values & {
  readonly reportId: string | undefined
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
  team: line.team_id,
  model: line.model,
  feature: line.feature,
  outcome: line.outcome ?? USUAL_OUTCOME,
  micros: line.credits_used === undefined ? undefined : toMicros(line.credits_used),
  unpriced: line.unpriced,
})

type Group = NonNullable<Totals['buckets'][number]['groups']>[number]

/** A bucket that is not split is a single part. */
export const barsOf = ({ buckets }: Totals): readonly Bar[] =>
  buckets.map(
    ({
      start,
      end,
      messages,
      unpriced = 0,
      credits,
      groups = messages > 0 ? [{ messages, unpriced, credits }] : [],
    }) => ({
      from: Date.parse(start),
      to: Date.parse(end),
      messages,
      unpriced,
      micros: toMicros(credits),
      parts: groups.map((group: Group) => ({
        report: group.report_id === undefined ? undefined : (group.report_name ?? String(group.report_id)),
        reportId: group.report_id === undefined ? undefined : String(group.report_id),
        member: group.user_id,
        team: group.team_id,
        model: group.model,
        feature: group.feature,
        outcome: group.outcome ?? USUAL_OUTCOME,
        messages: group.messages,
        unpriced: group.unpriced ?? 0,
        micros: toMicros(group.credits),
      })),
    }),
  )

/** Each line as a part of its own. */
export const partsOfLines = (lines: readonly Line[]): readonly Part[] =>
  lines.map(({ report, member, team, model, feature, outcome, micros }) => ({
    ...{ report, reportId: undefined, member, team, model, feature, outcome },
    messages: 1,
    unpriced: micros === undefined ? 1 : 0,
    micros: micros ?? 0,
  }))

/** The parts of the bars that the service could not filter itself: those of the dimensions by which it split them. */
export const keepParts = (
  bars: readonly Bar[],
  filters: DimensionFilters & Pick<View, 'unpriced'>,
  splits: readonly Dimension[],
): readonly Bar[] => {
  if (splits.length === 0 && !filters.unpriced) return bars
  return bars.map((bar) => {
    const kept = bar.parts.filter((part) => isKept(part, filters, splits))
    const parts = filters.unpriced ? kept.flatMap(unpricedPartOf) : kept
    return { ...bar, ...sumOf(parts), parts }
  })
}

/** What has no price costs nothing, and nor does this part. */
const unpricedPartOf = (part: Part): readonly Part[] =>
  part.unpriced === 0 ? [] : [{ ...part, messages: part.unpriced, micros: 0 }]

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

/** Whether any message used a report. */
export const someReport = (bars: readonly Bar[]): boolean =>
  bars.some(({ parts }) => parts.some(({ report }) => report !== undefined))

export const sumOf = (parts: readonly Pick<Part, 'messages' | 'unpriced' | 'micros'>[]) => ({
  messages: parts.reduce((sum, part) => sum + part.messages, 0),
  unpriced: parts.reduce((sum, part) => sum + part.unpriced, 0),
  micros: parts.reduce((sum, part) => sum + part.micros, 0),
})

type RangeQuery = { readonly from: string; readonly to: string }

/** Which lines to fetch for the table: those of the whole range, or fewer if that would be too many. */
export type FetchPlan = {
  readonly filter: Asked['query'] & { readonly report_id?: string; readonly unpriced?: 'true' }
  /** Contiguous parts of the range, each within the slice limit unless a single bar exceeds it. */
  readonly slices: readonly RangeQuery[]
  readonly messages: number
}

/**
 * Plans to fetch all lines of the bars if there are at most `linesMax`; the page then filters and sorts them. Otherwise plans to
 * fetch only those that match the filters, as far as the service can filter. The bars have been filtered by everything else.
 */
export const planFetch = (
  bars: readonly Bar[],
  { report, unpriced }: Pick<View, 'report' | 'unpriced'>,
  chosen: Pick<Bar, 'from'> | undefined,
  { linesMax, sliceMax }: { readonly linesMax: number; readonly sliceMax: number },
): FetchPlan => {
  if (sumOf(bars).messages <= linesMax) return { filter: {}, ...sliced(bars, sliceMax) }
  const ids = new Set(bars.flatMap(({ parts }) => parts.filter((part) => part.report === report)).map(reportIdOf))
  const [reportId] = report !== undefined && ids.size === 1 ? ids : []
  const within = chosen === undefined ? bars : bars.filter(({ from }) => from === chosen.from)
  const narrowed = within.map((bar) => {
    const sum = sumOf(bar.parts.filter((part) => reportId === undefined || part.reportId === reportId))
    return { ...bar, ...sum, ...(unpriced && { messages: sum.unpriced }) }
  })
  const filter = {
    ...(reportId !== undefined && { report_id: reportId }),
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
