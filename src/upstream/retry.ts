/** When to ask again. */

const BASE_MS = 100
const MAX_MS = 2_000

/**
 * Exponential back-off with full jitter: anything from 0 to 100 ms after the first attempt, to 200 ms after the second,
 * never more than 2 s. Full jitter spreads callers best: https://aws.amazon.com/builders-library/timeouts-retries-and-backoff-with-jitter/
 */
export const retryDelayMs = (attempts: number, random: number): number =>
  random * Math.min(MAX_MS, BASE_MS * 2 ** (attempts - 1))

/**
 * The wait that a `Retry-After` header asks for, in milliseconds: whole seconds or an HTTP date (RFC 9110, 10.2.3).
 * Undefined where there is none or it cannot be read.
 */
export const retryAfterMs = (header: string | undefined, nowMs: number): number | undefined => {
  if (header === undefined) return undefined
  if (/^\d{1,9}$/.test(header.trim())) return Number(header) * 1000
  const date = Date.parse(header)
  return Number.isNaN(date) || !/^[A-Z][a-z]{2}/.test(header) ? undefined : Math.max(0, date - nowMs)
}
