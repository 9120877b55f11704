/** What a finger touches, and what stays where it is, as the boxes are measured. Of the messages, see messages.test.ts. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import type { Browser, Page } from 'playwright-core'
import { type Running, startService } from '../../test/harness.ts'
import { launchBrowser, noBrowser, openPage } from './browser.ts'
import { bars, callService, settled } from './pages.ts'

const PHONE = { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true } as const
const QUERY = 'period=2024-05'

let browser: Browser
let service: Running
before(async () => {
  if (noBrowser !== false) return
  browser = await launchBrowser()
  service = await startService({})
  for (let id = 1; id <= 8; id++) {
    const name = `Landlord’s obligations, covenants and everything else that anybody could want to know, part ${id}`
    await callService(service.url, 'PUT', `/v1/reports/${id}`, { name, credit_cost: id })
  }
  const messages = Array.from({ length: 90 }, (_, index) => ({
    id: index,
    text: 'What is the lease term? '.repeat((index % 5) + 1),
    timestamp: `2024-05-${String((index % 28) + 1).padStart(2, '0')}T12:00:00Z`,
    user_id: `member-${index % 9}.with-a-very-long-name@acme.example`,
    ...(index % 2 === 0 && { report_id: (index % 8) + 1 }),
  }))
  const earlier = [{ id: 1000, text: 'earlier', timestamp: '2024-04-02T10:00:00Z', user_id: 'ada' }]
  await callService(service.url, 'POST', '/v1/messages', { messages: [...messages, ...earlier] })
})
after(async () => {
  await browser?.close()
  await service?.[Symbol.asyncDispose]()
})

const open = async (path: string, options: Parameters<typeof openPage>[2] = {}) => {
  const opened = await openPage(browser, `${service.url}${path}`, options)
  await settled(opened.page)
  return opened
}

/** Whatever can be touched and is lower than 44 pixels, links within a sentence left out. */
const smallTargets = (page: Page): Promise<readonly string[]> =>
  page.evaluate(() =>
    [
      ...document.querySelectorAll(
        'button, select, input, textarea, summary, .areas a, .ranking a, .newest tbody tr, .all a',
      ),
    ]
      .filter((each) => each.checkVisibility() && !each.matches('[type=checkbox]'))
      // The box of a choice is the chip around it.
      .map((each) => ({ each, box: (each.closest('.chip') ?? each).getBoundingClientRect() }))
      .filter(({ box }) => box.height < 43.5)
      .map(({ each, box }) => `${each.outerHTML.slice(0, 100)} is ${box.height} high`),
  )

const zoomed = (page: Page): Promise<readonly string[]> =>
  page.evaluate(() =>
    [...document.querySelectorAll('input:not([type=checkbox]), select, textarea')]
      .filter((each) => each.checkVisibility() && Number.parseFloat(getComputedStyle(each).fontSize) < 16)
      .map((each) => each.outerHTML.slice(0, 100)),
  )

describe('on a phone', { skip: noBrowser }, () => {
  test('every control of every area has 44 pixels, and no input makes the browser zoom in', async () => {
    for (const path of [
      `/?${QUERY}&group=report&min=1`,
      `/messages?${QUERY}`,
      '/rate-cards',
      '/developers',
      '/organizations',
    ]) {
      await using opened = await open(path, PHONE)
      const { page } = opened
      if (path === '/organizations') {
        for (const name of ['New organization', 'New key', 'New report', 'Delete']) {
          await page.getByRole('button', { name }).first().click()
        }
      }
      assert.deepEqual(await smallTargets(page), [], path)
      assert.deepEqual(await zoomed(page), [], path)
      assert.ok(Number(await page.evaluate('document.documentElement.scrollWidth')) <= 390, path)
    }
  })

  test('what is seldom needed is in a menu, which gets the focus back', async () => {
    await using opened = await open(`/?${QUERY}`, PHONE)
    const { page } = opened
    const [more, tryIt] = [
      page.getByRole('button', { name: 'More', exact: true }),
      page.getByRole('button', { name: 'Try it' }),
    ]
    assert.equal(await tryIt.isVisible(), false)
    await more.click()
    const select = page.getByLabel('Theme', { exact: true })
    assert.ok(Number(await select.evaluate((each) => each.clientWidth)) > 150, 'its name is whole')
    assert.deepEqual(await smallTargets(page), [])
    await tryIt.press('Enter')
    await page.getByRole('dialog', { name: 'Try it' }).getByRole('textbox').waitFor()
    assert.equal(await tryIt.isVisible(), false)
    await page.keyboard.press('Escape')
    assert.ok(await more.evaluate((each) => each === document.activeElement))
  })

  test('only the filters that are set are shown, until all are asked for', async () => {
    await using opened = await open(`/?${QUERY}&member=member-1.with-a-very-long-name@acme.example`, PHONE)
    const { page } = opened
    const shown = () =>
      page
        .locator('.filters select')
        .evaluateAll((all) =>
          all.filter((each) => each.checkVisibility()).map((each) => each.getAttribute('aria-label')),
        )
    assert.deepEqual(await shown(), ['Member'])
    const button = page.getByRole('button', { name: 'Filters', exact: true })
    assert.equal(await button.getAttribute('aria-expanded'), 'false')
    await page.getByRole('button', { name: 'Remove the filter Member' }).click()
    // As long as it has the focus.
    await page.locator('[aria-label="Member"]:focus').waitFor()
    await button.click()
    assert.equal(await button.getAttribute('aria-expanded'), 'true')
    assert.deepEqual((await shown()).slice(0, 3), ['Day', 'Report', 'Member'])
    await page.getByLabel('Report', { exact: true }).selectOption({ index: 3 })
    await button.click()
    assert.deepEqual(await shown(), ['Report'])
  })

  test('a row of the newest messages can be touched anywhere, and its receipt has 44 pixels, too', async () => {
    await using opened = await open(`/?${QUERY}`, PHONE)
    const { page } = opened
    const row = page.locator('.newest tbody tr').nth(1)
    await row.scrollIntoViewIfNeeded()
    const box = await row.boundingBox()
    assert.ok(box)
    await page.touchscreen.tap(box.x + box.width - 8, box.y + box.height - 8)
    await page.locator('dialog:modal tfoot').waitFor()
    assert.deepEqual(await smallTargets(page), [])
  })

  test('the tooltip hides no bar, not even the one that was touched', async () => {
    await using opened = await open(`/?${QUERY}&group=member`, PHONE)
    const { page } = opened
    for (const bar of [2, 15, 26]) {
      await bars(page).nth(bar).tap()
      const [tip, chart] = await Promise.all([
        page.locator('.tip').boundingBox(),
        page.locator('.chart > svg').boundingBox(),
      ])
      assert.ok(tip && chart && tip.y >= chart.y + chart.height, JSON.stringify([tip, chart]))
      assert.ok(tip.x >= 0 && tip.x + tip.width <= 390)
    }
  })
})

describe('whatever the bars are grouped by', { skip: noBrowser }, () => {
  test('nothing below the chart moves, and each name is whole on hover', async () => {
    for (const options of [{}, { viewport: { width: 768, height: 1024 } }, PHONE]) {
      await using opened = await open(`/?${QUERY}`, options)
      const { page } = opened
      const top = (): Promise<number | undefined> =>
        page
          .locator('.pair')
          .boundingBox()
          .then((box) => box?.y)
      const before = await top()
      for (const group of ['report', 'member', 'kind']) {
        await page.getByLabel('Group by').selectOption(group)
        await page.waitForURL(group === 'kind' ? /^[^&]*$/ : new RegExp(`group=${group}`))
        await settled(page)
        assert.equal(await top(), before, group)
        const cut = await page.locator('.legends button').evaluateAll((all) =>
          all
            .filter(({ scrollWidth, clientWidth }) => scrollWidth > clientWidth)
            .filter((each) => each.getAttribute('title') !== `Show only: ${each.textContent.trim()}`)
            .map((each) => each.outerHTML),
        )
        assert.deepEqual(cut, [])
      }
    }
  })

  test('hours say of which day they are', async () => {
    await using opened = await open('/?from=2024-05-01&to=2024-05-02', { viewport: { width: 900, height: 900 } })
    const ticks = await opened.page.locator('.bar .tick').allTextContents()
    assert.ok(ticks.length > 4)
    assert.deepEqual([ticks[0], ticks[ticks.length / 2]], ['1 May', '2 May'])
  })
})
