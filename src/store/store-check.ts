/** Checks whether the store can be written: at most once a second, however many callers, and with a short time limit. */
import { elapsedMs, type MonotonicClock, type MonotonicMs } from '#model/clock.ts'
import { StoreError } from '#model/errors.ts'

type Needs<T> = {
  /** Writes something and syncs it. Throws StoreError. */
  readonly check: () => Promise<T>
  readonly now: MonotonicClock
  readonly waitMaxMs?: number
}

const CACHED_MS = 1000
const WAIT_MAX_MS = 2000

export const createStoreCheck = <T>({ check, now, waitMaxMs = WAIT_MAX_MS }: Needs<T>): (() => Promise<T>) => {
  let current: { readonly started: MonotonicMs; readonly result: Promise<T>; isSettled: boolean } | undefined

  const start = () => {
    const attempt = { started: now(), result: check(), isSettled: false }
    const settle = (): void => {
      attempt.isSettled = true
    }
    attempt.result.then(settle, settle)
    return attempt
  }

  return () => {
    // Join a check that is still running: another one would only make the queue longer.
    const isKept = current !== undefined && (!current.isSettled || elapsedMs(current.started, now()) < CACHED_MS)
    if (current === undefined || !isKept) current = start()
    return inTime(current.result, waitMaxMs)
  }
}

const inTime = async <T>(result: Promise<T>, waitMaxMs: number): Promise<T> => {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    const error = new StoreError(
      `the database did not complete a write within ${waitMaxMs / 1000} s: it is locked or too slow`,
    )
    timer = setTimeout(() => reject(error), waitMaxMs)
  })
  try {
    return await Promise.race([result, late])
  } finally {
    clearTimeout(timer)
  }
}
