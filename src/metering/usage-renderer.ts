/**
 * The usage of a range as the ledger has it, rendered once for each state of it, by whoever asks first, and shared by all who
 * ask meanwhile. What was rendered is given again only after a look at the ledger has shown that nothing has changed.
 */
import { dayAt } from '#calendar/days.ts'
import type { Organization } from '#model/organization.ts'
import type { UsageLine } from '#model/usage-line.ts'
import type { RecordedLine } from '#model/usage-record.ts'
import type { Range } from './ledger.ts'
import type { UsageAnswer } from './listing-cache.ts'
import { messagesIn } from './long-readings.ts'
import type { Beside, FindBeside, UsageQueries } from './queries.ts'
import type { RenderedAnswers, Rendering } from './renderings.ts'

export type LedgerUsage<T> = {
  /**
   * The answer stays in memory until `signal` aborts, which says that the reader has it or has left; while they wait it throws
   * the reason. Throws StoreBusy if there is no room.
   */
  readonly read: (
    organization: Organization,
    range: Range,
    signal: AbortSignal,
    besideOf?: FindBeside,
  ) => Promise<UsageAnswer<T> & Beside>
}

export type LedgerUsageNeeds<T> = {
  readonly queries: Pick<UsageQueries, 'read' | 'pages'>
  readonly answers: RenderedAnswers<T>
  readonly render: (pages: AsyncIterable<readonly UsageLine[]>) => Promise<T>
  readonly now: () => number
}

type Found<T> = Omit<UsageAnswer<T>, 'usage'> & {
  readonly beside: Beside | undefined
  readonly rendering: Rendering<T>
}

export const createLedgerUsage = <T>({ queries, answers, render, now }: LedgerUsageNeeds<T>): LedgerUsage<T> => {
  /** Finds the rendering of the state of now, or begins it in the same reading, which then goes on for all who share it. */
  const find = (
    organization: Organization,
    range: Range,
    signal: AbortSignal,
    besideOf: FindBeside | undefined,
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
            const asOf = now()
            const version = await view.version({ from: dayAt(calendar, range.from).start, to: range.to })
            const beside = await besideOf?.(view, range)
            const messages = answers.find(key, version) === undefined ? await messagesIn(view, calendar, range) : 0
            signal.throwIfAborted()
            const before = answers.find(key, version)
            const rendering = before ?? answers.begin({ key, version, messages, ending })
            answers.hold(rendering, signal)
            isShared = true
            resolve({ rendering, asOf, from: before?.isComplete ? 'memory' : 'refresh', beside })
            if (before !== undefined) return
            await answers.render(rendering, () => render(toUsageLines(queries.pages(view, organization, range))))
          },
          { signal: ending.signal },
        )
        .catch(reject)
    })

  return {
    read: async (organization, range, signal, besideOf) => {
      signal.throwIfAborted()
      const { rendering, beside, ...found } = await find(organization, range, signal, besideOf)
      return { ...found, ...beside, usage: await whileHere(rendering.usage, signal) }
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
