/** The list of messages as it is drawn: boxes are measured, because text that is in the page can still be cut or hidden. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import type { Browser, Page } from 'playwright-core'
import { type Running, startService } from '../../test/harness.ts'
import { launchBrowser, noBrowser, openPage } from './browser.ts'
import { callService, settled, sortBy, sumShown } from './pages.ts'

describe('the messages', { skip: noBrowser }, () => {
  let browser: Browser
  let service: Running
  before(async () => {
    browser = await launchBrowser()
    service = await startService({})
    const messages = Array.from({ length: 150 }, (_, index) => ({
      id: index === 7 ? '1b4e28ba-2fa1-11d2-883f-0016d3cca427' : index,
      text: 'What is the lease term? '.repeat((index % 5) + 1),
      timestamp: `2024-05-${String((index % 28) + 1).padStart(2, '0')}T23:58:00Z`,
      user_id: ['ada', 'somebody.with-a-very-long-name@example.com'][index % 2],
    }))
    messages.push({ id: 100_500, text: 'earlier', timestamp: '2024-04-02T10:00:00Z', user_id: 'ada' })
    await callService(service.url, 'POST', '/v1/messages', { messages })
  })
  after(async () => {
    await browser?.close()
    await service?.[Symbol.asyncDispose]()
  })
  const open = async (query = '', options: Parameters<typeof openPage>[2] = {}) => {
    const opened = await openPage(browser, `${service.url}/messages?period=2024-05${query}`, options)
    await settled(opened.page)
    return opened
  }
  const cut = (page: Page, selector: string): Promise<readonly string[]> =>
    page
      .locator(selector)
      .evaluateAll((cells) =>
        cells
          .filter((cell) => cell.isConnected && (cell.clientWidth === 0 || cell.scrollWidth > cell.clientWidth))
          .map((cell) => `${cell.textContent} ${cell.scrollWidth} in ${cell.clientWidth}`),
      )

  test('never cut a time or an amount, at any width, at 200 % zoom and on paper', async () => {
    await using opened = await open()
    const { page } = opened
    // 640 is a page of 1280 at 200 %.
    for (const width of [1440, 960, 900, 768, 700, 641, 640, 512, 390, 320]) {
      await page.setViewportSize({ width, height: 900 })
      await page.waitForFunction((wide) => innerWidth === wide, width)
      await page.evaluate('new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)))')
      assert.deepEqual(await cut(page, '.body .c-time, .body .c-credits'), [], `at ${width}`)
      // The names of the columns and their arrows end within the cells and the screen.
      const beyond = await page
        .locator('.head .row > :is(.c-time, .c-report, .c-credits) .arrow')
        .evaluateAll((arrows) =>
          arrows
            .map((arrow) =>
              [arrow, arrow.closest('[role=columnheader]') ?? arrow].map((each) => each.getBoundingClientRect()),
            )
            .filter(([arrow, cell]) => arrow && cell && (arrow.right > cell.right + 0.5 || arrow.right > innerWidth))
            .map((boxes) => JSON.stringify(boxes)),
        )
      assert.deepEqual(beyond, [], `at ${width}`)
      assert.ok(Number(await page.evaluate('document.documentElement.scrollWidth')) <= width, `at ${width}`)
    }
  })

  test('are printed whole, light and without controls, under organization, period and sum', async () => {
    await using opened = await open('', { colorScheme: 'dark', viewport: { width: 794, height: 1123 } })
    const { page } = opened
    await page.emulateMedia({ media: 'print' })
    await page.locator('[data-row="149"]').waitFor()
    assert.equal(await page.locator('[data-row]').count(), 150)
    assert.deepEqual(await cut(page, '.body .c-time, .body .c-credits'), [])
    const [head] = await page.locator('.printed-head').allInnerTexts()
    assert.match(head ?? '', /Default[\s\S]*1 – 31 May 2024/)
    assert.equal(await page.locator('.table-card').evaluate((card) => getComputedStyle(card).colorScheme), 'light')
    for (const control of ['.filters', '.bar', '.message-search']) {
      assert.equal(await page.locator(control).first().isVisible(), false, control)
    }
    const tops = await page
      .locator('[data-row]')
      .evaluateAll((rows) => rows.map((row) => row.getBoundingClientRect().top))
    assert.ok(tops.every((top, index) => index === 0 || top > (tops[index - 1] ?? 0)))
  })

  test('say where nothing matches, in a box that can be seen', async () => {
    await using opened = await open('&min=9999')
    const { page } = opened
    const [text, frame] = await Promise.all([page.locator('.empty').boundingBox(), page.locator('.rows').boundingBox()])
    assert.ok(text && frame && text.height > 20 && text.y >= frame.y && text.y + text.height <= frame.y + frame.height)
  })

  test('begin with the first row after each sort, however far one has scrolled', async () => {
    await using opened = await open()
    const { page } = opened
    await page.evaluate('scrollTo(0, 3000)')
    await sortBy(page, 'Credits Used')
    await page.locator('[data-row="0"]').waitFor()
    const [row, head] = await Promise.all([
      page.locator('[data-row="0"]').boundingBox(),
      page.locator('.head').boundingBox(),
    ])
    assert.ok(row && head && row.y >= head.y + head.height - 1 && row.y < 300, JSON.stringify([row, head]))
  })

  test('are found in another period by their id, which opens them there', async () => {
    // There is no message with the text as its ID.
    await using opened = await open('', { expected: /status of 404/ })
    const { page } = opened
    await page.getByLabel('Message ID contains').fill('100500')
    await page.getByText('Message 100500 is in 1 – 30 Apr 2024.').waitFor()
    await page.getByRole('link', { name: 'Show it there' }).click()
    await page.getByRole('dialog', { name: 'Message 100500' }).waitFor()
    assert.equal(new URL(page.url()).searchParams.get('period'), '2024-04')
    await settled(page)
    assert.match((await sumShown(page).textContent()) ?? '', /^1 message,/)
  })

  test('have ids and members whole on hover, copied by a click', async () => {
    await using opened = await open('&search=1b4e', { permissions: ['clipboard-read', 'clipboard-write'] })
    const { page } = opened
    const cell = page.locator('[data-row="0"] .c-id')
    assert.equal(await cell.getAttribute('title'), '1b4e28ba-2fa1-11d2-883f-0016d3cca427')
    await cell.hover()
    await cell.getByRole('button', { name: /^Copy/ }).click()
    assert.equal(await page.evaluate('navigator.clipboard.readText()'), '1b4e28ba-2fa1-11d2-883f-0016d3cca427')
    assert.equal(new URL(page.url()).searchParams.get('message'), null)
  })

  test('have targets of 44 pixels and inputs of 16 on a phone, and scroll with the page', async () => {
    await using opened = await open('', { viewport: { width: 390, height: 844 }, hasTouch: true })
    const { page } = opened
    const small = await page
      .locator('.head button:visible, .table-card .card-head button, .message-search input, .body .row')
      .evaluateAll((all) => all.map((each) => each.getBoundingClientRect().height).filter((height) => height < 44))
    assert.deepEqual(small, [])
    const size = await page.getByLabel('Message ID contains').evaluate((input) => getComputedStyle(input).fontSize)
    assert.equal(size, '16px')
    assert.ok(Number(await page.evaluate('document.documentElement.scrollHeight')) > 150 * 60)
  })
})
