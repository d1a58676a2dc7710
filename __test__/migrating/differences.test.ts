// The claims of docs/migrating.md about Bentocache and layered-loader: what they do, and we instead.
import { mock } from 'node:test'
import test from 'ava'
import { BentoCache, bentostore } from 'bentocache'
import { memoryDriver } from 'bentocache/drivers/memory'
import { Loader, type LoaderConfig } from 'layered-loader/core'
import { Cache, type CacheOptions } from '../../src/index.ts'
import { gate, until } from './support.ts'

const ours = <V = unknown>(options: CacheOptions<V, string> = {}) =>
  new Cache<string, V>({ max: 100, codec: 'json' as never, ...options })

const bento = () =>
  new BentoCache({
    default: 'memory',
    stores: { memory: bentostore().useL1Layer(memoryDriver({ maxItems: 100 })) },
  })

const layered = <V>(config: Partial<LoaderConfig<V>>) =>
  new Loader<V>({ inMemoryCache: { ttlInMsecs: 60_000 }, ...config } as LoaderConfig<V>)

// Bentocache

test('Bentocache: a load that fails is tried by each who waits there, once for all here', async t => {
  let reads = 0
  const load = async () => {
    reads++
    throw new RangeError('down')
  }
  const theirs = bento()
  const all = [1, 2, 3]
  const there = await Promise.allSettled(
    all.map(() => theirs.getOrSet({ key: 'k', factory: load })),
  )
  t.is(reads, 3)
  const cache = ours()
  const here = await Promise.allSettled(all.map(() => cache.getOrSet('k', load)))
  t.is(reads, 4)
  const errors = [there, here].map(([first]) => (first as PromiseRejectedResult).reason)
  t.is(errors[0].code, 'E_FACTORY_ERROR', 'theirs is in another error')
  t.true(errors[0].cause instanceof RangeError)
  t.true(errors[1] instanceof RangeError)
})

test('Bentocache: a set during a load is undone by it there, not here', async t => {
  const [there, here] = [gate<string>(), gate<string>()]
  const theirs = bento()
  const cache = ours()
  const loads = [theirs.getOrSet({ key: 'k', factory: there.open }), cache.getOrSet('k', here.open)]
  await new Promise(setImmediate)
  await theirs.set({ key: 'k', value: 'new' })
  cache.set('k', 'new')
  there.end('old')
  here.end('old')
  t.deepEqual(await Promise.all(loads), ['old', 'old'])
  t.is(await theirs.get({ key: 'k' }), 'old')
  t.is(cache.get('k'), 'new')
})

test('Bentocache: a delete, or a tag, during a load is undone by it there, not here', async t => {
  const theirs = bento()
  const cache = ours()
  for (const by of ['delete', 'tag']) {
    const [there, here] = [gate<string>(), gate<string>()]
    const loads = [
      theirs.getOrSet({ key: by, tags: ['t'], factory: there.open }),
      cache.getOrSet(by, here.open, { tags: ['t'] }),
    ]
    await new Promise(setImmediate)
    if (by === 'delete') {
      await theirs.delete({ key: by })
      cache.delete(by)
    } else {
      await theirs.deleteByTag({ tags: ['t'] })
      cache.invalidateTag('t')
    }
    // Its tags are told by the millisecond.
    const since = Date.now()
    while (Date.now() === since);
    there.end('old')
    here.end('old')
    await Promise.all(loads)
    t.is(await theirs.get({ key: by }), 'old')
    t.is(cache.get(by), undefined)
  }
})

test('Bentocache: a load that gives undefined fails there, gives it here', async t => {
  const factory = () => undefined
  await t.throwsAsync(bento().getOrSet({ key: 'k', factory }), { code: 'E_UNDEFINED_VALUE' })
  t.is(await ours().getOrSet('k', factory), undefined)
})

test('Bentocache: what is stale is found by get there, by fetch alone here', async t => {
  const theirs = bento()
  await theirs.set({ key: 'k', value: 'old', grace: '1h' })
  await theirs.expire({ key: 'k' })
  t.is(await theirs.get({ key: 'k', grace: '1h' }), 'old')
  t.is(await theirs.get({ key: 'k' }), undefined)
  const cache = ours({ staleIfError: '1h' })
  cache.set('k', 'old', { tags: ['k'] }).invalidateTag('k', { stale: true })
  t.is(cache.get('k'), undefined)
  t.is(await cache.getOrSet('k', () => Promise.reject(new Error('down'))), 'old')
})

test('Bentocache: with a grace alone a stale value is given at once there; here you say which', async t => {
  const theirs = bento()
  const [there, slow] = [gate<string>(), gate<string>()]
  await theirs.set({ key: 'k', value: 'old', grace: '1h' })
  await theirs.expire({ key: 'k' })
  const factory = there.open
  t.is(await theirs.getOrSet({ key: 'k', factory, grace: '1h' }), 'old')
  there.end('new')
  const stale = (options: CacheOptions<unknown, string>) => {
    const cache = ours(options)
    cache.set('k', 'old', { tags: ['k'] }).invalidateTag('k', { stale: true })
    return cache.getOrSetSync('k', slow.open)
  }
  t.is(stale({ staleWhileRevalidate: '1h' }), 'old')
  const waits = stale({ staleIfError: '1h' })
  slow.end('new')
  t.is(await waits, 'new')
})

test('Bentocache: each get gives a copy of its own there; here readers share one', async t => {
  const theirs = bento()
  await theirs.set({ key: 'k', value: { at: new Date(0) } })
  const [one, another] = [await theirs.get({ key: 'k' }), await theirs.get({ key: 'k' })]
  t.deepEqual(one, { at: '1970-01-01T00:00:00.000Z' })
  t.not(one, another)
  const cache = ours().set('k', { at: new Date(0) })
  t.deepEqual(cache.get('k'), one)
  t.is(cache.get('k'), cache.get('k'))
  const apart = ours({ near: false }).set('k', {})
  t.not(apart.get('k'), apart.get('k'))
})

test('Bentocache: clearing a namespace takes all keys that begin so there; here what went in by it', async t => {
  const theirs = bento()
  await theirs.set({ key: 'a:1', value: 1 })
  await theirs.namespace('a').clear()
  t.false(await theirs.has({ key: 'a:1' }))
  const cache = ours().set('a:1', 1)
  cache.namespace('a').set('2', 2).clear()
  t.deepEqual([...cache.keys()], ['a:1'])
})

test.serial('Bentocache: without a ttl values live 30 min there, without end here', async t => {
  let now = performance.now()
  mock.method(performance, 'now', () => now)
  t.teardown(() => mock.reset())
  const theirs = bento()
  await theirs.set({ key: 'k', value: 1 })
  now += 1_799_999
  t.is(await theirs.get({ key: 'k' }), 1)
  now += 2
  // What it takes for the time is a millisecond old at most.
  await until(async () => (await theirs.get({ key: 'k' })) === undefined)
  t.is(ours().set('k', 1).ttl('k'), Number.POSITIVE_INFINITY)
})

// layered-loader

test('layered-loader: many keys give what was found there; here a place for each', async t => {
  const many = async (keys: readonly string[]) =>
    keys
      .filter(key => key !== 'none')
      .toReversed()
      .map(id => ({ id }))
  const theirs = layered({
    dataSourceGetManyFn: many,
    dataSourceGetOneFn: async id => ({ id }),
    cacheKeyFromValueResolver: ({ id }: { id: string }) => id,
  })
  const keys = ['a', 'none', 'b', 'a']
  t.deepEqual(await theirs.getMany(keys), [{ id: 'b' }, { id: 'a' }])
  const cache = ours()
  const byKey = async (keys: readonly string[]) =>
    new Map((await many(keys)).map(value => [value.id, value]))
  const here = await cache.fetchMany(keys, byKey)
  t.deepEqual(here, [{ id: 'a' }, undefined, { id: 'b' }, { id: 'a' }])
})

test('layered-loader: only getMany loads many there; here all that is missed in a tick', async t => {
  const asked: unknown[] = []
  const many = async (keys: readonly string[]) => {
    asked.push([...keys])
    return keys.map(id => ({ id }))
  }
  const theirs = layered({
    dataSourceGetManyFn: many,
    dataSourceGetOneFn: async id => {
      asked.push(id)
      return { id }
    },
    cacheKeyFromValueResolver: ({ id }: { id: string }) => id,
  })
  const use = (
    one: (key: string) => Promise<unknown>,
    many: (keys: string[]) => Promise<unknown>,
  ) => Promise.all([one('a'), one('b'), many(['c', 'd']), many(['d', 'e'])])
  await use(
    key => theirs.get(key),
    keys => theirs.getMany(keys),
  )
  t.deepEqual(asked.splice(0), ['a', 'b', ['c', 'd'], ['d', 'e']])
  const cache = ours({ batchLoader: many })
  await use(
    key => cache.fetch(key),
    keys => cache.fetchMany(keys),
  )
  t.deepEqual(asked, [['a', 'b', 'c', 'd', 'e']])
})

test('layered-loader: the very object is kept there; here what the codec makes of it', async t => {
  const object = { at: new Date(0) }
  const theirs = layered({ dataSourceGetOneFn: async () => object })
  await theirs.get('k')
  t.is(theirs.getInMemoryOnly('k'), object)
  const cache = ours()
  t.is(await cache.getOrSet('k', () => object), object, 'who asked gets what was loaded')
  t.deepEqual(cache.get('k'), { at: '1970-01-01T00:00:00.000Z' })
  const heap = ours({ codec: 'heap' as never })
  await heap.getOrSet('k', () => object)
  t.is(heap.get('k'), object)
})

test('layered-loader: null is kept and undefined is not, there as here', async t => {
  for (const [value, times] of [
    [null, 1],
    [undefined, 2],
  ] as const) {
    let reads = 0
    const load = async () => {
      reads++
      return value
    }
    const theirs = layered({ dataSourceGetOneFn: load })
    for (const _ of [1, 2]) t.is((await theirs.get('k')) as unknown, value)
    t.is(reads, times)
    const cache = ours()
    for (const _ of [1, 2]) t.is((await cache.getOrSet('k', load)) as unknown, value)
    t.is(reads, times * 2)
  }
})

test('layered-loader: what is set by force during a load stays, there as here', async t => {
  const [there, here] = [gate<string>(), gate<string>()]
  const theirs = layered<string>({ dataSourceGetOneFn: there.open })
  const cache = ours()
  const loads = [theirs.get('k'), cache.getOrSet('k', here.open)]
  await new Promise(setImmediate)
  await theirs.forceSetValue('k', 'new')
  cache.set('k', 'new')
  there.end('old')
  here.end('old')
  await Promise.all(loads)
  t.deepEqual([theirs.getInMemoryOnly('k'), cache.get('k')], ['new', 'new'])
})

test('layered-loader: keys are texts there; here numbers are keys of their own, too', async t => {
  const theirs = layered<string>({ dataSourceGetOneFn: async key => `${typeof key} ${key}` })
  t.is(await theirs.get('1'), 'string 1')
  const cache = new Cache<string | number, string>({
    max: 10,
    loader: key => `${typeof key} ${key}`,
  })
  t.deepEqual(await cache.fetchMany(['1', 1]), ['string 1', 'number 1'])
})
