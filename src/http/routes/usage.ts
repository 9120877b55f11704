/** `GET /usage`: what each message of the current billing period cost. */
import type { FastifyPluginCallback } from 'fastify'
import Type from 'typebox'
import type { CurrentUsage } from '#metering/current-usage.ts'
import { problemResponses } from '../schemas/responses.ts'
import type { WriteUsage } from '../usage-answer.ts'
import type { UsageBody } from '../usage-body.ts'

export type UsageRouteOptions = {
  readonly currentUsage: CurrentUsage<UsageBody>
  readonly writeUsage: WriteUsage
}

export const usageRoute: FastifyPluginCallback<UsageRouteOptions> = (app, { currentUsage, writeUsage }, done) => {
  app.get(
    '/usage',
    {
      schema: {
        operationId: 'getUsage',
        tags: ['Usage'],
        summary: 'What each message of the current billing period cost',
        description:
          'One line for each message, in the order of the source. The answer is whole and exact or it is an error: a ' +
          'message is never left out and a price never guessed. When the Copilot service fails, the last good answer is ' +
          'given for a limited time, marked by `Cache-Status` (`detail=stale`) and `Age`. ' +
          'Compressed with `br` or `gzip` for who asks with `Accept-Encoding`; a changed answer has another `ETag`.',
        querystring: Type.Object({}, { additionalProperties: false }),
        headers: Type.Object({
          'if-none-match': Type.Optional(
            Type.String({
              description: 'The `ETag` of the answer that you have: 304 is answered where it is still true.',
              examples: ['"p2Q0eJ1Y3Q7v0o7Zt0b9a1b2c3d"'],
            }),
          ),
        }),
        response: {
          200: {
            description: 'The usage of the current billing period.',
            headers: usageHeaders,
            content: { 'application/json': { schema: Type.Ref('UsageResponse#') } },
          },
          304: { description: 'The answer that you have is still true.', headers: usageHeaders, type: 'null' },
          ...problemResponses(400, 500, 502, 504),
        },
      },
    },
    async (request, reply) => {
      const answer = await currentUsage.read()
      reply.hijack()
      writeUsage(request.raw, reply.raw, answer, request.id)
    },
  )
  done()
}

const usageHeaders = {
  ETag: { type: 'string', description: 'Changes when the answer does.', examples: ['"p2Q0eJ1Y3Q7v0o7Zt0b9a1b2c3d"'] },
  Age: { type: 'integer', description: 'Seconds since the answer was last known to be true.', examples: [0] },
  'Cache-Status': {
    type: 'string',
    description: 'Where the answer came from (RFC 9211); `detail=stale` where the Copilot service fails.',
    examples: ['copilot-credits; hit'],
  },
  'Usage-Source': {
    type: 'string',
    description: 'Present where the answer is of the bundled sample period.',
    examples: ['bundled-sample'],
  },
} as const
