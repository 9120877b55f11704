/** PostgreSQL hangs, stops and comes back. Every request gets a response meanwhile, and nothing is lost or counted twice. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { startService } from '../harness.ts'
import { startPgBouncer, withoutPgBouncer } from '../pgbouncer.ts'
import { startPostgres } from '../postgres-server.ts'

type Batch = { readonly organization: string; readonly ids: readonly string[] }

/** Forty single messages and batches of all sizes, alternating between two organizations. */
const batches: readonly Batch[] = [...Array<number>(40).fill(1), ...[2, 30, 400, 700, 5, 1000, 3, 600, 1, 250]].map(
  (count, batch) => ({
    organization: batch % 2 === 0 ? 'default' : 'acme',
    ids: Array.from({ length: count }, (_, index) => `${batch}-${index}`),
  }),
)

/** Well above any response time, and well below the time if waiting requests were retried one after another. */
const ANSWERED_WITHIN_MS = 25_000

type Answer = { readonly status: number; readonly body: string; readonly tookMs: number }

const ask = async (url: string, organization: string, ids?: readonly string[]): Promise<Answer> => {
  const totals = `totals?organization=${organization}&bucket=none&from=2024-05-10&to=2024-05-11`
  const path = ids === undefined ? `usage/${totals}` : `messages?organization=${organization}`
  const startedAt = performance.now()
  const response = await fetch(`${url}/v1/${path}`, {
    headers: { 'content-type': 'application/json' },
    signal: AbortSignal.timeout(ANSWERED_WITHIN_MS),
    ...(ids !== undefined && {
      method: 'POST',
      body: JSON.stringify({
        messages: ids.map((id) => ({ id: `${organization}-${id}`, text: 'a', timestamp: '2024-05-10T12:00:00Z' })),
      }),
    }),
  })
  return { status: response.status, body: await response.text(), tookMs: performance.now() - startedAt }
}

const sendAll = (url: string): Promise<readonly Answer[]> =>
  Promise.all(batches.map(({ organization, ids }) => ask(url, organization, ids)))

describe('while PostgreSQL is away every request gets a timely response, and afterwards each message is recorded once', {
  concurrency: true,
}, () => {
  for (const pooler of ['', 'PgBouncer']) {
    const name = pooler === '' ? 'with PostgreSQL' : `with PostgreSQL behind ${pooler}`
    test(name, { skip: pooler !== '' && withoutPgBouncer }, async (context) => {
      await using postgres = await startPostgres({ sync: true })
      const { hang, kill, start } = postgres
      if (hang === undefined || kill === undefined || start === undefined) {
        context.skip('a PostgreSQL at TEST_DATABASE_URL cannot be stopped by tests')
        return
      }
      const direct = await postgres.createDatabase()
      await using between = pooler === '' ? undefined : await startPgBouncer(direct, 'transaction')
      await using service = await startService({ DATABASE_URL: between?.behind(direct) ?? direct })
      const created = await fetch(`${service.url}/v1/organizations`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ id: 'acme', name: 'Acme' }),
      })
      assert.equal(created.status, 201, await created.text())
      for (const organization of ['default', 'acme']) {
        assert.equal((await ask(service.url, organization, ['before'])).status, 200)
      }

      for (const away of [
        { leave: hang, comeBack: postgres.goOn },
        { leave: kill, comeBack: start },
      ]) {
        await away.leave()
        const answers = await Promise.all([
          sendAll(service.url),
          ...['default', 'acme', 'default'].map(async (organization) => [await ask(service.url, organization)]),
        ])
        for (const { status, body } of answers.flat()) {
          assert.equal(status, 503, body)
          assert.match(body, /urn:copilot-credits:problem:(store-failed|too-busy)/)
        }
        const longest = Math.max(...answers.flat().map(({ tookMs }) => tookMs))
        context.diagnostic(
          `${answers.flat().length} responses with 503, the slowest after ${(longest / 1000).toFixed(1)} s`,
        )
        await away.comeBack()
        // Requests in flight when PostgreSQL stopped may have been committed.
        for (const { status, body } of await sendAll(service.url)) {
          assert.equal(status, 200, body)
          assert.match(body, /"conflict":0,|"conflict":0}/)
        }
        for (const organization of ['default', 'acme']) {
          const count =
            batches.filter((batch) => batch.organization === organization).flatMap(({ ids }) => ids).length + 1
          const { body } = await ask(service.url, organization)
          assert.equal(JSON.parse(body).buckets[0].messages, count)
        }
      }
    })
  }
})
