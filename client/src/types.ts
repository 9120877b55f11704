/** Types of the API. Each has the name of its schema in `openapi.json`. */
import type { components, operations } from './openapi.ts'

type Operations = operations
/** The body of an operation's successful response. */
export type Answer<K extends keyof Operations> = Operations[K] extends {
  readonly responses: { readonly 200: { readonly content: { readonly 'application/json': infer T } } }
}
  ? T
  : never
/** The body that an operation takes. */
export type Body<K extends keyof Operations> = Operations[K] extends {
  readonly requestBody: { readonly content: { readonly 'application/json': infer T } }
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
/** What one message cost, with its dimensions and rate card: a line of `GET /v1/usage`. */
export type DetailedUsageLine = components['schemas']['DetailedUsageLine']
/** A page of usage lines, and the cursor of the next page. */
export type UsagePage = components['schemas']['UsagePage']
/** Messages and credits in consecutive time buckets. */
export type Totals = components['schemas']['Totals']
/** Messages and credits of one time bucket, from `start` (inclusive) to `end` (exclusive). */
export type Bucket = components['schemas']['Bucket']
/** What messages have cost, by the rules and cases of their rate cards. */
export type UsageByRule = components['schemas']['UsageByRule']
/** What the messages of one case of a rate card cost, by rule. */
export type CaseUsage = components['schemas']['CaseUsage']
/** A billing period and its usage. */
export type Period = components['schemas']['Period']
/** The current billing period and its usage so far. */
export type CurrentPeriod = components['schemas']['CurrentPeriod']
/** All charges of a message, the one in effect first. */
export type Charges = components['schemas']['Charges']
/** What a message cost, with one line per pricing rule, or why it has no price. */
export type Charge = components['schemas']['Charge']
/** A rate card: what messages cost, as data. */
export type RateCard = components['schemas']['RateCard']
/** A rate card of the catalogue: its version and the hash of its content. */
export type RateCardEntry = components['schemas']['RateCardEntry']
/** A stored rate card, and what senders must bring. */
export type StoredRateCard = components['schemas']['StoredRateCard']
/** A stored rate card with its content. */
export type WholeRateCard = components['schemas']['WholeRateCard']
/** The rate cards that an organization uses, and from when on. */
export type CardsInForce = components['schemas']['CardsInForce']
/** The rate cards of organizations that have not chosen one. */
export type DefaultCards = components['schemas']['DefaultCards']
/** What messages would cost. */
export type Quotes = components['schemas']['Quotes']
/** What one message would cost. */
export type Quote = components['schemas']['Quote']
/** What became of the messages without a price. */
export type Repriced = components['schemas']['Repriced']
/** A customer that is billed. */
export type Organization = components['schemas']['Organization']
/** An organization, with its usage if that was asked for. */
export type ListedOrganization = components['schemas']['ListedOrganization']
/** An API key without its secret. */
export type ApiKey = components['schemas']['ApiKey']
/** What was reported, by source and key, and what became of it. */
export type Intake = components['schemas']['Intake']
/** A report and its price. */
export type Report = components['schemas']['Report']
/** What the messages of a range would cost by another rate card. */
export type Simulation = components['schemas']['Simulation']
/** Our bill and a vendor's, and how they differ. */
export type Reconciliation = components['schemas']['Reconciliation']
/** The messages that were charged anew. */
export type ChargedAnew = components['schemas']['ChargedAnew']
