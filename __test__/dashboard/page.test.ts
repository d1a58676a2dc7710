// The page in a real browser: over a node under traffic, and over a cache with the keys of strangers.
import { readFileSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { Redis } from 'ioredis'
import type { Page } from 'playwright-core'
import { freePort } from '../../scripts/free-port.mjs'
import { folderOf } from '../helpers/folders.ts'
import { installed, redis, serve } from '../router/support.ts'
import { browserPath, launch, openPage } from './browser.ts'
import { built, dashboard, served, TOKEN, until } from './support.ts'

const { Cache } = built
const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')
const inBrowser = browserPath === undefined ? test.skip : test.serial
const overStores = installed('redis-server') ? inBrowser : test.skip

/** What accessibility checkers find that is serious. */
async function seriousFaults(page: Page): Promise<string[]> {
  // As an extension would, past the page's policy.
  const session = await page.context().newCDPSession(page)
  const { result } = await session.send('Runtime.evaluate', {
    expression: `${axe}; axe.run(document).then(({ violations }) => JSON.stringify(violations
      .filter(({ impact }) => impact === 'serious' || impact === 'critical')
      .map(({ id, nodes }) => id + ': ' + nodes.map(({ html }) => html).join(' '))))`,
    awaitPromise: true,
    allowUnsafeEvalBlockedByCSP: true,
  })
  return JSON.parse(result.value)
}

/** The figure at the top that is called so. */
const gauge = (page: Page, label: string) =>
  page.locator('.gauge', { has: page.getByText(label, { exact: true }) }).locator('.value')

/** Clients that read and write until the test ends. */
function traffic(t: ExecutionContext, port: number): { clients: Redis[] } {
  const clients = Array.from({ length: 8 }, () =>
    new Redis({ port, retryStrategy: () => 50 }).on('error', () => {}),
  )
  let round = 0
  const timer = setInterval(() => {
    round++
    for (const [at, client] of clients.entries()) {
      if (client.status !== 'ready') continue
      const key = (round * 7 + at * 13) % 400
      client.get(`user:${key}`).catch(() => {})
      client.get('front-page').catch(() => {})
      if (key % 5 === 0) client.set(`user:${key}`, 'x'.repeat(200)).catch(() => {})
    }
  }, 10)
  t.teardown(() => {
    clearInterval(timer)
    for (const client of clients) client.disconnect()
  })
  return { clients }
}

overStores('a node under traffic: figures, a hot key, a store that dies, a restart', async t => {
  t.timeout(300_000)
  const stores = await Promise.all([redis(t), redis(t)])
  const [port, adminPort] = [await freePort(), await freePort()]
  const file = join(folderOf(t, 'token'), 'token')
  writeFileSync(file, TOKEN)
  const flags = [
    ...stores.flatMap(store => ['--store', `redis://127.0.0.1:${store.port}`]),
    ...['--route', 'user:*,ttl=2s', '--route', '*,mode=off', '--threads', '1'],
    ...['--port', `${port}`, '--admin', `127.0.0.1:${adminPort}`, '--admin-token-file', file],
  ]
  let node = await serve(t, ...flags)
  traffic(t, port)

  const browser = await launch(t)
  const { page, faults, loaded } = await openPage(browser, `http://127.0.0.1:${adminPort}/`)
  // Without the token there are no figures, and the page asks for it.
  await page.getByLabel('Token', { exact: true }).fill(TOKEN)
  await page.keyboard.press('Enter')

  const commands = gauge(page, 'Commands')
  await page.locator('#connection', { hasText: 'Live' }).waitFor()
  await until(async () => /^[1-9]/.test((await commands.textContent()) ?? ''))
  t.true(loaded() < 300_000, `${loaded()} bytes`)
  const before = await commands.textContent()
  await until(async () => (await commands.textContent()) !== before)

  const hot = page.getByRole('region', { name: 'Hot keys' })
  await hot.getByRole('row', { name: /front-page/ }).waitFor()
  await page.getByLabel('Mode of user:*').selectOption('shadow')
  await page.getByRole('button', { name: 'Switch' }).click()
  await page.locator('.outcome', { hasText: 'routes[user:*].mode' }).waitFor()
  await hot
    .getByRole('row', { name: /front-page/ })
    .getByRole('button', { name: 'Pin' })
    .click()
  await page.getByRole('dialog').getByRole('button', { name: 'Pin' }).click()
  await hot.getByRole('row', { name: /front-page.*yes/ }).waitFor()

  // What the node remembers: told as it leaves, inspected, forgotten; the stores keep all of it.
  await page.getByText('Invalidations, as they come').click()
  const leaving = page.getByRole('region', { name: 'Invalidations' })
  await leaving.getByText('write', { exact: true }).first().waitFor()
  await page.getByRole('list', { name: 'Rates' }).getByText('user:*').waitFor()
  const finder = page.getByLabel('Key or prefix')
  await finder.fill('user:7')
  await page.getByRole('button', { name: 'Inspect' }).first().click()
  await page.locator('.facts', { hasText: 'user:*, shadow' }).waitFor()
  const dialog = page.getByRole('dialog')
  await page.getByLabel('What to look for').selectOption('Prefix')
  await finder.fill('user:')
  await page.getByRole('button', { name: 'Invalidate…' }).click()
  await dialog.getByRole('button', { name: 'Invalidate all' }).click()
  await page
    .locator('.moments', { hasText: /Invalidated \d+ keys that begin with user:/ })
    .waitFor()
  await leaving.getByText('hand', { exact: true }).first().waitFor()
  await page.getByRole('button', { name: 'Flush…' }).click()
  await dialog.getByText('Nothing is deleted in a store.').waitFor()
  await dialog.getByRole('button', { name: 'Flush' }).click()
  await page.locator('.outcome', { hasText: 'The stores are as they were' }).waitFor()
  t.deepEqual(await seriousFaults(page), [])

  await stores[1]!.stop('SIGKILL')
  await page.locator('td[data-state="down"]', { hasText: 'down' }).waitFor()
  await page.locator('#connection', { hasText: 'is down' }).waitFor()
  await page.locator('.moments', { hasText: 'is down' }).waitFor()

  await node.stop('SIGKILL')
  await page.locator('#connection', { hasText: 'Disconnected since' }).waitFor()
  node = await serve(t, ...flags)
  await page.locator('.moments', { hasText: 'The process was restarted' }).waitFor()
  await until(async () => /^[1-9]/.test((await commands.textContent()) ?? ''))
  // The browser's own word of the first request, which had no token.
  t.deepEqual(
    faults.filter(text => !text.includes('401 (Unauthorized)')),
    [],
  )
})

inBrowser('a cache: an invalidation by hand, and keys of strangers as text', async t => {
  t.timeout(300_000)
  const cache = new Cache<string, string>({
    name: 'users',
    maxBytes: '4mb',
    loader: key => new Promise(resolve => setTimeout(() => resolve(`of ${key}`), key.length)),
  })
  const hostile = ['<img src=x onerror=alert(1)>', 'a\u202Egnp.exe', '"><script>alert(2)</script>']
  const timer = setInterval(() => {
    for (const key of hostile) for (let i = 0; i < 20; i++) void cache.fetch(key)
    for (let i = 0; i < 40; i++) void cache.fetch(`user:${Math.floor(400 ** (i / 40))}`)
  }, 10)
  t.teardown(() => clearInterval(timer))
  const handler = dashboard(cache, { token: TOKEN, showValues: true, every: '200ms' })
  const port = await served(t, handler)
  const browser = await launch(t)
  const url = `http://127.0.0.1:${port}/#token=${TOKEN}`
  const { page, faults } = await openPage(browser, url, { colorScheme: 'dark' })
  t.false(page.url().includes(TOKEN))

  const hot = page.getByRole('region', { name: 'Hot keys' })
  await hot.getByRole('row', { name: /<img src=x onerror=alert\(1\)>/ }).waitFor()
  await hot.getByRole('row', { name: /a\\u\{202e\}gnp\.exe/ }).waitFor()
  t.is(await page.locator('img, main script').count(), 0)

  await page.keyboard.press('/')
  await page.keyboard.type('user:1')
  await page.keyboard.press('Enter')
  await page.locator('.facts', { hasText: 'of user:1' }).waitFor()
  clearInterval(timer)
  t.true(cache.has('user:1'))
  await page.getByRole('button', { name: 'Invalidate…' }).click()
  const confirm = page.getByRole('dialog')
  t.deepEqual(await seriousFaults(page), [])
  await confirm.getByRole('button', { name: 'Cancel' }).click()
  await page.getByRole('button', { name: 'Invalidate…' }).click()
  t.true(cache.has('user:1'))
  await confirm.getByRole('button', { name: 'Invalidate' }).click()
  await page.locator('.outcome', { hasText: 'Invalidated.' }).waitFor()
  t.false(cache.has('user:1'))

  await page.getByText('Removals, as they come').click()
  await page.getByLabel('What to look for').selectOption('Prefix')
  await page.getByLabel('Key, prefix or tag').fill('user:')
  await page.getByRole('button', { name: 'Invalidate…' }).click()
  await confirm.getByRole('button', { name: 'Invalidate all' }).click()
  await page
    .getByRole('region', { name: 'Removals' })
    .getByText('user:2', { exact: true })
    .waitFor()
  t.deepEqual(await seriousFaults(page), [])
  t.deepEqual(faults, [])
})

inBrowser(
  'the page fits a phone, and both themes, without a word from the keyboard lost',
  async t => {
    t.timeout(300_000)
    const cache = new Cache<string, string>({ name: 'shown', max: 100, loader: key => key })
    const timer = setInterval(() => {
      for (let i = 0; i < 40; i++) void cache.fetch(`user:${Math.floor(400 ** (i / 40))}`)
    }, 20)
    t.teardown(() => clearInterval(timer))
    const port = await served(t, dashboard({ one: cache, other: cache }, { every: '200ms' }))
    const browser = await launch(t)
    const { page, faults } = await openPage(browser, `http://127.0.0.1:${port}/`, {
      viewport: { width: 360, height: 740 },
      colorScheme: 'dark',
    })
    await page.locator('#connection', { hasText: 'Live' }).waitFor()
    await page.getByRole('region', { name: 'Hot keys' }).getByRole('row').nth(3).waitFor()
    const ground = () => page.evaluate('getComputedStyle(document.body).backgroundColor')
    const [wide, seen] = (await page.evaluate(
      '[document.body.scrollWidth, innerWidth]',
    )) as number[]
    t.true(wide! <= seen!, `${wide} of ${seen}`)
    const dark = await ground()
    t.deepEqual(await seriousFaults(page), [])
    await page.keyboard.press('t')
    t.not(await ground(), dark)
    t.deepEqual(await seriousFaults(page), [])
    await page.keyboard.press('p')
    t.is(await page.locator('#pause').getAttribute('aria-pressed'), 'true')
    await page.keyboard.press('2')
    t.is(await page.locator('.tab[aria-current]').textContent(), 'shown')
    t.deepEqual(faults, [])
  },
)
