/** The HTTP application: Fastify with the routes, the errors, the documents and what is counted and logged. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { setTimeout } from 'node:timers/promises'
import { type FastifyCompressOptions, fastifyCompress } from '@fastify/compress'
import { fastifyCookie } from '@fastify/cookie'
import fastifySwagger from '@fastify/swagger'
import fastifySwaggerUi from '@fastify/swagger-ui'
import Fastify, { type FastifyBaseLogger, LogController } from 'fastify'
import { type Access, DEFAULT_ORGANIZATION, mayDo } from '#metering/access.ts'
import type { CurrentUsage } from '#metering/current-usage.ts'
import type { Intake } from '#metering/intake.ts'
import type { Organizations } from '#metering/organizations.ts'
import type { OwnReports } from '#metering/own-reports.ts'
import type { Readings } from '#metering/readings.ts'
import type { EpochMs } from '#model/organization.ts'
import { checkAddress } from './address.ts'
import { takeJsonBodies } from './bodies.ts'
import { createCallers } from './caller.ts'
import { answerUnknownRoutes, handleError } from './errors.ts'
import { createIntakeGate } from './intake-gate.ts'
import type { Metrics } from './metrics.ts'
import { openApiInfo, withContentEncoding } from './openapi.ts'
import { requestIdOf } from './request-id.ts'
import { dashboardRoutes } from './routes/dashboard.ts'
import { ApiKeySchema, keyRoutes } from './routes/keys.ts'
import { ledgerUsageRoutes } from './routes/ledger-usage.ts'
import { messageRoutes } from './routes/messages.ts'
import { operatingRoutes } from './routes/operating.ts'
import { OrganizationSchema, organizationRoutes } from './routes/organizations.ts'
import { ReportSchema, reportRoutes } from './routes/reports.ts'
import { SessionSchema, sessionRoutes } from './routes/session.ts'
import { usageRoute } from './routes/usage.ts'
import { CloudEventSchema, MessageSchema } from './schemas/intake.ts'
import { ProblemSchema } from './schemas/problem.ts'
import { UsageLineSchema, UsageResponseSchema } from './schemas/usage.ts'
import { createHttpServer, pathOf } from './server.ts'
import { createSessions, createSiteGuard } from './sessions.ts'
import { ShuttingDown } from './stopping.ts'
import { createUsageWriter } from './usage-answer.ts'
import type { UsageBody } from './usage-body.ts'

export type AppNeeds = {
  readonly currentUsage: CurrentUsage<UsageBody>
  readonly hasUpstream: boolean
  readonly readings: Readings<UsageBody>
  readonly sessions: { readonly secret: string; readonly lifetimeMs: number }
  readonly intake: Intake
  readonly organizations: Organizations
  readonly access: Access
  readonly reports: OwnReports
  readonly checkStore: () => Promise<void>
  /** Where the built dashboard is. */
  readonly dashboardFolder: string
  readonly intakeLimits: {
    readonly bodyBytesMax: number
    readonly batchMax: number
    readonly textBytesMax: number
    readonly queueBytesMax: number
  }
  readonly metrics: Metrics
  readonly logger: FastifyBaseLogger
  /** Logs an answered request. */
  readonly answered: (request: Answered) => void
  readonly now: () => number
  /** Milliseconds since 1970. */
  readonly clock: () => EpochMs
  readonly publicUrl: URL | undefined
  readonly keepAliveTimeoutMs: number
  /** The longest that an answer may have to be waited for. */
  readonly waitMaxMs: number
}

export type Answered = {
  readonly reqId: string
  readonly method: string
  /** Without the query: what is asked for may be nobody else's business. */
  readonly path: string
  readonly status: number
  readonly ms: number
}

export const createApp = async (needs: AppNeeds) => {
  const { currentUsage, hasUpstream, access, organizations, metrics, logger, answered, now, clock, waitMaxMs } = needs
  let isClosing = false
  const leaving = new AbortController()
  const refuseOtherSites = createSiteGuard(needs.publicUrl)
  const writeUsage = createUsageWriter({ now, isClosing: () => isClosing })

  /** Counts and logs an answer. */
  const tell = (reqId: string, method: string, path: string, route: string, status: number, ms: number): void => {
    metrics.observeRequest(method, route, status, ms)
    answered({ reqId, method, path, status, ms: round(ms) })
  }

  /** The fast lane: a reader of usage that is at hand is answered before Fastify has looked at the request. */
  const answerFromMemory = (request: IncomingMessage, response: ServerResponse): boolean => {
    const { method = '', url } = request
    if (!hasUpstream) return false
    if (url !== '/usage' || (method !== 'GET' && method !== 'HEAD') || request.headers.host === undefined) return false
    const { authorization, host } = request.headers
    const caller = access.recall({ authorization, host })
    if (caller?.organizationId !== DEFAULT_ORGANIZATION || !mayDo(caller, 'usage:read')) return false
    const answer = currentUsage.peek()
    if (answer === undefined) return false
    const startedAt = now()
    const id = requestIdOf(request)
    writeUsage(request, response, answer, id)
    const tellOfIt = () => tell(id, method, url, url, response.statusCode, now() - startedAt)
    // Mostly the operating system has taken the whole answer by now. If not, the client still reads, or will have left.
    if (response.writableFinished) tellOfIt()
    else response.on('close', tellOfIt)
    return true
  }

  const app = Fastify({
    loggerInstance: logger,
    logController: new LogController({ disableRequestLogging: true }),
    genReqId: requestIdOf,
    ajv: { customOptions: { removeAdditional: false, strict: false, coerceTypes: false } },
    bodyLimit: BODY_MAX_BYTES,
    return503OnClosing: false,
    // Ids of messages are up to 200 characters, each of up to twelve when it is encoded.
    routerOptions: { maxParamLength: 2400 },
    serverFactory: (handler) =>
      createHttpServer({
        handler,
        answerFromMemory,
        refused: (id, method, path, status) => tell(id, method, path, 'none', status, 0),
        leaving: leaving.signal,
        keepAliveTimeoutMs: needs.keepAliveTimeoutMs,
        idleMaxMs: waitMaxMs + IDLE_MAX_MS,
      }),
    // What is no HTTP is answered where the server is made. Fastify's own handler would add a second answer, and log what came.
    clientErrorHandler: () => {},
    frameworkErrors: (error, request, reply) => {
      reply.header('x-request-id', request.id)
      handleError(error, request, reply)
      tell(request.id, request.method, pathOf(request.url), 'none', reply.statusCode, 0)
    },
  })

  app.setErrorHandler(handleError)
  app.addHook('onRequest', (request, reply, next) => {
    reply.header('x-request-id', request.id)
    reply.header('x-content-type-options', 'nosniff')
    // What a session is answered with says nothing to caches between that it is one's own.
    reply.header('cache-control', 'private, no-cache')
    refuseOtherSites(request)
    next()
  })
  answerUnknownRoutes(app)
  // After the routes' own hooks, which authenticate the caller.
  app.addHook('preParsing', (request, _, __, next) => {
    if (request.routeOptions.config.isFile !== true) checkAddress(request)
    next()
  })
  takeJsonBodies(app)
  app.addHook('onSend', (_, reply, __, next) => {
    if (isClosing) reply.header('connection', 'close')
    next()
  })
  app.addHook('onResponse', (request, reply, next) => {
    const route = request.routeOptions.url ?? 'none'
    tell(request.id, request.method, pathOf(request.url), route, reply.statusCode, reply.elapsedTime)
    next()
  })
  closeConnectionsInOrder()

  // What is answered is written by us: amounts keep the digits that they have.
  app.setSerializerCompiler(() => (body) => JSON.stringify(body))
  const shared = [
    ProblemSchema,
    UsageLineSchema,
    UsageResponseSchema,
    MessageSchema,
    CloudEventSchema,
    OrganizationSchema,
    ReportSchema,
    ApiKeySchema,
    SessionSchema,
  ]
  for (const schema of shared) app.addSchema(schema)
  await app.register(fastifySwagger, {
    openapi: openApiInfo,
    transform: ({ schema, url }) => ({ schema: withContentEncoding(schema), url }),
    refResolver: { buildLocalReference: (schema) => String(schema['$id']) },
  })
  await app.register(fastifySwaggerUi, {
    routePrefix: '/docs',
    staticCSP: DOCS_POLICY,
    uiConfig: { layout: 'BaseLayout', docExpansion: 'full', tryItOutEnabled: true, validatorUrl: null },
    theme: { title: 'Copilot Credits API' },
  })
  const { readings, intake, reports, intakeLimits } = needs
  await app.register(fastifyCookie, { hook: false })
  const sessions = createSessions({ ...needs.sessions, clock, cookies: app })
  const callers = createCallers({ access, organizations, sessions })
  await app.register(usageRoute, { currentUsage, readings, callers, writeUsage })
  await app.register(async (scope) => {
    await scope.register(fastifyCompress, COMPRESSION)
    await scope.register(ledgerUsageRoutes, { callers, readings })
  })
  await app.register(sessionRoutes, { access, callers, sessions, readings })
  const gate = createIntakeGate(intakeLimits.queueBytesMax)
  await app.register(messageRoutes, { intake, callers, gate, leaving: leaving.signal, limits: intakeLimits })
  await app.register(organizationRoutes, { organizations, callers, clock })
  await app.register(keyRoutes, { access, callers })
  await app.register(reportRoutes, { reports, callers })
  await app.register(operatingRoutes, { currentUsage, hasUpstream, checkStore: needs.checkStore, metrics, access })
  app.get('/openapi.json', { schema: { hide: true } }, (_, reply) => reply.send(app.swagger()))
  await app.register(dashboardRoutes, { folder: needs.dashboardFolder })
  await app.ready()
  return app

  /**
   * Once closing, every answer asks its reader to close the connection, and for a moment that is all that happens: a reader
   * that is just sending its next request gets an answer and not a reset. An answer whose head was sent before leaves its
   * connection idle: such ones are looked for, as closing would wait for them.
   */
  function closeConnectionsInOrder(): void {
    let sweeping: NodeJS.Timeout | undefined
    app.addHook('preClose', async () => {
      isClosing = true
      // A stream of messages has no end of its own: it is asked to end.
      leaving.abort(new ShuttingDown())
      await setTimeout(app.server.listening ? DRAIN_MS : 0)
      sweeping = setInterval(() => app.server.closeIdleConnections(), SWEEP_EVERY_MS)
    })
    app.addHook('onClose', (_, next) => {
      clearInterval(sweeping)
      next()
    })
  }
}

/** Of pages of usage and totals: `GET /usage` is compressed by its own writer, and streams are not. */
const COMPRESSION = {
  globalDecompression: false,
  encodings: ['br', 'gzip'],
} satisfies FastifyCompressOptions

/** As strict as Swagger UI allows. Its own asks for https, which leaves the page blank over plain HTTP. */
const DOCS_POLICY = {
  'default-src': "'self'",
  'base-uri': "'self'",
  'font-src': "'self' data:",
  'form-action': "'self'",
  'frame-ancestors': "'none'",
  'img-src': "'self' data:",
  'object-src': "'none'",
}

const DRAIN_MS = 100
const SWEEP_EVERY_MS = 50
/** How long a connection may be silent beyond the time that an answer may take. */
const IDLE_MAX_MS = 60_000
const BODY_MAX_BYTES = 1024 * 1024

const round = (ms: number): number => Math.round(ms * 100) / 100
