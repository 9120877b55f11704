import { ApiError, ConnectionError } from 'copilot-credits-client'
import { useEffect, useEffectEvent, useRef } from 'react'

/** Whether the same request may succeed later. */
export const isPassing = (error: unknown): boolean =>
  error instanceof ConnectionError || (error instanceof ApiError && (error.status === 429 || error.status >= 500))

const FIRST_WAIT_MS = 2000
const LONGEST_WAIT_MS = 60_000

/** Tries again by itself, less and less often. `failedAt`: when the last attempt failed; undefined if it did not. */
export const useRecovery = (failedAt: number | undefined, retry: () => Promise<void>): void => {
  const attempts = useRef(0)
  const tryAgain = useEffectEvent(() => {
    attempts.current++
    retry()
  })
  useEffect(() => {
    if (failedAt === undefined) {
      attempts.current = 0
      return
    }
    const timer = setTimeout(tryAgain, Math.min(FIRST_WAIT_MS * 2 ** attempts.current, LONGEST_WAIT_MS))
    return () => clearTimeout(timer)
  }, [failedAt])
}
