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
  500: {
    description: 'Something went wrong in the service; its logs say more.',
    kind: 'internal-error',
    detail: 'The logs of the service say more.',
  },
  502: {
    description:
      'The Copilot service could not be reached, answered with an error, or with something that cannot be billed; and no good answer is recent enough.',
    kind: 'upstream-failed',
    detail: 'GET /reports/5392 failed after 3 attempts: it answered with status 503',
    more: {
      upstream: {
        call: 'GET /reports/5392',
        failure: 'status',
        reason: 'it answered with status 503',
        attempts: 3,
        status: 503,
      },
    },
  },
  503: {
    description: 'Not ready: the Copilot service fails and no good answer is at hand.',
    kind: 'not-ready',
    detail: 'The Copilot service fails and no good answer is at hand; GET /usage says how.',
  },
  504: {
    description: 'The Copilot service did not answer in time, and no good answer is recent enough.',
    kind: 'upstream-timed-out',
    detail: 'GET /messages/current-period failed after 3 attempts: it did not answer completely in time',
    more: {
      upstream: {
        call: 'GET /messages/current-period',
        failure: 'timeout',
        reason: 'it did not answer completely in time',
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
