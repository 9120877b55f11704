/**
 * Finds charges in the ledger of `default` that the Copilot service does not list, because it no longer lists the message or
 * because the message was reported here. Covers the days of the listing and the calendar's current period.
 */
import { setImmediate as letOthersRun } from 'node:timers/promises'
import { createDayFinder, dayAt } from '#calendar/days.ts'
import { periodAt } from '#calendar/periods.ts'
import type { LedgerView, Range } from '#ledger/ledger.ts'
import { linePages } from '#ledger/line-pages.ts'
import { isSameCell } from '#model/cell.ts'
import { type ChargeFilter, createChargeTest } from '#model/charge-filter.ts'
import { creditsSum } from '#model/credits.ts'
import type { EpochMs, Organization } from '#model/organization.ts'
import type { Id } from '#model/report.ts'
import type { Priced, RecordedLine } from '#model/usage-record.ts'
import type { Listing, UsageSum } from './listing.ts'

export type Comparison = {
  /** Charges that are not in the listing, by time. */
  readonly notListed: readonly RecordedLine[]
  /** Charges in the listing that the ledger lacks or has with other values. */
  readonly differing: readonly Priced[]
}

export type Compare = (view: LedgerView, listing: Listing, time: EpochMs) => Promise<Comparison>

/** Caches the latest result, which is valid until the listing or the version of one of its days changes. */
export const createComparison = ({ calendar }: Organization): Compare => {
  let known: { readonly listing: Listing; readonly versions: string; readonly comparison: Comparison } | undefined
  let equalDays: EqualDays = new Map()

  return async (view, listing, time) => {
    const windows = windowsOf(calendar, listing, time)
    const versions = JSON.stringify([windows, await Promise.all(windows.map((window) => view.version(window)))])
    if (known?.listing === listing && known.versions === versions) return known.comparison
    const compared = await compare(view, { listing, windows, calendar, equalDays })
    equalDays = compared.equalDays
    known = { listing, versions, comparison: compared.comparison }
    return compared.comparison
  }
}

/** Together with the ledger's version of the range, it tells whether what `notListedIn` finds there can have changed. */
export const idsNotListed = ({ notListed }: Comparison, { from, to }: Range): readonly Id[] =>
  notListed.filter(({ at }) => at >= from && at < to).map(({ messageId }) => messageId)

/** Sums up the charges of a range that are meant. */
export const notListedIn = ({ notListed }: Comparison, { from, to, ...filter }: Range & ChargeFilter): UsageSum => {
  const isMeant = createChargeTest(filter)
  let messages = 0
  let unpriced = 0
  let credits = 0n
  for (const line of notListed) {
    if (line.at < from || line.at >= to || !isMeant(line)) continue
    messages++
    if (line.credits === undefined) unpriced++
    else credits += BigInt(line.credits)
  }
  return { messages, unpriced, credits: creditsSum(credits) }
}

/** The days from the first to the last message of the listing, and the current period: a single range if they touch. */
const windowsOf = (calendar: Organization['calendar'], { inTime }: Listing, time: EpochMs): readonly Range[] => {
  const { start, end } = periodAt(calendar, time)
  const current = { from: start, to: end }
  const [first, last] = [inTime.at(0), inTime.at(-1)]
  if (first === undefined || last === undefined) return [current]
  const listed = { from: dayAt(calendar, first.at).start, to: dayAt(calendar, last.at).end }
  if (listed.to < current.from || current.to < listed.from) return [listed, current]
  return [{ from: Math.min(listed.from, current.from), to: Math.max(listed.to, current.to) }]
}

/** Days on which ledger and listing had the same lines: the ledger's version at that time, and the lines. */
type EqualDays = ReadonlyMap<EpochMs, { readonly version: number; readonly lines: readonly Priced[] }>

type Compared = {
  readonly listing: Listing
  readonly windows: readonly Range[]
  readonly calendar: Organization['calendar']
  readonly equalDays: EqualDays
}

/**
 * Compares line by line, because equal sums can hide different lines: a corrected time, or two texts that were swapped. A day
 * that was equal is not read again unless the ledger or the listing has changed it.
 */
const compare = async (
  view: LedgerView,
  { listing, windows, calendar, equalDays }: Compared,
): Promise<{ readonly comparison: Comparison; readonly equalDays: EqualDays }> => {
  const listed = await linesByDay(calendar, listing)
  const days = new Set(listed.keys())
  for (const window of windows) {
    for (const { dayStart } of await view.dayTotals({ ...window, group: [] })) days.add(dayStart)
  }
  const equal = new Map<EpochMs, { readonly version: number; readonly lines: readonly Priced[] }>()
  const [notListed, differing]: [RecordedLine[], Priced[]] = [[], []]
  for (const dayStart of [...days].sort((one, other) => one - other)) {
    const { start, end } = dayAt(calendar, dayStart)
    const range = { from: start, to: end }
    const lines = listed.get(dayStart) ?? []
    const version = await view.version(range)
    const before = equalDays.get(dayStart)
    if (before?.version === version && areSameLines(before.lines, lines)) {
      equal.set(dayStart, { version, lines })
      continue
    }
    const day = await compareDay(view, range, lines, listing)
    if (day.isEqual) equal.set(dayStart, { version, lines })
    for (const line of day.notListed) notListed.push(line)
    for (const charge of day.differing) differing.push(charge)
  }
  return { comparison: { notListed, differing }, equalDays: equal }
}

const CHARGES_PER_TURN = 5000

const linesByDay = async (
  calendar: Organization['calendar'],
  { inTime }: Listing,
): Promise<ReadonlyMap<EpochMs, readonly Priced[]>> => {
  const dayOf = createDayFinder(calendar)
  const days = new Map<EpochMs, Priced[]>()
  for (const [index, charge] of inTime.entries()) {
    const dayStart = dayOf(charge.at).start
    const day = days.get(dayStart)
    if (day === undefined) days.set(dayStart, [charge])
    else day.push(charge)
    if (index % CHARGES_PER_TURN === CHARGES_PER_TURN - 1) await letOthersRun()
  }
  return days
}

const compareDay = async (view: LedgerView, range: Range, lines: readonly Priced[], { byId }: Listing) => {
  const notListed: RecordedLine[] = []
  const missing = new Map(lines.map((charge) => [charge.messageId, charge]))
  let count = 0
  for await (const page of linePages(view, range)) {
    count += page.length
    for (const line of page) {
      const charge = byId.get(line.messageId)
      if (charge === undefined) notListed.push(line)
      else if (isSameLine(charge, line)) missing.delete(line.messageId)
    }
  }
  return { notListed, differing: missing.values(), isEqual: missing.size === 0 && count === lines.length }
}

const areSameLines = (some: readonly Priced[], others: readonly Priced[]): boolean =>
  some.length === others.length && some.every((one, index) => isSameLine(one, others[index]))

const isSameLine = (one: RecordedLine, other: RecordedLine | undefined): boolean =>
  one.messageId === other?.messageId &&
  one.at === other.at &&
  one.timestamp === other.timestamp &&
  one.credits === other.credits &&
  isSameCell(one.cell, other.cell)
