/** The areas of an operator and a developer: organizations, keys, report prices, and the first message. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { after, before, describe, test } from 'node:test'
import { promisify } from 'node:util'
import axe, { type AxeResults } from 'axe-core'
import type { Browser, Locator, Page } from 'playwright-core'
import { type Client, createClient } from '../../client/src/index.ts'
import { type Running, startService } from '../../test/harness.ts'
import { launchBrowser, noBrowser, type Opened, openPage } from './browser.ts'

let browser: Browser
before(async () => {
  if (noBrowser === false) browser = await launchBrowser()
})
after(() => browser?.close())

/** The page asks before anybody has signed in, and after a key was revoked; and the service names a bad field. */
const REFUSED = /status of (400|401|409)/

type Scopes = Parameters<Client['createKey']>[0]['scopes']

/** A service with keys, and a page that is signed in with one of these scopes. */
const signIn = async (scopes: Scopes, { organization = 'default', path = '/' } = {}) => {
  const stack = new AsyncDisposableStack()
  const service: Running = stack.use(await startService({}))
  const open = createClient({ baseUrl: service.url })
  await open.createOrganization({ id: 'acme', name: 'Acme Ltd', time_zone: 'Europe/London', billing_anchor_day: 15 })
  const { key } = await open.createKey({ name: 'operator', scopes: ['admin'] })
  const operator = createClient({ baseUrl: service.url, key })
  const own = await operator.createKey({ name: 'page', scopes }, { organization })
  const opened: Opened = stack.use(await openPage(browser, `${service.url}${path}`, { expected: REFUSED }))
  const { page } = opened
  await page.getByLabel('API key').fill(own.key)
  await page.getByRole('button', { name: 'Sign in' }).click()
  await page.getByRole('navigation', { name: 'Areas' }).waitFor()
  return { url: service.url, operator, page, [Symbol.asyncDispose]: () => stack.disposeAsync() }
}

const goTo = (page: Page, area: string): Promise<void> =>
  page.getByRole('navigation', { name: 'Areas' }).getByRole('link', { name: area }).click()

const card = (page: Page, title: string): Locator => page.getByRole('region', { name: title, exact: true })
const button = (place: Page | Locator, name: string): Locator => place.getByRole('button', { name, exact: true })
const row = (place: Locator, text: string): Locator => place.locator('tbody tr', { hasText: text })

describe('an operator', { skip: noBrowser }, () => {
  test('creates an organization, with each error beside its field, changes it, and sees what it uses', async () => {
    await using session = await signIn(['admin'])
    const { page, operator } = session
    await goTo(page, 'Organizations')
    const organizations = card(page, 'Organizations')
    await button(organizations, 'New organization').click()
    const id = page.getByLabel('ID', { exact: true })
    assert.ok(await id.evaluate((input) => input === document.activeElement), 'the form has the focus')

    await id.fill('acme')
    await button(organizations, 'Create').click()
    const problem = organizations.locator('.field', { has: id }).getByRole('alert')
    assert.match((await problem.textContent()) ?? '', /"acme" already exists/)
    await id.fill('globex')
    await page.getByLabel('Time zone').fill('Mars')
    await button(organizations, 'Create').click()
    await organizations.getByText('Must be an IANA time zone').waitFor()
    assert.equal(await page.getByLabel('Time zone').getAttribute('aria-invalid'), 'true')
    await page.getByLabel('Time zone').fill('Asia/Tokyo')
    await page.getByLabel('Billing day').fill('40')
    await button(organizations, 'Create').click()
    await organizations
      .locator('.field', { hasText: 'Billing day' })
      .getByText(/Must be .*31/)
      .waitFor()
    await page.getByLabel('Billing day').fill('5')
    await button(organizations, 'Create').click()
    await organizations.getByText('Saved globex.').waitFor()

    await operator.reportMessages([{ id: 1, text: 'What is the lease term?', timestamp: new Date().toJSON() }], {
      organization: 'globex',
    })
    await page.reload()
    const globex = row(organizations, 'globex')
    assert.match(
      (await globex.textContent()) ?? '',
      /1\.85.*latest \d\d-\d\d-\d{4} \d\d:\d\d.*Asia\/Tokyo, day 5.*0 keys/,
    )
    assert.match((await row(organizations, 'Acme Ltd').textContent()) ?? '', /none yet/)
    assert.match((await row(organizations, 'Default').textContent()) ?? '', /2 keys/)
    await button(globex, 'Change globex').click()
    await page.getByLabel('Name', { exact: true }).fill('Globex Corp')
    await page.getByLabel('Billing day').fill('6')
    await organizations.getByText('cannot be changed: keys and addresses contain it').waitFor()
    await button(organizations, 'Save').click()
    await row(organizations, 'Globex Corp').getByText('day 6 from').last().waitFor()
    const { name, billing_anchor_day: day, pending } = (await Array.fromAsync(operator.organizations()))[2] ?? {}
    assert.deepEqual([name, day, pending?.billing_anchor_day], ['Globex Corp', 5, 6])
  })

  test('creates a key that is shown once and kept nowhere in the page, and revokes it after a question', async () => {
    await using session = await signIn(['admin'])
    const { page, url } = session
    await goTo(page, 'Organizations')
    await page.getByRole('link', { name: '0 keys of Acme Ltd' }).click()
    const keys = card(page, 'Keys of Acme Ltd')
    await keys.getByText('No keys yet.').waitFor()
    await button(keys, 'New key').click()
    await page.getByLabel('Name', { exact: true }).fill('export')
    await button(keys, 'Create key').click()
    await keys.getByText('Choose at least one.').waitFor()
    await keys.getByLabel('usage:read').check()
    await button(keys, 'Create key').click()
    const secret = (await keys.locator('[data-secret]').textContent()) ?? ''
    assert.match(secret, /^cck_acme_/)

    const reader = createClient({ baseUrl: url, key: secret })
    assert.deepEqual((await reader.session()).scopes, ['usage:read'])
    assert.ok(!page.url().includes(secret))
    const kept = await page.evaluate(() => JSON.stringify([{ ...localStorage }, { ...sessionStorage }, history.state]))
    assert.ok(!kept.includes(secret))
    await button(keys, 'Done').click()
    assert.ok(!(await page.content()).includes(secret))
    assert.ok(await button(keys, 'New key').evaluate((each) => each === document.activeElement))

    const revoke = button(row(keys, 'export'), 'Revoke export')
    await revoke.click()
    await button(keys, 'Keep it').click()
    assert.ok(await revoke.evaluate((each) => each === document.activeElement), 'the focus is back')
    assert.equal((await reader.session()).organization.id, 'acme')
    await revoke.click()
    await button(keys, 'Revoke key').click()
    await keys.getByText('Revoked export.').waitFor()
    await keys.getByText('Revoked keys (1)').waitFor()
    await assert.rejects(reader.session(), /unknown or was revoked/)
  })

  test('sets what reports cost, and is told from when on it counts', async () => {
    await using session = await signIn(['admin'])
    const { page, operator } = session
    await goTo(page, 'Organizations')
    const reports = card(page, 'Reports and their prices')
    await button(reports, 'New report').click()
    await page.getByLabel('ID', { exact: true }).fill('5392')
    await page.getByLabel('Credits', { exact: true }).fill('12,5')
    await button(reports, 'Create').click()
    await reports.getByText('with a decimal point').waitFor()
    await page.getByLabel('Credits', { exact: true }).fill('12.5')
    await button(reports, 'Create').click()
    await reports.locator('.field', { hasText: 'Name' }).getByRole('alert').waitFor()
    await page.getByLabel('Name', { exact: true }).fill('Lease Summary')
    await button(reports, 'Create').click()
    await reports
      .getByText(/Lease Summary costs 12\.50 credits\. This counts for messages reported from \d\d:\d\d:\d\d on/)
      .waitFor()
    await button(reports, 'Change Lease Summary').click()
    await page.getByLabel('Credits', { exact: true }).fill('79')
    await button(reports, 'Save').click()
    await row(reports, 'Lease Summary').getByText('79.00').waitFor()
    assert.deepEqual(await Array.fromAsync(operator.reports()), [{ id: 5392, name: 'Lease Summary', credit_cost: 79 }])
    const remove = button(reports, 'Delete Lease Summary')
    await remove.focus()
    await page.keyboard.press('Enter')
    const question = reports.getByRole('group', { name: 'Delete Lease Summary?' })
    const keep = button(question, 'Keep it')
    assert.ok(await keep.evaluate((each) => each === document.activeElement), 'the harmless answer has the focus')
    const described = await keep.evaluate(
      (each) => document.getElementById(each.getAttribute('aria-describedby') ?? '')?.textContent,
    )
    assert.match(described ?? '', /messages that ask for it from then on are priced by their text/)
    await page.keyboard.press('Escape')
    await question.waitFor({ state: 'detached' })
    assert.ok(await remove.evaluate((each) => each === document.activeElement), 'the focus is back')
    assert.equal((await Array.fromAsync(operator.reports())).length, 1)
    await page.keyboard.press('Enter')
    await page.keyboard.press('Tab')
    await page.keyboard.press('Enter')
    await reports.getByText('No reports yet.').waitFor()
    await reports.getByText('Lease Summary was deleted.').waitFor()
    assert.ok(await button(reports, 'New report').evaluate((each) => each === document.activeElement))
  })

  test('makes the first key an operator’s, and stays signed in', async () => {
    await using service = await startService({})
    await using opened = await openPage(browser, `${service.url}/organizations`, { expected: REFUSED })
    const { page } = opened
    const keys = page.getByRole('region', { name: /^Keys of/ })
    await keys.getByText('Nothing needs a key yet.').waitFor()
    await button(keys, 'New key').click()
    await keys.getByLabel('usage:read').check()
    await button(keys, 'Create key').click()
    await keys.locator('.scopes [role=alert]', { hasText: 'As soon as there is a key' }).waitFor()
    await keys.getByLabel('admin').check()
    await button(keys, 'Create key').click()
    await keys.locator('[data-secret]').waitFor()
    assert.equal((await fetch(`${service.url}/v1/session`)).status, 401, 'from now on, a key is needed')
    await page.getByRole('button', { name: 'Sign out' }).waitFor()
    await row(keys, 'admin').waitFor()
  })
})

describe('a key', { skip: noBrowser }, () => {
  test('without the scope admin sees no organizations, and their address says who can', async () => {
    await using session = await signIn(['usage:read'], { organization: 'acme', path: '/organizations' })
    const { page } = session
    await page.getByText('Ask your administrator').waitFor()
    const areas = page.getByRole('navigation', { name: 'Areas' })
    assert.equal(await areas.getByRole('link', { name: 'Organizations' }).count(), 0)
    assert.equal(await page.locator('table').count(), 0)
    await goTo(page, 'Developers')
    await page.getByText('ask your administrator for one').waitFor()
    assert.equal(await button(page, 'Create a key for Acme Ltd').count(), 0)
  })

  test('of another organization with the scope admin sees its own, and changes no price', async () => {
    await using session = await signIn(['admin'], { organization: 'acme', path: '/organizations' })
    const { page } = session
    const own = card(page, 'Your organization')
    await row(own, 'Acme Ltd').waitFor()
    assert.equal(await own.locator('tbody tr').count(), 1)
    assert.equal(await button(own, 'New organization').count(), 0)
    await card(page, 'Keys of Acme Ltd').getByText('page', { exact: true }).waitFor()
    await card(page, 'Reports and their prices').getByText('No reports yet.').waitFor()
    assert.equal(await button(page, 'New report').count(), 0)
  })
})

const run = promisify(execFile)

/** Runs what the page says to run. */
const runCurl = async (page: Page): Promise<string> => {
  const text = (await page.locator('.snippet').first().textContent()) ?? ''
  return (await run('sh', ['-c', text.replace(/^curl/, 'curl -sS')])).stdout
}

describe('a developer', { skip: noBrowser }, () => {
  test('comes from the banner of the sample, runs the line of the page, and sees the message arrive within five seconds', async () => {
    await using service = await startService({})
    await using opened = await openPage(browser, service.url)
    const { page } = opened
    await page.getByText('This is sample data.').waitFor()
    await page.locator('.notice').getByRole('link', { name: 'Report your first message' }).click()
    assert.equal(new URL(page.url()).pathname, '/developers')
    await page.getByText('Waiting for the first message').waitFor()
    assert.match(await runCurl(page), /"accepted":1/)
    const sent = performance.now()
    await page.locator('.arrived').getByText('Messages are arriving.').waitFor()
    assert.ok(performance.now() - sent < 5000)
    assert.match((await page.locator('.arrived').textContent()) ?? '', /hello-1.*1\.85 credits/)
    await goTo(page, 'Usage')
    await page.getByText('This is sample data.').waitFor({ state: 'detached' })
    for (const path of ['/docs', '/openapi.json']) assert.equal((await fetch(`${service.url}${path}`)).status, 200)
  })

  test('gets a key on the spot, which is in the lines to run and for the organization that is shown', async () => {
    await using session = await signIn(['admin'], { path: '/developers?organization=acme' })
    const { page, operator } = session
    await page.getByText('Waiting for the first message of Acme Ltd').waitFor()
    await button(page, 'Create a key for Acme Ltd').click()
    const secret = (await page.locator('[data-secret]').textContent()) ?? ''
    const snippets = await page.locator('.snippet').allTextContents()
    assert.ok(snippets.every((text) => text.includes(secret) && text.includes(session.url)))
    assert.match(await runCurl(page), /"accepted":1/)
    await page.locator('.arrived').waitFor()
    assert.equal((await operator.currentPeriod({ organization: 'acme' })).messages, 1)
    const [made] = await operator.keys({ organization: 'acme' })
    assert.deepEqual([made?.name, made?.scopes], ['first messages', ['messages:write']])
    await page.reload()
    await page.locator('.snippet').first().waitFor()
    assert.ok(!(await page.content()).includes(secret), 'it is shown once')
  })

  test('of another organization on a service without keys names it', async () => {
    await using service = await startService({ AUTH: 'none' })
    const client = createClient({ baseUrl: service.url })
    await client.createOrganization({ id: 'acme', name: 'Acme Ltd' })
    await using opened = await openPage(browser, `${service.url}/developers?organization=acme`)
    const { page } = opened
    await page.getByText('Waiting for the first message of Acme Ltd').waitFor()
    assert.equal(await page.locator('.new-key').count(), 0)
    assert.match(await runCurl(page), /"accepted":1/)
    await page.locator('.arrived').waitFor()
    assert.equal((await client.currentPeriod({ organization: 'acme' })).messages, 1)
  })
})

describe('both areas', { skip: noBrowser }, () => {
  test('pass axe with their forms open, and fit, light and dark, wide and narrow', async () => {
    await using session = await signIn(['admin'])
    const { page, operator } = session
    await operator.putReport(5392, {
      name: 'Tenant_Obligations_Report_without_any_space_in_its_name',
      credit_cost: 79.123456,
    })
    await operator.createOrganization({
      id: 'x'.repeat(63),
      name: 'A name that is long enough for several lines '.repeat(3),
    })
    await operator.createKey({ name: 'everything', scopes: ['usage:read', 'messages:write', 'admin'] })
    await goTo(page, 'Organizations')
    await row(card(page, 'Keys of Default'), 'everything').waitFor()
    await page.evaluate(axe.source)
    const found: string[] = []
    const check = async (state: string): Promise<void> => {
      for (const width of [1440, 768, 390]) {
        for (const colorScheme of ['light', 'dark'] as const) {
          await page.emulateMedia({ colorScheme })
          await page.setViewportSize({ width, height: 900 })
          const { violations } = (await page.evaluate('axe.run()')) as AxeResults
          const where = `${state}, ${width} px, ${colorScheme}`
          found.push(...violations.map(({ id, nodes }) => `${where}: ${id} at ${nodes[0]?.html.slice(0, 200)}`))
          found.push(...(await beyond(page)).map((html) => `${where}: cut off: ${html}`))
        }
      }
    }
    await check('organizations')
    await button(page, 'New organization').click()
    await button(page, 'New key').click()
    await button(page, 'New report').click()
    await button(page, 'Revoke everything').click()
    for (const name of ['Create key', 'Create']) for (const each of await button(page, name).all()) await each.click()
    await page.getByText('Choose at least one.').waitFor()
    await check('forms')
    await goTo(page, 'Developers')
    await page.getByRole('heading', { name: 'Report a message' }).waitFor()
    await check('developers')
    assert.deepEqual(found, [])
  })

  test('say what is chosen without colors of their own', async () => {
    await using session = await signIn(['admin'], { path: '/organizations' })
    const { page } = session
    await page.emulateMedia({ forcedColors: 'active' })
    await row(card(page, 'Organizations'), 'Acme Ltd').waitFor()
    const widths = await page
      .locator('.operated tbody > tr[class="chosen"] > th, .operated tbody > tr:not([class]) > th')
      .evaluateAll((all) =>
        all.map((each) => [each.closest('.chosen') !== null, getComputedStyle(each).borderLeftWidth]),
      )
    assert.ok(widths.length > 1)
    for (const [isChosen, width] of widths) assert.equal(width, isChosen ? '4px' : '0px')
    const edges = await page
      .getByRole('navigation', { name: 'Areas' })
      .getByRole('link')
      .evaluateAll((all) =>
        all.map((each) => [each.hasAttribute('aria-current'), getComputedStyle(each).borderBottomColor] as const),
      )
    const [current] = edges.filter(([isCurrent]) => isCurrent)
    assert.ok(edges.every(([isCurrent, color]) => isCurrent || color !== current?.[1]))
  })

  test('work by keyboard alone', async () => {
    await using session = await signIn(['admin'], { path: '/organizations' })
    const { page } = session
    const keys = card(page, 'Keys of Default')
    await button(keys, 'New key').focus()
    await page.keyboard.press('Enter')
    await page.keyboard.type('by keyboard')
    await page.keyboard.press('Tab')
    await page.keyboard.press('Space')
    await page.keyboard.press('Enter')
    await keys.locator('[data-secret]').waitFor()
    await row(keys, 'by keyboard').getByText('usage:read').waitFor()
    await button(row(keys, 'by keyboard'), 'Revoke by keyboard').focus()
    await page.keyboard.press('Enter')
    await page.keyboard.press('Tab')
    await page.keyboard.press('Enter')
    await keys.getByText('Revoked by keyboard.').waitFor()
    assert.ok(await button(keys, 'New key').evaluate((each) => each === document.activeElement))
  })
})

/** What ends to the right of the card that it is in, as its box is measured. */
const beyond = (page: Page): Promise<readonly string[]> =>
  page.evaluate(() =>
    [...document.querySelectorAll('main .card *')]
      .filter((element) => {
        const edge = element.closest('.card')?.getBoundingClientRect().right ?? 0
        const { right, width } = element.getBoundingClientRect()
        return width > 1 && element.clientWidth !== 1 && right > edge + 0.5
      })
      .map((element) => element.outerHTML.slice(0, 120)),
  )
