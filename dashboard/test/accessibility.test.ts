/** Accessibility: axe, narrow and zoomed pages, keyboard only, and the system's display settings. */
import assert from 'node:assert/strict'
import type { ServerResponse } from 'node:http'
import { after, before, describe, test } from 'node:test'
import axe, { type AxeResults } from 'axe-core'
import type { Browser, CDPSession, Locator, Page } from 'playwright-core'
import { type Running, send, sendListing, startCopilot, startService } from '../../test/harness.ts'
import { launchBrowser, noBrowser, type Opened, openPage } from './browser.ts'
import { allIds, bars, callService, goTo, header, settled, sumShown } from './pages.ts'

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

/** A month of every kind of usage, a month with a large amount, and an organization without usage. */
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

/** A service whose upstream lists a week of 2024 until it is made to fail. */
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

const REFUSED = /status of (400|401|404|502)/

describe('every view', { skip: noBrowser }, () => {
  const stack = new AsyncDisposableStack()
  // Disposed of after the page, which would complain that its service is gone.
  const services = stack.use(new AsyncDisposableStack())
  let usage: Running
  let opened: Opened
  before(async () => {
    usage = services.use(await startWithUsage())
    opened = stack.use(await openPage(browser, 'about:blank', { expected: REFUSED }))
  })
  after(() => stack.disposeAsync())

  const open = async (url: string): Promise<Page> => {
    const { page } = opened
    await resize(page, 1440, 900)
    await page.goto(url)
    return page
  }
  const openArea = (path: string, query: string) => async (): Promise<Page> => {
    const page = await open(`${usage.url}${path}${query}`)
    await settled(page)
    return page
  }
  const openUsage = (query: string) => openArea('/', query)
  const openMessages = (query: string) => openArea('/messages', query)
  const openCharge = (query: string) => async (): Promise<Page> => {
    const page = await openUsage(query)()
    await page.locator('dialog tfoot').waitFor()
    return page
  }
  const openUpstream = async (isFailingFromTheStart: boolean): Promise<Page> => {
    const { url, fail } = services.use(await startWithUpstream())
    if (!isFailingFromTheStart) await callService(url, 'GET', '/usage')
    fail(true)
    const page = await open(`${url}/`)
    await page.locator(isFailingFromTheStart ? 'main > [role=alert]' : '.page-head .badge').waitFor()
    return page
  }

  const views: Readonly<Record<string, () => Promise<Page>>> = {
    'the usage': openUsage(QUERY),
    'the messages': openMessages(QUERY),
    'the rate cards': openArea('/rate-cards', ''),
    'what arrives': openArea('/intake', ''),
    'what is for developers': openArea('/developers', ''),
    'the organizations': openArea('/organizations', ''),
    'large amounts': openUsage('?period=2024-03'),
    'messages of large amounts': openMessages('?period=2024-03'),
    'by report': openUsage(`${QUERY}&group=report`),
    'by member': openUsage(`${QUERY}&group=member`),
    'sorted, filtered and narrowed to a day': openMessages(
      `${QUERY}&sort=report,-credits&at=2024-05-05T00:00:00.000Z&min=2&search=1`,
    ),
    'filters that match nothing': openMessages(`${QUERY}&min=1000000`),
    'a custom range': openUsage('?from=2024-05-01&to=2024-05-02'),
    'an address of which nothing is valid': openUsage('?period=2024-13&at=2020-01-01T00:00:00Z&group=color'),
    'another organization than there is': async () => {
      const page = await open(`${usage.url}/?organization=Acme`)
      await page.locator('main > [role=alert]').waitFor()
      return page
    },
    'an unknown address': async () => {
      const page = await open(`${usage.url}/nowhere`)
      await page.getByText('There is nothing at').waitFor()
      return page
    },
    'the charge of a text': openCharge(`${QUERY}&message=2`),
    'the charge of a report': openCharge(`${QUERY}&message=7`),
    'an unknown message': async () => {
      const page = await openUsage(`${QUERY}&message=nobody`)()
      await page.locator('dialog [role=alert]').waitFor()
      return page
    },
    'try it': async () => {
      const page = await openUsage(`${QUERY}&try=`)()
      await page.getByRole('textbox', { name: 'Message', exact: true }).fill('What is the lease term? '.repeat(9))
      return page
    },
    'a failed sign-in': async () => {
      const { url } = services.use(await startKeyed())
      const page = await open(`${url}/`)
      await page.getByLabel('API key').fill('hunter2')
      await page.keyboard.press('Enter')
      await page.getByText('This key is unknown or revoked.').waitFor()
      return page
    },
    'an organization without usage': openUsage('?organization=acme'),
    'an organization without messages': openMessages('?organization=acme'),
    'the last known usage': () => openUpstream(false),
    'a failed upstream': () => openUpstream(true),
    'the bundled sample': async () => {
      const page = await open(`${services.use(await startService({})).url}/`)
      await settled(page)
      await page.getByText('This is sample data.').waitFor()
      return page
    },
  }

  for (const [name, openView] of Object.entries(views)) {
    describe(name, () => {
      let page: Page
      before(async () => {
        page = await openView()
      })

      test('passes axe, light and dark, wide and narrow', async () => {
        await page.evaluate(axe.source)
        const found: string[] = []
        for (const width of [1440, 390]) {
          for (const colorScheme of ['light', 'dark'] as const) {
            await page.emulateMedia({ colorScheme })
            await resize(page, width, 900)
            // Only the color rules can differ between light and dark.
            const rules = colorScheme === 'light' ? TAGS : COLOR_RULES
            for (const violation of await violationsOf(page, rules))
              found.push(`${width} px, ${colorScheme}: ${violation}`)
          }
        }
        assert.deepEqual(found, [])
      })

      test('has no target smaller than 24 pixels, wide and narrow', async () => {
        for (const width of [1440, 390]) {
          await resize(page, width, 900)
          assert.deepEqual(await smallTargets(page), [], `${width} px`)
        }
      })

      test('fits a small phone and a page at 200 % zoom, with nothing cut off', async () => {
        for (const [width, scale] of [
          [360, 1],
          [720, 2],
        ] as const) {
          await resize(page, width, 640, scale)
          assert.deepEqual(await tooWide(page), [], `${width} px at ${scale}`)
        }
      })

      test('shows times and credits in full, on a tablet and wide', async () => {
        for (const width of [800, 1100, 1440]) {
          await resize(page, width, 900)
          assert.deepEqual(await cutOff(page), [], `${width} px`)
        }
      })
    })
  }
})

const cutOff = (page: Page): Promise<readonly string[]> =>
  page.evaluate(() =>
    [...document.querySelectorAll('.head .c-id, .head .c-time, :is(.body, .newest) :is(.c-time, .c-at, .c-credits)')]
      .filter(({ clientWidth, scrollWidth }) => scrollWidth > clientWidth)
      .map(({ textContent }) => textContent),
  )

/** The CDP session of each page: the size override lasts only while it stays attached. */
const sizing = new WeakMap<Page, CDPSession>()

/** Resizes and waits until the page is painted in that size. */
const resize = async (page: Page, width: number, height: number, deviceScaleFactor = 1): Promise<void> => {
  const devtools = sizing.get(page) ?? (await page.context().newCDPSession(page))
  sizing.set(page, devtools)
  await devtools.send('Emulation.setDeviceMetricsOverride', { width, height, deviceScaleFactor, mobile: false })
  await page.waitForFunction((wanted) => innerWidth === wanted, width)
  await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))))
}

const COLOR_RULES = ['color-contrast', 'link-in-text-block']
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
 * Visible controls smaller than WCAG 2.2 allows (2.5.8). Links within a sentence are exempt, and so are the bars, as the select for
 * the day does the same.
 */
const smallTargets = (page: Page): Promise<readonly string[]> =>
  page.evaluate(() =>
    [...document.querySelectorAll('a[href], button, select, input, textarea')].flatMap((element) => {
      if (!element.checkVisibility()) return []
      const { width, height } = element.getBoundingClientRect()
      const isSmall = width < 24 || height < 24
      return isSmall && element.closest('p') === null
        ? [`${element.outerHTML.slice(0, 120)}: ${width} × ${height}`]
        : []
    }),
  )

/** Elements that make the page scroll sideways or are cut off. The table scrolls in its own box. */
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

describe('with the keyboard only', { skip: noBrowser }, () => {
  let service: Running
  before(async () => {
    service = await startWithUsage()
  })
  after(() => service?.[Symbol.asyncDispose]())
  const open = async (more = '', path = '/messages') => {
    const opened = await openPage(browser, `${service.url}${path}${QUERY}${more}`)
    await settled(opened.page)
    return opened
  }
  const openUsage = () => open('', '/')
  const area = (page: Page, name: string): Locator =>
    page.getByRole('navigation', { name: 'Areas' }).getByRole('link', { name })
  const newest = (page: Page, index: number): Locator => page.locator('.newest tbody a').nth(index)
  const row = (page: Page, index: number): Locator => page.locator(`[data-row="${index}"] a`)
  const button = (page: Page, name: string): Locator => page.getByRole('button', { name, exact: true })
  const sortButton = (page: Page, name: string): Locator => header(page, name).getByRole('button')

  /** What is above every area. */
  const frameOf = async (page: Page): Promise<readonly Locator[]> => [
    page.getByLabel('Organization'),
    area(page, 'Usage'),
    area(page, 'Messages'),
    area(page, 'Rate cards'),
    area(page, 'Intake'),
    area(page, 'Developers'),
    area(page, 'Organizations'),
    page.getByRole('button', { name: /^Search/ }),
    button(page, 'Try it'),
    page.getByLabel('Theme'),
    button(page, 'Earlier'),
    page.getByLabel('Period', { exact: true }),
    button(page, 'Later'),
    ...((await area(page, 'Usage').getAttribute('aria-current')) === 'page' ? [page.getByLabel('Compare with')] : []),
    page.getByLabel('Times of messages in'),
    button(page, 'Refresh'),
    ...((await area(page, 'Usage').getAttribute('aria-current')) === 'page' ? [button(page, 'Export CSV')] : []),
    button(page, 'Copy link'),
  ]

  test('Tab visits every control of the usage once, in visual order, with a visible focus', async () => {
    await using opened = await openUsage()
    const { page } = opened
    for (const each of [
      ...(await frameOf(page)),
      page.getByLabel('Day', { exact: true }),
      page.getByLabel('Report', { exact: true }),
      page.getByLabel('Member', { exact: true }),
      page.getByLabel('Minimum credits'),
      button(page, 'Clear filters'),
      button(page, 'Per day'),
      button(page, 'Running total'),
      page.getByLabel('Group by'),
      button(page, 'No report'),
      button(page, 'Reports'),
      bars(page).nth(0),
      page.getByRole('tab', { name: 'Members' }),
      ...[0, 1, 2, 3].map((place) => page.locator('.ranking th a').nth(place)),
      page.getByRole('tab', { name: 'Newest' }),
      newest(page, 0),
      newest(page, 1),
    ]) {
      await page.keyboard.press('Tab')
      await assertFocus(page, each)
    }
  })

  test('Tab visits every control of the messages once, in visual order, with a visible focus', async () => {
    await using opened = await open('&min=1')
    const { page } = opened
    for (const each of [
      ...(await frameOf(page)),
      button(page, 'Export CSV'),
      page.getByLabel('Message ID contains'),
      page.getByLabel('Day', { exact: true }),
      page.getByLabel('Report', { exact: true }),
      page.getByLabel('Member', { exact: true }),
      page.getByLabel('Minimum credits'),
      button(page, 'Clear filters'),
      sortButton(page, 'Message ID'),
      sortButton(page, 'Timestamp'),
      sortButton(page, 'Report Name'),
      sortButton(page, 'Credits Used'),
      sortButton(page, 'Member'),
      row(page, 0),
    ]) {
      await page.keyboard.press('Tab')
      await assertFocus(page, each)
    }
  })

  test('a custom range can be picked', async () => {
    await using opened = await open()
    const { page } = opened
    const picker = page.getByLabel('Period', { exact: true })
    await tabTo(page, picker)
    await page.keyboard.type('Custom')
    await page.waitForURL(`${service.url}/messages?from=2024-05-01&to=2024-05-31`)
    await settled(page)
    await assertFocus(page, picker)
    const from = page.getByLabel('From', { exact: true })
    await tabTo(page, from)
    // Changes the day or the month, whichever comes first in this browser.
    await page.keyboard.press('ArrowDown')
    await page.waitForURL(({ searchParams }) => searchParams.get('from') !== '2024-05-01')
    await settled(page)
    await assertFocus(page, from)
  })

  test('a text can be priced, and Escape returns the focus', async () => {
    await using opened = await open()
    const { page } = opened
    await tabTo(page, button(page, 'Try it'))
    await page.keyboard.press('Enter')
    const panel = page.getByRole('dialog', { name: 'Try it' })
    await panel.waitFor()
    await assertFocus(page, panel.getByRole('textbox'))
    await page.keyboard.type('orbital latibro')
    await panel.locator('.big', { hasText: '2.10' }).waitFor()
    await page.keyboard.press('Escape')
    await panel.waitFor({ state: 'hidden' })
    await assertFocus(page, button(page, 'Try it'))
  })

  test('a day can be inspected and selected in the chart', async () => {
    await using opened = await openUsage()
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
    assert.equal(await page.locator('.tip').count(), 0, 'Escape closes the tooltip')
    await assertFocus(page, bars(page).nth(1))
    await page.keyboard.press('Enter')
    const all = page.locator('.newest-card').getByRole('link', { name: /^All / })
    await all.filter({ hasText: 'All 10 messages' }).waitFor()
    await assertFocus(page, bars(page).nth(1))
    assert.equal(await bars(page).nth(1).getAttribute('aria-pressed'), 'true')
    await page.keyboard.press('Space')
    await all.filter({ hasText: `All ${MESSAGES} messages` }).waitFor()
    await assertFocus(page, bars(page).nth(1))
    assert.equal(await bars(page).nth(1).getAttribute('aria-pressed'), 'false')
  })

  test('messages can be sorted, and the order is announced', async () => {
    await using opened = await open()
    const { page } = opened
    const said = page.locator('.listed > [role=status]')
    await tabTo(page, sortButton(page, 'Credits Used'))
    const before = await allIds(page)
    for (const [key, order, saying] of [
      ['Enter', 'ascending', 'Messages sorted by Credits Used ascending'],
      ['Space', 'descending', 'Messages sorted by Credits Used descending'],
      ['Enter', 'none', 'Messages sorted by Timestamp, the newest first'],
    ] as const) {
      await page.keyboard.press(key)
      await said.filter({ hasText: saying }).waitFor()
      assert.equal(await header(page, 'Credits Used').getAttribute('aria-sort'), order)
      await assertFocus(page, sortButton(page, 'Credits Used'))
      assert.equal((await allIds(page)).join() === before.join(), order === 'none')
    }
  })

  test('arrow and page keys move between rows, including unrendered ones, and the header covers none', async () => {
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
    // Going up from the end, each row scrolls into view below the header.
    await page.keyboard.press('End')
    for (let step = 1; step <= 25; step++) {
      await page.keyboard.press('ArrowUp')
      await painted(page)
      await assertFocus(page, row(page, last - step))
    }
    // Scrolling away must not take the focus from its row.
    await page.evaluate('scrollTo(0, 0)')
    await painted(page)
    await page.keyboard.press('ArrowDown')
    await painted(page)
    await assertFocus(page, row(page, last - 24))
  })

  test('a row can be opened, and Escape returns to it', async () => {
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

  test('exporting and clearing the filters keep the focus', async () => {
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

  test('signing in and out never loses the focus', async () => {
    await using keyed = await startKeyed()
    await using opened = await openPage(browser, `${keyed.url}/`, { expected: REFUSED })
    const { page } = opened
    const input = page.getByLabel('API key')
    await input.waitFor()
    await assertFocus(page, input)
    assert.match(await describedAs(input), /^Sign in with one of your organization’s API keys\./)
    await page.keyboard.type('hunter2')
    await tabTo(page, button(page, 'Sign in'))
    await page.keyboard.press('Enter')
    await page.getByText('This key is unknown or revoked.').waitFor()
    assert.match(await describedAs(input), /This key is unknown or revoked\. .+ask for a new one\.$/)
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

  test('a retry after a failure moves the focus to the usage', async () => {
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

/** Asserts that the element has the focus, is in view and shows a focus mark. */
const assertFocus = async (page: Page, expected: Locator): Promise<void> => {
  assert.equal(await focusProblem(page), undefined)
  const isThere = await expected.evaluate((element) => element === document.activeElement)
  assert.ok(isThere, `the focus is on ${await page.evaluate(() => document.activeElement?.outerHTML.slice(0, 200))}`)
}

const focusProblem = (page: Page): Promise<string | undefined> =>
  page.evaluate(() => {
    const { activeElement: focused, body } = document
    if (focused === null || focused === body) return 'nothing has the focus'
    const name = focused.outerHTML.slice(0, 200)
    // A bar shows its focus on its background rectangle.
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

describe('with the system’s display settings', { skip: noBrowser }, () => {
  let service: Running
  before(async () => {
    service = await startWithUsage()
  })
  after(() => service?.[Symbol.asyncDispose]())

  for (const [name, options] of [
    ['forced colors on black', { forcedColors: 'active', colorScheme: 'dark' }],
    ['forced colors on white', { forcedColors: 'active', colorScheme: 'light' }],
    ['more contrast', { contrast: 'more' }],
    ['motion allowed', { reducedMotion: 'no-preference' }],
  ] as const) {
    test(`${name}: everything is shown, the parts of a bar differ, and the focus is visible`, async () => {
      await using plain = await openPage(browser, `${service.url}/${QUERY}&group=report`)
      await using opened = await openPage(browser, `${service.url}/${QUERY}&group=report`, options)
      const texts: string[] = []
      for (const { page } of [plain, opened]) {
        await settled(page)
        await page.waitForFunction(
          () => getComputedStyle(document.querySelector('.content') ?? document.body).opacity === '1',
        )
        texts.push((await page.locator('body').innerText()).replace(/\d+ s ago/, ''))
      }
      const { page } = opened
      assert.equal(texts[1], texts[0])
      const invisible = await page.evaluate(() => {
        const ground = getComputedStyle(document.querySelector('.chart-card') ?? document.body).backgroundColor
        const shown = [...document.querySelectorAll('.swatch rect:first-child')].map(
          (rect) => getComputedStyle(rect).fill,
        )
        const texts = [...document.querySelectorAll('.value, .tick, .areas a, .newest td, .legend li, label')]
        const inks = texts.map((text) => getComputedStyle(text)[text instanceof SVGElement ? 'fill' : 'color'])
        return [...shown, ...inks].filter((color) => color === ground || color === 'none')
      })
      assert.deepEqual(invisible, [])
      await tabTo(page, bars(page).nth(0))
      await tabTo(page, page.locator('.newest tbody a').nth(0))
      await goTo(page, 'Messages')
      await tabTo(page, row(page, 0))
    })
  }

  const row = (page: Page, index: number): Locator => page.locator(`[data-row="${index}"] a`)

  test('nothing is animated with reduced motion, not even while loading', async () => {
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
