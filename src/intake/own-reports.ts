/** The service's own catalogue of reports. A new price applies at once in this process, and within a second in any other. */

import type { ReportStore } from '#ledger/ledger.ts'
import type { MonotonicClock } from '#model/clock.ts'
import type { Id, Report } from '#model/report.ts'
import { createTimedCache } from '#model/timed-cache.ts'

export type OwnReports = {
  readonly find: (id: Id) => Promise<Report | undefined>
  /** Every report, or undefined if there is none. Throws StoreError. */
  readonly findAll: (ids: ReadonlySet<Id>) => Promise<ReadonlyMap<Id, Report | undefined>>
  readonly findNow: (id: Id) => Promise<Report | undefined>
  readonly list: ReportStore['list']
  readonly put: ReportStore['put']
  readonly remove: ReportStore['remove']
}

const CACHED_MS = 1000
const CACHED_MIN = 10_000
const FOUND_AT_ONCE = 16

export const createOwnReports = ({
  store,
  now,
  added = () => {},
}: {
  readonly store: ReportStore
  readonly now: MonotonicClock
  readonly added?: () => void
}): OwnReports => {
  const known = createTimedCache<string, Promise<Report | undefined>>({
    lifetimeMs: CACHED_MS,
    entriesMin: CACHED_MIN,
    now,
  })
  const find = (id: Id): Promise<Report | undefined> => {
    const key = String(id)
    const found = known.get(key)
    if (found !== undefined) return found
    const report = known.set(key, store.find(id))
    report.catch(() => known.delete(key))
    return report
  }

  /** Looks up a few at a time: a batch that names 100,000 reports must not put that many reads ahead of everyone else's. */
  const findAll = async (ids: ReadonlySet<Id>): Promise<ReadonlyMap<Id, Report | undefined>> => {
    const found = new Map<Id, Report | undefined>()
    const left = ids[Symbol.iterator]()
    let isOver = false
    const findNext = async (): Promise<void> => {
      for (let next = left.next(); !isOver && next.done !== true; next = left.next()) {
        found.set(next.value, await find(next.value))
      }
    }
    const all = Promise.all(Array.from({ length: Math.min(FOUND_AT_ONCE, ids.size) }, findNext))
    await all.finally(() => {
      isOver = true
    })
    return found
  }

  return {
    find,
    findAll,
    findNow: (id) => store.find(id),
    list: store.list,
    put: async (report) => {
      const outcome = await store.put(report)
      known.delete(String(report.id))
      added()
      return outcome
    },
    remove: async (id) => {
      const wasThere = await store.remove(id)
      known.delete(String(id))
      return wasThere
    },
  }
}
