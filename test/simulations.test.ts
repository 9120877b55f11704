/** What another rate card would do, and charging messages anew, on each store. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { describe, test } from 'node:test'
import type { Ledger } from '../src/ledger/ledger.ts'
import { CALENDAR_BEGINS } from '../src/model/organization.ts'
import { useBothStores } from './both-stores.ts'
import { ServerProcess } from './faults/server-process.ts'
import { sendListing, startCopilot, startService } from './harness.ts'

const root = join(import.meta.dirname, '..')
const ALL = { from: CALENDAR_BEGINS, to: -CALENDAR_BEGINS }
/** `KILLS` is the number of kills. */
const KILLS = Number(process.env['KILLS'] ?? 3)
const MAY = Date.parse('2024-05-01T00:00:00Z')

const { stores, pathOf } = useBothStores()

type Opened = { readonly url: string; readonly ledger: Ledger } & AsyncDisposable

/** Prices a report by the catalogue, tokens by model, and a text flat. */
const cardOf = (version: string, prices: Readonly<Record<string, number>>, flat: number) => ({
  version,
  prices: Object.fromEntries(Object.entries(prices).map(([model, output]) => [model, [{ output }]])),
  cases: [
    { name: 'report', when: { report: true }, lines: [{ rule: 'report', of: 'report_credits', rate: 1 }] },
    { name: 'tokens', when: { model: '*' }, lines: [{ rule: 'output', of: 'output_tokens', price: 'output' }] },
    { name: 'text', when: { text: true }, lines: [{ rule: 'message', rate: flat }] },
  ],
})

const first = cardOf('first', { large: 2, small: 1 }, 4)
const second = cardOf('second', { large: 3, other: 1 }, 3.5)

// biome-ignore lint/suspicious/noExplicitAny: tests look at single fields of a response
type Answer = any

const call = async (url: string, method = 'GET', body?: unknown): Promise<Answer> => {
  const headers = { 'content-type': 'application/json' }
  const response = await fetch(url, { method, ...(body !== undefined && { headers, body: JSON.stringify(body) }) })
  assert.ok(response.ok, await response.clone().text())
  return response.json()
}

/** The detail of a problem, after its status. */
const problemOf = async (url: string, body: unknown): Promise<string> => {
  const headers = { 'content-type': 'application/json' }
  const response = await fetch(url, { method: 'POST', headers, body: JSON.stringify(body) })
  return `${response.status} ${((await response.json()) as { readonly detail: string }).detail}`
}

const use = async (
  service: string,
  card: ReturnType<typeof cardOf>,
  from: number,
  organization = 'default',
): Promise<void> => {
  await call(`${service}/v1/rate-cards`, 'POST', card)
  const body = { version: card.version, from: new Date(from).toISOString() }
  await call(`${service}/v1/organizations/${organization}/rate-card`, 'PUT', body)
}

const message = (id: number | string, more: Readonly<Record<string, unknown>>) => ({
  id,
  timestamp: new Date(MAY + Number(id) * 3_600_000).toISOString(),
  ...more,
})

const MESSAGES = [
  message(1, { model: 'large', usage: { output_tokens: 10 }, user_id: 'ada', team_id: 'legal' }),
  message(2, { model: 'small', usage: { output_tokens: 10 }, user_id: 'ada' }),
  message('3', { text: 'Hello', user_id: 'bob', team_id: 'legal' }),
  message(30, { report_id: 7, user_id: 'bob' }),
  message(40, { model: 'other', usage: { output_tokens: 5 } }),
]

const totalOf = async (ledger: Ledger, organization = 'default'): Promise<readonly unknown[]> => {
  const [total] = await ledger.read(organization, (view) => view.totals({ ...ALL, group: [] }))
  return [total?.messages, total?.unpriced, total?.credits]
}

const until = async (isSo: () => Promise<boolean>): Promise<void> => {
  while (!(await isSo())) await new Promise((resolve) => setTimeout(resolve, 5))
}

/** By the card `second` and of May, unless the arguments say otherwise. */
const startCommand = (url: string, ...args: readonly string[]) => {
  const card = args.includes('--card') ? [] : ['--card', 'second']
  const period = args.includes('--period') ? [] : ['--period', '2024-05']
  const child = spawn(process.execPath, ['bin/copilot-credits.js', 'simulate', ...card, ...period, ...args], {
    cwd: root,
    env: { PATH: process.env['PATH'], DATABASE_URL: url },
  })
  const ended = async () => {
    const [out, err, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'exit')])
    return { out, err, code }
  }
  return { ended: ended() }
}

for (const [name, { newUrl, openLedger }] of Object.entries(stores)) {
  describe(`on ${name}`, () => {
    const open = async (): Promise<Opened> => {
      const url = await newUrl()
      const ledger = await openLedger(url)
      return { url, ledger, [Symbol.asyncDispose]: () => ledger.close() }
    }

    test('a card is simulated, put in force and applied, and the charges say why they were replaced', async () => {
      await using opened = await open()
      const { ledger, url: DATABASE_URL } = opened
      await using service = await startService({ DATABASE_URL })
      const at = service.url
      await use(at, first, MAY)
      await call(`${at}/v1/reports/7`, 'PUT', { name: 'Lease', credit_cost: 12.5 })
      await call(`${at}/v1/messages`, 'POST', { messages: MESSAGES })
      await call(`${at}/v1/messages`, 'POST', {
        messages: [{ ...MESSAGES[0], id: 'june', timestamp: '2024-06-01T00:00:00Z' }],
      })
      const written = await totalOf(ledger)

      const simulation = await call(`${at}/v1/simulations`, 'POST', { rate_card: second, period: '2024-05' })
      const { by_organization, by_report, by_member, by_team, by_model, by_day, ...others } = simulation
      const { hash, largest_changes, unpriced, ...sums } = others
      assert.deepEqual(sums, {
        organization: 'default',
        rate_card: { version: 'second', hash: sums.rate_card.hash },
        from: '2024-05-01T00:00:00.000Z',
        to: '2024-06-01T00:00:00.000Z',
        messages: 5,
        credits_before: 46.5,
        credits_after: 51,
        difference: 4.5,
        costlier: 2,
        cheaper: 2,
        unpriced_before: 1,
        unpriced_after: 1,
        charged_otherwise: 5,
      })
      const shortOf = (groups: Answer, name: string) =>
        groups.groups.map((group: Answer) => [group[name], group.messages, group.credits_before, group.credits_after])
      assert.deepEqual(shortOf(by_organization, 'organization'), [['default', 5, 46.5, 51]])
      assert.deepEqual(shortOf(by_report, 'report_name'), [
        [undefined, 4, 34, 38.5],
        ['Lease', 1, 12.5, 12.5],
      ])
      assert.deepEqual(shortOf(by_member, 'user_id'), [
        [undefined, 1, 0, 5],
        ['bob', 2, 16.5, 16],
        ['ada', 2, 30, 30],
      ])
      assert.deepEqual(shortOf(by_team, 'team_id'), [
        ['legal', 2, 24, 33.5],
        [undefined, 3, 22.5, 17.5],
      ])
      assert.deepEqual(shortOf(by_model, 'model'), [
        ['large', 1, 20, 30],
        ['small', 1, 10, 0],
        ['other', 1, 0, 5],
        [undefined, 2, 16.5, 16],
      ])
      assert.deepEqual(shortOf(by_day, 'date'), [
        ['2024-05-01', 3, 34, 33.5],
        ['2024-05-02', 2, 12.5, 17.5],
      ])
      assert.deepEqual(
        largest_changes.map((each: Answer) => [each.message_id, each.credits_before, each.credits_after]),
        [
          [1, 20, 30],
          [2, 10, undefined],
          [40, undefined, 5],
          ['3', 4, 3.5],
        ],
      )
      assert.deepEqual(unpriced, [{ reason: 'the model "small" has no price in the card second', messages: 1 }])
      assert.deepEqual(await totalOf(ledger), written, 'nothing is written')

      const request = { rate_card: 'second', period: '2024-05' }
      const apply = `${at}/v1/simulations/${hash}/apply`
      assert.match(await problemOf(`${at}/v1/simulations`, request), /^404 There is no rate card "second"/)
      assert.match(await problemOf(apply, { ...request, rate_card: second }), /^409 .*"second" is not stored/)
      await use(at, second, MAY + 86_400_000)
      assert.match(
        await problemOf(apply, request),
        /^409 .*: from 2024-05-01T00:00:00.000Z to 2024-05-02T00:00:00.000Z, it is "first"/,
      )
      await use(at, second, MAY)
      assert.match(await problemOf(apply.replace(hash, 'other'), request), /^409 What was simulated has changed/)
      assert.match(await problemOf(apply, { ...request, period: '2024-06' }), /^409 What was simulated has changed/)
      const priced = async () => (await totalOf(ledger))[1] === 0
      await until(priced)
      const again = await call(`${at}/v1/simulations`, 'POST', request)
      assert.deepEqual(
        [again.hash, again.charged_otherwise, again.unpriced_before],
        [hash, 4, undefined],
        'what had no price is charged by the card already',
      )
      const applied = await call(apply, 'POST', request)
      assert.deepEqual(
        [applied.hash, applied.messages, applied.credits_before, applied.credits_after, applied.unpriced_after],
        [hash, 4, 46.5, 46, 1],
      )
      assert.deepEqual([applied.changed_meanwhile, applied.unpriced], [0, unpriced])
      assert.deepEqual(await totalOf(ledger), [6, 1, 71_000_000n])
      const { charges } = await call(`${at}/v1/messages/1`)
      assert.deepEqual(
        charges.map(({ state, credits, rate_card, superseded_by, changed }: Answer) => [
          state,
          credits,
          rate_card,
          superseded_by,
          changed,
        ]),
        [
          ['charged', 30, 'second', undefined, undefined],
          ['superseded', 20, 'first', 1, ['rate_card']],
        ],
      )
      const repeated = await call(apply, 'POST', request)
      assert.deepEqual([repeated.messages, repeated.credits_after], [0, 0], 'repeating it changes nothing')
      assert.equal((await call(`${at}/v1/messages/1`)).charges.length, 2)
      const last = await call(`${at}/v1/simulations`, 'POST', request)
      assert.deepEqual([last.hash, last.charged_otherwise, last.difference], [hash, 0, 0])
      assert.equal((await call(`${at}/v1/organizations/default/rate-card`)).priced_otherwise, 1, 'that of June')
    })

    test('a simulation is applied only if no message has been charged by another card since, and nothing of it is closed', async () => {
      await using opened = await open()
      const { ledger, url: DATABASE_URL } = opened
      await using service = await startService({ DATABASE_URL })
      const at = service.url
      await use(at, first, MAY)
      await call(`${at}/v1/rate-cards`, 'POST', second)
      await call(`${at}/v1/messages`, 'POST', { messages: MESSAGES })
      const request = { rate_card: 'second', from: '2024-05-01', to: '2024-06-01' }
      const simulate = () => call(`${at}/v1/simulations`, 'POST', request)
      const applyOf = ({ hash }: Answer) => `${at}/v1/simulations/${hash}/apply`
      const early = await simulate()
      await call(`${at}/v1/messages`, 'POST', { messages: [message(50, { text: 'late' })] })
      await use(at, second, MAY)
      assert.match(await problemOf(applyOf(early), request), /^409 What was simulated has changed/)
      // In the background, what had no price becomes a message of the new card; one asks for a report that there is not.
      await until(async () => (await totalOf(ledger))[1] === 1)
      const present = await simulate()
      await call(`${at}/v1/messages`, 'POST', { messages: [message(51, { text: 'by the new card' })] })
      assert.equal((await simulate()).hash, present.hash)
      await ledger.decide('default', { kind: 'close', until: MAY + 86_400_000 })
      assert.match(await problemOf(applyOf(present), request), /^409 Closed periods never change/)
      await call(`${at}/v1/messages`, 'POST', { messages: [message(5, { text: 'of a closed period' })] })
      const rest = { ...request, from: '2024-05-02' }
      const later = await call(`${at}/v1/simulations`, 'POST', rest)
      assert.deepEqual([later.messages, later.charged_otherwise], [5, 1], 'an adjustment stays as it is')
      const applied = await call(applyOf(later), 'POST', rest)
      assert.deepEqual([applied.messages, applied.changed_meanwhile], [1, 0])
      assert.deepEqual((await call(`${at}/v1/messages/1`)).charges.length, 1, 'a closed period never changes')
    })

    test('several organizations are simulated and charged anew together, each for its own period of that name, or none is', async () => {
      await using opened = await open()
      const { ledger, url: DATABASE_URL } = opened
      await using service = await startService({ DATABASE_URL })
      const at = service.url
      await call(`${at}/v1/organizations`, 'POST', {
        id: 'acme',
        billing_anchor_day: 15,
        time_zone: 'America/New_York',
      })
      await call(`${at}/v1/organizations`, 'POST', { id: 'empty' })
      await use(at, first, MAY)
      await use(at, first, MAY, 'acme')
      await call(`${at}/v1/reports/7`, 'PUT', { name: 'Lease', credit_cost: 12.5 })
      await call(`${at}/v1/messages`, 'POST', { messages: MESSAGES })
      const ofAcme = [
        { ...MESSAGES[1], id: 1, timestamp: '2024-05-14T12:00:00Z' },
        { ...MESSAGES[0], id: 1, timestamp: '2024-05-15T12:00:00Z' },
        { ...MESSAGES[2], id: 2, timestamp: '2024-06-15T03:59:59Z' },
        { ...MESSAGES[2], id: 3, timestamp: '2024-06-15T04:00:00Z' },
      ].map((each, index) => ({ ...each, id: index + 1 }))
      await call(`${at}/v1/messages?organization=acme`, 'POST', { messages: ofAcme })
      const request = { rate_card: second, organizations: 'all', period: '2024-05' }
      const simulate = (more: object) => call(`${at}/v1/simulations`, 'POST', { ...request, ...more })
      const simulation = await simulate({})
      const [mine, acme] = [await simulate({ organizations: ['default'] }), await simulate({ organizations: ['acme'] })]
      assert.deepEqual([simulation.organization, mine.organization, acme.organization], [undefined, 'default', 'acme'])
      assert.deepEqual(
        [simulation.from, simulation.to, acme.from, acme.to],
        [
          '2024-05-01T00:00:00.000Z',
          '2024-06-15T04:00:00.000Z',
          '2024-05-15T04:00:00.000Z',
          '2024-06-15T04:00:00.000Z',
        ],
      )
      assert.deepEqual([mine.messages, acme.messages, simulation.messages], [5, 2, 7])
      for (const field of ['credits_before', 'credits_after', 'costlier', 'cheaper', 'charged_otherwise'])
        assert.equal(simulation[field], mine[field] + acme[field], field)
      assert.deepEqual(simulation.by_organization.groups, [
        ...acme.by_organization.groups,
        ...mine.by_organization.groups,
      ])
      assert.deepEqual(
        acme.by_organization.groups.map((group: Answer) => [
          group.organization,
          group.from,
          group.to,
          group.difference,
        ]),
        [['acme', acme.from, acme.to, 9.5]],
      )
      assert.deepEqual(
        simulation.by_member.groups
          .map((group: Answer) => [group.organization, group.user_id, group.messages, group.difference])
          .toSorted(),
        [
          ['acme', 'ada', 1, 10],
          ['acme', 'bob', 1, -0.5],
          ['default', undefined, 1, 5],
          ['default', 'ada', 2, 0],
          ['default', 'bob', 2, -0.5],
        ],
      )
      assert.deepEqual(
        simulation.by_model.groups.map((group: Answer) => [group.model, group.messages]),
        [
          ['large', 2],
          ['small', 1],
          ['other', 1],
          [undefined, 3],
        ],
      )
      assert.deepEqual(
        simulation.by_day.groups.map((group: Answer) => [group.date, group.messages]),
        [
          ['2024-05-01', 3],
          ['2024-05-02', 2],
          ['2024-05-15', 1],
          ['2024-06-14', 1],
        ],
      )
      assert.deepEqual(
        simulation.largest_changes.slice(0, 3).map((each: Answer) => [each.organization, each.message_id]),
        [
          ['acme', 2],
          ['default', 1],
          ['default', 2],
        ],
      )

      const failures: readonly (readonly [object, RegExp])[] = [
        [{ organizations: [] }, /^400 .*organizations must be "all", or an array/],
        [{ organizations: 'acme' }, /^400 .*organizations must be "all", or an array/],
        [{ organizations: ['acme', 'nobody'] }, /^404 There is no organization "nobody"/],
        [{ period: '2024-05-15' }, /^400 .*period must be .* for each organization: for "default", none does/],
      ]
      for (const [more, problem] of failures)
        assert.match(await problemOf(`${at}/v1/simulations`, { ...request, ...more }), problem)
      assert.match(
        await problemOf(`${at}/v1/simulations?organization=acme`, request),
        /^400 .*organizations must be absent/,
      )

      const apply = `${at}/v1/simulations/${simulation.hash}/apply`
      await use(at, second, MAY)
      assert.match(await problemOf(apply, request), /^409 .*not in force.*it is "first" for the organization "acme"/)
      await use(at, second, MAY, 'acme')
      await until(async () => (await totalOf(ledger))[1] === 0)
      const [before, beforeOfAcme] = [await totalOf(ledger), await totalOf(ledger, 'acme')]
      assert.match(await problemOf(apply, { ...request, organizations: ['default'] }), /^409 What was simulated/)
      assert.match(await problemOf(apply.replace(simulation.hash, acme.hash), request), /^409 What was simulated/)
      await ledger.decide('default', { kind: 'close', until: MAY + 86_400_000 })
      assert.match(await problemOf(apply, request), /^409 Closed .* organization "default" before 2024-05-02/)
      assert.deepEqual([await totalOf(ledger), await totalOf(ledger, 'acme')], [before, beforeOfAcme])

      const later = { ...request, period: undefined, from: '2024-05-02', to: '2024-06-15' }
      const { hash, ...rest } = await simulate(later)
      assert.deepEqual([rest.messages, rest.charged_otherwise], [5, 4])
      const applied = await call(apply.replace(simulation.hash, hash), 'POST', later)
      assert.deepEqual([applied.messages, applied.credits_before, applied.credits_after], [4, 46.5, 46])
      assert.deepEqual(await totalOf(ledger, 'acme'), [4, 1, 37_500_000n])
      const repeated = await call(apply.replace(simulation.hash, hash), 'POST', later)
      assert.deepEqual([repeated.messages, (await simulate(later)).hash], [0, hash])
      const command = await startCommand(DATABASE_URL).ended
      assert.match(command.out, /By organization\norganization +messages/)
      assert.match(command.out, /\nacme: ada +1 /)
      const one = await startCommand(DATABASE_URL, '--organization', 'acme').ended
      assert.doesNotMatch(one.out, /By organization|acme:/)
      const both = await startCommand(DATABASE_URL, '--organization', 'acme', '--organization', 'default').ended
      const remote = await startCommand('sqlite:unused', '--url', at).ended
      assert.equal(both.out, command.out)
      assert.equal(remote.out, command.out)
    })

    test('what an upstream lists and what it lists no longer are both charged anew once', async () => {
      const messages = MESSAGES.slice(0, 3).map(({ usage, model, ...rest }: Answer) => ({ text: 'Hello', ...rest }))
      let listed = messages
      await using copilot = await startCopilot({
        listing: (request, response) => sendListing(listed)(request, response),
      })
      await using opened = await open()
      const { ledger, url: DATABASE_URL } = opened
      await using service = await startService({ DATABASE_URL, UPSTREAM_URL: copilot.url })
      const at = service.url
      await use(at, first, MAY)
      const totals = () => call(`${at}/v1/usage/totals?period=2024-05&bucket=none`)
      assert.equal((await totals()).buckets[0].messages, 3)
      listed = messages.slice(0, 2)
      const request = { rate_card: second, period: '2024-05' }
      const simulation = await call(`${at}/v1/simulations`, 'POST', request)
      assert.deepEqual([simulation.charged_otherwise, simulation.credits_after], [3, 10.5])
      await use(at, second, MAY)
      const again = await call(`${at}/v1/simulations`, 'POST', request)
      assert.deepEqual(
        [again.hash, again.charged_otherwise],
        [simulation.hash, 1],
        'the refresh has charged the others',
      )
      const applied = await call(`${at}/v1/simulations/${simulation.hash}/apply`, 'POST', request)
      assert.equal(applied.messages, 1)
      assert.deepEqual((await totals()).buckets[0].credits, 10.5)
      for (const { id } of messages) {
        const charges = await ledger.read('default', (view) => view.charges(id))
        assert.deepEqual(
          charges.map(({ credits, cell }) => [credits, cell.rateCard]),
          [
            [3_500_000, 'second'],
            [4_000_000, 'first'],
          ],
        )
      }
    })

    test('a server that is killed while it charges anew, and two requests at once, charge every message once beside intake', async (context) => {
      const DATABASE_URL = await newUrl()
      await using service = await ServerProcess.create({ DATABASE_URL })
      await service.start()
      const { url: at } = service
      const organizations = ['acme', 'default']
      const count = 2400 * (KILLS + 3)
      await call(`${at}/v1/organizations`, 'POST', { id: 'acme' })
      for (const each of organizations) await use(at, first, MAY, each)
      const post = async (from: number, many: number) => {
        const messages = Array.from({ length: many }, (_, index) =>
          message(from + index, { text: 'Hello', timestamp: new Date(MAY + (from + index) * 1000).toISOString() }),
        )
        for (const each of organizations) await call(`${at}/v1/messages?organization=${each}`, 'POST', { messages })
      }
      for (let from = 0; from < count / 2; from += 1200) await post(from, 1200)
      for (const each of organizations) await use(at, second, MAY, each)
      const request = { rate_card: 'second', organizations: 'all', period: '2024-05' }
      const { hash } = await call(`${at}/v1/simulations`, 'POST', request)
      const apply = () => call(`${at}/v1/simulations/${hash}/apply`, 'POST', request)
      const leftOf = async () => {
        let left = 0
        for (const each of organizations)
          left += (await call(`${at}/v1/organizations/${each}/rate-card`)).priced_otherwise
        return left
      }
      let sent = count / 2
      let kills = 0
      for (let left = count; kills < KILLS && left > 1000; left = await leftOf()) {
        const applying = apply().catch(() => 'killed')
        await until(async () => {
          await post(sent++, 1)
          return (await leftOf()) < left
        })
        await service.kill()
        if ((await applying) === 'killed') kills++
        await service.start()
      }
      const left = await leftOf()
      context.diagnostic(`${kills} kills, ${left} of ${count} messages left, ${2 * sent - count} sent meanwhile`)
      assert.ok(kills > 0 && left > 0)
      const applied = await Promise.all([apply(), apply()])
      assert.equal(applied[0].messages + applied[1].messages, left)
      assert.deepEqual((await apply()).messages, 0)
      await service.kill('SIGTERM')
      const ledger = await openLedger(DATABASE_URL)
      for (const each of organizations) {
        assert.deepEqual(await totalOf(ledger, each), [sent, 0, BigInt(sent) * 3_500_000n])
        const kept = await ledger.read(each, (view) => view.keptCharges({ ...ALL, limit: sent + 1 }))
        assert.equal(new Set(kept.messageIds).size, sent)
        assert.deepEqual(new Set(kept.credits), new Set([3_500_000]))
        assert.deepEqual(new Set(kept.revisions.slice(0, count / 2)), new Set([1]))
        assert.deepEqual(new Set(kept.revisions.slice(count / 2, sent)), new Set([0]))
      }
      await ledger.close()
    })
  })
}

test('the command shows tables, takes a file or a version, and says what is wrong', async () => {
  const url = `sqlite:${pathOf('command.db')}`
  await using service = await startService({ DATABASE_URL: url })
  await use(service.url, first, MAY)
  await call(`${service.url}/v1/messages`, 'POST', { messages: MESSAGES })
  const file = pathOf('second.json')
  writeFileSync(file, JSON.stringify(second))
  const period = ['--period', '2024-05']
  const direct = await startCommand(url, '--card', file).ended
  assert.equal(direct.code, 0, direct.err)
  assert.match(direct.out, /^second in place of what was charged\n/)
  assert.match(direct.out, /By member\nmember +messages +before +after +difference\n─+\n/)
  assert.match(direct.out, /\nada +2 +30\.00 +30\.00 +0\.00\n/)
  assert.match(direct.out, /\nbob +2 +4\.00 +3\.50 +-0\.50\n/)
  assert.match(direct.out, /Messages that change most\n.*\n─+\n +1 +2024-05-01T01:00:00.000Z +ada +20\.00 +30\.00\n/)
  assert.match(direct.out, /Without a price\n1: the model "small" has no price in the card second\n/)
  assert.match(direct.out, /Charged by another card: 5\.\n$/)
  const remote = await startCommand('sqlite:unused', '--card', file, '--url', service.url).ended
  assert.equal(remote.out, direct.out)
  const failures: readonly (readonly [readonly string[], RegExp])[] = [
    [['--card', file, '--apply'], /"second" is not stored as it was simulated/],
    [['--card', 'third'], /no rate card "third"/i],
    [['--card', file, '--period', '2024-13'], /period must be current, previous, a month/],
    [['--card', file, '--organization', 'nobody'], /no such organization: nobody/],
    [['--card', './missing.json'], /missing\.json/],
  ]
  for (const [args, reason] of failures) {
    const { code, err } = await startCommand(url, ...args).ended
    assert.equal(code, 1)
    assert.match(err, reason)
  }
  await use(service.url, second, MAY)
  const applied = await startCommand(url, '--card', 'second', '--apply', ...period).ended
  assert.match(
    applied.out,
    /\nCharged anew: \d messages, [\d.]+ before, [\d.]+ now\.\n1: the model "small" has no price/,
  )
  assert.equal(applied.code, 1, 'a message has no price')
})
