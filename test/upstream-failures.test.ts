/** Responses of `GET /usage` when the Copilot service is slow, fails or sends bad data, over real sockets. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type ServerResponse } from 'node:http'
import { type AddressInfo, connect, createServer as createTcpServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { describe, test } from 'node:test'
import type { Environment } from '../src/config.ts'
import { type Answers, send, sendListing, sendMissing, startCopilot, startService } from './harness.ts'

const SECRET = 'the merger with Initech'
const message = (id: number | string, more: object = {}) => ({
  id,
  text: `What about ${SECRET}?`,
  timestamp: '2024-04-29T02:08:29.375Z',
  ...more,
})
const lease = { id: 5392, name: 'Lease Report', credit_cost: 79 }
const sendReport = (_: string, __: unknown, response: ServerResponse) => send(response, 200, lease)
const stall = () => {}
const cutOff = (_: unknown, response: ServerResponse) => {
  const body = JSON.stringify({ messages: [message(1), message(2)] })
  response.writeHead(200, { 'content-length': body.length })
  response.write(body.slice(0, 60), () => response.destroy())
}
const withReport = sendListing([message(1, { report_id: 5392 })])

type Case = {
  readonly name: string
  readonly answers: Answers
  readonly environment?: Environment
  readonly status: number
  /** The problem's `upstream` member, or the usage lines without their timestamps. */
  readonly says: object
}

const LISTING = 'GET /messages/current-period'
const REPORT = 'GET /reports/5392'
const PRICE = 3.35

const cases: readonly Case[] = [
  {
    name: 'a 500 once, then a good response, GET /usage succeeds',
    answers: {
      listing: (request, response, time) =>
        time === 0 ? send(response, 500, 'oops') : sendListing([message(1)])(request, response),
    },
    status: 200,
    says: [{ message_id: 1, credits_used: PRICE }],
  },
  {
    name: 'always 500',
    answers: { listing: (_, response) => send(response, 500, SECRET) },
    status: 502,
    says: { call: LISTING, failure: 'status', reason: 'the response status was 500', attempts: 3, status: 500 },
  },
  {
    name: 'a response slower than the deadline of an attempt',
    answers: { listing: stall },
    status: 504,
    says: { call: LISTING, failure: 'timeout', reason: 'no complete response arrived in time', attempts: 3 },
  },
  {
    name: 'responses slower than the deadline of all attempts',
    answers: { listing: stall },
    environment: { UPSTREAM_ATTEMPT_TIMEOUT: '1s', UPSTREAM_TIMEOUT: '200ms' },
    status: 504,
    says: { call: LISTING, failure: 'timeout', reason: 'no complete response arrived in time', attempts: 1 },
  },
  {
    name: 'a body that stalls beyond the deadline',
    answers: {
      listing: (_, response) => {
        response.writeHead(200)
        response.write('{"messages":[')
      },
    },
    status: 504,
    says: { call: LISTING, failure: 'timeout', reason: 'no complete response arrived in time', attempts: 3 },
  },
  {
    name: 'a truncated body',
    answers: { listing: cutOff },
    status: 502,
    says: { call: LISTING, failure: 'connection', reason: 'the connection failed (UND_ERR_SOCKET)', attempts: 3 },
  },
  {
    name: 'a truncated body once',
    answers: {
      listing: (request, response, time) =>
        time === 0 ? cutOff(request, response) : sendListing([message(1)])(request, response),
    },
    status: 200,
    says: [{ message_id: 1, credits_used: PRICE }],
  },
  {
    name: 'not JSON',
    answers: { listing: (_, response) => send(response, 200, `<html>${SECRET}</html>`) },
    status: 502,
    says: { call: LISTING, failure: 'bad-answer', reason: 'the listing is not valid JSON', attempts: 3 },
  },
  ...(
    [
      ['"messages" twice', `{"messages":[],"messages":["${SECRET}"]}`, 'the listing has a duplicate key: messages'],
      [
        'a key twice around them',
        `{"next":"${SECRET}","next":1,"messages":[]}`,
        'the listing has a duplicate key: next',
      ],
      [
        'a key twice in a message',
        `{"messages":[{"id":1,"text":"${SECRET}","timestamp":"2024-05-01T00:00:00Z","\\u0069d":2}]}`,
        'the listing has a duplicate key: messages[0].id',
      ],
      [
        'U+0000 in an id',
        { messages: [message(1), message('\u0000')] },
        'messages[1].id must be free of U+0000 and lone surrogates',
      ],
      [
        'a lone surrogate in the id of a report',
        { messages: [{ ...message(1), report_id: '\udc00' }] },
        'messages[0].report_id must be free of U+0000 and lone surrogates',
      ],
    ] as const
  ).map(([name, body, reason]) => ({
    name: `a listing with ${name}`,
    answers: { listing: (_: unknown, response: ServerResponse) => send(response, 200, body) },
    status: 502,
    says: { call: LISTING, failure: 'bad-answer', reason, attempts: 3 },
  })),
  {
    name: 'JSON of another shape',
    answers: { listing: (_, response) => send(response, 200, { items: [] }) },
    status: 502,
    says: {
      call: LISTING,
      failure: 'bad-answer',
      reason: 'the listing must be an object with a "messages" array',
      attempts: 3,
    },
  },
  ...(
    [
      ['id', { id: 1.5 }, 'an integer between -(2^53 - 1) and 2^53 - 1 or a string of 1 to 200 characters'],
      ['id', { id: '' }, 'an integer between -(2^53 - 1) and 2^53 - 1 or a string of 1 to 200 characters'],
      ['text', { text: 5 }, 'a string, or absent'],
      [
        'timestamp',
        { timestamp: '2024-02-30T00:00:00Z' },
        'an RFC 3339 date-time with an offset, such as 2024-04-29T02:08:29.375Z',
      ],
      [
        'timestamp',
        { timestamp: '2024-04-29 02:08' },
        'an RFC 3339 date-time with an offset, such as 2024-04-29T02:08:29.375Z',
      ],
      [
        'report_id',
        { report_id: {} },
        'an integer between -(2^53 - 1) and 2^53 - 1 or a string of 1 to 200 characters, null or absent',
      ],
    ] as const
  ).map(([field, wrong, expected]) => ({
    name: `a wrong ${field}: ${JSON.stringify(wrong)}`,
    answers: { listing: sendListing([message(1), message(2, wrong)]) },
    status: 502,
    says: { call: LISTING, failure: 'bad-answer', reason: `messages[1].${field} must be ${expected}`, attempts: 3 },
  })),
  {
    name: 'a message without a text',
    answers: { listing: sendListing([{ id: 1, timestamp: '2024-04-29T02:08:29Z' }]) },
    status: 502,
    says: {
      call: LISTING,
      failure: 'bad-answer',
      reason:
        'messages[0].text is missing; a message must have at least one of text, report_id, model, usage and quantities',
      attempts: 3,
    },
  },
  {
    name: 'the same id with different content',
    answers: { listing: sendListing([message(7), message(8), message(7, { text: SECRET })]) },
    status: 502,
    says: {
      call: LISTING,
      failure: 'bad-answer',
      reason: 'messages[0] and messages[2] have the same id 7 and differ in text',
      attempts: 3,
    },
  },
  ...(
    [
      ['team_id', { team_id: 'sales' }, { team_id: 'research' }],
      ['model', { model: 'gpt-5.4' }, { model: 'gpt-5.4-mini' }],
      ['usage', { usage: { input_tokens: 1 } }, { usage: { output_tokens: 1 } }],
      ['quantities', { quantities: { pages: 3, images: 1 } }, { quantities: { images: 1 } }],
      ['attributes', { attributes: { plan: 'pro' } }, { attributes: { plan: 'free' } }],
      ['outcome', {}, { outcome: 'failed' }],
    ] as const
  ).map(([field, one, other]) => ({
    name: `the same id with another ${field}`,
    answers: { listing: sendListing([message(7, one), message(7, other)]) },
    status: 502,
    says: {
      call: LISTING,
      failure: 'bad-answer',
      reason: `messages[0] and messages[1] have the same id 7 and differ in ${field}`,
      attempts: 3,
    },
  })),
  {
    name: 'a duplicate entry, it is charged once',
    answers: { listing: sendListing([message(7), message('7'), message(7)]) },
    status: 200,
    says: [
      { message_id: 7, credits_used: PRICE },
      { message_id: '7', credits_used: PRICE },
    ],
  },
  {
    name: 'an XML 404 for a report, the message is priced by text',
    answers: { listing: withReport, report: sendMissing },
    status: 200,
    says: [{ message_id: 1, credits_used: PRICE }],
  },
  {
    name: '503 for one report, the whole request fails',
    answers: { listing: withReport, report: (_, __, response) => send(response, 503, 'later') },
    status: 502,
    says: { call: REPORT, failure: 'status', reason: 'the response status was 503', attempts: 3, status: 503 },
  },
  {
    name: 'no response for a report',
    answers: { listing: withReport, report: stall },
    status: 504,
    says: { call: REPORT, failure: 'timeout', reason: 'no complete response arrived in time', attempts: 3 },
  },
  {
    name: '403 for a report, which is not 404 and is not retried',
    answers: { listing: withReport, report: (_, __, response) => send(response, 403, 'no') },
    status: 502,
    says: { call: REPORT, failure: 'status', reason: 'the response status was 403', attempts: 1, status: 403 },
  },
  ...(
    [
      ['not JSON', '<xml/>', 'the report is not valid JSON'],
      ['another report', { ...lease, id: 1 }, 'report.id must be 5392, the requested id'],
      [
        'a negative price',
        { ...lease, credit_cost: -1 },
        'report.credit_cost must be a number of at least 0 and less than 8589934592, with at most six decimals',
      ],
      [
        'seven decimals',
        { ...lease, credit_cost: 0.0000001 },
        'report.credit_cost must be a number of at least 0 and less than 8589934592, with at most six decimals',
      ],
      [
        'a price in a string',
        { ...lease, credit_cost: '79' },
        'report.credit_cost must be a number of at least 0 and less than 8589934592, with at most six decimals',
      ],
      [
        'a key twice',
        `{"id":5392,"name":"${SECRET}","credit_cost":0,"credit_cost":79}`,
        'the report has a duplicate key: credit_cost',
      ],
      ['U+0000 in its name', { ...lease, name: 'a\u0000' }, 'report.name must be free of U+0000 and lone surrogates'],
      ['a lone surrogate', { ...lease, name: 'a\ud800' }, 'report.name must be free of U+0000 and lone surrogates'],
      ['an empty name', { ...lease, name: '' }, 'report.name must be a string of 1 to 1000 characters'],
      ['no name', { id: 5392, credit_cost: 1 }, 'report.name is missing; it must be a string of 1 to 1000 characters'],
    ] as const
  ).map(([name, body, reason]) => ({
    name: `a malformed report: ${name}`,
    answers: {
      listing: withReport,
      report: (_: string, __: unknown, response: ServerResponse) => send(response, 200, body),
    },
    status: 502,
    says: { call: REPORT, failure: 'bad-answer', reason, attempts: 3 },
  })),
  {
    name: '429 with Retry-After, it waits and then succeeds',
    answers: {
      listing: (request, response, time) =>
        time === 0
          ? send(response, 429, 'slow down', { 'retry-after': '1' })
          : sendListing([message(1)])(request, response),
    },
    status: 200,
    says: [{ message_id: 1, credits_used: PRICE }],
  },
  {
    name: '429 with a Retry-After beyond the deadline, it fails immediately',
    answers: { listing: (_, response) => send(response, 429, 'slow down', { 'retry-after': '60' }) },
    status: 502,
    says: { call: LISTING, failure: 'status', reason: 'the response status was 429', attempts: 1, status: 429 },
  },
  {
    name: 'a listing of 50 MB, above the limit, it fails before reading',
    answers: {
      listing: (_, response) => {
        response.writeHead(200, { 'content-length': 50_000_000 })
        response.flushHeaders()
      },
    },
    status: 502,
    says: {
      call: LISTING,
      failure: 'bad-answer',
      reason: 'the response is larger than the limit of 33554432 bytes',
      attempts: 1,
    },
  },
  {
    name: 'a listing of 50 MB without Content-Length',
    answers: {
      listing: (_, response) => {
        response.writeHead(200)
        response.write('{"messages":[')
        for (let piece = 0; piece < 50; piece++) response.write(' '.repeat(1_000_000))
        response.end(']}')
      },
    },
    environment: { UPSTREAM_ATTEMPT_TIMEOUT: '20s', UPSTREAM_TIMEOUT: '20s' },
    status: 502,
    says: {
      call: LISTING,
      failure: 'bad-answer',
      reason: 'the response is larger than the limit of 33554432 bytes',
      attempts: 1,
    },
  },
  {
    name: 'a listing of 50 MB within the limit',
    answers: {
      listing: (_, response) =>
        send(response, 200, {
          messages: Array.from({ length: 50 }, (_each, id) => message(id, { text: 'x'.repeat(1_000_000) })),
        }),
    },
    environment: { UPSTREAM_MAX_BYTES: '64MiB', UPSTREAM_ATTEMPT_TIMEOUT: '10s', UPSTREAM_TIMEOUT: '20s' },
    status: 200,
    says: Array.from({ length: 50 }, (_, message_id) => ({ message_id, credits_used: 100_008.6 })),
  },
  {
    name: 'a compressed response that was not requested',
    answers: { listing: (_, response) => send(response, 200, { messages: [] }, { 'content-encoding': 'gzip' }) },
    status: 502,
    says: {
      call: LISTING,
      failure: 'bad-answer',
      reason: 'the response has content-encoding "gzip", which was not requested',
      attempts: 3,
    },
  },
  {
    name: '304 without a conditional request',
    answers: { listing: (_, response) => response.writeHead(304).end() },
    status: 502,
    says: { call: LISTING, failure: 'status', reason: 'the response status was 304', attempts: 1, status: 304 },
  },
  {
    name: 'an empty period',
    answers: { listing: sendListing([]) },
    status: 200,
    says: [],
  },
]

describe('when the Copilot service answers with', () => {
  for (const { name, answers, environment = {}, status, says } of cases) {
    test(name, async () => {
      await using upstream = await startCopilot(answers)
      await using service = await startService({ UPSTREAM_URL: upstream.url, ...environment })
      const response = await fetch(`${service.url}/usage`)
      const body = (await response.json()) as Record<string, unknown>
      assert.equal(response.status, status, JSON.stringify(body))
      if (status === 200) {
        const lines = body['usage'] as readonly { readonly timestamp: string }[]
        assert.deepEqual(
          lines.map(({ timestamp: _, ...rest }) => rest),
          says,
        )
      } else {
        assert.equal(response.headers.get('content-type'), 'application/problem+json; charset=utf-8')
        assert.deepEqual(body['upstream'], says)
        assert.equal(body['status'], status)
        assert.equal(body['request_id'], response.headers.get('x-request-id'))
      }
      assert.ok(!service.logged().includes(SECRET), 'a text must not reach the log')
      assert.ok(!JSON.stringify(body).includes(SECRET), 'a text must not reach the response')
    })
  }

  test('a refused connection', async () => {
    const unused = createServer().listen(0)
    const { port } = unused.address() as AddressInfo
    unused.close()
    await using service = await startService({ UPSTREAM_URL: `http://127.0.0.1:${port}` })
    const response = await fetch(`${service.url}/usage`)
    const { upstream } = (await response.json()) as { upstream: unknown }
    assert.equal(response.status, 502)
    assert.deepEqual(upstream, {
      call: LISTING,
      failure: 'connection',
      reason: 'the connection failed (ECONNREFUSED)',
      attempts: 3,
    })
  })

  for (const [asked, passedOn] of [
    ['60', '60'],
    ['999999999', '3600'],
    ['Fri, 31 Dec 9999 23:59:59 GMT', '3600'],
    ['Sat, 05 Nov 1994 00:00:00 GMT', null],
    ['-60', null],
    ['soon', null],
  ] as const) {
    test(`429 and Retry-After: ${asked}, the response has Retry-After: ${passedOn}`, async () => {
      await using upstream = await startCopilot({
        listing: (_, response) => send(response, 429, '', { 'retry-after': asked }),
      })
      await using service = await startService({ UPSTREAM_URL: upstream.url })
      const response = await fetch(`${service.url}/usage`)
      assert.equal(response.status, 502)
      assert.equal(response.headers.get('retry-after'), passedOn)
    })
  }

  test('validators that cannot be sent back, it sends no conditional request', async () => {
    await using upstream = await startCopilot({
      listing: (request, response) => {
        assert.equal(request.headers['if-none-match'], undefined)
        assert.equal(request.headers['if-modified-since'], undefined)
        const changed = 'Sun, 06 Nov 1994 08:49:37 GMT (\u6f22)'
        const inUtf8 = (text: string): string => Buffer.from(text).toString('latin1')
        response.writeHead(200, { etag: inUtf8('"\u6f22"'), 'last-modified': inUtf8(changed) })
        response.end('{"messages":[]}')
      },
    })
    await using service = await startService({ UPSTREAM_URL: upstream.url })
    for (let time = 0; time < 2; time++) assert.equal((await fetch(`${service.url}/usage`)).status, 200)
  })
})

const OK = 'HTTP/1.1 200 OK\r\n'
const CHUNKED = `${OK}Transfer-Encoding: chunked\r\n\r\n`

/** The exact bytes to write before closing the connection. */
const brokenAnswers: Readonly<Record<string, string>> = {
  nothing: '',
  'an SSH banner': `SSH-2.0-OpenSSH_9.6 ${SECRET}\r\n`,
  'a mail server': `220 mail.example ESMTP ${SECRET}\r\n`,
  'a TLS alert': '\x15\x03\x01\x00\x02\x02\x28',
  'HTTP/2': '\x00\x00\x12\x04\x00\x00\x00\x00\x00\x00\x03\x00\x00\x00\x80',
  'HTTP of another version': 'HTTP/9.9 200 OK\r\n\r\n{}',
  'a status that is not a number': 'HTTP/1.1 OK\r\n\r\n{}',
  'incomplete headers': `${OK}Content-Type: appli`,
  'a header without a colon': `${OK}${SECRET}\r\n\r\n{"messages":[]}`,
  'a header with a control character': `${OK}X: a\x00b\r\n\r\n{"messages":[]}`,
  'endless headers': `${OK}X: ${'x'.repeat(100_000)}`,
  'a chunk whose size is not a number': `${CHUNKED}zz\r\n${SECRET}\r\n0\r\n\r\n`,
  'a chunk that is longer than it says': `${CHUNKED}3\r\n{"messages":[]}\r\n0\r\n\r\n`,
  'a chunk that is shorter than it says': `${CHUNKED}ff\r\n{"messages":[]}`,
  'chunks without the last one': `${CHUNKED}f\r\n{"messages":[]}\r\n`,
  'a Content-Length that is too long': `${OK}Content-Length: 1000\r\n\r\n{"messages":[]}`,
  'a Content-Length that is not a number': `${OK}Content-Length: ten\r\n\r\n{"messages":[]}`,
  'two lengths': `${OK}Content-Length: 15\r\nContent-Length: 16\r\n\r\n{"messages":[]}`,
  'a length and chunks': `${OK}Content-Length: 15\r\nTransfer-Encoding: chunked\r\n\r\nf\r\n{"messages":[]}\r\n0\r\n\r\n`,
  'a switch of protocols': 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n',
  'an end that never comes': 'HTTP/1.1 100 Continue\r\n\r\n',
}

describe('when UPSTREAM_URL is not an HTTP server and sends', () => {
  for (const [name, answer] of Object.entries(brokenAnswers)) {
    test(`${name}, the failure is a failed connection, after all attempts`, async () => {
      await using listener = await listen((socket) => socket.end(answer, 'latin1'))
      await using service = await startService({ UPSTREAM_URL: `http://127.0.0.1:${listener.port}` })
      const response = await fetch(`${service.url}/usage`)
      const body = (await response.json()) as { readonly upstream: Record<string, unknown> }
      assert.equal(response.status, 502, JSON.stringify(body))
      const { reason, ...upstream } = body.upstream
      assert.deepEqual(upstream, { call: LISTING, failure: 'connection', attempts: 3 })
      assert.match(String(reason), /^(the connection failed|the response is not valid HTTP) \(\w+\)$/)
      assert.ok(!(service.logged() + JSON.stringify(body)).includes(SECRET))
    })
  }

  test('plain text instead of TLS, or a reset, the failure is the same', async () => {
    await using listener = await listen((socket) =>
      socket.write(`${CHUNKED}f\r\n{"messages"`, () => socket.resetAndDestroy()),
    )
    for (const scheme of ['http', 'https']) {
      await using service = await startService({ UPSTREAM_URL: `${scheme}://127.0.0.1:${listener.port}` })
      const response = await fetch(`${service.url}/usage`)
      const { upstream } = (await response.json()) as { readonly upstream: Record<string, unknown> }
      assert.deepEqual([response.status, upstream['failure'], upstream['attempts']], [502, 'connection', 3])
    }
  })
})

/** A server that responds to any connection with something other than HTTP. */
const listen = async (answer: (socket: Socket) => void) => {
  const server = createTcpServer((socket) => {
    socket.on('error', () => {})
    socket.once('data', () => answer(socket))
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return { port, [Symbol.asyncDispose]: async () => void server.close() }
}

test('a failure of the Copilot service is the same problem in a response and at the end of a stream', async () => {
  for (const [report, status] of [
    [stall, 504],
    [(_: string, __: unknown, response: ServerResponse) => send(response, 500, ''), 502],
  ] as const) {
    await using upstream = await startCopilot({ report })
    await using service = await startService({ UPSTREAM_URL: upstream.url })
    const post = async (type: string, body: unknown): Promise<string> => {
      const headers = { 'content-type': type }
      const url = `${service.url}/v1/messages`
      return (await fetch(url, { method: 'POST', headers, body: JSON.stringify(body) })).text()
    }
    const reported = message(1, { report_id: 5392 })
    const { request_id: _, ...whole } = JSON.parse(await post('application/json', { messages: [reported] }))
    const { request_id: __, ...streamed } = JSON.parse(await post('application/x-ndjson', reported)).problem
    assert.equal(streamed.status, status)
    assert.deepEqual(streamed, whole)
    assert.deepEqual([streamed.upstream.call, streamed.upstream.attempts], [REPORT, 3])
  }
})

describe('a client that disconnects', () => {
  test('while waiting or reading does not affect other clients', async () => {
    const many = Array.from({ length: 40_000 }, (_, id) => message(id))
    let isHeld = true
    await using upstream = await startCopilot({
      listing: (request, response) => {
        if (isHeld) setTimeout(() => sendListing(many)(request, response), 50)
        else sendListing(many)(request, response)
      },
    })
    await using service = await startService({
      UPSTREAM_URL: upstream.url,
      UPSTREAM_ATTEMPT_TIMEOUT: '10s',
      UPSTREAM_TIMEOUT: '20s',
      UPSTREAM_MAX_AGE: '1min',
    })
    const gone = new AbortController()
    const waiting = fetch(`${service.url}/usage`, { signal: gone.signal })
    const other = fetch(`${service.url}/usage`)
    await until(() => upstream.asked.length > 0)
    gone.abort()
    await assert.rejects(waiting)
    isHeld = false
    const { usage } = (await (await other).json()) as { usage: unknown[] }
    assert.equal(usage.length, many.length)
    assert.equal(upstream.asked.length, 1, 'the refresh was shared and continued')

    const socket = connect(Number(new URL(service.url).port), '127.0.0.1')
    socket.write('GET /usage HTTP/1.1\r\nHost: localhost\r\n\r\n')
    await new Promise((resolve) => socket.once('data', resolve))
    socket.destroy()
    const after = await fetch(`${service.url}/usage`)
    assert.equal(((await after.json()) as { usage: unknown[] }).usage.length, many.length)
  })
})

describe('while the Copilot service fails', () => {
  const failing = async (environment: Environment) => {
    const state = { works: true, price: 79 }
    const upstream = await startCopilot({
      listing: (request, response) => (state.works ? withReport(request, response) : send(response, 500, 'down')),
      report: (_, __, response) => send(response, 200, { ...lease, credit_cost: state.price }),
    })
    const service = await startService({ UPSTREAM_URL: upstream.url, UPSTREAM_ATTEMPTS: '1', ...environment })
    return {
      state,
      upstream,
      service,
      [Symbol.asyncDispose]: async () => {
        await service[Symbol.asyncDispose]()
        await upstream[Symbol.asyncDispose]()
      },
    }
  }

  test('the last good response is served with Age and Cache-Status until the next good one', async () => {
    await using run = await failing({})
    const good = await fetch(`${run.service.url}/usage`)
    const body = await good.text()
    assert.equal(good.headers.get('cache-status'), 'copilot-credits; fwd=stale; stored')
    run.state.works = false
    const stale = await fetch(`${run.service.url}/usage`)
    assert.equal(stale.status, 200)
    assert.equal(await stale.text(), body)
    assert.equal(stale.headers.get('cache-status'), 'copilot-credits; hit; detail=stale')
    assert.equal(stale.headers.get('age'), '0')
    assert.equal((await fetch(`${run.service.url}/readyz`)).status, 200)
    assert.equal(await run.service.metric('copilot_credits_usage_answers_total{from="stale"}'), 1)
    assert.match(
      run.service.logged(),
      /"level":40,.*cannot refresh the current period: GET \/messages\/current-period failed/,
    )
    run.state.works = true
    const again = await fetch(`${run.service.url}/usage`)
    assert.equal(again.headers.get('cache-status'), 'copilot-credits; fwd=stale; stored')
  })

  test('the last good response is not served beyond UPSTREAM_STALE_LIMIT or if that is 0', async () => {
    for (const limit of ['0', '1ms']) {
      await using run = await failing({ UPSTREAM_STALE_LIMIT: limit })
      assert.equal((await fetch(`${run.service.url}/usage`)).status, 200)
      run.state.works = false
      const answeredAt = performance.now()
      await until(() => performance.now() - answeredAt > 2)
      const failed = await fetch(`${run.service.url}/usage`)
      assert.equal(failed.status, 502, limit)
      assert.equal((await fetch(`${run.service.url}/readyz`)).status, 503)
    }
  })

  test('a failure is cached for at most a second, even with a longer UPSTREAM_MAX_AGE', async () => {
    await using run = await failing({ UPSTREAM_MAX_AGE: '1min' })
    run.state.works = false
    assert.equal((await fetch(`${run.service.url}/usage`)).status, 502)
    const failedAt = performance.now()
    run.state.works = true
    await until(() => performance.now() - failedAt > 1010)
    assert.equal((await fetch(`${run.service.url}/usage`)).status, 200)
  })

  test('not every request causes an upstream request', async () => {
    await using run = await failing({ UPSTREAM_MAX_AGE: '1min' })
    run.state.works = false
    const statuses = []
    for (let time = 0; time < 5; time++) statuses.push((await fetch(`${run.service.url}/usage`)).status)
    assert.deepEqual(statuses, [502, 502, 502, 502, 502])
    assert.equal(run.upstream.asked.length, 1)
  })
})

describe('requests to the Copilot service', () => {
  test('are shared by all waiting clients, one per report, within UPSTREAM_CONCURRENCY', async () => {
    let running = 0
    let most = 0
    await using upstream = await startCopilot({
      listing: sendListing(Array.from({ length: 60 }, (_, id) => message(id, { report_id: id % 20 }))),
      report: (id, _, response) => {
        running++
        most = Math.max(most, running)
        setTimeout(() => {
          running--
          send(response, 200, { id: Number(id), name: `Report ${id}`, credit_cost: 1 })
        }, 5)
      },
    })
    await using service = await startService({
      UPSTREAM_URL: upstream.url,
      UPSTREAM_CONCURRENCY: '4',
      UPSTREAM_MAX_AGE: '1min',
    })
    const answers = await Promise.all(
      Array.from({ length: 20 }, () => fetch(`${service.url}/usage`).then((each) => each.text())),
    )
    assert.equal(new Set(answers).size, 1)
    assert.equal(upstream.asked.filter((path) => path === '/messages/current-period').length, 1)
    assert.equal(upstream.asked.filter((path) => path.startsWith('/reports/')).length, 20)
    assert.equal(most, 4)
  })

  test('are conditional if it sends validators, and a changed price applies to an unchanged listing', async () => {
    let price = 79
    const conditions: (string | undefined)[] = []
    await using upstream = await startCopilot({
      listing: (request, response) => {
        conditions.push(request.headers['if-none-match'])
        if (request.headers['if-none-match'] === '"v1"') response.writeHead(304).end()
        else send(response, 200, { messages: [message(1, { report_id: 5392 }), message(2)] }, { etag: '"v1"' })
      },
      report: (_, __, response) => send(response, 200, { ...lease, credit_cost: price }),
    })
    await using service = await startService({ UPSTREAM_URL: upstream.url, REPORT_TTL: '0' })
    const usage = async () => {
      const response = await fetch(`${service.url}/usage`)
      const body = (await response.json()) as { usage: { credits_used: number }[] }
      return [body.usage[0]?.credits_used, response.headers.get('etag')] as const
    }
    const [first, tag] = await usage()
    assert.equal(first, 79)
    assert.deepEqual(await usage(), [79, tag])
    assert.equal(await service.metric('copilot_credits_messages_priced_total'), 2)
    price = 80.5
    const [changed, changedTag] = await usage()
    assert.equal(changed, 80.5)
    assert.notEqual(changedTag, tag)
    assert.deepEqual(conditions, [undefined, '"v1"', '"v1"', undefined])
  })

  test('for a report are repeated only after REPORT_TTL, or REPORT_MISSING_TTL after a 404', async () => {
    await using upstream = await startCopilot({
      listing: sendListing([message(1, { report_id: 5392 }), message(2, { report_id: 'none/such?' })]),
      report: (id, request, response) =>
        id === '5392' ? sendReport(id, request, response) : sendMissing(id, request, response),
    })
    await using service = await startService({ UPSTREAM_URL: upstream.url, REPORT_MISSING_TTL: '0' })
    for (let time = 0; time < 3; time++) assert.equal((await fetch(`${service.url}/usage`)).status, 200)
    assert.equal(upstream.asked.filter((path) => path === '/reports/5392').length, 1)
    assert.equal(upstream.asked.filter((path) => path === '/reports/none%2Fsuch%3F').length, 3)
  })

  test('are sent for report id 0 but not null, and an id that would change the path fails', async () => {
    await using upstream = await startCopilot({
      listing: (_, response, time) =>
        send(response, 200, {
          messages:
            time === 0
              ? [message(1, { report_id: 0 }), message(2, { report_id: null })]
              : [message(1, { report_id: '..' })],
        }),
      report: (_, __, response) => send(response, 200, { ...lease, id: 0, credit_cost: 0 }),
    })
    await using service = await startService({
      UPSTREAM_URL: upstream.url,
      UPSTREAM_ATTEMPTS: '1',
      UPSTREAM_STALE_LIMIT: '0',
    })
    const { usage } = (await (await fetch(`${service.url}/usage`)).json()) as { usage: object[] }
    const timestamp = '2024-04-29T02:08:29.375Z'
    assert.deepEqual(usage, [
      { message_id: 1, timestamp, report_name: 'Lease Report', credits_used: 0 },
      { message_id: 2, timestamp, credits_used: PRICE },
    ])
    assert.equal((await fetch(`${service.url}/usage`)).status, 502)
    assert.deepEqual(upstream.asked, ['/messages/current-period', '/reports/0', '/messages/current-period'])
  })

  test('are not repeated within UPSTREAM_MAX_AGE and use the path of the base URL', async () => {
    await using upstream = await startCopilot({ listing: sendListing([]) })
    await using service = await startService({
      UPSTREAM_URL: `${upstream.url}/copilot/v2/`,
      UPSTREAM_MAX_AGE: '1min',
      UPSTREAM_ATTEMPTS: '1',
    })
    assert.equal((await fetch(`${service.url}/usage`)).status, 502)
    assert.deepEqual(upstream.asked, ['/copilot/v2/messages/current-period'])
  })

  test('may return duplicate entries, which are counted and logged by id', async () => {
    await using upstream = await startCopilot({
      listing: sendListing([message(1), message(1), message(2), message(1)]),
    })
    await using service = await startService({ UPSTREAM_URL: upstream.url })
    await fetch(`${service.url}/usage`)
    assert.equal(await service.metric('copilot_credits_duplicate_entries_total'), 2)
    assert.equal(await service.metric('copilot_credits_messages_priced_total'), 2)
    assert.match(service.logged(), /"level":40,.*"duplicates":2,"ids":\[1,1\]/)
  })

  test('are not conditional on a Last-Modified date that a second change could share', async () => {
    for (const [ageMs, isTrusted] of [
      [0, false],
      [60_000, true],
    ] as const) {
      // Set at the first request, because a service that is slow to start would make the change look old enough.
      let changed: string | undefined
      const conditions: (string | undefined)[] = []
      await using upstream = await startCopilot({
        listing: (request, response) => {
          conditions.push(request.headers['if-modified-since'])
          changed ??= new Date(Date.now() - ageMs).toUTCString()
          send(response, 200, { messages: [] }, { 'last-modified': changed })
        },
      })
      await using service = await startService({ UPSTREAM_URL: upstream.url })
      for (let time = 0; time < 2; time++) await fetch(`${service.url}/usage`)
      assert.deepEqual(conditions, [undefined, isTrusted ? changed : undefined])
    }
  })

  test('are not sent for a report named only in a failed attempt', async () => {
    await using upstream = await startCopilot({
      listing: (_, response, time) => {
        if (time > 0) return send(response, 200, { messages: [message(1)] })
        response.writeHead(200)
        response.write(`{"messages":[${JSON.stringify(message(1, { report_id: 666 }))},{"id":`, () =>
          response.destroy(),
        )
      },
      report: (_, __, response) => send(response, 403, ''),
    })
    await using service = await startService({ UPSTREAM_URL: upstream.url })
    assert.equal((await fetch(`${service.url}/usage`)).status, 200)
  })

  test('for reports stop at the deadline', async () => {
    await using upstream = await startCopilot({
      listing: sendListing(Array.from({ length: 100 }, (_, id) => message(id, { report_id: id }))),
      report: () => {},
    })
    await using service = await startService({
      UPSTREAM_URL: upstream.url,
      UPSTREAM_CONCURRENCY: '4',
      UPSTREAM_TIMEOUT: '150ms',
      UPSTREAM_MAX_AGE: '1min',
    })
    assert.equal((await fetch(`${service.url}/usage`)).status, 504)
    const before = performance.now()
    await until(() => performance.now() - before > 200)
    assert.equal(upstream.asked.length, 5)
  })
})

describe('a ledger that cannot be written', () => {
  test('does not delay responses from the listing', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'copilot-credits-test-'))
    try {
      const file = join(folder, 'ledger.db')
      let length = 1
      await using upstream = await startCopilot({
        listing: (incoming, response) =>
          sendListing(Array.from({ length }, (_, id) => message(id)))(incoming, response),
      })
      await using service = await startService({ UPSTREAM_URL: upstream.url, DATABASE_URL: `sqlite:${file}` })
      using other = new DatabaseSync(file)
      other.exec('BEGIN IMMEDIATE')
      for (; length <= 3; length++) {
        const answer = (await (await fetch(`${service.url}/usage`)).json()) as { usage: unknown[] }
        assert.equal(answer.usage.length, length)
      }
      assert.doesNotMatch(service.logged(), /cannot record listed messages/, 'no request waited for the ledger')
      other.exec('ROLLBACK')
    } finally {
      rmSync(folder, { recursive: true })
    }
  })
})

describe('a 404 for a report', () => {
  test('is valid even if its body is broken', async () => {
    await using upstream = await startCopilot({
      listing: withReport,
      report: (_, __, response) => {
        response.writeHead(404)
        response.write('and so on')
      },
    })
    await using service = await startService({ UPSTREAM_URL: upstream.url })
    assert.equal((await fetch(`${service.url}/usage`)).status, 200)
  })
})

const until = async (condition: () => boolean): Promise<void> => {
  while (!condition()) await new Promise((resolve) => setImmediate(resolve))
}
