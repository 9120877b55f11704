/** Message → Priced: the only place that measures and prices a message, and the last one that has its text. */
import { type CellFinder, createCells } from '#model/cell.ts'
import type { Credits } from '#model/credits.ts'
import type { Facts } from '#model/facts.ts'
import type { Message } from '#model/message.ts'
import type { EpochMs } from '#model/organization.ts'
import { canonicalReportId, type Report } from '#model/report.ts'
import type { Priced } from '#model/usage-record.ts'
import { type CardChoice, cardFor, totalIfAny } from '#rating/card-choice.ts'
import { factsOfCharge } from '#rating/charged-facts.ts'
import type { CompiledCard } from '#rating/compile-card.ts'
import { measure } from '#rating/measure.ts'
import { packFacts } from '#rating/packed-facts.ts'
import type { ContentDigest } from './content-digest.ts'

/** Each prices by the first of the cards that has a price. If none has one, the message is one of the card for all messages. */
export type Pricer = {
  /**
   * `at` is the instant of the message's timestamp; `report` is the report that it asks for, if the catalogue has it. Throws
   * AmountTooLarge.
   */
  readonly price: (message: Message, at: EpochMs, report: Report | undefined, cards: CardChoice) => Priced
  /**
   * Prices as if the catalogue had no report. If `known`, a charge of the same id, is that already, returns it and measures
   * nothing. Throws AmountTooLarge.
   */
  readonly priceListed: (message: Message, at: EpochMs, known: Priced | undefined, cards: CardChoice) => Priced
  /** Prices again with the report, once the catalogue has answered. Throws AmountTooLarge. */
  readonly withReport: (priced: Priced, report: Report, cards: CardChoice) => Priced
  /**
   * Prices what was kept of a message by another card, and with the report that it asks for, if the catalogue has it now. What would
   * not fit a charge is unpriced, because it was accepted before.
   */
  readonly priceAgain: (priced: Priced, cards: CardChoice, found?: Report) => Priced
}

export const createPricer = (digest: ContentDigest): Pricer => {
  const cellsOf = new Map<string, CellFinder>()

  const cellFor = ({ version }: CompiledCard, ...of: Parameters<CellFinder>) => {
    let cells = cellsOf.get(version)
    if (cells === undefined) {
      if (cellsOf.size >= CARDS_MAX) cellsOf.clear()
      cells = createCells(version)
      cellsOf.set(version, cells)
    }
    return cells(...of)
  }

  const priceAs = (
    message: Message,
    at: EpochMs,
    report: Report | undefined,
    cards: CardChoice,
    ownDigest: Uint8Array,
  ): Priced => {
    const { id: messageId, timestamp, member, team, brought } = message
    const facts = factsOf(message, report)
    const card = cardFor(cards, facts)
    const credits = card.total(facts)
    const cell = cellFor(card, member, report && nameOf(report), team, brought)
    const kept = packFacts(facts)
    return typeof credits === 'number'
      ? { messageId, at, timestamp, cell, credits, facts: kept, digest: ownDigest }
      : { messageId, at, timestamp, cell, facts: kept, digest: ownDigest }
  }

  const isSamePrice = (known: Priced, { timestamp }: Message, cards: CardChoice, ownDigest: Uint8Array): boolean =>
    known.cell.reportId === undefined &&
    known.timestamp === timestamp &&
    isPricedBy(cards, known) &&
    Buffer.compare(known.digest, ownDigest) === 0

  return {
    price: (message, at, report, cards) => priceAs(message, at, report, cards, digest(message)),

    priceListed: (message, at, known, cards) => {
      const ownDigest = digest(message)
      const isSame = known !== undefined && isSamePrice(known, message, cards, ownDigest)
      return isSame ? known : priceAs(message, at, undefined, cards, ownDigest)
    },

    withReport: ({ credits: _, ...priced }, report, cards) => {
      const facts = withPriceOf(report, factsOfCharge(priced))
      const card = cardFor(cards, facts)
      const { member, team } = priced.cell
      const cell = cellFor(card, member, nameOf(report), team, facts)
      return { ...priced, ...cost(card.total(facts)), cell, facts: packFacts(facts) }
    },

    priceAgain: (priced, cards, found) => {
      const facts = found === undefined ? factsOfCharge(priced) : withPriceOf(found, factsOfCharge(priced))
      const card = cardFor(cards, facts)
      const { credits: _, ...kept } = priced
      const { member, team, reportId, reportName = '' } = priced.cell
      const before = reportId === undefined ? undefined : { id: reportId, name: reportName }
      const report = found === undefined ? before : nameOf(found)
      const cell = cellFor(card, member, report, team, facts)
      return { ...kept, ...cost(totalIfAny(facts, card)), cell, facts: packFacts(facts) }
    },
  }
}

/** Whether pricing the message by the cards would give the same. What a card for unpriced messages has priced is priced again. */
export const isPricedBy = ({ card, forUnpriced }: CardChoice, { cell, credits }: Priced): boolean =>
  cell.rateCard === card.version && (forUnpriced === undefined || credits !== undefined)

/** Cards whose cells are remembered. */
const CARDS_MAX = 100

const nameOf = ({ id, name }: Report) => ({ id: canonicalReportId(id), name })

const withPriceOf = ({ id, creditCost }: Report, facts: Facts): Facts => ({
  ...facts,
  report: { id: canonicalReportId(id), credits: creditCost },
})

const cost = (total: ReturnType<CompiledCard['total']> | undefined): { readonly credits?: Credits } =>
  typeof total === 'number' ? { credits: total } : {}

/** `report` is the report that the message asks for, if the catalogue has it. */
export const factsOf = ({ text, reportId, brought }: Message, report: Report | undefined): Facts => {
  const measurement = text === undefined ? undefined : measure(text)
  // Most messages are a text and nothing else.
  if (measurement !== undefined && reportId === undefined && brought === undefined) return { measurement }
  return {
    ...(measurement !== undefined && { measurement }),
    ...(reportId !== undefined && {
      report: { id: canonicalReportId(reportId), ...(report !== undefined && { credits: report.creditCost }) },
    }),
    ...brought,
  }
}
