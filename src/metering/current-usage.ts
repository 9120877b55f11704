/**
 * The current period's usage, kept ready to be answered.
 *
 * A reader gets what is in memory while that is younger than `maxAgeMs`; otherwise it waits for a refresh, which all
 * readers of that moment share. When a refresh fails, the last good answer serves for up to `staleLimitMs` since it was
 * last known to be true, and says so; after that the failure is the answer. What is kept is not the lines but what
 * `render` made of them, so that a large period is in memory once, in the form in which it is sent.
 */
import type { RateCard } from '#model/rate-card.ts'
import type { Id, Report } from '#model/report.ts'
import type { UsageLine } from '#model/usage-line.ts'
import type { PricedMessage } from './intake.ts'
import { createPeriodBill, type PeriodBill } from './period-bill.ts'
import type { CurrentPeriodSource, Deadline, Progress, UsageObserver, Validators } from './ports.ts'

export type UsageAnswer<T> = {
  readonly usage: T
  /** When this was last known to be what the source says, in milliseconds of `now`. */
  readonly asOf: number
  /** `refresh`: asked for this reader; `memory`: young enough; `stale`: the last good one, as the source fails. */
  readonly from: 'refresh' | 'memory' | 'stale'
}

export type CurrentUsage<T> = {
  /** The answer, where one is at hand that is young enough: the way that costs nothing. */
  readonly peek: () => UsageAnswer<T> | undefined
  /** Throws what the source threw, where no answer may be given. */
  readonly read: () => Promise<UsageAnswer<T>>
  /** Whether a reader would get an answer now; asks the source if need be. */
  readonly isReady: () => Promise<boolean>
}

export type CurrentUsageNeeds<T> = {
  readonly source: CurrentPeriodSource
  readonly rateCard: RateCard
  /** Makes of the lines what is kept and handed out. Reads them once, in order, and may let others run in between. */
  readonly render: (lines: Iterable<UsageLine>) => Promise<T>
  readonly observer: UsageObserver
  /** Milliseconds of a clock that never goes back. */
  readonly now: () => number
  readonly maxAgeMs: number
  readonly staleLimitMs: number
  /** How long a refresh may take in all. */
  readonly timeoutMs: number
  readonly progress?: Progress
  /** Is handed every changed listing, once it can be answered. */
  readonly seen?: (messages: Iterable<PricedMessage>) => void
}

export const createCurrentUsage = <T>(needs: CurrentUsageNeeds<T>): CurrentUsage<T> => {
  const { observer, now, maxAgeMs, staleLimitMs, timeoutMs } = needs
  let kept: Kept<T> | undefined
  let refreshing: Promise<Kept<T>> | undefined
  let failed: { readonly at: number; readonly error: unknown } | undefined

  const refresh = async (): Promise<Kept<T>> => {
    const startedAt = now()
    try {
      const next = await bringUpToDate(needs, kept, startedAt + timeoutMs)
      const outcome = next.usage === kept?.usage ? 'unchanged' : 'changed'
      kept = next
      failed = undefined
      const { messages, duplicates } = next
      observer.refreshed({ outcome, durationMs: now() - startedAt, messages, duplicates })
      return next
    } catch (error) {
      failed = { at: now(), error }
      observer.refreshed({ outcome: 'failed', durationMs: now() - startedAt, messages: 0, duplicates: [], error })
      throw error
    } finally {
      refreshing = undefined
    }
  }

  const shareRefresh = (): Promise<Kept<T>> => {
    refreshing ??= refresh()
    return refreshing
  }

  const peek = (): UsageAnswer<T> | undefined => {
    if (kept === undefined || now() - kept.asOf >= maxAgeMs) return undefined
    observer.served('memory')
    return { usage: kept.usage, asOf: kept.asOf, from: 'memory' }
  }

  /** While the source is down it is not asked more often than while it is up, nor much later once it is up again. */
  const hasJustFailed = (): boolean =>
    failed !== undefined && refreshing === undefined && now() - failed.at < Math.min(maxAgeMs, FAILURE_KEPT_MS)

  /** The last good answer if it may still be given, else the failure. */
  const fallBack = (error: unknown): UsageAnswer<T> => {
    if (kept === undefined || now() - kept.asOf > staleLimitMs) {
      observer.served('none')
      throw error
    }
    observer.served('stale')
    return { usage: kept.usage, asOf: kept.asOf, from: 'stale' }
  }

  const read = async (): Promise<UsageAnswer<T>> => {
    const atHand = peek()
    if (atHand !== undefined) return atHand
    if (hasJustFailed()) return fallBack(failed?.error)
    try {
      const { usage, asOf } = await shareRefresh()
      observer.served('refresh')
      return { usage, asOf, from: 'refresh' }
    } catch (error) {
      return fallBack(error)
    }
  }

  const isReady = async (): Promise<boolean> => {
    if (kept !== undefined && now() - kept.asOf < Math.max(maxAgeMs, staleLimitMs)) return true
    if (hasJustFailed()) return false
    return shareRefresh().then(
      () => true,
      () => false,
    )
  }

  return { peek, read, isReady }
}

const FAILURE_KEPT_MS = 1000

/** An answer and what it takes to find out whether it is still true. */
type Kept<T> = {
  readonly usage: T
  readonly asOf: number
  readonly validators: Validators | undefined
  /** What the catalogue said of each report that the listing names. */
  readonly reports: ReadonlyMap<Id, Report | undefined>
  readonly messages: number
  readonly duplicates: readonly Id[]
}

const bringUpToDate = async <T>(
  needs: CurrentUsageNeeds<T>,
  kept: Kept<T> | undefined,
  deadline: Deadline,
): Promise<Kept<T>> => {
  if (kept?.validators !== undefined) {
    const fetched = await fetchBill(needs, kept.validators, deadline)
    if (fetched !== 'unchanged') return renderBill(needs, fetched)
    const asOf = needs.now()
    const reports = await askAll(needs.source, kept.reports.keys(), deadline)
    if (areSame(reports, kept.reports)) return { ...kept, asOf }
  }
  // Nothing is kept to compare with, or a report's price has changed while the listing has not.
  const fetched = await fetchBill(needs, undefined, deadline)
  if (fetched === 'unchanged') throw new Error('a source said that nothing changed without being asked')
  return renderBill(needs, fetched)
}

type Fetched = {
  readonly bill: PeriodBill
  readonly reports: ReadonlyMap<Id, Report | undefined>
  readonly validators: Validators | undefined
  readonly asOf: number
}

const fetchBill = async <T>(
  { source, rateCard, now, progress }: CurrentUsageNeeds<T>,
  since: Validators | undefined,
  deadline: Deadline,
): Promise<Fetched | 'unchanged'> => {
  // Each attempt has its own: a report that only a broken attempt named must not matter.
  const start = () => {
    const asked = new Map<Id, Promise<Report | undefined>>()
    const wantReport = (id: Id): void => {
      if (asked.has(id)) return
      const answer = source.report(id, deadline)
      asked.set(id, answer)
      // Whoever waits for it hears of a failure; if the listing fails first, nobody waits.
      answer.catch(() => {})
    }
    const bill = createPeriodBill({ rateCard, wantReport })
    return { take: bill.take, finish: () => ({ bill, asked }) }
  }
  const listing = await source.list({ start, since, deadline, ...(progress && { progress }) })
  if (listing === 'unchanged') return 'unchanged'
  const asOf = now()
  const { bill, asked } = listing.value
  const reports = new Map<Id, Report | undefined>()
  for (const [id, answer] of asked) reports.set(id, await answer)
  return { bill, reports, validators: listing.validators, asOf }
}

const renderBill = async <T>({ render, seen }: CurrentUsageNeeds<T>, fetched: Fetched): Promise<Kept<T>> => {
  const { bill, reports, validators, asOf } = fetched
  const usage = await render(bill.lines(reports))
  seen?.(bill.messages(reports))
  return { usage, asOf, validators, reports, messages: bill.size(), duplicates: bill.duplicates }
}

const askAll = async (
  source: CurrentPeriodSource,
  ids: Iterable<Id>,
  deadline: Deadline,
): Promise<ReadonlyMap<Id, Report | undefined>> => {
  const asked = [...ids].map(async (id) => [id, await source.report(id, deadline)] as const)
  return new Map(await Promise.all(asked))
}

const areSame = (one: ReadonlyMap<Id, Report | undefined>, other: ReadonlyMap<Id, Report | undefined>): boolean => {
  for (const [id, report] of one) {
    const before = other.get(id)
    if (report?.name !== before?.name || report?.creditCost !== before?.creditCost) return false
  }
  return one.size === other.size
}
