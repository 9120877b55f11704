/** The client against the service, against servers that fail, and as the package that a user installs. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { getEventListeners } from 'node:events'
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { tmpdir } from 'node:os'
import { basename, delimiter, join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { promisify } from 'node:util'
import { retryAfterMs } from '../client/src/http.ts'
import {
  ApiError,
  type Client,
  type ClientOptions,
  ConnectionError,
  createClient,
  type Message,
  type RateCard,
  toMicros,
} from '../client/src/index.ts'
import { type Running, send, startService, startUpstream } from './harness.ts'

const run = promisify(execFile)
const root = join(import.meta.dirname, '..')
const clientFolder = join(root, 'client')

const message = (id: number | string, more: Partial<Message> = {}): Message => ({
  id,
  text: 'What is the lease term?',
  timestamp: '2024-05-10T12:00:00.000Z',
  ...more,
})

const MAY = { from: '2024-05-01', to: '2024-06-01' } as const

/** Texts of many lengths, so that amounts have many digits, on the days of May. */
const messagesOfMay = (count: number): readonly Message[] =>
  Array.from({ length: count }, (_, index) =>
    message(index % 3 === 0 ? `m-${index}` : index, {
      text: 'Who may end the lease, and when? '.repeat((index % 7) + 1).slice(index % 5),
      timestamp: new Date(Date.UTC(2024, 4, 1 + (index % 31), index % 24, index)).toISOString(),
      user_id: `member-${index % 4}`,
    }),
  )

const all = async <T>(items: AsyncIterable<T>): Promise<readonly T[]> => {
  const found: T[] = []
  for await (const item of items) found.push(item)
  return found
}

const sumOf = (amounts: readonly number[]): number => amounts.reduce((sum, amount) => sum + toMicros(amount), 0)

/** A client that records the requests that it sends. */
const recordingClient = (options: ClientOptions) => {
  const sent: string[] = []
  const client = createClient({
    ...options,
    fetch: (input, init) => {
      sent.push(`${init?.method} ${new URL(String(input)).pathname}`)
      return fetch(input, init)
    },
  })
  return { client, sent }
}

/** For endpoints that the client has no method for. */
const post = async (service: Running, path: string, body: unknown, key?: string): Promise<Record<string, unknown>> => {
  const response = await fetch(`${service.url}${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...(key !== undefined && { authorization: `Bearer ${key}` }) },
    body: JSON.stringify(body),
  })
  assert.equal(response.status, 201)
  return (await response.json()) as Record<string, unknown>
}

const createKey = async (service: Running, scopes: readonly string[], key?: string): Promise<string> =>
  String((await post(service, '/v1/keys', { scopes }, key))['key'])

describe('a client of the service', { concurrency: true }, () => {
  let service: Running
  before(async () => {
    service = await startService({})
  })
  after(() => service[Symbol.asyncDispose]())

  /** An organization of the test's own. */
  const found = async (organization: string): Promise<{ readonly organization: string }> => {
    await post(service, '/v1/organizations', { id: organization })
    return { organization }
  }

  test('lines come page by page, each once, and add up exactly to totals, groups, bill and period', async () => {
    const own = await found('lines')
    const client = createClient({ baseUrl: service.url })
    const messages = messagesOfMay(200)
    const reported = await client.reportMessages(messages, own)
    assert.equal(reported.accepted, 200)

    const { client: counted, sent } = recordingClient({ baseUrl: `${service.url}/` })
    const lines = await all(counted.usage({ ...own, ...MAY, limit: 7 }))
    assert.equal(sent.length, 29, 'two hundred lines are 29 pages of 7')
    assert.deepEqual(new Set(lines.map((line) => line.message_id)), new Set(messages.map(({ id }) => id)))
    assert.equal(lines.length, 200)
    const moments = lines.map(({ timestamp }) => timestamp)
    assert.deepEqual(moments, moments.toSorted())

    const micros = sumOf(lines.map((line) => line.credits_used ?? 0))
    assert.equal(micros, sumOf(reported.results.map(({ credits = 0 }) => credits)))
    const days = await client.totals({ ...own, ...MAY, group_by: 'member' })
    assert.equal(sumOf(days.buckets.map(({ credits }) => credits)), micros)
    for (const { credits, groups = [] } of days.buckets) {
      assert.equal(sumOf(groups.map((group) => group.credits)), toMicros(credits))
    }
    const whole = await client.totals({ ...own, ...MAY, bucket: 'none' })
    assert.equal(toMicros(whole.buckets[0]?.credits ?? 0), micros)
    const byRule = await client.usageByRule({ ...own, ...MAY })
    assert.equal(byRule.version, whole.version)
    assert.equal(sumOf(byRule.cases.flatMap(({ rules }) => rules.map(({ credits }) => credits))), micros)
    const bill = await client.bill({ ...own, ...MAY })
    assert.equal(sumOf(bill.usage.map((line) => line.credits_used)), micros)
    // On a busy machine a second may pass between rendering and sending.
    assert.ok(bill.ageSeconds <= 10, `${bill.ageSeconds}`)
    assert.equal(bill.isStale, false)
    const periods = await all(client.periods({ ...own, limit: 2 }))
    const may = periods.find(({ start }) => start === '2024-05-01T00:00:00.000Z')
    assert.equal(toMicros(may?.credits ?? 0), micros)
    const { version: _, ...current } = await client.currentPeriod(own)
    assert.deepEqual(periods[0], current)
    assert.equal(new Set(periods.map(({ start }) => start)).size, periods.length)
  })

  test('joins the pages of totals to the same result as a single page', async () => {
    const own = await found('totals')
    const { client, sent } = recordingClient({ baseUrl: service.url })
    await client.reportMessages(messagesOfMay(40), own)
    sent.length = 0
    const joined = await client.totals({ ...own, ...MAY, limit: 4, time_zone: 'Europe/London', group_by: 'report' })
    assert.equal(sent.length, 8, '31 days and a cut one are eight pages of four')
    assert.deepEqual(
      joined,
      await client.totals({ ...own, ...MAY, limit: 1000, time_zone: 'Europe/London', group_by: 'report' }),
    )
    assert.equal(joined.time_zone, 'Europe/London')
    joined.buckets.slice(1).forEach(({ start }, index) => {
      assert.equal(start, joined.buckets[index]?.end)
    })
  })

  test('tells the messages 1000 and "1000" apart, and finds any other id', async () => {
    const own = await found('ids')
    const client = createClient({ baseUrl: service.url })
    const ids = [1000, '1000', -3, 'a/b?c#d', '100%', '%2F', 'é ü', '...']
    await client.reportMessages(
      ids.map((id, index) => message(id, { text: 'orbital '.repeat(index + 1) })),
      own,
    )
    const answers = await Promise.all(ids.map((id) => client.charges(id, own)))
    assert.deepEqual(
      answers.map((each) => each.message_id),
      ids,
    )
    assert.notEqual(answers[0]?.charges[0]?.credits, answers[1]?.charges[0]?.credits)
    for (const { charges } of answers) {
      const [charge] = charges
      assert.equal(sumOf(charge?.lines.map(({ credits }) => credits) ?? []), toMicros(charge?.credits ?? 0))
    }
    for (const id of ['.', '..']) await assert.rejects(client.charges(id), RangeError)
  })

  test('returns a result for each message, and an invalid one does not affect the others', async () => {
    const own = await found('results')
    const client = createClient({ baseUrl: service.url })
    const { results, ...counts } = await client.reportMessages(
      [
        message(1),
        message(1),
        message(1, { text: 'Something else.' }),
        message(2, { timestamp: 'yesterday' }),
        message('1'),
      ],
      own,
    )
    assert.deepEqual(counts, { accepted: 2, duplicate: 1, conflict: 1, rejected: 1 })
    assert.deepEqual(
      results.map(({ id, status, credits, field }) => [id, status, credits ?? field]),
      [
        [1, 'accepted', 1.85],
        [1, 'duplicate', 1.85],
        [1, 'conflict', 1.85],
        [2, 'rejected', 'timestamp'],
        ['1', 'accepted', 1.85],
      ],
    )
    assert.deepEqual((await client.reportMessages([], own)).results, [])
  })

  test('sends messages again if the response was lost, and they are charged once', async () => {
    const own = await found('lost')
    let count = 0
    await using between = await startUpstream(async (request, response) => {
      const answer = await fetch(`${service.url}${request.url}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: Buffer.concat(await request.toArray()),
      })
      const body = await answer.text()
      if (++count === 1) response.destroy()
      else send(response, answer.status, body)
    })
    const { results } = await createClient({ baseUrl: between.url }).reportMessages([message(1), message(2)], own)
    assert.deepEqual(
      results.map(({ status, credits }) => [status, credits]),
      [
        ['duplicate', 1.85],
        ['duplicate', 1.85],
      ],
    )
    const { buckets } = await createClient({ baseUrl: service.url }).totals({ ...own, ...MAY, bucket: 'none' })
    assert.deepEqual(
      buckets.map(({ messages, credits }) => [messages, credits]),
      [[2, 3.7]],
    )
  })

  test('throws an ApiError with the whole problem, without retrying', async () => {
    await using service = await startService({})
    const admin = await createKey(service, ['admin'])
    const reader = await createKey(service, ['usage:read'], admin)
    const problemOf = async (key: string | undefined, ask: (client: Client) => Promise<unknown>) => {
      const { client, sent } = recordingClient({ baseUrl: service.url, key })
      const error = await ask(client).then(
        () => assert.fail('was answered'),
        (reason: unknown) => reason,
      )
      assert.ok(error instanceof ApiError)
      assert.deepEqual([sent.length, error.status, error.message], [1, error.problem.status, error.problem.detail])
      assert.ok(error.problem.request_id.length > 0)
      return [error.status, error.problem.type.split(':').at(-1)]
    }
    const cases = [
      [admin, (client: Client) => client.totals({ period: 'soon' }), 400, 'invalid-request'],
      [admin, (client: Client) => all(client.usage({ limit: 0 })), 400, 'invalid-request'],
      [undefined, (client: Client) => client.bill(), 401, 'unauthenticated'],
      [`cck_default_${'A'.repeat(43)}`, (client: Client) => client.session(), 401, 'unauthenticated'],
      [undefined, (client: Client) => client.signIn('cck_default_wrong'), 401, 'unauthenticated'],
      [reader, (client: Client) => client.reportMessages([message(1)]), 403, 'forbidden'],
      [reader, (client: Client) => client.charges(1), 404, 'not-found'],
      [admin, (client: Client) => client.currentPeriod({ organization: 'nobody' }), 404, 'not-found'],
    ] as const
    for (const [key, ask, status, kind] of cases) assert.deepEqual(await problemOf(key, ask), [status, kind])
    const session = await createClient({ baseUrl: service.url, key: reader }).session()
    assert.deepEqual([session.organization.id, session.scopes], ['default', ['usage:read']])
  })

  test('stores a rate card, puts it in force, quotes, reports what it prices and charges the rest later', async () => {
    await using service = await startService({})
    const key = await createKey(service, ['admin'])
    const { client, sent } = recordingClient({ baseUrl: service.url, key })
    const card = (version: string, models: readonly string[]): RateCard => ({
      version,
      prices: Object.fromEntries(models.map((model) => [model, [{ output: 1500 }]])),
      cases: [
        {
          name: 'tokens',
          when: { model: '*' },
          lines: [
            { rule: 'output', of: 'output_tokens', per: 1_000_000, price: 'output' },
            { rule: 'pages', of: 'pages', rate: 8 },
          ],
        },
      ],
      outcomes: { failed: 0.5 },
    })
    const call = (id: number, model: string, more: Partial<Message> = {}): Message => {
      const { text: _, ...rest } = message(id, { model, usage: { output_tokens: 1000 }, ...more })
      return rest
    }

    const stored = await client.storeRateCard(card('one', ['a']))
    assert.deepEqual(await client.storeRateCard(card('one', ['a'])), stored)
    assert.deepEqual(stored.expects, { model: true, usage: ['output_tokens'], quantities: ['pages'] })
    await assert.rejects(client.storeRateCard(card('one', ['b'])), { name: 'ApiError', status: 409 })
    await assert.rejects(client.storeRateCard({ version: 'A', cases: [] }), (error) => {
      assert.ok(error instanceof ApiError)
      assert.ok((error.problem.errors ?? []).length > 1, 'every fault is named')
      return true
    })
    assert.deepEqual((await client.rateCard('one')).card, card('one', ['a']))
    const listed = (await client.rateCards()).map(({ version }) => version)
    assert.ok(listed.includes('one') && listed.includes('standard-2024'), listed.join())
    for (const dots of ['.', '..']) await assert.rejects(client.rateCard(dots), RangeError)

    assert.deepEqual(await client.rateCardsInForce('default'), {
      in_force: [{ version: 'standard-2024', by_default: true }],
      priced_otherwise: 0,
    })
    const from = '2024-05-01T00:00:00.000Z'
    const used = await client.useRateCard('default', { version: 'one', from })
    assert.deepEqual(used.in_force.at(-1), { version: 'one', from })
    assert.deepEqual(await client.useDefaultRateCard({ version: 'one', from }), await client.defaultRateCards())

    const { quotes } = await client.quote({
      messages: [
        { model: 'a', usage: { output_tokens: 1000 } },
        { model: 'b', usage: { output_tokens: 1000 } },
      ],
      rate_card: card('tried', ['b']),
    })
    assert.deepEqual(
      quotes.map(({ status, credits }) => [status, credits]),
      [
        ['unpriced', undefined],
        ['priced', 1.5],
      ],
    )

    const reported = await client.reportMessages([
      call(1, 'a', { team_id: 'research', quantities: { pages: 0.5 }, attributes: { feature: 'chat' } }),
      call(2, 'a', { outcome: 'failed' }),
      call(3, 'a', { usage: { prompt_tokens: 10, completion_tokens: 1000 }, usage_format: 'openai' }),
      call(4, 'b'),
    ])
    assert.deepEqual(
      reported.results.map(({ status, credits }) => [status, credits]),
      [
        ['accepted', 5.5],
        ['accepted', 0.75],
        ['unpriced', undefined],
        ['unpriced', undefined],
      ],
    )
    const unpriced = () => all(client.usage({ ...MAY, unpriced: 'true' }))
    assert.deepEqual(
      (await unpriced()).map(({ message_id, model, unpriced = '' }) => [message_id, model, unpriced]),
      reported.results.slice(2).map(({ id, unpriced }, index) => [id, 'ab'[index], unpriced]),
    )
    assert.equal((await client.bill(MAY)).unpriced, 2)
    const { buckets } = await client.totals({ ...MAY, bucket: 'none', group_by: 'team,outcome' })
    assert.deepEqual([buckets[0]?.messages, buckets[0]?.unpriced, buckets[0]?.credits], [4, 2, 6.25])

    await client.storeRateCard(card('two', ['a', 'b']))
    await client.useRateCard('default', { version: 'two', from: '2024-05-02T00:00:00.000Z' })
    sent.length = 0
    const { unpriced: left, reasons } = await client.reprice('default')
    assert.deepEqual([left, reasons.length], [1, 1])
    assert.deepEqual(sent, ['POST /v1/organizations/default/reprice'])
    assert.deepEqual(
      (await unpriced()).map(({ message_id }) => message_id),
      [3],
    )
    assert.equal((await client.charges(4)).charges[0]?.credits, 1.5)

    const theirs = await client.reconcile({
      vendor: 'csv',
      csv: 'date,credits\n2024-05-01,0\n',
      from: '2024-05-01',
      to: '2024-06-01',
    })
    assert.deepEqual([theirs.messages, theirs.credits, theirs.missing_there], [4, 7.75, -7.75])
    const month = { rate_card: 'two', ...MAY }
    const simulated = await client.simulate(month)
    assert.deepEqual([simulated.messages, simulated.credits_before], [4, 7.75])
    // Up to the second of May, another card is in force.
    await assert.rejects(client.applySimulation(simulated.hash, month), { name: 'ApiError', status: 409 })
    const rest = { rate_card: 'two', from: '2024-05-02T00:00:00Z', to: '2024-06-01T00:00:00Z' }
    const { hash, charged_otherwise: otherwise, difference } = await client.simulate(rest)
    const charged = await client.applySimulation(hash, rest)
    assert.deepEqual([charged.hash, charged.messages, charged.difference], [hash, otherwise, difference])
    assert.equal((await client.simulate(rest)).charged_otherwise, 0)
  })

  test('signs in and out, each with one request', async () => {
    await using service = await startService({})
    const key = await createKey(service, ['admin'])
    const { client, sent } = recordingClient({ baseUrl: service.url })
    assert.equal(await client.signIn(key), undefined)
    assert.equal(await client.signOut(), undefined)
    assert.deepEqual(sent, ['POST /v1/session', 'DELETE /v1/session'])
  })

  test('adds up whole millionths exactly, unlike decimals', () => {
    assert.notEqual(0.1 + 0.2, 0.3)
    assert.equal(toMicros(0.1) + toMicros(0.2), toMicros(0.3))
    for (const micros of [0, 1, 999_999, 1_850_000, 35_000_001, 4_294_970_288_042_686, 2 ** 33 * 1e6 - 1]) {
      assert.equal(toMicros(micros / 1e6), micros)
    }
    assert.equal(toMicros(-1.5), -1_500_000)
  })
})

type Listener = (request: IncomingMessage, response: ServerResponse, time: number) => void

const LET_GO_MS = 5000

/** A server whose listener gets the number of earlier requests. It closes silent connections, so that no test hangs. */
const startServer = (listener: Listener) => {
  let time = 0
  return startUpstream((request, response) => {
    request.socket.setTimeout(LET_GO_MS, () => request.socket.destroy())
    listener(request, response, time++)
  })
}

const PERIOD = {
  start: '2024-05-01T00:00:00.000Z',
  end: '2024-06-01T00:00:00.000Z',
  state: 'open',
  messages: 3,
  credits: 5.5,
}

const problem = (status: number) => ({
  type: 'urn:copilot-credits:problem:made-up',
  title: 'Made up',
  status,
  detail: `made up for ${status}`,
  request_id: 'r-1',
})

/** Fails a number of times, then succeeds. */
const failFirst =
  (times: number, status: number, headers: Record<string, string> = {}): Listener =>
  (_, response, time) =>
    time < times ? send(response, status, problem(status), headers) : send(response, 200, PERIOD)

const isConnectionError = (text: RegExp) => (error: unknown) => {
  assert.ok(error instanceof ConnectionError, String(error))
  assert.match(error.message, text)
  return true
}

describe('a client of a service that fails', { concurrency: true }, () => {
  test('retries while the service is briefly unavailable', async () => {
    for (const status of [408, 429, 502, 503, 504]) {
      await using server = await startServer(failFirst(2, status))
      assert.deepEqual(await createClient({ baseUrl: server.url }).currentPeriod(), PERIOD, `${status}`)
      assert.equal(server.asked.length, 3)
    }
  })

  test('does not retry errors that would repeat', async () => {
    for (const status of [400, 401, 403, 404, 405, 409, 413, 500]) {
      await using server = await startServer(failFirst(1, status))
      const client = createClient({ baseUrl: server.url })
      await assert.rejects(client.currentPeriod(), { name: 'ApiError', status, problem: problem(status) })
      assert.equal(server.asked.length, 1)
    }
  })

  test('gives up after the maximum number of attempts, with the last error', async () => {
    for (const attempts of [1, 2]) {
      await using server = await startServer(failFirst(9, 503))
      const client = createClient({ baseUrl: server.url, attempts })
      await assert.rejects(client.currentPeriod(), { name: 'ApiError', status: 503, retryAfterMs: undefined })
      assert.equal(server.asked.length, attempts)
    }
  })

  test('waits as long as Retry-After says, in seconds or as a date', async () => {
    const arrivals = async (headers: () => Record<string, string>): Promise<readonly number[]> => {
      const times: number[] = []
      await using server = await startServer((request, response, time) => {
        times.push(Date.now())
        failFirst(1, 503, headers())(request, response, time)
      })
      await createClient({ baseUrl: server.url }).currentPeriod()
      return times
    }
    const date = new Date(Date.now() + 2000).toUTCString()
    const [bySeconds, byDate] = await Promise.all([
      arrivals(() => ({ 'retry-after': '1' })),
      arrivals(() => ({ 'retry-after': date })),
    ])
    // A timer may fire a millisecond early by the wall clock.
    assert.ok(Number(bySeconds[1]) - Number(bySeconds[0]) > 980, bySeconds.join())
    assert.ok(Number(byDate[1]) > Date.parse(date) - 20, byDate.join())
  })

  test('reads Retry-After as seconds or as a date, and nothing else', () => {
    const now = Date.parse('2024-05-10T12:00:00Z')
    for (const [text, expected] of [
      [null, undefined],
      ['0', 0],
      ['120', 120_000],
      ['Fri, 10 May 2024 12:00:07 GMT', 7000],
      ['Fri, 10 May 2024 11:00:00 GMT', 0],
      ['soon', undefined],
      ['', undefined],
    ] as const) {
      assert.equal(retryAfterMs(text, now), expected, `${text}`)
    }
  })

  test('fails immediately if Retry-After is too long to wait for, and the error has the time', async () => {
    await using server = await startServer(failFirst(1, 429, { 'retry-after': '31' }))
    const client = createClient({ baseUrl: server.url })
    await assert.rejects(client.currentPeriod(), { name: 'ApiError', status: 429, retryAfterMs: 31_000 })
    assert.equal(server.asked.length, 1)
  })

  test('never retries signing in and out', async () => {
    for (const listener of [failFirst(1, 503), ((_, response) => response.destroy()) satisfies Listener]) {
      await using server = await startServer(listener)
      const client = createClient({ baseUrl: server.url })
      await assert.rejects(
        client.signIn('cck_x'),
        (error) => error instanceof ApiError || error instanceof ConnectionError,
      )
      assert.equal(server.asked.length, 1)
    }
    await using server = await startServer(failFirst(1, 503))
    await assert.rejects(createClient({ baseUrl: server.url }).signOut(), { status: 503 })
    assert.equal(server.asked.length, 1)
  })

  test('throws a ConnectionError if nothing listens at the address', async () => {
    const server = await startServer(failFirst(0, 500))
    await server[Symbol.asyncDispose]()
    await assert.rejects(createClient({ baseUrl: server.url }).currentPeriod(), (error) => {
      assert.ok(error instanceof ConnectionError)
      assert.match(error.message, /could not be reached/)
      assert.match(String((error.cause as Error).cause), /ECONNREFUSED/)
      return true
    })
  })

  test('retries a truncated response, and never takes it for a complete one', async () => {
    const cutOff: Listener = (_, response, time) => {
      if (time > 1) return send(response, 200, PERIOD)
      const text = JSON.stringify(PERIOD)
      if (time === 0) response.writeHead(200, { 'content-length': text.length })
      response.write(text.slice(0, 40), () => response.destroy())
    }
    await using server = await startServer(cutOff)
    assert.deepEqual(await createClient({ baseUrl: server.url }).currentPeriod(), PERIOD)
    assert.equal(server.asked.length, 3)
    await using again = await startServer(cutOff)
    const client = createClient({ baseUrl: again.url, attempts: 2 })
    await assert.rejects(client.currentPeriod(), isConnectionError(/could not be reached/))
  })

  test('throws a ConnectionError if something other than the service responds', async () => {
    const bodies: readonly (readonly [status: number, body: string, expected: RegExp])[] = [
      [200, '<html>Welcome to the hotel</html>', /it is not JSON/],
      [200, '', /no "start"/],
      [200, 'null', /no "start"/],
      [200, '{"start":null}', /no "start"/],
      [200, '[1]', /no "start"/],
      [404, '<h1>Not found</h1>', /status 404 without a problem document/],
      [401, '{"error":"no"}', /status 401 without a problem document/],
      [403, 'null', /status 403 without a problem document/],
      [500, JSON.stringify(problem(404)), /status 500 without a problem document/],
    ]
    for (const [status, body, expected] of bodies) {
      await using server = await startServer((_, response) => send(response, status, body))
      const client = createClient({ baseUrl: server.url })
      await assert.rejects(client.currentPeriod(), isConnectionError(expected))
      assert.equal(server.asked.length, 1)
    }
    await using server = await startServer((_, response) => send(response, 200, '<html>Sign in to the hotel</html>'))
    await assert.rejects(createClient({ baseUrl: server.url }).signIn('cck_x'), ConnectionError)
  })

  test('fetches a page when the iterator needs it, and none after the loop is left', async () => {
    await using server = await startServer((_, response, time) => {
      const usage = [0, 1, 2].map((index) => ({ message_id: time * 3 + index, credits_used: 1 }))
      send(response, 200, { usage, next_cursor: `after-${time}` })
    })
    const client = createClient({ baseUrl: server.url })
    const taken: (number | string)[] = []
    for await (const line of client.usage({ period: '2024-05', user_id: undefined, limit: undefined })) {
      taken.push(line.message_id)
      if (taken.length === 3) break
    }
    assert.deepEqual(server.asked, ['/v1/usage?period=2024-05&limit=1000'])
    for await (const line of client.usage({ limit: 3 })) if (line.message_id === 6) break
    assert.deepEqual(server.asked.slice(1), ['/v1/usage?limit=3', '/v1/usage?limit=3&cursor=after-1'])
    assert.deepEqual(taken, [0, 1, 2])
  })

  test('throws instead of looping forever if a page points to itself', async () => {
    await using server = await startServer((_, response, time) => {
      const next = time < 20 ? { next_cursor: 'x', next_page: 'x' } : {}
      send(response, 200, { usage: [], buckets: [], periods: [], time_zone: 'UTC', ...next })
    })
    const client = createClient({ baseUrl: server.url })
    await assert.rejects(all(client.usage()), isConnectionError(/the same page again/))
    await assert.rejects(all(client.periods()), isConnectionError(/the same page again/))
    await assert.rejects(client.totals(), isConnectionError(/the same page again/))
  })

  test('marks a stale bill, with its age', async () => {
    await using server = await startServer((_, response) =>
      send(response, 200, { usage: [] }, { age: '42', 'cache-status': 'copilot-credits; hit; detail=stale' }),
    )
    const bill = await createClient({ baseUrl: server.url }).bill()
    assert.deepEqual(bill, { usage: [], ageSeconds: 42, isStale: true, unpriced: 0 })
  })

  test('accepts a base URL with a path and trailing slashes', async () => {
    await using server = await startServer(failFirst(0, 500))
    await createClient({ baseUrl: `${server.url}/behind/proxy//` }).currentPeriod({ organization: 'acme' })
    assert.deepEqual(server.asked, ['/behind/proxy/v1/periods/current?organization=acme'])
  })

  test('sends the key, and throws a TypeError or RangeError for a request that cannot be sent', async () => {
    const seen: (string | undefined)[] = []
    await using server = await startServer((request, response) => {
      seen.push(request.headers.authorization)
      send(response, 200, PERIOD)
    })
    await createClient({ baseUrl: server.url, key: 'cck_x' }).currentPeriod()
    await createClient({ baseUrl: server.url }).currentPeriod()
    assert.deepEqual(seen, ['Bearer cck_x', undefined])
    await assert.rejects(createClient({ baseUrl: server.url, key: 'a\nb' }).currentPeriod(), TypeError)
    await assert.rejects(createClient({ baseUrl: 'nonsense' }).currentPeriod(), TypeError)
    await assert.rejects(createClient().currentPeriod(), TypeError)
    for (const options of [{ attempts: 0 }, { attempts: Number.NaN }, { attempts: 1.5 }]) {
      assert.throws(() => createClient(options), RangeError)
    }
    for (const timeoutMs of [0, -1, Number.NaN, Number.POSITIVE_INFINITY]) {
      assert.throws(() => createClient({ timeoutMs }), RangeError)
    }
    assert.equal(seen.length, 2)
  })
})

describe('a client whose call is aborted or times out', { concurrency: true }, () => {
  const reason = new Error('the user has left')

  test('sends nothing if it was aborted before', async () => {
    await using server = await startServer(failFirst(0, 500))
    const client = createClient({ baseUrl: server.url })
    const signal = AbortSignal.abort(reason)
    await assert.rejects(client.currentPeriod({}, { signal }), reason)
    await assert.rejects(client.reportMessages([], {}, { signal }), reason)
    await assert.rejects(all(client.usage({}, { signal })), reason)
    await assert.rejects(client.signIn('cck_x', { signal }), reason)
    assert.deepEqual(server.asked, [])
  })

  test('stops before the response starts, and closes the connection', async () => {
    const controller = new AbortController()
    const { promise: hasLeft, resolve } = Promise.withResolvers<void>()
    await using server = await startServer((_, response) => {
      response.on('close', resolve)
      controller.abort(reason)
    })
    const client = createClient({ baseUrl: server.url, attempts: 1 })
    const begin = performance.now()
    await assert.rejects(client.currentPeriod({}, { signal: controller.signal }), reason)
    await hasLeft
    assert.ok(performance.now() - begin < LET_GO_MS, 'it left by itself')
    assert.equal(server.asked.length, 1)
  })

  test('stops while it waits to retry', async () => {
    const controller = new AbortController()
    await using server = await startServer((request, response, time) => {
      response.on('finish', () => setTimeout(() => controller.abort(reason), 50))
      failFirst(1, 503, { 'retry-after': '20' })(request, response, time)
    })
    const client = createClient({ baseUrl: server.url })
    const begin = performance.now()
    await assert.rejects(client.currentPeriod({}, { signal: controller.signal }), reason)
    assert.ok(performance.now() - begin < 10_000)
    assert.equal(server.asked.length, 1)
  })

  test('stops while the body is arriving', async () => {
    const controller = new AbortController()
    const { promise: hasLeft, resolve } = Promise.withResolvers<void>()
    await using server = await startServer((_, response) => {
      response.on('close', resolve)
      response.writeHead(200, { 'content-type': 'application/json' }).write('{"start":')
    })
    const client = createClient({
      baseUrl: server.url,
      fetch: async (input, init) => {
        const response = await fetch(input, init)
        // Abort only after the client has the head and is reading the body.
        setImmediate(() => controller.abort(reason))
        return response
      },
    })
    const begin = performance.now()
    await assert.rejects(client.currentPeriod({}, { signal: controller.signal }), reason)
    await hasLeft
    assert.ok(performance.now() - begin < LET_GO_MS, 'it left by itself')
  })

  test('yields no further line after the abort', async () => {
    await using server = await startServer((_, response) =>
      send(response, 200, { usage: [{ message_id: 1 }, { message_id: 2 }], next_cursor: 'more' }),
    )
    const controller = new AbortController()
    const lines = createClient({ baseUrl: server.url }).usage({}, { signal: controller.signal })
    await lines.next()
    controller.abort(reason)
    await assert.rejects(lines.next(), reason)
    assert.equal(server.asked.length, 1)
  })

  test('leaves no listener on a long-lived signal', async () => {
    await using server = await startServer(failFirst(1, 503))
    const { signal } = new AbortController()
    await createClient({ baseUrl: server.url }).currentPeriod({}, { signal })
    assert.equal(server.asked.length, 2)
    assert.equal(getEventListeners(signal, 'abort').length, 0)
  })

  test('times out each attempt, in the head and in the body', async () => {
    const silent: Listener = (_, response, time) => {
      if (time > 0) response.writeHead(200).write('{"start":')
    }
    await using server = await startServer(silent)
    const client = createClient({ baseUrl: server.url, attempts: 2, timeoutMs: 150 })
    await assert.rejects(client.currentPeriod(), (error) => {
      isConnectionError(/did not answer within 0\.15 s/)(error)
      assert.equal(((error as Error).cause as Error).name, 'TimeoutError')
      return true
    })
    assert.equal(server.asked.length, 2)
  })

  test('retries an attempt that timed out', async () => {
    await using server = await startServer((_, response, time) => {
      if (time > 0) send(response, 200, PERIOD)
    })
    const client = createClient({ baseUrl: server.url, timeoutMs: 300 })
    assert.deepEqual(await client.currentPeriod(), PERIOD)
  })
})

test('client/src/openapi.ts is up to date with openapi.json (to update: npm run types -w client)', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'copilot-credits-types-'))
  const { scripts } = readJson(join(clientFolder, 'package.json')) as { scripts: { types: string } }
  const [command = '', ...words] = scripts.types.split(' ')
  const written = join(folder, 'openapi.ts')
  const options = words.map((word) => (word === 'src/openapi.ts' ? written : word))
  const commands = [join(clientFolder, 'node_modules', '.bin'), join(root, 'node_modules', '.bin'), process.env['PATH']]
  await run(command, options, { cwd: clientFolder, env: { ...process.env, PATH: commands.join(delimiter) } })
  assert.equal(readFileSync(join(clientFolder, 'src', 'openapi.ts'), 'utf8'), readFileSync(written, 'utf8'))
  rmSync(folder, { recursive: true })
})

test('every API type of the client has the name of its schema in openapi.json', () => {
  const text = readFileSync(join(clientFolder, 'src', 'types.ts'), 'utf8')
  const { components } = readJson(join(root, 'openapi.json')) as { components: { schemas: Record<string, unknown> } }
  const types = [...text.matchAll(/^export type (\w+) = (.+)$/gm)]
  assert.ok(types.length > 10)
  for (const [, name = '', definition] of types) {
    assert.equal(definition, `components['schemas']['${name}']`)
    assert.ok(name in components.schemas, name)
  }
})

describe('the packed package', () => {
  const readme = readFileSync(join(clientFolder, 'README.md'), 'utf8')
  let folder: string
  let project: string
  let installed: string
  let service: Running
  let key: string

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'copilot-credits-package-'))
    project = join(folder, 'project')
    installed = join(project, 'node_modules', 'copilot-credits-client')
    // Builds from a copy of the sources, so that earlier build output in the repository has no effect.
    const copy = join(folder, 'client')
    const isSource = (path: string): boolean => !['dist', 'node_modules'].includes(basename(path))
    cpSync(clientFolder, copy, { recursive: true, filter: isSource })
    cpSync(join(root, 'tsconfig.json'), join(folder, 'tsconfig.json'))
    symlinkSync(join(clientFolder, 'node_modules'), join(copy, 'node_modules'), 'junction')
    symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'), 'junction')
    const offline = {
      ...process.env,
      npm_config_offline: 'true',
      npm_config_update_notifier: 'false',
      npm_config_logs_max: '0',
    }
    await run('npm', ['pack', '--pack-destination', folder], { cwd: copy, env: offline })
    const [archive = ''] = readdirSync(folder).filter((file) => file.endsWith('.tgz'))
    mkdirSync(installed, { recursive: true })
    await run('tar', ['-xzf', join(folder, archive), '--strip-components=1', '-C', installed])
    writeFileSync(join(project, 'package.json'), '{ "type": "module" }')
    symlinkSync(join(root, 'node_modules', 'ai'), join(project, 'node_modules', 'ai'), 'junction')
    writeFileSync(join(project, 'model.ts'), MODEL)
    service = await startService({})
    key = await createKey(service, ['admin'])
  })
  after(async () => {
    await service[Symbol.asyncDispose]()
    rmSync(folder, { recursive: true })
  })

  const runProgram = async (file: string, text: string): Promise<string> => {
    writeFileSync(join(project, file), text)
    const { stdout } = await run(process.execPath, [file], { cwd: project, timeout: 20_000 })
    return stdout
  }

  test('holds JavaScript, types, README and license, and nothing else', () => {
    const parts = ['ai-sdk', 'errors', 'http', 'index', 'openapi', 'report-queue', 'reporter', 'results', 'types']
    const built = parts.flatMap((part) => [`dist/${part}.d.ts`, `dist/${part}.js`])
    const files = readdirSync(installed, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) =>
        join(entry.parentPath, entry.name)
          .slice(installed.length + 1)
          .replaceAll('\\', '/'),
      )
    assert.deepEqual(files.toSorted(), ['LICENSE', 'README.md', ...built, 'package.json'])
    assert.equal(readFileSync(join(installed, 'LICENSE'), 'utf8'), readFileSync(join(root, 'LICENSE'), 'utf8'))
    const manifest = readJson(join(installed, 'package.json')) as Record<string, unknown>
    assert.deepEqual([manifest['dependencies'], manifest['license'], manifest['type']], [undefined, 'MIT', 'module'])
  })

  test('runs in a plain JavaScript program, which then exits immediately', async () => {
    const begin = performance.now()
    const stdout = await runProgram(
      'plain.js',
      `import { ApiError, createClient } from 'copilot-credits-client'
      const client = createClient({ baseUrl: '${service.url}', key: '${key}', timeoutMs: 60_000 })
      const { signed_in_by } = await client.session()
      const error = await client.charges('nobody knows it').catch((error) => error)
      console.log(signed_in_by, error instanceof ApiError, error.status)
`,
    )
    assert.equal(stdout, 'key true 404\n')
    assert.ok(performance.now() - begin < 15_000, 'no timer holds the process')
  })

  const examples = [...readme.matchAll(/```ts\n(.*?)```\n\n```text\n(.*?)```/gs)].map(([, code = '', output = '']) => {
    return { code, output }
  })

  test('has a README whose examples state their output and type-check for Node.js and for browsers', async () => {
    assert.equal(examples.length, readme.split('```ts\n').length - 1)
    assert.ok(examples.length > 0)
    for (const [index, { code }] of examples.entries()) writeFileSync(join(project, `example-${index}.ts`), code)
    const wrong = '// @ts-expect-error an id is a number or a text\ncreateClient().charges(true)\n'
    writeFileSync(join(project, 'wrong.ts'), `import { createClient } from 'copilot-credits-client'\n${wrong}`)
    const strict = { strict: true, exactOptionalPropertyTypes: true, noUncheckedIndexedAccess: true, noEmit: true }
    const common = {
      ...strict,
      target: 'es2022',
      module: 'nodenext',
      skipLibCheck: false,
      allowImportingTsExtensions: true,
    }
    const check = (name: string, options: object, files: readonly string[]) => {
      const file = join(project, `tsconfig.${name}.json`)
      writeFileSync(file, JSON.stringify({ compilerOptions: { ...common, ...options }, files }))
      return run(process.execPath, [join(root, 'node_modules', 'typescript', 'bin', 'tsc'), '-p', file])
    }
    const files = ['wrong.ts', ...examples.map((_, index) => `example-${index}.ts`)]
    // The types of the AI SDK need those of Node.js; the client's do not need either.
    const alone = files.filter((_, index) => !examples[index - 1]?.code.includes("from 'ai'"))
    assert.equal(alone.length, files.length - 1)
    await check('browser', { lib: ['es2022', 'dom', 'dom.iterable'], types: [] }, alone)
    await check('node', { lib: ['es2022'], types: ['node'], skipLibCheck: true }, files)
  })

  test('has a README whose examples print what it says', async () => {
    for (const [index, { code, output }] of examples.entries()) {
      const program = code.replaceAll('http://127.0.0.1:8000', service.url).replaceAll('cck_…', key)
      assert.notEqual(program, code)
      assert.equal(await runProgram(`run-${index}.ts`, program), output)
    }
  })

  test('has a README that installs the archive that npm pack writes, not a package from a registry', () => {
    const { name, version } = readJson(join(clientFolder, 'package.json')) as { name: string; version: string }
    const installs = [...readme.matchAll(/npm install (\S+)/g)].map(([, what]) => what)
    assert.deepEqual(installs, [`path/to/${name}-${version}.tgz`])
  })

  test('has a README that lists every method with its request', () => {
    const rows = [...readme.matchAll(/^\| `(\w+)\(.*?\)` \| `(\w+) (\S+)` \|/gm)]
    assert.deepEqual(rows.map(([, name]) => name).toSorted(), Object.keys(createClient()).toSorted())
    const { paths } = readJson(join(root, 'openapi.json')) as { paths: Record<string, Record<string, unknown>> }
    for (const [row, , method = '', path = ''] of rows) assert.ok(paths[path]?.[method.toLowerCase()], row)
  })
})

/** In place of a provider's model. */
const MODEL = `import { MockLanguageModelV4 } from 'ai/test'

const usage = {
  inputTokens: { total: 2006, noCache: 86, cacheRead: 1920, cacheWrite: 0 },
  outputTokens: { total: 300, text: 300, reasoning: 0 },
}
const finishReason = { unified: 'stop' as const, raw: 'stop' }
const content = [{ type: 'text' as const, text: 'On the first of each month.' }]
export const model = new MockLanguageModelV4({
  modelId: 'gpt-5.4',
  doGenerate: { content, finishReason, usage, warnings: [] },
})
`

const readJson = (file: string): unknown => JSON.parse(readFileSync(file, 'utf8'))
