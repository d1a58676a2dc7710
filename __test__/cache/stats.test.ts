import test from 'ava'
import { Cache } from '../../src/index.ts'
import { ManualClock } from '../../src/testing.ts'

test('counts are exact', t => {
  const clock = new ManualClock()
  const cache = new Cache({ max: 4, policy: 'lru', clock })
  cache.set('a', '1').set('b', '2').set('b', '3').set('c', '4', { ttl: 10 })
  cache.get('a')
  cache.get('a')
  cache.get('nothing')
  cache.getMany(['a', 'nothing', 'b'])
  cache.peek('a')
  cache.has('b')
  cache.delete('a')
  cache.delete('a')
  clock.advance(10)
  cache.setMany([
    ['d', '1'],
    ['e', '1'],
    ['f', '1'],
    ['g', '1'],
  ])
  const stats = cache.stats()
  t.like(stats, {
    hits: 4,
    misses: 2,
    sets: 8,
    deletes: 1,
    evictions: 1,
    expirations: 1,
    rejected: 0,
    removalsDropped: 0,
    entries: 4,
  })
  t.is(stats.entries, cache.size)
  t.is(stats.bytes, cache.bytes)
  // Four entries of a one-byte key and a one-byte value.
  t.is(stats.bytes - stats.overhead, 8)
})

test('counts go back to zero, sizes do not', t => {
  const cache = new Cache({ max: 10 })
  cache.set('a', '1').get('a')
  cache.resetStats()
  t.like(cache.stats(), { hits: 0, misses: 0, sets: 0, entries: 1 })
})

test('the keys read most are known', t => {
  const cache = new Cache({ max: 10_000 })
  for (let i = 0; i < 1000; i++) cache.set(`cold ${i}`, 'v')
  cache.set('hot', 'v').set('warm', 'v')
  for (let i = 0; i < 200_000; i++) {
    cache.get('hot')
    if (i % 4 === 0) cache.get('warm')
    if (i % 16 === 0) cache.get(`cold ${i % 1000}`)
  }
  const hot = cache.hotKeys(2)
  t.deepEqual(
    hot.map(({ key }) => key),
    ['hot', 'warm'],
  )
  t.true((hot[0]?.count ?? 0) > 2 * (hot[1]?.count ?? 0))
  t.deepEqual(cache.hotKeys(0), [])
  t.true(cache.hotKeys().length <= 10)
  // 16 of 21 reads are of one key, 20 of two.
  const { top1, top10, top100 } = cache.skew()
  t.true(Math.abs(top1 - 16 / 21) < 0.05, `${top1}`)
  t.true(top10 > 0.9 && top10 >= top1 && top100 >= top10 && top100 <= 1, `${top10}, ${top100}`)
  t.deepEqual(new Cache({ max: 10 }).skew(), { top1: 0, top10: 0, top100: 0 })
})
