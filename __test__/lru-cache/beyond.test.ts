// What the drop-in has and lru-cache has not: another policy, many keys at once, counts, new bounds.
import test from 'ava'
import { InvalidOptionError } from '../../src/base/errors.ts'
import { LRUCache } from '../../src/lru-cache/index.ts'
import { Clock, timed } from './support/time.ts'

/** Numbers from 0 up to, not including, 1, the same in each run. */
function numbers(): () => number {
  let state = 1
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state / 2 ** 32
  }
}

/** Requests as a store has them: a few keys often, and now and then a scan of keys never seen. */
function* requests(count: number): Generator<string> {
  const random = numbers()
  for (let i = 0; i < count; i++) {
    yield `hot:${Math.floor(random() ** 4 * 400)}`
    if (i % 2 === 0) yield `scan:${i}`
  }
}

function hits(policy: 'lru' | 'lfu', max: number): number {
  const cache = new LRUCache<string, number>({ max, policy })
  let found = 0
  for (const key of requests(20_000)) {
    if (cache.get(key) !== undefined) found++
    else cache.set(key, 1)
  }
  return found
}

test('lfu finds more than lru where keys are scanned', t => {
  const [lru, lfu] = [hits('lru', 100), hits('lfu', 100)]
  t.true(lfu > 1.15 * lru, `${lfu} against ${lru}`)
})

test('lfu remembers keys that it evicted: one that comes back soon stays', t => {
  const cache = new LRUCache<string, number>({ max: 20, policy: 'lfu' })
  for (let i = 0; i < 30; i++) cache.set(`first:${i}`, i)
  const evicted = Array.from({ length: 30 }, (_, i) => `first:${i}`).filter(key => !cache.has(key))
  const back = evicted.at(-1) as string
  cache.set(back, 1)
  for (let i = 0; i < 15; i++) cache.set(`second:${i}`, i)
  t.true(cache.has(back))
})

for (const policy of ['lfu', 'auto'] as const) {
  test(`${policy} keeps its bounds and tells of whatever leaves`, t => {
    const random = numbers()
    let told = 0
    let added = 0
    const cache = new LRUCache<NonNullable<unknown>, number>({
      max: 50,
      maxSize: 300,
      policy,
      sizeCalculation: value => value,
      dispose: () => told++,
      onInsert: (_value, _key, reason) => {
        if (reason === 'add') added++
        else if (reason === 'replace') told--
      },
    })
    const objects = Array.from({ length: 40 }, () => ({}))
    for (let i = 0; i < 20_000; i++) {
      const n = Math.floor(random() ** 2 * 200)
      const key = n % 3 === 0 ? (objects[n % 40] as object) : n % 3 === 1 ? `key:${n}` : n
      const value = 1 + Math.floor(random() * 30)
      if (random() < 0.05) cache.delete(key)
      else if (cache.get(key) === undefined) cache.set(key, value)
      t.true(cache.size <= 50 && cache.calculatedSize <= 300)
      t.is(added - told, cache.size)
    }
    t.is([...cache.keys()].length, cache.size)
    t.is(new Set(cache.rkeys()).size, cache.size)
    cache.clear()
    t.is(cache.size, 0)
    t.is(cache.set('a', 1).get('a'), 1)
  })

  test(`${policy} gives an entry that does not fit beside the others their room`, t => {
    const cache = new LRUCache<string, number>({ maxSize: 10, policy })
    for (const key of ['a', 'b', 'c']) cache.set(key, 1, { size: 3 })
    cache.set('large', 1, { size: 10 })
    t.deepEqual([...cache.keys()], ['large'])
    t.is(cache.calculatedSize, 10)
  })

  test(`${policy} works the same with more keys than stay on the heap`, t => {
    const max = 70_000
    const cache = new LRUCache<string | number, number>({ max, policy })
    for (let i = 0; i < 3 * max; i++) {
      const key = i % 4 === 0 ? i % 5000 : `key:${i}`
      if (cache.get(key) === undefined) cache.set(key, i)
    }
    t.is(cache.size, max)
    t.is(new Set(cache.keys()).size, max)
    t.true(cache.has(0) && cache.has(4996))
  })
}

test('many keys at once', t => {
  const cache = new LRUCache<string, number>({ max: 3 })
  t.is(cache.setMany(new Map(Object.entries({ a: 1, b: 2, c: 3 }))), cache)
  t.deepEqual(cache.getMany(['b', 'x', 'a']), [2, undefined, 1])
  t.deepEqual([...cache.keys()], ['a', 'b', 'c'])
})

test('stats count what happened, until they are reset', t => {
  const clock = new Clock()
  const cache = new LRUCache<string, number>({ max: 2, maxSize: 10, ...timed(clock) })
  cache.set('a', 1, { size: 1 }).set('b', 1, { size: 2 }).set('c', 1, { size: 3, ttl: 5 })
  cache.set('too large', 1, { size: 11 })
  cache.getMany(['a', 'b'])
  clock.advance(10)
  cache.get('c')
  cache.delete('b')
  const none = {
    hits: 0,
    misses: 0,
    sets: 0,
    deletes: 0,
    evictions: 0,
    expirations: 0,
    rejected: 0,
  }
  t.deepEqual(cache.stats(), {
    ...{ hits: 1, misses: 2, sets: 3, deletes: 1, evictions: 1, expirations: 1, rejected: 1 },
    ...{ entries: 0, size: 0 },
  })
  cache.resetStats()
  t.deepEqual(cache.stats(), { ...none, entries: 0, size: 0 })
})

test('resize evicts the least recent, and makes room', t => {
  const left: string[] = []
  const cache = new LRUCache<string, number>({ max: 3, dispose: (_value, key) => left.push(key) })
  cache.set('a', 1).set('b', 2).set('c', 3)
  cache.resize({ max: 1 })
  t.deepEqual(left, ['a', 'b'])
  t.is(cache.max, 1)
  cache.resize({ max: 2000 })
  for (let i = 0; i < 3000; i++) cache.set(`${i}`, i)
  t.is(cache.size, 2000)
})

test('resize bounds sizes anew', t => {
  const cache = new LRUCache<string, number>({ maxSize: 10, sizeCalculation: () => 4 })
  cache.set('a', 1).set('b', 2)
  cache.resize({ maxSize: 5 })
  t.deepEqual([...cache.keys()], ['b'])
  t.is(cache.maxSize, 5)
})

test('resize refuses bounds that cannot be', t => {
  const cache = new LRUCache<string, number>({ max: 3 })
  for (const bounds of [{ max: -1 }, { max: 1.5 }, { maxSize: 5 }, { maxSize: 0 }]) {
    t.throws(() => cache.resize(bounds), { instanceOf: TypeError })
  }
  t.is(cache.max, 3)
})

test('jitter draws how long entries live', t => {
  const draws = [0, 0.5, 0.999]
  const options = { max: 9, ttl: 1000, jitter: 0.1, random: () => draws.shift() as number }
  const cache = new LRUCache<string, number>({ ...options, ...timed(new Clock()) })
  cache.setMany([
    ['a', 1],
    ['b', 1],
    ['c', 1],
  ])
  t.deepEqual(
    ['a', 'b', 'c'].map(key => cache.getRemainingTTL(key)),
    [900, 1000, 1100],
  )
  cache.set('a', 2, { jitter: 0 })
  t.is(cache.getRemainingTTL('a'), 1000)
})

test('options that lru-cache does not have are checked', t => {
  for (const bad of [{ policy: 'fifo' }, { jitter: 1 }, { jitter: -0.1 }, { random: 1 }]) {
    t.throws(() => new LRUCache({ max: 1, ...bad } as never), { instanceOf: InvalidOptionError })
  }
})

test('a cache as the options of another hands its policy on', t => {
  const cache = new LRUCache<string, number>({ max: 5, policy: 'lfu', jitter: 0.2 })
  const { policy, jitter, max } = new LRUCache(cache)
  t.deepEqual({ policy, jitter, max }, { policy: 'lfu', jitter: 0.2, max: 5 })
})
