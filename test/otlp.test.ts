/** OpenTelemetry's requests as exporters send them: charged once, answered in their own encoding, and never read for content. */
import assert from 'node:assert/strict'
import { request } from 'node:http'
import { after, before, describe, test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { type Running, startService } from './harness.ts'
import {
  attributes,
  type LogRequest,
  logsAsJson,
  logsAsProtobuf,
  type OtlpSpan,
  type TraceRequest,
  tracesAsJson,
  tracesAsProtobuf,
} from './otlp-encoding.ts'

const perMillion = (rule: string, of: string, price: string) => ({ rule, of, per: 1_000_000, price })
const CARD = {
  version: 'calls',
  prices: {
    'gpt-5.4': [{ input: 250, cache_read: 25, cache_write: 0, output: 1500 }],
    'claude-opus-4-5': [{ input: 500, cache_read: 50, cache_write: 625, output: 2500 }],
  },
  cases: [
    {
      name: 'by GitHub',
      when: { nano_aiu: '*' },
      lines: [{ rule: 'units', of: 'nano_aiu', rate: 1, per: 1_000_000_000 }],
    },
    {
      name: 'tokens',
      when: { model: '*' },
      lines: [
        perMillion('input', 'input_tokens', 'input'),
        perMillion('cache-read', 'cache_read_tokens', 'cache_read'),
        perMillion('cache-write', 'cache_write_tokens', 'cache_write'),
        perMillion('output', 'output_tokens', 'output'),
      ],
    },
  ],
}

const TRACE = '5b8efff798038103d269b633813fc60c'
const END = '1716206400123456789'
const PROTOBUF = 'application/x-protobuf'

let spans = 0
const call = (values: Parameters<typeof attributes>[0] = {}, more: Partial<OtlpSpan> = {}): OtlpSpan => ({
  traceId: TRACE,
  spanId: (++spans).toString(16).padStart(16, '0'),
  endTimeUnixNano: END,
  attributes: attributes({
    'gen_ai.operation.name': 'chat',
    'gen_ai.request.model': 'gpt-5.4',
    'gen_ai.usage.input_tokens': 2000,
    'gen_ai.usage.output_tokens': 500,
    'gen_ai.usage.cache_read.input_tokens': 1000,
    'user.id': 'ada',
    ...values,
  }),
  ...more,
})
/** 1,000 at 250, 1,000 at 25 and 500 at 1,500 a million. */
const CREDITS = 1.025

const requestOf = (...records: readonly OtlpSpan[]): TraceRequest => [
  {
    resource: { attributes: attributes({ 'service.name': 'shop' }) },
    scopes: [{ scope: { name: 'gen_ai' }, records }],
  },
]

let service: Running
before(async () => {
  service = await startService({ INTAKE_MAX_BATCH: '3' })
  await expectOk(fetch(`${service.url}/v1/rate-cards`, json(CARD)))
  const inForce = {
    method: 'PUT',
    headers: { 'content-type': 'application/json' },
    body: '{"version":"calls","from":"2024-01-01T00:00:00Z"}',
  }
  await expectOk(fetch(`${service.url}/v1/default-rate-card`, inForce))
})
after(async () => {
  await service[Symbol.asyncDispose]()
})

const json = (body: unknown, headers: Record<string, string> = {}): RequestInit => ({
  method: 'POST',
  headers: { 'content-type': 'application/json', ...headers },
  body: typeof body === 'string' ? body : JSON.stringify(body),
})
const protobuf = (bytes: Uint8Array, headers: Record<string, string> = {}): RequestInit => ({
  method: 'POST',
  headers: { 'content-type': PROTOBUF, ...headers },
  body: Buffer.from(bytes),
})

const expectOk = async (answer: Promise<Response>): Promise<Response> => {
  const response = await answer
  assert.ok(response.ok, `${response.status} ${await response.clone().text()}`)
  return response
}

const send = (signal: string, init: RequestInit): Promise<Response> => fetch(`${service.url}/v1/${signal}`, init)

const chargeOf = async (
  id: string,
): Promise<{ readonly credits?: number; readonly facts?: unknown; readonly user_id?: string }> => {
  const response = await expectOk(fetch(`${service.url}/v1/messages/${encodeURIComponent(id)}`))
  const { charges } = (await response.json()) as { charges: readonly [{ credits?: number }] }
  return charges[0]
}

const countsOf = async (source: string) => {
  const { sources } = (await (await expectOk(fetch(`${service.url}/v1/intake`))).json()) as {
    sources: readonly { source: string; reasons: readonly object[]; [count: string]: unknown }[]
  }
  return sources.find((each) => each.source === source)
}

const idOf = ({ spanId }: OtlpSpan): string => `otlp:${TRACE}${spanId}`

describe('a call is charged', () => {
  const SENT: Record<string, (request: TraceRequest) => Promise<Response>> = {
    'in JSON': (request) => send('traces', json(tracesAsJson(request))),
    'in protobuf': (request) => send('traces', protobuf(tracesAsProtobuf(request))),
    'in JSON, compressed': (request) =>
      send('traces', {
        ...json(''),
        headers: { 'content-type': 'application/json', 'content-encoding': 'gzip' },
        body: gzipSync(JSON.stringify(tracesAsJson(request))),
      }),
    'in protobuf, compressed and without a length': (request) =>
      send('traces', {
        ...protobuf(new Uint8Array(), { 'content-encoding': 'gzip' }),
        body: new Blob([gzipSync(tracesAsProtobuf(request))]).stream(),
        duplex: 'half',
      } as RequestInit),
  }
  for (const [how, sent] of Object.entries(SENT)) {
    test(how, async () => {
      const span = call()
      const response = await expectOk(sent(requestOf(span)))
      const type = how.includes('protobuf') ? PROTOBUF : 'application/json; charset=utf-8'
      assert.equal(response.headers.get('content-type'), type)
      assert.equal(await response.text(), type === PROTOBUF ? '' : '{}')
      const { credits, user_id: member } = await chargeOf(idOf(span))
      assert.deepEqual([credits, member], [CREDITS, 'ada'])
    })
  }

  test('once, however often and in whichever encoding it is sent', async () => {
    const span = call()
    for (const sent of Object.values(SENT)) assert.equal((await expectOk(sent(requestOf(span)))).status, 200)
    const before = await countsOf('ai-sdk')
    await SENT['in JSON']?.(requestOf(span, span))
    const after = await countsOf('ai-sdk')
    assert.equal(after?.['accepted'], before?.['accepted'])
    assert.equal(Number(after?.['duplicate']) - Number(before?.['duplicate']), 2)
  })

  test('in batches, if there are more than fit one', async () => {
    const many = Array.from({ length: 8 }, () => call())
    await expectOk(send('traces', protobuf(tracesAsProtobuf(requestOf(...many)))))
    for (const span of many) assert.equal((await chargeOf(idOf(span))).credits, CREDITS)
  })

  test("by GitHub's units if it has them, and else by tokens", async () => {
    const [billed, subAgent] = [call({ 'github.copilot.nano_aiu': 750_000_000 }), call()]
    await expectOk(send('traces', json(tracesAsJson(requestOf(billed, subAgent)))))
    assert.equal((await chargeOf(idOf(billed))).credits, 0.75)
    assert.equal((await chargeOf(idOf(subAgent))).credits, CREDITS)
  })

  test('from a log record', async () => {
    const logs: LogRequest = [
      {
        resource: { attributes: attributes({ 'service.name': 'claude-code' }) },
        scopes: [
          {
            scope: { name: 'com.anthropic.claude_code.events' },
            records: ['req_json', 'req_protobuf'].map((id) => ({
              timeUnixNano: END,
              body: { stringValue: 'claude_code.api_request' },
              attributes: attributes({
                'event.name': 'api_request',
                model: 'claude-opus-4-5',
                input_tokens: '10',
                output_tokens: '100',
                cache_read_tokens: '2000',
                cache_creation_tokens: '1000',
                request_id: id,
                'user.email': 'ada@example.com',
              }),
            })),
          },
        ],
      },
    ]
    assert.equal(await (await expectOk(send('logs', json(logsAsJson(logs))))).text(), '{}')
    assert.equal(await (await expectOk(send('logs', protobuf(logsAsProtobuf(logs))))).text(), '')
    // 10 at 500, 2,000 at 50, 1,000 at 625 and 100 at 2,500 a million.
    for (const id of ['otlp:req_json', 'otlp:req_protobuf']) {
      const { credits, user_id: member } = await chargeOf(id)
      assert.deepEqual([credits, member], [0.98, 'ada@example.com'])
    }
    assert.equal((await countsOf('claude-code'))?.['duplicate'], 2)
  })
})

test('an empty request succeeds, and metrics are ignored', async () => {
  for (const signal of ['traces', 'logs', 'metrics']) {
    assert.equal(await (await expectOk(send(signal, json({})))).text(), '{}')
    assert.equal(await (await expectOk(send(signal, protobuf(new Uint8Array())))).text(), '')
  }
  assert.equal(await (await expectOk(send('metrics', json({ resourceMetrics: [{ any: 'thing' }] })))).text(), '{}')
})

test('a call without a price is kept, and is no failure', async () => {
  const span = call({ 'gen_ai.request.model': 'gpt-9' })
  assert.equal(await (await expectOk(send('traces', json(tracesAsJson(requestOf(span)))))).text(), '{}')
  assert.equal((await chargeOf(idOf(span))).credits, undefined)
})

test('what is rejected is said, and what is ignored is only counted', async () => {
  const bad = call({ 'gen_ai.usage.input_tokens': -5 })
  const agent = call({ 'gen_ai.operation.name': 'invoke_agent' })
  const long = call({ 'user.id': 'x'.repeat(201) })
  const good = call()
  const response = await expectOk(send('traces', json(tracesAsJson(requestOf(bad, agent, long, good)))))
  const { partialSuccess } = (await response.json()) as {
    partialSuccess: { rejectedSpans: string; errorMessage: string }
  }
  assert.equal(partialSuccess.rejectedSpans, '2')
  assert.match(partialSuccess.errorMessage, /gen_ai\.usage\.input_tokens must be .*user_id must be/)
  assert.equal((await chargeOf(idOf(good))).credits, CREDITS)
  const encoded = Buffer.from(
    await (await send('traces', protobuf(tracesAsProtobuf(requestOf(bad, agent))))).arrayBuffer(),
  )
  assert.equal(encoded.subarray(2, 4).toString('hex'), '0801')
  assert.match(encoded.toString(), /gen_ai\.usage\.input_tokens must be/)
  const counts = await countsOf('ai-sdk')
  assert.ok(counts?.reasons.some((each) => 'reason' in each && each.reason === 'agent'))
  assert.ok(counts?.reasons.some((each) => 'field' in each && each.field === 'gen_ai.usage.input_tokens'))
  const metric = await service.metric(
    'copilot_credits_telemetry_records_total{source="ai-sdk",outcome="ignored",reason="agent"}',
  )
  assert.equal(metric, 2)
})

test('the same span with other content is a conflict, which is said', async () => {
  const span = call()
  await expectOk(send('traces', json(tracesAsJson(requestOf(span)))))
  const other = { ...span, attributes: call({ 'gen_ai.usage.output_tokens': 1 }).attributes ?? [] }
  const response = await expectOk(send('traces', json(tracesAsJson(requestOf(other)))))
  assert.match(await response.text(), /"rejectedSpans":"1".*already charged with other content/)
  assert.equal((await chargeOf(idOf(span))).credits, CREDITS)
})

describe('a failure is a Status in the encoding of the request', () => {
  const tooLarge = gzipSync(Buffer.alloc(21 * 1024 * 1024, ' '))
  const FAILURES: readonly (readonly [string, () => RequestInit & { readonly duplex?: 'half' }, number, number])[] = [
    ['malformed JSON', () => json('{"resourceSpans": 5}'), 400, 3],
    ['not JSON', () => json('nothing'), 400, 3],
    ['malformed protobuf', () => protobuf(Uint8Array.of(10, 200, 1)), 400, 3],
    [
      'a small body that unpacks to more than 20 MiB',
      () => ({ ...json('', { 'content-encoding': 'gzip' }), body: tooLarge }),
      413,
      8,
    ],
    [
      'the same in protobuf, without a length',
      () => ({
        ...protobuf(new Uint8Array(), { 'content-encoding': 'gzip' }),
        body: new Blob([tooLarge]).stream(),
        duplex: 'half',
      }),
      413,
      8,
    ],
    ['more than 20 MiB', () => protobuf(Buffer.alloc(20 * 1024 * 1024 + 1)), 413, 8],
    [
      'more than 20 MiB without a length',
      () => ({
        ...protobuf(new Uint8Array()),
        body: new Blob([Buffer.alloc(21 * 1024 * 1024)]).stream(),
        duplex: 'half',
      }),
      413,
      8,
    ],
    [
      'a few bytes that unpack to millions of spans',
      () => ({
        ...json('', { 'content-encoding': 'gzip' }),
        body: gzipSync(`{"resourceSpans":[{"scopeSpans":[{"spans":[${'{},'.repeat(1_000_000)}{}]}]}]}`),
      }),
      400,
      3,
    ],
    [
      'broken gzip',
      () => ({ ...protobuf(new Uint8Array(), { 'content-encoding': 'gzip' }), body: Buffer.from('no') }),
      400,
      3,
    ],
    ['another encoding', () => ({ ...json('{}', { 'content-encoding': 'br' }) }), 415, 3],
    ['another type', () => ({ ...json('x', { 'content-type': 'text/plain' }) }), 415, 3],
  ]
  for (const [what, init, status, code] of FAILURES) {
    test(what, async () => {
      const sent = init()
      const response = await send('traces', sent)
      assert.equal(response.status, status, await response.clone().text())
      const type = new Headers(sent.headers).get('content-type')
      if (type === PROTOBUF) {
        assert.equal(response.headers.get('content-type'), PROTOBUF)
        assert.equal(
          Buffer.from(await response.arrayBuffer())
            .subarray(0, 2)
            .toString('hex'),
          `080${code}`,
        )
      } else {
        const body = (await response.json()) as { code: number; message: string }
        assert.equal(body.code, code)
        assert.match(body.message, /^The /)
      }
    })
  }

  test('a query parameter that is not known', async () => {
    const response = await send('traces?color=red', json({}))
    assert.equal(response.status, 400)
    assert.deepEqual(Object.keys((await response.json()) as object), ['code', 'message'])
  })
})

test('429 if there is no room: the same request succeeds later', async () => {
  await using busy = await startService({ INTAKE_QUEUE: '64KiB' })
  const large = `{"resourceSpans":[],"padding":"${'x'.repeat(100_000)}"}`
  const stalled = request(`${busy.url}/v1/traces`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'content-length': large.length },
  })
  stalled.on('error', () => {})
  stalled.write(large.slice(0, -1))
  const post = (init: RequestInit) => fetch(`${busy.url}/v1/traces`, init)
  let response = await post(json(large))
  while (response.status === 200) response = await post(json(large))
  assert.deepEqual([response.status, response.headers.get('retry-after')], [429, '1'])
  assert.equal(((await response.json()) as { code: number }).code, 8)
  const encoded = await post(protobuf(Buffer.alloc(100_000)))
  assert.deepEqual([encoded.status, encoded.headers.get('content-type')], [429, PROTOBUF])
  assert.equal(
    Buffer.from(await encoded.arrayBuffer())
      .subarray(0, 2)
      .toString('hex'),
    '0808',
  )
  stalled.end('}')
  while (response.status !== 200) response = await post(json(large))
})

describe('who may send', () => {
  test('a key that may report messages, for its organization', async () => {
    await using closed = await startService({})
    const create = (scope: string) =>
      fetch(`${closed.url}/v1/keys`, json({ name: scope, scopes: [scope] })).then(
        (answer) => answer.json() as Promise<{ key: string }>,
      )
    const admin = await create('admin')
    const bearer = (key: string) => ({ authorization: `Bearer ${key}` })
    const reader = (await (
      await fetch(`${closed.url}/v1/keys`, json({ name: 'reader', scopes: ['usage:read'] }, bearer(admin.key)))
    ).json()) as { key: string }
    const statusOf = async (headers: Record<string, string>, type = 'application/json') => {
      const response = await fetch(`${closed.url}/v1/traces`, {
        method: 'POST',
        headers: { 'content-type': type, ...headers },
        body: type === PROTOBUF ? '' : '{}',
      })
      return [response.status, response.headers.get('content-type')?.split(';')[0]]
    }
    assert.deepEqual(await statusOf({}), [401, 'application/json'])
    assert.deepEqual(await statusOf({}, PROTOBUF), [401, PROTOBUF])
    assert.deepEqual(await statusOf(bearer(reader.key)), [403, 'application/json'])
    assert.deepEqual(await statusOf(bearer(admin.key)), [200, 'application/json'])
    assert.equal((await fetch(`${closed.url}/v1/intake`)).status, 401)
    assert.equal((await fetch(`${closed.url}/v1/intake`, { headers: bearer(reader.key) })).status, 200)
  })
})

test('settings name the member, the team and who counts cached tokens apart', async () => {
  await using own = await startService({
    OTLP_MEMBER: 'app.member, user.id',
    OTLP_TEAM: 'app.team',
    OTLP_CACHED_APART: 'house',
  })
  await expectOk(fetch(`${own.url}/v1/rate-cards`, json(CARD)))
  const use = JSON.stringify({ version: 'calls', from: '2024-01-01T00:00:00Z' })
  await expectOk(fetch(`${own.url}/v1/default-rate-card`, { ...json(use), method: 'PUT' }))
  const [named, other] = [call({ 'app.member': 'ben', 'app.team': 'research' }), call({ 'team.id': 'research' })]
  const sent: TraceRequest = [{ scopes: [{ scope: { name: 'house' }, records: [named, other] }] }]
  await expectOk(fetch(`${own.url}/v1/traces`, json(tracesAsJson(sent))))
  const { usage } = (await (await fetch(`${own.url}/v1/usage?period=2024-05`)).json()) as {
    usage: readonly Record<string, unknown>[]
  }
  // 2,000 at 250, 1,000 at 25 and 500 at 1,500 a million.
  assert.deepEqual(
    usage.map(({ user_id: member, team_id: team, credits_used: credits }) => [member, team, credits]),
    [
      ['ben', 'research', 1.275],
      ['ada', undefined, 1.275],
    ],
  )
  await assert.rejects(startService({ OTLP_MEMBER: 'gen_ai.prompt' }), /OTLP_MEMBER/)
})

test('two doors for one call are said', async () => {
  const span = call({
    'user.id': 'twice',
    'gen_ai.usage.input_tokens': 4321,
    'gen_ai.usage.cache_read.input_tokens': 0,
  })
  await expectOk(send('traces', json(tracesAsJson(requestOf(span)))))
  const message = {
    id: 'door-2',
    timestamp: '2024-05-20T12:00:30Z',
    user_id: 'twice',
    model: 'gpt-5.4',
    usage: { input_tokens: 4321, output_tokens: 500 },
  }
  await expectOk(send('messages', json({ messages: [message] })))
  const { overlaps } = (await (await expectOk(fetch(`${service.url}/v1/intake`))).json()) as {
    overlaps: readonly { sources: readonly string[]; calls: number }[]
  }
  assert.deepEqual(
    overlaps.map(({ sources, calls }) => [sources, calls]),
    [[['ai-sdk', 'messages'], 1]],
  )
})
