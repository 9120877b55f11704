/** Rate cards: the catalogue, which of them are in force, and quotes. */
import { createCardUses } from '#intake/card-uses.ts'
import { createCards } from '#intake/cards-in-force.ts'
import { createCompiledCards } from '#intake/compiled-cards.ts'
import type { IntakeNeeds } from '#intake/intake.ts'
import { createQuotes } from '#intake/quotes.ts'
import { createStoredCards } from '#intake/stored-cards.ts'
import type { Ledger } from '#ledger/ledger.ts'
import type { MonotonicClock } from '#model/clock.ts'

export type CardNeeds = Pick<IntakeNeeds, 'reportsOf' | 'limits' | 'clock'> & {
  readonly ledger: Ledger
  /** Called when other cards are in force for an organization, or for all. */
  readonly used: (organizationId?: string) => void
  readonly now: MonotonicClock
}

export const createCardParts = ({ ledger, reportsOf, limits, used, clock, now }: CardNeeds) => {
  const { rateCards } = ledger
  const cards = createCards({ ledger, now, used })
  const compiledCards = createCompiledCards({ rateCards })
  return {
    cards,
    compiledCards,
    rateCards: createStoredCards({ rateCards, clock }),
    cardUses: createCardUses({ ledger, cards, clock }),
    quotes: createQuotes({ cards, compiledCards, reportsOf, limits, clock }),
  }
}
