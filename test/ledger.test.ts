/** Reports messages over HTTP and reads them for any period, on each store. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect } from 'node:net'
import { text } from 'node:stream/consumers'
import { after, before, describe, test } from 'node:test'
import { CloudEvent, emitterFor, HTTP, httpTransport, Mode } from 'cloudevents'
import { credits, toDecimal } from '../src/model/credits.ts'
import { type Running, send, sendListing, startCopilot, startService } from './harness.ts'
import { type PostgresServer, startPostgres } from './postgres-server.ts'
import { readMessages, readReports, skipWithout } from './shared-data.ts'

type Json = Record<string, unknown>
// biome-ignore lint/suspicious/noExplicitAny: tests look at single fields of a response
type Answer = any

const request = async (
  service: Running,
  path: string,
  { method = 'GET', body, headers = {} }: { method?: string; body?: unknown; headers?: Record<string, string> } = {},
): Promise<{ status: number; body: Answer; headers: Headers }> => {
  const isRaw = typeof body === 'string'
  const response = await fetch(`${service.url}${path}`, {
    method: body !== undefined && method === 'GET' ? 'POST' : method,
    headers: {
      ...(body === undefined || 'content-type' in headers ? {} : { 'content-type': 'application/json' }),
      ...headers,
    },
    ...(body === undefined ? {} : { body: isRaw ? body : JSON.stringify(body) }),
  })
  const text = await response.text()
  const isJson =
    response.headers.get('content-type')?.includes('json') === true &&
    !response.headers.get('content-type')?.includes('ndjson')
  return { status: response.status, body: isJson && text !== '' ? JSON.parse(text) : text, headers: response.headers }
}

const message = (id: number | string, more: Json = {}): Json => ({
  id,
  text: 'What is the lease term?',
  timestamp: '2024-05-10T12:00:00.000Z',
  ...more,
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
  const start = async (more: Record<string, string> = {}): Promise<Running> =>
    startService({ ...(await environment()), ...more })

  describe(`a service on ${name}`, () => {
    test('returns a result for each message, and an invalid message does not affect the others', async () => {
      await using service = await start()
      await request(service, '/v1/reports/5392', {
        method: 'PUT',
        body: { name: 'Lease "Report"', credit_cost: 35.000001 },
      })
      const messages = [
        message(1, { user_id: 'ada' }),
        message('1', { text: 'orbital latibro' }),
        message(1, { user_id: 'ada' }),
        message(1),
        message(2, { report_id: '5392' }),
        message(3, { report_id: 404, text: '' }),
        { ...message(4), text: undefined },
        message(5, { timestamp: '2024-05-10' }),
        message(6, { timestamp: new Date(Date.now() + 400_000).toISOString() }),
        message(7.5),
        message('x'.repeat(201)),
        message('\u0000'),
        message(8, { user_id: '' }),
        message(9, { color: 'red' }),
        message(10, { text: 'é'.repeat(600_000) }),
        'nothing',
        message(11, { timestamp: new Date(Date.now() + 200_000).toISOString(), report_id: null, user_id: null }),
      ]
      const { status, body } = await request(service, '/v1/messages', { body: { messages } })
      assert.equal(status, 200)
      assert.deepEqual([body.accepted, body.duplicate, body.conflict, body.rejected], [5, 1, 1, 10])
      assert.deepEqual(
        body.results.map((each: Json) => [each['id'], each['status'], each['credits'] ?? each['field']]),
        [
          [1, 'accepted', 1.85],
          ['1', 'accepted', 2.1],
          [1, 'duplicate', 1.85],
          [1, 'conflict', 1.85],
          [2, 'accepted', 35.000001],
          [3, 'accepted', 1],
          [4, 'rejected', 'text'],
          [5, 'rejected', 'timestamp'],
          [6, 'rejected', 'timestamp'],
          [undefined, 'rejected', 'id'],
          [undefined, 'rejected', 'id'],
          [undefined, 'rejected', 'id'],
          [8, 'rejected', 'user_id'],
          [9, 'rejected', 'color'],
          [10, 'rejected', 'text'],
          [undefined, 'rejected', ''],
          [11, 'accepted', 1.85],
        ],
      )
      assert.match(body.results[14].reason, /1048576 bytes/)
      const usage = await request(service, '/usage?from=2024-05-10&to=2024-05-11')
      assert.deepEqual(usage.body.usage, [
        { message_id: 1, timestamp: '2024-05-10T12:00:00.000Z', credits_used: 1.85 },
        {
          message_id: 2,
          timestamp: '2024-05-10T12:00:00.000Z',
          report_name: 'Lease "Report"',
          credits_used: 35.000001,
        },
        { message_id: 3, timestamp: '2024-05-10T12:00:00.000Z', credits_used: 1 },
        { message_id: '1', timestamp: '2024-05-10T12:00:00.000Z', credits_used: 2.1 },
      ])
      assert.doesNotMatch(service.logged(), /lease term|latibro/, 'no text is logged')
    })

    test('cuts the first and last bucket at the ends of the range, and finds a string id made of digits', async () => {
      await using service = await start()
      const timestamps = [
        '2024-05-10T12:00:00Z',
        '2024-05-11T00:00:00Z',
        '2024-05-12T06:00:00Z',
        '2024-05-12T06:00:01Z',
      ]
      const messages = timestamps.map((timestamp, index) => message(`${index}`, { timestamp }))
      await request(service, '/v1/messages', { body: { messages } })
      const { body } = await request(service, '/v1/usage/totals?from=2024-05-10T12:00:00Z&to=2024-05-12T06:00:01Z')
      assert.deepEqual(
        body.buckets.map((each: Json) => [each['start'], each['end'], each['messages'], each['credits']]),
        [
          ['2024-05-10T12:00:00.000Z', '2024-05-11T00:00:00.000Z', 1, 1.85],
          ['2024-05-11T00:00:00.000Z', '2024-05-12T00:00:00.000Z', 1, 1.85],
          ['2024-05-12T00:00:00.000Z', '2024-05-12T06:00:01.000Z', 1, 1.85],
        ],
      )
      const later = await request(service, '/v1/usage/totals?from=2024-05-10T12:00:00.001Z&to=2024-05-13&bucket=none')
      assert.deepEqual([later.body.buckets[0].messages, later.body.buckets[0].credits], [3, 5.55])
      assert.equal((await request(service, '/v1/messages/3')).body.message_id, '3')
      assert.equal((await request(service, '/v1/messages/3?id_type=integer')).status, 404)
    })

    test('returns 2,264.40 credits for the published period, by period, by totals and by message', {
      skip: skipWithout('messages.current-period.json'),
    }, async () => {
      await using service = await start()
      for (const { id, ...report } of readReports('reports.current-period.json')) {
        await request(service, `/v1/reports/${id}`, { method: 'PUT', body: report })
      }
      const messages = readMessages('messages.current-period.json')
      const { body } = await request(service, '/v1/messages', { body: { messages } })
      assert.equal(body.accepted, 110)
      const sum = (amounts: readonly number[]): string =>
        toDecimal(credits(amounts.reduce((total, amount) => total + Math.round(amount * 1e6), 0)))
      const both = await Promise.all(['2024-04', '2024-05'].map((month) => request(service, `/usage?period=${month}`)))
      const lines = both.flatMap((each) => each.body.usage)
      assert.equal(sum(lines.map((each: Answer) => each.credits_used)), '2264.4')
      const whole = 'from=2024-04-01&to=2024-06-01'
      for (const query of [
        'bucket=none',
        'bucket=day',
        'bucket=hour&limit=1000',
        'bucket=week&group_by=report',
        'bucket=day&time_zone=Asia/Kathmandu&group_by=report,member',
      ]) {
        const amounts: number[] = []
        let page = ''
        do {
          const totals = await request(service, `/v1/usage/totals?${whole}&${query}${page}`)
          for (const bucket of totals.body.buckets) {
            const groups = bucket.groups?.map((each: Answer) => each.credits)
            if (groups !== undefined) assert.equal(sum(groups), sum([bucket.credits]))
            amounts.push(bucket.credits)
          }
          page = totals.body.next_page === undefined ? '' : `&page=${totals.body.next_page}`
        } while (page !== '')
        assert.equal(sum(amounts), '2264.4', query)
      }
      const periods = (await request(service, '/v1/periods?limit=100')).body.periods
      assert.equal(sum(periods.map((each: Answer) => each.credits)), '2264.4')
      for (const { name, start, end, messages: count, credits } of periods) {
        const [bucket] = (await request(service, `/v1/usage/totals?period=${name}&bucket=none`)).body.buckets
        assert.deepEqual(bucket, { start, end, messages: count, credits }, name)
      }
      const charges = await Promise.all(messages.map(({ id }) => request(service, `/v1/messages/${id}`)))
      const amounts = charges.map((each) => {
        const [charge] = each.body.charges
        assert.equal(sum(charge.lines.map((line: Answer) => line.credits)), sum([charge.credits]), 'lines add up')
        return charge.credits
      })
      assert.equal(sum(amounts), '2264.4')
      const pages: Answer[] = []
      let cursor = ''
      do {
        const page = (await request(service, `/v1/usage?${whole}&limit=7${cursor}`)).body
        pages.push(...page.usage)
        cursor = page.next_cursor === undefined ? '' : `&cursor=${page.next_cursor}`
      } while (cursor !== '')
      assert.equal(sum(pages.map((each) => each.credits_used)), '2264.4')
      assert.deepEqual(
        pages.map((each) => each.message_id),
        lines.map((each) => each.message_id),
      )
    })

    test('accepts NDJSON of any length as a stream, and returns a result for each line', async () => {
      await using service = await start()
      const lines = Array.from({ length: 5000 }, (_, id) => JSON.stringify(message(id)))
      lines[17] = '{"id": 17, "text"'
      lines[4000] = ''
      const headers = { 'content-type': 'application/x-ndjson' }
      const { status, body } = await request(service, '/v1/messages', { body: lines.join('\n'), headers })
      assert.equal(status, 200)
      const answers = String(body)
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line))
      assert.deepEqual(answers.at(-1), { done: true, accepted: 4998, duplicate: 0, conflict: 0, rejected: 1 })
      assert.deepEqual(answers[17], { line: 18, status: 'rejected', field: '', reason: 'must be valid JSON' })
      assert.deepEqual([answers[4000].line, answers[4000].id], [4002, 4001])
      const again = await request(service, '/v1/messages', {
        body: `${lines.join('\r\n')}\n`,
        headers: { ...headers, prefer: 'return=minimal' },
      })
      const minimal = String(again.body)
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line))
      assert.deepEqual(
        minimal.map(({ line }) => line),
        [18, undefined],
      )
      assert.equal(minimal[1].duplicate, 4998)
    })

    test('accepts what the CloudEvents SDK sends, in every mode', async () => {
      await using service = await start()
      const event = (id: string, more: Json = {}) =>
        new CloudEvent({
          type: 'copilot.message',
          source: '/copilot/eu',
          id,
          time: '2024-05-10T12:00:00.000Z',
          subject: 'zoë ü',
          data: { text: 'What is the lease term?' },
          ...more,
        })
      for (const mode of [Mode.BINARY, Mode.STRUCTURED]) {
        const emit = emitterFor(httpTransport(`${service.url}/v1/events`), { mode })
        const answer = JSON.parse(String(((await emit(event(mode))) as { body: string }).body))
        assert.equal(answer.accepted, 1, JSON.stringify(answer))
      }
      const structured = HTTP.structured(event('structured'))
      const again = await request(service, '/v1/events', {
        body: String(structured.body),
        headers: structured.headers as Record<string, string>,
      })
      assert.deepEqual(again.body.results, [{ id: '/copilot/eu structured', status: 'duplicate', credits: 1.85 }])
      const batch = [
        event('b1'),
        event('b2', { type: 'other' }),
        event('binary', { data: { text: 'other' } }),
        event('b4', { time: undefined, data: {} }),
      ]
      const answer = await request(service, '/v1/events', {
        body: JSON.stringify(batch.map((each) => ({ ...each.toJSON(), ...(each.id === 'b4' && { time: 'now' }) }))),
        headers: { 'content-type': 'application/cloudevents-batch+json' },
      })
      assert.deepEqual(
        answer.body.results.map(({ status, field }: Answer) => [status, field]),
        [
          ['accepted', undefined],
          ['rejected', 'type'],
          ['conflict', undefined],
          ['rejected', 'time'],
        ],
      )
      const single = await request(service, '/v1/events', {
        body: { ...event('b5', { type: 'other' }).toJSON() },
        headers: { 'content-type': 'application/cloudevents+json' },
      })
      assert.equal(single.status, 400)
      const charge = await request(service, `/v1/messages/${encodeURIComponent('/copilot/eu b1')}`)
      assert.equal(charge.body.charges[0].user_id, 'zoë ü')
    })

    test('lets a key do what its scopes allow, and nothing with another organization', async () => {
      await using service = await start()
      await request(service, '/v1/organizations', {
        body: { id: 'acme', time_zone: 'Asia/Tokyo', billing_anchor_day: 31 },
      })
      await request(service, '/v1/messages?organization=acme', { body: { messages: [message(1)] } })
      const keyFor = async (
        query: string,
        scopes: readonly string[],
        headers = {},
      ): Promise<Record<string, string>> => {
        const { body } = await request(service, `/v1/keys${query}`, { body: { scopes }, headers })
        return { authorization: `Bearer ${body.key}` }
      }
      const operator = await keyFor('', ['admin'])
      assert.equal((await request(service, '/usage')).status, 401, 'once there is a key, one is needed')
      const reader = await keyFor('?organization=acme', ['usage:read'], operator)
      const writer = await keyFor('?organization=acme', ['messages:write'], operator)
      const admin = await keyFor('?organization=acme', ['admin'], operator)
      for (const [path, options, status] of [
        ['/usage', { headers: reader }, 200],
        ['/usage', { headers: writer }, 403],
        ['/v1/messages', { headers: reader, body: { messages: [] } }, 403],
        ['/v1/messages', { headers: writer, body: { messages: [] } }, 200],
        ['/v1/messages/1', { headers: admin }, 200],
        ['/v1/usage?organization=default', { headers: admin }, 404],
        ['/v1/usage?organization=nobody', { headers: admin }, 404],
        ['/v1/organizations/default', { headers: admin }, 404],
        ['/v1/organizations/acme', { headers: reader }, 200],
        ['/v1/organizations', { headers: admin, body: { id: 'b' } }, 403],
        ['/v1/reports/1', { headers: admin, method: 'PUT', body: { name: 'x', credit_cost: 1 } }, 403],
        ['/v1/keys', { headers: reader }, 403],
        ['/v1/keys', { headers: { authorization: 'Bearer cck_acme_' } }, 401],
        ['/v1/keys', { headers: { authorization: `Bearer cck_default_${'A'.repeat(43)}` } }, 401],
        ['/v1/keys', { headers: { authorization: 'Basic eDp5' } }, 401],
        ['/v1/messages/1?organization=acme', { headers: operator }, 200],
        ['/v1/messages/1', { headers: operator }, 404],
      ] as const) {
        assert.equal((await request(service, path, options)).status, status, `${path} ${JSON.stringify(options)}`)
      }
      const list = await request(service, '/v1/organizations', { headers: reader })
      assert.deepEqual(
        list.body.organizations.map(({ id }: Answer) => id),
        ['acme'],
      )
      const keys = (await request(service, '/v1/keys', { headers: admin })).body.keys
      assert.equal(keys.length, 3)
      assert.ok(keys.every((each: Json) => !('key' in each) && !('hash' in each)))
      const readerKey = keys.find(({ scopes }: Answer) => scopes[0] === 'usage:read')
      await request(service, `/v1/keys/${readerKey.id}`, { method: 'DELETE', headers: admin })
      assert.equal((await request(service, '/usage', { headers: reader })).status, 401, 'revoked at once')
      assert.doesNotMatch(service.logged(), /cck_[a-z]+_[\w-]{10}/, 'no key is logged')
    })

    test('applies a change of time zone and billing day at the next period', async () => {
      await using service = await start()
      await request(service, '/v1/organizations', {
        body: { id: 'acme', name: 'Acme', time_zone: 'Asia/Tokyo', billing_anchor_day: 31 },
      })
      const before = (await request(service, '/v1/periods/current?organization=acme')).body
      const changed = await request(service, '/v1/organizations/acme', {
        method: 'PATCH',
        body: { time_zone: 'America/New_York', name: 'Acme Ltd' },
      })
      assert.deepEqual(
        [
          changed.body.name,
          changed.body.time_zone,
          changed.body.pending.time_zone,
          changed.body.pending.billing_anchor_day,
        ],
        ['Acme Ltd', 'Asia/Tokyo', 'America/New_York', 31],
      )
      assert.equal(changed.body.pending.effective_from, before.end)
      assert.deepEqual((await request(service, '/v1/periods/current?organization=acme')).body, before)
      for (const [method, path, body, status] of [
        ['PATCH', '/v1/organizations/acme', { time_zone: 'Mars/Olympus' }, 400],
        ['PATCH', '/v1/organizations/acme', { billing_anchor_day: 32 }, 400],
        ['PATCH', '/v1/organizations/nobody', { name: 'x' }, 404],
        ['POST', '/v1/organizations', { id: 'acme' }, 409],
        ['POST', '/v1/organizations', { id: 'No Slug' }, 400],
      ] as const) {
        assert.equal((await request(service, path, { method, body })).status, status, `${method} ${path}`)
      }
    })

    test('records what the Copilot service lists, amends what changes, and returns it after the upstream has moved on', async () => {
      let messages: Json[] = [
        { id: 1, text: 'What is the lease term?', timestamp: '2024-05-10T12:00:00Z' },
        { id: 2, text: 'x', timestamp: '2024-05-11T12:00:00Z', report_id: 7 },
      ]
      await using upstream = await startCopilot({
        listing: (incoming, response) => sendListing(messages)(incoming, response),
        report: (id, _, response) => send(response, 200, { id: Number(id), name: 'Seven', credit_cost: 7 }),
      })
      await using service = await start({ UPSTREAM_URL: upstream.url })
      await request(service, '/usage')
      messages = [{ ...messages[0], text: 'orbital latibro' }, ...messages.slice(1)]
      await request(service, '/usage')
      messages = []
      assert.deepEqual((await request(service, '/usage')).body, { usage: [] })
      assert.deepEqual((await request(service, '/usage?period=2024-05')).body.usage, [
        { message_id: 1, timestamp: '2024-05-10T12:00:00Z', credits_used: 2.1 },
        { message_id: 2, timestamp: '2024-05-11T12:00:00Z', report_name: 'Seven', credits_used: 7 },
      ])
      const { charges } = (await request(service, '/v1/messages/1')).body
      assert.deepEqual(
        charges.map(({ state, revision, credits: amount, superseded_by: by }: Answer) => [state, revision, amount, by]),
        [
          ['charged', 1, 2.1, undefined],
          ['superseded', 0, 1.85, 1],
        ],
      )
      const { body } = await request(service, '/v1/usage/totals?from=2024-05-01&to=2024-06-01&bucket=none')
      assert.deepEqual([body.buckets[0].messages, body.buckets[0].credits], [2, 9.1])
      const reported = await request(service, '/v1/messages', { body: { messages: [message(3, { report_id: 7 })] } })
      assert.equal(reported.body.results[0].credits, 7, 'the upstream prices reports')
    })

    test('rejects an invalid request before doing anything, and says what it expects', async () => {
      await using service = await start({ INTAKE_MAX_BATCH: '2', INTAKE_MAX_BYTES: '2KiB', INTAKE_MAX_TEXT: '1KiB' })
      for (const [path, options, status, detail] of [
        ['/v1/messages', { body: '{' }, 400, /body must be valid JSON/],
        ['/v1/messages', { body: '[]' }, 400, /"messages"/],
        ['/v1/messages', { body: { messages: {} } }, 400, /body\/messages must be an array/],
        ['/v1/messages', { body: { messages: [], more: 1 } }, 400, /body\/more must be absent/],
        ['/v1/messages', { body: { messages: [1, 2, 3] } }, 400, /at most 2/],
        ['/v1/messages', { body: { messages: ['x'.repeat(3000)] } }, 413, /at most 2048 bytes/],
        [
          '/v1/messages',
          { body: 'x', headers: { 'content-type': 'text/plain' } },
          415,
          /Content-Type header must be application\/json/,
        ],
        ['/v1/messages/1', {}, 404, /There is no message "1"\./],
        ['/v1/messages/x?id_type=integer', {}, 400, /an integer/],
        ['/usage?period=2024-13', {}, 400, /"period" must be current, previous, a month/],
        ['/usage?period=2024-05-02', {}, 400, /"period" must be a month or a day in which/],
        ['/usage?from=2024-05-01', {}, 400, /"to" must be given/],
        ['/usage?from=2024-05-01&to=2024-05-01', {}, 400, /later than "from"/],
        ['/usage?from=yesterday&to=2024-05-01', {}, 400, /"from" must be an RFC 3339/],
        ['/usage?period=current&from=2024-05-01&to=2024-06-01', {}, 400, /absent if/],
        ['/v1/usage?cursor=nonsense', {}, 400, /next_cursor/],
        ['/v1/usage?limit=0', {}, 400, /limit/],
        ['/v1/usage/totals?bucket=year', {}, 400, /bucket/],
        ['/v1/usage/totals?group_by=color', {}, 400, /group_by/],
        ['/v1/usage/totals?time_zone=Nowhere', {}, 400, /IANA/],
        ['/v1/usage/totals?page=WzVd', {}, 400, /next_page/],
        ['/v1/usage?organization=nobody', {}, 404, /There is no organization "nobody"\./],
        ['/v1/reports/1', { method: 'PUT', body: { name: 'x', credit_cost: 0.0000001 } }, 400, /credit_cost/],
        ['/v1/reports/1', { method: 'PUT', body: { name: 'x', credit_cost: -1 } }, 400, /credit_cost/],
        ['/v1/reports/1', {}, 404, /There is no report "1"\./],
        ['/v1/events', { body: {} }, 400, /ce-specversion/],
      ] as const) {
        const answer = await request(service, path, options)
        assert.equal(answer.status, status, `${path} ${JSON.stringify(answer.body)}`)
        assert.match(answer.body.detail, detail, path)
      }
      const invalid = await fetch(`${service.url}/v1/messages`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: Buffer.from([0x7b, 0xff]),
      })
      assert.match(await invalid.text(), /body must be valid UTF-8/)
    })

    test('takes nothing of a body whose client disconnects in the middle', async () => {
      await using service = await start()
      const { port } = new URL(service.url)
      const body = JSON.stringify({ messages: [message(1), message(2)] })
      const socket = connect(Number(port), '127.0.0.1')
      socket.write(
        `POST /v1/messages HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body.slice(0, -5)}`,
      )
      await once(socket, 'connect')
      socket.destroy()
      const stream = connect(Number(port), '127.0.0.1')
      const line = `${JSON.stringify(message(3))}\n`
      stream.write(
        `POST /v1/messages HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n${line.length.toString(16)}\r\n${line}\r\n5\r\n{"id"`,
      )
      await once(stream, 'data')
      stream.destroy()
      const taken = await request(service, '/v1/usage?from=2024-05-01&to=2024-06-01')
      assert.deepEqual(
        taken.body.usage.map(({ message_id: id }: Answer) => id).filter((id: number) => id !== 3),
        [],
      )
      assert.equal((await request(service, '/v1/messages', { body: { messages: [message(1)] } })).body.accepted, 1)
    })
  })
}

test('the sample is returned, and named as such, until the first message is reported', async () => {
  await using service = await startService({})
  const sample = await request(service, '/usage')
  assert.equal(sample.headers.get('usage-source'), 'bundled-sample')
  assert.equal(sample.body.usage.length, 120)
  await request(service, '/v1/messages', { body: { messages: [message(1, { timestamp: new Date().toISOString() })] } })
  const own = await request(service, '/usage')
  assert.equal(own.headers.get('usage-source'), null)
  assert.equal(own.body.usage.length, 1)
})

test('without keys, the service answers only to local host names, so that DNS rebinding cannot reach it', async () => {
  const statusFor = async (service: Running, host: string): Promise<number> => {
    const { hostname, port } = new URL(service.url)
    const socket = connect(Number(port), hostname)
    socket.write(`GET /usage HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`)
    return Number(/^HTTP\/1.1 (\d+)/.exec(await text(socket))?.[1])
  }
  await using upstream = await startCopilot({})
  for (const environment of [{}, { UPSTREAM_URL: upstream.url, UPSTREAM_MAX_AGE: '1min' }]) {
    await using guarded = await startService(environment)
    for (const host of ['localhost', 'LOCALHOST:8000', '127.0.0.1', '127.1.2.3:80', '[::1]:8000']) {
      assert.equal(await statusFor(guarded, host), 200, host)
    }
    for (const host of ['evil.example', 'localhost.evil.example:8000', '127.0.0.1.evil.example', '192.168.0.1']) {
      assert.equal(await statusFor(guarded, host), 401, host)
    }
  }
})

test('with AUTH=none, the service answers only to local names, IP addresses and configured names, against DNS rebinding', async () => {
  const ask = async (service: Running, host: string, path: string, method = 'GET', body = '') => {
    const { hostname, port } = new URL(service.url)
    const socket = connect(Number(port), hostname)
    const head = `Host: ${host}\r\nOrigin: http://${host}\r\nConnection: close\r\nContent-Length: ${body.length}`
    socket.write(`${method} ${path} HTTP/1.1\r\n${head}\r\nContent-Type: application/json\r\n\r\n${body}`)
    const answer = await text(socket)
    return { status: Number(/^HTTP\/1.1 (\d+)/.exec(answer)?.[1]), answer }
  }
  const allowed = ['localhost', 'LOCALHOST:8000', '127.0.0.1', '[::1]:8000', '0.0.0.0', '192.168.0.1:80', '[fe80::1]']
  const known = ['credits.example', 'Credits.Example.:8000', 'other', 'public.example:443']
  const refused = ['evil.example', 'localhost.evil.example', '127.0.0.1.evil.example', '2130706433', '0x7f.1', '127.1']
  refused.push(
    'a.credits.example',
    'credits.example.evil',
    '',
    '[evil]',
    'evil.example:localhost',
    'localhost@evil.example',
  )
  await using upstream = await startCopilot({})
  const settings = { AUTH: 'none', ALLOWED_HOSTS: 'credits.example, other', PUBLIC_URL: 'https://public.example' }
  for (const environment of [{}, { UPSTREAM_URL: upstream.url, UPSTREAM_MAX_AGE: '1min' }]) {
    await using service = await startService({ ...environment, ...settings })
    for (const host of [...allowed, ...known]) {
      assert.equal((await ask(service, host, '/usage')).status, 200, host)
      assert.equal((await ask(service, host, '/metrics')).status, 200, host)
    }
    for (const host of refused) {
      const { status, answer } = await ask(service, host, '/usage')
      assert.equal(status, 403, host)
      assert.match(answer, /problem:forbidden.*ALLOWED_HOSTS/)
      assert.equal((await ask(service, host, '/v1/usage')).status, 403, host)
      assert.equal((await ask(service, host, '/v1/keys', 'POST', '{"scopes":["admin"]}')).status, 403, host)
      assert.equal((await ask(service, host, '/metrics')).status, 403, host)
      assert.equal((await ask(service, host, '/healthz')).status, 200, host)
    }
    await using every = await startService({ ...environment, AUTH: 'none', ALLOWED_HOSTS: '*' })
    assert.equal((await ask(every, 'evil.example', '/usage')).status, 200)
  }
  // With keys, a host name alone gives no access.
  await using keyed = await startService({ ALLOWED_HOSTS: '*', PUBLIC_URL: 'https://public.example' })
  for (const host of ['evil.example', 'public.example', '192.168.0.1']) {
    assert.equal((await ask(keyed, host, '/usage')).status, 401, host)
  }
  await using local = await startService({})
  assert.equal((await ask(local, 'evil.example', '/metrics')).status, 403)
  assert.equal((await ask(local, 'localhost', '/metrics')).status, 200)
})
