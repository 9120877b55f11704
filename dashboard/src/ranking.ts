/** Who, or what, used most. */
import type { UsageByRule } from 'copilot-credits-client'
import type { Dimension } from './dimensions.ts'
import { toMicros } from './format.ts'
import { type Part, sumOf } from './usage.ts'

export type Rank = {
  /** Undefined for messages without one. */
  readonly value: string | undefined
  readonly messages: number
  readonly unpriced: number
  readonly micros: number
  /** What it used before; undefined if that is not known. */
  readonly before: number | undefined
}

/** The largest first, with those that only were used before. Two parts can have the same value: two reports of one name. */
export const ranksOf = (
  dimension: Dimension,
  now: readonly Part[],
  before: readonly Part[] | undefined,
): readonly Rank[] => {
  const [current, earlier] = [byValue(dimension, now), byValue(dimension, before ?? [])]
  return [...new Set([...current.keys(), ...earlier.keys()])]
    .map((value) => ({
      value,
      ...sumOf(current.get(value) ?? []),
      before: before && sumOf(earlier.get(value) ?? []).micros,
    }))
    .sort((one, other) => other.micros - one.micros || other.messages - one.messages)
}

const byValue = (dimension: Dimension, parts: readonly Part[]): ReadonlyMap<string | undefined, readonly Part[]> =>
  Map.groupBy(parts, (part) => part[dimension])

/** All of them in one row. */
export const sumOfRanks = (ranks: readonly Rank[]): Omit<Rank, 'value'> => ({
  ...sumOf(ranks),
  before: ranks.reduce<number | undefined>(
    (sum, { before }) => (sum === undefined || before === undefined ? undefined : sum + before),
    0,
  ),
})

/** The rules of all cases and cards by name. One can take credits off. */
export const ranksOfRules = (now: UsageByRule, before: UsageByRule | undefined): readonly Rank[] => {
  const [current, earlier] = [sumsOfRules(now), before && sumsOfRules(before)]
  const none = { messages: 0, micros: 0 }
  return [...new Set([...current.keys(), ...(earlier?.keys() ?? [])])]
    .map((rule) => ({
      value: rule,
      unpriced: 0,
      ...(current.get(rule) ?? none),
      before: earlier && (earlier.get(rule) ?? none).micros,
    }))
    .sort((one, other) => other.micros - one.micros)
}

const sumsOfRules = ({ cases }: UsageByRule) => {
  const sums = new Map<string, { readonly messages: number; readonly micros: number }>()
  for (const { rule, messages, credits } of cases.flatMap(({ rules }) => rules)) {
    const { messages: others = 0, micros = 0 } = sums.get(rule) ?? {}
    sums.set(rule, { messages: others + messages, micros: micros + toMicros(credits) })
  }
  return sums
}
