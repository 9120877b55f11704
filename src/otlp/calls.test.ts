import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { isRejection, parseIncoming } from '#intake/incoming-message.ts'
import type { MessageEntry, Verdict } from '#intake/received-calls.ts'
import {
  attributes,
  type LogRequest,
  logsAsJson,
  type OtlpLog,
  type OtlpSpan,
  type TraceRequest,
  tracesAsJson,
} from '../../test/otlp-encoding.ts'
import { MEMBERS, TEAMS } from './attribute-names.ts'
import { type CallSettings, callsInLogs, callsInSpans } from './calls.ts'
import { readJsonLogs, readJsonSpans } from './json-records.ts'
import { wantedBy } from './wanted.ts'

const SETTINGS: CallSettings = { members: MEMBERS, teams: TEAMS, cachedApart: ['in-house'] }
const WANTED = wantedBy(SETTINGS)
const TRACE = '5b8efff798038103d269b633813fc60c'
const END = '1716206400123456789'

type Values = Readonly<Record<string, string | number | boolean | undefined>>
type Sent = {
  readonly scope?: string
  readonly service?: string
  readonly resource?: Values
  readonly settings?: CallSettings
}

let spans = 0
const span = (values: Values, more: Partial<OtlpSpan> = {}): OtlpSpan => ({
  traceId: TRACE,
  spanId: (++spans).toString(16).padStart(16, '0'),
  endTimeUnixNano: END,
  attributes: attributes(values),
  ...more,
})

const requestOf = (records: readonly OtlpSpan[], { scope, service, resource }: Sent): TraceRequest => [
  {
    resource: { attributes: attributes({ 'service.name': service, ...resource }) },
    scopes: [{ scope: { name: scope ?? '' }, records }],
  },
]

const verdictsOn = (records: readonly OtlpSpan[], sent: Sent = {}): readonly Verdict[] =>
  callsInSpans(
    readJsonSpans(Buffer.from(JSON.stringify(tracesAsJson(requestOf(records, sent)))), WANTED),
    sent.settings ?? SETTINGS,
  )

const verdictOn = (values: Values, sent: Sent = {}, more: Partial<OtlpSpan> = {}): Verdict => {
  const [verdict] = verdictsOn([span(values, more)], sent)
  assert.ok(verdict)
  return verdict
}

const entryOf = (verdict: Verdict): MessageEntry => {
  assert.equal(verdict.is, 'call', JSON.stringify(verdict))
  if (verdict.is !== 'call') throw new Error()
  const limits = { textBytesMax: 1, aheadMaxMs: 0 }
  assert.ok(!isRejection(parseIncoming(verdict.entry, limits, Date.now())), JSON.stringify(verdict))
  return verdict.entry
}

const callOf = (values: Values, sent: Sent = {}, more: Partial<OtlpSpan> = {}): MessageEntry =>
  entryOf(verdictOn(values, sent, more))

const CHAT = { 'gen_ai.operation.name': 'chat', 'gen_ai.request.model': 'gpt-5.4' }
const USED = { 'gen_ai.usage.input_tokens': 1500, 'gen_ai.usage.output_tokens': 250 }
const tokens = (input: number, read: number, write: number, output: number, reasoning = 0) => ({
  input_tokens: input,
  cache_read_tokens: read,
  cache_write_tokens: write,
  output_tokens: output,
  reasoning_tokens: reasoning,
})

describe('which spans are calls', () => {
  for (const operation of ['chat', 'generate_content', 'text_completion', 'embeddings']) {
    test(`${operation} is`, () => {
      callOf({ ...CHAT, ...USED, 'gen_ai.operation.name': operation })
    })
  }

  const OTHERS: readonly (readonly [Values, string])[] = [
    [{ 'gen_ai.operation.name': 'invoke_agent' }, 'agent'],
    [{ 'gen_ai.operation.name': 'agent_step' }, 'agent'],
    [{ 'gen_ai.operation.name': 'execute_tool' }, 'tool'],
    [{ 'gen_ai.operation.name': 'rerank' }, 'other-operation'],
    [{ 'ai.operationId': 'ai.generateText' }, 'root'],
    [{ 'ai.operationId': 'ai.streamText' }, 'root'],
    [{ 'ai.operationId': 'ai.embed' }, 'root'],
    [{ 'openinference.span.kind': 'AGENT', 'llm.token_count.prompt': 5 }, 'agent'],
    [{ 'openinference.span.kind': 'CHAIN', 'llm.token_count.prompt': 5 }, 'root'],
    [{}, 'no-call'],
  ]
  for (const [values, reason] of OTHERS) {
    test(`${JSON.stringify(values)} is not: ${reason}`, () => {
      const verdict = verdictOn({ ...USED, 'gen_ai.request.model': 'gpt-5.4', 'github.copilot.nano_aiu': 7, ...values })
      assert.deepEqual(verdict.is === 'ignored' && verdict.reason, reason)
    })
  }

  for (const id of [
    'ai.generateText.doGenerate',
    'ai.streamText.doStream',
    'ai.embed.doEmbed',
    'ai.streamObject.doStream',
  ]) {
    test(`${id} is`, () => {
      callOf({ 'ai.operationId': id, 'ai.model.id': 'gpt-5.4', 'ai.usage.tokens': 3 })
    })
  }

  test('a request type is, also if LiteLLM names the operation by its own word', () => {
    callOf({ 'llm.request.type': 'chat', 'gen_ai.request.model': 'gpt-5.4', ...USED })
    callOf({ ...CHAT, ...USED, 'gen_ai.operation.name': 'acompletion', 'llm.request.type': 'acompletion' })
  })

  test("OpenInference's counts are", () => {
    const entry = callOf({
      'openinference.span.kind': 'LLM',
      'llm.model_name': 'gpt-5.4',
      'llm.token_count.prompt': 2000,
      'llm.token_count.completion': 300,
      'llm.token_count.total': 2300,
      'llm.token_count.prompt_details.cache_read': 1500,
      'llm.token_count.completion_details.reasoning': 100,
    })
    assert.deepEqual(entry.usage, tokens(500, 1500, 0, 300, 100))
  })

  test('of OpenRouter only the root is, whatever it is called, and in whatever order and request its parts come', () => {
    const root = span({ ...CHAT, ...USED }, { name: 'LLM Generation', parentSpanId: 'ffffffffffffffff' })
    const attempt = span({ ...CHAT, ...USED }, { name: 'provider attempt 1: Novita', parentSpanId: root.spanId })
    const renamed = span(USED, { name: 'my trace' })
    for (const records of [[root, attempt], [attempt, root], [root], [attempt], [renamed]]) {
      const verdicts = verdictsOn(records, { scope: 'openrouter' })
      assert.deepEqual(
        verdicts.map(({ is }) => is),
        records.map((each) => (each === attempt ? 'ignored' : 'call')),
      )
    }
    assert.equal(verdictOn({ ...USED, 'gen_ai.request.model': 'a' }, {}, { name: 'LLM Generation' }).is, 'call')
  })

  test('a call below a call of the same scope is an attempt of it, and of another scope a call', () => {
    const parent = span({ ...CHAT, ...USED })
    const child = span({ ...CHAT, ...USED }, { parentSpanId: parent.spanId })
    assert.deepEqual(
      verdictsOn([child, parent], { scope: 'gateway' }).map(({ is }) => is),
      ['ignored', 'call'],
    )
    const [of] = requestOf([], {})
    const two = [
      {
        ...of,
        scopes: [
          { scope: { name: 'a' }, records: [parent] },
          { scope: { name: 'b' }, records: [child] },
        ],
      },
    ]
    const verdicts = callsInSpans(readJsonSpans(Buffer.from(JSON.stringify(tracesAsJson(two))), WANTED), SETTINGS)
    assert.deepEqual(
      verdicts.map(({ is }) => is),
      ['call', 'call'],
    )
  })

  test('a call below a step of the same scope is a call', () => {
    const step = span({ 'gen_ai.operation.name': 'agent_step', ...USED })
    const chat = span({ ...CHAT, ...USED }, { parentSpanId: step.spanId })
    assert.deepEqual(
      verdictsOn([chat, step], { scope: 'gen_ai' }).map(({ is }) => is),
      ['call', 'ignored'],
    )
  })

  test('of an embedding of the AI SDK 7 the inner spans are, in any order and request', () => {
    const embeddings = { 'gen_ai.operation.name': 'embeddings', 'gen_ai.request.model': 'text-embedding-3' }
    const outer = span(embeddings)
    const inner = span({ ...embeddings, 'gen_ai.usage.input_tokens': 8 }, { parentSpanId: outer.spanId })
    for (const records of [[outer, inner], [inner, outer], [outer], [inner]]) {
      assert.deepEqual(
        verdictsOn(records, { scope: 'gen_ai' }).map(({ is }) => is),
        records.map((each) => (each === inner ? 'call' : 'ignored')),
      )
    }
    const total = { ...outer, attributes: attributes({ ...embeddings, 'gen_ai.usage.input_tokens': 8 }) }
    assert.deepEqual(
      verdictsOn([inner, total], { scope: 'gen_ai' }).map(({ is }) => is),
      ['call', 'ignored'],
    )
  })

  test('spans of senders that report events are not', () => {
    for (const sent of [
      { scope: 'com.anthropic.claude_code.tracing' },
      { service: 'claude-code' },
      { service: 'codex_cli_rs' },
    ]) {
      const verdict = verdictOn({ ...CHAT, ...USED }, sent)
      assert.equal(verdict.is === 'ignored' && verdict.reason, 'repeats-events')
    }
  })
})

describe('what a call says', () => {
  test('its id is that of the trace and the span, never that of the response', () => {
    const entry = callOf({ ...CHAT, ...USED, 'gen_ai.response.id': 'chatcmpl-1' }, {}, { spanId: 'EEE19B7EC3C1B174' })
    assert.equal(entry.id, `otlp:${TRACE}eee19b7ec3c1b174`)
  })

  test('its time is the end of the span', () => {
    assert.equal(callOf({ ...CHAT, ...USED }).timestamp, '2024-05-20T12:00:00.123Z')
  })

  test('its model is that of the response, or else of the request', () => {
    assert.equal(
      callOf({ ...CHAT, ...USED, 'gen_ai.response.model': 'gpt-5.4-2026-03-05' }).model,
      'gpt-5.4-2026-03-05',
    )
    assert.equal(callOf({ ...CHAT, ...USED, 'gen_ai.response.model': '' }).model, 'gpt-5.4')
  })

  const SPELLINGS: readonly (readonly [Values, ReturnType<typeof tokens>])[] = [
    [{ ...USED, 'gen_ai.usage.cache_read.input_tokens': 1200 }, tokens(300, 1200, 0, 250)],
    [{ ...USED, 'gen_ai.usage.cache_creation.input_tokens': 300 }, tokens(1200, 0, 300, 250)],
    [{ ...USED, 'gen_ai.usage.cache_write.input_tokens': 300 }, tokens(1200, 0, 300, 250)],
    [
      { ...USED, 'gen_ai.usage.cache_read_input_tokens': 1, 'gen_ai.usage.cache_creation_input_tokens': 2 },
      tokens(1497, 1, 2, 250),
    ],
    [
      { ...USED, 'gen_ai.usage.reasoning.output_tokens': 50, 'gen_ai.usage.reasoning_tokens': 50 },
      tokens(1500, 0, 0, 250, 50),
    ],
    [
      {
        ...USED,
        'gen_ai.usage.input_tokens.cached': 1000,
        'gen_ai.usage.input_tokens.cache_write': 100,
        'gen_ai.usage.output_tokens.reasoning': 20,
        'gen_ai.usage.total_tokens': 1750,
      },
      tokens(400, 1000, 100, 250, 20),
    ],
    [{ 'gen_ai.usage.prompt_tokens': 10, 'gen_ai.usage.completion_tokens': 5 }, tokens(10, 0, 0, 5)],
    [{ 'gen_ai.usage.input_tokens': '12', 'gen_ai.usage.output_tokens': '' }, tokens(12, 0, 0, 0)],
  ]
  for (const [values, usage] of SPELLINGS) {
    test(`tokens: ${JSON.stringify(values)}`, () => {
      assert.deepEqual(callOf({ ...CHAT, ...values }).usage, usage)
    })
  }

  test('each count by each of its names', () => {
    const NAMES = {
      input_tokens: [
        'gen_ai.usage.input_tokens',
        'gen_ai.usage.prompt_tokens',
        'ai.usage.inputTokens',
        'ai.usage.promptTokens',
        'ai.usage.tokens',
        'llm.usage.prompt_tokens',
        'llm.token_count.prompt',
      ],
      cache_read_tokens: [
        'gen_ai.usage.cache_read.input_tokens',
        'gen_ai.usage.cache_read_input_tokens',
        'gen_ai.usage.input_tokens.cached',
        'gen_ai.usage.details.cache_read_tokens',
        'ai.usage.inputTokenDetails.cacheReadTokens',
        'ai.usage.cachedInputTokens',
        'llm.usage.cache_read_input_tokens',
        'llm.token_count.prompt_details.cache_read',
      ],
      cache_write_tokens: [
        'gen_ai.usage.cache_creation.input_tokens',
        'gen_ai.usage.cache_creation_input_tokens',
        'gen_ai.usage.cache_write.input_tokens',
        'gen_ai.usage.cache_write_input_tokens',
        'gen_ai.usage.input_tokens.cache_write',
        'gen_ai.usage.input_tokens.cache_creation',
        'gen_ai.usage.details.cache_write_tokens',
        'ai.usage.inputTokenDetails.cacheWriteTokens',
        'llm.usage.cache_creation_input_tokens',
        'llm.token_count.prompt_details.cache_write',
      ],
      output_tokens: [
        'gen_ai.usage.output_tokens',
        'gen_ai.usage.completion_tokens',
        'ai.usage.outputTokens',
        'ai.usage.completionTokens',
        'llm.usage.completion_tokens',
        'llm.token_count.completion',
      ],
    } as const
    for (const [kind, names] of Object.entries(NAMES)) {
      for (const name of names) {
        const { usage } = callOf({ ...CHAT, [name]: 7 })
        assert.equal(usage?.[kind as keyof typeof NAMES], 7, name)
      }
    }
    for (const name of [
      'gen_ai.usage.reasoning.output_tokens',
      'gen_ai.usage.reasoning_output_tokens',
      'gen_ai.usage.reasoning_tokens',
      'gen_ai.usage.output_tokens.reasoning',
      'gen_ai.usage.details.reasoning_tokens',
      'ai.usage.outputTokenDetails.reasoningTokens',
      'ai.usage.reasoningTokens',
      'llm.usage.reasoning_tokens',
      'llm.token_count.completion_details.reasoning',
    ])
      assert.equal(callOf({ ...CHAT, ...USED, [name]: 7 }).usage?.['reasoning_tokens'], 7, name)
  })

  test('cached counts of the AI SDK are only in its own attributes', () => {
    const entry = callOf(
      {
        'ai.operationId': 'ai.streamText.doStream',
        'gen_ai.response.model': 'claude-opus-4-5',
        ...USED,
        'ai.usage.inputTokens': 1500,
        'ai.usage.outputTokens': 250,
        'ai.usage.totalTokens': 1750,
        'ai.usage.cachedInputTokens': 1000,
        'ai.usage.inputTokenDetails.noCacheTokens': 400,
        'ai.usage.inputTokenDetails.cacheReadTokens': 1000,
        'ai.usage.inputTokenDetails.cacheWriteTokens': 100,
        'ai.usage.outputTokenDetails.reasoningTokens': 25,
      },
      { scope: 'ai' },
    )
    assert.deepEqual(entry.usage, tokens(400, 1000, 100, 250, 25))
  })

  const ANTHROPIC = {
    ...CHAT,
    'gen_ai.provider.name': 'anthropic',
    'gen_ai.usage.input_tokens': 2048,
    'gen_ai.usage.output_tokens': 503,
    'gen_ai.usage.cache_read.input_tokens': 1800,
    'gen_ai.usage.cache_creation.input_tokens': 200,
  }
  test('whether cached tokens are input depends on the instrumentation, not on the provider', () => {
    const included = tokens(48, 1800, 200, 503)
    const apart = tokens(2048, 1800, 200, 503)
    assert.deepEqual(callOf(ANTHROPIC, { scope: '@traceloop/instrumentation-anthropic' }).usage, apart)
    assert.deepEqual(callOf(ANTHROPIC, { scope: 'opentelemetry.instrumentation.anthropic' }).usage, included)
    assert.deepEqual(callOf(ANTHROPIC, { scope: 'gen_ai' }).usage, included)
    assert.deepEqual(callOf(ANTHROPIC, { scope: 'unheard-of' }).usage, included)
    assert.deepEqual(callOf(ANTHROPIC, { scope: 'in-house' }).usage, apart)
    assert.deepEqual(callOf(ANTHROPIC, { service: 'in-house' }).usage, apart)
    assert.deepEqual(callOf(ANTHROPIC, { scope: 'gen_ai', service: 'in-house' }).usage, included)
  })

  test('numbers that fit only one way decide', () => {
    const less = { ...ANTHROPIC, 'gen_ai.usage.input_tokens': 10 }
    assert.deepEqual(callOf(less, { scope: 'gen_ai' }).usage, tokens(10, 1800, 200, 503))
    const total = { ...ANTHROPIC, 'gen_ai.usage.total_tokens': 2048 + 1800 + 200 + 503 }
    assert.deepEqual(callOf(total, { scope: 'unheard-of' }).usage, tokens(2048, 1800, 200, 503))
    const short = { ...ANTHROPIC, 'gen_ai.usage.total_tokens': 2048 + 503 }
    assert.deepEqual(
      callOf(short, { scope: '@traceloop/instrumentation-anthropic' }).usage,
      tokens(2048, 1800, 200, 503),
    )
  })

  const REJECTED: readonly (readonly [Values, string, Partial<OtlpSpan>?])[] = [
    [{ ...USED, 'gen_ai.usage.total_tokens': 9 }, 'gen_ai.usage.total_tokens'],
    [{ ...USED, 'gen_ai.usage.reasoning_tokens': 251 }, 'gen_ai.usage.reasoning_tokens'],
    [{ ...USED, 'gen_ai.usage.prompt_tokens': 9 }, 'gen_ai.usage.prompt_tokens'],
    [{ 'gen_ai.usage.input_tokens': -1 }, 'gen_ai.usage.input_tokens'],
    [{ 'gen_ai.usage.input_tokens': 1.5 }, 'gen_ai.usage.input_tokens'],
    [{ 'gen_ai.usage.input_tokens': 'many' }, 'gen_ai.usage.input_tokens'],
    [{ 'gen_ai.request.model': '' }, 'gen_ai.response.model'],
    [USED, 'traceId', { traceId: '0'.repeat(32) }],
    [USED, 'spanId', { spanId: '' }],
    [USED, 'endTimeUnixNano', { endTimeUnixNano: '0' }],
  ]
  for (const [values, field, more] of REJECTED) {
    test(`rejected: ${field} of ${JSON.stringify({ ...values, ...more })}`, () => {
      const verdict = verdictOn({ ...CHAT, ...values }, {}, more)
      assert.equal(verdict.is === 'rejected' && verdict.field, field, JSON.stringify(verdict))
    })
  }

  test('its member is that of the span, or else of the resource', () => {
    const member = (values: Values, resource: Values = {}, service?: string) =>
      callOf({ ...CHAT, ...USED, ...values }, { resource, ...(service !== undefined && { service }) }).user_id
    assert.equal(member({ 'enduser.id': 'ada' }, { 'user.id': 'ben' }), 'ada')
    assert.equal(member({}, { 'user.id': 'ben' }), 'ben')
    assert.equal(member({ 'user.id': 'id', 'user.email': 'a@b.example' }), 'id')
    assert.equal(member({ 'ai.telemetry.metadata.userId': 'sdk' }), 'sdk')
    assert.equal(member({ 'metadata.user_api_key_user_id': 'lite', 'metadata.user_api_key_end_user_id': '' }), 'lite')
    for (const name of ['user.id', 'enduser.id', 'enduser.pseudo.id', 'user.email', 'user.name', 'user.account_uuid'])
      assert.equal(member({ [name]: 'ada' }), 'ada', name)
    assert.equal(member({ 'user.id': 42 }), '42')
    assert.equal(member({}), undefined)
    assert.equal(callOf({ ...CHAT, ...USED, 'team.id': 'search' }).team_id, 'search')
    assert.equal(callOf({ ...CHAT, ...USED }, { resource: { 'team.id': 'search' } }).team_id, 'search')
  })

  test('its cost is kept and never rejects it', () => {
    const cost = (values: Values) => callOf({ ...CHAT, ...USED, ...values }).quantities?.['provider_cost_nano_usd']
    assert.equal(cost({ 'gen_ai.usage.cost': 0.028269 }), 28_269_000)
    assert.equal(cost({ 'gen_ai.cost.total_cost': '0.0000000005' }), 0)
    assert.equal(cost({ 'gen_ai.usage.total_cost': 1.5e-9 }), 2)
    assert.equal(
      cost({ 'gen_ai.usage.cost': -1, 'gen_ai.cost.total_cost': 'free', 'gen_ai.usage.total_cost': 1e300 }),
      undefined,
    )
    assert.equal(cost({ 'gen_ai.usage.cost': '2.5e-3' }), 2_500_000)
    for (const no of ['0x10', '1e3 US$', '', ' 1', '1.', true])
      assert.equal(cost({ 'gen_ai.usage.cost': no }), undefined)
    assert.equal(cost({ 'github.copilot.cost': 1 }), undefined)
  })

  test("GitHub's units are a quantity", () => {
    assert.deepEqual(callOf({ ...CHAT, ...USED, 'github.copilot.nano_aiu': 750_000_000 }).quantities, {
      nano_aiu: 750_000_000,
    })
    assert.deepEqual(callOf({ ...CHAT, ...USED, 'copilot_chat.copilot_usage_nano_aiu': 7 }).quantities, { nano_aiu: 7 })
  })

  test('its outcome', () => {
    const outcome = (values: Values, more?: Partial<OtlpSpan>, sent: Sent = {}) =>
      callOf({ ...CHAT, ...USED, ...values }, sent, more).outcome
    assert.equal(outcome({}), undefined)
    assert.equal(outcome({}, { status: { code: 1 } }), undefined)
    assert.equal(outcome({}, { status: { code: 2 } }), 'failed')
    assert.equal(outcome({ 'error.type': 'TimeoutError' }), 'failed')
    assert.equal(outcome({ 'copilot_chat.canceled': true }), 'cancelled')
    for (const name of ['title', 'summarizeConversationHistory-full', 'promptCategorization'])
      assert.equal(outcome({ 'copilot_chat.debug_name': name }), 'utility')
    for (const name of ['agentMode', 'my title agent', 'tool/runSubagent-title'])
      assert.equal(outcome({ 'copilot_chat.debug_name': name }), undefined)
  })

  test('a failed call without usage is counted, not charged', () => {
    for (const values of [{}, { 'gen_ai.usage.input_tokens': 0, 'gen_ai.usage.output_tokens': 0 }]) {
      const verdict = verdictOn({ ...CHAT, ...values }, {}, { status: { code: 2 } })
      assert.equal(verdict.is === 'ignored' && verdict.reason, 'failed-without-usage')
    }
  })

  test('a call that succeeded without usage is kept, and will have no price', () => {
    assert.deepEqual(callOf(CHAT).usage, undefined)
    assert.equal(callOf(CHAT).model, 'gpt-5.4')
  })

  test('an answer from the cache of the sender says so', () => {
    assert.deepEqual(callOf({ ...CHAT, ...USED, 'metadata.cache_hit': 'True' }).attributes, { cache_hit: true })
    assert.equal(callOf({ ...CHAT, ...USED, 'metadata.cache_hit': 'False' }).attributes, undefined)
  })
})

describe('log records', () => {
  const verdictsOnLogs = (
    records: readonly OtlpLog[],
    { scope = '', service, resource }: Sent = {},
  ): readonly Verdict[] => {
    const request: LogRequest = [
      {
        resource: { attributes: attributes({ 'service.name': service, ...resource }) },
        scopes: [{ scope: { name: scope }, records }],
      },
    ]
    return callsInLogs(readJsonLogs(Buffer.from(JSON.stringify(logsAsJson(request))), WANTED), SETTINGS)
  }
  const verdictOnLog = (log: OtlpLog, sent?: Sent): Verdict => {
    const [verdict] = verdictsOnLogs([log], sent)
    assert.ok(verdict)
    return verdict
  }

  const CLAUDE = {
    'event.name': 'api_request',
    model: 'claude-opus-4-5',
    input_tokens: '10',
    output_tokens: '100',
    cache_read_tokens: '2000',
    cache_creation_tokens: '1000',
    cost_usd: '0.0421',
    cost_usd_micros: 42_111,
    request_id: 'req_1',
    'session.id': 's1',
    'user.id': 'hash',
    'user.email': 'ada@example.com',
  }
  const claude = (values: Values = {}, more: Partial<OtlpLog> = {}): OtlpLog => ({
    timeUnixNano: END,
    body: { stringValue: 'claude_code.api_request' },
    attributes: attributes({ ...CLAUDE, ...values }),
    ...more,
  })

  test("Claude Code's api_request is a call, with the e-mail before the id, and cached tokens apart", () => {
    assert.deepEqual(entryOf(verdictOnLog(claude(), { scope: 'com.anthropic.claude_code.events' })), {
      id: 'otlp:req_1',
      timestamp: '2024-05-20T12:00:00.123Z',
      user_id: 'ada@example.com',
      model: 'claude-opus-4-5',
      usage: tokens(10, 2000, 1000, 100),
      quantities: { provider_cost_nano_usd: 42_111_000 },
    })
  })

  test('in all its spellings, but not from others', () => {
    entryOf(verdictOnLog(claude({ 'event.name': undefined })))
    entryOf(verdictOnLog(claude({ 'event.name': 'claude_code.api_request' }, { body: { stringValue: '' } })))
    entryOf(
      verdictOnLog(
        claude({ 'event.name': undefined }, { eventName: 'claude_code.api_request', body: { stringValue: '' } }),
      ),
    )
    entryOf(verdictOnLog(claude({}, { body: { stringValue: 'api_request' } }), { service: 'claude-code' }))
    assert.equal(
      verdictOnLog(claude({}, { body: { stringValue: 'api_request' } }), { service: 'opencode' }).is,
      'ignored',
    )
  })

  test('what is called for a title or a summary is utility', () => {
    const outcome = (source: string) =>
      entryOf(verdictOnLog(claude({ query_source: source }), { service: 'claude-code' })).outcome
    assert.equal(outcome('generate_session_title'), 'utility')
    assert.equal(outcome('compact'), 'utility')
    assert.equal(outcome('repl_main_thread'), undefined)
    assert.equal(outcome('agent:custom:book_title'), undefined)
  })

  test('without a request id, session, sequence and time are the id', () => {
    const entry = entryOf(verdictOnLog(claude({ request_id: undefined, 'event.sequence': 3 })))
    assert.equal(entry.id, `otlp:s1:3:${END}`)
    const nobody = verdictOnLog(claude({ request_id: undefined, 'session.id': undefined }))
    assert.equal(nobody.is === 'rejected' && nobody.field, 'request_id')
  })

  test('its time is the time of observation if it has none', () => {
    const entry = entryOf(verdictOnLog(claude({}, { timeUnixNano: '0', observedTimeUnixNano: END })))
    assert.equal(entry.timestamp, '2024-05-20T12:00:00.123Z')
  })

  test('of Codex, the completed response is a call', () => {
    const codex = (kind: string, counts: Values): OtlpLog => ({
      timeUnixNano: '0',
      observedTimeUnixNano: END,
      attributes: attributes({
        'event.name': 'codex.sse_event',
        'event.kind': kind,
        'conversation.id': 'c1',
        model: 'gpt-5.4',
        ...counts,
      }),
    })
    const counts = {
      input_token_count: '2000',
      output_token_count: '300',
      cached_token_count: 1500,
      reasoning_token_count: 100,
    }
    const entry = entryOf(verdictOnLog(codex('response.completed', counts), { service: 'codex_cli_rs' }))
    assert.equal(entry.id, `otlp:c1:${END}`)
    assert.deepEqual(entry.usage, tokens(500, 1500, 0, 300, 100))
    assert.equal(verdictOnLog(codex('response.created', counts)).is, 'ignored')
    const failed = verdictOnLog(codex('response.completed', {}))
    assert.equal(failed.is === 'ignored' && failed.reason, 'without-usage')
  })

  test('no other is, for it repeats a span', () => {
    for (const name of [
      'gen_ai.client.inference.operation.details',
      'copilot_chat.agent.turn',
      'gemini_cli.api_response',
    ]) {
      const verdict = verdictOnLog({
        timeUnixNano: END,
        eventName: name,
        attributes: attributes({ 'event.name': name, ...CHAT, ...USED }),
      })
      assert.equal(verdict.is === 'ignored' && verdict.reason, 'other-event')
    }
  })
})

test('the order of spans in a request changes nothing', () => {
  const parent = span({ ...CHAT, ...USED })
  const records = [
    parent,
    span({ ...CHAT, ...USED }, { parentSpanId: parent.spanId }),
    span({ 'gen_ai.operation.name': 'invoke_agent', ...USED }),
    span({ ...CHAT, 'gen_ai.usage.input_tokens': -1 }),
    span(CHAT),
  ]
  const byId = (order: readonly OtlpSpan[]) => {
    const verdicts = verdictsOn(order)
    return new Map(order.map(({ spanId }, index) => [spanId, verdicts[index]]))
  }
  const expected = byId(records)
  fc.assert(
    fc.property(fc.shuffledSubarray(records, { minLength: records.length }), (order) => {
      const found = byId(order)
      for (const [id, verdict] of expected) assert.deepEqual(found.get(id), verdict)
    }),
  )
})
