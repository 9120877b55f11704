/** The current period, from the Copilot service, from files or from the bundled sample. */
import { randomBytes } from 'node:crypto'
import type { Config } from '#config.ts'
import type { CopilotService, ListingObserver, Progress } from '#current-period/copilot-service.ts'
import type { Listing } from '#current-period/listing.ts'
import { createListingCache, type ListingCache } from '#current-period/listing-cache.ts'
import type { ListingCards } from '#current-period/listing-cards.ts'
import { STANDARD_ONLY } from '#intake/compiled-cards.ts'
import { createContentDigest } from '#intake/content-digest.ts'
import { reasonIn } from '#intake/intake.ts'
import { createPricer, type Pricer } from '#intake/pricing.ts'
import type { MonotonicClock } from '#model/clock.ts'
import type { Priced, ReasonOf } from '#model/usage-record.ts'
import { createFileSource, type PeriodFiles } from '#upstream/file-source.ts'
import type { CallAttempt } from '#upstream/http-client.ts'
import { periodBeforeSample, samplePeriod } from '#upstream/sample/sample.ts'
import { createUpstream } from '#upstream/upstream.ts'

export type CopilotNeeds = {
  readonly config: Config
  /** A period from files instead of the upstream. */
  readonly files?: PeriodFiles | undefined
  readonly observeCall: (attempt: CallAttempt) => void
  readonly now: MonotonicClock
}

export type ListingNeeds<T> = CopilotNeeds & {
  readonly progress?: Progress
  readonly render: (lines: Iterable<Priced>) => Promise<T>
  readonly observer: ListingObserver
}

/** Without a database. */
export const openListing = <T>(
  needs: ListingNeeds<T>,
): { readonly listing: ListingCache<T>; readonly reasonOf: ReasonOf; readonly close: () => Promise<void> } => {
  const copilot = createCopilot(needs)
  // Digests are compared only within this process, so any key will do.
  const pricer = pricerOf(randomBytes(32).toString('hex'))
  return {
    listing: listingCacheOf(needs, { copilot, pricer, cards: async () => ({ cards: STANDARD_ONLY }) }),
    reasonOf: (unpriced) => reasonIn(unpriced, STANDARD_ONLY),
    close: () => copilot.close(),
  }
}

/** The period before the bundled sample. It is in no metric. */
export const createSampleBefore = <T>(needs: ListingNeeds<T>, pricer: Pricer): (() => Promise<Listing>) => {
  const observer: ListingObserver = { refreshed: () => {}, served: () => {} }
  const copilot = createFileSource(periodBeforeSample)
  const cache = listingCacheOf(
    { ...needs, observer },
    { copilot, pricer, cards: async () => ({ cards: STANDARD_ONLY }) },
  )
  return async () => (await cache.read()).listing
}

export const createCopilot = ({ config, files, observeCall, now }: CopilotNeeds): CopilotService => {
  const { upstreamUrl } = config
  if (files !== undefined || upstreamUrl === undefined) return createFileSource(files ?? samplePeriod)
  return createUpstream({
    baseUrl: upstreamUrl,
    attemptTimeoutMs: config.upstreamAttemptTimeoutMs,
    attemptsMax: config.upstreamAttempts,
    bytesMax: config.upstreamMaxBytes,
    concurrency: config.upstreamConcurrency,
    reportTtlMs: config.reportTtlMs,
    missingTtlMs: config.reportMissingTtlMs,
    now,
    random: Math.random,
    observe: observeCall,
  })
}

export const pricerOf = (contentKey: string): Pricer => createPricer(createContentDigest(contentKey))

export type ListingParts = {
  readonly copilot: CopilotService
  readonly pricer: Pricer
  readonly cards: () => Promise<ListingCards>
  readonly seen?: ((listing: Listing) => void) | undefined
}

export const listingCacheOf = <T>(
  { config, render, observer, now, progress }: ListingNeeds<T>,
  { copilot, pricer, cards, seen }: ListingParts,
): ListingCache<T> =>
  createListingCache({
    copilot,
    pricer,
    cards,
    render,
    observer,
    now,
    maxAgeMs: config.upstreamMaxAgeMs,
    staleLimitMs: config.upstreamStaleLimitMs,
    timeoutMs: config.upstreamTimeoutMs,
    ...(progress && { progress }),
    ...(seen && { seen }),
  })
