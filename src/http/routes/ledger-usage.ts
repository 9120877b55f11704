/** `/v1/usage`, `/v1/periods` and `/v1/messages/:id`: usage lines, totals, billing periods and charges. */
import type { FastifyPluginCallbackTypebox } from '@fastify/type-provider-typebox'
import type { FastifyRequest } from 'fastify'
import Type from 'typebox'
import {
  type Bucket,
  changesBetween,
  type ExplainedCharge,
  type NotListed,
  type PeriodTotals,
} from '#answering/queries.ts'
import type { Reading, Readings } from '#answering/readings.ts'
import { isCurrent, type RangeQuery } from '#answering/usage-range.ts'
import type { BucketWidth } from '#calendar/buckets.ts'
import { entryAt, nameOfPeriod, periodAt } from '#calendar/periods.ts'
import { isTimeZone } from '#calendar/zones.ts'
import type { UsageSum } from '#current-period/listing.ts'
import { isId } from '#intake/incoming-message.ts'
import type { GroupField, GroupTotal, PagePosition, Range } from '#ledger/ledger.ts'
import type { ChargeLine } from '#model/charge.ts'
import { plainNumber } from '#model/credits.ts'
import { InvalidRequest, NotFound } from '#model/errors.ts'
import { toMeasurementResponse } from '#model/measurement.ts'
import type { EpochMs, Organization } from '#model/organization.ts'
import { type Id, parseId } from '#model/report.ts'
import { canonicalTimestamp } from '#model/timestamp.ts'
import type { RecordedLine } from '#model/usage-record.ts'
import { RULES } from '#rating/rules.ts'
import type { Callers } from '../caller.ts'
import { isInstant, readCursor, toCursor } from '../cursor.ts'
import { pathParameter, queryParameter } from '../fields.ts'
import { signalOfLeaving } from '../leaving.ts'
import { rangeIn } from '../range.ts'
import { GROUP_BY_PATTERN, limitQuery, oneOf, organizationQuery, rangeQuery, ref } from '../schemas/common.ts'
import {
  ChargesSchema,
  CurrentPeriodSchema,
  PeriodsSchema,
  TotalsSchema,
  UsagePageSchema,
} from '../schemas/ledger-usage.ts'
import { problemResponses } from '../schemas/responses.ts'

export type LedgerUsageOptions = {
  readonly callers: Callers
  readonly readings: Readings<unknown>
}

const cursorQuery = {
  cursor: Type.Optional(
    Type.String({ maxLength: 1000, description: '`next_cursor` of the previous page.', examples: ['WzE3MTQ…'] }),
  ),
}

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

const WIDTHS = ['hour', 'day', 'week', 'month', 'none'] as const satisfies readonly BucketWidth[]
const BUCKETS_BY_DEFAULT: Readonly<Record<BucketWidth, number>> = { hour: 168, day: 62, week: 53, month: 24, none: 1 }

const TotalsQuerySchema = Type.Object(
  {
    ...organizationQuery,
    ...rangeQuery,
    bucket: Type.Optional(
      oneOf(WIDTHS, {
        description: 'Width of a bucket; `day` by default. `none` returns a single bucket.',
        examples: ['day'],
      }),
    ),
    group_by: Type.Optional(
      Type.String({
        pattern: GROUP_BY_PATTERN,
        description: 'Splits each bucket by `report`, by `member`, or by both, separated by a comma.',
        examples: ['report'],
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

const PeriodsQuery = Type.Object(
  { ...organizationQuery, ...limitQuery(24, 1000), ...cursorQuery },
  { additionalProperties: false },
)
const OrganizationQuery = Type.Object({ ...organizationQuery }, { additionalProperties: false })
const ChargeQuery = Type.Object(
  {
    ...organizationQuery,
    id_type: Type.Optional(
      Type.Union([Type.Literal('integer'), Type.Literal('string')], {
        description:
          'Whether the id is an integer or a string, to tell `1000` from `"1000"`. By default the integer if such a message ' +
          'exists, otherwise the string.',
        examples: ['integer'],
      }),
    ),
  },
  { additionalProperties: false },
)
const ChargePath = Type.Object({
  id: Type.String({ minLength: 1, maxLength: 800, description: 'Id of the message.', examples: ['1000'] }),
})

export const ledgerUsageRoutes: FastifyPluginCallbackTypebox<LedgerUsageOptions> = (app, options, done) => {
  const { callers, readings } = options

  const readingFor = async (request: FastifyRequest, query: RangeQuery): Promise<Reading<unknown>> => {
    const { organization } = await callers.identify(request)
    return isCurrent(query) ? readings.ofCurrent(organization) : readings.byDate(organization)
  }

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
      const reading = await readingFor(request, request.query)
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
          'summed from the individual messages, which takes longer. Requires the scope `usage:read`.',
        querystring: TotalsQuerySchema,
        response: {
          200: { description: 'The totals.', content: { 'application/json': { schema: ref(TotalsSchema) } } },
          ...problemResponses(400, 401, 403, 404, 500, 502, 503, 504),
        },
      },
    },
    async (request, reply) => {
      const { bucket: width = 'day', group_by: groupBy, limit = BUCKETS_BY_DEFAULT[width], page } = request.query
      const reading = await readingFor(request, request.query)
      const { organization, queries } = reading
      const range = rangeIn(reading, request.query)
      const timeZone = request.query.time_zone ?? zoneAt(organization, range.from)
      if (!isTimeZone(timeZone)) {
        throw new InvalidRequest(queryParameter('time_zone'), 'an IANA time zone, such as Europe/London')
      }
      const group = (groupBy?.split(',') ?? []) as readonly GroupField[]
      const { buckets, next, ...beside } = await queries.totals(
        organization,
        {
          ...range,
          ...(page !== undefined && { start: startIn(page, range) }),
          width,
          timeZone,
          group,
          limit,
        },
        signalOfLeaving(reply.raw),
      )
      return {
        time_zone: timeZone,
        buckets: buckets.map((each) => toBucket(each, group)),
        ...(next === undefined ? {} : { next_page: toCursor([next]) }),
        ...toProvenance(reading, range, beside),
      }
    },
  )

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
          'Requires the scope `usage:read`.',
        querystring: PeriodsQuery,
        response: {
          200: {
            description: 'A page of billing periods.',
            content: { 'application/json': { schema: PeriodsSchema } },
          },
          ...problemResponses(400, 401, 403, 404, 500, 503),
        },
      },
    },
    async (request, reply) => {
      const { organization, queries, time } = await readingFor(request, BY_DATE)
      const { limit = 24, cursor } = request.query
      const before = cursor === undefined ? undefined : (positionIn(cursor).at as EpochMs)
      const { periods, hasMore } = await queries.periods(
        organization,
        { time, before, limit },
        signalOfLeaving(reply.raw),
      )
      const last = periods.at(-1)
      return {
        periods: periods.map((each) => toPeriod(each, nameOfPeriod(organization.calendar, each))),
        ...(hasMore && last !== undefined ? { next_cursor: toCursor([last.start, 0]) } : {}),
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
        description: 'Returns the current billing period and its usage so far. Requires the scope `usage:read`.',
        querystring: OrganizationQuery,
        response: {
          200: {
            description: 'The current billing period.',
            content: { 'application/json': { schema: ref(CurrentPeriodSchema) } },
          },
          ...problemResponses(400, 401, 403, 404, 500, 502, 503, 504),
        },
      },
    },
    async (request) => {
      const reading = await readingFor(request, { period: 'current' })
      const { organization, queries, current, listing } = reading
      const usage = await queries.period(organization, current)
      const name = listing === undefined ? nameOfPeriod(organization.calendar, usage) : 'current'
      return { ...toPeriod(usage, name), ...toProvenance(reading, current, {}) }
    },
  )

  app.get(
    '/v1/messages/:id',
    {
      onRequest: callers.may('usage:read'),
      schema: {
        operationId: 'getMessageCharges',
        tags: ['Messages'],
        summary: 'Explain what a message cost',
        description:
          'Returns every charge of the message, the one in effect first, with one line per pricing rule. Requires the scope ' +
          '`usage:read`.',
        params: ChargePath,
        querystring: ChargeQuery,
        response: {
          200: {
            description: 'The charges of the message.',
            content: { 'application/json': { schema: ref(ChargesSchema) } },
          },
          ...problemResponses(400, 401, 403, 404, 500, 503),
        },
      },
    },
    async (request) => {
      const { organization, queries } = await readingFor(request, BY_DATE)
      const { id } = request.params
      for (const messageId of idsIn(id, request.query.id_type)) {
        const charges = await queries.charges(organization, messageId)
        if (charges.length > 0) return toCharges(messageId, charges, organization)
      }
      throw new NotFound(`There is no message ${JSON.stringify(id.slice(0, 200))}.`)
    },
  )

  done()
}

/** Selects the ledger: any period but `current` does. */
const BY_DATE: RangeQuery = { period: 'previous' }

/** Where the data comes from, with an upstream: its listing, or the ledger and what that has beyond the listing. */
const toProvenance = ({ listing, gapIn }: Reading<unknown>, range: Range, { notListed }: NotListed) => {
  const gap = gapIn?.(range)
  return {
    ...(listing && { listing: { as_of: canonicalTimestamp(listing.asOf), stale: listing.isStale } }),
    ...(notListed && { not_listed: toSum(notListed) }),
    ...(gap && { not_recorded: toSum(gap) }),
  }
}

const toSum = ({ messages, credits }: UsageSum) => ({ messages, credits: plainNumber(credits) })

/** The organization's time zone at the start of a range. */
const zoneAt = ({ calendar }: Organization, at: EpochMs): string => entryAt(calendar, at).entry.timeZone

const idsIn = (text: string, type: 'integer' | 'string' | undefined): readonly Id[] => {
  const id = parseId(text)
  if (type === 'integer') {
    if (typeof id !== 'number') throw new InvalidRequest(pathParameter('id'), 'an integer, because id_type is integer')
    return [id]
  }
  if (!isId(text)) throw new InvalidRequest(pathParameter('id'), 'a message id of 1 to 200 characters')
  return typeof id === 'number' && type === undefined ? [id, text] : [text]
}

const positionIn = (cursor: string): PagePosition => {
  const [at, messageId, ...more] = readCursor(cursor) ?? []
  if (!isInstant(at) || !isId(messageId) || more.length > 0) {
    throw new InvalidRequest(queryParameter('cursor'), 'a next_cursor from a previous page, unchanged')
  }
  return { at, messageId }
}

const startIn = (page: string, { from, to }: { readonly from: EpochMs; readonly to: EpochMs }): EpochMs => {
  const [at, ...more] = readCursor(page) ?? []
  if (!isInstant(at) || at < from || at >= to || more.length > 0) {
    throw new InvalidRequest(queryParameter('page'), 'a next_page from a previous page of the same query, unchanged')
  }
  return at
}

const reportAndMember = ({ reportId, reportName, member }: Pick<GroupTotal, 'reportId' | 'reportName' | 'member'>) => ({
  ...(reportId === undefined ? {} : { report_id: reportId }),
  ...(reportName === undefined ? {} : { report_name: reportName }),
  ...(member === undefined ? {} : { user_id: member }),
})

const toLine = (line: RecordedLine) => ({
  message_id: line.messageId,
  timestamp: line.timestamp,
  ...reportAndMember(line),
  credits_used: plainNumber(line.credits),
  rate_card: line.rateCard,
})

const toBucket = ({ from, to, messages, credits, groups }: Bucket, group: readonly GroupField[]) => ({
  start: canonicalTimestamp(from),
  end: canonicalTimestamp(to),
  messages,
  credits: plainNumber(credits),
  ...(group.length === 0
    ? {}
    : {
        groups: groups.map((each) => ({
          ...reportAndMember(each),
          messages: each.messages,
          credits: plainNumber(each.credits),
        })),
      }),
})

const toPeriod = ({ start, end, messages, credits, notListed }: PeriodTotals, name: string) => ({
  name,
  start: canonicalTimestamp(start),
  end: canonicalTimestamp(end),
  state: 'open' as const,
  messages,
  credits: plainNumber(credits),
  ...(notListed && { not_listed: toSum(notListed) }),
})

const toCharges = (messageId: Id, charges: readonly ExplainedCharge[], { calendar }: Organization) => ({
  message_id: messageId,
  charges: charges.map(({ stored, charge, measurement }, index) => {
    const period = periodAt(calendar, stored.at)
    const next = charges[index - 1]?.stored
    return {
      state: stored.supersededBy === undefined ? ('charged' as const) : ('superseded' as const),
      revision: stored.revision,
      ...(stored.supersededBy === undefined || next === undefined
        ? {}
        : { superseded_by: stored.supersededBy, changed: [...changesBetween(stored, next)] }),
      timestamp: stored.timestamp,
      ...reportAndMember(stored),
      credits: plainNumber(stored.credits),
      lines: charge.lines.map(toChargeLine),
      rate_card: stored.rateCard,
      measurement: toMeasurementResponse(measurement),
      period: { start: canonicalTimestamp(period.start), end: canonicalTimestamp(period.end) },
      recorded: canonicalTimestamp(stored.recordedAt),
    }
  }),
})

const toChargeLine = ({ rule, quantity, rate, credits, band }: ChargeLine) => ({
  rule,
  ...(band && { band }),
  quantity,
  rate: plainNumber(rate),
  credits: plainNumber(credits),
  why: RULES[rule].why,
})
