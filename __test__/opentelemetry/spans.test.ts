// Spans of reads that wait, by OpenTelemetry's real SDK.
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import {
  context,
  propagation,
  ROOT_CONTEXT,
  SpanStatusCode,
  type TextMapSetter,
  trace,
} from '@opentelemetry/api'
import {
  InMemorySpanExporter,
  NodeTracerProvider,
  type ReadableSpan,
  SimpleSpanProcessor,
} from '@opentelemetry/sdk-trace-node'
import test, { type ExecutionContext } from 'ava'
import { fetches, loads, tierCalls } from '../../src/events/tracing.ts'
import { redis as tier } from '../../src/tier/redis/index.ts'
import { installed, redis } from '../router/support.ts'
import { connect } from '../tier/invalidation.ts'
import { cached, registerSpans } from './support.ts'

const exporter = new InMemorySpanExporter()
const provider = new NodeTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] })
// As an application does: contexts by AsyncLocalStorage, W3C headers.
provider.register()
const tracer = provider.getTracer('test')

test.beforeEach(() => exporter.reset())

/** Traces until the test ends. */
function spansOf(t: ExecutionContext, options = {}) {
  t.teardown(registerSpans(tracer, options))
  const ended = (name: string): ReadableSpan[] =>
    exporter.getFinishedSpans().filter(span => span.name === name)
  return (name: string): ReadableSpan => {
    const [one, ...others] = ended(name)
    if (one === undefined || others.length > 0) t.fail(`${name}: ${others.length + 1} or none`)
    return one as ReadableSpan
  }
}

const idOf = (span: ReadableSpan) => span.spanContext().spanId

test.serial(
  'the trace of a request goes by the read and its load to what the loader asks',
  async t => {
    const seen: (string | undefined)[] = []
    const origin = createServer((request, response) => {
      seen.push(request.headers.traceparent as string | undefined)
      response.end('from the origin')
    })
    await new Promise<void>(resolve => origin.listen(0, '127.0.0.1', resolve))
    t.teardown(() => origin.close())
    const { port } = origin.address() as AddressInfo
    const setter: TextMapSetter<Headers> = {
      set: (headers, name, value) => headers.set(name, value),
    }
    const { cache, name } = cached(t, {
      async loader() {
        await null
        const headers = new Headers()
        propagation.inject(context.active(), headers, setter)
        return (await fetch(`http://127.0.0.1:${port}/`, { headers })).text()
      },
    })
    const span = spansOf(t)
    const traceId = '0af7651916cd43dd8448eb211c80319c'
    const traceparent = `00-${traceId}-b7ad6b7169203331-01`
    const incoming = propagation.extract(ROOT_CONTEXT, { traceparent })
    t.is(await context.with(incoming, () => cache.fetch('a')), 'from the origin')
    const [read, load] = [span(`fetch ${name}`), span(`load ${name}`)]
    t.is(read.spanContext().traceId, traceId)
    t.is(read.parentSpanContext?.spanId, 'b7ad6b7169203331')
    t.is(load.parentSpanContext?.spanId, idOf(read))
    t.deepEqual(seen, [`00-${traceId}-${idOf(load)}-01`])
    t.deepEqual(read.attributes, { 'breakwater.cache': name, 'breakwater.coalesced': false })
    t.deepEqual(load.attributes, { 'breakwater.cache': name, 'breakwater.reason': 'miss' })
  },
)

test.serial('who waits for the load of another request has a span that links to it', async t => {
  const { cache, name } = cached(t, { loader: async key => key })
  const span = spansOf(t)
  const request = (id: string) =>
    tracer.startActiveSpan(id, async own => {
      await cache.fetch('a')
      own.end()
    })
  await Promise.all([request('first'), request('second'), request('third')])
  const load = span(`load ${name}`)
  t.is(load.spanContext().traceId, span('first').spanContext().traceId)
  const reads = exporter.getFinishedSpans().filter(({ name: of }) => of === `fetch ${name}`)
  const by = (id: string) =>
    reads.find(({ parentSpanContext }) => parentSpanContext?.spanId === idOf(span(id)))
  t.is(reads.length, 3)
  t.deepEqual(by('first')?.links, [])
  for (const id of ['second', 'third']) {
    t.is(by(id)?.attributes['breakwater.coalesced'], true)
    t.deepEqual(
      by(id)?.links.map(({ context }) => context.spanId),
      [idOf(load)],
    )
  }
})

test.serial('a failure is told by the load and by who waited for it', async t => {
  const { cache, name } = cached(t, {
    async loader() {
      throw new Error('sick')
    },
  })
  const span = spansOf(t)
  await t.throwsAsync(cache.fetch('a'), { message: 'sick' })
  for (const each of [span(`fetch ${name}`), span(`load ${name}`)]) {
    t.deepEqual(each.status, { code: SpanStatusCode.ERROR, message: 'sick' })
    t.deepEqual(
      each.events.map(event => event.attributes?.['exception.message']),
      ['sick'],
    )
  }
})

test.serial('a hit has no span, a load in the background has one below who caused it', async t => {
  const { ManualClock } = await import('../../src/testing.ts')
  const clock = new ManualClock()
  const { cache, name } = cached(t, {
    clock,
    ttl: 100,
    staleWhileRevalidate: '1h',
    loader: async key => key,
  })
  await cache.fetch('a')
  const span = spansOf(t)
  await cache.fetch('a')
  t.deepEqual(exporter.getFinishedSpans(), [])
  clock.advance(200)
  await tracer.startActiveSpan('request', async own => {
    t.is(await cache.fetch('a'), 'a')
    own.end()
  })
  while (exporter.getFinishedSpans().length < 2) await null
  const load = span(`load ${name}`)
  t.is(load.attributes['breakwater.reason'], 'refresh')
  t.is(load.parentSpanContext?.spanId, idOf(span('request')))
})

const withRedis = installed('redis-server') ? test.serial : test.skip

withRedis('what a load asks the second tier has spans below it', async t => {
  const { port } = await redis(t)
  const { client } = await connect(t, 'ioredis', port)
  const { cache, name } = cached(t, { tier: tier(client), loader: async key => key })
  await cache.ready
  const span = spansOf(t)
  await cache.fetch('a')
  await cache.put('b', 'value')
  const load = span(`load ${name}`)
  const get = span(`tier get ${name}`)
  t.is(get.parentSpanContext?.spanId, idOf(load))
  t.deepEqual(get.attributes, { 'breakwater.cache': name, 'breakwater.operation': 'get' })
  t.true(exporter.getFinishedSpans().some(({ name: of }) => of === `tier set ${name}`))
})

test.serial('spans tell keys only if they are to', async t => {
  const { cache, name } = cached(t, { loader: async key => key })
  const stop = registerSpans(tracer)
  await cache.fetch('a-secret')
  stop()
  const all = () => JSON.stringify(exporter.getFinishedSpans().map(({ attributes }) => attributes))
  t.false(all().includes('secret'))
  const span = spansOf(t, { keys: true })
  exporter.reset()
  await cache.fetch('told')
  t.is(span(`fetch ${name}`).attributes['breakwater.key'], 'told')
  t.is(span(`load ${name}`).attributes['breakwater.key'], 'told')
})

test.serial('what is traced throws, returns and is thrown as without', async t => {
  const { cache } = cached(t, { loader: (key: string) => key })
  spansOf(t)
  t.throws(() => cache.fetchSync(' '.repeat(2 ** 20), { fresh: true }), {
    code: 'ERR_KEY_TOO_LONG',
  })
  t.true(cache.fetchSync('a') instanceof Promise)
  const two = [cache.fetchSync('b'), cache.fetchSync('b')]
  t.deepEqual(await Promise.all(two), ['b', 'b'])
  t.is(cache.fetchSync('b'), 'b')
})

test.serial('nothing is traced unless somebody asks for it, nor afterwards', async t => {
  const isHeard = () => [fetches.isHeard, loads.isHeard, tierCalls.isHeard]
  t.deepEqual(isHeard(), [false, false, false])
  const stop = registerSpans(tracer)
  t.deepEqual(isHeard(), [true, true, true])
  stop()
  t.deepEqual(isHeard(), [false, false, false])
  const { cache } = cached(t, { loader: async key => key })
  await cache.fetch('a')
  t.deepEqual(exporter.getFinishedSpans(), [])
})

test.serial(
  'an application that set no SDK up loads as always, and nonsense is refused',
  async t => {
    const { cache } = cached(t, { loader: async key => key })
    const stop = registerSpans(trace.getTracer('nobody'))
    t.is(await cache.fetch('a'), 'a')
    stop()
    for (const tracer of [undefined, null, {}, 'tracer']) {
      t.throws(() => registerSpans(tracer as never), { code: 'ERR_INVALID_OPTION' })
    }
    for (const options of [{ keys: 1 }, { key: true }, null]) {
      t.throws(() => registerSpans(tracer, options as never), { code: 'ERR_INVALID_OPTION' })
    }
  },
)
