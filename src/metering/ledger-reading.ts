/** What an organization's questions are answered from. */
import type { EpochMs, Organization } from '#model/organization.ts'
import type { LedgerUsage } from './ledger-usage.ts'
import type { UsageQueries } from './usage-queries.ts'

/** What decides what the current period holds. */
export type UsageSource = 'ledger' | 'upstream' | 'bundled-sample'

/** Costs no wait for what is being recorded. */
export type FindSource = (organization: Organization) => Promise<UsageSource>

export type LedgerReading<T> = {
  readonly organization: Organization
  readonly queries: UsageQueries
  readonly ledgerUsage: LedgerUsage<T>
  /** Decides which period is the current one. */
  readonly now: EpochMs
  readonly source: UsageSource
}

/** Resolves once what is known of the organization's usage is in the ledger. */
export type FindReading<T> = (organization: Organization) => Promise<LedgerReading<T>>
