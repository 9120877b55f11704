/** What metering needs of the world. Adapters implement these; nothing here knows HTTP, files or a database. */
import type { MonotonicMs } from '#model/clock.ts'
import type { Message } from '#model/message.ts'
import type { Id, Report } from '#model/report.ts'

/** Lists the messages of the current billing period and knows what a report costs. */
export type CopilotService = {
  /**
   * Reads the listing. Messages are handed to the reader that `start` makes, in the listing's order and as they arrive;
   * an attempt that breaks off is forgotten and the next one gets a new reader. Resolves to the reader's result, or to
   * `unchanged` where the listing is still the one of `since`. Throws UpstreamError.
   */
  list<T>(request: ListRequest<T>): Promise<ListResult<T> | 'unchanged'>
  /** Asks what reports cost. What is remembered of them will do, unless they are wanted `anew`. */
  lookUpReports(deadline: Deadline, how?: Freshness): ReportLookup
  /** Ends what is under way and lets go of connections. */
  close(): Promise<void>
}

/** A question about many reports, each asked for once. */
export type ReportLookup = {
  /** Asks for it, at once if there is room. */
  readonly want: (id: Id) => void
  /**
   * What was wanted: each report, or undefined if the catalogue says that there is none. Nothing may be wanted after. Throws
   * the first UpstreamError, after which nothing more is asked for.
   */
  readonly reports: () => Promise<ReadonlyMap<Id, Report | undefined>>
  /** Nothing more is asked for: nobody wants to know any more. */
  readonly cancel: () => void
}

export type Freshness = { readonly anew: boolean }

export type ListRequest<T> = {
  readonly start: () => ListingReader<T>
  readonly since: Validators | undefined
  readonly deadline: Deadline
  /** Is told how far the reading is, for those who show it. */
  readonly progress?: Progress
}

/** `total` is undefined where the source does not say how much will come. */
export type Progress = (bytes: number, total: number | undefined) => void

export type ListingReader<T> = {
  /** Takes the next messages. An UnbillableListing that it throws is a bad answer of the source. */
  readonly take: (messages: readonly Message[]) => void
  readonly finish: () => T
}

export type ListResult<T> = {
  readonly value: T
  /** What a later request can be made conditional on, where the source gives such a thing. */
  readonly validators: Validators | undefined
}

export type Validators = { readonly etag?: string; readonly lastModified?: string }

/** When the caller stops waiting. */
export type Deadline = MonotonicMs

/** Is told what happens, for metrics and logs; never of a text. */
export type ListingObserver = {
  readonly refreshed: (refresh: {
    readonly outcome: 'changed' | 'unchanged' | 'failed'
    readonly durationMs: number
    readonly messages: number
    /** Entries that the listing held twice, identical, and that were charged once. */
    readonly duplicates: readonly Id[]
    readonly error?: unknown
  }) => void
  readonly served: (from: 'refresh' | 'memory' | 'stale' | 'none') => void
}

/** Receives how many long readings and renderings are under way, and how many bytes of answers are in memory. */
export type RenderingObserver = {
  readonly longReadings: (underWay: number) => void
  readonly renderings: (now: { readonly underWay: number; readonly bytes: number }) => void
  readonly rendered: (outcome: 'complete' | 'abandoned' | 'failed') => void
}

/** What an operator should hear of a store, and whether what it holds is sound. */
export type StoreNotice = {
  readonly severity: 'info' | 'warn' | 'error'
  readonly message: string
  /** Only at the end of a check of the whole database. */
  readonly isSound?: boolean
}

export type StoreObserver = (notice: StoreNotice) => void
