/**
 * The port to the stores, which keep every charge. Both adapters pass the same contract tests (`test/ledger-contract.ts`).
 * There are three ways in: `append` takes usage that has happened, `decide` everything that depends on what there is, and `read`
 * reads one moment.
 *
 * When a method that writes resolves, its changes are committed and synced. A method that fails throws StoreError, and
 * repeating the call counts nothing twice.
 */
import type { CardsInForce } from '#model/cards-in-force.ts'
import type { CellFilter, Dimension, Grouped } from '#model/cell.ts'
import type { ChargeFilter } from '#model/charge-filter.ts'
import type { Credits, CreditsSum } from '#model/credits.ts'
import type { Outcome as MessageOutcome } from '#model/facts.ts'
import type { LineOrder, PagePosition } from '#model/line-order.ts'
import type { EpochMs, Organization } from '#model/organization.ts'
import type { Id, Report } from '#model/report.ts'
import type { RecordedLine, StoredCharge } from '#model/usage-record.ts'
import type { ApiKey, CardUse, Command, CommandKind, Outcome, UsedCards } from './commands.ts'
import type { KeptCharges } from './kept-charges.ts'
import type { PricedBatch } from './priced-batch.ts'

export type Ledger = {
  /**
   * Charges messages of one organization, each once and permanently. One transaction writes the records and their totals.
   * Resolves to an outcome for each row, in order, or to undefined if all were accepted; of two rows with the same id, the first
   * counts. A message without a price is accepted like any other, and an amendment can add or remove the price. The organization must exist. Repeating a failed call is safe: whatever it had written is then a duplicate.
   *
   * A message from a closed period is charged at the start of the open one, as an adjustment. If a message is amended whose
   * charge is in a closed period, that charge stays and the difference is an adjustment.
   *
   * An organization's first 1,000 models and 1,000 features of a billing period have totals of their own. Later ones count to
   * `(other)`.
   *
   * Resolves to `other-cards`, and has written nothing, if other rate cards are in force than those that priced the batch.
   */
  append(batch: AppendBatch): Promise<AppendAnswer>
  /**
   * Reads what a command needs, decides what follows from it, and writes that: one transaction, before or after any other
   * command of the organization. Repeating a failed call is safe.
   */
  decide<K extends CommandKind>(organizationId: string, command: Command<K>): Promise<Outcome<K>>
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
  readonly rateCards: RateCardStore
  /** Whether no organization has a recorded message. */
  isEmpty(): Promise<boolean>
  /** The installation's secret key for content digests, created by the first call. */
  contentKey(): Promise<string>
  /**
   * The latest `time` with which any process has called this, including this call. Unlike a clock, it never goes back. Throws
   * StoreError while a node of a cluster cannot be reached.
   */
  latestInstant(time: EpochMs): Promise<EpochMs>
  /**
   * Writes something. Resolves to the ids of a cluster's nodes that cannot be reached: until they can, calls for their
   * organizations fail. Throws StoreError if the store cannot be reached or written.
   */
  check(): Promise<readonly number[]>
  /** Waits for operations in flight. */
  close(): Promise<void>
}

export type AppendBatch = {
  readonly organizationId: string
  readonly priced: PricedBatch
  /**
   * What to do with a message that is already charged. `refuse`: the same content is a duplicate, whatever it would cost now,
   * and different content is a conflict. `amend`: a new charge supersedes the old one if the content, the timestamp as written,
   * the cell or the credits differ. `price`: a new charge supersedes one that has no price, if content and timestamp are the same
   * and it has a price now, or another cell and its period is open; any other stays as it is. `recharge`: a new charge supersedes
   * the revision that `revisions` names, if that still counts, content and timestamp are the same, and its period is open; any
   * other stays as it is.
   */
  readonly onChange: 'refuse' | 'amend' | 'price' | 'recharge'
  /** For `recharge`: of each row, the revision that it was priced from. */
  readonly revisions?: readonly number[]
  readonly recordedAt: EpochMs
  /** The version of the rate cards in force that priced the batch. If it is absent, any may be in force. */
  readonly cardsVersion?: number
}

export type AppendAnswer = readonly AppendOutcome[] | 'other-cards' | undefined

export type AppendOutcome = {
  readonly status: 'accepted' | 'duplicate' | 'conflict' | 'amended'
  /** What the message costs now; absent if it is unpriced. */
  readonly credits?: Credits
  /** Of a conflict about the outcome of the message: the one that holds. */
  readonly outcome?: MessageOutcome
}

/**
 * A filter by a model or feature selects the messages that were reported with it, even if they count to `(other)`, and `(other)`
 * selects those that count to it. Totals by a model or feature have a group `(other)`, unless the filter names another.
 *
 * Only charges that count are returned; `charges` also returns superseded ones. Ranges are `[from, to)`.
 */
export type LedgerView = {
  page(query: PageQuery): Promise<readonly RecordedLine[]>
  /** Every charge of a message, latest first. */
  charges(messageId: Id): Promise<readonly StoredCharge[]>
  /** Stored totals of the days that start within the range, ascending; `group` splits each day. */
  dayTotals(query: GroupedRange): Promise<readonly DayTotal[]>
  /** The same, added up. A range of whole billing periods is answered from totals of periods, without reading those of its days. */
  totals(query: GroupedRange): Promise<readonly GroupTotal[]>
  /** Totals of each range, computed by reading all of its records. */
  rangeTotals(query: RangeTotalsQuery): Promise<readonly RangeTotal[]>
  /** A number that grows with every change to the days that start within the range; 0 if they have no records. */
  version(range: Range): Promise<number>
  /** The starts of the days of the first and the last message. */
  span(): Promise<{ readonly first: EpochMs; readonly last: EpochMs } | undefined>
  /** The start of the open period; nothing before it changes. */
  closedUntil(): Promise<EpochMs>
  /**
   * How many messages count at or after an instant and were charged by another rate card. Adjustments are left out, because their
   * messages are from periods that were closed.
   */
  pricedOtherwise(query: PricedOtherwise): Promise<number>
  /** Charges with all that is kept of their messages: at most `limit` of them, fewer only if no more follow. */
  keptCharges(query: KeptQuery): Promise<KeptCharges>
}

export type Range = { readonly from: EpochMs; readonly to: EpochMs }

export type PageQuery = Range &
  ChargeFilter & {
    /** Only unpriced lines. */
    readonly unpriced?: true
    /** By time, if absent. */
    readonly order?: LineOrder
    /** The last line of the previous page. */
    readonly after?: PagePosition
    readonly limit: number
  }

/** In order of time, then of id. */
export type KeptQuery = Range & {
  /** The last charge of the previous piece. */
  readonly after?: Pick<PagePosition, 'at' | 'messageId'>
  readonly limit: number
  /** Without them, the digests are zeros, and it takes less time. */
  readonly withDigests?: true
}

/** Totals of the cells that are meant, by the dimensions of `group`. */
export type GroupedCells = CellFilter & { readonly group: readonly Dimension[] }

/** The same of the charges that are meant, which only records can tell. */
export type GroupedCharges = ChargeFilter & Pick<GroupedCells, 'group'>

export type PricedOtherwise = { readonly since: EpochMs; readonly rateCard: string }

export type GroupedRange = Range & GroupedCells

export type RangeTotalsQuery = GroupedCharges & { readonly ranges: readonly Range[] }

/**
 * The dimensions are present if the totals are grouped by them and the messages have one. `reportName` is the report's name on its
 * latest day; of several on that day, the greatest by code point.
 */
export type GroupTotal = Grouped & {
  /** All that are kept. */
  readonly messages: number
  /** Those without a price. */
  readonly unpriced: number
  readonly credits: CreditsSum
}

export type DayTotal = GroupTotal & { readonly dayStart: EpochMs }

/** `range` is the index of the range in the query. */
export type RangeTotal = GroupTotal & { readonly range: number }

export type OrganizationStore = {
  find(id: string): Promise<Organization | undefined>
  /** Ascending by id; only ids greater than `after`. */
  list(page: { readonly after?: string; readonly limit: number }): Promise<readonly Organization[]>
  /** Stored totals of the days that start within each range, ascending. All are read at once, so there should be few ranges. */
  days(ranges: readonly OrganizationRange[]): Promise<readonly (readonly DayTotal[])[]>
  /** Of each organization. All are read at once, so there should be few. */
  activity(ids: readonly string[]): Promise<readonly OrganizationActivity[]>
}

export type OrganizationActivity = {
  /** How many keys it has that are not revoked. */
  readonly keys: number
  /** When its latest message was sent; of an adjustment, when it counts. Absent if there is none. */
  readonly latestAt?: EpochMs
}

export type OrganizationRange = Range & { readonly organizationId: string }

export type KeyStore = {
  /** Finds a key by its hash, through an index, even if it is revoked. */
  find(organizationId: string, hash: Uint8Array): Promise<ApiKey | undefined>
  list(organizationId: string): Promise<readonly ApiKey[]>
  /** Whether any organization has ever had a key. */
  any(): Promise<boolean>
  /** Writes when a key was used, unless a later time is there. */
  used(organizationId: string, hash: Uint8Array, at: EpochMs): Promise<void>
}

/** The service's own catalogue of reports, shared by all organizations. */
export type ReportStore = {
  find(id: Id): Promise<Report | undefined>
  /** Ascending by id as a text; only ids greater than `after`. */
  list(page: { readonly after?: string; readonly limit: number }): Promise<readonly Report[]>
  put(report: Report): Promise<'created' | 'replaced'>
  /** False if there was none. */
  remove(id: Id): Promise<boolean>
}

/** Rate cards as they were stored, shared by all organizations, and which of them are in force. A card never changes. */
export type RateCardStore = {
  /** `conflict`: there is a card of this version with another hash, and it stays. */
  put(card: StoredCard): Promise<'created' | 'same' | 'conflict'>
  find(version: string): Promise<StoredCard | undefined>
  /** Ascending by version. */
  list(): Promise<readonly Omit<StoredCard, 'body'>[]>
  /** Whoever prices by this passes its version to `append`. The organization must exist. */
  inForce(organizationId: string): Promise<CardsInForce>
  /**
   * The same as the command `use-rate-card`, for organizations without a card of their own. Nothing changes in a period that any
   * organization has closed.
   */
  useByDefault(use: CardUse): Promise<UsedCards>
}

export type StoredCard = {
  readonly version: string
  /** Of the canonical body. */
  readonly hash: string
  /** JSON. */
  readonly body: string
  readonly createdAt: EpochMs
}
