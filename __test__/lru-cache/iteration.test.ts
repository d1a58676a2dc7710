// Iteration: its order, what it shows, and what may happen to the cache meanwhile.
import { contract, type LRUCacheClass } from './support/implementations.ts'
import { Clock, timed } from './support/time.ts'

function filled(LRUCache: LRUCacheClass) {
  const cache = new LRUCache<string, number>({ max: 5 })
  cache.set('a', 1).set('b', 2).set('c', 3)
  return cache
}

contract('iteration runs from most to least recent', (t, LRUCache) => {
  const cache = filled(LRUCache)
  t.deepEqual([...cache.keys()], ['c', 'b', 'a'])
  t.deepEqual([...cache.values()], [3, 2, 1])
  t.deepEqual(
    [...cache.entries()],
    [
      ['c', 3],
      ['b', 2],
      ['a', 1],
    ],
  )
  t.deepEqual(
    [...cache],
    [
      ['c', 3],
      ['b', 2],
      ['a', 1],
    ],
  )
})

contract('the r-variants run from least to most recent', (t, LRUCache) => {
  const cache = filled(LRUCache)
  t.deepEqual([...cache.rkeys()], ['a', 'b', 'c'])
  t.deepEqual([...cache.rvalues()], [1, 2, 3])
  t.deepEqual(
    [...cache.rentries()],
    [
      ['a', 1],
      ['b', 2],
      ['c', 3],
    ],
  )
})

contract('forEach gives value, key and cache, from most to least recent', (t, LRUCache) => {
  const cache = filled(LRUCache)
  const seen: unknown[] = []
  t.is(
    cache.forEach((value, key, self) => {
      seen.push([value, key, self === cache])
    }),
    undefined,
  )
  t.deepEqual(seen, [
    [3, 'c', true],
    [2, 'b', true],
    [1, 'a', true],
  ])
})

contract('rforEach gives value, key and cache, from least to most recent', (t, LRUCache) => {
  const cache = filled(LRUCache)
  const seen: unknown[] = []
  t.is(
    cache.rforEach((value, key, self) => seen.push([value, key, self === cache])),
    undefined,
  )
  t.deepEqual(seen, [
    [1, 'a', true],
    [2, 'b', true],
    [3, 'c', true],
  ])
})

contract(
  'forEach and rforEach call with the cache as this, or with what was given',
  (t, LRUCache) => {
    const cache = new LRUCache<string, number>({ max: 5 }).set('a', 1)
    const those: unknown[] = []
    const other = {}
    function f(this: unknown) {
      those.push(this)
    }
    cache.forEach(f)
    cache.forEach(f, other)
    cache.rforEach(f)
    cache.rforEach(f, other)
    t.is(those[0], cache)
    t.is(those[1], other)
    t.is(those[2], cache)
    t.is(those[3], other)
  },
)

contract('an empty cache iterates over nothing', (t, LRUCache) => {
  const cache = new LRUCache<string, number>({ max: 5 })
  for (const method of ['keys', 'values', 'entries', 'rkeys', 'rvalues', 'rentries'] as const) {
    t.deepEqual([...cache[method]()], [])
  }
  t.deepEqual([...cache], [])
  cache.forEach(() => void t.fail())
  cache.rforEach(() => t.fail())
  t.is(
    cache.find(() => true),
    undefined,
  )
})

contract('what iterates is a generator, lazy and its own iterator', (t, LRUCache) => {
  const cache = filled(LRUCache)
  for (const method of ['keys', 'values', 'entries', 'rkeys', 'rvalues', 'rentries'] as const) {
    const generator = cache[method]()
    t.is(generator[Symbol.iterator](), generator as never)
    t.is(Object.prototype.toString.call(generator), '[object Generator]')
    t.false(generator.next().done)
    t.is(generator.return(undefined as never).done, true)
    t.true(generator.next().done)
  }
  const keys = cache.keys()
  cache.set('d', 4)
  t.is(keys.next().value, 'd')
})

contract('each entry of entries is an array of its own', (t, LRUCache) => {
  const cache = filled(LRUCache)
  const [first] = [...cache]
  first![1] = 99
  t.is(cache.get('c'), 3)
})

contract('iteration skips stale entries', (t, LRUCache) => {
  const clock = new Clock()
  const cache = new LRUCache<string, number>({ max: 5, ttl: 10, ...timed(clock) })
  cache.set('a', 1).set('b', 2, { ttl: 100 }).set('c', 3)
  clock.advance(11)
  t.deepEqual([...cache.keys()], ['b'])
  t.deepEqual([...cache.values()], [2])
  t.deepEqual([...cache], [['b', 2]])
  t.deepEqual([...cache.rkeys()], ['b'])
  t.deepEqual([...cache.rvalues()], [2])
  t.deepEqual([...cache.rentries()], [['b', 2]])
  const seen: string[] = []
  cache.forEach((_, key) => void seen.push(key))
  cache.rforEach((_, key) => seen.push(key))
  t.deepEqual(seen, ['b', 'b'])
  t.is(
    cache.find(value => value !== 2),
    undefined,
  )
  t.is(cache.size, 3)
})

contract('with allowStale iteration shows stale entries', (t, LRUCache) => {
  const clock = new Clock()
  const cache = new LRUCache<string, number>({ max: 5, ttl: 10, allowStale: true, ...timed(clock) })
  cache.set('a', 1).set('b', 2)
  clock.advance(11)
  t.deepEqual([...cache.keys()], ['b', 'a'])
  t.deepEqual([...cache.rvalues()], [1, 2])
  t.deepEqual(
    [...cache],
    [
      ['b', 2],
      ['a', 1],
    ],
  )
  const seen: string[] = []
  cache.forEach((_, key) => void seen.push(key))
  t.deepEqual(seen, ['b', 'a'])
})

contract('each entry may be deleted as iteration shows it', (t, LRUCache) => {
  for (const method of ['keys', 'rkeys'] as const) {
    const cache = filled(LRUCache)
    const seen: string[] = []
    for (const key of cache[method]()) {
      seen.push(key)
      cache.delete(key)
    }
    t.is(seen.length, 3)
    t.is(cache.size, 0)
  }
  const cache = filled(LRUCache)
  cache.forEach((_, key) => void cache.delete(key))
  t.is(cache.size, 0)
})

contract('an entry in the middle may be deleted as iteration shows it', (t, LRUCache) => {
  for (const method of ['keys', 'rkeys'] as const) {
    const cache = filled(LRUCache).set('d', 4)
    const seen: string[] = []
    for (const key of cache[method]()) {
      seen.push(key)
      if (key === 'b' || key === 'c') cache.delete(key)
    }
    t.deepEqual(seen.sort(), ['a', 'b', 'c', 'd'])
    t.deepEqual([...cache.keys()], ['d', 'a'])
  }
})

contract('an entry that is still to come may be deleted and is not shown', (t, LRUCache) => {
  const cache = filled(LRUCache)
  const seen: string[] = []
  for (const key of cache.keys()) {
    seen.push(key)
    cache.delete('b')
  }
  t.deepEqual(seen, ['c', 'a'])
})

contract('clearing while iterating ends it', (t, LRUCache) => {
  const cache = filled(LRUCache)
  const seen: string[] = []
  for (const key of cache.keys()) {
    seen.push(key)
    cache.clear()
  }
  t.deepEqual(seen, ['c'])
})

contract('values may be set while iterating', (t, LRUCache) => {
  const cache = filled(LRUCache)
  for (const [key, value] of cache) {
    if (key === 'c') cache.set('c', value + 10)
  }
  t.is(cache.peek('c'), 13)
})

contract('peek may be called while iterating', (t, LRUCache) => {
  const cache = filled(LRUCache)
  const seen = [...cache.keys()].map(key => cache.peek(key))
  t.deepEqual(seen, [3, 2, 1])
})
