/** Rate cards ready to price, by version. A stored card never changes, so each is read and compiled once, and remembered. */
import type { RateCardStore } from '#ledger/ledger.ts'
import { type CardsInForce, cardAt, cardForUnpricedAt, FIRST_CARD } from '#model/cards-in-force.ts'
import { StoreError } from '#model/errors.ts'
import type { EpochMs } from '#model/organization.ts'
import type { CardChoice } from '#rating/card-choice.ts'
import { type CompiledCard, compileCard } from '#rating/compile-card.ts'
import { parseCard } from '#rating/parse-card.ts'
import { standardCard } from '#rating/standard-card.ts'
import { findCard } from './card-catalogue.ts'

export type CompiledCards = {
  /** Undefined if there is no such card. Concurrent callers share one read. Throws StoreError. */
  readonly byVersion: (version: string) => Promise<CompiledCard | undefined>
  /** The cards in force. Throws StoreError. */
  readonly ready: (cards: CardsInForce) => Promise<ReadyCards>
}

/** The cards in force, ready to price. */
export type ReadyCards = {
  /** That of `CardsInForce`. */
  readonly version: number
  readonly at: (instant: EpochMs) => CardChoice
}

const STANDARD: CardChoice = { card: standardCard }

/** Where no other card can be in force. */
export const STANDARD_ONLY: ReadyCards = { version: 0, at: () => STANDARD }

/** A card of 4 MiB takes several times as much when it is compiled. */
const REMEMBERED_MAX = 32

export const createCompiledCards = ({
  rateCards,
}: {
  readonly rateCards: Pick<RateCardStore, 'find'>
}): CompiledCards => {
  /** The one used last is at the end. */
  const known = new Map<string, Promise<CompiledCard | undefined>>()

  const load = async (version: string): Promise<CompiledCard | undefined> => {
    const found = await findCard(rateCards, version)
    return found && compileStored(found.version, found.body)
  }

  const remember = (version: string, card: Promise<CompiledCard | undefined>): void => {
    known.delete(version)
    known.set(version, card)
    const [oldest] = known.keys()
    if (known.size > REMEMBERED_MAX && oldest !== undefined) known.delete(oldest)
  }

  const forget = (version: string, card: Promise<CompiledCard | undefined>): void => {
    if (known.get(version) === card) known.delete(version)
  }

  const byVersion = (version: string): Promise<CompiledCard | undefined> => {
    // In force wherever no other card is, and compiled already.
    if (version === standardCard.version) return Promise.resolve(standardCard)
    const found = known.get(version)
    const card = found ?? load(version)
    remember(version, card)
    if (found === undefined) {
      // A card that is missing now can be stored at any time.
      card.then(
        (loaded) => loaded === undefined && forget(version, card),
        () => forget(version, card),
      )
    }
    return card
  }

  const present = async (version: string): Promise<readonly [string, CardChoice]> => {
    const card = await byVersion(version)
    if (card === undefined) throw new StoreError(`The rate card "${version}" is in force but is not stored.`)
    return [version, { card }]
  }

  const ready = async (cards: CardsInForce): Promise<ReadyCards> => {
    const assigned = [...cards.own, ...cards.byDefault].map(({ version }) => version)
    const compiled = new Map(await Promise.all([...new Set([FIRST_CARD, ...assigned])].map(present)))
    const at = (instant: EpochMs): CardChoice => {
      const choice = compiled.get(cardAt(cards, instant)) ?? STANDARD
      const version = cardForUnpricedAt(cards, instant)
      const forUnpriced = version === undefined ? undefined : compiled.get(version)?.card
      return forUnpriced === undefined ? choice : { ...choice, forUnpriced }
    }
    return { version: cards.version, at }
  }

  return { byVersion, ready }
}

/** A card was checked before it was stored, so whoever asks for it has done nothing wrong. */
const compileStored = (version: string, body: string): CompiledCard => {
  try {
    return compileCard(parseCard(JSON.parse(body)))
  } catch (error) {
    throw new StoreError(`The stored rate card "${version}" cannot be used.`, { cause: error })
  }
}
