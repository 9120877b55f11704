/** `POST /v1/quotes`: what messages would cost. */
import type { FastifyPluginCallbackTypebox } from '@fastify/type-provider-typebox'
import Type from 'typebox'
import type { Quote, Quotes } from '#intake/quotes.ts'
import { plainNumber } from '#model/credits.ts'
import { InvalidRequest } from '#model/errors.ts'
import { collectBody, readJsonBody, rejectRounded } from '../bodies.ts'
import type { Callers } from '../caller.ts'
import type { IntakeGate } from '../intake-gate.ts'
import { checkQueryOnly, keepBodiesAsTheyAre, sendersOf } from '../large-bodies.ts'
import { JSON_TYPE } from '../media-types.ts'
import { toLineResponse } from '../schemas/charge-line.ts'
import { organizationQuery, ref } from '../schemas/common.ts'
import { QuoteRequestSchema, QuotesSchema } from '../schemas/quotes.ts'
import { problemResponses } from '../schemas/responses.ts'

export type QuoteRoutesOptions = {
  readonly quotes: Quotes
  readonly callers: Callers
  readonly gate: IntakeGate
  readonly limits: { readonly bodyBytesMax: number; readonly batchMax: number }
}

/** The quotes are JSON already, with exact amounts, when they are sent. */
type JsonText = { Reply: string }

export const quoteRoutes: FastifyPluginCallbackTypebox<QuoteRoutesOptions> = (app, options, done) => {
  const { quotes, callers, gate, limits } = options
  const { bodyBytesMax, batchMax } = limits

  keepBodiesAsTheyAre(app)

  app.post<JsonText>(
    '/v1/quotes',
    {
      onRequest: callers.may('messages:write', 'usage:read'),
      bodyLimit: bodyBytesMax,
      schema: {
        operationId: 'quoteMessages',
        tags: ['Messages'],
        summary: 'Quote what messages would cost',
        description: DESCRIPTION,
        querystring: Type.Object({ ...organizationQuery }, { additionalProperties: false }),
        body: { content: { [JSON_TYPE]: { schema: QuoteRequestSchema } } },
        response: {
          200: {
            description: 'One quote per message, in the order of the request.',
            content: { 'application/json': { schema: ref(QuotesSchema) } },
          },
          ...problemResponses(400, 401, 403, 404, 413, 415, 500, 502, 503, 504),
        },
      },
      validatorCompiler: checkQueryOnly,
    },
    async (request, reply) => {
      const caller = await callers.identify(request)
      using share = gate.open(sendersOf(caller, request))
      const bytes = await collectBody(request, { response: reply.raw, bytesMax: bodyBytesMax, share })
      const { messages, rate_card: rateCard } = fieldsIn(readJsonBody(bytes))
      if (typeof rateCard === 'object') rejectRounded(bytes, ([field]) => field === 'rate_card')
      if (!Array.isArray(messages)) throw new InvalidRequest('body/messages', 'an array')
      if (messages.length > batchMax)
        throw new InvalidRequest('body/messages', `an array of at most ${batchMax} messages`)
      const texts: string[] = []
      for await (const quote of quotes.quote(caller.organization.id, messages, rateCard)) {
        texts.push(JSON.stringify(toQuoteResponse(quote)))
      }
      return reply.type('application/json; charset=utf-8').send(`{"quotes":[${texts.join(',')}]}`)
    },
  )

  done()
}

/** Throws InvalidRequest. */
const fieldsIn = (body: unknown): { readonly messages?: unknown; readonly rate_card?: unknown } => {
  if (typeof body !== 'object' || body === null || Array.isArray(body))
    throw new InvalidRequest('body', 'an object {"messages":[…]}')
  const unknown = Object.keys(body).find((field) => field !== 'messages' && field !== 'rate_card')
  if (unknown !== undefined)
    throw new InvalidRequest(`body/${unknown.slice(0, 50)}`, 'absent: the only fields are messages and rate_card')
  return body
}

const toQuoteResponse = (quote: Quote) => {
  if (quote.status === 'rejected') return { status: quote.status, field: quote.field, reason: quote.reason }
  const { status, rateCard, unknownReport } = quote
  const unknown = unknownReport === true ? { unknown_report: true } : {}
  if (status === 'unpriced') return { status, rate_card: rateCard, reason: quote.reason, ...unknown }
  return {
    status,
    rate_card: rateCard,
    credits: plainNumber(quote.credits),
    case: quote.case,
    lines: quote.lines.map(toLineResponse),
    ...(quote.unused.length > 0 && { unused: quote.unused }),
    ...unknown,
  }
}

const DESCRIPTION =
  'Prices each message as if it were reported, and records nothing. The response has one quote per message, in the order of ' +
  'the request: `priced` with a line per rule, `unpriced` with the reason, or `rejected` with the invalid field. Each ' +
  "message is priced by the card that the organization uses at the message's timestamp, or all of them by `rate_card`. A whole " +
  'card that is not valid is a 400 that names every fault. Requires the scope `messages:write` or `usage:read`.'
