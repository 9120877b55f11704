/** The facts that were kept with a charge, and what a rate card makes of facts. */
import type { Pricing } from '#model/charge.ts'
import { credits, toDecimal } from '#model/credits.ts'
import type { Facts } from '#model/facts.ts'
import type { Priced } from '#model/usage-record.ts'
import { AmountTooLarge } from './amounts.ts'
import type { CompiledCard } from './compile-card.ts'
import { unpackFacts } from './packed-facts.ts'

/** Before rate cards were data, a report's price was kept only as the amount of the charge. */
export const factsOfCharge = ({ facts, cell, credits }: Pick<Priced, 'facts' | 'cell' | 'credits'>): Facts => {
  const kept = unpackFacts(facts)
  if (cell.reportId === undefined || kept.report !== undefined || credits === undefined) return kept
  return { ...kept, report: { id: cell.reportId, credits } }
}

/** As the card prices the facts; an amount that does not fit a charge is no price. */
export const pricingOf = (facts: Facts, card: CompiledCard): Pricing => {
  try {
    return card.price(facts)
  } catch (error) {
    if (!(error instanceof AmountTooLarge)) throw error
    return { status: 'unpriced', code: 'too-large', reason: `it ${TOO_LARGE}` }
  }
}

const CREDITS_MAX = toDecimal(credits(Number.MAX_SAFE_INTEGER))

/** Completes "the message". It depends on the rate card which facts make the amount so large. */
export const TOO_LARGE = `must cost at most ${CREDITS_MAX} credits`
