// What can be done from a dashboard, to caches and to nodes.
import test from 'ava'
import { Redis } from 'ioredis'
import type { Removals } from '../../src/dashboard/frames.ts'
import { installed, redis } from '../router/support.ts'
import { act, built, dashboard, served, TOKEN, until, Watcher } from './support.ts'

const { Cache } = built
// The built one, as its neighbours; its types are those of the sources.
const { createRouter } = (await import(
  '../../dist/router/index.js' as string
)) as typeof import('../../src/router/index.ts')
const every = '100ms'
const text = (text: string) => ({ kind: 'string', text }) as const

test('a key is inspected: what is known of it, and its value only if that is allowed', async t => {
  for (const showValues of [false, true]) {
    const cache = new Cache<string, object>({ max: 10, name: 'inspected' })
    cache.set('a', { secret: 1 }, { ttl: '1m', tags: ['x'], version: 3 })
    const port = await served(t, dashboard(cache, { token: TOKEN, showValues }))
    const { facts } = await act(port, { source: 'inspected', action: 'inspect', key: text('a') })
    const found = new Map(facts as [string, string][])
    t.is(found.get('tags'), '1')
    t.is(found.get('version'), '3')
    t.is(found.has('value'), showValues)
    if (showValues) t.regex(found.get('value')!, /secret/)
    const none = await act(port, { source: 'inspected', action: 'inspect', key: text('b') })
    t.is(none.facts, undefined)
    await cache.close()
  }
})

test('keys are invalidated: one, by their beginning, by a tag, all', async t => {
  t.timeout(60_000)
  const cache = new Cache<string | number | Buffer>({ max: 5000, name: 'gone' })
  const port = await served(t, dashboard(cache, { token: TOKEN }))
  const source = 'gone'
  for (let i = 0; i < 3000; i++) cache.set(`user:${i}`, 1)
  cache
    .set('user', 1)
    .set('tagged', 1, { tags: ['t'] })
    .set(7, 1)
    .set(Buffer.from([255]), 1)

  await act(port, { source, action: 'invalidate', key: text('user:0') })
  t.false(cache.has('user:0'))
  await act(port, { source, action: 'invalidate', key: { kind: 'number', text: '7' } })
  t.false(cache.has(7))
  await act(port, { source, action: 'invalidate', key: { kind: 'bytes', text: '/w==' } })
  t.false(cache.has(Buffer.from([255])))
  const { text: said } = await act(port, { source, action: 'invalidatePrefix', text: 'user:' })
  t.is(said, 'Invalidated 2999 entries.')
  t.deepEqual([...cache.keys()].sort(), ['tagged', 'user'])
  await act(port, { source, action: 'invalidateTag', text: 't' })
  t.deepEqual([...cache.keys()], ['user'])
  t.true((await act(port, { source, action: 'flush' })).ok)
  t.is(cache.size, 0)
})

test('a key that cannot be is refused with the error of the cache', async t => {
  const cache = new Cache({ max: 10, name: 'long' })
  const port = await served(t, dashboard(cache, { token: TOKEN }))
  const key = text('x'.repeat(70_000))
  const outcome = await act(port, { source: 'long', action: 'invalidate', key })
  t.false(outcome.ok)
  t.regex(outcome.text, /65,?535/)
})

const withRedis = installed('redis-server') ? test : test.skip

withRedis('a node: keys are pinned, routes switched, threads restarted; all are told', async t => {
  t.timeout(120_000)
  const store = await redis(t)
  const options = { maxBytes: '16mb', threads: 1, routes: ['user:*,ttl=5s', { match: 'x:*' }] }
  const router = createRouter({ ...options, store: `redis://127.0.0.1:${store.port}` })
  await router.listen({ port: 0 })
  t.teardown(() => router.close())
  let drained = 0
  const handler = dashboard({ node: router }, { every, token: TOKEN, onDrain: () => drained++ })
  const port = await served(t, handler)
  const watcher = await Watcher.open(t, port)
  const source = 'node'

  t.regex((await act(port, { source, action: 'pin', key: text('front') })).text, /hotKeys\.pinned/)
  t.deepEqual(router.options().hotKeys?.pinned, ['front'])
  const { looks } = await watcher.sample(({ looks }) =>
    looks.node!.tables.hot!.rows.some(([key]) => (key as { text: string }).text === 'front'),
  )
  t.is(looks.node!.tables.stores!.rows[0]![0], `127.0.0.1:${store.port}`)
  await act(port, { source, action: 'unpin', key: text('front') })
  t.deepEqual(router.options().hotKeys?.pinned, [])

  for (const match of ['user:*', 'x:*', '*']) {
    for (const mode of ['shadow', 'off', 'on'] as const) {
      t.true((await act(port, { source, action: 'route', text: match, mode })).ok)
      await watcher.sample(({ looks }) =>
        looks.node!.tables.routes!.rows.some(row => row[0] === match && row[1] === mode),
      )
    }
  }
  t.is(router.options().routes?.[0], 'user:*,ttl=5s,mode=on')
  const refused = await act(port, { source, action: 'route', text: 'a*b', mode: 'off' })
  t.false(refused.ok)
  await watcher.sample(({ moments }) => moments.some(({ level }) => level === 'warn'))

  t.true((await act(port, { source, action: 'restart' })).ok)
  t.true((await act(port, { source, action: 'drain' })).ok)
  t.is(drained, 1)
})

withRedis('a store that dies and comes back is told, and shown', async t => {
  t.timeout(120_000)
  const store = await redis(t)
  const router = createRouter({
    maxBytes: '16mb',
    threads: 1,
    store: `redis://127.0.0.1:${store.port}`,
  })
  await router.listen({ port: 0 })
  t.teardown(() => router.close())
  await router.warmUp()
  const port = await served(t, dashboard(router, { every }))
  const watcher = await Watcher.open(t, port)
  await watcher.sample(({ looks }) => looks.node!.state === 'up')
  await store.stop('SIGKILL')
  const { moments } = await watcher.sample(({ moments }) =>
    moments.some(({ level }) => level === 'bad'),
  )
  t.regex(moments.find(({ level }) => level === 'bad')!.text, /is down/)
  await watcher.sample(({ looks }) => looks.node!.state === 'down')
  t.pass()
})

test('a node with a store of its own is shown without stores and routes', async t => {
  t.timeout(60_000)
  const router = createRouter({ maxBytes: '16mb', threads: 1 })
  const port = await served(t, dashboard(router, { every }))
  const watcher = await Watcher.open(t, port)
  const [shape] = (await watcher.hello()).shapes
  t.deepEqual(
    shape!.tables.map(({ id }) => id),
    ['threads'],
  )
  await watcher.sample(({ looks }) => looks.node!.state === 'down')
  await router.listen({ port: 0 })
  await watcher.sample(({ looks }) => looks.node!.state === 'up')
  await router.close()
  await watcher.sample(({ looks }) => looks.node!.state === 'down')
  await until(() => true)
  t.pass()
})

withRedis(
  'a node forgets what it has read, of a key, by a beginning, of all; all are told',
  async t => {
    t.timeout(120_000)
    const store = await redis(t)
    const router = createRouter({
      maxBytes: '16mb',
      threads: 1,
      routes: ['user:*,ttl=1h'],
      store: `redis://127.0.0.1:${store.port}`,
    })
    const { port: at } = await router.listen({ port: 0 })
    t.teardown(() => router.close())
    const client = new Redis({ port: at })
    t.teardown(() => client.disconnect())
    const direct = new Redis({ port: store.port })
    t.teardown(() => direct.disconnect())
    const fill = async () => {
      for (let i = 0; i < 100; i++) await client.get(`user:${i}`)
    }
    for (let i = 0; i < 100; i++) await direct.set(`user:${i}`, `of ${i}`)
    await fill()
    for (const showValues of [false, true]) {
      const port = await served(t, dashboard({ node: router }, { every, token: TOKEN, showValues }))
      const { facts } = await act(port, { source: 'node', action: 'inspect', key: text('user:1') })
      const found = new Map(facts as [string, string][])
      t.is(found.get('reply'), '4 bytes')
      t.is(found.get('value'), showValues ? 'of 1' : undefined)
    }
    const port = await served(t, dashboard({ node: router }, { every, token: TOKEN }))
    const headers = { authorization: `Bearer ${TOKEN}` }
    const figures = await Watcher.open(t, port, '/events', headers)
    const leaving = await Watcher.open(t, port, '/removals?source=node', headers)
    const source = 'node'
    const told = async (words: RegExp) => {
      const { moments } = await figures.sample(({ moments }) =>
        moments.some(({ text }) => words.test(text)),
      )
      return moments.filter(({ text }) => words.test(text)).length
    }
    await leaving.next('removals')
    /** What left next: a viewer is told now and then that nothing has. */
    const left = async () => {
      for (;;) {
        const next = await leaving.next<Removals>('removals')
        if (next.removals.length > 0) return next
      }
    }

    t.true((await act(port, { source, action: 'invalidate', key: text('user:1') })).ok)
    t.is(await told(/Invalidated user:1\./), 1)
    const first = await left()
    t.like(first.removals[0], { key: text('user:1'), reason: 'hand' })
    t.deepEqual(first.counts, [['user:*', 1]])
    const { text: said } = await act(port, { source, action: 'invalidatePrefix', text: 'user:' })
    t.is(said, 'Invalidated 99 keys.')
    t.is(await told(/Invalidated 99 keys that begin with user:/), 1)
    const many = await left()
    t.true(many.removals.length <= 50)
    t.is(many.removals.length + many.more, 99)
    await fill()
    await direct.set('user:7', 'elsewhere')
    const news = await left()
    t.like(news.removals[0], { key: text('user:7'), reason: 'news' })
    t.true((await act(port, { source, action: 'flush' })).ok)
    t.is(await told(/Flushed/), 1)
    const all = await left()
    t.is(all.removals[0]!.reason, 'all, hand')
    t.is((await router.memory!.inspect('user:2')).memory, 'nothing')
    t.is(await client.get('user:2'), 'of 2')
    t.is(await direct.dbsize(), 100)
  },
)

withRedis('clients that connect all at once are a deploy in the timeline, once', async t => {
  t.timeout(120_000)
  const store = await redis(t)
  const router = createRouter({
    maxBytes: '16mb',
    threads: 1,
    store: `redis://127.0.0.1:${store.port}`,
  })
  const { port: at } = await router.listen({ port: 0 })
  t.teardown(() => router.close())
  const port = await served(t, dashboard({ node: router }, { every: '1s' }))
  const watcher = await Watcher.open(t, port)
  await watcher.sample()
  const clients = Array.from({ length: 60 }, () => new Redis({ port: at }))
  t.teardown(() => {
    for (const client of clients) client.disconnect()
  })
  const { moments } = await watcher.sample(({ moments }) =>
    moments.some(({ text }) => /as in a deploy/.test(text)),
  )
  t.is(moments.filter(({ text }) => /as in a deploy/.test(text)).length, 1)
})

test('what is in force is told without secrets, and memory with its bound', async t => {
  t.timeout(60_000)
  const password = 'the secret of a user'
  const router = createRouter({
    maxBytes: '16mb',
    threads: 1,
    users: [{ name: 'shop', password, permissions: ['read'] }],
  })
  t.teardown(() => router.close())
  const cache = new Cache<string>({ max: 7, maxBytes: '2mb', name: 'bounded', policy: 'lru' })
  const port = await served(t, dashboard({ node: router, cache }, { every }))
  const watcher = await Watcher.open(t, port)
  const { shapes } = await watcher.hello()
  const sample = await watcher.sample()
  const node = new Map(sample.looks.node!.about)
  t.is(node.get('who may'), 'shop (read)')
  t.is(node.get('most bytes'), '16.0 MB')
  t.false(JSON.stringify(sample).includes(password))
  const about = new Map(sample.looks.cache!.about)
  t.is(about.get('policy'), 'lru')
  t.is(about.get('most entries'), '7')
  const { columns } = shapes.find(({ id }) => id === 'cache')!
  // Figures have six digits.
  t.is(sample.looks.cache!.values[columns.indexOf('maxBytes')], 2_097_150)
})

withRedis('a key that turns hot is shown by the second sample after its first second', async t => {
  t.timeout(120_000)
  const store = await redis(t)
  const router = createRouter({
    maxBytes: '16mb',
    threads: 1,
    routes: ['*,mode=off'],
    store: `redis://127.0.0.1:${store.port}`,
  })
  const { port: at } = await router.listen({ port: 0 })
  t.teardown(() => router.close())
  const port = await served(t, dashboard({ node: router }, { every: '1s' }))
  const watcher = await Watcher.open(t, port)
  await watcher.sample()
  const client = new Redis({ port: at })
  t.teardown(() => client.disconnect())
  let ended = false
  t.teardown(() => {
    ended = true
  })
  const read = async () => {
    while (!ended) {
      await Promise.all(Array.from({ length: 50 }, () => client.get('front-page')))
      await new Promise(resolve => setTimeout(resolve, 5))
    }
  }
  void read().catch(() => {})
  let samples = 0
  await watcher.sample(({ looks }) => {
    samples++
    return looks.node!.tables.hot!.rows.some(
      ([key]) => (key as { text: string }).text === 'front-page',
    )
  })
  t.true(samples <= 3, `${samples}`)
})

withRedis('a breaker that opens is in the table of stores, and in the timeline', async t => {
  t.timeout(120_000)
  const store = await redis(t)
  const router = createRouter({
    maxBytes: '16mb',
    threads: 1,
    storeTimeout: '200ms',
    breaker: { failures: 3, halfOpenAfter: '1h' },
    store: `redis://127.0.0.1:${store.port}`,
  })
  const { port: at } = await router.listen({ port: 0 })
  t.teardown(() => router.close())
  await router.warmUp()
  const port = await served(t, dashboard(router, { every }))
  const watcher = await Watcher.open(t, port)
  const [shape] = (await watcher.hello()).shapes
  const column = shape!.tables
    .find(({ id }) => id === 'stores')!
    .columns.findIndex(({ id }) => id === 'breaker')
  await watcher.sample(({ looks }) => looks.node!.tables.stores!.rows[0]![column] === 'closed')
  store.process.kill('SIGSTOP')
  const client = new Redis({ port: at })
  t.teardown(() => client.disconnect())
  for (let i = 0; i < 4; i++) await client.get(`a:${i}`).catch(() => {})
  const told: string[] = []
  await watcher.sample(({ looks, moments }) => {
    told.push(...moments.map(({ text }) => text))
    const isTold = told.some(text => /^The breaker of the store .* is open\.$/.test(text))
    return isTold && looks.node!.tables.stores!.rows[0]![column] === 'open'
  })
  t.pass()
})
