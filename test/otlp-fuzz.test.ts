/** Bodies that no exporter would send: never a failure of the service, and never a word of what was said in them. */
import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { Pool } from 'undici'
import { type Running, startService } from './harness.ts'
import { CALL_CARD, putInForce } from './otlp-card.ts'
import {
  attributes,
  type LogRequest,
  logsAsJson,
  logsAsProtobuf,
  type OtlpLog,
  type OtlpSpan,
  type OtlpValue,
  type TraceRequest,
  tracesAsJson,
  tracesAsProtobuf,
} from './otlp-encoding.ts'

const BODIES = 10_000
/** Of those, how many are sent again, in another order. */
const AGAIN = 1000
const SEED = 20_261_126
const AT_ONCE = 8

type Random = { readonly below: (most: number) => number; readonly one: <T>(of: readonly T[]) => T }

/** Mulberry32: the same bodies in every run. */
const randomOf = (seed: number): Random => {
  let state = seed
  const next = (): number => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
  const below = (most: number): number => Math.floor(next() * most)
  return { below, one: (of) => of[below(of.length)] as (typeof of)[number] }
}

type Body = { readonly signal: 'traces' | 'logs'; readonly type: string; readonly bytes: Buffer }

const CONTENT = attributes({
  'gen_ai.input.messages': 'CANARY-1',
  'gen_ai.output.messages': 'CANARY-2',
  'ai.prompt': 'CANARY-3',
  'ai.response.text': 'CANARY-4',
  'input.value': 'CANARY-5',
  prompt: 'CANARY-6',
})

const MANY = ['99999999999999999999', '-1', '9007199254740992', '1e3', '', '0x10', ' 1', 'NaN'] as const
const odd = (random: Random): string | number => random.one([...MANY, -0, 1.5, 2 ** 53, -7, 1e-7])

/** Counts are mostly right, sometimes wrong or contradictory. */
const count = (random: Random): string | number => (random.below(8) === 0 ? odd(random) : random.below(5000))

/** Each body has ids of its own, so that none decides what becomes of another. */
const spanIn = (random: Random, body: number, index: number): OtlpSpan => {
  const operation = random.one(['chat', 'chat', 'embeddings', 'invoke_agent', 'execute_tool', '', 'other'])
  return {
    traceId: random.below(20) === 0 ? 'ab' : body.toString(16).padStart(32, 'a'),
    spanId: (index + 1).toString(16).padStart(16, '0'),
    ...(random.below(3) === 0 && { parentSpanId: (index + random.below(2)).toString(16).padStart(16, '0') }),
    name: 'CANARY-NAME',
    endTimeUnixNano: random.one(['1716206400123456789', '1716206400123456789', '0', '18446744073709551615', '999999']),
    attributes: [
      ...attributes({
        'gen_ai.operation.name': operation,
        'gen_ai.request.model': random.one(['gpt-5.4', 'claude-opus-4-5', 'unknown', '']),
        'gen_ai.usage.input_tokens': count(random),
        'gen_ai.usage.output_tokens': count(random),
        ...(random.below(2) === 0 && { 'gen_ai.usage.cache_read.input_tokens': count(random) }),
        ...(random.below(4) === 0 && { 'ai.usage.cachedInputTokens': count(random) }),
        ...(random.below(4) === 0 && { 'gen_ai.usage.cost': odd(random) }),
        ...(random.below(6) === 0 && { 'github.copilot.nano_aiu': odd(random) }),
        ...(random.below(6) === 0 && { 'error.type': random.one(['timeout', '', 5, true]) }),
        'user.id': random.one(['ada', 5, true, '', 'x'.repeat(300)]),
      }),
      ...CONTENT,
    ],
    events: [{ name: 'CANARY-EVENT', attributes: CONTENT }],
    status: { code: random.below(4), message: 'CANARY-STATUS' },
  }
}

const logIn = (random: Random, body: number, index: number): OtlpLog => ({
  timeUnixNano: random.one(['1716206400123456789', '0', '18446744073709551615']),
  observedTimeUnixNano: random.one(['1716206400123456789', '0']),
  body: { stringValue: random.one(['CANARY-BODY', 'claude_code.api_request']) },
  attributes: [
    ...attributes({
      'event.name': random.one(['api_request', 'claude_code.api_request', 'codex.sse_event', 'user_prompt']),
      'event.kind': random.one(['response.completed', 'response.created']),
      ...(random.below(2) === 0 ? { request_id: `r-${body}-${index}` } : { 'session.id': `s-${body}-${index}` }),
      model: 'gpt-5.4',
      input_tokens: count(random),
      output_tokens: count(random),
      input_token_count: count(random),
      output_token_count: count(random),
      cost_usd: odd(random),
    }),
    ...CONTENT,
  ],
})

const SCOPES = ['gen_ai', 'copilot-chat', 'openrouter', '@traceloop/instrumentation-anthropic', 'shop', ''] as const
const SERVICES = ['shop', 'claude-code', 'codex', 'openrouter'] as const

const groupsIn = <T>(random: Random, record: (index: number) => T) => [
  {
    resource: { attributes: [...attributes({ 'service.name': random.one(SERVICES) }), ...CONTENT] },
    scopes: Array.from({ length: 1 + random.below(2) }, (_, scope) => ({
      scope: { name: random.one(SCOPES) },
      records: Array.from({ length: random.below(4) }, (_, index) => record(scope * 4 + index)),
    })),
  },
]

/** Replaces, drops, repeats or renames something anywhere in a JSON body. */
const bendTree = (root: unknown, random: Random): unknown => {
  const places: { readonly parent: Record<string, unknown>; readonly key: string }[] = []
  const walk = (parent: unknown): void => {
    if (typeof parent !== 'object' || parent === null) return
    for (const key of Object.keys(parent)) {
      places.push({ parent: parent as Record<string, unknown>, key })
      walk((parent as Record<string, unknown>)[key])
    }
  }
  walk(root)
  if (places.length === 0) return [root]
  const { parent, key } = random.one(places)
  const wrong = [null, [], {}, 0, -1, 1e300, '', true, '99999999999999999999', [[[]]], { stringValue: 5 }]
  const bends: readonly (() => void)[] = [
    () => {
      parent[key] = random.one(wrong)
    },
    () => {
      if (Array.isArray(parent)) parent.splice(Number(key), 1)
      else delete parent[key]
    },
    () => {
      if (Array.isArray(parent)) parent.push(parent[Number(key)])
      else parent[`${key}2`] = parent[key]
    },
  ]
  random.one(bends)()
  return root
}

/** Cuts, flips, inserts or repeats bytes. */
const bendBytes = (bytes: Buffer, random: Random): Buffer => {
  const at = random.below(bytes.length + 1)
  const more = at + random.below(20)
  const noise = Buffer.from(Array.from({ length: 1 + random.below(8) }, () => random.below(256)))
  return random.one([
    () => bytes.subarray(0, at),
    () => bytes.subarray(at),
    () => Buffer.concat([bytes.subarray(0, at), noise, bytes.subarray(at + noise.length)]),
    () => Buffer.concat([bytes.subarray(0, at), noise, bytes.subarray(at)]),
    () => Buffer.concat([bytes.subarray(0, more), bytes.subarray(at)]),
  ])()
}

const DEPTH = 20_000
const deep = (random: Random, type: string): Buffer => {
  if (type === JSON_TYPE) {
    const inner = random.one(['{"arrayValue":{"values":[', '[', '{"a":'])
    return Buffer.from(`{"resourceSpans":[{"resource":{"attributes":[{"key":"a","value":${inner.repeat(DEPTH)}`)
  }
  // Groups, which only their end closes, or messages that say they are longer than all.
  return Buffer.alloc(DEPTH, random.one([Buffer.of(0x0b), Buffer.of(0x0a, 0x7f), Buffer.of(0x12, 0xff, 0x7f)]))
}

const nested = (depth: number): OtlpValue =>
  depth === 0
    ? { stringValue: 'CANARY-DEEP' }
    : { kvlistValue: { values: [{ key: 'user.id', value: nested(depth - 1) }] } }

const JSON_TYPE = 'application/json'
const PROTOBUF = 'application/x-protobuf'

const bodyOf = (number: number): Body => {
  const random = randomOf(SEED + number)
  const type = number % 2 === 0 ? JSON_TYPE : PROTOBUF
  const signal = random.below(3) === 0 ? 'logs' : 'traces'
  const kind = random.below(100)
  if (kind < 3) return { signal, type, bytes: deep(random, type) }
  if (kind < 6) {
    return { signal, type, bytes: Buffer.from(Array.from({ length: random.below(300) }, () => random.below(256))) }
  }
  const held = random.below(10) === 0 ? [{ key: 'a', value: nested(200) }] : []
  const traces: TraceRequest = groupsIn(random, (index) => {
    const span = spanIn(random, number, index)
    return { ...span, attributes: [...(span.attributes ?? []), ...held] }
  })
  const logs: LogRequest = groupsIn(random, (index) => logIn(random, number, index))
  const isJson = type === JSON_TYPE
  const tree = () => structuredClone(signal === 'traces' ? tracesAsJson(traces) : logsAsJson(logs))
  const encoded = (bend: boolean): Buffer => {
    if (isJson) return Buffer.from(JSON.stringify(bend ? bendTree(tree(), random) : tree()))
    return Buffer.from(signal === 'traces' ? tracesAsProtobuf(traces) : logsAsProtobuf(logs))
  }
  if (kind < 45) return { signal, type, bytes: encoded(false) }
  if (kind < 75 && isJson) return { signal, type, bytes: encoded(true) }
  return { signal, type, bytes: bendBytes(encoded(false), random) }
}

const statuses = new Map<number, number>()

const sendAll = async ({ url }: Running, bodies: readonly Body[]): Promise<void> => {
  const pool = new Pool(url, { connections: AT_ONCE })
  let next = 0
  const work = async (): Promise<void> => {
    while (next < bodies.length) {
      const number = next++
      const { signal, type, bytes } = bodies[number] as Body
      const answer = await pool.request({
        path: `/v1/${signal}`,
        method: 'POST',
        headers: { 'content-type': type },
        body: bytes,
      })
      const text = Buffer.from(await answer.body.bytes()).toString('latin1')
      statuses.set(answer.statusCode, (statuses.get(answer.statusCode) ?? 0) + 1)
      assert.ok(
        answer.statusCode === 200 || answer.statusCode === 400,
        `${answer.statusCode} to ${signal} ${number}: ${text}`,
      )
      assert.ok(!text.includes('CANARY'), `${signal} ${number}: ${text}`)
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, work))
  await pool.close()
}

/** Everything that is kept of each message, in order of id. */
const keptBy = async ({ url }: Running): Promise<readonly string[]> => {
  const lines: string[] = []
  let cursor: string | undefined = ''
  while (cursor !== undefined) {
    const more: string = cursor === '' ? '' : `&cursor=${encodeURIComponent(cursor)}`
    const answer = await fetch(`${url}/v1/usage?from=2024-01-01&to=2024-12-31&limit=1000${more}`)
    const page = (await answer.json()) as { usage: readonly object[]; next_cursor?: string }
    lines.push(...page.usage.map((line) => JSON.stringify(line)))
    cursor = page.next_cursor
  }
  return lines.sort()
}

test(`${BODIES} bodies, broken in many ways: no failure, and no content is kept`, async () => {
  const bodies = Array.from({ length: BODIES }, (_, number) => bodyOf(number))
  const folder = mkdtempSync(join(tmpdir(), 'copilot-credits-fuzz-'))
  try {
    {
      await using service = await startService({ DATABASE_URL: `sqlite:${join(folder, 'ledger.db')}` })
      await putInForce(service, CALL_CARD)
      await sendAll(service, bodies)
      for (const path of ['/metrics', '/v1/intake', '/v1/usage/totals?period=2024-05']) {
        const answer = await fetch(`${service.url}${path}`)
        assert.equal(answer.status, 200)
        assert.doesNotMatch(await answer.text(), /CANARY/)
      }
      assert.ok(!service.logged().includes('CANARY'))
      assert.ok((await keptBy(service)).length > BODIES / 10)
    }
    for (const file of readdirSync(folder)) assert.ok(!readFileSync(join(folder, file)).includes('CANARY'), file)
    for (const status of [200, 400]) assert.ok((statuses.get(status) ?? 0) > BODIES / 10, `${status} is rare`)
  } finally {
    rmSync(folder, { recursive: true })
  }
})

test('the same bodies in another order, and twice, are charged the same', async () => {
  const bodies = Array.from({ length: AGAIN }, (_, number) => bodyOf(number))
  const random = randomOf(SEED)
  const shuffled = bodies.map((body) => [random.below(1e9), body] as const).sort(([one], [other]) => one - other)
  const kept: (readonly string[])[] = []
  for (const order of [[...bodies, ...bodies.toReversed()], shuffled.map(([, body]) => body)]) {
    await using service = await startService({})
    await putInForce(service, CALL_CARD)
    await sendAll(service, order)
    kept.push(await keptBy(service))
  }
  assert.ok((kept[0]?.length ?? 0) > AGAIN / 10)
  assert.deepEqual(kept[0], kept[1])
})
