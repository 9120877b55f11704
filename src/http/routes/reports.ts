/** `/v1/reports`: our own catalogue of reports and their prices. */
import type { FastifyPluginCallbackTypebox } from '@fastify/type-provider-typebox'
import Type from 'typebox'
import { isReportId, isReportProblem, parseReport } from '#intake/incoming-report.ts'
import type { OwnReports } from '#intake/own-reports.ts'
import { type PlainNumber, plainNumber } from '#model/credits.ts'
import { InvalidRequest, NotFound } from '#model/errors.ts'
import { type Id, parseId, type Report } from '#model/report.ts'
import type { Callers } from '../caller.ts'
import { pathParameter, queryParameter } from '../fields.ts'
import { limitQuery, organizationQuery, ref } from '../schemas/common.ts'
import { problemResponses } from '../schemas/responses.ts'

export type ReportRoutesOptions = { readonly reports: OwnReports; readonly callers: Callers }

const idSchema = Type.Union(
  [
    Type.Integer({ minimum: Number.MIN_SAFE_INTEGER, maximum: Number.MAX_SAFE_INTEGER }),
    Type.String({ minLength: 1, maxLength: 200 }),
  ],
  { description: 'Id of the report. `5392` and `"5392"` are the same report.', examples: [5392] },
)
const nameSchema = Type.String({
  minLength: 1,
  maxLength: 1000,
  description: 'Name of the report.',
  examples: ['Lease Summary Report'],
})
const costSchema = Type.Number({
  minimum: 0,
  description: 'Price of a message that requests the report, in credits; at most six decimal places.',
  examples: [35],
})

export const ReportSchema = Type.Object(
  { id: idSchema, name: nameSchema, credit_cost: Type.Unsafe<PlainNumber>(costSchema) },
  { $id: 'Report', description: 'A report and its price.' },
)

const BodySchema = Type.Object(
  { id: Type.Optional(idSchema), name: nameSchema, credit_cost: costSchema },
  { additionalProperties: false },
)

const path = Type.Object({
  id: Type.String({ minLength: 1, maxLength: 200, description: 'Id of the report.', examples: ['5392'] }),
})
const query = Type.Object({ ...organizationQuery }, { additionalProperties: false })

const ListQuery = Type.Object(
  {
    ...organizationQuery,
    ...limitQuery(100, 1000),
    cursor: Type.Optional(
      Type.String({ maxLength: 200, description: '`next_cursor` of the previous page.', examples: ['5392'] }),
    ),
  },
  { additionalProperties: false },
)

export const reportRoutes: FastifyPluginCallbackTypebox<ReportRoutesOptions> = (app, { reports, callers }, done) => {
  const tags = ['Reports']
  const schema = (description: string) => ({
    description,
    content: { 'application/json': { schema: ref(ReportSchema) } },
  })

  app.get(
    '/v1/reports',
    {
      onRequest: callers.may('usage:read'),
      schema: {
        operationId: 'listReports',
        tags,
        summary: 'List reports and their prices',
        description:
          'Returns the catalogue of this service, ordered by id as a text. It is shared by all organizations, and not used if ' +
          '`UPSTREAM_URL` is set. Requires the scope `usage:read`.',
        querystring: ListQuery,
        response: {
          200: {
            description: 'A page of reports.',
            content: {
              'application/json': {
                schema: Type.Object({
                  reports: Type.Array(ref(ReportSchema), { description: 'Reports, ordered by id as a text.' }),
                  next_cursor: Type.Optional(
                    Type.String({
                      description: 'The `cursor` of the next page. Absent on the last page.',
                      examples: ['5392'],
                    }),
                  ),
                }),
              },
            },
          },
          ...problemResponses(400, 401, 403, 404, 500, 503),
        },
      },
    },
    async (request) => {
      await callers.identify(request)
      const { limit = 100, cursor } = request.query
      if (cursor !== undefined && !isReportId(cursor)) {
        throw new InvalidRequest(queryParameter('cursor'), 'a next_cursor from a previous page, unchanged')
      }
      const found = await reports.list({ limit: limit + 1, ...(cursor !== undefined && { after: cursor }) })
      const page = found.slice(0, limit)
      const last = page.at(-1)
      return {
        reports: page.map(toResponse),
        ...(found.length > limit && last !== undefined ? { next_cursor: String(last.id) } : {}),
      }
    },
  )

  app.put(
    '/v1/reports/:id',
    {
      onRequest: callers.mayOperate,
      schema: {
        operationId: 'putReport',
        tags,
        summary: 'Set the price of a report',
        description:
          'Creates or replaces the report for messages reported from now on; existing charges do not change. All organizations ' +
          'share the catalogue. If `UPSTREAM_URL` is set, the Copilot service prices reports and this catalogue is not used. ' +
          'Requires an operator key (scope `admin` on the organization `default`).',
        params: path,
        querystring: query,
        body: BodySchema,
        response: {
          200: schema('The report was replaced.'),
          201: schema('The report was created.'),
          ...problemResponses(400, 401, 403, 404, 413, 415, 500, 503),
        },
      },
    },
    async (request, reply) => {
      await callers.identify(request)
      const id = reportIdIn(request.params.id)
      const { id: named, name, credit_cost: cost } = request.body
      if (named !== undefined && String(named) !== String(id))
        throw new InvalidRequest('body/id', 'the same as the id in the path')
      const report = parseReport({ id, name, credit_cost: cost })
      if (isReportProblem(report)) throw new InvalidRequest(`body/${report.field}`, report.expected)
      const outcome = await reports.put(report)
      return reply.code(outcome === 'created' ? 201 : 200).send(toResponse(report))
    },
  )

  app.get(
    '/v1/reports/:id',
    {
      onRequest: callers.may('usage:read'),
      schema: {
        operationId: 'getReport',
        tags,
        summary: 'Get the price of a report',
        description: 'Returns the report from the catalogue of this service. Requires the scope `usage:read`.',
        params: path,
        querystring: query,
        response: { 200: schema('The report.'), ...problemResponses(400, 401, 403, 404, 500, 503) },
      },
    },
    async (request) => {
      await callers.identify(request)
      const report = await reports.findNow(reportIdIn(request.params.id))
      if (report === undefined) throw unknown(request.params.id)
      return toResponse(report)
    },
  )

  app.delete(
    '/v1/reports/:id',
    {
      onRequest: callers.mayOperate,
      schema: {
        operationId: 'deleteReport',
        tags,
        summary: 'Delete a report',
        description:
          'From now on, messages that request the report are priced by their text; existing charges do not change. Requires an ' +
          'operator key (scope `admin` on the organization `default`).',
        params: path,
        querystring: query,
        response: {
          204: { description: 'The report was deleted.', type: 'null' },
          ...problemResponses(400, 401, 403, 404, 500, 503),
        },
      },
    },
    async (request, reply) => {
      await callers.identify(request)
      if (!(await reports.remove(reportIdIn(request.params.id)))) throw unknown(request.params.id)
      return reply.code(204).send(null)
    },
  )

  done()
}

const unknown = (id: string): NotFound => new NotFound(`There is no report ${JSON.stringify(id)}.`)

const reportIdIn = (text: string): Id => {
  if (!isReportId(text))
    throw new InvalidRequest(pathParameter('id'), 'a report id of 1 to 200 characters, other than "." and ".."')
  return parseId(text)
}

const toResponse = ({ id, name, creditCost }: Report) => ({ id, name, credit_cost: plainNumber(creditCost) })
