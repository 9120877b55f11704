/**
 * The rate cards that price the upstream's listing. While the store does not answer, those that were read last are used, as long as
 * an old listing would be served; a card is never guessed.
 */
import { setTimeout as wait } from 'node:timers/promises'
import type { ReadyCards } from '#intake/compiled-cards.ts'
import { elapsedMs, type MonotonicClock, type MonotonicMs } from '#model/clock.ts'

export type ListingCards = {
  readonly cards: ReadyCards
  /** Present if the store did not answer: when they were read. */
  readonly staleSince?: MonotonicMs
}

export type ListingCardsNeeds = {
  /** Throws StoreError. */
  readonly read: () => Promise<ReadyCards>
  readonly staleLimitMs: number
  readonly now: MonotonicClock
}

/** A listing that clients are waiting for does not wait longer for a store that hangs. */
const PATIENCE_MS = 250

export const createListingCards = ({ read, staleLimitMs, now }: ListingCardsNeeds): (() => Promise<ListingCards>) => {
  let last: { readonly cards: ReadyCards; readonly readAt: MonotonicMs } | undefined

  const readNow = async (): Promise<ListingCards> => {
    const cards = await read()
    last = { cards, readAt: now() }
    return { cards }
  }

  return async () => {
    const reading = readNow()
    if (last === undefined || elapsedMs(last.readAt, now()) > staleLimitMs) return reading
    const before: ListingCards = { cards: last.cards, staleSince: last.readAt }
    const instead = new AbortController()
    const readBefore = wait(PATIENCE_MS, before, { signal: instead.signal, ref: false })
    return Promise.race([reading.catch(() => before), readBefore.catch(() => before)]).finally(() => instead.abort())
  }
}
