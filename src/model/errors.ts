/**
 * A failure that is reported to someone. `code` is stable and can be matched. The message is for people: it names fields and
 * ids and never contains the text of a message.
 */
export class ServiceError extends Error {
  readonly code: string

  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = new.target.name
    this.code = code
  }
}

/** A listing that is well-formed but cannot be billed. */
export class UnbillableListing extends ServiceError {
  constructor(message: string) {
    super('unbillable_listing', message)
  }
}

/** How a call to the upstream failed. */
export type UpstreamFailure =
  /** No connection, or it broke before the response was complete. */
  | 'connection'
  /** No complete response before the deadline. */
  | 'timeout'
  /** A status that is neither a success nor a known absence. */
  | 'status'
  /** A response that breaks the contract: not JSON, wrong types, contradictory or too large. */
  | 'bad-answer'

export type UpstreamErrorDetails = {
  /** Method and path of the call that failed, such as `GET /reports/5392`. */
  readonly call: string
  readonly failure: UpstreamFailure
  /** How it failed, in words. */
  readonly reason: string
  readonly attempts: number
  /** The status of the response, if there was one. */
  readonly status?: number
  /** How long the upstream asked us to wait, if it did. */
  readonly retryAfterMs?: number
}

/** The upstream could not be reached, or its response cannot be billed. */
export class UpstreamError extends ServiceError {
  readonly details: UpstreamErrorDetails

  constructor(details: UpstreamErrorDetails, options?: ErrorOptions) {
    const times = details.attempts === 1 ? '1 attempt' : `${details.attempts} attempts`
    super('upstream_failed', `${details.call} failed after ${times}: ${details.reason}`, options)
    this.details = details
  }
}

/** The store failed. Nothing in the request has been acknowledged. */
export class StoreError extends ServiceError {
  constructor(message: string, options?: ErrorOptions) {
    super('store_failed', message, options)
  }
}

/** Too much is in progress or waiting. The same request can be sent again. */
export class StoreBusy extends ServiceError {
  constructor(message: string) {
    super('store_busy', message)
  }
}

/** A request that is not valid: names the field and what it must be. The message is a sentence. */
export class InvalidRequest extends ServiceError {
  readonly field: string
  readonly expected: string

  constructor(field: string, expected: string) {
    super('invalid_request', requirement(field, expected))
    this.field = field
    this.expected = expected
  }
}

/** The sentence that says what a field must be, such as `The query parameter "to" must be later than "from".` */
export const requirement = (field: string, expected: string): string =>
  `The ${SAYS_WHAT_IT_IS.test(field) ? field : `field ${field}`} must be ${expected}.`

const SAYS_WHAT_IT_IS = /^(?:query parameter |path parameter |header |(?:query|body|event)$)/

/** Nothing has that name, or nothing that the caller may know about. */
export class NotFound extends ServiceError {
  constructor(message: string) {
    super('not_found', message)
  }
}

/** The caller is known but lacks the permission. */
export class Forbidden extends ServiceError {
  constructor(message: string) {
    super('forbidden', message)
  }
}
