import type { Credits } from './credits.ts'
import type { Measurement } from './measurement.ts'
import type { Id } from './report.ts'

/**
 * What pricing needs to know of a message: numbers, names and flags, never its text. An absent field is an absent fact. Kept
 * with the charge (`#rating/packed-facts.ts`), so that every line can be shown and priced again.
 */
export type Facts = {
  /** Of the text, if there is one; the empty text is one. */
  readonly measurement?: Measurement
  /** The report that the message asks for, and its price if the catalogue has it. */
  readonly report?: { readonly id: Id; readonly credits?: Credits }
  /** As reported; a rate card may know it by another name. */
  readonly model?: string
  readonly tokens?: TokenCounts
  /** From 0, each a safe integer, or below 2^33 with at most six decimals. */
  readonly quantities?: Readonly<Record<string, number>>
  readonly attributes?: Readonly<Record<string, string | boolean>>
  /** Absent: `succeeded`. */
  readonly outcome?: Exclude<Outcome, 'succeeded'>
}

/** Disjoint kinds of tokens, each a safe integer from 0. What a message does not mention is 0. */
export type TokenCounts = {
  /** Not read from a cache and not written to one. */
  readonly input: number
  readonly cacheRead: number
  readonly cacheWrite: number
  readonly output: number
  /** Of `output`. */
  readonly reasoning: number
  /** Of `cacheWrite`. */
  readonly cacheWrite1h: number
}

/** `utility` is a call that the user did not ask for: a title, a summary. `retried` is an attempt that another message replaces. */
export const OUTCOMES = ['succeeded', 'failed', 'cancelled', 'retried', 'utility'] as const
export type Outcome = (typeof OUTCOMES)[number]
