/** The totals of a period, by day and by report. */
import { type Credits, credits } from '#model/credits.ts'
import type { UsageLine } from '#model/usage-line.ts'

/** `unpriced` of the messages have no price; the credits are those of the others. */
export type Total = { readonly messages: number; readonly unpriced: number; readonly credits: Credits }

export type PeriodTotals = Total & {
  /** From the first to the last day with usage, in the given time zone. Empty days are included, in a range of up to 400 days. */
  readonly byDay: readonly (Total & { readonly day: string })[]
  /** One per report name, the most expensive first. The last has no name: it sums the messages priced by their text. */
  readonly byReport: readonly (Total & { readonly reportName?: string })[]
}

/** `timeZone` is an IANA name, such as `Europe/London`. Throws a RangeError if the name is unknown or a sum overflows. */
export const periodTotals = (lines: readonly UsageLine[], timeZone: string): PeriodTotals => {
  const days = new Map<string, Tally>()
  const reports = new Map<string | undefined, Tally>()
  const all = tally()
  for (const line of lines) {
    const day = dayOf(line.timestamp, timeZone)
    add(at(days, day), line)
    add(at(reports, line.cell.reportName), line)
    add(all, line)
  }
  return {
    ...total(all),
    byDay: everyDay([...days.keys()].sort()).map((day) => ({ day, ...total(days.get(day) ?? tally()) })),
    byReport: [...reports]
      .map(([reportName, each]) => ({ ...(reportName === undefined ? {} : { reportName }), ...total(each) }))
      .sort(textLast),
  }
}

/** RFC 3339 allows any number of decimals, Temporal at most nine. Dropping the rest never changes the day. */
const dayOf = (timestamp: string, timeZone: string): string => {
  const instant = Temporal.Instant.from(timestamp.replace(/(\.\d{9})\d+/, '$1'))
  return instant.toZonedDateTimeISO(timeZone).toPlainDate().toString()
}

type Tally = { messages: number; unpriced: number; micros: number }

const tally = (): Tally => ({ messages: 0, unpriced: 0, micros: 0 })

const at = <K>(tallies: Map<K, Tally>, key: K): Tally => {
  const found = tallies.get(key) ?? tally()
  tallies.set(key, found)
  return found
}

const add = (sum: Tally, line: UsageLine): void => {
  sum.messages++
  if (line.credits === undefined) sum.unpriced++
  else sum.micros = credits(sum.micros + line.credits)
}

const total = ({ messages, unpriced, micros }: Tally): Total => ({ messages, unpriced, credits: credits(micros) })

/** A range longer than any billing period is not filled with empty days: most likely a timestamp is wrong. */
const DAYS_FILLED = 400

const everyDay = (sortedDays: readonly string[]): readonly string[] => {
  const [first, last] = [sortedDays.at(0), sortedDays.at(-1)]
  if (first === undefined || last === undefined) return []
  if (Temporal.PlainDate.from(first).until(last, { largestUnit: 'day' }).days > DAYS_FILLED) return sortedDays
  const days: string[] = []
  for (let day = Temporal.PlainDate.from(first); days.at(-1) !== last; day = day.add({ days: 1 }))
    days.push(day.toString())
  return days
}

type ReportTotal = PeriodTotals['byReport'][number]

const textLast = (one: ReportTotal, other: ReportTotal): number =>
  Number(one.reportName === undefined) - Number(other.reportName === undefined) || other.credits - one.credits
