/** The HTTP application: Fastify with the routes, the errors, the documents and what is counted and logged. */
import { randomUUID } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import fastifySwagger from '@fastify/swagger'
import fastifySwaggerUi from '@fastify/swagger-ui'
import Fastify, { type FastifyBaseLogger, LogController } from 'fastify'
import type { CurrentUsage } from '#metering/current-usage.ts'
import { answerUnknownRoutes, handleError, toProblem } from './errors.ts'
import type { Metrics } from './metrics.ts'
import { openApiInfo } from './openapi.ts'
import { operatingRoutes } from './routes/operating.ts'
import { usageRoute } from './routes/usage.ts'
import { PROBLEM_JSON, ProblemSchema } from './schemas/problem.ts'
import { UsageLineSchema, UsageResponseSchema } from './schemas/usage.ts'
import { createUsageWriter } from './usage-answer.ts'
import type { UsageBody } from './usage-body.ts'

export type AppNeeds = {
  readonly currentUsage: CurrentUsage<UsageBody>
  readonly metrics: Metrics
  readonly logger: FastifyBaseLogger
  readonly now: () => number
  readonly sourceNote: string | undefined
}

export type App = Awaited<ReturnType<typeof createApp>>

export const createApp = async ({ currentUsage, metrics, logger, now, sourceNote }: AppNeeds) => {
  const writeUsage = createUsageWriter({ now, sourceNote })

  /** Counts and logs an answer. The path is without the query: what is asked for may be nobody else's business. */
  const tell = (id: string, method: string, path: string, route: string, status: number, ms: number): void => {
    metrics.observeRequest(method, route, status, ms)
    logger.info({ reqId: id, method, path, status, ms: round(ms) }, 'answered')
  }

  /** The fast lane: a reader of usage that is at hand is answered before Fastify has looked at the request. */
  const answerFromMemory = (request: IncomingMessage, response: ServerResponse): boolean => {
    const { method = '', url } = request
    if (url !== '/usage' || (method !== 'GET' && method !== 'HEAD')) return false
    const answer = currentUsage.peek()
    if (answer === undefined) return false
    const startedAt = now()
    const id = requestIdOf(request)
    response.on('close', () => tell(id, method, url, url, response.statusCode, now() - startedAt))
    writeUsage(request, response, answer, id)
    return true
  }

  const app = Fastify({
    loggerInstance: logger,
    logController: new LogController({ disableRequestLogging: true }),
    genReqId: requestIdOf,
    ajv: { customOptions: { removeAdditional: false, strict: false } },
    bodyLimit: BODY_MAX_BYTES,
    serverFactory: (handler) => {
      const server = createServer({ requestTimeout: REQUEST_MAX_MS }, (request, response) => {
        if (!answerFromMemory(request, response)) handler(request, response)
      })
      return server.setTimeout(IDLE_MAX_MS)
    },
    frameworkErrors: (error, request, reply) => {
      handleError(error, request, reply)
    },
    clientErrorHandler: (error, socket) => {
      if (socket.destroyed || !socket.writable) return
      const detail = 'code' in error ? `It could not be read as HTTP (${error.code}).` : 'It could not be read as HTTP.'
      const body = JSON.stringify(toProblem('invalid-request', detail, randomUUID()))
      const length = Buffer.byteLength(body)
      socket.end(
        `HTTP/1.1 400 Bad Request\r\nContent-Type: ${PROBLEM_JSON}\r\nContent-Length: ${length}\r\nConnection: close\r\n\r\n${body}`,
      )
    },
  })

  app.setErrorHandler(handleError)
  answerUnknownRoutes(app)
  app.addHook('onRequest', (request, reply, next) => {
    reply.header('x-request-id', request.id)
    reply.header('x-content-type-options', 'nosniff')
    next()
  })
  app.addHook('onResponse', (request, reply, next) => {
    const route = request.routeOptions.url ?? 'none'
    tell(request.id, request.method, pathOf(request.url), route, reply.statusCode, reply.elapsedTime)
    next()
  })
  for (const schema of [ProblemSchema, UsageLineSchema, UsageResponseSchema]) app.addSchema(schema)
  // A connection that was busy when closing began becomes idle with its answer: closing waits for nothing after that.
  let sweeping: NodeJS.Timeout | undefined
  app.addHook('preClose', (next) => {
    sweeping = setInterval(() => app.server.closeIdleConnections(), SWEEP_EVERY_MS)
    next()
  })
  app.addHook('onClose', (_, next) => {
    clearInterval(sweeping)
    next()
  })

  await app.register(fastifySwagger, {
    openapi: openApiInfo,
    refResolver: { buildLocalReference: (schema) => String(schema['$id']) },
  })
  await app.register(fastifySwaggerUi, {
    routePrefix: '/docs',
    staticCSP: true,
    uiConfig: { layout: 'BaseLayout', docExpansion: 'full', tryItOutEnabled: true, validatorUrl: null },
    theme: { title: 'Copilot Credits API' },
  })
  await app.register(usageRoute, { currentUsage, writeUsage })
  await app.register(operatingRoutes, { currentUsage, metrics })
  app.get('/openapi.json', { schema: { hide: true } }, (_, reply) => reply.send(app.swagger()))
  app.get('/', { schema: { hide: true } }, (_, reply) => reply.redirect('/docs'))
  await app.ready()
  return app
}

const SWEEP_EVERY_MS = 20
const IDLE_MAX_MS = 60_000
const REQUEST_MAX_MS = 30_000
const BODY_MAX_BYTES = 1024 * 1024

const requestIdOf = ({ headers }: IncomingMessage): string => {
  const given = headers['x-request-id']
  return typeof given === 'string' && /^[\w.-]{1,64}$/.test(given) ? given : randomUUID()
}

const pathOf = (url: string): string => {
  const query = url.indexOf('?')
  return query < 0 ? url : url.slice(0, query)
}

const round = (ms: number): number => Math.round(ms * 100) / 100
