// What `stats()` tells of loads.
import { setImmediate as turn } from 'node:timers/promises'
import test from 'ava'
import { Cache } from '../../src/index.ts'
import { ManualClock } from '../../src/testing.ts'

const none = { loads: 0, tierHits: 0, loadsFailed: 0, coalesced: 0, refreshes: 0, stale: 0 }

test('loads are counted by what became of them', async t => {
  const clock = new ManualClock()
  let error: Error | undefined
  const cache = new Cache<string, string>({
    max: 10,
    ttl: '10s',
    staleWhileRevalidate: '10s',
    staleIfError: '1m',
    clock,
    loader: async key => {
      await turn()
      if (error !== undefined) throw error
      return key
    },
  })
  t.like(cache.stats(), none)
  await Promise.all(Array.from({ length: 5 }, () => cache.fetch('a')))
  for (let i = 0; i < 3; i++) await cache.fetch('a')
  t.like(cache.stats(), { ...none, hits: 3, misses: 5, loads: 1, coalesced: 4 })

  clock.advance('10s')
  t.is(cache.fetchSync('a'), 'a')
  t.like(cache.stats(), { loads: 2, refreshes: 1, stale: 1 })
  for (let i = 0; i < 3; i++) await turn()

  clock.advance('25s')
  error = new Error('sick')
  t.is(await cache.fetch('a'), 'a')
  t.like(cache.stats(), { loads: 3, loadsFailed: 1, stale: 2 })
  t.is(await cache.fetch('a'), 'a')
  t.like(cache.stats(), { loads: 3, stale: 3 }, 'the source is left alone')
  await t.throwsAsync(cache.fetch('b'), { is: error })
  t.like(cache.stats(), { loads: 4, loadsFailed: 2, stale: 3, refreshes: 1, coalesced: 4 })

  cache.resetStats()
  t.like(cache.stats(), none)
})

test('a stale value that is given because the load takes long is counted and told of', async t => {
  const clock = new ManualClock()
  const cache = new Cache<string, string>({ max: 10, ttl: '1s', staleIfError: '1m', clock })
  const told: unknown[] = []
  cache.on('stale', ({ key, reason }) => told.push([key, reason]))
  cache.set('a', 'old').set('b', 'old')
  clock.advance('1s')
  const slow = () => new Promise<string>(() => {})
  const soft = cache.getOrSet('a', slow, { softTimeout: 50 })
  const hard = cache.getOrSet('b', slow, { timeout: 50 })
  clock.advance(50)
  t.deepEqual([await soft, await hard], ['old', 'old'])
  t.deepEqual(told, [
    ['a', 'timeout'],
    ['b', 'timeout'],
  ])
  t.like(cache.stats(), { ...none, loads: 2, stale: 2 })
})

test('instances of one cache share what it counts, and each has its own loads', async t => {
  const options = { name: 'counts', max: 10, loader: (key: string) => key }
  const one = new Cache(options)
  const other = new Cache(options)
  await one.fetch('a')
  await other.fetch('a')
  t.like(one.stats(), { hits: 1, misses: 1, loads: 1 })
  t.like(other.stats(), { hits: 1, misses: 1, loads: 0 })
})
