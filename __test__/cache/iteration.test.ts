import { isDeepStrictEqual } from 'node:util'
import test from 'ava'
import { Cache, type CacheKey, number } from '../../src/index.ts'

test('all ways to iterate show every entry', t => {
  const cache = new Cache<CacheKey, number>({ max: 2000, codec: number() })
  const expected = new Map<CacheKey, number>()
  for (let i = 0; i < 1000; i++) {
    const key = i % 2 === 0 ? `key ${i}` : i
    expected.set(key, i)
    cache.set(key, i)
  }
  // Not `t.deepEqual`: that compares the order as well.
  t.true(isDeepStrictEqual(new Map(cache), expected))
  t.true(isDeepStrictEqual(new Map(cache.entries()), expected))
  t.true(isDeepStrictEqual(new Set(cache.keys()), new Set(expected.keys())))
  t.true(isDeepStrictEqual(new Set(cache.values()), new Set(expected.values())))
  const seen = new Map<CacheKey, number>()
  cache.forEach((value, key, same) => {
    t.is(same, cache)
    seen.set(key, value)
  })
  t.true(isDeepStrictEqual(seen, expected))
})

test('keys come back as they were given', t => {
  const cache = new Cache<CacheKey>({ max: 10 })
  const keys = ['text', '\u20ac', '\ud800', 1.5, Buffer.from([1, 2])]
  for (const key of keys) cache.set(key, 'v')
  const back = new Set(cache.keys())
  t.is(back.size, keys.length)
  for (const key of keys) t.true(back.has(key) || key instanceof Uint8Array)
  t.deepEqual(
    [...cache.keys()].find(key => key instanceof Uint8Array),
    Buffer.from([1, 2]),
  )
})

test('an empty cache has nothing to iterate', t => {
  const cache = new Cache({ max: 10 })
  t.deepEqual([[...cache], [...cache.keys()], [...cache.values()]], [[], [], []])
})

test('what stays is shown while others come and go', t => {
  const cache = new Cache({ max: 100_000 })
  for (let i = 0; i < 2000; i++) cache.set(`stays ${i}`, 'v').set(`goes ${i}`, 'v')
  const seen = new Set<string>()
  let i = 0
  for (const key of cache.keys()) {
    seen.add(key)
    cache.delete(`goes ${i}`)
    // The index grows on the way.
    for (let j = 0; i < 2000 && j < 5; j++) cache.set(`comes ${i} ${j}`, 'v')
    i++
  }
  for (let i = 0; i < 2000; i++) t.true(seen.has(`stays ${i}`))
})

test('a loop over a cache that it clears ends', t => {
  const cache = new Cache({ max: 10_000 })
  for (let i = 0; i < 5000; i++) cache.set(`${i}`, 'v')
  let seen = 0
  for (const _ of cache) {
    seen++
    cache.clear()
  }
  t.true(seen <= 5000)
})

test('closing the cache in a loop over it is an error of the loop, not a crash', t => {
  const cache = new Cache({ max: 10_000 })
  for (let i = 0; i < 5000; i++) cache.set(`${i}`, 'v')
  t.throws(
    () => {
      for (const _ of cache) cache.close()
    },
    { code: 'ERR_CACHE_CLOSED' },
  )
})
