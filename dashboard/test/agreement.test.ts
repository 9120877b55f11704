/** Everything on the dashboard shows the same moment, range and organization, whatever changes meanwhile. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { after, before, describe, test } from 'node:test'
import type { Browser, Page } from 'playwright-core'
import { type Running, send, startCopilot, startService } from '../../test/harness.ts'
import { launchBrowser, noBrowser, openPage } from './browser.ts'
import {
  allIds,
  allRows,
  assertShows,
  callService,
  figure,
  hold,
  inArea,
  linesOf,
  note,
  refreshButton,
  settled,
  shownCredits,
  sumOf,
  sumShown,
  type UsageLine,
} from './pages.ts'

let browser: Browser
before(async () => {
  if (noBrowser === false) browser = await launchBrowser()
})
after(() => browser?.close())

const messageAt = (id: number, timestamp: string, words = 1) => ({ id, text: 'a '.repeat(words), timestamp })
const report = (url: string, messages: readonly object[]): Promise<unknown> =>
  callService(url, 'POST', '/v1/messages', { messages })

const pick = (page: Page, period: string): Promise<unknown> =>
  page.getByLabel('Period', { exact: true }).selectOption(period)

/** With a fake clock in the page, so that a test can advance it. */
const openWithClock = async (url: string, options: { readonly expected?: RegExp } = {}) => {
  const opened = await openPage(browser, 'about:blank', options)
  await opened.page.clock.install()
  await opened.page.goto(url)
  return opened
}

/** A minute later, the page has fetched its totals again by itself, and shows that they are of then. */
const minuteLater = async (page: Page): Promise<void> => {
  const age = page.locator('.state time')
  const before = Date.parse((await age.getAttribute('datetime')) ?? '')
  const refreshed = page.waitForResponse(/\/v1\/usage\/totals\?.*bucket=day.*limit=400/)
  await page.clock.fastForward('01:01')
  assert.equal((await refreshed).ok() || (await refreshed).status() === 304, true)
  await page.waitForFunction(
    (least) => Date.parse(document.querySelector('.state time')?.getAttribute('datetime') ?? '') >= least,
    before + 60_000,
  )
  await settled(page)
}

describe('the comparison', { skip: noBrowser }, () => {
  const compared = (page: Page) => figure(page, 'Change from previous period')
  const comparedNote = (page: Page) => note(page, 'Change from previous period')
  let service: Running
  before(async () => {
    service = await startService({})
    await report(service.url, [
      messageAt(1, '2024-04-05T00:00:00Z', 2),
      messageAt(2, '2024-05-05T00:00:00Z', 30),
      messageAt(3, '2024-06-05T00:00:00Z', 9),
    ])
  })
  after(() => service?.[Symbol.asyncDispose]())

  test('uses the period before the one shown, or nothing for the first', async () => {
    await using opened = await openPage(browser, `${service.url}/?period=2024-06`)
    const { page } = opened
    await settled(page)
    const creditsIn = async (month: string): Promise<number> => sumOf(await linesOf(service.url, `?period=${month}`))
    const [april, may, june] = [await creditsIn('2024-04'), await creditsIn('2024-05'), await creditsIn('2024-06')]
    const fewer = `${(((may - june) / may) * 100).toFixed(1)}% less`
    await comparedNote(page).filter({ hasText: / in 1/ }).waitFor()
    assert.equal(await compared(page).textContent(), fewer)
    await pick(page, '2024-04')
    await comparedNote(page).filter({ hasText: 'nothing to compare' }).waitFor()
    assert.equal(await compared(page).textContent(), '–')
    assert.equal(await figure(page, 'Credits this period').textContent(), shownCredits(april))
  })

  test('shows no stale value while it loads', async () => {
    await using opened = await openPage(browser, `${service.url}/?period=2024-06`)
    const { page } = opened
    await comparedNote(page).filter({ hasText: / in 1/ }).waitFor()
    const totals = await hold(page, /totals\?.*bucket=none(?!.*group_by)/)
    await pick(page, '2024-05')
    await page.locator('main[aria-busy=false]').waitFor()
    const may = shownCredits(sumOf(await linesOf(service.url, '?period=2024-05')))
    await figure(page, 'Credits this period').filter({ hasText: may }).waitFor()
    assert.equal(await comparedNote(page).textContent(), 'loading…')
    assert.equal(await compared(page).textContent(), '–')
    totals.release()
    await comparedNote(page).filter({ hasText: / in 1/ }).waitFor()
    assert.match((await compared(page).textContent()) ?? '', /more$/)
  })
})

test('a comparison that fails to load says what to do', { skip: noBrowser }, async () => {
  await using service = await startService({})
  await report(service.url, [messageAt(1, '2024-04-05T00:00:00Z'), messageAt(2, '2024-05-05T00:00:00Z')])
  await using opened = await openPage(browser, 'about:blank', { expected: /net::ERR/ })
  const { page } = opened
  const comparison = /totals\?.*bucket=none(?!.*group_by)/
  await page.route(comparison, (route) => route.abort())
  await page.goto(`${service.url}/?period=2024-05`)
  const said = note(page, 'Change from previous period')
  await said.filter({ hasText: 'failed to load; refresh to retry' }).waitFor()
  await page.unroute(comparison)
  await refreshButton(page).click()
  await said.filter({ hasText: / in 1/ }).waitFor()
})

test('a message that arrives between the totals and the lines counts in both', { skip: noBrowser }, async () => {
  await using service = await startService({})
  await report(
    service.url,
    [1, 2, 3].map((day) => messageAt(day, `2024-05-0${day}T08:00:00Z`)),
  )
  await using opened = await openPage(browser, 'about:blank')
  const { page } = opened
  const lines = await hold(page, '**/v1/usage?*')
  const answered = page.waitForResponse('**/v1/usage/totals?*bucket=day*')
  await page.goto(`${service.url}/messages?period=2024-05`)
  await answered
  await report(service.url, [messageAt(4, '2024-05-09T08:00:00Z', 5)])
  lines.release()
  await settled(page)
  await assertShows(page, await linesOf(service.url, '?period=2024-05'))
  assert.deepEqual(await allIds(page), ['4', '3', '2', '1'])
})

/** 12,000 messages in May 2024, which the page fetches in several slices. */
const reportMonth = async (url: string): Promise<void> => {
  const messages = Array.from({ length: 12_000 }, (_, id) =>
    messageAt(id, `2024-05-${String((id % 30) + 1).padStart(2, '0')}T08:00:00Z`),
  )
  await report(url, messages.slice(0, 6000))
  await report(url, messages.slice(6000))
}

test('a message that arrives while several slices of lines load counts everywhere', { skip: noBrowser }, async () => {
  await using service = await startService({})
  await reportMonth(service.url)
  await using opened = await openPage(browser, 'about:blank')
  const { page } = opened
  const rest = await hold(page, /\/v1\/usage\?.*limit=10000/)
  await page.goto(`${service.url}/messages?period=2024-05`)
  await sumShown(page).filter({ hasText: '500 messages' }).waitFor()
  await report(service.url, [messageAt(12_000, '2024-05-01T09:00:00Z', 5)])
  rest.release()
  await sumShown(page).filter({ hasText: '12,001 messages' }).waitFor()
  await settled(page)
  await assertShows(page, await linesOf(service.url, '?period=2024-05'))
})

test('an amendment that leaves every sum as it was shows in the rows', { skip: noBrowser }, async () => {
  const timestamp = new Date().toJSON()
  const texts = ['a a', 'a a a a a a a a a a']
  const listed = () => texts.map((text, at) => ({ id: at + 1, text, timestamp }))
  await using upstream = await startCopilot({ listing: (_, response) => send(response, 200, { messages: listed() }) })
  await using service = await startService({ UPSTREAM_URL: upstream.url })
  await using opened = await openWithClock(`${service.url}/messages?period=${timestamp.slice(0, 7)}`)
  const { page } = opened
  await settled(page)
  const before = (await allRows(page)).map(({ credits }) => credits)
  texts.reverse()
  await minuteLater(page)
  await page.locator('[data-row="0"] .c-credits', { hasText: before[1] ?? '' }).waitFor()
  assert.deepEqual(
    (await allRows(page)).map(({ credits }) => credits),
    before.toReversed(),
  )
  await assertShows(page, await linesOf(service.url, ''))
})

describe('each minute the dashboard', { skip: noBrowser }, () => {
  const COUNT = 12_000
  const reportCurrent = async (url: string): Promise<void> => {
    const now = Date.now()
    const time = (id: number): string => new Date(now - (COUNT - id) * 10).toJSON()
    for (let from = 0; from < COUNT; from += 6000) {
      await report(
        url,
        Array.from({ length: 6000 }, (_, id) => messageAt(from + id, time(from + id), (id % 5) + 1)),
      )
    }
  }
  test('refetches the totals, and the lines only if usage grew, and keeps the scroll position', async () => {
    await using service = await startService({})
    await reportCurrent(service.url)
    await using opened = await openWithClock(`${service.url}/messages`)
    const { page } = opened
    await settled(page)
    const asked: string[] = []
    page.on('request', (request) => asked.push(new URL(request.url()).pathname))
    await page.evaluate('scrollTo(0, 200_000)')
    const place = Number(await page.evaluate('scrollY'))
    await minuteLater(page)
    assert.ok(asked.includes('/v1/usage/totals'))
    assert.ok(!asked.includes('/v1/usage'))
    assert.equal(await page.evaluate('scrollY'), place)
    await report(service.url, [messageAt(COUNT, new Date().toJSON())])
    await minuteLater(page)
    await sumShown(page).filter({ hasText: '12,001 messages' }).waitFor()
    await settled(page)
    assert.ok(asked.includes('/v1/usage'))
    // The new message is above the rows in view, which stay where they were.
    assert.equal(await page.evaluate('scrollY'), place + 38)
    await assertShows(page, await linesOf(service.url, ''))
  })

  test('also refreshes a running period opened by name, and marks it as current', async () => {
    await using service = await startService({})
    await report(service.url, [messageAt(1, new Date().toJSON())])
    await using opened = await openWithClock(`${service.url}/messages?period=${new Date().toJSON().slice(0, 7)}`)
    const { page } = opened
    await settled(page)
    const options = page.getByLabel('Period', { exact: true }).locator('option')
    assert.match(await options.and(page.locator(':checked')).innerText(), / \(current\)$/)
    assert.equal(await options.count(), 7, 'the current period, five ranges that end today and a custom one')
    await report(service.url, [messageAt(2, new Date().toJSON())])
    await minuteLater(page)
    await sumShown(page).filter({ hasText: '2 messages' }).waitFor()
  })
})

test('partly fetched lines are fetched in full when the period is opened again', { skip: noBrowser }, async () => {
  await using service = await startService({})
  await reportMonth(service.url)
  await using opened = await openPage(browser, 'about:blank')
  const { page } = opened
  const rest = await hold(page, /\/v1\/usage\?.*limit=10000/)
  await page.goto(`${service.url}/messages?period=2024-05`)
  await sumShown(page).filter({ hasText: '500 messages' }).waitFor()
  assert.match((await sumShown(page).textContent()) ?? '', /loading…$/)
  await pick(page, 'current')
  await sumShown(page).filter({ hasText: 'Loading messages…' }).waitFor()
  rest.release()
  await pick(page, '2024-05')
  await sumShown(page).filter({ hasText: '12,000 messages' }).waitFor()
  await settled(page)
  await assertShows(page, await linesOf(service.url, '?period=2024-05'))
})

test('two periods that start in the same month can both be picked', { skip: noBrowser }, async () => {
  const folder = mkdtempSync(join(tmpdir(), 'copilot-credits-test-'))
  const environment = { DATABASE_URL: `sqlite:${join(folder, 'ledger.db')}` }
  try {
    {
      await using service = await startService(environment)
      await report(service.url, [messageAt(1, '2024-04-05T00:00:00Z'), messageAt(2, '2024-04-20T00:00:00Z', 7)])
    }
    {
      // The state after a change of the billing anchor day that took effect in April 2024.
      using database = new DatabaseSync(join(folder, 'ledger.db'))
      database
        .prepare(
          'INSERT INTO billing_calendar (organization_id, effective_from, time_zone, anchor_day) VALUES (?, ?, ?, ?)',
        )
        .run('default', Date.parse('2024-04-01T00:00:00Z'), 'UTC', 15)
    }
    await using service = await startService(environment)
    await using opened = await openPage(browser, `${service.url}/messages`)
    const { page } = opened
    await settled(page)
    for (const [name, value, id] of [
      ['15 Apr – 14 May 2024', '2024-04-15', '2'],
      ['1 – 14 Apr 2024', '2024-04', '1'],
    ] as const) {
      await pick(page, value)
      await settled(page)
      assert.equal(new URL(page.url()).search, `?period=${value}`)
      assert.deepEqual(await allIds(page), [id])
      await assertShows(page, await linesOf(service.url, `?period=${value}`))
      const shown = await page.getByLabel('Period', { exact: true }).locator('option:checked').innerText()
      assert.equal(shown.replaceAll(/\s/g, ' '), name)
    }
  } finally {
    rmSync(folder, { recursive: true })
  }
})

test('signing in to another organization in another tab drops everything shown for the first', {
  skip: noBrowser,
}, async () => {
  await using service = await startService({})
  const { url } = service
  const now = new Date()
  const earlier = new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth() - 1, 1))
  // In the current period both have the same times, counts and credits, so that sums alone cannot tell them apart.
  const organizations = { acme: { ids: [1, 2], words: 3 }, globex: { ids: [3, 4], words: 8 } } as const
  const shown = new Map<string, readonly UsageLine[]>()
  for (const [id, { ids, words }] of Object.entries(organizations)) {
    await callService(url, 'POST', '/v1/organizations', { id, name: `The ${id}` })
    const messages = [messageAt(ids[0], now.toJSON()), messageAt(ids[1], earlier.toJSON(), words)]
    await callService(url, 'POST', `/v1/messages?organization=${id}`, { messages })
    shown.set(id, await linesOf(url, `?organization=${id}`))
  }
  const makeKey = async (organization: string, scope: string, by?: string): Promise<string> => {
    const response = await fetch(`${url}/v1/keys?organization=${organization}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...(by !== undefined && { authorization: `Bearer ${by}` }) },
      body: JSON.stringify({ scopes: [scope] }),
    })
    assert.equal(response.status, 201)
    return ((await response.json()) as { readonly key: string }).key
  }
  const admin = await makeKey('default', 'admin')
  const [acme, globex] = [await makeKey('acme', 'usage:read', admin), await makeKey('globex', 'usage:read', admin)]
  const signIn = async (page: Page, key: string): Promise<void> => {
    await page.getByLabel('API key').fill(key)
    await page.getByRole('button', { name: 'Sign in' }).click()
  }
  const compared = (page: Page): Promise<string | null> =>
    inArea(page, 'Usage', () =>
      note(page, 'Change from previous period').filter({ hasText: 'at the same point' }).textContent(),
    )
  await using opened = await openWithClock(`${url}/messages`, { expected: /status of 401/ })
  const { page } = opened
  await signIn(page, acme)
  await settled(page)
  await assertShows(page, shown.get('acme') ?? [])
  assert.deepEqual(await allIds(page), ['1'])
  const before = await compared(page)
  // Puts another view into the cache.
  const month = earlier.toJSON().slice(0, 7)
  await pick(page, month)
  await settled(page)
  assert.deepEqual(await allIds(page), ['2'])
  await pick(page, 'current')
  await settled(page)
  const other = await page.context().newPage()
  await other.goto(`${url}/`)
  await other.getByRole('button', { name: 'Sign out' }).click()
  await signIn(other, globex)
  await other.getByRole('banner').getByText('The globex', { exact: true }).waitFor()
  await minuteLater(page)
  await page.getByRole('banner').getByText('The globex', { exact: true }).waitFor()
  await settled(page)
  await assertShows(page, shown.get('globex') ?? [])
  assert.deepEqual(await allIds(page), ['3'])
  assert.notEqual(await compared(page), before)
  const totals = await hold(page, '**/v1/usage/totals?*')
  await pick(page, month)
  await page.locator('main[aria-busy=true]').waitFor()
  assert.equal(await page.getByText('The acme', { exact: true }).count(), 0)
  totals.release()
  await settled(page)
  assert.deepEqual(await allIds(page), ['4'])
  await pick(page, 'current')
  await settled(page)
  await other.getByRole('button', { name: 'Sign out' }).click()
  await signIn(other, acme)
  await other.getByRole('banner').getByText('The acme', { exact: true }).waitFor()
  await minuteLater(page)
  await settled(page)
  assert.deepEqual(await allIds(page), ['1'])
})
