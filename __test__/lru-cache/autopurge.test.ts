// ttlAutopurge: entries that leave by themselves.
import { mock } from 'node:test'
import { contractSerial, type LRUCacheClass } from './support/implementations.ts'
import { Clock, timed } from './support/time.ts'

function autopurging(LRUCache: LRUCacheClass, options: object = {}) {
  const clock = new Clock()
  const left: unknown[] = []
  const cache = new LRUCache<string, number>({
    ttl: 100,
    ttlAutopurge: true,
    ...timed(clock),
    dispose: (value, key, reason) => left.push([key, value, reason]),
    ...options,
  })
  const tick = (ms: number) => {
    clock.advance(ms)
    mock.timers.tick(ms)
  }
  return { cache, left, tick }
}

/** Runs `body` while timers stand still but for `mock.timers.tick`. */
function withTimers(body: () => void): void {
  mock.timers.enable({ apis: ['setTimeout'] })
  try {
    body()
  } finally {
    mock.timers.reset()
  }
}

contractSerial(
  'ttlAutopurge deletes an entry once it is stale, with reason expire',
  (t, LRUCache) => {
    withTimers(() => {
      const { cache, left, tick } = autopurging(LRUCache)
      cache.set('a', 1).set('b', 2, { ttl: 300 })
      tick(100)
      t.is(cache.size, 2)
      tick(2)
      t.is(cache.size, 1)
      t.deepEqual(left, [['a', 1, 'expire']])
      tick(300)
      t.is(cache.size, 0)
      t.deepEqual(left, [
        ['a', 1, 'expire'],
        ['b', 2, 'expire'],
      ])
    })
  },
)

contractSerial('ttlAutopurge waits for an entry whose life was renewed', (t, LRUCache) => {
  withTimers(() => {
    const { cache, left, tick } = autopurging(LRUCache, { updateAgeOnGet: true })
    cache.set('a', 1).set('b', 1)
    tick(60)
    cache.set('a', 2)
    cache.get('b')
    left.length = 0
    tick(60)
    t.deepEqual(left, [])
    t.is(cache.size, 2)
    tick(60)
    t.is(cache.size, 0)
    t.is(left.length, 2)
  })
})

contractSerial(
  'ttlAutopurge leaves alone what has no ttl, was deleted, evicted or cleared',
  (t, LRUCache) => {
    withTimers(() => {
      const { cache, left, tick } = autopurging(LRUCache, { max: 2 })
      cache.set('a', 1).set('b', 2).set('c', 3)
      t.deepEqual(left.splice(0), [['a', 1, 'evict']])
      cache.delete('b')
      left.length = 0
      cache.set('ever', 4, { ttl: 0 })
      tick(500)
      t.deepEqual(left.splice(0), [['c', 3, 'expire']])
      t.deepEqual([...cache.keys()], ['ever'])
      cache.set('d', 5)
      cache.clear()
      left.length = 0
      cache.set('e', 6, { ttl: 1000 })
      tick(500)
      t.deepEqual(left, [])
      t.deepEqual([...cache.keys()], ['e'])
    })
  },
)

contractSerial('ttlAutopurge forgets the timer of an entry that gets no ttl', (t, LRUCache) => {
  withTimers(() => {
    const { cache, tick } = autopurging(LRUCache)
    cache.set('a', 1)
    cache.set('a', 2, { ttl: 0 })
    tick(1000)
    t.is(cache.get('a'), 2)
  })
})

contractSerial('without ttlAutopurge nothing is deleted by itself', (t, LRUCache) => {
  withTimers(() => {
    const { cache, left, tick } = autopurging(LRUCache, { ttlAutopurge: false, max: 5 })
    cache.set('a', 1)
    tick(10_000)
    t.is(cache.size, 1)
    t.deepEqual(left, [])
  })
})
