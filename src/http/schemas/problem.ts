/** Every kind of problem, and the body that says which one it is: application/problem+json (RFC 9457). */
import Type, { type Static } from 'typebox'
import type { ErrorCode } from '#model/errors.ts'

export const PROBLEM_JSON = 'application/problem+json'

/** The codes of errors, and what `errors.ts` and `server.ts` answer without one. */
export type ProblemKind =
  | ErrorCode
  | 'internal-error'
  | 'method-not-allowed'
  | 'expectation-failed'
  | 'headers-too-large'

type Kind = {
  readonly status: number
  /** Names the problem. The detail, in full sentences, says what was wrong with this request and what to do about it. */
  readonly title: string
  readonly headers?: Readonly<Record<string, string>>
  /** Sent in place of the error's message, which is for the log. */
  readonly detail?: string
}

const RETRY_SOON = { 'retry-after': '1' }

export const INTERNAL_ERROR = 'An unexpected error occurred. The service log has the details under this request_id.'
export const STORE_FAILED =
  'Nothing in this request has been acknowledged. Send it again; if it keeps failing, the service log says why.'

const INTERNAL: Kind = { status: 500, title: 'Internal error', detail: INTERNAL_ERROR }

/** The key is the last part of the problem's `type`, and the `code` of the error. */
export const KINDS: Readonly<Record<ProblemKind, Kind>> = {
  'invalid-request': { status: 400, title: 'Invalid request' },
  unauthenticated: { status: 401, title: 'Authentication required', headers: { 'www-authenticate': 'Bearer' } },
  forbidden: { status: 403, title: 'Permission denied' },
  'not-found': { status: 404, title: 'Not found' },
  'method-not-allowed': { status: 405, title: 'Method not allowed' },
  'request-timed-out': { status: 408, title: 'Request timed out' },
  conflict: { status: 409, title: 'Conflict with an existing resource' },
  'payload-too-large': { status: 413, title: 'Request body too large' },
  'unsupported-media-type': { status: 415, title: 'Unsupported media type' },
  'expectation-failed': { status: 417, title: 'Expectation failed' },
  'headers-too-large': { status: 431, title: 'Request headers too large' },
  // The client is gone, so the status is only for the log. 499 is what nginx uses for this.
  'reader-left': { status: 499, title: 'The client left' },
  'internal-error': INTERNAL,
  // Only the command line meets these, unless the installation is broken.
  'invalid-config': INTERNAL,
  'unusable-file': INTERNAL,
  'unbillable-listing': INTERNAL,
  'upstream-failed': { status: 502, title: 'The Copilot service failed' },
  'not-ready': { status: 503, title: 'Not ready to serve usage' },
  'shutting-down': { status: 503, title: 'Shutting down', headers: RETRY_SOON },
  'too-busy': { status: 503, title: 'Too busy', headers: RETRY_SOON },
  'store-failed': {
    status: 503,
    title: 'Database unavailable',
    headers: RETRY_SOON,
    detail: STORE_FAILED,
  },
  'upstream-timed-out': { status: 504, title: 'The Copilot service timed out' },
}

export const ProblemSchema = Type.Object(
  {
    type: Type.String({
      format: 'uri',
      description: 'Identifies the kind of problem. Stable, so clients can match on it.',
      examples: ['urn:copilot-credits:problem:upstream-failed'],
    }),
    title: Type.String({
      description: 'Name of the problem, the same for every problem of this type.',
      examples: ['The Copilot service failed'],
    }),
    status: Type.Integer({ description: 'The HTTP status code.', examples: [502] }),
    detail: Type.String({
      description: 'What went wrong with this request, in sentences for people. The wording may change.',
      examples: ['GET /reports/5392 failed after 3 attempts: the response status was 503.'],
    }),
    request_id: Type.String({
      description: 'Identifies this request in the service log. Also sent in the `X-Request-Id` header.',
      examples: ['4f8a3c1e-9d0b-4d5e-8a77-0d8f6f1f2c11'],
    }),
    upstream: Type.Optional(
      Type.Object(
        {
          call: Type.String({ description: 'The call that failed.', examples: ['GET /reports/5392'] }),
          failure: Type.Union(
            [Type.Literal('connection'), Type.Literal('timeout'), Type.Literal('status'), Type.Literal('bad-answer')],
            {
              description:
                '`connection`: no connection, or it broke. `timeout`: no complete response in time. `status`: an error status. ' +
                '`bad-answer`: a response that cannot be billed.',
              examples: ['status'],
            },
          ),
          reason: Type.String({
            description: 'Explanation of the failure. May name an invalid field, but never quotes its value.',
            examples: ['the response status was 503'],
          }),
          attempts: Type.Integer({
            minimum: 0,
            description: 'Number of attempts; 0 if no time was left for one.',
            examples: [3],
          }),
          status: Type.Optional(
            Type.Integer({ description: 'Status of the last response, if there was one.', examples: [503] }),
          ),
        },
        { description: 'Only for 502 and 504: the call to the Copilot service that failed.' },
      ),
    ),
    errors: Type.Optional(
      Type.Array(
        Type.Object({
          field: Type.String({
            description:
              'The invalid part of the request, such as a query parameter, a header, or a place in the body.',
            examples: ['query parameter "color"'],
          }),
          expected: Type.String({
            description: 'What the field must be.',
            examples: ['absent: /usage does not accept it'],
          }),
        }),
        {
          description:
            'Only for 400: the first invalid field that was found, and there may be others. Of a rate card, all of them, up to 1,000.',
        },
      ),
    ),
  },
  { $id: 'Problem', description: 'An error, as RFC 9457 defines it.' },
)

export type Problem = Static<typeof ProblemSchema>

export const toProblem = (
  kind: ProblemKind,
  detail: string,
  requestId: string,
  more: Pick<Problem, 'upstream' | 'errors'> = {},
): Problem => {
  const { status, title } = KINDS[kind]
  return { type: `urn:copilot-credits:problem:${kind}`, status, title, detail, request_id: requestId, ...more }
}
