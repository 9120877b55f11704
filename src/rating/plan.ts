/** A rate card with every name resolved: to a slot of the facts, to a column of prices, to a whole number of micro-credits. */
import type { Card, Case, Factor, PriceRow } from '#model/card.ts'
import type { Outcome } from '#model/facts.ts'
import { micros, toMillionths } from './amounts.ts'
import { compileConditions, type When } from './conditions.ts'
import { type LinePlan, planLine } from './line-plan.ts'
import type { SlotNames } from './slots.ts'
import { planTextSum, type TextSum } from './text-sum.ts'

export type Plan = {
  /** By the names of models and their aliases. */
  readonly models: ReadonlyMap<string, ModelPlan>
  readonly cases: readonly CasePlan[]
  readonly outcomes: ReadonlyMap<Outcome, FactorPlan>
}

/** `code` stands for the name in slots. */
export type ModelPlan = { readonly name: string; readonly code: number; readonly rows: readonly RowPlan[] }

/** Prices by column; a column that the row does not have is undefined. */
export type RowPlan = { readonly when: When; readonly prices: readonly (number | undefined)[] }

export type CasePlan = {
  readonly name: string
  readonly when: When
  readonly lines: readonly LinePlan[]
  readonly textSum: TextSum | undefined
  /** It has a line for a kind of tokens, so every kind needs one. */
  readonly pricesTokens: boolean
  readonly minimum: number
  readonly multiply: readonly FactorPlan[]
}

/** What it adds to the total, in millionths of it. */
export type FactorPlan = { readonly rule: string; readonly more: number; readonly when: When }

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
  for (const [name, rows] of Object.entries(prices)) {
    models.set(name, { name, code: names.codeOf(name), rows: rows.map(planRow) })
  }
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
    textSum: planTextSum(plans),
    pricesTokens: plans.some(({ reachedKinds }) => reachedKinds !== 0),
    minimum: micros(minimum),
    multiply: multiply.map((factor) => planFactor(factor, names)),
  }
}

const planFactor = ({ rule, by, when }: Factor, names: SlotNames): FactorPlan => ({
  rule,
  more: toMillionths(by) - toMillionths(1),
  when: compileConditions(when, names),
})
