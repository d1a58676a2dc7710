// The claims of docs/migrating.md: what other libraries do, and what we do instead.

import { mock } from 'node:test'
import { setImmediate as tick } from 'node:timers/promises'
import test, { type ExecutionContext } from 'ava'
import { createCache } from 'cache-manager'
import { Keyv } from 'keyv'
import { LRUCache } from 'lru-cache'
import lruMemoizer from 'lru-memoizer'
import NodeCache from 'node-cache'
import QuickLRU from 'quick-lru'
import { createStore } from '../../src/adapters/cache-manager.ts'
import { KeyvStore } from '../../src/adapters/keyv.ts'
import { memoize } from '../../src/adapters/memoize.ts'
import { Cache, type CacheKey, type CacheOptions } from '../../src/index.ts'
import { ManualClock } from '../../src/testing.ts'

const ours = <V = unknown>(options: CacheOptions<V> = {}) =>
  new Cache<CacheKey, V>({ max: 100, codec: 'json', ...options })

const INVALID_VALUE = { code: 'ERR_INVALID_VALUE' }
const INVALID_OPTION = { code: 'ERR_INVALID_OPTION' }

/** What the clock of the system says, until the test ends. */
function frozenDate(t: ExecutionContext) {
  mock.timers.enable({ apis: ['Date'], now: 1_000_000 })
  t.teardown(() => mock.timers.reset())
  return (ms: number) => mock.timers.setTime(Date.now() + ms)
}

// lru-cache

test('lru-cache: any key there, texts, numbers and bytes here', t => {
  const key = {}
  t.is(new LRUCache<object, number>({ max: 1 }).set(key, 1).get(key), 1)
  t.throws(() => ours().set(key as never, 1), { code: 'ERR_INVALID_KEY' })
})

test('lru-cache: the same object there, an equal one here, the same with heap', t => {
  const value = { a: 1 }
  t.is(new LRUCache<string, object>({ max: 1 }).set('k', value).get('k'), value)
  t.not(ours().set('k', value).get('k'), value)
  t.deepEqual(ours().set('k', value).get('k'), value)
  t.is(ours({ codec: 'heap' }).set('k', value).get('k'), value)
})

test('lru-cache: undefined deletes there; here it is refused, or kept by heap', t => {
  const theirs = new LRUCache<string, number>({ max: 1 }).set('k', 1)
  t.false(theirs.set('k', undefined).has('k'))
  t.throws(() => ours().set('k', undefined), INVALID_VALUE)
  t.true(ours({ codec: 'heap' }).set('k', undefined).has('k'))
})

test('lru-cache: a ttl of 0 is none there and refused here', t => {
  const theirs = new LRUCache<string, number>({ max: 1, ttl: 1000 }).set('k', 1, { ttl: 0 })
  t.is(theirs.getRemainingTTL('k'), Number.POSITIVE_INFINITY)
  t.throws(() => ours().set('k', 1, { ttl: 0 }), INVALID_OPTION)
  t.is(ours().set('k', 1, { ttl: Number.POSITIVE_INFINITY }).ttl('k'), Number.POSITIVE_INFINITY)
})

test('lru-cache: the last millisecond still counts there, not here', t => {
  let now = 1
  const theirs = new LRUCache<string, number>({ max: 1, ttl: 5, perf: { now: () => now } })
  theirs.set('k', 1)
  const clock = new ManualClock()
  const cache = ours({ ttl: 5, clock }).set('k', 1)
  now += 5
  clock.advance(5)
  t.is(theirs.get('k'), 1)
  t.is(cache.get('k'), undefined)
})

test('lru-cache: what a missing key has left is 0 there, undefined here', t => {
  t.is(new LRUCache({ max: 1 }).getRemainingTTL('k'), 0)
  t.is(ours().ttl('k'), undefined)
})

test('lru-cache: dispose is given value, key, reason; onRemoval key, value, reason', t => {
  const seen: unknown[] = []
  const theirs = new LRUCache<string, number>({
    max: 2,
    dispose: (value, key, reason) => seen.push([key, value, reason]),
  })
  const cache = ours<number>({ max: 2, policy: 'lru' })
  const left: unknown[] = []
  cache.onRemoval((key, value, reason) => left.push([key, value, reason]))
  for (const c of [theirs, cache]) {
    c.set('a', 1)
    c.set('a', 2)
    c.set('b', 1)
    c.set('c', 1)
    c.delete('b')
    c.clear()
  }
  t.deepEqual(seen, [
    ['a', 1, 'set'],
    ['a', 2, 'evict'],
    ['b', 1, 'delete'],
    ['c', 1, 'delete'],
  ])
  t.deepEqual(left, [
    ['a', 1, 'replaced'],
    ['a', 2, 'evicted'],
    ['b', 1, 'deleted'],
    ['c', 1, 'cleared'],
  ])
})

test('lru-cache: iteration runs from the most recent there, in no order here', t => {
  const keys = Array.from({ length: 50 }, (_, i) => `key ${i}`)
  const theirs = new LRUCache<string, number>({ max: 100 })
  const cache = ours()
  for (const key of keys) for (const c of [theirs, cache]) c.set(key, 1)
  t.deepEqual([...theirs.keys()], keys.toReversed())
  t.notDeepEqual([...cache.keys()], keys.toReversed())
  t.deepEqual([...cache.keys()].sort(), keys.toSorted())
})

test('lru-cache: the least recent leaves there; here with the policy lru', t => {
  const theirs = new LRUCache<string, number>({ max: 2 })
  const cache = ours({ max: 2, policy: 'lru' })
  for (const c of [theirs, cache]) {
    c.set('a', 1)
    c.set('b', 1)
    c.get('a')
    c.set('c', 1)
    t.deepEqual(
      ['a', 'b', 'c'].map(key => c.has(key)),
      [true, false, true],
    )
  }
})

// quick-lru

test('quick-lru: up to twice maxSize there, never more than max here', t => {
  const theirs = new QuickLRU<number, number>({ maxSize: 10 })
  const cache = ours({ max: 10 })
  for (let i = 0; i < 19; i++) for (const c of [theirs, cache]) c.set(i, i)
  t.is([...theirs].length, 19)
  t.is([...cache].length, 10)
})

test.serial('quick-lru: maxAge and ttl are milliseconds, of the same end', t => {
  const pass = frozenDate(t)
  const clock = new ManualClock()
  const theirs = new QuickLRU<string, number>({ maxSize: 10, maxAge: 1000 })
  theirs.set('a', 1).set('b', 1, { maxAge: 5000 })
  const cache = ours({ ttl: 1000, clock })
  cache.set('a', 1).set('b', 1, { ttl: 5000 })
  pass(999)
  clock.advance(999)
  t.deepEqual([theirs.expiresIn('a'), cache.ttl('a')], [1, 1])
  pass(1)
  clock.advance(1)
  for (const c of [theirs, cache]) {
    t.is(c.get('a'), undefined)
    t.is(c.get('b'), 1)
  }
})

test.serial('quick-lru: an expired entry has less than nothing left there, is none here', t => {
  const pass = frozenDate(t)
  const clock = new ManualClock()
  const theirs = new QuickLRU<string, number>({ maxSize: 10, maxAge: 10 }).set('k', 1)
  const cache = ours({ ttl: 10, clock }).set('k', 1)
  pass(11)
  clock.advance(11)
  t.is(theirs.expiresIn('k'), -1)
  t.is(cache.ttl('k'), undefined)
})

test('quick-lru: onEviction knows neither delete nor clear, onRemoval knows all', t => {
  const seen: unknown[] = []
  const theirs = new QuickLRU<string, number>({ maxSize: 2, onEviction: key => seen.push(key) })
  const cache = ours({ max: 2 })
  const left: unknown[] = []
  cache.onRemoval((key, _, reason) => left.push([key, reason]))
  for (const c of [theirs, cache]) {
    c.set('a', 1)
    c.delete('a')
    c.set('b', 1)
    c.clear()
  }
  t.deepEqual(seen, [])
  t.deepEqual(left, [
    ['a', 'deleted'],
    ['b', 'cleared'],
  ])
})

test('quick-lru: entries() begins with the oldest there, and it is a Map', t => {
  const theirs = new QuickLRU<string, number>({ maxSize: 10 }).set('a', 1).set('b', 2)
  t.true(theirs instanceof Map)
  t.deepEqual(
    [...theirs.entriesAscending()],
    [
      ['a', 1],
      ['b', 2],
    ],
  )
  t.false((ours() as unknown) instanceof Map)
})

test('quick-lru: undefined is a value there, and here with heap', t => {
  const theirs = new QuickLRU<string, unknown>({ maxSize: 10 })
  for (const c of [theirs, ours({ codec: 'heap' })]) {
    c.set('k', undefined)
    t.true(c.has('k'))
  }
})

// node-cache

test.serial('node-cache: a ttl is in seconds there, in milliseconds or text here', t => {
  const pass = frozenDate(t)
  const clock = new ManualClock()
  const theirs = new NodeCache({ stdTTL: 60, checkperiod: 0 })
  const cache = ours({ ttl: '60s', clock })
  theirs.set('a', 1)
  theirs.set('b', 1, 100)
  cache.set('a', 1).set('b', 1, { ttl: 100_000 })
  pass(60_001)
  clock.advance(60_001)
  for (const c of [theirs, cache]) t.deepEqual([c.get('a'), c.get('b')], [undefined, 1])
})

test('node-cache: a ttl of 0 is none there; here Infinity is', t => {
  const theirs = new NodeCache({ stdTTL: 60, checkperiod: 0 })
  theirs.set('k', 1, 0)
  t.is(theirs.getTtl('k'), 0)
  t.throws(() => ours({ ttl: 0 }), INVALID_OPTION)
  t.is(ours({ ttl: '60s' }).set('k', 1, { ttl: Number.POSITIVE_INFINITY }).ttl('k'), Infinity)
})

test.serial('node-cache: getTtl tells the end there, ttl what is left here', t => {
  frozenDate(t)
  const theirs = new NodeCache({ checkperiod: 0 })
  theirs.set('k', 1, 60)
  t.is(theirs.getTtl('k'), Date.now() + 60_000)
  t.is(ours({ clock: new ManualClock() }).set('k', 1, { ttl: '60s' }).ttl('k'), 60_000)
  t.is(theirs.getTtl('none'), undefined)
  t.is(ours().ttl('none'), undefined)
})

test('node-cache: values are cloned in and out there; here written, and read once for all', t => {
  const value = { list: [1] }
  const theirs = new NodeCache({ checkperiod: 0 })
  const apart = ours<typeof value>({ near: false })
  const shared = ours<typeof value>()
  for (const c of [theirs, apart, shared]) {
    c.set('k', value)
    value.list.push(2)
    t.deepEqual(c.get('k'), { list: [1] })
    value.list.pop()
    const [one, another] = [c.get('k'), c.get('k')]
    t.is(one === another, c === shared)
  }
  const frozen = ours<typeof value>({ near: { freeze: true } }).set('k', value)
  t.throws(() => frozen.get('k')?.list.pop(), { instanceOf: TypeError })
  const plain = new NodeCache({ checkperiod: 0, useClones: false })
  for (const c of [plain, ours({ codec: 'heap' })]) {
    c.set('k', value)
    t.is(c.get('k'), value)
  }
})

test('node-cache: a Date stays one there, is text in json, stays one in structured', t => {
  const value = { at: new Date(0) }
  const theirs = new NodeCache({ checkperiod: 0 })
  theirs.set('k', value)
  t.deepEqual(theirs.get('k'), value)
  t.deepEqual(ours().set('k', value).get('k'), { at: '1970-01-01T00:00:00.000Z' })
  t.deepEqual(ours({ codec: 'structured' }).set('k', value).get('k'), value)
})

test('node-cache: undefined becomes null there and is refused here; null is null', t => {
  const theirs = new NodeCache({ checkperiod: 0 })
  theirs.set('k', undefined)
  t.is(theirs.get('k'), null)
  t.throws(() => ours().set('k', undefined), INVALID_VALUE)
  t.is(ours().set('k', null).get('k'), null)
})

test('node-cache: 1 and the text 1 are one key there, two here', t => {
  const theirs = new NodeCache({ checkperiod: 0 })
  const cache = ours()
  for (const c of [theirs, cache]) {
    c.set(1, 'number')
    c.set('1', 'text')
  }
  t.deepEqual(theirs.keys(), ['1'])
  t.is(theirs.get(1), 'text')
  t.is(cache.size, 2)
  t.is(cache.get(1), 'number')
})

test('node-cache: __proto__ is no usable key there, one like any other here', t => {
  const theirs = new NodeCache({ checkperiod: 0 })
  theirs.set('__proto__', 1)
  t.deepEqual(theirs.keys(), [])
  t.deepEqual([...ours().set('__proto__', 1).keys()], ['__proto__'])
})

test('node-cache: many keys give an object there, a list here', t => {
  const theirs = new NodeCache({ checkperiod: 0 })
  theirs.mset([
    { key: 'a', val: 1 },
    { key: 'b', val: 2, ttl: 60 },
  ])
  t.deepEqual(theirs.mget(['a', 'x', 'b']), { a: 1, b: 2 })
  t.is(theirs.del(['a', 'x']), 1)
  const cache = ours().setMany([
    ['a', 1],
    ['b', 2],
  ])
  t.deepEqual(cache.getMany(['a', 'x', 'b']), [1, undefined, 2])
  t.is(cache.deleteMany(['a', 'x']), 1)
})

test('node-cache: a negative ttl deletes there, is refused here', t => {
  const theirs = new NodeCache({ checkperiod: 0 })
  theirs.set('k', 1)
  t.true(theirs.ttl('k', -1))
  t.false(theirs.has('k'))
  t.throws(() => ours().set('k', 1).expire('k', -1), INVALID_OPTION)
})

test('node-cache: a full cache throws there; here something leaves, or it throws with none', t => {
  const theirs = new NodeCache({ checkperiod: 0, maxKeys: 1 })
  theirs.set('a', 1)
  t.throws(() => theirs.set('b', 1), { name: 'ECACHEFULL' })
  t.throws(() => theirs.set('a', 2), { name: 'ECACHEFULL' }, 'even for a key that it has')
  const cache = ours({ max: 1 }).set('a', 1).set('b', 1)
  t.deepEqual([...cache.keys()], ['b'])
  const none = ours({ max: 1, policy: 'none' }).set('a', 1).set('a', 2)
  t.throws(() => none.set('b', 1), { code: 'ERR_CACHE_FULL' })
})

test.serial('node-cache: events are del and expired there, reasons here', t => {
  const pass = frozenDate(t)
  const clock = new ManualClock()
  const theirs = new NodeCache({ checkperiod: 0 })
  const seen: string[] = []
  theirs.on('del', key => seen.push(`del ${key}`))
  theirs.on('expired', key => seen.push(`expired ${key}`))
  const cache = ours({ clock })
  const left: string[] = []
  cache.onRemoval((key, _, reason) => left.push(`${reason} ${key}`))
  for (const c of [theirs, cache]) c.set('a', 1)
  theirs.del('a')
  cache.delete('a')
  theirs.set('b', 1, 1)
  cache.set('b', 1, { ttl: '1s' })
  pass(1100)
  clock.advance(1100)
  for (const c of [theirs, cache]) t.is(c.get('b'), undefined)
  // What expires is deleted as well there.
  t.deepEqual(seen, ['del a', 'del b', 'expired b'])
  t.deepEqual(left, ['deleted a', 'expired b'])
})

test('node-cache: sizes are guesses there, what is taken here', t => {
  const theirs = new NodeCache({ checkperiod: 0 })
  const value = { text: 'x'.repeat(100_000) }
  theirs.set('k', value)
  t.is(theirs.getStats().vsize, 80)
  const cache = ours().set('k', value)
  t.true(cache.stats().bytes > 100_000)
  for (const c of [theirs, cache]) {
    c.get('k')
    c.get('none')
  }
  t.like(theirs.getStats(), { hits: 1, misses: 1, keys: 1 })
  t.like(cache.stats(), { hits: 1, misses: 1, entries: 1 })
})

test('node-cache: flushAll empties and counts anew there; here clear and resetStats', t => {
  const theirs = new NodeCache({ checkperiod: 0 })
  const cache = ours()
  for (const c of [theirs, cache]) {
    c.set('k', 1)
    c.get('k')
  }
  theirs.flushAll()
  cache.clear()
  t.is(theirs.getStats().hits, 0)
  t.is(cache.stats().hits, 1)
  cache.resetStats()
  t.is(cache.stats().hits, 0)
})

test('node-cache: close ends the timer there, the use here', t => {
  const theirs = new NodeCache()
  const cache = ours()
  for (const c of [theirs, cache]) {
    c.set('k', 1)
    c.close()
  }
  t.is(theirs.get('k'), 1)
  t.throws(() => cache.get('k'), { code: 'ERR_CACHE_CLOSED' })
})

// cache-manager

test('cache-manager: its own store gives the same object, ours an equal one', async t => {
  const value = { a: 1 }
  const theirs = createCache()
  const managed = createCache({ stores: [createStore({ max: 10 })] })
  for (const manager of [theirs, managed]) await manager.set('k', value)
  t.is(await theirs.get('k'), value)
  t.not(await managed.get('k'), value)
  t.deepEqual(await managed.get('k'), value)
})

test('cache-manager: its own store has no bound, ours has', async t => {
  const theirs = createCache()
  const cache = ours({ max: 10 }) as Cache<string, unknown>
  const managed = createCache({ stores: [createStore(cache)] })
  const keys = Array.from({ length: 100 }, (_, i) => `${i}`)
  for (const manager of [theirs, managed]) for (const key of keys) await manager.set(key, key)
  t.is((await theirs.mget(keys)).filter(value => value !== undefined).length, 100)
  t.is(cache.size, 10)
})

test.serial('cache-manager: ttl(key) tells the end there, what is left here', async t => {
  frozenDate(t)
  const theirs = createCache()
  await theirs.set('k', 1, 60_000)
  t.is(await theirs.ttl('k'), Date.now() + 60_000)
  t.is(ours({ clock: new ManualClock() }).set('k', 1, { ttl: 60_000 }).ttl('k'), 60_000)
})

test('cache-manager: undefined is loaded each time there, remembered by memoize', async t => {
  let calls = 0
  const load = async () => void calls++
  const theirs = createCache()
  for (const _ of [1, 2]) await theirs.wrap('k', load)
  t.is(calls, 2)
  const memoized = memoize(load)
  for (const _ of [1, 2]) await memoized()
  t.is(calls, 3)
})

// Keyv

test('Keyv: its own store has no bound, ours has', async t => {
  const map = new Map()
  const theirs = new Keyv({ store: map })
  const store = new KeyvStore({ max: 10 })
  const keyv = new Keyv({ store })
  for (let i = 0; i < 100; i++) for (const k of [theirs, keyv]) await k.set(`${i}`, i)
  t.is(map.size, 100)
  t.is(store.cache.size, 10)
})

// lru-memoizer

const hash = (n: unknown) => String(n)

test('lru-memoizer: a rejected promise is kept there, not here', async t => {
  let calls = 0
  const load = async (_: number) => {
    calls += 1
    throw new Error('down')
  }
  const theirs = lruMemoizer.sync({ load, hash, max: 10 })
  for (const _ of [1, 2]) await t.throwsAsync(async () => theirs(1), { message: 'down' })
  t.is(calls, 1)
  const memoized = memoize(load, { max: 10 })
  for (const _ of [1, 2]) await t.throwsAsync(memoized(1), { message: 'down' })
  t.is(calls, 3)
})

test('lru-memoizer: falsy results are made again there, remembered here', t => {
  for (const value of [0, '', false, undefined]) {
    let calls = 0
    const load = (_: number) => {
      calls += 1
      return value
    }
    const theirs = lruMemoizer.sync({ load, hash, max: 10 } as never) as (n: number) => unknown
    for (const _ of [1, 2]) t.is(theirs(1), value)
    t.is(calls, 2)
    const memoized = memoize(load)
    for (const _ of [1, 2]) t.is(memoized(1), value)
    t.is(calls, 3)
  }
})

test('lru-memoizer: what is deleted while it is loaded is kept there, not here', async t => {
  let give = (_: unknown, __?: number) => {}
  const theirs = lruMemoizer({
    load: (_: number, callback: typeof give) => {
      give = callback
    },
    hash,
    max: 10,
  } as never) as unknown as { (n: number, callback: typeof give): void; del(n: number): void } & {
    keys(): string[]
  }
  const done = new Promise<void>(resolve => theirs(1, () => resolve()))
  theirs.del(1)
  give(null, 1)
  await done
  t.deepEqual(theirs.keys(), ['1'])
  const memoized = memoize(async (n: number) => {
    await tick()
    return n
  })
  const loading = memoized(1)
  memoized.delete(1)
  await loading
  t.is(memoized.peek(1), undefined)
})
