/** Failures → problem+json. What is not known is logged whole and answered without detail. */
import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { Unauthenticated } from '#metering/access.ts'
import { InvalidRequest, NotFound, ServiceError, StoreBusy, StoreError, UpstreamError } from '#model/errors.ts'
import { Forbidden } from './caller.ts'
import { PROBLEM_JSON, type Problem } from './schemas/problem.ts'

export type ProblemKind = keyof typeof KINDS

/** Each kind of problem: its status and its title. The key is the end of its `type`. */
const KINDS = {
  'invalid-request': { status: 400, title: 'The request is not valid' },
  unauthenticated: { status: 401, title: 'It is not known who asks' },
  forbidden: { status: 403, title: 'The key does not allow this' },
  'not-found': { status: 404, title: 'There is no such thing' },
  'method-not-allowed': { status: 405, title: 'This path does not take this method' },
  'request-timed-out': { status: 408, title: 'The request did not arrive in time' },
  conflict: { status: 409, title: 'It is in contradiction to what is there' },
  'payload-too-large': { status: 413, title: 'The body is too large' },
  'unsupported-media-type': { status: 415, title: 'The body is of a type that is not taken here' },
  'expectation-failed': { status: 417, title: 'What is expected cannot be met' },
  'headers-too-large': { status: 431, title: 'The headers are too large' },
  'internal-error': { status: 500, title: 'Something went wrong here' },
  'upstream-failed': { status: 502, title: 'The Copilot service failed' },
  'not-ready': { status: 503, title: 'Not ready to answer' },
  'too-busy': { status: 503, title: 'More is waiting than may wait' },
  'store-failed': { status: 503, title: 'The database could not do it' },
  'upstream-timed-out': { status: 504, title: 'The Copilot service did not answer in time' },
} as const satisfies Record<string, { status: number; title: string }>

export const toProblem = (
  kind: ProblemKind,
  detail: string,
  requestId: string,
  more: Pick<Problem, 'upstream' | 'errors'> = {},
): Problem => ({
  type: `urn:copilot-credits:problem:${kind}`,
  ...KINDS[kind],
  detail,
  request_id: requestId,
  ...more,
})

export const sendProblem = (reply: FastifyReply, problem: Problem): FastifyReply =>
  reply.code(problem.status).header('cache-control', 'no-store').type(PROBLEM_JSON).send(problem)

export const handleError = (error: FastifyError, request: FastifyRequest, reply: FastifyReply): FastifyReply => {
  if (error.validation !== undefined) return sendProblem(reply, invalidRequest(error, request))
  const status = error.statusCode ?? 500
  if (!(error instanceof ServiceError) && status >= 400 && status < 500) {
    const kind = KIND_OF_STATUS[status] ?? 'invalid-request'
    return sendProblem(reply, { ...toProblem(kind, error.message, request.id), status })
  }
  const { problem, headers } = failureOf(error, request)
  return sendProblem(reply.headers(headers), problem)
}

const KIND_OF_STATUS: Readonly<Record<number, ProblemKind>> = {
  413: 'payload-too-large',
  415: 'unsupported-media-type',
}

/** The problem that an error is: the same in an answer of its own and in the middle of a stream. */
export const problemFor = (error: unknown, request: FastifyRequest): Problem => failureOf(error, request).problem

type Failure = { readonly problem: Problem; readonly headers: Readonly<Record<string, string>> }

/** The one table of what our own errors are called. Anything else is our mistake: logged whole, answered without detail. */
const failureOf = (error: unknown, request: FastifyRequest): Failure => {
  const failure = (
    kind: ProblemKind,
    detail: string,
    more: Pick<Problem, 'upstream' | 'errors'> = {},
    headers = {},
  ) => ({
    problem: toProblem(kind, detail, request.id, more),
    headers,
  })
  if (error instanceof UpstreamError) {
    const { call, failure: how, reason, attempts, status, retryAfterMs } = error.details
    const kind = how === 'timeout' ? 'upstream-timed-out' : 'upstream-failed'
    const upstream = { call, failure: how, reason, attempts, ...(status === undefined ? {} : { status }) }
    const headers = retryAfterMs === undefined ? {} : { 'retry-after': String(Math.ceil(retryAfterMs / 1000)) }
    return failure(kind, error.message, { upstream }, headers)
  }
  if (error instanceof InvalidRequest) {
    return failure('invalid-request', error.message, { errors: [{ field: error.field, expected: error.expected }] })
  }
  if (error instanceof NotFound) return failure('not-found', error.message)
  if (error instanceof Forbidden) return failure('forbidden', error.message)
  if (error instanceof Unauthenticated) {
    return failure('unauthenticated', error.message, {}, { 'www-authenticate': 'Bearer' })
  }
  if (error instanceof StoreBusy) return failure('too-busy', error.message, {}, RETRY_SOON)
  if (error instanceof StoreError) {
    request.log.error({ err: error }, 'the database failed')
    return failure('store-failed', 'Nothing of this request has been acknowledged: repeat it.', {}, RETRY_SOON)
  }
  request.log.error({ err: error }, 'failed unexpectedly')
  return failure('internal-error', 'The logs of the service say more.')
}

const RETRY_SOON = { 'retry-after': '1' }

const invalidRequest = ({ validation = [], validationContext }: FastifyError, request: FastifyRequest): Problem => {
  const path = request.routeOptions.url ?? request.url
  const errors = validation.map(({ keyword, instancePath, params, message }) => {
    const unknown = params['additionalProperty']
    if (keyword === 'additionalProperties' && typeof unknown === 'string') {
      return {
        field: `${placeName(validationContext)} ${JSON.stringify(unknown)}`,
        expected: `absent: ${path} does not know it`,
      }
    }
    return { field: `${placeName(validationContext)} ${instancePath}`, expected: message ?? 'another value' }
  })
  const detail = errors.map(({ field, expected }) => `${field} must be ${expected}`).join('; ')
  return toProblem('invalid-request', detail, request.id, { errors })
}

const placeName = (context: FastifyError['validationContext']): string =>
  context === 'querystring' ? 'query parameter' : (context ?? 'body')

/** Paths that are there answer 405 to a method they do not take, all others 404. */
export const answerUnknownRoutes = (app: FastifyInstance): void => {
  const methodsOf = new Map<string, Set<string>>()
  app.addHook('onRoute', ({ url, method }) => {
    const methods = methodsOf.get(url) ?? new Set<string>()
    for (const each of [method].flat()) methods.add(each)
    methodsOf.set(url, methods)
  })
  const answer = (request: FastifyRequest, reply: FastifyReply): FastifyReply => {
    const path = request.url.split('?', 1)[0] ?? ''
    const methods = methodsOf.get(path)
    if (methods === undefined) {
      const detail = `${request.method} ${path}: see /docs for what there is`
      return sendProblem(reply, toProblem('not-found', detail, request.id))
    }
    const allowed = [...methods].sort().join(', ')
    reply.header('allow', allowed)
    return sendProblem(reply, toProblem('method-not-allowed', `${path} takes ${allowed}`, request.id))
  }
  // Before a body is read: whatever it holds, the answer is the same.
  app.addHook('onRequest', (request, reply, next) => {
    if (request.is404) answer(request, reply)
    else next()
  })
  app.setNotFoundHandler(answer)
}
