/** Filters change every figure, bar, ranking and row, as the lines of the service say; and rankings, bars and legends add filters. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import type { Browser, Page } from 'playwright-core'
import type { Card } from '../../src/model/card.ts'
import { type Running, startService } from '../../test/harness.ts'
import { launchBrowser, noBrowser, openPage } from './browser.ts'
import { bars, callService, figure, note, settled, shownCredits } from './pages.ts'

const CARD: Card = {
  version: 'tokens-1',
  prices: { 'gpt-5.4': [{ input: 250, output: 1500 }], 'claude-sonnet-4-6': [{ input: 300, output: 1500 }] },
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
    {
      name: 'text',
      when: { text: true },
      lines: [
        { rule: 'base', rate: 2 },
        { rule: 'characters', of: 'characters', rate: 0.05 },
      ],
    },
  ],
}

const MEMBERS = [
  'ada.lovelace@a-company-with-a-long-name.example',
  'ben',
  'chiara',
  'dora',
  'emil',
  'femi',
  'gus',
  'hana',
  'ines',
]
const REPORTS = ['Lease', 'Tenant obligations, covenants, repairing liabilities and everything else']
const pick = <T>(all: readonly T[], at: number): T | undefined => all[at % (all.length + 1)]

/** 240 messages of May 2024, of every combination that can tell a wrong filter, and 60 of April. */
const MESSAGES = Array.from({ length: 300 }, (_, id) => {
  const isMay = id < 240
  const day = `2024-0${isMay ? 5 : 4}-${String((id % 28) + 1).padStart(2, '0')}`
  const kind = id % 4
  const text = 'What is the lease term? '.repeat((id % 7) + 1)
  const model = pick(['gpt-5.4', 'claude-sonnet-4-6'], id >> 2)
  const member = pick(MEMBERS, id + (id >> 4))
  const team = pick(['legal', 'sales'], id >> 1)
  const feature = pick(['chat', 'search'], id >> 3)
  const outcome = [undefined, 'failed', 'utility'][(id >> 2) % 3]
  return {
    id,
    timestamp: `${day}T${String(id % 24).padStart(2, '0')}:30:00Z`,
    ...(member !== undefined && { user_id: member }),
    ...(team !== undefined && isMay && { team_id: team }),
    ...(kind === 0 ? { text, report_id: id % 8 === 0 ? 1 : 2 } : {}),
    ...(kind === 1 ? { text } : {}),
    ...(kind > 1 && { usage: { input_tokens: 100 * id + 7, output_tokens: id } }),
    ...(kind > 1 && (model !== undefined ? { model } : { model: 'unheard-of' })),
    ...(kind > 1 && feature !== undefined && { attributes: { feature } }),
    ...(outcome !== undefined && isMay && { outcome }),
  }
})

type Line = {
  readonly message_id: number
  readonly timestamp: string
  readonly report_name?: string
  readonly user_id?: string
  readonly team_id?: string
  readonly model?: string
  readonly feature?: string
  readonly outcome?: string
  readonly credits_used?: number
  readonly unpriced?: string
}

const QUERY = '?period=2024-05'
const valueIn = {
  report: (line: Line) => line.report_name,
  member: (line: Line) => line.user_id,
  team: (line: Line) => line.team_id,
  model: (line: Line) => line.model,
  feature: (line: Line) => line.feature,
  outcome: (line: Line) => line.outcome ?? 'succeeded',
}
type Dimension = keyof typeof valueIn
const DIMENSIONS = Object.keys(valueIn) as Dimension[]

const micros = (credits = 0): number => Math.round(credits * 1e6)
const sumOf = (lines: readonly Line[]): string =>
  shownCredits(lines.reduce((sum, line) => sum + micros(line.credits_used), 0) / 1e6)

describe('the dashboard, filtered and split by every dimension', { skip: noBrowser }, () => {
  let browser: Browser
  let service: Running
  let lines: readonly Line[] = []
  let earlier: readonly Line[] = []
  const linesOf = async (month: string): Promise<readonly Line[]> =>
    ((await callService(service.url, 'GET', `/v1/usage?period=${month}&limit=1000`)) as { usage: readonly Line[] })
      .usage
  before(async () => {
    browser = await launchBrowser()
    service = await startService({})
    await callService(service.url, 'POST', '/v1/rate-cards', CARD)
    const use = { version: CARD.version, from: '2024-04-01T00:00:00Z' }
    await callService(service.url, 'PUT', '/v1/organizations/default/rate-card', use)
    for (const [index, name] of REPORTS.entries()) {
      await callService(service.url, 'PUT', `/v1/reports/${index + 1}`, { name, credit_cost: 10.5 + index })
    }
    await callService(service.url, 'POST', '/v1/messages', { messages: MESSAGES })
    lines = await linesOf('2024-05')
    earlier = await linesOf('2024-04')
    assert.deepEqual([lines.length, earlier.length], [240, 60])
  })
  after(async () => {
    await browser?.close()
    await service?.[Symbol.asyncDispose]()
  })

  /** Opens the usage with a ranking, and waits for that. */
  const show = async (page: Page, query: string): Promise<void> => {
    await page.goto(`${service.url}/${query}`)
    await page.locator('main[aria-busy=false] .ranking tfoot').waitFor()
  }
  const open = async (query: string, width = 1440) => {
    const opened = await openPage(browser, 'about:blank', { viewport: { width, height: 900 } })
    await show(opened.page, query)
    return opened
  }
  /** The name, credits and messages of each row. */
  const rankingOf = async (page: Page): Promise<readonly (readonly string[])[]> => {
    const more = page.locator('.ranking button')
    if ((await more.count()) > 0) await more.click()
    return page.locator('.ranking :is(tbody, tfoot) tr').evaluateAll((rows) =>
      rows.map((row) => {
        const [name, credits, , messages] = [...row.children]
        return [name?.textContent ?? '', credits?.textContent ?? '', messages?.firstChild?.textContent ?? '']
      }),
    )
  }
  const amount = (text: string): number => micros(Number(text.replaceAll(',', '')))
  const expectedRanking = (kept: readonly Line[], dimension: Dimension) => {
    const groups = Map.groupBy(kept, valueIn[dimension])
    return [...groups].map(([value, all]) => [value ?? `No ${dimension}`, sumOf(all), String(all.length)])
  }
  const sorted = (rows: readonly (readonly string[])[]) => rows.map((row) => row.join(' | ')).sort()

  /** Everything that the page shows of the lines. */
  const assertShows = async (
    page: Page,
    kept: readonly Line[],
    filter: string,
    dimension: Dimension,
  ): Promise<void> => {
    const [sum, messages] = [sumOf(kept), String(kept.length)]
    assert.equal(await page.locator('.figure.main .value').innerText(), sum, filter)
    assert.equal(await figure(page, 'Messages').innerText(), messages, filter)
    const reports = kept.filter(({ report_name: name }) => name !== undefined)
    assert.match(
      await note(page, 'Share from reports').innerText(),
      new RegExp(`^${sumOf(reports)} for ${reports.length} `),
    )
    const rows = (await rankingOf(page)).filter(([, , count]) => count !== '0')
    assert.deepEqual(rows.at(-1), ['Total', sum, messages], filter)
    assert.deepEqual(sorted(rows.slice(0, -1)), sorted(expectedRanking(kept, dimension)), `${filter} by ${dimension}`)
    const amounts = rows.slice(0, -1).map(([, credits = '']) => amount(credits))
    assert.deepEqual(
      amounts,
      amounts.toSorted((one, other) => other - one),
      'the largest first',
    )
  }
  const assertBars = async (page: Page, kept: readonly Line[], filter: string): Promise<void> => {
    const days = await page
      .locator('.chart-card tbody tr')
      .evaluateAll((rows) => rows.map((row) => [...row.children].slice(1).map((cell) => cell.textContent)))
    for (const [index, [messages, credits, ...parts]] of days.entries()) {
      const ofDay = kept.filter(({ timestamp }) => Number(timestamp.slice(8, 10)) === index + 1)
      assert.equal(Number(messages?.split(',')[0]), ofDay.length, `${filter}, day ${index + 1}`)
      assert.equal(credits, sumOf(ofDay), `${filter}, day ${index + 1}`)
      // The last is the period before.
      const stacked = parts.slice(0, -1).reduce((sum, part) => sum + amount(part ?? ''), 0)
      assert.equal(stacked, amount(credits ?? ''), `the parts of day ${index + 1} with ${filter}`)
    }
  }

  test('shows figures, bars, rankings and newest messages of what each filter keeps', async () => {
    await using opened = await openPage(browser, 'about:blank')
    const { page } = opened
    const filters: readonly (readonly [string, (line: Line) => boolean])[] = [
      ['', () => true],
      ...DIMENSIONS.flatMap((dimension) => {
        const values = [...new Set(lines.map(valueIn[dimension]))]
        const [one] = values.filter((value) => value !== undefined)
        const none = values.includes(undefined) ? [['', undefined] as const] : []
        return [[one ?? '', one] as const, ...none].map(
          ([value, wanted]) =>
            [
              `&${dimension}=${encodeURIComponent(value)}`,
              (line: Line) => valueIn[dimension](line) === wanted,
            ] as const,
        )
      }),
      ['&any-report=', ({ report_name: name }) => name !== undefined],
      ['&min=10.5', ({ credits_used: credits = -1 }) => credits >= 10.5],
      ['&unpriced=', ({ unpriced }) => unpriced !== undefined],
      ['&team=legal&feature=chat', (line) => line.team_id === 'legal' && line.feature === 'chat'],
      ['&any-report=&outcome=failed', (line) => line.report_name !== undefined && line.outcome === 'failed'],
      ['&member=&report=Lease', (line) => line.user_id === undefined && line.report_name === 'Lease'],
    ]
    for (const [at, [filter, isKept]] of filters.entries()) {
      const kept = lines.filter(isKept)
      assert.ok(kept.length > 0, `${filter} keeps something`)
      const dimension = DIMENSIONS[at % DIMENSIONS.length] ?? 'member'
      const group = DIMENSIONS[(at + 2) % DIMENSIONS.length]
      await show(page, `${QUERY}${filter}&ranking=${dimension}&group=${group}`)
      await assertShows(page, kept, filter, dimension)
      await assertBars(page, kept, filter)
    }
  })

  test('ranks every dimension, with the change to the period before', async () => {
    await using opened = await openPage(browser, 'about:blank')
    const { page } = opened
    for (const dimension of DIMENSIONS) {
      await show(page, `${QUERY}&ranking=${dimension}&group=${dimension}`)
      await assertShows(page, lines, 'nothing', dimension)
      await assertBars(page, lines, `nothing, by ${dimension}`)
    }
    await page.locator('.r-change .up, .r-change .down').first().waitFor()
    const total = await page.locator('.ranking tfoot .r-change').innerText()
    const [now, then] = [lines, earlier].map((all) => all.reduce((sum, line) => sum + micros(line.credits_used), 0))
    assert.ok(now !== undefined && then !== undefined)
    assert.equal(
      total.split('%')[0]?.trim(),
      (((now - then) / then) * 100).toLocaleString('en-GB', { minimumFractionDigits: 1, maximumFractionDigits: 1 }),
    )
  })

  test('ranks the rules of the rate card, which add up to the period', async () => {
    await using opened = await open(`${QUERY}&ranking=rule&member=ben`)
    const { page } = opened
    const rows = await rankingOf(page)
    const kept = lines.filter(({ user_id: member }) => member === 'ben')
    assert.deepEqual(rows.at(-1), ['Total', sumOf(kept), String(kept.length)])
    const parts = rows.slice(0, -1)
    assert.equal(
      parts.reduce((sum, [, credits = '']) => sum + amount(credits), 0),
      amount(sumOf(kept)),
    )
    assert.ok(parts.some(([rule]) => rule === 'characters'))
    await page.goto(`${service.url}/${QUERY}&ranking=rule&member=`)
    await page.getByText('The cost of each rule is not known for these filters.').waitFor()
  })

  test('narrows everything but the chart to a day, by a click and by the keyboard, and shows its hours', async () => {
    await using opened = await open(`${QUERY}&ranking=member`)
    const { page } = opened
    const ofDay = lines.filter(({ timestamp }) => timestamp.startsWith('2024-05-05'))
    await bars(page).nth(4).click()
    await page.locator('.figure.main .value', { hasText: new RegExp(`^${sumOf(ofDay)}$`) }).waitFor()
    await page.locator('.ranking tfoot', { hasText: sumOf(ofDay) }).waitFor()
    await assertShows(page, ofDay, 'a day', 'member')
    assert.equal(await bars(page).count(), 31)
    await page.getByRole('button', { name: 'Remove the filter Day' }).click()
    await page.locator('.figure.main .value', { hasText: sumOf(lines) }).waitFor()
    await bars(page).nth(4).focus()
    await page.keyboard.press('Enter')
    await page.getByRole('button', { name: 'Hours of 5 May' }).click()
    await page.locator('#chart-title', { hasText: 'hour' }).waitFor()
    assert.equal(new URL(page.url()).search, '?from=2024-05-05&to=2024-05-05&ranking=member')
    assert.equal(await page.locator('.figure.main .value').innerText(), sumOf(ofDay))
  })

  test('adds a filter by a row of a ranking, a series of the legend and a chip, and removes each', async () => {
    await using opened = await open(`${QUERY}&ranking=member&group=team`)
    const { page } = opened
    const parameters = () => new URL(page.url()).searchParams
    const first = page.locator('.ranking th a').first()
    const name = await first.innerText()
    await first.click()
    assert.equal(parameters().get('member'), name)
    // The legend is sorted anew for the member.
    await settled(page)
    await page.getByRole('list', { name: 'Legend' }).getByRole('button', { name: 'No team' }).click()
    assert.equal(parameters().get('team'), '')
    await page.getByLabel('Outcome', { exact: true }).selectOption('failed')
    assert.equal(parameters().get('outcome'), 'failed')
    const remove = page.getByRole('button', { name: 'Remove the filter Team' })
    await remove.click()
    assert.equal(parameters().has('team'), false)
    // The focus is not lost.
    await page.locator('[aria-label="Team"]:focus').waitFor()
    await page.getByRole('button', { name: 'Clear filters' }).click()
    assert.equal(new URL(page.url()).search, `${QUERY}&group=team&ranking=member`)
    // Of both kinds of the first chart.
    await show(page, QUERY)
    await page.getByRole('list', { name: 'Legend' }).getByRole('button', { name: 'Reports' }).click()
    assert.equal(parameters().has('any-report'), true)
  })

  test('offers a dimension only where the period has values for it', async () => {
    await using opened = await open(QUERY)
    const { page } = opened
    const choices = async () => ({
      chips: await page
        .locator('.filters select')
        .evaluateAll((all) => all.map((each) => each.getAttribute('aria-label'))),
      groups: await page
        .getByLabel('Group by')
        .locator('option')
        .evaluateAll((all) => all.map((each) => (each as HTMLOptionElement).value)),
    })
    await page.getByLabel('Outcome', { exact: true }).waitFor({ state: 'attached' })
    await page.getByLabel('Feature', { exact: true }).waitFor({ state: 'attached' })
    assert.deepEqual(await choices(), {
      chips: ['Day', 'Report', 'Member', 'Price', 'Team', 'Model', 'Feature', 'Outcome'],
      groups: ['kind', ...DIMENSIONS],
    })
    await show(page, '?period=2024-04')
    await page.getByLabel('Feature', { exact: true }).waitFor({ state: 'attached' })
    assert.deepEqual(await choices(), {
      chips: ['Day', 'Report', 'Member', 'Price', 'Model', 'Feature'],
      groups: ['kind', 'report', 'member', 'model', 'feature'],
    })
  })

  test('says by what the change was caused, in amounts that the lines have', async () => {
    await using opened = await open(QUERY)
    const { page } = opened
    const change = [
      ...lines.map((line) => micros(line.credits_used)),
      ...earlier.map((line) => -micros(line.credits_used)),
    ].reduce((sum, each) => sum + each)
    const isSaid = (text: string): Promise<unknown> =>
      page.waitForFunction((wanted) => document.querySelector('.causes')?.textContent.includes(wanted), text)
    await isSaid(`+${shownCredits(change / 1e6)}, mostly `)
    for (const dimension of ['report', 'member'] as const) {
      const creditsOf = (all: readonly Line[], value: string | undefined): number =>
        all
          .filter((line) => valueIn[dimension](line) === value)
          .reduce((sum, line) => sum + micros(line.credits_used), 0)
      const differences = [...new Set([...lines, ...earlier].map(valueIn[dimension]))]
        .filter((value) => dimension === 'report' || value !== undefined)
        .map((value) => ({ value, micros: creditsOf(lines, value) - creditsOf(earlier, value) }))
      const [most] = differences.sort((one, other) => other.micros - one.micros)
      await isSaid(`${most?.value ?? 'No report'} +${shownCredits((most?.micros ?? 0) / 1e6)}`)
    }
  })

  test('paints no amount of a tooltip outside its box, however long the names are', async () => {
    for (const width of [1440, 390]) {
      for (const group of ['member', 'report', 'model']) {
        await using opened = await open(`${QUERY}&group=${group}`, width)
        const { page } = opened
        for (const bar of [0, 15, 27]) {
          await bars(page).nth(bar).hover()
          const outside = await page.locator('.tip').evaluate((tip) => {
            const box = tip.getBoundingClientRect()
            return [tip, ...tip.querySelectorAll('dt, dd, strong')]
              .map((each) => ({
                text: each.textContent,
                ...each.getBoundingClientRect().toJSON(),
                isTip: each === tip,
              }))
              .filter(
                ({ left, right, isTip }) => left < (isTip ? 0 : box.left) || right > (isTip ? innerWidth : box.right),
              )
              .map(({ text }) => text)
          })
          assert.deepEqual(outside, [], `${group}, bar ${bar} at ${width} px`)
          // An amount gives way to nothing.
          const cut = await page
            .locator('.tip dd')
            .evaluateAll((all) => all.filter((each) => each.scrollWidth > each.clientWidth).length)
          assert.equal(cut, 0)
        }
      }
    }
  })

  test('says why messages have no price and what to do, to whoever can do it and to whoever cannot', async () => {
    await using opened = await open(QUERY)
    const { page } = opened
    const count = lines.filter(({ unpriced }) => unpriced !== undefined).length
    const banner = page.locator('.notice.bad', { hasText: `${count} messages have no price.` })
    await banner.getByText(`${count} messages: the model "unheard-of" has no price in the card tokens-1`).waitFor()
    await banner.getByText('Put a rate card with a price for the model unheard-of in force').waitFor()
    assert.equal(await banner.getByRole('link', { name: 'Rate cards' }).count(), 1)
    await banner.getByRole('button', { name: 'Show them' }).click()
    await page.locator('.table-card .sum', { hasText: `${count} messages, 0.00 credits` }).waitFor()
  })
})

test('asks for a rate card from the operator of those who cannot put one in force', { skip: noBrowser }, async () => {
  await using service = await startService({})
  await callService(service.url, 'POST', '/v1/messages', {
    messages: [{ id: 1, timestamp: '2024-05-01T00:00:00Z', quantities: { pages: 1 } }],
  })
  const { key } = (await callService(service.url, 'POST', '/v1/keys', { scopes: ['usage:read'] })) as { key: string }
  const browser = await launchBrowser()
  try {
    await using opened = await openPage(browser, `${service.url}/${QUERY}`, { expected: /status of 401/ })
    const { page } = opened
    await page.getByLabel('API key').fill(key)
    await page.keyboard.press('Enter')
    const banner = page.locator('.notice.bad', { hasText: '1 message has no price.' })
    await banner.getByText('Ask your operator to put a rate card with a case for every message in force.').waitFor()
    assert.equal(await banner.getByRole('link').count(), 0)
  } finally {
    await browser.close()
  }
})
