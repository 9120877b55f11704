/** What is wrong with a field of a message is said with the same path at every edge, and never with its text. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { type Running, send, startCopilot, startService } from './harness.ts'

const SECRET = 'the merger with Initech'
const T = '2024-05-10T12:00:00Z'

type Wrong = readonly [fields: Readonly<Record<string, unknown>>, field: string, reason: string]

/** `text` is present in all of them, and each other value quotes it where a string may stand. */
const WRONG: readonly Wrong[] = [
  [{ model: '' }, 'model', 'must be a string of 1 to 200 characters, free of U+0000 and lone surrogates, or absent'],
  [
    { model: `${SECRET}\u0000` },
    'model',
    'must be a string of 1 to 200 characters, free of U+0000 and lone surrogates, or absent',
  ],
  [
    { usage: {} },
    'usage',
    'must have at least one of input_tokens, cache_read_tokens, cache_write_tokens, output_tokens, reasoning_tokens, cache_write_1h_tokens',
  ],
  [{ usage: SECRET }, 'usage', 'must be an object of token counts'],
  [{ usage: { input_tokens: SECRET } }, 'usage.input_tokens', 'must be a whole number from 0 to 9007199254740991'],
  [
    { usage: { prompt_tokens: 5 } },
    'usage.prompt_tokens',
    'must be absent: usage has input_tokens, cache_read_tokens, cache_write_tokens, output_tokens, reasoning_tokens, ' +
      'cache_write_1h_tokens, or another shape if usage_format names it',
  ],
  [
    { usage: { prompt_tokens: 5, prompt_tokens_details: { cached_tokens: 6 } }, usage_format: 'openai' },
    'usage.prompt_tokens',
    'must be at least prompt_tokens_details.cached_tokens, which it includes',
  ],
  [
    { usage: { prompt_tokens: 5, prompt_tokens_details: SECRET }, usage_format: 'openai' },
    'usage.prompt_tokens_details',
    'must be an object',
  ],
  [
    { usage: { input_tokens: 1, cache_creation: { ephemeral_1h_input_tokens: 0.5 } }, usage_format: 'anthropic' },
    'usage.cache_creation.ephemeral_1h_input_tokens',
    'must be a whole number from 0 to 9007199254740991',
  ],
  [
    { usage: { input_tokens: 5 }, usage_format: SECRET },
    'usage_format',
    'must be one of openai, anthropic, gemini, ai-sdk, openrouter, or absent',
  ],
  [
    { quantities: { pages: '3' } },
    'quantities.pages',
    'must be a number of at least 0, whole up to 9007199254740991 or below 8589934592 with at most six decimals',
  ],
  [{ quantities: { words: 3 } }, 'quantities.words', 'must have another name: the service counts this itself'],
  [
    { attributes: { tier: 3 } },
    'attributes.tier',
    'must be a string of up to 200 characters, free of U+0000 and lone surrogates, or a boolean',
  ],
  [
    { attributes: { pages: SECRET }, quantities: { pages: 1 } },
    'attributes.pages',
    'must have another name: a quantity has this one',
  ],
  [{ outcome: SECRET }, 'outcome', 'must be one of succeeded, failed, cancelled, retried, utility, or absent'],
]

const entries = WRONG.map(([fields], index) => ({ id: `m${index}`, timestamp: T, text: SECRET, ...fields }))

let service: Running
before(async () => {
  service = await startService({})
})
after(() => service[Symbol.asyncDispose]())

const post = async (path: string, type: string, body: string): Promise<string> => {
  const response = await fetch(`${service.url}${path}`, { method: 'POST', headers: { 'content-type': type }, body })
  assert.ok(response.ok, `${response.status}`)
  const answer = await response.text()
  assert.doesNotMatch(answer + service.logged(), /merger|Initech/)
  return answer
}

describe('a wrong field is named by its path', () => {
  const expected = WRONG.map(([, field, reason], index) => ({ id: `m${index}`, status: 'rejected', field, reason }))

  test('in a JSON body', async () => {
    const answer = JSON.parse(await post('/v1/messages', 'application/json', JSON.stringify({ messages: entries })))
    assert.deepEqual(answer.results, expected)
  })

  test('in a body of NDJSON', async () => {
    const lines = await post(
      '/v1/messages',
      'application/x-ndjson',
      entries.map((each) => JSON.stringify(each)).join('\n'),
    )
    const results = lines
      .trimEnd()
      .split('\n')
      .slice(0, WRONG.length)
      .map((line) => JSON.parse(line))
    assert.deepEqual(
      results.map(({ id, status, field, reason }) => ({ id, status, field, reason })),
      expected,
    )
  })

  test('in a CloudEvent, within data', async () => {
    const events = entries.map(({ id, timestamp, ...data }) => {
      return { specversion: '1.0', type: 'copilot.message', source: '/c', id, time: timestamp, data }
    })
    const answer = JSON.parse(await post('/v1/events', 'application/cloudevents-batch+json', JSON.stringify(events)))
    assert.deepEqual(
      answer.results,
      expected.map((each) => ({ ...each, id: `/c ${each.id}`, field: `data.${each.field}` })),
    )
  })

  test('in the listing of an upstream, which fails as a whole', async () => {
    let listed: object = {}
    await using copilot = await startCopilot({
      listing: (_, response) => send(response, 200, { messages: [{ id: 1, text: '', timestamp: T }, listed] }),
    })
    await using reader = await startService({ UPSTREAM_URL: copilot.url, UPSTREAM_ATTEMPTS: '1' })
    for (const [index, [, field, reason]] of WRONG.entries()) {
      listed = entries[index] ?? {}
      const response = await fetch(`${reader.url}/usage`)
      const body = await response.text()
      assert.equal(response.status, 502)
      assert.equal(JSON.parse(body).upstream.reason, `messages[1].${field} ${reason}`)
      assert.doesNotMatch(body, /merger|Initech/)
    }
    assert.doesNotMatch(reader.logged(), /merger|Initech/)
  })

  test('in a CSV file, with its line', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'copilot-credits-fields-'))
    try {
      const rows = [
        ['m', '', '', '', '', 'done', 'outcome'],
        ['m', '', '1.5', '', '', '', 'usage.input_tokens'],
        ['m', '', '9007199254740993', '', '', '', 'usage.input_tokens'],
        ['m', 'openai', '5', '6', '', '', 'usage.input_tokens'],
        ['m', 'openai', '', '1,5', '', '', 'usage.input_tokens_details.cached_tokens'],
        ['m', '', '', '', '0.1234567', '', 'quantities.pages'],
        ['null', '', '', '', '', '', 'model'],
        ['', '', '', '', '', '', 'text'],
      ]
      const head =
        'id,timestamp,model,usage_format,usage.input_tokens,usage.input_tokens_details.cached_tokens,quantities.pages,outcome'
      const lines = rows.map((cells, index) => {
        return `${index},${T},${cells
          .slice(0, -1)
          .map((cell) => `"${cell}"`)
          .join(',')}`
      })
      writeFileSync(join(folder, 'a.csv'), [head, ...lines].join('\n'))
      const arguments_ = [
        'bin/copilot-credits.js',
        'import',
        join(folder, 'a.csv'),
        '--rejects',
        join(folder, 'r.ndjson'),
      ]
      const child = spawn(process.execPath, arguments_, {
        cwd: join(import.meta.dirname, '..'),
        env: { PATH: process.env['PATH'], LOG_LEVEL: 'warn', DATABASE_URL: `sqlite:${join(folder, 'ledger.db')}` },
        stdio: 'ignore',
      })
      assert.deepEqual(await once(child, 'exit'), [1, null])
      const rejects = readFileSync(join(folder, 'r.ndjson'), 'utf8').trimEnd().split('\n')
      assert.deepEqual(
        rejects.map((each) => JSON.parse(each)).map(({ line, id, field }) => [line, id, field]),
        rows.map((cells, index) => [index + 2, index, cells.at(-1)]),
      )
    } finally {
      rmSync(folder, { recursive: true })
    }
  })
})
