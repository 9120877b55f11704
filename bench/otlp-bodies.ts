/**
 * The same calls as messages and as spans, prepared as bytes on the wire so that the load generator uses little CPU: before each
 * request, it only writes the ids and times in place.
 */
import { attributes, type OtlpSpan, type TraceRequest, tracesAsJson, tracesAsProtobuf } from '../test/otlp-encoding.ts'

export const DOORS = ['messages', 'json', 'protobuf'] as const
export type Door = (typeof DOORS)[number]

export type Body = {
  readonly path: string
  readonly type: string
  /** Fresh bytes that may be written to. */
  readonly bytes: Buffer
  /** Gives every call an id of its own, from `firstId` on, and the time `at`. */
  readonly write: (bytes: Buffer, firstId: number, at: number) => void
  /** What the whole response is if every call is charged. */
  readonly isTaken: (response: string) => boolean
}

/** A request with this many calls; half have one of 25 members. */
export const bodyOf = (door: Door, calls: number): Body =>
  ({ messages: asMessages, json: asJson, protobuf: asProtobuf })[door](
    Array.from({ length: calls }, (_, index) => callOf(index)),
  )

type Call = {
  readonly model: string
  readonly input: number
  readonly cached: number
  readonly output: number
  readonly member: string | undefined
}

const MODELS = ['gpt-5.4', 'gpt-5.4-mini', 'claude-sonnet-4.6', 'gemini-3.1-pro'] as const

const callOf = (index: number): Call => {
  const cached = (index * 104_729) % 40_000
  return {
    model: MODELS[index % MODELS.length] ?? MODELS[0],
    input: ((index * 7919) % 60_000) + cached,
    cached,
    output: (index * 31) % 3000,
    member: index % 2 === 0 ? `user-${index % 50}` : undefined,
  }
}

/** The ids of traces are random; these are as scattered. */
const hexOf = (id: number): string =>
  [0x9e3779b1, 0x85ebca6b, 0xc2b2ae35, 0x27d4eb2f, id, 0x165667b1]
    .map((factor) => (Math.imul(id + 1, factor) >>> 0).toString(16).padStart(8, '0'))
    .join('')

const TRACE_DIGITS = 32
const ID_PLACE = 'abcdefabcdefabcdefabcdefabcdefabcdefabcdefabcdef'
const TIME_PLACE = '2010-01-01T00:00:00.000Z'
const NANOS_PLACE = `${Date.parse(TIME_PLACE)}000001`

const asMessages = (calls: readonly Call[]): Body => {
  const messages = calls.map(({ model, input, cached, output, member }) => ({
    id: `otlp:${ID_PLACE}`,
    timestamp: TIME_PLACE,
    ...(member !== undefined && { user_id: member }),
    model,
    usage_format: 'openai',
    usage: { prompt_tokens: input, prompt_tokens_details: { cached_tokens: cached }, completion_tokens: output },
  }))
  const bytes = Buffer.from(JSON.stringify({ messages }))
  const [idsAt, timesAt] = [placesOf(bytes, ID_PLACE), placesOf(bytes, TIME_PLACE)]
  return {
    path: '/v1/messages',
    type: 'application/json',
    bytes,
    write: (target, firstId, at) => {
      const time = new Date(at).toISOString()
      for (const [index, place] of idsAt.entries()) target.write(hexOf(firstId + index), place, 'latin1')
      for (const place of timesAt) target.write(time, place, 'latin1')
    },
    isTaken: (response) => response.includes(`\r\n\r\n{"accepted":${calls.length},`),
  }
}

const asJson = (calls: readonly Call[]): Body => {
  const bytes = Buffer.from(JSON.stringify(tracesAsJson(requestOf(calls))))
  const [tracesAt, spansAt, timesAt] = [
    placesOf(bytes, ID_PLACE.slice(0, TRACE_DIGITS)),
    placesOf(bytes, ID_PLACE.slice(TRACE_DIGITS), `"spanId":"`),
    placesOf(bytes, NANOS_PLACE, `"endTimeUnixNano":"`),
  ]
  return {
    path: '/v1/traces',
    type: 'application/json',
    bytes,
    write: (target, firstId, at) => {
      for (const [index, place] of tracesAt.entries()) {
        const hex = hexOf(firstId + index)
        target.write(hex.slice(0, TRACE_DIGITS), place, 'latin1')
        target.write(hex.slice(TRACE_DIGITS), spansAt[index] ?? 0, 'latin1')
      }
      for (const place of timesAt) target.write(`${at}000001`, place, 'latin1')
    },
    isTaken: (response) => response.endsWith('\r\n\r\n{}'),
  }
}

const asProtobuf = (calls: readonly Call[]): Body => {
  const bytes = Buffer.from(tracesAsProtobuf(requestOf(calls)))
  const nanos = Buffer.alloc(8)
  nanos.writeBigUInt64LE(BigInt(NANOS_PLACE))
  const [tracesAt, spansAt, timesAt] = [
    placesOf(bytes, Buffer.from(ID_PLACE.slice(0, TRACE_DIGITS), 'hex')),
    placesOf(bytes, Buffer.from(ID_PLACE.slice(TRACE_DIGITS), 'hex'), Buffer.of(0x12, 8)),
    placesOf(bytes, nanos, Buffer.of(0x41)),
  ]
  return {
    path: '/v1/traces',
    type: 'application/x-protobuf',
    bytes,
    write: (target, firstId, at) => {
      for (const [index, place] of tracesAt.entries()) {
        const hex = hexOf(firstId + index)
        target.write(hex.slice(0, TRACE_DIGITS), place, 'hex')
        target.write(hex.slice(TRACE_DIGITS), spansAt[index] ?? 0, 'hex')
      }
      const end = BigInt(at) * 1_000_000n
      for (const place of timesAt) target.writeBigUInt64LE(end, place)
    },
    isTaken: (response) => response.endsWith('\r\n\r\n') && response.startsWith('HTTP/1.1 200'),
  }
}

/** As an exporter in JavaScript writes it, with what an instrumentation records of a call besides its content. */
const requestOf = (calls: readonly Call[]): TraceRequest => [
  {
    resource: {
      attributes: attributes({
        'service.name': 'shop',
        'telemetry.sdk.language': 'nodejs',
        'telemetry.sdk.name': 'opentelemetry',
        'telemetry.sdk.version': '2.2.0',
      }),
    },
    scopes: [{ scope: { name: 'gen_ai' }, records: calls.map(spanOf) }],
  },
]

const spanOf = ({ model, input, cached, output, member }: Call): OtlpSpan => ({
  traceId: ID_PLACE.slice(0, TRACE_DIGITS),
  spanId: ID_PLACE.slice(TRACE_DIGITS),
  parentSpanId: '00f067aa0ba902b7',
  name: `chat ${model}`,
  kind: 3,
  startTimeUnixNano: '1716206400123456789',
  endTimeUnixNano: NANOS_PLACE,
  attributes: [
    ...attributes({
      'gen_ai.operation.name': 'chat',
      'gen_ai.provider.name': 'openai',
      'gen_ai.request.model': model,
      'gen_ai.request.temperature': 0.7,
      'gen_ai.conversation.id': '5b0a2c9e-7d0f-4a86-9f5c-6a2b62f9d0c1',
      'gen_ai.response.id': 'chatcmpl-BqX0fW3n9vQ6Kk2uYd4mT7sPzLr1e',
      'gen_ai.response.model': model,
      'gen_ai.usage.input_tokens': input,
      'gen_ai.usage.cache_read.input_tokens': cached,
      'gen_ai.usage.output_tokens': output,
      'server.address': 'api.example.com',
      'server.port': 443,
      'user.id': member,
    }),
    { key: 'gen_ai.response.finish_reasons', value: { arrayValue: { values: [{ stringValue: 'stop' }] } } },
  ],
  status: { code: 0 },
})

/** Where `wanted` stands, each time directly behind `before`. */
const placesOf = (bytes: Buffer, wanted: string | Buffer, before: string | Buffer = ''): readonly number[] => {
  const [behind, sought] = [Buffer.from(before as string), Buffer.from(wanted as string)]
  const whole = Buffer.concat([behind, sought])
  const places: number[] = []
  for (let at = bytes.indexOf(whole); at >= 0; at = bytes.indexOf(whole, at + whole.length))
    places.push(at + behind.length)
  return places
}
