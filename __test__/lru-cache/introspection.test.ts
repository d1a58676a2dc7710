// info, find, the tag, and other ways of looking at a cache.
import { inspect } from 'node:util'
import { contract } from './support/implementations.ts'
import { Clock, timed } from './support/time.ts'

contract('Symbol.toStringTag is LRUCache', (t, LRUCache) => {
  const cache = new LRUCache({ max: 5 })
  t.is(cache[Symbol.toStringTag], 'LRUCache')
  t.is(Object.prototype.toString.call(cache), '[object LRUCache]')
  t.is(String(cache), '[object LRUCache]')
})

contract('a cache knows its class', (t, LRUCache) => {
  t.is(new LRUCache({ max: 5 }).constructor, LRUCache as never)
  t.is(LRUCache.length, 1)
})

contract('a cache can be inspected', (t, LRUCache) => {
  const cache = new LRUCache<string, number>({ max: 5 }).set('a', 1)
  t.true(inspect(cache).includes('LRUCache'))
})

contract('a subclass keeps what it adds and what it overrides', (t, LRUCache) => {
  class Counting extends LRUCache<string, number> {
    sets = 0
    override set(...args: Parameters<InstanceType<typeof LRUCache<string, number>>['set']>) {
      this.sets++
      return super.set(...args)
    }
  }
  const cache = new Counting({ max: 2 })
  t.is(cache.set('a', 1).set('b', 2), cache)
  t.is(cache.sets, 2)
  t.true(cache instanceof LRUCache)
  t.is(cache.get('a'), 1)
})

contract('info of a missing key is undefined', (t, LRUCache) => {
  t.is(new LRUCache({ max: 5 }).info('x'), undefined)
  t.is(new LRUCache({ max: 5, ttl: 5 }).info('x'), undefined)
})

contract('info has the value alone where there is neither ttl nor size', (t, LRUCache) => {
  const cache = new LRUCache<string, number>({ max: 5 }).set('a', 1)
  t.deepEqual(cache.info('a'), { value: 1 })
})

contract(
  'info has the remaining ttl and, as start, the present time of Date.now',
  (t, LRUCache) => {
    const clock = new Clock()
    const cache = new LRUCache<string, number>({ max: 5, ttl: 100, ...timed(clock) })
    cache.set('a', 1).set('ever', 2, { ttl: 0 })
    clock.advance(30)
    const before = Date.now()
    const { value, ttl, start, ...rest } = cache.info('a')!
    t.is(value, 1)
    t.is(ttl, 70)
    t.true(start! >= before && start! <= Date.now())
    t.deepEqual(rest, {})
    t.deepEqual(cache.info('ever'), { value: 2 })
  },
)

contract('info has the size where sizes are kept', (t, LRUCache) => {
  const cache = new LRUCache<string, number>({ maxSize: 10, sizeCalculation: () => 3 })
  cache.set('a', 1)
  t.deepEqual(cache.info('a'), { value: 1, size: 3 })
})

contract(
  'find gives the first value, from most to least recent, that fn approves',
  (t, LRUCache) => {
    const cache = new LRUCache<string, number>({ max: 5 })
    cache.set('a', 1).set('b', 2).set('c', 3)
    const calls: unknown[] = []
    const found = cache.find((value, key, self) => {
      calls.push([value, key, self === cache])
      return value < 3
    })
    t.is(found, 2)
    t.deepEqual(calls, [
      [3, 'c', true],
      [2, 'b', true],
    ])
    t.is(
      cache.find(() => false),
      undefined,
    )
    t.is(
      cache.find(value => (value === 1 ? 'yes' : '') as never),
      1,
    )
  },
)

contract('find gets the value with the options given', (t, LRUCache) => {
  const clock = new Clock()
  const cache = new LRUCache<string, number>({ max: 5, ttl: 100, ...timed(clock) })
  cache.set('a', 1)
  clock.advance(60)
  t.is(
    cache.find(() => true, { updateAgeOnGet: true }),
    1,
  )
  t.is(cache.getRemainingTTL('a'), 100)
})

contract('find passes over stale entries, unless the cache allows them', (t, LRUCache) => {
  const clock = new Clock()
  const cache = new LRUCache<string, number>({ max: 5, ttl: 10, ...timed(clock) })
  cache.set('a', 1)
  clock.advance(11)
  t.is(
    cache.find(() => true),
    undefined,
  )
  t.is(
    cache.find(() => true, { allowStale: true }),
    undefined,
  )
  cache.allowStale = true
  t.is(
    cache.find(() => true),
    1,
  )
  t.is(cache.size, 0)
})

contract('size counts entries through all changes', (t, LRUCache) => {
  const cache = new LRUCache<string, number>({ max: 3 })
  const sizes: number[] = []
  for (const key of ['a', 'b', 'b', 'c', 'd']) sizes.push(cache.set(key, 1).size)
  cache.delete('d')
  sizes.push(cache.size)
  cache.delete('nothing')
  sizes.push(cache.size)
  cache.pop()
  sizes.push(cache.size)
  cache.clear()
  sizes.push(cache.size)
  t.deepEqual(sizes, [1, 2, 2, 3, 3, 2, 2, 1, 0])
})

contract('two caches know nothing of each other', (t, LRUCache) => {
  const one = new LRUCache<string, number>({ max: 3 })
  const two = new LRUCache<string, number>({ max: 3 })
  one.set('a', 1)
  two.set('a', 2)
  two.clear()
  t.is(one.get('a'), 1)
})
