/**
 * Measures how long the dashboard takes to show a whole period, and how responsive it is with 100,000 rows. The browser, the
 * server and its database share the machine, without a network.
 */
import type { Page } from 'playwright-core'
import { launchBrowser, noBrowser, openPage } from '../dashboard/test/browser.ts'
import { startService } from './processes.ts'
import { median, type Report } from './report.ts'
import { madeUpText } from './texts.ts'
import { REPORT } from './wire-messages.ts'

const ROUNDS = 7
const SORTS = [
  'Credits Used',
  'Credits Used',
  'Credits Used',
  'Report Name',
  'Credits Used',
  'Report Name',
  'Credits Used',
]
const FRAMES = 180

/** What each area shows first, and what it shows once it is whole. */
const AREAS = {
  usage: { path: '/', first: '.chart [data-bar] [class^="series-"]', last: '.ranking tfoot' },
  messages: { path: '/messages', first: '[data-row="0"]', last: '[data-row="9"]' },
} as const
type Area = keyof typeof AREAS

export const benchDashboard = async (report: Report, sizes: readonly number[]): Promise<void> => {
  report.heading('The dashboard')
  if (noBrowser !== false) {
    report.line(noBrowser)
    return
  }
  await using browser = await launchBrowser()
  const loads: string[][] = []
  const uses: string[][] = []
  for (const messages of sizes) {
    await using service = await startService({ LOG_LEVEL: 'silent' })
    const url = `http://127.0.0.1:${service.port}`
    await fill(url, messages)
    for (const area of ['usage', 'messages'] as const) {
      const rounds: Loaded[] = []
      for (let round = 0; round < ROUNDS; round++) {
        report.progress(`${area}, ${messages} messages`, round, ROUNDS)
        await using opened = await openPage(browser, 'about:blank')
        rounds.push(await load(opened.page, url, area))
        if (area === 'messages' && round === ROUNDS - 1) {
          uses.push([count(messages), ...(await use(opened.page, messages))])
        }
      }
      const of = (name: keyof Loaded): string => {
        const all = rounds.map((each) => each[name])
        return `${Math.round(median(all))} (${Math.round(Math.min(...all))} to ${Math.round(Math.max(...all))})`
      }
      loads.push([
        count(messages),
        area,
        of('paint'),
        of('first'),
        of('complete'),
        String(Math.max(...rounds.map(({ shift }) => shift))),
        of('scripts'),
      ])
    }
  }
  report.line('New browser profile per load, empty cache. Milliseconds since navigation: median (min to max).\n')
  report.table(
    [
      'messages',
      'area',
      'first contentful paint',
      'chart, or first row',
      'whole view',
      'layout shift',
      'JavaScript, bytes',
    ],
    loads,
  )
  report.line('Last page loaded above. A sort takes from the click to the frame that shows its rows.\n')
  report.table(['messages', 'sorts, ms', `frame time over ${FRAMES} scroll steps, ms: median, p95, max`], uses)
}

const count = (number: number): string => number.toLocaleString('en-GB')

type Loaded = Readonly<Record<'paint' | 'first' | 'complete' | 'shift' | 'scripts', number>>

/** Records times inside the page, because polling from outside would take longer than the times measured. */
const NOTE = (area: Area) => `
  globalThis.seen = { shift: 0 }
  new PerformanceObserver((list) => {
    for (const { value } of list.getEntries()) seen.shift += value
  }).observe({ type: 'layout-shift', buffered: true })
  const look = () => {
    const at = (selector) => document.querySelector(selector)
    if (at(${JSON.stringify(AREAS[area].first)})) seen.first ??= performance.now()
    const isBusy = at('[aria-busy="true"]') !== null || at('.table-card .sum')?.textContent.includes('oading')
    if (seen.first !== undefined && at(${JSON.stringify(AREAS[area].last)}) && !isBusy) seen.complete = performance.now()
    else requestAnimationFrame(look)
  }
  requestAnimationFrame(look)`

const isComplete = (): boolean =>
  (globalThis as unknown as { seen: { readonly complete?: number } }).seen.complete !== undefined

const load = async (page: Page, url: string, area: Area): Promise<Loaded> => {
  await page.addInitScript(NOTE(area))
  await page.goto(`${url}${AREAS[area].path}`)
  await page.waitForFunction(isComplete, undefined, { timeout: 60_000 })
  return page.evaluate(`({
    ...seen,
    paint: performance.getEntriesByName('first-contentful-paint')[0].startTime,
    scripts: performance.getEntriesByType('resource')
      .filter(({ name }) => name.endsWith('.js'))
      .reduce((sum, { encodedBodySize }) => sum + encodedBodySize, 0),
  })`)
}

const use = async (page: Page, messages: number): Promise<readonly string[]> => {
  const sorts: number[] = []
  for (const name of SORTS) {
    sorts.push(
      await page.evaluate(`new Promise((resolve) => {
        const button = [...document.querySelectorAll('.head button')].find((each) => each.textContent.startsWith('${name}'))
        const before = location.search
        const startedAt = performance.now()
        button.click()
        if (location.search === before) throw new Error('the sort had no effect')
        // The message arrives once the frame is painted. Above 100,000 messages, the service sorts.
        const shown = () => {
          if (document.querySelector('[role="table"][aria-busy="true"]')) return requestAnimationFrame(shown)
          const { port1, port2 } = new MessageChannel()
          port1.onmessage = () => resolve(performance.now() - startedAt)
          port2.postMessage(undefined)
        }
        requestAnimationFrame(shown)
      })`),
    )
  }
  const frames: number[] = await page.evaluate(`new Promise((resolve) => {
    const step = Math.max(37, document.documentElement.scrollHeight / ${FRAMES * 4})
    const times = []
    const scroll = (at) => {
      times.push(at)
      scrollBy({ top: step, behavior: 'instant' })
      if (times.length <= ${FRAMES}) requestAnimationFrame(scroll)
      else resolve(times.slice(1).map((time, index) => time - times[index]))
    }
    requestAnimationFrame(scroll)
  })`)
  await page.evaluate('new Promise(requestAnimationFrame)')
  // The first row has the tab stop, so it is always rendered.
  if (messages > 1000 && (await page.locator('[data-row="1"]').count()) > 0) throw new Error('the scroll had no effect')
  const sorted = frames.toSorted((one, other) => one - other)
  const frame = [sorted[FRAMES / 2], sorted[Math.floor(FRAMES * 0.95)], sorted.at(-1)]
  return [sorts.map(Math.round).join(', '), frame.map((ms) => ms?.toFixed(1)).join(', ')]
}

/** Messages spread over the current month until now: a quarter priced by a report, half with one of 25 members. */
const fill = async (url: string, messages: number): Promise<void> => {
  const { id, ...given } = REPORT
  const send = async (method: string, path: string, body: string, type: string): Promise<string> => {
    const response = await fetch(`${url}${path}`, { method, body, headers: { 'content-type': type } })
    const answer = await response.text()
    if (!response.ok) throw new Error(answer)
    return answer
  }
  await send('PUT', `/v1/reports/${id}`, JSON.stringify(given), 'application/json')
  const now = Date.now()
  const from = Date.UTC(new Date(now).getUTCFullYear(), new Date(now).getUTCMonth())
  const lines = Array.from({ length: messages }, (_, index) =>
    JSON.stringify({
      id: index + 1,
      text: madeUpText(index % 20_000),
      timestamp: new Date(from + ((now - from) * index) / messages).toJSON(),
      ...(index % 4 === 0 && { report_id: id }),
      ...(index % 2 === 0 && { user_id: `user-${index % 50}` }),
    }),
  )
  for (let at = 0; at < messages; at += 100_000) {
    await send('POST', '/v1/messages', lines.slice(at, at + 100_000).join('\n'), 'application/x-ndjson')
  }
}
