/** Turns errors into problem+json. Unknown errors are logged in full and reported to the client without details. */
import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { Unauthenticated, UnknownHost } from '#identity/access.ts'
import {
  Forbidden,
  InvalidRequest,
  NotFound,
  requirement,
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

/**
 * Status and title of each kind of problem. The key is the last part of its `type`. The title names the problem; the detail,
 * in full sentences, says what was wrong with this request and what to do about it.
 */
const KINDS = {
  'invalid-request': { status: 400, title: 'Invalid request' },
  unauthenticated: { status: 401, title: 'Authentication required' },
  forbidden: { status: 403, title: 'Permission denied' },
  'not-found': { status: 404, title: 'Not found' },
  'method-not-allowed': { status: 405, title: 'Method not allowed' },
  'request-timed-out': { status: 408, title: 'Request timed out' },
  conflict: { status: 409, title: 'Conflict with an existing resource' },
  'payload-too-large': { status: 413, title: 'Request body too large' },
  'unsupported-media-type': { status: 415, title: 'Unsupported media type' },
  'expectation-failed': { status: 417, title: 'Expectation failed' },
  'headers-too-large': { status: 431, title: 'Request headers too large' },
  'internal-error': { status: 500, title: 'Internal error' },
  'upstream-failed': { status: 502, title: 'The Copilot service failed' },
  'not-ready': { status: 503, title: 'Not ready to serve usage' },
  'shutting-down': { status: 503, title: 'Shutting down' },
  'too-busy': { status: 503, title: 'Too busy' },
  'store-failed': { status: 503, title: 'Database unavailable' },
  'upstream-timed-out': { status: 504, title: 'The Copilot service timed out' },
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
  // The client is gone, so the status is only for the log. 499 is what nginx uses for this.
  if (error instanceof ReaderLeft) return reply.code(499).send()
  if (error.validation !== undefined) return sendProblem(reply, invalidRequest(error, request))
  const status = error.statusCode ?? 500
  if (status === 415) return sendUnsupportedType(request, reply)
  if (!(error instanceof ServiceError) && status >= 400 && status < 500) {
    return sendProblem(reply, rejectionOf(error, request))
  }
  const { problem, headers } = failureOf(error, request)
  return sendProblem(reply.headers(headers), problem)
}

const sendUnsupportedType = (request: FastifyRequest, reply: FastifyReply): FastifyReply => {
  const types = typesTaken(request)
  const sent = request.headers['content-type']?.slice(0, TYPE_SHOWN_MAX)
  const expected = types.join(', ').replace(/, (?=[^,]*$)/, ' or ')
  const detail =
    sent === undefined
      ? `The Content-Type header is missing. It must be ${expected}.`
      : `The Content-Type header must be ${expected}, not ${sent}.`
  reply.header('accept', types.join(', '))
  return sendProblem(reply, toProblem('unsupported-media-type', detail, request.id))
}

const TYPE_SHOWN_MAX = 100

/** The problem for an error, the same in a response of its own and in the last line of a stream. */
export const problemFor = (error: unknown, request: FastifyRequest): Problem => failureOf(error, request).problem

type Failure = { readonly problem: Problem; readonly headers: Readonly<Record<string, string>> }

/** The one place that maps our own errors to problems. Any other error is a bug: logged in full, reported without details. */
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
    const { call, failure: upstreamFailure, reason, attempts, status, retryAfterMs } = error.details
    const kind = upstreamFailure === 'timeout' ? 'upstream-timed-out' : 'upstream-failed'
    const upstream = { call, failure: upstreamFailure, reason, attempts, ...(status === undefined ? {} : { status }) }
    const headers = retryAfterMs === undefined ? {} : { 'retry-after': String(Math.ceil(retryAfterMs / 1000)) }
    return failure(kind, `${error.message}.`, { upstream }, headers)
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
    return failure('store-failed', STORE_FAILED, {}, RETRY_SOON)
  }
  request.log.error({ err: error }, 'failed unexpectedly')
  return failure('internal-error', INTERNAL_ERROR)
}

export const INTERNAL_ERROR = 'An unexpected error occurred. The service log has the details under this request_id.'
export const STORE_FAILED =
  'Nothing in this request has been acknowledged. Send it again; if it keeps failing, the service log says why.'

const RETRY_SOON = { 'retry-after': '1' }

const invalidRequest = ({ validation = [], validationContext }: FastifyError, request: FastifyRequest): Problem => {
  const path = request.routeOptions.url ?? request.url
  const errors = expectationsOf(validation).map(({ at, expected }) => ({
    field: fieldName(validationContext, at),
    expected: expected === UNKNOWN ? `absent: ${path} does not accept it` : expected,
  }))
  const detail = errors.map(({ field, expected }) => requirement(field, expected)).join(' ')
  return toProblem('invalid-request', detail, request.id, { errors })
}

const fieldName = (context: FastifyError['validationContext'], at: string): string => {
  if (context === 'querystring') return at === '' ? 'query' : `query parameter ${JSON.stringify(at.slice(1))}`
  if (context === 'params') return `path parameter ${JSON.stringify(at.slice(1))}`
  return context === 'headers' ? `header ${at.slice(1)}` : `body${at}`
}

/** The problem for an error of Fastify's own, in our words: Fastify's could quote what the client sent. */
const rejectionOf = ({ code, statusCode = 400 }: FastifyError, request: FastifyRequest): Problem => {
  const known = REJECTIONS[code]
  if (known !== undefined) return toProblem(known.kind, known.detail, request.id)
  const kind = KIND_OF_STATUS[statusCode] ?? 'invalid-request'
  if (kind === 'payload-too-large') {
    return toProblem(kind, bodyTooLarge(request.routeOptions.bodyLimit), request.id)
  }
  return { ...toProblem(kind, `The request was rejected (${code ?? statusCode}).`, request.id), status: statusCode }
}

export const bodyTooLarge = (bytesMax: number): string => `The request body must be at most ${bytesMax} bytes.`

const REJECTIONS: Readonly<Record<string, { readonly kind: ProblemKind; readonly detail: string }>> = {
  FST_ERR_BAD_URL: { kind: 'invalid-request', detail: 'The path contains percent-encoding that is not valid UTF-8.' },
  FST_ERR_MAX_PARAM_LENGTH: {
    kind: 'invalid-request',
    detail: 'An id in the path is too long: ids have at most 200 characters.',
  },
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: {
    kind: 'invalid-request',
    detail: 'The request body does not have the length given in Content-Length.',
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

/** Answers 405 if the path exists but not with this method, and 404 if the path does not exist. */
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
      const detail = `There is no endpoint at ${path}. See /docs for all endpoints.`
      return sendProblem(reply, toProblem('not-found', detail, request.id))
    }
    const allowed = [...methods].sort().join(', ')
    reply.header('allow', allowed)
    const detail = `The endpoint ${path} does not support ${request.method}. Supported methods: ${allowed}.`
    return sendProblem(reply, toProblem('method-not-allowed', detail, request.id))
  }
  // Answered before the body is read: it cannot change the answer.
  app.addHook('onRequest', (request, reply, next) => {
    if (request.is404) answer(request, reply)
    else next()
  })
  app.setNotFoundHandler(answer)
}
