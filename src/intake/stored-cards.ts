/** Stores, finds and lists rate cards. None of them ever changes. */
import type { RateCardStore } from '#ledger/ledger.ts'
import type { Card } from '#model/card.ts'
import type { EpochMs } from '#model/organization.ts'
import { cardHash } from '#rating/card-hash.ts'
import { type ExpectedFacts, expectedFacts } from '#rating/expected-facts.ts'
import { type CardEntry, findCard, listCards } from './card-catalogue.ts'

export type KnownCard = CardEntry & {
  readonly card: Card
  /** What senders must bring so that the card can price their messages. */
  readonly expects: ExpectedFacts
}

export type StoredCards = {
  /** `conflict`: another card has this version, and it stays. Throws StoreError. */
  readonly put: (
    card: Card,
  ) => Promise<{ readonly outcome: 'created' | 'same'; readonly stored: KnownCard } | 'conflict'>
  readonly find: (version: string) => Promise<KnownCard | undefined>
  /** Ascending by version. */
  readonly list: () => Promise<readonly CardEntry[]>
}

type Needs = {
  readonly rateCards: Pick<RateCardStore, 'put' | 'find' | 'list'>
  readonly clock: () => EpochMs
}

export const createStoredCards = ({ rateCards, clock }: Needs): StoredCards => ({
  find: async (version) => {
    const found = await findCard(rateCards, version)
    return found && toKnown(JSON.parse(found.body) as Card, found)
  },
  put: async (card) => {
    const { version } = card
    const entry = { version, hash: cardHash(card), createdAt: clock() }
    const present = await findCard(rateCards, version)
    if (present !== undefined)
      return present.hash === entry.hash ? { outcome: 'same', stored: toKnown(card, present) } : 'conflict'
    const outcome = await rateCards.put({ ...entry, body: JSON.stringify(card) })
    if (outcome === 'conflict') return 'conflict'
    // The same if another process has stored it meanwhile.
    const stored = outcome === 'same' ? await findCard(rateCards, version) : undefined
    return { outcome, stored: toKnown(card, stored ?? entry) }
  },
  list: () => listCards(rateCards),
})

const toKnown = (card: Card, { version, hash, createdAt, builtIn }: CardEntry): KnownCard => ({
  version,
  hash,
  ...(createdAt !== undefined && { createdAt }),
  ...(builtIn !== undefined && { builtIn }),
  card,
  expects: expectedFacts(card),
})
