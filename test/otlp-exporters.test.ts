/**
 * Real instrumentations and OpenTelemetry's real exporters, set up as their users do. Everything is sent twice, as JSON and as
 * compressed protobuf: each call is charged once and right, and the exporters have nothing to warn about.
 */
import assert from 'node:assert/strict'
import { mkdtempSync, renameSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { setImmediate as letOthersRun } from 'node:timers/promises'
import { LegacyOpenTelemetry, OpenTelemetry } from '@ai-sdk/otel'
import { context, DiagLogLevel, diag } from '@opentelemetry/api'
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks'
import { OTLPLogExporter as JsonLogs } from '@opentelemetry/exporter-logs-otlp-http'
import { OTLPLogExporter as ProtobufLogs } from '@opentelemetry/exporter-logs-otlp-proto'
import { OTLPTraceExporter as JsonTraces } from '@opentelemetry/exporter-trace-otlp-http'
import { OTLPTraceExporter as ProtobufTraces } from '@opentelemetry/exporter-trace-otlp-proto'
import { resourceFromAttributes } from '@opentelemetry/resources'
import { BatchLogRecordProcessor, LoggerProvider } from '@opentelemetry/sdk-logs'
import { BasicTracerProvider, BatchSpanProcessor } from '@opentelemetry/sdk-trace-base'
import { AnthropicInstrumentation } from '@traceloop/instrumentation-anthropic'
import { OpenAIInstrumentation } from '@traceloop/instrumentation-openai'
import * as sdk7 from 'ai'
import * as mocks7 from 'ai/test'
import * as sdk6 from 'ai-6'
import * as mocks6 from 'ai-6/test'
import Anthropic from 'anthropic-sdk-0'
import OpenAI from 'openai'
import { type Running, send, startService, startUpstream } from './harness.ts'
import { CALL_CARD, putInForce } from './otlp-card.ts'

let service: Running
const warnings: unknown[] = []

before(async () => {
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable())
  const note = (...said: readonly unknown[]): void => {
    warnings.push(said)
  }
  diag.setLogger({ error: note, warn: note, info: () => {}, debug: () => {}, verbose: () => {} }, DiagLogLevel.WARN)
  service = await startService({})
  await putInForce(service, CALL_CARD)
})
after(async () => {
  assert.doesNotMatch(service.logged(), /CANARY/)
  await service[Symbol.asyncDispose]()
  context.disable()
  diag.disable()
})

/** Both exporters, each with its own connection, for what `member` does. */
const tracing = (member: string) => {
  const url = `${service.url}/v1/traces`
  const provider = new BasicTracerProvider({
    resource: resourceFromAttributes({ 'service.name': 'shop', 'user.id': member }),
    spanProcessors: [
      new BatchSpanProcessor(new JsonTraces({ url })),
      new BatchSpanProcessor(new ProtobufTraces({ url, compression: 'gzip' as never })),
    ],
  })
  return { tracer: provider.getTracer('ai'), provider, flush: () => provider.shutdown() }
}

type Line = {
  readonly user_id?: string
  readonly model?: string
  readonly outcome?: string
  readonly credits_used: number
}

const chargedTo = async (member: string): Promise<readonly number[]> => {
  const response = await fetch(`${service.url}/v1/usage?from=2024-01-01&to=2035-01-01&limit=1000`)
  const { usage } = (await response.json()) as { usage: readonly Line[] }
  return usage.flatMap((line) => (line.user_id === member ? [line.credits_used] : [])).sort((one, other) => one - other)
}

type Counts = {
  readonly source: string
  readonly reasons: readonly { readonly reason: string; readonly records: number }[]
} & Readonly<Record<'accepted' | 'duplicate' | 'conflict' | 'rejected' | 'unpriced' | 'ignored', number>>
const countsOf = async (source: string): Promise<Counts> => {
  const { sources } = (await (await fetch(`${service.url}/v1/intake`)).json()) as { sources: readonly Counts[] }
  return (
    sources.find((each) => each.source === source) ?? {
      source,
      reasons: [],
      ...{ accepted: 0, duplicate: 0, conflict: 0, rejected: 0, unpriced: 0, ignored: 0 },
    }
  )
}

/** What `run` adds: every call once, and once more as a duplicate from the other exporter. */
const assertEachOnce = async (source: string, calls: number, run: () => Promise<void>): Promise<void> => {
  warnings.length = 0
  const { accepted, duplicate } = await countsOf(source)
  await run()
  const later = await countsOf(source)
  assert.deepEqual(
    [later.accepted - accepted, later.duplicate - duplicate, later.conflict, later.rejected, later.unpriced],
    [calls, calls, 0, 0, 0],
  )
  assert.deepEqual(warnings, [])
}

const USAGE = {
  inputTokens: { total: 1500, noCache: 400, cacheRead: 1000, cacheWrite: 100 },
  outputTokens: { total: 250, text: 200, reasoning: 50 },
}
const STOP = { unified: 'stop', raw: 'stop' } as const
const ANSWER = {
  finishReason: STOP,
  usage: USAGE,
  warnings: [],
  content: [{ type: 'text', text: 'CANARY-OUT' }],
} as const
const TOOL_CALL = {
  ...ANSWER,
  finishReason: { unified: 'tool-calls', raw: 'tool_calls' },
  content: [{ type: 'tool-call', toolCallId: 'call-1', toolName: 'weather', input: '{"city":"CANARY-CITY"}' }],
} as const
const PARTS = [
  { type: 'stream-start', warnings: [] },
  { type: 'text-start', id: 't' },
  { type: 'text-delta', id: 't', delta: 'CANARY-OUT' },
  { type: 'text-end', id: 't' },
  { type: 'finish', finishReason: STOP, usage: USAGE },
] as const
// 400 at 250, 1,000 at 25, 100 at 300 and 250 at 1,500 a million.
const CALL = 0.53
// 8 at 2 a million.
const EMBEDDING = 0.000016
/** Of a text, a stream, two steps of an agent, and two texts embedded in two requests. A failed call costs nothing. */
const CALLS = [EMBEDDING, EMBEDDING, CALL, CALL, CALL, CALL]

/** The two majors have the same functions and differ in their telemetry. */
type Sdk = {
  readonly sdk: typeof sdk7
  readonly Model: typeof mocks7.MockLanguageModelV4
  readonly Embedding: typeof mocks7.MockEmbeddingModelV4
  readonly stream: typeof mocks7.simulateReadableStream
}
const SDK_7: Sdk = {
  sdk: sdk7,
  Model: mocks7.MockLanguageModelV4,
  Embedding: mocks7.MockEmbeddingModelV4,
  stream: mocks7.simulateReadableStream,
}
const SDK_6 = {
  sdk: sdk6,
  Model: mocks6.MockLanguageModelV3,
  Embedding: mocks6.MockEmbeddingModelV3,
  stream: mocks6.simulateReadableStream,
} as unknown as Sdk

const useSdk = async ({ sdk, Model, Embedding, stream }: Sdk, telemetry: object): Promise<void> => {
  const about = { modelId: 'gpt-5.4', provider: 'openai.responses' }
  const options = { prompt: 'CANARY-IN', ...telemetry }
  await sdk.generateText({ ...options, model: new Model({ ...about, doGenerate: async () => ANSWER as never }) })
  const streaming = new Model({
    ...about,
    doStream: async () => ({ stream: stream({ chunks: [...PARTS], chunkDelayInMs: null }) as never }),
  })
  for await (const _ of sdk.streamText({ ...options, model: streaming }).textStream);
  let step = 0
  const agent = new Model({ ...about, doGenerate: async () => (step++ === 0 ? TOOL_CALL : ANSWER) as never })
  const weather = sdk.tool({
    description: 'CANARY-TOOL',
    inputSchema: sdk.jsonSchema<{ city: string }>({ type: 'object', properties: { city: { type: 'string' } } }),
    execute: async () => 'CANARY-RESULT',
  })
  await sdk.generateText({ ...options, model: agent, tools: { weather }, stopWhen: sdk.stepCountIs(3) } as never)
  const embedding = new Embedding({
    modelId: 'embedding-3',
    maxEmbeddingsPerCall: 1,
    doEmbed: async () => ({ embeddings: [[1, 2]], usage: { tokens: 8 }, warnings: [] }) as never,
  })
  await sdk.embedMany({ model: embedding, values: ['CANARY-1', 'CANARY-2'], ...telemetry })
  const broken = new Model({
    ...about,
    doGenerate: async () => {
      throw new Error('CANARY-ERROR')
    },
  })
  await assert.rejects(sdk.generateText({ ...options, model: broken, maxRetries: 0 }))
}

test('AI SDK 7', async () => {
  await assertEachOnce('ai-sdk', CALLS.length, async () => {
    const { tracer, flush } = tracing('nobody')
    const integration = new OpenTelemetry({
      tracer,
      enrichSpan: ({ runtimeContext }) => ({ 'user.id': String(runtimeContext?.['userId']) }),
    })
    await useSdk(SDK_7, {
      runtimeContext: { userId: 'sdk-7' },
      telemetry: { integrations: [integration], includeRuntimeContext: { userId: true } },
    })
    await flush()
  })
  assert.deepEqual(await chargedTo('sdk-7'), CALLS)
})

test('AI SDK 7 with the attributes of 6', async () => {
  await assertEachOnce('ai-sdk', CALLS.length, async () => {
    const { tracer, flush } = tracing('sdk-7-legacy')
    await useSdk(SDK_7, { telemetry: { integrations: [new LegacyOpenTelemetry({ tracer })] } })
    await flush()
  })
  assert.deepEqual(await chargedTo('sdk-7-legacy'), CALLS)
})

test('AI SDK 6', async () => {
  await assertEachOnce('ai-sdk', CALLS.length, async () => {
    const { tracer, flush } = tracing('nobody')
    await useSdk(SDK_6, { experimental_telemetry: { isEnabled: true, tracer, metadata: { userId: 'sdk-6' } } })
    await flush()
  })
  assert.deepEqual(await chargedTo('sdk-6'), CALLS)
})

test("Traceloop's instrumentations of OpenAI and Anthropic", async () => {
  warnings.length = 0
  await using vendors = await startUpstream((request, response) => {
    request.resume()
    if (request.url?.includes('/chat/completions')) send(response, 200, COMPLETION)
    else if (request.url?.includes('/v1/messages')) send(response, 200, MESSAGE)
    else response.writeHead(404).end()
  })
  const { provider, flush } = tracing('traceloop')
  const instrumentations = [new OpenAIInstrumentation(), new AnthropicInstrumentation()] as const
  for (const each of instrumentations) each.setTracerProvider(provider)
  instrumentations[0].manuallyInstrument(OpenAI)
  instrumentations[1].manuallyInstrument({ Anthropic } as never)
  const messages = [{ role: 'user' as const, content: 'CANARY-IN' }]
  const openai = new OpenAI({ apiKey: 'none', baseURL: `${vendors.url}/v1` })
  const anthropic = new Anthropic({ apiKey: 'none', baseURL: vendors.url })
  await openai.chat.completions.create({ model: 'gpt-5.4', messages })
  await anthropic.messages.create({ model: 'claude-opus-4-5', max_tokens: 100, messages })
  await flush()
  assert.deepEqual(warnings, [])
  // 10 at 500, 2,000 at 50, 1,000 at 625 and 100 at 2,500 a million; OpenAI's cached tokens are not stated, so 2,000 at 250 and 500
  // at 1,500.
  assert.deepEqual(await chargedTo('traceloop'), [0.98, 1.25])
})

const COMPLETION = {
  id: 'chatcmpl-1',
  object: 'chat.completion',
  created: 1_764_000_000,
  model: 'gpt-5.4',
  choices: [{ index: 0, finish_reason: 'stop', message: { role: 'assistant', content: 'CANARY-OUT' } }],
  usage: {
    prompt_tokens: 2000,
    completion_tokens: 500,
    total_tokens: 2500,
    prompt_tokens_details: { cached_tokens: 1000 },
  },
}

const MESSAGE = {
  id: 'msg_1',
  type: 'message',
  role: 'assistant',
  model: 'claude-opus-4-5',
  content: [{ type: 'text', text: 'CANARY-OUT' }],
  stop_reason: 'end_turn',
  usage: { input_tokens: 10, cache_read_input_tokens: 2000, cache_creation_input_tokens: 1000, output_tokens: 100 },
}

test("Claude Code's and Codex's events by the exporters of log records", async () => {
  const url = `${service.url}/v1/logs`
  const loggerOf = (name: string, scope: string) => {
    const provider = new LoggerProvider({
      resource: resourceFromAttributes({ 'service.name': name }),
      processors: [
        new BatchLogRecordProcessor({ exporter: new JsonLogs({ url }) }),
        new BatchLogRecordProcessor({ exporter: new ProtobufLogs({ url, compression: 'gzip' as never }) }),
      ],
    })
    return { logger: provider.getLogger(scope), flush: () => provider.shutdown() }
  }
  await assertEachOnce('claude-code', 1, async () => {
    const { logger, flush } = loggerOf('claude-code', 'com.anthropic.claude_code.events')
    logger.emit({ body: 'claude_code.user_prompt', attributes: { 'event.name': 'user_prompt', prompt: 'CANARY-IN' } })
    logger.emit({
      body: 'claude_code.api_request',
      attributes: {
        'event.name': 'api_request',
        'event.sequence': 2,
        'session.id': 'session-1',
        'user.id': 'a-hash',
        'user.email': 'claude@example.com',
        model: 'claude-opus-4-5',
        input_tokens: '10',
        output_tokens: '100',
        cache_read_tokens: '2000',
        cache_creation_tokens: '1000',
        cost_usd: '0.0098',
        request_id: 'req_exporter',
      },
    })
    await flush()
  })
  assert.deepEqual(await chargedTo('claude@example.com'), [0.98])
  await assertEachOnce('codex', 1, async () => {
    const { logger, flush } = loggerOf('codex_cli_rs', 'codex_otel')
    for (const kind of ['response.created', 'response.output_item.done'])
      logger.emit({ attributes: { 'event.name': 'codex.sse_event', 'event.kind': kind } })
    logger.emit({
      attributes: {
        'event.name': 'codex.sse_event',
        'event.kind': 'response.completed',
        'conversation.id': 'conversation-1',
        'user.email': 'codex@example.com',
        model: 'gpt-5.4',
        input_token_count: '1500',
        output_token_count: '250',
        cached_token_count: '1000',
        reasoning_token_count: '50',
        tool_token_count: '1750',
      },
    })
    await flush()
  })
  // 500 at 250, 1,000 at 25 and 250 at 1,500 a million.
  assert.deepEqual(await chargedTo('codex@example.com'), [0.525])
})

test('while the database is away, an exporter repeats its request, and the call is charged once', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'copilot-credits-exporters-'))
  try {
    const database = join(folder, 'ledger.db')
    await using away = await startService({ DATABASE_URL: `sqlite:${database}` })
    renameSync(database, `${database}.away`)
    const exporter = new ProtobufTraces({ url: `${away.url}/v1/traces` })
    const provider = new BasicTracerProvider({ spanProcessors: [new BatchSpanProcessor(exporter)] })
    provider
      .getTracer('ai')
      .startSpan('chat', { attributes: { 'gen_ai.operation.name': 'chat', 'gen_ai.usage.input_tokens': 10 } })
      .end()
    const sent = provider.shutdown()
    while (!/"status":503/.test(away.logged())) await letOthersRun()
    renameSync(`${database}.away`, database)
    await sent
    const { sources } = (await (await fetch(`${away.url}/v1/intake`)).json()) as { sources: readonly Counts[] }
    assert.deepEqual(
      sources.map(({ unpriced, duplicate }) => [unpriced, duplicate]),
      [[1, 0]],
    )
  } finally {
    rmSync(folder, { recursive: true })
  }
})
