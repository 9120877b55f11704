/** When to ask again. */

const BASE_MS = 100
const MAX_MS = 2_000

/**
 * Exponential back-off with full jitter: anything from 0 to 100 ms after the first attempt, to 200 ms after the second,
 * never more than 2 s. Full jitter spreads callers best: https://aws.amazon.com/builders-library/timeouts-retries-and-backoff-with-jitter/
 */
export const retryDelayMs = (attempts: number, random: number): number =>
  random * Math.min(MAX_MS, BASE_MS * 2 ** (attempts - 1))

/** The longest wait that is believed. A service that asks for more has most likely computed it wrongly. */
const RETRY_AFTER_MAX_MS = 3_600_000

/**
 * The wait that a `Retry-After` header asks for, in milliseconds, at most an hour: whole seconds or an HTTP date
 * (RFC 9110, 10.2.3). Undefined if there is none, it cannot be read, or it asks for no wait.
 */
export const retryAfterMs = (header: string | undefined, nowMs: number): number | undefined => {
  const value = header?.trim() ?? ''
  const ms = /^\d+$/.test(value) ? Number(value) * 1000 : httpDate(value) - nowMs
  return ms > 0 ? Math.min(ms, RETRY_AFTER_MAX_MS) : undefined
}

/** The three forms of an HTTP date (RFC 9110, 5.6.7), all in GMT. NaN for anything else, which `Date.parse` would guess at. */
const httpDate = (value: string): number => {
  if (/^[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} [\d:]{8} GMT$/.test(value)) return Date.parse(value)
  if (/^[A-Z][a-z]+day, \d\d-[A-Z][a-z]{2}-\d\d [\d:]{8} GMT$/.test(value)) return Date.parse(value)
  return /^[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d [\d:]{8} \d{4}$/.test(value) ? Date.parse(`${value} GMT`) : Number.NaN
}
