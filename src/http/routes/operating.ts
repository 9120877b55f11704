/** What operators ask: is it alive, can it answer, what has it counted. */
import type { FastifyPluginCallback } from 'fastify'
import Type from 'typebox'
import type { Access } from '#metering/access.ts'
import type { CurrentUsage } from '#metering/current-usage.ts'
import { sendProblem, toProblem } from '../errors.ts'
import type { Metrics } from '../metrics.ts'
import { problemResponses } from '../schemas/responses.ts'

export type OperatingRoutesOptions = {
  readonly currentUsage: Pick<CurrentUsage<unknown>, 'isReady'>
  readonly hasUpstream: boolean
  readonly checkStore: () => Promise<void>
  readonly metrics: Metrics
  readonly access: Pick<Access, 'checkName'>
}

export const operatingRoutes: FastifyPluginCallback<OperatingRoutesOptions> = (app, options, done) => {
  const { currentUsage, hasUpstream, checkStore, metrics, access } = options

  app.get(
    '/healthz',
    {
      schema: {
        operationId: 'getHealth',
        tags: ['Operating'],
        summary: 'Whether the process is alive',
        description: 'Answers as long as the process can answer at all; says nothing about the Copilot service.',
        response: { 200: statusResponse('The process is alive.', 'alive') },
      },
    },
    (_, reply) => reply.header('cache-control', 'no-store').send({ status: 'alive' as const }),
  )

  app.get(
    '/readyz',
    {
      schema: {
        operationId: 'getReadiness',
        tags: ['Operating'],
        summary: 'Whether usage can be answered',
        description:
          'Ready when the database has just taken a write, no damage to it is known, and the Copilot service, if there is one, ' +
          'answers or a good answer is at hand that may still be given. A write is tried at most once a second.',
        response: { 200: statusResponse('Usage can be answered.', 'ready'), ...problemResponses(503) },
      },
    },
    async (request, reply) => {
      reply.header('cache-control', 'no-store')
      await checkStore()
      if (!hasUpstream || (await currentUsage.isReady())) return reply.send({ status: 'ready' as const })
      const detail = 'The Copilot service is failing and no recent response is cached. GET /usage returns the error.'
      return sendProblem(reply, toProblem('not-ready', detail, request.id))
    },
  )

  app.get(
    '/metrics',
    {
      // They say how much is used and what it cost: no page elsewhere may read that of a service that only this machine reaches.
      onRequest: async ({ headers }) => access.checkName(headers.host),
      schema: {
        operationId: 'getMetrics',
        tags: ['Operating'],
        summary: 'What the service has counted, for Prometheus',
        response: {
          200: {
            description: 'Metrics in the text format of Prometheus.',
            content: { 'text/plain': { schema: Type.String({ examples: ['# HELP http_requests_total …'] }) } },
          },
          ...problemResponses(403),
        },
      },
    },
    async (_, reply) => reply.type(metrics.contentType).send(await metrics.text()),
  )
  done()
}

const statusResponse = <S extends string>(description: string, status: S) => ({
  description,
  content: {
    'application/json': {
      schema: Type.Object(
        { status: Type.Literal(status, { description: 'Always this.', examples: [status] }) },
        { additionalProperties: false },
      ),
    },
  },
})
