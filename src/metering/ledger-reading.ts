/** What an organization's questions are answered from. */
import type { EpochMs, Organization } from '#model/organization.ts'
import type { LedgerUsage } from './ledger-usage.ts'
import type { UsageQueries } from './usage-queries.ts'

export type LedgerReading<T> = {
  readonly organization: Organization
  readonly queries: UsageQueries
  readonly ledgerUsage: LedgerUsage<T>
  /** Decides which period is the current one. */
  readonly now: EpochMs
  /** What decides what the current period holds. */
  readonly source: 'ledger' | 'upstream' | 'bundled-sample'
}

/** Resolves once what is known of the organization's usage is in the ledger. */
export type FindReading<T> = (organization: Organization) => Promise<LedgerReading<T>>
