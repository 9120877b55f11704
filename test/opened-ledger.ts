/** A ledger that a contract is run against, and how to open one. */
import type { Ledger } from '../src/ledger/ledger.ts'
import type { StoreNotice } from '../src/ledger/notices.ts'

export type OpenedLedger = AsyncDisposable & {
  readonly ledger: Ledger
  /** What the ledgers have told their operators. */
  readonly notices: readonly StoreNotice[]
  /** Opens a second ledger on the same data, as another process would. It is closed with the first. */
  readonly another: () => Promise<Ledger>
}

/** `namesMax`: how many models and how many features of a billing period totals tell apart. */
export type OpenLedger = (options?: { readonly namesMax?: number }) => Promise<OpenedLedger>
