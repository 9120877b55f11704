/** Caches values that are good for a limited time. */
import { laterBy, type MonotonicClock, type MonotonicMs } from './clock.ts'

export type TimedCacheSettings = {
  /** How long a value is good for, unless `set` says otherwise. */
  readonly lifetimeMs: number
  /** The cache holds at least so many of the entries set last, and at most twice as many. */
  readonly entriesMin: number
  readonly now: MonotonicClock
}

/**
 * An evicted value costs a look-up and changes no answer, so half of the cache is dropped at a time: deleting the oldest entry
 * of a single map gets slower the more entries have been deleted. Cache a promise to share one look-up among all callers.
 */
export const createTimedCache = <K, V>({ lifetimeMs, entriesMin, now }: TimedCacheSettings) => {
  let young = new Map<K, Entry<V>>()
  let old = new Map<K, Entry<V>>()
  const entryOf = (key: K): Entry<V> | undefined => young.get(key) ?? old.get(key)
  return {
    get: (key: K): V | undefined => {
      const entry = entryOf(key)
      return entry !== undefined && now() < entry.until ? entry.value : undefined
    },
    /** Even if its time is over. */
    getStale: (key: K): V | undefined => entryOf(key)?.value,
    set: (key: K, value: V, forMs = lifetimeMs): V => {
      if (young.size >= entriesMin) {
        old = young
        young = new Map()
      }
      young.set(key, { value, until: laterBy(now(), forMs) })
      return value
    },
    delete: (key: K): void => {
      young.delete(key)
      old.delete(key)
    },
    clear: (): void => {
      young.clear()
      old.clear()
    },
  }
}

type Entry<V> = { readonly value: V; readonly until: MonotonicMs }
