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
import { keepBuiltIn } from './card-catalogue.ts'
import type { Cards } from './cards-in-force.ts'

export type UseRefused = 'unknown-card' | { readonly closedUntil: EpochMs }

export type UsedCards = {
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
  readonly of: (organizationId: string) => Promise<UsedCards>
  /** From now on, unless the use says otherwise. Undefined if there is no such organization. */
  readonly use: (organizationId: string, use: CardUse) => Promise<UsedCards | UseRefused | undefined>
  /** Of the installation. Counts in every organization, one after the other, while it uses no card of its own. */
  readonly byDefault: () => Promise<UsedCards>
  readonly useByDefault: (use: CardUse) => Promise<UsedCards | UseRefused>
}

type Needs = {
  readonly ledger: Pick<Ledger, 'read' | 'rateCards' | 'organizations'>
  readonly cards: Pick<Cards, 'use' | 'useByDefault'>
  readonly clock: () => EpochMs
}

export const createCardUses = ({ ledger, cards, clock }: Needs): CardUses => {
  const of = async (organizationId: string): Promise<UsedCards> => {
    const cards = await ledger.rateCards.inForce(organizationId)
    return { inForce: allInForce(cards), pricedOtherwise: await countOthers(organizationId, timelineOf(cards)) }
  }

  /** The ledger counts up to the end of time, so each stretch is what begins with it less what begins with the next. */
  const countOthers = (organizationId: string, inForce: readonly CardInForce[], isCounted = ANY): Promise<number> =>
    ledger.read(organizationId, async (view) => {
      const closedUntil = await view.closedUntil()
      let count = 0
      for (const [index, { from, version, isDefault }] of inForce.entries()) {
        const end = inForce[index + 1]?.from
        if (!isCounted(isDefault) || (end !== undefined && end <= closedUntil)) continue
        const others = { since: Math.max(from, closedUntil), rateCard: version }
        count += await view.pricedOtherwise(others)
        if (end !== undefined) count -= await view.pricedOtherwise({ ...others, since: end })
      }
      return count
    })

  const byDefault = async (): Promise<UsedCards> => {
    const cards = await ledger.rateCards.inForce(DEFAULT_ORGANIZATION)
    let pricedOtherwise = 0
    for (let after: string | undefined = ''; after !== undefined; ) {
      const page = await ledger.organizations.list({ limit: ORGANIZATIONS_PER_PAGE, ...(after !== '' && { after }) })
      for (const { id } of page) {
        const inForce = timelineOf(await ledger.rateCards.inForce(id))
        pricedOtherwise += await countOthers(id, inForce, (isDefault) => isDefault)
      }
      after = page.length < ORGANIZATIONS_PER_PAGE ? undefined : page.at(-1)?.id
    }
    return { inForce: allInForce({ ...cards, own: [] }), pricedOtherwise }
  }

  return {
    of,
    use: async (organizationId, use) => {
      await keepBuiltIn(ledger.rateCards, use.version, clock())
      const used = await cards.use(organizationId, use.from === undefined ? { ...use, from: clock() } : use)
      return typeof used === 'object' && 'inForce' in used ? of(organizationId) : used
    },
    byDefault,
    useByDefault: async (use) => {
      await keepBuiltIn(ledger.rateCards, use.version, clock())
      const used = await cards.useByDefault(use.from === undefined ? { ...use, from: clock() } : use)
      return typeof used === 'object' && 'inForce' in used ? byDefault() : used
    },
  }
}

const ORGANIZATIONS_PER_PAGE = 100
const ANY = (_isDefault: boolean): boolean => true

const allInForce = (cards: CardsInForce): readonly CardInForce[] =>
  [...timelineOf(cards), ...timelineForUnpriced(cards)].sort(compareAssignments)
