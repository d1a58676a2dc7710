// dump and load: contents on their way to another cache, or through a file.

import { recorder } from './support/hooks.ts'
import { contract } from './support/implementations.ts'
import { Clock, timed } from './support/time.ts'

contract('dump runs from least to most recent', (t, LRUCache) => {
  const cache = new LRUCache<string, number>({ max: 5 })
  cache.set('a', 1).set('b', 2).set('c', 3)
  cache.get('a')
  t.deepEqual(cache.dump(), [
    ['b', { value: 2 }],
    ['c', { value: 3 }],
    ['a', { value: 1 }],
  ])
})

contract('dump of an empty cache is an empty array', (t, LRUCache) => {
  t.deepEqual(new LRUCache({ max: 5 }).dump(), [])
})

contract('dump has sizes where they are kept', (t, LRUCache) => {
  const cache = new LRUCache<string, number>({ maxSize: 10, sizeCalculation: () => 3 })
  cache.set('a', 1)
  t.deepEqual(cache.dump(), [['a', { value: 1, size: 3 }]])
})

contract('dump gives ttl, and start on the scale of Date.now', (t, LRUCache) => {
  const clock = new Clock()
  const cache = new LRUCache<string, number>({ max: 5, ttl: 100, ...timed(clock) })
  cache.set('a', 1)
  clock.advance(30)
  const before = Date.now()
  const [[key, entry]] = cache.dump() as [[string, { value: number; ttl: number; start: number }]]
  t.is(key, 'a')
  t.is(entry.value, 1)
  t.is(entry.ttl, 100)
  t.true(entry.start >= before - 30 && entry.start <= Date.now() - 30)
  t.true(Number.isInteger(entry.start))
})

contract('dump gives an entry without ttl, in a cache that keeps ttls, ttl 0', (t, LRUCache) => {
  const clock = new Clock()
  const cache = new LRUCache<string, number>({ max: 5, ttl: 100, ...timed(clock) })
  cache.set('ever', 1, { ttl: 0 })
  t.is(cache.dump()[0]?.[1].ttl, 0)
  const other = new LRUCache<string, number>({ max: 5, ttl: 100, ...timed(clock) })
  other.load(cache.dump())
  t.is(other.getRemainingTTL('ever'), Number.POSITIVE_INFINITY)
})

contract('dump includes stale entries', (t, LRUCache) => {
  const clock = new Clock()
  const cache = new LRUCache<string, number>({ max: 5, ttl: 10, ...timed(clock) })
  cache.set('a', 1)
  clock.advance(11)
  t.is(cache.dump().length, 1)
  t.is(cache.size, 1)
})

contract('load brings back contents, order, sizes and lives', (t, LRUCache) => {
  const clock = new Clock()
  const options = { maxSize: 100, ttl: 100, sizeCalculation: () => 3, ...timed(clock) }
  const first = new LRUCache<string, number>(options)
  first.set('a', 1).set('b', 2, { size: 7 }).set('c', 3, { ttl: 1000 })
  first.get('a')
  const later = new Clock(777_000)
  const second = new LRUCache<string, number>({ ...options, ...timed(later) })
  second.load(JSON.parse(JSON.stringify(first.dump())))
  t.deepEqual([...second], [...first])
  t.is(second.calculatedSize, first.calculatedSize)
  t.is(second.info('b')?.size, 7)
  t.true(Math.abs(second.getRemainingTTL('c') - 1000) < 60_000)
})

contract('load counts the time that passed since the dump', (t, LRUCache) => {
  const clock = new Clock()
  const cache = new LRUCache<string, number>({ max: 5, ...timed(clock) })
  const hour = 3_600_000
  cache.load([
    ['young', { value: 1, ttl: 10 * hour, start: Date.now() - hour }],
    ['old', { value: 2, ttl: hour, start: Date.now() - 10 * hour }],
  ])
  const left = cache.getRemainingTTL('young')
  t.true(left <= 9 * hour && left > 8.9 * hour)
  t.false(cache.has('old'))
  t.is(cache.size, 2)
})

contract('load clears first, and fires the hooks of that', (t, LRUCache) => {
  const { hooks, taken } = recorder<string, number>()
  const cache = new LRUCache<string, number>({ max: 5, ...hooks })
  cache.set('old', 1)
  taken()
  t.is(cache.load([['a', { value: 2 }]]), undefined)
  t.deepEqual([...cache], [['a', 2]])
  t.deepEqual(taken(), [
    ['dispose', 'old', 1, 'delete'],
    ['disposeAfter', 'old', 1, 'delete'],
    ['onInsert', 'a', 2, 'add'],
  ])
})

contract('load keeps to the bounds: the most recent stay', (t, LRUCache) => {
  const big = new LRUCache<number, number>({ max: 10 })
  for (let i = 0; i < 10; i++) big.set(i, i)
  const small = new LRUCache<number, number>({ max: 3 })
  small.load(big.dump())
  t.deepEqual([...small.keys()], [9, 8, 7])
})

contract('load of entries without ttl takes that of the cache', (t, LRUCache) => {
  const clock = new Clock()
  const cache = new LRUCache<string, number>({ max: 5, ttl: 100, ...timed(clock) })
  cache.load([['a', { value: 1 }]])
  t.is(cache.getRemainingTTL('a'), 100)
})

contract('load takes any iterable of entries', (t, LRUCache) => {
  const cache = new LRUCache<string, number>({ max: 5 })
  cache.load(new Map([['a', { value: 1 }]]) as never)
  t.is(cache.get('a'), 1)
})

contract('a dump holds the values themselves', (t, LRUCache) => {
  const cache = new LRUCache<string, object>({ max: 5 })
  const value = {}
  cache.set('a', value)
  t.is(cache.dump()[0]?.[1].value, value)
})
