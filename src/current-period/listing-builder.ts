/**
 * Prices the messages of a listing as they arrive. Each text is measured and then dropped; the prices of reports are filled in
 * at the end, once the catalogue has answered.
 */

import type { Pricer } from '#intake/pricing.ts'
import { UnbillableListing } from '#model/errors.ts'
import type { Message } from '#model/message.ts'
import type { Id, Report } from '#model/report.ts'
import { instantOf } from '#model/timestamp.ts'
import type { Priced } from '#model/usage-record.ts'
import { isSameCharge } from './listing.ts'

export type ListingBuilder = {
  /** Adds messages. Throws UnbillableListing if two have the same id and different content. */
  readonly take: (messages: readonly Message[]) => void
  /** Ids of entries that the listing repeats without a difference. Each is charged once. */
  readonly duplicates: readonly Id[]
  /** What each message costs, in listing order. `reports` has what the catalogue returned for each report. */
  readonly charges: (reports: ReadonlyMap<Id, Report | undefined>) => Generator<Priced, void, undefined>
}

export const createListingBuilder = ({ pricer, wantReport, before }: ListingBuilderNeeds): ListingBuilder => {
  /** A map iterates in insertion order, which is that of the listing. */
  const byId = new Map<Id, Entry>()
  const duplicates: Id[] = []
  let listed = 0

  /** Returns the previous object if the charge is the same: most charges do not change, and the cache compares by identity. */
  const unlessKnown = (charge: Priced): Priced => {
    const known = before?.get(charge.messageId)
    return known !== undefined && isSameCharge(known, charge) ? known : charge
  }

  const takeOne = (message: Message): void => {
    const index = listed++
    const { id, reportId } = message
    const byText = pricer.priceText(message, instantOf(message.timestamp), before?.get(id))
    const known = byId.get(id)
    if (known !== undefined) {
      const field = differingField(known, { byText, reportId })
      if (field !== undefined) {
        const both = `messages[${known.index}] and messages[${index}]`
        throw new UnbillableListing(`${both} have the same id ${JSON.stringify(id)} and differ in ${field}`)
      }
      duplicates.push(id)
      return
    }
    if (reportId !== undefined) wantReport(reportId)
    byId.set(id, { index, byText, reportId })
  }

  return {
    take: (messages) => {
      for (const message of messages) takeOne(message)
    },
    duplicates,
    charges: function* (reports) {
      for (const { byText, reportId } of byId.values()) {
        const report = reportId === undefined ? undefined : reports.get(reportId)
        yield report === undefined ? byText : unlessKnown(pricer.withReport(byText, report))
      }
    },
  }
}

type ListingBuilderNeeds = {
  readonly pricer: Pricer
  /** Called with each report id as it arrives, so that lookups start while the listing is still arriving. */
  readonly wantReport: (id: Id) => void
  /** The charges of the previous listing. */
  readonly before?: ReadonlyMap<Id, Priced> | undefined
}

type Entry = {
  /** Index in the listing, duplicates included. */
  readonly index: number
  /** The charge by text, which applies unless a report sets the price. */
  readonly byText: Priced
  readonly reportId: Id | undefined
}

type Compared = Pick<Entry, 'byText' | 'reportId'>

/** Digests cover the whole content: if no other field differs, the texts do. */
const differingField = (one: Compared, other: Compared): string | undefined => {
  if (one.byText.timestamp !== other.byText.timestamp) return 'timestamp'
  if (one.reportId !== other.reportId) return 'report_id'
  if (one.byText.member !== other.byText.member) return 'user_id'
  return Buffer.compare(one.byText.digest, other.byText.digest) === 0 ? undefined : 'text'
}
