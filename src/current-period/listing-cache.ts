/**
 * Keeps the upstream's listing of the current period fresh and ready to send.
 *
 * A read returns the cached listing if it is younger than `maxAgeMs`. Otherwise it waits for a refresh, which all concurrent
 * reads share. If the refresh fails, reads return the last good listing, marked as stale, for up to `staleLimitMs` after the
 * upstream last confirmed it; after that they throw the error. A listing priced by rate cards that the store did not confirm is
 * marked too, and returned for as long after they were read. The cache holds what `render` made of the lines, in the form in
 * which it is sent, and the charges, from which every other query of the listing is answered.
 */
import { setImmediate as letOthersRun } from 'node:timers/promises'
import type { Pricer } from '#intake/pricing.ts'
import { elapsedMs, laterBy, type MonotonicClock, type MonotonicMs } from '#model/clock.ts'
import type { Id, Report } from '#model/report.ts'
import type { Priced } from '#model/usage-record.ts'
import type {
  CopilotService,
  Deadline,
  Freshness,
  ListingObserver,
  Progress,
  ReportLookup,
  Validators,
} from './copilot-service.ts'
import { createListing, type Listing } from './listing.ts'
import { createListingBuilder, type ListingBuilder } from './listing-builder.ts'
import type { ListingCards } from './listing-cards.ts'
import type { RenderedUsage } from './rendered-usage.ts'

/** Rendered usage, and the listing that it was rendered from. */
export type CachedListing<T> = RenderedUsage<T> & { readonly listing: Listing }

export type ListingCache<T> = {
  /** The cached listing if it is young enough. Never asks the upstream. */
  readonly peek: () => CachedListing<T> | undefined
  /** Throws the upstream's error if no listing may be served. */
  readonly read: () => Promise<CachedListing<T>>
  /**
   * Resolves to the listing once it is as young as `read` requires. With `refetch`, resolves once the upstream has confirmed, after
   * this call, the listing and every report in it. Never throws. If the upstream fails, resolves to the last good listing if that
   * may still be served; with `refetch`, to undefined. While the upstream keeps failing, callers do not wait for it.
   */
  readonly catchUp: (how?: Freshness) => Promise<Listing | undefined>
  /** Whether a read would succeed now. Asks the upstream if necessary. */
  readonly isReady: () => Promise<boolean>
}

export type ListingCacheNeeds<T> = {
  readonly copilot: CopilotService
  readonly pricer: Pricer
  /** The rate cards in force. Throws StoreError if they are not known. */
  readonly cards: () => Promise<ListingCards>
  /** Renders the lines into what is cached and served. Reads them once, in order, and may let other work run in between. */
  readonly render: (lines: Iterable<Priced>) => Promise<T>
  readonly observer: ListingObserver
  readonly now: MonotonicClock
  readonly maxAgeMs: number
  readonly staleLimitMs: number
  /** Time limit for a whole refresh. */
  readonly timeoutMs: number
  readonly progress?: Progress
  /** Called whenever the upstream has confirmed a listing, as soon as that listing can be served. */
  readonly seen?: (listing: Listing) => void
}

export const createListingCache = <T>(needs: ListingCacheNeeds<T>): ListingCache<T> => {
  const { observer, now, maxAgeMs, staleLimitMs, timeoutMs } = needs
  let cached: CacheEntry<T> | undefined
  let refreshing: Promise<CacheEntry<T>> | undefined
  let failed: { readonly since: MonotonicMs; readonly error: unknown } | undefined

  const refresh = async (how: Freshness): Promise<CacheEntry<T>> => {
    const started = now()
    try {
      const next = await bringUpToDate(needs, cached, laterBy(started, timeoutMs), how)
      const outcome = next.usage === cached?.usage ? 'unchanged' : 'changed'
      cached = next
      failed = undefined
      const { listing, duplicates } = next
      needs.seen?.(listing)
      observer.refreshed({
        outcome,
        durationMs: elapsedMs(started, now()),
        messages: listing.byId.size,
        duplicates,
      })
      return next
    } catch (error) {
      failed = { since: now(), error }
      observer.refreshed({
        outcome: 'failed',
        durationMs: elapsedMs(started, now()),
        messages: 0,
        duplicates: [],
        error,
      })
      throw error
    } finally {
      refreshing = undefined
    }
  }

  const shareRefresh = (how: Freshness = CACHE_ALLOWED): Promise<CacheEntry<T>> => {
    refreshing ??= refresh(how)
    return refreshing
  }

  const isWithin = (since: MonotonicMs | undefined): boolean =>
    since === undefined || elapsedMs(since, now()) <= staleLimitMs

  const isFresh = ({ lastConfirmed, cardsStaleSince }: CacheEntry<T>): boolean =>
    elapsedMs(lastConfirmed, now()) < maxAgeMs && isWithin(cardsStaleSince)

  /** Whether it may be served although the upstream fails. */
  const mayServe = ({ lastConfirmed, cardsStaleSince }: CacheEntry<T>): boolean =>
    isWithin(lastConfirmed) && isWithin(cardsStaleSince)

  const serve = (entry: CacheEntry<T>, from: RenderedUsage<T>['from']): CachedListing<T> => {
    const served = toCachedListing(entry, from)
    observer.served(served.from)
    return served
  }

  const peek = (): CachedListing<T> | undefined =>
    cached !== undefined && isFresh(cached) ? serve(cached, 'memory') : undefined

  /** A failure is cached as long as a listing, but at most for a second, so that readers soon notice a recovery. */
  const hasJustFailed = (): boolean =>
    failed !== undefined &&
    refreshing === undefined &&
    elapsedMs(failed.since, now()) < Math.min(maxAgeMs, FAILURE_CACHED_MS)

  /** The last good listing if it may still be served. Throws the error otherwise. */
  const fallBack = (error: unknown): CachedListing<T> => {
    if (cached === undefined || !mayServe(cached)) {
      observer.served('none')
      throw error
    }
    return serve(cached, 'stale')
  }

  const read = async (): Promise<CachedListing<T>> => {
    const fresh = peek()
    if (fresh !== undefined) return fresh
    if (hasJustFailed()) return fallBack(failed?.error)
    try {
      return serve(await shareRefresh(), 'refresh')
    } catch (error) {
      return fallBack(error)
    }
  }

  const catchUp: ListingCache<T>['catchUp'] = async (how = CACHE_ALLOWED) => {
    const { refetch } = how
    const started = now()
    if (refetch) await refreshing?.catch(() => {})
    if (refetch || !((cached !== undefined && isFresh(cached)) || hasJustFailed())) {
      const refreshed = shareRefresh(how).catch(() => {})
      if (failed === undefined) await refreshed
    }
    if (cached === undefined || !(isFresh(cached) || mayServe(cached))) return undefined
    return refetch && cached.lastConfirmed < started ? undefined : cached.listing
  }

  const isReady = async (): Promise<boolean> => {
    if (cached !== undefined && (isFresh(cached) || mayServe(cached))) return true
    if (hasJustFailed()) return false
    return shareRefresh().then(
      () => true,
      () => false,
    )
  }

  return { peek, read, catchUp, isReady }
}

/** Its prices were confirmed when the cards were read, which can be longer ago than the listing. */
const toCachedListing = <T>(
  { usage, listing, lastConfirmed, cardsStaleSince: since }: CacheEntry<T>,
  from: RenderedUsage<T>['from'],
): CachedListing<T> =>
  since === undefined
    ? { usage, listing, lastConfirmed, from }
    : { usage, listing, lastConfirmed: since < lastConfirmed ? since : lastConfirmed, from: 'stale' }

const FAILURE_CACHED_MS = 1000
const CACHE_ALLOWED: Freshness = { refetch: false }

/** A cached listing, and what is needed to find out whether it is still current. */
type CacheEntry<T> = {
  readonly usage: T
  readonly lastConfirmed: MonotonicMs
  readonly validators: Validators | undefined
  /** What the catalogue returned for each report in the listing. */
  readonly reports: ReadonlyMap<Id, Report | undefined>
  readonly listing: Listing
  readonly duplicates: readonly Id[]
  /** The version of the rate cards that priced it. */
  readonly cards: number
  /** When they were read, if the store did not answer at the last refresh. */
  readonly cardsStaleSince: MonotonicMs | undefined
}

const bringUpToDate = async <T>(
  needs: ListingCacheNeeds<T>,
  cached: CacheEntry<T> | undefined,
  deadline: Deadline,
  how: Freshness,
): Promise<CacheEntry<T>> => {
  const inForce = await needs.cards()
  if (cached?.validators !== undefined && cached.cards === inForce.cards.version) {
    const fetched = await fetchListing(needs, inForce, cached, cached.validators, deadline, how)
    if (fetched !== 'unchanged') return renderListing(needs, cached, fetched)
    const lastConfirmed = needs.now()
    const reports = await lookUpAll(needs.copilot, cached.reports.keys(), deadline, how)
    if (await areSame(reports, cached.reports)) return { ...cached, lastConfirmed, cardsStaleSince: inForce.staleSince }
  }
  // Nothing is cached to compare with, or a report or a rate card has changed although the listing has not.
  const fetched = await fetchListing(needs, inForce, cached, undefined, deadline, how)
  if (fetched === 'unchanged') throw new Error('the upstream answered "unchanged" to an unconditional request')
  return renderListing(needs, cached, fetched)
}

type Fetched = {
  readonly cards: number
  readonly cardsStaleSince: MonotonicMs | undefined
  readonly builder: ListingBuilder
  readonly reports: ReadonlyMap<Id, Report | undefined>
  readonly validators: Validators | undefined
  readonly lastConfirmed: MonotonicMs
}

const fetchListing = async <T>(
  { copilot, pricer, now, progress }: ListingCacheNeeds<T>,
  { cards, staleSince }: ListingCards,
  cached: CacheEntry<T> | undefined,
  since: Validators | undefined,
  deadline: Deadline,
  how: Freshness,
): Promise<Fetched | 'unchanged'> => {
  let latest: ReportLookup | undefined
  // Each attempt has its own lookup: a report named only in a failed attempt must not matter.
  const start = () => {
    latest?.cancel()
    const lookup = copilot.lookUpReports(deadline, how)
    latest = lookup
    const builder = createListingBuilder({ pricer, cards, wantReport: lookup.want, before: cached?.listing.byId })
    return { take: builder.take, finish: () => ({ builder, lookup }) }
  }
  const listing = await copilot.list({ start, since, deadline, ...(progress && { progress }) }).catch((error) => {
    latest?.cancel()
    throw error
  })
  if (listing === 'unchanged') return 'unchanged'
  const lastConfirmed = now()
  const { builder, lookup } = listing.value
  const reports = await lookup.reports()
  const { validators } = listing
  return { cards: cards.version, cardsStaleSince: staleSince, builder, reports, validators, lastConfirmed }
}

const renderListing = async <T>(
  { render }: ListingCacheNeeds<T>,
  cached: CacheEntry<T> | undefined,
  { cards, cardsStaleSince, builder, reports, validators, lastConfirmed }: Fetched,
): Promise<CacheEntry<T>> => {
  const byId = await builder.charges(reports)
  // An upstream without validators sends the same listing again: what was rendered and derived from it stays valid.
  if (cached !== undefined && areSameCharges(cached.listing.byId, byId))
    return { ...cached, cards, cardsStaleSince, lastConfirmed, validators, reports }
  const usage = await render(byId.values())
  const listing = createListing(byId)
  return { usage, cards, cardsStaleSince, lastConfirmed, validators, reports, listing, duplicates: builder.duplicates }
}

/** The same objects in the same order: the builder reuses those that have not changed. */
const areSameCharges = (some: ReadonlyMap<Id, Priced>, others: ReadonlyMap<Id, Priced>): boolean => {
  if (some.size !== others.size) return false
  const rest = others.values()
  for (const charge of some.values()) if (rest.next().value !== charge) return false
  return true
}

const lookUpAll = async (
  copilot: CopilotService,
  ids: Iterable<Id>,
  deadline: Deadline,
  how: Freshness,
): Promise<ReadonlyMap<Id, Report | undefined>> => {
  const lookup = copilot.lookUpReports(deadline, how)
  let count = 0
  for (const id of ids) {
    lookup.want(id)
    if (++count % REPORTS_PER_TURN === 0) await letOthersRun()
  }
  return lookup.reports()
}

const REPORTS_PER_TURN = 5000

const areSame = async (
  one: ReadonlyMap<Id, Report | undefined>,
  other: ReadonlyMap<Id, Report | undefined>,
): Promise<boolean> => {
  let count = 0
  for (const [id, report] of one) {
    if (++count % REPORTS_PER_TURN === 0) await letOthersRun()
    const before = other.get(id)
    if (report?.name !== before?.name || report?.creditCost !== before?.creditCost) return false
  }
  return one.size === other.size
}
