// What makes an entry the most recent, what does not, and what the methods give back.
import { contract, type LRUCacheClass } from './support/implementations.ts'

function filled(LRUCache: LRUCacheClass) {
  const cache = new LRUCache<string, number>({ max: 5 })
  cache.set('a', 1).set('b', 2).set('c', 3)
  return cache
}

contract('get makes an entry the most recent', (t, LRUCache) => {
  const cache = filled(LRUCache)
  t.is(cache.get('a'), 1)
  t.deepEqual([...cache.keys()], ['a', 'c', 'b'])
  cache.get('c')
  t.deepEqual([...cache.keys()], ['c', 'a', 'b'])
  cache.get('c')
  t.deepEqual([...cache.keys()], ['c', 'a', 'b'])
})

contract('get of a missing key is undefined and moves nothing', (t, LRUCache) => {
  const cache = filled(LRUCache)
  t.is(cache.get('x'), undefined)
  t.deepEqual([...cache.keys()], ['c', 'b', 'a'])
})

contract('set makes an entry the most recent, the same value as well', (t, LRUCache) => {
  const cache = filled(LRUCache)
  cache.set('a', 10)
  t.deepEqual([...cache.keys()], ['a', 'c', 'b'])
  cache.set('b', 2)
  t.deepEqual([...cache.keys()], ['b', 'a', 'c'])
})

contract('peek leaves recency alone', (t, LRUCache) => {
  const cache = filled(LRUCache)
  t.is(cache.peek('a'), 1)
  t.is(cache.peek('x'), undefined)
  t.deepEqual([...cache.keys()], ['c', 'b', 'a'])
})

contract('has leaves recency alone', (t, LRUCache) => {
  const cache = filled(LRUCache)
  t.true(cache.has('a'))
  t.false(cache.has('x'))
  t.deepEqual([...cache.keys()], ['c', 'b', 'a'])
})

contract('forEach and iteration leave recency alone', (t, LRUCache) => {
  const cache = filled(LRUCache)
  cache.forEach(() => {})
  cache.rforEach(() => {})
  for (const method of ['keys', 'values', 'entries', 'rkeys', 'rvalues', 'rentries'] as const) {
    t.is([...cache[method]()].length, 3)
  }
  t.deepEqual([...cache.keys()], ['c', 'b', 'a'])
})

contract('info, getRemainingTTL and dump leave recency alone', (t, LRUCache) => {
  const cache = filled(LRUCache)
  cache.info('a')
  cache.getRemainingTTL('a')
  cache.dump()
  t.deepEqual([...cache.keys()], ['c', 'b', 'a'])
})

contract('find makes what it finds the most recent', (t, LRUCache) => {
  const cache = filled(LRUCache)
  t.is(
    cache.find(value => value < 3),
    2,
  )
  t.deepEqual([...cache.keys()], ['b', 'c', 'a'])
})

contract('memo makes what it finds or makes the most recent', (t, LRUCache) => {
  const cache = new LRUCache<string, number>({ max: 5, memoMethod: () => 9 })
  cache.set('a', 1).set('b', 2)
  cache.memo('a')
  t.deepEqual([...cache.keys()], ['a', 'b'])
  cache.memo('c')
  t.deepEqual([...cache.keys()], ['c', 'a', 'b'])
})

contract('fetch makes a hit the most recent', async (t, LRUCache) => {
  const cache = new LRUCache<string, number>({ max: 5, fetchMethod: async () => 9 })
  cache.set('a', 1).set('b', 2)
  t.is(await cache.fetch('a'), 1)
  t.deepEqual([...cache.keys()], ['a', 'b'])
})

contract('set gives the cache, so that calls chain', (t, LRUCache) => {
  const cache = new LRUCache<string, number>({ max: 5, maxSize: 10, sizeCalculation: v => v })
  t.is(cache.set('a', 1), cache)
  t.is(cache.set('a', 1), cache)
  t.is(cache.set('a', 2), cache)
  t.is(cache.set('too large', 11), cache)
})

contract('delete tells whether there was something', (t, LRUCache) => {
  const cache = filled(LRUCache)
  t.true(cache.delete('b'))
  t.false(cache.delete('b'))
  t.false(cache.delete('x'))
  t.deepEqual(
    [...cache],
    [
      ['c', 3],
      ['a', 1],
    ],
  )
})

contract('deleting the first, the last and the only entry keeps the order', (t, LRUCache) => {
  const cache = filled(LRUCache).set('d', 4)
  cache.delete('d')
  t.deepEqual([...cache.keys()], ['c', 'b', 'a'])
  cache.delete('a')
  t.deepEqual([...cache.rkeys()], ['b', 'c'])
  cache.delete('b')
  cache.delete('c')
  t.deepEqual([...cache.keys()], [])
  cache.set('e', 5).set('f', 6)
  t.deepEqual([...cache.keys()], ['f', 'e'])
})

contract('clear empties and the cache goes on', (t, LRUCache) => {
  const cache = filled(LRUCache)
  t.is(cache.clear(), undefined)
  t.is(cache.size, 0)
  t.deepEqual([...cache], [])
  t.is(cache.get('a'), undefined)
  cache.clear()
  cache.set('z', 26)
  t.deepEqual([...cache], [['z', 26]])
})

contract('pop takes the least recent and gives its value', (t, LRUCache) => {
  const cache = filled(LRUCache)
  cache.get('a')
  t.is(cache.pop(), 2)
  t.is(cache.pop(), 3)
  t.is(cache.size, 1)
  t.is(cache.pop(), 1)
  t.is(cache.pop(), undefined)
  t.is(cache.size, 0)
})

contract('eviction follows recency through many moves', (t, LRUCache) => {
  const cache = new LRUCache<number, number>({ max: 100 })
  for (let i = 0; i < 100; i++) cache.set(i, i)
  for (let i = 0; i < 100; i += 2) cache.get(i)
  for (let i = 100; i < 150; i++) cache.set(i, i)
  const expected = [
    ...Array.from({ length: 50 }, (_, i) => 149 - i),
    ...Array.from({ length: 50 }, (_, i) => 98 - 2 * i),
  ]
  t.deepEqual([...cache.keys()], expected)
})
