/** Renders all usage of a range of the ledger: once for each version of the range, and shared by all requests for it. */
import type { RenderedUsage } from '#current-period/rendered-usage.ts'
import type { Range } from '#ledger/ledger.ts'
import type { Organization } from '#model/organization.ts'
import type { UsageLine } from '#model/usage-line.ts'
import type { RecordedLine } from '#model/usage-record.ts'
import type { FindProvenance, NotListed, Queries } from './queries.ts'
import { findRendering, type SharedNeeds, whileHere } from './shared-renderings.ts'

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

export type UsageRendererNeeds<T> = SharedNeeds<T> & {
  readonly queries: Pick<Queries, 'read' | 'pages'>
  readonly render: (pages: AsyncIterable<readonly UsageLine[]>) => Promise<T>
}

export const createUsageRenderer = <T>(needs: UsageRendererNeeds<T>): UsageRenderer<T> => ({
  read: async (organization, range, signal, provenanceOf) => {
    signal.throwIfAborted()
    const { beside, rendering, ...found } = await findRendering<T, NotListed>(needs, {
      organization,
      range,
      signal,
      beside: async (view) => {
        const { notListed } = (await provenanceOf?.(view, range)) ?? {}
        return notListed === undefined ? {} : { notListed }
      },
      render: (view) => needs.render(toUsageLines(needs.queries.pages(view, organization, range))),
    })
    if (rendering === undefined) throw new Error('usage was asked for and not rendered')
    return { ...found, ...beside, usage: await whileHere(rendering.usage, signal) }
  },
})

async function* toUsageLines(pages: AsyncIterable<readonly RecordedLine[]>): AsyncGenerator<readonly UsageLine[]> {
  for await (const page of pages) yield page
}
