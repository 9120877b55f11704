/**
 * Finds what was rendered of a range in its present version, or begins to render it within the same read, which then continues
 * for all requests that arrive in the meantime. A rendering is reused only if the ledger shows that nothing has changed.
 */
import { dayAt } from '#calendar/days.ts'
import type { RenderedUsage } from '#current-period/rendered-usage.ts'
import type { LedgerView, Range } from '#ledger/ledger.ts'
import type { MonotonicClock } from '#model/clock.ts'
import type { Organization } from '#model/organization.ts'
import { messagesIn } from './long-readings.ts'
import type { Queries } from './queries.ts'
import type { Rendering, Renderings } from './renderings.ts'

export type SharedNeeds<T> = {
  readonly queries: Pick<Queries, 'read'>
  readonly renderings: Renderings<T>
  readonly now: MonotonicClock
}

export type Wanted<T, Beside> = {
  readonly organization: Organization
  readonly range: Range
  /** Tells apart what is rendered of the same range. */
  readonly which?: unknown
  /** Aborts when the reader has received the rendering or has left. */
  readonly signal: AbortSignal
  /** Reads what is said beside the rendering, as of the same moment. `version` is that of the range's days. */
  readonly beside: (view: LedgerView, version: number) => Promise<Beside>
  /** Whether the reader does not want the rendering then. */
  readonly isEnough?: (beside: Beside) => boolean
  /** `signal` aborts once every reader has left. */
  readonly render: (view: LedgerView, signal: AbortSignal) => Promise<T>
}

export type Found<T, Beside> = Omit<RenderedUsage<T>, 'usage'> & {
  readonly beside: Beside
  /** Undefined if the rest is enough. */
  readonly rendering: Rendering<T> | undefined
}

/** Throws the reason if `signal` aborts first, and StoreBusy if there is no room. */
export const findRendering = <T, Beside>(
  { queries, renderings, now }: SharedNeeds<T>,
  { organization, range, which, signal, beside: readBeside, isEnough, render }: Wanted<T, Beside>,
): Promise<Found<T, Beside>> =>
  new Promise((resolve, reject) => {
    const ending = new AbortController()
    let isShared = false
    signal.addEventListener('abort', () => isShared || ending.abort(signal.reason), { once: true })
    const { id, calendar } = organization
    const key = JSON.stringify([id, range.from, range.to, which])
    queries
      .read(
        id,
        async (view) => {
          const lastConfirmed = now()
          const version = await view.version({ from: dayAt(calendar, range.from).start, to: range.to })
          const beside = await readBeside(view, version)
          if (isEnough?.(beside)) return resolve({ beside, rendering: undefined, lastConfirmed, from: 'memory' })
          const messages = renderings.find(key, version) === undefined ? await messagesIn(view, calendar, range) : 0
          signal.throwIfAborted()
          const before = renderings.find(key, version)
          const rendering = before ?? renderings.begin({ key, version, messages, ending })
          renderings.hold(rendering, signal)
          isShared = true
          resolve({ beside, rendering, lastConfirmed, from: before?.isComplete ? 'memory' : 'refresh' })
          if (before !== undefined) return
          await renderings.render(rendering, () => render(view, ending.signal))
        },
        { signal: ending.signal },
      )
      .catch(reject)
  })

/** A reader that leaves waits no longer. */
export const whileHere = <T>(usage: Promise<T>, signal: AbortSignal): Promise<T> =>
  new Promise((resolve, reject) => {
    if (signal.aborted) reject(signal.reason)
    signal.addEventListener('abort', () => reject(signal.reason), { once: true })
    usage.then(resolve, reject)
  })
