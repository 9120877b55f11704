/** The bundled sample: served in full while the database is empty, and gone once it has data. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { type Running, startService } from './harness.ts'
import type { Schemas } from './wire-types.ts'

type Answer<Body> = { readonly status: number; readonly headers: Headers; readonly body: Body }

const ask = async <Body = unknown>(
  { url }: Pick<Running, 'url'>,
  path: string,
  body?: object,
  headers = {},
): Promise<Answer<Body>> => {
  const sent = { method: 'POST', body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }
  const response = await fetch(`${url}${path}`, body === undefined ? { headers } : sent)
  return { status: response.status, headers: response.headers, body: JSON.parse(await response.text()) }
}

type Periods = { readonly periods: readonly Schemas['Period'][] }

const isSample = ({ headers }: Answer<unknown>): boolean => headers.get('usage-source') === 'bundled-sample'
const sum = (amounts: readonly number[]): number => amounts.reduce((all, each) => all + Math.round(each * 1e6), 0)
const creditsOf = (parts: readonly { readonly credits: number }[]): number => sum(parts.map(({ credits }) => credits))

/** Requests every usage endpoint for the current period. */
const QUESTIONS = [
  '/v1/usage',
  '/v1/usage/totals',
  '/v1/usage/totals?bucket=hour&limit=1000&group_by=report,member',
  '/v1/periods',
  '/v1/periods/current',
  '/v1/session',
]

describe('without any configuration', { concurrency: true }, () => {
  for (const environment of [{}, { TIME_ZONE: 'Pacific/Kiritimati', BILLING_ANCHOR_DAY: '17' }]) {
    const where = 'TIME_ZONE' in environment ? ', whatever the calendar of the settings' : ''
    test(`every endpoint serves the sample and agrees with GET /usage${where}`, async () => {
      await using service = await startService(environment)
      const usage = await ask<Schemas['UsageResponse']>(service, '/usage')
      assert.ok(isSample(usage))
      const lines = usage.body.usage
      assert.equal(lines.length, 120)
      const whole = sum(lines.map((each) => each.credits_used))

      const session = (await ask<Schemas['Session']>(service, '/v1/session')).body
      assert.deepEqual([session.source, session.organization.id], ['bundled-sample', 'default'])
      const period = (await ask<Schemas['CurrentPeriod']>(service, '/v1/periods/current')).body
      assert.ok(period.start <= session.time && session.time < period.end, 'the sample has its own current time')

      const paged: Schemas['DetailedUsageLine'][] = []
      let cursor = ''
      do {
        const page: Schemas['UsagePage'] = (await ask<Schemas['UsagePage']>(service, `/v1/usage?limit=50${cursor}`))
          .body
        paged.push(...page.usage)
        cursor = page.next_cursor === undefined ? '' : `&cursor=${encodeURIComponent(page.next_cursor)}`
      } while (cursor !== '')
      assert.deepEqual(
        paged.map(({ message_id, timestamp, report_name, credits_used }) => [
          ...[message_id, timestamp, report_name, credits_used],
        ]),
        lines.map(({ message_id, timestamp, report_name, credits_used }) => [
          ...[message_id, timestamp, report_name, credits_used],
        ]),
      )

      for (const query of ['bucket=none', 'bucket=day', 'bucket=hour&limit=1000', 'group_by=report,member']) {
        const { buckets } = (await ask<Schemas['Totals']>(service, `/v1/usage/totals?${query}`)).body
        assert.equal(creditsOf(buckets), whole, query)
        if (query.startsWith('group_by')) assert.equal(creditsOf(buckets.flatMap(({ groups = [] }) => groups)), whole)
      }
      assert.equal(creditsOf([period]), whole)
      const { periods } = (await ask<Periods>(service, '/v1/periods')).body
      assert.deepEqual(
        periods.map(({ name, messages }) => [name, messages]),
        [
          ['2026-10', 120],
          ['2026-09', 91],
        ],
      )
      assert.equal(creditsOf(periods.slice(0, 1)), whole)

      for (const line of lines.filter((_, index) => [0, 60, 119].includes(index))) {
        const [charge] = (await ask<Schemas['Charges']>(service, `/v1/messages/${line.message_id}`)).body.charges
        assert.equal(charge?.credits, line.credits_used)
        assert.equal(creditsOf(charge?.lines ?? []), sum([line.credits_used]))
      }

      const range = `from=${encodeURIComponent(period.start)}&to=${encodeURIComponent(period.end)}`
      for (const query of ['period=current', `period=${session.time.slice(0, 7)}`, range]) {
        const same = await ask(service, `/usage?${query}`)
        assert.ok(isSample(same), query)
        assert.deepEqual(same.body, usage.body, query)
      }
      const previous = await ask<Schemas['UsageResponse']>(service, '/usage?period=previous')
      assert.ok(isSample(previous))
      assert.equal(sum(previous.body.usage.map((each) => each.credits_used)), creditsOf(periods.slice(1)))
      assert.deepEqual((await ask(service, '/usage?from=2026-08-01&to=2026-09-01')).body, { usage: [] })
      for (const [dimension, values] of [
        ['member', 6],
        ['model', 2],
        ['report', 6],
      ] as const) {
        for (const { name } of periods) {
          const query = `period=${name}&bucket=none&group_by=${dimension}`
          const { buckets } = (await ask<Schemas['Totals']>(service, `/v1/usage/totals?${query}`)).body
          assert.equal(buckets[0]?.groups?.length, values, query)
        }
      }
      assert.equal((await ask(service, '/usage?to=2024-05-01')).status, 400)
      assert.equal((await ask(service, '/usage?period=current&to=2024-05-01')).status, 400)
    })
  }

  test('another organization does not see the sample', async () => {
    await using service = await startService({})
    await ask(service, '/v1/organizations', { id: 'acme' })
    assert.ok(isSample(await ask(service, '/usage')))
    const usage = await ask(service, '/usage?organization=acme')
    assert.deepEqual([isSample(usage), usage.body], [false, { usage: [] }])
    assert.deepEqual((await ask<Schemas['UsagePage']>(service, '/v1/usage?organization=acme')).body.usage, [])
    assert.equal((await ask<Schemas['Session']>(service, '/v1/session?organization=acme')).body.source, 'ledger')
  })
})

describe('the sample is gone', { concurrency: true }, () => {
  const isGone = async (service: Running, lines: number, headers = {}): Promise<void> => {
    const usage = await ask<Schemas['UsageResponse']>(service, '/usage', undefined, headers)
    assert.deepEqual([isSample(usage), usage.body.usage?.length], [false, lines])
    const read = async <Body>(path: string): Promise<Body> => (await ask<Body>(service, path, undefined, headers)).body
    const listed = await read<Schemas['UsagePage']>('/v1/usage')
    assert.equal(listed.usage.length, lines)
    const { buckets } = await read<Schemas['Totals']>('/v1/usage/totals')
    const { periods } = await read<Periods>('/v1/periods')
    const current = await read<Schemas['CurrentPeriod']>('/v1/periods/current')
    const counts = [buckets, periods, [current]].map((parts) => parts.reduce((all, { messages }) => all + messages, 0))
    assert.deepEqual(counts, [lines, lines, lines])
    assert.equal((await read<Schemas['Session']>('/v1/session')).source, 'ledger')
  }

  test('once a message is reported to any process on the same database', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'copilot-credits-sample-test-'))
    try {
      const DATABASE_URL = `sqlite:${join(folder, 'shared.db')}`
      await using service = await startService({ DATABASE_URL })
      await using other = await startService({ DATABASE_URL })
      for (const each of [service, other]) {
        for (const path of ['/usage', ...QUESTIONS]) assert.equal((await ask(each, path)).status, 200, path)
      }
      const message = { id: 1, text: 'x', timestamp: new Date().toISOString() }
      assert.equal(
        (await ask<Schemas['ReportedMessages']>(service, '/v1/messages', { messages: [message] })).body.accepted,
        1,
      )
      await isGone(service, 1)
      await isGone(other, 1)
    } finally {
      rmSync(folder, { recursive: true })
    }
  })

  test('once a key exists', async () => {
    await using service = await startService({})
    for (const path of QUESTIONS) assert.equal((await ask(service, path)).status, 200, path)
    const { key } = (await ask<{ key: string }>(service, '/v1/keys', { scopes: ['admin'] })).body
    await isGone(service, 0, { authorization: `Bearer ${key}` })
  })
})
