/** The usage on paper, as its boxes are measured. Of the messages, see messages.test.ts. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import type { Browser, Page } from 'playwright-core'
import { type Running, startService } from '../../test/harness.ts'
import { launchBrowser, noBrowser, openPage } from './browser.ts'
import { callService, settled } from './pages.ts'

const MEMBERS = 24
/** A4 at 96 dots an inch, and what the margins leave of it. */
const PAPER = { width: 794, height: 1123 }
const PRINTED = { width: 688, height: 1017 }

describe('on paper', { skip: noBrowser }, () => {
  let browser: Browser
  let service: Running
  before(async () => {
    browser = await launchBrowser()
    service = await startService({})
    const messages = Array.from({ length: 120 }, (_, index) => ({
      id: index,
      text: 'What is the lease term? '.repeat((index % 5) + 1),
      timestamp: `2024-05-${String((index % 28) + 1).padStart(2, '0')}T12:00:00Z`,
      user_id: `member-${index % MEMBERS}.with-a-very-long-name-that-is-cut-on-the-screen@acme.example`,
    }))
    await callService(service.url, 'POST', '/v1/messages', { messages })
  })
  after(async () => {
    await browser?.close()
    await service?.[Symbol.asyncDispose]()
  })

  const print = async (path: string) => {
    const opened = await openPage(browser, `${service.url}${path}`, { colorScheme: 'dark' })
    const { page } = opened
    await settled(page)
    await page.setViewportSize(PRINTED)
    await page.emulateMedia({ media: 'print' })
    await page.evaluate('new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)))')
    return opened
  }
  const visible = (page: Page, selector: string): Promise<readonly string[]> =>
    page
      .locator(selector)
      .evaluateAll((all) => all.filter((each) => each.checkVisibility()).map((each) => each.outerHTML.slice(0, 90)))

  test('the usage is a statement: whose, of when, where days begin, when printed; light, whole, without controls', async () => {
    await using opened = await print('/?period=2024-05&group=member')
    const { page } = opened
    const head = await page.locator('.printed-head').innerText()
    assert.match(
      head,
      /^Default\s+Usage of 1\s–\s31 May 2024\. Times in UTC\.\s+Printed \d\d-\d\d-\d{4} \d\d:\d\d, as of/,
    )
    assert.deepEqual(await visible(page, 'button:not(.legend *), select, input, nav, [role=tablist], .all a'), [])
    assert.equal(await page.locator('.ranking tbody tr').count(), MEMBERS)
    assert.equal(await page.locator('.newest tbody tr').count(), 8)
    const ink = await page
      .locator('.value')
      .first()
      .evaluate((each) => getComputedStyle(each).color)
    assert.equal(ink, 'rgb(20, 23, 31)', 'dark on a light ground')
    assert.equal((await page.locator('.printed-head').boundingBox())?.y, 0, 'the head comes first')
    const beyond = await page
      .locator('main :is(.card, .figures, .figure, svg, svg rect, table, tr > *, .printed-head)')
      .evaluateAll((all) =>
        all
          .filter((each) => each.closest('.visually-hidden') === null)
          .map((each) => ({ html: each.outerHTML.slice(0, 90), ...each.getBoundingClientRect().toJSON() }))
          .filter(({ left, right }) => left < 0 || right > innerWidth + 0.5),
      )
    assert.deepEqual(beyond, [])
    const cut = await page
      .locator('.ranking :is(th, td), .newest td')
      .evaluateAll((all) => all.filter((cell) => cell.scrollWidth > cell.clientWidth).map((cell) => cell.textContent))
    assert.deepEqual(cut, [])
  })

  test('filters that are set say of what it is a part', async () => {
    await using opened = await print('/?period=2024-05&min=1.5&at=2024-05-03T00:00:00.000Z')
    assert.deepEqual(await opened.page.locator('.chip-text:visible').allInnerTexts(), ['Day: Fri, 3 May 2024'])
    await opened.page.getByText('At least', { exact: true }).waitFor()
    assert.equal(await opened.page.getByLabel('Minimum credits').inputValue(), '1.5')
  })

  test('what the browser prints is what was measured', async () => {
    const pagesOf = async (path: string): Promise<number> => {
      await using opened = await openPage(browser, `${service.url}${path}`, { viewport: PAPER })
      await settled(opened.page)
      const pdf = await opened.page.pdf({ format: 'A4', preferCSSPageSize: true })
      return Math.max(...[...pdf.toString('latin1').matchAll(/\/Count (\d+)/g)].map(([, count]) => Number(count)))
    }
    const [usage, messages] = [await pagesOf('/?period=2024-05'), await pagesOf('/messages?period=2024-05')]
    // 24 members of two lines each do not fit on the page of the chart, and 120 messages fill three pages.
    assert.ok(usage >= 2 && usage <= 3, `${usage} pages of usage`)
    assert.ok(messages >= 3 && messages <= 5, `${messages} pages of messages`)
  })
})
