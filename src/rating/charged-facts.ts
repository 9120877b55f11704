/** The facts that were kept with a charge, and what a rate card makes of facts. */
import type { Pricing } from '#model/charge.ts'
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
    return { status: 'unpriced', code: 'too-large', reason: TOO_LARGE }
  }
}

/** Completes "the message has no price because". */
export const TOO_LARGE = 'the amount does not fit a charge'
