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

/** What has been drawn once an area shows what it is for. */
const AREAS = {
  usage: { path: '/', first: '.chart [data-bar] [class^="series-"]' },
  messages: { path: '/messages', first: '[data-row="0"]' },
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
        rounds.push(await load(opened.page, url, area, messages))
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
        area === 'messages' ? of('complete') : '–',
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
      'chart, or first rows',
      'whole table',
      'layout shift',
      'JavaScript, bytes',
    ],
    loads,
  )
  report.line('Last page loaded above. A sort takes from the click to the frame that shows it.\n')
  report.table(['messages', 'sorts, ms', `frame time over ${FRAMES} scroll steps, ms: median, p95, max`], uses)
}

const count = (number: number): string => number.toLocaleString('en-GB')

type Loaded = Readonly<Record<'paint' | 'first' | 'complete' | 'shift' | 'scripts', number>>

/** Records times inside the page, because polling from outside would take longer than the times measured. */
const NOTE = (area: Area, messages: number) => `
  globalThis.seen = { shift: 0 }
  new PerformanceObserver((list) => {
    for (const { value } of list.getEntries()) seen.shift += value
  }).observe({ type: 'layout-shift', buffered: true })
  const look = () => {
    const sum = document.querySelector('.table-card .sum')?.textContent ?? ''
    if (document.querySelector(${JSON.stringify(AREAS[area].first)})) seen.first ??= performance.now()
    const isWhole = sum.startsWith(${JSON.stringify(`${count(messages)} messages`)}) && !sum.includes('loading')
    if (seen.first !== undefined && (isWhole || ${area === 'usage'})) seen.complete ??= performance.now()
    if (seen.complete === undefined) requestAnimationFrame(look)
  }
  requestAnimationFrame(look)`

const isComplete = (): boolean =>
  (globalThis as unknown as { seen: { readonly complete?: number } }).seen.complete !== undefined

const load = async (page: Page, url: string, area: Area, messages: number): Promise<Loaded> => {
  await page.addInitScript(NOTE(area, messages))
  await page.goto(`${url}${AREAS[area].path}`)
  await page.waitForFunction(isComplete, undefined, { timeout: 60_000 })
  return page.evaluate(`({
    ...seen,
    paint: performance.getEntriesByName('first-contentful-paint')[0].startTime,
    scripts: performance.getEntriesByType('resource')
      .filter(({ initiatorType, name }) => initiatorType === 'script' && name.endsWith('.js'))
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
        // The first frame after the click shows the change; the message arrives once the frame is painted.
        requestAnimationFrame(() => {
          const { port1, port2 } = new MessageChannel()
          port1.onmessage = () => resolve(performance.now() - startedAt)
          port2.postMessage(undefined)
        })
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
  await send('POST', '/v1/messages', lines.join('\n'), 'application/x-ndjson')
}
