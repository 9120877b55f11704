/**
 * The port of the stores: what keeps every charge. Both adapters are held to the same contract (`test/ledger-contract.ts`).
 *
 * Whatever is resolved by a method that writes is committed and synced. A method that fails throws StoreError and has
 * written nothing that a repetition of the same call could count twice.
 */
import type { Credits, CreditsSum } from '#model/credits.ts'
import type { EpochMs, Organization } from '#model/organization.ts'
import type { Id, Report } from '#model/report.ts'
import type { Priced, RecordedLine, StoredCharge } from '#model/usage-record.ts'

export type Ledger = {
  /**
   * Charges messages of one organization, once for ever. Everything in one transaction: the records and the totals by day,
   * report and member. Resolves to an outcome for each, in order; of two with one id the first counts.
   * The organization must be there. A repetition after a failure is safe: what had been written is a duplicate then.
   */
  append(batch: AppendBatch): Promise<readonly AppendOutcome[]>
  /**
   * Reads of one organization, all of one moment. Throws StoreBusy if too many wait to read. Once `signal` aborts, the statement
   * under way ends soon and the next throws the reason.
   */
  read<T>(
    organizationId: string,
    reading: (view: LedgerView) => Promise<T>,
    options?: { readonly signal?: AbortSignal | undefined },
  ): Promise<T>
  readonly organizations: OrganizationStore
  readonly keys: KeyStore
  readonly reports: ReportStore
  /** Whether any message of any organization is recorded. */
  isEmpty(): Promise<boolean>
  /** The secret of the installation that content digests are keyed with; made by the first who asks. */
  contentKey(): Promise<string>
  /** The latest instant that any process has named here, this one included: it never goes back, as a clock may. */
  latestInstant(time: EpochMs): Promise<EpochMs>
  /** Writes something. Throws StoreError where the store cannot be reached or written. */
  check(): Promise<void>
  /** Lets what is under way finish. */
  close(): Promise<void>
}

export type AppendBatch = {
  readonly organizationId: string
  readonly records: readonly NewRecord[]
  /**
   * What becomes of a message that is known. `refuse`: the same content is a duplicate whatever it would cost now, other
   * content a conflict. `amend`: a new charge takes the place of the old one if the content, the timestamp as written, the
   * report's name, the credits or the rate card differ.
   */
  readonly onChange: 'refuse' | 'amend'
  readonly recordedAt: EpochMs
}

export type NewRecord = Priced & {
  /** Start of the day of usage that it counts to. */
  readonly dayStart: EpochMs
}

export type AppendOutcome = {
  readonly status: 'accepted' | 'duplicate' | 'conflict' | 'amended'
  /** What the message costs by the record that holds now. */
  readonly credits: Credits
}

/** Of the charges that hold, `superseded` ones are only in `charges`. Ranges are `[from, to)`. */
export type LedgerView = {
  /** In the order of time, then id: integers before strings, by value and by code point. */
  page(query: PageQuery): Promise<readonly RecordedLine[]>
  /** Every charge of a message, the latest first. */
  charges(messageId: Id): Promise<readonly StoredCharge[]>
  /** Kept totals of the days whose start is in the range, ascending; `group` splits each day. */
  dayTotals(query: DayTotalsQuery): Promise<readonly DayTotal[]>
  /** Totals of each range, computed from its records: costs a look at each of them. */
  rangeTotals(query: RangeTotalsQuery): Promise<readonly RangeTotal[]>
  /** A number that grows with every change of what the days hold; 0 where they hold nothing. */
  version(range: Range): Promise<number>
  /** The days of the first and the last message, by their starts. */
  span(): Promise<{ readonly first: EpochMs; readonly last: EpochMs } | undefined>
}

export type Range = { readonly from: EpochMs; readonly to: EpochMs }

export type PageQuery = Range & {
  readonly member?: string
  readonly reportId?: Id
  /** The last one of the page before. */
  readonly after?: PagePosition
  readonly limit: number
}

export type PagePosition = { readonly at: EpochMs; readonly messageId: Id }

export type GroupField = 'report' | 'member'

export type DayTotalsQuery = Range & { readonly group: readonly GroupField[] }

export type RangeTotalsQuery = { readonly ranges: readonly Range[]; readonly group: readonly GroupField[] }

/** `reportId` and `member` only where it was grouped by them, and where there was one. */
export type GroupTotal = {
  readonly reportId?: Id
  readonly reportName?: string
  readonly member?: string
  readonly messages: number
  readonly credits: CreditsSum
}

export type DayTotal = GroupTotal & { readonly dayStart: EpochMs }

/** `range` is the place of the range in the query. */
export type RangeTotal = GroupTotal & { readonly range: number }

export type OrganizationStore = {
  find(id: string): Promise<Organization | undefined>
  /** Ascending by id, those behind `after`. */
  list(page: { readonly after?: string; readonly limit: number }): Promise<readonly Organization[]>
  /** False where there is one with that id. */
  create(organization: Organization): Promise<boolean>
  /**
   * Decides on what is stored and writes what `change` makes of it, one such change after the other. Undefined where there
   * is no such organization.
   */
  update(id: string, change: (organization: Organization) => Organization): Promise<Organization | undefined>
}

export const SCOPES = ['usage:read', 'messages:write', 'admin'] as const
export type Scope = (typeof SCOPES)[number]

/** What is known of an API key; the secret is not. */
export type ApiKey = {
  readonly id: string
  readonly organizationId: string
  readonly name: string
  readonly scopes: readonly Scope[]
  readonly createdAt: EpochMs
  readonly revokedAt?: EpochMs
  /** SHA-256 of the whole key. */
  readonly hash: Uint8Array
}

export type KeyStore = {
  create(key: ApiKey): Promise<void>
  /** Looked up by its hash through an index, revoked ones included. */
  find(organizationId: string, hash: Uint8Array): Promise<ApiKey | undefined>
  list(organizationId: string): Promise<readonly ApiKey[]>
  /** The key as it is then, or undefined where there is none. A key that is revoked stays as it was. */
  revoke(organizationId: string, id: string, at: EpochMs): Promise<ApiKey | undefined>
  /** Whether there ever was a key, of any organization. */
  any(): Promise<boolean>
}

/** Our own catalogue of reports, for all organizations. */
export type ReportStore = {
  find(id: Id): Promise<Report | undefined>
  put(report: Report): Promise<'created' | 'replaced'>
  /** False where there was none. */
  remove(id: Id): Promise<boolean>
}
