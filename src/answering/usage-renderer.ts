/**
 * Renders all usage of a range of the ledger: once for each version of the range, for the first request, and shared by all
 * requests that arrive in the meantime. A rendering is reused only if the ledger shows that nothing has changed.
 */
import { dayAt } from '#calendar/days.ts'
import type { RenderedUsage } from '#current-period/rendered-usage.ts'
import type { Range } from '#ledger/ledger.ts'
import type { MonotonicClock } from '#model/clock.ts'
import type { Organization } from '#model/organization.ts'
import type { UsageLine } from '#model/usage-line.ts'
import type { RecordedLine } from '#model/usage-record.ts'
import { messagesIn } from './long-readings.ts'
import type { FindProvenance, NotListed, Queries } from './queries.ts'
import type { Rendering, Renderings } from './renderings.ts'

export type UsageRenderer<T> = {
  /**
   * The rendered usage stays in memory until `signal` aborts, when the reader has received it or has left. Throws the reason if
   * `signal` aborts before rendering is complete, and StoreBusy if there is no room.
   */
  readonly read: (
    organization: Organization,
    range: Range,
    signal: AbortSignal,
    provenanceOf?: FindProvenance,
  ) => Promise<RenderedUsage<T> & NotListed>
}

export type UsageRendererNeeds<T> = {
  readonly queries: Pick<Queries, 'read' | 'pages'>
  readonly renderings: Renderings<T>
  readonly render: (pages: AsyncIterable<readonly UsageLine[]>) => Promise<T>
  readonly now: MonotonicClock
}

type Found<T> = Omit<RenderedUsage<T>, 'usage'> & {
  readonly notListed: NotListed | undefined
  readonly rendering: Rendering<T>
}

export const createUsageRenderer = <T>({
  queries,
  renderings,
  render,
  now,
}: UsageRendererNeeds<T>): UsageRenderer<T> => {
  /** Finds the rendering of the present version, or begins it within the same read, which then continues for all its readers. */
  const find = (
    organization: Organization,
    range: Range,
    signal: AbortSignal,
    provenanceOf: FindProvenance | undefined,
  ): Promise<Found<T>> =>
    new Promise((resolve, reject) => {
      const ending = new AbortController()
      let isShared = false
      signal.addEventListener('abort', () => isShared || ending.abort(signal.reason), { once: true })
      const { id, calendar } = organization
      const key = JSON.stringify([id, range.from, range.to])
      queries
        .read(
          id,
          async (view) => {
            const lastConfirmed = now()
            const version = await view.version({ from: dayAt(calendar, range.from).start, to: range.to })
            const provenance = await provenanceOf?.(view, range)
            const notListed = provenance?.notListed && { notListed: provenance.notListed }
            const messages = renderings.find(key, version) === undefined ? await messagesIn(view, calendar, range) : 0
            signal.throwIfAborted()
            const before = renderings.find(key, version)
            const rendering = before ?? renderings.begin({ key, version, messages, ending })
            renderings.hold(rendering, signal)
            isShared = true
            resolve({ rendering, lastConfirmed, from: before?.isComplete ? 'memory' : 'refresh', notListed })
            if (before !== undefined) return
            await renderings.render(rendering, () => render(toUsageLines(queries.pages(view, organization, range))))
          },
          { signal: ending.signal },
        )
        .catch(reject)
    })

  return {
    read: async (organization, range, signal, provenanceOf) => {
      signal.throwIfAborted()
      const { rendering, notListed, ...found } = await find(organization, range, signal, provenanceOf)
      return { ...found, ...notListed, usage: await whileHere(rendering.usage, signal) }
    },
  }
}

const whileHere = <T>(usage: Promise<T>, signal: AbortSignal): Promise<T> =>
  new Promise((resolve, reject) => {
    if (signal.aborted) reject(signal.reason)
    signal.addEventListener('abort', () => reject(signal.reason), { once: true })
    usage.then(resolve, reject)
  })

async function* toUsageLines(pages: AsyncIterable<readonly RecordedLine[]>): AsyncGenerator<readonly UsageLine[]> {
  for await (const page of pages) yield page
}
