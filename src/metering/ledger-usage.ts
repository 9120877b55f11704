/**
 * The usage of a range as the ledger has it, rendered once for each state of it. What was rendered is given again only after
 * a look at the ledger has shown that nothing of the range has changed.
 */
import { dayAt } from '#calendar/days.ts'
import type { Organization } from '#model/organization.ts'
import type { UsageLine } from '#model/usage-line.ts'
import type { RecordedLine } from '#model/usage-record.ts'
import type { UsageAnswer } from './current-usage.ts'
import type { Range } from './ledger.ts'
import type { Beside, FindBeside, UsageQueries } from './usage-queries.ts'

export type LedgerUsage<T> = {
  readonly read: (organization: Organization, range: Range, besideOf?: FindBeside) => Promise<UsageAnswer<T> & Beside>
}

export type LedgerUsageNeeds<T> = {
  readonly queries: Pick<UsageQueries, 'read' | 'pages'>
  readonly render: (pages: AsyncIterable<readonly UsageLine[]>) => Promise<T>
  readonly sizeOf: (usage: T) => number
  readonly now: () => number
}

type Kept<T> = { readonly version: number; readonly usage: T }

const KEPT_BYTES_MAX = 16 * 1024 * 1024

export const createLedgerUsage = <T>({ queries, render, sizeOf, now }: LedgerUsageNeeds<T>): LedgerUsage<T> => {
  const kept = new Map<string, Kept<T>>()
  let keptBytes = 0

  const forget = (key: string): void => {
    const entry = kept.get(key)
    if (entry === undefined) return
    keptBytes -= sizeOf(entry.usage)
    kept.delete(key)
  }

  const keep = (key: string, entry: Kept<T>): void => {
    forget(key)
    const size = sizeOf(entry.usage)
    if (size > KEPT_BYTES_MAX / 2) return
    kept.set(key, entry)
    keptBytes += size
    for (const oldest of kept.keys()) {
      if (keptBytes <= KEPT_BYTES_MAX) break
      forget(oldest)
    }
  }

  const read: LedgerUsage<T>['read'] = (organization, range, besideOf) =>
    queries.read(organization.id, async (view) => {
      const asOf = now()
      const key = JSON.stringify([organization.id, range.from, range.to])
      const version = await view.version({ from: dayAt(organization.calendar, range.from).start, to: range.to })
      const beside = await besideOf?.(view, range)
      const before = kept.get(key)
      if (before?.version === version) return { usage: before.usage, asOf, from: 'memory', ...beside }
      const usage = await render(toUsageLines(queries.pages(view, organization, range)))
      keep(key, { version, usage })
      return { usage, asOf, from: 'refresh', ...beside }
    })

  return { read }
}

async function* toUsageLines(pages: AsyncIterable<readonly RecordedLine[]>): AsyncGenerator<readonly UsageLine[]> {
  for await (const page of pages) yield page
}
