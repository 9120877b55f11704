/** Our bill against the vendor's: by day, user and model, and each difference by its causes. */
import { setImmediate as letOthersRun } from 'node:timers/promises'
import type { RangeQuery } from '#answering/usage-range.ts'
import { entryAt, periodAt, periodBefore, periodNamed, zoned } from '#calendar/periods.ts'
import { isTimeZone } from '#calendar/zones.ts'
import type { Ledger } from '#ledger/ledger.ts'
import { InvalidRequest, StoreBusy } from '#model/errors.ts'
import type { BillingPeriod, EpochMs, Organization } from '#model/organization.ts'
import { isTimestamp } from '#model/timestamp.ts'
import { type ReadingOptions, readAtOneMoment } from '#simulating/one-moment.ts'
import { Comparison } from './comparison.ts'
import { ONE, toMicros, writtenDecimal } from './decimals.ts'
import type { Columns } from './layout.ts'
import type { NameMaps } from './names.ts'
import { type Adjustments, OurUsage, vendorDays } from './our-usage.ts'
import { type RowCounts, readTheirBill, type TheirBill, type TheirFile } from './their-bill.ts'
import { type VendorName, vendorOf } from './vendors.ts'
import { WrongFile } from './wrong-file.ts'

/** The range is in days of the vendor; without one, those of the file. */
export type ReconciliationRequest = RangeQuery & {
  readonly organization: Organization
  readonly vendor: VendorName
  readonly file: TheirFile
  readonly columns: Columns
  readonly names: NameMaps
  /** Where the vendor's days begin. GitHub's and OpenRouter's begin in UTC. */
  readonly timeZone?: string | undefined
  /** How many credits a dollar is, as a decimal. 100 unless it is given. */
  readonly creditsPerUsd?: string | undefined
  /** The most credits that may stay unexplained, as a decimal. 0 unless it is given. */
  readonly tolerance?: string | undefined
}

export type Reconciliation = {
  readonly organization: Organization
  readonly vendor: VendorName
  readonly timeZone: string
  /** The first day, and the one after the last. */
  readonly from: string
  readonly to: string
  readonly rows: RowCounts
  readonly comparison: Comparison
  /** Of earlier periods, booked in these days: neither theirs nor compared. */
  readonly adjustments: Adjustments
  readonly hasUsers: boolean
  readonly hasModels: boolean
  /** In micro-credits. */
  readonly tolerance: bigint
  readonly isWithinTolerance: boolean
}

export type Reconciliations = {
  /** Writes nothing. Throws InvalidRequest, WrongFile, StoreBusy, StoreError or the reason of `signal`. */
  readonly reconcile: (request: ReconciliationRequest, options?: ReadingOptions) => Promise<Reconciliation>
}

export type ReconciliationNeeds = {
  readonly ledger: Pick<Ledger, 'read'>
  readonly clock: () => EpochMs
}

/** Each keeps a few hundred megabytes of a large file. */
const AT_ONCE = 2
const DAYS_MAX = 366

export const createReconciliations = ({ ledger, clock }: ReconciliationNeeds): Reconciliations => {
  let underWay = 0

  const reconcile = async (request: ReconciliationRequest, options: ReadingOptions): Promise<Reconciliation> => {
    const { organization, vendor, file, columns, names } = request
    const timeZone = timeZoneIn(request)
    const tolerance = toleranceIn(request)
    const asked = daysIn(request, clock())
    const creditsPerUsd = creditsPerUsdIn(request)
    const bill = await readTheirBill(file, {
      vendor: vendorOf[vendor],
      columns,
      names,
      timeZone,
      creditsPerUsd,
      days: asked,
      signal: options.signal,
    })
    const { from, to } = checkedDays(bill, asked)
    const { days, end } = vendorDays({ from, to }, timeZone)
    const range = { from: days[0]?.start ?? end, to: end }
    const { result: ours } = await readAtOneMoment(ledger, organization, range, () => new OurUsage(days, bill), options)
    const comparison = await compare(bill, ours, options.signal)
    return {
      organization,
      vendor,
      timeZone,
      from,
      to,
      rows: bill.rows,
      comparison,
      adjustments: ours.adjustments,
      hasUsers: bill.hasUsers,
      hasModels: bill.hasModels,
      tolerance,
      isWithinTolerance: comparison.unexplainedSize <= tolerance,
    }
  }

  return {
    reconcile: async (request, options = {}) => {
      if (underWay >= AT_ONCE)
        throw new StoreBusy(`${AT_ONCE} reconciliations are in progress. Try again once one has ended.`)
      underWay++
      return reconcile(request, options).finally(() => underWay--)
    },
  }
}

const compare = async (bill: TheirBill, ours: OurUsage, signal: AbortSignal | undefined): Promise<Comparison> => {
  const comparison = new Comparison(bill, ours)
  let count = 0
  for (const key of new Set([...bill.groups.keys(), ...ours.groups.keys()])) {
    if (count++ % GROUPS_PER_TURN === 0) await letOthersRun()
    signal?.throwIfAborted()
    comparison.add(key, bill.groups.get(key), ours.groups.get(key))
  }
  return comparison
}

const GROUPS_PER_TURN = 5000

/** Throws InvalidRequest. */
const timeZoneIn = ({ vendor, timeZone = 'UTC' }: ReconciliationRequest): string => {
  if (vendor !== 'csv' && timeZone !== 'UTC')
    throw new InvalidRequest('time_zone', `UTC or absent: ${vendorOf[vendor].title}'s days are those of UTC`)
  if (!isTimeZone(timeZone)) throw new InvalidRequest('time_zone', 'a time zone such as Europe/Berlin')
  return timeZone
}

const decimalIn = (text: string): bigint | undefined => {
  const written = writtenDecimal(text)
  return written !== undefined && written.value >= 0n && written.decimals <= 6 ? written.value : undefined
}

const toleranceIn = ({ tolerance = '0' }: ReconciliationRequest): bigint => {
  const value = decimalIn(tolerance)
  if (value === undefined) throw new InvalidRequest('tolerance', 'a number of credits from 0 with at most six decimals')
  return toMicros(value)
}

const creditsPerUsdIn = ({ creditsPerUsd = '100' }: ReconciliationRequest): bigint => {
  const value = decimalIn(creditsPerUsd)
  if (value === undefined || value === 0n || value > 1_000_000n * ONE)
    throw new InvalidRequest('credits_per_usd', 'a number above 0 and up to 1000000 with at most six decimals')
  return value
}

type Days = { readonly from: string; readonly to: string }

/** Undefined: those of the file. Throws InvalidRequest. */
const daysIn = ({ organization, period, from, to }: ReconciliationRequest, time: EpochMs): Days | undefined => {
  if (period === undefined && from === undefined && to === undefined) return undefined
  if (period !== undefined) {
    if (from !== undefined || to !== undefined) throw new InvalidRequest('period', 'absent if "from" or "to" is given')
    const { start, end } = periodIn(organization, period, time)
    return { from: dateOf(organization, start), to: dateOf(organization, end) }
  }
  const days = { from: dateIn('from', from), to: dateIn('to', to) }
  if (days.from >= days.to) throw new InvalidRequest('to', 'later than "from"')
  return days
}

const periodIn = ({ calendar }: Organization, period: string, time: EpochMs): BillingPeriod => {
  if (period === 'current') return periodAt(calendar, time)
  if (period === 'previous') return periodBefore(calendar, periodAt(calendar, time))
  if (!/^\d{4}-(0[1-9]|1[0-2])(-\d\d)?$/.test(period))
    throw new InvalidRequest('period', 'current, previous, a month such as 2024-05, or a day such as 2024-05-15')
  const found = periodNamed(calendar, period)
  if (found === undefined) throw new InvalidRequest('period', 'a month or a day in which a billing period starts')
  return found
}

const dateIn = (field: 'from' | 'to', text: string | undefined): string => {
  if (text !== undefined && /^\d{4}-\d\d-\d\d$/.test(text) && isTimestamp(`${text}T00:00:00Z`)) return text
  throw new InvalidRequest(field, 'a date such as 2026-10-01: a day of the vendor, and "to" the day after the last')
}

/** Throws WrongFile if no row of the file is in the range, or it is too long. */
const checkedDays = ({ firstDate, lastDate, groups, rows }: TheirBill, asked: Days | undefined): Days => {
  if (firstDate === '') {
    const units = [...rows.other.keys()].map((unit) => JSON.stringify(unit)).join(', ')
    throw new WrongFile('the file', `one with rows of a copilot's usage: all its rows have the unit ${units}`)
  }
  if (asked !== undefined && groups.size === 0)
    throw new WrongFile(
      'the file',
      `one of ${asked.from} to ${dayBefore(asked.to)}: its rows are of ${firstDate} to ${lastDate}`,
    )
  const days = asked ?? { from: firstDate, to: dayAfter(lastDate) }
  const count = Temporal.PlainDate.from(days.from).until(days.to, { largestUnit: 'days' }).days
  if (count > DAYS_MAX)
    throw new WrongFile(
      'the range',
      `one of at most ${DAYS_MAX} days: ${days.from} to ${dayBefore(days.to)} has ${count}`,
    )
  return days
}

const dateOf = ({ calendar }: Organization, at: EpochMs): string => {
  const { timeZone } = entryAt(calendar, at).entry
  return zoned(at, timeZone).toPlainDate().toString()
}

const dayBefore = (date: string): string => Temporal.PlainDate.from(date).subtract({ days: 1 }).toString()
const dayAfter = (date: string): string => Temporal.PlainDate.from(date).add({ days: 1 }).toString()
