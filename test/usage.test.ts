/** The contract of `GET /usage`, of the operating endpoints and of the documentation, over real sockets. */
import assert from 'node:assert/strict'
import { type IncomingHttpHeaders, request } from 'node:http'
import { connect } from 'node:net'
import { describe, test } from 'node:test'
import { setTimeout } from 'node:timers/promises'
import { brotliDecompressSync, gunzipSync } from 'node:zlib'
import Type from 'typebox'
import { Compile } from 'typebox/compile'
import { ProblemSchema } from '../src/http/schemas/problem.ts'
import { UsageLineSchema } from '../src/http/schemas/usage.ts'
import { createSandbox } from '../src/sandbox/sandbox.ts'
import { send, sendListing, startCopilot, startService, startUpstream } from './harness.ts'
import { pathOf, readMessages, skipWithout } from './shared-data.ts'

const usageCheck = Compile(Type.Object({ usage: Type.Array(UsageLineSchema) }, { additionalProperties: false }))
const problemCheck = Compile(Type.Object(ProblemSchema.properties, { additionalProperties: false }))

type Line = { message_id: number | string; timestamp: string; report_name?: string; credits_used: number }

const linesOf = async (response: Response): Promise<readonly Line[]> => {
  assert.equal(response.status, 200)
  assert.equal(response.headers.get('content-type'), 'application/json; charset=utf-8')
  const body: unknown = await response.json()
  assert.ok(usageCheck.Check(body), 'the body has the frozen shape')
  return body.usage as readonly Line[]
}

const problemOf = async (response: Response): Promise<{ type: string; status: number; detail: string }> => {
  assert.equal(response.headers.get('content-type'), 'application/problem+json; charset=utf-8')
  const body: unknown = await response.json()
  assert.ok(problemCheck.Check(body), JSON.stringify(body))
  assert.equal(body.status, response.status)
  return body
}

describe('GET /usage', () => {
  test('returns exactly the frozen names, in the frozen order, with the timestamp as received', async () => {
    const listing = sendListing([
      { id: 1000, text: 'x', timestamp: '2024-04-29T02:08:29.375Z', report_id: 5392 },
      { id: 'b"\\\u00e9\u2028', text: 'What is the lease term?', timestamp: '2024-04-29t04:08:29.3750+02:00' },
      { id: -1, text: '', timestamp: '2024-04-28T00:00:00z', report_id: 1 },
    ])
    await using upstream = await startCopilot({
      listing,
      report: (id, _, response) =>
        id === '5392'
          ? send(response, 200, { id: 5392, name: 'Ten"ant \u2028 é', credit_cost: 79 })
          : send(response, 404, ''),
    })
    await using service = await startService({ UPSTREAM_URL: upstream.url })
    const response = await fetch(`${service.url}/usage`)
    assert.equal(
      await response.text(),
      '{"usage":[' +
        '{"message_id":1000,"timestamp":"2024-04-29T02:08:29.375Z","report_name":"Ten\\"ant \u2028 é","credits_used":79},' +
        '{"message_id":"b\\"\\\\\u00e9\u2028","timestamp":"2024-04-29t04:08:29.3750+02:00","credits_used":1.85},' +
        '{"message_id":-1,"timestamp":"2024-04-28T00:00:00z","credits_used":1}' +
        ']}',
    )
  })

  test('returns {"usage":[]} for an empty period', async () => {
    await using upstream = await startCopilot({})
    await using service = await startService({ UPSTREAM_URL: upstream.url })
    assert.equal(await (await fetch(`${service.url}/usage`)).text(), '{"usage":[]}')
  })

  test('returns the bundled sample without an upstream, and says so', async () => {
    await using service = await startService({})
    const response = await fetch(`${service.url}/usage`)
    assert.equal(response.headers.get('usage-source'), 'bundled-sample')
    const lines = await linesOf(response)
    assert.equal(lines.length, 120)
    assert.ok(lines.some((line) => line.report_name !== undefined))
  })

  test('returns 2,264.40 credits for the published period, served by the sandbox', {
    skip: skipWithout('messages.current-period.json'),
  }, async () => {
    const sandbox = createSandbox({
      messages: pathOf('messages.current-period.json'),
      reports: pathOf('reports.current-period.json'),
      latencyMs: 0,
      errorRate: 0,
      brokenRate: 0,
      missingReports: new Set(),
      log: () => {},
    })
    await using upstream = await startUpstream((incoming, response) => sandbox.emit('request', incoming, response))
    await using service = await startService({ UPSTREAM_URL: upstream.url })
    const response = await fetch(`${service.url}/usage`)
    assert.equal(response.headers.get('usage-source'), null)
    const lines = await linesOf(response)
    const micros = (list: readonly Line[]) => list.reduce((sum, line) => sum + Math.round(line.credits_used * 1e6), 0)
    assert.equal(lines.length, 110)
    assert.equal(micros(lines), 2_264_400_000)
    const ofReports = lines.filter((line) => line.report_name !== undefined)
    assert.equal(ofReports.length, 25)
    assert.equal(micros(ofReports), 1_650_000_000)
    assert.deepEqual(
      lines.map((line) => [line.message_id, line.timestamp]),
      readMessages('messages.current-period.json').map((message) => [message.id, message.timestamp]),
    )
    assert.deepEqual(
      await (await fetch(`${service.url}/usage`)).json(),
      { usage: lines },
      'also when it has not changed',
    )
  })

  test('has an ETag that changes with the usage, and returns 304 to a client that has it', async () => {
    let text = 'one'
    await using upstream = await startCopilot({
      listing: (_, response) => send(response, 200, { messages: [{ id: 1, text, timestamp: '2024-05-01T00:00:00Z' }] }),
    })
    await using service = await startService({ UPSTREAM_URL: upstream.url })
    const first = await fetch(`${service.url}/usage`)
    const tag = first.headers.get('etag') ?? ''
    assert.match(tag, /^"[\w-]{27}"$/)
    for (const sent of [tag, `W/${tag}`, `"other", ${tag}`, '*', tag.replace(/"$/, '-gzip"')]) {
      const again = await fetch(`${service.url}/usage`, { headers: { 'if-none-match': sent } })
      assert.equal(again.status, 304, sent)
      assert.equal(again.headers.get('etag'), tag)
      assert.equal(await again.text(), '')
    }
    text = 'another and another'
    const changed = await fetch(`${service.url}/usage`, { headers: { 'if-none-match': tag } })
    assert.equal(changed.status, 200)
    assert.notEqual(changed.headers.get('etag'), tag)
  })

  test('is compressed on request if that saves anything, with an ETag of its own; HEAD returns the same headers', async () => {
    await using service = await startService({ UPSTREAM_MAX_AGE: '1min' })
    const plain = await rawAnswer(`${service.url}/usage`, {})
    assert.equal(plain.headers['content-encoding'], undefined)
    assert.equal(plain.headers['content-length'], String(plain.body.length))
    const decoders = { gzip: gunzipSync, br: brotliDecompressSync }
    for (const [accepted, encoding] of [
      ['gzip', 'gzip'],
      ['gzip, deflate, br', 'br'],
      ['br;q=0, gzip', 'gzip'],
    ] as const) {
      for (let time = 0; time < 2; time++) {
        const packed = await rawAnswer(`${service.url}/usage`, { 'accept-encoding': accepted })
        assert.equal(packed.headers['content-encoding'], encoding)
        assert.equal(packed.headers.vary, 'Accept-Encoding')
        assert.equal(packed.headers.etag, plain.headers.etag?.replace(/"$/, `-${encoding}"`))
        assert.deepEqual(decoders[encoding](packed.body), plain.body)
        assert.ok(packed.body.length < plain.body.length / 2)
      }
    }
    for (const accepted of ['identity', 'gzip;q=0', 'zstd', '']) {
      const answer = await rawAnswer(`${service.url}/usage`, { 'accept-encoding': accepted })
      assert.deepEqual(answer.body, plain.body, accepted)
    }
    const head = await fetch(`${service.url}/usage`, { method: 'HEAD', headers: { 'accept-encoding': 'identity' } })
    assert.equal(head.headers.get('content-length'), String(plain.body.length))
    assert.equal(head.headers.get('etag'), plain.headers.etag)
    assert.equal(await head.text(), '')

    await using upstream = await startCopilot({})
    await using small = await startService({ UPSTREAM_URL: upstream.url })
    assert.equal(
      (await rawAnswer(`${small.url}/usage`, { 'accept-encoding': 'br' })).headers['content-encoding'],
      undefined,
    )
  })

  test('returns a large period identically to concurrent readers, in every encoding, even while it changes', async () => {
    let version = 0
    const count = 30_000
    await using upstream = await startCopilot({
      listing: (_, response) => {
        const timestamp = '2024-05-01T00:00:00Z'
        const text = `version ${version++ % 2 === 0 ? 'one' : 'three'}`
        send(response, 200, { messages: Array.from({ length: count }, (_each, id) => ({ id, text, timestamp })) })
      },
    })
    await using service = await startService({
      UPSTREAM_URL: upstream.url,
      UPSTREAM_ATTEMPT_TIMEOUT: '10s',
      UPSTREAM_TIMEOUT: '20s',
    })
    const readers = Array.from({ length: 12 }, async (_, reader) => {
      const accepted = ['identity', 'gzip', 'br'][reader % 3] as string
      const lines = await linesOf(await fetch(`${service.url}/usage`, { headers: { 'accept-encoding': accepted } }))
      assert.equal(lines.length, count)
      assert.equal(new Set(lines.map((line) => line.credits_used)).size, 1, 'one version, not a mixture')
    })
    await Promise.all(readers)
  })
})

describe('the service returns a problem for', () => {
  test('an unknown query parameter', async () => {
    await using service = await startService({})
    const response = await fetch(`${service.url}/usage?colour=red`)
    assert.equal(response.status, 400)
    assert.match((await problemOf(response)).detail, /query parameter "colour" must be absent/)
  })

  test('an unknown path, with and without a query', async () => {
    await using service = await startService({})
    for (const [path, status] of [
      ['/nothing', 404],
      ['/usage/', 404],
      ['/usage/1000', 404],
      ['/Usage', 404],
      ['/nothing?x=1', 404],
      ['/%F0%9F', 400],
    ] as const) {
      const response = await fetch(`${service.url}${path}`)
      assert.equal(response.status, status, path)
      assert.notEqual(response.headers.get('x-request-id'), null)
      await problemOf(response)
    }
  })

  test('a method that the path does not support', async () => {
    await using service = await startService({})
    for (const method of ['POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS']) {
      const body = method === 'POST' ? { body: '{"not":', headers: { 'content-type': 'application/json' } } : {}
      const response = await fetch(`${service.url}/usage?x`, { method, ...body })
      assert.equal(response.status, 405, method)
      assert.equal(response.headers.get('allow'), 'GET, HEAD')
      await problemOf(response)
    }
  })

  test('invalid HTTP', async () => {
    await using service = await startService({})
    for (const [sent, status] of [
      ['HELLO\r\n\r\n', 400],
      ['GET /usage HTTP/1.1\r\n\r\n', 400],
      ['GET /healthz HTTP/1.1\r\nHost: localhost\r\nExpect: nonsense\r\n\r\n', 417],
      [`GET /usage HTTP/1.1\r\nHost: localhost\r\nX: ${'x'.repeat(20_000)}\r\n\r\n`, 431],
    ] as const) {
      const answer = await rawExchange(service.url, sent)
      assert.ok(answer.startsWith(`HTTP/1.1 ${status} `), answer)
      const [head, body] = answer.split('\r\n\r\n')
      assert.match(head ?? '', /^x-request-id: [\w-]+$/im)
      const json = body?.slice(body.indexOf('{'), body.lastIndexOf('}') + 1) ?? ''
      assert.ok(problemCheck.Check(JSON.parse(json)), answer)
    }
  })

  test('garbage after a request, but never in the middle of its response, which is cut off instead', async () => {
    const many = Array.from({ length: 100_000 }, (_, id) => ({ id, text: '', timestamp: '2024-05-01T00:00:00Z' }))
    await using upstream = await startCopilot({ listing: sendListing(many) })
    await using service = await startService({
      UPSTREAM_URL: upstream.url,
      UPSTREAM_MAX_AGE: '1min',
      UPSTREAM_TIMEOUT: '20s',
      UPSTREAM_ATTEMPT_TIMEOUT: '20s',
    })
    await (await fetch(`${service.url}/usage`)).arrayBuffer()
    for (const first of ['GET /usage HTTP/1.1', 'GET /usage? HTTP/1.1']) {
      const answer = await rawExchange(service.url, `${first}\r\nHost: localhost\r\n\r\n`, 'GARBAGE\r\n\r\n')
      assert.equal(answer.split('HTTP/1.1').length, 2, 'one answer')
    }
  })
})

/** Sends, and when the response starts sends the rest without reading on. Resolves to everything received until the end. */
const rawExchange = (url: string, first: string, then = ''): Promise<string> =>
  new Promise((resolve) => {
    const parts: Buffer[] = []
    const socket = connect(Number(new URL(url).port), '127.0.0.1', () => socket.write(first))
    socket.on('data', (bytes: Buffer) => {
      parts.push(bytes)
      if (parts.length > 1 || then === '') return
      socket.pause()
      socket.write(then, () => setImmediate(() => socket.resume()))
    })
    socket.on('error', () => {})
    socket.on('close', () => resolve(Buffer.concat(parts).toString('latin1')))
  })

describe('for operators', () => {
  test('/healthz succeeds while the upstream is down, /readyz does not', async () => {
    await using upstream = await startCopilot({ listing: (_, response) => send(response, 500, '') })
    await using service = await startService({ UPSTREAM_URL: upstream.url, UPSTREAM_ATTEMPTS: '1' })
    assert.deepEqual(await (await fetch(`${service.url}/healthz`)).json(), { status: 'alive' })
    const ready = await fetch(`${service.url}/readyz`)
    assert.equal(ready.status, 503)
    assert.equal((await problemOf(ready)).type, 'urn:copilot-credits:problem:not-ready')
  })

  test('/readyz is ready before the first reader if the upstream responds', async () => {
    await using service = await startService({})
    assert.deepEqual(await (await fetch(`${service.url}/readyz`)).json(), { status: 'ready' })
  })

  test('/metrics counts requests, upstream calls, refreshes, answers, messages and the event loop lag', async () => {
    await using upstream = await startCopilot({
      listing: sendListing([{ id: 1, text: '', timestamp: '2024-05-01T00:00:00Z' }]),
    })
    await using service = await startService({ UPSTREAM_URL: upstream.url, UPSTREAM_MAX_AGE: '1min' })
    await fetch(`${service.url}/usage`)
    await fetch(`${service.url}/usage`)
    await fetch(`${service.url}/nothing`)
    const response = await fetch(`${service.url}/metrics`)
    assert.match(response.headers.get('content-type') ?? '', /^text\/plain/)
    const text = await response.text()
    for (const line of [
      'http_requests_total{method="GET",route="/usage",status="200"} 2',
      'http_requests_total{method="GET",route="none",status="404"} 1',
      'http_request_duration_seconds_count{route="/usage"} 2',
      'copilot_credits_upstream_calls_total{call="listing",outcome="ok"} 1',
      'copilot_credits_refreshes_total{outcome="changed"} 1',
      'copilot_credits_usage_answers_total{from="refresh"} 1',
      'copilot_credits_usage_answers_total{from="memory"} 1',
      'copilot_credits_messages_priced_total 1',
    ]) {
      assert.ok(text.split('\n').includes(line), line)
    }
    assert.match(text, /^nodejs_eventloop_lag_seconds /m)
  })

  test('each response has a request id, and the log has the request without its query', async () => {
    await using service = await startService({})
    const given = await fetch(`${service.url}/usage?secret=1`, { headers: { 'x-request-id': 'abc-1.2' } })
    assert.equal(given.headers.get('x-request-id'), 'abc-1.2')
    const made = await fetch(`${service.url}/usage`, { headers: { 'x-request-id': 'not ok\u00e9' } })
    assert.match(made.headers.get('x-request-id') ?? '', /^[\da-f-]{36}$/)
    await fetch(`${service.url}/healthz`)
    const line = service
      .logged()
      .split('\n')
      .find((each) => each.includes('"reqId":"abc-1.2"') && each.includes('"msg":"answered"'))
    assert.match(line ?? '', /"method":"GET","path":"\/usage","status":400/)
    assert.ok(!service.logged().includes('secret'))
  })

  test('an answer from memory is logged once it is sent, or once its reader has left in the middle', async () => {
    const messages = Array.from({ length: 16_000 }, (_, id) => ({
      id,
      text: '',
      timestamp: '2024-05-01T00:00:00Z',
      report_id: 1,
    }))
    await using upstream = await startCopilot({
      listing: sendListing(messages),
      report: (_id, _, response) => send(response, 200, { id: 1, name: 'long '.repeat(200), credit_cost: 1 }),
    })
    await using service = await startService({
      UPSTREAM_URL: upstream.url,
      UPSTREAM_MAX_AGE: '5min',
      UPSTREAM_ATTEMPT_TIMEOUT: '1min',
      UPSTREAM_TIMEOUT: '2min',
    })
    const first = await fetch(`${service.url}/usage`)
    assert.equal(first.status, 200)
    assert.ok(
      (await first.arrayBuffer()).byteLength > 15e6,
      'more than the system takes for a reader that does not read',
    )
    const isLogged = (id: string) => service.logged().includes(`"reqId":"${id}"`)

    await fetch(`${service.url}/usage`, { method: 'HEAD', headers: { 'x-request-id': 'whole' } })
    assert.ok(isLogged('whole'))

    const socket = connect(Number(new URL(service.url).port), '127.0.0.1', () =>
      socket.write('GET /usage HTTP/1.1\r\nHost: localhost\r\nX-Request-Id: left\r\n\r\n'),
    )
    await new Promise((resolve) => socket.once('readable', resolve))
    assert.ok(!isLogged('left'), 'it was logged while the reader had most of it to read')
    socket.destroy()
    for (let waited = 0; !isLogged('left') && waited < 5000; waited += 20) await setTimeout(20)
    assert.match(service.logged(), /"reqId":"left","method":"GET","path":"\/usage","status":200/)
  })
})

describe('the documentation', () => {
  test('is at /docs and loads nothing from other hosts', async () => {
    await using service = await startService({})
    const page = await fetch(`${service.url}/docs`)
    const html = await page.text()
    assert.equal(page.status, 200)
    const policy = page.headers.get('content-security-policy') ?? ''
    assert.match(policy, /default-src 'none'/)
    assert.doesNotMatch(policy, /upgrade-insecure-requests|https:/, 'over plain HTTP it would find nothing')
    const assets = [...html.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, path]) => path ?? '')
    assert.ok(assets.length > 3)
    for (const path of assets) {
      const asset = new URL(path, `${service.url}/docs/`)
      assert.equal(asset.origin, service.url)
      assert.equal((await fetch(asset)).status, 200, path)
    }
  })
})

/** The response as it is on the wire; `fetch` would decompress it. */
const rawAnswer = (url: string, headers: Record<string, string>) =>
  new Promise<{ headers: IncomingHttpHeaders; body: Buffer }>((resolve, reject) => {
    request(url, { headers }, (response) => {
      const parts: Buffer[] = []
      response.on('data', (part: Buffer) => parts.push(part))
      response.on('end', () => resolve({ headers: response.headers, body: Buffer.concat(parts) }))
    })
      .on('error', reject)
      .end()
  })
