/** The dashboard for everybody: what axe finds, narrow and zoomed, by keyboard alone, and as the system wants it. */
import assert from 'node:assert/strict'
import type { ServerResponse } from 'node:http'
import { after, before, describe, test } from 'node:test'
import axe, { type AxeResults } from 'axe-core'
import type { Browser, CDPSession, Locator, Page } from 'playwright-core'
import { type Running, send, sendListing, startCopilot, startService } from '../../test/harness.ts'
import { launchBrowser, noBrowser, type Opened, openPage } from './browser.ts'
import { allIds, bars, callService, header, settled, sumShown } from './pages.ts'

let browser: Browser
before(async () => {
  if (noBrowser === false) browser = await launchBrowser()
})
after(() => browser?.close())

const QUERY = '?period=2024-05'
const MESSAGES = 240
const DAYS = 25
const REPORTS = [
  ...['Lease Report', 'Tenant Obligations Report', 'Rent Roll', 'Break Clauses', 'Service Charges', 'Insurance'],
  'Landlord’s obligations, covenants, repairing liabilities and everything else that anybody could want to know',
  'Report_without_any_space_in_its_name_that_could_let_it_be_broken_into_several_lines',
]

/** A month of usage of every kind, one of large amounts, and an organization without any. */
const startWithUsage = async (): Promise<Running> => {
  const service = await startService({})
  const { url } = service
  for (const [index, name] of REPORTS.entries()) {
    await callService(url, 'PUT', `/v1/reports/${index + 1}`, { name, credit_cost: 10 * index + 9.5 })
  }
  await callService(url, 'PUT', '/v1/reports/99', { name: 'The Domesday Book', credit_cost: 123_456.789_012 })
  const messages = Array.from({ length: MESSAGES }, (_, index) => ({
    id: index,
    text: 'What is the lease term? '.repeat((index % 5) + 1),
    timestamp: `2024-05-${String((index % DAYS) + 1).padStart(2, '0')}T09:30:00Z`,
    ...(index % 3 === 1 && { report_id: (index % REPORTS.length) + 1 }),
    ...(index % 4 !== 0 && { user_id: ['ada', 'grace', 'somebody.with-a-very-long-name@example.com'][index % 3] }),
  }))
  const large = { id: 'large', text: 'a', timestamp: '2024-03-02T00:00:00Z', report_id: 99 }
  await callService(url, 'POST', '/v1/messages', { messages: [...messages, large] })
  await callService(url, 'POST', '/v1/organizations', { id: 'acme', name: 'Acme Ltd' })
  return service
}

/** An upstream that lists a week of 2024 until it is made to fail, and the service that asks it. */
const startWithUpstream = async () => {
  const state = { isFailing: false }
  const messages = [1, 2, 3].map((id) => ({ id, text: 'a b', timestamp: `2024-05-0${id * 2}T08:00:00Z`, report_id: 1 }))
  const copilot = await startCopilot({
    listing: (request, response) =>
      state.isFailing ? send(response, 500, 'out of order') : sendListing(messages)(request, response),
    report: (_: string, __: unknown, response: ServerResponse) =>
      send(response, 200, { id: 1, name: 'Lease Report', credit_cost: 79 }),
  })
  const service = await startService({ UPSTREAM_URL: copilot.url, UPSTREAM_ATTEMPTS: '1' })
  return {
    url: service.url,
    fail: (isSo: boolean) => {
      state.isFailing = isSo
    },
    [Symbol.asyncDispose]: async () => {
      await service[Symbol.asyncDispose]()
      await copilot[Symbol.asyncDispose]()
    },
  }
}

const startKeyed = async () => {
  const service = await startService({})
  const { key } = (await callService(service.url, 'POST', '/v1/keys', { scopes: ['usage:read'] })) as { key: string }
  return { url: service.url, key, [Symbol.asyncDispose]: () => service[Symbol.asyncDispose]() }
}

const REFUSED = /status of (401|404|502)/

describe('every view', { skip: noBrowser }, () => {
  const stack = new AsyncDisposableStack()
  let usage: Running
  let opened: Opened
  before(async () => {
    usage = stack.use(await startWithUsage())
    opened = stack.use(await openPage(browser, 'about:blank', { expected: REFUSED }))
  })
  after(() => stack.disposeAsync())

  const open = async (url: string): Promise<Page> => {
    const { page } = opened
    await resize(page, 1440, 900)
    await page.goto(url)
    return page
  }
  /** A view of the usage. */
  const openUsage = (query: string) => async (): Promise<Page> => {
    const page = await open(`${usage.url}/${query}`)
    await settled(page)
    return page
  }
  const openCharge = (query: string) => async (): Promise<Page> => {
    const page = await openUsage(query)()
    await page.locator('dialog tfoot').waitFor()
    return page
  }
  const openUpstream = async (isFailingFromTheStart: boolean): Promise<Page> => {
    const { url, fail } = stack.use(await startWithUpstream())
    if (!isFailingFromTheStart) await callService(url, 'GET', '/usage')
    fail(true)
    const page = await open(`${url}/`)
    await page.locator(isFailingFromTheStart ? 'main > [role=alert]' : 'header .badge').waitFor()
    return page
  }

  const views: Readonly<Record<string, () => Promise<Page>>> = {
    'the overview': openUsage(QUERY),
    'large amounts': openUsage('?period=2024-03'),
    'by report': openUsage(`${QUERY}&group=report`),
    'by member': openUsage(`${QUERY}&group=member`),
    'sorted, filtered and narrowed to a day': openUsage(
      `${QUERY}&sort=report,-credits&at=2024-05-05T00:00:00.000Z&min=2&search=1`,
    ),
    'filters that nothing fits': openUsage(`${QUERY}&min=1000000`),
    'a free range': openUsage('?from=2024-05-01&to=2024-05-02'),
    'why a text cost what it did': openCharge(`${QUERY}&message=2`),
    'why a report cost what it did': openCharge(`${QUERY}&message=7`),
    'no such message': async () => {
      const page = await openUsage(`${QUERY}&message=nobody`)()
      await page.locator('dialog [role=alert]').waitFor()
      return page
    },
    'try it': async () => {
      const page = await openUsage(`${QUERY}&try=`)()
      await page.getByRole('textbox', { name: 'Message', exact: true }).fill('What is the lease term? '.repeat(9))
      return page
    },
    'a sign-in that failed': async () => {
      const { url } = stack.use(await startKeyed())
      const page = await open(`${url}/`)
      await page.getByLabel('API key').fill('hunter2')
      await page.keyboard.press('Enter')
      await page.getByText('This key is unknown or was revoked.').waitFor()
      return page
    },
    'an organization without usage': openUsage('?organization=acme'),
    'the last good answer': () => openUpstream(false),
    'no answer': () => openUpstream(true),
    'the bundled sample': async () => {
      const page = await open(`${stack.use(await startService({})).url}/`)
      await settled(page)
      await page.getByText('This is the bundled sample:').waitFor()
      return page
    },
  }

  for (const [name, openView] of Object.entries(views)) {
    describe(name, () => {
      let page: Page
      before(async () => {
        page = await openView()
      })

      test('has nothing that axe finds wrong, light and dark, wide and narrow', async () => {
        await page.evaluate(axe.source)
        const found: string[] = []
        for (const width of [1440, 390]) {
          for (const colorScheme of ['light', 'dark'] as const) {
            await page.emulateMedia({ colorScheme })
            await resize(page, width, 900)
            // All but the colours is the same in both.
            const rules = colorScheme === 'light' ? TAGS : COLOURS
            for (const violation of await violationsOf(page, rules))
              found.push(`${width} px, ${colorScheme}: ${violation}`)
          }
        }
        assert.deepEqual(found, [])
      })

      test('has targets of 24 pixels or more, wide and narrow', async () => {
        for (const width of [1440, 390]) {
          await resize(page, width, 900)
          assert.deepEqual(await smallTargets(page), [], `${width} px`)
        }
      })

      test('fits the width of a small telephone, and of a page at 200 %, with nothing cut off', async () => {
        for (const [width, scale] of [
          [360, 1],
          [720, 2],
        ] as const) {
          await resize(page, width, 640, scale)
          assert.deepEqual(await tooWide(page), [], `${width} px at ${scale}`)
        }
      })

      test('shows times and credits whole on a tablet', async () => {
        await resize(page, 800, 900)
        assert.deepEqual(await cutOff(page), [])
      })
    })
  }
})

const cutOff = (page: Page): Promise<readonly string[]> =>
  page.evaluate(() =>
    [...document.querySelectorAll('.head .c-id, .head .c-at, .body .c-at, .body .c-credits')]
      .filter(({ clientWidth, scrollWidth }) => scrollWidth > clientWidth)
      .map(({ textContent }) => textContent),
  )

/** A page keeps its size only as long as the session that gave it stays attached. */
const sizing = new WeakMap<Page, CDPSession>()

/** And until it has been painted in that size. */
const resize = async (page: Page, width: number, height: number, deviceScaleFactor = 1): Promise<void> => {
  const devtools = sizing.get(page) ?? (await page.context().newCDPSession(page))
  sizing.set(page, devtools)
  await devtools.send('Emulation.setDeviceMetricsOverride', { width, height, deviceScaleFactor, mobile: false })
  await page.waitForFunction((wanted) => innerWidth === wanted, width)
  await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))))
}

const COLOURS = ['color-contrast', 'link-in-text-block']
const TAGS = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']

const violationsOf = async (page: Page, runOnly: readonly string[]): Promise<readonly string[]> => {
  const options = { runOnly, resultTypes: ['violations'] }
  const results = (await page.evaluate(`axe.run(document, ${JSON.stringify(options)})`)) as AxeResults
  return results.violations.map(({ id, nodes }) => {
    const [first] = nodes
    return `${id} at ${nodes.length} places, first ${first?.html.slice(0, 200)}: ${first?.failureSummary}`
  })
}

/**
 * What is pressed, chosen or typed into and smaller than WCAG 2.2 wants it (2.5.8). A link in a sentence may be, and so may
 * the bars: the choice of a day does the same.
 */
const smallTargets = (page: Page): Promise<readonly string[]> =>
  page.evaluate(() =>
    [...document.querySelectorAll('a[href], button, select, input, textarea')].flatMap((element) => {
      const { width, height } = element.getBoundingClientRect()
      const isSmall = width < 24 || height < 24
      return isSmall && element.closest('p') === null
        ? [`${element.outerHTML.slice(0, 120)}: ${width} × ${height}`]
        : []
    }),
  )

/** What makes the page scroll sideways, and what is cut off without a sign of it. The table scrolls in its own frame. */
const tooWide = (page: Page): Promise<readonly string[]> =>
  page.evaluate(() => {
    const found: string[] = []
    const wide = (element: Element): string =>
      `${element.tagName} ${element.className} is ${element.scrollWidth} wide in ${element.clientWidth}`
    if (document.documentElement.scrollWidth > innerWidth) found.push(wide(document.documentElement))
    for (const element of document.querySelectorAll(
      'dialog, .figures, .figure, .value, .card, header, select, .notice',
    )) {
      const isChoice = element instanceof HTMLSelectElement
      if (!isChoice && element.scrollWidth > element.clientWidth + 1) found.push(wide(element))
      const { left, right } = element.getBoundingClientRect()
      if (left < 0 || right > innerWidth + 1) found.push(`${element.tagName} ${element.className} ends at ${right}`)
    }
    return found
  })

describe('by keyboard alone', { skip: noBrowser }, () => {
  let service: Running
  before(async () => {
    service = await startWithUsage()
  })
  after(() => service?.[Symbol.asyncDispose]())
  const open = async (more = '') => {
    const opened = await openPage(browser, `${service.url}/${QUERY}${more}`)
    await settled(opened.page)
    return opened
  }
  const row = (page: Page, index: number): Locator => page.locator(`[data-row="${index}"] a`)
  const button = (page: Page, name: string): Locator => page.getByRole('button', { name, exact: true })
  const sortButton = (page: Page, name: string): Locator => header(page, name).getByRole('button')

  test('each thing that can be used is come to, once, in the order in which it is seen, and is seen to have the focus', async () => {
    await using opened = await open('&min=1')
    const { page } = opened
    for (const each of [
      button(page, 'Try it'),
      page.getByLabel('Theme'),
      page.getByLabel('Period', { exact: true }),
      button(page, 'Refresh'),
      page.getByLabel('Stacked by'),
      bars(page).nth(0),
      button(page, 'Export CSV'),
      page.getByLabel('Message ID has'),
      page.getByLabel('Day', { exact: true }),
      page.getByLabel('Report', { exact: true }),
      page.getByLabel('Member', { exact: true }),
      page.getByLabel('Credits at least'),
      button(page, 'Clear filters'),
      sortButton(page, 'Report Name'),
      sortButton(page, 'Credits Used'),
      row(page, 0),
    ]) {
      await page.keyboard.press('Tab')
      await assertFocus(page, each)
    }
  })

  test('any days are picked', async () => {
    await using opened = await open()
    const { page } = opened
    const picker = page.getByLabel('Period', { exact: true })
    await tabTo(page, picker)
    await page.keyboard.type('Free')
    await page.waitForURL(`${service.url}/?from=2024-05-01&to=2024-05-31`)
    await settled(page)
    await assertFocus(page, picker)
    const from = page.getByLabel('From', { exact: true })
    await tabTo(page, from)
    // The day or the month, whichever the browser has first.
    await page.keyboard.press('ArrowDown')
    await page.waitForURL(({ searchParams }) => searchParams.get('from') !== '2024-05-01')
    await settled(page)
    await assertFocus(page, from)
  })

  test('a text is tried, and Escape gives the focus back', async () => {
    await using opened = await open()
    const { page } = opened
    await tabTo(page, button(page, 'Try it'))
    await page.keyboard.press('Enter')
    const panel = page.getByRole('dialog', { name: 'Try it' })
    await panel.waitFor()
    await tabTo(page, panel.getByRole('textbox'))
    await page.keyboard.type('orbital latibro')
    await panel.locator('.big', { hasText: '2.10' }).waitFor()
    await page.keyboard.press('Escape')
    await panel.waitFor({ state: 'hidden' })
    await assertFocus(page, button(page, 'Try it'))
  })

  test('a day is looked at and chosen in the chart', async () => {
    await using opened = await open()
    const { page } = opened
    await tabTo(page, bars(page).nth(0))
    for (const [key, index] of [
      ['ArrowRight', 1],
      ['End', 30],
      ['ArrowRight', 30],
      ['Home', 0],
      ['ArrowLeft', 0],
      ['ArrowRight', 1],
    ] as const) {
      await page.keyboard.press(key)
      await assertFocus(page, bars(page).nth(index))
      assert.equal(await page.locator('.tip').count(), 1)
    }
    await page.keyboard.press('Escape')
    assert.equal(await page.locator('.tip').count(), 0, 'what covers something can be sent away')
    await assertFocus(page, bars(page).nth(1))
    await page.keyboard.press('Enter')
    await sumShown(page).filter({ hasText: '10 messages' }).waitFor()
    await assertFocus(page, bars(page).nth(1))
    assert.equal(await bars(page).nth(1).getAttribute('aria-pressed'), 'true')
    await page.keyboard.press('Space')
    await sumShown(page)
      .filter({ hasText: `${MESSAGES} messages` })
      .waitFor()
    await assertFocus(page, bars(page).nth(1))
    assert.equal(await bars(page).nth(1).getAttribute('aria-pressed'), 'false')
  })

  test('the messages are sorted, and what they are sorted by is said', async () => {
    await using opened = await open()
    const { page } = opened
    const said = page.locator('.table-card > [role=status]')
    await tabTo(page, sortButton(page, 'Credits Used'))
    const before = await allIds(page)
    for (const [key, order, saying] of [
      ['Enter', 'ascending', 'Messages sorted by Credits Used ascending'],
      ['Space', 'descending', 'Messages sorted by Credits Used descending'],
      ['Enter', 'none', 'Messages in their original order'],
    ] as const) {
      await page.keyboard.press(key)
      await said.filter({ hasText: saying }).waitFor()
      assert.equal(await header(page, 'Credits Used').getAttribute('aria-sort'), order)
      await assertFocus(page, sortButton(page, 'Credits Used'))
      assert.equal((await allIds(page)).join() === before.join(), order === 'none')
    }
  })

  test('one goes from row to row, also to those that are not drawn, and no row is under the head', async () => {
    await using opened = await open()
    const { page } = opened
    await tabTo(page, row(page, 0))
    const last = MESSAGES - 1
    assert.equal(await row(page, last).count(), 0)
    let at = 0
    for (const [key, isRight] of [
      ['ArrowUp', (index: number) => index === 0],
      ['ArrowDown', (index: number) => index === 1],
      ['PageDown', (index: number) => index > 10 && index < 30],
      ['PageDown', (index: number) => index > 20 && index < 60],
      ['PageUp', (index: number) => index > 10 && index < 30],
      ['End', (index: number) => index === last],
      ['ArrowDown', (index: number) => index === last],
      ['ArrowUp', (index: number) => index === last - 1],
      ['PageUp', (index: number) => index < last - 10],
      ['Home', (index: number) => index === 0],
    ] as const) {
      await page.keyboard.press(key)
      await painted(page)
      at = Number(await page.evaluate(() => document.activeElement?.closest('[data-row]')?.getAttribute('data-row')))
      assert.ok(isRight(at), `${key} led to ${at}`)
      await assertFocus(page, row(page, at))
    }
    // Up again from far below: each row comes into view from under the head.
    await page.keyboard.press('End')
    for (let step = 1; step <= 25; step++) {
      await page.keyboard.press('ArrowUp')
      await painted(page)
      await assertFocus(page, row(page, last - step))
    }
    // The wheel goes elsewhere: the row that has the focus keeps it.
    await page.locator('.scroller').evaluate((scroller) => scroller.scrollTo(0, 0))
    await painted(page)
    await page.keyboard.press('ArrowDown')
    await painted(page)
    await assertFocus(page, row(page, last - 24))
  })

  test('a row is opened, and Escape leads back to it', async () => {
    await using opened = await open('&sort=-credits')
    const { page } = opened
    await tabTo(page, row(page, 0))
    await page.keyboard.press('End')
    await painted(page)
    await page.keyboard.press('ArrowUp')
    await painted(page)
    const link = row(page, MESSAGES - 2)
    const id = await link.innerText()
    await page.keyboard.press('Enter')
    const panel = page.getByRole('dialog', { name: `Message ${id}`, exact: true })
    await panel.locator('tfoot').waitFor()
    await page.keyboard.press('Escape')
    await panel.waitFor({ state: 'hidden' })
    await assertFocus(page, link)
    assert.equal(await link.innerText(), id)
  })

  test('the messages are exported and the filters cleared, and the focus stays', async () => {
    await using opened = await open('&min=2')
    const { page } = opened
    await tabTo(page, button(page, 'Export CSV'))
    const waiting = page.waitForEvent('download')
    await page.keyboard.press('Enter')
    await waiting
    await painted(page)
    await assertFocus(page, button(page, 'Export CSV'))
    await tabTo(page, button(page, 'Clear filters'))
    await page.keyboard.press('Enter')
    await sumShown(page)
      .filter({ hasText: `${MESSAGES} messages` })
      .waitFor()
    await assertFocus(page, button(page, 'Clear filters'))
    assert.equal(await button(page, 'Clear filters').getAttribute('aria-disabled'), 'true')
  })

  test('one signs in and out, and is never nowhere', async () => {
    await using keyed = await startKeyed()
    await using opened = await openPage(browser, `${keyed.url}/`, { expected: REFUSED })
    const { page } = opened
    const input = page.getByLabel('API key')
    await input.waitFor()
    await assertFocus(page, input)
    assert.match(await describedAs(input), /^Sign in with an API key of your organization\./)
    await page.keyboard.type('hunter2')
    await tabTo(page, button(page, 'Sign in'))
    await page.keyboard.press('Enter')
    await page.getByText('This key is unknown or was revoked.').waitFor()
    assert.match(await describedAs(input), /This key is unknown or was revoked\.$/)
    await assertFocus(page, button(page, 'Sign in'))
    await page.keyboard.press('Shift+Tab')
    await assertFocus(page, input)
    await page.keyboard.press('ControlOrMeta+A')
    await page.keyboard.type(keyed.key)
    await page.keyboard.press('Enter')
    await settled(page)
    await assertFocus(page, page.locator('main'))
    await page.keyboard.press('Shift+Tab')
    await tabBackTo(page, button(page, 'Sign out'))
    await page.keyboard.press('Enter')
    await input.waitFor()
    await assertFocus(page, input)
  })

  test('one tries again after a failure, and is then where the usage is', async () => {
    await using both = await startWithUpstream()
    both.fail(true)
    await using opened = await openPage(browser, `${both.url}/`, { expected: REFUSED })
    const { page } = opened
    await button(page, 'Try again').waitFor()
    await tabTo(page, button(page, 'Try again'))
    both.fail(false)
    await page.keyboard.press('Enter')
    await settled(page)
    await assertFocus(page, page.locator('main'))
  })
})

const painted = (page: Page): Promise<unknown> =>
  page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))))

const describedAs = (input: Locator): Promise<string> =>
  input.evaluate((element) =>
    (element.getAttribute('aria-describedby') ?? '')
      .split(' ')
      .map((id) => document.getElementById(id)?.textContent)
      .join(' ')
      .trim(),
  )

/** What has the focus is this, is in view, and is seen to have it. */
const assertFocus = async (page: Page, expected: Locator): Promise<void> => {
  assert.equal(await focusProblem(page), undefined)
  const isThere = await expected.evaluate((element) => element === document.activeElement)
  assert.ok(isThere, `the focus is at ${await page.evaluate(() => document.activeElement?.outerHTML.slice(0, 200))}`)
}

const focusProblem = (page: Page): Promise<string | undefined> =>
  page.evaluate(() => {
    const { activeElement: focused, body } = document
    if (focused === null || focused === body) return 'the focus is nowhere'
    const name = focused.outerHTML.slice(0, 200)
    // A bar is outlined by the ground that it stands on.
    const hit = focused.querySelector(':scope > .hit')
    const { outlineStyle, outlineWidth } = getComputedStyle(focused)
    const { stroke, strokeWidth } = getComputedStyle(hit ?? focused)
    const isMarked = hit === null ? outlineStyle !== 'none' : stroke !== 'none'
    if (!isMarked || Number.parseFloat(hit === null ? outlineWidth : strokeWidth) < 2) return `not marked: ${name}`
    const { left, top, width, height } = focused.getBoundingClientRect()
    if (focused.tagName === 'MAIN') return undefined
    const seen = document.elementFromPoint(left + width / 2, top + height / 2)
    return focused.contains(seen) ? undefined : `not in view: ${name}`
  })

const walkTo = async (page: Page, key: string, target: Locator): Promise<void> => {
  for (let presses = 0; presses < 40; presses++) {
    await page.keyboard.press(key)
    assert.equal(await focusProblem(page), undefined)
    if (await target.evaluate((element) => element === document.activeElement)) return
  }
  assert.fail(`${key} does not lead to ${target}`)
}
const tabTo = (page: Page, target: Locator): Promise<void> => walkTo(page, 'Tab', target)
const tabBackTo = (page: Page, target: Locator): Promise<void> => walkTo(page, 'Shift+Tab', target)

describe('as the system wants it', { skip: noBrowser }, () => {
  let service: Running
  before(async () => {
    service = await startWithUsage()
  })
  after(() => service?.[Symbol.asyncDispose]())

  for (const [name, options] of [
    ['with few colours on black', { forcedColors: 'active', colorScheme: 'dark' }],
    ['with few colours on white', { forcedColors: 'active', colorScheme: 'light' }],
    ['with much contrast', { contrast: 'more' }],
    ['with motion', { reducedMotion: 'no-preference' }],
  ] as const) {
    test(`${name}, everything is there, the parts of a bar can be told apart, and the focus is seen`, async () => {
      await using plain = await openPage(browser, `${service.url}/${QUERY}&group=report`)
      await using opened = await openPage(browser, `${service.url}/${QUERY}&group=report`, options)
      const texts: string[] = []
      for (const { page } of [plain, opened]) {
        await settled(page)
        await page.waitForFunction(
          () => getComputedStyle(document.querySelector('.content') ?? document.body).opacity === '1',
        )
        texts.push((await page.locator('body').innerText()).replace(/refreshed at\s+[\d:]+/, ''))
      }
      const { page } = opened
      assert.equal(texts[1], texts[0])
      const invisible = await page.evaluate(() => {
        const ground = getComputedStyle(document.querySelector('.chart-card') ?? document.body).backgroundColor
        const shown = [...document.querySelectorAll('.swatch rect:first-child')].map(
          (rect) => getComputedStyle(rect).fill,
        )
        const texts = [...document.querySelectorAll('.value, .tick, .head button, .body a, .legend li, label')]
        const inks = texts.map((text) => getComputedStyle(text)[text instanceof SVGElement ? 'fill' : 'color'])
        return [...shown, ...inks].filter((colour) => colour === ground || colour === 'none')
      })
      assert.deepEqual(invisible, [])
      await tabTo(page, bars(page).nth(0))
      await tabTo(page, row(page, 0))
    })
  }

  const row = (page: Page, index: number): Locator => page.locator(`[data-row="${index}"] a`)

  test('nothing moves by itself where no motion is wanted, not even while it loads', async () => {
    await using opened = await openPage(browser, 'about:blank')
    const { page } = opened
    const { promise, resolve } = Promise.withResolvers<void>()
    await page.route('**/v1/usage/totals?*', async (route) => {
      await promise
      await route.continue()
    })
    await page.goto(`${service.url}/${QUERY}`)
    await page.locator('.loading').waitFor()
    const moving = () => page.evaluate(() => document.getAnimations().length)
    assert.equal(await moving(), 0)
    await page.emulateMedia({ reducedMotion: 'no-preference' })
    assert.ok((await moving()) > 0)
    await page.emulateMedia({ reducedMotion: 'reduce' })
    resolve()
    await settled(page)
    assert.equal(await moving(), 0)
  })
})
