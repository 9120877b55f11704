/** The database and what writes to it: for the service, and for commands that work without a server. */
import type { Config } from '#config.ts'
import type { CopilotService } from '#current-period/copilot-service.ts'
import { createAccess } from '#identity/access.ts'
import { createOrganizations } from '#identity/organizations.ts'
import { createBackgroundRepricing, type RepricingOutcome } from '#intake/background-repricing.ts'
import { createIntake, type IntakeNeeds } from '#intake/intake.ts'
import type { IntakeCounts } from '#intake/intake-results.ts'
import { createOwnReports } from '#intake/own-reports.ts'
import { createRepricing } from '#intake/repricing.ts'
import { createSenders } from '#intake/senders.ts'
import type { Ledger } from '#ledger/ledger.ts'
import type { MigrationObserver, StoreObserver } from '#ledger/notices.ts'
import { laterBy, type MonotonicClock, monotonicNow } from '#model/clock.ts'
import { DEFAULT_ORGANIZATION, type EpochMs } from '#model/organization.ts'
import { createReconciliations } from '#reconciling/reconciliations.ts'
import { createSimulations } from '#simulating/simulations.ts'
import type { PostgresLedger } from '#store/postgres/ledger.ts'
import { checkFile } from '#store/sqlite/backup.ts'
import { createSqliteLedger } from '#store/sqlite/ledger.ts'
import { createCardParts } from './cards.ts'
import { type CopilotNeeds, createCopilot, pricerOf } from './listing.ts'

/**
 * The store and its use cases without a server. Closing it waits until messages that may have a price now are charged. Throws
 * StoreError.
 */
export const openStore = async (
  config: Config,
  observeMigration: MigrationObserver,
  observeRepricing: (outcome: RepricingOutcome) => void = () => {},
) => {
  const [clock, now] = [() => Date.now(), monotonicNow]
  const ignore = (): void => {}
  const opened = await openStoreParts({
    config,
    observeCall: ignore,
    observeIntake: ignore,
    observeUnpriced: ignore,
    observeStore: ignore,
    observeMigration,
    mayHavePrices: (id) => backgroundRepricing.start(id),
    clock,
    now,
  })
  const backgroundRepricing = createBackgroundRepricing({
    repricing: opened.repricing,
    organizations: opened.ledger.organizations,
    findOrganization: opened.organizations.find,
    observe: observeRepricing,
  })
  const access = createAccess({ ledger: opened.ledger, demand: 'none', answersTo: () => true, clock, now })
  const { organizations, reports, rateCards, cardUses, intake, repricing, simulations, reconciliations, distribute } =
    opened
  const close = async (): Promise<void> => {
    await backgroundRepricing.finished()
    await opened.close()
  }
  return {
    organizations,
    access,
    intake,
    reports,
    rateCards,
    cardUses,
    repricing,
    simulations,
    reconciliations,
    distribute,
    close,
  }
}

export type Store = Awaited<ReturnType<typeof openStore>>

export type StoreNeeds = Omit<CopilotNeeds, 'files'> & {
  readonly observeIntake: (counts: Readonly<IntakeCounts>) => void
  readonly observeUnpriced: IntakeNeeds['observeUnpriced']
  /** Called when messages without a price may have one now: those of an organization, or of all. */
  readonly mayHavePrices?: (organizationId?: string) => void
  readonly observeStore: StoreObserver
  readonly observeMigration: MigrationObserver
  readonly clock: () => EpochMs
}

/** Throws StoreError. */
export const openStoreParts = async (needs: StoreNeeds) => {
  const { config, observeCall, clock, now, mayHavePrices = () => {} } = needs
  const { ledger: opened, distribute, isDistributed } = await openLedger(config, needs)
  const prepare = () => prepareDefault(opened, config, clock())
  if (!isDistributed) await prepare()
  const ledger = isDistributed ? preparedWhenUsed(opened, prepare) : opened
  const copilot = createCopilot({ config, observeCall, now })
  const reports = createOwnReports({ store: ledger.reports, now, added: () => mayHavePrices() })
  const contentKey = config.contentKey ?? (await ledger.contentKey())
  const pricer = pricerOf(contentKey)
  const reportsOf = config.upstreamUrl === undefined ? reports.findAll : reportsFrom(copilot, config, now)
  const limits = { textBytesMax: config.intakeTextBytesMax, aheadMaxMs: config.intakeAheadMaxMs }
  const cardParts = createCardParts({ ledger, reportsOf, limits, used: mayHavePrices, clock, now })
  const { cards, compiledCards } = cardParts
  const pricing = { ledger, pricer, cards, compiledCards, reportsOf, clock }
  const repricing = createRepricing(pricing)
  const simulations = createSimulations({ ...pricing, rateCards: cardParts.rateCards })
  const reconciliations = createReconciliations({ ledger, clock })
  const senders = createSenders(clock)
  const intake = createIntake({
    ...pricing,
    limits,
    senders,
    observe: needs.observeIntake,
    observeUnpriced: needs.observeUnpriced,
  })
  return {
    ledger,
    /** Undefined if the store cannot be distributed. */
    distribute,
    copilot,
    organizations: createOrganizations({ ledger, clock, now }),
    reports,
    ...cardParts,
    contentKey,
    pricer,
    intake,
    senders,
    repricing,
    simulations,
    reconciliations,
    close: async (): Promise<void> => {
      await copilot.close()
      await ledger.close()
    },
  }
}

type OpenLedger = { readonly ledger: Ledger } & Partial<Pick<PostgresLedger, 'distribute' | 'isDistributed'>>

/** Throws StoreError. */
const openLedger = async (
  { database, databasePoolSize }: Pick<Config, 'database' | 'databasePoolSize'>,
  { observeStore, observeMigration }: Pick<StoreNeeds, 'observeStore' | 'observeMigration'>,
): Promise<OpenLedger> => {
  if (database.kind === 'sqlite')
    return { ledger: await createSqliteLedger({ path: database.path }, observeStore, observeMigration) }
  // Imported here: loading the driver for PostgreSQL takes longer than opening SQLite.
  const { createPostgresLedger } = await import('#store/postgres/ledger.ts')
  const ledger = await createPostgresLedger(
    { url: database.url, poolSize: databasePoolSize },
    observeMigration,
    observeStore,
  )
  return { ledger, distribute: ledger.distribute, isDistributed: ledger.isDistributed }
}

/** In a new store, `default` has no creation time yet. Sets the creation time, and the calendar from the settings. */
const prepareDefault = async (
  ledger: Pick<Ledger, 'organizations' | 'decide'>,
  { timeZone, billingAnchorDay: anchorDay }: Pick<Config, 'timeZone' | 'billingAnchorDay'>,
  time: EpochMs,
): Promise<void> => {
  const found = await ledger.organizations.find(DEFAULT_ORGANIZATION)
  if (found?.createdAt !== 0) return
  await ledger.decide(DEFAULT_ORGANIZATION, { kind: 'set-up-organization', createdAt: time, timeZone, anchorDay })
}

/**
 * Prepares `default` before anything uses it. The node of a cluster that has it may be down when a server starts, and the server
 * can serve the organizations of the others.
 */
const preparedWhenUsed = (ledger: Ledger, prepare: () => Promise<void>): Ledger => {
  let isPrepared = false
  const prepared = async (): Promise<void> => {
    if (isPrepared) return
    await prepare()
    isPrepared = true
  }
  return {
    ...ledger,
    decide: async (organizationId, command) => {
      if (organizationId === DEFAULT_ORGANIZATION) await prepared()
      return ledger.decide(organizationId, command)
    },
    organizations: {
      find: async (id) => {
        if (id === DEFAULT_ORGANIZATION) await prepared()
        return ledger.organizations.find(id)
      },
      list: async (page) => {
        await prepared()
        return ledger.organizations.list(page)
      },
      days: ledger.organizations.days,
      activity: ledger.organizations.activity,
    },
  }
}

const reportsFrom =
  (copilot: CopilotService, { upstreamTimeoutMs }: Config, now: MonotonicClock): IntakeNeeds['reportsOf'] =>
  (ids) => {
    const lookup = copilot.lookUpReports(laterBy(now(), upstreamTimeoutMs))
    for (const id of ids) lookup.want(id)
    return lookup.reports()
  }

/** Resolves to the problems of the database, one sentence each. Throws StoreError if it cannot be opened. */
export const checkDatabase = async ({ database }: Pick<Config, 'database'>): Promise<readonly string[]> => {
  if (database.kind === 'sqlite') return checkFile(database.path)
  const { checkPostgres } = await import('#store/postgres/check.ts')
  return checkPostgres(database.url)
}
