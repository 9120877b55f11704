/**
 * Organizations, cached for a few seconds. A calendar that old is still right for every message: a change takes effect at least
 * ten minutes later (`#calendar/periods.ts`), and a message is dated at most five minutes ahead.
 */
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
  /** From the store, ascending by id. */
  readonly all: () => Promise<readonly Organization[]>
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
  readonly ledger: Pick<Ledger, 'organizations' | 'decide' | 'latestInstant'>
  readonly clock: () => EpochMs
  readonly now: MonotonicClock
}

const CACHED_MS = 5000
const CACHED_MIN = 10_000
/** How many are read at a time. */
const PAGE = 1000

export const createOrganizations = ({ ledger, clock, now }: Needs): Organizations => {
  const known = createTimedCache<string, Organization>({ lifetimeMs: CACHED_MS, entriesMin: CACHED_MIN, now })

  const cache = (organization: Organization): Organization => {
    const before = known.getStale(organization.id)
    // Keep the same object if nothing changed: callers cache by its identity.
    const kept = before !== undefined && JSON.stringify(before) === JSON.stringify(organization) ? before : organization
    return known.set(organization.id, kept)
  }

  const findNow = async (id: string): Promise<Organization | undefined> => {
    const organization = await ledger.organizations.find(id)
    return organization && cache(organization)
  }

  return {
    find: async (id) => known.get(id) ?? findNow(id),
    findNow,
    list: ledger.organizations.list,
    all: async () => {
      const all: Organization[] = []
      for (let page: readonly Organization[] | undefined; page === undefined || page.length === PAGE; ) {
        const after = all.at(-1)?.id
        page = await ledger.organizations.list({ limit: PAGE, ...(after !== undefined && { after }) })
        all.push(...page)
      }
      return all
    },
    create: async ({ id, name, timeZone, anchorDay }) => {
      const calendar = [{ effectiveFrom: CALENDAR_BEGINS, timeZone, anchorDay }] as const
      const organization: Organization = { id, name, createdAt: clock(), calendar }
      const created = await ledger.decide(id, { kind: 'create-organization', organization })
      return created && cache(created)
    },
    change: async (id, { name, timeZone, anchorDay }) => {
      const changed = await ledger.decide(id, {
        kind: 'change-organization',
        ...(name !== undefined && { name }),
        ...(timeZone !== undefined && { timeZone }),
        ...(anchorDay !== undefined && { anchorDay }),
        // A clock that was set back must not move a period that has begun.
        latest: timeZone === undefined && anchorDay === undefined ? clock() : await ledger.latestInstant(clock()),
      })
      return changed && cache(changed)
    },
  }
}
