/** A real Chromium for tests of pages: what it complains of is a failure of the test that had the page. */
import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core'

const PLACES = [
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
  '/Applications/Chromium.app/Contents/MacOS/Chromium',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
]

const executablePath = process.env['CHROMIUM'] ?? PLACES.find((path) => existsSync(path))

/** Why tests that need a browser are skipped, or false. */
export const noBrowser: string | false =
  executablePath === undefined && 'there is no Chromium: install one, or name it in CHROMIUM'

/** Offline, and as root too. */
const FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
]

export const launchBrowser = (): Promise<Browser> =>
  chromium.launch({ executablePath: executablePath ?? '', args: FLAGS })

export type Opened = AsyncDisposable & {
  readonly page: Page
  /** What the browser complained of until now: errors, refusals of the content security policy, requests that failed. */
  readonly complaints: string[]
}

/** A page of a profile of its own. When it is left it must have had nothing to complain of but what `expected` says. */
export const openPage = async (
  browser: Browser,
  url: string,
  { expected = /^$/, ...options }: BrowserContextOptions & { readonly expected?: RegExp } = {},
): Promise<Opened> => {
  const context = await browser.newContext({
    viewport: { width: 1440, height: 900 },
    locale: 'en-GB',
    reducedMotion: 'reduce',
    ...options,
  })
  context.setDefaultTimeout(10_000)
  const complaints: string[] = []
  context.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warning') complaints.push(message.text())
  })
  context.on('weberror', (error) => complaints.push(String(error.error())))
  // Chromium says in the console what its policy refuses; this is the event, for what it does not say.
  await context.addInitScript(
    `addEventListener('securitypolicyviolation', ({ violatedDirective, blockedURI }) =>
      console.error('refused by the policy:', violatedDirective, blockedURI))`,
  )
  const page = await context.newPage()
  await page.goto(url)
  return {
    page,
    complaints,
    [Symbol.asyncDispose]: async () => {
      await context.close()
      assert.deepEqual(
        complaints.filter((text) => !expected.test(text)),
        [],
        'the browser complained',
      )
    },
  }
}
