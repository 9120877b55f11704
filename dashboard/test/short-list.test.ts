/** The newest and the most expensive messages on the usage, and their receipts beside them. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import type { Browser, Locator, Page } from 'playwright-core'
import { type Running, startService } from '../../test/harness.ts'
import { launchBrowser, noBrowser, openPage } from './browser.ts'
import { callService, hold, linesOf, settled } from './pages.ts'

const LONG_ID = '1b4e28ba-2fa1-11d2-883f-0016d3cca427'
const LONG_NAME = 'somebody.with-a-very-long-name@acme.example'
const QUERY = 'period=2024-05'

describe('the messages beside the rankings', { skip: noBrowser }, () => {
  let browser: Browser
  let service: Running
  before(async () => {
    browser = await launchBrowser()
    service = await startService({})
    await callService(service.url, 'PUT', '/v1/reports/1', {
      name: 'The Domesday Book',
      credit_cost: 7_123_456.789_012,
    })
    const messages = Array.from({ length: 40 }, (_, index) => ({
      id: index === 38 ? LONG_ID : index,
      text: 'What is the lease term? '.repeat(((index * 7) % 40) + 1),
      timestamp: `2024-05-${String((index % 28) + 1).padStart(2, '0')}T23:58:${String(index).padStart(2, '0')}Z`,
      user_id: index % 2 === 0 ? LONG_NAME : 'ada',
      ...(index === 27 && { report_id: 1 }),
    }))
    messages.push({ id: 100, text: 'earlier', timestamp: '2024-04-02T10:00:00Z', user_id: 'ada' })
    await callService(service.url, 'POST', '/v1/messages', { messages })
  })
  after(async () => {
    await browser?.close()
    await service?.[Symbol.asyncDispose]()
  })

  const open = async (rest = '', width = 1440) => {
    const opened = await openPage(browser, `${service.url}/?${QUERY}${rest}`, { viewport: { width, height: 900 } })
    await settled(opened.page)
    return opened
  }
  const list = (page: Page): Locator => page.locator('.newest-card')
  const shownIds = (page: Page): Promise<readonly string[]> => list(page).locator('.c-id').allInnerTexts()
  const tab = (page: Page, name: string): Locator => page.getByRole('tab', { name, exact: true })
  const receipt = (page: Page, id: string): Locator => page.getByRole('dialog', { name: `Message ${id}`, exact: true })
  const hasFocus = (element: Locator): Promise<boolean> => element.evaluate((each) => each === document.activeElement)
  const dearest = async (): Promise<readonly string[]> =>
    (await linesOf(service.url, `?${QUERY}`))
      .toSorted((one, other) => other.credits_used - one.credits_used)
      .map(({ message_id: id }) => String(id))

  test('are those that cost most, as the API says, at an address of their own, and lead to all in that order', async () => {
    await using opened = await open()
    const { page } = opened
    await tab(page, 'Most expensive').click()
    await list(page).getByRole('heading', { name: 'Most expensive messages' }).waitFor()
    await settled(page)
    const ids = await dearest()
    assert.deepEqual(await shownIds(page), ids.slice(0, 8))
    await page.reload()
    await settled(page)
    assert.deepEqual(await shownIds(page), ids.slice(0, 8))
    await page.keyboard.press('Tab')
    await tab(page, 'Most expensive').focus()
    await page.keyboard.press('ArrowLeft')
    await list(page).getByRole('heading', { name: 'Newest messages' }).waitFor()
    await page.keyboard.press('ArrowRight')
    await list(page).getByRole('link', { name: 'All 40 messages' }).click()
    await settled(page)
    assert.equal(new URL(page.url()).searchParams.get('sort'), '-credits')
    assert.equal(await page.locator('[data-row="0"] .c-id').innerText(), ids[0])
  })

  test('have the receipt beside them, over nothing, with ↑ and ↓ through the list, and the focus back on Escape', async () => {
    await using opened = await open('&dearest=')
    const { page } = opened
    const ids = await dearest()
    const row = (index: number): Locator => list(page).locator('.c-id a').nth(index)
    /** In the page, which may scroll to show the receipt. */
    const placeOfRow = (): Promise<number> => row(0).evaluate((each) => each.getBoundingClientRect().top + scrollY)
    const place = await placeOfRow()
    await row(0).click()
    await receipt(page, ids[0] ?? '')
      .locator('tfoot')
      .waitFor()
    assert.equal(await page.locator('dialog:modal').count(), 0)
    const boxes = await page
      .locator('.newest, .panel, .ranking-card')
      .evaluateAll((all) => all.map((each) => each.getBoundingClientRect().toJSON()))
    const [ranking, table, panel] = boxes as DOMRect[]
    assert.ok(ranking && table && panel)
    assert.ok(table.right <= panel.left && panel.right <= 1440, JSON.stringify(boxes))
    assert.ok(ranking.top >= Math.max(table.bottom, panel.bottom), 'the ranking is below both')
    assert.equal(await placeOfRow(), place, 'what was clicked stays where it was')
    for (const id of ids.slice(1, 12)) {
      await page.keyboard.press('ArrowDown')
      await receipt(page, id).waitFor()
    }
    await receipt(page, ids[11] ?? '')
      .getByText('12 of 40')
      .waitFor()
    assert.equal(await list(page).locator('tr.open .c-id').innerText(), ids[11])
    // The keyboard goes from the receipt to what is below it, as the eye does.
    await list(page).getByRole('link', { name: 'All 40 messages' }).focus()
    await page.keyboard.press('Tab')
    assert.equal(await hasFocus(page.locator('.ranking-card [role=tab][aria-selected=true]')), true)
    await receipt(page, ids[11] ?? '').focus()
    await page.keyboard.press('ArrowUp')
    await receipt(page, ids[10] ?? '')
      .locator('tfoot')
      .waitFor()
    await page.keyboard.press('Escape')
    await page.getByRole('dialog').waitFor({ state: 'detached' })
    assert.equal(new URL(page.url()).searchParams.get('message'), null)
    assert.equal(await hasFocus(list(page).getByRole('link', { name: ids[10] ?? '', exact: true })), true)
  })

  test('have it over the page if the message is not among them, or if there is no room', async () => {
    for (const [rest, width] of [
      ['&message=1', 1440],
      ['&message=39', 1000],
    ] as const) {
      await using opened = await open(rest, width)
      await opened.page.locator('dialog:modal tfoot').waitFor()
    }
  })

  test('never cut a time or an amount, and have whatever is cut whole on hover', async () => {
    for (const width of [1440, 1100, 768, 390, 320]) {
      await using opened = await open('&dearest=', width)
      const cells = await opened.page
        .locator('.newest tbody td:visible, .ranking tbody > tr > *:visible')
        .evaluateAll((all) =>
          all.map((cell) => ({
            text: cell.textContent,
            name: cell.className,
            isCut: cell.scrollWidth > cell.clientWidth || cell.getBoundingClientRect().right > innerWidth,
            title: (cell.querySelector('[title]') ?? cell).getAttribute('title'),
          })),
        )
      assert.ok(cells.some(({ text }) => text === '7,123,456.789012'))
      for (const { text, name, title } of cells.filter((cell) => cell.isCut)) {
        assert.equal(title, text, `at ${width}`)
        assert.ok(!/c-at|c-credits|r-/.test(name), `${text} is cut at ${width}`)
      }
    }
  })

  test('are never the newest under the name of the most expensive, while those load', async () => {
    await using opened = await openPage(browser, 'about:blank')
    const { page } = opened
    const lines = await hold(page, /\/v1\/usage\?.*order=-credits/)
    await page.goto(`${service.url}/?${QUERY}`)
    await settled(page)
    assert.equal((await shownIds(page)).length, 8)
    await tab(page, 'Most expensive').click()
    await list(page).getByRole('heading', { name: 'Most expensive messages' }).waitFor()
    assert.deepEqual(await shownIds(page), [])
    lines.release()
    await settled(page)
    assert.deepEqual(await shownIds(page), (await dearest()).slice(0, 8))
  })
})
