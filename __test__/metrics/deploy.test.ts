// The files of deploy/: a real Prometheus scrapes a node under load, and every rule and every panel has
// something to say.
import { execFileSync, spawn } from 'node:child_process'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import test, { type ExecutionContext } from 'ava'
import { Cache } from 'breakwater'
import { createAdmin } from 'breakwater/admin'
import { METRICS, metricsRoute } from 'breakwater/metrics'
import { createRouter } from 'breakwater/router'
import { freePort } from '../../scripts/free-port.mjs'
import { folderOf } from '../helpers/folders.ts'
import { installed, Raw, redis } from '../router/support.ts'

const deploy = fileURLToPath(new URL('../../deploy/', import.meta.url))
const rules = join(deploy, 'prometheus/breakwater.rules.yml')

interface Panel {
  title: string
  targets: { expr: string }[]
}

/** The queries of all panels, as Grafana would send them. */
const panels = readdirSync(join(deploy, 'grafana')).flatMap(file => {
  const board = JSON.parse(readFileSync(join(deploy, 'grafana', file), 'utf8'))
  return (board.panels as Panel[]).flatMap(({ title, targets }) =>
    targets.map(({ expr }) => ({
      title: `${file}: ${title}`,
      expr: expr.replaceAll('$__rate_interval', '1m').replaceAll('$instance', '.*'),
    })),
  )
})

test('rules and panels ask for metrics of the catalogue alone', t => {
  const known = new Set(METRICS.map(({ name }) => name))
  const texts = [readFileSync(rules, 'utf8'), ...panels.map(({ expr }) => expr)]
  for (const [name] of texts.join('\n').matchAll(/\bbreakwater_[a-z_]+/g)) {
    t.true(known.has(name) || known.has(name.replace(/_(bucket|sum|count)$/, '')), name)
  }
})

const prometheus = installed('prometheus') && installed('redis-server') ? test : test.skip

prometheus('promtool finds no fault with the rules', t => {
  const said = execFileSync('promtool', ['check', 'rules', rules], { encoding: 'utf8' })
  t.regex(said, /SUCCESS/)
})

prometheus(
  'every rule is evaluated and every panel shows something of a node under load',
  async t => {
    t.timeout(300_000)
    const target = await loaded(t)
    const ask = await scraping(t, target)
    const empty = async (exprs: { title: string; expr: string }[]) => {
      const answers = await Promise.all(
        exprs.map(async ({ title, expr }) => ({ title, result: await ask(expr) })),
      )
      return answers.filter(({ result }) => result.length === 0).map(({ title }) => title)
    }
    // Rates need a few scrapes.
    while ((await empty(panels)).length > 0) await sleep(200)
    const groups = await ask.rules()
    t.true(groups.length > 10)
    const records = groups.filter(({ type }) => type === 'recording')
    const named = records.map(({ name }) => ({ title: name, expr: name }))
    while ((await empty(named)).length > 0) await sleep(200)
    // Each group of rules is evaluated at a moment of its own.
    while ((await ask.rules()).some(({ health }) => health === 'unknown')) await sleep(200)
    for (const { name, health, lastError } of await ask.rules()) {
      t.is(health, 'ok', `${name}: ${lastError}`)
    }
  },
)

/** A node in front of a store and a cache, which have something to do; where they are scraped. */
async function loaded(t: ExecutionContext): Promise<string> {
  const store = await redis(t)
  const router = createRouter({
    threads: 1,
    maxBytes: '16mb',
    store: `redis://127.0.0.1:${store.port}`,
    routes: ['page:*,ttl=1m', '*,ttl=1ms'],
  })
  const { port } = await router.listen({ port: 0 })
  const cache = new Cache({
    name: `deployed-${process.pid}`,
    max: 10,
    loader: async (key: string) => key,
  })
  const admin = createAdmin(router, { listen: '127.0.0.1:0' })
  admin.mount(metricsRoute({ routers: [router], caches: { pages: cache } }))
  const target = await admin.listen()
  const client = await Raw.open(t, port)
  let ends = false
  const load = (async () => {
    for (let n = 0; !ends; n++) {
      await client.send('SET', `page:${n % 7}`, 'v')
      for (let m = 0; m < 20; m++) await client.send('GET', `page:${m % 7}`)
      await client.send('GET', 'other')
      await client.send('ECHO', 'a')
      await cache.fetch(`key-${n % 30}`)
      await cache.fetch(`key-${n % 30}`)
      await sleep(2)
    }
  })()
  t.teardown(async () => {
    ends = true
    await load
    await admin.close()
    await router.close()
    await cache.close()
  })
  return target
}

interface Rule {
  name: string
  type: 'recording' | 'alerting'
  health: string
  lastError?: string
}

/** Runs a Prometheus that scrapes a target with these rules; asks it. */
async function scraping(t: ExecutionContext, target: string) {
  const folder = folderOf(t, 'prometheus')
  const config = join(folder, 'prometheus.yml')
  const given = readFileSync(join(deploy, 'prometheus/prometheus.yml'), 'utf8')
  writeFileSync(
    config,
    given
      .replace('scrape_interval: 15s', 'scrape_interval: 1s\n  evaluation_interval: 1s')
      .replace('breakwater.rules.yml', rules)
      .replace('breakwater:9121', target),
  )
  const port = await freePort()
  const process = spawn(
    'prometheus',
    [
      `--config.file=${config}`,
      `--storage.tsdb.path=${join(folder, 'data')}`,
      `--web.listen-address=127.0.0.1:${port}`,
    ],
    { stdio: 'ignore' },
  )
  const ended = new Promise(resolve => process.once('exit', resolve))
  t.teardown(async () => {
    process.kill('SIGKILL')
    await ended
  })
  const base = `http://127.0.0.1:${port}`
  const ready = () =>
    fetch(`${base}/-/ready`).then(
      ({ ok }) => ok,
      () => false,
    )
  while (!(await ready())) await sleep(50)
  const get = async <T>(path: string): Promise<T> => {
    const said = await (await fetch(`${base}/api/v1/${path}`)).json()
    const { status, data, error } = said as { status: string; data: never; error?: string }
    if (status !== 'success') throw new Error(`${path}: ${error}`)
    return data
  }
  const ask = async (expr: string): Promise<unknown[]> =>
    (await get<{ result: unknown[] }>(`query?query=${encodeURIComponent(expr)}`)).result
  return Object.assign(ask, {
    async rules(): Promise<Rule[]> {
      const { groups } = await get<{ groups: { rules: Rule[] }[] }>('rules')
      return groups.flatMap(group => group.rules)
    },
  })
}
