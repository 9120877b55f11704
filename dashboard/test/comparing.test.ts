/** What usage is compared with, and in which time zone messages are shown: both are in the address. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import type { Browser, Locator, Page } from 'playwright-core'
import { type Running, startService } from '../../test/harness.ts'
import { launchBrowser, noBrowser, openPage } from './browser.ts'
import { allRows, bars, callService, exported, figure, goTo, note, settled } from './pages.ts'

let browser: Browser
before(async () => {
  if (noBrowser === false) browser = await launchBrowser()
})
after(() => browser?.close())

/** Costs as many credits as a report that has this price. */
const messageAt = (id: number, timestamp: string, reportId: number, member: string) => ({
  ...{ id, text: 'a b c', timestamp, report_id: reportId, user_id: member },
})

/** May 2024 with 100 and 40 credits, April with 100 and 20, March with 40, and May 2023 with 20. */
const startWithYears = async (): Promise<Running> => {
  const service = await startService({})
  const { url } = service
  for (const [id, cost] of [20, 40, 100].entries()) {
    await callService(url, 'PUT', `/v1/reports/${id}`, { name: `Report of ${cost}`, credit_cost: cost })
  }
  const messages = [
    messageAt(1, '2023-05-07T10:00:00Z', 0, 'ada'),
    messageAt(2, '2024-03-06T10:00:00Z', 1, 'ada'),
    messageAt(3, '2024-04-05T10:00:00Z', 2, 'ada'),
    messageAt(4, '2024-04-06T10:00:00Z', 0, 'ben'),
    messageAt(5, '2024-05-05T10:00:00Z', 2, 'ben'),
    messageAt(6, '2024-05-06T22:30:00Z', 1, 'ada'),
  ]
  await callService(url, 'POST', '/v1/messages', { messages })
  return service
}

const compare = (page: Page): Locator => page.getByLabel('Compare with')
const plain = async (element: Locator): Promise<string> =>
  ((await element.textContent()) ?? '').replaceAll(/[\s\u2009\u202f]+/g, ' ')

describe('the comparison', { skip: noBrowser }, () => {
  let service: Running
  before(async () => {
    service = await startWithYears()
  })
  after(() => service?.[Symbol.asyncDispose]())

  /** Figure, its note, the ghost's name and days, and the change of a member. */
  const shown = async (page: Page, title: string) => {
    await note(page, title).filter({ hasNotText: 'loading' }).waitFor()
    await settled(page)
    const ghosts = page.locator('.chart [data-bar]', { has: page.locator('.before') })
    return {
      change: await plain(figure(page, title)),
      note: await plain(note(page, title)),
      ghosts: await ghosts.evaluateAll((all) => all.map((each) => Number(each.getAttribute('data-bar')) + 1)),
    }
  }

  test('is with the period before, a year before, any other period, or nothing', async () => {
    await using opened = await openPage(browser, `${service.url}/?period=2024-05`)
    const { page } = opened
    await settled(page)
    assert.deepEqual(await shown(page, 'Change from previous period'), {
      change: '16.7% more',
      note: '120.00 in 1 – 30 Apr 2024',
      ghosts: [5, 6],
    })
    await compare(page).selectOption('vs a year before')
    await page.waitForURL('**/?period=2024-05&compare=year')
    assert.deepEqual(await shown(page, 'Change from a year before'), {
      change: '600.0% more',
      note: '20.00 in 1 – 31 May 2023',
      ghosts: [7],
    })
    assert.match(await plain(page.locator('.causes')), /^\+120\.00.*ben \+100\.00/)
    await compare(page).selectOption('2024-03')
    const title = await plain(page.locator('.figure dt').nth(1))
    assert.match(title, /^Change from 1 – 31 Mar 2024$/)
    await page.locator('.figure .note').filter({ hasText: '40.00 in 1' }).waitFor()
    await settled(page)
    assert.equal(await plain(page.locator('.figure .value').nth(1)), '250.0% more')
    assert.match(await plain(page.locator('.chart-card .legends')), /1 – 31 Mar 2024/)
    assert.match(await plain(page.locator('.ranking thead')), /Change from usage in 1 – 31 Mar 2024/)
    const ada = page.locator('.ranking tbody tr', { hasText: 'ada' })
    assert.match(await plain(ada), /same/)
    await compare(page).selectOption('no comparison')
    await page.waitForURL('**/?period=2024-05&compare=none')
    assert.deepEqual(await shown(page, 'Change'), { change: '–', note: 'compared with nothing', ghosts: [] })
    assert.equal(await page.locator('.ranking thead th', { hasText: 'Change' }).count(), 0)
  })

  test('is the same for whoever opens the link, and stays while the period is stepped', async () => {
    await using opened = await openPage(browser, `${service.url}/?period=2024-05&compare=2024-03`)
    const { page } = opened
    await settled(page)
    await page.locator('.figure .note').filter({ hasText: '40.00 in 1' }).waitFor()
    await page.getByRole('button', { name: 'Earlier' }).click()
    await page.waitForURL('**/?period=2024-04&compare=2024-03')
    await page.locator('.figure .value').filter({ hasText: '200.0% more' }).waitFor()
    await page.getByRole('button', { name: 'Earlier' }).click()
    await page.locator('.figure .note').filter({ hasText: 'no other period to compare' }).waitFor()
    await page.goto(`${service.url}/?period=2024-05&compare=year`)
    await settled(page)
    await page.getByRole('button', { name: 'Earlier' }).click()
    await page.waitForURL('**/?period=2024-04&compare=year')
    await page.locator('.figure .note').filter({ hasText: 'no period a year before' }).waitFor()
  })

  test('of a bar is with the bar that stands behind it, unless the week before is compared', async () => {
    await using opened = await openPage(browser, `${service.url}/?period=2024-05&compare=2024-04`)
    const { page } = opened
    await settled(page)
    await bars(page).nth(4).click()
    await page.locator('.figure dt').filter({ hasText: 'Change from Fri, 5 Apr 2024' }).waitFor()
    await page.locator('.figure .value').filter({ hasText: 'no change' }).waitFor()
    await bars(page).nth(30).click()
    await page.locator('.figure .note').filter({ hasText: 'no such day in 1' }).waitFor()
  })

  test('of days is with as many before or with the same of a year before, and says if nothing was used', async () => {
    await using opened = await openPage(browser, `${service.url}/?from=2024-05-05&to=2024-05-07&compare=year`)
    const { page } = opened
    await settled(page)
    assert.deepEqual(await shown(page, 'Change from a year before'), {
      change: '600.0% more',
      note: '20.00 in 5 – 7 May 2023',
      ghosts: [3],
    })
    assert.deepEqual(await compare(page).locator('option').allInnerTexts(), [
      'vs previous days',
      'vs a year before',
      'no comparison',
    ])
    await compare(page).selectOption('vs previous days')
    assert.deepEqual(await shown(page, 'Change from previous days'), {
      change: '–',
      note: 'no usage in 2 – 4 May 2024',
      ghosts: [],
    })
    await page.goto(`${service.url}/?from=2024-05-05&to=2024-05-07&compare=2024-03`)
    await page.getByText('Part of the address has no effect').waitFor()
  })
})

describe('the times of messages', { skip: noBrowser }, () => {
  test('can be in another zone, which is in the address and named; days and the file keep that of the organization', async () => {
    await using service = await startWithYears()
    await using opened = await openPage(browser, `${service.url}/messages?period=2024-05&organization=default`, {
      timezoneId: 'Asia/Tokyo',
    })
    const { page } = opened
    await settled(page)
    const times = async () => (await allRows(page)).map(({ time }) => time)
    assert.deepEqual(await times(), ['06-05-2024 22:30', '05-05-2024 10:00'])
    assert.equal(await page.locator('.zone-note').count(), 0)
    const picker = page.getByLabel('Times of messages in', { exact: true })
    await picker.selectOption('Asia/Tokyo (yours)')
    await page.waitForURL('**/messages?organization=default&period=2024-05&zone=Asia%2FTokyo')
    await page.locator('.table-card .zone-note').waitFor()
    assert.deepEqual(await times(), ['07-05-2024 07:30', '05-05-2024 19:00'])
    assert.match((await exported(page))[0] ?? '', /^6,2024-05-06 22:30:00,2024-05-06T22:30/)
    await page.getByRole('link', { name: '6', exact: true }).click()
    const receipt = page.getByRole('dialog', { name: 'Message 6' })
    await receipt.getByText('07-05-2024 07:30 Asia/Tokyo').waitFor()
    await page.keyboard.press('Escape')
    await goTo(page, 'Usage')
    assert.match(await plain(page.locator('.newest-card')), /Times in Asia\/Tokyo.*07-05-2024 07:30/)
    const days = await page
      .locator('.chart-card tbody tr')
      .evaluateAll((rows) =>
        rows.filter((row) => row.children[1]?.textContent === '1').map((row) => row.children[0]?.textContent),
      )
    assert.deepEqual(days, ['Sun, 5 May 2024', 'Mon, 6 May 2024'])
    // Whoever opens the link elsewhere sees the same, and can go back.
    await using elsewhere = await openPage(browser, page.url(), { timezoneId: 'Europe/Berlin' })
    await settled(elsewhere.page)
    assert.match(await plain(elsewhere.page.locator('.newest-card')), /Times in Asia\/Tokyo.*07-05-2024 07:30/)
    const other = elsewhere.page.getByLabel('Times of messages in', { exact: true })
    assert.deepEqual(await other.locator('option').allInnerTexts(), ['UTC', 'Europe/Berlin (yours)', 'Asia/Tokyo'])
    await other.selectOption('UTC')
    await elsewhere.page.waitForURL('**/?organization=default&period=2024-05')
  })
})
