// What a stale entry is to each method.
import { contract, type LRUCacheClass } from './support/implementations.ts'
import { Clock, timed } from './support/time.ts'

/** A cache whose only entry, `a`, is stale. */
function stale(LRUCache: LRUCacheClass, options: object = {}) {
  const clock = new Clock()
  const left: unknown[] = []
  const cache = new LRUCache<string, number>({
    max: 5,
    ttl: 10,
    ...timed(clock),
    dispose: (value, key, reason) => left.push([key, value, reason]),
    ...options,
  })
  cache.set('a', 1)
  clock.advance(11)
  return { cache, left }
}

contract('has on a stale entry is false and deletes nothing', (t, LRUCache) => {
  const { cache, left } = stale(LRUCache)
  t.false(cache.has('a'))
  t.is(cache.size, 1)
  t.deepEqual(left, [])
})

contract('has on a stale entry is false even with allowStale', (t, LRUCache) => {
  const { cache } = stale(LRUCache, { allowStale: true })
  t.false(cache.has('a'))
  t.false(cache.has('a', { allowStale: true } as never))
})

contract('get of a stale entry is undefined and deletes it, with reason expire', (t, LRUCache) => {
  const { cache, left } = stale(LRUCache)
  t.is(cache.get('a'), undefined)
  t.is(cache.size, 0)
  t.deepEqual(left, [['a', 1, 'expire']])
})

contract('with allowStale get gives the stale value once and deletes it', (t, LRUCache) => {
  const { cache, left } = stale(LRUCache, { allowStale: true })
  t.is(cache.get('a'), 1)
  t.is(cache.size, 0)
  t.deepEqual(left, [['a', 1, 'expire']])
  t.is(cache.get('a'), undefined)
})

contract('allowStale of a get holds for that get', (t, LRUCache) => {
  t.is(stale(LRUCache).cache.get('a', { allowStale: true }), 1)
  t.is(stale(LRUCache, { allowStale: true }).cache.get('a', { allowStale: false }), undefined)
})

contract('with noDeleteOnStaleGet get keeps the stale entry', (t, LRUCache) => {
  const { cache, left } = stale(LRUCache, { noDeleteOnStaleGet: true })
  t.is(cache.get('a'), undefined)
  t.is(cache.size, 1)
  t.deepEqual(left, [])
  t.is(cache.get('a', { allowStale: true }), 1)
  t.is(cache.size, 1)
  t.is(cache.get('a', { noDeleteOnStaleGet: false }), undefined)
  t.is(cache.size, 0)
})

contract('noDeleteOnStaleGet of a get holds for that get', (t, LRUCache) => {
  const { cache } = stale(LRUCache)
  t.is(cache.get('a', { noDeleteOnStaleGet: true, allowStale: true }), 1)
  t.is(cache.get('a', { noDeleteOnStaleGet: true, allowStale: true }), 1)
  t.is(cache.get('a'), undefined)
  t.is(cache.size, 0)
})

contract('a stale get that is kept moves nothing and renews nothing', (t, LRUCache) => {
  const clock = new Clock()
  const cache = new LRUCache<string, number>({
    max: 5,
    allowStale: true,
    noDeleteOnStaleGet: true,
    updateAgeOnGet: true,
    ...timed(clock),
  })
  cache.set('a', 1, { ttl: 10 }).set('b', 2)
  clock.advance(11)
  t.is(cache.get('a'), 1)
  t.deepEqual([...cache.keys()], ['b', 'a'])
  t.is(cache.getRemainingTTL('a'), -1)
})

contract(
  'peek of a stale entry is undefined, or its value with allowStale; it deletes nothing',
  (t, LRUCache) => {
    const { cache, left } = stale(LRUCache)
    t.is(cache.peek('a'), undefined)
    t.is(cache.peek('a', { allowStale: true }), 1)
    t.is(cache.size, 1)
    t.deepEqual(left, [])
    const allowing = stale(LRUCache, { allowStale: true }).cache
    t.is(allowing.peek('a'), 1)
    t.is(allowing.peek('a', { allowStale: false }), undefined)
  },
)

contract('delete of a stale entry is true, with reason delete', (t, LRUCache) => {
  const { cache, left } = stale(LRUCache)
  t.true(cache.delete('a'))
  t.deepEqual(left, [['a', 1, 'delete']])
})

contract('set over a stale entry replaces it, with reason set', (t, LRUCache) => {
  const { cache, left } = stale(LRUCache)
  cache.set('a', 2)
  t.is(cache.get('a'), 2)
  t.deepEqual(left, [['a', 1, 'set']])
})

contract('pop gives a stale value', (t, LRUCache) => {
  const { cache, left } = stale(LRUCache)
  t.is(cache.pop(), 1)
  t.deepEqual(left, [['a', 1, 'evict']])
})

contract('info tells of a stale entry, with a negative ttl', (t, LRUCache) => {
  const { cache } = stale(LRUCache)
  t.is(cache.info('a')?.value, 1)
  t.is(cache.info('a')?.ttl, -1)
})

contract('size counts stale entries', (t, LRUCache) => {
  const { cache } = stale(LRUCache)
  t.is(cache.size, 1)
  cache.set('b', 2)
  t.is(cache.size, 2)
})

contract('memo of a stale entry makes the value anew', (t, LRUCache) => {
  const { cache } = stale(LRUCache, { memoMethod: () => 7 })
  t.is(cache.memo('a'), 7)
  t.is(cache.get('a'), 7)
  const allowing = stale(LRUCache, { memoMethod: () => 7, allowStale: true }).cache
  t.is(allowing.memo('a'), 1)
})
