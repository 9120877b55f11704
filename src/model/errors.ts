/**
 * A failure that is reported to someone. The message is for people: it names fields and ids and never contains the text of a
 * message. `code` is stable: match on it, and use `instanceof` only for what a class has beside it, such as the `details` of an
 * UpstreamError, or to tell apart classes that share a code.
 */
export class ServiceError extends Error {
  readonly code: ErrorCode

  constructor(code: ErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = new.target.name
    this.code = code
  }
}

/** The last part of a problem's `type` on the wire. `http/errors.ts` has a row for each; a code without one does not compile. */
export type ErrorCode =
  | 'invalid-request'
  | 'unauthenticated'
  | 'forbidden'
  | 'not-found'
  | 'conflict'
  | 'too-busy'
  | 'not-ready'
  | 'store-failed'
  | 'upstream-failed'
  | 'upstream-timed-out'
  | 'unbillable-listing'
  | 'unusable-file'
  | 'invalid-config'
  | TransferErrorCode

/** How the transfer of a request or a response failed. */
export type TransferErrorCode =
  | 'payload-too-large'
  | 'unsupported-media-type'
  | 'request-timed-out'
  | 'shutting-down'
  | 'reader-left'

/** A listing that is well-formed but cannot be billed. */
export class UnbillableListing extends ServiceError {
  constructor(message: string) {
    super('unbillable-listing', message)
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
    const code = details.failure === 'timeout' ? 'upstream-timed-out' : 'upstream-failed'
    super(code, `${details.call} failed after ${times}: ${details.reason}`, options)
    this.details = details
  }
}

/** The store failed. Nothing in the request has been acknowledged. */
export class StoreError extends ServiceError {
  constructor(message: string, options?: ErrorOptions) {
    super('store-failed', message, options)
  }
}

/** Too much is in progress or waiting. The same request can be sent again. */
export class StoreBusy extends ServiceError {
  constructor(message: string) {
    super('too-busy', message)
  }
}

/** A request that is not valid: names the field, and what it must be as a phrase that completes "must be". */
export class InvalidRequest extends ServiceError {
  readonly field: string
  readonly expected: string

  constructor(field: string, expected: string) {
    super('invalid-request', `${field} must be ${expected}`)
    this.field = field
    this.expected = expected
  }
}

/** A request that is not valid in several places, of which the message names the first. */
export class InvalidFields extends ServiceError {
  readonly faults: readonly FieldFault[]

  constructor(faults: readonly FieldFault[]) {
    const [first] = faults
    super('invalid-request', `${first?.field} must be ${first?.expected}`)
    this.faults = faults
  }
}

/** As in InvalidRequest. */
export type FieldFault = { readonly field: string; readonly expected: string }

/** Nothing has that name, or nothing that the caller may know about. */
export class NotFound extends ServiceError {
  constructor(message: string) {
    super('not-found', message)
  }
}

/** The caller is known but lacks the permission. */
export class Forbidden extends ServiceError {
  constructor(message: string) {
    super('forbidden', message)
  }
}

/** What is there already contradicts the request. */
export class Conflict extends ServiceError {
  constructor(message: string) {
    super('conflict', message)
  }
}
