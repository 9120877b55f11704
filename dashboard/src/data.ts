/** What the service is asked, and when again. */
import {
  hashKey,
  keepPreviousData,
  type QueryClient,
  type QueryKey,
  queryOptions,
  useInfiniteQuery,
  useQuery,
} from '@tanstack/react-query'
import { type Client, createClient, type Period, type Session, type Totals } from 'copilot-credits-client'
import { useMemo } from 'react'
import { isRunning, rangeBefore } from './comparison.ts'
import { nextDay, toMicros, type Width } from './format.ts'
import {
  type Bar,
  barsOf,
  fillBars,
  fingerprintOf,
  indexAt,
  type Line,
  lineOf,
  type Selection,
  selectionOf,
  sumOf,
  widthOf,
} from './usage.ts'
import type { View } from './view.ts'

export const client: Client = createClient()

/** Up to so many lines are fetched whole, then filtered and sorted here; more come page by page. */
export const LINES_AT_ONCE = 100_000
const LINES_A_PAGE = 10_000
/** Enough to fill the table while the rest is on its way. */
const FIRST_LINES = 200
const PAGES_AT_ONCE = 3
const LIMITS = { linesMax: LINES_AT_ONCE, sliceMax: LINES_A_PAGE }
/** Five years; one more is known, that the oldest is compared with. */
export const PERIODS_SHOWN = 60
const PERIODS_KNOWN = PERIODS_SHOWN + 1
const REFRESHED_EVERY_MS = 60_000

type Call = { readonly signal: AbortSignal }

/** What the first view needs, asked for while the page is still starting. */
export const askAhead = (queries: QueryClient, view: View): void => {
  queries.prefetchQuery(overviewQuery(view))
  queries.prefetchQuery(periodsQuery(view.organization))
}

export const usePeriods = (organization: string | undefined) => useQuery(periodsQuery(organization))

const periodsQuery = (organization: string | undefined) =>
  queryOptions({
    queryKey: ['periods', organization],
    queryFn: async ({ signal }) => {
      const periods: Period[] = []
      for await (const period of client.periods({ organization, limit: PERIODS_KNOWN }, { signal })) {
        periods.push(period)
        if (periods.length === PERIODS_KNOWN) break
      }
      return periods
    },
  })

type RangeQuery = { readonly period?: string; readonly from?: string; readonly to?: string }

const rangeQueryOf = ({ period, range }: View): RangeQuery =>
  range === undefined ? { period } : { from: range.from, to: nextDay(range.to) }

export type Sum = { readonly messages: number; readonly micros: number }

export type Overview = {
  readonly session: Session
  readonly from: number
  readonly to: number
  readonly width: Width
  readonly timeZone: string
  readonly bars: readonly Bar[]
  readonly messages: number
  readonly micros: number
  /** Everybody who sent a message in the range; empty where nobody is known. */
  readonly members: readonly string[]
  /** The lines, where they came with it. */
  readonly lines: readonly Line[] | undefined
  /** With an upstream: what of it the upstream does not list, and what it listed that is missing. */
  readonly notListed: Sum | undefined
  readonly notRecorded: Sum | undefined
  /** Whether the range is what the upstream lists, and not a period of the calendar. */
  readonly isListing: boolean
  /** The last good answer, as the upstream fails. */
  readonly isStale: boolean
  /** When it was last known to be true. */
  readonly asOf: number
}

/** Who asks, and the figures and bars of the period or range. */
export const useOverview = (view: View) => useQuery(overviewQuery(view))

const overviewQuery = (view: View) => {
  const { period, range, organization } = view
  // Members are asked for where they matter: each with each report on each day can be many.
  const group = view.group === 'member' || view.member !== undefined ? 'report,member' : 'report'
  return queryOptions({
    queryKey: ['overview', organization, period, range, group],
    refetchInterval: ({ state: { data } }: { readonly state: { readonly data?: Overview | undefined } }) =>
      (period === 'current' && range === undefined) || (data !== undefined && isRunning(data))
        ? REFRESHED_EVERY_MS
        : false,
    placeholderData: keepPreviousData,
    // A listing may be long, and what matters of it is told by its fingerprint.
    structuralSharing: false,
    queryFn: async ({ signal, queryKey, client: queries }) => {
      const overview = await findOverview(view, group, { signal })
      const { bars, from, session, isListing } = overview
      forgetOthers(queries, queryKey, session)
      const periods = queries.getQueryData<readonly Period[]>(['periods', organization])
      const isListed = periods?.some(({ start }) => Date.parse(start) === from) !== false
      if (period === 'current' && range === undefined && !isListing && !isListed) {
        queries.invalidateQueries({ queryKey: ['periods', organization] })
      }
      const selection = selectionOf(bars, NOT_NARROWED, undefined, LIMITS)
      const isWhole = overview.lines === undefined && selection.messages <= LINES_AT_ONCE
      // Before anything of it is drawn: the lines will be asked for next.
      if (isWhole) queries.prefetchQuery(linesQuery(selection, overview, organization))
      return overview
    },
  })
}

/** Where somebody has signed in as somebody else, in another tab: all that is remembered is of another organization. */
const forgetOthers = (queries: QueryClient, own: QueryKey, { organization }: Session): void => {
  const overviews = queries.getQueriesData<Overview>({ queryKey: own.slice(0, 2) })
  if (
    overviews.every(([, overview]) => overview === undefined || overview.session.organization.id === organization.id)
  ) {
    return
  }
  // Lines are not asked for again: until the overview is there they would be kept as the other organization's.
  const isKept = (name: unknown): boolean => name === 'periods' || name === 'charges'
  const ownHash = hashKey(own)
  queries.removeQueries({ predicate: ({ queryHash, queryKey: [name] }) => queryHash !== ownHash && !isKept(name) })
  queries.resetQueries({ predicate: ({ queryKey: [name] }) => isKept(name) })
}

const findOverview = async (view: View, group: string, call: Call): Promise<Overview> => {
  const { organization, range } = view
  const query = { organization, group_by: group } as const
  const rangeQuery = rangeQueryOf(view)
  const width = range === undefined ? 'day' : widthOf(Date.parse(nextDay(range.to)) - Date.parse(range.from))
  // All at once: most often all of it is needed.
  const [session, totals, members] = await Promise.all([
    client.session({ organization }, call),
    client.totals({ ...query, ...rangeQuery, bucket: width, limit: 400 }, call),
    membersOf({ organization, ...rangeQuery }, call),
  ])
  const isCurrent = view.period === 'current' && range === undefined
  if (session.source === 'upstream' && session.organization.id === 'default' && isCurrent) {
    return overviewOfListing(session, totals, group, call)
  }
  const bars = barsOf(totals)
  return {
    ...overviewOf(session, totals.time_zone, bars, width),
    ...besideOf(totals),
    members,
    lines: undefined,
    isListing: false,
    isStale: false,
    asOf: Date.now(),
  }
}

const overviewOf = (session: Session, timeZone: string, bars: readonly Bar[], width: Width) => ({
  session,
  from: bars.at(0)?.from ?? 0,
  to: bars.at(-1)?.to ?? 0,
  width,
  timeZone,
  bars,
  ...sumOf(bars),
})

/** What the upstream lists is its current period, whatever the calendar says: all of it at once. */
const overviewOfListing = async (session: Session, asked: Totals, group: string, call: Call): Promise<Overview> => {
  const width = widthOf(spanOf(asked))
  const lines: Line[] = []
  for await (const line of client.usage({ period: 'current', limit: LINES_A_PAGE }, call)) lines.push(lineOf(line))
  const isWithin = (totals: Totals): boolean => {
    const bars = barsOf(totals)
    return lines.every(({ at }) => indexAt(bars, at) >= 0)
  }
  // Where the listing has grown beyond its periods meanwhile, they are asked for once more.
  const isFitting = width === 'day' && isWithin(asked)
  const totals = isFitting
    ? asked
    : await client.totals({ period: 'current', bucket: width, limit: 400, group_by: group }, call)
  const { listing, time_zone: zone } = totals
  const asOf = listing === undefined ? Date.now() : Date.parse(listing.as_of)
  const overview = overviewOf(session, zone, fillBars(barsOf(totals), lines), width)
  const now = Date.parse(session.time)
  return {
    ...overview,
    ...besideOf(totals),
    members: [...new Set(lines.flatMap(({ member }) => member ?? []))],
    lines,
    isListing: !(overview.from <= now && now < overview.to && overview.to - overview.from < PERIOD_MAX_MS),
    isStale: listing?.stale === true,
    asOf,
  }
}

/** No billing period is longer, and no two together are as short. */
const PERIOD_MAX_MS = 40 * 86_400_000

const spanOf = ({ buckets }: Totals): number =>
  Date.parse(buckets.at(-1)?.end ?? '') - Date.parse(buckets.at(0)?.start ?? '')

const besideOf = ({
  not_listed: notListed,
  not_recorded: notRecorded,
}: Totals): Pick<Overview, 'notListed' | 'notRecorded'> => ({
  notListed: notListed && { messages: notListed.messages, micros: toMicros(notListed.credits) },
  notRecorded: notRecorded && { messages: notRecorded.messages, micros: toMicros(notRecorded.credits) },
})

const membersOf = async (query: RangeQuery & { readonly organization: string | undefined }, call: Call) => {
  const { buckets } = await client.totals({ ...query, bucket: 'none', group_by: 'member' }, call)
  return (buckets[0]?.groups ?? []).flatMap(({ user_id: member }) => (member === undefined ? [] : [member]))
}

export type Lines = {
  readonly lines: readonly Line[]
  /** There are too many to have them whole: they are in the order of time, and more come when they are asked for. */
  readonly isPaged: boolean
  readonly isComplete: boolean
  readonly error: Error | null
  readonly retry: () => void
  readonly fetchMore: () => void
  /** All of them, however long it takes. */
  readonly fetchAll: () => Promise<readonly Line[]>
}

/** The lines of the overview's range: all, or as many as have been asked for. */
export const useLines = (view: View, overview: Overview, chosen: Bar | undefined): Lines => {
  const { bars, lines: own } = overview
  const { organization, report, member } = view
  const selection = useMemo(() => selectionOf(bars, { report, member }, chosen, LIMITS), [bars, report, member, chosen])
  const isPaged = own === undefined && selection.messages > LINES_AT_ONCE
  const key = linesKey(selection, overview)
  const query = useMemo(() => linesQuery(selection, overview, organization), [selection, overview, organization])
  const whole = useQuery({
    ...query,
    enabled: own === undefined && !isPaged,
    // Of the same organization, filters and range: those of before a refresh, until the new ones are there.
    placeholderData: (before, query) =>
      JSON.stringify(query?.queryKey.slice(0, key.length)) === JSON.stringify(key) ? before : undefined,
  })
  const paged = useInfiniteQuery({
    // Whatever comes meanwhile: a reader is not taken away from where they are.
    queryKey: [...key, 'paged'],
    staleTime: Number.POSITIVE_INFINITY,
    enabled: isPaged,
    structuralSharing: false,
    initialPageParam: undefined as string | undefined,
    queryFn: async ({ pageParam: cursor, signal }) => {
      const range = { from: selection.slices.at(0)?.from, to: selection.slices.at(-1)?.to }
      const query = { organization, ...selection.filter, ...range, limit: LINES_A_PAGE, cursor }
      const page = await client.usagePage(query, { signal })
      return { lines: page.usage.map(lineOf), next: page.next_cursor }
    },
    getNextPageParam: ({ next }) => next,
  })
  const { data: pages, hasNextPage, isFetching, fetchNextPage } = paged
  const pagedLines = useMemo(() => pages?.pages.flatMap(({ lines }) => lines) ?? [], [pages])
  const lines = own ?? (isPaged ? pagedLines : whole.data?.lines)
  return {
    lines: lines ?? NO_LINES,
    isPaged,
    isComplete:
      own !== undefined ||
      (isPaged ? pages !== undefined && !hasNextPage : whole.data?.isComplete === true && !whole.isPlaceholderData),
    error: isPaged ? paged.error : whole.error,
    retry: () => {
      if (!isPaged) whole.refetch()
      else if (pages === undefined) paged.refetch()
      else fetchNextPage()
    },
    // What failed is asked again when somebody says so, and not at each look.
    fetchMore: () => {
      if (hasNextPage && !isFetching && !paged.isError) fetchNextPage()
    },
    fetchAll: () => fetchAllOf(selection, organization),
  }
}

/** By itself, whatever becomes of the view meanwhile. Throws where it is not whole. */
const fetchAllOf = async ({ slices, filter, messages }: Selection, organization: string | undefined) => {
  const lines: Line[] = []
  const range = { from: slices.at(0)?.from, to: slices.at(-1)?.to }
  for await (const line of client.usage({ organization, ...filter, ...range, limit: LINES_A_PAGE })) {
    lines.push(lineOf(line))
  }
  if (lines.length < messages) {
    throw new Error(`There were ${messages} messages, and ${lines.length} have come. Refresh, and try again.`)
  }
  return lines
}

/**
 * What the lines add up to, where they are of a later moment than the totals: figures, bars and rows are of one moment. The
 * same overview where they agree.
 */
export const agreeing = (
  overview: Overview,
  { lines, isPaged, isComplete }: Pick<Lines, 'lines' | 'isPaged' | 'isComplete'>,
): Overview => {
  // More than can be had at once may have been narrowed: the rest is known by its totals only.
  if (isPaged || !isComplete || overview.lines !== undefined || overview.messages > LINES_AT_ONCE) return overview
  const micros = lines.reduce((sum, line) => sum + line.micros, 0)
  if (lines.length === overview.messages && micros === overview.micros) return overview
  const bars = fillBars(overview.bars, lines)
  return { ...overview, bars, ...sumOf(bars) }
}

const NO_LINES: readonly Line[] = []
const NOT_NARROWED = { report: undefined, member: undefined }

const linesKey = ({ filter, slices }: Selection, { session }: Overview): QueryKey => [
  'lines',
  session.organization.id,
  filter,
  slices.at(0)?.from,
  slices.at(-1)?.to,
]

type FetchedLines = { readonly lines: readonly Line[]; readonly isComplete: boolean }

/** Of the same bars the lines are the same: they are asked for again where the bars have changed, or where somebody says so. */
const linesQuery = (selection: Selection, overview: Overview, organization: string | undefined) => {
  const key = linesKey(selection, overview)
  return queryOptions({
    queryKey: [...key, 'whole', fingerprintOf(overview.bars)],
    staleTime: ({ state }: { readonly state: { readonly data?: FetchedLines | undefined } }) =>
      state.data?.isComplete === true ? Number.POSITIVE_INFINITY : 0,
    structuralSharing: false,
    queryFn: ({ signal, queryKey, client: queries }) => {
      const known = queries.getQueriesData<FetchedLines>({ queryKey: [...key, 'whole'] })
      const isKnown = known.some(([, data]) => data?.isComplete === true)
      // A part is shown where there is nothing whole to look at.
      return fetchLines(selection, organization, { signal }, (lines) => {
        if (!isKnown) queries.setQueryData<FetchedLines>(queryKey, { lines, isComplete: false })
      })
    },
  })
}

/** Some slices at once, so that the service reads one while another is on its way; shown as soon as all before are there. */
const fetchLines = async (
  { slices, filter }: Selection,
  organization: string | undefined,
  call: Call,
  show: (lines: readonly Line[]) => void,
): Promise<FetchedLines> => {
  const parts: (readonly Line[] | undefined)[] = slices.map(() => undefined)
  let next = 0
  const work = async (): Promise<void> => {
    for (let at = next++; at < slices.length; at = next++) {
      const lines: Line[] = []
      const query = { organization, ...filter, ...slices[at] }
      let cursor: string | undefined
      do {
        const limit = at === 0 && cursor === undefined && slices.length > 1 ? FIRST_LINES : LINES_A_PAGE
        const page = await client.usagePage({ ...query, limit, cursor }, call)
        for (const line of page.usage) lines.push(lineOf(line))
        cursor = page.next_cursor
        if (at === 0 && cursor !== undefined) show([...lines])
      } while (cursor !== undefined)
      parts[at] = lines
    }
  }
  await Promise.all(Array.from({ length: Math.min(PAGES_AT_ONCE, slices.length) }, work))
  return { lines: parts.flatMap((part) => part ?? []), isComplete: true }
}

export type Comparison = Readonly<Record<'isPending' | 'hasFailed', boolean>> & { readonly micros: number | undefined }

/** What the period before had used at the same point; of a range, as many days before it. */
export const useComparison = (
  { range, organization }: Pick<View, 'range' | 'organization'>,
  overview: Overview,
  periods: readonly Period[],
): Comparison => {
  const before = rangeBefore(range, overview, periods)
  const query = useQuery({
    queryKey: ['comparison', overview.session.organization.id, before],
    enabled: before !== undefined,
    queryFn: async ({ signal }) => {
      const totals = await client.totals({ organization, ...before, bucket: 'none' }, { signal })
      return sumOf(barsOf(totals)).micros
    },
  })
  return { micros: query.data, isPending: before !== undefined && query.isPending, hasFailed: query.isError }
}

export const useCharges = (id: number | string | undefined, organization: string | undefined) =>
  useQuery({
    queryKey: ['charges', organization, id],
    enabled: id !== undefined,
    queryFn: ({ signal }) => client.charges(id ?? '', { organization }, { signal }),
  })
