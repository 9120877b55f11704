/** `/v1/usage?order=…`: in each order, pages of any size have every line once, from the ledger as from a listing. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { test } from 'node:test'
import { type Running, sendListing, startCopilot, startService } from './harness.ts'

type Line = {
  readonly message_id: number | string
  readonly timestamp: string
  readonly credits_used: number
  readonly user_id?: string
}
type Page = { readonly usage: readonly Line[]; readonly next_cursor?: string }

/** Longer texts cost more; some members are missing, and one name is beyond the Basic Multilingual Plane. */
const MESSAGES = Array.from({ length: 23 }, (_, index) => ({
  id: index % 3 === 0 ? `m${index}` : 23 - index,
  text: 'a '.repeat(((index * 7) % 5) + 1),
  timestamp: `2024-05-${String(((index * 5) % 9) + 1).padStart(2, '0')}T08:00:00Z`,
  ...(index % 4 > 0 && { user_id: ['ada', '😀', '\uffee'][index % 3] }),
}))

const ORDERS = ['time', 'credits', 'id', 'member', 'report'].flatMap((name) => [name, `-${name}`])

const pageOf = async (url: string, query: string): Promise<Page> => {
  const response = await fetch(`${url}/v1/usage?${query}`)
  assert.equal(response.status, 200, await response.clone().text())
  return (await response.json()) as Page
}

const allOf = async (url: string, query: string): Promise<readonly Line[]> => {
  const lines: Line[] = []
  let cursor = ''
  do {
    const page = await pageOf(url, `${query}${cursor}`)
    lines.push(...page.usage)
    cursor = page.next_cursor === undefined ? '' : `&cursor=${page.next_cursor}`
  } while (cursor !== '')
  return lines
}

const report = async ({ url }: Running): Promise<void> => {
  const response = await fetch(`${url}/v1/messages`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ messages: MESSAGES }),
  })
  assert.equal(response.status, 200)
}

test('in each order, small pages are one large page, and the ledger has the order of the listing', async () => {
  await using upstream = await startCopilot({ listing: sendListing(MESSAGES) })
  await using listing = await startService({ UPSTREAM_URL: upstream.url })
  await using ledger = await startService({})
  await report(ledger)
  const byDefault = await allOf(ledger.url, 'period=2024-05')
  for (const order of ORDERS) {
    const whole = (await pageOf(ledger.url, `period=2024-05&order=${order}`)).usage
    assert.equal(new Set(whole.map(({ message_id: id }) => id)).size, MESSAGES.length, order)
    assert.deepEqual(await allOf(ledger.url, `period=2024-05&limit=4&order=${order}`), whole, order)
    assert.deepEqual(await allOf(listing.url, `limit=4&order=${order}`), whole, order)
    const ofAda = whole.filter(({ user_id: member }) => member === 'ada')
    assert.deepEqual(await allOf(ledger.url, `period=2024-05&limit=2&user_id=ada&order=${order}`), ofAda, order)
    const key = { time: 'timestamp', credits: 'credits_used', id: 'message_id', member: 'user_id', report: '' }[
      order.replace('-', '')
    ] as keyof Line
    const values = whole.map((line) => line[key]).filter((value) => typeof value !== 'undefined')
    const isInOrder = (one: string | number, other: string | number): boolean => {
      if (typeof one !== typeof other) return (typeof one === 'number') !== order.startsWith('-')
      const first =
        typeof one === 'string' ? Buffer.compare(Buffer.from(one), Buffer.from(String(other))) : one - Number(other)
      return order.startsWith('-') ? first >= 0 : first <= 0
    }
    for (const [index, value] of values.entries()) {
      assert.ok(index === 0 || isInOrder(values[index - 1] ?? 0, value), `${order}: ${values.join()}`)
    }
  }
  assert.deepEqual((await pageOf(ledger.url, 'period=2024-05&order=time')).usage, byDefault)
  assert.deepEqual((await pageOf(ledger.url, 'period=2024-05&order=-time')).usage, byDefault.toReversed())
})

test('a cursor of another order is refused, and so is an order that does not exist', async () => {
  await using service = await startService({})
  await report(service)
  const cursors = new Map<string, string>()
  for (const order of ORDERS) {
    const { next_cursor: cursor = '' } = await pageOf(service.url, `period=2024-05&limit=4&order=${order}`)
    cursors.set(order, cursor)
  }
  for (const order of ORDERS) {
    for (const [from, cursor] of cursors) {
      const response = await fetch(`${service.url}/v1/usage?period=2024-05&order=${order}&cursor=${cursor}`)
      const text = await response.text()
      assert.equal(response.status, from === order ? 200 : 400, `${from} to ${order}: ${text}`)
      if (from !== order) assert.match(text, /a next_cursor from a previous page in the same order, unchanged/)
    }
  }
  for (const values of [
    ['credits', 0, 1, 0.5],
    ['member', 0, 1, 7],
    ['report', 0, 1, '\u0000'],
    ['-time', 0, 1, 1],
    ['id', 0],
  ]) {
    const cursor = Buffer.from(JSON.stringify(values)).toString('base64url')
    const response = await fetch(`${service.url}/v1/usage?period=2024-05&order=${values[0]}&cursor=${cursor}`)
    assert.equal(response.status, 400, JSON.stringify(values))
  }
  assert.equal((await fetch(`${service.url}/v1/usage?order=price`)).status, 400)
})

test('a page that has all lines of a range is compared with the totals in every order', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'copilot-credits-test-'))
  try {
    await using service = await startService({ DATABASE_URL: `sqlite:${join(folder, 'ledger.db')}` })
    await report(service)
    using database = new DatabaseSync(join(folder, 'ledger.db'))
    database.exec('UPDATE day SET credits_micros = credits_micros + 1 WHERE day_start = 1714953600000')
    for (const order of ORDERS) {
      const statusOf = async (limit: number): Promise<number> =>
        (await fetch(`${service.url}/v1/usage?period=2024-05&limit=${limit}&order=${order}`)).status
      assert.equal(await statusOf(100), 503, order)
      assert.equal(await statusOf(4), 200, order)
    }
  } finally {
    rmSync(folder, { recursive: true })
  }
})
