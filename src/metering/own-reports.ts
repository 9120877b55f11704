/** Our own catalogue of reports, remembered for a moment: a price that was set is in force here at once, elsewhere soon. */
import type { Id, Report } from '#model/report.ts'
import type { ReportStore } from './ledger.ts'

export type OwnReports = {
  readonly find: (id: Id) => Promise<Report | undefined>
  readonly findNow: (id: Id) => Promise<Report | undefined>
  readonly put: ReportStore['put']
  readonly remove: ReportStore['remove']
}

const REMEMBERED_MS = 1000
const REMEMBERED_MAX = 10_000

export const createOwnReports = ({
  store,
  now,
}: {
  readonly store: ReportStore
  readonly now: () => number
}): OwnReports => {
  const known = new Map<string, { readonly report: Promise<Report | undefined>; readonly until: number }>()
  return {
    find: (id) => {
      const key = String(id)
      const entry = known.get(key)
      if (entry !== undefined && now() < entry.until) return entry.report
      const report = store.find(id)
      if (known.size >= REMEMBERED_MAX) known.clear()
      known.set(key, { report, until: now() + REMEMBERED_MS })
      report.catch(() => known.delete(key))
      return report
    },
    findNow: (id) => store.find(id),
    put: async (report) => {
      const outcome = await store.put(report)
      known.delete(String(report.id))
      return outcome
    },
    remove: async (id) => {
      const wasThere = await store.remove(id)
      known.delete(String(id))
      return wasThere
    },
  }
}
