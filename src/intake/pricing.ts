/** Message → Priced: the only place that measures and prices a message, and the last one that has its text. */
import { type Cell, createCells } from '#model/cell.ts'
import type { Credits } from '#model/credits.ts'
import type { Facts } from '#model/facts.ts'
import type { Message } from '#model/message.ts'
import type { EpochMs } from '#model/organization.ts'
import { canonicalReportId, type Report } from '#model/report.ts'
import type { Priced } from '#model/usage-record.ts'
import type { CompiledCard } from '#rating/compile-card.ts'
import { measure } from '#rating/measure.ts'
import { packMeasurement } from '#rating/packed-measurement.ts'
import type { ContentDigest } from './content-digest.ts'

/** A message that is priced by its text, or by a report in place of it. */
export type TextMessage = Message & { readonly text: string }

/** Whether the rate card of this pricer has all that it takes to price the message. It knows texts and reports only. */
export const isTextMessage = (message: Message): message is TextMessage =>
  message.text !== undefined && message.team === undefined && message.brought === undefined

/** Completes "a message must". */
export const TEXT_ONLY =
  'have a text, and neither team, model, usage, quantities, attributes nor outcome: no rate card prices them yet'

export type Pricer = {
  /** `at` is the instant of the message's timestamp; `report` is the report that it asks for, if the catalogue has it. */
  readonly price: (message: TextMessage, at: EpochMs, report: Report | undefined) => Priced
  /** Prices by the text. If `known`, a charge of the same id, has the same content, returns it and measures nothing. */
  readonly priceText: (message: TextMessage, at: EpochMs, known: Priced | undefined) => Priced
  /** Replaces the price of the text with the cost of the report, once the catalogue has answered. */
  readonly withReport: (priced: Priced, report: Report) => Priced
}

export type PricerNeeds = { readonly rateCard: CompiledCard; readonly digest: ContentDigest }

export const createPricer = ({ rateCard, digest }: PricerNeeds): Pricer => {
  const cells = createCells(rateCard.version)

  const priceAs = (message: TextMessage, at: EpochMs, report: Report | undefined, ownDigest: Uint8Array): Priced => {
    const measurement = measure(message.text)
    return {
      messageId: message.id,
      at,
      timestamp: message.timestamp,
      cell: cellFor(message.member, report),
      credits: creditsOf(report === undefined ? { measurement } : { measurement, report: factsOf(report) }),
      facts: packMeasurement(measurement),
      digest: ownDigest,
    }
  }

  const creditsOf = (facts: Facts): Credits => {
    const total = rateCard.total(facts)
    if (typeof total !== 'number') throw new Error(total.reason)
    return total
  }

  const cellFor = (member: string | undefined, report: Report | undefined): Cell =>
    cells(member, report && { id: canonicalReportId(report.id), name: report.name })

  const isTextPriceOf = (known: Priced, { timestamp }: TextMessage, ownDigest: Uint8Array): boolean =>
    known.cell.reportId === undefined &&
    known.timestamp === timestamp &&
    known.cell.rateCard === rateCard.version &&
    Buffer.compare(known.digest, ownDigest) === 0

  return {
    price: (message, at, report) => priceAs(message, at, report, digest(message)),
    priceText: (message, at, known) => {
      const ownDigest = digest(message)
      const isSame = known !== undefined && isTextPriceOf(known, message, ownDigest)
      return isSame ? known : priceAs(message, at, undefined, ownDigest)
    },
    withReport: (priced, report) => ({
      ...priced,
      cell: cellFor(priced.cell.member, report),
      credits: creditsOf({ report: factsOf(report) }),
    }),
  }
}

const factsOf = ({ id, creditCost }: Report): Facts['report'] & object => ({ id, credits: creditCost })
