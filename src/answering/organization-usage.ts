/** What organizations have used in their billing periods, many at a time. Only the ledger is asked, and for no more than totals of days. */
import { dayAt } from '#calendar/days.ts'
import { periodAt, periodBefore } from '#calendar/periods.ts'
import type { UsageSum } from '#current-period/listing.ts'
import type { DayTotal, Ledger, OrganizationActivity, Range } from '#ledger/ledger.ts'
import { creditsSum } from '#model/credits.ts'
import type { BillingPeriod, EpochMs, Organization } from '#model/organization.ts'

export type OrganizationUsage = OrganizationActivity & {
  readonly current: BillingPeriod & UsageSum
  readonly previous: BillingPeriod &
    UsageSum & {
      /** Up to the end of the day of the previous period that is as far into it as today is into the current one. */
      readonly toDate: UsageSum
    }
}

export type UsageOfOrganizations = (
  organizations: readonly Organization[],
  time: EpochMs,
) => Promise<readonly OrganizationUsage[]>

type Needs = { readonly ledger: Pick<Ledger, 'organizations'> }

/** Two months of days each, so that no read of the store takes long. */
const READ_AT_ONCE = 25

export const createUsageOfOrganizations =
  ({ ledger }: Needs): UsageOfOrganizations =>
  async (organizations, time) => {
    const usage: OrganizationUsage[] = []
    for (let start = 0; start < organizations.length; start += READ_AT_ONCE) {
      const some = organizations.slice(start, start + READ_AT_ONCE).map((organization) => spansOf(organization, time))
      const days = await ledger.organizations.days(
        some.map(({ id, current, previous }) => ({ organizationId: id, from: previous.start, to: current.end })),
      )
      const activity = await ledger.organizations.activity(some.map(({ id }) => id))
      for (const [index, spans] of some.entries()) {
        usage.push({ ...toUsage(spans, days[index] ?? []), ...(activity[index] ?? { keys: 0 }) })
      }
    }
    return usage
  }

type Spans = {
  readonly id: string
  readonly current: BillingPeriod
  readonly previous: BillingPeriod
  readonly previousToDate: Range
}

const spansOf = ({ id, calendar }: Organization, time: EpochMs): Spans => {
  const current = periodAt(calendar, time)
  const previous = periodBefore(calendar, current)
  // The middle of the day: a change of the clock in one of the periods must not lead to the day beside it.
  const sameDay = previous.start + (dayAt(calendar, time).start - current.start) + HALF_A_DAY_MS
  const to = Math.min(previous.end, dayAt(calendar, sameDay).end)
  return { id, current, previous, previousToDate: { from: previous.start, to } }
}

const HALF_A_DAY_MS = 12 * 3_600_000

const toUsage = ({ current, previous, previousToDate }: Spans, days: readonly DayTotal[]) => ({
  current: { ...current, ...sumOf(days, { from: current.start, to: current.end }) },
  previous: {
    ...previous,
    ...sumOf(days, { from: previous.start, to: previous.end }),
    toDate: sumOf(days, previousToDate),
  },
})

const sumOf = (days: readonly DayTotal[], { from, to }: Range): UsageSum => {
  const within = days.filter(({ dayStart }) => dayStart >= from && dayStart < to)
  return {
    messages: within.reduce((sum, { messages }) => sum + messages, 0),
    unpriced: within.reduce((sum, { unpriced }) => sum + unpriced, 0),
    credits: creditsSum(within.reduce((sum, { credits }) => sum + credits, 0n)),
  }
}
