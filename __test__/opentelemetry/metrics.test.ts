// Caches and nodes as instruments of OpenTelemetry, by its real SDK.
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { OTLPMetricExporter } from '@opentelemetry/exporter-metrics-otlp-http'
import {
  type Histogram,
  MeterProvider,
  PeriodicExportingMetricReader,
} from '@opentelemetry/sdk-metrics'
import test from 'ava'
import { METRICS } from '../../src/metrics/index.ts'
import { instrumentOf } from '../../src/opentelemetry/names.ts'
import { ManualClock } from '../../src/testing.ts'
import { Raw } from '../router/support.ts'
import {
  cached,
  createRouter,
  idleMeter,
  metered,
  metricProducer,
  registerMetrics,
} from './support.ts'

/** What the specification has Prometheus call an instrument. */
function prometheusName(name: string, unit: string, type: string): string {
  const units: Record<string, string> = { s: '_seconds', By: '_bytes', 1: '_ratio' }
  return name.replaceAll('.', '_') + (units[unit] ?? '') + (type === 'counter' ? '_total' : '')
}

test('each metric has the name by which Prometheus ends at that of the catalogue', t => {
  for (const metric of METRICS) {
    const { name, unit } = instrumentOf(metric)
    t.regex(name, /^breakwater\.(cache|node)\.[a-z][a-z_]*$/)
    t.is(prometheusName(name, unit, metric.type), metric.name)
  }
})

test('a meter observes reads and loads of a cache, and how long loads took', async t => {
  const clock = new ManualClock()
  const loader = async (key: string) => {
    clock.advance(3)
    return key
  }
  const { cache, name } = cached(t, { loader, clock })
  const { meter, values } = metered(t)
  const stop = registerMetrics(meter, { caches: [cache] })
  await cache.fetch('a')
  await cache.fetch('a')
  const seen = await values()
  t.is(seen.get(`breakwater.cache.reads{${name},hit}`), 1)
  t.is(seen.get(`breakwater.cache.reads{${name},miss}`), 1)
  t.is(seen.get(`breakwater.cache.loads{${name}}`), 1)
  t.is(seen.get(`breakwater.cache.entries{${name}}`), 1)
  t.is(seen.get(`breakwater.cache.load.count{${name},miss}`), 1)
  t.is(seen.get(`breakwater.cache.load.sum{${name},miss}`), 0.003)
  stop()
  await cache.fetch('b')
  // The SDK goes on telling what it was told last.
  t.is((await values()).get(`breakwater.cache.loads{${name}}`), 1)
})

test('a producer gives the whole catalogue of a cache and a node, with distributions', async t => {
  t.timeout(60_000)
  const router = createRouter({ threads: 1, maxBytes: '16mb' })
  t.teardown(() => router.close())
  const { port } = await router.listen({ port: 0 })
  const client = await Raw.open(t, port)
  await client.send('SET', 'secret-key', 'secret-value')
  const { cache, name } = cached(t, { loader: async key => key })
  const producer = metricProducer({ caches: [cache], routers: [router] })
  t.teardown(() => producer.stop())
  const { collect, values } = metered(t, [producer])
  await cache.fetch('a')
  while ((await values()).get('breakwater.node.requests{node,write}') !== 1);
  const all = await collect()
  t.false(JSON.stringify(all).includes('secret'))
  const load = all.find(({ descriptor }) => descriptor.name === 'breakwater.cache.load')
  const point = load?.dataPoints.find(({ attributes }) => attributes.reason === 'miss')
  const { count, buckets } = point!.value as Histogram
  t.is(count, 1)
  t.is(buckets.counts.length, buckets.boundaries.length + 1)
  t.deepEqual(point!.attributes, { cache: name, reason: 'miss' })
  // What has nothing to tell of these two is left out: no store, no writes behind.
  const names = new Set(METRICS.map(metric => instrumentOf(metric).name))
  for (const { descriptor } of all) t.true(names.has(descriptor.name), descriptor.name)
  t.true(all.length > names.size / 2)
})

test('what the exporter for OTLP sends is what a collector or an agent of Datadog takes', async t => {
  const got: { path: string; body: string }[] = []
  const server = createServer(async (request, response) => {
    const parts: Buffer[] = []
    for await (const part of request) parts.push(part)
    got.push({ path: request.url ?? '', body: Buffer.concat(parts).toString() })
    response.setHeader('content-type', 'application/json').end('{}')
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => server.close())
  const { port } = server.address() as AddressInfo
  const exporter = new OTLPMetricExporter({ url: `http://127.0.0.1:${port}/v1/metrics` })
  const { cache, name } = cached(t, { loader: async key => key })
  const producer = metricProducer({ caches: [cache] })
  const reader = new PeriodicExportingMetricReader({ exporter, metricProducers: [producer] })
  const provider = new MeterProvider({ readers: [reader] })
  await cache.fetch('a')
  await provider.shutdown()
  producer.stop()
  t.is(got[0]?.path, '/v1/metrics')
  const { resourceMetrics } = JSON.parse(got[0]!.body)
  const { metrics } = resourceMetrics[0].scopeMetrics[0]
  const of = (wanted: string) => metrics.find((metric: { name: string }) => metric.name === wanted)
  const labels = [{ key: 'cache', value: { stringValue: name } }]
  const [loads] = of('breakwater.cache.loads').sum.dataPoints
  t.is(loads.asDouble, 1)
  t.deepEqual(loads.attributes, labels)
  const [times] = of('breakwater.cache.load').histogram.dataPoints
  t.is(times.count, 1)
  t.is(times.explicitBounds.length + 1, times.bucketCounts.length)
})

test('where no SDK is set up nothing is read, and nonsense is refused', async t => {
  const { cache } = cached(t)
  const stop = registerMetrics(idleMeter, { caches: [cache] })
  stop()
  for (const meter of [undefined, null, {}, 'meter']) {
    const error = t.throws(() => registerMetrics(meter as never, {}), {
      code: 'ERR_INVALID_OPTION',
    })
    t.regex(error?.message ?? '', /meter/)
  }
})
