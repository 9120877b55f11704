/** Health, readiness and metrics, for operators. */
import type { FastifyPluginCallbackTypebox } from '@fastify/type-provider-typebox'
import Type, { type TProperties } from 'typebox'
import type { ListingCache } from '#current-period/listing-cache.ts'
import { type Access, UnknownHost } from '#identity/access.ts'
import { ServiceError } from '#model/errors.ts'
import type { Metrics } from '../metrics.ts'
import { WITHOUT_KEY } from '../openapi.ts'
import { problemResponse, problemResponses } from '../schemas/responses.ts'

export type OperatingRoutesOptions = {
  readonly listingCache: Pick<ListingCache<unknown>, 'isReady'>
  readonly hasUpstream: boolean
  /** Resolves to the ids of the database's nodes that cannot be reached. */
  readonly checkStore: () => Promise<readonly number[]>
  readonly metrics: Metrics
  readonly access: Pick<Access, 'checkName'>
}

export const operatingRoutes: FastifyPluginCallbackTypebox<OperatingRoutesOptions> = (app, options, done) => {
  const { listingCache, hasUpstream, checkStore, metrics, access } = options

  app.get(
    '/healthz',
    {
      schema: {
        ...WITHOUT_KEY,
        operationId: 'getHealth',
        tags: ['Operating'],
        summary: 'Check liveness',
        description: 'Succeeds as long as the process can answer. Does not check the database or the Copilot service.',
        response: {
          200: statusResponse('The process is alive.', { status: always('alive') }),
          ...problemResponses(400),
        },
      },
    },
    async (_, reply) => {
      reply.header('cache-control', 'no-store')
      return { status: 'alive' as const }
    },
  )

  app.get(
    '/readyz',
    {
      schema: {
        ...WITHOUT_KEY,
        operationId: 'getReadiness',
        tags: ['Operating'],
        summary: 'Check readiness',
        description:
          'Succeeds if the database has accepted a test write and is not known to be damaged. If `UPSTREAM_URL` is set, the ' +
          'Copilot service must also respond, or a recent response must be cached. Writes are tested at most once per second. ' +
          'If the database is a cluster of which some nodes are down, the others are served, so it succeeds and names the missing.',
        response: {
          200: statusResponse('The service can serve usage.', {
            status: always('ready'),
            unreachable_nodes: Type.Optional(unreachableNodes),
          }),
          ...problemResponses(400),
          503: notReady,
        },
      },
    },
    async (_, reply) => {
      reply.header('cache-control', 'no-store')
      const unreachable = await checkStore()
      if (hasUpstream && !(await listingCache.isReady())) throw new ServiceError('not-ready', COPILOT_FAILING)
      return { status: 'ready' as const, ...(unreachable.length > 0 && { unreachable_nodes: [...unreachable] }) }
    },
  )

  app.get(
    '/metrics',
    {
      // Metrics reveal usage and its cost. Without this check, a web page could read them by DNS rebinding from a service
      // that only this machine can reach.
      onRequest: async ({ headers }) => access.checkName(headers.host),
      schema: {
        ...WITHOUT_KEY,
        operationId: 'getMetrics',
        tags: ['Operating'],
        summary: 'Get metrics',
        description:
          'Returns metrics for Prometheus. Needs no key. Unless keys are required, the host name of the request must be ' +
          'localhost, an IP address, or a name in `ALLOWED_HOSTS` or `PUBLIC_URL`.',
        response: {
          200: {
            description: 'Metrics in the Prometheus text format.',
            content: { 'text/plain': { schema: Type.String({ examples: ['# HELP http_requests_total …'] }) } },
          },
          ...problemResponses(400),
          403: unknownHost,
        },
      },
    },
    async (_, reply) => reply.type(metrics.contentType).send(await metrics.text()),
  )
  done()
}

const COPILOT_FAILING = 'The Copilot service is failing and no recent response is cached. GET /usage returns the error.'

const notReady = problemResponse({
  description: 'The database or the Copilot service is not available, or the service is shutting down.',
  kind: 'not-ready',
  detail: COPILOT_FAILING,
})

const unknownHost = problemResponse({
  description: 'The host name of the request is not allowed.',
  kind: 'forbidden',
  detail: new UnknownHost('credits.example.com').message,
})

const always = <S extends string>(status: S) =>
  Type.Literal(status, { description: `Always \`${status}\`.`, examples: [status] })

// Not their addresses, because anyone can ask.
const unreachableNodes = Type.Array(Type.Integer(), {
  description:
    'Present if nodes of the database cluster cannot be reached: their ids in `pg_dist_node`. Requests for their organizations fail.',
  examples: [[2]],
})

const statusResponse = <P extends TProperties>(description: string, properties: P) => ({
  description,
  content: { 'application/json': { schema: Type.Object(properties, { additionalProperties: false }) } },
})
