/**
 * Measures and prices reported messages, and has the ledger charge a whole batch in one transaction. Everything before the
 * ledger can be repeated; nothing after it is undone.
 */
import { setImmediate as letOthersRun } from 'node:timers/promises'
import { createDayFinder } from '#calendar/days.ts'
import type { AppendBatch, AppendOutcome, Ledger } from '#ledger/ledger.ts'
import { type CountedDay, creditsAt, type PricedBatch, PricedBatchBuilder, pricedAt } from '#ledger/priced-batch.ts'
import type { Message } from '#model/message.ts'
import type { BillingCalendar, EpochMs, Organization } from '#model/organization.ts'
import type { Id, Report } from '#model/report.ts'
import type { Priced, ReasonOf } from '#model/usage-record.ts'
import { AmountTooLarge } from '#rating/amounts.ts'
import { factsOfCharge, pricingOf, TOO_LARGE } from '#rating/charged-facts.ts'
import type { Cards } from './cards-in-force.ts'
import type { CompiledCards, ReadyCards } from './compiled-cards.ts'
import {
  type IncomingMessage,
  type IntakeLimits,
  isRejection,
  parseIncoming,
  type Rejection,
} from './incoming-message.ts'
import { type IntakeCounts, IntakeResults } from './intake-results.ts'
import { isPricedBy, type Pricer } from './pricing.ts'
import type { Reporter, Senders } from './senders.ts'
import { addReason } from './unpriced-reasons.ts'

export type Intake = {
  /**
   * Takes entries as received, each as `incoming-message.ts` describes it, and resolves to a result for each, in order,
   * once all accepted entries are committed. Throws UpstreamError or StoreError, after which they may be sent again.
   *
   * Empties `entries` once they are priced: what lives until the commit costs garbage collection, and texts must not. `reporter` says
   * who sent them, for counting.
   */
  readonly take: (organization: Organization, entries: unknown[], reporter?: Reporter) => Promise<IntakeResults>
  /** Records charges that were priced elsewhere and amends those that changed. */
  readonly record: (
    organization: Organization,
    charges: readonly Priced[],
  ) => Promise<{ readonly accepted: number; readonly amended: number }>
  /** Validates an entry as `take` does. */
  readonly parse: (entry: unknown) => IncomingMessage | Rejection
}

export type IntakeNeeds = {
  readonly ledger: Pick<Ledger, 'append'>
  /** Every report, or undefined if the catalogue does not have it. Throws UpstreamError or StoreError. */
  readonly reportsOf: (ids: ReadonlySet<Id>) => Promise<ReadonlyMap<Id, Report | undefined>>
  readonly pricer: Pricer
  readonly cards: Pick<Cards, 'appendBy'>
  readonly compiledCards: Pick<CompiledCards, 'ready'>
  readonly limits: IntakeLimits
  readonly clock: () => EpochMs
  readonly observe: (counts: Readonly<IntakeCounts>) => void
  readonly senders: Pick<Senders, 'saw' | 'took'>
  /** Called with the number of messages that were taken or recorded without a price, by reason, if there are any. */
  readonly observeUnpriced: (reasons: ReadonlyMap<string, number>) => void
}

export const createIntake = (needs: IntakeNeeds): Intake => {
  const { ledger, reportsOf, pricer, cards, compiledCards, limits, clock, observe, observeUnpriced, senders } = needs
  const dayFinders = new WeakMap<BillingCalendar, (at: EpochMs) => CountedDay>()

  const dayFinderOf = (calendar: BillingCalendar): ((at: EpochMs) => CountedDay) => {
    const known = dayFinders.get(calendar) ?? createDayFinder(calendar)
    dayFinders.set(calendar, known)
    return known
  }

  /** Prices a batch by the cards in force and appends it; prices it again if others are in force by then. */
  const append = (
    { id: organizationId }: Organization,
    onChange: AppendBatch['onChange'],
    priceBy: (cards: ReadyCards) => Promise<PricedBatch>,
  ): Promise<readonly AppendOutcome[] | undefined> =>
    cards.appendBy(organizationId, async (inForce) => {
      const priced = await priceBy(await compiledCards.ready(inForce))
      return ledger.append({ organizationId, priced, onChange, recordedAt: clock(), cardsVersion: inForce.version })
    })

  const pricedBy = (charge: Priced, { at }: ReadyCards): Priced => {
    const cards = at(charge.at)
    return isPricedBy(cards, charge) ? charge : pricer.priceAgain(charge, cards)
  }

  /** By reason, how many of those that are new have no price. */
  const countUnpriced = (
    batch: PricedBatch,
    outcomes: readonly AppendOutcome[] | undefined,
    ready: ReadyCards,
  ): ReadonlyMap<string, number> => {
    const reasons = new Map<string, number>()
    for (let row = 0; row < batch.count; row++) {
      const isNew =
        outcomes === undefined || outcomes[row]?.status === 'accepted' || outcomes[row]?.status === 'amended'
      if (isNew && creditsAt(batch, row) === undefined) addReason(reasons, reasonIn(pricedAt(batch, row), ready))
    }
    if (reasons.size > 0) observeUnpriced(reasons)
    return reasons
  }

  const findReports = async (messages: readonly Message[]): Promise<ReadonlyMap<Id, Report | undefined>> => {
    const ids = new Set<Id>()
    for (const { reportId } of messages) if (reportId !== undefined) ids.add(reportId)
    return ids.size === 0 ? NO_REPORTS : reportsOf(ids)
  }

  const take: Intake['take'] = async (organization, entries, reporter = { source: 'messages' }) => {
    const time = clock()
    const { length } = entries
    const messages: IncomingMessage[] = []
    /** Of each message, the index of its entry. */
    const indexes: number[] = []
    const rejections = new Map<number, Rejection>()
    for (const [index, entry] of entries.entries()) {
      const parsed = parseIncoming(entry, limits, time)
      if (isRejection(parsed)) {
        rejections.set(index, parsed)
      } else {
        messages.push(parsed)
        indexes.push(index)
      }
    }
    senders.saw(organization.id, reporter, messages)
    const reports = await findReports(messages)
    const dayOf = dayFinderOf(organization.calendar)
    const unknownReports = new Set<number>()

    const priceMessages = async ({ at }: ReadyCards): Promise<PricedBatch> => {
      const batch = new PricedBatchBuilder(messages.length)
      const isTurnOver = createTurns()
      let row = 0
      for (const [number, message] of messages.entries()) {
        const report = message.reportId === undefined ? undefined : reports.get(message.reportId)
        const priced = priceOr(rejections, indexes[number] as number, message, () =>
          pricer.price(message, message.at, report, at(message.at)),
        )
        if (isTurnOver(message.text?.length ?? 0)) await letOthersRun()
        if (priced === undefined) continue
        batch.add(priced, dayOf(message.at))
        if (message.reportId !== undefined && report === undefined) unknownReports.add(row)
        row++
      }
      entries.length = 0
      messages.length = 0
      return batch.build()
    }

    const priceAgain = (batch: PricedBatch, ready: ReadyCards): PricedBatch => {
      const again = new PricedBatchBuilder(batch.count)
      for (let row = 0; row < batch.count; row++) {
        const priced = pricedBy(pricedAt(batch, row), ready)
        again.add(priced, dayOf(priced.at))
      }
      return again.build()
    }

    let latest: { readonly priced: PricedBatch; readonly ready: ReadyCards } | undefined
    const outcomes = await append(organization, 'refuse', async (ready) => {
      const priced = latest === undefined ? await priceMessages(ready) : priceAgain(latest.priced, ready)
      latest = { priced, ready }
      return priced
    })
    if (latest === undefined) throw new Error('a batch was appended before it was priced')
    const { priced, ready } = latest
    const reasonOf: ReasonOf = (unpriced) => reasonIn(unpriced, ready)
    const results = new IntakeResults({ length, rejections, priced, outcomes, unknownReports, reasonOf })
    observe(results.counts)
    senders.took(organization.id, reporter, {
      counts: results.counts,
      rejections: rejections.values(),
      conflicts: results.counts.conflict === 0 ? [] : conflictsIn(results),
      unpriced: countUnpriced(priced, outcomes, ready),
    })
    return results
  }

  const record: Intake['record'] = async (organization, charges) => {
    const dayOf = dayFinderOf(organization.calendar)
    let count = (_: readonly AppendOutcome[] | undefined): void => {}
    const outcomes = await append(organization, 'amend', async (ready) => {
      const batch = new PricedBatchBuilder(charges.length)
      for (const charge of charges) batch.add(pricedBy(charge, ready), dayOf(charge.at))
      const priced = batch.build()
      count = (each) => {
        countUnpriced(priced, each, ready)
      }
      return priced
    })
    count(outcomes)
    const countOf = (wanted: AppendOutcome['status']): number =>
      outcomes?.reduce((count, { status }) => count + Number(status === wanted), 0) ?? 0
    return { accepted: outcomes === undefined ? charges.length : countOf('accepted'), amended: countOf('amended') }
  }

  return { take, record, parse: (entry) => parseIncoming(entry, limits, clock()) }
}

/** A message whose amount does not fit a charge is rejected, and the others of the batch are not. */
const priceOr = (
  rejections: Map<number, Rejection>,
  index: number,
  { id }: IncomingMessage,
  price: () => Priced,
): Priced | undefined => {
  try {
    return price()
  } catch (error) {
    if (!(error instanceof AmountTooLarge)) throw error
    rejections.set(index, { id, field: '', reason: TOO_LARGE })
    return undefined
  }
}

const conflictsIn = (results: IntakeResults): readonly Id[] =>
  [...results].flatMap((result) => (result.status === 'conflict' ? [result.id] : []))

/** Why a message has no price by the card for all messages. */
export const reasonIn = (unpriced: Parameters<ReasonOf>[0], { at }: ReadyCards): string => {
  const pricing = pricingOf(factsOfCharge(unpriced), at(unpriced.at).card)
  return pricing.status === 'unpriced' ? pricing.reason : NO_PRICE_THEN
}

/** Of a message that was sent again and would have a price now. */
const NO_PRICE_THEN = 'it had no price when it was reported first'

const NO_REPORTS: ReadonlyMap<Id, Report | undefined> = new Map()

/** Counts measured characters, and says when it is time to let other work run. */
const createTurns = () => {
  let characters = 0
  return (more: number): boolean => {
    characters += more + CHARACTERS_PER_MESSAGE
    if (characters < CHARACTERS_PER_TURN) return false
    characters = 0
    return true
  }
}

/** What a message costs beyond its text, as the number of characters that could be measured in the same time. */
const CHARACTERS_PER_MESSAGE = 200
const CHARACTERS_PER_TURN = 500_000
