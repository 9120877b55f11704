/**
 * Measures and prices reported messages, and has the ledger charge a whole batch in one transaction. Everything before the
 * ledger can be repeated; nothing after it is undone.
 */
import { setImmediate as letOthersRun } from 'node:timers/promises'
import { createDayFinder } from '#calendar/days.ts'
import type { AppendBatch, AppendOutcome, Ledger } from '#ledger/ledger.ts'
import { type CountedDay, type PricedBatch, PricedBatchBuilder } from '#ledger/priced-batch.ts'
import type { Message } from '#model/message.ts'
import type { BillingCalendar, EpochMs, Organization } from '#model/organization.ts'
import type { Id, Report } from '#model/report.ts'
import type { Priced, ReasonOf } from '#model/usage-record.ts'
import {
  type IncomingMessage,
  type IntakeLimits,
  isRejection,
  parseIncoming,
  type Rejection,
} from './incoming-message.ts'
import { type IntakeCounts, IntakeResults } from './intake-results.ts'
import { isTextMessage, type Pricer, TEXT_ONLY, type TextMessage } from './pricing.ts'

export type Intake = {
  /**
   * Takes entries as received, each as `incoming-message.ts` describes it, and resolves to a result for each, in order,
   * once all accepted entries are committed. Throws UpstreamError or StoreError, after which they may be sent again.
   *
   * Empties `entries` once they are priced: what lives until the commit costs garbage collection, and texts must not.
   */
  readonly take: (organization: Organization, entries: unknown[]) => Promise<IntakeResults>
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
  readonly reasonOf: ReasonOf
  readonly limits: IntakeLimits
  readonly clock: () => EpochMs
  readonly observe: (counts: Readonly<IntakeCounts>) => void
}

export const createIntake = (needs: IntakeNeeds): Intake => {
  const { ledger, reportsOf, pricer, reasonOf, limits, clock, observe } = needs
  const dayFinders = new WeakMap<BillingCalendar, (at: EpochMs) => CountedDay>()

  const dayFinderOf = (calendar: BillingCalendar): ((at: EpochMs) => CountedDay) => {
    const known = dayFinders.get(calendar) ?? createDayFinder(calendar)
    dayFinders.set(calendar, known)
    return known
  }

  const append = async (
    { id: organizationId }: Organization,
    priced: PricedBatch,
    onChange: AppendBatch['onChange'],
  ): Promise<readonly AppendOutcome[] | undefined> => {
    const answer = await ledger.append({ organizationId, priced, onChange, recordedAt: clock() })
    if (answer === 'other-cards') throw new Error('the batch does not say which rate cards priced it')
    return answer
  }

  const findReports = async (messages: readonly Message[]): Promise<ReadonlyMap<Id, Report | undefined>> => {
    const ids = new Set<Id>()
    for (const { reportId } of messages) if (reportId !== undefined) ids.add(reportId)
    return ids.size === 0 ? NO_REPORTS : reportsOf(ids)
  }

  const take = async (organization: Organization, entries: unknown[]): Promise<IntakeResults> => {
    const time = clock()
    const { length } = entries
    const messages: (IncomingMessage & TextMessage)[] = []
    const rejections = new Map<number, Rejection>()
    for (const [index, entry] of entries.entries()) {
      const parsed = parseIncoming(entry, limits, time)
      if (isRejection(parsed)) rejections.set(index, parsed)
      else if (isTextMessage(parsed)) messages.push(parsed)
      else rejections.set(index, { id: parsed.id, field: '', reason: `must ${TEXT_ONLY}` })
    }
    const reports = await findReports(messages)
    const dayOf = dayFinderOf(organization.calendar)
    const batch = new PricedBatchBuilder(messages.length)
    const unknownReports = new Set<number>()
    const isTurnOver = createTurns()
    for (const [row, message] of messages.entries()) {
      const report = message.reportId === undefined ? undefined : reports.get(message.reportId)
      if (message.reportId !== undefined && report === undefined) unknownReports.add(row)
      batch.add(pricer.price(message, message.at, report), dayOf(message.at))
      if (isTurnOver(message.text.length)) await letOthersRun()
    }
    entries.length = 0
    messages.length = 0
    const priced = batch.build()
    const outcomes = await append(organization, priced, 'refuse')
    const results = new IntakeResults({ length, rejections, priced, outcomes, unknownReports, reasonOf })
    observe(results.counts)
    return results
  }

  const record: Intake['record'] = async (organization, charges) => {
    const dayOf = dayFinderOf(organization.calendar)
    const batch = new PricedBatchBuilder(charges.length)
    for (const charge of charges) batch.add(charge, dayOf(charge.at))
    const outcomes = await append(organization, batch.build(), 'amend')
    const countOf = (wanted: AppendOutcome['status']): number =>
      outcomes?.reduce((count, { status }) => count + Number(status === wanted), 0) ?? 0
    return { accepted: outcomes === undefined ? charges.length : countOf('accepted'), amended: countOf('amended') }
  }

  return { take, record, parse: (entry) => parseIncoming(entry, limits, clock()) }
}

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
