/** Responses that many routes share. */
import Type, { type TSchema, type TUnsafe } from 'typebox'
import { ref } from './common.ts'
import {
  INTERNAL_ERROR,
  PROBLEM_JSON,
  type Problem,
  type ProblemKind,
  ProblemSchema,
  STORE_FAILED,
  toProblem,
} from './problem.ts'

export type DocumentedProblem = {
  readonly description: string
  readonly kind: ProblemKind
  readonly detail: string
  readonly more?: Pick<Problem, 'upstream' | 'errors'>
}

const PROBLEMS = {
  400: {
    description: 'The request is invalid. `errors` names the invalid field, unless the request as a whole is invalid.',
    kind: 'invalid-request',
    detail: 'The query parameter "color" must be absent: /usage does not accept it.',
    more: { errors: [{ field: 'query parameter "color"', expected: 'absent: /usage does not accept it' }] },
  },
  401: {
    description: 'The API key is missing, invalid or revoked.',
    kind: 'unauthenticated',
    detail: 'Send an API key as `Authorization: Bearer cck_…`.',
  },
  403: {
    description:
      'The API key lacks the required scope, or the request does not come from an allowed page or host name.',
    kind: 'forbidden',
    detail: 'The API key lacks the scope messages:write.',
  },
  404: {
    description: 'The resource does not exist, or the key has no access to it.',
    kind: 'not-found',
    detail: 'There is no organization "acme".',
  },
  409: {
    description: 'The request conflicts with an existing resource.',
    kind: 'conflict',
    detail: 'The organization "acme" already exists.',
  },
  413: {
    description:
      'The body, decompressed, is too large. The limit is `INTAKE_MAX_BYTES` (16 MiB by default) for messages and events, ' +
      'otherwise 1 MiB.',
    kind: 'payload-too-large',
    detail: 'The request body must be at most 16777216 bytes.',
  },
  415: {
    description:
      'The media type or encoding of the body is not supported. The `Accept` or `Accept-Encoding` header of the response ' +
      'lists the supported ones.',
    kind: 'unsupported-media-type',
    detail: 'The Content-Type header must be application/json, not text/plain.',
  },
  500: {
    description: 'An unexpected error. The service log has the details.',
    kind: 'internal-error',
    detail: INTERNAL_ERROR,
  },
  502: {
    description:
      'The Copilot service could not be reached, returned an error, or returned data that cannot be billed, and no good ' +
      'response is recent enough to use instead.',
    kind: 'upstream-failed',
    detail: 'GET /reports/5392 failed after 3 attempts: the response status was 503.',
    more: {
      upstream: {
        call: 'GET /reports/5392',
        failure: 'status',
        reason: 'the response status was 503',
        attempts: 3,
        status: 503,
      },
    },
  },
  503: {
    description:
      'The database is unavailable, the service is too busy, or it is shutting down. Nothing has been acknowledged. Send the ' +
      'same request again after `Retry-After` seconds.',
    kind: 'store-failed',
    detail: STORE_FAILED,
  },
  504: {
    description: 'The Copilot service timed out, and no good response is recent enough to use instead.',
    kind: 'upstream-timed-out',
    detail: 'GET /messages/current-period failed after 3 attempts: no complete response arrived in time.',
    more: {
      upstream: {
        call: 'GET /messages/current-period',
        failure: 'timeout',
        reason: 'no complete response arrived in time',
        attempts: 3,
      },
    },
  },
} as const satisfies Record<number, DocumentedProblem>

type ProblemResponse = {
  readonly description: string
  readonly content: {
    readonly [PROBLEM_JSON]: { readonly schema: TUnsafe<Problem>; readonly example: Problem }
  }
}

/** An error response with an example. */
export const problemResponse = ({ description, kind, detail, more }: DocumentedProblem): ProblemResponse => {
  const example = toProblem(kind, detail, '4f8a3c1e-9d0b-4d5e-8a77-0d8f6f1f2c11', more)
  return { description, content: { [PROBLEM_JSON]: { schema: ref(ProblemSchema), example } } }
}

/** The error responses of a route, by status. */
export const problemResponses = <Status extends keyof typeof PROBLEMS>(
  ...statuses: readonly Status[]
): Readonly<Record<Status, ProblemResponse>> =>
  Object.fromEntries(statuses.map((status) => [status, problemResponse(PROBLEMS[status])])) as Record<
    Status,
    ProblemResponse
  >

/** The header of a request to a route with `taggedResponses`. */
export const ifNoneMatch = Type.Object({
  'if-none-match': Type.Optional(
    Type.String({
      description: 'The `ETag` of an earlier response. If it is still current, the response is 304 without a body.',
      examples: ['"p2Q0eJ1Y3Q7v0o7Zt0b9a1b2c3d"'],
    }),
  ),
})

const tagged = {
  ETag: {
    type: 'string',
    description: 'Changes whenever the response can change. Depends on the URL too.',
    examples: ['W/"1f0c2d7b9a4e4c6f8d3b5a7e9c1d0f2b"'],
  },
} as const

/** The responses of a route that supports `If-None-Match`. */
export const taggedResponses = <S extends TSchema>(description: string, schema: S) => ({
  200: { description, headers: tagged, content: { 'application/json': { schema } } },
  304: Type.Unsafe<undefined>({ description: 'The response has not changed.', headers: tagged, type: 'null' }),
})
