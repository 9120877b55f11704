/** What is around every area: organizations, areas, periods, links, how fresh it all is, and what is said if something is wrong. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import type { Browser, Locator, Page } from 'playwright-core'
import { type Running, startService } from '../../test/harness.ts'
import { AREAS, showsUsage } from '../src/areas.ts'
import { launchBrowser, noBrowser, openPage } from './browser.ts'
import { allIds, bars, callService, figure, goTo, header, hold, settled } from './pages.ts'

let browser: Browser
before(async () => {
  if (noBrowser === false) browser = await launchBrowser()
})
after(() => browser?.close())

const messageAt = (id: number, timestamp: string, more: object = {}) => ({ id, text: 'a b c', timestamp, ...more })
const report = (url: string, messages: readonly object[], organization = 'default'): Promise<unknown> =>
  callService(url, 'POST', `/v1/messages?organization=${organization}`, { messages })

const picker = (page: Page): Locator => page.getByLabel('Period', { exact: true })
const pickedName = async (page: Page): Promise<string> =>
  (await picker(page).locator('option:checked').innerText()).replaceAll(/\s/g, ' ')
const button = (page: Page, name: string | RegExp): Locator => page.getByRole('button', { name, exact: true })

/** Messages in April and May 2024, and one now. */
const startWithUsage = async (): Promise<Running> => {
  const service = await startService({})
  await report(service.url, [
    messageAt(1, '2024-04-05T08:00:00Z'),
    messageAt(2, '2024-05-05T08:00:00Z'),
    messageAt(3, '2024-05-06T08:00:00Z', { text: 'a longer text of several words' }),
    messageAt(4, new Date().toJSON()),
  ])
  return service
}

describe('the areas', { skip: noBrowser }, () => {
  let service: Running
  before(async () => {
    service = await startWithUsage()
  })
  after(() => service?.[Symbol.asyncDispose]())

  test('each have an address, a title, a heading and a link that says where the reader is', async () => {
    await using opened = await openPage(browser, `${service.url}/?period=2024-05`)
    const { page } = opened
    await settled(page)
    for (const { id, path, name } of AREAS) {
      await goTo(page, name)
      assert.equal(new URL(page.url()).pathname, path)
      assert.equal(new URL(page.url()).search, '?period=2024-05', 'the period stays')
      assert.equal(await page.getByRole('heading', { level: 1 }).innerText(), name)
      const current = page.getByRole('navigation', { name: 'Areas' }).locator('[aria-current="page"]')
      assert.deepEqual(await current.allInnerTexts(), [name])
      const span = !showsUsage(id) ? '' : ' · 1–31 May 2024'
      assert.equal((await page.title()).replaceAll(/\s*–\s*/g, '–'), `Default · ${name}${span}`)
      await page.reload()
      await settled(page)
      assert.equal(await page.getByRole('heading', { level: 1 }).innerText(), name)
    }
    await page.goBack()
    assert.equal(new URL(page.url()).pathname, AREAS.at(-2)?.path)
  })

  test('are reached by the addresses of the page without areas', async () => {
    await using opened = await openPage(browser, `${service.url}/?period=2024-05&sort=-credits`)
    const { page } = opened
    await settled(page)
    assert.equal(await header(page, 'Credits Used').getAttribute('aria-sort'), 'descending')
    assert.deepEqual(await allIds(page), ['3', '2'])
    await page.goto(`${service.url}/?message=2`)
    await page.getByRole('dialog', { name: 'Message 2' }).locator('tfoot').waitFor()
    assert.match(await page.title(), /^Message 2 · Default · Usage · /)
  })

  test('show on the usage the newest messages, and lead to all of them', async () => {
    await using opened = await openPage(browser, `${service.url}/?period=2024-05`)
    const { page } = opened
    await settled(page)
    assert.deepEqual(await page.locator('.newest .c-id').allInnerTexts(), ['3', '2'])
    await bars(page).nth(4).click()
    await page.locator('.newest-card').getByText('All 1 message', { exact: true }).click()
    await settled(page)
    assert.deepEqual(await allIds(page), ['2'])
  })

  test('include none at an unknown address, which says so and leads back', async () => {
    await using opened = await openPage(browser, `${service.url}/nowhere`, { expected: /status of 404/ })
    const { page } = opened
    await page.getByText('There is nothing at /nowhere.').waitFor()
    assert.equal(await page.getByRole('heading', { level: 1 }).innerText(), 'Page not found')
    assert.equal(await page.locator('.figures').count(), 0)
    await page.locator('main').getByRole('link', { name: 'Usage' }).click()
    await settled(page)
    assert.equal(new URL(page.url()).pathname, '/')
  })

  test('show the rate cards, and which is in force', async () => {
    await using opened = await openPage(browser, `${service.url}/rate-cards`)
    const { page } = opened
    await settled(page)
    const inForce = page.locator('.cards li', { has: page.locator('.in-force') })
    assert.deepEqual(await inForce.getByRole('link').allInnerTexts(), ['standard-2024'])
    assert.equal(await inForce.getByRole('link').getAttribute('aria-current'), 'page')
  })
})

describe('the period', { skip: noBrowser }, () => {
  let service: Running
  before(async () => {
    service = await startWithUsage()
  })
  after(() => service?.[Symbol.asyncDispose]())

  test('is stepped to the one before and after, and stops at the ends', async () => {
    await using opened = await openPage(browser, `${service.url}/?period=2024-05`)
    const { page } = opened
    await settled(page)
    await button(page, 'Earlier').click()
    await page.waitForURL('**/?period=2024-04')
    await settled(page)
    assert.equal(await figure(page, 'Messages').textContent(), '1')
    assert.equal(await button(page, 'Earlier').getAttribute('aria-disabled'), 'true')
    await button(page, 'Later').click()
    await settled(page)
    assert.equal(await figure(page, 'Messages').textContent(), '2')
    await page.goto(`${service.url}/`)
    await settled(page)
    assert.equal(await button(page, 'Later').getAttribute('aria-disabled'), 'true')
  })

  test('of days is stepped by its length', async () => {
    await using opened = await openPage(browser, `${service.url}/?from=2024-05-05&to=2024-05-06`)
    const { page } = opened
    await settled(page)
    await button(page, 'Later').click()
    await page.waitForURL('**/?from=2024-05-07&to=2024-05-08')
    await settled(page)
    await button(page, 'Earlier').click()
    await button(page, 'Earlier').click()
    await page.waitForURL('**/?from=2024-05-03&to=2024-05-04')
  })

  test('can be one of the ranges that end today', async () => {
    await using opened = await openPage(browser, `${service.url}/`)
    const { page } = opened
    await settled(page)
    await picker(page).selectOption('Last 7 days')
    const today = new Date().toJSON().slice(0, 10)
    const first = new Date(Date.parse(today) - 6 * 86_400_000).toJSON().slice(0, 10)
    await page.waitForURL(`**/?from=${first}&to=${today}`)
    await settled(page)
    assert.equal(await figure(page, 'Messages').textContent(), '1')
  })

  test('has its name over no other figures while it loads', async () => {
    await using opened = await openPage(browser, `${service.url}/?period=2024-05`)
    const { page } = opened
    await settled(page)
    const totals = await hold(page, '**/v1/usage/totals?*')
    for (const area of ['Usage', 'Messages'] as const) {
      await page.goto(`${service.url}${area === 'Usage' ? '/' : '/messages'}?period=2024-05`)
      await page.locator('.loading').waitFor()
      assert.equal(await page.getByText(/\d+ messages?\b/).count(), 0, 'no count while loading')
    }
    totals.release()
    await settled(page)
    await page.unrouteAll()
    await goTo(page, 'Usage')
    const others = await hold(page, '**/v1/usage/totals?*')
    await picker(page).selectOption('2024-04')
    await page.locator('.loading').waitFor()
    assert.equal(await page.locator('.figure, .bar[data-bar], .newest td').count(), 0)
    assert.match(await pickedName(page), /Apr 2024/)
    others.release()
    await settled(page)
    assert.equal(await figure(page, 'Messages').textContent(), '1')
  })
})

describe('a link', { skip: noBrowser }, () => {
  let service: Running
  before(async () => {
    service = await startWithUsage()
  })
  after(() => service?.[Symbol.asyncDispose]())

  const copied = async (page: Page): Promise<string> => {
    await page.context().grantPermissions(['clipboard-read', 'clipboard-write'])
    await button(page, 'Copy link').click()
    await button(page, 'Copied').waitFor()
    return page.evaluate(() => navigator.clipboard.readText())
  }

  test('names the period and the organization, so that it means the same later and to others', async () => {
    const month = new Date().toJSON().slice(0, 7)
    await using opened = await openPage(browser, `${service.url}/messages?sort=-credits`)
    const { page } = opened
    await settled(page)
    const [before] = await page.locator('.copy-link').evaluateAll((all) => all.map((each) => each.clientWidth))
    assert.equal(await copied(page), `${service.url}/messages?organization=default&period=${month}&sort=-credits`)
    const [during] = await page.locator('.copy-link').evaluateAll((all) => all.map((each) => each.clientWidth))
    assert.equal(during, before, 'nothing moves')
    assert.equal(new URL(page.url()).search, '?sort=-credits', 'the reader stays on the running period')
    await button(page, 'Copy link').waitFor()
    await page.goto(`${service.url}/?period=previous`)
    await settled(page)
    assert.match(await copied(page), /\?organization=default&period=\d{4}-\d\d$/)
  })

  test('that asks for a day of another period says so, instead of dropping it', async () => {
    await using opened = await openPage(browser, `${service.url}/?period=2024-05&at=2024-04-05T00:00:00.000Z`)
    const { page } = opened
    await settled(page)
    const notice = page.getByRole('status').filter({ hasText: 'The address asks for Fri, 5 Apr 2024, which is not in' })
    await notice.getByRole('button', { name: 'Dismiss' }).click()
    await notice.waitFor({ state: 'detached' })
    assert.equal(new URL(page.url()).search, '?period=2024-05')
  })
})

describe('a running period', { skip: noBrowser }, () => {
  /** The usage that the page asks for from now on; its own code may come at any idle moment. */
  const askedFor = (page: Page): string[] => {
    const asked: string[] = []
    page.on('request', (request) => {
      if (new URL(request.url()).pathname.startsWith('/v1/')) asked.push(request.url())
    })
    return asked
  }

  test('shows an accepted message within five seconds, and asks for nothing else meanwhile', async () => {
    await using service = await startWithUsage()
    await using opened = await openPage(browser, `${service.url}/`)
    const { page } = opened
    await settled(page)
    const dot = page.locator('.live')
    await dot.waitFor()
    const box = await dot.evaluate((element) => getComputedStyle(element, '::before').width)
    assert.equal(box, '8px')
    const asked = askedFor(page)
    await page.waitForRequest(/totals\?.*bucket=none/)
    await page.waitForRequest(/totals\?.*bucket=none/)
    assert.deepEqual(
      asked.filter((url) => !/totals\?period=current&bucket=none$/.test(url)),
      [],
    )
    const started = Date.now()
    await report(service.url, [messageAt(5, new Date().toJSON())])
    await figure(page, 'Messages').filter({ hasText: '2' }).waitFor()
    await page.locator('.newest .c-id').filter({ hasText: '5' }).waitFor()
    assert.ok(Date.now() - started < 5000, `${Date.now() - started} ms`)
    assert.match(await page.locator('.state').innerText(), /Live · updated [0-4] s ago/)
  })

  test('is not asked about while the tab is hidden, and at once when it is seen again', async () => {
    await using service = await startWithUsage()
    await using opened = await openPage(browser, 'about:blank')
    const { page } = opened
    await page.clock.install()
    await page.goto(`${service.url}/`)
    await settled(page)
    const setVisible = (state: 'hidden' | 'visible'): Promise<void> =>
      page.evaluate((wanted) => {
        Object.defineProperty(document, 'visibilityState', { configurable: true, get: () => wanted })
        document.dispatchEvent(new Event('visibilitychange', { bubbles: true }))
      }, state)
    await setVisible('hidden')
    const asked = askedFor(page)
    await page.clock.runFor(120_000)
    assert.deepEqual(asked, [])
    await report(service.url, [messageAt(5, new Date().toJSON())])
    await setVisible('visible')
    await figure(page, 'Messages').filter({ hasText: '2' }).waitFor()
  })
})

describe('if the service cannot be reached', { skip: noBrowser }, () => {
  const EXPECTED = { expected: /net::ERR/ }
  let service: Running
  before(async () => {
    service = await startWithUsage()
  })
  after(() => service?.[Symbol.asyncDispose]())

  const alerts = (page: Page): Locator => page.getByRole('alert')
  const cut = (page: Page): Promise<unknown> => page.route('**/v1/**', (route) => route.abort())

  test('one notice says so, what is shown stays, and the page recovers by itself', async () => {
    await using opened = await openPage(browser, `${service.url}/messages?period=2024-05`, EXPECTED)
    const { page } = opened
    await settled(page)
    await cut(page)
    await button(page, 'Refresh').click()
    await alerts(page).filter({ hasText: 'The service cannot be reached.' }).waitFor()
    assert.match(await alerts(page).innerText(), /Showing 1.+31 May 2024 as of \d\d-\d\d-\d{4} \d\d:\d\d\./)
    assert.equal(await alerts(page).count(), 1)
    assert.deepEqual(await allIds(page), ['3', '2'])
    await page.unrouteAll()
    await alerts(page).waitFor({ state: 'detached' })
    assert.deepEqual(await allIds(page), ['3', '2'])
  })

  test('it is noticed without a click, and the dot goes out', async () => {
    await using opened = await openPage(browser, `${service.url}/`, EXPECTED)
    const { page } = opened
    await settled(page)
    await page.locator('.live').waitFor()
    await cut(page)
    await alerts(page).filter({ hasText: 'The service cannot be reached.' }).waitFor()
    assert.equal(await page.locator('.live').count(), 0)
    assert.equal(await figure(page, 'Messages').textContent(), '1')
    await page.unrouteAll()
    await page.locator('.live').waitFor()
    assert.equal(await alerts(page).count(), 0)
  })

  test('a period that cannot be loaded leaves the one before under its own name, and comes by itself', async () => {
    await using opened = await openPage(browser, `${service.url}/?period=2024-05`, EXPECTED)
    const { page } = opened
    await settled(page)
    await cut(page)
    await picker(page).selectOption('2024-04')
    await alerts(page).waitFor()
    assert.equal(await alerts(page).count(), 1)
    assert.match(await pickedName(page), /May 2024/)
    assert.match(await page.title(), /May 2024/)
    // Nothing flickers with each attempt.
    await page.evaluate(`
      globalThis.flickers = 0
      new MutationObserver(() => {
        if (document.querySelector('main > [role=alert] + .content:not(.loading)') === null) globalThis.flickers++
      }).observe(document.querySelector('main'), { childList: true, subtree: true })`)
    await page.waitForRequest('**/v1/usage/totals?period=2024-04*')
    await page.waitForRequest('**/v1/usage/totals?period=2024-04*')
    await page.waitForRequest('**/v1/usage/totals?period=2024-04*')
    assert.equal(await page.evaluate('globalThis.flickers'), 0)
    assert.equal(await figure(page, 'Messages').textContent(), '2')
    await page.unrouteAll()
    await figure(page, 'Messages').filter({ hasText: '1' }).waitFor()
    assert.match(await pickedName(page), /Apr 2024/)
    assert.equal(await alerts(page).count(), 0)
  })

  test('a choice that failed can be taken back', async () => {
    await using opened = await openPage(browser, `${service.url}/?period=2024-05`, EXPECTED)
    const { page } = opened
    await settled(page)
    await cut(page)
    await picker(page).selectOption('2024-04')
    await page.getByRole('button', { name: /^Stay with/ }).click()
    await page.waitForURL('**/?period=2024-05')
    assert.equal(await figure(page, 'Messages').textContent(), '2')
  })
})

describe('the organization', { skip: noBrowser }, () => {
  /** Two organizations with one message each, and a key for each and for the operator. */
  const startTwo = async () => {
    const service = await startService({})
    const { url } = service
    for (const [id, name] of [
      ['acme', 'Acme Ltd'],
      ['globex', 'Globex'],
    ] as const) {
      await callService(url, 'POST', '/v1/organizations', { id, name })
      await report(url, [messageAt(id.length, new Date().toJSON())], id)
    }
    const makeKey = async (organization: string, scopes: readonly string[], by?: string): Promise<string> => {
      const response = await fetch(`${url}/v1/keys?organization=${organization}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...(by !== undefined && { authorization: `Bearer ${by}` }) },
        body: JSON.stringify({ scopes }),
      })
      return ((await response.json()) as { readonly key: string }).key
    }
    const operator = await makeKey('default', ['admin'])
    return {
      url,
      operator,
      acme: await makeKey('acme', ['usage:read'], operator),
      globex: await makeKey('globex', ['usage:read'], operator),
      [Symbol.asyncDispose]: () => service[Symbol.asyncDispose](),
    }
  }
  const expected = /status of (400|401|404)/
  const signIn = async (page: Page, key: string): Promise<void> => {
    await page.getByLabel('API key').fill(key)
    await page.getByRole('button', { name: 'Sign in' }).click()
  }

  test('is switched by an operator, and only named for others', async () => {
    await using two = await startTwo()
    await using opened = await openPage(browser, `${two.url}/messages`, { expected })
    const { page } = opened
    await signIn(page, two.operator)
    await settled(page)
    const switcher = page.getByLabel('Organization')
    await switcher.locator('option', { hasText: 'Globex' }).waitFor({ state: 'attached' })
    await switcher.selectOption('globex')
    await page.waitForURL('**/messages?organization=globex')
    await settled(page)
    assert.deepEqual(await allIds(page), ['6'])
    assert.match(await page.title(), /^Globex · Messages · /)
    await switcher.selectOption('acme')
    await settled(page)
    assert.deepEqual(await allIds(page), ['4'])
    for (const width of [1440, 1280, 1241, 1240, 1024, 861]) {
      await page.setViewportSize({ width, height: 900 })
      const [bar, main] = await page.evaluate(() =>
        [document.querySelector('.bar'), document.documentElement].map(
          (each) => each?.[each.matches('.bar') ? 'clientHeight' : 'scrollWidth'],
        ),
      )
      assert.deepEqual([bar, main], [55, width], 'everything is in one row')
    }
    await button(page, 'More').click()
    await button(page, 'Sign out').click()
    await page.setViewportSize({ width: 1440, height: 900 })
    await signIn(page, two.acme)
    await settled(page)
    assert.equal(await switcher.count(), 0)
    assert.equal(await page.locator('.organization').innerText(), 'Acme Ltd')
  })

  test('in the address is never replaced by another: a wrong one is an error', async () => {
    await using two = await startTwo()
    await using opened = await openPage(browser, `${two.url}/`, { expected })
    const { page } = opened
    await signIn(page, two.operator)
    await settled(page)
    for (const wrong of ['Acme', 'nobody', 'No Such!', '']) {
      await page.goto(`${two.url}/?organization=${encodeURIComponent(wrong)}`)
      const alert = page.getByRole('alert')
      await alert.filter({ hasText: `No organization called “${wrong}”.` }).waitFor()
      assert.equal(await page.locator('.figures, .newest, .rows').count(), 0, wrong)
      assert.equal(await page.getByText('Default', { exact: true }).count(), 0, wrong)
      await alert.getByRole('button', { name: 'Show your organization' }).click()
      await settled(page)
      assert.equal(new URL(page.url()).search, '')
    }
  })

  test('that changes with a sign-in in another tab is announced in this one', async () => {
    await using two = await startTwo()
    await using opened = await openPage(browser, `${two.url}/`, { expected })
    const { page } = opened
    await signIn(page, two.acme)
    await settled(page)
    await page.locator('.newest a').click()
    await page.getByRole('dialog', { name: 'Message 4' }).locator('tfoot').waitFor()
    const other = await page.context().newPage()
    await other.goto(`${two.url}/`)
    await button(other, 'Sign out').click()
    await signIn(other, two.globex)
    await settled(other)
    await page.bringToFront()
    const notice = page.getByRole('alert').filter({ hasText: 'This tab now shows Globex.' })
    await notice.waitFor()
    assert.match(await notice.innerText(), /Before, this tab showed Acme Ltd\./)
    assert.equal(await page.getByRole('dialog').count(), 0)
    await settled(page)
    assert.deepEqual(await page.locator('.newest .c-id').allInnerTexts(), ['6'])
    await notice.getByRole('button', { name: 'Dismiss' }).click()
    await notice.waitFor({ state: 'detached' })
  })
})

describe('the typeface', { skip: noBrowser }, () => {
  test('is Inter from the service itself, there for the first view, and only the letters on the page', async () => {
    await using service = await startWithUsage()
    await using opened = await openPage(browser, 'about:blank')
    const { page } = opened
    const fonts: string[] = []
    page.on('request', (request) => {
      if (request.resourceType() === 'font') fonts.push(new URL(request.url()).pathname)
    })
    await page.goto(`${service.url}/`)
    await settled(page)
    const loaded = await page.evaluate(() =>
      [...document.fonts].filter(({ status }) => status === 'loaded').map(({ family }) => family.replaceAll('"', '')),
    )
    assert.deepEqual(loaded, ['Inter'])
    assert.equal(fonts.length, 1)
    assert.match(fonts[0] ?? '', /^\/assets\/inter-latin-/)
    // The text is as wide as in Inter and not as in the next font of the list.
    const widths = await page.evaluate(() => {
      const measure = (family: string): number => {
        const context = document.createElement('canvas').getContext('2d')
        if (context === null) return 0
        context.font = `600 20px ${family}`
        return context.measureText('Credits this period 1,234.56').width
      }
      return [measure('Inter'), measure('sans-serif')]
    })
    assert.notEqual(widths[0], widths[1])
    // Figures stand below each other.
    for (const place of ['.figure.main .value', '.ranking td', '.newest td.c-credits', '.tick']) {
      const [zeros, ones] = await page
        .locator(place)
        .first()
        .evaluate((element) =>
          ['0', '1'].map((digit) => {
            const { fontVariantNumeric } = getComputedStyle(element)
            const line = document.createElement('span')
            line.style.cssText = `position: absolute; font-variant-numeric: ${fontVariantNumeric}`
            line.textContent = digit.repeat(100)
            document.body.append(line)
            const { width } = line.getBoundingClientRect()
            line.remove()
            return width
          }),
        )
      assert.ok(zeros !== undefined && zeros > 300, place)
      assert.equal(ones, zeros, place)
    }
  })
})

describe('the frame on a phone', { skip: noBrowser }, () => {
  test('has targets of 44 pixels to change the area, shows every control whole, and no wider than the screen', async () => {
    await using service = await startWithUsage()
    await using opened = await openPage(browser, `${service.url}/`, { viewport: { width: 390, height: 844 } })
    const { page } = opened
    await settled(page)
    const boxes = await page
      .locator('.areas a, .page-head button, .page-head select, header button, header select')
      .evaluateAll((all) =>
        all.map((each) => {
          const { left, right, height } = each.getBoundingClientRect()
          return { name: each.textContent.slice(0, 20), isLink: each.tagName === 'A', left, right, height }
        }),
      )
    for (const { name, isLink, left, right, height } of boxes) {
      assert.ok(left >= 0 && right <= 390, `${name} from ${left} to ${right}`)
      if (isLink) assert.ok(height >= 44, `${name} is ${height} high`)
    }
    assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), 390)
  })

  test('wraps the areas where a row has no room for them', async () => {
    await using service = await startWithUsage()
    await using opened = await openPage(browser, `${service.url}/`, { viewport: { width: 320, height: 700 } })
    const { page } = opened
    await settled(page)
    const boxes = await page.locator('.areas a').evaluateAll((all) =>
      all.map((each) => {
        const { left, right, height } = each.getBoundingClientRect()
        return { left, right, height }
      }),
    )
    assert.equal(boxes.length, AREAS.length)
    for (const { left, right, height } of boxes) {
      assert.ok(left >= 0 && right <= 320, `from ${left} to ${right}`)
      assert.ok(height >= 44, `${height} high`)
    }
    assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), 320)
  })
})
