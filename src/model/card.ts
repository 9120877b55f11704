import type { Outcome } from './facts.ts'

/**
 * A rate card as its author writes it: data, without expressions, code or state. Made only by `parseCard` in
 * `#rating/parse-card.ts`, which checks it. Amounts are decimal credits with at most six decimals.
 */
export type Card = {
  readonly version: string
  /** By model: rows in order, of which the first that holds gives the prices. */
  readonly prices?: Readonly<Record<string, readonly PriceRow[]>>
  /** Other names of models that have prices. */
  readonly aliases?: Readonly<Record<string, string>>
  /** In order: the first that holds prices the message. */
  readonly cases: readonly Case[]
  /** The share of the total that is charged. An outcome that is not listed is charged whole. */
  readonly outcomes?: Readonly<Partial<Record<Outcome, number>>>
}

/** Its other members are the columns that lines name: credits for the line's `per`. */
export type PriceRow = { readonly when?: Conditions; readonly [column: string]: number | Conditions | undefined }

export type Case = {
  readonly name: string
  readonly when?: Conditions
  /** An empty list makes the message free. */
  readonly lines: readonly CardLine[]
  /** 0 if absent. */
  readonly minimum?: number
  readonly multiply?: readonly Factor[]
}

/** Costs quantity × rate ÷ `per`. It has either a rate or the name of a column of prices. */
export type CardLine = {
  readonly rule: string
  /** The fact that is the quantity. Absent: the line counts once. */
  readonly of?: string
  readonly rate?: number
  readonly price?: string
  /** 1 if absent. */
  readonly per?: number
  /** Counts every `per` that has been started as a whole. */
  readonly started?: boolean
  /** Of `words`: the shortest and the longest that count, in code points. Without `to` there is no upper bound. */
  readonly from?: number
  readonly to?: number
  readonly when?: Conditions
}

/** Multiplies the total so far. */
export type Factor = { readonly rule: string; readonly by: number; readonly when?: Conditions }

/** By fact. All must hold, and none holds for a fact that is absent. */
export type Conditions = Readonly<Record<string, Condition>>

/** Equal to a value, to one of several, or within a range. `"*"`: the fact is present. */
export type Condition = Scalar | readonly Scalar[] | { readonly above?: number; readonly upto?: number }

export type Scalar = string | number | boolean
