/**
 * The port to the stores, which keep every charge. Both adapters pass the same contract tests (`test/ledger-contract.ts`).
 *
 * When a method that writes resolves, its changes are committed and synced. A method that fails throws StoreError, and
 * repeating the call counts nothing twice.
 */
import type { Credits, CreditsSum } from '#model/credits.ts'
import type { EpochMs, Organization } from '#model/organization.ts'
import type { Id, Report } from '#model/report.ts'
import type { Priced, RecordedLine, StoredCharge } from '#model/usage-record.ts'

export type Ledger = {
  /**
   * Charges messages of one organization, each once and permanently. One transaction writes the records and the totals by day,
   * report and member. Resolves to an outcome for each record, in order; of two records with the same id, the first counts.
   * The organization must exist. Repeating a failed call is safe: whatever it had written is then a duplicate.
   */
  append(batch: AppendBatch): Promise<readonly AppendOutcome[]>
  /**
   * Reads one organization as of a single moment. Throws StoreBusy if too many reads are waiting. Once `signal` aborts, the
   * statement in progress ends soon and the next one throws the reason.
   */
  read<T>(
    organizationId: string,
    reading: (view: LedgerView) => Promise<T>,
    options?: { readonly signal?: AbortSignal | undefined },
  ): Promise<T>
  readonly organizations: OrganizationStore
  readonly keys: KeyStore
  readonly reports: ReportStore
  /** Whether no organization has a recorded message. */
  isEmpty(): Promise<boolean>
  /** The installation's secret key for content digests, created by the first call. */
  contentKey(): Promise<string>
  /** The latest `time` with which any process has called this, including this call. Unlike a clock, it never goes back. */
  latestInstant(time: EpochMs): Promise<EpochMs>
  /** Writes something. Throws StoreError if the store cannot be reached or written. */
  check(): Promise<void>
  /** Waits for operations in flight. */
  close(): Promise<void>
}

export type AppendBatch = {
  readonly organizationId: string
  readonly records: readonly NewRecord[]
  /**
   * What to do with a message that is already charged. `refuse`: the same content is a duplicate, whatever it would cost now,
   * and different content is a conflict. `amend`: a new charge supersedes the old one if the content, the timestamp as written,
   * the report's name, the credits or the rate card differ.
   */
  readonly onChange: 'refuse' | 'amend'
  readonly recordedAt: EpochMs
}

export type NewRecord = Priced & {
  /** Start of the usage day that it counts toward. */
  readonly dayStart: EpochMs
}

export type AppendOutcome = {
  readonly status: 'accepted' | 'duplicate' | 'conflict' | 'amended'
  /** What the message costs by its current charge. */
  readonly credits: Credits
}

/** Only current charges count; `charges` also returns superseded ones. Ranges are `[from, to)`. */
export type LedgerView = {
  /** Ordered by time, then by id: integers by value, before strings by code point. */
  page(query: PageQuery): Promise<readonly RecordedLine[]>
  /** Every charge of a message, latest first. */
  charges(messageId: Id): Promise<readonly StoredCharge[]>
  /** Stored totals of the days that start within the range, ascending; `group` splits each day. */
  dayTotals(query: DayTotalsQuery): Promise<readonly DayTotal[]>
  /** Totals of each range, computed by reading all of its records. */
  rangeTotals(query: RangeTotalsQuery): Promise<readonly RangeTotal[]>
  /** A number that grows with every change to the days of the range; 0 if they have no records. */
  version(range: Range): Promise<number>
  /** The starts of the days of the first and the last message. */
  span(): Promise<{ readonly first: EpochMs; readonly last: EpochMs } | undefined>
}

export type Range = { readonly from: EpochMs; readonly to: EpochMs }

export type PageQuery = Range & {
  readonly member?: string
  readonly reportId?: Id
  /** The position of the last line on the previous page. */
  readonly after?: PagePosition
  readonly limit: number
}

export type PagePosition = { readonly at: EpochMs; readonly messageId: Id }

export type GroupField = 'report' | 'member'

export type DayTotalsQuery = Range & { readonly group: readonly GroupField[] }

export type RangeTotalsQuery = { readonly ranges: readonly Range[]; readonly group: readonly GroupField[] }

/** `reportId` and `member` are present if the totals are grouped by them and the messages have one. */
export type GroupTotal = {
  readonly reportId?: Id
  readonly reportName?: string
  readonly member?: string
  readonly messages: number
  readonly credits: CreditsSum
}

export type DayTotal = GroupTotal & { readonly dayStart: EpochMs }

/** `range` is the index of the range in the query. */
export type RangeTotal = GroupTotal & { readonly range: number }

export type OrganizationStore = {
  find(id: string): Promise<Organization | undefined>
  /** Ascending by id; only ids greater than `after`. */
  list(page: { readonly after?: string; readonly limit: number }): Promise<readonly Organization[]>
  /** False if the id is taken. */
  create(organization: Organization): Promise<boolean>
  /**
   * Applies `change` to the stored organization and writes the result. Concurrent changes are applied one after the other.
   * Undefined if there is no such organization.
   */
  update(id: string, change: (organization: Organization) => Organization): Promise<Organization | undefined>
}

export const SCOPES = ['usage:read', 'messages:write', 'admin'] as const
export type Scope = (typeof SCOPES)[number]

/** An API key as stored, without its secret. */
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
  /** Finds a key by its hash, through an index, even if it is revoked. */
  find(organizationId: string, hash: Uint8Array): Promise<ApiKey | undefined>
  list(organizationId: string): Promise<readonly ApiKey[]>
  /** Resolves to the revoked key, or to undefined if there is none. A key that was already revoked does not change. */
  revoke(organizationId: string, id: string, at: EpochMs): Promise<ApiKey | undefined>
  /** Whether any organization has ever had a key. */
  any(): Promise<boolean>
}

/** The service's own catalogue of reports, shared by all organizations. */
export type ReportStore = {
  find(id: Id): Promise<Report | undefined>
  put(report: Report): Promise<'created' | 'replaced'>
  /** False if there was none. */
  remove(id: Id): Promise<boolean>
}
