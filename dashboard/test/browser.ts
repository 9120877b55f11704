/** A real Chromium for tests of pages. Any console error, warning or policy violation fails the test. */
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
  executablePath === undefined && 'no Chromium found: install it, or set CHROMIUM to its path'

/**
 * The popups of the address bar are web pages, which Chromium loads anew for each window, and nobody sees: without them, a page of
 * ours opens in about half the time. The others are those of Playwright that matter here, as a later list replaces its own.
 */
const WITHOUT = [
  'WebUIOmniboxPopup',
  'WebUIOmniboxAimPopup',
  'WebUIOmniboxFullPopup',
  'AimEnabled',
  'DestroyProfileOnBrowserClose',
  'HttpsFirstBalancedModeAutoEnable',
  'HttpsUpgrades',
  'NetworkTimeServiceQuerying',
  'OptimizationHints',
  'PaintHolding',
  'PreconnectToSearch',
]

/** Works offline, and as root. */
const FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  `--disable-features=${WITHOUT.join(',')}`,
]

export const launchBrowser = (): Promise<Browser> =>
  chromium.launch({ executablePath: executablePath ?? '', args: FLAGS })

export type Opened = AsyncDisposable & {
  readonly page: Page
  /** Errors, warnings, violations of the content security policy and failed requests so far. */
  readonly complaints: string[]
}

/** A page with its own profile. When it is disposed, every complaint must match `expected`. */
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
  // Chromium does not log every violation of the policy. The event reports them all.
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
