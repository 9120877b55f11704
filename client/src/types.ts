/** The shapes of the API, by short names. */
import type { components, operations } from './openapi.ts'

type Operations = operations
/** What an operation answers with when it succeeds. */
export type Answer<K extends keyof Operations> = Operations[K] extends {
  readonly responses: { readonly 200: { readonly content: { readonly 'application/json': infer T } } }
}
  ? T
  : never
/** The query parameters of an operation. */
export type Query<K extends keyof Operations> = Operations[K] extends {
  readonly parameters: { readonly query?: infer T }
}
  ? NonNullable<T>
  : never

export type Problem = components['schemas']['Problem']
export type Session = components['schemas']['Session']
/** A line of the bill as `GET /usage` has it. */
export type BillLine = components['schemas']['UsageLine']
export type UsagePage = Answer<'listUsage'>
/** A line of the ledger. */
export type UsageLine = UsagePage['usage'][number]
export type Totals = Answer<'getTotals'>
export type Bucket = Totals['buckets'][number]
export type Period = Answer<'getCurrentPeriod'>
export type Charges = Answer<'getMessageCharges'>
export type Charge = Charges['charges'][number]
