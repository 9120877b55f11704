/** The area of intake: what came, from whom, and what became of it; and the first-run page, which knows of it. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import axe, { type AxeResults } from 'axe-core'
import type { Browser, Locator, Page } from 'playwright-core'
import { type Client, createClient } from '../../client/src/index.ts'
import { type Running, startService } from '../../test/harness.ts'
import { CANARY, entry, type LitellmEntry } from '../../test/litellm-entries.ts'
import { launchBrowser, noBrowser, type Opened, openPage } from './browser.ts'

let browser: Browser
before(async () => {
  if (noBrowser === false) browser = await launchBrowser()
})
after(() => browser?.close())

/** A service with the keys of two senders of one organization, and a page that is signed in as its operator. */
const open = async (path: string) => {
  const stack = new AsyncDisposableStack()
  const service: Running = stack.use(await startService({}))
  const first = createClient({ baseUrl: service.url })
  await first.createOrganization({ id: 'acme', name: 'Acme Ltd' })
  const { key } = await first.createKey({ name: 'operator', scopes: ['admin'] })
  const operator = createClient({ baseUrl: service.url, key })
  const keyOf = async (name: string): Promise<string> =>
    (await operator.createKey({ name, scopes: ['messages:write'] }, { organization: 'acme' })).key
  const gateway = await keyOf('gateway')
  const web: Client = createClient({ baseUrl: service.url, key: await keyOf('web') })
  const opened: Opened = stack.use(await openPage(browser, `${service.url}${path}`, { expected: /status of 401/ }))
  const { page } = opened
  await page.getByLabel('API key').fill(key)
  await page.getByRole('button', { name: 'Sign in' }).click()
  await page.getByRole('navigation', { name: 'Areas' }).waitFor()
  const sendLitellm = async (...entries: readonly (LitellmEntry | null)[]): Promise<void> => {
    const headers = { 'content-type': 'application/json', authorization: `Bearer ${gateway}` }
    const init = { method: 'POST', headers, body: JSON.stringify(entries) }
    assert.ok((await fetch(`${service.url}/v1/litellm`, init)).ok)
  }
  return { page, operator, web, sendLitellm, url: service.url, [Symbol.asyncDispose]: () => stack.disposeAsync() }
}

const region = (page: Page, name: string): Locator => page.getByRole('region', { name })
const message = (id: string, more: object = {}) => ({ id, timestamp: '2024-05-20T12:00:00Z', text: 'What?', ...more })
const countsIn = async (source: Locator): Promise<Record<string, string>> => {
  const [names, numbers] = [await source.locator('dt').allTextContents(), await source.locator('dd').allTextContents()]
  return Object.fromEntries(names.map((name, at) => [name, numbers[at] ?? '']))
}

describe('the area of intake', { skip: noBrowser }, () => {
  test('is empty at first, and shows what arrives within five seconds, by source and key', async () => {
    await using session = await open('/intake?organization=acme')
    const { page, web, sendLitellm } = session
    await page.getByText('Nothing has arrived for Acme Ltd.').waitFor()
    await web.reportMessages([message('a'), message('b')])
    const ofWeb = region(page, 'POST /v1/messages key web')
    await ofWeb.waitFor({ timeout: 6000 })
    assert.deepEqual(await countsIn(ofWeb), {
      Arrived: '2',
      Charged: '2',
      Unpriced: '0',
      Duplicate: '0',
      Conflict: '0',
      Rejected: '0',
      Ignored: '0',
    })
    await web.reportMessages([message('a', { text: 'Other' }), message('c', { user_id: 7 })])
    await sendLitellm(null, entry({ endTime: CANARY }), entry())
    const ofGateway = region(page, 'LiteLLM callback key gateway')
    await ofGateway.getByText('null, which LiteLLM sends for what it could not log').waitFor()
    await ofGateway.getByText('endTime must be a number of seconds since 1970').waitFor()
    const { Arrived, Unpriced, Rejected, Ignored } = await countsIn(ofGateway)
    assert.deepEqual([Arrived, Unpriced, Rejected, Ignored], ['3', '1', '1', '1'])
    await ofWeb.getByText('is already charged with other content').waitFor()
    assert.ok(!(await page.content()).includes(CANARY))
    await ofWeb.getByRole('link', { name: 'a', exact: true }).click()
    await page.waitForURL(/\/messages\?.*organization=acme/)
    assert.equal(new URL(page.url()).searchParams.get('message'), 'a')
  })

  test('warns of two sources that report the same calls', async () => {
    await using session = await open('/intake?organization=acme')
    const { page, web, sendLitellm } = session
    await sendLitellm(entry({ end_user: 'ada' }))
    const usage = { input_tokens: 1000, cache_read_tokens: 1000, output_tokens: 500 }
    await web.reportMessages([
      { id: 'twice', timestamp: '2025-12-17T19:34:40Z', user_id: 'ada', model: 'gpt-5.4', usage },
    ])
    await page.getByText('LiteLLM callback and POST /v1/messages seem to report the same calls.').waitFor()
  })

  test('has all organizations for an operator', async () => {
    await using session = await open('/intake')
    const { page, web } = session
    await web.reportMessages([message('a')])
    await page.getByText('Nothing has arrived for Default.').waitFor()
    await page.getByLabel('All organizations').check()
    await region(page, 'POST /v1/messages key web, acme').waitFor()
  })

  test('passes axe and fits, light and dark, wide and narrow', async () => {
    await using session = await open('/intake?organization=acme')
    const { page, web, sendLitellm } = session
    await sendLitellm(null, entry({ end_user: 'ada' }), entry({ id: 'x'.repeat(150), endTime: 0 }))
    const usage = { input_tokens: 1000, cache_read_tokens: 1000, output_tokens: 500 }
    await web.reportMessages([
      { id: 'y'.repeat(200), timestamp: '2025-12-17T19:34:40Z', user_id: 'ada', model: 'gpt-5.4', usage },
      message('b'),
    ])
    await web.reportMessages([message('b', { text: 'Other' }), message('z'.repeat(200), { user_id: 7 })])
    await page.getByText('is already charged with other content').waitFor()
    await page.getByText('seem to report the same calls').waitFor()
    await page.evaluate(axe.source)
    const found: string[] = []
    for (const width of [1440, 768, 390]) {
      for (const colorScheme of ['light', 'dark'] as const) {
        await page.emulateMedia({ colorScheme })
        await page.setViewportSize({ width, height: 900 })
        const { violations } = (await page.evaluate('axe.run()')) as AxeResults
        const where = `${width} px, ${colorScheme}`
        found.push(...violations.map(({ id, nodes }) => `${where}: ${id} at ${nodes[0]?.html.slice(0, 200)}`))
        const wide = await page.evaluate(() => document.documentElement.scrollWidth)
        if (wide > width) found.push(`${where}: the page is ${wide} px wide`)
      }
    }
    assert.deepEqual(found, [])
    const box = await page.getByText('All organizations').boundingBox()
    assert.ok((box?.height ?? 0) >= 44, 'a target for fingers')
  })
})

describe('the first-run page', { skip: noBrowser }, () => {
  test('puts a key made on the spot into all snippets, and turns green whichever door the first message takes', async () => {
    await using session = await open('/developers?organization=acme')
    const { page, url, sendLitellm } = session
    await page.getByText('Waiting for the first message of Acme Ltd').waitFor()
    await page.getByRole('button', { name: 'Create a key for Acme Ltd' }).click()
    const secret = (await page.locator('[data-secret]').textContent()) ?? ''
    const snippets = await page.locator('.snippet').allTextContents()
    assert.equal(snippets.length, 4)
    for (const text of snippets) assert.ok(text.includes(secret) && text.includes(url), text)
    await sendLitellm(null)
    await page.getByText('Something has arrived, but none of it is a message').waitFor()
    await sendLitellm(entry({ id: 'chatcmpl-first' }))
    await page.locator('.arrived').getByText('Messages are arriving.').waitFor()
    assert.match((await page.locator('.arrived').textContent()) ?? '', /litellm:chatcmpl-first/)
    await page.setViewportSize({ width: 390, height: 844 })
    await sendLitellm(entry({ id: 'long'.repeat(40), endTime: Math.floor(Date.now() / 1000) }))
    await page.locator('.arrived', { hasText: 'longlong' }).waitFor()
    assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), 390, 'a long id is wrapped')
  })
})
