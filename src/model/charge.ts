import type { Credits } from './credits.ts'

/** What a message costs: a total and the lines that add up to it. */
export type Charge = {
  readonly credits: Credits
  readonly lines: readonly ChargeLine[]
}

/**
 * One rule that applied: quantity × rate ÷ `per`, or packages × rate, rounded half to even to the micro-credit. The quantity has
 * at most six decimals.
 */
export type ChargeLine = {
  readonly rule: string
  readonly quantity: number
  readonly rate: Credits
  /** 1 if absent. */
  readonly per?: number
  /** For `words`: the word lengths that this line counts, in code points. Without `to` there is no upper bound. */
  readonly band?: { readonly from: number; readonly to?: number }
  /** If every `per` that was started costs as much as a whole one: how many were. */
  readonly packages?: number
  readonly credits: Credits
}

/** What a rate card says about a message. */
export type Pricing = Priced | Unpriced

export type Priced = Charge & {
  readonly status: 'priced'
  /** The name of the case that priced the message. */
  readonly case: string
  /** Quantities and kinds of tokens above 0 that no line used. */
  readonly unused: readonly string[]
  /** Present if the message has a model: its name as reported, and what the card's aliases make of it. */
  readonly model?: { readonly reported: string; readonly priced: string }
}

/** The card has no price for the message, which is not the same as a price of 0. */
export type Unpriced = {
  readonly status: 'unpriced'
  readonly code: UnpricedCode
  /** What is missing, for people: a sentence without a full stop. */
  readonly reason: string
}

export type UnpricedCode =
  /** No case of the card holds. */
  | 'no-case'
  /** The case that holds has lines, and none applies. */
  | 'no-line'
  /** The case prices tokens, but not every kind that the message brought. */
  | 'tokens-without-line'
  /** A price depends on the model, and the message has none. */
  | 'no-model'
  | 'model-without-price'
  /** The model has prices, but none for a message like this one. */
  | 'no-row'
  /** The model has prices, but not the one that a line names. */
  | 'no-column'
  /** The amount does not fit a charge. */
  | 'too-large'
