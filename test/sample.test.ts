/** The bundled sample: served in full while the database is empty, and gone once it has data. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { type Running, startService } from './harness.ts'

// biome-ignore lint/suspicious/noExplicitAny: tests look at single fields of a response
type Json = any
type Answer = { readonly status: number; readonly headers: Headers; readonly body: Json }

const ask = async ({ url }: Pick<Running, 'url'>, path: string, body?: object, headers = {}): Promise<Answer> => {
  const sent = { method: 'POST', body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }
  const response = await fetch(`${url}${path}`, body === undefined ? { headers } : sent)
  return { status: response.status, headers: response.headers, body: JSON.parse(await response.text()) }
}

const isSample = ({ headers }: Answer): boolean => headers.get('usage-source') === 'bundled-sample'
const sum = (amounts: readonly number[]): number => amounts.reduce((all, each) => all + Math.round(each * 1e6), 0)
const creditsOf = (parts: readonly Json[]): number => sum(parts.map(({ credits }) => credits))

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
      const usage = await ask(service, '/usage')
      assert.ok(isSample(usage))
      const lines: readonly Json[] = usage.body.usage
      assert.equal(lines.length, 120)
      const whole = sum(lines.map((each) => each.credits_used))

      const session = (await ask(service, '/v1/session')).body
      assert.deepEqual([session.source, session.organization.id], ['bundled-sample', 'default'])
      const period = (await ask(service, '/v1/periods/current')).body
      assert.ok(period.start <= session.time && session.time < period.end, 'the sample has its own current time')

      const paged: Json[] = []
      let cursor = ''
      do {
        const page = (await ask(service, `/v1/usage?limit=50${cursor}`)).body
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
        const { buckets } = (await ask(service, `/v1/usage/totals?${query}`)).body
        assert.equal(creditsOf(buckets), whole, query)
        if (query.startsWith('group_by')) assert.equal(creditsOf(buckets.flatMap((each: Json) => each.groups)), whole)
      }
      assert.equal(creditsOf([period]), whole)
      assert.equal(creditsOf((await ask(service, '/v1/periods')).body.periods), whole)

      for (const line of [lines.at(0), lines.at(60), lines.at(-1)]) {
        const [charge] = (await ask(service, `/v1/messages/${line.message_id}`)).body.charges
        assert.equal(charge.credits, line.credits_used)
        assert.equal(creditsOf(charge.lines), sum([line.credits_used]))
      }

      const range = `from=${encodeURIComponent(period.start)}&to=${encodeURIComponent(period.end)}`
      for (const query of ['period=current', `period=${session.time.slice(0, 7)}`, range]) {
        const same = await ask(service, `/usage?${query}`)
        assert.ok(isSample(same), query)
        assert.deepEqual(same.body, usage.body, query)
      }
      assert.deepEqual((await ask(service, '/usage?period=previous')).body, { usage: [] })
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
    assert.deepEqual((await ask(service, '/v1/usage?organization=acme')).body.usage, [])
    assert.equal((await ask(service, '/v1/session?organization=acme')).body.source, 'ledger')
  })
})

describe('the sample is gone', { concurrency: true }, () => {
  const isGone = async (service: Running, lines: number, headers = {}): Promise<void> => {
    const usage = await ask(service, '/usage', undefined, headers)
    assert.deepEqual([isSample(usage), usage.body.usage?.length], [false, lines])
    const [listed, totals, , periods, current, session] = await Promise.all(
      QUESTIONS.map((path) => ask(service, path, undefined, headers)),
    )
    assert.equal(listed?.body.usage.length, lines)
    const counts = [totals?.body.buckets, periods?.body.periods, [current?.body]].map((parts: readonly Json[]) =>
      parts.reduce((all, { messages }) => all + messages, 0),
    )
    assert.deepEqual(counts, [lines, lines, lines])
    assert.equal(session?.body.source, 'ledger')
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
      assert.equal((await ask(service, '/v1/messages', { messages: [message] })).body.accepted, 1)
      await isGone(service, 1)
      await isGone(other, 1)
    } finally {
      rmSync(folder, { recursive: true })
    }
  })

  test('once a key exists', async () => {
    await using service = await startService({})
    for (const path of QUESTIONS) assert.equal((await ask(service, path)).status, 200, path)
    const { key } = (await ask(service, '/v1/keys', { scopes: ['admin'] })).body
    await isGone(service, 0, { authorization: `Bearer ${key}` })
  })
})
