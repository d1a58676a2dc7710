// Where the drop-in differs from lru-cache on purpose: docs/lru-cache.md lists it.
import { mock } from 'node:test'
import test from 'ava'
import { LRUCache } from '../../src/lru-cache/index.ts'
import { fetching } from './support/fetching.ts'
import type { LRUCacheClass } from './support/implementations.ts'
import { Clock, outcome, settle, timed } from './support/time.ts'

test('options objects of calls are left alone, and may be frozen', async t => {
  const cache = new LRUCache<string, number>({ max: 5, fetchMethod: () => 1, memoMethod: () => 1 })
  const options = Object.freeze({ ttl: 3_600_000 })
  const none = Object.freeze({})
  cache.set('a', 1, options)
  t.is(cache.get('a', none), 1)
  t.is(cache.peek('a', none), 1)
  t.true(cache.has('a', none))
  t.is(await cache.fetch('a', none), 1)
  t.is(cache.memo('a', none), 1)
  const start = Date.now() - 5
  const entry = Object.freeze({ value: 1, ttl: 1000, start })
  cache.load([['a', entry]])
  t.is(entry.start, start)
})

for (const method of ['keys', 'rkeys'] as const) {
  test(`deleting any entry while ${method} iterates shows each entry once`, t => {
    for (let deleted = 0; deleted < 5; deleted++) {
      for (let used = 0; used < 5; used++) {
        const cache = new LRUCache<number, number>({ max: 5 })
        for (let i = 0; i < 5; i++) cache.set(i, i)
        cache.get(used)
        const seen: number[] = []
        for (const key of cache[method]()) {
          seen.push(key)
          if (key === deleted) cache.delete(key)
        }
        t.deepEqual(seen.sort(), [0, 1, 2, 3, 4])
      }
    }
  })
}

test('an entry larger than maxSize is not stored, although maxEntrySize allows it', t => {
  const cache = new LRUCache<string, number>({
    maxSize: 10,
    maxEntrySize: 100,
    sizeCalculation: value => value,
  })
  cache.set('a', 5).set('b', 50)
  t.deepEqual([...cache.keys()], ['a'])
  t.is(cache.calculatedSize, 5)
})

test('pop gives a falsy value that is fetched anew', async t => {
  const { cache } = fetching(LRUCache as unknown as LRUCacheClass)
  cache.set('a', 0).set('b', 1)
  const promise = outcome(cache.fetch('a', { forceRefresh: true }))
  t.is(cache.pop(), 0)
  t.deepEqual(await promise, { error: 'evicted' })
})

test('an aborted fetch that gives nothing leaves nothing', async t => {
  const { cache, calls } = fetching(LRUCache as unknown as LRUCacheClass, {
    ignoreFetchAbort: true,
    noDeleteOnFetchRejection: true,
  })
  const controller = new AbortController()
  const promise = outcome(cache.fetch('a', { signal: controller.signal }))
  controller.abort(new Error('enough'))
  calls[0]!.resolve(undefined as never)
  t.deepEqual(await promise, { error: 'enough' })
  await settle()
  t.is(cache.size, 0)
  t.deepEqual([...cache.keys()], [])
})

test.serial('ttlAutopurge counts from the start that a set gives', t => {
  mock.timers.enable({ apis: ['setTimeout'] })
  try {
    const clock = new Clock()
    const cache = new LRUCache<string, number>({ ttl: 100, ttlAutopurge: true, ...timed(clock) })
    cache.set('a', 1, { start: clock.now() - 90 })
    clock.advance(12)
    mock.timers.tick(12)
    t.is(cache.size, 0)
  } finally {
    mock.timers.reset()
  }
})

test('a dump of an entry without ttl says so', t => {
  const cache = new LRUCache<string, number>({ maxSize: 5, sizeCalculation: () => 1 })
  cache.set('a', 1).set('b', 2, { ttl: 5 })
  t.is(cache.dump()[0]?.[1].ttl, 0)
})

test('a fetchMethod that returns undefined settles the fetch', async t => {
  const cache = new LRUCache<string, number>({ max: 5, fetchMethod: () => undefined })
  t.is(await cache.fetch('a'), undefined)
  t.is(cache.size, 0)
})
