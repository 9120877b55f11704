/**
 * Charges messages that had no price when they were reported and have one now, because a rate card was put in force or a report was
 * added. What was kept of a message is priced again, and the price is an amendment; if the period is closed, an adjustment. In the
 * open period, what still has no price becomes a message of the card that is in force now, so that the reason shown is its reason.
 */
import { createDayFinder } from '#calendar/days.ts'
import type { Ledger, LedgerView, Range } from '#ledger/ledger.ts'
import { PricedBatchBuilder } from '#ledger/priced-batch.ts'
import { isSameCell } from '#model/cell.ts'
import { type CreditsSum, creditsSum } from '#model/credits.ts'
import type { PagePosition } from '#model/line-order.ts'
import { CALENDAR_BEGINS, type EpochMs, type Organization } from '#model/organization.ts'
import type { Id } from '#model/report.ts'
import type { Priced, RecordedLine, StoredCharge } from '#model/usage-record.ts'
import { factsOfCharge } from '#rating/charged-facts.ts'
import type { Cards } from './cards-in-force.ts'
import type { CompiledCards, ReadyCards } from './compiled-cards.ts'
import { type IntakeNeeds, reasonIn } from './intake.ts'
import type { Pricer } from './pricing.ts'
import { addReason } from './unpriced-reasons.ts'

export type Repriced = {
  /** Messages without a price. One that was charged by somebody else meanwhile is neither priced nor unpriced. */
  readonly tried: number
  readonly priced: number
  /** What the priced messages cost. */
  readonly credits: CreditsSum
  readonly unpriced: number
  /** How many messages have no price for each reason. */
  readonly reasons: ReadonlyMap<string, number>
}

export type Repricing = {
  /**
   * Tries all unpriced messages of an organization. A run that failed can be repeated, and several runs at once charge each message
   * once. Throws UpstreamError, StoreError or the reason of `signal`.
   */
  readonly reprice: (organization: Organization, options?: { readonly signal?: AbortSignal }) => Promise<Repriced>
}

export type RepricingNeeds = {
  readonly ledger: Pick<Ledger, 'append' | 'read'>
  readonly reportsOf: IntakeNeeds['reportsOf']
  readonly pricer: Pick<Pricer, 'priceAgain'>
  readonly cards: Pick<Cards, 'appendBy' | 'inForceNow'>
  readonly compiledCards: Pick<CompiledCards, 'ready'>
  readonly clock: () => EpochMs
}

/** How many messages are read, priced and written at a time. */
const PIECE = 500

export const createRepricing = (needs: RepricingNeeds): Repricing => {
  const { ledger, reportsOf, pricer, cards, compiledCards, clock } = needs

  /** Prices messages with the reports that there are now. */
  const pricingWith = async (messages: readonly Priced[]): Promise<(message: Priced, ready: ReadyCards) => Priced> => {
    const ids = new Set(messages.flatMap((message) => factsOfCharge(message).report?.id ?? []))
    const reports = ids.size === 0 ? undefined : await reportsOf(ids)
    return (message, { at }) => {
      const asked = factsOfCharge(message).report?.id
      return pricer.priceAgain(message, at(message.at), asked === undefined ? undefined : reports?.get(asked))
    }
  }

  const repricePiece = async ({ id, calendar }: Organization, { lines, closedUntil }: Piece): Promise<Repriced> => {
    const dayOf = createDayFinder(calendar)
    const messages = lines.map(asReported)
    const price = await pricingWith(messages)
    let tried = 0
    let reasons = new Map<string, number>()
    const outcomes = await cards.appendBy(id, async (inForce) => {
      const ready = await compiledCards.ready(inForce)
      const batch = new PricedBatchBuilder(lines.length)
      const unpriced: Priced[] = []
      let priceable = 0
      const known = new Set<Id>()
      for (const [index, message] of messages.entries()) {
        const isLatest = (lines[index]?.at ?? closedUntil) >= closedUntil
        const priced = price(message, ready)
        const isSame = priced.credits === undefined && isSameCell(priced.cell, message.cell)
        if (isSame && isLatest) unpriced.push(priced)
        else known.add(message.messageId)
      }
      for (const latest of await latestCharges(id, [...known])) {
        if (latest.credits !== undefined) continue
        const priced = price(asReported(latest), ready)
        if (priced.credits === undefined) unpriced.push(priced)
        else priceable++
        const isMoved = latest.at >= closedUntil && !isSameCell(priced.cell, latest.cell)
        if (priced.credits !== undefined || isMoved) batch.add(priced, dayOf(priced.at))
      }
      const priced = batch.build()
      tried = priceable + unpriced.length
      reasons = new Map()
      for (const each of unpriced) addReason(reasons, reasonIn(each, ready))
      const append = { organizationId: id, priced, recordedAt: clock(), cardsVersion: inForce.version }
      return ledger.append({ ...append, onChange: 'price' })
    })
    const amended = outcomes?.filter(({ status, credits }) => status === 'amended' && credits !== undefined) ?? []
    return {
      tried,
      priced: amended.length,
      credits: creditsSum(amended.reduce((sum, { credits = 0 }) => sum + BigInt(credits), 0n)),
      unpriced: [...reasons.values()].reduce((sum, count) => sum + count, 0),
      reasons,
    }
  }

  /** Of messages that are in the ledger, with what lists of messages leave out. */
  const latestCharges = (organizationId: string, ids: readonly Id[]): Promise<readonly StoredCharge[]> =>
    ids.length === 0
      ? Promise.resolve([])
      : ledger.read(organizationId, async (view) => {
          const charges = await Promise.all(ids.map((id) => view.charges(id)))
          return charges.flatMap(([latest]) => latest ?? [])
        })

  const reprice: Repricing['reprice'] = async (organization, { signal } = {}) => {
    const { id } = organization
    const days = await ledger.read(id, unpricedDays, { signal })
    // If nothing has a price by the cards that are remembered, nothing is appended, and the ledger cannot say that they are old.
    if (days.length > 0) await cards.inForceNow(id)
    let sum = NOTHING
    for (const day of days) {
      let after: PagePosition | undefined
      do {
        const piece = await ledger.read(id, (view) => pieceOf(view, day, after), { signal })
        sum = sumOf(sum, await repricePiece(organization, piece))
        after = piece.lines.length < PIECE ? undefined : piece.lines.at(-1)
      } while (after !== undefined)
    }
    return sum
  }

  return { reprice }
}

type Piece = { readonly lines: readonly RecordedLine[]; readonly closedUntil: EpochMs }

/** From the totals of days, which are few. Most organizations have no such day. */
const unpricedDays = async (view: LedgerView): Promise<readonly Range[]> => {
  const days = await view.dayTotals({ from: CALENDAR_BEGINS, to: -CALENDAR_BEGINS, group: [] })
  return days.flatMap(({ dayStart, unpriced }, index) =>
    unpriced === 0 ? [] : { from: dayStart, to: days[index + 1]?.dayStart ?? -CALENDAR_BEGINS },
  )
}

const pieceOf = async (view: LedgerView, { from, to }: Range, after: PagePosition | undefined): Promise<Piece> => ({
  lines: await view.page({ from: after?.at ?? from, to, unpriced: true, limit: PIECE, ...(after && { after }) }),
  closedUntil: await view.closedUntil(),
})

/** A message counts at the start of the open period if its own was closed. It is priced by its own instant. */
const asReported = ({ messageId, at, adjusts, timestamp, cell, ...kept }: RecordedLine | StoredCharge): Priced => ({
  messageId,
  at: adjusts ?? at,
  timestamp,
  cell,
  facts: kept.facts ?? NO_BYTES,
  digest: 'digest' in kept ? kept.digest : NO_BYTES,
})

const NO_BYTES = new Uint8Array()

const NOTHING: Repriced = { tried: 0, priced: 0, credits: creditsSum(0n), unpriced: 0, reasons: new Map() }

const sumOf = (one: Repriced, other: Repriced): Repriced => {
  const reasons = new Map(one.reasons)
  for (const [reason, messages] of other.reasons) addReason(reasons, reason, messages)
  return {
    tried: one.tried + other.tried,
    priced: one.priced + other.priced,
    credits: creditsSum(one.credits + other.credits),
    unpriced: one.unpriced + other.unpriced,
    reasons,
  }
}
