/**
 * Lines and the totals stored beside them record the same usage twice. If they disagree, the database is damaged and the
 * request fails: an incomplete bill is worse than none.
 */
import { dayAt } from '#calendar/days.ts'
import type { KeptCharges } from '#ledger/kept-charges.ts'
import type { LedgerView, PageQuery, Range } from '#ledger/ledger.ts'
import { isFilter } from '#model/cell.ts'
import { StoreError } from '#model/errors.ts'
import { TIME_ORDER } from '#model/line-order.ts'
import type { BillingCalendar } from '#model/organization.ts'
import type { RecordedLine } from '#model/usage-record.ts'

/** The part of a range that consists of whole days, if any. */
export const wholeDaysOf = (calendar: BillingCalendar, { from, to }: Range): Range | undefined => {
  const first = dayAt(calendar, from)
  const last = dayAt(calendar, to)
  const [start, end] = [first.start === from ? from : first.end, last.start]
  return start < end ? { from: start, to: end } : undefined
}

/** Adds up the lines on the whole days of a range, to compare them with the totals of these days. */
export class LineTally {
  readonly #days: Range | undefined
  #messages = 0
  #unpriced = 0
  #credits = 0n
  #exact = 0

  constructor(calendar: BillingCalendar, range: Range) {
    this.#days = wholeDaysOf(calendar, range)
  }

  add(lines: readonly RecordedLine[]): void {
    if (this.#days === undefined) return
    const { from, to } = this.#days
    for (const { at, credits } of lines) if (at >= from && at < to) this.#addAmount(credits ?? Number.NaN)
  }

  /** The same of all that is kept of charges. */
  addKept({ count, at, credits }: Pick<KeptCharges, 'count' | 'at' | 'credits'>): void {
    if (this.#days === undefined) return
    const { from, to } = this.#days
    for (let row = 0; row < count; row++) {
      if ((at[row] as number) >= from && (at[row] as number) < to) this.#addAmount(credits[row] as number)
    }
  }

  /** NaN without a price. */
  #addAmount(credits: number): void {
    this.#messages++
    if (Number.isNaN(credits)) {
      this.#unpriced++
      return
    }
    // Adding bigints line by line is noticeably slower.
    if (!Number.isSafeInteger(this.#exact + credits)) this.#flush()
    this.#exact += credits
  }

  #flush(): void {
    this.#credits += BigInt(this.#exact)
    this.#exact = 0
  }

  /** Call within the read that the lines came from. Throws StoreError. */
  async compare(view: Pick<LedgerView, 'dayTotals'>): Promise<void> {
    if (this.#days === undefined) return
    this.#flush()
    const days = await view.dayTotals({ ...this.#days, group: [] })
    const messages = days.reduce((sum, day) => sum + day.messages, 0)
    const unpriced = days.reduce((sum, day) => sum + day.unpriced, 0)
    const credits = days.reduce((sum, day) => sum + BigInt(day.credits), 0n)
    const isEqual = messages === this.#messages && unpriced === this.#unpriced && credits === this.#credits
    if (isEqual) return
    const [from, to] = [this.#days.from, this.#days.to].map((at) => new Date(at).toISOString())
    throw new StoreError(
      `the database is damaged: from ${from} to ${to} it has ${this.#messages} lines of ${this.#credits} micro-credits, but ` +
        `the totals say ${messages} lines of ${credits}. Run "copilot-credits db check" for details`,
    )
  }
}

/**
 * Compares a page with the totals of the days that lie wholly within it. A day that spans pages is read again, and checked with
 * the page on which it ends. In an order other than ascending time no day lies within a page, unless that has all the lines.
 */
export const comparePage = async (
  view: LedgerView,
  calendar: BillingCalendar,
  query: PageQuery,
  lines: readonly RecordedLine[],
  hasMore: boolean,
): Promise<void> => {
  const { from, to, after, order = TIME_ORDER } = query
  // To get the totals of some cells, the totals of all would have to be read.
  if (query.unpriced === true || query.minCredits !== undefined || isFilter(query)) return
  const isInTime = order.by === 'time' && !order.isDescending
  if (!isInTime && (after !== undefined || hasMore)) return
  const last = hasMore ? lines.at(-1) : undefined
  const end = last === undefined ? to : last.at
  const begun = after === undefined ? undefined : dayAt(calendar, after.at)
  if (begun !== undefined && begun.start >= from && begun.end <= end) await compareDay(view, begun)
  const start = begun === undefined ? from : Math.max(from, begun.end)
  if (start >= end) return
  const tally = new LineTally(calendar, { from: start, to: end })
  tally.add(lines)
  await tally.compare(view)
}

const compareDay = async (view: LedgerView, { start, end }: { readonly start: number; readonly end: number }) => {
  const day = { from: start, to: end }
  const [[kept], [counted]] = [
    await view.dayTotals({ ...day, group: [] }),
    await view.rangeTotals({ ranges: [day], group: [] }),
  ]
  const isEqual =
    (kept?.messages ?? 0) === (counted?.messages ?? 0) &&
    (kept?.unpriced ?? 0) === (counted?.unpriced ?? 0) &&
    (kept?.credits ?? 0n) === (counted?.credits ?? 0n)
  if (isEqual) return
  throw new StoreError(
    `the database is damaged: the day from ${new Date(start).toISOString()} has ${counted?.messages ?? 0} records, but its ` +
      `total says ${kept?.messages ?? 0}, or their credits differ. Run "copilot-credits db check" for details`,
  )
}
