/** The Copilot service's listing, priced, and a view that answers the same queries from it as the ledger does. */
import { createHash } from 'node:crypto'
import { setImmediate as letOthersRun } from 'node:timers/promises'
import { createDayFinder } from '#calendar/days.ts'
import { periodAt } from '#calendar/periods.ts'
import { KeptCells, KeptChargesBuilder } from '#ledger/kept-charges.ts'
import type { DayTotal, GroupedCharges, GroupedRange, GroupTotal, LedgerView, Range } from '#ledger/ledger.ts'
import { type Cell, createCellTest, DIMENSIONS, type Dimension, groupKey, groupOf, isSameCell } from '#model/cell.ts'
import { createChargeTest } from '#model/charge-filter.ts'
import { type CreditsSum, creditsSum } from '#model/credits.ts'
import { compareIds, compareLines, type LineOrder, TIME_ORDER } from '#model/line-order.ts'
import { type BillingCalendar, CALENDAR_BEGINS, type EpochMs } from '#model/organization.ts'
import type { Id } from '#model/report.ts'
import type { Priced } from '#model/usage-record.ts'

export type Listing = {
  /** In the order in which the Copilot service lists them. */
  readonly byId: ReadonlyMap<Id, Priced>
  /** The same charges in ledger order: by time, then by id. */
  readonly inTime: readonly Priced[]
}

/** Sorts when it is first asked, because usage lines keep the order of the listing, and clients wait for them. */
export const createListing = (byId: ReadonlyMap<Id, Priced>): Listing => {
  let sorted: readonly Priced[] | undefined
  return {
    byId,
    get inTime() {
      sorted ??= [...byId.values()].sort(compareLines(TIME_ORDER))
      return sorted
    },
  }
}

/** Whether an amending append would treat one charge of a message as a duplicate of the other. Digests cover the whole content. */
export const isSameCharge = (one: Priced, other: Priced): boolean =>
  one === other ||
  (one.credits === other.credits &&
    isSameCell(one.cell, other.cell) &&
    one.timestamp === other.timestamp &&
    Buffer.compare(one.digest, other.digest) === 0)

/**
 * Changes whenever an answer from the listing can change, and is the same in every process. Hashed on first request, because
 * most listings are only sent as they are.
 */
export const versionOfListing = (listing: Listing): Promise<string> => {
  const found = versions.get(listing) ?? hashOf(listing)
  versions.set(listing, found)
  return found
}

const versions = new WeakMap<Listing, Promise<string>>()

const hashOf = async ({ inTime }: Listing): Promise<string> => {
  const hash = createHash('sha256')
  for (let start = 0; start < inTime.length; start += CHARGES_PER_TURN) {
    const lines = inTime.slice(start, start + CHARGES_PER_TURN).map(({ messageId, timestamp, credits, cell }) => {
      return [messageId, timestamp, credits ?? null, groupKey(cell, DIMENSIONS), cell.reportName]
    })
    hash.update(JSON.stringify(lines))
    await letOthersRun()
  }
  return hash.digest('base64url')
}

/** From the start of the first message's period to the end of the last message's; undefined if the listing is empty. */
export const spanOfPeriods = (calendar: BillingCalendar, { inTime }: Listing): Range | undefined => {
  const [first, last] = [inTime.at(0), inTime.at(-1)]
  if (first === undefined || last === undefined) return undefined
  return { from: periodAt(calendar, first.at).start, to: periodAt(calendar, last.at).end }
}

/** A listing as the ledger would present it. */
export const listingView = (listing: Listing, calendar: BillingCalendar): LedgerView => {
  const { byId, inTime } = listing
  const dayOf = createDayFinder(calendar)
  const dayStartOf = (at: EpochMs): EpochMs => dayOf(at).start
  const within = ({ from, to }: Range): readonly Priced[] =>
    inTime.slice(indexFrom(inTime, from), indexFrom(inTime, to))

  const dayTotals = async ({ from, to, group, ...filter }: GroupedRange) => {
    const isMeant = createCellTest(filter)
    const days = new Map<EpochMs, Sums>()
    let count = 0
    for (const charge of within({ from, to })) {
      if (!isMeant(charge.cell)) continue
      const dayStart = dayOf(charge.at).start
      const sums = days.get(dayStart) ?? createSums(group, dayStartOf)
      days.set(dayStart, sums)
      sums.add(charge)
      if (++count % CHARGES_PER_TURN === 0) await letOthersRun()
    }
    return [...days].flatMap(([dayStart, sums]) => sums.totals().map((total): DayTotal => ({ dayStart, ...total })))
  }

  const firstDayFrom = (at: EpochMs): EpochMs => {
    const { start, end } = dayOf(at)
    return start === at ? at : end
  }

  const sumOfRange = async ({ from, to, group, ...filter }: Range & GroupedCharges): Promise<readonly GroupTotal[]> => {
    const isMeant = createChargeTest(filter)
    const sums = createSums(group, dayStartOf)
    for (const [index, charge] of within({ from, to }).entries()) {
      if (isMeant(charge)) sums.add(charge)
      if (index % CHARGES_PER_TURN === CHARGES_PER_TURN - 1) await letOthersRun()
    }
    return sums.totals()
  }

  return {
    page: async ({ from, to, order = TIME_ORDER, after, limit, unpriced, ...filter }) => {
      const charges = inOrder(listing, order)
      const compare = compareLines(order)
      const isMeant = createChargeTest(filter)
      const start = after === undefined ? 0 : firstThat(charges, (charge) => compare(charge, after) > 0)
      const found: Priced[] = []
      for (let index = start; index < charges.length && found.length < limit; index++) {
        const charge = charges[index]
        const isWanted = charge !== undefined && charge.at >= from && charge.at < to && isMeant(charge)
        if (isWanted && !(unpriced && charge.credits !== undefined)) found.push(charge)
        if ((index - start) % CHARGES_PER_TURN === CHARGES_PER_TURN - 1) await letOthersRun()
      }
      return found
    },
    charges: async (messageId) => {
      const charge = byId.get(messageId)
      return charge === undefined ? [] : [{ ...charge, revision: 0, recordedAt: charge.at }]
    },
    dayTotals,
    // A day that starts in the range can end after it.
    totals: ({ from, to, ...which }) => sumOfRange({ from: firstDayFrom(from), to: firstDayFrom(to), ...which }),
    rangeTotals: async ({ ranges, ...which }) => {
      const totals = []
      for (const [range, bounds] of ranges.entries()) {
        for (const total of await sumOfRange({ ...bounds, ...which })) totals.push({ range, ...total })
      }
      return totals
    },
    // A listing never changes: a new one replaces it.
    version: async () => 1,
    span: async () => {
      const [first, last] = [inTime.at(0), inTime.at(-1)]
      return first === undefined || last === undefined
        ? undefined
        : { first: dayOf(first.at).start, last: dayOf(last.at).start }
    },
    closedUntil: async () => CALENDAR_BEGINS,
    pricedOtherwise: async ({ since, rateCard }) =>
      within({ from: since, to: -CALENDAR_BEGINS }).filter(
        ({ cell, credits }) => cell.rateCard !== rateCard && credits !== undefined,
      ).length,
    keptCharges: async ({ from, to, after, limit }) => {
      const isBehind = ({ at, messageId }: Priced) =>
        after === undefined
          ? at >= from
          : at > after.at || (at === after.at && compareIds(messageId, after.messageId) > 0)
      const start = firstThat(inTime, isBehind)
      const charges = inTime.slice(start, Math.min(start + limit, indexFrom(inTime, to)))
      const cells = new KeptCells<Cell>()
      const kept = new KeptChargesBuilder(charges.length)
      for (const { messageId, at, timestamp, credits, cell, facts, digest } of charges) {
        const charge = { messageId, at, timestamp, credits, facts, digest, cell: cells.indexOf(cell) }
        kept.add({
          ...charge,
          dayStart: dayStartOf(at),
          revision: 0,
          adjusts: undefined,
          replaced: undefined,
        })
      }
      return kept.build(cells.distinct)
    },
  }
}

const CHARGES_PER_TURN = 5000

/** Sorted once for each order: a listing does not change. */
const sorted = new WeakMap<Listing, Map<string, readonly Priced[]>>()

const inOrder = (listing: Listing, order: LineOrder): readonly Priced[] => {
  if (order.by === 'time' && !order.isDescending) return listing.inTime
  const known = sorted.get(listing) ?? new Map<string, readonly Priced[]>()
  sorted.set(listing, known)
  const key = `${order.by} ${order.isDescending}`
  const found = known.get(key) ?? listing.inTime.toSorted(compareLines(order))
  known.set(key, found)
  return found
}

/** The index of the first charge at or after an instant. */
const indexFrom = (charges: readonly Priced[], at: EpochMs): number => firstThat(charges, (charge) => charge.at >= at)

/** Bisects: `isBehind` is false up to some index and true from there on. */
const firstThat = (charges: readonly Priced[], isBehind: (charge: Priced) => boolean): number => {
  let [low, high] = [0, charges.length]
  while (low < high) {
    const middle = (low + high) >> 1
    const charge = charges[middle]
    if (charge !== undefined && isBehind(charge)) high = middle
    else low = middle + 1
  }
  return low
}

type Sums = { readonly add: (charge: Priced) => void; readonly totals: () => readonly GroupTotal[] }

type Sum = { readonly of: Cell; messages: number; unpriced: number; credits: bigint }

/** Sums by the dimensions, in their order. */
const createSums = (group: readonly Dimension[], dayOf: (at: EpochMs) => EpochMs): Sums => {
  const sums = new Map<string, Sum>()
  const names = new Map<string, { day: EpochMs; name: string }>()

  /** A report has the name of its latest day; of several on that day, the greatest by code point. */
  const name = (key: string, at: EpochMs, reportName: string): void => {
    const [day, known] = [dayOf(at), names.get(key)]
    if (known === undefined || day > known.day || (day === known.day && compareIds(reportName, known.name) > 0)) {
      names.set(key, { day, name: reportName })
    }
  }

  return {
    add: ({ at, cell, credits }) => {
      const { reportName } = cell
      const key = groupKey(cell, group)
      const sum = sums.get(key) ?? { of: cell, messages: 0, unpriced: 0, credits: 0n }
      sums.set(key, sum)
      sum.messages++
      if (credits === undefined) sum.unpriced++
      else sum.credits += BigInt(credits)
      if (reportName !== undefined && group.includes('report')) name(key, at, reportName)
    },
    totals: () =>
      [...sums]
        .sort(([one], [other]) => compareIds(one, other))
        .map(([key, { of, messages, unpriced, credits }]) => {
          const name = names.get(key)?.name
          const cell = name === undefined ? of : { ...of, reportName: name }
          return { ...groupOf(cell, group), messages, unpriced, credits: creditsSum(credits) }
        }),
  }
}

export type UsageSum = { readonly messages: number; readonly unpriced: number; readonly credits: CreditsSum }
