/**
 * Limits how many long reads, which go through many records, run at the same time. Short reads are not limited and
 * never wait long: SQLite serves long reads piece by piece, and in PostgreSQL half of the connections stay free.
 */
import { dayAt } from '#calendar/days.ts'
import type { LedgerView, Range } from '#ledger/ledger.ts'
import { StoreBusy } from '#model/errors.ts'
import type { BillingCalendar } from '#model/organization.ts'

/** A shorter read is over before anyone would notice. */
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

  /** Returns the function that ends the read. Throws StoreBusy if the limit is reached. */
  begin(): () => void {
    if (this.#underWay >= this.#max) {
      throw new StoreBusy(
        `As many large responses as LONG_READINGS allows (${this.#max}) are in progress. Try again in a second.`,
      )
    }
    this.#observe(++this.#underWay)
    let isUnderWay = true
    return () => {
      if (isUnderWay) this.#observe(--this.#underWay)
      isUnderWay = false
    }
  }

  /** Runs a read through the records of a range, counted against the limit if they are many. */
  async during<T>(view: LedgerView, calendar: BillingCalendar, range: Range, work: () => Promise<T>): Promise<T> {
    const end = isLong(await messagesIn(view, calendar, range)) ? this.begin() : undefined
    try {
      return await work()
    } finally {
      end?.()
    }
  }
}

/** The number of messages on all days that the range touches, from their totals. */
export const messagesIn = async (view: LedgerView, calendar: BillingCalendar, { from, to }: Range): Promise<number> => {
  const days = await view.dayTotals({ from: dayAt(calendar, from).start, to, group: [] })
  return days.reduce((sum, { messages }) => sum + messages, 0)
}
