/** The queries to the service, and when each is refetched. */
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
import { type BucketSize, count, nextDay, toMicros } from './format.ts'
import {
  type Bar,
  barsOf,
  bucketFor,
  type FetchPlan,
  fillBars,
  fingerprintOf,
  indexAt,
  type Line,
  lineOf,
  planFetch,
  sumOf,
} from './usage.ts'
import type { View } from './view.ts'

export const client: Client = createClient()

/** Up to this many lines are fetched in full, then filtered and sorted here. A longer list loads page by page. */
export const LINES_AT_ONCE = 100_000
const LINES_A_PAGE = 10_000
/** Enough to fill the table while the rest loads. */
const FIRST_LINES = 200
const PAGES_AT_ONCE = 3
const LIMITS = { linesMax: LINES_AT_ONCE, sliceMax: LINES_A_PAGE }
/** Five years. One more is fetched, so that the oldest can be compared with it. */
export const PERIODS_SHOWN = 60
const PERIODS_FETCHED = PERIODS_SHOWN + 1
const REFRESH_INTERVAL_MS = 60_000

type Call = { readonly signal: AbortSignal }

/** Starts the queries of the first view before React renders. */
export const prefetchView = (queries: QueryClient, view: View): void => {
  queries.prefetchQuery(overviewQuery(view))
  queries.prefetchQuery(periodsQuery(view.organization))
}

export const usePeriods = (organization: string | undefined) => useQuery(periodsQuery(organization))

const periodsQuery = (organization: string | undefined) =>
  queryOptions({
    queryKey: ['periods', organization],
    queryFn: async ({ signal }) => {
      const periods: Period[] = []
      for await (const period of client.periods({ organization, limit: PERIODS_FETCHED }, { signal })) {
        periods.push(period)
        if (periods.length === PERIODS_FETCHED) break
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
  readonly bucket: BucketSize
  readonly timeZone: string
  readonly bars: readonly Bar[]
  readonly messages: number
  readonly micros: number
  /** Every member who sent a message in the range. */
  readonly members: readonly string[]
  /** The lines, if they came with the overview, as an upstream's listing does. */
  readonly lines: readonly Line[] | undefined
  /** With an upstream: usage shown here that it does not list, and usage it listed that is missing here. */
  readonly notListed: Sum | undefined
  readonly notRecorded: Sum | undefined
  /** The range is that of the upstream's listing, not a billing period. */
  readonly isListing: boolean
  /** The upstream is failing; this is its last known listing. */
  readonly isStale: boolean
  /** When this was last known to be current. */
  readonly asOf: number
}

/** The session, and the figures and bars of the period or range. */
export const useOverview = (view: View) => useQuery(overviewQuery(view))

const overviewQuery = (view: View) => {
  const { period, range, organization } = view
  // Grouped by member only if needed: one group per day, report and member can be very many.
  const group = view.group === 'member' || view.member !== undefined ? 'report,member' : 'report'
  return queryOptions({
    queryKey: ['overview', organization, period, range, group],
    refetchInterval: ({ state: { data } }: { readonly state: { readonly data?: Overview | undefined } }) =>
      (period === 'current' && range === undefined) || (data !== undefined && isRunning(data))
        ? REFRESH_INTERVAL_MS
        : false,
    placeholderData: keepPreviousData,
    // Comparing long listings is slow, and their fingerprints tell whether they differ.
    structuralSharing: false,
    queryFn: async ({ signal, queryKey, client: queries }) => {
      const overview = await fetchOverview(view, group, { signal })
      const { bars, from, session, isListing } = overview
      forgetOtherOrganizations(queries, queryKey, session)
      const periods = queries.getQueryData<readonly Period[]>(['periods', organization])
      const isListed = periods?.some(({ start }) => Date.parse(start) === from) !== false
      if (period === 'current' && range === undefined && !isListing && !isListed) {
        queries.invalidateQueries({ queryKey: ['periods', organization] })
      }
      const plan = planFetch(bars, NO_FILTERS, undefined, LIMITS)
      const isWhole = overview.lines === undefined && plan.messages <= LINES_AT_ONCE
      // The table will need the lines: fetch them now, before anything is rendered.
      if (isWhole) queries.prefetchQuery(linesQuery(plan, overview, organization))
      return overview
    },
  })
}

/** Drops everything cached for another organization, after a sign-in to this one in any tab. */
const forgetOtherOrganizations = (queries: QueryClient, own: QueryKey, { organization }: Session): void => {
  const overviews = queries.getQueriesData<Overview>({ queryKey: own.slice(0, 2) })
  if (
    overviews.every(([, overview]) => overview === undefined || overview.session.organization.id === organization.id)
  ) {
    return
  }
  // Lines are removed, not fetched again: until the new overview arrives, they would be stored under the old organization.
  const isKept = (name: unknown): boolean => name === 'periods' || name === 'charges'
  const ownHash = hashKey(own)
  queries.removeQueries({ predicate: ({ queryHash, queryKey: [name] }) => queryHash !== ownHash && !isKept(name) })
  queries.resetQueries({ predicate: ({ queryKey: [name] }) => isKept(name) })
}

const fetchOverview = async (view: View, group: string, call: Call): Promise<Overview> => {
  const { organization, range } = view
  const query = { organization, group_by: group } as const
  const rangeQuery = rangeQueryOf(view)
  const bucket = range === undefined ? 'day' : bucketFor(Date.parse(nextDay(range.to)) - Date.parse(range.from))
  // Requested together, because nearly every view needs all three.
  const [session, totals, members] = await Promise.all([
    client.session({ organization }, call),
    client.totals({ ...query, ...rangeQuery, bucket, limit: 400 }, call),
    membersOf({ organization, ...rangeQuery }, call),
  ])
  const isCurrent = view.period === 'current' && range === undefined
  if (session.source === 'upstream' && session.organization.id === 'default' && isCurrent) {
    return overviewOfListing(session, totals, group, call)
  }
  const bars = barsOf(totals)
  return {
    ...overviewOf(session, totals.time_zone, bars, bucket),
    ...upstreamDifferencesOf(totals),
    members,
    lines: undefined,
    isListing: false,
    isStale: false,
    asOf: Date.now(),
  }
}

const overviewOf = (session: Session, timeZone: string, bars: readonly Bar[], bucket: BucketSize) => ({
  session,
  from: bars.at(0)?.from ?? 0,
  to: bars.at(-1)?.to ?? 0,
  bucket,
  timeZone,
  bars,
  ...sumOf(bars),
})

/** The upstream's listing is the current period, whatever the calendar says. All its lines are fetched. */
const overviewOfListing = async (session: Session, early: Totals, group: string, call: Call): Promise<Overview> => {
  const bucket = bucketFor(spanOf(early))
  const lines: Line[] = []
  for await (const line of client.usage({ period: 'current', limit: LINES_A_PAGE }, call)) lines.push(lineOf(line))
  const isWithin = (totals: Totals): boolean => {
    const bars = barsOf(totals)
    return lines.every(({ at }) => indexAt(bars, at) >= 0)
  }
  // The listing may have grown past the totals' last bucket in between.
  const isFitting = bucket === 'day' && isWithin(early)
  const totals = isFitting
    ? early
    : await client.totals({ period: 'current', bucket, limit: 400, group_by: group }, call)
  const { listing, time_zone: zone } = totals
  const asOf = listing === undefined ? Date.now() : Date.parse(listing.as_of)
  const overview = overviewOf(session, zone, fillBars(barsOf(totals), lines), bucket)
  const now = Date.parse(session.time)
  return {
    ...overview,
    ...upstreamDifferencesOf(totals),
    members: [...new Set(lines.flatMap(({ member }) => member ?? []))],
    lines,
    isListing: !(overview.from <= now && now < overview.to && overview.to - overview.from < PERIOD_MAX_MS),
    isStale: listing?.stale === true,
    asOf,
  }
}

/** Longer than any billing period, shorter than any two. */
const PERIOD_MAX_MS = 40 * 86_400_000

const spanOf = ({ buckets }: Totals): number =>
  Date.parse(buckets.at(-1)?.end ?? '') - Date.parse(buckets.at(0)?.start ?? '')

const upstreamDifferencesOf = ({
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
  /** Too many to fetch at once: they are in time order, and `fetchMore` loads the next page. */
  readonly isPaged: boolean
  readonly isComplete: boolean
  readonly error: Error | null
  readonly retry: () => void
  readonly fetchMore: () => void
  /** Fetches every line that the filters need, however many. */
  readonly fetchAll: () => Promise<readonly Line[]>
}

/** The lines of the overview's range: all of them, or the pages loaded so far. */
export const useLines = (view: View, overview: Overview, chosen: Bar | undefined): Lines => {
  const { bars, lines: own } = overview
  const { organization, report, member } = view
  const plan = useMemo(() => planFetch(bars, { report, member }, chosen, LIMITS), [bars, report, member, chosen])
  const isPaged = own === undefined && plan.messages > LINES_AT_ONCE
  const key = linesKey(plan, overview)
  const query = useMemo(() => linesQuery(plan, overview, organization), [plan, overview, organization])
  const whole = useQuery({
    ...query,
    enabled: own === undefined && !isPaged,
    // After a refresh, show the previous lines of the same organization, filters and range until the new ones arrive.
    placeholderData: (before, query) =>
      JSON.stringify(query?.queryKey.slice(0, key.length)) === JSON.stringify(key) ? before : undefined,
  })
  const paged = useInfiniteQuery({
    // Never refetched automatically, so that the user keeps their place.
    queryKey: [...key, 'paged'],
    staleTime: Number.POSITIVE_INFINITY,
    enabled: isPaged,
    structuralSharing: false,
    initialPageParam: undefined as string | undefined,
    queryFn: async ({ pageParam: cursor, signal }) => {
      const range = { from: plan.slices.at(0)?.from, to: plan.slices.at(-1)?.to }
      const query = { organization, ...plan.filter, ...range, limit: LINES_A_PAGE, cursor }
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
    // A failed page is retried by the button, not at every scroll.
    fetchMore: () => {
      if (hasNextPage && !isFetching && !paged.isError) fetchNextPage()
    },
    fetchAll: () => fetchAllOf(plan, organization),
  }
}

/** Does not depend on the view, which can change during the export. Throws if lines are missing. */
const fetchAllOf = async ({ slices, filter, messages }: FetchPlan, organization: string | undefined) => {
  const lines: Line[] = []
  const range = { from: slices.at(0)?.from, to: slices.at(-1)?.to }
  for await (const line of client.usage({ organization, ...filter, ...range, limit: LINES_A_PAGE })) {
    lines.push(lineOf(line))
  }
  if (lines.length < messages) {
    throw new Error(`Expected ${count(messages)} messages, received ${count(lines.length)}.`)
  }
  return lines
}

/**
 * Figures, bars and rows must show the same moment. If the lines are newer than the totals, the bars are computed from the
 * lines. Returns the same overview if they agree.
 */
export const reconcile = (
  overview: Overview,
  { lines, isPaged, isComplete }: Pick<Lines, 'lines' | 'isPaged' | 'isComplete'>,
): Overview => {
  // Above the limit, the lines may be only those that match the filters, while the totals count all.
  if (isPaged || !isComplete || overview.lines !== undefined || overview.messages > LINES_AT_ONCE) return overview
  const micros = lines.reduce((sum, line) => sum + line.micros, 0)
  if (lines.length === overview.messages && micros === overview.micros) return overview
  const bars = fillBars(overview.bars, lines)
  return { ...overview, bars, ...sumOf(bars) }
}

const NO_LINES: readonly Line[] = []
const NO_FILTERS = { report: undefined, member: undefined }

const linesKey = ({ filter, slices }: FetchPlan, { session }: Overview): QueryKey => [
  'lines',
  session.organization.id,
  filter,
  slices.at(0)?.from,
  slices.at(-1)?.to,
]

type FetchedLines = { readonly lines: readonly Line[]; readonly isComplete: boolean }

/** Keyed by the bars' fingerprint: while the bars stay the same, so do the lines, and only a refresh fetches them again. */
const linesQuery = (plan: FetchPlan, overview: Overview, organization: string | undefined) => {
  const key = linesKey(plan, overview)
  return queryOptions({
    queryKey: [...key, 'whole', fingerprintOf(overview.bars)],
    staleTime: ({ state }: { readonly state: { readonly data?: FetchedLines | undefined } }) =>
      state.data?.isComplete === true ? Number.POSITIVE_INFINITY : 0,
    structuralSharing: false,
    queryFn: ({ signal, queryKey, client: queries }) => {
      const cached = queries.getQueriesData<FetchedLines>({ queryKey: [...key, 'whole'] })
      const isCached = cached.some(([, data]) => data?.isComplete === true)
      // Shows the first part only if no complete older lines can be shown instead.
      return fetchLines(plan, organization, { signal }, (lines) => {
        if (!isCached) queries.setQueryData<FetchedLines>(queryKey, { lines, isComplete: false })
      })
    },
  })
}

/** Fetches several slices at once, so that the service reads one while another is in transit. Shows the first page early. */
const fetchLines = async (
  { slices, filter }: FetchPlan,
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

/** The credits used in the previous period up to the same point, or for a range, in as many days before it. */
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
