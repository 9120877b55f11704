import type { Card } from '#model/card.ts'
import type { Charge } from '#model/charge.ts'
import type { Measurement } from '#model/measurement.ts'
import { compileCard } from './compile-card.ts'
import { parseCard } from './parse-card.ts'
import standard from './rate-cards/standard-2024.json' with { type: 'json' }

/** The rate card described in the README and in DECISIONS.md, as its author writes it. */
export const standardCardSource: Card = parseCard(standard)

export const standardCard = compileCard(standardCardSource)

/** The charge of a text by the standard card, which has a price for every text. */
export const chargeOfText = (measurement: Measurement): Charge => {
  const pricing = standardCard.price({ measurement })
  if (pricing.status === 'unpriced') throw new Error(pricing.reason)
  return pricing
}
