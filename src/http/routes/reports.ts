/** `/v1/reports`: our own catalogue of what reports cost. */
import type { FastifyPluginCallback } from 'fastify'
import Type, { type Static } from 'typebox'
import { canonicalReportId, isReportId, isReportProblem, parseReport } from '#metering/incoming-report.ts'
import type { OwnReports } from '#metering/own-reports.ts'
import { plainNumber } from '#model/credits.ts'
import { InvalidRequest, NotFound } from '#model/errors.ts'
import type { Id, Report } from '#model/report.ts'
import type { Callers } from '../caller.ts'
import { organizationQuery } from '../schemas/common.ts'
import { problemResponses } from '../schemas/responses.ts'
import { MessageIdSchema } from '../schemas/usage.ts'

export type ReportRoutesOptions = { readonly reports: OwnReports; readonly callers: Callers }

const nameSchema = Type.String({
  minLength: 1,
  maxLength: 1000,
  description: 'Its name.',
  examples: ['Lease Summary Report'],
})
const costSchema = Type.Number({
  minimum: 0,
  description: 'What a message that asks for it costs, in credits.',
  examples: [35],
})

export const ReportSchema = Type.Object(
  { id: MessageIdSchema, name: nameSchema, credit_cost: costSchema },
  { $id: 'Report', description: 'A report and its price.' },
)

const BodySchema = Type.Object(
  { id: Type.Optional(MessageIdSchema), name: nameSchema, credit_cost: costSchema },
  { additionalProperties: false },
)

const path = Type.Object({
  id: Type.String({ minLength: 1, maxLength: 200, description: 'Id of the report.', examples: ['5392'] }),
})
const query = Type.Object({ ...organizationQuery }, { additionalProperties: false })

export const reportRoutes: FastifyPluginCallback<ReportRoutesOptions> = (app, { reports, callers }, done) => {
  const tags = ['Reports']
  const schema = (description: string) => ({
    description,
    content: { 'application/json': { schema: Type.Ref('Report#') } },
  })

  app.put<{ Params: Static<typeof path>; Body: Static<typeof BodySchema> }>(
    '/v1/reports/:id',
    {
      onRequest: callers.mayOperate,
      schema: {
        operationId: 'putReport',
        tags,
        summary: 'Set what a report costs',
        description:
          'For messages that are reported from now on; what has been charged stays. The catalogue is common to all ' +
          'organizations. Where `UPSTREAM_URL` is set the Copilot service prices reports, and this catalogue is not asked.',
        params: path,
        querystring: query,
        body: BodySchema,
        response: {
          200: schema('Replaced.'),
          201: schema('Created.'),
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

  app.get<{ Params: Static<typeof path> }>(
    '/v1/reports/:id',
    {
      onRequest: callers.may('usage:read'),
      schema: {
        operationId: 'getReport',
        tags,
        summary: 'What a report costs',
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

  app.delete<{ Params: Static<typeof path> }>(
    '/v1/reports/:id',
    {
      onRequest: callers.mayOperate,
      schema: {
        operationId: 'deleteReport',
        tags,
        summary: 'Remove a report',
        description: 'Messages that ask for it are priced by their text from now on; what has been charged stays.',
        params: path,
        querystring: query,
        response: {
          204: { description: 'Removed.', type: 'null' },
          ...problemResponses(400, 401, 403, 404, 500, 503),
        },
      },
    },
    async (request, reply) => {
      await callers.identify(request)
      if (!(await reports.remove(reportIdIn(request.params.id)))) throw unknown(request.params.id)
      return reply.code(204).send()
    },
  )

  done()
}

const unknown = (id: string): NotFound => new NotFound(`No such report: ${JSON.stringify(id)}.`)

const reportIdIn = (text: string): Id => {
  if (!isReportId(text))
    throw new InvalidRequest('path parameter "id"', 'a report id of 1 to 200 characters, other than "." and ".."')
  return canonicalReportId(text)
}

const toResponse = ({ id, name, creditCost }: Report) => ({ id, name, credit_cost: plainNumber(creditCost) })
