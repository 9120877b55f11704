/** What people see of rate cards: each as a person reads it, and what another one would do. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import axe from 'axe-core'
import type { Browser, Page } from 'playwright-core'
import { BUILT_IN_CARDS } from '../../src/rating/built-in-cards.ts'
import { type Running, startService } from '../../test/harness.ts'
import { launchBrowser, noBrowser, openPage } from './browser.ts'
import { callService, shownCredits } from './pages.ts'

const flat = (version: string, report: number, text: number) => ({
  version,
  cases: [
    { name: 'report', when: { report: true }, lines: [{ rule: 'report', of: 'report_credits', rate: report }] },
    { name: 'text', when: { text: true }, lines: [{ rule: 'base', rate: text }] },
  ],
})
const LOW = flat('low', 1, 2)
const HIGH = flat('high', 0.5, 7.25)

const MESSAGES = Array.from({ length: 30 }, (_, id) => ({
  id,
  timestamp: `2024-05-${String(id + 1).padStart(2, '0')}T08:00:00Z`,
  text: 'What is the lease term?',
  user_id: ['ada', 'grace'][id % 2],
  ...(id % 3 === 0 && { report_id: 1 }),
}))

const MAY = { from: '2024-05-01T00:00:00.000Z', to: '2024-06-01T00:00:00.000Z' }

type Sums = { readonly credits_before: number; readonly credits_after: number; readonly difference: number }
type Simulated = Sums & {
  readonly by_member: { readonly groups: readonly (Sums & { readonly user_id?: string; readonly messages: number })[] }
  readonly by_day: { readonly groups: readonly (Sums & { readonly date: string })[] }
  readonly largest_changes: readonly { readonly message_id: number }[]
}

const signed = (amount: number): string => `${amount > 0 ? '+' : ''}${shownCredits(amount)}`

describe('rate cards on the dashboard', { skip: noBrowser }, () => {
  let browser: Browser
  let service: Running
  before(async () => {
    browser = await launchBrowser()
    service = await startService({})
    const { url } = service
    await callService(url, 'PUT', '/v1/reports/1', { name: 'Lease Report', credit_cost: 79 })
    await callService(url, 'POST', '/v1/rate-cards', LOW)
    await callService(url, 'PUT', '/v1/organizations/default/rate-card', { version: 'low', from: MAY.from })
    await callService(url, 'POST', '/v1/messages', { messages: MESSAGES })
  })
  after(async () => {
    await browser?.close()
    await service?.[Symbol.asyncDispose]()
  })

  const open = async (rest = '', options: NonNullable<Parameters<typeof openPage>[2]> = {}) => {
    const opened = await openPage(browser, `${service.url}/rate-cards?period=2024-05${rest}`, options)
    await opened.page.getByRole('region', { name: 'Rules' }).waitFor()
    return opened
  }
  const simulate = async (page: Page, card: object | string): Promise<void> => {
    if (typeof card === 'string') await page.getByLabel('Rate card', { exact: true }).selectOption(card)
    else await page.getByLabel('The card, as JSON').fill(JSON.stringify(card))
    await page.getByRole('button', { name: 'Simulate' }).click()
  }
  const result = (page: Page) => page.getByRole('region', { name: 'Result' })
  const rowsOf = (page: Page): Promise<readonly (readonly (string | null)[])[]> =>
    page
      .getByRole('tabpanel')
      .locator('tbody tr')
      .evaluateAll((rows) => rows.map((row) => [...row.children].slice(0, 5).map((cell) => cell.textContent)))

  test('shows the card in force first, and every built-in card with its source, date and hash', async () => {
    await using opened = await open()
    const { page } = opened
    await page.getByRole('heading', { name: 'low', exact: true }).waitFor()
    const { rate_cards: listed } = (await callService(service.url, 'GET', '/v1/rate-cards')) as {
      rate_cards: readonly { version: string; hash: string; built_in?: { as_of: string } }[]
    }
    for (const { card } of BUILT_IN_CARDS) {
      await page.getByRole('link', { name: card.version, exact: true }).click()
      const reading = page.locator('.card-reading')
      await reading.getByRole('heading', { name: card.version, exact: true }).waitFor()
      const entry = listed.find(({ version }) => version === card.version)
      await reading.getByText(entry?.hash ?? 'no hash', { exact: true }).waitFor()
      await reading.getByText(`as of ${entry?.built_in?.as_of}`).waitFor()
      const models = await reading.locator('.prices tbody th').count()
      assert.equal(models, Object.keys(card.prices ?? {}).length, card.version)
      assert.equal(
        await reading.locator('.rules ul li:has(.note)').count(),
        card.cases.reduce((sum, { lines, multiply = [] }) => sum + lines.length + multiply.length, 0),
      )
      assert.equal(new URL(page.url()).searchParams.get('card'), card.version)
    }
    await page.reload()
    await page.getByRole('heading', { name: 'standard-2024', exact: true }).waitFor()
    await page.getByText('5 credits, if its text has more than 100 characters.').waitFor()
  })

  test('finds a model of a card by any of its names, and shows each tier', async () => {
    await using opened = await open('&card=github-copilot-2026-06')
    const { page } = opened
    await page.getByLabel('Model', { exact: true }).fill('gpt-5.4-2026')
    const rows = page.locator('.prices tbody tr')
    await page.getByText('1 model', { exact: true }).waitFor()
    assert.deepEqual(
      await rows.evaluateAll((all) =>
        all.map((row) => [...row.querySelectorAll('td')].map((cell) => cell.textContent)),
      ),
      [
        ['if it has more than 272,000 prompt tokens', '500', '50', 'no price', '2,250'],
        ['otherwise', '250', '25', 'no price', '1,500'],
      ],
    )
  })

  test('copies the card as JSON, as the API has it', async () => {
    await using opened = await open('&card=low', { permissions: ['clipboard-read', 'clipboard-write'] })
    const { page } = opened
    await page.getByRole('button', { name: 'Copy JSON' }).click()
    await page.getByText('JSON copied.').waitFor()
    assert.deepEqual(JSON.parse(await page.evaluate(() => navigator.clipboard.readText())), LOW)
  })

  test('says what a pasted card would do, as the API does, and writes nothing', async () => {
    await using opened = await open()
    const { page } = opened
    const expected = (await callService(service.url, 'POST', '/v1/simulations', {
      rate_card: HIGH,
      ...MAY,
    })) as Simulated
    await simulate(page, HIGH)
    await result(page).waitFor()
    const figures = await result(page).locator('.outcome dd').allTextContents()
    assert.deepEqual(figures.slice(0, 2), [shownCredits(expected.credits_before), shownCredits(expected.credits_after)])
    assert.match(figures[2] ?? '', /, \d+\.\d% (more|less)$/)
    assert.equal(figures[2]?.split(', ')[0], signed(expected.difference))
    await page.getByRole('tab', { name: 'Members' }).click()
    assert.deepEqual(
      await rowsOf(page),
      expected.by_member.groups.map((group) => [
        group.user_id,
        String(group.messages),
        shownCredits(group.credits_before),
        shownCredits(group.credits_after),
        signed(group.difference),
      ]),
    )
    await page.keyboard.press('End')
    await page.getByRole('tab', { name: 'Days', selected: true }).waitFor()
    assert.deepEqual(
      (await rowsOf(page)).map(([day, , , , difference]) => [day, difference]),
      expected.by_day.groups.map(({ date, difference }) => [date, signed(difference)]),
    )
    const largest = page.getByRole('region', { name: 'The messages that change most' })
    const ids = await largest.locator('tbody th').allTextContents()
    assert.deepEqual(
      ids,
      expected.largest_changes.map(({ message_id: id }) => String(id)),
    )
    await page.getByText('npx copilot-credits cards put card.json').waitFor()
    assert.equal(await page.getByRole('button', { name: 'Apply…' }).count(), 0)
    const { rate_cards: cards } = (await callService(service.url, 'GET', '/v1/rate-cards')) as {
      rate_cards: readonly { version: string }[]
    }
    assert.ok(!cards.some(({ version }) => version === 'high'))
    await largest.getByRole('link').first().click()
    await page.getByRole('dialog', { name: `Message ${ids[0] ?? ''}`, exact: true }).waitFor()
  })

  test('names every fault of a card by its field, as storing it would', async () => {
    await using opened = await open('', { expected: /status of 400/ })
    const { page } = opened
    const card = { version: 'A', cases: [{ name: 'x', lines: [{ rule: 'r' }], minimum: -1 }] }
    const response = await fetch(`${service.url}/v1/rate-cards`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(card),
    })
    const { errors } = (await response.json()) as { errors: readonly { field: string; expected: string }[] }
    assert.equal(errors.length, 3)
    await simulate(page, card)
    await page.getByText('The card is not valid.').waitFor()
    assert.deepEqual(
      await page.locator('.faults li').allTextContents(),
      errors.map(({ field, expected }) => `${field} must be ${expected}.`),
    )
    await page.getByLabel('The card, as JSON').fill('{"version": ')
    await page.getByRole('button', { name: 'Simulate' }).click()
    await page.getByRole('alert').filter({ hasText: 'This is not JSON' }).waitFor()
  })

  test('names what would have no price, and why', async () => {
    await using opened = await open()
    const { page } = opened
    await simulate(page, { ...HIGH, cases: HIGH.cases.slice(0, 1) })
    await page.getByText('20 messages: no case holds in the card high').waitFor()
    await page.getByText('20 would have no price; now it is 0.').waitFor()
  })

  test('can be canceled while it runs', async () => {
    await using opened = await open()
    const { page } = opened
    await page.route('**/v1/simulations?*', () => {})
    await simulate(page, HIGH)
    await page.getByText('Pricing 30 messages again…').waitFor()
    await page.getByRole('button', { name: 'Cancel' }).click()
    await page.getByRole('button', { name: 'Cancel' }).waitFor({ state: 'detached' })
    assert.equal(await page.getByRole('alert').count(), 0)
    await page.unroute('**/v1/simulations?*')
    await page.getByRole('button', { name: 'Simulate' }).click()
    await result(page).waitFor()
  })

  test('tells others than the operator that they need one', async () => {
    await using keyed = await startService({})
    const { key } = (await callService(keyed.url, 'POST', '/v1/keys', { scopes: ['usage:read'] })) as { key: string }
    await using opened = await openPage(browser, `${keyed.url}/rate-cards`, { expected: /status of 401/ })
    const { page } = opened
    await page.getByLabel('API key').fill(key)
    await page.keyboard.press('Enter')
    await page.getByText('This needs an operator key.').waitFor()
    assert.equal(await page.getByRole('button', { name: 'Simulate' }).count(), 0)
  })

  test('passes axe, light, dark and narrow, with a card, faults and a result', async () => {
    await using opened = await open('&card=github-copilot-2026-06', { expected: /status of 400/ })
    const { page } = opened
    await page.evaluate(axe.source)
    const found: string[] = []
    const check = async (state: string): Promise<void> => {
      for (const [width, colorScheme] of [
        [1440, 'light'],
        [1440, 'dark'],
        [390, 'light'],
      ] as const) {
        await page.emulateMedia({ colorScheme })
        await page.setViewportSize({ width, height: 900 })
        const { violations } = (await page.evaluate('axe.run("main", { resultTypes: ["violations"] })')) as {
          violations: readonly { id: string; nodes: readonly { html: string }[] }[]
        }
        found.push(...violations.map(({ id, nodes }) => `${state}, ${width} ${colorScheme}: ${id} ${nodes[0]?.html}`))
        const overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)
        if (overflow > 0) found.push(`${state}, ${width}: ${overflow} too wide`)
      }
    }
    await check('a card')
    await simulate(page, { version: 'A', cases: [] })
    await page.getByText('The card is not valid.').waitFor()
    await check('faults')
    await simulate(page, HIGH)
    await result(page).waitFor()
    await check('a result')
    assert.deepEqual(found, [])
  })

  test('applies a card that is in force for all of it, after saying exactly what will change', async () => {
    await callService(service.url, 'POST', '/v1/rate-cards', HIGH)
    await callService(service.url, 'PUT', '/v1/organizations/default/rate-card', { version: 'high', from: MAY.from })
    const before = (await callService(service.url, 'POST', '/v1/simulations', {
      rate_card: 'high',
      ...MAY,
    })) as Simulated
    await using opened = await open()
    const { page } = opened
    await simulate(page, 'high')
    await page.getByRole('button', { name: 'Apply…' }).click()
    const question = page.getByRole('group', { name: /^Charge 30 messages/ })
    assert.equal(await question.evaluate((element) => element === document.activeElement), true)
    await question
      .getByText(
        `costs ${shownCredits(before.credits_after)} instead of ${shownCredits(before.credits_before)} credits (${signed(before.difference)}`,
      )
      .waitFor()
    await page.getByRole('button', { name: 'Cancel' }).click()
    const totalOf = async (): Promise<unknown> => {
      const totals = await callService(service.url, 'GET', '/v1/usage/totals?period=2024-05&bucket=none')
      return (totals as { buckets: readonly { credits: number }[] }).buckets[0]?.credits
    }
    assert.equal(await totalOf(), before.credits_before)
    await page.getByRole('button', { name: 'Apply…' }).click()
    await page.getByRole('button', { name: 'Charge 30 messages anew' }).click()
    await page.getByText('30 messages charged anew.').waitFor()
    assert.equal(await totalOf(), before.credits_after)
    await page.getByRole('button', { name: 'Simulate' }).click()
    await page.getByText('There is nothing to charge anew').waitFor()
  })
})
