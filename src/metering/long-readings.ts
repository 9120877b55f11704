/**
 * Bounds how many readings at a time look through many records. All others are short: they never wait for long behind these,
 * which take turns with them piece by piece.
 */
import { dayAt } from '#calendar/days.ts'
import { StoreBusy } from '#model/errors.ts'
import type { BillingCalendar } from '#model/organization.ts'
import type { LedgerView, Range } from './ledger.ts'

/** Below this it is over before it would be noticed. */
const LONG_FROM_MESSAGES = 10_000

export const isLong = (messages: number): boolean => messages > LONG_FROM_MESSAGES

export class LongReadings {
  readonly #max: number
  readonly #observe: (underWay: number) => void
  #underWay = 0

  constructor(max: number, observe: (underWay: number) => void) {
    this.#max = max
    this.#observe = observe
  }

  /** Returns what ends it. Throws StoreBusy if as many are under way as may be. */
  begin(): () => void {
    if (this.#underWay >= this.#max) {
      throw new StoreBusy(
        `${this.#max} large answers are being made, which is as many as LONG_READINGS allows: try again in a second`,
      )
    }
    this.#observe(++this.#underWay)
    let isUnderWay = true
    return () => {
      if (isUnderWay) this.#observe(--this.#underWay)
      isUnderWay = false
    }
  }

  /** Runs what looks through the records of a range, within the bound if they are many. */
  async during<T>(view: LedgerView, calendar: BillingCalendar, range: Range, work: () => Promise<T>): Promise<T> {
    const end = isLong(await messagesIn(view, calendar, range)) ? this.begin() : undefined
    try {
      return await work()
    } finally {
      end?.()
    }
  }
}

/** Of all days that the range touches, by their totals. */
export const messagesIn = async (view: LedgerView, calendar: BillingCalendar, { from, to }: Range): Promise<number> => {
  const days = await view.dayTotals({ from: dayAt(calendar, from).start, to, group: [] })
  return days.reduce((sum, { messages }) => sum + messages, 0)
}
