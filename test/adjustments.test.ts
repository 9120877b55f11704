/** What `GET /v1/messages/:id` says of a message that changes after its period was closed, on each store. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { useBothStores } from './both-stores.ts'
import { callService, send, startCopilot, startService } from './harness.ts'

const { stores } = useBothStores()

const CARD = {
  version: 'tokens-1',
  cases: [
    { name: 'report', when: { report: true }, lines: [{ rule: 'report', of: 'report_credits', rate: 1 }] },
    { name: 'tokens', when: { model: '*' }, lines: [{ rule: 'output', of: 'output_tokens', rate: 0.5 }] },
    { name: 'text', when: { text: true }, lines: [{ rule: 'characters', of: 'characters', rate: 1 }] },
  ],
}

const FIRST = Date.parse('2023-10-15T12:00:00Z')
const [NOVEMBER, DECEMBER] = [Date.parse('2023-11-01T00:00:00Z'), Date.parse('2023-12-01T00:00:00Z')]

type Charge = {
  readonly state: string
  readonly credits: number
  readonly credits_now?: number
  readonly lines: readonly { readonly rule: string; readonly credits: number }[]
  readonly period: { readonly start: string }
}

/** Each message by what it costs: in text, tokens, or a report. */
const WAYS: Readonly<Record<string, (cost: number) => object>> = {
  text: (cost) => ({ text: 'x'.repeat(cost) }),
  tokens: (cost) => ({ model: 'm', usage: { output_tokens: 2 * cost } }),
  report: (cost) => ({ text: '', report_id: cost }),
}

const RULES: Readonly<Record<string, string>> = { text: 'characters', tokens: 'output', report: 'report' }

for (const [name, { newUrl, openLedger }] of Object.entries(stores)) {
  test(`on ${name}, a message of a closed period that costs something else is explained by what stays charged`, async () => {
    const DATABASE_URL = await newUrl()
    const ledger = await openLedger(DATABASE_URL)
    await using _ = { [Symbol.asyncDispose]: () => ledger.close() }
    let cost = 5
    await using copilot = await startCopilot({
      listing: (_, response) => {
        const timestamp = new Date(FIRST).toISOString()
        send(response, 200, { messages: Object.entries(WAYS).map(([id, of]) => ({ id, timestamp, ...of(cost) })) })
      },
      report: (id, _, response) => send(response, 200, { id: Number(id), name: 'Lease', credit_cost: Number(id) }),
    })
    await using service = await startService({ DATABASE_URL, UPSTREAM_URL: copilot.url })
    await callService(service, 'POST', '/v1/rate-cards', CARD)
    await callService(service, 'PUT', '/v1/organizations/default/rate-card', {
      version: CARD.version,
      from: '2023-10-01T00:00:00Z',
    })
    /** Refreshes the listing and waits until it is recorded. */
    const list = async (now: number): Promise<void> => {
      cost = now
      await callService(service, 'GET', '/usage')
      await callService(service, 'GET', '/v1/periods')
    }
    const chargesOf = async (id: string): Promise<readonly unknown[]> => {
      const { charges } = (await callService(service, 'GET', `/v1/messages/${id}`)) as { charges: readonly Charge[] }
      return charges.map(({ state, credits, credits_now: now, lines, period }) => [
        state,
        period.start.slice(0, 7),
        credits,
        now,
        Object.fromEntries(lines.map((line) => [line.rule, line.credits])),
      ])
    }

    await list(5)
    await ledger.decide('default', { kind: 'close', until: NOVEMBER })
    await list(3)
    for (const [id, rule] of Object.entries(RULES)) {
      assert.deepEqual(await chargesOf(id), [
        ['charged', '2023-11', -2, 3, { [rule]: 3, 'charged-before': -5 }],
        ['charged', '2023-10', 5, undefined, { [rule]: 5 }],
      ])
    }
    await list(4)
    await ledger.decide('default', { kind: 'close', until: DECEMBER })
    await list(6)
    for (const [id, rule] of Object.entries(RULES)) {
      assert.deepEqual(await chargesOf(id), [
        ['charged', '2023-12', 2, 6, { [rule]: 6, 'charged-before': -4 }],
        ['charged', '2023-11', -1, 4, { [rule]: 4, 'charged-before': -5 }],
        ['superseded', '2023-11', -2, 3, { [rule]: 3, 'charged-before': -5 }],
        ['charged', '2023-10', 5, undefined, { [rule]: 5 }],
      ])
    }
  })
}
