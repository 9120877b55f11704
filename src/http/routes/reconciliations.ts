/** `POST /v1/reconciliations`: our bill against the vendor's. */
import type { FastifyPluginCallbackTypebox } from '@fastify/type-provider-typebox'
import type { FastifyRequest } from 'fastify'
import Type from 'typebox'
import type { Readings } from '#answering/readings.ts'
import { hasMoreValues } from '#formats/json-values.ts'
import { InvalidRequest } from '#model/errors.ts'
import type { Organization } from '#model/organization.ts'
import { COMPARISONS_BY_DEFAULT, COMPARISONS_MAX, toReconciliationAnswer } from '#reconciling/answer.ts'
import { requestIn, settingsIn } from '#reconciling/incoming.ts'
import type { ReconciliationRequest, Reconciliations } from '#reconciling/reconciliations.ts'
import { collectBody, readJsonBody } from '../bodies.ts'
import type { Callers } from '../caller.ts'
import type { IntakeGate } from '../intake-gate.ts'
import { checkQueryOnly, sendersOf } from '../large-bodies.ts'
import { signalOfLongWork } from '../leaving.ts'
import { CSV_TYPE, JSON_TYPE, mediaTypeOf } from '../media-types.ts'
import { ref } from '../schemas/common.ts'
import {
  ReconciliationRequestSchema,
  ReconciliationSchema,
  reconciliationQuery,
  VendorFileSchema,
} from '../schemas/reconciliations.ts'
import { problemResponses } from '../schemas/responses.ts'

export type ReconciliationRoutesOptions = {
  readonly reconciliations: Reconciliations
  readonly readings: Pick<Readings<unknown>, 'byDate'>
  readonly callers: Callers
  readonly gate: IntakeGate
  /** Aborts when the service shuts down. */
  readonly leaving: AbortSignal
}

/** GitHub's report of 200,000 rows. */
const BODY_BYTES_MAX = 32 * 1024 * 1024

export const reconciliationRoutes: FastifyPluginCallbackTypebox<ReconciliationRoutesOptions> = (app, options, done) => {
  const { reconciliations, readings, callers, gate, leaving } = options

  app.removeAllContentTypeParsers()
  app.addContentTypeParser([JSON_TYPE, CSV_TYPE], (_, payload, parsed) => parsed(null, payload))

  app.post(
    '/v1/reconciliations',
    {
      onRequest: callers.may('usage:read'),
      bodyLimit: BODY_BYTES_MAX,
      schema: {
        operationId: 'reconcile',
        tags: ['Usage'],
        summary: 'Compare our bill with the vendor’s',
        description: DESCRIPTION,
        querystring: Type.Object(reconciliationQuery, { additionalProperties: false }),
        body: {
          content: {
            [JSON_TYPE]: { schema: ReconciliationRequestSchema },
            [CSV_TYPE]: { schema: VendorFileSchema },
          },
        },
        response: {
          200: {
            description: 'Both bills and their differences.',
            content: { 'application/json': { schema: ref(ReconciliationSchema) } },
          },
          ...problemResponses(400, 401, 403, 404, 413, 415, 500, 502, 503, 504),
        },
      },
      validatorCompiler: checkQueryOnly,
    },
    async (request, reply) => {
      const caller = await callers.identify(request)
      using share = gate.open(sendersOf(caller, request))
      const bytes = await collectBody(request, { response: reply.raw, bytesMax: BODY_BYTES_MAX, share })
      const { wanted, limit } = wantedIn(request, bytes, caller.organization)
      // What the Copilot service lists is recorded first.
      await readings.byDate(caller.organization)
      const result = await reconciliations.reconcile(wanted, { signal: signalOfLongWork(reply.raw, leaving) })
      return toReconciliationAnswer(result, limit)
    },
  )

  done()
}

type Wanted = { readonly wanted: ReconciliationRequest; readonly limit: number }

/** Throws InvalidRequest. */
const wantedIn = ({ headers, query }: FastifyRequest, bytes: Uint8Array, organization: Organization): Wanted => {
  const { organization: _, limit, ...settings } = query as Readonly<Record<string, unknown>>
  if (mediaTypeOf(headers) === CSV_TYPE)
    return { wanted: { ...settingsIn(settings), organization, file: { text: textOf(bytes) } }, limit: limitIn(limit) }
  const named = Object.keys({ ...settings, ...(limit !== undefined && { limit }) })[0]
  if (named !== undefined)
    throw new InvalidRequest(`querystring/${named}`, 'absent if the body is JSON: it has a field of that name')
  if (hasMoreValues(bytes, VALUES_MAX))
    throw new InvalidRequest('body', `one of at most ${VALUES_MAX} rows; send so many as CSV`)
  const body = readJsonBody(bytes)
  const wanted = requestIn(body, organization)
  return { wanted, limit: limitIn((body as { readonly limit?: unknown }).limit) }
}

/** As many as there may be rows of different days, users or models. */
const VALUES_MAX = 1_000_000

const limitIn = (limit: unknown = COMPARISONS_BY_DEFAULT): number => {
  if (typeof limit === 'number' && Number.isInteger(limit) && limit >= 1 && limit <= COMPARISONS_MAX) return limit
  throw new InvalidRequest('limit', `an integer from 1 to ${COMPARISONS_MAX}`)
}

function* textOf(bytes: Uint8Array): Generator<string> {
  const decoder = new TextDecoder('utf-8', { fatal: true })
  try {
    for (let at = 0; at < bytes.length; at += SLICE)
      yield decoder.decode(bytes.subarray(at, at + SLICE), { stream: at + SLICE < bytes.length })
  } catch (error) {
    throw error instanceof TypeError ? new InvalidRequest('body', 'UTF-8') : error
  }
}

const SLICE = 64 * 1024

const DESCRIPTION =
  'Compares what the messages of some days cost with what a vendor bills for them, by day, user and model. Nothing is written. ' +
  'Send the CSV file as it is, with settings in the query; or JSON, with the text of the file in `csv` or its rows in `rows`, and ' +
  'everything else. A difference is `vendor_credits` less `credits`, and its five parts add up to it exactly: `missing_here`, ' +
  '`missing_there`, `price`, `rounding` and `unexplained`. Days are those of the vendor, which are those of UTC unless ' +
  '`time_zone` says otherwise. A file that cannot be read as a whole is a 400 that names the line. Requires the scope `usage:read`.'
