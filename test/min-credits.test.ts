/** `min_credits`: lines and totals of the messages that cost at least so much, from the ledger, a listing and the sample. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Running, sendListing, startCopilot, startService } from './harness.ts'

type Line = { readonly message_id: number; readonly credits_used?: number; readonly user_id?: string }
type Page = { readonly usage: readonly Line[]; readonly next_cursor?: string }
type Sum = { readonly messages: number; readonly unpriced?: number; readonly credits: number }
type Totals = { readonly buckets: readonly (Sum & { readonly groups?: readonly Sum[] })[] }

/** Each costs twice what its text does, because that is a palindrome: from 2 to 5.6 credits. */
const MESSAGES = Array.from({ length: 40 }, (_, index) => ({
  id: index,
  text: 'b '.repeat((index % 9) + 1),
  timestamp: `2024-05-${String((index % 30) + 1).padStart(2, '0')}T${String(index % 24).padStart(2, '0')}:30:00Z`,
  ...(index % 3 > 0 && { user_id: index % 3 === 1 ? 'ada' : 'ben' }),
}))

const ask = async <T>({ url }: Running, path: string, status = 200): Promise<T> => {
  const response = await fetch(`${url}${path}`)
  assert.equal(response.status, status, await response.clone().text())
  return (await response.json()) as T
}

const linesOf = async (service: Running, query: string): Promise<readonly Line[]> => {
  const lines: Line[] = []
  let cursor = ''
  do {
    const page: Page = await ask(service, `/v1/usage?${query}${cursor}`)
    lines.push(...page.usage)
    cursor = page.next_cursor === undefined ? '' : `&cursor=${page.next_cursor}`
  } while (cursor !== '')
  return lines
}

const microsOf = (amount = 0): number => Math.round(amount * 1e6)
const sumOf = (sums: readonly { readonly credits?: number; readonly credits_used?: number }[]): number =>
  sums.reduce((total, { credits, credits_used: used }) => total + microsOf(credits ?? used), 0)

const TOTALS = [
  'bucket=none',
  'bucket=day&group_by=member',
  'bucket=hour&limit=1000',
  'bucket=week&time_zone=Asia/Tokyo&group_by=report,rate_card',
  'bucket=month',
]

/** Whatever the least is, lines are those of all lines that cost as much, and all totals agree with them. */
const holds = async (service: Running, range: string): Promise<void> => {
  const all = await linesOf(service, range)
  assert.ok(all.length > 0)
  const amounts = [...new Set(all.map(({ credits_used: used = 0 }) => used))].sort((one, other) => one - other)
  for (const least of [0, amounts[1] ?? 0, Number(((amounts[3] ?? 0) + 0.000001).toFixed(6)), 1_000_000]) {
    for (const who of ['', '&user_id=ada']) {
      const wanted = all.filter(
        ({ credits_used: used, user_id: user }) =>
          used !== undefined && used >= least && (who === '' || user === 'ada'),
      )
      const query = `${range}&min_credits=${least}${who}`
      assert.deepEqual(await linesOf(service, `${query}&limit=7`), wanted)
      const dearest = await linesOf(service, `${query}&limit=7&order=-credits`)
      assert.deepEqual(new Set(dearest), new Set(wanted))
      assert.deepEqual(await linesOf(service, `${query}&unpriced=true`), [])
      for (const totals of TOTALS) {
        const { buckets } = await ask<Totals>(service, `/v1/usage/totals?${query}&${totals}`)
        const messages = buckets.reduce((sum, each) => sum + each.messages, 0)
        assert.deepEqual([messages, sumOf(buckets)], [wanted.length, sumOf(wanted)], `${query}&${totals}`)
        assert.ok(buckets.every(({ unpriced }) => unpriced === undefined))
        if (totals.includes('group_by'))
          assert.equal(sumOf(buckets.flatMap(({ groups = [] }) => groups)), sumOf(wanted))
      }
    }
  }
}

test('lines and totals agree on the messages that cost at least so much, in the ledger', async () => {
  await using service = await startService({})
  const unpriced = { id: 1000, model: 'gpt-5.4', usage: { input_tokens: 3 }, timestamp: '2024-05-07T00:00:00Z' }
  const response = await fetch(`${service.url}/v1/messages`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ messages: [...MESSAGES, unpriced] }),
  })
  assert.equal(response.status, 200)
  await holds(service, 'period=2024-05')
  await holds(service, 'from=2024-05-02T09:00:00Z&to=2024-05-20T11:00:00Z')
})

test('and in the listing of the upstream and in the sample, and what is not listed is counted in the same way', async () => {
  await using sample = await startService({})
  await holds(sample, 'period=current')
  let listed = MESSAGES
  await using upstream = await startCopilot({ listing: (request, response) => sendListing(listed)(request, response) })
  await using service = await startService({ UPSTREAM_URL: upstream.url })
  await holds(service, 'period=current')
  await holds(service, 'period=2024-05')
  listed = MESSAGES.slice(20)
  const gone = (await linesOf(service, 'period=2024-05&min_credits=4')).filter(({ message_id: id }) => id < 20)
  const { not_listed: notListed } = await ask<{ readonly not_listed: Sum }>(
    service,
    '/v1/usage/totals?period=2024-05&min_credits=4',
  )
  assert.deepEqual([notListed.messages, microsOf(notListed.credits)], [gone.length, sumOf(gone)])
  assert.ok(gone.length > 0 && gone.length < 20)
})

test('an amount that is none is refused by name', async () => {
  await using service = await startService({})
  for (const path of ['/v1/usage', '/v1/usage/totals']) {
    for (const least of ['-1', '1e3', '0.0000001', '8589934592', '99999999999', 'much', '1,5', '.5', '%201', '0x10']) {
      const { detail } = await ask<{ readonly detail: string }>(service, `${path}?min_credits=${least}`, 400)
      assert.equal(
        detail,
        'The query parameter "min_credits" must be a number from 0 and below 8589934592 with at most six decimal places, such as 0.5.',
      )
    }
    for (const query of ['min_credits=', 'min_credits=1&min_credits=4']) {
      const { detail } = await ask<{ readonly detail: string }>(service, `${path}?${query}`, 400)
      assert.match(detail, /^The query parameter "min_credits" must be /)
    }
    await ask(service, `${path}?min_credits=8589934591.999999`)
  }
})
