/** The Copilot service's listing, priced, and a view that answers the same queries from it as the ledger does. */
import { setImmediate as letOthersRun } from 'node:timers/promises'
import { createDayFinder } from '#calendar/days.ts'
import { periodAt } from '#calendar/periods.ts'
import type { DayTotal, GroupField, GroupTotal, LedgerView, PagePosition, Range } from '#ledger/ledger.ts'
import { type CreditsSum, creditsSum } from '#model/credits.ts'
import type { BillingCalendar, EpochMs } from '#model/organization.ts'
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
      sorted ??= [...byId.values()].sort(
        (one, other) => one.at - other.at || compareIds(one.messageId, other.messageId),
      )
      return sorted
    },
  }
}

/** Whether an amending append would treat one charge of a message as a duplicate of the other. Digests cover the whole content. */
export const isSameCharge = (one: Priced, other: Priced): boolean =>
  one === other ||
  (one.credits === other.credits &&
    one.reportName === other.reportName &&
    one.rateCard === other.rateCard &&
    one.timestamp === other.timestamp &&
    Buffer.compare(one.digest, other.digest) === 0)

/** From the start of the first message's period to the end of the last message's; undefined if the listing is empty. */
export const spanOfPeriods = (calendar: BillingCalendar, { inTime }: Listing): Range | undefined => {
  const [first, last] = [inTime.at(0), inTime.at(-1)]
  if (first === undefined || last === undefined) return undefined
  return { from: periodAt(calendar, first.at).start, to: periodAt(calendar, last.at).end }
}

/** Integers before strings, strings by code point: the order of both stores. */
export const compareIds = (one: Id, other: Id): number => {
  if (typeof one === 'number') return typeof other === 'number' ? one - other : -1
  if (typeof other === 'number') return 1
  const shorter = Math.min(one.length, other.length)
  for (let index = 0; index < shorter; index++) {
    const difference = rankOf(one.charCodeAt(index)) - rankOf(other.charCodeAt(index))
    if (difference !== 0) return difference
  }
  return one.length - other.length
}

/** Orders code units like code points: surrogates sort last, because they encode code points above U+FFFF. */
const rankOf = (unit: number): number => (unit < 0xd800 ? unit : unit < 0xe000 ? unit + 0x2000 : unit - 0x800)

/** A listing as the ledger would present it. */
export const listingView = ({ byId, inTime }: Listing, calendar: BillingCalendar): LedgerView => {
  const dayStartOf = createDayFinder(calendar)
  const within = ({ from, to }: Range): readonly Priced[] =>
    inTime.slice(indexFrom(inTime, from), indexFrom(inTime, to))

  const dayTotals = async ({ from, to, group }: Range & { readonly group: readonly GroupField[] }) => {
    const days = new Map<EpochMs, Sums>()
    let count = 0
    for (const charge of within({ from, to })) {
      const dayStart = dayStartOf(charge.at)
      const sums = days.get(dayStart) ?? createSums(group)
      days.set(dayStart, sums)
      sums.add(charge)
      if (++count % CHARGES_PER_TURN === 0) await letOthersRun()
    }
    return [...days].flatMap(([dayStart, sums]) => sums.totals().map((total): DayTotal => ({ dayStart, ...total })))
  }

  return {
    page: async ({ from, to, member, reportId, after, limit }) => {
      const start =
        after === undefined ? indexFrom(inTime, from) : Math.max(indexFrom(inTime, from), indexAfter(inTime, after))
      const found: Priced[] = []
      for (let index = start; index < inTime.length && found.length < limit; index++) {
        const charge = inTime[index]
        if (charge === undefined || charge.at >= to) break
        const isWanted =
          (member === undefined || charge.member === member) &&
          (reportId === undefined || String(charge.reportId ?? '') === String(reportId))
        if (isWanted) found.push(charge)
        if ((index - start) % CHARGES_PER_TURN === CHARGES_PER_TURN - 1) await letOthersRun()
      }
      return found
    },
    charges: async (messageId) => {
      const charge = byId.get(messageId)
      return charge === undefined ? [] : [{ ...charge, revision: 0, recordedAt: charge.at }]
    },
    dayTotals,
    rangeTotals: async ({ ranges, group }) => {
      const totals = []
      for (const [range, bounds] of ranges.entries()) {
        const sums = createSums(group)
        for (const charge of within(bounds)) sums.add(charge)
        totals.push(...sums.totals().map((total) => ({ range, ...total })))
        await letOthersRun()
      }
      return totals
    },
    // A listing never changes: a new one replaces it.
    version: async () => 1,
    span: async () => {
      const [first, last] = [inTime.at(0), inTime.at(-1)]
      return first === undefined || last === undefined
        ? undefined
        : { first: dayStartOf(first.at), last: dayStartOf(last.at) }
    },
  }
}

const CHARGES_PER_TURN = 5000

/** The index of the first charge at or after an instant. */
const indexFrom = (charges: readonly Priced[], at: EpochMs): number => firstThat(charges, (charge) => charge.at >= at)

const indexAfter = (charges: readonly Priced[], { at, messageId }: PagePosition): number =>
  firstThat(charges, (charge) => charge.at > at || (charge.at === at && compareIds(charge.messageId, messageId) > 0))

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

/** Sums by report, member, both or neither, in the order of the ledger's groups. */
const createSums = (group: readonly GroupField[]): Sums => {
  const [byReport, byMember] = [group.includes('report'), group.includes('member')]
  const sums = new Map<string, { readonly of: Priced; messages: number; credits: bigint }>()
  return {
    add: (charge) => {
      const report = byReport ? String(charge.reportId ?? '') : ''
      const member = byMember ? (charge.member ?? '') : ''
      const key = group[0] === 'member' ? `${member}\u0000${report}` : `${report}\u0000${member}`
      const sum = sums.get(key)
      if (sum === undefined) sums.set(key, { of: charge, messages: 1, credits: BigInt(charge.credits) })
      else {
        sum.messages++
        sum.credits += BigInt(charge.credits)
      }
    },
    totals: () =>
      [...sums]
        .sort(([one], [other]) => compareIds(one, other))
        .map(([, { of, messages, credits }]) => ({
          ...(byReport && of.reportId !== undefined && { reportId: of.reportId }),
          ...(byReport && of.reportName !== undefined && { reportName: of.reportName }),
          ...(byMember && of.member !== undefined && { member: of.member }),
          messages,
          credits: creditsSum(credits),
        })),
  }
}

export type UsageSum = { readonly messages: number; readonly credits: CreditsSum }
