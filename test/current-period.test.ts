/** With an upstream, every endpoint gives the same usage, whatever changes upstream. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { after, before, describe, test } from 'node:test'
import { type Running, send, startCopilot, startService } from './harness.ts'
import { type PostgresServer, startPostgres } from './postgres-server.ts'

type Entry = {
  readonly id: number | string
  readonly text: string
  readonly timestamp: string
  readonly report_id?: number
  readonly user_id?: string
}
type Line = { readonly message_id: number | string; readonly credits_used: number; readonly report_name?: string }
type Sum = { readonly messages: number; readonly credits: number }

/** Disables caching of reports, so that changes appear immediately. */
const FORGETFUL = { REPORT_TTL: '0', REPORT_MISSING_TTL: '0' }

/** A Copilot service whose data a test can change. */
const startChanging = async (messages: readonly Entry[]) => {
  const state = {
    messages: [...messages],
    reports: new Map<string, object>([['5392', { id: 5392, name: 'Tenant report', credit_cost: 79 }]]),
  }
  const upstream = await startCopilot({
    listing: (_, response) => send(response, 200, { messages: state.messages }),
    report: (id, _, response) => {
      const report = state.reports.get(id)
      if (report === undefined) send(response, 404, '')
      else send(response, 200, report)
    },
  })
  return Object.assign(upstream, { state })
}

const getJson = async <T>(url: string): Promise<T> => {
  const response = await fetch(url)
  assert.equal(response.status, 200, `${url}: ${await response.clone().text()}`)
  return (await response.json()) as T
}

const micros = (amounts: readonly number[]): number => amounts.reduce((sum, each) => sum + Math.round(each * 1e6), 0)

const byId = <T extends { readonly message_id: number | string }>(lines: readonly T[]): readonly T[] =>
  lines.toSorted((one, other) => (String(one.message_id) < String(other.message_id) ? -1 : 1))

type Page = { readonly usage: readonly Line[]; readonly next_cursor?: string; readonly not_listed?: Sum }

const pagesOf = async (
  url: string,
  query: string,
  limit = 2,
): Promise<{ lines: Line[]; notListed: Sum | undefined }> => {
  const lines: Line[] = []
  let cursor = ''
  for (;;) {
    const page = await getJson<Page>(`${url}/v1/usage?limit=${limit}${query}${cursor}`)
    lines.push(...page.usage)
    if (page.next_cursor === undefined) return { lines, notListed: page.not_listed }
    cursor = `&cursor=${page.next_cursor}`
  }
}

type Buckets = {
  readonly buckets: readonly (Sum & { readonly groups?: readonly (Sum & { report_name?: string })[] })[]
}
type Totals = Buckets & { readonly not_listed?: Sum }

const shown = (lines: readonly Line[]): readonly unknown[] =>
  byId(lines).map(({ message_id, credits_used, report_name }) => [message_id, credits_used, report_name])

const plain = ({ messages, credits }: Sum): Sum => ({ messages, credits })

/** Requests the usage from every endpoint and compares the responses. */
const assertOneTruth = async (
  url: string,
  range: string,
  expected: { notListed: number },
): Promise<readonly Line[]> => {
  const ranged = `&${range}`
  // By date first, before any request for the current period since the change.
  const ledger = await fetch(`${url}/usage?${range}`)
  const byDate = (await ledger.json()) as { usage: readonly Line[] }
  const { usage } = await getJson<{ usage: readonly Line[] }>(`${url}/usage`)
  const named = await getJson<{ usage: readonly Line[] }>(`${url}/usage?period=current`)
  assert.deepEqual(named, { usage })
  const current = { messages: usage.length, credits: micros(usage.map((line) => line.credits_used)) / 1e6 }

  for (const query of ['', '&period=current']) {
    assert.deepEqual(shown((await pagesOf(url, query)).lines), shown(usage), `/v1/usage ${query}`)
    for (const bucket of ['none', 'day', 'month', 'hour']) {
      const totals = await getJson<Totals>(
        `${url}/v1/usage/totals?bucket=${bucket}&limit=1000&group_by=report,member${query}`,
      )
      const sum = { messages: 0, credits: 0 }
      for (const { messages, credits, groups = [] } of totals.buckets) {
        assert.equal(micros(groups.map((group) => group.credits)), micros([credits]))
        sum.messages += messages
        sum.credits += micros([credits])
      }
      assert.deepEqual(sum, { ...current, credits: micros([current.credits]) }, `totals ${bucket} ${query}`)
      assert.equal(totals.not_listed, undefined)
    }
  }
  assert.deepEqual(plain(await getJson<Sum>(`${url}/v1/periods/current`)), current)

  const all = await getJson<Totals>(`${url}/v1/usage/totals?bucket=none&${range}`)
  const notListed = all.not_listed ?? assert.fail('the ledger reports no not_listed')
  const [whole] = all.buckets
  assert.equal(notListed.messages, expected.notListed)
  assert.equal(whole?.messages, current.messages + notListed.messages)
  assert.equal(micros([whole?.credits ?? 0]), micros([current.credits, notListed.credits]))
  const pages = await pagesOf(url, ranged)
  assert.deepEqual(pages.notListed, notListed)
  assert.deepEqual(shown(pages.lines), shown(byDate.usage))
  assert.equal(ledger.headers.get('usage-not-listed'), `messages=${notListed.messages}, credits=${notListed.credits}`)
  const listed = new Set(usage.map((line) => line.message_id))
  assert.deepEqual(shown(byDate.usage.filter((line) => listed.has(line.message_id))), shown(usage))
  assert.equal(byDate.usage.length, usage.length + notListed.messages)
  const { periods } = await getJson<{ periods: readonly (Sum & { not_listed: Sum })[] }>(`${url}/v1/periods?limit=1000`)
  assert.equal(micros(periods.map(({ credits }) => credits)), micros([whole?.credits ?? 0]))
  assert.equal(micros(periods.map((period) => period.not_listed.credits)), micros([notListed.credits]))
  for (const line of usage) {
    const { charges } = await getJson<{ charges: readonly { state: string; credits: number; report_name?: string }[] }>(
      `${url}/v1/messages/${line.message_id}`,
    )
    const holding = charges.filter(({ state }) => state === 'charged')
    assert.deepEqual(
      holding.map(({ credits, report_name }) => [credits, report_name]),
      [[line.credits_used, line.report_name]],
    )
  }
  return usage
}

type Charges = { readonly charges: readonly { readonly state: string; readonly changed?: readonly string[] }[] }

const DAY_MS = 86_400_000

/** Makes every kind of change upstream, one after another. `urls` are processes that share a database. */
const changeEverything = async (
  { state }: Awaited<ReturnType<typeof startChanging>>,
  urls: readonly string[],
  range: string,
): Promise<void> => {
  const [url = ''] = urls
  const everywhere = async (notListed: number): Promise<void> => {
    for (const each of urls) await assertOneTruth(each, range, { notListed })
  }
  const edit = (id: number | string, change: Partial<Entry>): void => {
    state.messages = state.messages.map((each) => (each.id === id ? { ...each, ...change } : each))
  }
  const latestChange = async (id: number | string): Promise<unknown> =>
    (await getJson<Charges>(`${url}/v1/messages/${id}`)).charges[1]?.changed

  await everywhere(0)
  state.reports.set('5392', { id: 5392, name: 'Tenant report', credit_cost: 35 })
  await everywhere(0)
  assert.deepEqual(await latestChange(1), ['price'])
  state.reports.set('5392', { id: 5392, name: 'Tenancy report', credit_cost: 35 })
  await everywhere(0)
  assert.deepEqual(await latestChange(1), ['report_name'])
  edit(2, { text: 'What is the rent, then?' })
  await everywhere(0)
  assert.deepEqual(await latestChange(2), ['text'])
  edit(2, { user_id: 'bob' })
  await everywhere(0)
  assert.deepEqual(await latestChange(2), ['user_id'])
  edit(2, { report_id: 5392 })
  await everywhere(0)
  assert.deepEqual(await latestChange(2), ['report'])
  state.reports.delete('5392')
  await everywhere(0)
  const gone = state.messages.find(({ id }) => id === 'x') ?? assert.fail()
  state.messages = state.messages.filter(({ id }) => id !== 'x')
  await everywhere(1)
  state.messages = [...state.messages, gone]
  await everywhere(0)
  edit('x', { timestamp: gone.timestamp.replace('Z', '+00:00') })
  await everywhere(0)
  edit('x', { timestamp: new Date(Date.parse(gone.timestamp) - DAY_MS).toJSON() })
  await everywhere(0)
  const beside = { id: 'beside', text: 'orbital latibro', timestamp: gone.timestamp, user_id: 'ada' }
  const post = async (message: Entry): Promise<unknown> => {
    const response = await fetch(`${url}/v1/messages`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ messages: [message] }),
    })
    return ((await response.json()) as { results: readonly { status: string }[] }).results[0]?.status
  }
  assert.equal(await post(beside), 'accepted')
  await everywhere(1)
  state.messages = [...state.messages, { ...beside, text: 'what a question' }]
  await everywhere(0)
  assert.equal(await post({ ...beside, text: 'what a question' }), 'duplicate')
  assert.equal(await post(beside), 'conflict')
  const count = state.messages.length
  state.messages = []
  // Messages of an earlier period are not part of not_listed.
  if (Date.parse(gone.timestamp) > Date.now() - DAY_MS) await everywhere(count)
}

const listed = (at: number): readonly Entry[] => [
  { id: 1, text: 'a report', timestamp: new Date(at).toJSON(), report_id: 5392, user_id: 'ada' },
  { id: 2, text: 'What is the lease term?', timestamp: new Date(at + 1000).toJSON(), user_id: 'ada' },
  { id: 'x', text: 'orbital latibro', timestamp: new Date(at + 2000).toJSON() },
  { id: 3, text: 'no such report', timestamp: new Date(at - DAY_MS).toJSON(), report_id: 404 },
]

const rangeAround = (at: number): string => {
  const day = (offset: number): string => new Date(at + offset * DAY_MS).toJSON().slice(0, 10)
  return `from=${day(-40)}&to=${day(40)}`
}

describe('all endpoints agree', () => {
  for (const [name, at] of [
    ['of the current month', Date.now() - 60_000],
    ['of a month long past', Date.parse('2024-05-20T12:00:00Z')],
  ] as const) {
    test(`on any change in a listing ${name}`, async () => {
      await using upstream = await startChanging(listed(at))
      await using service = await startService({ ...FORGETFUL, UPSTREAM_URL: upstream.url })
      await changeEverything(upstream, [service.url], rangeAround(at))
    })
  }

  test('in two processes on one SQLite file', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'copilot-credits-test-'))
    try {
      const at = Date.now() - 60_000
      await using upstream = await startChanging(listed(at))
      const settings = { ...FORGETFUL, UPSTREAM_URL: upstream.url, DATABASE_URL: `sqlite:${join(folder, 'shared.db')}` }
      await using one = await startService(settings)
      await using other = await startService(settings)
      await changeEverything(upstream, [one.url, other.url], rangeAround(at))
    } finally {
      rmSync(folder, { recursive: true })
    }
  })
})

test('a process with an old price in its cache learns the new price from what another process recorded', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'copilot-credits-test-'))
  try {
    const at = Date.now() - 60_000
    await using upstream = await startChanging(listed(at))
    const settings = { UPSTREAM_URL: upstream.url, DATABASE_URL: `sqlite:${join(folder, 'shared.db')}` }
    await using remembering = await startService(settings)
    await using forgetful = await startService({ ...settings, ...FORGETFUL })
    const range = rangeAround(at)
    await assertOneTruth(remembering.url, range, { notListed: 0 })
    upstream.state.reports.set('5392', { id: 5392, name: 'Tenant report', credit_cost: 35 })
    await assertOneTruth(forgetful.url, range, { notListed: 0 })
    await assertOneTruth(remembering.url, range, { notListed: 0 })
    const { charges } = await getJson<Charges>(`${forgetful.url}/v1/messages/1`)
    assert.equal(charges.length, 2)
  } finally {
    rmSync(folder, { recursive: true })
  }
})

test('a process with an older listing agrees with what another process recorded, even if all sums are equal', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'copilot-credits-test-'))
  try {
    const at = Date.parse('2024-05-20T12:00:00Z')
    const [one, other] = ['What is the rent?', 'When does the lease for the whole building end?']
    await using upstream = await startChanging([
      { id: 1, text: one, timestamp: new Date(at).toJSON() },
      { id: 2, text: other, timestamp: new Date(at + 1000).toJSON() },
    ])
    const settings = { ...FORGETFUL, UPSTREAM_URL: upstream.url, DATABASE_URL: `sqlite:${join(folder, 'shared.db')}` }
    await using remembering = await startService({ ...settings, UPSTREAM_MAX_AGE: '1h' })
    await using forgetful = await startService(settings)
    const range = rangeAround(at)
    const agree = async (): Promise<void> => {
      await assertOneTruth(forgetful.url, range, { notListed: 0 })
      const byDate = await getJson<object>(`${remembering.url}/usage?${range}`)
      assert.deepEqual(byDate, await getJson<object>(`${remembering.url}/usage`))
      await assertOneTruth(remembering.url, range, { notListed: 0 })
    }
    await agree()
    const [first, second] = upstream.state.messages as [Entry, Entry]
    upstream.state.messages = [first, { ...second, timestamp: new Date(at + 1001).toJSON() }]
    await agree()
    upstream.state.messages = [
      { ...first, text: other },
      { ...second, text: one },
    ]
    await agree()
  } finally {
    rmSync(folder, { recursive: true })
  }
})

describe('all endpoints agree on PostgreSQL', () => {
  let server: PostgresServer
  before(async () => {
    server = await startPostgres()
  })
  after(() => server[Symbol.asyncDispose]())

  test('in two processes', async () => {
    const at = Date.now() - 60_000
    await using upstream = await startChanging(listed(at))
    const settings = { ...FORGETFUL, UPSTREAM_URL: upstream.url, DATABASE_URL: await server.createDatabase() }
    await using one = await startService(settings)
    await using other = await startService(settings)
    await changeEverything(upstream, [other.url, one.url], rangeAround(at))
  })
})

test('the current period spans the periods of all listed messages', async () => {
  await using upstream = await startChanging([
    { id: 1, text: '!', timestamp: '2024-04-29T02:08:29.375Z' },
    { id: 2, text: '!', timestamp: '2024-06-01T00:00:00Z' },
  ])
  await using service = await startService({ ...FORGETFUL, UPSTREAM_URL: upstream.url })
  const period = await getJson<Record<string, unknown>>(`${service.url}/v1/periods/current`)
  assert.deepEqual(
    [period['name'], period['start'], period['end'], period['messages'], period['credits']],
    ['current', '2024-04-01T00:00:00.000Z', '2024-07-01T00:00:00.000Z', 2, 2.1],
  )
  const totals = await getJson<Totals>(`${service.url}/v1/usage/totals?bucket=month`)
  assert.deepEqual(totals.buckets.map(plain), [
    { messages: 1, credits: 1.05 },
    { messages: 0, credits: 0 },
    { messages: 1, credits: 1.05 },
  ])
  const may = await getJson<Totals>(`${service.url}/v1/usage/totals?bucket=none&period=2024-06`)
  assert.deepEqual(
    [plain(may.buckets[0] ?? assert.fail()), may.not_listed],
    [
      { messages: 1, credits: 1.05 },
      { messages: 0, credits: 0 },
    ],
  )
})

test('charged messages that are not listed appear in a metric and the log', async () => {
  await using upstream = await startChanging(listed(Date.now() - 60_000))
  await using service = await startService({ ...FORGETFUL, UPSTREAM_URL: upstream.url })
  const notListed = () => service.metric('copilot_credits_not_listed_messages')
  await getJson(`${service.url}/v1/usage?period=previous`)
  assert.equal(await notListed(), 0)
  upstream.state.messages = upstream.state.messages.slice(1)
  await getJson(`${service.url}/v1/usage?period=previous`)
  assert.equal(await notListed(), 1)
  assert.equal(await service.metric('copilot_credits_not_listed_credits'), 79)
  assert.match(
    service.logged(),
    /"credits":"79".*the ledger has charged messages that the Copilot service does not list/,
  )
})

test('while the ledger cannot be written, requests for the listing succeed and requests for the ledger fail', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'copilot-credits-test-'))
  try {
    const path = join(folder, 'ledger.db')
    await using upstream = await startChanging(listed(Date.now() - 60_000))
    await using service = await startService({
      ...FORGETFUL,
      UPSTREAM_URL: upstream.url,
      DATABASE_URL: `sqlite:${path}`,
    })
    await getJson(`${service.url}/v1/usage?period=previous`)
    const blocker = new DatabaseSync(path)
    blocker.exec('BEGIN IMMEDIATE')
    upstream.state.reports.set('5392', { id: 5392, name: 'Tenant report', credit_cost: 35 })
    const { usage } = await getJson<{ usage: readonly Line[] }>(`${service.url}/usage`)
    assert.equal(usage[0]?.credits_used, 35)
    const current = await getJson<Page>(`${service.url}/v1/usage`)
    assert.deepEqual(shown(current.usage), shown(usage))
    const status = async (path: string): Promise<number> => (await fetch(`${service.url}${path}`)).status
    assert.equal(await status('/v1/usage?period=previous'), 503)
    assert.equal(await status('/v1/messages/1'), 503)
    blocker.exec('ROLLBACK')
    blocker.close()
    await waitUntil(async () => (await status('/v1/messages/1')) === 200)
    const { charges } = await getJson<Charges>(`${service.url}/v1/messages/1`)
    assert.deepEqual(
      charges.map(({ state }) => state),
      ['charged', 'superseded'],
    )
  } finally {
    rmSync(folder, { recursive: true })
  }
})

const waitUntil = async (isTrue: () => Promise<boolean>): Promise<void> => {
  while (!(await isTrue())) await new Promise((resolve) => setTimeout(resolve, 50))
}

test('the ledger serves what it has without waiting while the Copilot service is down', async () => {
  await using upstream = await startChanging(listed(Date.now() - 60_000))
  const settings = { ...FORGETFUL, UPSTREAM_URL: upstream.url, UPSTREAM_STALE_LIMIT: '0' }
  await using service: Running = await startService(settings)
  const before = await pagesOf(service.url, `&${rangeAround(Date.now())}`)
  assert.equal(before.lines.length, 4)
  await upstream[Symbol.asyncDispose]()
  assert.equal((await fetch(`${service.url}/v1/usage`)).status, 502)
  const later = await pagesOf(service.url, `&${rangeAround(Date.now())}`)
  assert.deepEqual(later, { lines: before.lines, notListed: undefined })
})
