/**
 * Takes the messages of a period in as they arrive and prices them. Each text is measured when it comes; what a report
 * costs is filled in at the end, when the catalogue has answered.
 */
import type { Credits } from '#model/credits.ts'
import { UnbillableListing } from '#model/errors.ts'
import type { Message } from '#model/message.ts'
import type { RateCard } from '#model/rate-card.ts'
import type { Id, Report } from '#model/report.ts'
import type { UsageLine } from '#model/usage-line.ts'
import { measure } from '#rating/measure.ts'
import { price, priceReport } from '#rating/price.ts'
import type { PricedMessage } from './intake.ts'

export type PeriodBill = {
  /** Adds messages. Throws UnbillableListing where two have the same id and different content. */
  readonly take: (messages: readonly Message[]) => void
  /** Messages charged so far. */
  readonly size: () => number
  /** Ids of entries that came again, identical, and are charged once. */
  readonly duplicates: readonly Id[]
  /** The usage lines in the order in which the messages came, where `reports` has what the catalogue said of each id. */
  readonly lines: (reports: ReadonlyMap<Id, Report | undefined>) => Generator<UsageLine, void, undefined>
  /** The messages in the same order, each with the report that prices it. */
  readonly messages: (reports: ReadonlyMap<Id, Report | undefined>) => Generator<PricedMessage, void, undefined>
}

export const createPeriodBill = ({ rateCard, wantReport }: PeriodBillNeeds): PeriodBill => {
  /** A map iterates in the order in which its keys were added: the listing's. */
  const byId = new Map<Id, Entry>()
  const duplicates: Id[] = []
  let listed = 0

  const takeOne = (message: Message): void => {
    const index = listed++
    const known = byId.get(message.id)
    if (known !== undefined) {
      const field = differingField(known.message, message)
      if (field !== undefined) {
        const both = `messages[${known.index}] and messages[${index}]`
        throw new UnbillableListing(`${both} have the same id ${JSON.stringify(message.id)} and differ in ${field}`)
      }
      duplicates.push(message.id)
      return
    }
    if (message.reportId !== undefined) wantReport(message.reportId)
    byId.set(message.id, { index, message, textCredits: price(measure(message.text), rateCard).credits })
  }

  return {
    take: (messages) => {
      for (const message of messages) takeOne(message)
    },
    size: () => byId.size,
    duplicates,
    lines: function* (reports) {
      for (const { message, textCredits } of byId.values()) {
        const report = message.reportId === undefined ? undefined : reports.get(message.reportId)
        yield usageLine(message, report, textCredits)
      }
    },
    messages: function* (reports) {
      for (const { message } of byId.values()) {
        yield { message, report: message.reportId === undefined ? undefined : reports.get(message.reportId) }
      }
    },
  }
}

type PeriodBillNeeds = {
  readonly rateCard: RateCard
  /** Is told each report id as it is met, so that the catalogue can be asked while the listing is still arriving. */
  readonly wantReport: (id: Id) => void
}

type Entry = {
  /** Place in the listing, duplicates included. */
  readonly index: number
  readonly message: Message
  /** What the text costs, which is the price unless a report sets it. */
  readonly textCredits: Credits
}

const usageLine = ({ id, timestamp }: Message, report: Report | undefined, textCredits: Credits): UsageLine =>
  report === undefined
    ? { messageId: id, timestamp, credits: textCredits }
    : { messageId: id, timestamp, reportName: report.name, credits: priceReport(report).credits }

const COMPARED = ['text', 'timestamp', 'reportId', 'member'] as const

const differingField = (message: Message, other: Message): string | undefined => {
  const field = COMPARED.find((name) => message[name] !== other[name])
  if (field === 'member') return 'user_id'
  return field === 'reportId' ? 'report_id' : field
}
