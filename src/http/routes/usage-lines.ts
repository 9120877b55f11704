/** `GET /v1/usage`: usage lines, in pages. */
import type { FastifyPluginCallbackTypebox } from '@fastify/type-provider-typebox'
import Type from 'typebox'
import { plainNumber } from '#model/credits.ts'
import type { RecordedLine } from '#model/usage-record.ts'
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
  nextCursor,
  provenance,
  rateCard,
  receivedTimestamp,
  reportAndMember,
  toProvenance,
  toReportAndMember,
  version,
} from '../schemas/usage-fields.ts'

export const DetailedUsageLineSchema = Type.Object(
  {
    message_id: MessageIdSchema,
    timestamp: receivedTimestamp,
    ...reportAndMember,
    credits_used: creditsSchema('What the message cost, in credits: an exact decimal with at most six decimal places.'),
    rate_card: rateCard,
  },
  { $id: 'DetailedUsageLine', description: 'What one message cost, with its report, member and rate card.' },
)

export const UsagePageSchema = Type.Object(
  {
    version,
    usage: Type.Array(ref(DetailedUsageLineSchema), {
      description: 'Usage lines, by time and id unless `order` says otherwise.',
    }),
    next_cursor: nextCursor,
    ...provenance,
  },
  { $id: 'UsagePage', description: 'A page of usage lines.' },
)

const LinesQuery = Type.Object(
  {
    ...organizationQuery,
    ...rangeQuery,
    user_id: Type.Optional(
      Type.String({ minLength: 1, maxLength: 200, description: 'Only lines of this member.', examples: ['ada'] }),
    ),
    report_id: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: 200,
        description: 'Only lines that this report priced.',
        examples: ['5392'],
      }),
    ),
    order: Type.Optional(
      oneOf(ORDER_NAMES, {
        default: 'time',
        description:
          'Order of the lines; a leading `-` reverses it. Equal ones come in order of time, then of id, and lines without a ' +
          'member or report last. By time, a page takes about a millisecond; any other order looks at every line of the range.',
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
      const { limit = 100, cursor, user_id: member, report_id: reportId, order = 'time' } = request.query
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
          ...(member !== undefined && { member }),
          ...(reportId !== undefined && { reportId }),
          ...(after !== undefined && { after }),
        },
        { signal: signalOfLeaving(reply.raw), knows },
      )
      reply.header('etag', tagOf(version))
      if (answer === undefined) return reply.code(304).send(undefined)
      const last = answer.lines.at(-1)
      return {
        version,
        usage: answer.lines.map(toLine),
        ...(answer.hasMore && last !== undefined ? { next_cursor: toLineCursor(order, last) } : {}),
        ...toProvenance(answer),
      }
    },
  )

  done()
}

const toLine = (line: RecordedLine) => ({
  message_id: line.messageId,
  timestamp: line.timestamp,
  ...toReportAndMember(line.cell),
  credits_used: plainNumber(line.credits),
  rate_card: line.cell.rateCard,
})
