/** The search: whatever is known by an id or a name, from anywhere on the page, by keyboard alone. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import axe, { type AxeResults } from 'axe-core'
import type { Browser, Locator, Page } from 'playwright-core'
import { type Running, startService } from '../../test/harness.ts'
import { launchBrowser, noBrowser, openPage } from './browser.ts'
import { callService, figure, hold, settled } from './pages.ts'

let browser: Browser
before(async () => {
  if (noBrowser === false) browser = await launchBrowser()
})
after(() => browser?.close())

const SPAN_ID = 'otlp:4bf92f3577b34da6a3ce929d0e0e4736:00f067aa0ba902b7'
const messageAt = (id: number | string, timestamp: string, more: object = {}) => ({
  ...{ id, text: 'a b c', timestamp },
  ...more,
})

const startWithUsage = async (): Promise<Running> => {
  const service = await startService({})
  const { url } = service
  const report = (organization: string, messages: readonly object[]): Promise<unknown> =>
    callService(url, 'POST', `/v1/messages?organization=${organization}`, { messages })
  await callService(url, 'PUT', '/v1/reports/1', { name: 'Lease Summary', credit_cost: 48 })
  await callService(url, 'PUT', '/v1/reports/2', { name: 'Rent Roll', credit_cost: 7 })
  await callService(url, 'POST', '/v1/organizations', { id: 'globex', name: 'Globex Corporation' })
  await report('default', [
    messageAt(1042, '2024-04-05T08:00:00Z', { user_id: 'zoë.former@acme.example', report_id: 1 }),
    messageAt('1042', '2024-05-05T08:00:00Z', { user_id: 'ada@acme.example' }),
    messageAt(SPAN_ID, '2024-05-06T08:00:00Z', { user_id: 'grace@acme.example' }),
    messageAt(3, new Date().toJSON(), { user_id: 'ada@acme.example' }),
    messageAt(4, new Date().toJSON(), { user_id: 'ben@acme.example' }),
  ])
  await report('globex', [messageAt(9, new Date().toJSON())])
  return service
}

const EXPECTED = { expected: /status of 404/ }
const field = (page: Page): Locator => page.getByRole('combobox', { name: 'Message ID, member, report or model' })
const option = (page: Page, name: string | RegExp): Locator => page.getByRole('option', { name })
const chosen = (page: Page): Locator => page.locator('[role=option][aria-selected=true]')
const said = (page: Page): Locator => page.locator('.search-status')
/** By the key, whatever has the focus. */
const search = async (page: Page, text: string): Promise<void> => {
  await page.keyboard.press('Control+k')
  await field(page).waitFor()
  await page.keyboard.type(text)
}
const focused = (page: Page): Promise<string> => page.evaluate(() => document.activeElement?.className ?? '')

describe('the search', { skip: noBrowser }, () => {
  let service: Running
  before(async () => {
    service = await startWithUsage()
  })
  after(() => service?.[Symbol.asyncDispose]())

  test('opens a message of an earlier period in its own period, by keyboard alone', async () => {
    await using opened = await openPage(browser, `${service.url}/?member=ben@acme.example`, EXPECTED)
    const { page } = opened
    await settled(page)
    await search(page, '1042')
    await option(page, /^Message 1042.*Apr 2024$/).waitFor()
    await option(page, /^Message "1042".*May 2024$/).waitFor()
    assert.equal(await chosen(page).getAttribute('id'), await field(page).getAttribute('aria-activedescendant'))
    await page.keyboard.press('Enter')
    await page.getByRole('dialog', { name: 'Message 1042' }).locator('tfoot').waitFor()
    assert.equal(new URL(page.url()).search, '?period=2024-04&message=1042')
    await settled(page)
    assert.equal(await figure(page, 'Messages').textContent(), '1')
    await page.keyboard.press('Escape')
    await search(page, '1042')
    await option(page, /^Message "1042"/).waitFor()
    await page.keyboard.press('ArrowDown')
    await page.keyboard.press('Enter')
    await page.waitForURL('**/?period=2024-05&message=%221042%22')
    assert.equal(await field(page).count(), 0)
  })

  test('takes a message at once, before it is known whether there is one', async () => {
    await using opened = await openPage(browser, `${service.url}/messages`, EXPECTED)
    const { page } = opened
    await settled(page)
    await search(page, SPAN_ID)
    await option(page, `Message ${SPAN_ID}`).waitFor()
    await page.keyboard.press('Enter')
    await page
      .getByRole('dialog', { name: `Message ${SPAN_ID}` })
      .locator('tfoot')
      .waitFor()
    assert.equal(new URL(page.url()).pathname, '/messages')
    await search(page, 'no-such-7')
    await page.keyboard.press('Enter')
    await said(page).filter({ hasText: 'There is no message with the ID no-such-7.' }).waitFor()
    assert.match(page.url(), /otlp/, 'nothing else was opened')
  })

  test('finds a member by a part of the name, and shows their usage', async () => {
    await using opened = await openPage(browser, `${service.url}/rate-cards`, EXPECTED)
    const { page } = opened
    await settled(page)
    await search(page, 'ADA')
    assert.equal(await chosen(page).innerText(), 'ada@acme.example')
    await page.keyboard.press('Enter')
    await page.waitForURL('**/?member=ada%40acme.example')
    await settled(page)
    assert.equal(await figure(page, 'Messages').textContent(), '1')
  })

  test('takes a name of another period to where it was used last, and says if it never was', async () => {
    await using opened = await openPage(browser, `${service.url}/`, EXPECTED)
    const { page } = opened
    await settled(page)
    await search(page, 'zoe')
    await option(page, 'zoë.former@acme.example not in this period').waitFor()
    await page.keyboard.press('Enter')
    await page.waitForURL('**/?period=2024-04&member=zo%C3%AB.former%40acme.example')
    await settled(page)
    assert.equal(await figure(page, 'Messages').textContent(), '1')
    await search(page, 'lease')
    await page.keyboard.press('Enter')
    await page.waitForURL('**/?period=2024-04&report=Lease+Summary')
    await search(page, 'rent')
    await option(page, /Rent Roll/).click()
    await said(page).filter({ hasText: 'There is no message with the report “Rent Roll”.' }).waitFor()
  })

  test('goes to areas, and to other organizations', async () => {
    await using opened = await openPage(browser, `${service.url}/?period=2024-04`, EXPECTED)
    const { page } = opened
    await settled(page)
    await search(page, 'go to rate')
    await page.keyboard.press('Enter')
    await page.waitForURL('**/rate-cards?period=2024-04')
    await search(page, 'globex')
    await option(page, 'Switch to Globex Corporation globex').waitFor()
    await page.keyboard.press('Enter')
    await page.waitForURL('**/rate-cards?organization=globex')
  })

  test('returns the focus to where it was, and closes by Escape, a button and a click beside it', async () => {
    await using opened = await openPage(browser, `${service.url}/`)
    const { page } = opened
    await settled(page)
    await page.locator('.copy-link').focus()
    await page.keyboard.press('Control+k')
    await field(page).waitFor()
    assert.match(await said(page).innerText(), /^Finds a message of any period/)
    await page.keyboard.press('Escape')
    await field(page).waitFor({ state: 'detached' })
    assert.equal(await focused(page), 'copy-link')
    await page.getByRole('button', { name: 'Search', exact: true }).click()
    await page.getByRole('dialog').getByRole('button', { name: 'Close' }).click()
    await field(page).waitFor({ state: 'detached' })
    assert.equal(await focused(page), 'search-button')
    await page.keyboard.press('Enter')
    await field(page).waitFor()
    await page.mouse.click(5, 890)
    await field(page).waitFor({ state: 'detached' })
  })

  test('never shows the answer to what was typed before', async () => {
    await using opened = await openPage(browser, `${service.url}/`, EXPECTED)
    const { page } = opened
    await settled(page)
    const first = await hold(page, '**/v1/messages/1042?*')
    await search(page, '1042')
    const asked = page.waitForRequest('**/v1/messages/1042?*')
    await asked
    await page.keyboard.press('Enter')
    await said(page).filter({ hasText: 'Looking…' }).waitFor()
    await page.keyboard.press('Backspace')
    await page.keyboard.type('3')
    await said(page).filter({ hasText: 'There is no message with the ID 1043.' }).waitFor()
    first.release()
    await page.waitForLoadState('networkidle')
    assert.equal(await option(page, /Message/).count(), 0)
    assert.equal(new URL(page.url()).search, '')
    await page.keyboard.press('Escape')
    const latest = await hold(page, '**/v1/usage?*user_id=zo*')
    await search(page, 'zoe')
    await option(page, /not in this period$/).waitFor()
    await page.keyboard.press('Enter')
    await said(page).filter({ hasText: 'Looking…' }).waitFor()
    await page.keyboard.type(' x')
    latest.release()
    await page.waitForLoadState('networkidle')
    await field(page).waitFor()
    assert.equal(new URL(page.url()).search, '')
  })

  test('says what could not be searched', async () => {
    await using opened = await openPage(browser, `${service.url}/`, { expected: /net::ERR|404/ })
    const { page } = opened
    await settled(page)
    await page.route(/totals\?.*from=1000/, (route) => route.abort())
    await search(page, 'zoe')
    await said(page).filter({ hasText: 'Only names of this period are known' }).waitFor()
    assert.equal(await option(page, /zoë/).count(), 0)
  })

  test('has no violation that axe can find, light, dark and on a phone, and fits it', async () => {
    for (const options of [{}, { colorScheme: 'dark' }, { viewport: { width: 390, height: 844 } }] as const) {
      await using opened = await openPage(browser, `${service.url}/`, { ...EXPECTED, ...options })
      const { page } = opened
      await settled(page)
      await page.evaluate(axe.source)
      for (const text of ['', 'a', 'nothing-7']) {
        await search(page, text)
        await page.waitForLoadState('networkidle')
        const { violations } = (await page.evaluate('axe.run()')) as AxeResults
        assert.deepEqual(
          violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' ')}`),
          [],
        )
        const box = await page.getByRole('dialog').boundingBox()
        const { width, height } = page.viewportSize() ?? { width: 0, height: 0 }
        assert.ok(box !== null && box.x >= 0 && box.x + box.width <= width && box.y + box.height <= height)
        await page.keyboard.press('Escape')
        await field(page).waitFor({ state: 'detached' })
      }
    }
  })

  test('is not in the first view, but there before it is opened: nothing that is typed is lost', async () => {
    await using opened = await openPage(browser, 'about:blank', EXPECTED)
    const { page } = opened
    const asked: string[] = []
    page.on('request', (request) => asked.push(request.url()))
    const answer = await page.goto(`${service.url}/`)
    assert.doesNotMatch((await answer?.text()) ?? '', /search-dialog/)
    await settled(page)
    await page.waitForLoadState('networkidle')
    assert.equal(asked.filter((url) => /search-dialog.*\.js/.test(url)).length, 1)
    assert.deepEqual(
      asked.filter((url) => /from=1000/.test(url)),
      [],
    )
    await page.keyboard.press('Control+k')
    await page.keyboard.type('1042')
    assert.equal(await field(page).inputValue(), '1042')
  })
})
