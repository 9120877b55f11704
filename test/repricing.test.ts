/** Messages without a price are charged once there is one, on each store. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { after, before, describe, test } from 'node:test'
import type { Ledger } from '../src/ledger/ledger.ts'
import { CALENDAR_BEGINS } from '../src/model/organization.ts'
import { createPostgresLedger } from '../src/store/postgres/ledger.ts'
import { createSqliteLedger } from '../src/store/sqlite/ledger.ts'
import { startService } from './harness.ts'
import { type PostgresServer, startPostgres } from './postgres-server.ts'

const root = join(import.meta.dirname, '..')
const ALL = { from: CALENDAR_BEGINS, to: -CALENDAR_BEGINS }
/** `KILLS` is the number of kills. */
const KILLS = Number(process.env['KILLS'] ?? 3)
const MAY = Date.parse('2024-05-01T00:00:00Z')

let server: PostgresServer
before(async () => {
  server = await startPostgres()
})
after(() => server[Symbol.asyncDispose]())

type Opened = { readonly url: string; readonly ledger: Ledger } & AsyncDisposable

const STORES: Readonly<Record<string, () => Promise<Opened>>> = {
  SQLite: async () => {
    const folder = mkdtempSync(join(tmpdir(), 'copilot-credits-repricing-'))
    const path = join(folder, 'ledger.db')
    const ledger = await createSqliteLedger({ path })
    const close = async () => {
      await ledger.close()
      rmSync(folder, { recursive: true })
    }
    return { url: `sqlite:${path}`, ledger, [Symbol.asyncDispose]: close }
  },
  PostgreSQL: async () => {
    const url = await server.createDatabase()
    const ledger = await createPostgresLedger({ url, poolSize: 2 })
    return { url, ledger, [Symbol.asyncDispose]: () => ledger.close() }
  },
}

/** Prices a message by its output tokens, if its model has a price. */
const cardOf = (version: string, prices: Readonly<Record<string, number>>) => ({
  version,
  prices: Object.fromEntries(Object.entries(prices).map(([model, output]) => [model, [{ output }]])),
  cases: [
    { name: 'report', when: { report: true }, lines: [{ rule: 'report', of: 'report_credits', rate: 1 }] },
    { name: 'tokens', when: { model: '*' }, lines: [{ rule: 'output', of: 'output_tokens', price: 'output' }] },
  ],
})

/** As another process does it, without this one's notice. */
const putInForce = async (ledger: Ledger, card: ReturnType<typeof cardOf>): Promise<void> => {
  await ledger.rateCards.put({ version: card.version, hash: card.version, body: JSON.stringify(card), createdAt: MAY })
  const used = await ledger.decide('default', { kind: 'use-rate-card', version: card.version, from: MAY })
  assert.ok(used !== undefined && 'inForce' in used)
}

const message = (id: number, more: Readonly<Record<string, unknown>> = {}) => ({
  id,
  timestamp: new Date(MAY + id * 60_000).toISOString(),
  model: 'large',
  usage: { output_tokens: 10 },
  ...more,
})

// biome-ignore lint/suspicious/noExplicitAny: tests look at single fields of a response
type Answer = any

const call = async (url: string, method = 'GET', body?: unknown): Promise<Answer> => {
  const headers = { 'content-type': 'application/json' }
  const response = await fetch(url, { method, ...(body !== undefined && { headers, body: JSON.stringify(body) }) })
  assert.ok(response.ok, await response.clone().text())
  return response.json()
}

const totalOf = async (ledger: Ledger): Promise<readonly unknown[]> => {
  const [total] = await ledger.read('default', (view) => view.totals({ ...ALL, group: [] }))
  return [total?.messages, total?.unpriced, total?.credits]
}

const unpricedOf = async (ledger: Ledger): Promise<number> => Number((await totalOf(ledger))[1])

const until = async (isSo: () => Promise<boolean>): Promise<void> => {
  while (!(await isSo())) await new Promise((resolve) => setTimeout(resolve, 5))
}

const startCommand = (url: string, ...args: readonly string[]) => {
  const child = spawn(process.execPath, ['bin/copilot-credits.js', 'reprice', ...args], {
    cwd: root,
    env: { PATH: process.env['PATH'], DATABASE_URL: url },
  })
  const ended = async () => {
    const [out, err, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'exit')])
    return { out, err, code }
  }
  return { child, ended: ended() }
}

for (const [name, open] of Object.entries(STORES)) {
  describe(`on ${name}`, () => {
    test('messages of an unknown model are charged once when a card has its price, and the answer says why', async () => {
      await using opened = await open()
      const { ledger, url: DATABASE_URL } = opened
      await putInForce(ledger, cardOf('first', { small: 1 }))
      await using service = await startService({ DATABASE_URL })
      const messages = [message(1), message(2, { model: 'small' }), message(3, { model: 'unheard-of' })]
      const { results } = await call(`${service.url}/v1/messages`, 'POST', { messages })
      assert.deepEqual(
        results.map(({ status }: { status: string }) => status),
        ['unpriced', 'accepted', 'unpriced'],
      )
      assert.equal(await service.metric('copilot_credits_unpriced_messages_total'), 2)
      assert.match(service.logged(), /"messages":2,"reason":"[^"]*\\"large\\"[^"]*","msg":"messages have no price/)

      await putInForce(ledger, cardOf('second', { small: 1, large: 2.5 }))
      const repriced = await call(`${service.url}/v1/organizations/default/reprice`, 'POST')
      assert.deepEqual(
        { ...repriced, reasons: repriced.reasons.length },
        { tried: 2, priced: 1, credits: 25, unpriced: 1, reasons: 1 },
      )
      assert.match(repriced.reasons[0].reason, /"unheard-of"/)
      assert.deepEqual(await totalOf(ledger), [3, 1, 35_000_000n])

      const { charges } = await call(`${service.url}/v1/messages/1`)
      const [now, then] = charges
      assert.deepEqual(
        charges.map(({ state, credits, rate_card }: Record<string, unknown>) => [state, credits, rate_card]),
        [
          ['charged', 25, 'second'],
          ['superseded', undefined, 'first'],
        ],
      )
      assert.deepEqual(now.lines.length, 1)
      assert.match(then.unpriced, /"large"/)
      assert.deepEqual([then.superseded_by, then.changed], [1, ['price', 'rate_card']])

      const again = await startCommand(DATABASE_URL, '--json').ended
      assert.equal(again.code, 1)
      const { reasons: _, ...counts } = JSON.parse(again.out)
      assert.deepEqual(counts, { tried: 1, priced: 0, credits: '0', unpriced: 1 })
      assert.match(again.err, /^1: .*"unheard-of"/)
      const still = (await call(`${service.url}/v1/messages/3`)).charges
      assert.deepEqual(
        still.map(({ state, rate_card, changed }: Answer) => [state, rate_card, changed]),
        [
          ['unpriced', 'second', undefined],
          ['superseded', 'first', ['rate_card']],
        ],
        'written once',
      )
      const [{ reason }] = repriced.reasons
      assert.match(reason, /in the card second$/)
      const [listed] = (await call(`${service.url}/v1/usage?unpriced=true&period=2024-05`)).usage
      const duplicate = await call(`${service.url}/v1/messages`, 'POST', { messages: messages.slice(2) })
      assert.deepEqual([still[0].unpriced, listed.unpriced, duplicate.results[0].unpriced], [reason, reason, reason])
      const remote = await startCommand('sqlite:unused', '--json', '--url', service.url).ended
      assert.deepEqual([remote.out, remote.code], [again.out, 1])
      await putInForce(ledger, cardOf('third', { small: 1, large: 2.5, 'unheard-of': 1 }))
      const last = await startCommand(DATABASE_URL).ended
      assert.deepEqual([last.code, last.err], [0, ''])
      assert.deepEqual(await totalOf(ledger), [3, 0, 45_000_000n])
    })

    test('a service that starts charges what has had a price since another process was killed', async () => {
      await using opened = await open()
      const { ledger, url: DATABASE_URL } = opened
      await putInForce(ledger, cardOf('first', {}))
      {
        await using service = await startService({ DATABASE_URL })
        await call(`${service.url}/v1/messages`, 'POST', { messages: [message(1)] })
      }
      await putInForce(ledger, cardOf('second', { large: 2 }))
      await using _ = await startService({ DATABASE_URL })
      await until(async () => (await totalOf(ledger))[2] === 20_000_000n)
    })

    test('a message that asks for a report is charged in the background when the report is added', async () => {
      await using opened = await open()
      const { ledger, url: DATABASE_URL } = opened
      await putInForce(ledger, cardOf('first', {}))
      await using service = await startService({ DATABASE_URL })
      const organizations = Array.from({ length: 3 }, (_, index) => `customer-${index}`)
      for (const id of organizations) await call(`${service.url}/v1/organizations`, 'POST', { id })
      const asking = [message(1, { report_id: 7 }), message(2)]
      await call(`${service.url}/v1/messages`, 'POST', { messages: asking })
      await ledger.decide('default', { kind: 'close', until: MAY + 31 * 86_400_000 })
      await call(`${service.url}/v1/messages`, 'POST', { messages: [message(3, { report_id: '7' })] })
      await call(`${service.url}/v1/reports/7`, 'PUT', { name: 'Lease', credit_cost: 12.5 })
      await until(async () => (await totalOf(ledger))[2] === 25_000_000n)
      const { charges } = await call(`${service.url}/v1/messages/1`)
      assert.deepEqual(
        charges.map(({ credits, report_name, period }: Answer) => [credits, report_name, period.start]),
        [
          [12.5, 'Lease', '2024-06-01T00:00:00.000Z'],
          [undefined, undefined, '2024-05-01T00:00:00.000Z'],
        ],
      )
      assert.equal(await service.metric('copilot_credits_unpriced_messages_charged_total'), 2)
      // The closed period still lists it without a price, but it is not tried again.
      const { tried, priced, unpriced } = await call(`${service.url}/v1/organizations/default/reprice`, 'POST')
      assert.deepEqual([tried, priced, unpriced], [1, 0, 1])
    })

    test('what a closed period has without a price is charged in the open one by a card for it, and nothing else changes', async () => {
      await using opened = await open()
      const { ledger, url: DATABASE_URL } = opened
      await putInForce(ledger, cardOf('first', { small: 1 }))
      const late = cardOf('late', { small: 99, large: 2.5 })
      await ledger.rateCards.put({ version: 'late', hash: 'late', body: JSON.stringify(late), createdAt: MAY })
      await using service = await startService({ DATABASE_URL })
      const path = `${service.url}/v1/organizations/default/rate-card`
      const report = async (...messages: readonly object[]) =>
        (await call(`${service.url}/v1/messages`, 'POST', { messages })).results.map(
          ({ status, credits }: Answer) => `${status} ${credits}`,
        )
      const JUNE = MAY + 31 * 86_400_000
      assert.deepEqual(await report(message(1), message(2, { model: 'small' }), message(3, { model: 'unheard-of' })), [
        'unpriced undefined',
        'accepted 10',
        'unpriced undefined',
      ])
      await ledger.decide('default', { kind: 'close', until: JUNE })
      const may = { ...ALL, to: JUNE }
      const linesOfMay = () => ledger.read('default', (view) => view.page({ ...may, limit: 10 }))
      const closed = await linesOfMay()
      await call(`${service.url}/v1/organizations/default/rate-card`, 'PUT', {
        version: 'first',
        from: new Date(JUNE).toISOString(),
      })

      const from = new Date(MAY).toISOString()
      const used = await call(path, 'PUT', { version: 'late', from, for: 'unpriced' })
      const [, , forUnpriced] = used.in_force
      assert.deepEqual(used.in_force.length, 4)
      assert.deepEqual(forUnpriced, { version: 'late', from, for: 'unpriced', until: '2024-06-01T00:00:00.000Z' })
      await until(async () => (await totalOf(ledger))[2] === 35_000_000n)
      assert.deepEqual(await linesOfMay(), closed)
      assert.deepEqual(await call(path), { ...used, priced_otherwise: 0 })

      const { charges } = await call(`${service.url}/v1/messages/1`)
      const reason = 'the model "large" has no price in the card first'
      assert.deepEqual(
        charges.map(({ state, credits, rate_card, unpriced, unpriced_by, period }: Answer) => [
          state,
          credits,
          rate_card,
          unpriced,
          unpriced_by,
          period.start,
        ]),
        [
          ['charged', 25, 'late', undefined, { rate_card: 'first', reason }, '2024-06-01T00:00:00.000Z'],
          ['unpriced', undefined, 'first', reason, undefined, '2024-05-01T00:00:00.000Z'],
        ],
      )

      // The card in force prices what it can, and the one for unpriced messages what is left, in quotes as well.
      const lateOnes = [message(4), message(5, { model: 'small' }), message(6, { model: 'unheard-of' })]
      const afterwards = message(60 * 24 * 40)
      const { quotes } = await call(`${service.url}/v1/quotes`, 'POST', { messages: [...lateOnes, afterwards] })
      assert.deepEqual(
        quotes.map(({ credits, rate_card }: Answer) => [credits, rate_card]),
        [
          [25, 'late'],
          [10, 'first'],
          [undefined, 'first'],
          [undefined, 'first'],
        ],
      )
      assert.deepEqual(await report(...lateOnes, afterwards), [
        'accepted 25',
        'accepted 10',
        'unpriced undefined',
        'unpriced undefined',
      ])
      const chargesOf = async (id: number) => (await call(`${service.url}/v1/messages/${id}`)).charges
      assert.deepEqual((await chargesOf(4))[0].unpriced_by, { rate_card: 'first', reason })
      assert.deepEqual((await chargesOf(5))[0].unpriced_by, undefined)
      assert.deepEqual(await linesOfMay(), closed)
      assert.equal((await call(path)).priced_otherwise, 0)

      // Another one instead prices only what still has no price, and what was charged keeps its explanation.
      const last = cardOf('last', { large: 77, 'unheard-of': 3 })
      await ledger.rateCards.put({ version: 'last', hash: 'last', body: JSON.stringify(last), createdAt: MAY })
      await call(path, 'PUT', { version: 'last', from, for: 'unpriced' })
      await until(async () => (await totalOf(ledger))[2] === 130_000_000n)
      assert.deepEqual((await chargesOf(4))[0].unpriced_by, { rate_card: 'first', reason })
      assert.deepEqual(await linesOfMay(), closed)
    })

    test('processes that are killed while they charge, and two at once, charge every message once', async (context) => {
      await using opened = await open()
      const { ledger, url } = opened
      const count = 500 * (KILLS + 3)
      await putInForce(ledger, cardOf('first', {}))
      {
        await using service = await startService({ DATABASE_URL: url })
        for (let from = 0; from < count; from += 500) {
          const messages = Array.from({ length: 500 }, (_, index) => message(from + index))
          await call(`${service.url}/v1/messages`, 'POST', { messages })
        }
      }
      assert.deepEqual(await totalOf(ledger), [count, count, 0n])
      await putInForce(ledger, cardOf('second', { large: 1 }))
      let kills = 0
      for (let left = count; kills < KILLS && left > 1000; left = await unpricedOf(ledger)) {
        const { child, ended } = startCommand(url)
        await until(async () => child.exitCode !== null || (await unpricedOf(ledger)) < left)
        child.kill('SIGKILL')
        await ended
        kills++
      }
      const left = await unpricedOf(ledger)
      context.diagnostic(`${kills} kills, ${left} messages left`)
      assert.ok(kills > 0)
      const outcomes = await Promise.all([startCommand(url, '--json').ended, startCommand(url, '--json').ended])
      assert.deepEqual(
        outcomes.map(({ code }) => code),
        [0, 0],
      )
      assert.equal(
        outcomes.reduce((sum, { out }) => sum + JSON.parse(out).priced, 0),
        left,
      )
      assert.deepEqual(await totalOf(ledger), [count, 0, BigInt(count) * 10_000_000n])
      const lines = await ledger.read('default', (view) => view.page({ ...ALL, limit: count + 1 }))
      assert.equal(new Set(lines.map(({ messageId }) => messageId)).size, count)
      assert.deepEqual(new Set(lines.map(({ credits }) => credits)), new Set([10_000_000]))
      const revisions = await ledger.read('default', async (view) =>
        Promise.all(lines.slice(0, 2000).map(async ({ messageId }) => (await view.charges(messageId)).length)),
      )
      assert.deepEqual(new Set(revisions), new Set([2]))
    })
  })
}
