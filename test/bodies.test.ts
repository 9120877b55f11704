/** Request bodies that are compressed, of an unsupported type, or hold a duplicate key, sent over real connections. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { request as rawRequest } from 'node:http'
import { connect } from 'node:net'
import { text as readText } from 'node:stream/consumers'
import { describe, test } from 'node:test'
import { createGzip, deflateSync, gzipSync } from 'node:zlib'
import { CloudEvent, HTTP } from 'cloudevents'
import { type Running, startService } from './harness.ts'
import type { Schemas } from './wire-types.ts'

type Answer = {
  readonly status: number
  readonly headers: Headers
  /** The one or the other; a field that it lacks is undefined. */
  readonly body: Schemas['ReportedMessages'] & Schemas['Problem']
  /** Of an NDJSON stream. */
  readonly lines: readonly (Schemas['StreamedResult'] & Schemas['StreamEnd'])[]
}

type Body = string | Uint8Array

const post = async (
  service: Running,
  path: string,
  body: Body,
  headers: Record<string, string> = {},
  method = 'POST',
): Promise<Answer> => {
  const response = await fetch(`${service.url}${path}`, {
    method,
    body: typeof body === 'string' ? body : Buffer.from(body),
    headers: { 'content-type': 'application/json', ...headers },
  })
  const text = await response.text()
  const isLines = response.headers.get('content-type') === 'application/x-ndjson'
  const lines = isLines ? text.trim().split('\n') : []
  return {
    status: response.status,
    headers: response.headers,
    body: isLines || text === '' ? {} : JSON.parse(text),
    lines: lines.map((line) => JSON.parse(line)),
  }
}

const message = (id: number | string, more: object = {}) => ({
  id,
  text: 'What is the lease term?',
  timestamp: '2024-05-10T12:00:00Z',
  ...more,
})
const messages = (...ids: readonly number[]): string => JSON.stringify({ messages: ids.map((id) => message(id)) })

const EVENT = {
  specversion: '1.0',
  type: 'copilot.message',
  source: '/eu',
  id: '1',
  time: '2024-05-10T12:00:00Z',
  data: { text: 'What is the lease term?' },
}
const STRUCTURED = 'application/cloudevents+json'
const BATCH = 'application/cloudevents-batch+json'
const CE_HEADERS = {
  'ce-specversion': '1.0',
  'ce-type': 'copilot.message',
  'ce-source': '/eu',
  'ce-id': '1',
  'ce-time': '2024-05-10T12:00:00Z',
}

const chargedIn = async (service: Running): Promise<number> => {
  const response = await fetch(`${service.url}/v1/usage/totals?from=2024-01-01&to=2025-01-01&bucket=none`)
  const { buckets } = (await response.json()) as { readonly buckets: readonly { readonly messages: number }[] }
  return buckets[0]?.messages ?? Number.NaN
}

describe('a duplicate key', () => {
  test('anywhere in a body rejects the whole body, and nothing is charged or changed', async () => {
    await using service = await startService({})
    const one = JSON.stringify(message(1))
    const event = JSON.stringify(EVENT)
    for (const [path, body, name, type, method] of [
      ['/v1/messages', `{"messages":[${one}],"messages":[]}`, 'messages'],
      ['/v1/messages', `{"messages":[],"m\\u0065ssages":[${one}]}`, 'messages'],
      ['/v1/messages', `{"messages":[${one},${one.slice(0, -1)},"id":2}]}`, 'messages[1].id'],
      ['/v1/messages', `{"messages":[${one.slice(0, -1)},"x":{"y":[{"z":1,"z":1}]}}]}`, 'messages[0].x.y[0].z'],
      ['/v1/events', `${event.slice(0, -1)},"id":"2"}`, 'id', STRUCTURED],
      ['/v1/events', `[${event},${event.replace('"data":{', '"data":{"text":"",')}]`, '[1].data.text', BATCH],
      ['/v1/events', '{"text":"a","text":"b"}', 'text', 'binary'],
      ['/v1/organizations', '{"id":"acme","id":"b"}', 'id'],
      ['/v1/organizations/default', '{"name":"a","\\u006eame":"b"}', 'name', 'application/json', 'PATCH'],
      ['/v1/keys', '{"scopes":["usage:read"],"scopes":["admin"]}', 'scopes'],
      ['/v1/reports/1', '{"name":"a","credit_cost":1,"credit_cost":0}', 'credit_cost', 'application/json', 'PUT'],
      ['/v1/session', '{"key":"a","key":"b"}', 'key'],
    ] as const) {
      const headers = type === 'binary' ? CE_HEADERS : { 'content-type': type ?? 'application/json' }
      const answer = await post(service, path, body, headers, method)
      assert.equal(answer.status, 400, `${path} ${body} ${JSON.stringify(answer.body)}`)
      const twice = `The body must be JSON without duplicate keys; ${name} appears twice`
      assert.ok(answer.body.detail.startsWith(twice), answer.body.detail)
      assert.doesNotMatch(answer.body.detail, /lease/)
    }
    assert.equal(await chargedIn(service), 0)
    assert.equal((await fetch(`${service.url}/v1/reports/1`)).status, 404)
  })

  test('in an NDJSON line or in the base64 of an event rejects that message and no other', async () => {
    await using service = await startService({})
    const line = (id: number) => JSON.stringify(message(id))
    const lines = [line(1), `${line(2).slice(0, -1)},"id":3}`, line(4)].join('\n')
    const streamed = await post(service, '/v1/messages', lines, { 'content-type': 'application/x-ndjson' })
    assert.deepEqual(streamed.lines[1], {
      line: 2,
      status: 'rejected',
      field: '',
      reason: 'must be JSON without duplicate keys; id appears twice',
    })
    assert.equal(streamed.lines[3]?.accepted, 2)
    const packed = (json: string) => ({ ...EVENT, data: undefined, data_base64: Buffer.from(json).toString('base64') })
    const events = [
      { ...packed('{"text":"x"}'), id: 'good' },
      packed('{"text":"x","text":"y"}'),
      packed('{"text":'),
      { ...packed('{"text":"x"}'), data_base64: 'eyJ0ZXh0IjoieCJ9!!' },
      { ...packed('{"text":"x"}'), data: { text: 'x' } },
      { ...packed('{"text":"x"}'), id: 'marked', data_base64: Buffer.from('\ufeff{"text":"x"}').toString('base64') },
    ]
    const { body } = await post(service, '/v1/events', JSON.stringify(events), { 'content-type': BATCH })
    assert.deepEqual(
      body.results.map(({ status, field }) => [status, field]),
      [
        ['accepted', undefined],
        ['rejected', 'data'],
        ['rejected', 'data'],
        ['rejected', 'data'],
        ['rejected', 'data'],
        ['accepted', undefined],
      ],
    )
  })
})

test('a byte order mark is ignored at the start of a body, and nowhere else', async () => {
  await using service = await startService({})
  assert.equal((await post(service, '/v1/messages', `\ufeff${messages(1)}`)).body.accepted, 1)
  assert.equal((await post(service, '/v1/organizations', '\ufeff{"id":"acme"}')).status, 201)
  assert.equal((await post(service, '/v1/organizations', '\ufeff\ufeff{"id":"acme"}')).status, 400)
  const lines = `\ufeff${JSON.stringify(message(2))}\n\ufeff${JSON.stringify(message(3))}`
  const streamed = await post(service, '/v1/messages', lines, { 'content-type': 'application/x-ndjson' })
  assert.deepEqual(
    streamed.lines.map(({ status }) => status),
    ['accepted', 'rejected', undefined],
  )
})

describe('a compressed body', () => {
  test('is accepted on every route with a body, and has the same effect as uncompressed', async () => {
    await using service = await startService({})
    const gzip = { 'content-encoding': 'gzip' }
    const line = (id: number) => JSON.stringify(message(id))
    assert.equal((await post(service, '/v1/messages', gzipSync(messages(1)), gzip)).body.accepted, 1)
    const again = await post(service, '/v1/messages', gzipSync(messages(1)), { 'content-encoding': 'X-GZIP' })
    assert.equal(again.body.duplicate, 1)
    assert.equal(
      (await post(service, '/v1/messages', messages(1), { 'content-encoding': 'identity' })).body.duplicate,
      1,
    )
    for (const type of [
      'application/x-ndjson',
      'application/ndjson',
      'application/jsonl',
      'Application/NDJSON; charset=utf-8',
    ]) {
      const plain = await post(service, '/v1/messages', line(1), { 'content-type': type })
      assert.deepEqual(plain.lines.at(-1), { done: true, accepted: 0, duplicate: 1, conflict: 0, rejected: 0 })
      const body = gzipSync([line(1), line(2), '{', ''].join('\n'))
      const packed = await post(service, '/v1/messages', body, { ...gzip, 'content-type': type })
      const end = packed.lines.at(-1)
      assert.equal(end?.rejected, 1, type)
      assert.equal((end?.duplicate ?? 0) + (end?.accepted ?? 0), 2, type)
    }
    const members = Buffer.concat([gzipSync(`${line(3)}\n`), gzipSync(line(4))])
    const two = await post(service, '/v1/messages', members, { ...gzip, 'content-type': 'application/x-ndjson' })
    assert.equal(two.lines.at(-1)?.accepted, 2, 'gzip may have several members')
    for (const [path, body, headers, method, status] of [
      ['/v1/events', EVENT, { 'content-type': STRUCTURED }, 'POST', 200],
      ['/v1/events', [EVENT], { 'content-type': BATCH }, 'POST', 200],
      ['/v1/events', EVENT.data, CE_HEADERS, 'POST', 200],
      ['/v1/organizations', { id: 'acme' }, {}, 'POST', 201],
      ['/v1/organizations/acme', { name: 'Acme' }, {}, 'PATCH', 200],
      ['/v1/reports/1', { name: 'a', credit_cost: 1 }, {}, 'PUT', 201],
      ['/v1/keys', { scopes: ['admin'] }, {}, 'POST', 201],
    ] as const) {
      const answer = await post(service, path, gzipSync(JSON.stringify(body)), { ...headers, ...gzip }, method)
      assert.equal(answer.status, status, `${path} ${JSON.stringify(answer.body)}`)
    }
  })

  test('that is corrupt or truncated is rejected with 400, and nothing of it is charged', async () => {
    await using service = await startService({})
    const whole = gzipSync(
      JSON.stringify({ messages: Array.from({ length: 500 }, (_, id) => message(id, { text: `${id ** 5}` })) }),
    )
    const corrupt = Buffer.from(whole)
    corrupt.fill(0x55, 200, 400)
    const wrongSum = Buffer.from(whole)
    wrongSum.fill(0, wrongSum.length - 8, wrongSum.length - 4)
    for (const body of [
      whole.subarray(0, -1),
      whole.subarray(0, 100),
      whole.subarray(0, 5),
      corrupt,
      wrongSum,
      Buffer.from(messages(1)),
      Buffer.concat([whole, Buffer.from('x')]),
    ]) {
      const answer = await post(service, '/v1/messages', body, { 'content-encoding': 'gzip' })
      assert.equal(answer.status, 400, JSON.stringify(answer.body))
      assert.match(answer.body.detail, /body must be complete, valid gzip/)
      const other = await post(service, '/v1/organizations', body, { 'content-encoding': 'gzip' })
      assert.equal(other.status, 400)
    }
    assert.equal(await chargedIn(service), 0)
    const ndjson = { 'content-type': 'application/x-ndjson', 'content-encoding': 'gzip' }
    const noGzip = await post(service, '/v1/messages', JSON.stringify(message(1)), ndjson)
    assert.equal(noGzip.status, 400, 'lines that are no gzip from their start are refused as a whole')
    const lines = gzipSync(
      Array.from({ length: 5000 }, (_, id) => JSON.stringify(message(id, { text: `${id ** 5}` }))).join('\n'),
    )
    const cut = await post(service, '/v1/messages', lines.subarray(0, -2000), ndjson)
    const last = cut.lines.at(-1)
    assert.equal(last?.done, false, 'a stream that breaks off says that it is not done')
    assert.equal(last?.problem?.status, 400)
    assert.equal(await chargedIn(service), last?.accepted)
  })

  test('that decompresses to more than the limit is rejected with 413, and does not take more memory than the limit', async () => {
    await using service = await startService({ INTAKE_MAX_BYTES: '2MiB' })
    const bomb = await bombOf(800_000_000)
    assert.ok(bomb.length < 1_000_000, `${bomb.length} bytes of gzip are within every limit`)
    const before = process.memoryUsage.rss()
    for (const [path, type] of [
      ['/v1/messages', 'application/json'],
      ['/v1/events', BATCH],
      ['/v1/organizations', 'application/json'],
    ] as const) {
      const { status, body } = await postRaw(service, path, bomb, { 'content-type': type, 'content-encoding': 'gzip' })
      assert.equal(status, 413, `${path} ${body}`)
    }
    const within = gzipSync(JSON.stringify({ messages: [], padding: ' '.repeat(1_900_000) }))
    assert.equal(
      (await post(service, '/v1/messages', within, { 'content-encoding': 'gzip' })).status,
      400,
      'read, and refused',
    )
    assert.ok(process.memoryUsage.rss() - before < 300_000_000, 'what it unpacks to is not held')
  })

  test('with a coding other than gzip is rejected with 415, and Accept-Encoding lists what is supported', async () => {
    await using service = await startService({})
    for (const coding of ['br', 'deflate', 'zstd', 'compress', 'gzip, gzip', 'gzip, br', 'aws-chunked', '*']) {
      for (const [path, type, method] of [
        ['/v1/messages', 'application/json', 'POST'],
        ['/v1/messages', 'application/x-ndjson', 'POST'],
        ['/v1/events', STRUCTURED, 'POST'],
        ['/v1/reports/1', 'application/json', 'PUT'],
      ] as const) {
        const headers = { 'content-type': type, 'content-encoding': coding }
        const answer = await post(service, path, deflateSync(messages(1)), headers, method)
        assert.equal(answer.status, 415, `${path} ${coding}`)
        assert.equal(answer.headers.get('accept-encoding'), 'gzip')
        assert.match(answer.body.detail, /Content-Encoding header must be gzip or absent/)
      }
    }
  })
})

/** That many zeros, compressed. */
const bombOf = async (bytes: number): Promise<Buffer> => {
  const gzip = createGzip()
  const packed: Buffer[] = []
  gzip.on('data', (chunk: Buffer) => packed.push(chunk))
  const zeros = Buffer.alloc(1_000_000, 0x20)
  for (let at = 0; at < bytes; at += zeros.length) if (!gzip.write(zeros)) await once(gzip, 'drain')
  gzip.end()
  await once(gzip, 'end')
  return Buffer.concat(packed)
}

/** The response may arrive before everything is sent. Write errors after that do not matter. */
const postRaw = (service: Running, path: string, body: Uint8Array, headers: Record<string, string>) =>
  new Promise<{ readonly status: number; readonly body: string }>((resolve, reject) => {
    const { hostname, port } = new URL(service.url)
    const outgoing = rawRequest({ host: hostname, port, path, method: 'POST', headers }, async (response) => {
      resolve({ status: response.statusCode ?? 0, body: await readText(response) })
    })
    outgoing.on('error', reject)
    outgoing.end(body)
  })

test('a body of an unsupported type is rejected with 415, and Accept lists the supported types', async () => {
  await using service = await startService({})
  for (const [path, method, types] of [
    ['/v1/messages', 'POST', ['application/json', 'application/x-ndjson', 'application/ndjson', 'application/jsonl']],
    ['/v1/events', 'POST', [STRUCTURED, BATCH, 'application/json']],
    ['/v1/organizations', 'POST', ['application/json']],
    ['/v1/organizations/default', 'PATCH', ['application/json']],
    ['/v1/reports/1', 'PUT', ['application/json']],
    ['/v1/keys', 'POST', ['application/json']],
    ['/v1/session', 'POST', ['application/json']],
  ] as const) {
    for (const type of [
      'text/plain',
      'application/xml',
      'application/cloudevents+avro',
      'nonsense',
      'application/json-seq',
    ]) {
      const answer = await post(service, path, '{}', { 'content-type': type }, method)
      assert.equal(answer.status, 415, `${path} ${type}`)
      assert.equal(answer.headers.get('accept'), types.join(', '))
      for (const each of types) assert.ok(answer.body.detail.includes(each), answer.body.detail)
    }
  }
  const ndjson = await post(service, '/v1/events', '{}', { 'content-type': 'application/x-ndjson' })
  assert.equal(ndjson.status, 415)
  const untyped = await fetch(`${service.url}/v1/keys`, { method: 'POST', body: Buffer.from('{}') })
  assert.equal(untyped.status, 415)
})

describe('a CloudEvent', () => {
  const event = new CloudEvent({ ...EVENT, id: 'structured' })

  test('in structured or batch mode comes from the body, whatever its ce- headers say', async () => {
    await using service = await startService({})
    const { body, headers } = HTTP.structured(event)
    const beside = { ...CE_HEADERS, 'ce-id': 'of-the-header', 'ce-subject': 'header', 'ce-specversion': '0.3' }
    const type = { 'content-type': (headers as Record<string, string>)['content-type'] ?? '' }
    const structured = await post(service, '/v1/events', String(body), { ...beside, ...type })
    assert.deepEqual(structured.body.results, [{ id: '/eu structured', status: 'accepted', credits: 1.85 }])
    const batch = await post(service, '/v1/events', `[${body}]`, {
      ...beside,
      'content-type': `${BATCH}; charset=UTF-8`,
    })
    assert.deepEqual(batch.body.results, [{ id: '/eu structured', status: 'duplicate', credits: 1.85 }])
    const sdk = HTTP.binary(event)
    const binary = await post(service, '/v1/events', String(sdk.body), sdk.headers as Record<string, string>)
    assert.deepEqual(
      binary.body.results,
      structured.body.results.map((each) => ({ ...each, status: 'duplicate' })),
    )
  })

  test('in binary mode has the same id however its headers are encoded', async () => {
    await using service = await startService({})
    const idOf = async (headers: Record<string, string>, beside: object = CE_HEADERS): Promise<unknown> => {
      const sent = { ...beside, ...headers }
      const { status, body } = await post(service, '/v1/events', JSON.stringify(EVENT.data), sent)
      return status === 200 ? body.results[0]?.id : `${status} ${body.errors?.[0]?.field}`
    }
    for (const [value, id] of [
      ['plain', '/eu plain'],
      ['"plain"', '/eu plain'],
      ['"a\\"b\\\\c\\d"', '/eu a"b\\cd'],
      ['Euro%20%E2%82%AC%20%F0%9F%98%80', '/eu Euro € 😀'],
      ['"Euro %E2%82%AC %f0%9f%98%80"', '/eu Euro € 😀'],
      ['%22plain%22', '/eu "plain"'],
      ['"%22plain%22"', '/eu "plain"'],
      ['a"b"c', '/eu a"b"c'],
      ['%2525', '/eu %25'],
      ['%25', '/eu %'],
      ['100%', '/eu 100%'],
      ['%zz', '/eu %zz'],
      ['%5c%22', '/eu \\"'],
      ['zo\u00eb', '/eu zoë'],
      [Buffer.from('zoë').toString('latin1'), '/eu zoë'],
      ['"open', '400 header ce-id'],
      ['"', '400 header ce-id'],
      ['"a"b"', '400 header ce-id'],
      ['"a\\"', '400 header ce-id'],
      ['%ff', '400 header ce-id'],
      ['%C3', '400 header ce-id'],
      ['a%c3%28', '400 header ce-id'],
      ['%ed%a0%80', '400 header ce-id'],
      ['%c0%af', '400 header ce-id'],
      ['%00', '400 id'],
    ] as const) {
      assert.equal(await idOf({ 'ce-id': value }), id, value)
    }
    const { 'ce-id': _, ...others } = CE_HEADERS
    assert.equal(await idOf({ 'CE-ID': 'upper', 'cE-SubJect': '%E2%82%AC' }, others), '/eu upper')
    const charge = await fetch(`${service.url}/v1/messages/${encodeURIComponent('/eu upper')}`)
    assert.equal(((await charge.json()) as { charges: { user_id: string }[] }).charges[0]?.user_id, '€')
    assert.equal(await idOf({ 'ce-specversion': '"1.0"', 'ce-type': '"copilot%2Emessage"', 'ce-id': 'q' }), '/eu q')
    for (const attribute of ['ce-type', 'ce-source', 'ce-time', 'ce-subject', 'ce-specversion']) {
      assert.equal(await idOf({ [attribute]: '%ff' }), `400 header ${attribute}`)
    }
  })

  test('in binary mode is rejected if it has an attribute twice', async () => {
    await using service = await startService({})
    const { hostname, port } = new URL(service.url)
    const socket = connect(Number(port), hostname)
    const data = JSON.stringify(EVENT.data)
    const headers = {
      ...CE_HEADERS,
      Host: 'localhost',
      Connection: 'close',
      'Content-Type': 'application/json',
      'Content-Length': data.length,
      'CE-Id': '2',
    }
    const head = Object.entries(headers).map(([name, value]) => `${name}: ${value}`)
    socket.write(`POST /v1/events HTTP/1.1\r\n${head.join('\r\n')}\r\n\r\n${data}`)
    const answer = await readText(socket)
    assert.match(answer, /^HTTP\/1\.1 400 /)
    assert.match(answer, /header ce-id must be sent only once/)
  })
})
