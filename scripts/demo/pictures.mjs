// `node scripts/demo/pictures.mjs`: plays the demo and takes the pictures of the dashboard that README and docs
// show. It needs Chromium, and `npm run setup:tests` for its driver.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createRequire } from 'node:module'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

const here = name => fileURLToPath(new URL(name, import.meta.url))
const { chromium } = createRequire(here('../../__test__/dashboard/package.json'))('playwright-core')
/** For how long traffic is watched before the pictures are taken, in milliseconds. */
const WATCHED = 90_000

const PICTURES = [
  { name: 'dashboard', colorScheme: 'light', viewport: { width: 1400, height: 900 } },
  { name: 'dashboard-dark', colorScheme: 'dark', viewport: { width: 1400, height: 900 } },
  { name: 'dashboard-phone', colorScheme: 'light', viewport: { width: 390, height: 844 } },
  {
    name: 'dashboard-whole',
    colorScheme: 'dark',
    viewport: { width: 1400, height: 900 },
    fullPage: true,
  },
]

const demo = spawn(process.execPath, [here('main.mjs'), '--keep'], {
  stdio: ['ignore', 'pipe', 'inherit'],
})
let printed = ''
demo.stdout.on('data', chunk => (printed += chunk))
const says = async words => {
  while (!words.test(printed)) await once(demo.stdout, 'data')
}
await says(/The dashboard: http/)
const url = /http:\S+/.exec(printed)[0]
const executablePath = process.env.CHROMIUM ?? '/usr/bin/chromium'
const browser = await chromium.launch({ executablePath, args: ['--no-sandbox'] })
try {
  const pages = []
  for (const { name, fullPage = false, ...options } of PICTURES) {
    const page = await (await browser.newContext({ ...options, reducedMotion: 'reduce' })).newPage()
    await page.goto(url)
    await page.locator('#connection', { hasText: 'Live' }).waitFor()
    const stream = page.getByText('Invalidations, as they come')
    if (fullPage) await stream.click()
    pages.push({ name, fullPage, page })
  }
  await says(/It goes on/)
  await sleep(Number(process.argv[2] ?? WATCHED))
  for (const { name, fullPage, page } of pages) {
    await page.screenshot({ path: here(`../../docs/images/${name}.png`), fullPage })
  }
} finally {
  await browser.close()
  demo.kill('SIGINT')
}
