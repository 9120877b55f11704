/** Queries of one organization: its lines, totals, periods and charges, each as of a single moment. */
import { type BucketWidth, bucketsBetween } from '#calendar/buckets.ts'
import { dayAt, type UsageDay } from '#calendar/days.ts'
import { periodAt, periodBefore } from '#calendar/periods.ts'
import type { UsageSum } from '#current-period/listing.ts'
import type {
  DayTotal,
  GroupedCells,
  GroupedCharges,
  GroupTotal,
  Ledger,
  LedgerView,
  PageQuery,
  Range,
} from '#ledger/ledger.ts'
import { linePages } from '#ledger/line-pages.ts'
import { groupKey, isFilter } from '#model/cell.ts'
import type { ChargeFilter } from '#model/charge-filter.ts'
import { creditsSum } from '#model/credits.ts'
import { TIME_ORDER } from '#model/line-order.ts'
import type { BillingCalendar, BillingPeriod, EpochMs, Organization } from '#model/organization.ts'
import type { Id } from '#model/report.ts'
import type { RecordedLine } from '#model/usage-record.ts'
import { comparePage, LineTally } from './agreement.ts'
import {
  type CardOf,
  type CardsOf,
  type ExplainedCharge,
  type ExplainedLine,
  explainCharges,
  explainLine,
} from './explaining.ts'
import type { LongReadings } from './long-readings.ts'
import { type Known, type Versioned, versionOf } from './versions.ts'

export type PeriodTotals = BillingPeriod & UsageSum & Provenance

export type Bucket = Range &
  UsageSum & {
    /** If the query groups: one total for each combination of values that has usage. */
    readonly groups: readonly GroupTotal[]
  }

export type TotalsQuery = Range &
  GroupedCharges & {
    readonly width: BucketWidth
    readonly timeZone: string
    /** Start of this page of buckets, if it is not the first. */
    readonly start?: EpochMs
    /** Maximum number of buckets. */
    readonly limit: number
  }

/** Where an answer comes from, if there is an upstream. */
export type Provenance = {
  /** Present if the answer comes from the upstream's listing instead of the ledger. */
  readonly listing?: { readonly asOf: EpochMs; readonly isStale: boolean }
  /** What the ledger has and the upstream does not list. */
  readonly notListed?: UsageSum
  /** What the upstream has listed and the ledger has missed. */
  readonly notRecorded?: UsageSum
  /** Changes whenever any of this can change, except `asOf`, whichever cells are meant. */
  readonly state?: string
}

/** The part of it that belongs to a rendering of all usage. */
export type NotListed = Pick<Provenance, 'notListed'>

/** Finds it for a range, as of the moment of the view. */
export type FindProvenance = (view: LedgerView, query: Range & ChargeFilter) => Promise<Provenance>

export type Queries = ReturnType<typeof createQueries>

type Needs = {
  readonly ledger: Pick<Ledger, 'read'>
  readonly cardOf: CardOf
  readonly cardsOf: CardsOf
  readonly longReadings: LongReadings
  readonly provenanceOf?: FindProvenance
}

const NO_UPSTREAM: FindProvenance = async () => ({})

export type Asking = {
  /** Aborts the query, because the caller has left. */
  readonly signal?: AbortSignal
  /** Tells which version the caller already has: there is no answer then, and the lines and totals are not read. */
  readonly knows?: Known | undefined
}

export const createQueries = ({ ledger, cardOf, cardsOf, longReadings, provenanceOf = NO_UPSTREAM }: Needs) => {
  /** Answers about a range, with its version: that of its days, and of everything else that an answer depends on. */
  const answer = async <T extends object>(
    view: LedgerView,
    { calendar }: Organization,
    query: Range & ChargeFilter,
    { knows }: Asking,
    read: () => Promise<T>,
  ): Promise<Versioned<T & Provenance>> => {
    const { from, to } = query
    // A client that has no answer yet does not wait for the version first.
    const [provenance, days, unconditional] = await allOf([
      provenanceOf(view, query),
      view.version({ from: dayAt(calendar, from).start, to }),
      knows === undefined ? read() : undefined,
    ])
    const version = versionOfRange(calendar, query, days, provenance)
    if (knows?.(version)) return { version }
    return { version, answer: { ...(unconditional ?? (await read())), ...provenance } }
  }

  /**
   * All lines of a range as of the moment of the view, page by page. Throws StoreError at the end if they do not add up to the
   * totals.
   */
  async function* pages(
    view: LedgerView,
    { calendar }: Organization,
    range: Range,
  ): AsyncGenerator<readonly RecordedLine[]> {
    const tally = new LineTally(calendar, range)
    for await (const page of linePages(view, range)) {
      tally.add(page)
      yield page
    }
    await tally.compare(view)
  }

  /** One page, and whether more follow. */
  const page = async (
    organization: Organization,
    query: PageQuery,
    asking: Asking = {},
  ): Promise<Versioned<Provenance & { readonly lines: readonly ExplainedLine[]; readonly hasMore: boolean }>> => {
    const { id, calendar } = organization
    const { from, to, after, order = TIME_ORDER } = query
    /** Whether lines are searched for, which takes as long as there are lines to look at. */
    const isSearch = query.unpriced === true || query.minCredits !== undefined || isFilter(query) || order.by !== 'time'
    const read = async (view: LedgerView) => {
      const found = await view.page({ ...query, limit: query.limit + 1 })
      const [lines, hasMore] = [found.slice(0, query.limit), found.length > query.limit]
      await comparePage(view, calendar, query, lines, hasMore)
      return { lines, hasMore }
    }
    const isForward = order.by === 'time' && !order.isDescending
    const left = { from: isForward ? (after?.at ?? from) : from, to }
    const { version, answer: found } = await ledger.read(
      id,
      (view) =>
        answer(view, organization, query, asking, () =>
          isSearch ? longReadings.during(view, calendar, left, () => read(view)) : read(view),
        ),
      asking,
    )
    if (found === undefined) return { version }
    // After the reading, because cards are read on a connection of their own.
    const lines = await Promise.all(found.lines.map((line) => explainLine(line, cardOf)))
    return { version, answer: { ...found, lines } }
  }

  /** The buckets of a range, ascending, and the start of the next page if there are more. */
  const totals = async (
    organization: Organization,
    query: TotalsQuery,
    asking: Asking = {},
  ): Promise<Versioned<Provenance & { readonly buckets: readonly Bucket[]; readonly next: EpochMs | undefined }>> => {
    // Checked before any bucket is made: many of the waiting callers may have left.
    asking.signal?.throwIfAborted()
    const { from, to, start: first = from, width, timeZone, limit, ...which } = query
    const ranges: Range[] = []
    let next: EpochMs | undefined
    for (const { start, end } of bucketsBetween({ from: first, to, width, timeZone })) {
      if (ranges.length === limit) {
        next = start
        break
      }
      ranges.push({ from: start, to: end })
    }
    const read = async (view: LedgerView) => {
      const buckets = await totalsOf(view, organization, ranges, which, longReadings)
      return { buckets, next }
    }
    return ledger.read(organization.id, (view) => answer(view, organization, query, asking, () => read(view)), asking)
  }

  /** Periods, latest first: from the newest one, or the one before `before`, back to the one of the first message. */
  const periods = async (
    { id, calendar }: Organization,
    { time, before, limit }: { readonly time: EpochMs; readonly before?: EpochMs | undefined; readonly limit: number },
    { signal, knows }: Asking = {},
  ): Promise<Versioned<{ readonly periods: readonly PeriodTotals[]; readonly hasMore: boolean }>> => {
    const read = async (view: LedgerView) => {
      const span = await view.span()
      const newest = periodAt(calendar, Math.max(time, span?.last ?? time))
      const isAfterAll = before === undefined || before > newest.start
      let period = isAfterAll ? newest : periodBefore(calendar, periodAt(calendar, before))
      const found: BillingPeriod[] = []
      const oldest = Math.min(span?.first ?? time, time)
      while (period.end > oldest && found.length < limit) {
        found.push(period)
        period = periodBefore(calendar, period)
      }
      const hasMore = period.end > oldest
      const [provenances, days, unconditional] = await allOf([
        Promise.all(found.map(({ start, end }) => provenanceOf(view, { from: start, to: end }))),
        view.version(spanOf(found)),
        knows === undefined ? usageOf(view, found) : undefined,
      ])
      const entries = entriesBefore(calendar, spanOf(found).to)
      const version = versionOf([entries, found, hasMore, days, provenances.map(({ state }) => state)])
      if (knows?.(version)) return { version }
      const usage = unconditional ?? (await usageOf(view, found))
      const periods = usage.map((each, index) => ({ ...each, ...provenances[index] }))
      return { version, answer: { periods, hasMore } }
    }
    return ledger.read(id, read, { signal })
  }

  /** The totals of a period, or of several consecutive ones together. */
  const period = async (
    organization: Organization,
    range: Range,
    asking: Asking = {},
  ): Promise<Versioned<PeriodTotals>> => {
    const read = async (view: LedgerView) => {
      const [found] = await usageOf(view, [{ start: range.from, end: range.to }])
      if (found === undefined) throw new Error('no totals were computed for the period')
      return found
    }
    return ledger.read(organization.id, (view) => answer(view, organization, range, asking, () => read(view)), asking)
  }

  /** Every charge of a message, the current one first. */
  const charges = async ({ id }: Organization, messageId: Id): Promise<readonly ExplainedCharge[]> => {
    const stored = await ledger.read(id, (view) => view.charges(messageId))
    return stored.length === 0 ? [] : explainCharges(stored, await cardsOf(id), cardOf)
  }

  return { read: ledger.read, pages, page, totals, periods, period, charges }
}

/** Waits for all of them even if one fails: a view must not be used once its reading has ended. */
const allOf = async <T extends readonly unknown[]>(
  promises: T,
): Promise<{ -readonly [I in keyof T]: Awaited<T[I]> }> => {
  await Promise.allSettled(promises)
  return Promise.all(promises)
}

/** Periods begin and end with days, so the stored totals of days suffice and no record is read. */
const usageOf = async (view: LedgerView, periods: readonly BillingPeriod[]): Promise<readonly PeriodTotals[]> => {
  const days = await view.dayTotals({ ...spanOf(periods), group: [] })
  return periods.map((period) => {
    const own = days.filter(({ dayStart }) => dayStart >= period.start && dayStart < period.end)
    return { ...period, ...sumOf(own) }
  })
}

/** `days` is the version of the days that the range touches. */
export const versionOfRange = (
  calendar: BillingCalendar,
  { from, to }: Range,
  days: number,
  { state }: Provenance,
): string => versionOf([entriesBefore(calendar, to), from, to, days, state])

/** The part of a calendar that decides what a range has before its end. */
const entriesBefore = (calendar: BillingCalendar, to: EpochMs) =>
  calendar.filter(({ effectiveFrom }) => effectiveFrom < to)

/** Periods come latest first. */
const spanOf = (periods: readonly BillingPeriod[]): Range => ({
  from: periods.at(-1)?.start ?? 0,
  to: periods.at(0)?.end ?? 0,
})

/**
 * Whole days come from the stored totals, the remaining edges of a bucket from its records. Buckets that follow the
 * organization's own days read totals only; others also read the records of the days that they cut. Which charges have at least
 * so many credits, only the records tell.
 */
const totalsOf = async (
  view: LedgerView,
  { calendar }: Organization,
  buckets: readonly Range[],
  which: GroupedCharges,
  longReadings: LongReadings,
): Promise<readonly Bucket[]> => {
  const dayOf = createDayCache(calendar)
  const isOfRecords = which.minCredits !== undefined
  const piecesOfEach = buckets.map((bucket) =>
    isOfRecords ? [{ ...bucket, isWhole: false }] : piecesOf(bucket, dayOf),
  )
  const pieces = piecesOfEach.flat()
  const cuts = pieces.filter(({ isWhole }) => !isWhole)
  const [first, last] = [cuts.at(0), cuts.at(-1)]
  const totals = new Map<Piece, readonly GroupTotal[]>([
    ...(await wholeTotals(
      view,
      pieces.filter(({ isWhole }) => isWhole),
      which,
    )),
    ...(first === undefined || last === undefined
      ? []
      : await longReadings.during(view, calendar, { from: first.from, to: last.to }, () =>
          cutTotals(view, cuts, which),
        )),
  ])
  return buckets.map(({ from, to }, index) => {
    const own = piecesOfEach[index]?.flatMap((piece) => totals.get(piece) ?? []) ?? []
    return { from, to, ...sumOf(own), groups: which.group.length === 0 ? [] : mergeGroups(own, which.group) }
  })
}

/** A part of a bucket: whole days, or what it has of a day. */
type Piece = Range & { readonly isWhole: boolean }

const piecesOf = ({ from, to }: Range, dayOf: (at: EpochMs) => UsageDay): readonly Piece[] => {
  const first = dayOf(from)
  const start = first.start === from ? from : first.end
  const end = dayOf(to).start
  if (start >= end) return [{ from, to, isWhole: false }]
  const pieces = [
    { from, to: start, isWhole: false },
    { from: start, to: end, isWhole: true },
    { from: end, to, isWhole: false },
  ]
  return pieces.filter((piece) => piece.from < piece.to)
}

type PieceTotals = readonly (readonly [Piece, readonly GroupTotal[]])[]

const wholeTotals = async (view: LedgerView, pieces: readonly Piece[], which: GroupedCells): Promise<PieceTotals> => {
  const [first, ...others] = pieces
  const last = others.at(-1)
  if (first === undefined) return []
  // A single piece needs no totals of days: of whole periods, the ledger has them added up.
  if (last === undefined) return [[first, await view.totals({ ...which, from: first.from, to: first.to })]]
  const days = await view.dayTotals({ ...which, from: first.from, to: last.to })
  let next = 0
  return pieces.map((piece) => {
    const own: GroupTotal[] = []
    for (; next < days.length; next++) {
      const { dayStart, ...total } = days[next] as DayTotal
      if (dayStart >= piece.to) break
      if (dayStart >= piece.from) own.push(total)
    }
    return [piece, own]
  })
}

const cutTotals = async (view: LedgerView, cuts: readonly Piece[], which: GroupedCharges): Promise<PieceTotals> => {
  const totals = Map.groupBy(await view.rangeTotals({ ...which, ranges: cuts }), ({ range }) => range)
  return cuts.map((piece, index) => [piece, (totals.get(index) ?? []).map(({ range, ...total }) => total)])
}

/** Caches the latest day: many buckets lie within one, and finding it takes a time zone lookup. */
const createDayCache = (calendar: Organization['calendar']): ((at: EpochMs) => UsageDay) => {
  let latest: UsageDay = { start: 0, end: 0 }
  return (at) => {
    if (at < latest.start || at >= latest.end) latest = dayAt(calendar, at)
    return latest
  }
}

const sumOf = (totals: readonly GroupTotal[]): UsageSum => ({
  messages: totals.reduce((sum, { messages }) => sum + messages, 0),
  unpriced: totals.reduce((sum, { unpriced }) => sum + unpriced, 0),
  credits: creditsSum(totals.reduce((sum, { credits }) => sum + credits, 0n)),
})

const mergeGroups = (totals: readonly GroupTotal[], group: GroupedCharges['group']): readonly GroupTotal[] => {
  const byKey = Map.groupBy(totals, (total) => groupKey(total, group))
  return [...byKey.values()].map((same) => ({ ...same.at(-1), ...sumOf(same) }))
}
