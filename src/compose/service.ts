/** The service: the store, the listing, and what answers from both. */
import { hkdfSync } from 'node:crypto'
import { createUsageOfOrganizations, type UsageOfOrganizations } from '#answering/organization-usage.ts'
import { createReadings, type Readings } from '#answering/readings.ts'
import type { RenderingObserver } from '#answering/renderings.ts'
import type { Config } from '#config.ts'
import type { Listing, UsageSum } from '#current-period/listing.ts'
import type { ListingCache } from '#current-period/listing-cache.ts'
import { createListingCards } from '#current-period/listing-cards.ts'
import { createUpstreamRecorder, type UpstreamRecorderNeeds } from '#current-period/upstream-recorder.ts'
import { type Access, createAccess } from '#identity/access.ts'
import { createHostCheck } from '#identity/host-names.ts'
import type { Organizations } from '#identity/organizations.ts'
import { createBackgroundRepricing, type RepricingOutcome } from '#intake/background-repricing.ts'
import type { CardUses } from '#intake/card-uses.ts'
import { STANDARD_ONLY } from '#intake/compiled-cards.ts'
import type { Intake } from '#intake/intake.ts'
import type { OwnReports } from '#intake/own-reports.ts'
import type { Quotes } from '#intake/quotes.ts'
import type { Repricing } from '#intake/repricing.ts'
import type { Senders } from '#intake/senders.ts'
import type { StoredCards } from '#intake/stored-cards.ts'
import type { Ledger } from '#ledger/ledger.ts'
import { DEFAULT_ORGANIZATION } from '#model/organization.ts'
import type { UsageLine } from '#model/usage-line.ts'
import type { Reconciliations } from '#reconciling/reconciliations.ts'
import type { Simulations } from '#simulating/simulations.ts'
import { createStoreCheck } from '#store/store-check.ts'
import { createSampleBefore, type ListingNeeds, listingCacheOf } from './listing.ts'
import { openStoreParts, type StoreNeeds } from './store.ts'

export type ServiceNeeds<T> = Omit<StoreNeeds, 'mayHavePrices'> &
  Omit<ListingNeeds<T>, 'files' | 'progress'> & {
    readonly renderPages: (pages: AsyncIterable<readonly UsageLine[]>) => Promise<T>
    readonly sizeOf: (usage: T) => number
    readonly observeRecording: UpstreamRecorderNeeds['observe']
    readonly observeNotListed: (sum: UsageSum) => void
    readonly observeRepricing: (outcome: RepricingOutcome) => void
    readonly observeRenderings: RenderingObserver
    /** Whether only this machine can reach the service. */
    readonly isLoopback: boolean
  }

export type Service<T> = {
  /** Holds the upstream's listing, or the bundled sample. */
  readonly listingCache: ListingCache<T>
  readonly hasUpstream: boolean
  /** Whether the bundled sample is served, because the database has no messages and no keys. */
  readonly isSample: () => Promise<boolean>
  readonly readings: Readings<T>
  /** Signs dashboard sessions. Every process on one database has the same secret. */
  readonly sessionSecret: string
  readonly intake: Intake
  readonly senders: Pick<Senders, 'took' | 'of' | 'organizations' | 'since'>
  readonly repricing: Repricing
  readonly simulations: Simulations
  readonly reconciliations: Reconciliations
  readonly organizations: Organizations
  readonly usageOfOrganizations: UsageOfOrganizations
  readonly access: Access
  readonly reports: OwnReports
  readonly rateCards: StoredCards
  readonly cardUses: CardUses
  readonly quotes: Quotes
  /** Whether any organization ever had an API key. */
  readonly hasKey: () => Promise<boolean>
  /** Tries a write, at most once a second. Resolves to the ids of the nodes that cannot be reached. Throws StoreError if it fails. */
  readonly checkStore: Ledger['check']
  readonly close: () => Promise<void>
}

/** Opens the database. Throws StoreError. */
export const createService = async <T>(needs: ServiceNeeds<T>): Promise<Service<T>> => {
  const { config, now, clock } = needs
  const store = await openStoreParts({ ...needs, mayHavePrices: (id) => backgroundRepricing.start(id) })
  const { ledger, copilot, pricer, cards, compiledCards, intake, organizations } = store
  const hasUpstream = config.upstreamUrl !== undefined
  const backgroundRepricing = createBackgroundRepricing({
    repricing: store.repricing,
    organizations: ledger.organizations,
    findOrganization: organizations.find,
    observe: needs.observeRepricing,
  })
  // A process that was killed may have left messages that have a price by now.
  backgroundRepricing.start()
  const recorder = createUpstreamRecorder({
    intake,
    findOrganization: organizations.find,
    observe: needs.observeRecording,
    now,
  })
  const access = createAccess({
    ledger,
    demand: config.auth === 'none' ? 'none' : needs.isLoopback ? 'if-any' : 'required',
    answersTo: createHostCheck([
      config.host,
      ...config.allowedHosts,
      ...(config.publicUrl ? [config.publicUrl.hostname] : []),
    ]),
    clock,
    now,
  })
  const seeTime = (): void => {
    // If the store fails, every other use of it reports the failure.
    ledger.latestInstant(clock()).catch(() => {})
  }
  seeTime()
  const seeing = setInterval(seeTime, TIME_SEEN_EVERY_MS).unref()
  let wasTouched = hasUpstream
  const isSample = async (): Promise<boolean> => {
    wasTouched ||= !(await ledger.isEmpty()) || (await ledger.keys.any())
    return !wasTouched
  }
  const seen = (listing: Listing): void => {
    recorder.seen(listing)
    // The recorder logs failures, and requests to the ledger get them.
    readings.compare(listing).catch(() => {})
  }
  const listingCards = createListingCards({
    read: async () => compiledCards.ready(await cards.inForceNow(DEFAULT_ORGANIZATION)),
    staleLimitMs: config.upstreamStaleLimitMs,
    now,
  })
  const listingCache = listingCacheOf(needs, {
    copilot,
    pricer,
    // The sample is no organization's, and nobody else is to see its prices change.
    cards: hasUpstream ? listingCards : async () => ({ cards: STANDARD_ONLY }),
    seen: hasUpstream ? seen : undefined,
  })
  const readings = createReadings({
    ledger,
    listingCache,
    sampleBefore: createSampleBefore(needs, pricer),
    recorder,
    findOrganization: organizations.find,
    hasUpstream,
    isSample,
    cardOf: compiledCards.byVersion,
    cardsOf: cards.inForce,
    render: needs.renderPages,
    sizeOf: needs.sizeOf,
    clock,
    now,
    observeNotListed: needs.observeNotListed,
    observeRenderings: needs.observeRenderings,
    limits: { longReadingsMax: longReadingsMaxOf(config), answerBytesMax: config.answerBytesMax },
  })
  return {
    listingCache,
    hasUpstream,
    isSample,
    readings,
    sessionSecret: sessionSecretOf(store.contentKey),
    intake,
    senders: store.senders,
    repricing: store.repricing,
    simulations: store.simulations,
    reconciliations: store.reconciliations,
    organizations,
    usageOfOrganizations: createUsageOfOrganizations({ ledger }),
    access,
    reports: store.reports,
    rateCards: store.rateCards,
    cardUses: store.cardUses,
    quotes: store.quotes,
    hasKey: () => ledger.keys.any(),
    checkStore: createStoreCheck({ check: ledger.check, now }),
    close: async () => {
      clearInterval(seeing)
      await backgroundRepricing.close()
      await copilot.close()
      await recorder.close()
      await ledger.close()
    },
  }
}

const sessionSecretOf = (contentKey: string): string =>
  Buffer.from(hkdfSync('sha256', contentKey, '', 'copilot-credits session', 32)).toString('base64url')

/** A long read holds a connection. Half of the pool stays free for short reads and writes. */
const longReadingsMaxOf = ({ database, longReadingsMax, databasePoolSize }: Config): number =>
  database.kind === 'sqlite' ? longReadingsMax : Math.min(longReadingsMax, Math.floor(databasePoolSize / 2))

/** How often the store records the time. It stops a calendar change from moving a period that began before a clock was set back. */
const TIME_SEEN_EVERY_MS = 60_000
