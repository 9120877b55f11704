/** `/docs` in a browser: the API to read and to try. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import axe, { type AxeResults } from 'axe-core'
import type { Browser, Page } from 'playwright-core'
import { type Running, startService } from '../../test/harness.ts'
import { launchBrowser, noBrowser, openPage } from './browser.ts'

describe('/docs', { skip: noBrowser }, () => {
  let browser: Browser
  let service: Running
  before(async () => {
    browser = await launchBrowser()
    service = await startService({})
  })
  after(async () => {
    await browser?.close()
    await service?.[Symbol.asyncDispose]()
  })

  const open = async (options: Parameters<typeof openPage>[2] = {}) => {
    const opened = await openPage(browser, 'about:blank', options)
    // Swagger UI is large.
    opened.page.setDefaultTimeout(40_000)
    await opened.page.goto(`${service.url}/docs`)
    await opened.page.locator('.opblock').first().waitFor()
    return opened
  }
  const operation = (page: Page, name: string) => page.locator(`.opblock[id$="-${name}"]`)
  const expand = async (page: Page, name: string) => {
    await operation(page, name).locator('.opblock-summary-control').click()
    await operation(page, name).locator('.execute').waitFor()
    return operation(page, name)
  }
  const execute = async (page: Page, name: string): Promise<string> => {
    const block = await expand(page, name)
    await block.locator('.execute').click()
    const status = block.locator('.live-responses-table .response .response-col_status')
    await status.waitFor()
    return (await status.innerText()).trim()
  }
  const assertClean = async (page: Page, when: string): Promise<void> => {
    await page.evaluate(axe.source)
    const { violations } = (await page.evaluate('axe.run(document)')) as AxeResults
    assert.deepEqual(
      violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html.slice(0, 100)).join(' ')}`),
      [],
      when,
    )
  }

  test('lists the operations, each closed, under a title, with a way back to the page', async () => {
    await using opened = await open()
    const { page } = opened
    assert.equal(await page.title(), 'Copilot Credits API')
    assert.ok((await page.locator('.opblock').count()) > 20)
    assert.equal(await page.locator('.opblock.is-open').count(), 0)
    await page.getByRole('link', { name: 'Copilot Credits', exact: false }).first().click()
    await page.locator('main .figures, main .content').first().waitFor()
    assert.equal(new URL(page.url()).pathname, '/')
  })

  test('sends a request that reads as it stands, without what is optional', async () => {
    await using opened = await open()
    const { page } = opened
    const asked: string[] = []
    page.on('request', (request) => asked.push(request.url().replace(service.url, '')))
    for (const [name, path] of [
      ['getUsage', '/usage'],
      ['listUsage', '/v1/usage'],
      ['getTotals', '/v1/usage/totals'],
      ['listPeriods', '/v1/periods'],
    ] as const) {
      assert.equal(await execute(page, name), '200', name)
      assert.equal(asked.at(-1), path)
    }
    assert.match(await operation(page, 'listUsage').innerText(), /Example: 2024-05/)
  })

  test('reports a message only if the reader says so', async () => {
    await using opened = await open()
    const { page } = opened
    const answers = [false, true]
    const questions: string[] = []
    page.on('dialog', (dialog) => {
      questions.push(dialog.message())
      return answers.shift() ? dialog.accept() : dialog.dismiss()
    })
    const sent: string[] = []
    page.on('request', (request) => {
      if (request.method() === 'POST') sent.push(new URL(request.url()).pathname)
    })
    const block = await expand(page, 'reportMessages')
    await block.locator('.execute').click()
    assert.deepEqual(sent, [])
    await block.locator('.execute').click()
    await block.locator('.live-responses-table .response .response-col_status', { hasText: '200' }).waitFor()
    assert.deepEqual(sent, ['/v1/messages'])
    assert.match(questions[0] ?? '', /POST \/v1\/messages .* changes this service/)
  })

  test('takes a key, and says that a session counts too', async () => {
    await using opened = await open()
    const { page } = opened
    await page.getByRole('button', { name: 'Authorize' }).click()
    const dialog = page.locator('.modal-ux')
    await dialog.getByText('copilot_credits_session').first().waitFor()
    await dialog.locator('input').first().fill('cck_wrong')
    await dialog.getByRole('button', { name: 'Authorize' }).first().click()
    await dialog.getByRole('button', { name: 'Close' }).first().click()
    const header = page.waitForRequest((request) => request.url().endsWith('/v1/periods')).catch(() => undefined)
    await execute(page, 'listPeriods')
    assert.equal((await header)?.headers()['authorization'], 'Bearer cck_wrong')
  })

  for (const colorScheme of ['light', 'dark'] as const) {
    test(`passes axe in ${colorScheme}, closed, open, executed and authorizing, wide and narrow`, async () => {
      await using opened = await open({ colorScheme, bypassCSP: true })
      const { page } = opened
      const ground = await page.evaluate('getComputedStyle(document.documentElement).backgroundColor')
      assert.equal(ground === 'rgb(28, 32, 34)', colorScheme === 'dark')
      await assertClean(page, 'closed')
      await execute(page, 'listUsage')
      await expand(page, 'reportMessages')
      await assertClean(page, 'open')
      await page.setViewportSize({ width: 390, height: 844 })
      await assertClean(page, 'narrow')
      await page.getByRole('button', { name: 'Authorize' }).first().click()
      await page.locator('.modal-ux').waitFor()
      await assertClean(page, 'authorizing')
    })
  }
})
