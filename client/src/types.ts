/** The shapes of the API, by short names. */
import type { components, operations } from './openapi.ts'

type Operations = operations
/** What an operation answers with when it succeeds. */
export type Answer<K extends keyof Operations> = Operations[K] extends {
  readonly responses: { readonly 200: { readonly content: { readonly 'application/json': infer T } } }
}
  ? T
  : never
/** The query parameters of an operation; what is undefined is not sent. */
export type Query<K extends keyof Operations> = Operations[K] extends {
  readonly parameters: { readonly query?: infer T }
}
  ? { readonly [P in keyof NonNullable<T>]: NonNullable<T>[P] | undefined }
  : never

/** Why the service said no, in the manner of RFC 9457. */
export type Problem = components['schemas']['Problem']
/** Who asks, and of what. */
export type Session = components['schemas']['Session']
/** A message as it is reported. */
export type Message = components['schemas']['Message']
/** What became of the messages that were reported: counts, and a result for each. */
export type Reported = Answer<'reportMessages'>
/** What became of one message. */
export type MessageResult = Reported['results'][number]
/** A line of the bill as `GET /usage` has it. */
export type BillLine = components['schemas']['UsageLine']
/** Lines of the ledger, and where the next ones begin. */
export type UsagePage = Answer<'listUsage'>
/** A line of the ledger. */
export type UsageLine = UsagePage['usage'][number]
/** Buckets that follow each other without a gap, and the zone in which they begin. */
export type Totals = Answer<'getTotals'>
/** Messages and credits from a start, inclusive, to an end, exclusive. */
export type Bucket = Totals['buckets'][number]
/** A billing period with what has been used of it. */
export type Period = Answer<'listPeriods'>['periods'][number]
/** The current one; with an upstream, what the Copilot service lists. */
export type CurrentPeriod = Answer<'getCurrentPeriod'>
/** Every charge of a message, the one that holds first. */
export type Charges = Answer<'getMessageCharges'>
/** What a message cost, with a line for each rule. */
export type Charge = Charges['charges'][number]
