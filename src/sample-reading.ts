/**
 * The bundled sample period as a ledger of its own, in a file that is gone with the process: what is shown to those who have
 * no usage yet comes the same way as theirs will. It is made when it is first asked for.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { StoreError } from '#model/errors.ts'
import type { Organization } from '#model/organization.ts'
import { DEFAULT_ORGANIZATION } from './metering/access.ts'
import { createContentDigest } from './metering/content-digest.ts'
import { createIntake, type PricedMessage } from './metering/intake.ts'
import type { Ledger } from './metering/ledger.ts'
import type { LedgerReading } from './metering/ledger-reading.ts'
import { createLedgerUsage, type LedgerUsageNeeds } from './metering/ledger-usage.ts'
import { createUpstreamRecorder } from './metering/upstream-recorder.ts'
import { createUsageQueries } from './metering/usage-queries.ts'
import { standardRateCard } from './rating/rate-card.ts'
import { createSqliteLedger } from './store/sqlite/ledger.ts'

export type SampleReadingNeeds<T> = Omit<LedgerUsageNeeds<T>, 'queries'> & {
  /** Reads the sample and hands over its messages with their reports. */
  readonly readSample: (seen: (messages: Iterable<PricedMessage>) => void) => Promise<void>
}

export type SampleReading<T> = {
  /** Throws StoreError where there is no place for it. */
  readonly open: () => Promise<LedgerReading<T>>
  readonly close: () => Promise<void>
}

export const createSampleReading = <T>(needs: SampleReadingNeeds<T>): SampleReading<T> => {
  let opening: Promise<Opened<T>> | undefined
  return {
    open: async () => {
      opening ??= openSample(needs)
      const mine = opening
      try {
        return (await mine).reading
      } catch (error) {
        if (opening === mine) opening = undefined
        throw error
      }
    },
    close: async () => {
      await opening?.then(
        ({ close }) => close(),
        () => {},
      )
    },
  }
}

type Opened<T> = { readonly reading: LedgerReading<T>; readonly close: () => Promise<void> }

const openSample = async <T>({ readSample, ...rendering }: SampleReadingNeeds<T>): Promise<Opened<T>> => {
  const folder = await makeFolder()
  let ledger: Ledger | undefined
  const close = async (): Promise<void> => {
    await ledger?.close()
    await rm(folder, { recursive: true, force: true })
  }
  try {
    ledger = await createSqliteLedger({ path: join(folder, 'sample.db') })
    const organization = await fill(ledger, readSample)
    const span = await ledger.read(organization.id, (view) => view.span())
    const queries = createUsageQueries({ ledger, rateCards: new Map([[standardRateCard.version, standardRateCard]]) })
    const ledgerUsage = createLedgerUsage({ ...rendering, queries })
    return {
      reading: { organization, queries, ledgerUsage, now: span?.last ?? 0, source: 'bundled-sample' },
      close,
    }
  } catch (error) {
    await close()
    throw error
  }
}

const makeFolder = async (): Promise<string> => {
  try {
    return await mkdtemp(join(tmpdir(), 'copilot-credits-sample-'))
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw new StoreError(`there is no place for the bundled sample: ${reason}`, { cause: error })
  }
}

const fill = async <T>(ledger: Ledger, readSample: SampleReadingNeeds<T>['readSample']): Promise<Organization> => {
  const organization = await ledger.organizations.update(DEFAULT_ORGANIZATION, (fresh) => ({
    ...fresh,
    name: 'Sample',
  }))
  if (organization === undefined) throw new Error('a new ledger has the organization default')
  const intake = createIntake({
    ledger,
    reportOf: async () => undefined,
    rateCard: standardRateCard,
    digest: createContentDigest(await ledger.contentKey()),
    limits: { textBytesMax: Number.POSITIVE_INFINITY, aheadMaxMs: Number.POSITIVE_INFINITY },
    clock: () => Date.now(),
    observe: () => {},
  })
  let failure: unknown
  const recorder = createUpstreamRecorder({
    intake,
    findOrganization: async () => organization,
    observe: (outcome) => {
      if ('error' in outcome) failure = outcome.error
    },
  })
  await readSample(recorder.seen)
  await recorder.close()
  if (failure !== undefined) throw failure
  return organization
}
