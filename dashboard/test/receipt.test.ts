/** A charge as a receipt: beside the list where there is room, message by message, and with the history of its charges. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import axe from 'axe-core'
import type { Browser, Locator, Page } from 'playwright-core'
import { type Running, startService } from '../../test/harness.ts'
import { launchBrowser, noBrowser, openPage } from './browser.ts'
import { allIds, callService, settled, shownCredits } from './pages.ts'

const flat = (version: string, text: number) => ({
  version,
  cases: [
    { name: 'report', when: { report: true }, lines: [{ rule: 'report', of: 'report_credits', rate: 1 }] },
    {
      name: 'text',
      when: { text: true },
      lines: [
        { rule: 'base', rate: text },
        { rule: 'characters', of: 'characters', rate: 0.000_003 },
        { rule: 'discount', rate: -0.1, when: { characters: { upto: 100 } } },
      ],
    },
  ],
})

const LONG_ID = '0b7c1f0e-6a52-4a6c-9a57-2f6f2f0f6a01'
const MESSAGES = [
  ...Array.from({ length: 40 }, (_, id) => ({
    id,
    timestamp: `2024-05-${String((id % 28) + 1).padStart(2, '0')}T08:00:00+02:00`,
    text: 'What is the lease term? '.repeat((id % 11) + 1),
    user_id: ['ada', 'grace.hopper@acme.example'][id % 2],
    ...(id % 5 === 0 && { report_id: 1 }),
  })),
  { id: LONG_ID, timestamp: '2024-05-30T08:00:00Z', text: 'A', user_id: 'ada' },
]

type Charge = {
  readonly credits: number
  readonly timestamp: string
  readonly rate_card: string
  readonly lines: readonly { readonly credits: number }[]
}

describe('the receipt of a charge', { skip: noBrowser }, () => {
  let browser: Browser
  let service: Running
  before(async () => {
    browser = await launchBrowser()
    service = await startService({})
    const { url } = service
    await callService(url, 'PUT', '/v1/reports/1', { name: 'Lease Report', credit_cost: 79 })
    await callService(url, 'POST', '/v1/messages', { messages: MESSAGES })
    await callService(url, 'POST', '/v1/rate-cards', flat('flat', 7.25))
    const from = '2024-05-20T00:00:00.000Z'
    await callService(url, 'PUT', '/v1/organizations/default/rate-card', { version: 'flat', from })
    const body = { rate_card: 'flat', from, to: '2024-06-01T00:00:00.000Z' }
    const { hash } = (await callService(url, 'POST', '/v1/simulations', body)) as { hash: string }
    await callService(url, 'POST', `/v1/simulations/${hash}/apply`, body)
  })
  after(async () => {
    await browser?.close()
    await service?.[Symbol.asyncDispose]()
  })

  const open = async (rest = '', width = 1440, options: NonNullable<Parameters<typeof openPage>[2]> = {}) => {
    const opened = await openPage(browser, `${service.url}/messages?period=2024-05${rest}`, {
      viewport: { width, height: 900 },
      ...options,
    })
    await settled(opened.page)
    return opened
  }
  const receipt = (page: Page, id: number | string): Locator =>
    page.getByRole('dialog', { name: `Message ${id}`, exact: true })
  const link = (page: Page, id: number | string): Locator => page.getByRole('link', { name: String(id), exact: true })
  const hasFocus = (element: Locator): Promise<boolean> => element.evaluate((each) => each === document.activeElement)
  const chargesOf = async (id: number | string): Promise<readonly Charge[]> =>
    ((await callService(service.url, 'GET', `/v1/messages/${id}`)) as { charges: readonly Charge[] }).charges
  const openId = async (page: Page): Promise<string | null> => new URL(page.url()).searchParams.get('message')

  test('stands beside the table and covers nothing of it, which stays in reach', async () => {
    for (const width of [1100, 1280, 1440]) {
      await using opened = await open('&message=2', width)
      const { page } = opened
      await receipt(page, 2).locator('tfoot').waitFor()
      assert.equal(await page.locator('dialog:modal').count(), 0)
      const [table, panel] = await Promise.all([page.locator('.rows').boundingBox(), receipt(page, 2).boundingBox()])
      assert.ok(table && panel && table.x + table.width <= panel.x, `at ${width}: ${JSON.stringify([table, panel])}`)
      assert.ok(panel.x + panel.width <= width)
      const cut = await page
        .locator('.body .c-time, .body .c-credits')
        .evaluateAll((cells) => cells.filter(({ clientWidth, scrollWidth }) => scrollWidth > clientWidth).length)
      assert.equal(cut, 0, `at ${width}`)
      await page
        .locator('[data-row]', { has: link(page, 1) })
        .locator('.c-credits')
        .click()
      await receipt(page, 1).locator('tfoot').waitFor()
      await page.getByRole('button', { name: 'Close' }).click()
      await page.getByRole('dialog').waitFor({ state: 'detached' })
    }
  })

  test('opens as a dialog over the page on a narrow screen', async () => {
    for (const width of [1099, 390]) {
      await using opened = await open('&message=2', width)
      await opened.page.locator('dialog:modal tfoot').waitFor()
    }
  })

  test('the arrow keys and buttons move through the list as it is sorted, and the focus ends at the last message', async () => {
    for (const width of [1440, 390]) {
      await using opened = await open('&sort=-credits&min=7', width)
      const { page } = opened
      const ids = await allIds(page)
      assert.ok(ids.length > 10)
      await page.evaluate('scrollTo(0, 0)')
      await link(page, ids[0] ?? '').click()
      const next = page.getByRole('button', { name: 'Next message' })
      const previous = page.getByRole('button', { name: 'Previous message' })
      await receipt(page, ids[0] ?? '')
        .getByText(`1 of ${ids.length}`)
        .waitFor()
      assert.equal(await previous.getAttribute('aria-disabled'), 'true')
      const { length } = await page.evaluate(() => history)
      await page.keyboard.press('ArrowDown')
      await receipt(page, ids[1] ?? '')
        .getByText(`2 of ${ids.length}`)
        .waitFor()
      await next.click()
      await receipt(page, ids[2] ?? '')
        .locator('tfoot')
        .waitFor()
      await previous.click()
      await page.keyboard.press('ArrowUp')
      await receipt(page, ids[0] ?? '')
        .locator('tfoot')
        .waitFor()
      await page.keyboard.press('ArrowUp')
      for (const id of ids.slice(1)) {
        await page.keyboard.press('ArrowDown')
        await receipt(page, id).waitFor()
      }
      assert.equal(await next.getAttribute('aria-disabled'), 'true')
      assert.equal(await openId(page), ids.at(-1))
      assert.equal((await page.evaluate(() => history)).length, length, 'Back does not go message by message')
      await page.keyboard.press('Escape')
      await page.getByRole('dialog').waitFor({ state: 'detached' })
      assert.equal(await hasFocus(link(page, ids.at(-1) ?? '')), true, `at ${width}`)
    }
  })

  test('Escape returns to the row, also after a click beside its link, and from the table', async () => {
    for (const width of [1440, 390]) {
      await using opened = await open('', width)
      const { page } = opened
      await page.locator('[data-row="3"] .c-credits').click()
      await page.getByRole('dialog').locator('tfoot').first().waitFor()
      await page.keyboard.press('Escape')
      await page.getByRole('dialog').waitFor({ state: 'detached' })
      assert.equal(await hasFocus(page.locator('[data-row="3"] a')), true, `at ${width}`)
    }
    await using opened = await open('&message=2')
    const { page } = opened
    await receipt(page, 2).locator('tfoot').waitFor()
    await link(page, 1).focus()
    await page.keyboard.press('Escape')
    await page.getByRole('dialog').waitFor({ state: 'detached' })
  })

  test('the lines of every charge add up to the API’s amount, to the millionth', async () => {
    await using opened = await open()
    const { page } = opened
    for (const id of await allIds(page)) {
      const [charge] = await chargesOf(id)
      await page.evaluate((message) => {
        history.replaceState(null, '', `/messages?period=2024-05&message=${message}`)
        dispatchEvent(new PopStateEvent('popstate'))
      }, id)
      const panel = receipt(page, id)
      await panel.locator('tfoot').first().waitFor()
      const current = panel.getByRole('region', { name: 'Charge', exact: true })
      const shown = await current.locator('.line td:last-child').allTextContents()
      assert.deepEqual(
        shown,
        charge?.lines.map(({ credits }) => shownCredits(credits)),
      )
      const sum = shown.reduce((all, text) => all + Math.round(Number(text.replaceAll(',', '')) * 1e6), 0)
      assert.equal(sum, Math.round((charge?.credits ?? 0) * 1e6))
      assert.equal(await current.locator('tfoot td').textContent(), shownCredits(charge?.credits ?? 0))
      await panel.getByText(charge?.timestamp ?? '').waitFor()
    }
  })

  test('shows what was charged before, and why that no longer counts', async () => {
    const charges = await chargesOf(22)
    assert.equal(charges.length, 2)
    await using opened = await open('&message=22')
    const panel = receipt(opened.page, 22)
    const history = panel.getByRole('region', { name: 'History' })
    await history.getByText('Superseded: the rate card changed, so this charge no longer counts.').waitFor()
    assert.deepEqual(
      await history.locator('li > p:first-child > :is(strong, s)').allTextContents(),
      charges.map(({ credits }) => `${shownCredits(credits)} credits`),
    )
    await history.getByText('How it came about').click()
    await history.getByText('By the rate card standard-2024.').waitFor()
    assert.equal(await history.locator('tfoot td').textContent(), shownCredits(charges[1]?.credits ?? 0))
    await panel.getByText('because its text has at most 100 characters').waitFor()
  })

  test('leads to the card that priced it, and copies the ID and a link that opens in any period', async () => {
    await using opened = await open(`&message=${LONG_ID}`, 1440, { permissions: ['clipboard-read', 'clipboard-write'] })
    const { page } = opened
    const copied = (): Promise<string> => page.evaluate(() => navigator.clipboard.readText())
    await receipt(page, LONG_ID).getByRole('button', { name: 'Copy ID' }).click()
    await page.getByText('ID copied.').waitFor()
    assert.equal(await copied(), LONG_ID)
    assert.equal(await page.locator('.row.open .c-id').getAttribute('title'), LONG_ID)
    await page.getByRole('button', { name: 'Copy link to message' }).click()
    await page.getByText('Link copied.').first().waitFor()
    await using other = await openPage(browser, await copied())
    await receipt(other.page, LONG_ID).locator('tfoot').first().waitFor()
    await receipt(page, LONG_ID).getByRole('link', { name: 'flat', exact: true }).click()
    await page.getByRole('heading', { name: 'flat', exact: true }).waitFor()
    assert.equal(await page.getByRole('dialog').count(), 0)
  })

  test('passes axe beside the table and over it, light and dark', async () => {
    for (const [width, colorScheme] of [
      [1440, 'light'],
      [1440, 'dark'],
      [390, 'light'],
      [390, 'dark'],
    ] as const) {
      await using opened = await open('&message=21', width, { colorScheme })
      const { page } = opened
      await receipt(page, 21).getByText('How it came about').click()
      await receipt(page, 21).locator('tfoot').nth(1).waitFor()
      await page.evaluate(axe.source)
      const { violations } = (await page.evaluate('axe.run("main", { resultTypes: ["violations"] })')) as {
        violations: readonly { id: string; nodes: readonly { html: string }[] }[]
      }
      assert.deepEqual(
        violations.map(({ id, nodes }) => `${id}: ${nodes[0]?.html}`),
        [],
        `${width} ${colorScheme}`,
      )
    }
  })
})
