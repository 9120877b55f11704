/** Composes the service from its parts. The only file that knows every adapter. */
import { hkdfSync, randomBytes } from 'node:crypto'
import { laterBy, type MonotonicClock, monotonicNow } from '#model/clock.ts'
import type { EpochMs } from '#model/organization.ts'
import type { UsageLine } from '#model/usage-line.ts'
import { createReadings, type Readings } from './answering/readings.ts'
import type { RenderingObserver } from './answering/renderings.ts'
import type { Config } from './config.ts'
import type { CopilotService, Deadline, ListingObserver, Progress } from './current-period/copilot-service.ts'
import type { Listing, UsageSum } from './current-period/listing.ts'
import { createListingCache, type ListingCache } from './current-period/listing-cache.ts'
import { createUpstreamRecorder, type UpstreamRecorderNeeds } from './current-period/upstream-recorder.ts'
import { type Access, createAccess } from './identity/access.ts'
import { createHostCheck } from './identity/host-names.ts'
import { createOrganizations, type Organizations } from './identity/organizations.ts'
import { createContentDigest } from './intake/content-digest.ts'
import { createIntake, type Intake, type IntakeCounts, type IntakeNeeds } from './intake/intake.ts'
import { createOwnReports, type OwnReports } from './intake/own-reports.ts'
import { createPricer, type Pricer } from './intake/pricing.ts'
import type { Ledger } from './ledger/ledger.ts'
import type { StoreObserver } from './ledger/notices.ts'
import { DEFAULT_ORGANIZATION } from './model/organization.ts'
import { standardRateCard } from './rating/rate-card.ts'
import type { PostgresLedger } from './store/postgres/ledger.ts'
import { checkFile } from './store/sqlite/backup.ts'
import { createSqliteLedger } from './store/sqlite/ledger.ts'
import { createStoreCheck } from './store/store-check.ts'
import { createFileSource, type PeriodFiles } from './upstream/file-source.ts'
import type { CallAttempt } from './upstream/http-client.ts'
import { samplePeriod } from './upstream/sample/sample.ts'
import { createUpstream } from './upstream/upstream.ts'

export type ListingNeeds<T> = {
  readonly config: Config
  /** A period from files instead of the upstream. */
  readonly files?: PeriodFiles | undefined
  readonly progress?: Progress
  readonly render: (lines: Iterable<UsageLine>) => Promise<T>
  readonly observer: ListingObserver
  readonly observeCall: (attempt: CallAttempt) => void
  readonly now: MonotonicClock
}

/** The current period from the upstream, from files or from the bundled sample, without a database. */
export const openListing = <T>(
  needs: ListingNeeds<T>,
): { readonly listing: ListingCache<T>; readonly close: () => Promise<void> } => {
  const copilot = createCopilot(needs)
  // Digests are compared only within this process, so any key will do.
  const pricer = pricerOf(randomBytes(32).toString('hex'))
  return { listing: listingCacheOf(needs, copilot, pricer), close: () => copilot.close() }
}

const createCopilot = ({
  config,
  files,
  observeCall,
  now,
}: Pick<ListingNeeds<unknown>, 'config' | 'files' | 'observeCall' | 'now'>): CopilotService => {
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

const pricerOf = (contentKey: string): Pricer =>
  createPricer({ rateCard: standardRateCard, digest: createContentDigest(contentKey) })

const listingCacheOf = <T>(
  { config, render, observer, now, progress }: ListingNeeds<T>,
  copilot: CopilotService,
  pricer: Pricer,
  seen?: (listing: Listing) => void,
): ListingCache<T> =>
  createListingCache({
    copilot,
    pricer,
    render,
    observer,
    now,
    maxAgeMs: config.upstreamMaxAgeMs,
    staleLimitMs: config.upstreamStaleLimitMs,
    timeoutMs: config.upstreamTimeoutMs,
    ...(progress && { progress }),
    ...(seen && { seen }),
  })

export type ServiceNeeds<T> = Omit<ListingNeeds<T>, 'files' | 'progress'> & {
  readonly renderPages: (pages: AsyncIterable<readonly UsageLine[]>) => Promise<T>
  readonly sizeOf: (usage: T) => number
  readonly observeIntake: (counts: Readonly<IntakeCounts>) => void
  readonly observeRecording: UpstreamRecorderNeeds['observe']
  readonly observeNotListed: (sum: UsageSum) => void
  readonly observeStore: StoreObserver
  readonly observeRenderings: RenderingObserver
  /** Whether only this machine can reach the service. */
  readonly isLoopback: boolean
  readonly clock: () => EpochMs
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
  readonly organizations: Organizations
  readonly access: Access
  readonly reports: OwnReports
  /** Whether any organization ever had an API key. */
  readonly hasKey: () => Promise<boolean>
  /** Tries a write, at most once a second. Throws StoreError if it fails. */
  readonly checkStore: () => Promise<void>
  readonly close: () => Promise<void>
}

/** Opens the database. Throws StoreError. */
export const createService = async <T>(needs: ServiceNeeds<T>): Promise<Service<T>> => {
  const { config, now, clock } = needs
  const ledger = await openLedger(config, needs.observeStore)
  await prepareDefault(ledger, config, clock())
  const copilot = createCopilot(needs)
  const hasUpstream = config.upstreamUrl !== undefined
  const organizations = createOrganizations({ ledger, clock, now })
  const reports = createOwnReports({ store: ledger.reports, now })
  const reportsOf = hasUpstream ? reportsFrom(copilot, () => laterBy(now(), config.upstreamTimeoutMs)) : reports.findAll
  const contentKey = config.contentKey ?? (await ledger.contentKey())
  const pricer = pricerOf(contentKey)
  const intake = createLedgerIntake({ ledger, config, pricer, reportsOf, clock, observe: needs.observeIntake })
  const recorder = createUpstreamRecorder({
    intake,
    findOrganization: organizations.find,
    observe: needs.observeRecording,
    now,
  })
  const access = createAccess({
    store: ledger.keys,
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
  const listingCache = listingCacheOf(needs, copilot, pricer, hasUpstream ? seen : undefined)
  const readings = createReadings({
    ledger,
    listingCache,
    recorder,
    findOrganization: organizations.find,
    hasUpstream,
    isSample,
    rateCards: new Map([[standardRateCard.version, standardRateCard]]),
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
    sessionSecret: Buffer.from(hkdfSync('sha256', contentKey, '', 'copilot-credits session', 32)).toString('base64url'),
    intake,
    organizations,
    access,
    reports,
    hasKey: () => ledger.keys.any(),
    checkStore: createStoreCheck({ check: ledger.check, now }),
    close: async () => {
      clearInterval(seeing)
      await copilot.close()
      await recorder.close()
      await ledger.close()
    },
  }
}

/** A long read holds a connection. Half of the pool stays free for short reads and writes. */
const longReadingsMaxOf = ({ database, longReadingsMax, databasePoolSize }: Config): number =>
  database.kind === 'sqlite' ? longReadingsMax : Math.min(longReadingsMax, Math.floor(databasePoolSize / 2))

/** How often the store records the time. It stops a calendar change from moving a period that began before a clock was set back. */
const TIME_SEEN_EVERY_MS = 60_000

const reportsFrom =
  (copilot: CopilotService, deadline: () => Deadline): IntakeNeeds['reportsOf'] =>
  (ids) => {
    const lookup = copilot.lookUpReports(deadline())
    for (const id of ids) lookup.want(id)
    return lookup.reports()
  }

/** Throws StoreError. */
export const openLedger = async (
  { database, databasePoolSize }: Pick<Config, 'database' | 'databasePoolSize'>,
  observe: StoreObserver = () => {},
): Promise<Ledger> => {
  if (database.kind === 'sqlite') return createSqliteLedger({ path: database.path }, observe)
  // Imported here: loading the driver for PostgreSQL takes longer than opening SQLite.
  const { createPostgresLedger } = await import('./store/postgres/ledger.ts')
  return createPostgresLedger({ url: database.url, poolSize: databasePoolSize })
}

export type LedgerIntakeNeeds = {
  readonly ledger: Ledger
  readonly config: Pick<Config, 'intakeTextBytesMax' | 'intakeAheadMaxMs'>
  readonly pricer: Pricer
  readonly reportsOf: IntakeNeeds['reportsOf']
  readonly clock: () => EpochMs
  readonly observe: (counts: Readonly<IntakeCounts>) => void
}

export const createLedgerIntake = ({ config, ...needs }: LedgerIntakeNeeds): Intake =>
  createIntake({ ...needs, limits: { textBytesMax: config.intakeTextBytesMax, aheadMaxMs: config.intakeAheadMaxMs } })

/** In a new store, `default` has no creation time yet. Sets the creation time, and the calendar from the settings. */
export const prepareDefault = async (
  { organizations }: Ledger,
  { timeZone, billingAnchorDay: anchorDay }: Pick<Config, 'timeZone' | 'billingAnchorDay'>,
  time: EpochMs,
): Promise<void> => {
  const found = await organizations.find(DEFAULT_ORGANIZATION)
  if (found === undefined || found.createdAt !== 0) return
  await organizations.update(DEFAULT_ORGANIZATION, (organization) =>
    organization.createdAt !== 0
      ? organization
      : {
          ...organization,
          createdAt: time,
          calendar: [{ effectiveFrom: organization.calendar[0].effectiveFrom, timeZone, anchorDay }],
        },
  )
}

export { createSandbox } from './sandbox/sandbox.ts'
export type { PeriodFiles } from './upstream/file-source.ts'
export { samplePeriod } from './upstream/sample/sample.ts'

/** The store and its use cases without a server, for commands. Throws StoreError. */
export const openStore = async (config: Config, observe: (counts: Readonly<IntakeCounts>) => void = () => {}) => {
  const ledger = await openLedger(config)
  const clock = () => Date.now()
  const now = monotonicNow
  await prepareDefault(ledger, config, clock())
  const copilot = createCopilot({ config, observeCall: () => {}, now })
  const reports = createOwnReports({ store: ledger.reports, now })
  const reportsOf =
    config.upstreamUrl === undefined
      ? reports.findAll
      : reportsFrom(copilot, () => laterBy(now(), config.upstreamTimeoutMs))
  const pricer = pricerOf(config.contentKey ?? (await ledger.contentKey()))
  return {
    organizations: createOrganizations({ ledger, clock, now }),
    access: createAccess({ store: ledger.keys, demand: 'none', answersTo: () => true, clock, now }),
    intake: createLedgerIntake({ ledger, config, pricer, reportsOf, clock, observe }),
    reports,
    /** Undefined if the store cannot be distributed. */
    distribute: 'distribute' in ledger ? (ledger as PostgresLedger).distribute : undefined,
    close: async (): Promise<void> => {
      await copilot.close()
      await ledger.close()
    },
  }
}

export type Store = Awaited<ReturnType<typeof openStore>>

/** Resolves to the problems of the database, one sentence each. Throws StoreError if it cannot be opened. */
export const checkDatabase = async ({ database }: Pick<Config, 'database'>): Promise<readonly string[]> => {
  if (database.kind === 'sqlite') return checkFile(database.path)
  const { checkPostgres } = await import('./store/postgres/check.ts')
  return checkPostgres(database.url)
}

export { backupTo, restoreFrom } from './store/sqlite/backup.ts'
