/** Messages priced by their tokens, as clients of the vendors report them: charged, explained, totaled and refused. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { type Running, startService } from './harness.ts'
import { type PostgresServer, startPostgres } from './postgres-server.ts'
import type { Schemas } from './wire-types.ts'

const perMillion = (rule: string, of: string, price: string) => ({ rule, of, per: 1_000_000, price })

const CARD = {
  version: 'copilot-2026-06',
  prices: {
    'gpt-5.4': [
      { when: { prompt_tokens: { above: 272_000 } }, input: 500, cache_read: 50, output: 2250 },
      { input: 250, cache_read: 25, output: 1500 },
    ],
    'claude-opus-4.5': [{ input: 500, cache_read: 50, cache_write: 625, output: 2500 }],
    'gemini-3-pro': [{ input: 200, cache_read: 20, output: 1200 }],
  },
  aliases: { 'gpt-5.4-2026-03-05': 'gpt-5.4', 'claude-opus-4-5-20251101': 'claude-opus-4.5' },
  cases: [
    { name: 'report', when: { report: true }, lines: [{ rule: 'report', of: 'report_credits', rate: 1 }] },
    { name: 'licensed', when: { licensed: true }, lines: [] },
    {
      name: 'tokens',
      when: { model: '*' },
      lines: [
        perMillion('input', 'input_tokens', 'input'),
        perMillion('cache-read', 'cache_read_tokens', 'cache_read'),
        perMillion('cache-write', 'cache_write_tokens', 'cache_write'),
        perMillion('output', 'output_tokens', 'output'),
        { rule: 'searches', of: 'web_searches', rate: 1 },
      ],
    },
    { name: 'text', when: { text: true }, lines: [{ rule: 'base', rate: 1 }] },
  ],
  outcomes: { failed: 0, cancelled: 0.5, utility: 0 },
}

const TIMESTAMP = '2024-05-10T12:00:00Z'

const openai = (prompt: number, completion = 0, cached = 0) => ({
  usage_format: 'openai',
  usage: {
    prompt_tokens: prompt,
    completion_tokens: completion,
    total_tokens: prompt + completion,
    prompt_tokens_details: { cached_tokens: cached },
    completion_tokens_details: { reasoning_tokens: 0 },
  },
})

/** Each message, and the credits that it costs by the card. */
const PRICED: readonly (readonly [message: object, credits: number])[] = [
  [{ id: 'at-the-limit', model: 'gpt-5.4', ...openai(272_000) }, 68],
  [{ id: 'above-it', model: 'gpt-5.4', ...openai(272_001) }, 136.0005],
  [{ id: 'alias', model: 'gpt-5.4-2026-03-05', ...openai(2000, 500, 1000), user_id: 'ada', team_id: 'search' }, 1.025],
  [
    {
      id: 'anthropic',
      model: 'claude-opus-4-5-20251101',
      usage_format: 'anthropic',
      usage: { input_tokens: 10, cache_creation_input_tokens: 1000, cache_read_input_tokens: 2000, output_tokens: 100 },
      attributes: { feature: 'chat' },
    },
    0.98,
  ],
  [
    {
      id: 'gemini',
      model: 'gemini-3-pro',
      usage_format: 'gemini',
      usage: { promptTokenCount: 1000, candidatesTokenCount: 20, thoughtsTokenCount: 80, totalTokenCount: 1100 },
      quantities: { web_searches: 2, pages: 3 },
    },
    2.32,
  ],
  [{ id: 'half', model: 'gpt-5.4', ...openai(1000), outcome: 'cancelled' }, 0.125],
  [{ id: 'failed', model: 'gpt-5.4', ...openai(1000), outcome: 'failed' }, 0],
  [{ id: 'licensed', model: 'unheard-of', ...openai(1000), attributes: { licensed: true } }, 0],
  [{ id: 'zero', model: 'gpt-5.4', ...openai(0) }, 0],
  [{ id: 'text', text: 'What is the lease term?' }, 1],
]

const UNPRICED: readonly (readonly [message: object, reason: RegExp])[] = [
  [{ id: 'unknown-model', model: 'gpt-7', ...openai(1000) }, /gpt-7/],
  [{ id: 'no-column', model: 'gemini-3-pro', usage: { input_tokens: 1, cache_write_tokens: 1 } }, /cache_write/],
  [{ id: 'no-case', quantities: { pages: 3 } }, /case/],
]

let server: PostgresServer

before(async () => {
  server = await startPostgres()
})

after(() => server[Symbol.asyncDispose]())

const STORES = {
  SQLite: async () => ({}),
  PostgreSQL: async () => ({ DATABASE_URL: await server.createDatabase() }),
}

for (const [name, environment] of Object.entries(STORES)) {
  describe(`on ${name}`, () => {
    let service: Running

    const call = async <T>(method: string, path: string, body?: unknown): Promise<T> => {
      const response = await fetch(`${service.url}${path}`, {
        method,
        ...(body !== undefined && { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
      })
      assert.ok(response.ok, `${method} ${path}: ${response.status} ${await response.clone().text()}`)
      return (await response.json()) as T
    }
    const report = (messages: readonly object[]) =>
      call<Schemas['ReportedMessages']>('POST', '/v1/messages', {
        messages: messages.map((each) => ({ timestamp: TIMESTAMP, ...each })),
      })
    const chargeOf = async (id: string) => (await call<Schemas['Charges']>('GET', `/v1/messages/${id}`)).charges[0]

    before(async () => {
      service = await startService(await environment())
      await call('POST', '/v1/rate-cards', CARD)
      await call('PUT', '/v1/organizations/default/rate-card', { version: CARD.version, from: '2024-05-01T00:00:00Z' })
    })
    after(() => service[Symbol.asyncDispose]())

    test('each message costs what the card says, and its lines say why', async () => {
      const { results, accepted } = await report(PRICED.map(([message]) => message))
      assert.equal(accepted, PRICED.length)
      assert.deepEqual(
        results.map((each) => ('credits' in each ? each.credits : each)),
        PRICED.map(([, credits]) => credits),
      )
      for (const [message, credits] of PRICED) {
        const charge = await chargeOf((message as { id: string }).id)
        assert.equal(charge?.credits, credits)
        const sum = charge.lines.reduce((total, line) => total + Math.round(line.credits * 1e6), 0)
        assert.equal(sum, Math.round(credits * 1e6), JSON.stringify(charge))
      }
      const alias = await chargeOf('alias')
      assert.deepEqual([alias?.model, alias?.priced_model, alias?.case], ['gpt-5.4-2026-03-05', 'gpt-5.4', 'tokens'])
      assert.deepEqual(alias?.facts?.usage, {
        input_tokens: 1000,
        cache_read_tokens: 1000,
        cache_write_tokens: 0,
        output_tokens: 500,
      })
      assert.deepEqual(alias?.lines[0], {
        rule: 'input',
        quantity: 1000,
        rate: 250,
        per: 1_000_000,
        credits: 0.25,
        why: alias?.lines[0]?.why,
      })
      assert.deepEqual((await chargeOf('gemini'))?.unused, ['pages'])
    })

    test('what has no price is kept, not charged and said everywhere', async () => {
      const { results, unpriced, accepted } = await report(UNPRICED.map(([message]) => message))
      assert.deepEqual([accepted, unpriced], [0, UNPRICED.length])
      for (const [index, [, reason]] of UNPRICED.entries()) {
        const result = results[index]
        assert.ok(result !== undefined && 'unpriced' in result && result.status === 'unpriced', JSON.stringify(result))
        assert.match(result.unpriced ?? '', reason)
      }
      const usage = await fetch(`${service.url}/usage?period=2024-05`)
      assert.equal(usage.headers.get('usage-unpriced'), String(UNPRICED.length))
      const charged = ((await usage.json()) as { usage: readonly { message_id: string }[] }).usage
      assert.deepEqual(
        charged.map((line) => line.message_id).sort(),
        PRICED.map(([message]) => (message as { id: string }).id).sort(),
      )
      const { usage: lines } = await call<Schemas['UsagePage']>('GET', '/v1/usage?period=2024-05&unpriced=true')
      assert.deepEqual(
        lines.map((line) => [line.message_id, line.credits_used, line.unpriced !== undefined]).sort(),
        UNPRICED.map(([message]) => [(message as { id: string }).id, undefined, true]).sort(),
      )
      const totals = await call<Schemas['Totals']>('GET', '/v1/usage/totals?period=2024-05&bucket=none')
      assert.deepEqual(
        [totals.buckets[0]?.messages, totals.buckets[0]?.unpriced],
        [PRICED.length + UNPRICED.length, UNPRICED.length],
      )
      const again = await report([UNPRICED[0]?.[0] as object])
      assert.deepEqual([again.duplicate, again.unpriced ?? 0], [1, 0])
    })

    test('the same content is a duplicate in any format, and another outcome is a conflict', async () => {
      const own = { id: 'alias', model: 'gpt-5.4-2026-03-05', user_id: 'ada', team_id: 'search', outcome: 'succeeded' }
      const usage = { input_tokens: 1000, cache_read_tokens: 1000, output_tokens: 500 }
      assert.equal((await report([{ ...own, usage }])).duplicate, 1)
      const { results } = await report([{ ...own, usage, outcome: 'failed' }])
      assert.deepEqual(
        results.map(({ status, outcome }) => [status, outcome]),
        [['conflict', 'succeeded']],
      )
    })

    test('totals are grouped and filtered by model, team, feature and outcome', async () => {
      const path = '/v1/usage/totals?period=2024-05&bucket=none'
      const byModel = await call<Schemas['Totals']>('GET', `${path}&group_by=model`)
      const groups = byModel.buckets[0]?.groups?.map(({ model, credits }) => [model, credits])
      assert.deepEqual(
        groups?.find(([model]) => model === 'gemini-3-pro'),
        ['gemini-3-pro', 2.32],
      )
      const cancelled = await call<Schemas['Totals']>('GET', `${path}&outcome=cancelled`)
      assert.equal(cancelled.buckets[0]?.credits, 0.125)
      const chat = await call<Schemas['Totals']>('GET', `${path}&feature=chat&group_by=feature,outcome`)
      assert.equal(chat.buckets[0]?.credits, 0.98)
      const ofTeam = await call<Schemas['UsagePage']>('GET', '/v1/usage?period=2024-05&team_id=search')
      assert.deepEqual(
        ofTeam.usage.map((line) => line.message_id),
        ['alias'],
      )
    })

    test('a quote is what the message would be charged', async () => {
      const messages = [...PRICED, ...UNPRICED].map(([message]) => ({ timestamp: TIMESTAMP, ...message }))
      const { quotes } = await call<Schemas['Quotes']>('POST', '/v1/quotes', { messages })
      assert.deepEqual(
        quotes.map((quote) => ('credits' in quote ? quote.credits : undefined)),
        [...PRICED.map(([, credits]) => credits), ...UNPRICED.map(() => undefined)],
      )
    })
  })
}
