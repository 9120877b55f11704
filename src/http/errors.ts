/** Failures → problem+json. What is not known is logged whole and answered without detail. */
import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { Unauthenticated, UnknownHost } from '#metering/access.ts'
import {
  Forbidden,
  InvalidRequest,
  NotFound,
  ServiceError,
  StoreBusy,
  StoreError,
  UpstreamError,
} from '#model/errors.ts'
import { typesTaken, UnsupportedCoding } from './bodies.ts'
import { expectationsOf, UNKNOWN } from './expectations.ts'
import { ReaderLeft } from './leaving.ts'
import { PROBLEM_JSON, type Problem } from './schemas/problem.ts'
import { LineTimedOut, ShuttingDown } from './stopping.ts'

export type ProblemKind = keyof typeof KINDS

/** Each kind of problem: its status and its title. The key is the end of its `type`. */
const KINDS = {
  'invalid-request': { status: 400, title: 'Invalid request' },
  unauthenticated: { status: 401, title: 'Authentication required' },
  forbidden: { status: 403, title: 'Not permitted' },
  'not-found': { status: 404, title: 'Not found' },
  'method-not-allowed': { status: 405, title: 'Method not allowed' },
  'request-timed-out': { status: 408, title: 'Request timed out' },
  conflict: { status: 409, title: 'Conflict with an existing resource' },
  'payload-too-large': { status: 413, title: 'Request body too large' },
  'unsupported-media-type': { status: 415, title: 'Unsupported content type' },
  'expectation-failed': { status: 417, title: 'Unsupported Expect header' },
  'headers-too-large': { status: 431, title: 'Request headers too large' },
  'internal-error': { status: 500, title: 'Internal error' },
  'upstream-failed': { status: 502, title: 'The Copilot service failed' },
  'not-ready': { status: 503, title: 'Not ready to serve usage' },
  'shutting-down': { status: 503, title: 'Shutting down, try again shortly' },
  'too-busy': { status: 503, title: 'Too busy, try again shortly' },
  'store-failed': { status: 503, title: 'Database unavailable' },
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
  // Nobody is there to read it: the log has the status by which nginx calls this.
  if (error instanceof ReaderLeft) return reply.code(499).send()
  if (error.validation !== undefined) return sendProblem(reply, invalidRequest(error, request))
  const status = error.statusCode ?? 500
  if (status === 415) return sendUnsupportedType(request, reply)
  if (!(error instanceof ServiceError) && status >= 400 && status < 500) {
    return sendProblem(reply, refusalOf(error, request))
  }
  const { problem, headers } = failureOf(error, request)
  return sendProblem(reply.headers(headers), problem)
}

const sendUnsupportedType = (request: FastifyRequest, reply: FastifyReply): FastifyReply => {
  const types = typesTaken(request)
  const sent = request.headers['content-type']?.slice(0, TYPE_SHOWN_MAX) ?? 'absent'
  const detail = `Content-Type must be ${types.join(', ').replace(/, (?=[^,]*$)/, ' or ')}; it is ${sent}`
  reply.header('accept', types.join(', '))
  return sendProblem(reply, toProblem('unsupported-media-type', detail, request.id))
}

const TYPE_SHOWN_MAX = 100

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
  if (error instanceof Forbidden || error instanceof UnknownHost) return failure('forbidden', error.message)
  if (error instanceof Unauthenticated) {
    return failure('unauthenticated', error.message, {}, { 'www-authenticate': 'Bearer' })
  }
  if (error instanceof UnsupportedCoding) {
    return failure('unsupported-media-type', error.message, {}, { 'accept-encoding': 'gzip' })
  }
  if (error instanceof LineTimedOut) return failure('request-timed-out', error.message)
  if (error instanceof ShuttingDown) return failure('shutting-down', error.message, {}, RETRY_SOON)
  if (error instanceof StoreBusy) return failure('too-busy', error.message, {}, RETRY_SOON)
  if (error instanceof StoreError) {
    request.log.error({ err: error }, 'the database failed')
    return failure(
      'store-failed',
      'Nothing of this request has been acknowledged: repeat it. If it keeps failing, the log of the service says why.',
      {},
      RETRY_SOON,
    )
  }
  request.log.error({ err: error }, 'failed unexpectedly')
  return failure('internal-error', 'The logs of the service say more.')
}

const RETRY_SOON = { 'retry-after': '1' }

const invalidRequest = ({ validation = [], validationContext }: FastifyError, request: FastifyRequest): Problem => {
  const path = request.routeOptions.url ?? request.url
  const errors = expectationsOf(validation).map(({ at, expected }) => ({
    field: fieldName(validationContext, at),
    expected: expected === UNKNOWN ? `absent: ${path} does not know it` : expected,
  }))
  const detail = errors.map(({ field, expected }) => `${field} must be ${expected}`).join('; ')
  return toProblem('invalid-request', detail, request.id, { errors })
}

const fieldName = (context: FastifyError['validationContext'], at: string): string => {
  if (context === 'querystring') return at === '' ? 'query' : `query parameter ${JSON.stringify(at.slice(1))}`
  if (context === 'params') return `path ${at.slice(1)}`
  return context === 'headers' ? `header ${at.slice(1)}` : `body${at}`
}

/** What is wrong with a request as Fastify read it, in our words: its own could quote what was sent. */
const refusalOf = ({ code, statusCode = 400 }: FastifyError, request: FastifyRequest): Problem => {
  const known = REFUSALS[code]
  if (known !== undefined) return toProblem(known.kind, known.detail, request.id)
  const kind = KIND_OF_STATUS[statusCode] ?? 'invalid-request'
  if (kind === 'payload-too-large') {
    return toProblem(kind, `The body is larger than ${request.routeOptions.bodyLimit} bytes.`, request.id)
  }
  return { ...toProblem(kind, `The request was refused (${code ?? statusCode}).`, request.id), status: statusCode }
}

const REFUSALS: Readonly<Record<string, { readonly kind: ProblemKind; readonly detail: string }>> = {
  FST_ERR_BAD_URL: { kind: 'invalid-request', detail: 'The path has a percent-encoding that is not valid UTF-8.' },
  FST_ERR_MAX_PARAM_LENGTH: { kind: 'invalid-request', detail: 'The path holds an id that is longer than any id.' },
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: {
    kind: 'invalid-request',
    detail: 'The body is not as long as the header Content-Length says.',
  },
}

const KIND_OF_STATUS: Readonly<Record<number, ProblemKind>> = {
  401: 'unauthenticated',
  403: 'forbidden',
  404: 'not-found',
  405: 'method-not-allowed',
  408: 'request-timed-out',
  413: 'payload-too-large',
}

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
