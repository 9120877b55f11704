/** The dashboard in its other states: signed out, empty, failed, slow, and with too many messages to sort. */
import assert from 'node:assert/strict'
import type { ServerResponse } from 'node:http'
import { after, before, describe, test } from 'node:test'
import type { Browser, Locator, Page } from 'playwright-core'
import { type Answers, type Running, send, sendListing, startCopilot, startService } from '../../test/harness.ts'
import { launchBrowser, noBrowser, openPage } from './browser.ts'
import {
  allIds,
  assertShows,
  bars,
  callService,
  exported,
  figure,
  goTo,
  header,
  hold,
  inArea,
  linesOf,
  note,
  refreshButton,
  settled,
  shownCredits,
  sortBy,
  sumOf,
  sumShown,
  type UsageLine,
} from './pages.ts'

let browser: Browser
before(async () => {
  if (noBrowser === false) browser = await launchBrowser()
})
after(() => browser?.close())

/** What the browser logs for each error response. */
const refused = (...statuses: readonly number[]): RegExp => new RegExp(`status of (${statuses.join('|')})`)

const failureShown = (page: Page): Locator => page.locator('main > [role=alert]')

describe('the dashboard of a service with API keys', { skip: noBrowser }, () => {
  const QUERY = '?period=2024-05'
  const lettersOf = (count: number): string => 'abcdefgh '.repeat(count * count)

  /** An organization with some usage, and functions that create and revoke keys. */
  const startKeyed = async (environment: Record<string, string> = {}) => {
    const service = await startService(environment)
    const messages = [1, 2, 3, 4].map((id) => ({ id, text: lettersOf(id), timestamp: `2024-05-0${id}T08:00:00Z` }))
    await callService(service.url, 'POST', '/v1/messages', { messages })
    const { key: admin } = (await callService(service.url, 'POST', '/v1/keys', { scopes: ['admin'] })) as Key
    const ask = async (method: string, path: string, body?: object): Promise<unknown> => {
      const response = await fetch(`${service.url}${path}`, {
        method,
        headers: { authorization: `Bearer ${admin}`, ...(body && { 'content-type': 'application/json' }) },
        ...(body && { body: JSON.stringify(body) }),
      })
      assert.ok(response.ok, `${method} ${path}: ${response.status}`)
      return response.json()
    }
    return {
      url: service.url,
      keyOf: async (scope: string): Promise<Key> => (await ask('POST', '/v1/keys', { scopes: [scope] })) as Key,
      revoke: ({ id }: Key) => ask('DELETE', `/v1/keys/${id}`),
      usage: async () => ((await ask('GET', `/usage${QUERY}`)) as { usage: readonly UsageLine[] }).usage,
      [Symbol.asyncDispose]: () => service[Symbol.asyncDispose](),
    }
  }
  type Key = { readonly id: string; readonly key: string }

  const signIn = async (page: Page, key: string): Promise<void> => {
    await page.getByLabel('API key').fill(key)
    await page.getByRole('button', { name: 'Sign in' }).click()
  }
  const expected = refused(401, 403)

  test('asks for a key, explains why one is rejected, and shows the usage after signing in', async () => {
    await using keyed = await startKeyed()
    await using opened = await openPage(browser, `${keyed.url}/messages${QUERY}`, { expected })
    const { page } = opened
    await page.getByText('Sign in with one of your organization’s API keys.').waitFor()
    assert.equal(await page.getByRole('alert').innerText(), '')
    assert.equal(await page.getByText('4 messages').count(), 0)
    for (const wrong of [`cck_default_${'A'.repeat(43)}`, 'hunter2']) {
      await signIn(page, wrong)
      await page.getByRole('alert').filter({ hasText: 'This key is unknown or revoked.' }).waitFor()
    }
    await signIn(page, (await keyed.keyOf('messages:write')).key)
    await page.getByRole('alert').filter({ hasText: 'The API key lacks the scope usage:read.' }).waitFor()
    assert.deepEqual(await page.context().cookies(), [])
    await signIn(page, (await keyed.keyOf('usage:read')).key)
    await settled(page)
    await assertShows(page, await keyed.usage())
  })

  test('keeps a session that scripts cannot read, never the key, and stays signed in after a reload', async () => {
    await using keyed = await startKeyed()
    await using opened = await openPage(browser, `${keyed.url}/messages${QUERY}`, { expected })
    const { page } = opened
    const { key } = await keyed.keyOf('usage:read')
    await signIn(page, key)
    await settled(page)
    const [cookie, ...more] = await page.context().cookies()
    assert.deepEqual(more, [])
    assert.equal(cookie?.httpOnly, true)
    assert.equal(cookie?.sameSite, 'Strict')
    const kept = await page.evaluate(() =>
      [JSON.stringify(localStorage), JSON.stringify(sessionStorage), document.cookie, location.href].join(' '),
    )
    const secret = key.slice('cck_default_'.length)
    assert.ok(secret.length > 20)
    for (const place of [kept, decodeURIComponent(cookie?.value ?? ''), await page.content()]) {
      assert.ok(!place.includes(secret))
    }
    await page.reload()
    await settled(page)
    assert.equal(await page.getByLabel('API key').count(), 0)
  })

  test('shows the view in the address after signing in', async () => {
    await using keyed = await startKeyed()
    const address = `${keyed.url}/messages${QUERY}&group=report&sort=-credits&min=2&message=3`
    await using opened = await openPage(browser, address, { expected })
    const { page } = opened
    await signIn(page, (await keyed.keyOf('usage:read')).key)
    await page.getByRole('dialog', { name: 'Message 3' }).locator('tfoot').waitFor()
    await settled(page)
    assert.equal(page.url(), address)
    const dear = (await keyed.usage()).filter(({ credits_used: credits }) => credits >= 2)
    assert.ok(dear.length > 1 && dear.length < 4)
    const sorted = dear.toSorted((one, other) => other.credits_used - one.credits_used)
    assert.deepEqual(
      await allIds(page),
      sorted.map(({ message_id: id }) => String(id)),
    )
    await page.keyboard.press('Escape')
    await goTo(page, 'Usage')
    assert.equal(await page.locator('.chart-card select').inputValue(), 'report')
  })

  test('asks for a key after signing out, shows no usage, and does not claim that a session ended', async () => {
    await using keyed = await startKeyed()
    await using opened = await openPage(browser, `${keyed.url}/messages${QUERY}`, { expected })
    const { page } = opened
    await signIn(page, (await keyed.keyOf('usage:read')).key)
    await settled(page)
    await page.getByRole('button', { name: 'Sign out' }).click()
    await page.getByText('Sign in with one of your organization’s API keys.').waitFor()
    assert.equal(await page.locator('.figures, .rows').count(), 0)
    assert.deepEqual(await page.context().cookies(), [])
    await page.reload()
    await page.getByText('Sign in with one of your organization’s API keys.').waitFor()
  })

  test('reports a failed sign-out', async () => {
    await using stack = new AsyncDisposableStack()
    const keyed = stack.use(await startKeyed())
    await using opened = await openPage(browser, `${keyed.url}/messages${QUERY}`, {
      expected: /status of 401|net::ERR/,
    })
    const { page } = opened
    await signIn(page, (await keyed.keyOf('usage:read')).key)
    await settled(page)
    await stack.disposeAsync()
    await page.getByRole('button', { name: 'Sign out' }).click()
    await page.getByRole('alert').filter({ hasText: 'Could not sign out.' }).waitFor()
  })

  test('says that the session expired, and restores the view after signing in again', async () => {
    await using keyed = await startKeyed({ SESSION_LIFETIME: '4s' })
    await using opened = await openPage(browser, `${keyed.url}/messages${QUERY}&sort=credits`, { expected })
    const { page } = opened
    const { key } = await keyed.keyOf('usage:read')
    await signIn(page, key)
    await settled(page)
    while ((await page.context().cookies()).length > 0) await page.evaluate(() => new Promise(requestAnimationFrame))
    await refreshButton(page).click()
    await page.getByText('Your session has ended. Sign in again.').waitFor()
    assert.equal(await page.locator('.figures, .rows').count(), 0)
    await signIn(page, key)
    await settled(page)
    assert.equal(await header(page, 'Credits Used').getAttribute('aria-sort'), 'ascending')
  })

  test('ends the session when its key is revoked, even if only a charge is requested', async () => {
    await using keyed = await startKeyed()
    await using opened = await openPage(browser, `${keyed.url}/messages${QUERY}`, { expected })
    const { page } = opened
    const first = await keyed.keyOf('usage:read')
    await signIn(page, first.key)
    await settled(page)
    await keyed.revoke(first)
    await refreshButton(page).click()
    await page.getByText('Your session has ended. Sign in again.').waitFor()
    await signIn(page, first.key)
    await page.getByRole('alert').filter({ hasText: 'This key is unknown or revoked.' }).waitFor()
    const second = await keyed.keyOf('usage:read')
    await signIn(page, second.key)
    await settled(page)
    await keyed.revoke(second)
    await page.getByRole('link', { name: '2', exact: true }).click()
    await page.getByText('Your session has ended. Sign in again.').waitFor()
  })
})

describe('the dashboard with an upstream', { skip: noBrowser }, () => {
  const lease = { id: 5392, name: 'Lease Report', credit_cost: 79 }
  const report = (_: string, __: unknown, response: ServerResponse) => send(response, 200, lease)
  const messageAt = (id: number, timestamp: string, more: object = {}) => ({ id, text: 'a b c', timestamp, ...more })
  const past = [
    messageAt(1, '2024-04-29T02:08:29.375Z'),
    messageAt(2, '2024-04-29T23:59:59.999Z', { report_id: lease.id }),
    messageAt(3, '2024-05-03T00:00:00Z'),
    messageAt(4, '2024-05-06T12:00:00+02:00', { text: 'kayak' }),
  ]

  /** A service with an upstream that can be made to fail and recover. */
  const startBoth = async (messages: readonly object[], { isFailing = false } = {}) => {
    const listing: Answers['listing'] = (request, response) =>
      state.isFailing ? send(response, 500, 'out of order') : sendListing(messages)(request, response)
    const state = { isFailing }
    const copilot = await startCopilot({ listing, report })
    const service = await startService({ UPSTREAM_URL: copilot.url, UPSTREAM_ATTEMPTS: '1' })
    return {
      url: service.url,
      fail: (isSo: boolean) => {
        state.isFailing = isSo
      },
      [Symbol.asyncDispose]: async () => {
        await service[Symbol.asyncDispose]()
        await copilot[Symbol.asyncDispose]()
      },
    }
  }
  const badge = (page: Page): Locator =>
    page.locator('.page-head').getByText('Copilot service unreachable. Showing data from')

  test('shows every billing period of a listing that lies outside the current one', async () => {
    await using both = await startBoth(past)
    await using opened = await openPage(browser, `${both.url}/`)
    const { page } = opened
    await settled(page)
    const lines = await linesOf(both.url, '')
    assert.equal(lines.length, 4)
    await assertShows(page, lines)
    const labels = await bars(page).evaluateAll((all) => all.map((bar) => bar.getAttribute('aria-label') ?? ''))
    const days = labels.map((label) => /^\w+, (.+): .* (\d+) messages?/.exec(label)?.slice(1))
    assert.deepEqual([days.length, days[0]?.[0], days.at(-1)?.[0]], [61, '1 Apr 2024', '31 May 2024'])
    assert.deepEqual(
      days.filter((day) => day?.[1] !== '0'),
      [
        ['29 Apr 2024', '2'],
        ['3 May 2024', '1'],
        ['6 May 2024', '1'],
      ],
    )
    assert.equal(
      await page.getByLabel('Period', { exact: true }).locator('option:checked').innerText(),
      '1 Apr – 31 May 2024 (current, as listed)',
    )
    // A listing outside the current period has no end to project to.
    assert.equal(await note(page, 'Credits this period').textContent(), 'no end date, so no forecast')
    assert.deepEqual(await inArea(page, 'Messages', () => allIds(page)), ['4', '3', '2', '1'])
    await bars(page).nth(32).click()
    assert.deepEqual(await inArea(page, 'Messages', () => allIds(page)), ['3'])
    assert.equal(await badge(page).count(), 0)
  })

  test('agrees with the API about a message whose price fell and one no longer listed', async () => {
    let price = 79
    let messages = [
      ...past,
      messageAt(5, new Date().toJSON(), { report_id: lease.id, user_id: 'ada' }),
      messageAt(6, new Date().toJSON()),
    ]
    await using copilot = await startCopilot({
      listing: (request, response) => sendListing(messages)(request, response),
      report: (_, __, response) => send(response, 200, { ...lease, credit_cost: price }),
    })
    await using service = await startService({ UPSTREAM_URL: copilot.url, REPORT_TTL: '0' })
    await using opened = await openPage(browser, `${service.url}/`)
    const { page } = opened
    await settled(page)
    await assertShows(page, await linesOf(service.url, ''))
    price = 35
    messages = messages.slice(0, -1)
    await refreshButton(page).click()
    await figure(page, 'Messages').filter({ hasText: '5' }).waitFor()
    await settled(page)
    const lines = await linesOf(service.url, '')
    assert.equal(lines.find(({ message_id: id }) => id === 5)?.credits_used, 35)
    await assertShows(page, lines)
    const today = new Date().toJSON().slice(0, 10)
    const tomorrow = new Date(Date.now() + 86_400_000).toJSON().slice(0, 10)
    await page.goto(`${service.url}/?from=${today}&to=${today}`)
    await settled(page)
    const ranged = await linesOf(service.url, `?from=${today}&to=${tomorrow}`)
    assert.equal(await figure(page, 'Credits in this range').textContent(), shownCredits(sumOf(ranged)))
    assert.deepEqual((await inArea(page, 'Messages', () => allIds(page))).toSorted(), ['5', '6'])
    await page.getByText('Includes 1 message (1.00 credits) that the Copilot service does not list.').waitFor()
    await page.goto(`${service.url}/?message=5`)
    await page.getByText('Superseded: the price changed, so this charge no longer counts.').waitFor()
  })

  test('shows the whole current period if the listing lies within it', async () => {
    const now = new Date()
    const days = new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth() + 1, 0)).getUTCDate()
    await using both = await startBoth([
      messageAt(1, now.toJSON(), { report_id: lease.id }),
      messageAt(2, now.toJSON()),
    ])
    await using opened = await openPage(browser, `${both.url}/`)
    const { page } = opened
    await settled(page)
    await assertShows(page, await linesOf(both.url, ''))
    assert.equal(await bars(page).count(), days)
  })

  test('projects nothing for a listing of several periods, even if it reaches today', async () => {
    await using both = await startBoth([...past, messageAt(5, new Date().toJSON())])
    await using opened = await openPage(browser, `${both.url}/`)
    const { page } = opened
    await settled(page)
    await assertShows(page, await linesOf(both.url, ''))
    assert.equal(await note(page, 'Credits this period').textContent(), 'no end date, so no forecast')
  })

  test('shows the last known usage with a notice while the upstream fails, until it recovers', async () => {
    await using both = await startBoth(past)
    await using opened = await openPage(browser, `${both.url}/`)
    const { page } = opened
    await settled(page)
    const lines = await linesOf(both.url, '')
    both.fail(true)
    await refreshButton(page).click()
    await badge(page).waitFor()
    await assertShows(page, lines)
    assert.equal(await failureShown(page).count(), 0)
    // Also on a new visit.
    await page.reload()
    await badge(page).waitFor()
    await settled(page)
    await assertShows(page, lines)
    both.fail(false)
    await refreshButton(page).click()
    await badge(page).waitFor({ state: 'detached' })
    await assertShows(page, lines)
  })

  test('explains the failure if no usage is known, and shows the usage once the upstream recovers', async () => {
    await using both = await startBoth(past, { isFailing: true })
    await using opened = await openPage(browser, `${both.url}/`, { expected: refused(502, 504) })
    const { page } = opened
    const failure = failureShown(page)
    await failure.waitFor()
    const text = await failure.innerText()
    assert.match(text, /^Could not load usage\.\s+The Copilot service failed\. .*status was 500/)
    const again = failure.getByRole('button', { name: 'Try again' })
    const answered = page.waitForResponse(
      (response) => response.url().includes('/v1/usage') && response.status() === 502,
    )
    await again.click()
    await answered
    await again.waitFor()
    assert.equal(await page.locator('.figures .value').count(), 0)
    // Earlier periods come from the ledger and still load.
    await failure.getByRole('button', { name: 'Show the previous period' }).click()
    await settled(page)
    assert.equal(await failure.count(), 0)
    assert.equal(new URL(page.url()).search, '?period=previous')
    await page.goBack()
    await again.waitFor()
    both.fail(false)
    await again.click()
    await failure.waitFor({ state: 'detached' })
    await settled(page)
    await assertShows(page, await linesOf(both.url, ''))
  })
})

describe('the dashboard without usage', { skip: noBrowser }, () => {
  test('says that the period is empty and what to do', async () => {
    await using service = await startService({})
    await callService(service.url, 'POST', '/v1/organizations', { id: 'acme', name: 'Acme Ltd' })
    await using opened = await openPage(browser, `${service.url}/?organization=acme`)
    const { page } = opened
    await settled(page)
    assert.equal(await figure(page, 'Credits this period').textContent(), '0.00')
    assert.ok((await bars(page).count()) >= 28)
    await goTo(page, 'Messages')
    await page
      .getByText('No messages in this period. Choose another period, or report messages through the API.')
      .waitFor()
    assert.equal(await page.getByLabel('Organization').locator('option:checked').innerText(), 'Acme Ltd')
    assert.equal(await page.getByText('sample data').count(), 0)
  })

  test('labels the bundled sample as sample data until a message is reported', async () => {
    await using service = await startService({})
    await using opened = await openPage(browser, `${service.url}/`)
    const { page } = opened
    await settled(page)
    const notice = page.getByText('This is sample data.')
    await notice.waitFor()
    const lines = await linesOf(service.url, '')
    assert.ok(lines.length > 0)
    await assertShows(page, lines)
    const messages = [{ id: 1, text: 'a', timestamp: new Date().toJSON() }]
    await callService(service.url, 'POST', '/v1/messages', { messages })
    await refreshButton(page).click()
    await notice.waitFor({ state: 'detached' })
    await settled(page)
    await assertShows(page, await linesOf(service.url, ''))
  })
})

describe('the dashboard when the service', { skip: noBrowser }, () => {
  const QUERY = '?period=2024-05'
  const startWithUsage = async (): Promise<Running> => {
    const service = await startService({})
    const messages = [1, 2, 3].map((id) => ({ id, text: 'a b', timestamp: `2024-05-0${id}T08:00:00Z` }))
    await callService(service.url, 'POST', '/v1/messages', { messages })
    return service
  }

  test('is gone keeps what it showed and reports the failed refresh', async () => {
    await using stack = new AsyncDisposableStack()
    const service = stack.use(await startWithUsage())
    const lines = await linesOf(service.url, QUERY)
    await using opened = await openPage(browser, `${service.url}/messages${QUERY}`, { expected: /net::ERR/ })
    const { page } = opened
    await settled(page)
    await assertShows(page, lines)
    await stack.disposeAsync()
    await refreshButton(page).click()
    await failureShown(page).waitFor()
    assert.match(
      await failureShown(page).innerText(),
      /^The service cannot be reached\.\s+Showing 1.+31 May 2024 as of/,
    )
    await assertShows(page, lines)
    assert.deepEqual(await allIds(page), ['3', '2', '1'])
  })

  test('is gone keeps the period shown, under its own name, if another one cannot load', async () => {
    await using stack = new AsyncDisposableStack()
    const service = stack.use(await startWithUsage())
    const lines = await linesOf(service.url, QUERY)
    await using opened = await openPage(browser, `${service.url}/${QUERY}`, { expected: /net::ERR/ })
    const { page } = opened
    await settled(page)
    const picker = page.getByLabel('Period', { exact: true })
    await assertShows(page, lines)
    await stack.disposeAsync()
    await picker.selectOption('current')
    await failureShown(page).filter({ hasText: 'The service cannot be reached.' }).waitFor()
    assert.equal(await picker.inputValue(), '2024-05')
    await assertShows(page, lines)
    await failureShown(page)
      .getByRole('button', { name: /^Stay with/ })
      .click()
    await assertShows(page, lines)
  })

  test('is slow says that it is loading, then shows the usage', async () => {
    await using service = await startWithUsage()
    await using opened = await openPage(browser, 'about:blank')
    const { page } = opened
    const totals = await hold(page, '**/v1/usage/totals?*')
    await page.goto(`${service.url}/${QUERY}`)
    const loading = page.getByRole('status').filter({ hasText: 'Loading…' })
    await loading.waitFor()
    assert.ok(await page.locator('.loading .chart-card').isVisible())
    assert.equal(await page.getByRole('alert').count(), 0)
    totals.release()
    await settled(page)
    assert.equal(await loading.count(), 0)
    await assertShows(page, await linesOf(service.url, QUERY))
  })

  test('is slow with another period shows nothing of the previous one until it arrives', async () => {
    await using service = await startWithUsage()
    await using opened = await openPage(browser, `${service.url}/${QUERY}`)
    const { page } = opened
    await settled(page)
    const totals = await hold(page, '**/v1/usage/totals?*')
    await page.getByLabel('Period', { exact: true }).selectOption('current')
    await page.locator('main[aria-busy=true] .loading').waitFor()
    assert.equal(await page.locator('.figure').count(), 0)
    totals.release()
    await page.locator('main[aria-busy=false]').waitFor()
    await settled(page)
    assert.equal(await figure(page, 'Credits this period').textContent(), '0.00')
  })
})

describe('a failed render or load of code', { skip: noBrowser }, () => {
  test('of a panel shows a notice in the panel, keeps the rest of the page, and offers a reload', async () => {
    await using service = await startService({})
    await using opened = await openPage(browser, `${service.url}/`, { expected: /net::ERR|try-it/ })
    const { page } = opened
    await settled(page)
    await page.route('**/assets/try-it*', (route) => route.abort())
    await page.getByRole('button', { name: 'Try it' }).click()
    const panel = page.getByRole('dialog', { name: 'Try it' })
    await panel.getByRole('alert').filter({ hasText: 'Could not load this part of the page.' }).waitFor()
    await panel.getByRole('button', { name: 'Close' }).click()
    await panel.waitFor({ state: 'detached' })
    assert.equal(await page.locator('.figures .value').count(), 4)
    await page.getByRole('button', { name: 'Try it' }).click()
    await page.unroute('**/assets/try-it*')
    await panel.getByRole('button', { name: 'Reload the page' }).click()
    await panel.getByRole('textbox', { name: 'Message' }).waitFor()
  })

  test('of the whole page, as with an unknown time zone, shows a notice and offers a reload', async () => {
    await using service = await startService({})
    await using opened = await openPage(browser, 'about:blank', { expected: /Mars\/Olympus/ })
    const { page } = opened
    await page.route('**/v1/usage/totals?*', async (route) => {
      const answer = await route.fetch()
      await route.fulfill({ response: answer, json: { ...(await answer.json()), time_zone: 'Mars/Olympus' } })
    })
    await page.goto(service.url)
    const failure = page.getByRole('alert').filter({ hasText: 'This page stopped working.' })
    await failure.waitFor()
    await page.unroute('**/v1/usage/totals?*')
    await failure.getByRole('button', { name: 'Reload the page' }).click()
    await settled(page)
    await assertShows(page, await linesOf(service.url, ''))
  })
})

describe('the theme', { skip: noBrowser }, () => {
  let service: Running
  before(async () => {
    service = await startService({})
  })
  after(() => service?.[Symbol.asyncDispose]())

  /** Waits for a dark or light page background. */
  const ground = (page: Page, theme: 'dark' | 'light') =>
    page.waitForFunction((isDark) => {
      const [red = 0, green = 0, blue = 0] = getComputedStyle(document.body).backgroundColor.match(/\d+/g) ?? []
      return (Number(red) + Number(green) + Number(blue)) / 3 < 128 === isDark
    }, theme === 'dark')

  for (const [system, other] of [
    ['dark', 'light'],
    ['light', 'dark'],
  ] as const) {
    test(`follows a ${system} system, stays ${other} once selected, even after a reload, and can follow the system again`, async () => {
      await using opened = await openPage(browser, `${service.url}/`, { colorScheme: system })
      const { page } = opened
      await settled(page)
      const theme = page.getByLabel('Theme')
      await ground(page, system)
      assert.equal(await theme.inputValue(), 'system')
      await theme.selectOption(other)
      await ground(page, other)
      await page.reload()
      await settled(page)
      assert.equal(await theme.inputValue(), other)
      await ground(page, other)
      await theme.selectOption('system')
      await ground(page, system)
      await page.emulateMedia({ colorScheme: other })
      await ground(page, other)
    })
  }
})

describe('the dashboard with too many messages to sort', { skip: noBrowser }, () => {
  const COUNT = 100_310
  const DAYS = 31
  const QUERY = '?period=2024-05'
  const dayOf = (id: number): string => `2024-05-${String((id % DAYS) + 1).padStart(2, '0')}`
  let service: Running
  before(async () => {
    service = await startService({})
    const lines: string[] = []
    for (let id = 0; id < COUNT; id++) {
      lines.push(JSON.stringify({ id, text: 'a '.repeat((id % 7) + 1), timestamp: `${dayOf(id)}T08:00:00Z` }))
    }
    const response = await fetch(`${service.url}/v1/messages`, {
      method: 'POST',
      headers: { 'content-type': 'application/x-ndjson', prefer: 'return=minimal' },
      body: lines.join('\n'),
    })
    assert.match(await response.text(), new RegExp(`"accepted":${COUNT}`))
  })
  after(() => service?.[Symbol.asyncDispose]())
  const open = async (more = '', path = '/messages') => {
    const opened = await openPage(browser, `${service.url}${path}${QUERY}${more}`)
    await settled(opened.page)
    return opened
  }
  const sortButton = (page: Page, name: string): Locator => header(page, name).getByRole('button')
  const toEnd = (page: Page) => page.evaluate('scrollTo(0, document.documentElement.scrollHeight)')
  const rowsShown = (page: Page) => page.locator('[data-row]')

  test('are sorted by the service, load more on scroll, and have the sum of all beside them', async () => {
    await using opened = await open('&sort=-credits')
    const { page } = opened
    await rowsShown(page).first().waitFor()
    assert.match((await sumShown(page).textContent()) ?? '', /^100,310 messages, [\d,.]+ credits$/)
    assert.equal(await header(page, 'Credits Used').getAttribute('aria-sort'), 'descending')
    assert.equal(await page.locator('.empty').count(), 0)
    const first = async (): Promise<string> => (await page.locator('[data-row="0"] .c-credits').textContent()) ?? ''
    const dearest = await first()
    await toEnd(page)
    await page.waitForFunction(() =>
      [...document.querySelectorAll<HTMLElement>('[data-row]')].some(({ dataset }) => Number(dataset['row']) >= 499),
    )
    await sortButton(page, 'Report Name').click()
    await sortButton(page, 'Credits Used').click()
    await page.locator('.rows:not(.reordering) [data-row="0"]').waitFor()
    assert.equal(new URL(page.url()).searchParams.get('sort'), 'credits')
    assert.ok(Number(await first()) < Number(dearest))
  })

  test('does not claim to be empty while the first page loads', async () => {
    await using opened = await openPage(browser, 'about:blank')
    const { page } = opened
    const lines = await hold(page, '**/v1/usage?*')
    await page.goto(`${service.url}/messages${QUERY}`)
    await page.locator('.rows').getByText('Loading messages…').waitFor()
    assert.equal(await page.getByText('No messages').count(), 0)
    lines.release()
    await rowsShown(page).first().waitFor()
  })

  test('stops at a page that fails, says so, and continues on retry', async () => {
    await using opened = await openPage(browser, 'about:blank', { expected: /net::ERR/ })
    const { page } = opened
    let asked = 0
    const more = /\/v1\/usage\?.*cursor=/
    await page.route(more, (route) => {
      asked++
      return route.abort()
    })
    await page.goto(`${service.url}/messages${QUERY}`)
    await rowsShown(page).first().waitFor()
    await toEnd(page)
    const failure = page.getByRole('alert').filter({ hasText: 'Could not load all messages.' })
    await failure.waitFor()
    const before = asked
    await page.evaluate('scrollTo(0, 0)')
    await toEnd(page)
    assert.equal(asked, before)
    await page.unroute(more)
    await failure.getByRole('button', { name: 'Try again' }).click()
    await failure.waitFor({ state: 'detached' })
  })

  test('exports what was requested, even if the filters change meanwhile', async () => {
    await using opened = await open()
    const { page } = opened
    const more = await hold(page, /\/v1\/usage\?.*cursor=/)
    const exporting = exported(page)
    await page.getByRole('button', { name: 'Exporting…' }).waitFor()
    await page.getByLabel('Day', { exact: true }).selectOption({ index: 5 })
    more.release()
    assert.equal((await exporting).length, COUNT)
  })

  test('sorts the messages of one day, and exports all of them', async () => {
    await using opened = await open()
    const { page } = opened
    await page.getByLabel('Day', { exact: true }).selectOption({ index: 5 })
    await settled(page)
    const lines = await linesOf(service.url, '?from=2024-05-05&to=2024-05-06')
    assert.ok(lines.length > 3000)
    assert.equal(
      await sumShown(page).textContent(),
      `${lines.length.toLocaleString('en-GB')} messages, ${shownCredits(sumOf(lines))} credits`,
    )
    await sortBy(page, 'Credits Used')
    await sortBy(page, 'Credits Used')
    assert.equal(await header(page, 'Credits Used').getAttribute('aria-sort'), 'descending')
    assert.deepEqual(
      await exported(page),
      lines
        .toSorted((one, other) => other.credits_used - one.credits_used)
        .map(
          ({ message_id: id, timestamp, credits_used: credits }) =>
            `${id},${new Date(timestamp).toJSON().slice(0, 19).replace('T', ' ')},${timestamp},,${credits},,,,,succeeded,`,
        ),
    )
  })

  test('exports every message once, the newest first', async () => {
    await using opened = await open()
    const lines = await exported(opened.page)
    const ids = lines.map((line) => Number(line.split(',', 1)[0]))
    const inOrder = Array.from({ length: COUNT }, (_, id) => id).sort(
      (one, other) => (one % DAYS) - (other % DAYS) || one - other,
    )
    assert.deepEqual(ids, inOrder.reverse())
  })
})
