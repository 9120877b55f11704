/** Turns errors into problem+json. Unknown errors are logged in full and reported to the client without details. */
import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { InvalidFields, InvalidRequest, ServiceError, UpstreamError } from '#model/errors.ts'
import { BodyTooLarge, UnsupportedBody, unsupportedType } from './bodies.ts'
import { expectationsOf, UNKNOWN } from './expectations.ts'
import { pathParameter, queryParameter, requirement } from './fields.ts'
import { KINDS, PROBLEM_JSON, type Problem, toProblem } from './schemas/problem.ts'

export const handleError = (error: FastifyError, request: FastifyRequest, reply: FastifyReply): FastifyReply => {
  const { problem, headers } = answerTo(error, request)
  return sendProblem(reply.headers(headers), problem)
}

/** The answer to any error of a request, for routes that send it in a form of their own. */
export const answerTo = (error: FastifyError, request: FastifyRequest): Failure => {
  if (error.validation !== undefined) return { problem: invalidRequest(error, request), headers: {} }
  const ours = ourErrorFor(error, request)
  if (!(ours instanceof ServiceError) && isRejection(error))
    return { problem: rejectionOf(error, request), headers: {} }
  return failureOf(ours, request)
}

const sendProblem = (reply: FastifyReply, problem: Problem): FastifyReply =>
  reply.code(problem.status).header('cache-control', 'no-store').type(PROBLEM_JSON).send(problem)

/** The problem for an error, the same in a response of its own and in the last line of a stream. */
export const problemFor = (error: unknown, request: FastifyRequest): Problem => failureOf(error, request).problem

export type Failure = { readonly problem: Problem; readonly headers: Readonly<Record<string, string>> }

/** The one place that maps errors to problems. An error that is not ours is a bug: logged in full, reported without details. */
const failureOf = (error: unknown, request: FastifyRequest): Failure => {
  const [code, message] =
    error instanceof ServiceError ? [error.code, detailOf(error)] : (['internal-error', ''] as const)
  const { detail = message, headers } = KINDS[code]
  if (code === 'store-failed') request.log.error({ err: error }, 'the database failed')
  else if (detail !== message) request.log.error({ err: error }, 'failed unexpectedly')
  return {
    problem: toProblem(code, detail, request.id, fieldsOf(error)),
    headers: { ...headers, ...headersOf(error) },
  }
}

const detailOf = (error: ServiceError): string => {
  if (error instanceof InvalidRequest) return requirement(error.field, error.expected)
  if (error instanceof InvalidFields) return requirementsOf(error)
  return error instanceof UpstreamError ? `${error.message}.` : error.message
}

const requirementsOf = ({ faults }: InvalidFields): string => {
  const [first, ...others] = faults.map(({ field, expected }) => requirement(field, expected))
  if (others.length === 0) return first ?? ''
  return `${first} ${others.length === 1 ? 'Another field is' : `${others.length} other fields are`} not valid either.`
}

const fieldsOf = (error: unknown): Pick<Problem, 'upstream' | 'errors'> => {
  if (error instanceof InvalidRequest) return { errors: [{ field: error.field, expected: error.expected }] }
  if (error instanceof InvalidFields) return { errors: [...error.faults.slice(0, FAULTS_MAX)] }
  if (!(error instanceof UpstreamError)) return {}
  const { call, failure, reason, attempts, status } = error.details
  return { upstream: { call, failure, reason, attempts, ...(status === undefined ? {} : { status }) } }
}

/** A rate card of 4 MiB can have a million faults. */
const FAULTS_MAX = 1000

const headersOf = (error: unknown): Readonly<Record<string, string>> => {
  if (error instanceof UnsupportedBody) return error.headers
  const retryAfterMs = error instanceof UpstreamError ? error.details.retryAfterMs : undefined
  return retryAfterMs === undefined ? {} : { 'retry-after': String(Math.ceil(retryAfterMs / 1000)) }
}

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
  if (context === 'querystring') return at === '' ? 'query' : queryParameter(at.slice(1))
  if (context === 'params') return pathParameter(at.slice(1))
  return context === 'headers' ? `header ${at.slice(1)}` : `body${at}`
}

/** Our error for one of Fastify's that says the same. */
const ourErrorFor = (error: FastifyError, request: FastifyRequest): Error => {
  if (error.statusCode === 413) return new BodyTooLarge(request.routeOptions.bodyLimit)
  return error.statusCode === 415 ? unsupportedType(request) : error
}

const isRejection = ({ statusCode = 500 }: FastifyError): boolean => statusCode >= 400 && statusCode < 500

/** The problem for any other rejection by Fastify, in our words: Fastify's could quote what the client sent. */
const rejectionOf = ({ code, statusCode = 400 }: FastifyError, request: FastifyRequest): Problem => {
  const known = REJECTIONS[code]
  if (known !== undefined) return toProblem('invalid-request', known, request.id)
  const detail = `The request was rejected (${code ?? statusCode}).`
  return { ...toProblem('invalid-request', detail, request.id), status: statusCode }
}

const REJECTIONS: Readonly<Record<string, string>> = {
  FST_ERR_BAD_URL: 'The path contains percent-encoding that is not valid UTF-8.',
  FST_ERR_MAX_PARAM_LENGTH: 'An id in the path is too long: ids have at most 200 characters.',
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: 'The request body does not have the length given in Content-Length.',
}

/** Sends a page in place of a problem, or undefined to send the problem. */
type SendPage = (request: FastifyRequest, reply: FastifyReply) => FastifyReply | undefined

/** Answers 405 if the path exists but not with this method, and 404 if the path does not exist. */
export const answerUnknownRoutes = (app: FastifyInstance, sendPage: SendPage): void => {
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
      const page = sendPage(request, reply)
      if (page !== undefined) return page
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
