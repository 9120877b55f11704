/** Answers that many routes share. */
import Type, { type TRef } from 'typebox'
import { type ProblemKind, toProblem } from '../errors.ts'
import { PROBLEM_JSON, type Problem } from './problem.ts'

type Documented = {
  readonly description: string
  readonly kind: ProblemKind
  readonly detail: string
  readonly more?: Pick<Problem, 'upstream' | 'errors'>
}

const PROBLEMS = {
  400: {
    description: 'The request is not valid: `errors` names each thing that was wrong.',
    kind: 'invalid-request',
    detail: 'query parameter "color" must be absent: /usage does not know it',
    more: { errors: [{ field: 'query parameter "color"', expected: 'absent: /usage does not know it' }] },
  },
  401: {
    description: 'No key was sent, or it is unknown or was revoked.',
    kind: 'unauthenticated',
    detail: 'send an API key: Authorization: Bearer cck_…',
  },
  403: {
    description: 'The key does not allow this.',
    kind: 'forbidden',
    detail: 'This key needs the scope messages:write.',
  },
  404: {
    description: 'It does not exist, or the key may not know of it.',
    kind: 'not-found',
    detail: 'there is no organization "acme"',
  },
  409: {
    description: 'It conflicts with something that exists.',
    kind: 'conflict',
    detail: 'there is an organization acme already',
  },
  413: {
    description:
      'The body, unpacked, is larger than is taken: `INTAKE_MAX_BYTES` for messages and events, 1 MiB for everything else.',
    kind: 'payload-too-large',
    detail: 'The body is larger than 16777216 bytes.',
  },
  415: {
    description:
      'The body is of a type or a coding that is not taken here: `Accept` or `Accept-Encoding` say which are.',
    kind: 'unsupported-media-type',
    detail: 'Content-Type must be application/json; it is text/plain',
  },
  500: {
    description: 'Something went wrong in the service; its logs say more.',
    kind: 'internal-error',
    detail: 'The logs of the service say more.',
  },
  502: {
    description:
      'The Copilot service could not be reached, answered with an error, or with something that cannot be billed; and no good answer is recent enough.',
    kind: 'upstream-failed',
    detail: 'GET /reports/5392 failed after 3 attempts: the response status was 503',
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
      'The database cannot be read or written, too much is waiting, or the service is shutting down: nothing has been acknowledged, and the ' +
      'same request may be sent again after `Retry-After` seconds.',
    kind: 'store-failed',
    detail:
      'Nothing of this request has been acknowledged: repeat it. If it keeps failing, the log of the service says why.',
  },
  504: {
    description: 'The Copilot service did not answer in time, and no good answer is recent enough.',
    kind: 'upstream-timed-out',
    detail: 'GET /messages/current-period failed after 3 attempts: no complete response arrived in time',
    more: {
      upstream: {
        call: 'GET /messages/current-period',
        failure: 'timeout',
        reason: 'no complete response arrived in time',
        attempts: 3,
      },
    },
  },
} as const satisfies Record<number, Documented>

type ProblemResponse = {
  readonly description: string
  readonly content: {
    readonly [PROBLEM_JSON]: { readonly schema: TRef<'Problem#'>; readonly example: Problem }
  }
}

/** The responses of a route, by status, each with an example of its own. */
export const problemResponses = (
  ...statuses: readonly (keyof typeof PROBLEMS)[]
): Readonly<Record<string, ProblemResponse>> =>
  Object.fromEntries(
    statuses.map((status) => {
      const { description, kind, detail, more }: Documented = PROBLEMS[status]
      const example = toProblem(kind, detail, '4f8a3c1e-9d0b-4d5e-8a77-0d8f6f1f2c11', more)
      return [String(status), { description, content: { [PROBLEM_JSON]: { schema: Type.Ref('Problem#'), example } } }]
    }),
  )
