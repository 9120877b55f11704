/** The dashboard on a real service: it shows what the API says, and the address holds the whole view. */
import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { after, before, describe, test } from 'node:test'
import type { Browser } from 'playwright-core'
import { measure } from '../../src/rating/measure.ts'
import { chargeOfText } from '../../src/rating/standard-card.ts'
import { startService } from '../../test/harness.ts'
import { skipWithout } from '../../test/shared-data.ts'
import { launchBrowser, noBrowser, openPage } from './browser.ts'
import {
  allIds,
  allRows,
  bars,
  callService,
  figure,
  goTo,
  header,
  linesOf,
  reportPublishedPeriod,
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

const withoutPublished = noBrowser || skipWithout('messages.current-period.json')

/** In UTC. */
const spreadsheetTime = ({ timestamp }: UsageLine): string =>
  new Date(timestamp).toJSON().slice(0, 19).replace('T', ' ')

describe('the dashboard of the published period', { skip: withoutPublished }, () => {
  let service: Awaited<ReturnType<typeof startService>>
  let lines: readonly UsageLine[] = []
  const query = '?period=2024-04'
  before(async () => {
    service = await startService({ BILLING_ANCHOR_DAY: '29' })
    await reportPublishedPeriod(service.url)
    lines = await linesOf(service.url, query)
  })
  after(() => service?.[Symbol.asyncDispose]())
  const open = async (more = '', path = '/messages') => {
    const opened = await openPage(browser, `${service.url}${path}${query}${more}`)
    await settled(opened.page)
    return opened
  }
  const openUsage = (more = '') => open(more, '/')

  test('shows the API’s sums: 2,264.40 credits, of which 1,650 are for 25 reports', async () => {
    await using opened = await openUsage()
    const { page } = opened
    assert.equal(sumOf(lines), 2264.4)
    assert.equal(await figure(page, 'Credits this period').textContent(), '2,264.40')
    assert.equal(await figure(page, 'Messages').textContent(), '110')
    assert.equal(await page.getByText('1,650.00 for 25 messages').count(), 1)
    await goTo(page, 'Messages')
    assert.equal(await sumShown(page).textContent(), '110 messages, 2,264.40 credits')
    const shown = (await allRows(page)).map(({ credits }) => Number(credits.replaceAll(',', '')))
    assert.equal(shown.length, 110)
    assert.equal(Math.round(shown.reduce((sum, credits) => sum + credits * 1e6, 0)), 2_264_400_000)
  })

  test('shows a bar for every day, including days without usage, and the bars add up to the period', async () => {
    await using opened = await openUsage()
    const { page } = opened
    const labels = await bars(page).evaluateAll((all) => all.map((bar) => bar.getAttribute('aria-label') ?? ''))
    assert.equal(labels.length, 30)
    assert.match(labels[0] ?? '', /^Mon, 29 Apr 2024: 477\.80 credits, \d+ messages; No report [\d.]+, Reports [\d.]+$/)
    assert.deepEqual(
      labels.slice(6).filter((label) => !label.endsWith(': 0.00 credits, 0 messages')),
      [],
    )
    // The table for screen readers has the same numbers.
    const cells = page.locator('.chart-card tbody tr')
    assert.equal(await cells.count(), 30)
    const credits = await cells.evaluateAll((rows) =>
      rows.map((row) => Number(row.children[2]?.textContent?.replaceAll(',', ''))),
    )
    assert.equal(Math.round(credits.reduce((sum, each) => sum + each * 1e6, 0)), 2_264_400_000)
  })

  test('shows each message’s ID, time as DD-MM-YYYY HH:mm, report name and credits', async () => {
    await using opened = await open()
    const { page } = opened
    const expected = lines.map((line) => {
      const [, year, month, day, time] = /^(\d+)-(\d+)-(\d+)T(\d+:\d+)/.exec(line.timestamp) ?? []
      return {
        id: String(line.message_id),
        time: `${day}-${month}-${year} ${time}`,
        report: line.report_name ?? '',
        credits: shownCredits(line.credits_used),
      }
    })
    assert.deepEqual(await allRows(page), expected.toReversed())
    await page.evaluate('scrollTo(0, 0)')
    const title = await page.locator('[data-row="0"] time').getAttribute('title')
    assert.equal(title, lines.at(-1)?.timestamp)
  })

  const byName = (one: UsageLine, other: UsageLine, sign: number): number => {
    if (one.report_name === undefined || other.report_name === undefined) {
      return Number(one.report_name === undefined) - Number(other.report_name === undefined)
    }
    return sign * one.report_name.localeCompare(other.report_name, 'en', { numeric: true })
  }
  const byCredits = (one: UsageLine, other: UsageLine, sign: number): number =>
    sign * (one.credits_used - other.credits_used)
  const idsOf = (sorted: readonly UsageLine[]) => sorted.map(({ message_id: id }) => String(id))
  const newestOf = (inTime: readonly UsageLine[]) => idsOf(inTime.toReversed())

  test('sorts by a column ascending, descending, then not at all as it is clicked', async () => {
    await using opened = await open()
    const { page } = opened
    for (const [name, compare, id] of [
      ['Credits Used', byCredits, 'credits'],
      ['Report Name', byName, 'report'],
    ] as const) {
      await sortBy(page, name)
      assert.deepEqual(await allIds(page), idsOf(lines.toSorted((one, other) => compare(one, other, 1))))
      assert.equal(await header(page, name).getAttribute('aria-sort'), 'ascending')
      assert.match(await header(page, name).innerText(), /↑/)
      assert.equal(new URL(page.url()).searchParams.get('sort'), id)
      await sortBy(page, name)
      assert.deepEqual(await allIds(page), idsOf(lines.toSorted((one, other) => compare(one, other, -1))))
      assert.equal(await header(page, name).getAttribute('aria-sort'), 'descending')
      assert.match(await header(page, name).innerText(), /↓/)
      assert.equal(new URL(page.url()).searchParams.get('sort'), `-${id}`)
      await sortBy(page, name)
      assert.deepEqual(await allIds(page), newestOf(lines))
      assert.equal(await header(page, name).getAttribute('aria-sort'), 'none')
      assert.equal(new URL(page.url()).searchParams.get('sort'), null)
    }
  })

  test('sorts by two columns in the order in which they were clicked', async () => {
    await using opened = await open()
    const { page } = opened
    const said = page.locator('.listed > [role=status]').first()
    const expect = async (sort: string, compare: (one: UsageLine, other: UsageLine) => number, saying: string) => {
      assert.equal(new URL(page.url()).searchParams.get('sort') ?? '', sort)
      assert.deepEqual(await allIds(page), idsOf(lines.toSorted(compare)))
      assert.equal(await said.textContent(), saying)
    }
    await sortBy(page, 'Report Name')
    await sortBy(page, 'Credits Used')
    await expect(
      'report,credits',
      (one, other) => byName(one, other, 1) || byCredits(one, other, 1),
      'Messages sorted by Report Name ascending, then Credits Used ascending',
    )
    assert.match(await header(page, 'Report Name').innerText(), /↑\s*1/)
    assert.match(await header(page, 'Credits Used').innerText(), /↑\s*2/)
    await sortBy(page, 'Credits Used')
    await expect(
      'report,-credits',
      (one, other) => byName(one, other, 1) || byCredits(one, other, -1),
      'Messages sorted by Report Name ascending, then Credits Used descending',
    )
    await sortBy(page, 'Report Name')
    await expect(
      '-report,-credits',
      (one, other) => byName(one, other, -1) || byCredits(one, other, -1),
      'Messages sorted by Report Name descending, then Credits Used descending',
    )
    assert.match(await header(page, 'Report Name').innerText(), /↓\s*1/)
    // The third click removes the first column, so only the second is left.
    await sortBy(page, 'Report Name')
    await expect('-credits', (one, other) => byCredits(one, other, -1), 'Messages sorted by Credits Used descending')
    assert.doesNotMatch(await header(page, 'Credits Used').innerText(), /\d/)
    // Clicked again, it becomes the second column.
    await sortBy(page, 'Report Name')
    await expect(
      '-credits,report',
      (one, other) => byCredits(one, other, -1) || byName(one, other, 1),
      'Messages sorted by Credits Used descending, then Report Name ascending',
    )
    await sortBy(page, 'Credits Used')
    await sortBy(page, 'Report Name')
    await sortBy(page, 'Report Name')
    assert.equal(new URL(page.url()).searchParams.get('sort'), null)
    assert.deepEqual(await allIds(page), newestOf(lines))
    assert.equal(await said.textContent(), 'Messages sorted by Timestamp, the newest first')
  })

  test('restores the view after a reload, in another tab, and with Back and Forward', async () => {
    await using opened = await openUsage()
    const { page } = opened
    const seen = async () => ({
      address: page.url(),
      rows: await allRows(page),
      sum: await sumShown(page).textContent(),
    })
    await page.getByLabel('Group by').selectOption('report')
    await goTo(page, 'Messages')
    const first = await seen()
    await sortBy(page, 'Credits Used')
    await sortBy(page, 'Credits Used')
    await page.getByLabel('Report', { exact: true }).selectOption({ label: 'No report' })
    await page.getByLabel('Minimum credits').fill('7.5')
    await settled(page)
    const last = await seen()
    assert.notDeepEqual(last.rows, first.rows)
    await page.reload()
    await settled(page)
    assert.deepEqual(await seen(), last)
    await using other = await openPage(browser, page.url())
    await settled(other.page)
    assert.deepEqual(await allRows(other.page), last.rows)
    // Typing adds no history entry. The grouping, the area, two clicks and the filter add one each.
    for (let step = 0; step < 3; step++) await page.goBack()
    await settled(page)
    assert.deepEqual(await seen(), first)
    await page.goBack()
    assert.equal(await page.getByLabel('Group by').inputValue(), 'report')
    await page.goBack()
    assert.equal(await page.getByLabel('Group by').inputValue(), 'kind')
    for (let step = 0; step < 5; step++) await page.goForward()
    await settled(page)
    assert.deepEqual(await seen(), last)
  })

  test('ignores invalid values in the address, and says which', async () => {
    await using opened = await openPage(
      browser,
      `${service.url}/?period=2024-13&from=2024-02-30&to=x&group=color&sort=name,-credits,credits,&at=noon&min=-1&try_=1&x=%E0%A4%A&message=`,
    )
    const { page } = opened
    await settled(page)
    const notice = page.getByRole('status').filter({ hasText: 'Part of the address has no effect' })
    const ignored = 'period=2024-13 from=2024-02-30 to=x group=color at=noon min=-1'
    assert.equal(await notice.locator('code').innerText(), ignored)
    assert.equal(await header(page, 'Credits Used').getAttribute('aria-sort'), 'descending')
    assert.equal(await page.getByLabel('Minimum credits').inputValue(), '')
    assert.equal(await page.getByRole('alert').count(), 0)
    await notice.getByRole('button', { name: 'Dismiss' }).click()
    await notice.waitFor({ state: 'detached' })
    assert.equal(new URL(page.url()).search, '?sort=-credits')
    await goTo(page, 'Usage')
    assert.equal(await page.getByLabel('Group by').inputValue(), 'kind')
  })

  test('filters by a day with a click on its bar, and clears the filter with another', async () => {
    await using opened = await openUsage()
    const { page } = opened
    const ofDay = lines.filter(({ timestamp }) => timestamp.startsWith('2024-05-01'))
    await bars(page).nth(2).click()
    assert.equal(await bars(page).nth(2).getAttribute('aria-pressed'), 'true')
    assert.equal(await figure(page, 'Credits, Wed, 1 May 2024').textContent(), shownCredits(sumOf(ofDay)))
    assert.equal(await figure(page, 'Messages').textContent(), String(ofDay.length))
    await goTo(page, 'Messages')
    assert.deepEqual(await allIds(page), newestOf(ofDay))
    assert.equal(await sumShown(page).textContent(), `${ofDay.length} messages, ${shownCredits(sumOf(ofDay))} credits`)
    assert.equal(await page.getByLabel('Day', { exact: true }).locator('option:checked').innerText(), 'Wed, 1 May 2024')
    await goTo(page, 'Usage')
    await bars(page).nth(2).click()
    await goTo(page, 'Messages')
    assert.deepEqual(await allIds(page), newestOf(lines))
  })

  test('shows a bar’s exact values on hover and focus, and filters by keyboard', async () => {
    await using opened = await openUsage()
    const { page } = opened
    await bars(page).nth(0).hover()
    const tip = page.locator('.tip')
    assert.match(
      await tip.innerText(),
      /Mon, 29 Apr 2024\s+Reports\s+418\.00\s+No report\s+59\.80\s+17 messages\s+477\.80/,
    )
    await page.mouse.move(0, 0)
    assert.equal(await tip.count(), 0)
    await bars(page).nth(1).hover()
    assert.equal(await tip.count(), 1)
    await page.keyboard.press('Escape')
    assert.equal(await tip.count(), 0)
    await page.getByRole('button', { name: 'Reports', exact: true }).focus()
    await page.keyboard.press('Tab')
    await page.keyboard.press('ArrowRight')
    assert.match(await tip.innerText(), /Tue, 30 Apr 2024/)
    await page.keyboard.press('End')
    assert.match(await tip.innerText(), /Tue, 28 May 2024\s+0 messages\s+0\.00/)
    await page.keyboard.press('Home')
    await page.keyboard.press('Enter')
    assert.equal(await bars(page).nth(0).getAttribute('aria-pressed'), 'true')
    await goTo(page, 'Messages')
    const ofDay = lines.filter(({ timestamp }) => timestamp.startsWith('2024-04-29'))
    assert.deepEqual(await allIds(page), newestOf(ofDay))
  })

  test('groups by report: every report has its name, and the parts add up', async () => {
    await using opened = await openUsage('&group=report')
    const { page } = opened
    const names = [...new Set(lines.map((line) => line.report_name ?? 'No report'))].sort()
    const legend = await page.getByRole('list', { name: 'Legend' }).getByRole('listitem').allInnerTexts()
    assert.deepEqual(legend.map((text) => text.trim()).sort(), names)
    const rows = await page
      .locator('.chart-card tbody tr')
      .evaluateAll((all) => all.map((row) => [...row.children].slice(2).map((cell) => Number(cell.textContent))))
    for (const [total = 0, ...parts] of rows) {
      assert.equal(Math.round(parts.reduce((sum, part) => sum + part * 1e6, 0)), Math.round(total * 1e6))
    }
  })

  test('shows hours for a day, weeks for half a year, and months for two years', async () => {
    await using opened = await openUsage()
    const { page } = opened
    for (const [from, to, bucket, count] of [
      ['2024-05-01', '2024-05-01', 'hour', 24],
      ['2024-04-29', '2024-05-04', 'day', 6],
      ['2024-01-01', '2024-06-30', 'week', 26],
      ['2023-01-01', '2024-12-31', 'month', 24],
    ] as const) {
      await page.goto(`${service.url}/?from=${from}&to=${to}`)
      await settled(page)
      assert.equal(await page.locator('#chart-title').innerText(), `Credits by ${bucket}`)
      assert.equal(await bars(page).count(), count)
      const inRange = lines.filter(({ timestamp }) => timestamp >= from && timestamp.slice(0, 10) <= to)
      assert.equal(await figure(page, 'Credits in this range').textContent(), shownCredits(sumOf(inRange)))
      await goTo(page, 'Messages')
      assert.deepEqual(await allIds(page), newestOf(inRange))
    }
  })

  test('switches between the current period, an earlier one and a custom range', async () => {
    await using opened = await open()
    const { page } = opened
    const picker = page.getByLabel('Period', { exact: true })
    await picker.selectOption('current')
    await page.getByText('No messages in this period.').waitFor()
    assert.equal(await sumShown(page).textContent(), '0 messages, 0.00 credits')
    await picker.selectOption('2024-04')
    await page.getByText('110 messages, 2,264.40 credits').waitFor()
    await picker.selectOption('range')
    await page.getByLabel('To', { exact: true }).fill('2024-05-01')
    await page.waitForURL('**/*to=2024-05-01')
    await settled(page)
    assert.equal(new URL(page.url()).search, '?from=2024-04-29&to=2024-05-01')
    assert.deepEqual(await allIds(page), newestOf(lines.filter(({ timestamp }) => timestamp < '2024-05-02')))
  })

  test('accepts a date as it is typed, through the years that typing passes', async () => {
    await using opened = await openPage(browser, `${service.url}/messages?from=2026-05-01&to=2026-05-31`)
    const { page } = opened
    await settled(page)
    // Day and month are equal, so the order in the browser's date field does not matter.
    await page.getByLabel('From', { exact: true }).focus()
    await page.keyboard.type('03032024')
    await page.waitForURL('**/messages?from=2024-03-03&to=2026-05-31')
    await settled(page)
    await sumShown(page).filter({ hasText: '110 messages' }).waitFor()
    // The dates that typing passed are not in the history.
    await page.getByLabel('Report', { exact: true }).selectOption({ label: 'No report' })
    await page.goBack()
    assert.equal(new URL(page.url()).search, '?from=2024-03-03&to=2026-05-31')
    await page.goBack()
    assert.equal(page.url(), 'about:blank')
  })

  test('reports a start after the end, and keeps the previous range until both are valid', async () => {
    await using opened = await openPage(browser, `${service.url}/messages?from=2024-04-29&to=2024-04-30`)
    const { page } = opened
    await settled(page)
    const shown = await sumShown(page).textContent()
    const [first, last] = [page.getByLabel('From', { exact: true }), page.getByLabel('To', { exact: true })]
    await first.fill('2024-05-01')
    await page.getByRole('alert').filter({ hasText: 'Choose a day that is not after “To”' }).waitFor()
    assert.equal(await first.getAttribute('aria-invalid'), 'true')
    await last.focus()
    assert.equal(await first.inputValue(), '2024-05-01')
    assert.equal(new URL(page.url()).search, '?from=2024-04-29&to=2024-04-30')
    assert.equal(await sumShown(page).textContent(), shown)
    await last.fill('2024-05-02')
    await page.waitForURL('**/messages?from=2024-05-01&to=2024-05-02')
    await settled(page)
    assert.equal(await page.getByRole('alert').count(), 0)
    const between = lines.filter(({ timestamp }) => timestamp >= '2024-05-01' && timestamp < '2024-05-03')
    assert.deepEqual(await allIds(page), newestOf(between))
  })

  test('reports minimum credits that are not a number, ignores them, and keeps what was typed', async () => {
    await using opened = await open()
    const { page } = opened
    const least = page.getByLabel('Minimum credits')
    const problem = page.getByRole('alert').filter({ hasText: 'Enter a number such as 2.5' })
    const chip = page.locator('.chip.amount')
    const place = await chip.boundingBox()
    await least.pressSequentially('1e5')
    await problem.waitFor()
    assert.equal(await least.inputValue(), '1e5')
    assert.deepEqual(await chip.boundingBox(), place, 'nothing moves')
    assert.deepEqual(await allIds(page), newestOf(lines))
    for (const [typed, amount] of [
      ['2,5', '2.5'],
      ['1,000', '1000'],
    ] as const) {
      await least.fill(typed)
      await problem.waitFor({ state: 'detached' })
      assert.equal(new URL(page.url()).searchParams.get('min'), amount)
      assert.equal(await least.inputValue(), typed, 'what was typed stays')
    }
    await least.fill('x')
    await problem.waitFor()
    await page.getByRole('button', { name: 'Clear filters' }).click()
    await problem.waitFor({ state: 'detached' })
    assert.equal(await least.inputValue(), '')
    await least.pressSequentially('.5')
    assert.equal(new URL(page.url()).searchParams.get('min'), '.5')
    await least.pressSequentially('5')
    await page.reload()
    await settled(page)
    assert.equal(await least.inputValue(), '.55')
    assert.equal(await problem.count(), 0)
  })

  test('filters by report, no report, minimum credits and ID, and clears all filters', async () => {
    // A text that no ID of the period contains is looked up as an ID of any period: as a number and as a string.
    await using opened = await openPage(browser, `${service.url}/messages${query}`, { expected: /status of 404/ })
    const { page, complaints } = opened
    await settled(page)
    const name = 'Tenant Obligations Report'
    await page.getByLabel('Report', { exact: true }).selectOption({ label: name })
    assert.deepEqual(await allIds(page), newestOf(lines.filter((line) => line.report_name === name)))
    await page.getByLabel('Report', { exact: true }).selectOption({ label: 'No report' })
    assert.deepEqual(await allIds(page), newestOf(lines.filter((line) => line.report_name === undefined)))
    await page.getByLabel('Report', { exact: true }).selectOption({ label: 'All' })
    await page.getByLabel('Minimum credits').fill('79')
    await page.waitForFunction(() => location.search.includes('min=79'))
    const dear = lines.filter((line) => line.credits_used >= 79)
    await sumShown(page)
      .filter({ hasText: `${dear.length} messages` })
      .waitFor()
    assert.deepEqual(await allIds(page), newestOf(dear))
    await page.getByLabel('Message ID contains').fill('105')
    const few = dear.filter((line) => String(line.message_id).includes('105'))
    await sumShown(page)
      .filter({ hasText: `${few.length} message` })
      .waitFor()
    assert.deepEqual(await allIds(page), newestOf(few))
    await page.getByLabel('Minimum credits').fill('1000000')
    await page.getByText('No messages match these filters.').waitFor()
    await page.getByRole('button', { name: 'Clear filters' }).click()
    await sumShown(page).filter({ hasText: '110 messages' }).waitFor()
    assert.deepEqual(await allIds(page), newestOf(lines))
    assert.equal(new URL(page.url()).search, query)
    assert.ok(complaints.length <= 2, String(complaints))
  })

  test('explains a charge with lines that add up, at its own address, and returns the focus on Escape', async () => {
    await using opened = await open()
    const { page } = opened
    const text = lines.findLast((line) => line.report_name === undefined)
    const link = page.getByRole('link', { name: String(text?.message_id), exact: true })
    await link.focus()
    await page.keyboard.press('Enter')
    const panel = page.getByRole('dialog', { name: `Message ${text?.message_id}` })
    await panel.locator('tfoot').waitFor()
    await panel.getByText(/characters × 0.05 = /).waitFor()
    const amounts = await panel.locator('tbody tr.line').evaluateAll((rows) =>
      rows.map((row) => ({
        credits: Number(row.lastElementChild?.textContent?.replaceAll(',', '')),
        how: row.nextElementSibling?.className === 'how' ? row.nextElementSibling.textContent : '',
      })),
    )
    const sums = amounts.flatMap(({ credits, how }) => {
      const [, quantity = '', rate] = /^([\d,.]+) .*× ([\d.]+) = /.exec(how) ?? []
      return quantity === '' ? [] : [[Number(quantity.replaceAll(',', '')) * Number(rate), credits]]
    })
    assert.ok(sums.length > 1)
    for (const [product = 0, credits = 0] of sums) assert.equal(Math.round(product * 1e6), Math.round(credits * 1e6))
    const total = Math.round(amounts.reduce((sum, { credits }) => sum + credits * 1e6, 0))
    assert.equal(total, Math.round((text?.credits_used ?? 0) * 1e6))
    assert.equal(await panel.locator('tfoot td').innerText(), shownCredits(text?.credits_used ?? 0))
    await using other = await openPage(browser, page.url())
    await other.page
      .getByRole('dialog', { name: `Message ${text?.message_id}` })
      .locator('tfoot')
      .waitFor()
    await page.keyboard.press('Escape')
    await panel.waitFor({ state: 'hidden' })
    assert.equal(await link.evaluate((element) => element === document.activeElement), true)
    assert.equal(new URL(page.url()).searchParams.get('message'), null)
  })

  test('explains a report’s charge by its name and price', async () => {
    await using opened = await open('&message=1000')
    const { page } = opened
    const panel = page.getByRole('dialog')
    await panel.getByText('Tenant Obligations Report, 79.00 credits').waitFor()
    await panel.getByText('the report’s price').waitFor()
    assert.deepEqual(await panel.locator('tbody td').allTextContents(), ['100.0%', '79.00', 'the report’s price'])
    await panel.getByRole('button', { name: 'Close' }).click()
    await panel.waitFor({ state: 'hidden' })
  })

  test('opens a message with a click anywhere in its row', async () => {
    await using opened = await open()
    const { page } = opened
    await page.locator('[data-row="3"] .c-credits').click()
    await page.getByRole('dialog', { name: `Message ${lines.at(-4)?.message_id}` }).waitFor()
  })

  test('reports an unknown message', async () => {
    await using opened = await openPage(browser, `${service.url}/${query}&message=nobody`, {
      expected: /status of 404/,
    })
    const failure = opened.page.getByRole('alert').filter({ hasText: 'Message not found.' })
    await failure.waitFor()
    assert.equal(await failure.getByRole('button').count(), 0, 'trying again finds no more')
  })

  test('offers no retry for an ID that cannot be requested', async () => {
    await using opened = await open('&message=..')
    const failure = opened.page.getByRole('dialog').getByRole('alert')
    await failure.filter({ hasText: 'the id ".." cannot be part of a URL' }).waitFor()
    assert.equal(await failure.getByRole('button').count(), 0)
  })

  test('exports the rows that are shown, in their order', async () => {
    await using opened = await open('&report=&sort=-credits&min=5')
    const { page } = opened
    const waiting = page.waitForEvent('download')
    await page.getByRole('button', { name: 'Export CSV' }).click()
    const csv = await readFile(await (await waiting).path(), 'utf8')
    const expected = lines
      .filter((line) => line.report_name === undefined && line.credits_used >= 5)
      .toSorted((one, other) => byCredits(one, other, -1))
      .map(
        (line) => `${line.message_id},${spreadsheetTime(line)},${line.timestamp},,${line.credits_used},,,,,succeeded,`,
      )
    assert.ok(expected.length > 5)
    const head =
      '\ufeffmessage_id,time,timestamp,report_name,credits_used,user_id,team_id,model,feature,outcome,unpriced'
    assert.equal(csv, [head, ...expected, ''].join('\r\n'))
  })

  test('prices a text at every keystroke, line by line, without sending or storing it', async () => {
    await using opened = await open()
    const { page } = opened
    await page.getByRole('button', { name: 'Try it' }).click()
    const panel = page.getByRole('dialog', { name: 'Try it' })
    const total = panel.locator('.big')
    await panel.getByRole('textbox').waitFor()
    assert.match(await total.innerText(), /^1\.00/)
    await page.waitForLoadState('networkidle')
    const asked: string[] = []
    page.on('request', (request) => asked.push(request.url()))
    const text = 'orbital latibro, twice: orbital latibro'
    for (let typed = 1; typed <= text.length; typed++) {
      await panel.getByRole('textbox').press(text[typed - 1] === ' ' ? 'Space' : (text[typed - 1] ?? ''))
      const { credits } = chargeOfText(measure(text.slice(0, typed)))
      assert.equal((await total.innerText()).split(/\s/)[0], shownCredits(credits / 1e6), text.slice(0, typed))
    }
    await panel.getByRole('textbox').fill('orbital latibro')
    assert.match(await total.innerText(), /^2\.10/)
    await panel.getByRole('textbox').fill('What is the lease term?')
    assert.match(await total.innerText(), /^1\.85/)
    const credits = await panel.locator('tbody .line td:last-child').allInnerTexts()
    assert.deepEqual(credits, ['1.00', '1.15', '0.20', '0.60', '0.90', '-2.00'])
    assert.deepEqual(asked, [])
    assert.doesNotMatch(page.url(), /lease/)
    assert.equal(await page.evaluate(() => JSON.stringify(localStorage)), '{}')
  })
})

describe('the dashboard with members', { skip: noBrowser }, () => {
  let service: Awaited<ReturnType<typeof startService>>
  before(async () => {
    service = await startService({})
    const messages = ['ada', 'grace', '=cmd()', undefined].flatMap((member, index) =>
      [1, 2].map((day) => ({
        id: index === 1 ? `m-${day}` : index * 10 + day,
        text: 'a '.repeat(index + day),
        timestamp: `2024-05-0${day}T09:30:00+02:00`,
        ...(member !== undefined && { user_id: member }),
      })),
    )
    messages.push({ id: '1', text: 'another', timestamp: '2024-05-03T09:30:00+02:00' })
    await callService(service.url, 'POST', '/v1/messages', { messages })
  })
  after(() => service?.[Symbol.asyncDispose]())

  test('has a column, a filter and a grouping by member', async () => {
    await using opened = await openPage(browser, `${service.url}/?period=2024-05&group=member`)
    const { page } = opened
    await settled(page)
    const legend = await page.getByRole('list', { name: 'Legend' }).getByRole('listitem').allInnerTexts()
    assert.deepEqual(legend.map((text) => text.trim()).sort(), ['=cmd()', 'No member', 'ada', 'grace'])
    await goTo(page, 'Messages')
    assert.equal(await header(page, 'Member').count(), 1)
    await page.getByLabel('Member', { exact: true }).selectOption('ada')
    await settled(page)
    assert.deepEqual(await allIds(page), ['2', '1'])
    await page.getByLabel('Member', { exact: true }).selectOption({ label: 'No member' })
    await settled(page)
    assert.deepEqual(await allIds(page), ['1', '32', '31'])
  })

  test('distinguishes the message 1 from the message "1"', async () => {
    await using opened = await openPage(browser, `${service.url}/messages?period=2024-05`)
    const { page } = opened
    await settled(page)
    const links = page.getByRole('link', { name: '1', exact: true })
    await links.nth(0).click()
    await page.getByRole('dialog').getByText('2024-05-03T09:30:00+02:00').waitFor()
    await page.keyboard.press('Escape')
    await links.nth(1).click()
    await page.getByRole('dialog').getByText('2024-05-01T09:30:00+02:00').waitFor()
  })

  test('exports a name that looks like a formula as text', async () => {
    await using opened = await openPage(browser, `${service.url}/?period=2024-05&search=21`)
    const { page } = opened
    await settled(page)
    const waiting = page.waitForEvent('download')
    await page.getByRole('button', { name: 'Export CSV' }).click()
    const csv = await readFile(await (await waiting).path(), 'utf8')
    assert.match(csv, /,'=cmd\(\),,,,succeeded,\r\n$/)
  })
})
