import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { inspect } from 'node:util'
import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire'
import fc from 'fast-check'
import { InvalidRequest } from '#model/errors.ts'
import {
  attributes,
  type KeyValue,
  type LogRequest,
  logsAsJson,
  logsAsProtobuf,
  type OtlpValue,
  type TraceRequest,
  tracesAsJson,
  tracesAsProtobuf,
} from '../../test/otlp-encoding.ts'
import { readJsonLogs, readJsonSpans } from './json-records.ts'
import { readProtobufLogs, readProtobufSpans } from './protobuf-records.ts'
import { RECORDS_MAX, type Wanted } from './records.ts'

const WANTED: Wanted = {
  attributes: new Set(['gen_ai.request.model', 'count', 'share', 'flag', 'user.id', 'service.name']),
  spanNames: new Set(['LLM Generation']),
  events: new Set(['claude_code.api_request']),
}

const json = (body: unknown): Uint8Array => Buffer.from(JSON.stringify(body))

const SPAN = {
  traceId: '5b8efff798038103d269b633813fc60c',
  spanId: 'eee19b7ec3c1b174',
  parentSpanId: 'eee19b7ec3c1b173',
  name: 'LLM Generation',
  kind: 3,
  startTimeUnixNano: '1544712660000000000',
  endTimeUnixNano: '1544712661000000001',
  attributes: [
    ...attributes({ 'gen_ai.request.model': 'gpt-5.4', count: 12, share: 0.5, flag: true, 'input.value': 'CANARY-1' }),
    { key: 'user.id', value: { stringValue: 'zoë' } },
    { key: 'gen_ai.input.messages', value: { arrayValue: { values: [{ stringValue: 'CANARY-2' }] } } },
    { key: 'count.big', value: { intValue: '9223372036854775807' } },
  ],
  events: [{ name: 'CANARY-3', attributes: attributes({ 'gen_ai.request.model': 'CANARY-4' }) }],
  status: { code: 2, message: 'CANARY-5' },
}

const TRACES: TraceRequest = [
  {
    resource: { attributes: attributes({ 'service.name': 'copilot-chat', 'user.id': 'ada', secret: 'CANARY-6' }) },
    scopes: [{ scope: { name: 'gen_ai' }, records: [SPAN, { ...SPAN, spanId: 'eee19b7ec3c1b175', name: 'CANARY-7' }] }],
  },
]

const LOGS: LogRequest = [
  {
    resource: { attributes: attributes({ 'service.name': 'claude-code' }) },
    scopes: [
      {
        scope: { name: 'com.anthropic.claude_code.events' },
        records: [
          { timeUnixNano: '0', observedTimeUnixNano: '7', body: { stringValue: 'claude_code.api_request' } },
          {
            timeUnixNano: '5',
            observedTimeUnixNano: '7',
            body: { stringValue: 'CANARY-8' },
            attributes: attributes({ count: 1 }),
          },
          {
            timeUnixNano: '5',
            eventName: 'claude_code.api_request',
            body: { kvlistValue: { values: [{ key: 'stringValue', value: { stringValue: 'CANARY-9' } }] } },
          },
        ],
      },
    ],
  },
]

describe('a request is read the same from JSON and protobuf', () => {
  test('spans', () => {
    const spans = readJsonSpans(json(tracesAsJson(TRACES)), WANTED)
    assert.deepEqual(readProtobufSpans(tracesAsProtobuf(TRACES), WANTED), spans)
    assert.deepEqual(spans[0], {
      traceId: '5b8efff798038103d269b633813fc60c',
      spanId: 'eee19b7ec3c1b174',
      parentSpanId: 'eee19b7ec3c1b173',
      name: 'LLM Generation',
      endNanos: 1544712661000000001n,
      hasFailed: true,
      scope: 'gen_ai',
      resource: new Map([
        ['service.name', 'copilot-chat'],
        ['user.id', 'ada'],
      ]),
      attributes: new Map<string, unknown>([
        ['gen_ai.request.model', 'gpt-5.4'],
        ['count', 12],
        ['share', 0.5],
        ['flag', true],
        ['user.id', 'zoë'],
      ]),
    })
  })

  test('log records', () => {
    const logs = readJsonLogs(json(logsAsJson(LOGS)), WANTED)
    assert.deepEqual(readProtobufLogs(logsAsProtobuf(LOGS), WANTED), logs)
    assert.deepEqual(
      logs.map(({ event, nanos }) => [event, nanos]),
      [
        ['claude_code.api_request', 7n],
        ['', 5n],
        ['claude_code.api_request', 5n],
      ],
    )
  })

  test('whatever it holds', () => {
    fc.assert(
      fc.property(TRACE_REQUESTS, (request) => {
        const spans = readJsonSpans(json(tracesAsJson(request)), EVERYTHING)
        assert.deepEqual(readProtobufSpans(tracesAsProtobuf(request), EVERYTHING), spans)
      }),
      { numRuns: 300 },
    )
  })
})

test('nothing is read that is not wanted', () => {
  const read = [
    readJsonSpans(json(tracesAsJson(TRACES)), WANTED),
    readProtobufSpans(tracesAsProtobuf(TRACES), WANTED),
    readJsonLogs(json(logsAsJson(LOGS)), WANTED),
    readProtobufLogs(logsAsProtobuf(LOGS), WANTED),
  ]
  assert.doesNotMatch(inspect(read, { depth: Number.POSITIVE_INFINITY }), /CANARY/)
})

test('an empty request has nothing', () => {
  for (const bytes of [new Uint8Array(), json({})]) assert.deepEqual(readJsonSpans(bytes, WANTED), [])
  assert.deepEqual(readProtobufSpans(new Uint8Array(), WANTED), [])
  assert.deepEqual(readJsonSpans(json({ resourceSpans: null }), WANTED), [])
})

test('ids in upper case are the same ids, and others are none', () => {
  const [upper] = readJsonSpans(
    json(tracesAsJson([{ scopes: [{ records: [{ ...SPAN, traceId: SPAN.traceId.toUpperCase() }] }] }])),
    WANTED,
  )
  assert.equal(upper?.traceId, SPAN.traceId)
  const short = [{ scopes: [{ records: [{ ...SPAN, traceId: 'ab' }] }] }]
  assert.equal(readJsonSpans(json(tracesAsJson(short)), WANTED)[0]?.traceId, '')
  assert.equal(readProtobufSpans(tracesAsProtobuf(short), WANTED)[0]?.traceId, '')
})

test('whole numbers of 64 bits are strings or numbers', () => {
  const [span] = readJsonSpans(
    json({
      resourceSpans: [
        {
          scopeSpans: [
            { spans: [{ endTimeUnixNano: 1544712661000, attributes: [{ key: 'count', value: { intValue: 12 } }] }] },
          ],
        },
      ],
    }),
    WANTED,
  )
  assert.equal(span?.endNanos, 1544712661000n)
  assert.equal(span?.attributes.get('count'), 12)
})

test('a malformed request names the place and never quotes', () => {
  const spans = (span: unknown) => json({ resourceSpans: [{ scopeSpans: [{ spans: [span] }] }] })
  const faults: readonly (readonly [Uint8Array, string])[] = [
    [Buffer.from('{"CANARY'), 'body'],
    [json([]), 'body'],
    [json({ resourceSpans: {} }), 'body/resourceSpans'],
    [json({ resourceSpans: ['CANARY'] }), 'body/resourceSpans/0'],
    [spans('CANARY'), 'body/resourceSpans/0/scopeSpans/0/spans/0'],
    [spans({ traceId: 5 }), 'body/resourceSpans/0/scopeSpans/0/spans/0/traceId'],
    [spans({ endTimeUnixNano: 'CANARY' }), 'body/resourceSpans/0/scopeSpans/0/spans/0/endTimeUnixNano'],
    [spans({ attributes: ['CANARY'] }), 'body/resourceSpans/0/scopeSpans/0/spans/0/attributes/0'],
  ]
  for (const [bytes, field] of faults) {
    assert.throws(
      () => readJsonSpans(bytes, WANTED),
      (error) => error instanceof InvalidRequest && error.field === field && !error.message.includes('CANARY'),
      field,
    )
  }
})

test('hostile bytes are refused as such, and never read beyond their end', () => {
  const whole = tracesAsProtobuf(TRACES)
  const mutated = fc
    .tuple(fc.array(fc.tuple(fc.nat(whole.length - 1), fc.nat(255)), { maxLength: 8 }), fc.nat(whole.length))
    .map(([changes, length]) => {
      const bytes = Uint8Array.from(whole)
      for (const [at, value] of changes) bytes[at] = value
      return bytes.subarray(0, length)
    })
  fc.assert(
    fc.property(fc.oneof(mutated, fc.uint8Array({ maxLength: 200 })), (bytes) => {
      for (const read of [readProtobufSpans, readProtobufLogs, readJsonSpans, readJsonLogs]) {
        try {
          const records = read(bytes, WANTED)
          assert.doesNotMatch(inspect(records, { depth: Number.POSITIVE_INFINITY }), /CANARY-[1-5]/)
        } catch (error) {
          assert.ok(error instanceof InvalidRequest, inspect(error))
        }
      }
    }),
    { numRuns: 10_000 },
  )
})

test('the most records that are read at once', () => {
  const inJson = (spans: number, groups = 1) => {
    const group = `{"scopeSpans":[{"spans":[${Array(spans).fill('{}')}]}]}`
    return Buffer.from(`{"resourceSpans":[${Array(groups).fill(group)}]}`)
  }
  // Two bytes are an empty span.
  const inProtobuf = (spans: number) => {
    const writer = new BinaryWriter().tag(1, WireType.LengthDelimited).fork()
    writer.tag(2, WireType.LengthDelimited).bytes(Buffer.alloc(2 * spans, Buffer.of(0x12, 0)))
    return writer.join().finish()
  }
  assert.equal(readJsonSpans(inJson(RECORDS_MAX), WANTED).length, RECORDS_MAX)
  assert.equal(readProtobufSpans(inProtobuf(RECORDS_MAX), WANTED).length, RECORDS_MAX)
  for (const read of [
    () => readJsonSpans(inJson(RECORDS_MAX + 1), WANTED),
    () => readJsonSpans(inJson(1, RECORDS_MAX + 1), WANTED),
    () => readProtobufSpans(inProtobuf(RECORDS_MAX + 1), WANTED),
  ])
    assert.throws(read, /at most 100000 spans or log records/)
})

test('deep nesting takes no stack', () => {
  const depth = 100_000
  const nested = `${'{"arrayValue":{"values":['.repeat(depth)}${']}}'.repeat(depth)}`
  const body = `{"resourceSpans":[{"scopeSpans":[{"spans":[{"attributes":[{"key":"x","value":${nested}}]}]}]}]}`
  assert.equal(readJsonSpans(Buffer.from(body), WANTED).length, 1)
})

const EVERYTHING: Wanted = {
  attributes: new Set(['a', 'b', 'c']),
  spanNames: new Set(['LLM Generation']),
  events: new Set(),
}

const VALUES: fc.Arbitrary<OtlpValue> = fc.oneof(
  fc.string({ unit: 'grapheme' }).map((stringValue) => ({ stringValue })),
  fc.boolean().map((boolValue) => ({ boolValue })),
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map((value) => ({ intValue: String(value) })),
  fc
    .double({ noNaN: true, noDefaultInfinity: true })
    .filter((value) => !Object.is(value, -0))
    .map((doubleValue) => ({ doubleValue })),
  fc.string().map((value) => ({ arrayValue: { values: [{ stringValue: value }] } })),
)
const KEY_VALUES: fc.Arbitrary<readonly KeyValue[]> = fc.array(
  fc.record({ key: fc.constantFrom('a', 'b', 'c', 'd', 'é'), value: VALUES }),
)
const hex = (digits: number) =>
  fc.string({ unit: fc.constantFrom(...'0123456789abcdef'), minLength: digits, maxLength: digits })
const TRACE_REQUESTS: fc.Arbitrary<TraceRequest> = fc.array(
  fc.record({
    resource: fc.record({ attributes: KEY_VALUES }),
    scopes: fc.array(
      fc.record({
        scope: fc.record({ name: fc.string() }),
        records: fc.array(
          fc.record({
            traceId: hex(32),
            spanId: hex(16),
            parentSpanId: hex(16),
            name: fc.constantFrom('LLM Generation', 'other'),
            endTimeUnixNano: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }).map(String),
            attributes: KEY_VALUES,
            status: fc.record({ code: fc.integer({ min: 0, max: 2 }) }),
          }),
        ),
      }),
      { maxLength: 3 },
    ),
  }),
  { maxLength: 3 },
)

test('a request of more objects than any sender has is refused before they are made, wherever they are', () => {
  const objects = (count: number) =>
    Buffer.from(`{"a":"[\\"${'{'.repeat(1_000_000)}","resourceSpans":[${'{},'.repeat(count)}{}]}`)
  assert.deepEqual(readJsonSpans(objects(900_000), WANTED), [])
  assert.throws(() => readJsonSpans(objects(1_000_000), WANTED), {
    message: 'body must be a request of at most 1000000 objects and arrays',
  })
})
