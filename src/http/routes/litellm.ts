/** `POST /v1/litellm`: log entries, as the `generic_api` callback of LiteLLM sends them. */
import { Readable } from 'node:stream'
import type { FastifyPluginCallbackTypebox } from '@fastify/type-provider-typebox'
import Type from 'typebox'
import type { LitellmReceiver } from '#litellm/receiver.ts'
import { StoreBusy } from '#model/errors.ts'
import { readBody } from '../bodies.ts'
import type { Callers } from '../caller.ts'
import { BUSY, type IntakeGate } from '../intake-gate.ts'
import { checkQueryOnly, keepBodiesAsTheyAre, sendersOf } from '../large-bodies.ts'
import { JSON_TYPE, NDJSON_TYPES } from '../media-types.ts'
import { organizationQuery } from '../schemas/common.ts'
import { problemResponses } from '../schemas/responses.ts'
import { MessageIdSchema } from '../schemas/usage.ts'
import { count } from '../schemas/usage-fields.ts'

export type LitellmRoutesOptions = {
  readonly receiver: LitellmReceiver
  readonly callers: Callers
  readonly gate: IntakeGate
}

/** Of the rejections in an answer: the reader of LiteLLM's log needs an example, and `GET /v1/intake` counts all. */
const SHOWN_MAX = 20

export const litellmRoutes: FastifyPluginCallbackTypebox<LitellmRoutesOptions> = (app, options, done) => {
  const { receiver, callers, gate } = options
  keepBodiesAsTheyAre(app)
  app.addHook('onRequest', callers.may('messages:write'))

  app.post('/v1/litellm', ROUTE, async (request, reply) => {
    const { organization, principal } = await callers.identify(request)
    using share = gate.open(sendersOf({ organization, principal }, request))
    const reception = receiver.begin()
    if (request.body instanceof Readable) {
      await readBody(request.body, reply.raw, (chunk) => {
        if (!share.hold(chunk.length)) throw new StoreBusy(BUSY)
        reception.push(chunk)
        share.letGo(Math.max(share.held() - reception.keptBytes(), 0))
        return !reception.isBroken()
      })
    }
    const { counts, rejections } = await reception.charge(organization, principal.key)
    reply.header('cache-control', 'no-store')
    return { ...counts, rejections: rejections.slice(0, SHOWN_MAX).map((rejection) => ({ ...rejection })) }
  })

  done()
}

const EntrySchema = Type.Object(
  {},
  {
    additionalProperties: true,
    description: 'A `StandardLoggingPayload` of LiteLLM. Its messages and response are not used.',
    examples: [
      {
        id: 'chatcmpl-2299b6a2',
        status: 'success',
        endTime: 1766000070.07935,
        model: 'gpt-4o',
        end_user: 'ada',
        response_cost: 0.000225,
        prompt_tokens: 10,
        completion_tokens: 20,
        total_tokens: 30,
      },
    ],
  },
)

const ResultsSchema = Type.Object({
  accepted: count('Calls that were charged.'),
  unpriced: count('Calls that were kept without a price.'),
  duplicate: count('Calls that had already been charged with the same content.'),
  conflict: count('Calls that had already been charged with other content.'),
  rejected: count('Entries that are invalid.'),
  ignored: count('Entries that are no calls of a model, or failed ones that used no tokens.'),
  rejections: Type.Array(
    Type.Object({
      id: Type.Optional(MessageIdSchema),
      field: Type.String({ description: 'The field, or empty.', examples: ['endTime'] }),
      reason: Type.String({ description: 'What is wrong with it.', examples: ['must be an object'] }),
    }),
    { description: `What is wrong with the first ${SHOWN_MAX} entries that were rejected or conflict.` },
  ),
})

const ROUTE = {
  schema: {
    operationId: 'reportLitellm',
    tags: ['LiteLLM'],
    summary: 'Send log entries of LiteLLM',
    description:
      'Takes what the `generic_api` callback of LiteLLM sends, as an array, one entry a line, or a single entry, and charges each call ' +
      'of a model. Its id is `litellm:` and the `id` of the entry. Messages and responses are dropped. LiteLLM does not send anything ' +
      'again, so an invalid entry does not affect the others: the answer counts it, and so does `GET /v1/intake`. Requires the scope ' +
      '`messages:write`.',
    querystring: Type.Object({ ...organizationQuery }, { additionalProperties: false }),
    body: {
      content: {
        [JSON_TYPE]: { schema: Type.Union([Type.Array(EntrySchema, { description: 'Entries.' }), EntrySchema]) },
        ...Object.fromEntries(NDJSON_TYPES.map((type) => [type, { schema: EntrySchema }])),
      },
    },
    response: {
      200: {
        description: 'What became of the entries, once every call is committed.',
        content: { 'application/json': { schema: ResultsSchema } },
      },
      ...problemResponses(400, 401, 403, 404, 415, 500, 502, 503, 504),
    },
  },
  validatorCompiler: checkQueryOnly,
}
