/**
 * Adds up totals that a database returns in parts: one for each name that a report had, and one for each piece of a query that
 * runs in pieces.
 */
import type { DayTotal, GroupTotal, RangeTotal } from '#ledger/ledger.ts'
import { type Dimension, groupKey, groupOf } from '#model/cell.ts'
import { creditsSum } from '#model/credits.ts'
import { compareIds } from '#model/line-order.ts'
import type { NamedTotal } from './rows.ts'

export type DayPart = NamedTotal & { readonly dayStart: number }
export type RangePart = NamedTotal & { readonly range: number }

export const mergeDays = (parts: readonly DayPart[], group: readonly Dimension[]): readonly DayTotal[] =>
  [...Map.groupBy(parts, ({ dayStart }) => dayStart)]
    .sort(([one], [other]) => one - other)
    .flatMap(([dayStart, own]) => mergeTotals(own, group).map((total) => ({ ...total, dayStart })))

export const mergeRanges = (parts: readonly RangePart[], group: readonly Dimension[]): readonly RangeTotal[] =>
  [...Map.groupBy(parts, ({ range }) => range)]
    .sort(([one], [other]) => one - other)
    .flatMap(([range, own]) => mergeTotals(own, group).map((total) => ({ ...total, range })))

/** One total for each combination of the dimensions that has messages, ordered by them. */
export const mergeTotals = (parts: readonly NamedTotal[], group: readonly Dimension[]): readonly GroupTotal[] => {
  const merged = new Map<string, NamedTotal>()
  for (const part of parts) {
    const key = groupKey(part, group)
    const before = merged.get(key)
    merged.set(key, before === undefined ? part : add(before, part))
  }
  return [...merged]
    .filter(([, { messages }]) => messages > 0)
    .sort(([one], [other]) => compareIds(one, other))
    .map(([, { messages, unpriced, credits, ...cell }]) => ({ ...groupOf(cell, group), messages, unpriced, credits }))
}

const add = (one: NamedTotal, other: NamedTotal): NamedTotal => ({
  ...(isNamedLater(one, other) ? other : one),
  messages: one.messages + other.messages,
  unpriced: one.unpriced + other.unpriced,
  credits: creditsSum(one.credits + other.credits),
  latest: Math.max(one.latest, other.latest),
})

/** A report has the name of its latest day; of several on that day, the greatest by code point. */
const isNamedLater = (one: NamedTotal, other: NamedTotal): boolean => {
  if (one.messages === 0 || other.messages === 0) return one.messages === 0
  if (one.latest !== other.latest) return other.latest > one.latest
  return compareIds(other.reportName ?? '', one.reportName ?? '') > 0
}
