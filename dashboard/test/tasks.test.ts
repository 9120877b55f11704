/** What people open the page for, each with as few clicks as it takes, and all of it by keyboard alone. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import type { Browser, Locator, Page } from 'playwright-core'
import { type Running, startService } from '../../test/harness.ts'
import { launchBrowser, noBrowser, type Opened, openPage } from './browser.ts'
import { callService, exported, figure, settled, shownCredits } from './pages.ts'

const MEMBERS = ['Ada', 'Ben', 'Chen', 'Dora', 'Emil', 'Grace']

/** A long text of Grace's on 16 May costs more than all other texts together. */
const DEAREST = {
  id: 5016,
  text: 'Summarize this contract. '.repeat(700),
  user_id: 'Grace',
  timestamp: '2024-05-16T10:20:00Z',
}

/** Each member sends a text each day, in April to the 24th and in May to the 28th; Ben also has a report on Mondays in May. */
const MESSAGES = [4, 5].flatMap((month) =>
  Array.from({ length: month === 4 ? 24 : 28 }, (_, day) =>
    MEMBERS.map((member, place) => ({
      id: month * 1000 + day * 10 + place + 100,
      text: 'What is the notice period? '.repeat(place + 1),
      user_id: member,
      timestamp: `2024-0${month}-${String(day + 1).padStart(2, '0')}T${String(9 + place).padStart(2, '0')}:30:00Z`,
      ...(month === 5 && member === 'Ben' && day % 7 === 5 && { report_id: 7 }),
    })),
  ).flat(),
)

describe('the tasks', { skip: noBrowser }, () => {
  let browser: Browser
  let service: Running
  before(async () => {
    browser = await launchBrowser()
    service = await startService({})
    await callService(service.url, 'PUT', '/v1/reports/7', { name: 'Lease abstract', credit_cost: 60 })
    await callService(service.url, 'POST', '/v1/messages', { messages: [...MESSAGES, DEAREST] })
  })
  after(async () => {
    await browser?.close()
    await service?.[Symbol.asyncDispose]()
  })

  /** Opens the usage of May, and counts the clicks and the keys that are pressed from then on. */
  const begin = async (): Promise<Opened & { readonly clicks: () => Promise<number> }> => {
    const opened = await openPage(browser, 'about:blank', { expected: /status of 404/ })
    await opened.page.addInitScript(`
      globalThis.clicks = 0
      addEventListener('pointerdown', () => clicks++, true)`)
    await opened.page.goto(`${service.url}/?period=2024-05`)
    await settled(opened.page)
    return { ...opened, clicks: () => opened.page.evaluate('clicks') }
  }

  /** What the service says, to compare with. */
  const ask = async <T>(path: string): Promise<T> => (await callService(service.url, 'GET', path)) as T
  const totalsOf = (query: string): Promise<{ readonly credits: number; readonly messages: number }> =>
    ask<{ readonly buckets: readonly { readonly credits: number; readonly messages: number }[] }>(
      `/v1/usage/totals?bucket=none&${query}`,
    ).then(({ buckets }) => buckets[0] ?? { credits: 0, messages: 0 })
  const creditsOfDearest = async (): Promise<number> => {
    const path = `/v1/messages/${DEAREST.id}`
    const { charges } = await ask<{ readonly charges: readonly { readonly credits: number }[] }>(path)
    return charges[0]?.credits ?? 0
  }

  test('the most expensive message, and why: two clicks', async () => {
    await using opened = await begin()
    const { page } = opened
    await page.getByRole('tab', { name: 'Most expensive' }).click()
    await page
      .getByRole('link', { name: String(DEAREST.id), exact: true })
      .first()
      .click()
    await assertExplainsDearest(page)
    assert.equal(await opened.clicks(), 2)
  })

  /** The receipt says who, how much, and which rule made it so. */
  const assertExplainsDearest = async (page: Page): Promise<void> => {
    const receipt = page.locator('.receipt')
    await receipt.getByText(/more than 100 characters/).waitFor()
    const text = await receipt.innerText()
    assert.ok(text.includes(shownCredits(await creditsOfDearest())), text)
    assert.match(text, /Grace/)
  }

  test('who used most: at first sight', async () => {
    await using opened = await begin()
    const first = opened.page.getByRole('region', { name: 'Who used most' }).locator('tbody tr').first()
    const { credits } = await totalsOf('period=2024-05&user_id=Grace')
    assert.match(await first.innerText(), new RegExp(`^Grace\\s+${literal(shownCredits(credits))}\\s`))
    assert.equal(await opened.clicks(), 0)
  })

  test('why more than in the month before: at first sight', async () => {
    await using opened = await begin()
    const causes = await opened.page.locator('.causes').innerText()
    const [now, before] = await Promise.all([totalsOf('period=2024-05'), totalsOf('period=2024-04')])
    const change = shownCredits(Math.round((now.credits - before.credits) * 1e6) / 1e6)
    assert.ok(
      causes.startsWith(`+${change}, of which ${shownCredits(await creditsOfDearest())} is one message of Grace`),
      causes,
    )
    assert.equal(await opened.clicks(), 0)
  })

  test('one member on one day: two clicks', async () => {
    await using opened = await begin()
    const { page } = opened
    await narrowToBenOn(page, 6)
    await assertIsBenOn(page, '2024-05-06')
    assert.equal(await opened.clicks(), 2)
  })

  const narrowToBenOn = async (page: Page, day: number): Promise<void> => {
    await page.getByRole('region', { name: 'Who used most' }).getByRole('link', { name: 'Ben' }).click()
    await settled(page)
    await page.locator(`.chart [data-bar="${day - 1}"]`).click()
    await settled(page)
  }

  const assertIsBenOn = async (page: Page, day: string): Promise<void> => {
    const next = new Date(Date.parse(day) + 86_400_000).toJSON()
    const { credits, messages } = await totalsOf(`from=${day}T00:00:00Z&to=${next}&user_id=Ben`)
    assert.equal(await page.locator('.figure .value').first().textContent(), shownCredits(credits))
    assert.equal(await figure(page, 'Messages').textContent(), String(messages))
  }

  test('a view is shared with one click, and shows the same to others', async () => {
    await using opened = await begin()
    const { page } = opened
    await page.context().grantPermissions(['clipboard-read', 'clipboard-write'])
    await narrowToBenOn(page, 6)
    await page.getByRole('button', { name: 'Copy link' }).click()
    await page.getByText('Link copied').waitFor()
    assert.equal(await opened.clicks(), 3)
    const link: string = await page.evaluate('navigator.clipboard.readText()')
    await using other = await openPage(browser, link, {
      locale: 'de-DE',
      timezoneId: 'Asia/Tokyo',
      colorScheme: 'dark',
    })
    await settled(other.page)
    await assertIsBenOn(other.page, '2024-05-06')
  })

  test('a message of another period, by its ID: no click', async () => {
    await using opened = await begin()
    const { page } = opened
    await page.keyboard.press('Control+k')
    await page.getByRole('combobox', { name: /Message ID/ }).waitFor()
    await page.keyboard.type('4105')
    await page.getByRole('option', { name: /4105/ }).first().waitFor()
    await page.keyboard.press('Enter')
    await page.locator('.receipt').getByText('Grace').waitFor()
    assert.match(page.url(), /period=2024-04/)
    assert.equal(await opened.clicks(), 0)
  })

  test('a CSV file for a spreadsheet: one click, and it adds up to the figure', async () => {
    await using opened = await begin()
    const { page } = opened
    const lines = await exported(page)
    const { credits, messages } = await totalsOf('period=2024-05')
    assert.equal(lines.length, messages)
    const micros = lines.map((line) => Math.round(Number(line.split(',')[4]) * 1e6))
    assert.equal(micros.reduce((sum, each) => sum + each, 0) / 1e6, credits)
    assert.equal(await figure(page, 'Credits this period').textContent(), shownCredits(credits))
    assert.equal(await opened.clicks(), 1)
  })

  test('all of it by keyboard alone', async () => {
    await using opened = await begin()
    const { page } = opened
    await tabTo(page, page.getByRole('tab', { name: 'Newest' }))
    await page.keyboard.press('ArrowRight')
    await settled(page)
    await tabTo(page, page.getByRole('link', { name: String(DEAREST.id), exact: true }).first())
    await page.keyboard.press('Enter')
    await assertExplainsDearest(page)
    await page.keyboard.press('Escape')
    await tabTo(page, page.getByRole('link', { name: 'Ben', exact: true }).first())
    await page.keyboard.press('Enter')
    await settled(page)
    await tabTo(page, page.locator('.chart [data-bar][tabindex="0"]'))
    for (let at = 0; at < 5; at++) await page.keyboard.press('ArrowRight')
    await page.keyboard.press('Enter')
    await settled(page)
    assert.equal(await opened.clicks(), 0)
  })
})

const literal = (text: string): string => text.replaceAll('.', '\\.')

/** Presses Tab until the control has the focus. */
const tabTo = async (page: Page, wanted: Locator): Promise<void> => {
  for (let pressed = 0; pressed < 100; pressed++) {
    if (await wanted.evaluate((control) => control === document.activeElement)) return
    await page.keyboard.press('Tab')
  }
  assert.fail(`Tab does not reach ${wanted}`)
}
