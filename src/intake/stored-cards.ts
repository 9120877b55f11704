/** The catalogue of rate cards: the one that is built in, and those that were stored. None of them ever changes. */
import type { RateCardStore } from '#ledger/ledger.ts'
import type { Card } from '#model/card.ts'
import type { EpochMs } from '#model/organization.ts'
import { cardHash } from '#rating/card-hash.ts'
import { type ExpectedFacts, expectedFacts } from '#rating/expected-facts.ts'
import { standardCardSource } from '#rating/standard-card.ts'

export type CardEntry = {
  readonly version: string
  /** Identifies the content: `#rating/card-hash.ts`. */
  readonly hash: string
  /** Absent if the card is built in. */
  readonly createdAt?: EpochMs
}

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

export const createStoredCards = ({ rateCards, clock }: Needs): StoredCards => {
  const find: StoredCards['find'] = async (version) => {
    if (version === BUILT_IN.version) return BUILT_IN
    const stored = await rateCards.find(version)
    return stored && toKnown(JSON.parse(stored.body) as Card, stored)
  }

  return {
    find,
    put: async (card) => {
      const { version } = card
      const hash = cardHash(card)
      if (version === BUILT_IN.version)
        return hash === BUILT_IN.hash ? { outcome: 'same', stored: BUILT_IN } : 'conflict'
      const entry = { version, hash, createdAt: clock() }
      const outcome = await rateCards.put({ ...entry, body: JSON.stringify(card) })
      if (outcome === 'conflict') return 'conflict'
      const stored = outcome === 'same' ? await find(version) : undefined
      return { outcome, stored: stored ?? toKnown(card, entry) }
    },
    list: async () => {
      const { version, hash } = BUILT_IN
      return [{ version, hash }, ...(await rateCards.list())].sort((one, other) =>
        one.version < other.version ? -1 : 1,
      )
    },
  }
}

const toKnown = (card: Card, { version, hash, createdAt }: CardEntry): KnownCard => ({
  version,
  hash,
  ...(createdAt !== undefined && { createdAt }),
  card,
  expects: expectedFacts(card),
})

const BUILT_IN = toKnown(standardCardSource, {
  version: standardCardSource.version,
  hash: cardHash(standardCardSource),
})
