/** `POST /v1/messages` and `POST /v1/events`: clients report messages. */
import { once } from 'node:events'
import type { Readable } from 'node:stream'
import type { FastifyPluginCallbackTypebox } from '@fastify/type-provider-typebox'
import Type from 'typebox'
import type { Rejection } from '#intake/incoming-message.ts'
import type { Intake } from '#intake/intake.ts'
import { countsOf, type IntakeResult, type IntakeResults } from '#intake/intake-results.ts'
import { Conflict, InvalidRequest } from '#model/errors.ts'
import { collectBody, readJsonBody } from '../bodies.ts'
import type { Caller, Callers } from '../caller.ts'
import { problemFor } from '../errors.ts'
import { BATCH, eventOfHeaders, STRUCTURED, toEntry, toEventRejection } from '../intake/cloud-events.ts'
import { answerNdjson } from '../intake/ndjson-answer.ts'
import { toAnswerText } from '../intake/result-text.ts'
import type { IntakeGate } from '../intake-gate.ts'
import { checkQueryOnly, keepBodiesAsTheyAre, sendersOf } from '../large-bodies.ts'
import { isGzip, isNdjson, JSON_TYPE, mediaTypeOf, NDJSON, NDJSON_TYPES } from '../media-types.ts'
import { organizationQuery, ref } from '../schemas/common.ts'
import {
  CloudEventSchema,
  MessageSchema,
  MessagesSchema,
  ReportedMessagesSchema,
  StreamEndSchema,
  StreamedResultSchema,
} from '../schemas/intake.ts'
import { problemResponses } from '../schemas/responses.ts'
import { stopOf } from '../stopping.ts'

export type MessageRoutesOptions = {
  readonly intake: Intake
  readonly callers: Callers
  readonly gate: IntakeGate
  /** Aborts with ShuttingDown when the service shuts down. */
  readonly leaving: AbortSignal
  readonly limits: { readonly bodyBytesMax: number; readonly batchMax: number; readonly textBytesMax: number }
}

/** The results are JSON already, with exact amounts, when they are sent. */
type JsonText = { Reply: string }

export const messageRoutes: FastifyPluginCallbackTypebox<MessageRoutesOptions> = (app, options, done) => {
  const { intake, callers, gate, leaving, limits } = options
  const { bodyBytesMax, batchMax, textBytesMax } = limits
  /** JSON escapes make a text at most six times as long. */
  const lineBytesMax = textBytesMax * 6 + LINE_BYTES_BESIDE_TEXT

  keepBodiesAsTheyAre(app)

  // The routes read the body themselves, so a caller without permission, or one for whom there is no room, costs little.
  app.addHook('onRequest', callers.may('messages:write'))

  const takeEntries = async (
    caller: Caller,
    entries: unknown,
    field: string,
    source = 'messages',
  ): Promise<IntakeResults> => {
    if (!Array.isArray(entries)) throw new InvalidRequest(field, 'an array')
    if (entries.length > batchMax) throw new InvalidRequest(field, `an array of at most ${batchMax} messages`)
    return intake.take(caller.organization, entries, { source, key: caller.principal.key })
  }

  app.post<JsonText>(
    '/v1/messages',
    {
      bodyLimit: bodyBytesMax,
      schema: {
        operationId: 'reportMessages',
        tags: ['Messages'],
        summary: 'Report messages',
        description: MESSAGES_DESCRIPTION,
        querystring: Type.Object({ ...organizationQuery }, { additionalProperties: false }),
        body: {
          content: {
            [JSON_TYPE]: { schema: MessagesSchema },
            ...Object.fromEntries(NDJSON_TYPES.map((type) => [type, { schema: ref(MessageSchema) }])),
          },
        },
        response: {
          200: {
            description: 'One result per message, in the order of the request.',
            content: {
              'application/json': { schema: ref(ReportedMessagesSchema) },
              [NDJSON]: { schema: Type.Union([ref(StreamedResultSchema), ref(StreamEndSchema)]) },
            },
          },
          ...problemResponses(400, 401, 403, 404, 413, 415, 500, 502, 503, 504),
        },
      },
      validatorCompiler: checkQueryOnly,
    },
    async (request, reply) => {
      const caller = await callers.identify(request)
      using share = gate.open(sendersOf(caller, request))
      if (isNdjson(request.headers)) {
        const lines = request.body as Readable
        // Before the response starts, a body that is not gzip can still be rejected as a whole.
        if (isGzip(request.headers)) await once(lines, 'readable')
        reply.hijack()
        reply.raw.writeHead(200, { 'content-type': NDJSON, 'x-request-id': request.id, 'cache-control': 'no-store' })
        await answerNdjson({
          intake,
          caller,
          body: lines,
          response: reply.raw,
          share,
          stop: stopOf(request.raw, leaving),
          lineBytesMax,
          isMinimal: /\breturn=minimal\b/.test(String(request.headers['prefer'] ?? '')),
          toProblem: (error) => problemFor(error, request),
        })
        return
      }
      const body = readJsonBody(await collectBody(request, { response: reply.raw, bytesMax: bodyBytesMax, share }))
      const isObject = typeof body === 'object' && body !== null && !Array.isArray(body)
      if (!isObject) throw new InvalidRequest('body', 'an object {"messages":[…]}')
      const unknown = Object.keys(body).find((field) => field !== 'messages')
      if (unknown !== undefined)
        throw new InvalidRequest(`body/${unknown.slice(0, 50)}`, 'absent: the only field is messages')
      const results = await takeEntries(caller, (body as { messages?: unknown }).messages, 'body/messages')
      return reply.type('application/json; charset=utf-8').send(toAnswerText(results.counts, results))
    },
  )

  app.post<JsonText>(
    '/v1/events',
    {
      bodyLimit: bodyBytesMax,
      schema: {
        operationId: 'reportEvents',
        tags: ['Messages'],
        summary: 'Report messages as CloudEvents',
        description: EVENTS_DESCRIPTION,
        querystring: Type.Object({ ...organizationQuery }, { additionalProperties: false }),
        body: {
          content: {
            [STRUCTURED]: { schema: ref(CloudEventSchema) },
            [BATCH]: { schema: Type.Array(ref(CloudEventSchema), { description: 'A batch of events.' }) },
            [JSON_TYPE]: { schema: CloudEventSchema.properties.data },
          },
        },
        response: {
          200: {
            description: 'One result per message, in the order of the request.',
            content: { 'application/json': { schema: ref(ReportedMessagesSchema) } },
          },
          ...problemResponses(400, 401, 403, 404, 409, 413, 415, 500, 502, 503, 504),
        },
      },
      validatorCompiler: checkQueryOnly,
    },
    async (request, reply) => {
      const caller = await callers.identify(request)
      using share = gate.open(sendersOf(caller, request))
      const body = readJsonBody(await collectBody(request, { response: reply.raw, bytesMax: bodyBytesMax, share }))
      const type = mediaTypeOf(request.headers)
      // Content-Type selects the mode. In structured and batch mode, `ce-` headers are at most copies and are ignored.
      const isBatch = type === BATCH
      const isBinary = type === JSON_TYPE
      if (isBatch && !Array.isArray(body)) throw new InvalidRequest('body', 'an array of CloudEvents')
      if (isBinary && request.headers['ce-specversion'] === undefined) {
        throw new InvalidRequest(
          'header ce-specversion',
          `1.0 if Content-Type is ${JSON_TYPE}; to send whole events, use ${STRUCTURED} or ${BATCH}`,
        )
      }
      const events: readonly unknown[] = isBatch
        ? (body as unknown[])
        : [isBinary ? eventOfHeaders(request.raw.headersDistinct, body) : body]
      const entries = events.map(toEntry)
      const taken = await takeEntries(
        caller,
        entries.filter((entry) => !isRejected(entry)),
        'body',
        'events',
      )
      const next = taken[Symbol.iterator]()
      const results = entries.map((entry): IntakeResult => {
        if (isRejected(entry)) return { status: 'rejected', ...entry }
        const result = next.next().value as IntakeResult
        return result.status === 'rejected' ? toEventRejection(result) : result
      })
      const [only] = results
      if (!isBatch && only?.status === 'rejected')
        throw new InvalidRequest(only.field || 'event', expectedBy(only.reason))
      if (!isBatch && only?.status === 'conflict') throw new Conflict(conflictText(only))
      return reply.type('application/json; charset=utf-8').send(toAnswerText(countsOf(results), results))
    },
  )

  done()
}

const LINE_BYTES_BESIDE_TEXT = 16 * 1024

/** The phrase that completes "must be". */
const expectedBy = (reason: string): string => {
  if (reason.includes('must be ')) return reason.replace(/^.*?must be /, '')
  return reason.startsWith('must ') ? `valid: it ${reason}` : reason.replace(/^is missing; /, 'present: ')
}

const conflictText = ({ id, outcome }: Exclude<IntakeResult, { readonly status: 'rejected' }>): string => {
  const holds = outcome === undefined ? '' : ` Its outcome stays ${outcome}.`
  return `There is already a message ${JSON.stringify(id)}, with different content.${holds}`
}

const isRejected = (entry: object): entry is Rejection => 'reason' in entry

const MESSAGES_DESCRIPTION =
  'Prices each message and charges it once; its id identifies it. The response has one result per message, in the order of ' +
  'the request: `accepted` with its cost, `unpriced` (kept, but no rate card could price it) with the reason, `duplicate` ' +
  '(already kept with the same content), `conflict` (already kept with different content) or `rejected` with the invalid field ' +
  'and the reason. Duplicates and conflicts have no effect, and one rejected message does not affect the others. Charges are durable before the response is sent, and repeating a request is ' +
  'always safe. Requires the scope `messages:write`.\n\n' +
  'To report any number of messages, send NDJSON (`application/x-ndjson`, `application/ndjson` or `application/jsonl`), one ' +
  'message per line. The response is an NDJSON stream: one result per message, with its `line` number, as soon as the message ' +
  'is committed, and then a line with `"done":true` and the counts. If `done` is `false` or that line is missing, send the ' +
  'rest again. With `Prefer: return=minimal`, the stream has only conflicts, ' +
  'rejections and messages without a price.'

const EVENTS_DESCRIPTION =
  'Accepts CloudEvents 1.0 in structured, batch and binary mode. `Content-Type` selects the mode; `ce-…` headers are read only ' +
  'with `application/json` (binary mode). The `type` must be `copilot.message`. `source`, a space and `id` together are the id ' +
  'of the message, `time` is its timestamp, `subject` its member and `data` the rest of the message. Results are ' +
  'those of `POST /v1/messages`, except that a single event gets 400 if it is rejected and 409 if it conflicts. Requires ' +
  'the scope `messages:write`.'
