/** How long to wait before a retry. */

const BASE_MS = 100
const MAX_MS = 2_000

/**
 * Exponential backoff with full jitter: 0 to 100 ms after the first attempt, 0 to 200 ms after the second, never more than 2 s.
 * Full jitter spreads callers best: https://aws.amazon.com/builders-library/timeouts-retries-and-backoff-with-jitter/
 */
export const retryDelayMs = (attempts: number, random: number): number =>
  random * Math.min(MAX_MS, BASE_MS * 2 ** (attempts - 1))

/** Longer waits are shortened to this: a service that asks for more has most likely miscalculated. */
const RETRY_AFTER_MAX_MS = 3_600_000

/**
 * Parses a `Retry-After` header (RFC 9110, 10.2.3), in seconds or as an HTTP date, to milliseconds, at most an hour. Undefined
 * if there is no header, it is invalid, or it asks for no wait.
 */
export const retryAfterMs = (header: string | undefined, nowMs: number): number | undefined => {
  const value = header?.trim() ?? ''
  const ms = /^\d+$/.test(value) ? Number(value) * 1000 : httpDate(value) - nowMs
  return ms > 0 ? Math.min(ms, RETRY_AFTER_MAX_MS) : undefined
}

/** Parses the three forms of an HTTP date (RFC 9110, 5.6.7). NaN for anything else, where `Date.parse` would guess. */
const httpDate = (value: string): number => {
  if (/^[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} [\d:]{8} GMT$/.test(value)) return Date.parse(value)
  if (/^[A-Z][a-z]+day, \d\d-[A-Z][a-z]{2}-\d\d [\d:]{8} GMT$/.test(value)) return Date.parse(value)
  return /^[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d [\d:]{8} \d{4}$/.test(value) ? Date.parse(`${value} GMT`) : Number.NaN
}
