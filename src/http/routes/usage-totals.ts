/** `GET /v1/usage/totals`: messages and credits by hour, day, week or month. */
import type { FastifyPluginCallbackTypebox } from '@fastify/type-provider-typebox'
import Type from 'typebox'
import type { Bucket } from '#answering/queries.ts'
import type { BucketWidth } from '#calendar/buckets.ts'
import { entryAt } from '#calendar/periods.ts'
import { isTimeZone } from '#calendar/zones.ts'
import { DIMENSIONS, type Dimension } from '#model/cell.ts'
import { InvalidRequest } from '#model/errors.ts'
import type { EpochMs, Organization } from '#model/organization.ts'
import { canonicalTimestamp } from '#model/timestamp.ts'
import { isInstant, readCursor, toCursor } from '../cursor.ts'
import { entityTagsOf } from '../entity-tags.ts'
import { queryParameter } from '../fields.ts'
import { signalOfLeaving } from '../leaving.ts'
import { rangeIn } from '../range.ts'
import { type ReadingOptions, readingFor } from '../reading.ts'
import {
  CreditsSchema,
  GROUP_BY_PATTERN,
  oneOf,
  organizationQuery,
  rangeQuery,
  ref,
  TimestampSchema,
} from '../schemas/common.ts'
import { ifNoneMatch, problemResponses, taggedResponses } from '../schemas/responses.ts'
import {
  filterIn,
  filterQuery,
  groupDimensions,
  messageCount,
  provenance,
  toDimensions,
  toProvenance,
  toSum,
  unpricedCount,
  version,
} from '../schemas/usage-fields.ts'

export const BucketSchema = Type.Object(
  {
    start: TimestampSchema('Start of the bucket, inclusive.'),
    end: TimestampSchema('End of the bucket, exclusive.', '2024-05-02T00:00:00.000Z'),
    messages: messageCount,
    unpriced: unpricedCount,
    credits: CreditsSchema,
    groups: Type.Optional(
      Type.Array(
        Type.Object({
          ...groupDimensions,
          messages: messageCount,
          unpriced: unpricedCount,
          credits: CreditsSchema,
        }),
        { description: 'Only with `group_by`: the groups that have usage. They add up to the bucket.' },
      ),
    ),
  },
  { $id: 'Bucket', description: 'Messages and credits of one time bucket.' },
)

export const TotalsSchema = Type.Object(
  {
    version,
    time_zone: Type.String({ description: 'IANA time zone in which the buckets start.', examples: ['Europe/London'] }),
    buckets: Type.Array(ref(BucketSchema), { description: 'Consecutive buckets in ascending order, without gaps.' }),
    next_page: Type.Optional(
      Type.String({ description: 'The `page` of the next buckets. Absent on the last page.', examples: ['WzE3MTQ…'] }),
    ),
    ...provenance,
  },
  { $id: 'Totals', description: 'Messages and credits in consecutive time buckets.' },
)

const WIDTHS = ['hour', 'day', 'week', 'month', 'none'] as const satisfies readonly BucketWidth[]

const BUCKETS_BY_DEFAULT: Readonly<Record<BucketWidth, number>> = { hour: 168, day: 62, week: 53, month: 24, none: 1 }

const TotalsQuery = Type.Object(
  {
    ...organizationQuery,
    ...rangeQuery,
    ...filterQuery,
    bucket: Type.Optional(
      oneOf(WIDTHS, {
        description: 'Width of a bucket; `day` by default. `none` returns a single bucket.',
        examples: ['day'],
      }),
    ),
    group_by: Type.Optional(
      Type.String({
        pattern: GROUP_BY_PATTERN,
        description: `Splits each bucket by one or more of \`${DIMENSIONS.join('`, `')}\`, separated by commas.`,
        examples: ['report,member'],
      }),
    ),
    time_zone: Type.Optional(
      Type.String({
        maxLength: 100,
        description: "IANA time zone in which buckets start. Defaults to the organization's.",
        examples: ['Europe/London'],
      }),
    ),
    limit: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: 1000,
        description:
          'Maximum number of buckets per page. Defaults to 168 for `hour`, 62 for `day`, 53 for `week`, 24 for `month`.',
        examples: [31],
      }),
    ),
    page: Type.Optional(
      Type.String({ maxLength: 1000, description: '`next_page` of the previous page.', examples: ['WzE3MTQ…'] }),
    ),
  },
  { additionalProperties: false },
)

export const usageTotalsRoutes: FastifyPluginCallbackTypebox<ReadingOptions> = (app, options, done) => {
  const { callers } = options

  app.get(
    '/v1/usage/totals',
    {
      onRequest: callers.may('usage:read'),
      schema: {
        operationId: 'getTotals',
        tags: ['Usage'],
        summary: 'Get usage totals',
        description:
          'Returns messages and credits of a billing period or range (the current period by default) by hour, day, week or ' +
          'month. Buckets are consecutive, include empty ones, and are cut at the start and end of the range.\n\n' +
          "Days, weeks and months in the organization's time zone come from stored totals. Hours and other time zones are " +
          'summed from the individual messages, which takes longer. Supports `If-None-Match`. Requires the scope `usage:read`.',
        querystring: TotalsQuery,
        headers: ifNoneMatch,
        response: {
          ...taggedResponses('The totals.', ref(TotalsSchema)),
          ...problemResponses(400, 401, 403, 404, 500, 502, 503, 504),
        },
      },
    },
    async (request, reply) => {
      const { bucket: width = 'day', group_by: groupBy, limit = BUCKETS_BY_DEFAULT[width], page } = request.query
      const reading = await readingFor(options, request, request.query)
      const { organization, queries } = reading
      const range = rangeIn(reading, request.query)
      const timeZone = request.query.time_zone ?? zoneAt(organization, range.from)
      if (!isTimeZone(timeZone)) {
        throw new InvalidRequest(queryParameter('time_zone'), 'an IANA time zone, such as Europe/London')
      }
      const group = (groupBy?.split(',') ?? []) as readonly Dimension[]
      const { tagOf, knows } = entityTagsOf(request, organization)
      const { version, answer } = await queries.totals(
        organization,
        {
          ...range,
          ...(page !== undefined && { start: startIn(page, range) }),
          width,
          timeZone,
          group,
          ...filterIn(request.query),
          limit,
        },
        { signal: signalOfLeaving(reply.raw), knows },
      )
      reply.header('etag', tagOf(version))
      if (answer === undefined) return reply.code(304).send(undefined)
      return {
        version,
        time_zone: timeZone,
        buckets: answer.buckets.map((each) => toBucket(each, group)),
        ...(answer.next === undefined ? {} : { next_page: toCursor([answer.next]) }),
        ...toProvenance(answer),
      }
    },
  )

  done()
}

/** The organization's time zone at the start of a range. */
const zoneAt = ({ calendar }: Organization, at: EpochMs): string => entryAt(calendar, at).entry.timeZone

const startIn = (page: string, { from, to }: { readonly from: EpochMs; readonly to: EpochMs }): EpochMs => {
  const [at, ...more] = readCursor(page) ?? []
  if (!isInstant(at) || at < from || at >= to || more.length > 0) {
    throw new InvalidRequest(queryParameter('page'), 'a next_page from a previous page of the same query, unchanged')
  }
  return at
}

const toBucket = ({ from, to, groups, ...sum }: Bucket, group: readonly Dimension[]) => ({
  start: canonicalTimestamp(from),
  end: canonicalTimestamp(to),
  ...toSum(sum),
  ...(group.length === 0
    ? {}
    : {
        groups: groups.map((each) => ({
          ...toDimensions(each),
          ...toSum(each),
        })),
      }),
})
