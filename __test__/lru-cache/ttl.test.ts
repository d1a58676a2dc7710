// How long entries live.
import { mock } from 'node:test'
import { contract, contractSerial, type LRUCacheClass } from './support/implementations.ts'
import { Clock, timed } from './support/time.ts'

function timedCache(LRUCache: LRUCacheClass, options: object = {}) {
  const clock = new Clock()
  const cache = new LRUCache<string, number>({ max: 5, ttl: 100, ...timed(clock), ...options })
  return { clock, cache }
}

contract('an entry is stale when its age exceeds the ttl, and alive at equality', (t, LRUCache) => {
  const { clock, cache } = timedCache(LRUCache)
  cache.set('a', 1)
  clock.advance(100)
  t.is(cache.getRemainingTTL('a'), 0)
  t.true(cache.has('a'))
  t.is(cache.peek('a'), 1)
  t.is(cache.get('a'), 1)
  clock.advance(1)
  t.is(cache.getRemainingTTL('a'), -1)
  t.false(cache.has('a'))
  t.is(cache.peek('a'), undefined)
  t.is(cache.get('a'), undefined)
})

contract('fractions of a millisecond count', (t, LRUCache) => {
  const { clock, cache } = timedCache(LRUCache)
  cache.set('a', 1)
  clock.advance(99.75)
  t.is(cache.getRemainingTTL('a'), 0.25)
  clock.advance(0.5)
  t.is(cache.getRemainingTTL('a'), -0.25)
  t.is(cache.get('a'), undefined)
})

contract('without ttl the remaining time is Infinity, and of a missing key 0', (t, LRUCache) => {
  const cache = new LRUCache<string, number>({ max: 5 })
  cache.set('a', 1)
  t.is(cache.getRemainingTTL('a'), Number.POSITIVE_INFINITY)
  t.is(cache.getRemainingTTL('x'), 0)
  const other = timedCache(LRUCache).cache
  other.set('a', 1, { ttl: 0 })
  t.is(other.getRemainingTTL('a'), Number.POSITIVE_INFINITY)
  t.is(other.getRemainingTTL('x'), 0)
})

contract('a set may give its own ttl', (t, LRUCache) => {
  const { clock, cache } = timedCache(LRUCache)
  cache.set('short', 1, { ttl: 10 }).set('long', 2, { ttl: 1000 }).set('ever', 3, { ttl: 0 })
  clock.advance(50)
  t.deepEqual([...cache.keys()], ['ever', 'long'])
  clock.advance(10_000)
  t.deepEqual([...cache.keys()], ['ever'])
})

contract('a set may give a ttl in a cache that has none', (t, LRUCache) => {
  const clock = new Clock()
  const cache = new LRUCache<string, number>({ max: 5, ...timed(clock) })
  cache.set('before', 0).set('a', 1, { ttl: 10 }).set('b', 2)
  t.is(cache.getRemainingTTL('a'), 10)
  t.is(cache.getRemainingTTL('before'), Number.POSITIVE_INFINITY)
  clock.advance(11)
  t.deepEqual([...cache.keys()], ['b', 'before'])
  t.is(cache.get('a'), undefined)
})

contract('a set may give the start of its life', (t, LRUCache) => {
  const { clock, cache } = timedCache(LRUCache)
  cache.set('a', 1, { start: clock.now() - 60 })
  t.is(cache.getRemainingTTL('a'), 40)
  cache.set('b', 1, { start: clock.now() + 60 })
  t.is(cache.getRemainingTTL('b'), 160)
  cache.set('c', 1, { start: clock.now() - 500 })
  t.false(cache.has('c'))
})

contract('a new value begins a new life', (t, LRUCache) => {
  const { clock, cache } = timedCache(LRUCache)
  cache.set('a', 1)
  clock.advance(60)
  cache.set('a', 2)
  t.is(cache.getRemainingTTL('a'), 100)
})

contract('the same value begins a new life as well', (t, LRUCache) => {
  const { clock, cache } = timedCache(LRUCache)
  cache.set('a', 1)
  clock.advance(60)
  cache.set('a', 1)
  t.is(cache.getRemainingTTL('a'), 100)
})

contract('with noUpdateTTL an update keeps the life', (t, LRUCache) => {
  const { clock, cache } = timedCache(LRUCache, { noUpdateTTL: true })
  cache.set('a', 1)
  clock.advance(60)
  cache.set('a', 2)
  t.is(cache.getRemainingTTL('a'), 40)
  cache.set('a', 3, { ttl: 5000 })
  t.is(cache.getRemainingTTL('a'), 40)
  cache.set('a', 4, { noUpdateTTL: false })
  t.is(cache.getRemainingTTL('a'), 100)
})

contract('noUpdateTTL of a set holds for that set', (t, LRUCache) => {
  const { clock, cache } = timedCache(LRUCache)
  cache.set('a', 1)
  clock.advance(60)
  cache.set('a', 2, { noUpdateTTL: true })
  t.is(cache.getRemainingTTL('a'), 40)
})

contract('noUpdateTTL does not hold for a new entry', (t, LRUCache) => {
  const { clock, cache } = timedCache(LRUCache, { noUpdateTTL: true })
  cache.set('a', 1)
  t.is(cache.getRemainingTTL('a'), 100)
  cache.delete('a')
  clock.advance(50)
  cache.set('a', 1)
  t.is(cache.getRemainingTTL('a'), 100)
})

contract('noUpdateTTL revives nothing: a stale entry stays stale', (t, LRUCache) => {
  const { clock, cache } = timedCache(LRUCache, { noUpdateTTL: true })
  cache.set('a', 1)
  clock.advance(101)
  cache.set('a', 2)
  t.is(cache.getRemainingTTL('a'), -1)
  t.is(cache.peek('a', { allowStale: true }), 2)
})

contract('updateAgeOnGet begins the life anew with each get', (t, LRUCache) => {
  const { clock, cache } = timedCache(LRUCache, { updateAgeOnGet: true })
  cache.set('a', 1)
  for (let i = 0; i < 5; i++) {
    clock.advance(90)
    t.is(cache.get('a'), 1)
  }
  t.is(cache.getRemainingTTL('a'), 100)
  cache.has('a')
  cache.peek('a')
  clock.advance(101)
  t.is(cache.get('a'), undefined)
})

contract('updateAgeOnGet of a get holds for that get', (t, LRUCache) => {
  const { clock, cache } = timedCache(LRUCache)
  cache.set('a', 1)
  clock.advance(60)
  cache.get('a', { updateAgeOnGet: true })
  t.is(cache.getRemainingTTL('a'), 100)
  clock.advance(60)
  cache.get('a')
  t.is(cache.getRemainingTTL('a'), 40)
  const updating = timedCache(LRUCache, { updateAgeOnGet: true })
  updating.cache.set('a', 1)
  updating.clock.advance(60)
  updating.cache.get('a', { updateAgeOnGet: false })
  t.is(updating.cache.getRemainingTTL('a'), 40)
})

contract('updateAgeOnGet keeps the own ttl of an entry', (t, LRUCache) => {
  const { clock, cache } = timedCache(LRUCache, { updateAgeOnGet: true })
  cache.set('a', 1, { ttl: 30 }).set('ever', 1, { ttl: 0 })
  clock.advance(20)
  cache.get('a')
  cache.get('ever')
  t.is(cache.getRemainingTTL('a'), 30)
  t.is(cache.getRemainingTTL('ever'), Number.POSITIVE_INFINITY)
})

contract('updateAgeOnHas begins the life anew with each has', (t, LRUCache) => {
  const { clock, cache } = timedCache(LRUCache, { updateAgeOnHas: true })
  cache.set('a', 1)
  clock.advance(90)
  t.true(cache.has('a'))
  t.is(cache.getRemainingTTL('a'), 100)
  clock.advance(90)
  cache.get('a')
  t.is(cache.getRemainingTTL('a'), 10)
  cache.has('a', { updateAgeOnHas: false })
  t.is(cache.getRemainingTTL('a'), 10)
  clock.advance(11)
  t.false(cache.has('a'))
  t.is(cache.getRemainingTTL('a'), -1)
})

contract('updateAgeOnHas of a has holds for that has', (t, LRUCache) => {
  const { clock, cache } = timedCache(LRUCache)
  cache.set('a', 1)
  clock.advance(90)
  cache.has('a', { updateAgeOnHas: true })
  t.is(cache.getRemainingTTL('a'), 100)
})

contract('purgeStale deletes what is stale and tells whether there was any', (t, LRUCache) => {
  const left: unknown[] = []
  const { clock, cache } = timedCache(LRUCache, {
    dispose: (value: number, key: string, reason: string) => left.push([key, value, reason]),
  })
  cache.set('a', 1).set('b', 2, { ttl: 1000 }).set('c', 3)
  t.false(cache.purgeStale())
  clock.advance(101)
  t.is(cache.size, 3)
  t.true(cache.purgeStale())
  t.is(cache.size, 1)
  t.deepEqual(left, [
    ['a', 1, 'expire'],
    ['c', 3, 'expire'],
  ])
  t.false(cache.purgeStale())
  t.false(new LRUCache({ max: 1 }).purgeStale())
})

contract('a clock that goes back makes entries live longer', (t, LRUCache) => {
  const { clock, cache } = timedCache(LRUCache)
  cache.set('a', 1)
  clock.advance(-50)
  t.is(cache.getRemainingTTL('a'), 150)
  t.is(cache.get('a'), 1)
})

contract('a stale entry still takes room and is evicted in its turn', (t, LRUCache) => {
  const { clock, cache } = timedCache(LRUCache, { max: 2 })
  cache.set('a', 1).set('b', 2, { ttl: 1 })
  clock.advance(2)
  cache.set('c', 3)
  t.is(cache.size, 2)
  t.deepEqual([...cache.keys()], ['c'])
  t.false(cache.has('a'))
})

contractSerial(
  'ttlResolution: the clock is read once, and again when the time is over',
  (t, LRUCache) => {
    mock.timers.enable({ apis: ['setTimeout'] })
    try {
      let reads = 0
      const clock = new Clock()
      const perf = {
        now: () => {
          reads++
          return clock.now()
        },
      }
      const cache = new LRUCache<string, number>({ max: 5, ttl: 100, ttlResolution: 5, perf })
      cache.set('a', 1)
      t.true(cache.has('a'))
      reads = 0
      for (let i = 0; i < 50; i++) t.true(cache.has('a'))
      t.is(reads, 0)
      clock.advance(101)
      t.true(cache.has('a'))
      mock.timers.tick(4)
      t.true(cache.has('a'))
      mock.timers.tick(1)
      t.false(cache.has('a'))
      t.is(reads, 1)
    } finally {
      mock.timers.reset()
    }
  },
)

contract('ttlResolution 0: the clock is read at each look', (t, LRUCache) => {
  let reads = 0
  const cache = new LRUCache<string, number>({
    max: 5,
    ttl: 100,
    ttlResolution: 0,
    perf: { now: () => 1000 + reads++ },
  })
  cache.set('a', 1)
  reads = 0
  cache.has('a')
  cache.get('a')
  cache.peek('a')
  t.is(reads, 3)
})

contract('without ttl the clock is never read', (t, LRUCache) => {
  const perf = { now: (): number => t.fail() as never }
  const cache = new LRUCache<string, number>({ max: 5, perf })
  cache.set('a', 1).set('a', 2)
  cache.get('a')
  cache.has('a')
  cache.peek('a')
  cache.getRemainingTTL('a')
  t.is(cache.size, 1)
})

contract('perf.now is called as a method of what was given', (t, LRUCache) => {
  const perf = {
    time: 1000,
    now() {
      return this.time
    },
  }
  const cache = new LRUCache<string, number>({ max: 5, ttl: 10, ttlResolution: 0, perf })
  cache.set('a', 1)
  perf.time += 11
  t.is(cache.get('a'), undefined)
})
