/** Failures → problem+json. What is not known is logged whole and answered without detail. */
import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { Unauthenticated } from '#metering/access.ts'
import { InvalidRequest, NotFound, StoreBusy, StoreError, UpstreamError } from '#model/errors.ts'
import { typesTaken, UnsupportedCoding } from './bodies.ts'
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
  if (error instanceof UpstreamError) return sendUpstreamFailure(error, request, reply)
  if (error.validation !== undefined) return sendProblem(reply, invalidRequest(error, request))
  const known = problemOf(error, request, reply)
  if (known !== undefined) return sendProblem(reply, known)
  const status = error.statusCode ?? 500
  if (status === 415) return sendUnsupportedType(request, reply)
  if (status >= 400 && status < 500) {
    const kind = KIND_OF_STATUS[status] ?? 'invalid-request'
    return sendProblem(reply, { ...toProblem(kind, error.message, request.id), status })
  }
  request.log.error({ err: error }, 'failed unexpectedly')
  return sendProblem(reply, toProblem('internal-error', 'The logs of the service say more.', request.id))
}

const KIND_OF_STATUS: Readonly<Record<number, ProblemKind>> = {
  413: 'payload-too-large',
}

const sendUnsupportedType = (request: FastifyRequest, reply: FastifyReply): FastifyReply => {
  const types = typesTaken(request)
  const sent = request.headers['content-type']?.slice(0, TYPE_SHOWN_MAX) ?? 'absent'
  const detail = `Content-Type must be ${types.join(', ').replace(/, (?=[^,]*$)/, ' or ')}; it is ${sent}`
  reply.header('accept', types.join(', '))
  return sendProblem(reply, toProblem('unsupported-media-type', detail, request.id))
}

const TYPE_SHOWN_MAX = 100

/** The problem that an error is, for who cannot answer with a status any more. */
export const problemFor = (error: unknown, request: FastifyRequest): Problem => {
  if (error instanceof UpstreamError) return toProblem('upstream-failed', error.message, request.id)
  const known = error instanceof Error ? problemOf(error, request) : undefined
  if (known !== undefined) return known
  request.log.error({ err: error }, 'failed unexpectedly')
  return toProblem('internal-error', 'The logs of the service say more.', request.id)
}

/** What our own errors are called. */
const problemOf = (error: Error, request: FastifyRequest, reply?: FastifyReply): Problem | undefined => {
  if (error instanceof InvalidRequest) {
    const errors = [{ field: error.field, expected: error.expected }]
    return toProblem('invalid-request', error.message, request.id, { errors })
  }
  if (error instanceof NotFound) return toProblem('not-found', error.message, request.id)
  if (error instanceof Forbidden) return toProblem('forbidden', error.message, request.id)
  if (error instanceof Unauthenticated) {
    reply?.header('www-authenticate', 'Bearer')
    return toProblem('unauthenticated', error.message, request.id)
  }
  if (error instanceof UnsupportedCoding) {
    reply?.header('accept-encoding', 'gzip')
    return toProblem('unsupported-media-type', error.message, request.id)
  }
  if (error instanceof StoreBusy) {
    reply?.header('retry-after', '1')
    return toProblem('too-busy', error.message, request.id)
  }
  if (error instanceof StoreError) {
    request.log.error({ err: error }, 'the database failed')
    reply?.header('retry-after', '1')
    return toProblem('store-failed', 'Nothing of this request has been acknowledged: repeat it.', request.id)
  }
  return undefined
}

const sendUpstreamFailure = (error: UpstreamError, request: FastifyRequest, reply: FastifyReply): FastifyReply => {
  const { call, failure, reason, attempts, status, retryAfterMs } = error.details
  if (retryAfterMs !== undefined) reply.header('retry-after', Math.ceil(retryAfterMs / 1000))
  const kind = failure === 'timeout' ? 'upstream-timed-out' : 'upstream-failed'
  const upstream = { call, failure, reason, attempts, ...(status === undefined ? {} : { status }) }
  return sendProblem(reply, toProblem(kind, error.message, request.id, { upstream }))
}

const invalidRequest = ({ validation = [], validationContext }: FastifyError, request: FastifyRequest): Problem => {
  const path = request.routeOptions.url ?? request.url
  const field = (pointer: string): string => fieldOf(validationContext, pointer)
  const errors = mergeAlternatives(validation).map(({ keyword, instancePath, params, message = '' }) => {
    const unknown = params['additionalProperty']
    if (keyword === 'additionalProperties' && typeof unknown === 'string') {
      return { field: field(`${instancePath}/${unknown}`), expected: `absent: ${path} does not know it` }
    }
    const missing = params['missingProperty']
    if (keyword === 'required' && typeof missing === 'string') {
      return { field: field(`${instancePath}/${missing}`), expected: 'present' }
    }
    return { field: field(instancePath), expected: expectationIn(message) }
  })
  const detail = errors.map((each) => `${each.field} must be ${each.expected}`).join('; ')
  return toProblem('invalid-request', detail, request.id, { errors })
}

type Findings = NonNullable<FastifyError['validation']>

/** Of a value that may be one of several kinds and is none, one thing is said: all that it may be. */
const mergeAlternatives = (findings: Findings): Findings => {
  const choice = findings.find(({ keyword }) => keyword === 'anyOf')
  if (choice === undefined) return findings
  const kinds = findings.flatMap(({ keyword, instancePath, params, message = '' }) => {
    if (instancePath !== choice.instancePath || keyword === 'anyOf') return []
    return keyword === 'const' ? [JSON.stringify(params['allowedValue'])] : [expectationIn(message)]
  })
  return [{ ...choice, message: `must be ${[...new Set(kinds)].join(' or ')}` }]
}

/** "must be string" → "a string", "must NOT have fewer than 1 items" → "one that does NOT have fewer than 1 items". */
const expectationIn = (message: string): string => {
  const [, kind] = /^must be (integer|number|string|boolean|array|object|null)$/.exec(message) ?? []
  if (kind !== undefined) return kind === 'null' ? kind : `${/^[aio]/.test(kind) ? 'an' : 'a'} ${kind}`
  if (message.startsWith('must be ')) return message.slice('must be '.length)
  return message
    .replace(/^must NOT have fewer than/, 'of no fewer than')
    .replace(/^must NOT have more than/, 'of no more than')
    .replace(/^must match/, 'a text that matches')
    .replace(/^must NOT have/, 'without')
}

/** `body/scopes/0`, `query parameter "limit"`. */
const fieldOf = (context: FastifyError['validationContext'], pointer: string): string => {
  const shown = pointer.slice(0, FIELD_SHOWN_MAX)
  if (context === 'querystring') return `query parameter ${JSON.stringify(shown.slice(1))}`
  return `${context ?? 'body'}${shown}`
}

const FIELD_SHOWN_MAX = 100

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
