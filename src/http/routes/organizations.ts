/** `/v1/organizations`: the customers that are billed. */
import type { FastifyPluginCallbackTypebox } from '@fastify/type-provider-typebox'
import Type from 'typebox'
import type { OrganizationUsage, UsageOfOrganizations } from '#answering/organization-usage.ts'
import { entryAt, nameOfPeriod } from '#calendar/periods.ts'
import { isTimeZone } from '#calendar/zones.ts'
import type { Organizations } from '#identity/organizations.ts'
import { Conflict, InvalidRequest, NotFound } from '#model/errors.ts'
import type { BillingCalendar, CalendarEntry, EpochMs, Organization } from '#model/organization.ts'
import { canonicalTimestamp } from '#model/timestamp.ts'
import type { Callers } from '../caller.ts'
import { queryParameter } from '../fields.ts'
import { CreditsSchema, isSlug, limitQuery, OrganizationIdSchema, ref, TimestampSchema } from '../schemas/common.ts'
import { problemResponses } from '../schemas/responses.ts'
import { messageCount, toSum, unpricedCount } from '../schemas/usage-fields.ts'

export type OrganizationRoutesOptions = {
  readonly organizations: Organizations
  readonly usageOfOrganizations: UsageOfOrganizations
  readonly callers: Callers
  readonly clock: () => EpochMs
}

const nameSchema = Type.String({
  minLength: 1,
  maxLength: 200,
  description: 'Display name.',
  examples: ['Acme Ltd'],
})
const timeZoneSchema = Type.String({
  minLength: 1,
  maxLength: 100,
  description: 'IANA time zone in which days and billing periods start.',
  examples: ['Europe/London'],
})
const anchorSchema = Type.Integer({
  minimum: 1,
  maximum: 31,
  description: 'Day of the month on which billing periods start. Shorter months use their last day.',
  examples: [1],
})

export const OrganizationSchema = Type.Object(
  {
    id: OrganizationIdSchema,
    name: nameSchema,
    time_zone: timeZoneSchema,
    billing_anchor_day: anchorSchema,
    created: TimestampSchema('When the organization was created.'),
    pending: Type.Optional(
      Type.Object(
        {
          effective_from: TimestampSchema('Start of the first billing period with these settings.'),
          time_zone: timeZoneSchema,
          billing_anchor_day: anchorSchema,
        },
        { description: 'Settings that take effect at a later billing period. Absent if no change is pending.' },
      ),
    ),
  },
  { $id: 'Organization', description: 'A customer that is billed.' },
)

const sum = { messages: messageCount, unpriced: unpricedCount, credits: CreditsSchema }
const periodFields = {
  name: Type.String({ description: 'Name of the period, as the query parameter `period`.', examples: ['2024-05'] }),
  start: TimestampSchema('Start of the period, inclusive.'),
  end: TimestampSchema('End of the period, exclusive.', '2024-06-01T00:00:00.000Z'),
  ...sum,
}

export const ListedOrganizationSchema = Type.Object(
  {
    ...OrganizationSchema.properties,
    usage: Type.Optional(
      Type.Object(
        {
          current: Type.Object(periodFields, { description: 'The current billing period and its usage so far.' }),
          previous: Type.Object(
            {
              ...periodFields,
              to_date: Type.Object(sum, {
                description:
                  'Usage up to the end of the day that was as far into the period as today is into the current one: what the ' +
                  'current usage is to be compared with.',
              }),
            },
            { description: 'The billing period before it.' },
          ),
        },
        {
          description:
            'What the ledger has of the current billing period and the one before. Present only with `include=usage`.',
        },
      ),
    ),
    keys: Type.Optional(
      Type.Integer({
        minimum: 0,
        description: 'How many API keys it has that are not revoked. Present only with `include=usage`.',
        examples: [2],
      }),
    ),
    latest_message: Type.Optional(
      TimestampSchema(
        'When its latest message was sent; if that is an adjustment, when it counts. Present only with `include=usage`, and only ' +
          'if there is a message.',
      ),
    ),
  },
  { $id: 'ListedOrganization', description: 'An organization, with its usage if that was asked for.' },
)

const NewSchema = Type.Object(
  {
    id: OrganizationIdSchema,
    name: Type.Optional(nameSchema),
    time_zone: Type.Optional(timeZoneSchema),
    billing_anchor_day: Type.Optional(anchorSchema),
  },
  { additionalProperties: false },
)

const ChangeSchema = Type.Object(
  {
    name: Type.Optional(nameSchema),
    time_zone: Type.Optional(timeZoneSchema),
    billing_anchor_day: Type.Optional(anchorSchema),
  },
  { additionalProperties: false },
)

const pathSchema = Type.Object({ id: Type.String({ description: 'Id of the organization.', examples: ['acme'] }) })

const ListQuery = Type.Object(
  {
    ...limitQuery(100, 1000),
    cursor: Type.Optional(Type.String({ description: '`next_cursor` of the previous page.', examples: ['acme'] })),
    include: Type.Optional(
      Type.Literal('usage', {
        description:
          'With the usage of the current billing period and of the one before, the number of keys and the time of the latest message.',
        examples: ['usage'],
      }),
    ),
  },
  { additionalProperties: false },
)

export const organizationRoutes: FastifyPluginCallbackTypebox<OrganizationRoutesOptions> = (app, options, done) => {
  const { organizations, usageOfOrganizations, callers, clock } = options
  const tags = ['Organizations']
  const answers = (description: string) => ({
    200: { description, content: { 'application/json': { schema: ref(OrganizationSchema) } } },
  })

  app.post(
    '/v1/organizations',
    {
      onRequest: callers.mayOperate,
      schema: {
        operationId: 'createOrganization',
        tags,
        summary: 'Create an organization',
        description:
          'The name defaults to the id, the time zone to UTC and the billing anchor day to 1. Requires an operator key (scope ' +
          '`admin` on the organization `default`).',
        body: NewSchema,
        response: {
          201: {
            description: 'The organization was created.',
            content: { 'application/json': { schema: ref(OrganizationSchema) } },
          },
          ...problemResponses(400, 401, 403, 409, 413, 415, 500, 503),
        },
      },
    },
    async (request, reply) => {
      await callers.identify(request)
      const { id, name = id, time_zone: timeZone = 'UTC', billing_anchor_day: anchorDay = 1 } = request.body
      checkTimeZone(timeZone)
      const created = await organizations.create({ id, name, timeZone, anchorDay })
      if (created === undefined) throw new Conflict(`The organization "${id}" already exists.`)
      return reply.code(201).header('location', `/v1/organizations/${id}`).send(toOrganization(created, clock()))
    },
  )

  app.get(
    '/v1/organizations',
    {
      onRequest: callers.may('usage:read'),
      schema: {
        operationId: 'listOrganizations',
        tags,
        summary: 'List organizations',
        description:
          "Returns all organizations, ordered by id, for an operator key; otherwise only the key's own. With `include=usage`, each " +
          'has its usage; what the Copilot service lists is part of it once it is recorded. Requires the scope `usage:read`.',
        querystring: ListQuery,
        response: {
          200: {
            description: 'A page of organizations.',
            content: {
              'application/json': {
                schema: Type.Object({
                  organizations: Type.Array(ref(ListedOrganizationSchema), {
                    description: 'Organizations, ordered by id.',
                  }),
                  next_cursor: Type.Optional(
                    Type.String({
                      description: 'The `cursor` of the next page. Absent on the last page.',
                      examples: ['acme'],
                    }),
                  ),
                }),
              },
            },
          },
          ...problemResponses(400, 401, 403, 500, 503),
        },
      },
    },
    async (request) => {
      const { principal, organization } = await callers.identify(request)
      const { limit = 100, cursor, include } = request.query
      if (cursor !== undefined && !isSlug(cursor)) {
        throw new InvalidRequest(queryParameter('cursor'), 'a next_cursor from a previous page, unchanged')
      }
      const found = principal.isOperator
        ? await organizations.list({ limit: limit + 1, ...(cursor !== undefined && { after: cursor }) })
        : [organization].filter(({ id }) => cursor === undefined || id > cursor)
      const page = found.slice(0, limit)
      const last = page.at(-1)
      const time = clock()
      const usage = include === 'usage' ? await usageOfOrganizations(page, time) : []
      return {
        organizations: page.map((each, index) => ({
          ...toOrganization(each, time),
          ...toUsage(each.calendar, usage[index]),
        })),
        ...(found.length > limit && last !== undefined ? { next_cursor: last.id } : {}),
      }
    },
  )

  app.get(
    '/v1/organizations/:id',
    {
      onRequest: callers.may('usage:read'),
      schema: {
        operationId: 'getOrganization',
        tags,
        summary: 'Get an organization',
        description:
          'Returns the organization, with its pending change if there is one. Requires the scope `usage:read`.',
        params: pathSchema,
        response: { ...answers('The organization.'), ...problemResponses(400, 401, 403, 404, 500, 503) },
      },
    },
    async (request) => {
      const { principal } = await callers.identify(request)
      const { id } = request.params
      const isAllowed = principal.isOperator || id === principal.organizationId
      const organization = isAllowed ? await organizations.findNow(id) : undefined
      if (organization === undefined) throw unknownOrganization(id)
      return toOrganization(organization, clock())
    },
  )

  app.patch(
    '/v1/organizations/:id',
    {
      onRequest: callers.may('admin'),
      schema: {
        operationId: 'changeOrganization',
        tags,
        summary: 'Change an organization',
        description:
          'Changes only the fields that are sent. A name changes immediately. A time zone or billing anchor day takes effect ' +
          'when the next period starts that is at least ten minutes away, so a period that has started never changes. That next ' +
          'period ends at the first boundary of the new calendar that is at least two days after its start. Requires the scope ' +
          '`admin`.',
        params: pathSchema,
        body: ChangeSchema,
        response: {
          ...answers('The organization, with its pending change.'),
          ...problemResponses(400, 401, 403, 404, 413, 415, 500, 503),
        },
      },
    },
    async (request) => {
      const { principal } = await callers.identify(request)
      const { id } = request.params
      const { name, time_zone: timeZone, billing_anchor_day: anchorDay } = request.body
      if (timeZone !== undefined) checkTimeZone(timeZone)
      const isAllowed = principal.isOperator || id === principal.organizationId
      const changed = isAllowed ? await organizations.change(id, { name, timeZone, anchorDay }) : undefined
      if (changed === undefined) throw unknownOrganization(id)
      return toOrganization(changed, clock())
    },
  )

  done()
}

export const unknownOrganization = (id: string): NotFound =>
  new NotFound(`There is no organization ${JSON.stringify(id.slice(0, 100))}.`)

const checkTimeZone = (name: string): void => {
  if (!isTimeZone(name)) throw new InvalidRequest('body/time_zone', 'an IANA time zone, such as Europe/London')
}

export const toOrganization = ({ id, name, createdAt, calendar }: Organization, time: EpochMs) => {
  const { entry, next } = entryAt(calendar, time)
  return {
    id,
    name,
    ...zoneAndAnchor(entry),
    created: canonicalTimestamp(createdAt),
    ...(next && {
      pending: { effective_from: canonicalTimestamp(next.effectiveFrom), ...zoneAndAnchor(next) },
    }),
  }
}

const zoneAndAnchor = ({ timeZone, anchorDay }: CalendarEntry) => ({
  time_zone: timeZone,
  billing_anchor_day: anchorDay,
})

const toUsage = (calendar: BillingCalendar, usage: OrganizationUsage | undefined) => {
  if (usage === undefined) return {}
  const toPeriod = ({ start, end, ...sum }: OrganizationUsage['current']) => ({
    name: nameOfPeriod(calendar, { start, end }),
    start: canonicalTimestamp(start),
    end: canonicalTimestamp(end),
    ...toSum(sum),
  })
  const { current, previous, keys, latestAt } = usage
  const { toDate, ...whole } = previous
  return {
    usage: { current: toPeriod(current), previous: { ...toPeriod(whole), to_date: toSum(toDate) } },
    keys,
    ...(latestAt !== undefined && { latest_message: canonicalTimestamp(latestAt) }),
  }
}
