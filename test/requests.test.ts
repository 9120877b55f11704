/** What every route accepts and rejects, checked by walking `/openapi.json`. */
import assert from 'node:assert/strict'
import { request as rawRequest } from 'node:http'
import { after, before, describe, test } from 'node:test'
import fc from 'fast-check'
import { type Running, startService } from './harness.ts'
import { type PostgresServer, startPostgres } from './postgres-server.ts'

// biome-ignore lint/suspicious/noExplicitAny: tests look at single fields of a response or a schema
type Json = any

type Answer = {
  readonly status: number
  readonly body: Json
  readonly headers: Record<string, string | string[] | undefined>
}

type Sent = {
  readonly method?: string
  readonly body?: string | Uint8Array
  readonly headers?: Record<string, string | string[]>
}

/** Sends paths and headers unchanged, which `fetch` would normalize. */
const send = (service: Running, path: string, { method = 'GET', body, headers = {} }: Sent = {}): Promise<Answer> =>
  new Promise((resolve, reject) => {
    const { hostname, port } = new URL(service.url)
    const outgoing = rawRequest(
      {
        host: hostname,
        port,
        path,
        method,
        headers: {
          connection: 'close',
          ...(body !== undefined && { 'content-length': Buffer.byteLength(body) }),
          ...headers,
        },
      },
      (response) => {
        const chunks: Buffer[] = []
        response.on('data', (chunk: Buffer) => chunks.push(chunk))
        response.on('end', () => {
          const text = Buffer.concat(chunks).toString()
          const isJson = /json(;|$)/.test(response.headers['content-type'] ?? '') && text !== ''
          const isLines = response.headers['content-type'] === 'application/x-ndjson'
          resolve({
            status: response.statusCode ?? 0,
            body: isJson && !isLines ? JSON.parse(text) : text,
            headers: response.headers,
          })
        })
        response.on('error', reject)
      },
    )
    outgoing.on('error', (error) => reject(new Error(`${method} ${path} ${String(body)}`, { cause: error })))
    if (body === undefined) outgoing.end()
    else outgoing.end(body)
  })

const JSON_BODY = { 'content-type': 'application/json' }

const sendJson = (service: Running, method: string, path: string, body: unknown): Promise<Answer> =>
  send(service, path, { method, body: typeof body === 'string' ? body : JSON.stringify(body), headers: JSON_BODY })

type Operation = { readonly method: string; readonly path: string; readonly described: Json }

const documentOf = async (service: Running): Promise<Json> => (await send(service, '/openapi.json')).body

const operationsOf = (document: Json): readonly Operation[] =>
  Object.entries<Json>(document.paths).flatMap(([path, methods]) =>
    Object.entries<Json>(methods).map(([method, described]) => ({ method: method.toUpperCase(), path, described })),
  )

const pathWith = (path: string, id: string): string => path.replace(/\{\w+\}/, id)

const resolved = (document: Json, schema: Json): Json =>
  schema?.$ref === undefined ? schema : document.components.schemas[schema.$ref.split('/').at(-1)]

/** A valid body, made from the examples of the schema. */
const exampleOf = (document: Json, described: Json): Json => {
  const schema = resolved(document, described)
  if (schema.examples !== undefined) return schema.examples[0]
  if (schema.type === 'array') return [exampleOf(document, schema.items)]
  if (schema.anyOf !== undefined) return schema.anyOf[0].const
  return Object.fromEntries(
    Object.entries<Json>(schema.properties)
      .filter(([name]) => name !== 'data_base64' && !(/^(from|to)$/.test(name) && 'period' in schema.properties))
      .map(([name, each]) => [name, exampleOf(document, each)]),
  )
}

type Field = { readonly path: readonly (string | number)[]; readonly schema: Json }

/** Every field of a body, at any depth. */
const fieldsOf = (document: Json, described: Json, path: Field['path'] = []): readonly Field[] => {
  const schema = resolved(document, described)
  const own = [{ path, schema }]
  if (schema.type === 'array') return [...own, ...fieldsOf(document, schema.items, [...path, 0])]
  if (schema.type !== 'object') return own
  return [
    ...own,
    ...Object.entries<Json>(schema.properties ?? {}).flatMap(([name, each]) =>
      fieldsOf(document, each, [...path, name]),
    ),
  ]
}

const replaced = (value: Json, [step, ...rest]: Field['path'], by: unknown): Json => {
  if (step === undefined) return by
  const copy = Array.isArray(value) ? [...value] : { ...value }
  copy[step] = replaced(value?.[step], rest, by)
  return copy
}

const kindsOf = (schema: Json): readonly string[] =>
  schema.anyOf !== undefined ? schema.anyOf.flatMap(kindsOf) : [schema.type ?? typeof schema.const]

const WRONG: readonly (readonly [string, unknown])[] = [
  ['null', null],
  ['boolean', true],
  ['boolean', false],
  ['string', '0x10'],
  ['string', ''],
  ['string', '79'],
  ['array', [79]],
  ['array', []],
  ['object', {}],
  ['number', 1.5],
  ['integer', 1],
]

const isOfKind = (kind: string, kinds: readonly string[]): boolean =>
  kinds.includes(kind) || (kind === 'integer' && kinds.includes('number'))

const message = { id: 'm', text: 'What is the lease term?', timestamp: '2024-05-10T12:00:00Z' }
/** What the response calls invalid: the request as a whole, or the one message in it. */
const saidOf = ({ status, body }: Answer): { readonly refused: boolean; readonly field: string } => {
  const result = status === 200 ? (body.results ?? body.quotes)?.[0] : undefined
  if (result !== undefined) return { refused: result.status === 'rejected', field: result.field ?? '' }
  return { refused: status === 400, field: `${body.errors?.map((each: Json) => each.field)}` }
}

let server: PostgresServer
before(async () => {
  server = await startPostgres()
})
after(() => server[Symbol.asyncDispose]())

const STORES = {
  SQLite: async (): Promise<Record<string, string>> => ({}),
  PostgreSQL: async () => ({ DATABASE_URL: await server.createDatabase() }),
}

/** OTLP has errors and messages of its own. */
const OTLP = ['/v1/traces', '/v1/logs', '/v1/metrics']
/** Bodies of which no example has every field: `csv` and `rows` exclude each other, and LiteLLM gets a 2xx for any. */
const APART = [...OTLP, '/v1/litellm', '/v1/reconciliations']

const detailOf = ({ body }: Answer): string => body.detail ?? body.message

const NEEDS_NO_KEY = ['GET /healthz', 'GET /readyz', 'GET /metrics', 'POST /v1/session', 'DELETE /v1/session']

test('a caller without a key or permission gets 401 or 403, whatever else is wrong with the request', async () => {
  await using service = await startService({})
  const operations = operationsOf(await documentOf(service))
  const { body: made } = await sendJson(service, 'POST', '/v1/keys', { scopes: ['admin'] })
  const admin = { authorization: `Bearer ${made.key}` }
  const keyWith = async (scope: string): Promise<string> => {
    const answer = await send(service, '/v1/keys', {
      method: 'POST',
      body: JSON.stringify({ scopes: [scope] }),
      headers: { ...JSON_BODY, ...admin },
    })
    return answer.body.key
  }
  const weak = { reader: await keyWith('usage:read'), writer: await keyWith('messages:write') }
  const asked: string[] = []
  for (const { method, path } of operations) {
    if (NEEDS_NO_KEY.includes(`${method} ${path}`)) continue
    asked.push(`${method} ${path}`)
    const isReading = method === 'GET'
    const bad = [
      {},
      { body: '{', headers: JSON_BODY },
      { body: 'x', headers: { 'content-type': 'text/plain' } },
      { body: 'x', headers: { ...JSON_BODY, 'content-encoding': 'br' } },
      { body: '{"a":1}', headers: JSON_BODY },
    ].slice(0, isReading ? 1 : undefined)
    for (const { body, headers = {} } of bad) {
      for (const query of [
        '',
        '?color=red',
        '?limit=x',
        '?organization=%00',
        '?organization=nobody&organization=b',
        '?a=%ff',
      ]) {
        const at = `${method} ${path}${query} ${body}`
        const sent = (authorization?: string): Sent => ({
          method,
          ...(body !== undefined && { body }),
          headers: { ...headers, ...(authorization !== undefined && { authorization }) },
        })
        const unknown = await send(service, pathWith(path, '%00') + query, sent())
        assert.equal(unknown.status, 401, at)
        assert.equal(unknown.headers['www-authenticate'], 'Bearer')
        const wrong = await send(service, pathWith(path, '1') + query, sent(`Bearer cck_default_${'A'.repeat(43)}`))
        assert.equal(wrong.status, 401, at)
        // Every scope is enough for a quote, and to see what arrives.
        if (path === '/v1/quotes' || path === '/v1/intake') continue
        const isReporting =
          ['/v1/events', '/v1/litellm', ...OTLP].includes(path) || (path === '/v1/messages' && method === 'POST')
        const key = isReporting ? weak.reader : weak.writer
        assert.equal((await send(service, pathWith(path, '1') + query, sent(`Bearer ${key}`))).status, 403, at)
      }
    }
  }
  assert.ok(asked.length >= 17, asked.join())
  assert.equal((await send(service, '/usage', { method: 'HEAD' })).status, 401)
})

test('a value of the wrong type is rejected with the name of its field, in every field of every body, and never converted', async () => {
  await using service = await startService({ AUTH: 'none' })
  const document = await documentOf(service)
  let walked = 0
  for (const { method, path, described } of operationsOf(document)) {
    for (const [type, { schema }] of Object.entries<Json>(described.requestBody?.content ?? {})) {
      const isEvent = path === '/v1/events'
      if (type.includes('ndjson') || type.includes('jsonl') || APART.includes(path)) continue
      const headers = {
        'content-type': type,
        ...(isEvent &&
          type === 'application/json' && {
            'ce-specversion': '1.0',
            'ce-type': 'copilot.message',
            'ce-source': '/eu',
            'ce-id': `${walked}`,
            'ce-time': '2024-05-10T12:00:00Z',
          }),
      }
      const right = exampleOf(document, schema)
      if (path !== '/v1/session') {
        const id = path.includes('organizations') ? 'default' : '5392'
        const good = await send(service, pathWith(path, id), {
          method,
          headers,
          body: JSON.stringify(right),
        })
        assert.ok(
          good.status < 300 || good.status === 409,
          `${method} ${path} ${type}: ${good.status} ${JSON.stringify(good.body)} ${JSON.stringify(right)}`,
        )
        assert.equal(saidOf(good).refused, false, JSON.stringify(good.body))
      }
      for (const field of fieldsOf(document, schema)) {
        const kinds = kindsOf(field.schema)
        for (const [kind, value] of WRONG) {
          if (isOfKind(kind, kinds)) continue
          // For attributes of an event, null means absent (JSON format, 2.2), so the other form of data may be used instead.
          if (isEvent && value === null && ['data_base64', 'subject'].includes(`${field.path.at(-1)}`)) continue
          const body = JSON.stringify(replaced(right, field.path, value))
          const answer = await send(service, pathWith(path, '1000'), { method, headers, body })
          const at = `${method} ${path} ${type} ${field.path.join('.')} = ${JSON.stringify(value)}: ${answer.status} ${JSON.stringify(answer.body)}`
          const { refused, field: named } = saidOf(answer)
          assert.ok(refused, at)
          const name = field.path.findLast((step) => typeof step === 'string') ?? ''
          const isNamed =
            named.includes(name) || (isEvent && /data|event|body/.test(named)) || (name === 'messages' && named === '')
          assert.ok(isNamed, at)
          walked++
        }
      }
    }
  }
  assert.ok(walked > 300, `${walked}`)
  assert.equal((await send(service, '/v1/reports/5392')).body.credit_cost, 35, 'nothing was set')
  for (const query of ['1e2', '0x10', '%205', '+5', '', '5.0', '05', '-1', '0', '1001', 'NaN', '5&limit=5', '９']) {
    for (const path of ['/v1/periods', '/v1/usage/totals', '/v1/organizations']) {
      const answer = await send(service, `${path}?limit=${encodeURI(query)}`.replace('%2520', '%20'))
      assert.equal(answer.status, 400, `${path}?limit=${query}`)
      assert.match(
        answer.body.detail,
        /query parameter "limit" must be (an integer from 1 to 1000, in plain digits|given only once)/,
      )
    }
  }
  assert.equal((await send(service, '/v1/periods?limit=5')).status, 200)
})

test('a query parameter that is repeated or malformed is rejected by name, on every route', async () => {
  await using service = await startService({})
  for (const { method, path, described } of operationsOf(await documentOf(service))) {
    for (const { name, in: place } of described.parameters ?? []) {
      if (place !== 'query') continue
      for (const query of [
        `${name}=a&${name}=a`,
        `${name}=%ff`,
        `${name}=%`,
        `${name}=%zz`,
        `${name}=%ed%a0%80`,
        `${name}=%c0%80`,
      ]) {
        const answer = await send(service, `${pathWith(path, '1')}?${query}`, { method })
        assert.equal(answer.status, 400, `${method} ${path}?${query}`)
        assert.match(
          detailOf(answer),
          new RegExp(`query parameter "${name}" must be (given only once|valid percent-encoded)`),
        )
      }
    }
  }
})

for (const [name, environment] of Object.entries(STORES)) {
  describe(`on ${name}`, () => {
    test('U+0000 and lone surrogates are rejected with 400 in every string, and never with a 503 that invites retries', async () => {
      await using service = await startService(await environment())
      const document = await documentOf(service)
      let walked = 0
      for (const { method, path, described } of operationsOf(document)) {
        if (path === '/v1/reconciliations') continue
        const at = `${method} ${path}`
        const content = Object.entries<Json>(described.requestBody?.content ?? {})
        const [type, body] = content[0] ?? []
        const right = body && JSON.stringify(body.example ?? exampleOf(document, body.schema))
        const whole = { method, ...(right !== undefined && { body: right, headers: { 'content-type': `${type}` } }) }
        for (const nothing of ['%00', 'a%00b']) {
          for (const { name: parameter, in: place, schema } of described.parameters ?? []) {
            if (schema.type !== 'string' || place === 'header') continue
            walked++
            const url = place === 'path' ? pathWith(path, nothing) : `${pathWith(path, '1')}?${parameter}=${nothing}`
            const answer = await send(service, url, whole)
            assert.equal(answer.status, 400, `${at} ${url} ${JSON.stringify(answer.body)}`)
            assert.match(detailOf(answer), new RegExp(parameter))
          }
          const query = await send(service, `${pathWith(path, '1')}?organization=${nothing}`, whole)
          assert.equal(query.status, 400, at)
        }
        for (const [mediaType, { schema }] of content) {
          if (/ndjson|jsonl/.test(mediaType) || APART.includes(path)) continue
          if (path === '/v1/events' && mediaType === 'application/json') continue
          for (const field of fieldsOf(document, schema)) {
            // The text may hold any characters: it is measured and never stored.
            if (!kindsOf(field.schema).includes('string') || field.path.at(-1) === 'text') continue
            for (const value of ['\u0000', 'a\u0000', '\ud800', 'a\udc00b']) {
              walked++
              const sent = JSON.stringify(replaced(exampleOf(document, schema), field.path, value))
              const headers = { 'content-type': mediaType }
              const answer = await send(service, pathWith(path, 'default'), { method, body: sent, headers })
              const { refused, field: named } = saidOf(answer)
              assert.ok(refused, `${at} ${sent} ${answer.status} ${JSON.stringify(answer.body)}`)
              assert.ok(named !== '', at)
            }
          }
        }
      }
      assert.ok(walked > 100, `${walked}`)
      const cursor = (values: unknown): string => Buffer.from(JSON.stringify(values)).toString('base64url')
      for (const id of ['\u0000', 'a\u0000', '\ud800']) {
        assert.equal((await send(service, `/v1/usage?cursor=${cursor([0, id])}`)).status, 400)
      }
      for (const id of ['%00', 'a%00', '%ED%A0%80']) {
        const headers = {
          ...JSON_BODY,
          'ce-specversion': '1.0',
          'ce-type': 'copilot.message',
          'ce-source': '/eu',
          'ce-time': message.timestamp,
        }
        for (const attribute of ['ce-id', 'ce-subject', 'ce-source', 'ce-time', 'ce-type']) {
          const sent = { ...headers, 'ce-id': 'x', [attribute]: id }
          const answer = await send(service, '/v1/events', { method: 'POST', body: '{"text":"x"}', headers: sent })
          assert.equal(answer.status, 400, `${attribute}: ${id} ${JSON.stringify(answer.body)}`)
        }
      }
    })

    test('a forged cursor is rejected with 400, and no cursor makes a request fail', async () => {
      await using service = await startService(await environment())
      const days = ['0000-01-01T00:00:00Z', '2024-05-10T12:00:00Z', '2024-06-10T12:00:00Z', '2024-07-10T12:00:00Z']
      const messages = days.map((timestamp, id) => ({ ...message, id, timestamp }))
      assert.equal((await sendJson(service, 'POST', '/v1/messages', { messages })).body.accepted, 4)
      await sendJson(service, 'POST', '/v1/organizations', {
        id: 'acme',
        time_zone: 'Asia/Tokyo',
        billing_anchor_day: 31,
      })
      const encoded = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url')
      const anInstant = fc.oneof(
        fc.integer({ min: -8.64e15, max: 8.64e15 }),
        fc.maxSafeInteger(),
        fc.double(),
        fc.constantFrom(
          8.64e15,
          -8.64e15,
          8.64e15 + 1,
          8.64e15 - 1,
          -62_167_219_200_000,
          253_402_300_799_999,
          253_402_300_800_000,
          0,
          -0,
        ),
        fc.constantFrom(...days.map((day) => Date.parse(day))),
      )
      const anId = fc.oneof(
        fc.string({ unit: 'binary' }),
        fc.maxSafeInteger(),
        fc.double(),
        fc.constant(null),
        fc.constant(0),
      )
      const aCursor = fc.oneof(
        fc.tuple(anInstant, anId).map(encoded),
        fc.tuple(anInstant).map(encoded),
        fc.tuple(anInstant, anId, fc.jsonValue()).map(encoded),
        fc.jsonValue().map(encoded),
        fc.base64String(),
        fc.string({ unit: 'binary' }).map((text) => text.toWellFormed()),
        fc.constantFrom(
          'acme',
          'default',
          'a',
          'A',
          '-',
          'acme\n',
          `${encoded([0, 0])}=`,
          `${encoded([0, 0])}!`,
          encoded([0, 0]).replace('W', ' W'),
        ),
      )
      const aRoute = fc.constantFrom(
        '/v1/usage?from=2024-01-01&to=2024-12-31&cursor=',
        '/v1/usage?cursor=',
        '/v1/usage/totals?from=2024-01-01&to=2024-12-31&page=',
        '/v1/usage/totals?from=0000-01-01&to=9999-12-31&bucket=hour&page=',
        '/v1/periods?cursor=',
        '/v1/periods?organization=acme&limit=1000&cursor=',
        '/v1/organizations?cursor=',
      )
      await fc.assert(
        fc.asyncProperty(aRoute, aCursor, async (route, cursor) => {
          const { status, body } = await send(service, route + encodeURIComponent(cursor))
          assert.ok(status === 200 || status === 400, `${route}${cursor}: ${status} ${JSON.stringify(body)}`)
          if (status === 400) assert.match(body.detail, /query parameter "(cursor|page)" must be/)
        }),
        { numRuns: 150 },
      )
      for (const at of [8.64e15, -8.64e15, 8.64e15 - 1, 9e15, 1e300, 1.5]) {
        for (const route of ['/v1/usage?cursor=', '/v1/periods?cursor=', '/v1/usage/totals?page=']) {
          assert.equal((await send(service, route + encoded([at, 0]))).status, 400, `${route}${at}`)
        }
      }
      const [newest] = (await send(service, '/v1/periods')).body.periods
      const { body: later } = await send(service, `/v1/periods?cursor=${encoded([253_402_300_800_000, 0])}`)
      assert.deepEqual(later.periods[0], newest, 'a position after all periods is the start of the list')
      let cursor = ''
      let periods = 0
      do {
        const { status, body } = await send(service, `/v1/periods?limit=1000${cursor}`)
        assert.equal(status, 200)
        periods += body.periods.length
        cursor = body.next_cursor === undefined ? '' : `&cursor=${body.next_cursor}`
      } while (cursor !== '')
      assert.ok(periods > 2024 * 12, 'every returned cursor is accepted, back to the year 0')
    })
  })
}
