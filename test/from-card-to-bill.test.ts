/** From a card of the product to a bill that is explained and corrected: each step as its user takes it. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { promisify } from 'node:util'
import { type Running, startService } from './harness.ts'

const runFile = promisify(execFile)
const root = join(import.meta.dirname, '..')

let folder: string
let service: Running
before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'copilot-credits-bill-'))
  service = await startService({})
})
after(async () => {
  await service[Symbol.asyncDispose]()
  rmSync(folder, { recursive: true })
})

// biome-ignore lint/suspicious/noExplicitAny: tests look at single fields of a response
type Answer = any

const call = async (method: string, path: string, body?: unknown): Promise<Answer> => {
  const headers = { 'content-type': 'application/json' }
  const response = await fetch(`${service.url}${path}`, {
    method,
    ...(body !== undefined && { headers, body: JSON.stringify(body) }),
  })
  assert.ok(response.ok, await response.clone().text())
  return response.json()
}

type Ran = { readonly code: number; readonly out: string; readonly err: string }

const run = async (...args: readonly string[]): Promise<Ran> => {
  const command = ['bin/copilot-credits.js', ...args, '--url', service.url]
  const env = { PATH: process.env['PATH'] }
  return runFile(process.execPath, command, { cwd: root, env }).then(
    ({ stdout, stderr }) => ({ code: 0, out: stdout, err: stderr }),
    (error: { readonly code: number; readonly stdout: string; readonly stderr: string }) => ({
      code: error.code,
      out: error.stdout,
      err: error.stderr,
    }),
  )
}

/** As each provider's client returns its usage. */
const MESSAGES = [
  {
    id: 'openai',
    timestamp: '2026-10-05T09:00:00Z',
    user_id: 'ada',
    model: 'gpt-5.4-2026-03-05',
    usage_format: 'openai',
    usage: {
      prompt_tokens: 2006,
      completion_tokens: 300,
      total_tokens: 2306,
      prompt_tokens_details: { cached_tokens: 1920 },
    },
  },
  {
    id: 'anthropic',
    timestamp: '2026-10-06T09:00:00Z',
    user_id: 'ada',
    model: 'claude-sonnet-4-5',
    usage_format: 'anthropic',
    usage: {
      input_tokens: 2048,
      cache_read_input_tokens: 1800,
      cache_creation_input_tokens: 248,
      output_tokens: 503,
    },
  },
  {
    id: 'gemini',
    timestamp: '2026-10-07T09:00:00Z',
    user_id: 'ben',
    model: 'gemini-3.1-pro',
    usage_format: 'gemini',
    usage: {
      promptTokenCount: 1000,
      cachedContentTokenCount: 400,
      candidatesTokenCount: 200,
      thoughtsTokenCount: 50,
      totalTokenCount: 1250,
    },
  },
  {
    id: 'unknown',
    timestamp: '2026-10-08T09:00:00Z',
    user_id: 'ben',
    model: 'gpt-7',
    usage: { input_tokens: 1000, output_tokens: 100 },
  },
]

/** By hand, from the published prices per million tokens: 250, 25, 1500; 300, 30, 375, 1500; 200, 20, 1200. */
const BILL = {
  openai: { input: [86, 0.0215], 'cache-read': [1920, 0.048], output: [300, 0.45], total: 0.5195 },
  anthropic: {
    input: [2048, 0.6144],
    'cache-read': [1800, 0.054],
    'cache-write': [248, 0.093],
    output: [503, 0.7545],
    total: 1.5159,
  },
  gemini: { input: [600, 0.12], 'cache-read': [400, 0.008], output: [250, 0.3], total: 0.428 },
} as const

test('three providers, a model without a price, a corrected card, a bill line by line, and what was charged before', async () => {
  const total = async (): Promise<Answer> =>
    (await call('GET', '/v1/usage/totals?bucket=none&period=2026-10&organization=octo')).buckets[0]
  await call('POST', '/v1/organizations', { id: 'octo', name: 'Octo', time_zone: 'UTC' })
  const use = { version: 'github-copilot-2026-06', from: '2026-10-01T00:00:00Z' }
  await call('PUT', '/v1/organizations/octo/rate-card', use)

  const sent = await call('POST', '/v1/messages?organization=octo', { messages: MESSAGES })
  assert.deepEqual(
    sent.results.map(({ id, status, credits, unpriced }: Answer) => [id, status, credits ?? unpriced]),
    [
      ['openai', 'accepted', BILL.openai.total],
      ['anthropic', 'accepted', BILL.anthropic.total],
      ['gemini', 'accepted', BILL.gemini.total],
      ['unknown', 'unpriced', 'the model "gpt-7" has no price in the card github-copilot-2026-06'],
    ],
  )
  const before = await total()
  assert.deepEqual([before.messages, before.credits, before.unpriced], [4, 2.4634, 1])

  for (const [id, { total: credits, ...lines }] of Object.entries(BILL)) {
    const { charges } = await call('GET', `/v1/messages/${id}?organization=octo`)
    const [charge] = charges
    assert.equal(charge.credits, credits)
    assert.deepEqual(
      charge.lines.map(({ rule, quantity, credits }: Answer) => [rule, [quantity, credits]]),
      Object.entries(lines),
      id,
    )
  }

  // The copy has a price for gpt-7, and another one for gpt-5.4.
  const card = JSON.parse((await run('cards', 'show', use.version)).out)
  card.version = 'octo-2026-10'
  card.prices['GPT-7'] = [{ input: 1000, output: 5000 }]
  card.aliases['gpt-7'] = 'GPT-7'
  card.prices['GPT-5.4'][1].input = 240
  const file = join(folder, 'card.json')
  writeFileSync(file, JSON.stringify(card))
  const asked = ['--card', file, '--period', '2026-10', '--organization', 'octo'] as const
  const shown = await run('simulate', ...asked, '--json')
  const simulation = JSON.parse(shown.out)
  assert.deepEqual(
    [simulation.credits_before, simulation.credits_after, simulation.difference, simulation.unpriced],
    [2.4634, 3.96254, 1.49914, []],
  )
  assert.deepEqual(
    simulation.largest_changes.map((each: Answer) => [each.message_id, each.credits_before, each.credits_after]),
    [
      ['unknown', undefined, 1.5],
      ['openai', 0.5195, 0.51864],
    ],
  )
  assert.deepEqual(await total(), before, 'nothing is written')

  const refused = await run('simulate', ...asked, '--apply')
  assert.equal(refused.code, 1)
  assert.match(refused.err, /is not stored/)
  await run('cards', 'put', file)
  const used = await run('cards', 'use', card.version, '--from', use.from, '--organization', 'octo')
  assert.match(used.err, /stay as they are: 3\./)
  await call('POST', '/v1/organizations/octo/reprice')
  const priced = await total()
  assert.deepEqual([priced.credits, priced.unpriced], [3.9634, undefined])

  const applied = await run('simulate', '--card', card.version, ...asked.slice(2), '--apply')
  assert.equal(applied.code, 0, applied.err)
  assert.deepEqual([(await total()).credits, (await total()).messages], [3.96254, 4])
  const { charges } = await call('GET', '/v1/messages/openai?organization=octo')
  assert.deepEqual(
    charges.map(({ state, credits, rate_card, changed }: Answer) => [state, credits, rate_card, changed]),
    [
      ['charged', 0.51864, card.version, undefined],
      ['superseded', 0.5195, use.version, ['rate_card']],
    ],
  )
})
