/** Prices what is kept of messages by another rate card, and identifies what that would change. */
import { createHash } from 'node:crypto'
import { addReason } from '#intake/unpriced-reasons.ts'
import type { KeptCharges } from '#ledger/kept-charges.ts'
import { cellAt, creditsAt, factsAt } from '#ledger/priced-batch.ts'
import type { Cell } from '#model/cell.ts'
import type { Facts } from '#model/facts.ts'
import { AmountTooLarge } from '#rating/amounts.ts'
import { factsOfCharge, TOO_LARGE } from '#rating/charged-facts.ts'
import type { CompiledCard } from '#rating/compile-card.ts'

/** A card, and by which version it has already charged messages, if any. */
export type OtherCard = { readonly card: CompiledCard; readonly hash: string; readonly chargedAs?: string | undefined }

/** The credits, or why there is no price. */
export const priceOf = (facts: Facts, { total }: CompiledCard): number | string => {
  try {
    const priced = total(facts)
    return typeof priced === 'number' ? priced : priced.reason
  } catch (error) {
    if (error instanceof AmountTooLarge) return `it ${TOO_LARGE}`
    throw error
  }
}

export const factsAgain = (charges: KeptCharges, row: number): Facts => {
  const credits = creditsAt(charges, row)
  const kept = { facts: factsAt(charges, row), cell: cellAt(charges, row) }
  return factsOfCharge(credits === undefined ? kept : { ...kept, credits })
}

/** Whether a charge is by another card. Adjustments stay: their messages belong to periods that are closed. */
export const isByAnother = (charges: KeptCharges, row: number, { chargedAs }: OtherCard): boolean =>
  charges.isAdjustment[row] === 0 && cellAt(charges, row).rateCard !== chargedAs

/** `about` is what the hash covers beside the charges. */
export const createPricingAgain = (other: OtherCard, about: readonly unknown[]) => {
  const { card, chargedAs } = other
  const reasons = new Map<string, number>()
  const hash = createHash('sha256').update(JSON.stringify(about))
  let byAnother = 0
  let isEmpty = true

  /** What the charge by this card has replaced, if that was by another one. */
  const replacedAt = ({ cells, replacedCellOf, replacedCredits }: KeptCharges, row: number): number | undefined => {
    const cell: Cell | undefined = cells[replacedCellOf[row] as number]
    return cell === undefined || cell.rateCard === chargedAs ? undefined : replacedCredits[row]
  }

  return {
    /** What each message would cost; NaN if it would have no price. */
    price: (charges: KeptCharges): Float64Array => {
      const { count, credits, isAdjustment, messageIds, revisions } = charges
      const after = credits.slice(0, count)
      const changes: string[] = []
      for (let row = 0; row < count; row++) {
        const before = credits[row] as number
        const isChanged = isByAnother(charges, row, other)
        if (isChanged || Number.isNaN(before)) {
          const price = isAdjustment[row] === 1 ? ADJUSTMENT : priceOf(factsAgain(charges, row), card)
          after[row] = typeof price === 'number' ? price : Number.NaN
          if (typeof price === 'string') addReason(reasons, price)
        }
        const revision = revisions[row] as number
        // The same whether the message is charged anew already or not, so that an interrupted run can go on.
        const [old, from] = isChanged ? [before, revision] : [replacedAt(charges, row), revision - 1]
        if (isChanged) byAnother++
        if (old !== undefined && isAdjustment[row] === 0)
          changes.push(`${JSON.stringify(messageIds[row])} ${from} ${old} ${after[row]}`)
      }
      if (changes.length > 0) {
        hash.update(`${changes.join('\n')}\n`)
        isEmpty = false
      }
      return after
    },
    /** `hash` is undefined if there is no charge by another card. */
    result: () => ({ reasons, byAnother, hash: isEmpty ? undefined : hash.digest('hex') }),
  }
}

const ADJUSTMENT = 'adjustments of closed periods keep their price, and this one has none'
