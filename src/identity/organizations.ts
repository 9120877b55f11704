/**
 * Organizations, cached for a few seconds. A calendar that old is still right for every message: a change takes effect at least
 * ten minutes later (`#calendar/periods.ts`), and a message is dated at most five minutes ahead.
 */
import { changedCalendar } from '#calendar/periods.ts'
import type { Ledger, OrganizationStore } from '#ledger/ledger.ts'
import type { MonotonicClock } from '#model/clock.ts'
import { CALENDAR_BEGINS, type EpochMs, type Organization } from '#model/organization.ts'
import { createTimedCache } from '#model/timed-cache.ts'

export type OrganizationChange = {
  readonly name?: string | undefined
  readonly timeZone?: string | undefined
  readonly anchorDay?: number | undefined
}

export type Organizations = {
  readonly find: (id: string) => Promise<Organization | undefined>
  /** From the store, bypassing the cache. */
  readonly findNow: (id: string) => Promise<Organization | undefined>
  readonly list: OrganizationStore['list']
  /** Undefined if the id is taken. */
  readonly create: (
    wanted: Required<OrganizationChange> & {
      readonly id: string
      readonly name: string
      readonly timeZone: string
      readonly anchorDay: number
    },
  ) => Promise<Organization | undefined>
  /** Time zone and anchor day change at the first period boundary at least ten minutes ahead; no current period moves. */
  readonly change: (id: string, change: OrganizationChange) => Promise<Organization | undefined>
}

type Needs = {
  readonly ledger: Pick<Ledger, 'organizations' | 'read' | 'latestInstant'>
  readonly clock: () => EpochMs
  readonly now: MonotonicClock
}

const CACHED_MS = 5000
const CACHED_MIN = 10_000

export const createOrganizations = ({ ledger, clock, now }: Needs): Organizations => {
  const store = ledger.organizations
  const known = createTimedCache<string, Organization>({ lifetimeMs: CACHED_MS, entriesMin: CACHED_MIN, now })

  const cache = (organization: Organization): Organization => {
    const before = known.getStale(organization.id)
    // Keep the same object if nothing changed: callers cache by its identity.
    const kept = before !== undefined && JSON.stringify(before) === JSON.stringify(organization) ? before : organization
    return known.set(organization.id, kept)
  }

  const findNow = async (id: string): Promise<Organization | undefined> => {
    const organization = await store.find(id)
    return organization && cache(organization)
  }

  /** A clock that was set back must not move a period that has begun or has usage. */
  const latestKnown = async (id: string): Promise<EpochMs> => {
    const [seen, span] = await Promise.all([ledger.latestInstant(clock()), ledger.read(id, (view) => view.span())])
    return Math.max(seen, span?.last ?? seen)
  }

  return {
    find: async (id) => known.get(id) ?? findNow(id),
    findNow,
    list: store.list,
    create: async ({ id, name, timeZone, anchorDay }) => {
      const calendar = [{ effectiveFrom: CALENDAR_BEGINS, timeZone, anchorDay }] as const
      const organization: Organization = { id, name, createdAt: clock(), calendar }
      return (await store.create(organization)) ? cache(organization) : undefined
    },
    change: async (id, { name, timeZone, anchorDay }) => {
      const latest = timeZone === undefined && anchorDay === undefined ? clock() : await latestKnown(id)
      const changed = await store.update(id, (organization) => ({
        ...organization,
        name: name ?? organization.name,
        calendar:
          timeZone === undefined && anchorDay === undefined
            ? organization.calendar
            : changedCalendar(
                organization.calendar,
                { ...(timeZone !== undefined && { timeZone }), ...(anchorDay !== undefined && { anchorDay }) },
                latest,
              ),
      }))
      return changed && cache(changed)
    },
  }
}
