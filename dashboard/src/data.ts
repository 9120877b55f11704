/** The queries to the service, and when each is refetched. */
import {
  hashKey,
  type InfiniteData,
  keepPreviousData,
  type QueryClient,
  type QueryKey,
  queryOptions,
  useInfiniteQuery,
  useQueries,
  useQuery,
  useQueryClient,
} from '@tanstack/react-query'
import {
  type Client,
  createClient,
  type Organization,
  type Period,
  type Session,
  type Totals,
  type UsageByRule,
} from 'copilot-credits-client'
import { useEffect, useMemo } from 'react'
import { type Earlier, isRunning } from './comparison.ts'
import { askFor, DIMENSIONS, type Dimension, isFilteredHere, isKept } from './dimensions.ts'
import { type BucketSize, count, nextDay, toMicros } from './format.ts'
import { useLineFilters } from './line-filters.ts'
import { compareNames, filterLines, sortLines } from './lines.ts'
import {
  type Bar,
  barsOf,
  bucketFor,
  type FetchPlan,
  indexAt,
  keepParts,
  type Line,
  lineOf,
  type Part,
  partsOfLines,
  planFetch,
  sumOf,
} from './usage.ts'
import type { SortColumn, SortEntry, View } from './view.ts'

export const client: Client = createClient()

/** Up to this many lines are fetched in full, then filtered and sorted here. The service sorts a longer list, and it loads page by page. */
const LINES_AT_ONCE = 100_000
const LINES_A_PAGE = 10_000
/** Enough to fill the table while the rest loads. */
const FIRST_LINES = 500
const PAGES_AT_ONCE = 3
const LIMITS = { linesMax: LINES_AT_ONCE, sliceMax: LINES_A_PAGE }
/** Five years. One more is fetched, so that the oldest can be compared with it. */
export const PERIODS_SHOWN = 60
const PERIODS_FETCHED = PERIODS_SHOWN + 1
const REFRESH_INTERVAL_MS = 60_000
/** How often a running period is asked whether it has changed: a message is to be seen within five seconds. */
const LIVE_INTERVAL_MS = 3000

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
  /** What it answers: the one shown, unless another is still loading. */
  readonly view: View
  readonly session: Session
  readonly from: number
  readonly to: number
  readonly bucket: BucketSize
  readonly timeZone: string
  /** Of the totals from which the bars are made. */
  readonly version: string
  /** What the filters keep, except for the bar that is chosen. */
  readonly bars: readonly Bar[]
  /** What the service has answered, before the page kept what matches the filters that the service does not know. */
  readonly fetched: readonly Bar[]
  readonly messages: number
  /** How many of them have no price. */
  readonly unpriced: number
  readonly micros: number
  /** Every member who sent a message in the range, whatever the filters. */
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

/** Split by as little as needed: one part per day, report and member can be very many. */
const splitsOf = (view: View): readonly Dimension[] => {
  const { splits } = askFor(view)
  return DIMENSIONS.filter(
    (dimension) => dimension === 'report' || dimension === view.group || splits.includes(dimension),
  )
}

const filtersOf = ({ report, anyReport, member, team, model, feature, outcome, unpriced, minCredits }: View) => ({
  ...{ report, anyReport, member, team, model, feature, outcome, unpriced, minCredits },
})

const overviewKey = (view: View): QueryKey => [
  'overview',
  view.organization,
  view.period,
  view.range,
  { splits: splitsOf(view), ...filtersOf(view) },
]

const overviewQuery = (view: View) => {
  const { period, range, organization } = view
  return queryOptions({
    queryKey: overviewKey(view),
    refetchInterval: ({ state: { data } }: { readonly state: { readonly data?: Overview | undefined } }) =>
      (period === 'current' && range === undefined) || (data !== undefined && isRunning(data))
        ? REFRESH_INTERVAL_MS
        : false,
    placeholderData: keepPreviousData,
    // Comparing long listings is slow, and their versions tell whether they differ.
    structuralSharing: false,
    queryFn: async ({ signal, queryKey, client: queries }) => {
      const overview = await fetchOverview(view, { signal })
      const { fetched, from, session, isListing } = overview
      forgetOtherOrganizations(queries, queryKey, session)
      const periods = queries.getQueryData<readonly Period[]>(['periods', organization])
      const isListed = periods?.some(({ start }) => Date.parse(start) === from) !== false
      if (period === 'current' && range === undefined && !isListing && !isListed) {
        queries.invalidateQueries({ queryKey: ['periods', organization] })
      }
      const isWhole = overview.lines === undefined && sumOf(fetched).messages <= LINES_AT_ONCE
      // The table will need the lines: fetch them now, before anything is rendered.
      if (isWhole && view.area === 'messages')
        queries.prefetchQuery(linesQuery(planLines(overview, undefined), overview))
      return overview
    },
  })
}

/**
 * The version of the totals: an answer of a few hundred bytes, or a 304 for the browser's cache. Not of an upstream's listing, as
 * asking for that makes the service ask the upstream.
 */
export const useVersion = (view: View, overview: Overview | undefined, isReachable: boolean) => {
  const { organization, period, range } = view
  return useQuery({
    // With an upstream, it depends on what is asked for.
    queryKey: ['version', organization, period, range, askFor(view).query],
    enabled: isReachable && overview !== undefined && overview.lines === undefined,
    // The first question comes an interval after the overview, which has its answer.
    staleTime: LIVE_INTERVAL_MS,
    ...(overview && { initialData: overview.version, initialDataUpdatedAt: overview.asOf }),
    refetchInterval: overview !== undefined && isRunning(overview) ? LIVE_INTERVAL_MS : REFRESH_INTERVAL_MS,
    queryFn: async ({ signal }): Promise<string> => {
      const query = { organization, ...askFor(view).query, ...rangeQueryOf(view), bucket: 'none' } as const
      return (await client.totals(query, { signal })).version
    },
  })
}

/** Beyond this, an operator goes to an organization by its address. */
export const ORGANIZATIONS_SHOWN = 1000

export const useOrganizations = (isOperator: boolean) =>
  useQuery({
    queryKey: ['organizations'],
    enabled: isOperator,
    queryFn: async ({ signal }) => {
      const organizations: Organization[] = []
      for await (const organization of client.organizations({ limit: ORGANIZATIONS_SHOWN }, { signal })) {
        organizations.push(organization)
        if (organizations.length === ORGANIZATIONS_SHOWN) break
      }
      return organizations.toSorted((one, other) => compareNames(one.name, other.name))
    },
  })

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

const fetchTotals = (view: View, bucket: BucketSize, call: Call): Promise<Totals> =>
  client.totals(
    {
      organization: view.organization,
      group_by: splitsOf(view).join(),
      ...askFor(view).query,
      ...rangeQueryOf(view),
      bucket,
      limit: 400,
    },
    call,
  )

const fetchOverview = async (view: View, call: Call): Promise<Overview> => {
  const { organization, range } = view
  const bucket = range === undefined ? 'day' : bucketFor(Date.parse(nextDay(range.to)) - Date.parse(range.from))
  // Requested together, because nearly every view needs all three.
  const [session, totals, members] = await Promise.all([
    client.session({ organization }, call),
    fetchTotals(view, bucket, call),
    valuesOf({ organization, ...rangeQueryOf(view) }, 'member', call),
  ])
  const isCurrent = view.period === 'current' && range === undefined
  if (session.source === 'upstream' && session.organization.id === 'default' && isCurrent) {
    return overviewOfListing(view, session, totals, call)
  }
  return {
    ...overviewOf(view, session, totals, bucket),
    members,
    lines: undefined,
    isListing: false,
    isStale: false,
    asOf: Date.now(),
  }
}

const overviewOf = (view: View, session: Session, totals: Totals, bucket: BucketSize) => {
  const fetched = barsOf(totals)
  const bars = keepParts(fetched, view, askFor(view).splits)
  return {
    view,
    session,
    from: bars.at(0)?.from ?? 0,
    to: bars.at(-1)?.to ?? 0,
    bucket,
    timeZone: totals.time_zone,
    version: totals.version,
    bars,
    fetched,
    ...sumOf(bars),
    ...upstreamDifferencesOf(totals),
  }
}

/** The upstream's listing is the current period, whatever the calendar says. All its lines are fetched. */
const overviewOfListing = async (view: View, session: Session, early: Totals, call: Call): Promise<Overview> => {
  const bucket = bucketFor(spanOf(early))
  const first = bucket === 'day' ? early : await fetchTotals(view, bucket, call)
  const { totals, lines } = await fetchAgreeing(
    first,
    () => fetchTotals(view, bucket, call),
    () => fetchLines([{ period: 'current' }], undefined, call),
  )
  const { listing } = totals
  const overview = overviewOf(view, session, totals, bucket)
  const now = Date.parse(session.time)
  return {
    ...overview,
    members: [...new Set(lines.flatMap(({ member }) => member ?? []))],
    lines,
    isListing: !(overview.from <= now && now < overview.to && overview.to - overview.from < PERIOD_MAX_MS),
    isStale: listing?.stale === true,
    asOf: listing === undefined ? Date.now() : Date.parse(listing.as_of),
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

/** The values of a dimension in a range. */
export const valuesOf = async (
  query: RangeQuery & { readonly organization: string | undefined },
  dimension: Dimension,
  call: Call,
): Promise<readonly string[]> => {
  const totals = await client.totals({ ...query, bucket: 'none', group_by: dimension }, call)
  return [...new Set(barsOf(totals)[0]?.parts.flatMap((part) => part[dimension] ?? []))]
}

export type Lines = {
  readonly lines: readonly Line[]
  /** Too many to fetch at once: the service has sorted them, and `fetchMore` loads the next page. */
  readonly isPaged: boolean
  /** How they are sorted, if the service has sorted them. */
  readonly sort: readonly SortEntry[]
  /** Until they arrive in another order. */
  readonly isReordering: boolean
  readonly isComplete: boolean
  readonly error: Error | null
  readonly retry: () => void
  readonly fetchMore: () => void
  /** Fetches every line that the filters need, however many. */
  readonly fetchAll: () => Promise<readonly Line[]>
}

/** The lines of the overview's range: all of them, or the pages loaded so far. */
export const useLines = (view: View, overview: Overview, chosen: Bar | undefined): Lines => {
  const { lines: own } = overview
  const { organization } = view
  const plan = useMemo(() => planLines(overview, chosen), [overview, chosen])
  const isPaged = own === undefined && plan.messages > LINES_AT_ONCE
  const key = linesKey(plan, overview)
  const rangeKey = key.slice(0, -1)
  const query = useMemo(() => linesQuery(plan, overview), [plan, overview])
  const whole = useQuery({
    ...query,
    enabled: own === undefined && !isPaged,
    // After a refresh, or with other filters, show the previous lines of the same organization and range until the new ones arrive.
    placeholderData: (before, query) =>
      JSON.stringify(query?.queryKey.slice(0, rangeKey.length)) === JSON.stringify(rangeKey) ? before : undefined,
  })
  const [sort, order] = serviceOrder(view.sort)
  const paged = useInfiniteQuery({
    // Never refetched automatically, so that the user keeps their place.
    queryKey: [...key, 'paged', order],
    staleTime: Number.POSITIVE_INFINITY,
    enabled: isPaged,
    structuralSharing: false,
    initialPageParam: undefined as string | undefined,
    queryFn: async ({ pageParam: cursor, signal }): Promise<LinesPage> => {
      const range = { from: plan.slices.at(0)?.from, to: plan.slices.at(-1)?.to }
      const limit = cursor === undefined ? FIRST_LINES : LINES_A_PAGE
      const query = { organization, ...plan.filter, ...range, order, limit, cursor }
      const page = await client.usagePage(query, { signal })
      return { lines: page.usage.map(lineOf), next: page.next_cursor }
    },
    getNextPageParam: ({ next }: LinesPage) => next,
    // The same lines in another order are better than none.
    placeholderData: (before: InfiniteData<LinesPage, string | undefined> | undefined, query) =>
      JSON.stringify(query?.queryKey.slice(0, key.length)) === JSON.stringify(key) ? before : undefined,
  })
  const { data: pages, hasNextPage, isFetching, isPlaceholderData, fetchNextPage } = paged
  const pagedLines = useMemo(() => pages?.pages.flatMap(({ lines }) => lines) ?? [], [pages])
  const lines = own ?? (isPaged ? pagedLines : whole.data?.lines)
  return {
    lines: lines ?? NO_LINES,
    isPaged,
    sort: isPaged ? sort : view.sort,
    isReordering: isPaged && isPlaceholderData,
    isComplete:
      own !== undefined ||
      (isPaged
        ? pages !== undefined && !hasNextPage && !isPlaceholderData
        : whole.data?.isComplete === true && !whole.isPlaceholderData),
    error: isPaged ? paged.error : whole.error,
    retry: () => {
      if (!isPaged) whole.refetch()
      else if (pages === undefined) paged.refetch()
      else fetchNextPage()
    },
    // A failed page is retried by the button, not at every scroll.
    fetchMore: () => {
      if (hasNextPage && !isFetching && !isPlaceholderData && !paged.isError) fetchNextPage()
    },
    fetchAll: () => fetchAllOf(plan, organization),
  }
}

type LinesPage = { readonly lines: readonly Line[]; readonly next: string | undefined }

/** The service sorts by one column, and not by the model. */
const serviceOrder = (sort: readonly SortEntry[]): readonly [readonly SortEntry[], Order] => {
  for (const entry of sort) {
    if (entry.id !== 'model') return [[entry], entry.desc ? `-${entry.id}` : entry.id]
  }
  return [[], '-time']
}

type Order = `${'' | '-'}${Exclude<SortColumn, 'model'>}`

/** How many messages are fetched for the short lists: the page keeps only some where the service cannot filter. */
const FIRST_FETCHED = 100

export type FirstOrder = '-time' | '-credits'

/**
 * The first lines by time or by credits that match the filters, of the overview's range or of the chosen bar; fetched again when the
 * totals change.
 */
export const useFirstLines = (overview: Overview, chosen: Bar | undefined, order: FirstOrder, isEnabled = true) => {
  const { view, lines: own, session, version } = overview
  const { filter } = planFetch(overview.fetched, view, chosen, { linesMax: 0, sliceMax: Number.POSITIVE_INFINITY })
  const kept: QueryKey = ['first', session.organization.id, rangeQueryOf(view), order]
  const query = useQuery<readonly Line[]>({
    queryKey: [...kept, rangeShown(overview, chosen), filter, filtersOf(view), version],
    enabled: isEnabled && own === undefined,
    placeholderData: keepPreviousOf(kept),
    staleTime: Number.POSITIVE_INFINITY,
    queryFn: async ({ signal }) => {
      const filters = { organization: view.organization, ...askFor(view).query, ...filter }
      const page = await client.usagePage(
        { ...filters, ...rangeShown(overview, chosen), order, limit: FIRST_FETCHED },
        { signal },
      )
      return page.usage.map(lineOf)
    },
  })
  const filters = useLineFilters(view)
  const lines = useMemo(() => {
    const fetched = own === undefined ? query.data : sortLines(own, order === '-time' ? [] : DEAREST_FIRST)
    return fetched && filterLines(fetched, { ...filters, search: undefined }, chosen)
  }, [own, query.data, order, filters, chosen])
  return { lines, error: query.error, retry: query.refetch }
}

const DEAREST_FIRST: readonly SortEntry[] = [{ id: 'credits', desc: true }]

/** Keeps what was shown until something newer arrives, but never what is of another organization, range, order or dimension. */
const keepPreviousOf =
  <T>(prefix: QueryKey) =>
  (before: T | undefined, query: { readonly queryKey: QueryKey } | undefined): T | undefined =>
    query !== undefined && hashKey(query.queryKey.slice(0, prefix.length)) === hashKey(prefix) ? before : undefined

/** The latest lines without a price among those that match the filters, and whether these are all; at most a page. */
export const useUnpriced = (overview: Overview) => {
  const { view, lines: own, session, version, unpriced } = overview
  const query = useQuery({
    queryKey: ['unpriced', session.organization.id, rangeQueryOf(view), filtersOf(view), version],
    enabled: own === undefined && unpriced > 0,
    placeholderData: keepPreviousData,
    staleTime: Number.POSITIVE_INFINITY,
    queryFn: async ({ signal }) => {
      const query = { organization: view.organization, ...askFor(view).query, ...rangeQueryOf(view) }
      const page = await client.usagePage(
        { ...query, unpriced: 'true', order: '-time', limit: LINES_A_PAGE },
        { signal },
      )
      return page.usage.map(lineOf)
    },
  })
  const lines = useMemo(
    () => (own ?? query.data)?.filter((line) => line.micros === undefined && isKept(line, view)),
    [own, query.data, view],
  )
  return {
    lines,
    isAll: lines?.length === unpriced,
    isPending: unpriced > 0 && lines === undefined && query.error === null,
  }
}

/** The rate cards of the catalogue, and those that the organization uses, used or will use. */
export const useRateCards = ({ organization: { id: organization } }: Session) =>
  useQuery({
    queryKey: ['rate-cards', organization],
    queryFn: async ({ signal }) => {
      const call = { signal }
      const [cards, uses] = await Promise.all([
        client.rateCards({ organization }, call),
        client.rateCardsInForce(organization, call),
      ])
      return { cards, uses: uses.in_force }
    },
  })

/** Every line of the range that matches the filters, for an export. */
export const fetchFiltered = async (
  view: View,
  overview: Overview,
  chosen: Bar | undefined,
): Promise<readonly Line[]> => {
  const lines = overview.lines ?? (await fetchAllOf(planLines(overview, chosen), view.organization))
  return filterLines(lines, view, chosen)
}

/** The bar that the view narrows everything but the chart to. */
export const chosenIn = ({ bars }: Overview, { bar }: View): Bar | undefined =>
  bar === undefined ? undefined : bars[indexAt(bars, Date.parse(bar))]

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

const NO_LINES: readonly Line[] = []

const linesKey = ({ filter, slices }: FetchPlan, { session }: Overview): QueryKey => [
  'lines',
  session.organization.id,
  slices.at(0)?.from,
  slices.at(-1)?.to,
  filter,
]

const planLines = ({ view, fetched }: Pick<Overview, 'view' | 'fetched'>, chosen: Bar | undefined): FetchPlan => {
  const { filter, ...plan } = planFetch(fetched, view, chosen, LIMITS)
  return { ...plan, filter: { ...askFor(view).query, ...filter } }
}

type KnownLines = { readonly lines: readonly Line[]; readonly isComplete: boolean }

/** Keyed by the version of the totals: as long as that is the same, so are the lines. */
const linesQuery = (plan: FetchPlan, overview: Overview) => {
  const { view } = overview
  const key = linesKey(plan, overview)
  return queryOptions({
    queryKey: [...key, 'whole', overview.version],
    staleTime: ({ state }: { readonly state: { readonly data?: KnownLines | undefined } }) =>
      state.data?.isComplete === true ? Number.POSITIVE_INFINITY : 0,
    structuralSharing: false,
    queryFn: async ({ signal, queryKey, client: queries }): Promise<KnownLines> => {
      const { organization } = view
      const all = queries.getQueryData<KnownLines>([
        ...linesKey({ ...plan, filter: {} }, overview),
        'whole',
        overview.version,
      ])
      if (all?.isComplete === true && isFilteredHere(view)) {
        return {
          lines: filterLines(all.lines, { ...view, search: undefined }, undefined),
          isComplete: true,
        }
      }
      const cached = queries.getQueriesData<KnownLines>({ queryKey: [...key, 'whole'] })
      const isCached = cached.some(([, data]) => data?.isComplete === true)
      // Shows the first part only if no complete older lines can be shown instead.
      const show = (lines: readonly Line[]): void => {
        if (!isCached) queries.setQueryData<KnownLines>(queryKey, { lines, isComplete: false })
      }
      const fetchPlanned = ({ slices, filter }: FetchPlan, since?: string): Promise<FetchedLines> => {
        const queries = slices.map((slice) => ({ organization, ...filter, ...slice }))
        return fetchLines(queries, since, { signal }, show)
      }
      // Of a part of the range, the version would differ from that of the totals.
      if (sumOf(overview.fetched).messages > LINES_AT_ONCE)
        return { lines: (await fetchPlanned(plan)).lines, isComplete: true }
      const { totals, lines, isAgreed } = await fetchAgreeing(
        overview,
        async () => newer(overview, await fetchTotals(view, overview.bucket, { signal })),
        (totals) => fetchPlanned(planLines(totals, undefined), totals.version),
      )
      if (totals === overview || !isAgreed) return { lines, isComplete: true }
      queries.setQueryData<KnownLines>([...key, 'whole', totals.version], { lines, isComplete: true })
      queries.setQueryData<Overview>(overviewKey(view), totals)
      queries.invalidateQueries({
        queryKey: overviewKey(view).slice(0, -1),
        predicate: ({ queryHash }) => queryHash !== hashKey(overviewKey(view)),
      })
      return { lines, isComplete: false }
    },
  })
}

const newer = (overview: Overview, totals: Totals): Overview => ({
  ...overview,
  ...overviewOf(overview.view, overview.session, totals, overview.bucket),
  asOf: Date.now(),
})

/**
 * Figures, bars and rows must show the same moment: fetches lines of the version of the totals. If usage changes meanwhile, the
 * older of the two is fetched again. Gives up if usage keeps changing faster than it can be fetched.
 */
const fetchAgreeing = async <T extends { readonly version: string }>(
  first: T,
  fetchNewer: () => Promise<T>,
  fetchLinesOf: (totals: T) => Promise<FetchedLines>,
): Promise<{ readonly totals: T; readonly lines: readonly Line[]; readonly isAgreed: boolean }> => {
  let totals = first
  for (let round = 1; ; round++) {
    const { lines, version } = await fetchLinesOf(totals)
    if (version !== totals.version && round < ROUNDS_MAX) totals = await fetchNewer()
    const isAgreed = version === totals.version
    if (isAgreed || round === ROUNDS_MAX) return { totals, lines, isAgreed }
  }
}

const ROUNDS_MAX = 3

type LinesQuery = RangeQuery & { readonly organization?: string | undefined }

/** `version` is that of all the lines; absent if usage changed while they were fetched. */
type FetchedLines = { readonly lines: readonly Line[]; readonly version: string | undefined }

/**
 * Fetches several slices at once, so that the service reads one while another is in transit. Shows the first page early. Slices
 * have versions of their own, so the lines are of the version `since` if the whole range still is in the end.
 */
const fetchLines = async (
  slices: readonly LinesQuery[],
  since: string | undefined,
  call: Call,
  show: (lines: readonly Line[]) => void = () => {},
): Promise<FetchedLines> => {
  const parts: (readonly Line[] | undefined)[] = slices.map(() => undefined)
  const versions = new Set<string | undefined>()
  let next = 0
  const work = async (): Promise<void> => {
    for (let at = next++; at < slices.length; at = next++) {
      const lines: Line[] = []
      let cursor: string | undefined
      do {
        const limit = at === 0 && cursor === undefined && slices.length > 1 ? FIRST_LINES : LINES_A_PAGE
        const page = await client.usagePage({ ...slices[at], limit, cursor }, call)
        for (const line of page.usage) lines.push(lineOf(line))
        if (slices.length === 1) versions.add(page.version)
        cursor = page.next_cursor
        if (at === 0 && cursor !== undefined) show([...lines])
      } while (cursor !== undefined)
      parts[at] = lines
    }
  }
  await Promise.all(Array.from({ length: Math.min(PAGES_AT_ONCE, slices.length) }, work))
  if (slices.length > 1 && since !== undefined) {
    versions.add(since)
    const whole = { ...slices[0], to: slices.at(-1)?.to }
    versions.add((await client.usagePage({ ...whole, limit: 1 }, call)).version)
  }
  const [version] = versions.size === 1 ? versions : []
  return { lines: parts.flatMap((part) => part ?? []), version }
}

/** The range of the overview, or that of the bar that is chosen. */
const rangeShown = ({ view }: Overview, chosen: Pick<Bar, 'from' | 'to'> | undefined): RangeQuery =>
  chosen === undefined ? rangeQueryOf(view) : { from: new Date(chosen.from).toJSON(), to: new Date(chosen.to).toJSON() }

/** What matches the filters in a range, as one bar, split by a dimension. `version` is that of the totals it must agree with. */
const sumQuery = (
  overview: Overview,
  range: RangeQuery,
  dimension: Dimension | undefined,
  version: string | undefined,
) => {
  const { view, session } = overview
  return queryOptions({
    queryKey: ['sum', session.organization.id, range, dimension, filtersOf(view), version],
    staleTime: version === undefined ? REFRESH_INTERVAL_MS : Number.POSITIVE_INFINITY,
    structuralSharing: false,
    queryFn: async ({ signal }) => {
      const { query, splits } = askFor(view)
      const groups = DIMENSIONS.filter((each) => each === dimension || splits.includes(each)).join()
      const totals = await client.totals(
        {
          ...{ organization: view.organization, ...query, ...range, bucket: 'none' },
          ...(groups !== '' && { group_by: groups }),
        },
        { signal },
      )
      return keepParts(barsOf(totals), view, splits)[0] ?? NO_BAR
    },
  })
}

const NO_BAR: Bar = { from: 0, to: 0, messages: 0, unpriced: 0, micros: 0, parts: [] }

export type Comparison = Readonly<Record<'isPending' | 'hasFailed', boolean>> & { readonly micros: number | undefined }

/** The credits used in an earlier range, by what matches the filters. */
export const useComparison = (overview: Overview, before: Earlier | undefined): Comparison => {
  const query = useQuery({
    ...sumQuery(overview, before ?? {}, undefined, undefined),
    enabled: before !== undefined,
  })
  return { micros: query.data?.micros, isPending: before !== undefined && query.isPending, hasFailed: query.isError }
}

/** The bars of an earlier range, by what matches the filters; undefined until they are known. */
export const useBarsBefore = (overview: Overview, before: Earlier | undefined) => {
  const { view, session, bucket } = overview
  const { data, isPending } = useQuery({
    queryKey: ['bars', session.organization.id, before, bucket, filtersOf(view)],
    enabled: before !== undefined,
    staleTime: REFRESH_INTERVAL_MS,
    structuralSharing: false,
    queryFn: async ({ signal }) => {
      const { query, splits } = askFor(view)
      const range = { organization: view.organization, ...query, ...before, bucket, limit: 400 }
      const totals = await client.totals(
        { ...range, ...(splits.length > 0 && { group_by: splits.join() }) },
        { signal },
      )
      return keepParts(barsOf(totals), view, splits)
    },
  })
  const isExpected = before !== undefined
  return { bars: isExpected ? data : undefined, isPending: isExpected && isPending }
}

/** The parts of a dimension now, and in the earlier range; undefined until they are known. */
export type Split = {
  readonly now: readonly Part[] | undefined
  readonly before: readonly Part[] | undefined
  /** Of `now` or `before`. */
  readonly isPending: boolean
  readonly error: Error | null
  readonly retry: () => void
}

export const useSplits = (
  overview: Overview,
  dimensions: readonly Dimension[],
  chosen: Bar | undefined,
  before: Earlier | undefined,
): readonly Split[] => {
  const own = useMemo(
    () => overview.lines && partsOfLines(filterLines(overview.lines, { ...overview.view, search: undefined }, chosen)),
    [overview, chosen],
  )
  const now = useQueries({
    queries: dimensions.map((dimension) => {
      const query = sumQuery(overview, rangeShown(overview, chosen), dimension, overview.version)
      // The key up to the dimension.
      return { ...query, enabled: own === undefined, placeholderData: keepPreviousOf<Bar>(query.queryKey.slice(0, 4)) }
    }),
  })
  useAgreement(overview, chosen, now[0]?.isPlaceholderData === false ? now[0].data : undefined)
  const earlier = useQueries({
    queries: dimensions.map((dimension) => ({
      ...sumQuery(overview, before ?? {}, dimension, undefined),
      enabled: before !== undefined,
    })),
  })
  return dimensions.map((_, at) => ({
    now: own ?? now[at]?.data?.parts,
    before: earlier[at]?.data?.parts,
    isPending:
      (own === undefined && now[at]?.isPending === true) || (before !== undefined && earlier[at]?.isPending === true),
    error: now[at]?.error ?? null,
    retry: () => now[at]?.refetch(),
  }))
}

/**
 * What the rules of the rate cards cost now, and in the earlier range; undefined until it is known. `isAskable` is false if the
 * service does not know the filters.
 */
export const useRules = (overview: Overview, chosen: Bar | undefined, before: Earlier | undefined) => {
  const { view, session, fetched, version } = overview
  const { query, splits } = askFor(view)
  const { filter } = planFetch(fetched, view, chosen, { linesMax: 0, sliceMax: 0 })
  const isAskable =
    !view.unpriced && !view.anyReport && splits.every((each) => each === 'report' && filter.report_id !== undefined)
  const isFew = sumOf(fetched).messages <= LINES_AT_ONCE
  const rulesQuery = (range: RangeQuery, since: string | undefined) => ({
    queryKey: ['rules', session.organization.id, range, filtersOf(view), since],
    staleTime: since === undefined ? REFRESH_INTERVAL_MS : Number.POSITIVE_INFINITY,
    placeholderData: keepPreviousOf<UsageByRule>(['rules', session.organization.id, range]),
    queryFn: ({ signal }: Call) =>
      client.usageByRule({ organization: view.organization, ...query, ...filter, ...range }, { signal }),
  })
  const now = useQuery({
    // The service explains every message again: of many, not each time that there is another.
    ...rulesQuery(rangeShown(overview, chosen), isFew ? version : undefined),
    enabled: isAskable,
    refetchInterval: !isFew && isRunning(overview) && REFRESH_INTERVAL_MS,
  })
  const earlier = useQuery({ ...rulesQuery(before ?? {}, undefined), enabled: isAskable && before !== undefined })
  return { isAskable, now: now.data, before: earlier.data, error: now.error, retry: now.refetch }
}

/** A message that arrives between the totals and a ranking makes them differ: the older of the two, the totals, are fetched again. */
const useAgreement = (overview: Overview, chosen: Bar | undefined, sum: Bar | undefined): void => {
  const queries = useQueryClient()
  const { messages, micros } = chosen ?? overview
  const isOlder = sum !== undefined && (sum.messages !== messages || sum.micros !== micros)
  useEffect(() => {
    if (!isOlder) return
    const wait = Math.max(overview.asOf + AGREE_INTERVAL_MS - Date.now(), 0)
    const timer = setTimeout(() => queries.invalidateQueries({ queryKey: overviewKey(overview.view) }), wait)
    return () => clearTimeout(timer)
  }, [isOlder, overview, queries])
}

/** A service that always has something new is not asked all the time. */
const AGREE_INTERVAL_MS = 1000

/** The line that costs most; undefined if it would take long to find. */
export const useDearest = (overview: Overview, chosen: Bar | undefined, isWanted: boolean) => {
  const isFew = sumOf(chosen === undefined ? overview.fetched : [chosen]).messages <= LINES_AT_ONCE
  const { lines, error } = useFirstLines(overview, chosen, '-credits', isWanted && isFew)
  return { line: lines?.[0], isPending: isWanted && isFew && lines === undefined && error === null }
}

export type Choices = Readonly<Record<Dimension, readonly string[]>>

/** The values of each dimension in the overview's range, whatever the filters. None until they are known. */
export const useChoices = (overview: Overview): Choices => {
  const { members, fetched } = overview
  const others = useQueries({ queries: valuesQueries(overview) })
  const [report, team = [], model = [], feature = [], outcome = []] = others.map(({ data }) => data)
  // Those that the filters keep are known already.
  const kept = useMemo(
    () => [...new Set(fetched.flatMap(({ parts }) => parts.flatMap((part) => part.report ?? [])))],
    [fetched],
  )
  return { report: report ?? kept, member: members, team, model, feature, outcome: outcome.length > 1 ? outcome : [] }
}

/** Until the choices are known, nor is how much room they need. */
export const useAreChoicesPending = (overview: Overview): boolean =>
  useQueries({ queries: valuesQueries(overview) }).some(({ isPending }) => isPending)

const valuesQueries = ({ view, session, ...overview }: Overview) =>
  SPLIT_LATER.map((dimension) => ({
    queryKey: ['values', session.organization.id, view.period, view.range, dimension],
    staleTime: REFRESH_INTERVAL_MS,
    refetchInterval: isRunning({ session, ...overview }) ? REFRESH_INTERVAL_MS : (false as const),
    queryFn: ({ signal }: Call) =>
      valuesOf({ organization: view.organization, ...rangeQueryOf(view) }, dimension, { signal }),
  }))

const SPLIT_LATER = DIMENSIONS.filter((dimension) => dimension !== 'member')

export const chargesQuery = (id: number | string, organization: string | undefined) =>
  queryOptions({
    queryKey: ['charges', organization, id],
    queryFn: ({ signal }) => client.charges(id, { organization }, { signal }),
  })

export const useCharges = (id: number | string, organization: string | undefined) =>
  useQuery(chargesQuery(id, organization))
