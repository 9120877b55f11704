/** What a user does and sees on the dashboard, for its tests. */
import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import type { Locator, Page } from 'playwright-core'
import { readMessages, readReports } from '../../test/shared-data.ts'
import type { AREAS } from '../src/areas.ts'

export type UsageLine = {
  readonly message_id: number | string
  readonly timestamp: string
  readonly report_name?: string
  readonly credits_used: number
  readonly user_id?: string
}

/** Fails the test if the service rejects the request. */
export const callService = async (url: string, method: string, path: string, body?: unknown): Promise<unknown> => {
  const response = await fetch(`${url}${path}`, {
    method,
    ...(body !== undefined && { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
  })
  const text = await response.text()
  assert.ok(response.ok, `${method} ${path}: ${response.status} ${text}`)
  return text === '' ? undefined : JSON.parse(text)
}

export const linesOf = async (url: string, query: string): Promise<readonly UsageLine[]> => {
  const { usage } = (await callService(url, 'GET', `/usage${query}`)) as { usage: readonly UsageLine[] }
  return usage
}

/** Exact: adds whole millionths. */
export const sumOf = (lines: readonly UsageLine[]): number =>
  lines.reduce((sum, line) => sum + Math.round(line.credits_used * 1e6), 0) / 1e6

export const shownCredits = (credits: number): string =>
  credits.toLocaleString('en-GB', { minimumFractionDigits: 2, maximumFractionDigits: 6 })

/** Reports the published period to `default`, whose billing anchor day must be 29. */
export const reportPublishedPeriod = async (url: string): Promise<void> => {
  for (const { id, ...report } of readReports('reports.current-period.json')) {
    await callService(url, 'PUT', `/v1/reports/${id}`, report)
  }
  await callService(url, 'POST', '/v1/messages', { messages: readMessages('messages.current-period.json') })
}

/** Waits until everything in the area has loaded. */
export const settled = async (page: Page): Promise<void> => {
  await page.locator('main[aria-busy="false"] > .content:not(.loading)').waitFor()
  await page.waitForFunction(
    () =>
      document.querySelector('main .loading, main [aria-busy="true"]') === null &&
      !/loading/i.test(document.querySelector('.sum')?.textContent ?? ''),
  )
}

type AreaName = (typeof AREAS)[number]['name']

/** Opens an area from the navigation, unless it is open. */
export const goTo = async (page: Page, name: AreaName): Promise<void> => {
  const link = page.getByRole('navigation', { name: 'Areas' }).getByRole('link', { name, exact: true })
  if ((await link.getAttribute('aria-current')) === 'page') return
  await link.click()
  await settled(page)
}

/** Does something in another area, and returns to the one before. */
export const inArea = async <T>(page: Page, name: AreaName, work: () => Promise<T>): Promise<T> => {
  const current = page.getByRole('navigation', { name: 'Areas' }).locator('[aria-current]')
  const before = (await current.innerText()) as AreaName
  await goTo(page, name)
  const result = await work()
  await goTo(page, before)
  return result
}

const figureNamed = (page: Page, name: string): Locator =>
  page.locator('.figure', { has: page.getByText(name, { exact: true }) })

export const figure = (page: Page, name: string): Locator => figureNamed(page, name).locator('.value')

/** The note below a figure. */
export const note = (page: Page, name: string): Locator => figureNamed(page, name).locator('.note')

export const sumShown = (page: Page): Locator => page.locator('.table-card .sum')

export const header = (page: Page, name: string): Locator => page.locator('.rows').getByRole('columnheader', { name })

export const sortBy = (page: Page, name: string): Promise<void> => header(page, name).getByRole('button').click()

export const bars = (page: Page): Locator => page.locator('.chart [data-bar]')

export type Row = { readonly id: string; readonly time: string; readonly report: string; readonly credits: string }

/** Every row, first to last; scrolls to render them. */
export const allRows = async (page: Page): Promise<readonly Row[]> => {
  await settled(page)
  await page.evaluate('scrollTo(0, 0)')
  await page.locator('[data-row="0"]').waitFor()
  return page.locator('.rows').evaluate(async (table) => {
    const rows: { id: string; time: string; report: string; credits: string }[] = []
    const count = Number(table.querySelector('[role=table]')?.getAttribute('aria-rowcount')) - 1
    const cell = (row: Element, name: string) => row.querySelector(`.c-${name}`)?.textContent ?? ''
    const until = performance.now() + 10_000
    while (rows.length < count && performance.now() < until) {
      const row = table.querySelector(`[data-row="${rows.length}"]`)
      if (row === null) {
        scrollBy({ top: innerHeight / 2, behavior: 'instant' })
        await new Promise((resolve) => requestAnimationFrame(resolve))
      } else {
        const [id, time, report, credits] = ['id', 'time', 'report', 'credits'].map((name) => cell(row, name))
        rows.push({ id: id ?? '', time: time ?? '', report: report ?? '', credits: credits ?? '' })
      }
    }
    return rows
  })
}

export const allIds = async (page: Page): Promise<readonly string[]> => (await allRows(page)).map(({ id }) => id)

export const refreshButton = (page: Page): Locator => page.getByRole('button', { name: 'Refresh', exact: true })

/** Asserts that figures and chart of the usage, and the table's sum, equal the service's lines. */
export const assertShows = async (page: Page, lines: readonly UsageLine[]): Promise<void> => {
  await inArea(page, 'Usage', () => assertUsage(page, lines))
  const [sum, messages] = [shownCredits(sumOf(lines)), lines.length.toLocaleString('en-GB')]
  const shown = await inArea(page, 'Messages', () => sumShown(page).textContent())
  assert.equal(shown, `${messages} message${lines.length === 1 ? '' : 's'}, ${sum} credits`)
}

const assertUsage = async (page: Page, lines: readonly UsageLine[]): Promise<void> => {
  const [sum, messages] = [shownCredits(sumOf(lines)), lines.length.toLocaleString('en-GB')]
  assert.equal(await figure(page, 'Credits this period').textContent(), sum)
  assert.equal(await figure(page, 'Messages').textContent(), messages)
  const credits = await page
    .locator('.chart-card tbody tr')
    .evaluateAll((rows) => rows.map((row) => Number(row.children[2]?.textContent?.replaceAll(',', ''))))
  assert.equal(shownCredits(Math.round(credits.reduce((all, each) => all + each * 1e6, 0)) / 1e6), sum)
}

/** Holds matching requests until `release` is called. */
export const hold = async (page: Page, url: string | RegExp) => {
  const { promise, resolve } = Promise.withResolvers<void>()
  await page.route(url, async (route) => {
    await promise
    await route.continue()
  })
  return { release: resolve }
}

const EXPORTED =
  '\ufeffmessage_id,time,timestamp,report_name,credits_used,user_id,team_id,model,feature,outcome,unpriced'

/** The rows of the exported file, without its header. */
export const exported = async (page: Page): Promise<readonly string[]> => {
  const waiting = page.waitForEvent('download')
  await page.getByRole('button', { name: 'Export CSV' }).click()
  const [head, ...lines] = (await readFile(await (await waiting).path(), 'utf8')).trimEnd().split('\r\n')
  assert.equal(head, EXPORTED)
  return lines
}
