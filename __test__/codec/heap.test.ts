import test from 'ava'
import { Cache, heap } from '../../src/index.ts'
import { ManualClock } from '../../src/testing.ts'

test('a heap cache gives back the very value, of any type', t => {
  const cache = new Cache({ max: 100, codec: heap<unknown>() })
  const values = [{}, () => 1, Symbol('s'), 1n, undefined, null, new WeakMap(), 'text', 5]
  for (const [i, value] of values.entries()) cache.set(`${i}`, value)
  for (const [i, value] of values.entries()) t.is(cache.get(`${i}`), value)
  t.deepEqual(cache.getMany(['7', 'x', '8']), ['text', undefined, 5])
  t.is(new Map(cache).get('0'), values[0])
})

test('an object is let go when its entry leaves, for whatever reason', async t => {
  const collect = (globalThis as { gc?: () => void }).gc
  if (collect === undefined) return t.fail('run with --expose-gc')
  const clock = new ManualClock()
  const cache = new Cache({ max: 5, policy: 'lru', codec: heap<object>(), clock })
  const alive = new Set<string>()
  const registry = new FinalizationRegistry<string>(name => alive.delete(name))
  const put = (key: string, name: string, ttl?: number) => {
    const object = { name }
    alive.add(name)
    registry.register(object, name)
    cache.set(key, object, ttl === undefined ? {} : { ttl })
  }
  put('a', 'replaced')
  put('a', 'deleted')
  cache.delete('a')
  put('b', 'expired', 8)
  clock.advance(8)
  put('c', 'evicted')
  for (let i = 0; i < 5; i++) put(`${i}`, `cleared ${i}`)
  cache.clear()
  put('kept', 'kept')
  put('too', 'deleted by many')
  cache.deleteMany(['too'])
  for (let i = 0; i < 50 && alive.size > 1; i++) {
    collect()
    await new Promise(setImmediate)
  }
  t.deepEqual([...alive], ['kept'])
  t.is((cache.get('kept') as { name: string }).name, 'kept')
})

test('a listener of a heap cache gets the object that left', t => {
  const cache = new Cache({ max: 10, codec: heap<object>() })
  const [first, second] = [{}, {}]
  const seen: unknown[] = []
  const stop = cache.onRemoval((_, value, reason) => seen.push(value, reason))
  cache.set('a', first).set('a', second).delete('a')
  t.is(seen[0], first)
  t.is(seen[2], second)
  t.deepEqual([seen[1], seen[3]], ['replaced', 'deleted'])
  stop()
  cache.set('a', first).delete('a')
  t.is(seen.length, 4)
})

test('a heap cache belongs to one isolate and one process', async t => {
  const cache = new Cache({ max: 10, codec: 'heap' })
  const shared = { name: 'shared', max: 10, codec: heap() }
  t.throws(() => new Cache(shared), { code: 'ERR_INVALID_OPTION', message: /name .*heap/ })
  t.throws(() => cache.handle, { code: 'ERR_INVALID_HANDLE', message: /heap/ })
  // The number of a cache made just before it leads to its own.
  const { breakwater, process } = new Cache({ max: 10 }).handle
  const forged = { breakwater: breakwater - 1, process }
  t.throws(() => Cache.attach(forged), { code: 'ERR_INVALID_HANDLE', message: /heap/ })
  await t.throwsAsync(cache.save('unused'), { code: 'ERR_INVALID_OPTION', message: /codec/ })
  await t.throwsAsync(cache.load('unused'), { code: 'ERR_INVALID_OPTION', message: /codec/ })
})

test('an object that does not fit is not kept', t => {
  const cache = new Cache({ max: 1, policy: 'none', codec: heap<object>() })
  const first = {}
  cache.set('a', first)
  t.throws(() => cache.set('b', {}), { code: 'ERR_CACHE_FULL' })
  t.is(cache.get('a'), first)
  t.false(cache.has('b'))
})

test('many objects are stored in one call, up to the one that is refused', t => {
  const cache = new Cache({ max: 2, policy: 'none', codec: heap<number>() })
  t.throws(
    () =>
      cache.setMany([
        ['a', 1],
        ['b', 2],
        ['c', 3],
      ]),
    { code: 'ERR_CACHE_FULL' },
  )
  t.deepEqual(cache.getMany(['a', 'b', 'c']), [1, 2, undefined])
})
