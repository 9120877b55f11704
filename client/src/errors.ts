import type { Problem } from './types.ts'

/** The service said no: `problem` says why, as RFC 9457 has it. */
export class ApiError extends Error {
  override readonly name = 'ApiError'
  readonly status: number
  readonly problem: Problem

  constructor(problem: Problem) {
    super(problem.detail)
    this.status = problem.status
    this.problem = problem
  }
}

/** The service could not be reached, or what answered was not the service. */
export class ConnectionError extends Error {
  override readonly name = 'ConnectionError'
}
