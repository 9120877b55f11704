/** Every problem as it arrives at a client: its status, type and title, and a detail that says what to do about it. */
import assert from 'node:assert/strict'
import { connect } from 'node:net'
import { text } from 'node:stream/consumers'
import { after, before, describe, test } from 'node:test'
import { type Running, startService } from './harness.ts'

const TITLES: Readonly<Record<string, readonly [number, string]>> = {
  'invalid-request': [400, 'Invalid request'],
  unauthenticated: [401, 'Authentication required'],
  forbidden: [403, 'Permission denied'],
  'not-found': [404, 'Not found'],
  'method-not-allowed': [405, 'Method not allowed'],
  conflict: [409, 'Conflict with an existing resource'],
  'payload-too-large': [413, 'Request body too large'],
  'unsupported-media-type': [415, 'Unsupported media type'],
  'expectation-failed': [417, 'Expectation failed'],
  'headers-too-large': [431, 'Request headers too large'],
}

const H = 'Host: localhost\r\n'
const J = 'Content-Type: application/json\r\n'
const N = 'Content-Type: application/x-ndjson\r\n'
const CHUNKED = 'Transfer-Encoding: chunked\r\n'

const json = (method: string, path: string, body: unknown): string => {
  const sent = typeof body === 'string' ? body : JSON.stringify(body)
  return `${method} ${path} HTTP/1.1\r\n${H}${J}Content-Length: ${Buffer.byteLength(sent)}\r\n\r\n${sent}`
}
const event = (more: Readonly<Record<string, unknown>>): string =>
  json('POST', '/v1/events', { specversion: '1.0', type: 'copilot.message', source: '/eu', id: '1', ...more }).replace(
    'application/json',
    'application/cloudevents+json',
  )
const get = (path: string, headers = ''): string => `GET ${path} HTTP/1.1\r\n${H}${headers}\r\n`

/** The request, byte for byte; the last part of the problem's type; its whole detail, or a pattern that it must match. */
const cases: readonly (readonly [name: string, sent: string, kind: string, detail: string | RegExp])[] = [
  // Invalid HTTP, and HTTP that two servers would read differently.
  ['bytes that are not HTTP', 'HELLO\r\n\r\n', 'invalid-request', /^The request is not valid HTTP \(HPE_\w+\)\.$/],
  ['a missing Host header', 'GET /usage HTTP/1.1\r\n\r\n', 'invalid-request', 'The Host header is missing.'],
  [
    'two different hosts',
    get('/usage', 'Host: other\r\n'),
    'invalid-request',
    'The Host header must be sent only once.',
  ],
  [
    'the same host twice',
    get('/v1/usage', 'hOsT: localhost\r\n'),
    'invalid-request',
    /Host header must be sent only once/,
  ],
  ['the whole URL as its target', get('http://localhost/usage'), 'invalid-request', /target must be a path such as/],
  ['another URL as its target', get('http://evil.example/usage'), 'invalid-request', /target must be a path/],
  ['CONNECT', `CONNECT localhost:80 HTTP/1.1\r\n${H}\r\n`, 'method-not-allowed', 'CONNECT is not supported.'],
  ['*', `OPTIONS * HTTP/1.1\r\n${H}\r\n`, 'not-found', /\/docs/],
  ['a broken percent-encoding', get('/v1/messages/%zz'), 'invalid-request', /percent-encoding that is not valid UTF-8/],
  ['half a character', get('/v1/messages/%F0%9F'), 'invalid-request', /percent-encoding that is not valid UTF-8/],
  ['a path that is not UTF-8', get('/%ff'), 'invalid-request', /percent-encoding that is not valid UTF-8/],
  [
    'both Content-Length and chunks',
    `POST /v1/messages HTTP/1.1\r\n${H}${J}Content-Length: 3\r\n${CHUNKED}\r\n0\r\n\r\n`,
    'invalid-request',
    /not valid HTTP/,
  ],
  [
    'two values of Content-Length',
    `POST /v1/keys HTTP/1.1\r\n${H}Content-Length: 1\r\nContent-Length: 2\r\n\r\nx`,
    'invalid-request',
    /HTTP/,
  ],
  [
    'a negative Content-Length',
    `POST /v1/keys HTTP/1.1\r\n${H}Content-Length: -1\r\n\r\n`,
    'invalid-request',
    /not valid HTTP/,
  ],
  ['a bare line feed in a header', `GET /usage HTTP/1.1\r\n${H}X: a\nb\r\n\r\n`, 'invalid-request', /not valid HTTP/],
  ['a space before the colon', `GET /usage HTTP/1.1\r\nHost : localhost\r\n\r\n`, 'invalid-request', /not valid HTTP/],
  ...['/v1/messages', '/v1/events', '/v1/keys', '/v1/session'].map(
    (path) =>
      [
        `an invalid chunk, to ${path}`,
        `POST ${path} HTTP/1.1\r\n${H}${J}${CHUNKED}\r\nzz\r\n{}\r\n0\r\n\r\n`,
        'invalid-request',
        /^The request body is not valid HTTP \(HPE_INVALID_CHUNK_SIZE\)\.$/,
      ] as const,
  ),
  [
    'headers over 16 KiB',
    get('/usage', `X: ${'x'.repeat(20_000)}\r\n`),
    'headers-too-large',
    /at most 16 KiB together/,
  ],
  [
    'an unknown expectation',
    get('/healthz', 'Expect: cake\r\n'),
    'expectation-failed',
    'The Expect header must be absent or 100-continue.',
  ],
  // Unknown paths and resources.
  [
    'an unknown path',
    get('/nothing?x=1'),
    'not-found',
    'There is no endpoint at /nothing. See /docs for all endpoints.',
  ],
  ['a file outside the dashboard folder', get('/../package.json'), 'not-found', /\/docs/],
  [
    'an unsupported method',
    `PATCH /usage HTTP/1.1\r\n${H}\r\n`,
    'method-not-allowed',
    'The endpoint /usage does not support PATCH. Supported methods: GET, HEAD.',
  ],
  ['an unknown message', get('/v1/messages/none'), 'not-found', 'There is no message "none".'],
  ['an unknown report', get('/v1/reports/none'), 'not-found', 'There is no report "none".'],
  ['an unknown organization', get('/usage?organization=none'), 'not-found', 'There is no organization "none".'],
  ['an unknown key', `DELETE /v1/keys/none HTTP/1.1\r\n${H}\r\n`, 'not-found', 'There is no key "none".'],
  // Invalid fields.
  [
    'an unknown query parameter',
    get('/usage?colour=x'),
    'invalid-request',
    'The query parameter "colour" must be absent: /usage does not accept it.',
  ],
  [
    'a limit of 0',
    get('/v1/usage?limit=0'),
    'invalid-request',
    /^The query parameter "limit" must be an integer from 1 to 10000/,
  ],
  [
    'a limit that is not a number',
    get('/v1/usage?limit=x'),
    'invalid-request',
    /^The query parameter "limit" must be an integer from 1 to 10000/,
  ],
  [
    'an unknown bucket',
    get('/v1/usage/totals?bucket=eon'),
    'invalid-request',
    /^The query parameter "bucket" must be one of "\w+", "/,
  ],
  [
    'an invalid period',
    get('/usage?period=x'),
    'invalid-request',
    /^The query parameter "period" must be current, previous, a month/,
  ],
  [
    'a day on which no period starts',
    get('/usage?period=2024-05-15'),
    'invalid-request',
    'The query parameter "period" must be a month or a day in which a billing period starts (see /v1/periods).',
  ],
  [
    'a range without an end',
    get('/v1/usage?from=2024-05-01'),
    'invalid-request',
    /^The query parameter "to" must be given together with "from", as an RFC 3339 date-time/,
  ],
  [
    'a range that ends before it starts',
    get('/v1/usage/totals?from=2024-05-01T00:00:00+02:00&to=2024-04-30'),
    'invalid-request',
    'The query parameter "to" must be later than "from".',
  ],
  [
    'an invalid id of an organization',
    get('/usage?organization=-x'),
    'invalid-request',
    'The query parameter "organization" must be a string of lowercase letters, digits and hyphens that does not start or end with a hyphen.',
  ],
  [
    'an unknown group',
    get('/v1/usage/totals?group_by=x'),
    'invalid-request',
    'The query parameter "group_by" must be one or more of report, member, team, model, feature, outcome, rate_card, separated by commas.',
  ],
  ['a missing field', json('POST', '/v1/keys', {}), 'invalid-request', 'The field body/scopes must be present.'],
  [
    'an empty array of scopes',
    json('POST', '/v1/keys', { scopes: [] }),
    'invalid-request',
    'The field body/scopes must be a non-empty array.',
  ],
  [
    'an unknown scope',
    json('POST', '/v1/keys', { scopes: ['root'] }),
    'invalid-request',
    'The field body/scopes/0 must be one of "usage:read", "messages:write", "admin".',
  ],
  [
    'an unknown field',
    json('POST', '/v1/keys', { scopes: ['admin'], x: 1 }),
    'invalid-request',
    'The field body/x must be absent: /v1/keys does not accept it.',
  ],
  ['a body that is not an object', json('POST', '/v1/keys', []), 'invalid-request', 'The body must be an object.'],
  [
    'an API key that is too long',
    json('POST', '/v1/session', { key: 'x'.repeat(501) }),
    'invalid-request',
    'The field body/key must be at most 500 characters long.',
  ],
  [
    'an empty API key',
    json('POST', '/v1/session', { key: '' }),
    'invalid-request',
    'The field body/key must be a non-empty string.',
  ],
  [
    'a body that is not JSON',
    json('POST', '/v1/keys', '{"secret'),
    'invalid-request',
    'The body must be valid JSON (line 1, column 9).',
  ],
  [
    'a field named __proto__',
    json('POST', '/v1/keys', '{"scopes":["admin"],"__proto__":{}}'),
    'invalid-request',
    'The field body/__proto__ must be absent: /v1/keys does not accept it.',
  ],
  ['an empty body', json('POST', '/v1/keys', ''), 'invalid-request', /^The body must be/],
  ['no body at all', `POST /v1/keys HTTP/1.1\r\n${H}\r\n`, 'invalid-request', 'The body must be an object.'],
  [
    'a body over the size limit',
    json('POST', '/v1/keys', { name: 'x'.repeat(1_100_000) }),
    'payload-too-large',
    'The request body must be at most 1048576 bytes.',
  ],
  [
    'an unsupported media type',
    `POST /v1/keys HTTP/1.1\r\n${H}Content-Type: text/csv\r\nContent-Length: 1\r\n\r\nx`,
    'unsupported-media-type',
    'The Content-Type header must be application/json, not text/csv.',
  ],
  [
    'an event without a time',
    event({ data: { text: 'x' } }),
    'invalid-request',
    /^The field time must be an RFC 3339 date-time/,
  ],
  [
    'an event about nothing',
    event({ time: '2024-05-10T09:30:00Z', data: {} }),
    'invalid-request',
    'The field data.text must be present: a message must have at least one of text, report_id, model, usage and quantities.',
  ],
  [
    'an event with a name that the service uses itself',
    event({ time: '2024-05-10T09:30:00Z', data: { quantities: { words: 1 } } }),
    'invalid-request',
    'The field data.quantities.words must be valid: it must have another name: the service counts this itself.',
  ],
  [
    'an event with an unknown field in its data',
    event({ data: { text: 'x', x: 1 } }),
    'invalid-request',
    'The field data.x must be absent: data has only text, report_id, team_id, model, usage_format, usage, quantities, ' +
      'attributes and outcome.',
  ],
  [
    'an organization that already exists',
    json('POST', '/v1/organizations', { id: 'default' }),
    'conflict',
    'The organization "default" already exists.',
  ],
  ['a malformed API key', json('POST', '/v1/session', { key: 'hunter2' }), 'unauthenticated', /keys begin with cck_/],
  ['an unknown host name', 'GET /usage HTTP/1.1\r\nHost: evil.example\r\n\r\n', 'unauthenticated', /localhost/],
  [
    'a request from another site',
    `DELETE /v1/session HTTP/1.1\r\n${H}Sec-Fetch-Site: cross-site\r\n\r\n`,
    'forbidden',
    /./,
  ],
]

describe('the service answers with a problem to', { concurrency: 4 }, () => {
  let service: Running
  before(async () => {
    service = await startService({})
  })
  after(() => service[Symbol.asyncDispose]())

  for (const [name, sent, kind, detail] of cases) {
    test(name, async () => {
      const answer = await exchange(service, sent)
      const [head = '', ...rest] = answer.split('\r\n\r\n')
      const body = rest.join('\r\n\r\n')
      assert.match(head, /^content-type: application\/problem\+json/im, answer)
      assert.match(head, /^x-request-id: [\w-]+$/im)
      assert.match(head, /^cache-control: no-store$/im)
      const problem = JSON.parse(body.slice(body.indexOf('{'), body.lastIndexOf('}') + 1))
      const [status, title] = TITLES[kind] ?? []
      assert.deepEqual(
        [problem.type, problem.status, problem.title],
        [`urn:copilot-credits:problem:${kind}`, status, title],
        problem.detail,
      )
      assert.equal(answer.split('HTTP/1.1 ').length, 2, 'one answer')
      assert.ok(head.startsWith(`HTTP/1.1 ${status} `), head)
      if (typeof detail === 'string') assert.equal(problem.detail, detail)
      else assert.match(problem.detail, detail)
      assert.match(problem.detail, /^[A-Z].*\.$/s, 'a detail consists of sentences')
      assert.doesNotMatch(problem.detail, / {2}|\.\.$|must be (?:must|is )|secret/)
      for (const { field, expected } of problem.errors ?? []) {
        assert.doesNotMatch(field, /\s$/)
        assert.doesNotMatch(expected, /^must/)
      }
    })
  }

  test('an invalid chunk in the middle of a stream: the stream ends in order and says what was committed', async () => {
    const line = '{"id":"streamed","text":"x","timestamp":"2024-05-01T00:00:00Z"}\n'
    const head = `POST /v1/messages HTTP/1.1\r\n${H}${N}${CHUNKED}\r\n${line.length.toString(16)}\r\n${line}\r\n`
    const answer = await exchange(service, head, (so) => (so.includes('"accepted"') ? 'zz\r\n' : undefined))
    const last = JSON.parse(answer.split('\n').findLast((each) => each.startsWith('{"done"')) ?? '')
    assert.deepEqual([last.done, last.accepted, last.problem.status], [false, 1, 400])
    assert.equal(last.problem.detail, 'The body must be sent in valid HTTP chunks.')
    assert.ok(answer.endsWith('\r\n0\r\n\r\n'))
    assert.doesNotMatch(service.logged(), /rawPacket/, 'the received bytes reached the log')
  })
})

/** Sends `sent`, then what `more` returns for the bytes received so far. Resolves to everything the service sent. */
const exchange = async (
  service: Running,
  sent: string,
  more: (received: string) => string | undefined = () => undefined,
): Promise<string> => {
  const socket = connect(Number(new URL(service.url).port), '127.0.0.1')
  socket.on('error', () => {})
  let received = ''
  let isDone = false
  socket.on('data', (bytes: Buffer) => {
    received += bytes.toString('latin1')
    const next = more(received)
    if (next !== undefined && !isDone) {
      isDone = true
      socket.write(next)
    }
    // The service keeps a healthy connection open, so a complete problem also ends the exchange.
    if (/"request_id":"[\w-]+"[^\n]*\}$/.test(received)) socket.end()
  })
  socket.write(sent)
  await text(socket).catch(() => '')
  return received
}
