/** Requests of real senders: each call is charged once and right, in any order, and nothing that was said is kept anywhere. */
import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { type Running, startService } from './harness.ts'
import { CALL_CARD, putInForce } from './otlp-card.ts'
import {
  attributes,
  type LogRequest,
  logsAsJson,
  logsAsProtobuf,
  type OtlpValue,
  type TraceRequest,
  tracesAsJson,
  tracesAsProtobuf,
} from './otlp-encoding.ts'

// 400 at 250, 1,000 at 25, 100 at 300 and 250 at 1,500 a million; 8 at 2 a million.
const SDK = [0.53, 0.53, 0.000016]
// 10 at 500, 2,000 at 50, 1,000 at 625 and 100 at 2,500 a million.
const ANTHROPIC = 0.98
const EXPECTED: Readonly<Record<string, readonly number[]>> = {
  'ai-sdk-6': SDK,
  'ai-sdk-7': SDK,
  'ai-sdk-7-legacy': SDK,
  // Cached tokens of OpenAI are not stated, so 2,000 at 250 and 500 at 1,500.
  traceloop: [1.25, ANTHROPIC],
  // 1,000 at 250, 1,000 at 25 and 500 at 1,500.
  openinference: [1.025, ANTHROPIC],
}

const post = (body: string | Uint8Array, type = 'application/json'): RequestInit => ({
  method: 'POST',
  headers: { 'content-type': type },
  body: typeof body === 'string' ? body : Buffer.from(body),
})

type Line = { readonly message_id: string; readonly credits_used: number; readonly user_id?: string }
const linesOf = async ({ url }: Running): Promise<readonly Line[]> => {
  const response = await fetch(`${url}/v1/usage?from=2024-01-01&to=2030-01-01&limit=100`)
  return ((await response.json()) as { usage: readonly Line[] }).usage
}

const recordingOf = (name: string): readonly unknown[] =>
  JSON.parse(readFileSync(new URL(`otlp-recordings/${name}.json`, import.meta.url), 'utf8'))

describe('recorded requests', () => {
  for (const [name, credits] of Object.entries(EXPECTED)) {
    test(`${name}: each call is charged once and right, in any order, twice`, async () => {
      const requests = recordingOf(name).map((each) => JSON.stringify(each))
      assert.ok(requests.join().includes('CANARY-IN'))
      const charged: (readonly Line[])[] = []
      for (const order of [requests, requests.toReversed()]) {
        await using service = await startService({})
        await putInForce(service, CALL_CARD)
        for (const request of [...order, ...order]) {
          const response = await fetch(`${service.url}/v1/traces`, post(request))
          assert.equal(await response.text(), '{}')
        }
        charged.push((await linesOf(service)).toSorted((one, other) => (one.message_id < other.message_id ? -1 : 1)))
        assert.doesNotMatch(service.logged(), /CANARY/)
      }
      assert.deepEqual(charged[0], charged[1])
      assert.deepEqual((charged[0] ?? []).map(({ credits_used: each }) => each).sort(), [...credits].sort())
      if (name.startsWith('ai-sdk')) assert.ok(charged[0]?.every(({ user_id: member }) => member === 'ada'))
    })
  }
})

/** Where senders put what was said. */
const CONTENT = [
  'gen_ai.input.messages',
  'gen_ai.output.messages',
  'gen_ai.system_instructions',
  'gen_ai.tool.definitions',
  'gen_ai.tool.call.arguments',
  'gen_ai.tool.call.result',
  'gen_ai.prompt',
  'gen_ai.completion',
  'gen_ai.prompt.0.content',
  'gen_ai.completion.0.content',
  'trace.input',
  'trace.output',
  'span.input',
  'span.output',
  'ai.prompt',
  'ai.prompt.messages',
  'ai.response.text',
  'ai.response.object',
  'ai.response.toolCalls',
  'ai.values',
  'ai.value',
  'ai.toolCall.args',
  'ai.toolCall.result',
  'llm.input_messages.0.message.content',
  'llm.output_messages.0.message.content',
  'llm.prompts',
  'llm.anthropic.messages',
  'llm.openai.messages',
  'input.value',
  'output.value',
  'copilot_chat.user_request',
  'copilot_chat.reasoning_content',
  'copilot_chat.hook_input',
  'copilot_chat.markdown_content',
  'error.message',
  'prompt',
  'response',
  'body',
  'arguments',
  'output',
  'traceloop.entity.input',
  'traceloop.entity.output',
  'hidden_params',
]

test('nothing that was said is in an answer, a log, a metric or the database', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'copilot-credits-canary-'))
  try {
    const texts = Object.fromEntries(CONTENT.map((name, index) => [name, `CANARY-${index}`]))
    const nested: OtlpValue = { kvlistValue: { values: [{ key: 'content', value: { stringValue: 'CANARY-nested' } }] } }
    const held = [...attributes(texts), { key: 'gen_ai.input.messages', value: { arrayValue: { values: [nested] } } }]
    const call = attributes({
      'gen_ai.operation.name': 'chat',
      'gen_ai.request.model': 'gpt-5.4',
      'gen_ai.usage.input_tokens': 10,
    })
    const bad = attributes({ 'gen_ai.operation.name': 'chat', 'gen_ai.usage.input_tokens': 'CANARY-count' })
    const span = (spanId: string, list: typeof call) => ({
      traceId: '5b8efff798038103d269b633813fc60c',
      spanId,
      name: 'CANARY-name',
      endTimeUnixNano: '1716206400000000000',
      attributes: [...list, ...held],
      events: [{ name: 'CANARY-event', attributes: held }],
      status: { code: 1, message: 'CANARY-status' },
    })
    const traces: TraceRequest = [
      {
        resource: { attributes: held },
        scopes: [{ scope: { name: 'a' }, records: [span('000000000000000a', call), span('000000000000000b', bad)] }],
      },
    ]
    const event = attributes({ 'event.name': 'api_request', model: 'gpt-5.4', input_tokens: 10, request_id: 'r1' })
    const logs: LogRequest = [
      {
        resource: { attributes: attributes({ 'service.name': 'claude-code' }) },
        scopes: [
          {
            records: [
              {
                timeUnixNano: '1716206400000000000',
                body: { stringValue: 'CANARY-body' },
                attributes: [...event, ...held],
              },
              { timeUnixNano: '1716206400000000000', body: nested, attributes: held },
            ],
          },
        ],
      },
    ]
    let seen = ''
    {
      await using service = await startService({
        DATABASE_URL: `sqlite:${join(folder, 'ledger.db')}`,
        LOG_LEVEL: 'trace',
      })
      const look = async (path: string, init?: RequestInit): Promise<void> => {
        const response = await fetch(`${service.url}${path}`, init)
        seen += `${response.status} ${JSON.stringify([...response.headers])} ${await response.text()}\n`
      }
      for (const [path, json, protobuf] of [
        ['/v1/traces', tracesAsJson(traces), tracesAsProtobuf(traces)],
        ['/v1/logs', logsAsJson(logs), logsAsProtobuf(logs)],
      ] as const) {
        await look(path, post(JSON.stringify(json)))
        await look(path, post(protobuf, 'application/x-protobuf'))
        // Cut off in the middle of the content.
        await look(path, post(JSON.stringify(json).slice(0, -20)))
        await look(path, post(protobuf.subarray(0, -20), 'application/x-protobuf'))
      }
      for (const path of [
        '/v1/intake',
        '/metrics',
        '/usage?period=2024-05',
        '/v1/usage?period=2024-05',
        '/v1/usage/totals?period=2024-05',
      ])
        await look(path)
      await look(`/v1/messages/${encodeURIComponent('otlp:5b8efff798038103d269b633813fc60c000000000000000a')}`)
      await look(`/v1/messages/${encodeURIComponent('otlp:r1')}`)
      seen += service.logged()
    }
    assert.match(seen, /otlp:5b8efff798038103d269b633813fc60c000000000000000a/)
    assert.match(seen, /otlp:r1/)
    assert.doesNotMatch(seen, /CANARY/)
    for (const file of readdirSync(folder)) assert.ok(!readFileSync(join(folder, file)).includes('CANARY'), file)
  } finally {
    rmSync(folder, { recursive: true })
  }
})
