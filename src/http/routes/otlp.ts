/** `POST /v1/traces`, `/v1/logs` and `/v1/metrics`: OTLP/HTTP, as OpenTelemetry's exporters send it. */
import type { FastifyPluginCallbackTypebox } from '@fastify/type-provider-typebox'
import Type, { type TSchema } from 'typebox'
import { type Encoding, exportAnswer, statusAnswer } from '#otlp/answers.ts'
import type { Receiver } from '#otlp/receiver.ts'
import { collectBody } from '../bodies.ts'
import type { Callers } from '../caller.ts'
import { answerTo } from '../errors.ts'
import type { IntakeGate } from '../intake-gate.ts'
import { checkQueryOnly, keepBodiesAsTheyAre, sendersOf } from '../large-bodies.ts'
import { JSON_TYPE, mediaTypeOf, PROTOBUF } from '../media-types.ts'
import { organizationQuery } from '../schemas/common.ts'

export type OtlpRoutesOptions = {
  readonly receiver: Receiver
  readonly callers: Callers
  readonly gate: IntakeGate
}

const OTLP_BYTES_MAX = 20 * 1024 * 1024

type Bytes = { Reply: string | Buffer }

export const otlpRoutes: FastifyPluginCallbackTypebox<OtlpRoutesOptions> = (app, { receiver, callers, gate }, done) => {
  keepBodiesAsTheyAre(app)
  app.addHook('onRequest', callers.may('messages:write'))

  app.setErrorHandler((error, request, reply) => {
    const { problem, headers } = answerTo(error as Parameters<typeof answerTo>[0], request)
    // Exporters repeat after 429, 502, 503 and 504, and after nothing else.
    const status = problem.type.endsWith(':too-busy') ? 429 : problem.status
    const encoding = encodingOf(mediaTypeOf(request.headers))
    return reply
      .headers(headers)
      .code(status)
      .header('cache-control', 'no-store')
      .type(TYPES[encoding])
      .send(statusAnswer(encoding, status, problem.detail))
  })

  const signals = [
    { signal: 'traces', take: receiver.takeSpans, rejected: 'rejectedSpans', ...TRACES },
    { signal: 'logs', take: receiver.takeLogs, rejected: 'rejectedLogRecords', ...LOGS },
  ] as const
  for (const { signal, take, rejected, ...about } of signals) {
    app.post<Bytes>(`/v1/${signal}`, routeOf(about, rejected), async (request, reply) => {
      const { organization, principal } = await callers.identify(request)
      using share = gate.open(sendersOf({ organization, principal }, request))
      const encoding = encodingOf(mediaTypeOf(request.headers))
      const bytes = await collectBody(request, { response: reply.raw, bytesMax: OTLP_BYTES_MAX, share })
      const partial = await take(organization, principal.key, bytes, encoding)
      return reply.type(TYPES[encoding]).send(exportAnswer(encoding, rejected, partial))
    })
  }

  app.post<Bytes>('/v1/metrics', routeOf(METRICS, 'rejectedDataPoints'), async (request, reply) => {
    await callers.identify(request)
    // Not kept, not read: the rest of the body is discarded as it arrives.
    const encoding = encodingOf(mediaTypeOf(request.headers))
    return reply.type(TYPES[encoding]).send(exportAnswer(encoding, 'rejectedSpans', undefined))
  })

  done()
}

const encodingOf = (mediaType: string): Encoding => (mediaType === PROTOBUF ? 'protobuf' : 'json')

const TYPES: Readonly<Record<Encoding, string>> = { json: `${JSON_TYPE}; charset=utf-8`, protobuf: PROTOBUF }

const TRACES = {
  operationId: 'exportTraces',
  summary: 'Send traces (OTLP)',
  description:
    'Takes an OTLP `ExportTraceServiceRequest` in JSON or protobuf, and charges each span that is a call of a model. Its id is ' +
    '`otlp:`, trace id and span id, so repeating a request is always safe. Other spans are ignored and counted at ' +
    '`GET /v1/intake`. Prompts and completions are never read. Requires the scope `messages:write`.',
}

const LOGS = {
  operationId: 'exportLogs',
  summary: 'Send log records (OTLP)',
  description:
    'Takes an OTLP `ExportLogsServiceRequest` in JSON or protobuf, and charges `api_request` of Claude Code and the completed ' +
    '`codex.sse_event` of Codex. Other records are ignored and counted at `GET /v1/intake`. Bodies are never read. Requires the ' +
    'scope `messages:write`.',
}

const METRICS = {
  operationId: 'exportMetrics',
  summary: 'Send metrics (OTLP)',
  description:
    'Accepts an OTLP `ExportMetricsServiceRequest` and ignores it: exporters send all signals to one address. Requires the scope ' +
    '`messages:write`.',
}

const routeOf = (about: typeof TRACES, rejected: string) => ({
  bodyLimit: OTLP_BYTES_MAX,
  schema: {
    tags: ['OpenTelemetry'],
    ...about,
    querystring: Type.Object({ ...organizationQuery }, { additionalProperties: false }),
    body: {
      content: contentOf(
        Type.Unsafe<unknown>({ type: 'object', description: 'The request, as OTLP defines it.', examples: [{}] }),
      ),
    },
    response: {
      200: {
        description: 'Everything that is charged is committed. `partialSuccess` is present if something was rejected.',
        content: contentOf(
          Type.Object({
            partialSuccess: Type.Optional(
              Type.Object(
                {
                  [rejected]: Type.String({ description: 'How many were rejected.', examples: ['1'] }),
                  errorMessage: Type.String({
                    description: 'Which, and why: ids and names of attributes.',
                    examples: ['gen_ai.usage.input_tokens must be a whole number from 0 to 9007199254740991'],
                  }),
                },
                { description: 'What was rejected. Repeating the request does not help.' },
              ),
            ),
          }),
        ),
      },
      ...Object.fromEntries(
        Object.entries(FAILURES).map(([status, description]) => [
          status,
          { description, content: contentOf(StatusSchema) },
        ]),
      ),
    },
  },
  validatorCompiler: checkQueryOnly,
})

const contentOf = (schema: TSchema) => ({
  [JSON_TYPE]: { schema },
  [PROTOBUF]: {
    schema: Type.Unsafe<string>({ type: 'string', format: 'binary', description: 'The same in protobuf.' }),
  },
})

const StatusSchema = Type.Object(
  {
    code: Type.Integer({ description: 'A code of gRPC.', examples: [3] }),
    message: Type.String({ description: 'What went wrong, for people.', examples: ['The body must be valid JSON.'] }),
  },
  { description: '`google.rpc.Status`, in the encoding of the request.' },
)

const FAILURES: Readonly<Record<number, string>> = {
  400: 'The request is malformed. Repeating it will not help.',
  401: 'The API key is missing, invalid or revoked.',
  403: 'The API key lacks the required scope, or the request does not come from an allowed page or host name.',
  404: 'The organization does not exist, or the key has no access to it.',
  413: 'The body, decompressed, is larger than 20 MiB.',
  415: 'The media type or encoding of the body is not supported.',
  429: 'The sender has too much in progress. Send the same request again after `Retry-After` seconds.',
  500: 'An unexpected error. The service log has the details.',
  502: 'The Copilot service could not be reached. Send the same request again.',
  503: 'The database is unavailable, or the service is shutting down. Send the same request again.',
  504: 'The Copilot service timed out. Send the same request again.',
}
