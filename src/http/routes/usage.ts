/** `GET /usage`: what each message of a billing period cost, in one response. */
import type { FastifyPluginCallbackTypebox } from '@fastify/type-provider-typebox'
import Type from 'typebox'
import type { NotListed } from '#answering/queries.ts'
import type { Readings, UsageSource } from '#answering/readings.ts'
import { isCurrent, type RangeQuery } from '#answering/usage-range.ts'
import type { ListingCache } from '#current-period/listing-cache.ts'
import type { RenderedUsage } from '#current-period/rendered-usage.ts'
import { toDecimal } from '#model/credits.ts'
import type { Organization } from '#model/organization.ts'
import type { Callers } from '../caller.ts'
import { signalOfLeaving } from '../leaving.ts'
import { rangeIn } from '../range.ts'
import { organizationQuery, rangeQuery, ref } from '../schemas/common.ts'
import { ifNoneMatch, problemResponses } from '../schemas/responses.ts'
import { UsageResponseSchema } from '../schemas/usage.ts'
import type { UsageNotes, WriteUsage } from '../usage-answer.ts'
import type { UsageBody } from '../usage-body.ts'

export type UsageRouteOptions = {
  readonly listingCache: ListingCache<UsageBody>
  readonly readings: Readings<UsageBody>
  readonly callers: Callers
  readonly writeUsage: WriteUsage
}

export const usageRoute: FastifyPluginCallbackTypebox<UsageRouteOptions> = (app, options, done) => {
  const { listingCache, readings, callers, writeUsage } = options
  app.get(
    '/usage',
    {
      onRequest: callers.may('usage:read'),
      schema: {
        operationId: 'getUsage',
        tags: ['Usage'],
        summary: 'Get the usage of a billing period',
        description:
          'Returns one line per charged message of a billing period or range (the current period by default) in a single response. If ' +
          '`UPSTREAM_URL` is set, the current period of the organization `default` is the listing of the Copilot service, in ' +
          'its order. Everything else comes from the ledger, ordered by time and id.\n\n' +
          'The response is complete and exact, or it is an error: it never omits a message or guesses a price. While the ' +
          'Copilot service fails, the last good response is served for up to `UPSTREAM_STALE_LIMIT` (5 minutes by default), ' +
          'and while the database fails, the rate cards read last price the listing for as long. Both are marked by `Cache-Status` (`detail=stale`) and `Age`.\n\n' +
          'Compressed with `br` or `gzip` if `Accept-Encoding` allows it. Supports `If-None-Match`. Requires the scope `usage:read`.',
        querystring: Type.Object({ ...organizationQuery, ...rangeQuery }, { additionalProperties: false }),
        headers: ifNoneMatch,
        response: {
          200: {
            description: 'The usage lines.',
            headers: usageHeaders,
            content: { 'application/json': { schema: ref(UsageResponseSchema) } },
          },
          304: { description: 'The usage has not changed.', headers: usageHeaders, type: 'null' },
          ...problemResponses(400, 401, 403, 404, 500, 502, 503, 504),
        },
      },
    },
    async (request, reply) => {
      const source = await readings.sourceOf(callers.meaning(request).id)
      // The current period of an upstream does not need the ledger, so it is answered even if the database is down.
      const usage: RenderedUsage<UsageBody> & NotListed =
        isCurrent(request.query) && source !== 'ledger'
          ? await listingCache.read()
          : await readLedger((await callers.identify(request)).organization, request.query, signalOfLeaving(reply.raw))
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
    return reading.usage(rangeIn(reading, query), signal)
  }
}

const notesOf = (source: UsageSource, { notListed }: NotListed): UsageNotes => ({
  ...(source === 'bundled-sample' && { 'Usage-Source': source }),
  ...(notListed && {
    'Usage-Not-Listed': `messages=${notListed.messages}, credits=${toDecimal(notListed.credits)}`,
  }),
})

const usageHeaders = {
  ETag: {
    type: 'string',
    description: 'Changes whenever the usage changes.',
    examples: ['"p2Q0eJ1Y3Q7v0o7Zt0b9a1b2c3d"'],
  },
  Age: { type: 'integer', description: 'Seconds since the usage was last confirmed.', examples: [0] },
  'Cache-Status': {
    type: 'string',
    description: 'Origin of the response (RFC 9211). `detail=stale` if the Copilot service or the database is failing.',
    examples: ['copilot-credits; hit'],
  },
  'Usage-Source': {
    type: 'string',
    description: 'Present only if the usage is the bundled sample period.',
    examples: ['bundled-sample'],
  },
  'Usage-Unpriced': {
    type: 'integer',
    description:
      'Number of messages that have no line because no rate card could price them. Present only if there are any. ' +
      '`GET /v1/usage?unpriced=true` lists them.',
    examples: [2],
  },
  'Usage-Not-Listed': {
    type: 'string',
    description:
      'Number and cost of the messages of this response, within the listed days or the current period, that the Copilot ' +
      'service does not list. Present only if `UPSTREAM_URL` is set and the usage comes from the ledger.',
    examples: ['messages=1, credits=5.2'],
  },
} as const
