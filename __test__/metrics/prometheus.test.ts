// What a registry of prom-client collects of caches and nodes.
import test, { type ExecutionContext } from 'ava'
import { Cache } from 'breakwater'
import { createAdmin } from 'breakwater/admin'
import { METRICS, metricsRoute, registerMetrics } from 'breakwater/metrics'
import { createRouter } from 'breakwater/router'
import { ManualClock } from 'breakwater/testing'
import { Registry } from 'prom-client'
import { Raw } from '../router/support.ts'

/** The values of a scrape, by name and labels. */
async function scrape(registry: Registry): Promise<Map<string, number>> {
  return parse(await registry.metrics())
}

function parse(text: string): Map<string, number> {
  const lines = text.split('\n').filter(line => line !== '' && !line.startsWith('#'))
  return new Map(
    lines.map(line => {
      const at = line.lastIndexOf(' ')
      return [line.slice(0, at), Number(line.slice(at + 1))]
    }),
  )
}

let names = 0

function cached(t: ExecutionContext, options: object = {}) {
  const name = `metrics-${process.pid}-${names++}`
  const cache = new Cache<string, string>({ name, max: 100, ...options })
  t.teardown(() => cache.close())
  return { cache, name }
}

test('reads, loads and their latencies, by the name of the cache', async t => {
  const clock = new ManualClock()
  const loader = async (key: string) => {
    clock.advance(3)
    return key
  }
  const { cache, name } = cached(t, { loader, clock })
  const registry = new Registry()
  registerMetrics(registry, { caches: [cache] })
  await cache.fetch('a')
  await cache.fetch('a')
  const values = await scrape(registry)
  t.is(values.get(`breakwater_cache_reads_total{cache="${name}",outcome="hit"}`), 1)
  t.is(values.get(`breakwater_cache_reads_total{cache="${name}",outcome="miss"}`), 1)
  t.is(values.get(`breakwater_cache_loads_total{cache="${name}"}`), 1)
  const load = (rest: string) => values.get(`breakwater_cache_load_seconds_${rest}`)
  t.is(load(`count{cache="${name}",reason="miss"}`), 1)
  t.is(load(`sum{cache="${name}",reason="miss"}`), 0.003)
  t.is(load(`bucket{cache="${name}",reason="miss",le="0.002048"}`), 0)
  t.is(load(`bucket{cache="${name}",reason="miss",le="0.004096"}`), 1)
  t.is(load(`bucket{cache="${name}",reason="miss",le="+Inf"}`), 1)
})

test('reads of the first minute are cold, and how far reads are of few keys is told', async t => {
  const clock = new ManualClock()
  const { cache, name } = cached(t)
  cache.set('a', '1').get('before')
  const registry = new Registry()
  const stop = registerMetrics(registry, { caches: [cache], clock })
  const cold = async (outcome: string) =>
    (await scrape(registry)).get(
      `breakwater_cache_cold_reads_total{cache="${name}",outcome="${outcome}"}`,
    )
  cache.get('a')
  cache.get('b')
  t.deepEqual([await cold('hit'), await cold('miss')], [1, 1])
  clock.advance(59_999)
  cache.get('b')
  clock.advance(1)
  for (let i = 0; i < 10_000; i++) cache.get('a')
  t.deepEqual([await cold('hit'), await cold('miss')], [1, 2])
  const values = await scrape(registry)
  const top = (keys: number) =>
    values.get(`breakwater_cache_skew_ratio{cache="${name}",top="${keys}"}`)!
  t.true(top(1) > 0.9 && top(10) >= top(1) && top(100) <= 1)
  cache.resetStats()
  t.deepEqual([await cold('hit'), await cold('miss')], [1, 2])
  stop()
  t.throws(() => registerMetrics(registry, { caches: [cache], clock: {} as never }), {
    code: 'ERR_INVALID_OPTION',
    message: /clock must be a ManualClock/,
  })
})

test('reads that wait for one load are a herd from the eleventh on', async t => {
  const { cache, name } = cached(t, { loader: async (key: string) => key })
  const registry = new Registry()
  registerMetrics(registry, { caches: { pages: cache } })
  const herd = (size: number, key: string) =>
    Promise.all(Array.from({ length: size }, () => cache.fetch(key)))
  await herd(11, 'a')
  t.is((await scrape(registry)).get('breakwater_cache_herds_total{cache="pages"}'), 0)
  await herd(12, 'b')
  const values = await scrape(registry)
  t.is(values.get('breakwater_cache_herds_total{cache="pages"}'), 1)
  t.is(values.get('breakwater_cache_herd_size_max{cache="pages"}'), 11)
  t.false(
    [...values.keys()].some(key => key.includes(name)),
    'it has the name that was given',
  )
})

test('stale values by reason, and what the breaker is', async t => {
  const clock = new ManualClock()
  let fails = false
  const loader = async (key: string) => {
    if (fails) throw new Error('sick')
    return key
  }
  const origin = { breaker: { failures: 1 } }
  const { cache } = cached(t, { loader, clock, ttl: 100, staleIfError: '1h', origin })
  const registry = new Registry()
  registerMetrics(registry, { caches: { c: cache } })
  await cache.fetch('a')
  fails = true
  clock.advance(200)
  t.is(await cache.fetch('a'), 'a')
  const values = await scrape(registry)
  t.is(values.get('breakwater_cache_stale_total{cache="c",reason="error"}'), 1)
  t.is(values.get('breakwater_cache_breaker_state{cache="c",of="loader"}'), 2)
})

test('a cache that nobody watches has no listener, and one that is let go has none any more', async t => {
  const { cache } = cached(t, { loader: async (key: string) => key })
  const listeners: string[] = []
  const on = cache.on.bind(cache)
  let left = 0
  Object.defineProperty(cache, 'on', {
    value: (event: never, listener: never) => {
      listeners.push(event)
      left++
      const stop = on(event, listener)
      return () => {
        left--
        stop()
      }
    },
  })
  const registry = new Registry()
  await cache.fetch('a')
  t.deepEqual(listeners, [])
  const stop = registerMetrics(registry, { caches: { c: cache } })
  t.false(
    listeners.some(event => event === 'hit' || event === 'miss'),
    'reads are counted anyway',
  )
  stop()
  t.is(left, 0)
  t.false((await registry.metrics()).includes('cache="c"'))
})

test('caches are added, refused and left out when they are closed', async t => {
  const [one, other] = [cached(t), cached(t)]
  const registry = new Registry()
  registerMetrics(registry, { caches: [one.cache] })
  registerMetrics(registry, { caches: [other.cache] })
  const text = await registry.metrics()
  t.true(text.includes(one.name) && text.includes(other.name))
  await one.cache.close()
  t.false((await registry.metrics()).includes(one.name))
  const nameless = new Cache({ max: 10 })
  t.teardown(() => nameless.close())
  t.throws(() => registerMetrics(registry, { caches: [nameless] }), { code: 'ERR_INVALID_OPTION' })
  const twice = { caches: [other.cache, other.cache] }
  t.throws(() => registerMetrics(registry, twice), { code: 'ERR_INVALID_OPTION' })
  t.throws(() => registerMetrics({} as never, {}), { code: 'ERR_INVALID_OPTION' })
})

test('a node is scraped at its admin entrance, and every metric is one of the catalogue', async t => {
  t.timeout(120_000)
  const router = createRouter({ threads: 1, maxBytes: '16mb' })
  t.teardown(() => router.close())
  const { port } = await router.listen({ port: 0 })
  const admin = createAdmin(router, { listen: '127.0.0.1:0' })
  t.teardown(() => admin.close())
  admin.mount(metricsRoute({ routers: [router] }))
  const address = await admin.listen()
  const client = await Raw.open(t, port)
  await client.send('SET', 'secret-key', 'secret-value')
  await client.send('GET', 'secret-key')
  let text = ''
  let values = new Map<string, number>()
  while (values.get('breakwater_node_requests_total{node="node",class="read"}') !== 1) {
    const response = await fetch(`http://${address}/metrics`)
    t.is(response.status, 200)
    t.regex(response.headers.get('content-type') ?? '', /^text\/plain; version=0\.0\.4/)
    text = await response.text()
    values = parse(text)
  }
  t.false(text.includes('secret'))
  t.is(values.get('breakwater_node_reads_total{node="node",outcome="hit"}'), 1)
  t.is(values.get('breakwater_node_latency_seconds_count{node="node",class="write"}'), 1)
  const told = [...text.matchAll(/^# TYPE (\S+) (\S+)$/gm)].map(
    ([, name, type]) => `${name} ${type}`,
  )
  t.deepEqual(told.sort(), METRICS.map(({ name, type }) => `${name} ${type}`).sort())
})
