/** The port to the Copilot service: the listing of the current billing period, and what reports cost. */
import type { MonotonicMs } from '#model/clock.ts'
import type { Message } from '#model/message.ts'
import type { Id, Report } from '#model/report.ts'

/** Lists the messages of the current billing period, and knows what reports cost. */
export type CopilotService = {
  /**
   * Fetches the listing. Each attempt passes the messages to a new reader from `start`, in listing order and as they arrive; a
   * reader whose attempt fails is discarded. Resolves to the reader's result, or to `unchanged` if the listing still matches
   * `since`. Throws UpstreamError.
   */
  list<T>(request: ListRequest<T>): Promise<ListResult<T> | 'unchanged'>
  /** Looks up what reports cost. Uses cached entries unless `refetch` is set. */
  lookUpReports(deadline: Deadline, how?: Freshness): ReportLookup
  /** Aborts requests in flight and closes connections. */
  close(): Promise<void>
}

/** Looks up many reports, each of them once. */
export type ReportLookup = {
  /** Adds a report, and requests it as soon as there is room. */
  readonly want: (id: Id) => void
  /**
   * Every wanted report, or undefined if the catalogue has none. Do not call `want` afterwards. Throws the first UpstreamError,
   * after which nothing more is requested.
   */
  readonly reports: () => Promise<ReadonlyMap<Id, Report | undefined>>
  /** Stops requesting: the result is no longer needed. */
  readonly cancel: () => void
}

export type Freshness = { readonly refetch: boolean }

export type ListRequest<T> = {
  readonly start: () => ListingReader<T>
  readonly since: Validators | undefined
  readonly deadline: Deadline
  /** Called as bytes arrive. */
  readonly progress?: Progress
}

/** `total` is undefined if the size is not known in advance. */
export type Progress = (bytes: number, total: number | undefined) => void

export type ListingReader<T> = {
  /** Takes the next messages. If it throws UnbillableListing, the response counts as bad. */
  readonly take: (messages: readonly Message[]) => void
  readonly finish: () => T
}

export type ListResult<T> = {
  readonly value: T
  /** What makes a later request conditional, if the response had it. */
  readonly validators: Validators | undefined
}

export type Validators = { readonly etag?: string; readonly lastModified?: string }

/** When the caller stops waiting. */
export type Deadline = MonotonicMs

/** Receives events for metrics and logs, never a text. */
export type ListingObserver = {
  readonly refreshed: (refresh: {
    readonly outcome: 'changed' | 'unchanged' | 'failed'
    readonly durationMs: number
    readonly messages: number
    /** Ids of entries that the listing repeats without a difference. Each is charged once. */
    readonly duplicates: readonly Id[]
    readonly error?: unknown
  }) => void
  readonly served: (from: 'refresh' | 'memory' | 'stale' | 'none') => void
}
