/**
 * Chooses what an organization's queries read: the ledger; with an upstream, its listing for the current period; or the bundled
 * sample until something has been reported.
 */
import { periodAt } from '#calendar/periods.ts'
import {
  createListing,
  type Listing,
  listingView,
  spanOfPeriods,
  type UsageSum,
  versionOfListing,
} from '#current-period/listing.ts'
import type { ListingCache } from '#current-period/listing-cache.ts'
import {
  type Compare,
  type Comparison,
  createComparison,
  idsNotListed,
  notListedIn,
} from '#current-period/not-listed.ts'
import type { RenderedUsage } from '#current-period/rendered-usage.ts'
import type { UpstreamRecorder } from '#current-period/upstream-recorder.ts'
import type { Ledger, LedgerView, Range } from '#ledger/ledger.ts'
import { elapsedMs } from '#model/clock.ts'
import { CALENDAR_BEGINS, DEFAULT_ORGANIZATION, type EpochMs, type Organization } from '#model/organization.ts'
import type { CardOf, CardsOf } from './explaining.ts'
import { LongReadings } from './long-readings.ts'
import { createQueries, type FindProvenance, type NotListed, type Provenance, type Queries } from './queries.ts'
import type { RenderingObserver } from './renderings.ts'
import { Renderings } from './renderings.ts'
import type { UsageByRule } from './rule-sums.ts'
import { createUsageByRule, type ReadByRule } from './usage-by-rule.ts'
import { createUsageRenderer, type UsageRendererNeeds } from './usage-renderer.ts'
import { versionOf } from './versions.ts'

/** What determines the contents of the current period. */
export type UsageSource = 'ledger' | 'upstream' | 'bundled-sample'

export type Situation = {
  /** The organization to present: the bundled sample has its own. */
  readonly organization: Organization
  readonly source: UsageSource
  /** Decides which period is the current one. */
  readonly time: EpochMs
}

export type Reading<T> = Situation & {
  readonly queries: Queries
  /** All usage of a range in one rendering. The signal aborts once the reader has received it or has left. */
  readonly usage: (range: Range, signal: AbortSignal) => Promise<RenderedUsage<T> & NotListed>
  readonly byRule: ReadByRule
  readonly current: Range
}

export type Readings<T> = {
  /** With an upstream, does not need the store. */
  readonly sourceOf: (organizationId: string) => Promise<UsageSource>
  /** Waits neither for the upstream nor for the recorder. */
  readonly situation: (organization: Organization) => Promise<Situation>
  /** For named periods and ranges. Resolves once the upstream's current listing is recorded. Throws StoreError if it cannot be. */
  readonly byDate: (organization: Organization) => Promise<Reading<T>>
  /** For the current period. Throws UpstreamError if the upstream's listing can be neither fetched nor served from the cache. */
  readonly ofCurrent: (organization: Organization) => Promise<Reading<T>>
  /** Compares the ledger with a listing that the recorder has just received, and reconciles them. Throws StoreError. */
  readonly compare: (listing: Listing) => Promise<void>
}

export type ReadingsNeeds<T> = Pick<UsageRendererNeeds<T>, 'render' | 'now'> & {
  readonly sizeOf: (usage: T) => number
  readonly limits: { readonly longReadingsMax: number; readonly answerBytesMax: number }
  readonly observeRenderings: RenderingObserver
  readonly ledger: Ledger
  /** Holds the upstream's listing, or the current period of the bundled sample. */
  readonly listingCache: ListingCache<T>
  /** The period before it. */
  readonly sampleBefore: () => Promise<Listing>
  readonly recorder: Pick<UpstreamRecorder, 'settled' | 'rewrite' | 'gap'>
  readonly findOrganization: (id: string) => Promise<Organization | undefined>
  readonly hasUpstream: boolean
  readonly isSample: () => Promise<boolean>
  readonly cardOf: CardOf
  readonly cardsOf: CardsOf
  readonly clock: () => EpochMs
  readonly observeNotListed: (sum: UsageSum) => void
}

export const createReadings = <T>(needs: ReadingsNeeds<T>): Readings<T> => {
  const { ledger, listingCache, recorder, hasUpstream, isSample, cardOf, cardsOf, clock, now } = needs
  const longReadings = new LongReadings(needs.limits.longReadingsMax, needs.observeRenderings.longReadings)
  const createRenderings = () =>
    new Renderings<T>({
      bytesMax: needs.limits.answerBytesMax,
      bytesPerMessage: BYTES_PER_LINE,
      sizeOf: needs.sizeOf,
      longReadings,
      observe: needs.observeRenderings,
    })
  const createRuleRenderings = () =>
    new Renderings<UsageByRule>({
      bytesMax: RULES_BYTES_MAX,
      bytesPerMessage: 0,
      sizeOf: sizeOfRules,
      longReadings,
      observe: NOT_OBSERVED,
    })
  const rendering = { renderings: createRenderings(), render: needs.render, now }
  const ruleRenderings = createRuleRenderings()
  /** All listings have the same version. */
  const ruleRenderingsOf = new WeakMap<Listing, Renderings<UsageByRule>>()
  const ledgerQueries = createQueries({ ledger, cardOf, cardsOf, longReadings })
  const ledgerRenderer = createUsageRenderer({ ...rendering, queries: ledgerQueries })

  const sourceOf = async (id: string): Promise<UsageSource> => {
    if (id !== DEFAULT_ORGANIZATION) return 'ledger'
    if (hasUpstream) return 'upstream'
    return (await isSample()) ? 'bundled-sample' : 'ledger'
  }

  const comparisons = new WeakMap<Organization['calendar'], Compare>()
  const compareWith = async (view: LedgerView, organization: Organization, listing: Listing): Promise<Comparison> => {
    const compare = comparisons.get(organization.calendar) ?? createComparison(organization)
    comparisons.set(organization.calendar, compare)
    const comparison = await compare(view, listing, clock())
    needs.observeNotListed(notListedIn(comparison, ALWAYS))
    return comparison
  }

  const differing = async (organization: Organization, listing: Listing): Promise<Comparison['differing']> =>
    (await ledger.read(organization.id, (view) => compareWith(view, organization, listing))).differing

  /**
   * Another process may have recorded an earlier or a later listing. Asks the upstream once more and, if ledger and listing
   * still differ, records the differing charges again. Resolves to the latest listing.
   */
  const settleDifferences = async (organization: Organization): Promise<Listing | undefined> => {
    const listing = await listingCache.catchUp({ refetch: true })
    await recorder.settled()
    if (listing === undefined) return undefined
    recorder.rewrite(await differing(organization, listing))
    await recorder.settled()
    return listing
  }

  let settling: Promise<Listing | undefined> | undefined
  /** Reconciles the ledger with the listing as far as possible. Resolves to the listing that it was compared with last. */
  const agree = async (organization: Organization, listing: Listing): Promise<Listing> => {
    await recorder.settled()
    if ((await differing(organization, listing)).length === 0) return listing
    settling ??= settleDifferences(organization).finally(() => {
      settling = undefined
    })
    return (await settling) ?? listing
  }

  let newest: Listing | undefined
  let comparing: Promise<void> | undefined
  /** Listings that are replaced while the recorder is writing are neither compared nor kept in memory. */
  const compareNewest = async (): Promise<void> => {
    while (newest !== undefined) {
      await recorder.settled()
      const listing = newest
      newest = undefined
      const organization = await needs.findOrganization(DEFAULT_ORGANIZATION)
      if (organization !== undefined) await agree(organization, listing)
    }
  }

  const follow = async (organization: Organization): Promise<Listing | undefined> => {
    const listing = await listingCache.catchUp()
    await recorder.settled()
    return listing && agree(organization, listing)
  }

  const ofLedger = (situation: Situation): Reading<T> => {
    const { calendar } = situation.organization
    const { start, end } = periodAt(calendar, situation.time)
    return {
      ...situation,
      queries: ledgerQueries,
      usage: (range, signal) => ledgerRenderer.read(situation.organization, range, signal),
      byRule: createUsageByRule({ queries: ledgerQueries, renderings: ruleRenderings, now, cardOf }),
      current: { from: start, to: end },
    }
  }

  const ofRecorded = (situation: Situation, listing: Listing | undefined): Reading<T> => {
    const { organization } = situation
    const provenanceOf: FindProvenance = async (view, query) => {
      const comparison = listing && (await compareWith(view, organization, listing))
      const notRecorded = gapIn(query)
      return {
        ...(comparison && { notListed: notListedIn(comparison, query) }),
        ...(notRecorded && { notRecorded }),
        state: versionOf([
          comparison && idsNotListed(comparison, query),
          notRecorded && [notRecorded.messages, notRecorded.unpriced, String(notRecorded.credits)],
        ]),
      }
    }
    const queries = createQueries({ ledger, cardOf, cardsOf, longReadings, provenanceOf })
    return {
      ...ofLedger(situation),
      queries,
      usage: (range, signal) => ledgerRenderer.read(organization, range, signal, provenanceOf),
      byRule: createUsageByRule({ queries, renderings: ruleRenderings, now, cardOf, provenanceOf }),
    }
  }

  const ofListing = (situation: Situation, listing: Listing, provenance: Provenance = {}): Reading<T> => {
    const { organization } = situation
    const view = listingView(listing, organization.calendar)
    const provenanceOf: FindProvenance = async () => ({
      ...provenance,
      state: versionOf([await versionOfListing(listing), provenance.listing?.isStale]),
    })
    const queries = createQueries({
      ledger: { read: (_, reading) => reading(view) },
      cardOf,
      cardsOf: CARDS_OF_SAMPLE,
      longReadings,
      provenanceOf,
    })
    const renderings = ruleRenderingsOf.get(listing) ?? createRuleRenderings()
    ruleRenderingsOf.set(listing, renderings)
    const span = spanOfPeriods(organization.calendar, listing)
    // All listings have the same version, so each one needs renderings of its own.
    const { read } = createUsageRenderer({ ...rendering, renderings: createRenderings(), queries })
    const reading = ofLedger(situation)
    return {
      ...reading,
      queries,
      usage: (range, signal) => read(organization, range, signal),
      byRule: createUsageByRule({ queries, renderings, now, cardOf, provenanceOf }),
      current: span ?? reading.current,
    }
  }

  let sample: { readonly listing: Listing; readonly reading: Reading<T> } | undefined
  const ofSample = async (): Promise<Reading<T>> => {
    const [{ listing }, before] = await Promise.all([listingCache.read(), needs.sampleBefore()])
    if (sample?.listing !== listing) {
      const latest = listing.inTime.at(-1)?.at ?? 0
      const situation = { organization: SAMPLE, source: 'bundled-sample', time: latest } as const
      const reading = ofListing(situation, createListing(new Map([...before.byId, ...listing.byId])))
      const current = spanOfPeriods(SAMPLE.calendar, listing) ?? reading.current
      sample = { listing, reading: { ...reading, current } }
    }
    return sample.reading
  }

  const situation = async (organization: Organization): Promise<Situation> => {
    const source = await sourceOf(organization.id)
    return source === 'bundled-sample' ? ofSample() : { organization, source, time: clock() }
  }

  const gapIn = ({ from, to }: Range): UsageSum | undefined => {
    const gap = recorder.gap()
    return gap !== undefined && gap.from < to && gap.to >= from ? gap : undefined
  }

  const byDate = async (organization: Organization): Promise<Reading<T>> => {
    const source = await sourceOf(organization.id)
    if (source === 'bundled-sample') return ofSample()
    if (source === 'ledger') return ofLedger({ organization, source, time: clock() })
    const listing = await follow(organization)
    return ofRecorded({ organization, source, time: clock() }, listing)
  }

  return {
    sourceOf,
    situation,
    byDate,
    ofCurrent: async (organization) => {
      const source = await sourceOf(organization.id)
      if (source !== 'upstream') return byDate(organization)
      const { listing, lastConfirmed, from } = await listingCache.read()
      const ageMs = elapsedMs(lastConfirmed, now())
      const provenance = { listing: { asOf: Math.round(clock() - ageMs), isStale: from === 'stale' } }
      return ofListing({ organization, source, time: clock() }, listing, provenance)
    },
    compare: async (listing) => {
      // The listing that settling has fetched is compared there.
      if (settling !== undefined) return
      newest = listing
      comparing ??= compareNewest().finally(() => {
        comparing = undefined
      })
      await comparing
    },
  }
}

/** A line with a timestamp, a report and an id of typical lengths. */
const BYTES_PER_LINE = 110

/** Enough for thousands of ranges and filters. */
const RULES_BYTES_MAX = 16 * 2 ** 20

/** An estimate: an object of a case or rule with its names. */
const sizeOfRules = ({ cases }: UsageByRule): number =>
  cases.reduce((bytes, { rules }) => bytes + 400 * (rules.length + 1), 1000)

const NOT_OBSERVED: RenderingObserver = { longReadings: () => {}, renderings: () => {}, rendered: () => {} }

/** The ledger explains the charges of everything else that a listing has. */
const CARDS_OF_SAMPLE: CardsOf = async () => ({ own: [], byDefault: [] })

const ALWAYS: Range = { from: Number.NEGATIVE_INFINITY, to: Number.POSITIVE_INFINITY }

/** The organization of the bundled sample. */
const SAMPLE: Organization = {
  id: DEFAULT_ORGANIZATION,
  name: 'Sample',
  createdAt: 0,
  calendar: [{ effectiveFrom: CALENDAR_BEGINS, timeZone: 'UTC', anchorDay: 1 }],
}
