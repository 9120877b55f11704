/**
 * Measures and prices reported messages, and has the ledger charge a whole batch in one transaction. Everything before the
 * ledger can be repeated; nothing after it is undone.
 */
import { setImmediate as letOthersRun } from 'node:timers/promises'
import { createDayFinder } from '#calendar/days.ts'
import type { AppendBatch, AppendOutcome, Ledger, NewRecord } from '#ledger/ledger.ts'
import type { Credits } from '#model/credits.ts'
import type { Message } from '#model/message.ts'
import type { BillingCalendar, EpochMs, Organization } from '#model/organization.ts'
import type { Id, Report } from '#model/report.ts'
import type { Priced } from '#model/usage-record.ts'
import {
  type IncomingMessage,
  type IntakeLimits,
  isRejection,
  parseIncoming,
  type Rejection,
} from './incoming-message.ts'
import type { Pricer } from './pricing.ts'

/** The outcome of a message. `credits` is the amount of its current charge. */
export type IntakeResult =
  | {
      readonly id: Id
      readonly status: AppendOutcome['status']
      readonly credits: Credits
      /** The catalogue does not have the report that the message asks for: the text set the price. */
      readonly unknownReport?: true
    }
  | ({ readonly status: 'rejected' } & Rejection)

export type IntakeCounts = { accepted: number; duplicate: number; conflict: number; rejected: number }

export type Intake = {
  /**
   * Takes entries as received, each `{id, text, timestamp, report_id?, user_id?}`, and resolves to a result for each, in order,
   * once all accepted entries are committed. Throws UpstreamError or StoreError, after which the call may be repeated.
   */
  readonly take: (organization: Organization, entries: readonly unknown[]) => Promise<readonly IntakeResult[]>
  /** Records charges that were priced elsewhere and amends those that changed. */
  readonly record: (organization: Organization, charges: readonly Priced[]) => Promise<readonly AppendOutcome[]>
  /** Validates an entry as `take` does. */
  readonly parse: (entry: unknown) => IncomingMessage | Rejection
}

export type IntakeNeeds = {
  readonly ledger: Pick<Ledger, 'append'>
  /** Every report, or undefined if the catalogue does not have it. Throws UpstreamError or StoreError. */
  readonly reportsOf: (ids: ReadonlySet<Id>) => Promise<ReadonlyMap<Id, Report | undefined>>
  readonly pricer: Pricer
  readonly limits: IntakeLimits
  readonly clock: () => EpochMs
  readonly observe: (counts: Readonly<IntakeCounts>) => void
}

export const createIntake = (needs: IntakeNeeds): Intake => {
  const { ledger, reportsOf, pricer, limits, clock, observe } = needs
  const dayFinders = new WeakMap<BillingCalendar, (at: EpochMs) => EpochMs>()

  const dayFinderOf = (calendar: BillingCalendar): ((at: EpochMs) => EpochMs) => {
    const known = dayFinders.get(calendar) ?? createDayFinder(calendar)
    dayFinders.set(calendar, known)
    return known
  }

  const append = (
    { id: organizationId }: Organization,
    records: readonly NewRecord[],
    onChange: AppendBatch['onChange'],
  ): Promise<readonly AppendOutcome[]> => ledger.append({ organizationId, records, onChange, recordedAt: clock() })

  const findReports = async (messages: readonly Message[]): Promise<ReadonlyMap<Id, Report | undefined>> => {
    const ids = new Set<Id>()
    for (const { reportId } of messages) if (reportId !== undefined) ids.add(reportId)
    return ids.size === 0 ? NO_REPORTS : reportsOf(ids)
  }

  const take = async (organization: Organization, entries: readonly unknown[]): Promise<readonly IntakeResult[]> => {
    const time = clock()
    const parsed = entries.map((entry) => parseIncoming(entry, limits, time))
    const messages = parsed.filter((each): each is IncomingMessage => !isRejection(each))
    const reports = await findReports(messages)
    const dayStartOf = dayFinderOf(organization.calendar)
    const records: NewRecord[] = []
    const isTurnOver = createTurns()
    for (const message of messages) {
      const report = message.reportId === undefined ? undefined : reports.get(message.reportId)
      records.push({ ...pricer.price(message, message.at, report), dayStart: dayStartOf(message.at) })
      if (isTurnOver(message.text.length)) await letOthersRun()
    }
    const outcomes = await append(organization, records, 'refuse')
    const results = merge(parsed, outcomes, reports)
    observe(countsOf(results))
    return results
  }

  const record = (organization: Organization, charges: readonly Priced[]): Promise<readonly AppendOutcome[]> => {
    const dayStartOf = dayFinderOf(organization.calendar)
    const records = charges.map((charge) => ({ ...charge, dayStart: dayStartOf(charge.at) }))
    return append(organization, records, 'amend')
  }

  return { take, record, parse: (entry) => parseIncoming(entry, limits, clock()) }
}

const NO_REPORTS: ReadonlyMap<Id, Report | undefined> = new Map()

const merge = (
  parsed: readonly (IncomingMessage | Rejection)[],
  outcomes: readonly AppendOutcome[],
  reports: ReadonlyMap<Id, Report | undefined>,
): readonly IntakeResult[] => {
  let next = 0
  return parsed.map((each): IntakeResult => {
    if (isRejection(each)) return { status: 'rejected', ...each }
    const outcome = outcomes[next++]
    if (outcome === undefined) throw new Error('the ledger returned fewer outcomes than it received messages')
    const result = { id: each.id, status: outcome.status, credits: outcome.credits }
    const isUnknown = each.reportId !== undefined && reports.get(each.reportId) === undefined
    return isUnknown ? { ...result, unknownReport: true } : result
  })
}

export const countsOf = (results: readonly IntakeResult[]): IntakeCounts => {
  const counts: IntakeCounts = { accepted: 0, duplicate: 0, conflict: 0, rejected: 0 }
  for (const { status } of results) if (status !== 'amended') counts[status]++
  return counts
}

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
