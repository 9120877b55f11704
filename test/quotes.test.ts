/** Quotes over HTTP, on each store. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { type Running, send as sendJson, startCopilot, startService } from './harness.ts'
import { type PostgresServer, startPostgres } from './postgres-server.ts'

// biome-ignore lint/suspicious/noExplicitAny: tests look at single fields of a response
type Answer = any

type Asked = { readonly status: number; readonly text: string; readonly body: Answer }

const send = async (
  service: Running,
  path: string,
  body: unknown,
  { method = 'POST', headers = {} } = {},
): Promise<Asked> => {
  const response = await fetch(`${service.url}${path}`, {
    method,
    headers: { 'content-type': 'application/json', ...headers },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  })
  const text = await response.text()
  return { status: response.status, text, body: JSON.parse(text) }
}

const quote = (service: Running, messages: readonly unknown[], rateCard?: unknown): Promise<Asked> =>
  send(service, '/v1/quotes', { messages, ...(rateCard !== undefined && { rate_card: rateCard }) })

/** Rows and lines of GitHub's table and of Copilot Studio, and a minimum. */
const CARD = {
  version: 'copilots',
  prices: {
    'gpt-5.4': [
      { when: { prompt_tokens: { above: 272_000 } }, input: 500, cache_read: 50, output: 2250 },
      { input: 250, cache_read: 25, output: 1500 },
    ],
    'gpt-5-mini': [{ input: 25, cache_read: 2.5, output: 200 }],
  },
  aliases: { 'gpt-5.4-2026-03-05': 'gpt-5.4' },
  cases: [
    {
      name: 'basic prompt',
      when: { tier: 'basic' },
      lines: [{ rule: 'prompt', of: 'total_tokens', rate: 0.1, per: 1000, started: true }],
    },
    {
      name: 'tokens',
      when: { model: '*' },
      lines: [
        { rule: 'input', of: 'input_tokens', per: 1_000_000, price: 'input' },
        { rule: 'cache-read', of: 'cache_read_tokens', per: 1_000_000, price: 'cache_read' },
        { rule: 'output', of: 'output_tokens', per: 1_000_000, price: 'output' },
      ],
    },
    { name: 'pages', when: { pages: '*' }, lines: [{ rule: 'pages', of: 'pages', rate: 8 }], minimum: 30 },
  ],
  outcomes: { cancelled: 0.5 },
}

const flat = (version: string, rate: number) => ({
  version,
  cases: [{ name: 'flat', lines: [{ rule: 'message', rate }] }],
})

let server: PostgresServer
before(async () => {
  server = await startPostgres()
})
after(() => server[Symbol.asyncDispose]())

const STORES = {
  SQLite: async (): Promise<Record<string, string>> => ({}),
  PostgreSQL: async () => ({ DATABASE_URL: await server.createDatabase() }),
}

for (const [name, environment] of Object.entries(STORES)) {
  describe(`on ${name}`, () => {
    test('a quote has the line of every rule, exactly, and says what it does not price', async () => {
      await using service = await startService(await environment())
      const { status, text, body } = await quote(
        service,
        [
          { model: 'gpt-5.4', usage: { input_tokens: 272_000 } },
          { model: 'gpt-5.4-2026-03-05', usage: { input_tokens: 272_001 } },
          { usage: { input_tokens: 4000, output_tokens: 200 }, attributes: { tier: 'basic' } },
          { model: 'gpt-5-mini', usage: { cache_read_tokens: 1 } },
          { model: 'gpt-5-mini', usage: { cache_read_tokens: 1, input_tokens: 0 }, outcome: 'cancelled' },
          { quantities: { pages: 3, images: 2 } },
          { model: 'gpt-6', usage: { input_tokens: 1 } },
          { text: 'What is the lease term?' },
          { text: 'What is the lease term?', timestamp: 'yesterday' },
          'What is the lease term?',
        ],
        CARD,
      )
      assert.equal(status, 200)
      const [base, long, basic, cached, cancelled, pages, unknown, textual, late, none] = body.quotes
      const line = { rule: 'input', quantity: 272_000, rate: 250, per: 1_000_000, credits: 68 }
      assert.deepEqual(base, { status: 'priced', rate_card: 'copilots', credits: 68, case: 'tokens', lines: [line] })
      assert.deepEqual([long.credits, long.lines[0].rate], [136.0005, 500])
      assert.deepEqual(basic.lines, [
        { rule: 'prompt', quantity: 4200, rate: 0.1, per: 1000, packages: 5, credits: 0.5 },
      ])
      assert.equal(cached.credits, 0.000002)
      assert.match(text, /"credits":0\.000002,/, 'a plain decimal')
      assert.deepEqual(cancelled.lines.at(-1), {
        rule: 'cancelled',
        quantity: -0.5,
        rate: 0.000002,
        credits: -0.000001,
      })
      assert.deepEqual(
        [pages.credits, pages.lines.at(-1), pages.unused],
        [30, { rule: 'minimum', quantity: 1, rate: 6, credits: 6 }, ['images']],
      )
      assert.deepEqual([unknown.status, 'credits' in unknown, 'lines' in unknown], ['unpriced', false, false])
      assert.match(unknown.reason, /"gpt-6" has no price in the card copilots/)
      assert.match(textual.reason, /no case holds/)
      assert.deepEqual([late.status, late.field], ['rejected', 'timestamp'])
      assert.deepEqual([none.status, none.field], ['rejected', ''])
    })

    test('the card in force at the timestamp prices the message, unless another one is named', async () => {
      await using service = await startService(await environment())
      await send(service, '/v1/organizations', { id: 'acme' })
      for (const card of [flat('two', 2), flat('three', 3)]) await send(service, '/v1/rate-cards', card)
      const use = (path: string, body: object) => send(service, path, body, { method: 'PUT' })
      await use('/v1/default-rate-card', { version: 'two', from: '2024-05-01T00:00:00Z' })
      await use('/v1/organizations/acme/rate-card', { version: 'three', from: '2024-06-01T00:00:00Z' })
      const times = ['2024-04-30T23:59:59.999Z', '2024-05-01T00:00:00Z', '2024-06-01T02:00:00+02:00', null]
      const messages = times.map((timestamp) => ({ id: 1, text: 'ab', timestamp }))
      const priced = async (query: string, rateCard?: string) => {
        const { body } = await send(service, `/v1/quotes${query}`, {
          messages,
          ...(rateCard && { rate_card: rateCard }),
        })
        return body.quotes.map((each: Answer) => [each.rate_card, each.credits])
      }
      const standard = ['standard-2024', 1]
      assert.deepEqual(await priced(''), [standard, ['two', 2], ['two', 2], ['two', 2]])
      assert.deepEqual(await priced('?organization=acme'), [standard, ['two', 2], ['three', 3], ['three', 3]])
      assert.deepEqual(await priced('', 'three'), Array(4).fill(['three', 3]))
      assert.deepEqual(await priced('', 'standard-2024'), Array(4).fill(standard))
      const unknown = await quote(service, messages, 'four')
      assert.deepEqual([unknown.status, unknown.body.detail], [404, 'There is no rate card "four".'])
    })

    test('nothing is recorded', async () => {
      await using service = await startService(await environment())
      const message = { id: 1, text: 'What is the lease term?', timestamp: '2024-05-10T09:30:00Z' }
      const { body } = await quote(service, [message, message])
      assert.deepEqual(
        body.quotes.map(({ credits, lines }: Answer) => [credits, lines.length]),
        [
          [1.85, 6],
          [1.85, 6],
        ],
      )
      assert.equal((await fetch(`${service.url}/v1/messages/1`)).status, 404)
      assert.equal((await send(service, '/v1/messages', { messages: [message] })).body.accepted, 1)
    })

    test('a report is quoted at its price in the catalogue, and one that it lacks is named', async () => {
      await using service = await startService(await environment())
      await send(service, '/v1/reports/5392', { name: 'Lease Summary Report', credit_cost: 79 }, { method: 'PUT' })
      const { body } = await quote(service, [
        { text: 'Summarize the lease', report_id: 5392 },
        { text: 'Summarize the lease', report_id: 5393 },
      ])
      const [known, unknown] = body.quotes
      assert.deepEqual([known.credits, known.case, 'unknown_report' in known], [79, 'report', false])
      assert.deepEqual([unknown.case, unknown.unknown_report], ['text', true])
    })

    test('a faulty card is refused with every fault in its place', async () => {
      await using service = await startService(await environment())
      const faulty = { ...flat('f', -1), 'odd name': 1 }
      const { status, body } = await quote(service, [{ text: 'a' }], faulty)
      assert.equal(status, 400)
      assert.deepEqual(
        body.errors.map(({ field }: Answer) => field),
        ['rate_card["odd name"]', 'rate_card.cases[0].lines[0].rate'],
      )
      assert.equal((await quote(service, [], 7)).body.errors[0].field, 'rate_card')
      const rounded = JSON.stringify({ messages: [{ text: 'a' }], rate_card: flat('f', 0.5) }).replace(
        '0.5',
        `0.1${'0'.repeat(20)}1`,
      )
      const { status: refused, body: problem } = await send(service, '/v1/quotes', rounded)
      assert.deepEqual([refused, problem.errors[0].field], [400, 'rate_card.cases[0].lines[0].rate'])
      for (const [wrong, field] of [
        [{}, 'body/messages'],
        [{ messages: 'a' }, 'body/messages'],
        [{ messages: [], card: 'a' }, 'body/card'],
        [[], 'body'],
      ] as const) {
        const answer = await send(service, '/v1/quotes', wrong)
        assert.deepEqual([answer.status, answer.body.errors[0].field], [400, field])
      }
    })

    test('a request has the limits of reported messages, and its quotes a limit of their own', async () => {
      await using service = await startService({
        ...(await environment()),
        INTAKE_MAX_BATCH: '3000',
        INTAKE_MAX_BYTES: '1MiB',
      })
      const messages = Array.from({ length: 3001 }, () => ({ text: 'a' }))
      const many = await quote(service, messages)
      assert.match(many.body.detail, /an array of at most 3000 messages/)
      assert.equal((await quote(service, messages.slice(1))).body.quotes.length, 3000)
      assert.equal((await quote(service, [{ text: 'a'.repeat(1024 * 1024) }])).status, 413)
      const lines = Array.from({ length: 100 }, () => ({ rule: 'message', rate: 1 }))
      const long = await quote(service, messages.slice(1), { version: 'long', cases: [{ name: 'long', lines }] })
      assert.deepEqual([long.status, long.body.errors[0].field], [400, 'body/messages'])
    })

    test('an amount that no charge can hold is rejected', async () => {
      await using service = await startService(await environment())
      const card = { version: 'dear', cases: [{ name: 'dear', lines: [{ rule: 'pages', of: 'pages', rate: 8e9 }] }] }
      const { body } = await quote(service, [{ quantities: { pages: 8e9 } }, { quantities: { pages: 1 } }], card)
      assert.deepEqual(
        body.quotes.map(({ status, credits }: Answer) => [status, credits]),
        [
          ['rejected', undefined],
          ['priced', 8e9],
        ],
      )
      assert.match(body.quotes[0].reason, /^must cost at most 9007199254\.740991 credits$/)
    })

    test('a key needs to report messages or to read usage', async () => {
      await using service = await startService(await environment())
      const operator = (await send(service, '/v1/keys', { scopes: ['admin'] })).body.key
      const headersOf = (key: string) => ({ headers: { authorization: `Bearer ${key}` } })
      for (const scope of ['usage:read', 'messages:write']) {
        const { key } = (await send(service, '/v1/keys', { scopes: [scope] }, headersOf(operator))).body
        assert.equal((await send(service, '/v1/quotes', { messages: [] }, headersOf(key))).status, 200)
        const other = await send(service, '/v1/quotes?organization=acme', { messages: [] }, headersOf(key))
        assert.equal(other.status, 404)
      }
      assert.equal((await send(service, '/v1/quotes', { messages: [] })).status, 401)
    })
  })
}

test('the Copilot service prices the reports of quotes, and its failure is that of the request', async () => {
  let isFailing = false
  await using copilot = await startCopilot({
    report: (id, _, response) =>
      isFailing
        ? sendJson(response, 503, {})
        : sendJson(response, 200, { id: Number(id), name: 'Lease', credit_cost: 35 }),
  })
  await using service = await startService({ UPSTREAM_URL: copilot.url })
  const message = { text: 'Summarize the lease', report_id: 1 }
  assert.equal((await quote(service, [message])).body.quotes[0].credits, 35)
  isFailing = true
  assert.equal((await quote(service, [{ ...message, report_id: 2 }])).status, 502)
})
