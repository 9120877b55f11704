/** Versions and entity tags: what they promise about answers, whatever happens in between. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { after, before, describe, test } from 'node:test'
import fc from 'fast-check'
import { type Running, send, sendListing, startCopilot, startService } from './harness.ts'

type Entry = {
  readonly id: number
  readonly text: string
  readonly timestamp: string
  readonly report_id?: number
  readonly user_id?: string
}

const entryArbitrary: fc.Arbitrary<Entry> = fc.record(
  {
    id: fc.integer({ min: 1, max: 6 }),
    text: fc.constantFrom('a', 'a b', 'b a', 'palindrome'),
    timestamp: fc.constantFrom(
      '2024-05-01T08:00:00Z',
      '2024-05-01T08:00:00.5Z',
      '2024-05-20T23:00:00Z',
      '2024-06-02T00:00:00Z',
    ),
    report_id: fc.constantFrom(1, 2),
    user_id: fc.constantFrom('ada', 'bob'),
  },
  { requiredKeys: ['id', 'text', 'timestamp'] },
)

/** The last entry with an id wins. */
const unique = (entries: readonly Entry[]): readonly Entry[] => [
  ...new Map(entries.map((each) => [each.id, each])).values(),
]

type Change =
  | { readonly kind: 'list'; readonly entries: readonly Entry[] }
  | { readonly kind: 'report'; readonly entry: Entry }
  | { readonly kind: 'price'; readonly cost: number; readonly name: string }

const changeArbitrary: fc.Arbitrary<Change> = fc.oneof(
  fc.record({ kind: fc.constant('list' as const), entries: fc.array(entryArbitrary, { maxLength: 5 }).map(unique) }),
  fc.record({ kind: fc.constant('report' as const), entry: entryArbitrary }),
  fc.record({
    kind: fc.constant('price' as const),
    cost: fc.integer({ min: 1, max: 3 }),
    name: fc.constantFrom('A', 'B'),
  }),
)

const RANGES = ['', 'period=2024-05', 'from=2024-05-01T08:00:00.2Z&to=2024-05-21T00:00:00Z', 'period=2024-04']
const PATHS = [
  ...RANGES.flatMap((range) => [
    `/v1/usage?${range}`,
    `/v1/usage?limit=2&order=-credits&${range}`,
    `/v1/usage?user_id=ada&${range}`,
    `/v1/usage?min_credits=1.5&${range}`,
    `/v1/usage/totals?group_by=report,member&${range}`,
    `/v1/usage/totals?min_credits=1.5&${range}`,
    `/v1/usage/rules?${range}`,
    `/v1/usage/rules?user_id=ada&${range}`,
    `/v1/usage/totals?bucket=none&time_zone=Asia/Tokyo&${range}`,
  ]),
  '/v1/periods?limit=1000',
  '/v1/periods/current',
  '/v1/messages/1',
  '/usage',
  '/usage?period=2024-05',
]

/** Disables caching of reports, so that changes appear immediately. */
const FORGETFUL = { REPORT_TTL: '0', REPORT_MISSING_TTL: '0' }

type Answer = { readonly status: number; readonly etag: string; readonly version: string; readonly body: string }

const ask = async (url: string, headers: Record<string, string> = {}): Promise<Answer> => {
  const response = await fetch(url, { headers })
  const text = await response.text()
  const { version = '' } = response.status === 200 ? (JSON.parse(text) as { readonly version?: string }) : {}
  // When the listing was last confirmed is no part of the version.
  const body = text.replace(/"as_of":"[^"]*"/, '')
  return { status: response.status, etag: response.headers.get('etag') ?? '', version, body }
}

const post = (url: string, messages: readonly Entry[]): Promise<unknown> =>
  fetch(`${url}/v1/messages`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ messages }),
  })

for (const hasUpstream of [false, true]) {
  test(`equal versions mean equal bodies ${hasUpstream ? 'with' : 'without'} an upstream`, async () => {
    const reports = new Map<string, object>()
    let listed: readonly Entry[] = []
    await using upstream = await startCopilot({
      listing: (_, response) => send(response, 200, { messages: listed }),
      report: (id, _, response) => {
        const report = reports.get(id)
        if (report === undefined) send(response, 404, '')
        else send(response, 200, report)
      },
    })
    await using service = await startService(hasUpstream ? { UPSTREAM_URL: upstream.url, ...FORGETFUL } : {})
    const make = async (change: Change): Promise<void> => {
      if (change.kind === 'report') await post(service.url, [change.entry])
      else if (!hasUpstream && change.kind === 'list') await post(service.url, change.entries)
      else if (change.kind === 'list') listed = change.entries
      else reports.set('1', { id: 1, name: change.name, credit_cost: change.cost })
    }
    const bodies = new Map<string, string>()
    await fc.assert(
      fc.asyncProperty(changeArbitrary, async (change) => {
        await make(change)
        const tags = new Set<string>()
        for (const path of PATHS) {
          const { status, etag, body } = await ask(service.url + path)
          if (status !== 200) {
            assert.equal(etag, '', `${path} ${status}`)
            continue
          }
          assert.ok(!tags.has(etag), `${path}: another request has its tag, ${etag}`)
          if (!path.startsWith('/usage')) tags.add(etag)
          assert.equal(body, bodies.get(path + etag) ?? body, path)
          bodies.set(path + etag, body)
          const again = await ask(service.url + path, { 'if-none-match': `"other", ${etag}` })
          assert.deepEqual([again.status, again.etag, again.body], [304, etag, ''], path)
        }
      }),
      { numRuns: 20 },
    )
  })
}

const MAY = [
  { id: 1, text: 'a', timestamp: '2024-05-01T08:00:00Z', user_id: 'ada' },
  { id: 2, text: 'a b', timestamp: '2024-05-20T08:00:00Z' },
]
const JUNE = { id: 3, text: 'a', timestamp: '2024-06-01T08:00:00Z' }

test('usage elsewhere leaves a version as it is', async () => {
  await using service = await startService({})
  await post(service.url, MAY)
  const paths = ['/v1/usage?period=2024-05', '/v1/usage/totals?period=2024-05', '/v1/messages/1', '/v1/periods/current']
  const before = await Promise.all(paths.map((path) => ask(service.url + path)))
  await post(service.url, [JUNE])
  assert.deepEqual(await Promise.all(paths.map((path) => ask(service.url + path))), before)
})

test('lines and totals of one range have one version, whatever the page, filter and order', async () => {
  await using service = await startService({})
  await post(service.url, MAY)
  const queries = [
    'usage?',
    'usage?limit=1&',
    'usage?user_id=ada&',
    'usage?order=-id&',
    'usage/totals?',
    'usage/totals?bucket=none&',
  ]
  const versionsOfMay = async (): Promise<ReadonlySet<string>> => {
    const answers = await Promise.all(queries.map((query) => ask(`${service.url}/v1/${query}period=2024-05`)))
    return new Set(answers.map(({ version }) => version))
  }
  const [before] = [...(await versionsOfMay())]
  assert.equal((await versionsOfMay()).size, 1)
  await post(service.url, [{ ...JUNE, timestamp: '2024-05-31T00:00:00Z' }])
  const after = await versionsOfMay()
  assert.equal(after.size, 1)
  assert.ok(!after.has(before ?? ''))
})

test('processes on one database, with one upstream, have equal versions', async () => {
  await using upstream = await startCopilot({ listing: sendListing(MAY) })
  const folder = mkdtempSync(join(tmpdir(), 'copilot-credits-test-'))
  try {
    const environment = { DATABASE_URL: `sqlite:${join(folder, 'ledger.db')}`, UPSTREAM_URL: upstream.url }
    await using one = await startService(environment)
    await post(one.url, [JUNE])
    await using other = await startService(environment)
    for (const path of ['/v1/usage', '/v1/usage/totals', '/v1/usage?period=2024-06', '/v1/periods', '/v1/messages/1']) {
      assert.deepEqual(await ask(one.url + path), await ask(other.url + path), path)
    }
  } finally {
    rmSync(folder, { recursive: true })
  }
})

test('a stale listing has another version than the same listing while it is confirmed', async () => {
  let isDown = false
  await using upstream = await startCopilot({
    listing: (request, response) => (isDown ? send(response, 503, '') : sendListing(MAY)(request, response)),
  })
  await using service = await startService({ UPSTREAM_URL: upstream.url, UPSTREAM_ATTEMPTS: '1' })
  const fresh = await ask(`${service.url}/v1/usage`)
  isDown = true
  const stale = await ask(`${service.url}/v1/usage`, { 'if-none-match': fresh.etag })
  assert.equal(stale.status, 200)
  assert.notEqual(stale.version, fresh.version)
})

test('a new time zone changes the versions of the ranges that it affects, and no other', async () => {
  await using service = await startService({})
  await post(service.url, MAY)
  const path = '/v1/usage/totals?from=2040-01-01T00:00:00Z&to=2040-01-02T00:00:00Z&bucket=none'
  const [before, current] = [await ask(service.url + path), await ask(`${service.url}/v1/periods/current`)]
  const response = await fetch(`${service.url}/v1/organizations/default`, {
    method: 'PATCH',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ time_zone: 'Asia/Tokyo' }),
  })
  assert.equal(response.status, 200, await response.text())
  const after = await ask(service.url + path, { 'if-none-match': before.etag })
  assert.equal(after.status, 200)
  assert.notEqual(after.version, before.version)
  assert.deepEqual(await ask(`${service.url}/v1/periods/current`), current)
})

describe('If-None-Match', () => {
  let service: Running
  before(async () => {
    service = await startService({})
    await post(service.url, MAY)
  })
  after(() => service?.[Symbol.asyncDispose]())

  test('compares weakly, takes lists and *, and knows nothing of other tags', async () => {
    const url = `${service.url}/v1/usage/totals?period=2024-05`
    const { etag } = await ask(url)
    assert.match(etag, /^W\/"[0-9a-f]{32}"$/)
    const strong = etag.slice(2)
    const other = await ask(`${service.url}/v1/usage/totals?period=2024-05&bucket=none`)
    for (const [header, status] of [
      [etag, 304],
      [strong, 304],
      [`"a", ${strong} , "b"`, 304],
      ['*', 304],
      ['"a"', 200],
      ['', 200],
      [other.etag, 200],
    ] as const) {
      assert.equal((await ask(url, { 'if-none-match': header })).status, status, header)
    }
  })

  test('does not turn an error into a 304', async () => {
    for (const [path, status] of [
      ['/v1/messages/none', 404],
      ['/v1/usage?period=2024-13', 400],
      ['/v1/usage?organization=none', 404],
    ] as const) {
      const answer = await ask(service.url + path, { 'if-none-match': '*' })
      assert.deepEqual([answer.status, answer.etag], [status, ''], path)
    }
  })

  test('is answered without reading lines or totals', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'copilot-credits-test-'))
    try {
      await using damaged = await startService({ DATABASE_URL: `sqlite:${join(folder, 'ledger.db')}` })
      await post(damaged.url, MAY)
      const url = `${damaged.url}/v1/usage?period=2024-05`
      const { etag } = await ask(url)
      using database = new DatabaseSync(join(folder, 'ledger.db'))
      database.exec('DELETE FROM record; DELETE FROM day_cell; UPDATE day SET messages = 77')
      assert.equal((await ask(url)).status, 503)
      assert.equal((await ask(url, { 'if-none-match': etag })).status, 304)
    } finally {
      rmSync(folder, { recursive: true })
    }
  })
})
