/** The dashboard of a service whose rate card prices tokens: messages without a price, and everything that a price can consist of. */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import type { Browser, Page } from 'playwright-core'
import type { Card } from '../../src/model/card.ts'
import { type Running, startService } from '../../test/harness.ts'
import { launchBrowser, noBrowser, openPage } from './browser.ts'
import { allIds, bars, callService, exported, figure, goTo, settled, sortBy, sumShown } from './pages.ts'

const CARD: Card = {
  version: 'tokens-1',
  prices: { 'gpt-5.4': [{ input: 250, cache_read: 25, output: 1500 }] },
  aliases: { 'gpt-5.4-2026-03-05': 'gpt-5.4' },
  cases: [
    { name: 'report', when: { report: true }, lines: [{ rule: 'report', of: 'report_credits', rate: 1 }] },
    {
      name: 'tokens',
      when: { model: '*' },
      lines: [
        { rule: 'input', of: 'input_tokens', per: 1_000_000, price: 'input' },
        { rule: 'cache-read', of: 'cache_read_tokens', per: 1_000_000, price: 'cache_read' },
        { rule: 'output', of: 'output_tokens', per: 1_000_000, price: 'output' },
        { rule: 'basic-tool', of: 'total_tokens', per: 1000, rate: 0.1, started: true, when: { tier: 'basic' } },
        { rule: 'voice', of: 'voice_minutes', rate: 2 },
      ],
    },
    { name: 'flat', when: { text: true }, lines: [{ rule: 'base', rate: 2 }] },
  ],
  outcomes: { failed: 0, cancelled: 0.5 },
}

const at = (day: number): string => `2024-05-0${day}T08:00:00Z`
const MESSAGES = [
  { id: 1, timestamp: at(1), text: 'What is the lease term?' },
  {
    id: 2,
    timestamp: at(2),
    model: 'gpt-5.4-2026-03-05',
    user_id: 'ada',
    team_id: 'legal',
    usage: { input_tokens: 120_000, cache_read_tokens: 30_000, output_tokens: 2_345, reasoning_tokens: 1_000 },
    quantities: { voice_minutes: 1234.5, pages: 3 },
    attributes: { tier: 'basic', licensed: false },
    outcome: 'cancelled',
  },
  { id: 3, timestamp: at(3), model: 'unheard-of', usage: { input_tokens: 10 } },
  { id: 4, timestamp: at(3), model: 'gpt-5.4', usage: { input_tokens: 10 }, outcome: 'failed' },
  { id: 5, timestamp: at(4), quantities: { pages: 1 } },
]
const NO_MODEL = 'the model "unheard-of" has no price in the card tokens-1'
const QUERY = '?period=2024-05'

describe('the dashboard of messages that a rate card of tokens prices', { skip: noBrowser }, () => {
  let browser: Browser
  let service: Running
  before(async () => {
    browser = await launchBrowser()
    service = await startService({})
    await callService(service.url, 'POST', '/v1/rate-cards', CARD)
    await callService(service.url, 'PUT', '/v1/organizations/default/rate-card', {
      version: CARD.version,
      from: '2024-05-01T00:00:00Z',
    })
    await callService(service.url, 'POST', '/v1/messages', { messages: MESSAGES })
  })
  after(async () => {
    await browser?.close()
    await service?.[Symbol.asyncDispose]()
  })

  const open = async (rest = '', width = 1440) => {
    const opened = await openPage(browser, `${service.url}/messages${QUERY}${rest}`, {
      viewport: { width, height: 900 },
    })
    await settled(opened.page)
    return opened
  }
  const creditsOf = (page: Page, row: number): Promise<string> =>
    page.locator(`[data-row="${row}"] .c-credits`).innerText()

  test('does not show a message without a price as free: not in a row, a sum, a bar, a filter or the exported file', async () => {
    await using opened = await open()
    const { page } = opened
    await page.getByText('2 messages have no price.').waitFor()
    assert.equal(await sumShown(page).innerText(), '5 messages, 1,261.28375 credits, 2 without a price')
    await goTo(page, 'Usage')
    assert.equal(await figure(page, 'Credits this period').innerText(), '1,261.28375')
    assert.match((await bars(page).nth(2).getAttribute('aria-label')) ?? '', /2 messages, 1 without a price/)
    await goTo(page, 'Messages')
    assert.deepEqual(await Promise.all([0, 1, 2, 4].map((row) => creditsOf(page, row))), [
      'no price',
      '0.00',
      'no price',
      '2.00',
    ])
    assert.equal(await page.locator('[data-row="2"] .no-price').getAttribute('title'), NO_MODEL)
    for (const order of ['ascending', 'descending']) {
      await sortBy(page, 'Credits Used')
      assert.deepEqual((await allIds(page)).slice(3), ['3', '5'], order)
    }
    assert.deepEqual((await exported(page)).slice(2), [
      '4,2024-05-03 08:00:00,2024-05-03T08:00:00Z,,0,,,gpt-5.4,,failed,',
      `3,2024-05-03 08:00:00,2024-05-03T08:00:00Z,,,,,unheard-of,,succeeded,"${NO_MODEL.replaceAll('"', '""')}"`,
      '5,2024-05-04 08:00:00,2024-05-04T08:00:00Z,,,,,,,succeeded,no case holds in the card tokens-1',
    ])
    await page.getByLabel('Minimum credits').fill('0')
    await sumShown(page).filter({ hasText: '3 messages, 1,261.28375 credits' }).waitFor()
    await page.getByText('2 messages have no price.').waitFor({ state: 'detached' })
    await page.getByRole('button', { name: 'Clear filters' }).click()
    await page.getByRole('button', { name: 'Show them' }).click()
    await sumShown(page).filter({ hasText: '2 messages, 0.00 credits, 2 without a price' }).waitFor()
    assert.equal(new URL(page.url()).searchParams.has('unpriced'), true)
    await page.reload()
    await settled(page)
    assert.deepEqual(await allIds(page), ['3', '5'])
  })

  test('explains why a message has no price, in place of its lines', async () => {
    await using opened = await open('&message=3')
    const panel = opened.page.getByRole('dialog')
    await panel.getByText(`Not charged: ${NO_MODEL}. Put a rate card in force that prices this message.`).waitFor()
    assert.equal(await panel.locator('.big').innerText(), 'No price')
    assert.equal(await panel.locator('.charge-lines').count(), 0)
    assert.match(await panel.getByRole('region', { name: 'Facts' }).innerText(), /input tokens\s+10/)
  })

  test('explains a charge by the names and quantities of its own rate card', async () => {
    await using opened = await open('&message=2')
    const panel = opened.page.getByRole('dialog')
    await panel.getByText('120,000 input tokens').waitFor()
    const rows = await panel
      .locator('tbody tr, tfoot tr')
      .evaluateAll((all) => all.map((row) => [...row.children].map((cell) => cell.textContent)))
    assert.deepEqual(rows, [
      ['input', '1.2%', '30.00'],
      ['120,000 input tokens × 250.00 ÷ 1,000,000 = 30.00'],
      ['cache-read', '0.0%', '0.75'],
      ['30,000 cache read tokens × 25.00 ÷ 1,000,000 = 0.75'],
      ['output', '0.1%', '3.5175'],
      ['2,345 output tokens × 1,500.00 ÷ 1,000,000 = 3.5175'],
      ['basic-tool', '0.6%', '15.30'],
      ['152,345 total tokens → 153 started packages of 1,000 × 0.10 = 15.30, because its “tier” is “basic”'],
      ['voice', '98.0%', '2,469.00'],
      ['1,234.5 voice minutes × 2.00 = 2,469.00'],
      ['cancelled', '-50.0%', '-1,259.28375'],
      ['50% of 2,518.5675 is charged, because the outcome is “cancelled”'],
      ['Total', '1,259.28375'],
    ])
    const entries = Object.fromEntries(
      await panel
        .locator('dl')
        .evaluateAll((lists) =>
          lists.flatMap((list) =>
            [...list.querySelectorAll('dt')].map((dt) => [dt.textContent, dt.nextSibling?.textContent]),
          ),
        ),
    )
    assert.equal(entries['Team'], 'legal')
    assert.equal(entries['Model'], 'gpt-5.4-2026-03-05, priced as gpt-5.4')
    assert.equal(entries['Outcome'], 'cancelled')
    assert.equal(entries['Rate card'], 'tokens-1, case tokensThis case applies because the message has a model.')
    assert.equal(entries['reasoning tokens'], '1,000')
    assert.equal(entries['voice minutes'], '1,234.5')
    assert.equal(entries['licensed'], 'no')
    assert.equal(entries['text'], undefined)
    await panel.getByText('No line of the rate card uses pages, so it did not change the price.').waitFor()
  })

  test('does not give the reasons of the standard rules for rules of the same names', async () => {
    await using opened = await open('&message=1')
    const panel = opened.page.getByRole('dialog')
    await panel.getByText('once', { exact: true }).waitFor()
    assert.equal(await panel.locator('tbody th').innerText(), 'base')
    assert.deepEqual(await panel.locator('tbody td').allTextContents(), ['100.0%', '2.00', 'once'])
  })

  test('is as wide as the window and not wider, with a charge open or closed', async () => {
    for (const width of [1440, 768, 390]) {
      for (const rest of ['', '&unpriced=', '&message=2', '&message=3']) {
        await using opened = await open(rest, width)
        const { page } = opened
        assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), width, `${rest} at ${width}`)
        const folder = process.env['SCREENSHOTS']
        if (folder !== undefined) await page.screenshot({ path: join(folder, `${width}${rest}.png`), fullPage: true })
      }
    }
  })
})
