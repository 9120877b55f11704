/** Answers what messages have cost by the rules of their rate cards. Computed once for each version of a range. */
import { setImmediate as letOthersRun } from 'node:timers/promises'
import { dayAt } from '#calendar/days.ts'
import type { KeptCharges } from '#ledger/kept-charges.ts'
import { keptPieces } from '#ledger/kept-pieces.ts'
import type { LedgerView, Range } from '#ledger/ledger.ts'
import type { ChargeFilter } from '#model/charge-filter.ts'
import type { Organization } from '#model/organization.ts'
import type { Id } from '#model/report.ts'
import type { CompiledCard } from '#rating/compile-card.ts'
import { LineTally } from './agreement.ts'
import { type CardOf, cardNamed, staysBefore } from './explaining.ts'
import { type FindProvenance, type Provenance, versionOfRange } from './queries.ts'
import { createRowTest, createRuleSums, type UsageByRule } from './rule-sums.ts'
import { findRendering, type SharedNeeds, whileHere } from './shared-renderings.ts'
import type { Known, Versioned } from './versions.ts'

export type RuleQuery = Range & ChargeFilter

export type ReadByRule = (
  organization: Organization,
  query: RuleQuery,
  /** `signal` aborts when the reader has received the answer or has left. */
  asking: { readonly signal: AbortSignal; readonly knows?: Known | undefined },
) => Promise<Versioned<UsageByRule & Provenance>>

export type UsageByRuleNeeds = SharedNeeds<UsageByRule> & {
  readonly cardOf: CardOf
  readonly provenanceOf?: FindProvenance | undefined
}

/** Throws StoreBusy if too many long reads are in progress, and StoreError. */
export const createUsageByRule =
  (needs: UsageByRuleNeeds): ReadByRule =>
  async (organization, query, { signal, knows }) => {
    const { calendar } = organization
    const { from, to, ...filter } = query
    const range = { from, to }
    const cards = new Map<string, CompiledCard>()
    for (;;) {
      signal.throwIfAborted()
      const { beside, rendering } = await findRendering(needs, {
        organization,
        range,
        which: Object.entries(filter).sort(),
        signal,
        beside: async (view, days) => {
          const provenance = (await needs.provenanceOf?.(view, query)) ?? {}
          return { provenance, version: versionOfRange(calendar, range, days, provenance) }
        },
        isEnough: ({ version }) => knows?.(version) === true,
        render: (view, ending) => sumUp(view, organization, query, cards, ending),
      })
      const { version, provenance } = beside
      if (rendering === undefined) return { version }
      try {
        return { version, answer: { ...(await whileHere(rendering.usage, signal)), ...provenance } }
      } catch (error) {
        if (!(error instanceof CardsMissing)) throw error
        // Not while reading, because cards are read on a connection of their own.
        for (const missing of error.versions) cards.set(missing, await cardNamed(missing, needs.cardOf))
      }
    }
  }

class CardsMissing extends Error {
  readonly versions: readonly string[]

  constructor(versions: readonly string[]) {
    super(`rate cards have to be read first: ${versions.join(', ')}`)
    this.versions = versions
  }
}

/** Throws CardsMissing before it reads any charge. */
const sumUp = async (
  view: LedgerView,
  { calendar }: Organization,
  { from, to, ...filter }: RuleQuery,
  cards: ReadonlyMap<string, CompiledCard>,
  signal: AbortSignal,
): Promise<UsageByRule> => {
  const days = { from: dayAt(calendar, from).start, to: dayAt(calendar, to - 1).end }
  const used = await view.totals({ ...days, group: ['rate_card'] })
  const missing = used.flatMap(({ rateCard }) => (rateCard === undefined || cards.has(rateCard) ? [] : [rateCard]))
  if (missing.length > 0) throw new CardsMissing(missing)
  const sums = createRuleSums(filter, cards)
  const tally = new LineTally(calendar, { from, to })
  for await (const piece of keptPieces(view, { from, to })) {
    tally.addKept(piece)
    sums.add(piece, await staysIn(view, piece, filter))
    await letOthersRun()
    signal.throwIfAborted()
  }
  await tally.compare(view)
  return sums.result()
}

/** By row, what stays charged in closed periods. Only an adjustment can follow a charge that stays. */
const staysIn = async (
  view: LedgerView,
  charges: KeptCharges,
  filter: ChargeFilter,
): Promise<ReadonlyMap<number, number>> => {
  const { count, isAdjustment, revisions, messageIds } = charges
  const stays = new Map<number, number>()
  const isMeant = createRowTest(charges, filter)
  for (let row = 0; row < count; row++) {
    const revision = revisions[row] as number
    if (isAdjustment[row] === 0 || revision === 0 || !isMeant(row)) continue
    stays.set(row, staysBefore(revision, await view.charges(messageIds[row] as Id)))
  }
  return stays
}
