/**
 * A failure that someone is told about. `code` is stable and may be matched on; the message is for people, names fields
 * and ids and never holds a message's text.
 */
export class ServiceError extends Error {
  readonly code: string

  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = new.target.name
    this.code = code
  }
}

/** A listing that is well formed and still cannot be billed. */
export class UnbillableListing extends ServiceError {
  constructor(message: string) {
    super('unbillable_listing', message)
  }
}

/** How a call to the upstream failed. */
export type UpstreamFailure =
  /** No connection, or it broke before the answer was complete. */
  | 'connection'
  /** No complete answer in the time that was left. */
  | 'timeout'
  /** A status that is neither a success nor a known absence. */
  | 'status'
  /** An answer that is not what was agreed: not JSON, wrong types, contradictory, too large. */
  | 'bad-answer'

export type UpstreamErrorDetails = {
  /** Method and path of the call that failed, such as `GET /reports/5392`. */
  readonly call: string
  readonly failure: UpstreamFailure
  /** How it failed, in words. */
  readonly reason: string
  readonly attempts: number
  /** The status that was answered, where one was. */
  readonly status?: number
  /** What the upstream asked us to wait, where it did. */
  readonly retryAfterMs?: number
}

/** The upstream could not be asked, or what it said cannot be billed. */
export class UpstreamError extends ServiceError {
  readonly details: UpstreamErrorDetails

  constructor(details: UpstreamErrorDetails, options?: ErrorOptions) {
    const times = details.attempts === 1 ? '1 attempt' : `${details.attempts} attempts`
    super('upstream_failed', `${details.call} failed after ${times}: ${details.reason}`, options)
    this.details = details
  }
}

/** The store could not do it; nothing that was asked for has been acknowledged. */
export class StoreError extends ServiceError {
  constructor(message: string, options?: ErrorOptions) {
    super('store_failed', message, options)
  }
}

/** More is waiting to be written than may wait. */
export class StoreBusy extends ServiceError {
  constructor(message: string) {
    super('store_busy', message)
  }
}

/** What was asked for is not valid: names the field and what was expected of it. */
export class InvalidRequest extends ServiceError {
  readonly field: string
  readonly expected: string

  constructor(field: string, expected: string) {
    super('invalid_request', `${field} must be ${expected}`)
    this.field = field
    this.expected = expected
  }
}

/** There is nothing of that name, or nothing that the caller may know of. */
export class NotFound extends ServiceError {
  constructor(message: string) {
    super('not_found', message)
  }
}

/** The caller is known and may not do this. */
export class Forbidden extends ServiceError {
  constructor(message: string) {
    super('forbidden', message)
  }
}
