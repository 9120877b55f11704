/** `GET /v1/usage`: usage lines, in pages. */
import type { FastifyPluginCallbackTypebox } from '@fastify/type-provider-typebox'
import Type from 'typebox'
import type { ExplainedLine } from '#answering/explaining.ts'
import { plainNumber } from '#model/credits.ts'
import { entityTagsOf } from '../entity-tags.ts'
import { signalOfLeaving } from '../leaving.ts'
import { ORDER_NAMES, ORDERS, readLineCursor, toLineCursor } from '../line-cursor.ts'
import { rangeIn } from '../range.ts'
import { type ReadingOptions, readingFor } from '../reading.ts'
import { creditsSchema, limitQuery, oneOf, organizationQuery, rangeQuery, ref } from '../schemas/common.ts'
import { ifNoneMatch, problemResponses, taggedResponses } from '../schemas/responses.ts'
import { MessageIdSchema } from '../schemas/usage.ts'
import {
  cursorQuery,
  dimensions,
  filterIn,
  filterQuery,
  nextCursor,
  provenance,
  rateCard,
  receivedTimestamp,
  toDimensions,
  toProvenance,
  unpricedReason,
  version,
} from '../schemas/usage-fields.ts'

export const DetailedUsageLineSchema = Type.Object(
  {
    message_id: MessageIdSchema,
    timestamp: receivedTimestamp,
    ...dimensions,
    credits_used: Type.Optional(
      creditsSchema(
        'What the message cost, in credits: an exact decimal with at most six decimal places. Absent if it has no price.',
      ),
    ),
    unpriced: unpricedReason,
    rate_card: rateCard,
  },
  { $id: 'DetailedUsageLine', description: 'What one message cost, with its dimensions.' },
)

export const UsagePageSchema = Type.Object(
  {
    version,
    usage: Type.Array(ref(DetailedUsageLineSchema), {
      description: 'Usage lines, by time and id unless `order` says otherwise.',
    }),
    unpriced: Type.Optional(
      Type.Integer({
        minimum: 1,
        description: 'How many lines of this page have no price. Absent if none.',
        examples: [1],
      }),
    ),
    next_cursor: nextCursor,
    ...provenance,
  },
  { $id: 'UsagePage', description: 'A page of usage lines.' },
)

const LinesQuery = Type.Object(
  {
    ...organizationQuery,
    ...rangeQuery,
    ...filterQuery,
    unpriced: Type.Optional(
      Type.Literal('true', { description: 'Only messages without a price.', examples: ['true'] }),
    ),
    order: Type.Optional(
      oneOf(ORDER_NAMES, {
        default: 'time',
        description:
          'Order of the lines; a leading `-` reverses it. Equal ones come in order of time, then of id, and lines without a ' +
          'member, report or price last. By time, a page takes about a millisecond; any other order looks at every line of the range.',
        examples: ['-credits'],
      }),
    ),
    ...limitQuery(100, 10_000),
    ...cursorQuery,
  },
  { additionalProperties: false },
)

export const usageLineRoutes: FastifyPluginCallbackTypebox<ReadingOptions> = (app, options, done) => {
  const { callers } = options

  app.get(
    '/v1/usage',
    {
      onRequest: callers.may('usage:read'),
      schema: {
        operationId: 'listUsage',
        tags: ['Usage'],
        summary: 'List usage lines',
        description:
          'Returns the usage lines of a billing period or range (the current period by default) in pages, ordered by time, ' +
          'then by id (integers before strings), unless `order` says otherwise. A cursor stays valid while messages are ' +
          'added. Supports `If-None-Match`. Requires the scope `usage:read`.',
        querystring: LinesQuery,
        headers: ifNoneMatch,
        response: {
          ...taggedResponses('A page of usage lines.', ref(UsagePageSchema)),
          ...problemResponses(400, 401, 403, 404, 500, 502, 503, 504),
        },
      },
    },
    async (request, reply) => {
      const { limit = 100, cursor, order = 'time', unpriced } = request.query
      const reading = await readingFor(options, request, request.query)
      const { organization, queries } = reading
      const after = cursor === undefined ? undefined : readLineCursor(order, cursor)
      const { tagOf, knows } = entityTagsOf(request, organization)
      const { version, answer } = await queries.page(
        organization,
        {
          ...rangeIn(reading, request.query),
          order: ORDERS[order],
          limit,
          ...filterIn(request.query),
          ...(unpriced !== undefined && { unpriced: true }),
          ...(after !== undefined && { after }),
        },
        { signal: signalOfLeaving(reply.raw), knows },
      )
      reply.header('etag', tagOf(version))
      if (answer === undefined) return reply.code(304).send(undefined)
      const last = answer.lines.at(-1)
      const without = answer.lines.filter(({ credits }) => credits === undefined).length
      return {
        version,
        usage: answer.lines.map(toLine),
        ...(without > 0 && { unpriced: without }),
        ...(answer.hasMore && last !== undefined ? { next_cursor: toLineCursor(order, last) } : {}),
        ...toProvenance(answer),
      }
    },
  )

  done()
}

const toLine = (line: ExplainedLine) => ({
  message_id: line.messageId,
  timestamp: line.timestamp,
  ...toDimensions(line.cell),
  ...(line.credits !== undefined && { credits_used: plainNumber(line.credits) }),
  ...(line.unpriced !== undefined && { unpriced: line.unpriced }),
  rate_card: line.cell.rateCard,
})
