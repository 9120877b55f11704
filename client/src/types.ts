/** Types of the API. Each has the name of its schema in `openapi.json`. */
import type { components, operations } from './openapi.ts'

type Operations = operations
/** The body of an operation's successful response. */
export type Answer<K extends keyof Operations> = Operations[K] extends {
  readonly responses: { readonly 200: { readonly content: { readonly 'application/json': infer T } } }
}
  ? T
  : never
/** The query parameters of an operation. Undefined ones are not sent. */
export type Query<K extends keyof Operations> = Operations[K] extends {
  readonly parameters: { readonly query?: infer T }
}
  ? { readonly [P in keyof NonNullable<T>]: NonNullable<T>[P] | undefined }
  : never

/** An error, as RFC 9457 defines it. */
export type Problem = components['schemas']['Problem']
/** The caller, its scopes and its organization. */
export type Session = components['schemas']['Session']
/** A message to report. */
export type Message = components['schemas']['Message']
/** The results for the reported messages: counts, and one result per message. */
export type ReportedMessages = components['schemas']['ReportedMessages']
/** The result for one reported message. */
export type MessageResult = components['schemas']['MessageResult']
/** What one message cost: a line of `GET /usage`. */
export type UsageLine = components['schemas']['UsageLine']
/** What one message cost, with its report, member and rate card: a line of `GET /v1/usage`. */
export type DetailedUsageLine = components['schemas']['DetailedUsageLine']
/** A page of usage lines, and the cursor of the next page. */
export type UsagePage = components['schemas']['UsagePage']
/** Messages and credits in consecutive time buckets. */
export type Totals = components['schemas']['Totals']
/** Messages and credits of one time bucket, from `start` (inclusive) to `end` (exclusive). */
export type Bucket = components['schemas']['Bucket']
/** A billing period and its usage. */
export type Period = components['schemas']['Period']
/** The current billing period and its usage so far. */
export type CurrentPeriod = components['schemas']['CurrentPeriod']
/** All charges of a message, the one in effect first. */
export type Charges = components['schemas']['Charges']
/** What a message cost, with one line per pricing rule. */
export type Charge = components['schemas']['Charge']
