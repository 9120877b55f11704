/** Which rate cards an organization uses from when on, and what putting one in force leaves as it was charged. */
import type { CardUse } from '#ledger/commands.ts'
import type { Ledger } from '#ledger/ledger.ts'
import {
  type CardInForce,
  type CardsInForce,
  compareAssignments,
  timelineForUnpriced,
  timelineOf,
} from '#model/cards-in-force.ts'
import { DEFAULT_ORGANIZATION, type EpochMs } from '#model/organization.ts'
import type { Cards } from './cards-in-force.ts'

export type UseRefused = 'unknown-card' | { readonly closedUntil: EpochMs }

export type OrganizationCards = {
  /** Those for unpriced messages among the others, ascending. */
  readonly inForce: readonly CardInForce[]
  /**
   * How many messages in periods that are not closed are charged by another card than the one that is in force at their
   * timestamp: they were charged before it was put in force.
   */
  readonly pricedOtherwise: number
}

export type CardUses = {
  /** The organization must exist. */
  readonly of: (organizationId: string) => Promise<OrganizationCards>
  /** From now on, unless the use says otherwise. Undefined if there is no such organization. */
  readonly use: (organizationId: string, use: CardUse) => Promise<OrganizationCards | UseRefused | undefined>
  readonly byDefault: () => Promise<readonly CardInForce[]>
  readonly useByDefault: (use: CardUse) => Promise<readonly CardInForce[] | UseRefused>
}

type Needs = {
  readonly ledger: Pick<Ledger, 'read' | 'rateCards'>
  readonly cards: Pick<Cards, 'use' | 'useByDefault'>
  readonly clock: () => EpochMs
}

export const createCardUses = ({ ledger, cards, clock }: Needs): CardUses => {
  const of = async (organizationId: string): Promise<OrganizationCards> => {
    const cards = await ledger.rateCards.inForce(organizationId)
    return { inForce: allInForce(cards), pricedOtherwise: await countOthers(organizationId, timelineOf(cards)) }
  }

  /** The ledger counts up to the end of time, so each stretch is what begins with it less what begins with the next. */
  const countOthers = (organizationId: string, inForce: readonly CardInForce[]): Promise<number> =>
    ledger.read(organizationId, async (view) => {
      const closedUntil = await view.closedUntil()
      let count = 0
      for (const [index, { from, version }] of inForce.entries()) {
        const end = inForce[index + 1]?.from
        if (end !== undefined && end <= closedUntil) continue
        const others = { since: Math.max(from, closedUntil), rateCard: version }
        count += await view.pricedOtherwise(others)
        if (end !== undefined) count -= await view.pricedOtherwise({ ...others, since: end })
      }
      return count
    })

  const byDefault = async (): Promise<readonly CardInForce[]> =>
    allInForce({ ...(await ledger.rateCards.inForce(DEFAULT_ORGANIZATION)), own: [] })

  return {
    of,
    use: async (organizationId, use) => {
      const used = await cards.use(organizationId, use.from === undefined ? { ...use, from: clock() } : use)
      return typeof used === 'object' && 'inForce' in used ? of(organizationId) : used
    },
    byDefault,
    useByDefault: async (use) => {
      const used = await cards.useByDefault(use.from === undefined ? { ...use, from: clock() } : use)
      return typeof used === 'object' && 'inForce' in used ? byDefault() : used
    },
  }
}

const allInForce = (cards: CardsInForce): readonly CardInForce[] =>
  [...timelineOf(cards), ...timelineForUnpriced(cards)].sort(compareAssignments)
