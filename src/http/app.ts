/** The HTTP application: Fastify with its routes, error handling, API documents, metrics and request log. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { setTimeout } from 'node:timers/promises'
import { type FastifyCompressOptions, fastifyCompress } from '@fastify/compress'
import { fastifyCookie } from '@fastify/cookie'
import fastifySwagger from '@fastify/swagger'
import Fastify, { type FastifyBaseLogger, LogController } from 'fastify'
import type { UsageOfOrganizations } from '#answering/organization-usage.ts'
import type { Readings } from '#answering/readings.ts'
import type { ListingCache } from '#current-period/listing-cache.ts'
import { type Access, mayDo } from '#identity/access.ts'
import type { Organizations } from '#identity/organizations.ts'
import type { CardUses } from '#intake/card-uses.ts'
import type { Intake } from '#intake/intake.ts'
import type { OwnReports } from '#intake/own-reports.ts'
import type { Quotes } from '#intake/quotes.ts'
import { createReceivedCalls } from '#intake/received-calls.ts'
import type { Repricing } from '#intake/repricing.ts'
import type { Senders } from '#intake/senders.ts'
import type { StoredCards } from '#intake/stored-cards.ts'
import type { EntrySettings } from '#litellm/calls.ts'
import { createLitellmReceiver } from '#litellm/receiver.ts'
import { elapsedMs, type MonotonicClock } from '#model/clock.ts'
import type { EpochMs } from '#model/organization.ts'
import { DEFAULT_ORGANIZATION } from '#model/organization.ts'
import type { CallSettings } from '#otlp/calls.ts'
import { createReceiver } from '#otlp/receiver.ts'
import type { Reconciliations } from '#reconciling/reconciliations.ts'
import type { Simulations } from '#simulating/simulations.ts'
import { checkAddress } from './address.ts'
import { keyIn } from './bearer.ts'
import { takeJsonBodies } from './bodies.ts'
import { createCallers } from './caller.ts'
import { answerUnknownRoutes, handleError } from './errors.ts'
import { createIntakeGate } from './intake-gate.ts'
import type { Metrics } from './metrics.ts'
import { openApiInfo, withContentEncoding } from './openapi.ts'
import { requestIdOf } from './request-id.ts'
import { cardUseRoutes } from './routes/card-uses.ts'
import { createUnknownPage, dashboardRoutes } from './routes/dashboard.ts'
import { docsRoutes } from './routes/docs.ts'
import { intakeRoutes } from './routes/intake.ts'
import { keyRoutes } from './routes/keys.ts'
import { litellmRoutes } from './routes/litellm.ts'
import { messageChargeRoutes } from './routes/message-charges.ts'
import { messageRoutes } from './routes/messages.ts'
import { type OperatingRoutesOptions, operatingRoutes } from './routes/operating.ts'
import { organizationRoutes } from './routes/organizations.ts'
import { otlpRoutes } from './routes/otlp.ts'
import { periodRoutes } from './routes/periods.ts'
import { quoteRoutes } from './routes/quotes.ts'
import { rateCardRoutes } from './routes/rate-cards.ts'
import { reconciliationRoutes } from './routes/reconciliations.ts'
import { reportRoutes } from './routes/reports.ts'
import { repricingRoutes } from './routes/repricing.ts'
import { sessionRoutes } from './routes/session.ts'
import { simulationRoutes } from './routes/simulations.ts'
import { usageRoute } from './routes/usage.ts'
import { usageLineRoutes } from './routes/usage-lines.ts'
import { usageRuleRoutes } from './routes/usage-rules.ts'
import { usageTotalsRoutes } from './routes/usage-totals.ts'
import { createHttpServer, pathOf } from './server.ts'
import { createSessions, createSiteGuard } from './sessions.ts'
import { SHARED_SCHEMAS } from './shared-schemas.ts'
import { ShuttingDown } from './stopping.ts'
import { createUsageWriter } from './usage-answer.ts'
import type { UsageBody } from './usage-body.ts'

export type AppNeeds = {
  readonly listingCache: ListingCache<UsageBody>
  readonly hasUpstream: boolean
  readonly readings: Readings<UsageBody>
  readonly sessions: { readonly secret: string; readonly lifetimeMs: number }
  readonly intake: Intake
  readonly senders: Pick<Senders, 'took' | 'of' | 'organizations' | 'since'>
  readonly repricing: Repricing
  readonly simulations: Simulations
  readonly reconciliations: Reconciliations
  readonly organizations: Organizations
  readonly usageOfOrganizations: UsageOfOrganizations
  readonly access: Access
  readonly reports: OwnReports
  readonly rateCards: StoredCards
  readonly cardUses: CardUses
  readonly quotes: Quotes
  readonly checkStore: OperatingRoutesOptions['checkStore']
  /** Folder of the built dashboard. */
  readonly dashboardFolder: string
  readonly intakeLimits: {
    readonly bodyBytesMax: number
    readonly batchMax: number
    readonly textBytesMax: number
    readonly queueBytesMax: number
  }
  readonly otlp: CallSettings
  readonly litellm: EntrySettings
  readonly metrics: Metrics
  readonly logger: FastifyBaseLogger
  /** Logs a finished request. */
  readonly answered: (request: Answered) => void
  readonly now: MonotonicClock
  readonly clock: () => EpochMs
  readonly publicUrl: URL | undefined
  readonly keepAliveTimeoutMs: number
  /** The longest time that a client may have to wait for a response. */
  readonly waitMaxMs: number
}

export type Answered = {
  readonly reqId: string
  readonly method: string
  /** Without the query, which may hold personal data. */
  readonly path: string
  readonly status: number
  readonly ms: number
}

export const createApp = async (needs: AppNeeds) => {
  const { listingCache, hasUpstream, access, organizations, metrics, logger, answered, now, clock, waitMaxMs } = needs
  let isClosing = false
  const leaving = new AbortController()
  const refuseOtherSites = createSiteGuard(needs.publicUrl)
  const writeUsage = createUsageWriter({ now, isClosing: () => isClosing })

  /** Counts and logs a response. */
  const countAndLog = (
    reqId: string,
    method: string,
    path: string,
    route: string,
    status: number,
    ms: number,
  ): void => {
    metrics.observeRequest(method, route, status, ms)
    answered({ reqId, method, path, status, ms: round(ms) })
  }

  /** The fast lane: answers `GET /usage` from memory, if it can, before Fastify sees the request. */
  const answerFromMemory = (request: IncomingMessage, response: ServerResponse): boolean => {
    const { method = '', url } = request
    if (!hasUpstream) return false
    if (url !== '/usage' || (method !== 'GET' && method !== 'HEAD') || request.headers.host === undefined) return false
    const { authorization, host } = request.headers
    const caller = access.recall({ key: keyIn(authorization), host })
    if (caller?.organizationId !== DEFAULT_ORGANIZATION || !mayDo(caller, 'usage:read')) return false
    const answer = listingCache.peek()
    if (answer === undefined) return false
    const started = now()
    const id = requestIdOf(request)
    writeUsage(request, response, answer, id)
    const finish = () => countAndLog(id, method, url, url, response.statusCode, elapsedMs(started, now()))
    // Usually the operating system has accepted the whole response by now. If not, the client is still reading, or will leave.
    if (response.writableFinished) finish()
    else response.on('close', finish)
    return true
  }

  const app = Fastify({
    loggerInstance: logger,
    logController: new LogController({ disableRequestLogging: true }),
    genReqId: requestIdOf,
    ajv: { customOptions: { removeAdditional: false, strict: false, coerceTypes: false } },
    bodyLimit: BODY_MAX_BYTES,
    return503OnClosing: false,
    // A message id has up to 200 characters, each up to 12 bytes when percent-encoded.
    routerOptions: { maxParamLength: 2400 },
    serverFactory: (handler) =>
      createHttpServer({
        handler,
        answerFromMemory,
        refused: (id, method, path, status) => countAndLog(id, method, path, 'none', status, 0),
        leaving: leaving.signal,
        keepAliveTimeoutMs: needs.keepAliveTimeoutMs,
        idleMaxMs: waitMaxMs + IDLE_MAX_MS,
      }),
    // `server.ts` answers invalid HTTP. Fastify's own handler would send a second response and log the received bytes.
    clientErrorHandler: () => {},
    frameworkErrors: (error, request, reply) => {
      reply.header('x-request-id', request.id)
      handleError(error, request, reply)
      countAndLog(request.id, request.method, pathOf(request.url), 'none', reply.statusCode, 0)
    },
  })

  app.setErrorHandler(handleError)
  app.addHook('onRequest', (request, reply, next) => {
    reply.header('x-request-id', request.id)
    reply.header('x-content-type-options', 'nosniff')
    // Unlike the header Authorization, a session cookie does not tell shared caches that the response is private.
    reply.header('cache-control', 'private, no-cache')
    refuseOtherSites(request)
    next()
  })
  answerUnknownRoutes(app, createUnknownPage({ folder: needs.dashboardFolder }))
  // Runs after the `onRequest` hooks of the routes, which authenticate the caller.
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
    countAndLog(request.id, request.method, pathOf(request.url), route, reply.statusCode, reply.elapsedTime)
    next()
  })
  closeConnectionsInOrder()

  // Fastify's serializer works from the schemas. Responses are already exact, so plain JSON keeps their digits.
  app.setSerializerCompiler(() => (body) => JSON.stringify(body))
  for (const schema of SHARED_SCHEMAS) app.addSchema(schema)
  await app.register(fastifySwagger, {
    openapi: openApiInfo,
    transform: ({ schema, url }) => ({ schema: withContentEncoding(schema), url }),
    refResolver: { buildLocalReference: (schema) => String(schema['$id']) },
  })
  const { readings, intake, reports, intakeLimits } = needs
  await app.register(fastifyCookie, { hook: false })
  const sessions = createSessions({ ...needs.sessions, clock, cookies: app })
  const callers = createCallers({ access, organizations, sessions })
  await app.register(usageRoute, { listingCache, readings, callers, writeUsage })
  await app.register(async (scope) => {
    await scope.register(fastifyCompress, COMPRESSION)
    for (const routes of [usageLineRoutes, usageTotalsRoutes, usageRuleRoutes, periodRoutes, messageChargeRoutes]) {
      await scope.register(routes, { callers, readings })
    }
  })
  await app.register(sessionRoutes, { access, callers, sessions, readings })
  const gate = createIntakeGate(intakeLimits.queueBytesMax)
  await app.register(messageRoutes, { intake, callers, gate, leaving: leaving.signal, limits: intakeLimits })
  const calls = createReceivedCalls({
    intake,
    senders: needs.senders,
    batchMax: intakeLimits.batchMax,
    observe: metrics.observeReceived,
  })
  const receiver = createReceiver({ calls, settings: needs.otlp })
  await app.register(otlpRoutes, { receiver, callers, gate })
  const litellm = createLitellmReceiver({
    calls,
    settings: needs.litellm,
    entryBytesMax: intakeLimits.bodyBytesMax,
  })
  await app.register(litellmRoutes, { receiver: litellm, callers, gate })
  await app.register(intakeRoutes, { senders: needs.senders, callers })
  await app.register(quoteRoutes, { quotes: needs.quotes, callers, gate, limits: intakeLimits })
  await app.register(organizationRoutes, {
    organizations,
    usageOfOrganizations: needs.usageOfOrganizations,
    callers,
    clock,
  })
  await app.register(repricingRoutes, {
    repricing: needs.repricing,
    organizations,
    callers,
    leaving: leaving.signal,
  })
  await app.register(simulationRoutes, {
    simulations: needs.simulations,
    readings,
    organizations,
    callers,
    leaving: leaving.signal,
  })
  await app.register(reconciliationRoutes, {
    reconciliations: needs.reconciliations,
    readings,
    callers,
    gate,
    leaving: leaving.signal,
  })
  await app.register(keyRoutes, { access, callers })
  await app.register(reportRoutes, { reports, callers })
  await app.register(rateCardRoutes, { rateCards: needs.rateCards, callers })
  await app.register(cardUseRoutes, { cardUses: needs.cardUses, organizations, callers })
  await app.register(operatingRoutes, { listingCache, hasUpstream, checkStore: needs.checkStore, metrics, access })
  app.get('/openapi.json', { schema: { hide: true } }, (_, reply) => reply.send(app.swagger()))
  await app.register(docsRoutes)
  await app.register(dashboardRoutes, { folder: needs.dashboardFolder })
  await app.ready()
  return app

  /**
   * Closes in two steps. First, for a short time, every response asks its client to close the connection, so that a client that
   * is just sending its next request gets a response and not a reset. Then idle connections are closed repeatedly: a response
   * whose head was sent before the shutdown leaves its connection open, and closing would wait for that connection.
   */
  function closeConnectionsInOrder(): void {
    let sweeping: NodeJS.Timeout | undefined
    app.addHook('preClose', async () => {
      isClosing = true
      // An NDJSON stream may never end by itself.
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

/** For pages of usage and totals. `GET /usage` has its own compression, and NDJSON streams are not compressed. */
const COMPRESSION = {
  globalDecompression: false,
  encodings: ['br', 'gzip'],
} satisfies FastifyCompressOptions

const DRAIN_MS = 100
const SWEEP_EVERY_MS = 50
/** How long a connection may be silent beyond `waitMaxMs`. */
const IDLE_MAX_MS = 60_000
const BODY_MAX_BYTES = 1024 * 1024

const round = (ms: number): number => Math.round(ms * 100) / 100
