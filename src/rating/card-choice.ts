/** Which of the cards in force at an instant prices a message. */
import type { Credits } from '#model/credits.ts'
import type { Facts } from '#model/facts.ts'
import { AmountTooLarge } from './amounts.ts'
import type { CompiledCard } from './compile-card.ts'

/** The cards in force at an instant. */
export type CardChoice = {
  readonly card: CompiledCard
  /** For messages that `card` does not price, and only for those. */
  readonly forUnpriced?: CompiledCard
}

/** The card that prices the facts; if none does, the one for all messages. */
export const cardFor = ({ card, forUnpriced }: CardChoice, facts: Facts): CompiledCard => {
  // Hardly ever is there a card for unpriced messages, and then the others are priced once more.
  if (forUnpriced === undefined || totalIfAny(facts, card) !== undefined) return card
  return totalIfAny(facts, forUnpriced) === undefined ? card : forUnpriced
}

/** Undefined if the card has no price for the facts, or one that does not fit a charge. */
export const totalIfAny = (facts: Facts, card: CompiledCard): Credits | undefined => {
  try {
    const total = card.total(facts)
    return typeof total === 'number' ? total : undefined
  } catch (error) {
    if (error instanceof AmountTooLarge) return undefined
    throw error
  }
}
