/** What an operator lists and changes over HTTP and by the client: organizations with their usage, keys and reports. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { ApiError, createClient } from '../client/src/index.ts'
import { startService } from './harness.ts'

const all = async <T>(items: AsyncIterable<T>): Promise<readonly T[]> => Array.fromAsync(items)

const failureOf = async (promise: Promise<unknown>): Promise<ApiError> => {
  const error = await promise.then(
    () => undefined,
    (error: unknown) => error,
  )
  assert.ok(error instanceof ApiError, String(error))
  return error
}

describe('organizations', { concurrency: true }, () => {
  test('are listed with the usage of their period and of the one before, in pages', async () => {
    await using service = await startService({})
    const client = createClient({ baseUrl: service.url })
    await client.createOrganization({ id: 'acme', name: 'Acme Ltd', time_zone: 'Asia/Tokyo', billing_anchor_day: 15 })
    await client.createOrganization({ id: 'zeta' })
    const period = await client.currentPeriod({ organization: 'acme' })
    const before = (days: number) => new Date(Date.parse(period.start) - days * 86_400_000).toJSON()
    const message = (id: number, timestamp: string) => ({ id, text: 'What is the lease term?', timestamp })
    const messages = [
      message(1, period.start),
      message(2, new Date().toJSON()),
      message(3, before(1)),
      message(4, before(28)),
      message(5, before(40)),
    ]
    const { results } = await client.reportMessages(messages, { organization: 'acme' })
    assert.ok(results.every(({ credits }) => credits === 1.85))

    const [acme, ...others] = await all(client.organizations({ include: 'usage', limit: 1 }))
    assert.deepEqual(
      [acme?.id, acme?.name, acme?.time_zone, acme?.billing_anchor_day],
      ['acme', 'Acme Ltd', 'Asia/Tokyo', 15],
    )
    assert.deepEqual([acme?.keys, acme?.latest_message], [0, messages[1]?.timestamp])
    const { current, previous } = acme?.usage ?? {}
    assert.deepEqual(
      [current?.name, current?.start, current?.end, current?.messages, current?.credits],
      [period.name, period.start, period.end, 2, 3.7],
    )
    const periods = await all(client.periods({ organization: 'acme' }))
    assert.deepEqual(
      [previous?.name, previous?.start, previous?.messages, previous?.credits],
      [...[periods[1]?.name, periods[1]?.start, periods[1]?.messages, periods[1]?.credits]],
    )
    // Tokyo has no summer time, so every day has 24 hours.
    const daysBetween = (from: string | undefined, to: number) => Math.floor((to - Date.parse(from ?? '')) / 86_400_000)
    const [today, length] = [
      daysBetween(current?.start, Date.now()),
      daysBetween(previous?.start, Date.parse(period.start)),
    ]
    const sent = [length - 1, length - 28].filter((day) => day <= today)
    assert.deepEqual(previous?.to_date, { messages: sent.length, credits: (sent.length * 185) / 100 })
    assert.deepEqual(
      others.map(({ id, usage }) => [id, usage?.current.messages, usage?.previous.credits]),
      [
        ['default', 0, 0],
        ['zeta', 0, 0],
      ],
    )
    assert.equal('latest_message' in (others[0] ?? {}), false)
    const [plain] = await all(client.organizations())
    assert.deepEqual([plain?.usage, plain?.keys, plain?.latest_message], [undefined, undefined, undefined])
    assert.equal((await fetch(`${service.url}/v1/organizations?include=keys`)).status, 400)
  })

  test('are listed for a key as its own only', async () => {
    await using service = await startService({})
    const open = createClient({ baseUrl: service.url })
    await open.createOrganization({ id: 'acme' })
    const { key } = await open.createKey({ scopes: ['usage:read'] }, { organization: 'acme' })
    const listed = await all(createClient({ baseUrl: service.url, key }).organizations({ include: 'usage' }))
    assert.deepEqual(
      listed.map(({ id, usage, keys }) => [id, usage?.current.credits, keys]),
      [['acme', 0, 1]],
    )
  })

  test('are created and changed, and an error names the field', async () => {
    await using service = await startService({})
    const client = createClient({ baseUrl: service.url })
    assert.equal((await client.createOrganization({ id: 'acme' })).name, 'acme')
    const renamed = await client.changeOrganization('acme', { name: 'Acme Ltd', time_zone: 'Europe/London' })
    assert.deepEqual(
      [renamed.name, renamed.time_zone, renamed.pending?.time_zone],
      ['Acme Ltd', 'UTC', 'Europe/London'],
    )
    assert.equal((await failureOf(client.createOrganization({ id: 'acme' }))).status, 409)
    const { problem } = await failureOf(client.changeOrganization('acme', { time_zone: 'Mars' }))
    assert.deepEqual(
      problem.errors?.map(({ field }) => field),
      ['body/time_zone'],
    )
    assert.equal((await failureOf(client.changeOrganization('nobody', { name: 'x' }))).status, 404)
  })
})

test('keys say about when they were last used', async () => {
  await using service = await startService({})
  const open = createClient({ baseUrl: service.url })
  const { key, ...created } = await open.createKey({ name: 'operator', scopes: ['admin'] })
  assert.equal(created.last_used, undefined)
  const operator = createClient({ baseUrl: service.url, key })
  const unused = await operator.createKey({ name: 'unused', scopes: ['usage:read'] })
  const lastUsed = async (): Promise<readonly (string | undefined)[]> =>
    (await operator.keys()).map(({ last_used }) => last_used)
  // Written in the background.
  while ((await lastUsed())[0] === undefined) await new Promise(setImmediate)
  const [used = '', never] = await lastUsed()
  assert.ok(Math.abs(Date.parse(used) - Date.now()) < 60_000)
  assert.equal(never, undefined)
  assert.notEqual((await operator.revokeKey(unused.id)).revoked, undefined)
})

test('reports are listed in pages with their prices, changed and deleted', async () => {
  await using service = await startService({})
  const client = createClient({ baseUrl: service.url })
  assert.deepEqual(await all(client.reports()), [])
  for (const id of [9, 10, 'lease']) await client.putReport(id, { name: `Report ${id}`, credit_cost: 12.5 })
  await client.putReport(9, { name: 'Lease Summary', credit_cost: 35 })
  const reports = await all(client.reports({ limit: 1 }))
  assert.deepEqual(reports, [
    { id: 10, name: 'Report 10', credit_cost: 12.5 },
    { id: 9, name: 'Lease Summary', credit_cost: 35 },
    { id: 'lease', name: 'Report lease', credit_cost: 12.5 },
  ])
  await client.deleteReport('lease')
  assert.equal((await all(client.reports())).length, 2)
  for (const query of ['?cursor=..', '?cursor=', '?limit=0']) {
    assert.equal((await fetch(`${service.url}/v1/reports${query}`)).status, 400, query)
  }
})
