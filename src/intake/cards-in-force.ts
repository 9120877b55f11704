/**
 * Which rate cards are in force, remembered for a second. So a batch may be priced by cards that another process has just replaced;
 * the ledger refuses it then, and it is priced again.
 */
import type { CardUse, UsedCards } from '#ledger/commands.ts'
import type { AppendAnswer, AppendOutcome, Ledger } from '#ledger/ledger.ts'
import type { CardsInForce } from '#model/cards-in-force.ts'
import type { MonotonicClock } from '#model/clock.ts'
import { StoreBusy } from '#model/errors.ts'
import { createTimedCache } from '#model/timed-cache.ts'
import { findCard } from './card-catalogue.ts'

export type Cards = {
  /** Those that are or were in force within the last second. Throws StoreError. */
  readonly inForce: (organizationId: string) => Promise<CardsInForce>
  /** From the store, bypassing what is remembered. Throws StoreError. */
  readonly inForceNow: (organizationId: string) => Promise<CardsInForce>
  /**
   * Calls `append` with the cards in force, by which it prices a batch and whose version it passes to the ledger; again if others
   * are in force meanwhile. Throws StoreError.
   */
  readonly appendBy: (
    organizationId: string,
    append: (cards: CardsInForce) => Promise<AppendAnswer>,
  ) => Promise<readonly AppendOutcome[] | undefined>
  /** Undefined if there is no such organization. */
  readonly use: (organizationId: string, use: CardUse) => Promise<UsedCards | 'unknown-card' | undefined>
  readonly useByDefault: (use: CardUse) => Promise<UsedCards | 'unknown-card'>
}

const CACHED_MS = 1000
const CACHED_MIN = 10_000
/** Each refusal means that the cards have changed once more. */
const ATTEMPTS_MAX = 5

export const createCards = ({
  ledger,
  now,
  used = () => {},
}: {
  readonly ledger: Pick<Ledger, 'decide' | 'rateCards'>
  readonly now: MonotonicClock
  /** Called when an organization has put a card in force, or the installation. */
  readonly used?: (organizationId?: string) => void
}): Cards => {
  const { rateCards } = ledger
  const known = createTimedCache<string, Promise<CardsInForce>>({
    lifetimeMs: CACHED_MS,
    entriesMin: CACHED_MIN,
    now,
  })

  const read = (organizationId: string): Promise<CardsInForce> => {
    const cards = known.set(organizationId, rateCards.inForce(organizationId))
    cards.catch(() => known.delete(organizationId))
    return cards
  }

  const inForce = (organizationId: string): Promise<CardsInForce> => known.get(organizationId) ?? read(organizationId)

  /** All batches that were refused at the same time share one read. */
  const inForceInstead = async (organizationId: string, { version }: CardsInForce): Promise<CardsInForce> => {
    const present = inForce(organizationId)
    if ((await present).version !== version) return present
    // Another caller may be reading already.
    return known.get(organizationId) === present ? read(organizationId) : inForce(organizationId)
  }

  const exists = async (version: string): Promise<boolean> => (await findCard(rateCards, version)) !== undefined

  return {
    inForce,
    inForceNow: read,

    appendBy: async (organizationId, append) => {
      let cards = await inForce(organizationId)
      for (let attempt = 1; attempt <= ATTEMPTS_MAX; attempt++) {
        const answer = await append(cards)
        if (answer !== 'other-cards') return answer
        cards = await inForceInstead(organizationId, cards)
      }
      throw new StoreBusy('The rate cards in force changed again and again while the messages were priced. Try again.')
    },

    use: async (organizationId, use) => {
      if (!(await exists(use.version))) return 'unknown-card'
      const outcome = await ledger.decide(organizationId, { kind: 'use-rate-card', ...use })
      known.delete(organizationId)
      if (outcome !== undefined && 'inForce' in outcome) used(organizationId)
      return outcome
    },

    useByDefault: async (use) => {
      if (!(await exists(use.version))) return 'unknown-card'
      const outcome = await rateCards.useByDefault(use)
      known.clear()
      if ('inForce' in outcome) used()
      return outcome
    },
  }
}
