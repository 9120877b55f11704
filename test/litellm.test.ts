/** What LiteLLM's `generic_api` callback sends: each call is charged once, one bad entry costs no other, and no content is kept. */
import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { type Running, startService } from './harness.ts'
import { CANARY, entry, type LitellmEntry } from './litellm-entries.ts'

const perMillion = (rule: string, of: string, price: string) => ({ rule, of, per: 1_000_000, price })
const CARD = {
  version: 'calls',
  prices: { 'gpt-5.4': [{ input: 250, cache_read: 25, cache_write: 0, output: 1500 }] },
  cases: [
    { name: 'cached', when: { cache_hit: true }, lines: [] },
    {
      name: 'tokens',
      when: { model: '*' },
      lines: [
        perMillion('input', 'input_tokens', 'input'),
        perMillion('cache-read', 'cache_read_tokens', 'cache_read'),
        perMillion('cache-write', 'cache_write_tokens', 'cache_write'),
        perMillion('output', 'output_tokens', 'output'),
      ],
    },
  ],
}
/** 1,000 at 250, 1,000 at 25 and 500 at 1,500 a million. */
const CREDITS = 1.025
const NOTHING = { accepted: 0, unpriced: 0, duplicate: 0, conflict: 0, rejected: 0, ignored: 0, rejections: [] }

let folder: string
let service: Running
before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'copilot-credits-test-'))
  service = await startService({
    DATABASE_URL: `sqlite:${join(folder, 'credits.db')}`,
    INTAKE_MAX_BATCH: '3',
    INTAKE_MAX_BYTES: '64KiB',
  })
  await post('rate-cards', CARD)
  await put('default-rate-card', { version: 'calls', from: '2024-01-01T00:00:00Z' })
})
after(async () => {
  await service[Symbol.asyncDispose]()
  rmSync(folder, { recursive: true })
})

const JSON_HEADERS = { 'content-type': 'application/json' }
const post = (path: string, body: unknown): Promise<Response> =>
  fetch(`${service.url}/v1/${path}`, { method: 'POST', headers: JSON_HEADERS, body: JSON.stringify(body) })
const put = (path: string, body: unknown): Promise<Response> =>
  fetch(`${service.url}/v1/${path}`, { method: 'PUT', headers: JSON_HEADERS, body: JSON.stringify(body) })

const sendBytes = (
  body: string | Uint8Array<ArrayBuffer> | ReadableStream,
  headers: Record<string, string> = {},
): Promise<Response> =>
  fetch(`${service.url}/v1/litellm`, {
    method: 'POST',
    headers: { ...JSON_HEADERS, ...headers },
    body,
    duplex: 'half',
  } as RequestInit)

const resultOf = async (sent: Promise<Response>): Promise<unknown> => {
  const response = await sent
  assert.equal(response.status, 200, await response.clone().text())
  return response.json()
}

/** As LiteLLM does, without the spaces of Python. */
const send = (...entries: readonly unknown[]): Promise<unknown> => resultOf(sendBytes(JSON.stringify(entries)))

const creditsOf = async (id: unknown): Promise<number | undefined> => {
  const response = await fetch(`${service.url}/v1/messages/${encodeURIComponent(`litellm:${id}`)}`)
  if (response.status === 404) return undefined
  const { charges } = (await response.json()) as { charges: readonly [{ credits?: number }] }
  return charges[0].credits
}

const chunksOf = (bytes: Uint8Array, size: number): ReadableStream =>
  new ReadableStream({
    start: (controller) => {
      for (let at = 0; at < bytes.length; at += size) controller.enqueue(bytes.subarray(at, at + size))
      controller.close()
    },
  })

describe('a call is charged', () => {
  const lines = (entries: readonly LitellmEntry[]): string => entries.map((each) => JSON.stringify(each)).join('\n')
  const FORMATS: Record<string, (entries: readonly LitellmEntry[]) => Promise<Response>> = {
    'in an array': (entries) => sendBytes(JSON.stringify(entries)),
    'in an array, compressed': (entries) =>
      sendBytes(gzipSync(JSON.stringify(entries)), { 'content-encoding': 'gzip' }),
    'in an array, in small chunks': (entries) => sendBytes(chunksOf(Buffer.from(JSON.stringify(entries)), 7)),
    'one entry a line, as JSON': (entries) => sendBytes(lines(entries)),
    'one entry a line, as NDJSON': (entries) => sendBytes(lines(entries), { 'content-type': 'application/x-ndjson' }),
    'one entry a line, in small chunks': (entries) => sendBytes(chunksOf(Buffer.from(lines(entries)), 7)),
    'over several lines': (entries) => sendBytes(entries.map((each) => JSON.stringify(each, null, 2)).join('\n')),
  }
  for (const [how, sendAll] of Object.entries(FORMATS)) {
    test(how, async () => {
      const entries = Array.from({ length: 5 }, () => entry())
      assert.deepEqual(await resultOf(sendAll(entries)), { ...NOTHING, accepted: 5 })
      for (const { id } of entries) assert.equal(await creditsOf(id), CREDITS)
      assert.deepEqual(await resultOf(sendAll(entries)), { ...NOTHING, duplicate: 5 })
    })
  }

  test('alone', async () => {
    const single = entry()
    assert.deepEqual(await resultOf(sendBytes(JSON.stringify(single))), { ...NOTHING, accepted: 1 })
    assert.equal(await creditsOf(single['id']), CREDITS)
  })

  test('with its member, team, model and cost', async () => {
    const call = entry()
    await send(call)
    const response = await fetch(`${service.url}/v1/messages/${encodeURIComponent(`litellm:${call['id']}`)}`)
    const { charges } = (await response.json()) as { charges: readonly Record<string, unknown>[] }
    const { user_id, team_id, model, timestamp } = charges[0] ?? {}
    assert.deepEqual([user_id, team_id, model, timestamp], ['ada', 'research', 'gpt-5.4', '2025-12-17T19:34:30.079Z'])
  })

  test('each hit of a cache by itself, at what the card says', async () => {
    const [call, one, two] = ['', '_cache_hit1766000071.1', '_cache_hit1766000072.2'].map((suffix) =>
      entry({ id: `chatcmpl-hit${suffix}`, cache_hit: suffix !== '', ...(suffix !== '' && { response_cost: 0 }) }),
    )
    assert.deepEqual(await send(call, one, two), { ...NOTHING, accepted: 3 })
    assert.deepEqual([await creditsOf(call?.['id']), await creditsOf(one?.['id'])], [CREDITS, 0])
  })
})

describe('one bad entry costs no other', () => {
  test('null, a failed call, and what is invalid', async () => {
    const [good, failed] = [
      entry(),
      entry({ status: 'failure', prompt_tokens: 0, completion_tokens: 0 }, { usage_object: {} }),
    ]
    const wrong = entry({ endTime: null })
    const result = await send(null, good, 'text', failed, wrong, entry())
    assert.deepEqual(result, {
      ...NOTHING,
      accepted: 2,
      rejected: 2,
      ignored: 2,
      rejections: [
        { field: '', reason: 'must be an object' },
        {
          id: `litellm:${wrong['id']}`,
          field: 'endTime',
          reason: 'must be a number of seconds since 1970, before the year 10000 (generic_api_use_v1 must be off)',
        },
      ],
    })
    assert.equal(await creditsOf(good['id']), CREDITS)
  })

  test('a line that is no JSON, an empty one, and one that is too long', async () => {
    const [first, long, last] = [entry(), entry({ response: 'x'.repeat(70_000) }), entry()].map((each) =>
      JSON.stringify(each),
    )
    const body = [first, '{"id": "cut', '', 'null', long, last].join('\r\n')
    assert.deepEqual(await resultOf(sendBytes(body)), {
      ...NOTHING,
      accepted: 2,
      rejected: 2,
      ignored: 1,
      rejections: [
        { field: '', reason: 'must be valid JSON' },
        { field: '', reason: 'must be at most 65536 bytes' },
      ],
    })
  })

  test('numbers that only Python writes, in a response and in its texts', async () => {
    const call = entry({ response: { logprob: 'LOGPROB', text: 'NaN, "Infinity" \\' }, response_cost: 'COST' })
    const body = JSON.stringify([call, entry()]).replace('"LOGPROB"', '-Infinity').replace('"COST"', 'NaN')
    assert.deepEqual(await resultOf(sendBytes(body)), { ...NOTHING, accepted: 2 })
    assert.equal(await creditsOf(call['id']), CREDITS)
  })

  test('what comes before the end of an array that is cut off, or has a value too long, is charged', async () => {
    const cut = `${JSON.stringify([entry(), entry()]).slice(0, -1)},{"id":"x`
    const long = JSON.stringify([entry(), entry({ response: 'x'.repeat(100_000) }), entry()])
    for (const [body, accepted] of [
      [cut, 2],
      [long, 1],
    ] as const) {
      const sent = sendBytes(chunksOf(Buffer.from(body), 10_000))
      const { rejections, ...counts } = (await resultOf(sent)) as typeof NOTHING
      assert.deepEqual(counts, { accepted, unpriced: 0, duplicate: 0, conflict: 0, rejected: 1, ignored: 0 })
      assert.equal(rejections.length, 1)
    }
  })

  test('the same id with other content is a conflict, which is said', async () => {
    const call = entry()
    await send(call)
    const other = { ...call, endTime: 1766000099 }
    assert.deepEqual(await send(other), {
      ...NOTHING,
      conflict: 1,
      rejections: [{ id: `litellm:${call['id']}`, field: '', reason: 'is already charged with other content' }],
    })
    assert.equal(await creditsOf(call['id']), CREDITS)
  })

  test('a model without a price is kept', async () => {
    assert.deepEqual(await send(entry({ model: 'unheard-of' })), { ...NOTHING, unpriced: 1 })
  })

  test('an empty body, an empty array and white space are no failure, and a single brace is one', async () => {
    for (const body of ['', '[]', ' \n ']) assert.deepEqual(await resultOf(sendBytes(body)), NOTHING)
    const rejections = [{ field: '', reason: 'must be valid JSON' }]
    assert.deepEqual(await resultOf(sendBytes(' {')), { ...NOTHING, rejected: 1, rejections })
  })
})

test('a body larger than any entry may be is taken, entry by entry', async () => {
  const entries = Array.from({ length: 40 }, () => entry({ messages: 'x'.repeat(10_000) }))
  assert.deepEqual(await send(...entries), { ...NOTHING, accepted: 40 })
})

test('as many invalid entries as a body holds are counted', async () => {
  const result = await resultOf(sendBytes('1\n'.repeat(200_000)))
  const { rejected, rejections } = result as { readonly rejected: number; readonly rejections: readonly unknown[] }
  assert.deepEqual([rejected, rejections.length], [200_000, 20])
})

test('a body that is not what its headers say is refused', async () => {
  assert.equal((await sendBytes('[]', { 'content-encoding': 'gzip' })).status, 400)
  assert.equal((await sendBytes('[]', { 'content-type': 'text/plain' })).status, 415)
})

test('it is counted by source and reason', async () => {
  const body = (await (await fetch(`${service.url}/v1/intake`)).json()) as {
    sources: readonly { source: string; accepted: number; ignored: number; reasons: readonly { reason: string }[] }[]
  }
  const litellm = body.sources.find(({ source }) => source === 'litellm')
  assert.ok((litellm?.accepted ?? 0) > 40)
  assert.ok(litellm?.reasons.some(({ reason }) => reason === 'nothing-logged'))
  const metrics = await (await fetch(`${service.url}/metrics`)).text()
  assert.match(
    metrics,
    /copilot_credits_telemetry_records_total\{source="litellm",outcome="ignored",reason="nothing-logged"\} \d/,
  )
})

test('a call that LiteLLM reports over OpenTelemetry too is noticed', async () => {
  const call = entry({ endTime: 1766100070, end_user: 'twice' })
  await send(call)
  const span = {
    traceId: '5b8efff798038103d269b633813fc60c',
    spanId: '00000000000000aa',
    endTimeUnixNano: '1766100070000000000',
    attributes: [
      { key: 'gen_ai.operation.name', value: { stringValue: 'chat' } },
      { key: 'gen_ai.response.model', value: { stringValue: 'gpt-5.4' } },
      { key: 'gen_ai.usage.input_tokens', value: { intValue: 2000 } },
      { key: 'gen_ai.usage.output_tokens', value: { intValue: 500 } },
      { key: 'gen_ai.usage.cache_read.input_tokens', value: { intValue: 1000 } },
      { key: 'enduser.id', value: { stringValue: 'twice' } },
    ],
  }
  const traces = { resourceSpans: [{ scopeSpans: [{ scope: { name: 'litellm' }, spans: [span] }] }] }
  assert.equal((await post('traces', traces)).status, 200)
  const { overlaps } = (await (await fetch(`${service.url}/v1/intake`)).json()) as {
    overlaps: readonly { sources: readonly string[]; calls: number }[]
  }
  assert.deepEqual(
    overlaps.map(({ sources, calls }) => [...sources, calls]),
    [['litellm', 'litellm-otel', 1]],
  )
})

test('any body is answered, and never with a failure of ours', async () => {
  const good = JSON.stringify([entry(), null, entry({ model: 7 })])
  const mutated = fc
    .tuple(fc.array(fc.tuple(fc.nat(good.length), fc.string({ maxLength: 3 })), { maxLength: 4 }), fc.boolean())
    .map(([changes, inLines]) => {
      let body = inLines ? good.slice(1, -1).replaceAll(/,(?=\{|null)/g, '\n') : good
      for (const [at, text] of changes) body = body.slice(0, at) + text + body.slice(at + text.length)
      return body
    })
  await fc.assert(
    fc.asyncProperty(
      fc.oneof(
        mutated,
        fc.json(),
        fc.string(),
        fc.jsonValue().map((value) => JSON.stringify([value])),
      ),
      async (body) => {
        const response = await sendBytes(body)
        const text = await response.text()
        assert.equal(response.status, 200, text)
        assert.ok(!text.includes(CANARY))
      },
    ),
    { numRuns: 500 },
  )
})

test('content is in no answer, log, metric and file', async () => {
  const paths = [
    '/v1/intake',
    '/metrics',
    '/v1/usage?from=2025-12-01&to=2026-01-01',
    '/usage?from=2025-12-01&to=2026-01-01',
  ]
  for (const path of paths) assert.ok(!(await (await fetch(`${service.url}${path}`)).text()).includes(CANARY), path)
  assert.ok(!service.logged().includes(CANARY))
  for (const file of readdirSync(folder)) assert.ok(!readFileSync(join(folder, file)).includes(CANARY), file)
})
