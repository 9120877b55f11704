/** `GET /usage`: what each message of the current billing period cost. */
import type { FastifyPluginCallback } from 'fastify'
import Type from 'typebox'
import type { ListingCache } from '#metering/listing-cache.ts'
import type { NotListed } from '#metering/queries.ts'
import type { Readings, UsageSource } from '#metering/readings.ts'
import type { RenderedUsage } from '#metering/renderings.ts'
import { isCurrent, type RangeQuery, rangeOf } from '#metering/usage-range.ts'
import { toDecimal } from '#model/credits.ts'
import type { Organization } from '#model/organization.ts'
import type { Callers } from '../caller.ts'
import { signalOfLeaving } from '../leaving.ts'
import { organizationQuery, rangeQuery } from '../schemas/common.ts'
import { problemResponses } from '../schemas/responses.ts'
import type { UsageNotes, WriteUsage } from '../usage-answer.ts'
import type { UsageBody } from '../usage-body.ts'

export type UsageRouteOptions = {
  readonly listingCache: ListingCache<UsageBody>
  readonly readings: Readings<UsageBody>
  readonly callers: Callers
  readonly writeUsage: WriteUsage
}

export const usageRoute: FastifyPluginCallback<UsageRouteOptions> = (app, options, done) => {
  const { listingCache, readings, callers, writeUsage } = options
  app.get<{ Querystring: RangeQuery & { readonly organization?: string } }>(
    '/usage',
    {
      onRequest: callers.may('usage:read'),
      schema: {
        operationId: 'getUsage',
        tags: ['Usage'],
        summary: 'What each message of a billing period cost',
        description:
          'One line for each message. Where `UPSTREAM_URL` is set, the current period of the organization `default` is what ' +
          'the Copilot service lists, in its order; every other answer is of the ledger, by time and id. The answer is whole and exact or it is an error: a ' +
          'message is never left out and a price never guessed. When the Copilot service fails, the last good answer is ' +
          'given for a limited time, marked by `Cache-Status` (`detail=stale`) and `Age`. ' +
          'Compressed with `br` or `gzip` for who asks with `Accept-Encoding`; a changed answer has another `ETag`.',
        querystring: Type.Object({ ...organizationQuery, ...rangeQuery }, { additionalProperties: false }),
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
            description: 'The usage of the period.',
            headers: usageHeaders,
            content: { 'application/json': { schema: Type.Ref('UsageResponse#') } },
          },
          304: { description: 'The answer that you have is still true.', headers: usageHeaders, type: 'null' },
          ...problemResponses(400, 401, 403, 404, 500, 502, 503, 504),
        },
      },
    },
    async (request, reply) => {
      const { organization } = await callers.identify(request)
      const { source } = await readings.situation(organization)
      // The ledger is not asked: the current period of a source is answered whether it can be written or not.
      const usage: RenderedUsage<UsageBody> & NotListed =
        isCurrent(request.query) && source !== 'ledger'
          ? await listingCache.read()
          : await readLedger(organization, request.query, signalOfLeaving(reply.raw))
      reply.hijack()
      writeUsage(request.raw, reply.raw, usage, request.id, notesOf(source, usage))
    },
  )
  done()

  async function readLedger(
    organization: Organization,
    query: RangeQuery,
    signal: AbortSignal,
  ): Promise<RenderedUsage<UsageBody> & NotListed> {
    const reading = await readings.byDate(organization)
    return reading.usage(rangeOf(reading, query), signal)
  }
}

const notesOf = (source: UsageSource, { notListed }: NotListed): UsageNotes => ({
  ...(source === 'bundled-sample' && { 'Usage-Source': source }),
  ...(notListed && {
    'Usage-Not-Listed': `messages=${notListed.messages}, credits=${toDecimal(notListed.credits)}`,
  }),
})

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
  'Usage-Not-Listed': {
    type: 'string',
    description:
      'Present in answers of the ledger if `UPSTREAM_URL` is set: the messages of the answer, within the listed days or the ' +
      'current period, that the Copilot service does not list, and what they cost.',
    examples: ['messages=1, credits=5.2'],
  },
} as const
