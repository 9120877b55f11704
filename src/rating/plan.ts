/** A rate card with every name resolved: to a slot of the facts, to a column of prices, to a whole number of micro-credits. */
import type { Card, CardLine, Case, Factor, PriceRow } from '#model/card.ts'
import { creditsFromDecimal } from '#model/credits.ts'
import type { Outcome } from '#model/facts.ts'
import { LONGEST_WORD } from '#model/measurement.ts'
import { toMillionths } from './amounts.ts'
import { compileConditions, type Test } from './conditions.ts'
import { kindsReached } from './fact-names.ts'
import { bitsOf, ONCE, type SlotNames } from './slots.ts'

export type Plan = {
  /** By the names of models and their aliases. */
  readonly models: ReadonlyMap<string, ModelPlan>
  readonly cases: readonly CasePlan[]
  readonly outcomes: ReadonlyMap<Outcome, FactorPlan>
}

export type ModelPlan = { readonly name: string; readonly rows: readonly RowPlan[] }

/** Prices by column; a column that the row does not have is undefined. */
export type RowPlan = { readonly when: Test | undefined; readonly prices: readonly (number | undefined)[] }

export type CasePlan = {
  readonly name: string
  readonly when: Test | undefined
  readonly lines: readonly LinePlan[]
  /** It has a line for a kind of tokens, so every kind needs one. */
  readonly pricesTokens: boolean
  readonly minimum: number
  readonly multiply: readonly FactorPlan[]
}

export type LinePlan = {
  readonly rule: string
  /** The fact that is the quantity: its name and its slot. */
  readonly of: string | undefined
  readonly slot: number
  /** 0 if the column decides. */
  readonly rate: number
  readonly price: string | undefined
  readonly column: number
  readonly per: number
  readonly isStarted: boolean
  /** For a band of word lengths, else undefined. */
  readonly band: BandPlan | undefined
  readonly when: Test | undefined
  /** A bit for each kind of tokens that this line prices. */
  readonly reachedKinds: number
}

export type BandPlan = {
  readonly from: number
  readonly to: number
  readonly shown: { readonly from: number; readonly to?: number }
}

/** What it adds to the total, in millionths of it. */
export type FactorPlan = { readonly rule: string; readonly more: number; readonly when: Test | undefined }

export const planCard = (card: Card, names: SlotNames): Plan => {
  const columns = [...new Set(card.cases.flatMap(({ lines }) => lines.flatMap(({ price }) => price ?? [])))]
  return {
    models: planModels(card, columns, names),
    cases: card.cases.map((each) => planCase(each, columns, names)),
    outcomes: new Map(
      Object.entries(card.outcomes ?? {}).map(([rule, by]) => [rule as Outcome, planFactor({ rule, by }, names)]),
    ),
  }
}

const planModels = (
  { prices = {}, aliases = {} }: Card,
  columns: readonly string[],
  names: SlotNames,
): ReadonlyMap<string, ModelPlan> => {
  const planRow = (row: PriceRow): RowPlan => ({
    when: compileConditions(row.when, names),
    prices: columns.map((column) => {
      const price = Object.hasOwn(row, column) ? row[column] : undefined
      return typeof price === 'number' ? micros(price) : undefined
    }),
  })
  const models = new Map<string, ModelPlan>()
  for (const [name, rows] of Object.entries(prices)) models.set(name, { name, rows: rows.map(planRow) })
  for (const [alias, name] of Object.entries(aliases)) {
    const model = models.get(name)
    if (model !== undefined && !Object.hasOwn(prices, alias)) models.set(alias, model)
  }
  return models
}

const planCase = (
  { name, when, lines, minimum = 0, multiply = [] }: Case,
  columns: readonly string[],
  names: SlotNames,
): CasePlan => {
  const plans = lines.map((line) => planLine(line, columns, names))
  return {
    name,
    when: compileConditions(when, names),
    lines: plans,
    pricesTokens: plans.some(({ reachedKinds }) => reachedKinds !== 0),
    minimum: micros(minimum),
    multiply: multiply.map((factor) => planFactor(factor, names)),
  }
}

const planLine = (line: CardLine, columns: readonly string[], names: SlotNames): LinePlan => ({
  rule: line.rule,
  of: line.of,
  slot: line.of === undefined ? ONCE : names.slotOf(line.of),
  rate: micros(line.rate ?? 0),
  price: line.price,
  column: line.price === undefined ? -1 : columns.indexOf(line.price),
  per: line.per ?? 1,
  isStarted: line.started ?? false,
  band: planBand(line),
  when: compileConditions(line.when, names),
  reachedKinds: line.of === undefined ? 0 : bitsOf(kindsReached(line.of)),
})

const planBand = ({ from, to }: CardLine): BandPlan | undefined =>
  from === undefined ? undefined : { from, to: to ?? LONGEST_WORD, shown: to === undefined ? { from } : { from, to } }

const planFactor = ({ rule, by, when }: Factor, names: SlotNames): FactorPlan => ({
  rule,
  more: toMillionths(by) - toMillionths(1),
  when: compileConditions(when, names),
})

const micros = (decimal: number): number => {
  const amount = creditsFromDecimal(decimal)
  if (amount === undefined) throw new RangeError(`not an amount with at most six decimals: ${decimal}`)
  return amount
}
