// A real browser: Debian's Chromium, driven by playwright-core.
import { execFileSync } from 'node:child_process'
import type { ExecutionContext } from 'ava'
import { type Browser, chromium, type Page } from 'playwright-core'

/** Where the browser is; `undefined` if it is not installed. */
export const browserPath = (['chromium', 'chromium-browser', 'google-chrome'] as const)
  .map(name => {
    try {
      return execFileSync('which', [name], { encoding: 'utf8' }).trim()
    } catch {
      return undefined
    }
  })
  .find(path => path !== undefined)

if (browserPath === undefined) {
  if (process.env.BREAKWATER_REQUIRE_BROWSER === '1') throw new Error('there is no chromium')
  console.warn('chromium is not installed: the tests that need it are skipped')
}

/** Starts the browser until the test ends. */
export async function launch(t: ExecutionContext): Promise<Browser> {
  const browser = await chromium.launch({
    executablePath: browserPath!,
    // Root has no sandbox; containers have a small /dev/shm.
    args: ['--no-sandbox', '--disable-dev-shm-usage', '--disable-gpu'],
    timeout: 120_000,
  })
  t.teardown(() => browser.close())
  return browser
}

/** A page, and all that went wrong in it. */
export interface Opened {
  page: Page
  faults: string[]
  /** The bytes of the files that it loaded. */
  loaded(): number
}

/** What a browser says where nobody answers: no fault of the page. */
const AWAY = /ERR_CONNECTION_REFUSED|ERR_CONNECTION_RESET|ERR_INCOMPLETE_CHUNKED|ERR_EMPTY_RESPONSE/

/** Opens a page that does not wait for animations. */
export async function openPage(
  browser: Browser,
  url: string,
  options: Parameters<Browser['newContext']>[0] = {},
): Promise<Opened> {
  const context = await browser.newContext({ viewport: { width: 1400, height: 900 }, ...options })
  context.setDefaultTimeout(120_000)
  const page = await context.newPage()
  const faults: string[] = []
  let bytes = 0
  page.on('console', message => {
    if (message.type() === 'error' && !AWAY.test(message.text())) faults.push(message.text())
  })
  page.on('pageerror', error => faults.push(error.message))
  page.on('dialog', dialog => {
    faults.push(`a dialog of a script: ${dialog.message()}`)
    void dialog.dismiss()
  })
  page.on('requestfinished', async request => {
    const { responseBodySize, responseHeadersSize } = await request.sizes()
    bytes += responseBodySize + responseHeadersSize
  })
  await page.goto(url)
  return { page, faults, loaded: () => bytes }
}
