/** What `GET /usage` answers for an upstream while PostgreSQL hangs or is down: cards that were read, or none. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import { type Running, send, startCopilot, startService } from './harness.ts'
import { startPostgres } from './postgres-server.ts'

const CARD = { version: 'flat-7', cases: [{ name: 'text', when: { text: true }, lines: [{ rule: 'base', rate: 7 }] }] }
const timestamp = new Date().toISOString()

type Answer = { readonly status: number; readonly isStale: boolean; readonly age: number; readonly body: unknown }

const readUsage = async ({ url }: Running): Promise<Answer> => {
  const { status, headers, ...response } = await fetchUsage(url)
  const isStale = headers.get('cache-status') === 'copilot-credits; hit; detail=stale'
  return { status, isStale, age: Number(headers.get('age')), body: response.body }
}

const fetchUsage = async (url: string) => {
  const response = await fetch(`${url}/usage`)
  return { status: response.status, headers: response.headers, body: (await response.json()) as unknown }
}

/** Asks again until the answer is as wanted: cards in force are remembered for a second. */
const until = async (service: Running, isWanted: (answer: Answer) => boolean): Promise<Answer> => {
  const endsAt = performance.now() + 30_000
  for (;;) {
    const answer = await readUsage(service)
    if (isWanted(answer)) return answer
    assert.ok(performance.now() < endsAt, `never as wanted, but ${JSON.stringify(answer)}`)
    await wait(50)
  }
}

const call = async ({ url }: Running, method: string, path: string, body: unknown): Promise<void> => {
  const headers = { 'content-type': 'application/json' }
  const response = await fetch(`${url}${path}`, { method, headers, body: JSON.stringify(body) })
  assert.ok(response.ok, `${method} ${path}: ${response.status} ${await response.text()}`)
}

const creditsIn = (answer: Answer): readonly number[] =>
  (answer.body as { usage: readonly { credits_used: number }[] }).usage.map((line) => line.credits_used)

for (const how of ['hangs', 'is down'] as const) {
  test(`while the store ${how}, the cards read last price a listing for a limited time, and it says so`, async (context) => {
    await using postgres = await startPostgres({ sync: true })
    const { hang, kill, start } = postgres
    if (hang === undefined || kill === undefined || start === undefined) {
      context.skip('a PostgreSQL at TEST_DATABASE_URL cannot be stopped by tests')
      return
    }
    let count = 1
    await using copilot = await startCopilot({
      listing: (_, response) => {
        const messages = Array.from({ length: count }, (_, id) => ({ id, text: 'a b', timestamp, report_id: null }))
        send(response, 200, { messages })
      },
    })
    const environment = {
      DATABASE_URL: await postgres.createDatabase(),
      UPSTREAM_URL: copilot.url,
      AUTH: 'none',
    }
    await using patient = await startService({ ...environment, UPSTREAM_STALE_LIMIT: '5min' })
    await using strict = await startService({ ...environment, UPSTREAM_STALE_LIMIT: '1500ms' })
    await using reader = await startService({ ...environment, UPSTREAM_STALE_LIMIT: '5min' })
    await call(patient, 'POST', '/v1/rate-cards', CARD)
    await call(patient, 'PUT', '/v1/organizations/default/rate-card', {
      version: CARD.version,
      from: new Date(Date.parse(timestamp) - 1000).toISOString(),
    })
    for (const service of [patient, strict]) {
      const { status, isStale, body } = await until(service, (answer) => creditsIn(answer)[0] === 7)
      assert.deepEqual([status, isStale, creditsIn({ body } as Answer)], [200, false, [7]])
    }

    await (how === 'hangs' ? hang() : kill())
    count = 2
    const [stale, expired, never] = await Promise.all([
      until(patient, ({ isStale }) => isStale),
      until(strict, ({ status }) => status !== 200),
      until(reader, () => true),
    ])
    assert.equal(stale.status, 200)
    assert.deepEqual(creditsIn(stale), [7, 7], 'the listing is the newest one')
    const isStoreFailed = { type: 'urn:copilot-credits:problem:store-failed', status: 503 }
    for (const { body } of [expired, never]) assert.partialDeepStrictEqual(body, isStoreFailed)
    const old = await until(patient, ({ age }) => age >= 2)
    assert.deepEqual([old.status, old.isStale], [200, true], 'the age is that of the cards')

    await (how === 'hangs' ? postgres.goOn() : start())
    for (const service of [patient, strict, reader]) {
      const back = await until(service, ({ status, isStale }) => status === 200 && !isStale)
      assert.deepEqual(creditsIn(back), [7, 7])
    }
  })
}
