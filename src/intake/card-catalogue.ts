/**
 * The catalogue of rate cards: those that were stored, and those that come with the product. If a card was stored under a version
 * that came with the product later, the stored one stays: messages may have been charged by it.
 */
import type { RateCardStore } from '#ledger/ledger.ts'
import type { EpochMs } from '#model/organization.ts'
import { BUILT_IN_CARDS, type CardOrigin } from '#rating/built-in-cards.ts'
import { cardHash } from '#rating/card-hash.ts'

export type CardEntry = {
  readonly version: string
  /** Identifies the content: `#rating/card-hash.ts`. */
  readonly hash: string
  /** Absent if the card is built in. */
  readonly createdAt?: EpochMs
  /** Only if the card is built in. */
  readonly builtIn?: CardOrigin
}

/** `body` is the card as JSON. */
export type CatalogueCard = CardEntry & { readonly body: string }

/** Throws StoreError. */
export const findCard = async (
  rateCards: Pick<RateCardStore, 'find'>,
  version: string,
): Promise<CatalogueCard | undefined> => {
  const stored = await rateCards.find(version)
  const builtIn = BUILT_IN.get(version)
  return stored === undefined || stored.hash === builtIn?.hash ? builtIn : stored
}

/** Ascending by version. Throws StoreError. */
export const listCards = async (rateCards: Pick<RateCardStore, 'list'>): Promise<readonly CardEntry[]> => {
  const entries = new Map<string, CardEntry>([...BUILT_IN].map(([version, { body: _, ...entry }]) => [version, entry]))
  for (const stored of await rateCards.list()) {
    if (entries.get(stored.version)?.hash !== stored.hash) entries.set(stored.version, stored)
  }
  return [...entries.values()].sort((one, other) => (one.version < other.version ? -1 : 1))
}

const BUILT_IN: ReadonlyMap<string, CatalogueCard> = new Map(
  BUILT_IN_CARDS.map(({ card, ...builtIn }) => [
    card.version,
    { version: card.version, hash: cardHash(card), body: JSON.stringify(card), builtIn },
  ]),
)

/**
 * A built-in card that is put in force is stored as well. So it stays with the database, and processes of an earlier version of the
 * product, which do not have it, can price by it.
 */
export const keepBuiltIn = async (
  rateCards: Pick<RateCardStore, 'put'>,
  version: string,
  createdAt: EpochMs,
): Promise<void> => {
  const { hash, body } = BUILT_IN.get(version) ?? {}
  // A conflict means that another card was stored under this version before, and that one is put in force.
  if (hash !== undefined && body !== undefined) await rateCards.put({ version, hash, body, createdAt })
}
