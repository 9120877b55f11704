import type { Problem } from './types.ts'

/** The service said no: `problem` says why, as RFC 9457 has it, and `problem.type` may be matched on. */
export class ApiError extends Error {
  override readonly name = 'ApiError'
  /** The HTTP status. */
  readonly status: number
  readonly problem: Problem
  /** Milliseconds after which the service wants to be asked again, where it said so. */
  readonly retryAfterMs: number | undefined

  constructor(problem: Problem, retryAfterMs?: number) {
    super(problem.detail)
    this.status = problem.status
    this.problem = problem
    this.retryAfterMs = retryAfterMs
  }
}

/** The service could not be reached or did not answer in time (`cause` says how), or what answered was not the service. */
export class ConnectionError extends Error {
  override readonly name = 'ConnectionError'
}
