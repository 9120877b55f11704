/**
 * Prices the messages of a listing as they arrive. Each text is measured and then dropped; the prices of reports are filled in
 * at the end, once the catalogue has answered. A client waits for this, so a message has one entry in one map and no object
 * besides its charge.
 */
import { setImmediate as letOthersRun } from 'node:timers/promises'
import type { ReadyCards } from '#intake/compiled-cards.ts'
import { differingField } from '#intake/message-fields.ts'
import type { Pricer } from '#intake/pricing.ts'
import { UnbillableListing } from '#model/errors.ts'
import type { Message } from '#model/message.ts'
import type { Id, Report } from '#model/report.ts'
import { instantOf } from '#model/timestamp.ts'
import type { Priced } from '#model/usage-record.ts'
import { AmountTooLarge } from '#rating/amounts.ts'
import { factsOfCharge, TOO_LARGE } from '#rating/charged-facts.ts'
import { isSameCharge } from './listing.ts'

export type ListingBuilder = {
  /** Adds messages. Throws UnbillableListing if two have the same id and different content. */
  readonly take: (messages: readonly Message[]) => void
  /** Ids of entries that the listing repeats without a difference. Each is charged once. */
  readonly duplicates: readonly Id[]
  /** What each message costs, in listing order. `reports` has what the catalogue returned for each report. Call it once. */
  readonly charges: (reports: ReadonlyMap<Id, Report | undefined>) => Promise<ReadonlyMap<Id, Priced>>
}

export const createListingBuilder = ({ pricer, cards, wantReport, before }: ListingBuilderNeeds): ListingBuilder => {
  /** Without reports, until the catalogue has answered. A map iterates in insertion order, which is that of the listing. */
  const byId = new Map<Id, Priced>()
  /** The report that each message asks for, if it does. */
  const reportIds = new Map<Id, Id>()
  const duplicates: Id[] = []
  /** Where each entry of `byId` is in the listing, duplicates included. */
  const indexes: number[] = []
  let listed = 0

  /** Returns the previous object if the charge is the same: most charges do not change, and the cache compares by identity. */
  const unlessKnown = (charge: Priced): Priced => {
    const known = before?.get(charge.messageId)
    return known !== undefined && isSameCharge(known, charge) ? known : charge
  }

  const takeOne = (message: Message): void => {
    const index = listed++
    const { id, reportId } = message
    const at = instantOf(message.timestamp)
    const choice = cards.at(at)
    const priced = billable(id, choice, () => pricer.priceListed(message, at, before?.get(id), choice))
    const known = byId.get(id)
    if (known !== undefined) {
      const field = whatDiffers(known, priced, reportIds.get(id) === reportId)
      if (field !== undefined) {
        const both = `messages[${indexes[[...byId.keys()].indexOf(id)]}] and messages[${index}]`
        throw new UnbillableListing(`${both} have the same id ${JSON.stringify(id)} and differ in ${field}`)
      }
      duplicates.push(id)
      return
    }
    byId.set(id, unlessKnown(priced))
    indexes.push(index)
    if (reportId === undefined) return
    reportIds.set(id, reportId)
    wantReport(reportId)
  }

  return {
    take: (messages) => {
      for (const message of messages) takeOne(message)
    },
    duplicates,
    charges: async (reports) => {
      let count = 0
      for (const [id, reportId] of reportIds) {
        const [priced, report] = [byId.get(id), reports.get(reportId)]
        if (priced !== undefined && report !== undefined) {
          const choice = cards.at(priced.at)
          const withReport = billable(id, choice, () => pricer.withReport(priced, report, choice))
          byId.set(id, unlessKnown(withReport))
        }
        if (++count % CHARGES_PER_TURN === 0) await letOthersRun()
      }
      return byId
    },
  }
}

const CHARGES_PER_TURN = 5000

/** A listing without the message would be a wrong bill, so the whole listing is refused. */
const billable = (id: Id, { card }: ReturnType<ReadyCards['at']>, price: () => Priced): Priced => {
  try {
    return price()
  } catch (error) {
    if (!(error instanceof AmountTooLarge)) throw error
    throw new UnbillableListing(`the message ${JSON.stringify(id)} ${TOO_LARGE}, by the rate card "${card.version}"`)
  }
}

type ListingBuilderNeeds = {
  readonly pricer: Pricer
  readonly cards: ReadyCards
  /** Called with each report id as it arrives, so that lookups start while the listing is still arriving. */
  readonly wantReport: (id: Id) => void
  /** The charges of the previous listing. */
  readonly before?: ReadonlyMap<Id, Priced> | undefined
}

/** Digests cover the whole content: if no other field differs, the texts do. */
const whatDiffers = (one: Priced, other: Priced, isSameReport: boolean): string | undefined => {
  if (one.timestamp !== other.timestamp) return 'timestamp'
  if (!isSameReport) return 'report_id'
  if (one.cell.member !== other.cell.member) return 'user_id'
  if (Buffer.compare(one.digest, other.digest) === 0) return undefined
  return differingField(broughtBy(one), broughtBy(other)) ?? 'text'
}

const broughtBy = (charge: Priced) => ({ ...factsOfCharge(charge), team: charge.cell.team })
