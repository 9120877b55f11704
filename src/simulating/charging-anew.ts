/** Charges messages anew by the card that is in force for them, in pieces, each charge by an amendment of the one before. */

import { createDayFinder } from '#calendar/days.ts'
import type { Cards } from '#intake/cards-in-force.ts'
import type { Pricer } from '#intake/pricing.ts'
import { addReason } from '#intake/unpriced-reasons.ts'
import type { KeptCharges } from '#ledger/kept-charges.ts'
import { lastOf } from '#ledger/kept-pieces.ts'
import type { AppendAnswer, AppendBatch, Ledger, Range } from '#ledger/ledger.ts'
import { creditsAt, type PricedBatch, PricedBatchBuilder, pricedAt } from '#ledger/priced-batch.ts'
import { Conflict } from '#model/errors.ts'
import type { EpochMs } from '#model/organization.ts'
import type { Part } from './comparison.ts'
import { otherCardIn } from './in-force.ts'
import type { ReadingOptions } from './one-moment.ts'
import { factsAgain, isByAnother, type OtherCard, priceOf } from './pricing-again.ts'
import { Sums } from './sums.ts'

export type ChargedAnew = {
  /** The messages that were charged anew. */
  readonly sums: Sums
  /** Why some of them have no price now. */
  readonly reasons: ReadonlyMap<string, number>
  /** Messages that somebody else has changed meanwhile. They stay as they are. */
  readonly changedMeanwhile: number
}

/** `byAnother` is how many of its messages are charged by another card. */
type PartToCharge = Part & { readonly byAnother: number }

type Needs = {
  readonly ledger: Pick<Ledger, 'read' | 'append'>
  readonly cards: Pick<Cards, 'appendBy'>
  readonly pricer: Pick<Pricer, 'priceAgain'>
  readonly clock: () => EpochMs
}

/** How many charges are read at a time, and how many of those are written together, so that intake does not wait long. */
const PIECE_CHARGES = 2000
const WRITTEN_TOGETHER = 500

export const createChargingAnew = ({ ledger, cards, pricer, clock }: Needs) => {
  const append = (
    organizationId: string,
    range: Range,
    { card }: OtherCard,
    batch: Pick<AppendBatch, 'priced'> & Required<Pick<AppendBatch, 'revisions'>>,
  ): Promise<AppendAnswer> =>
    cards.appendBy(organizationId, async (inForce) => {
      if (otherCardIn(inForce, range, card.version) !== undefined)
        throw new Conflict(
          `The rate card "${card.version}" is not in force any more for the organization "${organizationId}". What was charged anew stays.`,
        )
      const recharge = { organizationId, onChange: 'recharge', recordedAt: clock() } as const
      return ledger.append({ ...recharge, ...batch, cardsVersion: inForce.version })
    })

  return async (
    parts: readonly PartToCharge[],
    other: OtherCard,
    { signal, progress }: ReadingOptions = {},
  ): Promise<ChargedAnew> => {
    const expected = parts.reduce((sum, { byAnother }) => sum + byAnother, 0)
    const sums = new Sums()
    const reasons = new Map<string, number>()
    let changedMeanwhile = 0

    const chargeRows = async (part: PartToCharge, charges: KeptCharges, rows: readonly number[]): Promise<void> => {
      const { id, calendar } = part.organization
      const dayOf = createDayFinder(calendar)
      const batch = new PricedBatchBuilder(rows.length)
      for (const row of rows) {
        const priced = pricer.priceAgain(pricedAt(charges, row), { card: other.card })
        batch.add(priced, dayOf(priced.at))
      }
      const priced = batch.build()
      const revisions = rows.map((row) => charges.revisions[row] as number)
      const outcomes = await append(id, part.range, other, { priced, revisions })
      for (const [index, row] of rows.entries()) {
        if (Array.isArray(outcomes) && outcomes[index]?.status !== 'amended') changedMeanwhile++
        else count(charges, row, priced, index)
      }
      progress?.(sums.messages, Math.max(expected, sums.messages))
    }

    const count = (charges: KeptCharges, row: number, priced: PricedBatch, index: number): void => {
      sums.add(charges.credits[row] as number, priced.credits[index] as number)
      const reason = creditsAt(priced, index) === undefined ? priceOf(factsAgain(charges, row), other.card) : undefined
      if (typeof reason === 'string') addReason(reasons, reason)
    }

    const chargePart = async (part: PartToCharge): Promise<void> => {
      for (let after: Pick<ReturnType<typeof lastOf>, 'at' | 'messageId'> | undefined; ; ) {
        const query = { ...part.range, limit: PIECE_CHARGES, withDigests: true, ...(after && { after }) } as const
        const charges = await ledger.read(part.organization.id, (view) => view.keptCharges(query), { signal })
        const rows = Array.from({ length: charges.count }, (_, row) => row)
        const wanted = rows.filter((row) => isByAnother(charges, row, other))
        for (let first = 0; first < wanted.length; first += WRITTEN_TOGETHER) {
          signal?.throwIfAborted()
          await chargeRows(part, charges, wanted.slice(first, first + WRITTEN_TOGETHER))
        }
        if (charges.count < PIECE_CHARGES) return
        after = lastOf(charges)
      }
    }

    for (const part of parts) if (part.byAnother > 0) await chargePart(part)
    return { sums, reasons, changedMeanwhile }
  }
}
