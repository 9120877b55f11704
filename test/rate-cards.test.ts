/** Rate cards over HTTP: the catalogue, and which of them is in force, on each store. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import type { Ledger } from '../src/ledger/ledger.ts'
import { createPostgresLedger } from '../src/store/postgres/ledger.ts'
import { createSqliteLedger } from '../src/store/sqlite/ledger.ts'
import { type Running, startService } from './harness.ts'
import { type PostgresServer, startPostgres } from './postgres-server.ts'

// biome-ignore lint/suspicious/noExplicitAny: tests look at single fields of a response
type Answer = any

type Sent = {
  readonly method?: string
  readonly body?: unknown
  readonly headers?: Readonly<Record<string, string>>
}

const request = async (
  service: Running,
  path: string,
  { body, method = body === undefined ? 'GET' : 'POST', headers = {} }: Sent = {},
): Promise<{ readonly status: number; readonly body: Answer }> => {
  const response = await fetch(`${service.url}${path}`, {
    method,
    headers: { ...(body !== undefined && { 'content-type': 'application/json' }), ...headers },
    ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  })
  return { status: response.status, body: await response.json() }
}

const put = (service: Running, path: string, body: unknown) => request(service, path, { method: 'PUT', body })

const tokens = (version: string, input = 250) => ({
  version,
  prices: { 'gpt-5.4': [{ input, output: 1500 }] },
  cases: [
    {
      name: 'tokens',
      when: { model: '*', feature: ['chat', 'agent'] },
      lines: [
        { rule: 'input', of: 'input_tokens', per: 1_000_000, price: 'input' },
        { rule: 'output', of: 'output_tokens', per: 1_000_000, price: 'output' },
        { rule: 'pages', of: 'pages', rate: 8 },
      ],
    },
    { name: 'text', when: { text: true }, lines: [{ rule: 'message', rate: 2 }] },
  ],
})

const message = (id: number, timestamp: string) => ({ id, text: 'What is the lease term?', timestamp })

let server: PostgresServer
let folder: string
before(async () => {
  server = await startPostgres()
  folder = mkdtempSync(join(tmpdir(), 'copilot-credits-rate-cards-'))
})
after(async () => {
  rmSync(folder, { recursive: true })
  await server[Symbol.asyncDispose]()
})

let databases = 0
const STORES = {
  SQLite: async () => {
    const path = join(folder, `${databases++}.db`)
    return { url: `sqlite:${path}`, open: (): Promise<Ledger> => createSqliteLedger({ path }) }
  },
  PostgreSQL: async () => {
    const url = await server.createDatabase()
    return { url, open: (): Promise<Ledger> => createPostgresLedger({ url, poolSize: 2 }) }
  },
}

for (const [name, database] of Object.entries(STORES)) {
  describe(`on ${name}`, () => {
    test('a card is stored once, in its own words, and another one never takes its version', async () => {
      await using service = await startService({ DATABASE_URL: (await database()).url })
      const created = await request(service, '/v1/rate-cards', { body: tokens('a') })
      assert.equal(created.status, 201)
      const { hash, created_at: createdAt, ...rest } = created.body
      assert.match(hash, /^[0-9a-f]{64}$/)
      assert.deepEqual(rest, {
        version: 'a',
        expects: {
          text: true,
          model: true,
          usage: ['input_tokens', 'output_tokens'],
          quantities: ['pages'],
          attributes: ['feature'],
        },
      })
      const { cases, ...first } = tokens('a')
      const again = await request(service, '/v1/rate-cards', { body: { cases, ...first } })
      assert.deepEqual(again, { status: 200, body: created.body }, 'the order of members does not matter')
      const other = await request(service, '/v1/rate-cards', { body: tokens('a', 251) })
      assert.equal(other.status, 409)
      assert.match(other.body.detail, /another rate card with the version "a"/)
      assert.deepEqual((await request(service, '/v1/rate-cards/a')).body, { ...created.body, card: tokens('a') })
      const list = await request(service, '/v1/rate-cards')
      assert.deepEqual(
        list.body.rate_cards.map((each: Answer) => [each.version, 'created_at' in each, each.built_in?.as_of]),
        [
          ['a', true, undefined],
          ['copilot-studio-2026-09', false, '2026-09-03'],
          ['github-copilot-2026-06', false, '2026-06-01'],
          ['github-premium-requests-2026-06', false, '2026-06-01'],
          ['standard-2024', false, '2024'],
        ],
      )
      assert.equal(list.body.rate_cards[0].created_at, createdAt)
      const missing = await request(service, '/v1/rate-cards/b')
      assert.equal(missing.status, 404)
      assert.equal(missing.body.detail, 'There is no rate card "b".')
    })

    test('a card that comes with the product is quoted with, put in force and listed like a stored one', async () => {
      await using service = await startService({ DATABASE_URL: (await database()).url })
      const version = 'github-copilot-2026-06'
      const used = { model: 'gpt-5.4', usage: { input_tokens: 272_001 } }
      const quotes = await request(service, '/v1/quotes', { body: { rate_card: version, messages: [used] } })
      assert.deepEqual([quotes.body.quotes[0].rate_card, quotes.body.quotes[0].credits], [version, 136.0005])
      const before = await request(service, `/v1/rate-cards/${version}`)
      assert.match(before.body.built_in.title, /GitHub Copilot/)
      assert.match(before.body.built_in.source, /^https:\/\//)
      const list = await request(service, '/v1/rate-cards')
      const from = '2024-05-01T00:00:00.000Z'
      const inForce = await put(service, '/v1/organizations/default/rate-card', { version, from })
      assert.deepEqual(inForce.body.in_force.at(-1), { version, from })
      const body = { messages: [{ id: 1, timestamp: '2024-05-10T09:30:00Z', ...used }] }
      const reported = await request(service, '/v1/messages', { body })
      assert.deepEqual(reported.body.results, [{ id: 1, status: 'accepted', credits: 136.0005 }])
      assert.deepEqual(await request(service, `/v1/rate-cards/${version}`), before)
      assert.deepEqual(await request(service, '/v1/rate-cards'), list)
      const byDefault = await put(service, '/v1/default-rate-card', { version: 'copilot-studio-2026-09', from })
      assert.deepEqual(byDefault.body.in_force.at(-1), { version: 'copilot-studio-2026-09', from, by_default: true })
    })

    test('the built-in card is in the catalogue and cannot be replaced', async () => {
      await using service = await startService({ DATABASE_URL: (await database()).url })
      const { body } = await request(service, '/v1/rate-cards/standard-2024')
      assert.equal(body.card.cases.length, 2)
      assert.deepEqual(body.expects, { text: true, report_id: true })
      const again = await request(service, '/v1/rate-cards', { body: body.card })
      const { card: _, ...entry } = body
      assert.deepEqual(again, { status: 200, body: entry })
      assert.equal((await request(service, '/v1/rate-cards', { body: tokens('standard-2024') })).status, 409)
      assert.deepEqual((await request(service, '/v1/rate-cards/standard-2024')).body, body)
    })

    test('a faulty card is refused with every fault in its place, and nothing of it is stored', async () => {
      await using service = await startService({ DATABASE_URL: (await database()).url })
      const faulty = {
        version: 'A card',
        color: 'red',
        cases: [{ name: 'x', lines: [{ rule: 'r', rate: 0.0000001, per: 0 }] }],
      }
      const { status, body } = await request(service, '/v1/rate-cards', { body: faulty })
      assert.equal(status, 400)
      assert.deepEqual(
        body.errors.map(({ field }: Answer) => field),
        ['color', 'version', 'cases[0].lines[0].rate', 'cases[0].lines[0].per'],
      )
      assert.ok(body.errors.every(({ expected }: Answer) => expected !== ''))
      assert.match(body.detail, /^The field color must be absent.* 3 other fields are not valid either\.$/)
      const whole = await request(service, '/v1/rate-cards', { body: [] })
      assert.deepEqual(whole.body.errors, [{ field: 'body', expected: 'an object' }])
      const named = await request(service, '/v1/rate-cards', {
        body: { ...tokens('c'), aliases: { 'a\u0000': 'gpt-5.4' } },
      })
      assert.equal(named.status, 400)
      const price = JSON.stringify(tokens('c', 0.5)).replace('0.5', '0.1000000000000000000001')
      const rounded = await request(service, '/v1/rate-cards', { body: price })
      assert.deepEqual(
        [rounded.status, rounded.body.errors],
        [
          400,
          [
            {
              field: 'prices["gpt-5.4"][0].input',
              expected: 'a number that fits a 64-bit float without losing digits',
            },
          ],
        ],
      )
      const report = '{"name":"Lease","credit_cost":0.1000000000000000000001}'
      const cost = await put(service, '/v1/reports/1', report)
      assert.deepEqual([cost.status, cost.body.errors[0].field], [400, 'credit_cost'])
      const many = { version: 'm', cases: Array.from({ length: 2000 }, () => 0) }
      const bounded = await request(service, '/v1/rate-cards', { body: many })
      assert.equal(bounded.body.errors.length, 1000)
      assert.match(bounded.body.detail, /1999 other fields/)
      const { body: list } = await request(service, '/v1/rate-cards')
      assert.ok(list.rate_cards.every((each: Answer) => each.built_in !== undefined))
    })

    test('a card may have 4 MiB and 20,000 models, and no more', async () => {
      await using service = await startService({ DATABASE_URL: (await database()).url })
      const models = (count: number) =>
        Object.fromEntries(
          Array.from({ length: count }, (_, at) => [`${'m'.repeat(130)}${at}`, [{ input: at, output: 1 }]]),
        )
      const large = { ...tokens('large'), prices: models(20_000) }
      assert.ok(JSON.stringify(large).length > 3_000_000)
      assert.equal((await request(service, '/v1/rate-cards', { body: large })).status, 201)
      assert.deepEqual((await request(service, '/v1/rate-cards/large')).body.card, large)
      const many = await request(service, '/v1/rate-cards', {
        body: { ...large, version: 'n', prices: models(20_001) },
      })
      assert.deepEqual([many.status, many.body.errors[0].field], [400, 'prices'])
      const spaced = `${' '.repeat(4 * 1024 * 1024)}${JSON.stringify(tokens('s'))}`
      assert.equal((await request(service, '/v1/rate-cards', { body: spaced })).status, 413)
    })

    test('an organization uses cards from instants on, and is told what stays as it was charged', async () => {
      await using service = await startService({ DATABASE_URL: (await database()).url })
      await request(service, '/v1/organizations', { body: { id: 'acme' } })
      const path = '/v1/organizations/acme/rate-card'
      const none = { in_force: [{ version: 'standard-2024', by_default: true }], priced_otherwise: 0 }
      assert.deepEqual(await request(service, path), { status: 200, body: none })
      for (const version of ['a', 'b']) await request(service, '/v1/rate-cards', { body: tokens(version) })
      const messages = [
        '2024-05-01T00:00:00Z',
        '2024-05-10T11:59:59.999Z',
        '2024-05-10T12:00:00Z',
        '2024-06-01T00:00:00Z',
      ]
      const sent = { messages: messages.map((timestamp, id) => message(id, timestamp)) }
      await request(service, '/v1/messages?organization=acme', { body: sent })
      assert.deepEqual((await request(service, path)).body, none)
      const first = await put(service, path, { version: 'a', from: '2024-05-10T14:00:00+02:00' })
      assert.deepEqual(first, {
        status: 200,
        body: {
          in_force: [
            { version: 'standard-2024', by_default: true },
            { version: 'a', from: '2024-05-10T12:00:00.000Z' },
          ],
          priced_otherwise: 2,
        },
      })
      assert.deepEqual(await request(service, path), first)
      const back = await put(service, path, { version: 'standard-2024', from: '2024-05-20T00:00:00Z' })
      assert.equal(back.body.priced_otherwise, 1, 'the message of June was charged by the card in force then')
      const begun = Date.now()
      const now = await put(service, path, { version: 'b' })
      const from = Date.parse(now.body.in_force.at(-1).from)
      assert.ok(from >= begun && from <= Date.now(), 'now, if left out')
      assert.deepEqual(
        now.body.in_force.map(({ version }: Answer) => version),
        ['standard-2024', 'a', 'standard-2024', 'b'],
      )
      assert.deepEqual((await request(service, '/v1/organizations/default/rate-card')).body, none)
    })

    test('a card that is not stored, an unknown organization and an instant that is none are refused', async () => {
      await using service = await startService({ DATABASE_URL: (await database()).url })
      await request(service, '/v1/rate-cards', { body: tokens('a') })
      const path = '/v1/organizations/default/rate-card'
      for (const [at, body, status, detail] of [
        [path, { version: 'b' }, 404, /no rate card "b"/],
        ['/v1/default-rate-card', { version: 'b' }, 404, /no rate card "b"/],
        ['/v1/organizations/nobody/rate-card', { version: 'a' }, 404, /no organization "nobody"/],
        [path, { version: 'a', from: '2024-05-10' }, 400, /body\/from must be an RFC 3339 date-time/],
        [path, { version: 'a', from: '2024-05-10 00:00:00Z' }, 400, /body\/from must be an RFC 3339 date-time/],
        [path, { version: 'a', until: '2024-05-10T00:00:00Z' }, 400, /body\/until must be absent/],
      ] as const) {
        const answer = await put(service, at, body)
        assert.equal(answer.status, status, at)
        assert.match(answer.body.detail, detail)
      }
      assert.equal((await request(service, '/v1/organizations/nobody/rate-card')).status, 404)
      assert.equal((await request(service, path)).body.in_force.length, 1)
    })

    test('no card is put in force in a closed period', async () => {
      const { url, open } = await database()
      await using service = await startService({ DATABASE_URL: url })
      await request(service, '/v1/rate-cards', { body: tokens('a') })
      const ledger = await open()
      await ledger.decide('default', { kind: 'close', until: Date.parse('2024-06-01T00:00:00Z') })
      await ledger.close()
      for (const path of ['/v1/organizations/default/rate-card', '/v1/default-rate-card']) {
        const late = await put(service, path, { version: 'a', from: '2024-05-31T23:59:59.999Z' })
        assert.equal(late.status, 409, path)
        assert.match(late.body.detail, /closed period.*must be 2024-06-01T00:00:00.000Z or later/)
        assert.equal((await put(service, path, { version: 'a', from: '2024-06-01T00:00:00Z' })).status, 200, path)
      }
      const { body } = await request(service, '/v1/organizations/default/rate-card')
      assert.deepEqual(body.in_force.at(-1), { version: 'a', from: '2024-06-01T00:00:00.000Z' })
    })

    test('a card for unpriced messages only is put in force in a closed period, and nowhere else', async () => {
      const { url, open } = await database()
      await using service = await startService({ DATABASE_URL: url })
      for (const version of ['a', 'b']) await request(service, '/v1/rate-cards', { body: tokens(version) })
      const paths = ['/v1/organizations/default/rate-card', '/v1/default-rate-card']
      const use = { version: 'a', from: '2024-05-10T00:00:00Z', for: 'unpriced' }
      for (const path of paths) {
        const early = await put(service, path, use)
        assert.equal(early.status, 409)
        assert.match(early.body.detail, /only in a closed period\. No period is closed\. .*without "for"/)
        const { from: _, ...always } = use
        const without = await put(service, path, always)
        assert.deepEqual([without.status, without.body.errors?.[0]?.field], [400, 'body/from'])
        const other = await put(service, path, { ...use, for: 'all' })
        assert.deepEqual([other.status, other.body.errors?.[0]?.field], [400, 'body/for'])
      }
      const ledger = await open()
      await ledger.decide('default', { kind: 'close', until: Date.parse('2024-06-01T00:00:00Z') })
      await ledger.close()
      const until = '2024-06-01T00:00:00.000Z'
      for (const path of paths) {
        const late = await put(service, path, { ...use, from: until })
        assert.equal(late.status, 409)
        assert.match(
          late.body.detail,
          /Only what is before 2024-06-01T00:00:00\.000Z is closed: "from" must be earlier/,
        )
        assert.match((await put(service, path, { version: 'a', from: use.from })).body.detail, /"for": "unpriced"/)
      }
      const first = { version: 'standard-2024', by_default: true }
      const [organization, installation] = paths as [string, string]
      const rest = { version: 'a', from: '2024-05-10T00:00:00.000Z', by_default: true, for: 'unpriced', until }
      const byDefault = { status: 200, body: { in_force: [first, rest], priced_otherwise: 0 } }
      assert.deepEqual(await put(service, installation, use), byDefault)
      assert.deepEqual(await request(service, installation), byDefault)
      assert.deepEqual((await request(service, organization)).body.in_force, [first, rest])
      const own = await put(service, organization, { ...use, version: 'b', from: '2024-05-20T00:00:00Z' })
      const start = '2024-05-20T00:00:00.000Z'
      assert.deepEqual(own, {
        status: 200,
        body: {
          in_force: [first, { ...rest, until: start }, { version: 'b', from: start, for: 'unpriced', until }],
          priced_otherwise: 0,
        },
      })
      assert.deepEqual(await request(service, organization), own)
    })

    test("the installation's card is that of organizations without one of their own", async () => {
      await using service = await startService({ DATABASE_URL: (await database()).url })
      await request(service, '/v1/organizations', { body: { id: 'acme' } })
      for (const version of ['a', 'b']) await request(service, '/v1/rate-cards', { body: tokens(version) })
      await put(service, '/v1/organizations/acme/rate-card', { version: 'b', from: '2024-06-01T00:00:00Z' })
      await request(service, '/v1/messages', { body: { messages: [message(1, '2024-07-01T00:00:00Z')] } })
      const ofAcme = [message(1, '2024-04-30T00:00:00Z'), message(2, '2024-05-02T00:00:00Z')]
      await request(service, '/v1/messages?organization=acme', { body: { messages: ofAcme } })
      await request(service, '/v1/organizations', { body: { id: 'unused' } })
      const used = await put(service, '/v1/default-rate-card', { version: 'a', from: '2024-05-01T00:00:00Z' })
      const byDefault = [
        { version: 'standard-2024', by_default: true },
        { version: 'a', from: '2024-05-01T00:00:00.000Z', by_default: true },
      ]
      assert.deepEqual(used, { status: 200, body: { in_force: byDefault, priced_otherwise: 2 } })
      assert.deepEqual(await request(service, '/v1/default-rate-card'), used)
      const own = await request(service, '/v1/organizations/acme/rate-card')
      assert.deepEqual(own.body.in_force, [...byDefault, { version: 'b', from: '2024-06-01T00:00:00.000Z' }])
      const other = await request(service, '/v1/organizations/default/rate-card')
      assert.deepEqual(other.body, { in_force: byDefault, priced_otherwise: 1 })
    })

    test('only operators store cards and put them in force; readers see those of their own organization', async () => {
      await using service = await startService({ DATABASE_URL: (await database()).url })
      await request(service, '/v1/organizations', { body: { id: 'acme' } })
      await request(service, '/v1/rate-cards', { body: tokens('a') })
      const keyFor = async (organization: string, scope: string, headers = {}) => {
        const body = { scopes: [scope] }
        const made = await request(service, `/v1/keys?organization=${organization}`, { body, headers })
        return { authorization: `Bearer ${made.body.key}` }
      }
      const operator = await keyFor('default', 'admin')
      const admin = await keyFor('acme', 'admin', operator)
      const reader = await keyFor('acme', 'usage:read', operator)
      const own = '/v1/organizations/acme/rate-card'
      for (const [path, sent, status] of [
        ['/v1/rate-cards', { body: tokens('b'), headers: admin }, 403],
        ['/v1/rate-cards', { headers: reader }, 200],
        ['/v1/rate-cards/a', { headers: reader }, 200],
        [own, { method: 'PUT', body: { version: 'a' }, headers: admin }, 403],
        [own, { method: 'PUT', body: { version: 'a' }, headers: operator }, 200],
        [own, { headers: reader }, 200],
        [own, { headers: operator }, 200],
        ['/v1/organizations/default/rate-card', { headers: reader }, 404],
        ['/v1/default-rate-card', { headers: admin }, 403],
        ['/v1/default-rate-card', { method: 'PUT', body: { version: 'a' }, headers: admin }, 403],
        ['/v1/default-rate-card', { headers: operator }, 200],
      ] as const) {
        assert.equal((await request(service, path, sent)).status, status, `${path} ${JSON.stringify(sent)}`)
      }
    })
  })
}
