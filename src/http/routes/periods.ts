/** `/v1/periods`: billing periods and their usage. */
import type { FastifyPluginCallbackTypebox } from '@fastify/type-provider-typebox'
import Type from 'typebox'
import type { PeriodTotals } from '#answering/queries.ts'
import { nameOfPeriod } from '#calendar/periods.ts'
import { canonicalTimestamp } from '#model/timestamp.ts'
import { toCursor } from '../cursor.ts'
import { entityTagsOf } from '../entity-tags.ts'
import { signalOfLeaving } from '../leaving.ts'
import { readLineCursor } from '../line-cursor.ts'
import { BY_DATE, type ReadingOptions, readingFor } from '../reading.ts'
import { CreditsSchema, limitQuery, organizationQuery, ref, TimestampSchema } from '../schemas/common.ts'
import { ifNoneMatch, problemResponses, taggedResponses } from '../schemas/responses.ts'
import {
  cursorQuery,
  messageCount,
  nextCursor,
  notListed,
  provenance,
  toProvenance,
  toSum,
  unpricedCount,
  version,
} from '../schemas/usage-fields.ts'

const periodFields = {
  name: Type.String({
    description:
      'Value of the query parameter `period` that selects this period: the month in which it starts, or its first day if an ' +
      'earlier period starts in the same month; `current` for the period that the Copilot service lists.',
    examples: ['2024-05'],
  }),
  start: TimestampSchema('Start of the period, inclusive.'),
  end: TimestampSchema('End of the period, exclusive.', '2024-06-01T00:00:00.000Z'),
  state: Type.Literal('open', {
    description: 'Always `open`: late messages are still charged to the period.',
    examples: ['open'],
  }),
  messages: messageCount,
  unpriced: unpricedCount,
  credits: CreditsSchema,
}

export const PeriodSchema = Type.Object(
  { ...periodFields, not_listed: notListed },
  { $id: 'Period', description: 'A billing period and its usage.' },
)

export const CurrentPeriodSchema = Type.Object(
  { version, ...periodFields, ...provenance },
  { $id: 'CurrentPeriod', description: 'The current billing period and its usage so far.' },
)

export const PeriodsSchema = Type.Object({
  version,
  periods: Type.Array(ref(PeriodSchema), { description: 'Billing periods, latest first.' }),
  next_cursor: nextCursor,
})

const PeriodsQuery = Type.Object(
  { ...organizationQuery, ...limitQuery(24, 1000), ...cursorQuery },
  { additionalProperties: false },
)

const CurrentQuery = Type.Object({ ...organizationQuery }, { additionalProperties: false })

export const periodRoutes: FastifyPluginCallbackTypebox<ReadingOptions> = (app, options, done) => {
  const { callers } = options

  app.get(
    '/v1/periods',
    {
      onRequest: callers.may('usage:read'),
      schema: {
        operationId: 'listPeriods',
        tags: ['Usage'],
        summary: 'List billing periods',
        description:
          'Returns billing periods with their usage, latest first, from the current one back to the one of the first message. ' +
          'Supports `If-None-Match`. Requires the scope `usage:read`.',
        querystring: PeriodsQuery,
        headers: ifNoneMatch,
        response: {
          ...taggedResponses('A page of billing periods.', PeriodsSchema),
          ...problemResponses(400, 401, 403, 404, 500, 503),
        },
      },
    },
    async (request, reply) => {
      const { organization, queries, time } = await readingFor(options, request, BY_DATE)
      const { limit = 24, cursor } = request.query
      const before = cursor === undefined ? undefined : readLineCursor('time', cursor).at
      const { tagOf, knows } = entityTagsOf(request, organization)
      const { version, answer } = await queries.periods(
        organization,
        { time, before, limit },
        { signal: signalOfLeaving(reply.raw), knows },
      )
      reply.header('etag', tagOf(version))
      if (answer === undefined) return reply.code(304).send(undefined)
      const last = answer.periods.at(-1)
      return {
        version,
        periods: answer.periods.map((each) => toPeriod(each, nameOfPeriod(organization.calendar, each))),
        ...(answer.hasMore && last !== undefined ? { next_cursor: toCursor([last.start, 0]) } : {}),
      }
    },
  )

  app.get(
    '/v1/periods/current',
    {
      onRequest: callers.may('usage:read'),
      schema: {
        operationId: 'getCurrentPeriod',
        tags: ['Usage'],
        summary: 'Get the current billing period',
        description:
          'Returns the current billing period and its usage so far. Supports `If-None-Match`. Requires the scope `usage:read`.',
        querystring: CurrentQuery,
        headers: ifNoneMatch,
        response: {
          ...taggedResponses('The current billing period.', ref(CurrentPeriodSchema)),
          ...problemResponses(400, 401, 403, 404, 500, 502, 503, 504),
        },
      },
    },
    async (request, reply) => {
      const { organization, queries, current } = await readingFor(options, request, { period: 'current' })
      const { tagOf, knows } = entityTagsOf(request, organization)
      const { version, answer } = await queries.period(organization, current, { knows })
      reply.header('etag', tagOf(version))
      if (answer === undefined) return reply.code(304).send(undefined)
      const name = answer.listing === undefined ? nameOfPeriod(organization.calendar, answer) : 'current'
      return { version, ...toPeriod(answer, name), ...toProvenance(answer) }
    },
  )

  done()
}

const toPeriod = ({ start, end, notListed, ...sum }: PeriodTotals, name: string) => ({
  name,
  start: canonicalTimestamp(start),
  end: canonicalTimestamp(end),
  state: 'open' as const,
  ...toSum(sum),
  ...(notListed && { not_listed: toSum(notListed) }),
})
