/**
 * What the ledger of `default` has charged beside the listing of the Copilot service: within the listing's days and the
 * calendar's current period, what the listing does not name, because it no longer does or because it was reported here.
 */
import { dayAt } from '#calendar/days.ts'
import { periodAt } from '#calendar/periods.ts'
import { creditsSum } from '#model/credits.ts'
import type { EpochMs, Organization } from '#model/organization.ts'
import type { Priced, RecordedLine } from '#model/usage-record.ts'
import type { DayTotal, LedgerView, PagePosition, PageQuery, Range } from './ledger.ts'
import { type Listing, listingView, type UsageSum } from './listing.ts'

export type Comparison = {
  /** Charges that the listing does not name, by time. */
  readonly notListed: readonly RecordedLine[]
  /** Charges of the listing that the ledger does not have, or has otherwise. */
  readonly differing: readonly Priced[]
}

export type Compare = (view: LedgerView, listing: Listing, now: EpochMs) => Promise<Comparison>

/** Remembers the latest result: it holds as long as the listing and the versions of its days do. */
export const createComparison = ({ calendar }: Organization): Compare => {
  let known: { readonly listing: Listing; readonly versions: string; readonly comparison: Comparison } | undefined

  return async (view, listing, now) => {
    const windows = windowsOf(calendar, listing, now)
    const versions = JSON.stringify([windows, await Promise.all(windows.map((window) => view.version(window)))])
    if (known?.listing === listing && known.versions === versions) return known.comparison
    const comparison = await compare(view, { listing, windows, calendar })
    known = { listing, versions, comparison }
    return comparison
  }
}

/** Of a range, and of one member or report if they are given. */
export const notListedIn = (
  { notListed }: Comparison,
  { from, to, member, reportId }: Range & Pick<PageQuery, 'member' | 'reportId'>,
): UsageSum => {
  let messages = 0
  let credits = 0n
  for (const line of notListed) {
    const isMeant =
      line.at >= from &&
      line.at < to &&
      (member === undefined || line.member === member) &&
      (reportId === undefined || String(line.reportId ?? '') === String(reportId))
    if (!isMeant) continue
    messages++
    credits += BigInt(line.credits)
  }
  return { messages, credits: creditsSum(credits) }
}

/** The days from the first message of the listing to its last, and the current period: one range if they meet. */
const windowsOf = (calendar: Organization['calendar'], { inTime }: Listing, now: EpochMs): readonly Range[] => {
  const { start, end } = periodAt(calendar, now)
  const current = { from: start, to: end }
  const [first, last] = [inTime.at(0), inTime.at(-1)]
  if (first === undefined || last === undefined) return [current]
  const listed = { from: dayAt(calendar, first.at).start, to: dayAt(calendar, last.at).end }
  if (listed.to < current.from || current.to < listed.from) return [listed, current]
  return [{ from: Math.min(listed.from, current.from), to: Math.max(listed.to, current.to) }]
}

type Compared = {
  readonly listing: Listing
  readonly windows: readonly Range[]
  readonly calendar: Organization['calendar']
}

const compare = async (view: LedgerView, { listing, windows, calendar }: Compared): Promise<Comparison> =>
  (await haveEqualTotals(view, listingView(listing, calendar), windows))
    ? { notListed: [], differing: [] }
    : compareLines(view, listing, windows)

/** The short way, and the usual one: nothing is charged beside the listing, and each day, report and member adds up to it. */
const haveEqualTotals = async (ledger: LedgerView, listed: LedgerView, windows: readonly Range[]): Promise<boolean> => {
  for (const window of windows) {
    const query = { ...window, group: ['report', 'member'] } as const
    const [ours, theirs] = [await ledger.dayTotals(query), await listed.dayTotals(query)]
    const isEqual = ours.length === theirs.length && ours.every((total, index) => isSameTotal(total, theirs[index]))
    if (!isEqual) return false
  }
  return true
}

const isSameTotal = (one: DayTotal, other: DayTotal | undefined): boolean =>
  one.dayStart === other?.dayStart &&
  one.messages === other.messages &&
  one.credits === other.credits &&
  one.member === other.member &&
  one.reportId === other.reportId &&
  one.reportName === other.reportName

const compareLines = async (view: LedgerView, { byId }: Listing, windows: readonly Range[]): Promise<Comparison> => {
  const notListed: RecordedLine[] = []
  const missing = new Map(byId)
  for (const window of windows) {
    for await (const line of linesOf(view, window)) {
      const charge = byId.get(line.messageId)
      if (charge === undefined) notListed.push(line)
      else if (isSameLine(charge, line)) missing.delete(line.messageId)
    }
  }
  return { notListed, differing: [...missing.values()] }
}

const LINES_A_PAGE = 5000

async function* linesOf(view: LedgerView, range: Range): AsyncGenerator<RecordedLine> {
  let after: PagePosition | undefined
  for (;;) {
    const page = await view.page({ ...range, limit: LINES_A_PAGE, ...(after && { after }) })
    yield* page
    after = page.at(-1)
    if (page.length < LINES_A_PAGE) return
  }
}

const isSameLine = (one: RecordedLine, other: RecordedLine): boolean =>
  one.at === other.at &&
  one.timestamp === other.timestamp &&
  one.credits === other.credits &&
  one.member === other.member &&
  one.reportId === other.reportId &&
  one.reportName === other.reportName &&
  one.rateCard === other.rateCard
