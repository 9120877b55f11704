/**
 * The rate cards that price the upstream's listing. While the store does not answer, those that were read last are used, as long as
 * an old listing would be served; a card is never guessed.
 */
import { setTimeout as wait } from 'node:timers/promises'
import type { ReadyCards } from '#intake/compiled-cards.ts'
import { elapsedMs, type MonotonicClock, type MonotonicMs } from '#model/clock.ts'

export type ListingCardsNeeds = {
  /** Throws StoreError. */
  readonly read: () => Promise<ReadyCards>
  readonly staleLimitMs: number
  readonly now: MonotonicClock
}

/** A listing that clients are waiting for does not wait longer for a store that hangs. */
const PATIENCE_MS = 250

export const createListingCards = ({ read, staleLimitMs, now }: ListingCardsNeeds): (() => Promise<ReadyCards>) => {
  let last: { readonly cards: ReadyCards; readonly readAt: MonotonicMs } | undefined

  const readNow = async (): Promise<ReadyCards> => {
    const cards = await read()
    last = { cards, readAt: now() }
    return cards
  }

  return async () => {
    const reading = readNow()
    const before = last
    if (before === undefined || elapsedMs(before.readAt, now()) > staleLimitMs) return reading
    const instead = new AbortController()
    const readBefore = wait(PATIENCE_MS, before.cards, { signal: instead.signal, ref: false })
    return Promise.race([reading.catch(() => before.cards), readBefore.catch(() => before.cards)]).finally(() =>
      instead.abort(),
    )
  }
}
