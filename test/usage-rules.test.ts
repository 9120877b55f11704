/** `GET /v1/usage/rules`: the same sums from the ledger, the listing of an upstream and the sample, and its errors. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Running, sendListing, startCopilot, startService } from './harness.ts'
import type { Schemas } from './wire-types.ts'

type ByRule = Schemas['UsageByRule']

const MESSAGES = Array.from({ length: 30 }, (_, index) => ({
  id: index,
  text: index % 5 === 0 ? 'kayak' : 'What does the lease say? '.repeat((index % 6) + 1),
  timestamp: `2024-05-${String((index % 30) + 1).padStart(2, '0')}T08:30:00Z`,
  ...(index % 3 > 0 && { user_id: index % 3 === 1 ? 'ada' : 'ben' }),
}))

const ask = async <T>({ url }: Running, path: string, status = 200): Promise<T> => {
  const response = await fetch(`${url}${path}`)
  assert.equal(response.status, status, await response.clone().text())
  return (await response.json()) as T
}

const micros = (amounts: readonly { readonly credits: number }[]): number =>
  amounts.reduce((sum, { credits }) => sum + Math.round(credits * 1e6), 0)

/** Rules add up to cases, and cases to the totals of the same range, which has the same version. */
const holds = async (service: Running, query: string): Promise<ByRule> => {
  const usage = await ask<ByRule>(service, `/v1/usage/rules?${query}`)
  const totals = await ask<Schemas['Totals']>(service, `/v1/usage/totals?bucket=none&${query}`)
  const [bucket] = totals.buckets
  assert.deepEqual(
    [usage.version, usage.messages, usage.unpriced, usage.credits],
    [totals.version, bucket?.messages, bucket?.unpriced, bucket?.credits],
    query,
  )
  assert.equal(micros(usage.cases), micros([usage]), query)
  for (const each of usage.cases) assert.equal(micros(each.rules), micros([each]), query)
  return usage
}

const QUERIES = ['', '&user_id=ada', '&min_credits=3.5', '&rate_card=standard-2024&user_id=ben', '&model=none']

const report = ({ url }: Running, messages: readonly object[]) =>
  fetch(`${url}/v1/messages`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ messages }),
  })

test('the ledger, the listing and the sample answer the same, and a client that has the answer gets a 304', async () => {
  await using upstream = await startCopilot({ listing: sendListing(MESSAGES) })
  await using listing = await startService({ UPSTREAM_URL: upstream.url })
  await using ledger = await startService({})
  for (const query of ['period=current', 'period=2024-05&min_credits=2']) await holds(ledger, query)
  await report(ledger, MESSAGES)
  for (const query of QUERIES) {
    const { version: _, ...listed } = await holds(listing, `period=current${query}`)
    assert.equal(listed.listing?.stale, false)
    const { version: __, ...recorded } = await holds(ledger, `period=2024-05${query}`)
    assert.deepEqual(listed.cases, recorded.cases, query)
    await holds(listing, `period=2024-05${query}`)
    await holds(ledger, `from=2024-05-03T08:30:00Z&to=2024-05-20T00:00:01Z${query}`)
  }
  for (const url of [`${ledger.url}/v1/usage/rules?period=2024-05`, `${listing.url}/v1/usage/rules`]) {
    const etag = (await fetch(url)).headers.get('etag') ?? ''
    assert.equal((await fetch(url, { headers: { 'if-none-match': etag } })).status, 304)
  }
})

test('a message without a price has a row, and one that gets a price moves to its case', async () => {
  await using service = await startService({})
  await report(service, [{ id: 'call', report_id: 7, timestamp: '2024-05-07T00:00:00Z' }, ...MESSAGES.slice(0, 1)])
  const before = await holds(service, 'period=2024-05')
  assert.deepEqual(before.cases.at(-1), {
    rate_card: 'standard-2024',
    messages: 1,
    unpriced: 1,
    credits: 0,
    rules: [],
  })
  await fetch(`${service.url}/v1/reports/7`, {
    method: 'PUT',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ name: 'Seven', credit_cost: 12.5 }),
  })
  while ((await ask<ByRule>(service, '/v1/usage/rules?period=2024-05')).unpriced !== undefined);
  const after = await holds(service, 'period=2024-05')
  assert.deepEqual(after.cases[0], {
    rate_card: 'standard-2024',
    case: 'report',
    messages: 1,
    credits: 12.5,
    rules: [{ rule: 'report', messages: 1, of: 'report_credits', quantity: 12.5, credits: 12.5 }],
  })
})

test('what it does not understand is refused by name', async () => {
  await using service = await startService({})
  for (const [query, field] of [
    ['period=2024-13', 'period'],
    ['from=2024-05-01', 'to'],
    ['min_credits=-1', 'min_credits'],
    ['outcome=lost', 'outcome'],
    ['bucket=day', 'bucket'],
    ['group_by=model', 'group_by'],
    ['user_id=', 'user_id'],
  ]) {
    const { detail } = await ask<{ readonly detail: string }>(service, `/v1/usage/rules?${query}`, 400)
    assert.match(detail, new RegExp(`^The query parameter "${field}" must be `))
  }
  await ask(service, '/v1/usage/rules?organization=nobody', 404)
})
