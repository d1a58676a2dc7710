// Hooks and methods that use the cache which called them.
import { type Any, contract, type LRUCacheClass } from './support/implementations.ts'
import { Clock, outcome, timed } from './support/time.ts'

type AnyCache = InstanceType<LRUCacheClass>

contract('hooks and fetchMethod are called with the cache as this', async (t, LRUCache) => {
  const those: unknown[] = []
  function hook(this: unknown) {
    those.push(this)
  }
  const cache = new LRUCache<string, number>({
    max: 1,
    dispose: hook,
    disposeAfter: hook,
    onInsert: hook,
    fetchMethod(this: unknown) {
      those.push(this)
      return 3
    },
  })
  cache.set('a', 1).set('b', 2)
  await cache.fetch('c')
  t.true(those.length >= 6)
  for (const self of those) t.is(self, cache)
})

contract('disposeAfter may set another key', (t, LRUCache) => {
  const cache: AnyCache = new LRUCache<Any, Any>({
    max: 5,
    disposeAfter: (value, key, reason) => {
      if (reason === 'delete') cache.set(`was ${String(key)}`, value)
    },
  })
  cache.set('a', 1).set('b', 2)
  cache.delete('a')
  t.deepEqual(
    [...cache],
    [
      ['was a', 1],
      ['b', 2],
    ],
  )
})

contract('disposeAfter of an evicted entry may get others', (t, LRUCache) => {
  const seen: unknown[] = []
  const cache: AnyCache = new LRUCache<Any, Any>({
    max: 2,
    disposeAfter: () => seen.push(cache.get('b'), cache.size),
  })
  cache.set('a', 1).set('b', 2).set('c', 3)
  t.deepEqual(seen, [2, 2])
  t.deepEqual([...cache.keys()], ['b', 'c'])
})

contract('onInsert may get the entry, and set another', (t, LRUCache) => {
  const seen: unknown[] = []
  const cache: AnyCache = new LRUCache<Any, Any>({
    max: 5,
    onInsert: (_value, key, reason) => {
      seen.push([key, cache.get(key), reason])
      if (key === 'a') cache.set('index of a', true)
    },
  })
  cache.set('a', 1)
  t.deepEqual(seen, [
    ['a', 1, 'add'],
    ['index of a', true, 'add'],
  ])
  t.is(cache.size, 2)
})

contract('sizeCalculation may look at the cache', (t, LRUCache) => {
  const cache: AnyCache = new LRUCache<Any, Any>({
    maxSize: 10,
    sizeCalculation: () => cache.size + 1,
  })
  cache.set('a', 1).set('b', 2).set('c', 3)
  t.is(cache.calculatedSize, 6)
})

contract('memoMethod may use memo for other keys', (t, LRUCache) => {
  const cache: InstanceType<typeof LRUCache<number, number>> = new LRUCache<number, number>({
    max: 100,
    memoMethod: n => (n < 2 ? n : cache.memo(n - 1) + cache.memo(n - 2)),
  })
  t.is(cache.memo(30), 832_040)
  t.is(cache.size, 31)
})

contract('fetchMethod may fetch other keys', async (t, LRUCache) => {
  const cache: InstanceType<typeof LRUCache<number, number>> = new LRUCache<number, number>({
    max: 100,
    fetchMethod: async n =>
      n < 2 ? n : ((await cache.fetch(n - 1)) ?? 0) + ((await cache.fetch(n - 2)) ?? 0),
  })
  t.is(await cache.fetch(15), 610)
  t.is(cache.size, 16)
})

contract('fetchMethod may set other keys', async (t, LRUCache) => {
  const cache: AnyCache = new LRUCache<Any, Any>({
    max: 5,
    fetchMethod: async key => {
      cache.set(`beside ${String(key)}`, 1)
      return 2
    },
  })
  t.is(await cache.fetch('a'), 2)
  t.deepEqual([...cache.rkeys()], ['beside a', 'a'])
})

contract('a fetch may be asked for again when it has failed', async (t, LRUCache) => {
  let tries = 0
  const cache: AnyCache = new LRUCache<Any, Any>({
    max: 5,
    fetchMethod: async () => {
      if (++tries < 3) throw new Error(`try ${tries}`)
      return 'there'
    },
  })
  t.deepEqual(await outcome(cache.fetch('a')), { error: 'try 1' })
  t.deepEqual(await outcome(cache.fetch('a')), { error: 'try 2' })
  t.deepEqual(await outcome(cache.fetch('a')), { value: 'there' })
})

contract('dispose of a stale entry that is read may read the clock', (t, LRUCache) => {
  const clock = new Clock()
  const seen: number[] = []
  const cache: AnyCache = new LRUCache<Any, Any>({
    max: 5,
    ttl: 10,
    ...timed(clock),
    dispose: (_value, key) => seen.push(cache.getRemainingTTL(key)),
  })
  cache.set('a', 1).set('b', 2)
  clock.advance(15)
  cache.get('a')
  t.deepEqual(seen, [-5])
})
