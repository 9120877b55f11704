import type { Problem } from './types.ts'

/** The service returned an error. `problem` (RFC 9457) says why; match on `problem.type`. */
export class ApiError extends Error {
  override readonly name = 'ApiError'
  /** The HTTP status. */
  readonly status: number
  readonly problem: Problem
  /** Milliseconds to wait before trying again, if the service sent `Retry-After`. */
  readonly retryAfterMs: number | undefined

  constructor(problem: Problem, retryAfterMs?: number) {
    super(problem.detail)
    this.status = problem.status
    this.problem = problem
    this.retryAfterMs = retryAfterMs
  }
}

/**
 * The service could not be reached or timed out (`cause` has the details), or the response did not come from the service.
 */
export class ConnectionError extends Error {
  override readonly name = 'ConnectionError'
  /** Milliseconds to wait before trying again, if something on the way, such as a proxy, sent `Retry-After`. */
  readonly retryAfterMs: number | undefined

  constructor(
    message: string,
    { retryAfterMs, ...options }: ErrorOptions & { readonly retryAfterMs?: number | undefined } = {},
  ) {
    super(message, options)
    this.retryAfterMs = retryAfterMs
  }
}
