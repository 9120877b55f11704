/** `GET /v1/usage`: usage lines, in pages. */
import type { FastifyPluginCallbackTypebox } from '@fastify/type-provider-typebox'
import Type from 'typebox'
import { plainNumber } from '#model/credits.ts'
import type { RecordedLine } from '#model/usage-record.ts'
import { positionIn, toCursor } from '../cursor.ts'
import { signalOfLeaving } from '../leaving.ts'
import { rangeIn } from '../range.ts'
import { type ReadingOptions, readingFor } from '../reading.ts'
import { creditsSchema, limitQuery, organizationQuery, rangeQuery, ref } from '../schemas/common.ts'
import { problemResponses } from '../schemas/responses.ts'
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
    usage: Type.Array(ref(DetailedUsageLineSchema), { description: 'Usage lines, by time and id.' }),
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
          'then by id (integers before strings). A cursor stays valid while messages are added. Requires the scope `usage:read`.',
        querystring: LinesQuery,
        response: {
          200: {
            description: 'A page of usage lines.',
            content: { 'application/json': { schema: ref(UsagePageSchema) } },
          },
          ...problemResponses(400, 401, 403, 404, 500, 502, 503, 504),
        },
      },
    },
    async (request, reply) => {
      const { limit = 100, cursor, user_id: member, report_id: reportId } = request.query
      const reading = await readingFor(options, request, request.query)
      const after = cursor === undefined ? undefined : positionIn(cursor)
      const range = rangeIn(reading, request.query)
      const { lines, hasMore, ...beside } = await reading.queries.page(
        reading.organization,
        {
          ...range,
          limit,
          ...(member !== undefined && { member }),
          ...(reportId !== undefined && { reportId }),
          ...(after !== undefined && { after }),
        },
        signalOfLeaving(reply.raw),
      )
      const last = lines.at(-1)
      return {
        usage: lines.map(toLine),
        ...(hasMore && last !== undefined ? { next_cursor: toCursor([last.at, last.messageId]) } : {}),
        ...toProvenance(reading, range, beside),
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
