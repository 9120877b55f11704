import type { Range } from '#ledger/ledger.ts'
import { type CardsInForce, timelineOf } from '#model/cards-in-force.ts'

/** The first stretch of the range in which another card is in force; undefined if the card of this version always is. */
export const otherCardIn = (
  cards: CardsInForce,
  range: Range,
  version: string,
): (Range & { readonly version: string }) | undefined => {
  const timeline = timelineOf(cards)
  for (const [index, each] of timeline.entries()) {
    const from = Math.max(each.from, range.from)
    const to = Math.min(timeline[index + 1]?.from ?? range.to, range.to)
    if (each.version !== version && from < to) return { from, to, version: each.version }
  }
  return undefined
}
