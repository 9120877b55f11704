/** Nothing that is seen moves while a page loads, whatever there is to show: measured by the browser. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import type { Browser } from 'playwright-core'
import type { Card } from '../../src/model/card.ts'
import { type Running, startService } from '../../test/harness.ts'
import { AREAS } from '../src/areas.ts'
import { launchBrowser, noBrowser, openPage } from './browser.ts'
import { callService, settled } from './pages.ts'

const CARD: Card = {
  version: 'tokens-1',
  prices: { 'gpt-5.4': [{ input: 250, output: 1500 }] },
  cases: [
    { name: 'report', when: { report: true }, lines: [{ rule: 'report', of: 'report_credits', rate: 1 }] },
    {
      name: 'tokens',
      when: { model: '*' },
      lines: [
        { rule: 'input', of: 'input_tokens', per: 1_000_000, price: 'input' },
        { rule: 'output', of: 'output_tokens', per: 1_000_000, price: 'output' },
      ],
    },
  ],
}

/** Of two months, with everything that a period can have, and a model without a price: so each filter and notice is there. */
const MESSAGES = Array.from({ length: 300 }, (_, id) => ({
  id,
  timestamp: `2024-0${id < 120 ? 4 : 5}-${String((id % 28) + 1).padStart(2, '0')}T12:00:00Z`,
  user_id: `member-${id % 7}@acme.example`,
  team_id: id % 2 === 0 ? 'legal' : 'sales',
  attributes: { feature: id % 3 === 0 ? 'chat' : 'search' },
  outcome: id % 9 === 0 ? 'failed' : 'succeeded',
  ...(id % 5 === 0
    ? { text: 'What is due?', report_id: 1 }
    : { usage: { input_tokens: 1000 * id, output_tokens: id } }),
  ...(id % 5 !== 0 && { model: id % 20 === 1 ? 'gpt-7' : 'gpt-5.4' }),
}))

/** With the longest names, so that they matter at no width. */
const FAR = {
  id: 'far',
  name: 'The Company with the Longest Name of All',
  time_zone: 'America/Argentina/ComodRivadavia',
  billing_anchor_day: 15,
}
const PAGES = [
  { width: 1440, organization: 'default' },
  { width: 1260, organization: FAR.id },
  { width: 1000, organization: FAR.id },
  { width: 768, organization: 'default' },
  { width: 645, organization: FAR.id },
  { width: 390, organization: 'default' },
  { width: 360, organization: FAR.id },
]

const WATCH = `
  globalThis.shifts = []
  new PerformanceObserver((list) => {
    for (const { value, sources } of list.getEntries()) {
      shifts.push([value, ...sources.map(({ node, previousRect, currentRect }) => [
        node?.outerHTML?.slice(0, 120) ?? node?.textContent,
        JSON.stringify(previousRect),
        JSON.stringify(currentRect),
      ])])
    }
  }).observe({ type: 'layout-shift', buffered: true })`

describe('while it loads, nothing moves', { skip: noBrowser }, () => {
  let browser: Browser
  let service: Running
  before(async () => {
    browser = await launchBrowser()
    service = await startService({})
    const use = { version: CARD.version, from: '2024-04-01T00:00:00Z' }
    await callService(service.url, 'POST', '/v1/rate-cards', CARD)
    await callService(service.url, 'POST', '/v1/organizations', FAR)
    await callService(service.url, 'PUT', '/v1/reports/1', { name: 'Lease abstract', credit_cost: 35 })
    for (const organization of ['default', FAR.id]) {
      await callService(service.url, 'PUT', `/v1/organizations/${organization}/rate-card`, use)
      await callService(service.url, 'POST', `/v1/messages?organization=${organization}`, { messages: MESSAGES })
    }
  })
  after(async () => {
    await browser?.close()
    await service?.[Symbol.asyncDispose]()
  })

  for (const { name, path } of AREAS) {
    test(`in ${name}, wide, on a tablet and on a phone`, async () => {
      await using opened = await openPage(browser, 'about:blank')
      const { page } = opened
      await page.addInitScript(WATCH)
      for (const { width, organization } of PAGES) {
        await page.setViewportSize({ width, height: 900 })
        await page.goto(`${service.url}${path}?organization=${organization}&period=2024-05`)
        await settled(page)
        // What is laid out in the last frame is reported after it.
        await page.evaluate('new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))')
        assert.deepEqual(await page.evaluate('shifts'), [], `${width} px, ${organization}`)
      }
    })
  }
})
