/** `POST /v1/organizations/:id/reprice`: charges messages without a price that have one now. */
import type { FastifyPluginCallbackTypebox } from '@fastify/type-provider-typebox'
import Type from 'typebox'
import type { Organizations } from '#identity/organizations.ts'
import type { Repriced, Repricing } from '#intake/repricing.ts'
import { mostFrequentFirst } from '#intake/unpriced-reasons.ts'
import { plainNumber } from '#model/credits.ts'
import { NotFound } from '#model/errors.ts'
import type { Callers } from '../caller.ts'
import { signalOfLongWork } from '../leaving.ts'
import { creditsSchema, organizationQuery, ref } from '../schemas/common.ts'
import { problemResponses } from '../schemas/responses.ts'
import { count } from '../schemas/usage-fields.ts'

export type RepricingRoutesOptions = {
  readonly repricing: Repricing
  readonly organizations: Pick<Organizations, 'find'>
  readonly callers: Callers
  /** Aborts when the service shuts down. */
  readonly leaving: AbortSignal
}

export const RepricedSchema = Type.Object(
  {
    tried: count('Messages without a price.'),
    priced: count('Those that have a price now and were charged.'),
    credits: creditsSchema(
      'What the charged messages cost, in credits: an exact decimal with at most six decimal places.',
    ),
    unpriced: count('Those that still have no price.'),
    reasons: Type.Array(
      Type.Object({
        reason: Type.String({
          description: 'Why the messages have no price.',
          examples: ['the model "gpt-9" has no price in the card copilot-2026-06'],
        }),
        messages: count('Messages without a price for this reason.'),
      }),
      { description: 'Why messages still have no price, the most frequent reason first.' },
    ),
  },
  { $id: 'Repriced', description: 'What became of the messages without a price.' },
)

export const repricingRoutes: FastifyPluginCallbackTypebox<RepricingRoutesOptions> = (app, options, done) => {
  const { repricing, organizations, callers, leaving } = options

  app.post(
    '/v1/organizations/:id/reprice',
    {
      onRequest: callers.may('admin'),
      schema: {
        operationId: 'repriceMessages',
        tags: ['Organizations'],
        summary: 'Charge messages that had no price',
        description:
          'Prices every message without a price by the rate card in force at its timestamp, and with its report if the ' +
          'catalogue has it now. A message that has a price is charged once, by an amendment, or by an adjustment if its ' +
          'period is closed. This also happens in the background whenever a card is put in force or a report is set. If the ' +
          'request ends early, what was charged stays; send it again for the rest. Requires the scope `admin`.',
        params: Type.Object({ id: Type.String({ description: 'Id of the organization.', examples: ['acme'] }) }),
        querystring: Type.Object({ ...organizationQuery }, { additionalProperties: false }),
        response: {
          200: {
            description: 'What became of the messages.',
            content: { 'application/json': { schema: ref(RepricedSchema) } },
          },
          ...problemResponses(400, 401, 403, 404, 413, 415, 500, 502, 503, 504),
        },
      },
    },
    async (request, reply) => {
      const { principal } = await callers.identify(request)
      const { id } = request.params
      const isAllowed = principal.isOperator || id === principal.organizationId
      const organization = isAllowed ? await organizations.find(id) : undefined
      if (organization === undefined)
        throw new NotFound(`There is no organization ${JSON.stringify(id.slice(0, 100))}.`)
      const signal = signalOfLongWork(reply.raw, leaving)
      return toRepricedResponse(await repricing.reprice(organization, { signal }))
    },
  )

  done()
}

const toRepricedResponse = ({ tried, priced, credits, unpriced, reasons }: Repriced) => ({
  tried,
  priced,
  credits: plainNumber(credits),
  unpriced,
  reasons: mostFrequentFirst(reasons).map(([reason, messages]) => ({ reason, messages })),
})
