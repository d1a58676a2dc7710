import test from 'ava'
import { createCache, type Cache as Manager } from 'cache-manager'
import { Keyv } from 'keyv'
import { createStore } from '../../src/adapters/cache-manager.ts'
import { Cache } from '../../src/index.ts'

type Options = Parameters<typeof createCache>[0]

/** A manager of a store, and the store's cache. */
function managed(options: Options = {}): { manager: Manager; cache: Cache<string, unknown> } {
  const cache = new Cache<string, unknown>({ max: 100, codec: 'json' })
  return { manager: createCache({ ...options, stores: [createStore(cache)] }), cache }
}

test('values are set, read, deleted and cleared', async t => {
  const { manager } = managed()
  t.deepEqual(await manager.set('a', { n: 1 }), { n: 1 })
  t.deepEqual(await manager.get('a'), { n: 1 })
  t.true(await manager.del('a'))
  t.is(await manager.get('a'), undefined)
  await manager.mset([
    { key: 'a', value: 1 },
    { key: 'b', value: 2, ttl: 60_000 },
    { key: 'c', value: null },
  ])
  t.deepEqual(await manager.mget(['a', 'x', 'b', 'c']), [1, undefined, 2, null])
  t.true(await manager.mdel(['a', 'c']))
  t.deepEqual(await manager.mget(['a', 'b', 'c']), [undefined, 2, undefined])
  t.true(await manager.clear())
  t.is(await manager.get('b'), undefined)
})

test('a ttl is in milliseconds, and ttl() tells the time of the end', async t => {
  const { manager, cache } = managed({ ttl: 60_000 })
  const before = Date.now()
  await manager.set('default', 1)
  await manager.set('own', 1, 3_600_000)
  for (const [key, ttl] of [
    ['default', 60_000],
    ['own', 3_600_000],
  ] as const) {
    const end = (await manager.ttl(key)) ?? 0
    t.true(end > before && end <= Date.now() + ttl)
    t.true((cache.ttl(key) ?? 0) > ttl / 2)
  }
  t.is(await manager.ttl('none'), undefined)
  const { manager: forever } = managed()
  await forever.set('key', 1)
  t.is(await forever.ttl('key'), undefined)
})

test('wrap calls once for concurrent misses, and not again for a hit', async t => {
  const { manager } = managed({ ttl: 60_000 })
  let calls = 0
  const load = async () => {
    calls += 1
    await new Promise(resolve => setImmediate(resolve))
    return { calls }
  }
  const all = await Promise.all(Array.from({ length: 100 }, () => manager.wrap('key', load)))
  t.is(calls, 1)
  for (const value of all) t.deepEqual(value, { calls: 1 })
  t.deepEqual(await manager.wrap('key', load), { calls: 1 })
  const raw = await manager.wrap('key', load, { raw: true })
  t.deepEqual(raw?.value, { calls: 1 })
  t.is(typeof raw?.expires, 'number')
})

test('what wrap is refused is not kept', async t => {
  const { manager } = managed()
  await t.throwsAsync(
    manager.wrap('key', async () => {
      throw new Error('down')
    }),
    { message: 'down' },
  )
  t.is(await manager.wrap('key', async () => 'up'), 'up')
})

test('a value of undefined is none, and wrap gives it all the same', async t => {
  const { manager } = managed()
  let calls = 0
  for (const _ of [1, 2]) t.is(await manager.wrap('key', () => void calls++), undefined)
  t.is(calls, 2)
  t.is(await manager.wrap('key', () => null), null)
  t.is(await manager.wrap('key', () => t.fail()), null as never)
})

test('an entry near its end is served and loaded anew meanwhile', async t => {
  const { manager } = managed({ ttl: 60_000, refreshThreshold: 50_000 })
  const refreshed = new Promise(resolve => manager.on('refresh', resolve))
  await manager.set('key', 'old', 40_000)
  t.is(await manager.wrap('key', () => 'new'), 'old')
  t.like(await refreshed, { key: 'key', value: 'new' })
  t.is(await manager.get('key'), 'new')
  t.is(await manager.wrap('key', () => 'newer'), 'new')
})

test('a store is first or second among several', async t => {
  const behind = new Keyv()
  const { manager: first, cache } = managed()
  const both = createCache({ stores: [createStore(cache), behind] })
  await behind.set('key', 'from behind')
  t.is(await both.wrap('key', () => 'anew'), 'from behind')
  t.is(await first.get('key'), 'from behind')
  const front = createCache({ stores: [new Keyv(), createStore(cache)] })
  t.is(await front.get('key'), 'from behind')
})

test('a Keyv around the store, as some frameworks put, keeps and reads as well', async t => {
  const keyv = new Keyv({ store: createStore({ max: 10 }), namespace: 'app' })
  const manager = createCache({ stores: [keyv], ttl: 60_000 })
  await manager.set('key', { at: 1 })
  t.deepEqual(await manager.get('key'), { at: 1 })
  t.is(typeof (await manager.ttl('key')), 'number')
  await manager.clear()
  t.is(await manager.get('key'), undefined)
})

test('a store of a name is one cache for all who open it, and is let go by disconnect', async t => {
  const [a, b] = [1, 2].map(() =>
    createCache({ stores: [createStore({ name: 'manager test', max: 10 })] }),
  )
  await a?.set('key', [1])
  t.deepEqual(await b?.get('key'), [1])
  await a?.disconnect()
  t.deepEqual(await b?.get('key'), [1])
})

test('the codec of the options decides what comes back', async t => {
  const value = { at: new Date(0) }
  const structured = createCache({ stores: [createStore({ max: 10, codec: 'structured' })] })
  await structured.set('key', value)
  t.deepEqual(await structured.get('key'), value)
  const heap = createCache({ stores: [createStore<unknown>({ max: 10, codec: 'heap' })] })
  await heap.set('key', value)
  t.is(await heap.get('key'), value)
})

test('bad options are refused by name', t => {
  const code = 'ERR_INVALID_OPTION'
  t.throws(() => createStore(null as never), { code, message: /^options must be a Cache, or/ })
  t.throws(() => createStore({ max: 0 }), { code, message: /^max must be/ })
})
