/** What the AI SDK, OpenAI's client and Anthropic's client return, reported through the client and charged by the service. */
import assert from 'node:assert/strict'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { after, before, describe, test } from 'node:test'
import Anthropic from '@anthropic-ai/sdk'
import {
  embed,
  embedMany,
  generateObject,
  generateText,
  isStepCount,
  jsonSchema,
  streamObject,
  streamText,
  tool,
} from 'ai'
import OpenAI from 'openai'
import { type Client, type Message, messagesOf, type ReportedMessages, type ReportFields } from '../client/src/index.ts'
import { type Running, type StandIn, send, startService, startUpstream } from './harness.ts'
import {
  CACHED,
  CACHED_CREDITS,
  CANARY,
  calling,
  EMBEDDING_CREDITS,
  embeddingModel,
  meteringClient,
  modelOf,
  PLAIN,
  PLAIN_CREDITS,
  spoken,
} from './model-calls.ts'

const CREATED = 1_714_355_699
const chatUsage = {
  prompt_tokens: 2006,
  completion_tokens: 300,
  total_tokens: 2306,
  prompt_tokens_details: { cached_tokens: 1920, audio_tokens: 0 },
  completion_tokens_details: { reasoning_tokens: 120 },
}
/** 86 × 250 + 1,920 × 25 + 300 × 1,500 micro-credits. */
const CHAT_CREDITS = 0.5195

const chat = { object: 'chat.completion', created: CREATED, model: 'gpt-5.4' }
const answers: Readonly<Record<string, unknown>> = {
  '/chat/completions': {
    ...chat,
    id: 'chatcmpl-1',
    choices: [{ index: 0, finish_reason: 'stop', message: { role: 'assistant', content: CANARY, refusal: null } }],
    usage: chatUsage,
    system_fingerprint: CANARY,
  },
  '/responses': {
    id: 'resp_1',
    object: 'response',
    created_at: CREATED,
    status: 'completed',
    model: 'gpt-5.4',
    instructions: CANARY,
    output: [
      {
        type: 'message',
        id: 'm',
        role: 'assistant',
        status: 'completed',
        content: [{ type: 'output_text', text: CANARY }],
      },
    ],
    usage: {
      input_tokens: 2006,
      input_tokens_details: { cached_tokens: 1920 },
      output_tokens: 300,
      output_tokens_details: { reasoning_tokens: 120 },
      total_tokens: 2306,
    },
  },
  '/embeddings': {
    object: 'list',
    model: 'text-embedding-3-small',
    data: [{ object: 'embedding', index: 0, embedding: [0.25] }],
    usage: { prompt_tokens: 5000, total_tokens: 5000 },
  },
  '/v1/messages': {
    id: 'msg_1',
    type: 'message',
    role: 'assistant',
    model: 'claude-sonnet-4-6',
    content: [{ type: 'text', text: CANARY }],
    stop_reason: 'end_turn',
    stop_sequence: null,
    // 48 × 300 + 1,800 × 30 + 200 × 375 + 503 × 1,500 = 897,900 micro-credits.
    usage: {
      input_tokens: 48,
      cache_read_input_tokens: 1800,
      cache_creation_input_tokens: 200,
      cache_creation: { ephemeral_5m_input_tokens: 200, ephemeral_1h_input_tokens: 0 },
      output_tokens: 503,
      server_tool_use: null,
      service_tier: 'standard',
    },
  },
}
const MESSAGE_CREDITS = 0.8979

const chunk = (choices: readonly unknown[], more: object = {}) => {
  return { ...chat, object: 'chat.completion.chunk', id: 'chatcmpl-2', choices, ...more }
}
const message = answers['/v1/messages'] as { readonly usage: object }
const streams: Readonly<Record<string, (body: Members) => readonly Members[]>> = {
  '/chat/completions': (body) => [
    chunk([{ index: 0, delta: { content: CANARY }, finish_reason: null }]),
    chunk([{ index: 0, delta: {}, finish_reason: 'stop' }]),
    ...(body['stream_options'] === undefined ? [] : [chunk([], { usage: chatUsage })]),
  ],
  '/responses': () => [
    { type: 'response.output_text.delta', delta: CANARY },
    { type: 'response.completed', response: { ...(answers['/responses'] as Members), id: 'resp_2' } },
  ],
  '/v1/messages': () => [
    {
      type: 'message_start',
      message: { ...message, id: 'msg_2', content: [], usage: { ...message.usage, output_tokens: 1 } },
    },
    { type: 'content_block_start', index: 0, content_block: { type: 'text', text: '' } },
    { type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text: CANARY } },
    { type: 'content_block_stop', index: 0 },
    { type: 'message_delta', delta: { stop_reason: 'end_turn', stop_sequence: null }, usage: { output_tokens: 503 } },
    { type: 'message_stop' },
  ],
}

type Members = Readonly<Record<string, unknown>>

/** A provider of models that speaks as OpenAI and Anthropic do. */
const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
  const path = request.url ?? ''
  const pieces = await Array.fromAsync(request as AsyncIterable<Buffer>)
  const body = JSON.parse(Buffer.concat(pieces).toString()) as Members
  if (body['stream'] !== true) return send(response, 200, answers[path])
  response.writeHead(200, { 'content-type': 'text/event-stream' })
  for (const event of streams[path]?.(body) ?? []) {
    const name = 'type' in event ? `event: ${event['type']}\n` : ''
    response.write(`${name}data: ${JSON.stringify(event)}\n\n`)
  }
  response.end(path === '/chat/completions' ? 'data: [DONE]\n\n' : '')
}

const WHO: ReportFields = { user_id: 'ada', team_id: 'research', attributes: { feature: 'chat' } }
const search = tool({ inputSchema: jsonSchema<{ query: string }>({ type: 'object' }), execute: async () => CANARY })

describe('a reported result', () => {
  let service: Running
  let provider: StandIn
  let client: Client
  let openai: OpenAI
  let anthropic: Anthropic
  before(async () => {
    service = await startService({})
    provider = await startUpstream((request, response) => void answer(request, response))
    client = await meteringClient(service)
    openai = new OpenAI({ baseURL: provider.url, apiKey: 'x' })
    anthropic = new Anthropic({ baseURL: provider.url, apiKey: 'x' })
  })
  after(async () => {
    await provider[Symbol.asyncDispose]()
    await service[Symbol.asyncDispose]()
  })

  const ask = { model: 'gpt-5.4', messages: [{ role: 'user' as const, content: CANARY }] }
  const askClaude = { ...ask, model: 'claude-sonnet-4-6', max_tokens: 1000 }

  const charged = ({ results }: ReportedMessages): readonly (number | string)[] =>
    results.map(({ status, credits, field, reason }) =>
      status === 'accepted' ? Number(credits) : `${status} ${field} ${reason}`,
    )

  test('of OpenAI is charged once, whether it is a chat completion, a response or embeddings', async () => {
    const completion = await openai.chat.completions.create(ask)
    const { results, ...counts } = await client.report(completion, WHO)
    assert.deepEqual(results, [{ id: 'chatcmpl-1', status: 'accepted', credits: CHAT_CREDITS }])
    assert.equal(counts.accepted, 1)
    const { charges } = await client.charges('chatcmpl-1')
    assert.deepEqual(
      charges[0]?.lines?.map(({ rule, quantity, credits }) => [rule, quantity, credits]),
      [
        ['input', 86, 0.0215],
        ['cache-read', 1920, 0.048],
        ['output', 300, 0.45],
      ],
    )
    const again = await client.report(completion, WHO)
    assert.deepEqual(again.results, [{ id: 'chatcmpl-1', status: 'duplicate', credits: CHAT_CREDITS }])

    const response = await openai.responses.create({ model: 'gpt-5.4', input: CANARY })
    assert.deepEqual(charged(await client.report(response, WHO)), [CHAT_CREDITS])
    const embeddings = await openai.embeddings.create({ model: 'text-embedding-3-small', input: CANARY })
    assert.deepEqual(charged(await client.report(embeddings, WHO)), [EMBEDDING_CREDITS])
  })

  test('may be the last chunk or event of a stream of OpenAI', async () => {
    const chunks = await Array.fromAsync(
      await openai.chat.completions.create({ ...ask, stream: true, stream_options: { include_usage: true } }),
    )
    assert.deepEqual(charged(await client.report(chunks.at(-1) ?? {}, WHO)), [CHAT_CREDITS])
    const events = await Array.fromAsync(
      await openai.responses.create({ model: 'gpt-5.4', input: CANARY, stream: true }),
    )
    assert.deepEqual(charged(await client.report(events.at(-1) ?? {}, WHO)), [CHAT_CREDITS])
  })

  test('of Anthropic is charged without counting cached tokens twice, streamed or not', async () => {
    const whole = await anthropic.messages.create(askClaude)
    assert.deepEqual(charged(await client.report(whole, WHO)), [MESSAGE_CREDITS])
    const final = await anthropic.messages.stream(askClaude).finalMessage()
    assert.equal(final.id, 'msg_2')
    assert.deepEqual(charged(await client.report(final, WHO)), [MESSAGE_CREDITS])
  })

  test('of the AI SDK is a message for each call of a model', async () => {
    const two = () => ({
      model: modelOf(calling(CACHED), spoken(PLAIN)),
      prompt: CANARY,
      tools: { search },
      stopWhen: isStepCount(3),
    })
    const both = [CACHED_CREDITS, PLAIN_CREDITS]
    const generated = await generateText(two())
    const { results } = await client.report(generated, { ...WHO, id: 'turn-1' })
    assert.deepEqual(
      results.map(({ id, credits }) => [id, credits]),
      [
        ['turn-1:1', CACHED_CREDITS],
        ['turn-1:2', PLAIN_CREDITS],
      ],
    )

    const streamed = streamText(two())
    await streamed.consumeStream()
    assert.deepEqual(charged(await client.report(streamed, { ...WHO, id: 'turn-2' })), both)

    const { promise: reported, resolve } = Promise.withResolvers<ReportedMessages>()
    const onEnd = (event: object): void => resolve(client.report(event, { ...WHO, id: 'turn-3' }))
    await streamText({ ...two(), onEnd }).consumeStream()
    assert.deepEqual(charged(await reported), both)
  })

  test('of the AI SDK may be an object or an embedding', async () => {
    const schema = jsonSchema<{ a: string }>({ type: 'object' })
    const model = () => modelOf(spoken(PLAIN, `{"a":"${CANARY}"}`))
    const object = await generateObject({ model: model(), schema, prompt: CANARY })
    assert.deepEqual(charged(await client.report(object, { id: 'object-1' })), [PLAIN_CREDITS])
    const streamed = streamObject({ model: model(), schema, prompt: CANARY })
    await Array.fromAsync(streamed.partialObjectStream)
    assert.deepEqual(charged(await client.report(streamed, { id: 'object-2' })), [PLAIN_CREDITS])

    const one = await embed({ model: embeddingModel(), value: CANARY })
    const named = { model: 'text-embedding-3-small' }
    assert.deepEqual(charged(await client.report(one, named)), [EMBEDDING_CREDITS])
    await assert.rejects(client.report(one), { name: 'TypeError', message: /does not name its model/ })
    // Two calls of 5,000 tokens.
    const many = await embedMany({ model: embeddingModel(), values: [CANARY, CANARY, CANARY] })
    assert.deepEqual(charged(await client.report(many, named)), [EMBEDDING_CREDITS * 2])
  })

  test('takes id, model and instant from the provider unless they are given', async () => {
    const completion = await openai.chat.completions.create(ask)
    const own = { usage: chatUsage, usage_format: 'openai' }
    const timestamp = '2024-04-29T01:54:59.000Z'
    assert.deepEqual(await messagesOf(completion), [{ id: 'chatcmpl-1', timestamp, model: 'gpt-5.4', ...own }])
    const fields: ReportFields = {
      id: 7,
      model: 'other',
      timestamp: '2024-05-01T00:00:00Z',
      report_id: 5392,
      team_id: undefined,
    }
    const { team_id: _, ...given } = fields
    assert.deepEqual(await messagesOf(completion, fields), [{ ...own, ...given }])
    // A promise of a result is one, and 0 is no instant.
    const [now] = await messagesOf(Promise.resolve({ ...completion, created: 0 }))
    assert.ok(Math.abs(Date.now() - Date.parse(now?.timestamp ?? '')) < 60_000)
    const [embeddings, others] = await Promise.all(
      [1, 2].map(async () => messagesOf(await openai.embeddings.create({ model: 'm', input: CANARY }))),
    )
    assert.notEqual(embeddings?.[0]?.id, others?.[0]?.id, 'embeddings have no id')
  })

  test('says what the outcome was, and how OpenRouter counts', async () => {
    const outcomes = ['completed', 'incomplete', 'failed', 'cancelled'].map(async (status) => {
      const [message] = await messagesOf({ ...(answers['/responses'] as object), status })
      return message?.outcome
    })
    assert.deepEqual(await Promise.all(outcomes), [undefined, undefined, 'failed', 'cancelled'])
    const failed = await generateText({ model: modelOf({ ...spoken(PLAIN), reason: 'error' }), prompt: CANARY })
    assert.equal((await messagesOf(failed))[0]?.outcome, 'failed')

    const routed = { ...(answers['/chat/completions'] as object), id: 'gen-1', usage: { ...chatUsage, cost: 0.00125 } }
    const [message] = await messagesOf(routed)
    assert.equal(message?.usage_format, 'openrouter')
    await client.report(routed)
    const { charges } = await client.charges('gen-1')
    assert.equal(charges[0]?.facts?.quantities?.['provider_cost_nano_usd'], 1_250_000)
  })

  test('leaves all content behind', async () => {
    const results: readonly object[] = [
      await openai.chat.completions.create(ask),
      await openai.responses.create({ model: 'gpt-5.4', input: CANARY }),
      await anthropic.messages.create(askClaude),
      await generateText({ model: modelOf(spoken(CACHED)), prompt: CANARY }),
      {
        ...chat,
        usage: { ...chatUsage, note: CANARY, list: [CANARY], inner: { note: CANARY, deep: { [CANARY]: 1 } } },
      },
    ]
    const messages: Message[] = []
    for (const result of results) {
      assert.ok(JSON.stringify(result).includes(CANARY))
      messages.push(...(await messagesOf(result)))
    }
    assert.equal(messages.length, 5)
    assert.ok(!JSON.stringify(messages).includes(CANARY), JSON.stringify(messages))
  })

  test('without usage is an error that says how to get it', async () => {
    const chunks = await Array.fromAsync(await openai.chat.completions.create({ ...ask, stream: true }))
    const stream = await openai.chat.completions.create({ ...ask, stream: true })
    const streamed = anthropic.messages.stream(askClaude)
    await streamed.done()
    const { usage: _, ...response } = answers['/responses'] as Members
    const cases: readonly (readonly [result: object, expected: RegExp])[] = [
      [chunks.at(-1) ?? {}, /The chunk has no usage\. Ask for it with stream_options: { include_usage: true }/],
      [stream, /ask for stream_options: { include_usage: true } and report the last chunk/],
      [streamed, /report `await stream\.finalMessage\(\)`/],
      [{ type: 'message_delta', usage: null }, /finalMessage/],
      [{ ...response, status: 'in_progress' }, /while its status is in_progress\. Report it when it is completed/],
      [{ type: 'response.output_text.delta' }, /Report the event response\.completed/],
      [await generateText({ model: modelOf(spoken()), prompt: CANARY }), /set includeUsage: true/],
      [await embed({ model: embeddingModel(Number.NaN), value: CANARY }), /The result has no usage/],
      [{}, /Report the whole object/],
      [chatUsage, /Report the whole object/],
      [null as unknown as object, /Report the whole object/],
      [{ usage: { input_tokens: 1 } }, /Name it with usage_format/],
    ]
    for (const [result, expected] of cases) {
      await assert.rejects(client.report(result), { name: 'TypeError', message: expected })
    }
  })
})
