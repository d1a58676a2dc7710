// What a cache may hold, and what its constructor makes of its options.
import { contract } from './support/implementations.ts'

contract('max bounds the entries and the least recent leaves first', (t, LRUCache) => {
  const cache = new LRUCache<number, string>({ max: 3 })
  for (const n of [1, 2, 3, 4, 5]) cache.set(n, `v${n}`)
  t.is(cache.size, 3)
  t.deepEqual([...cache.keys()], [5, 4, 3])
})

contract('a cache of one entry keeps the newest', (t, LRUCache) => {
  const cache = new LRUCache<string, number>({ max: 1 })
  cache.set('a', 1).set('b', 2)
  t.deepEqual([...cache], [['b', 2]])
  t.false(cache.has('a'))
})

contract('an updated key does not count twice', (t, LRUCache) => {
  const cache = new LRUCache<string, number>({ max: 2 })
  cache.set('a', 1).set('b', 2).set('a', 3)
  t.is(cache.size, 2)
  t.deepEqual(
    [...cache],
    [
      ['a', 3],
      ['b', 2],
    ],
  )
})

contract('a deleted entry makes room for another', (t, LRUCache) => {
  const cache = new LRUCache<string, number>({ max: 2 })
  cache.set('a', 1).set('b', 2)
  t.true(cache.delete('b'))
  cache.set('c', 3)
  t.deepEqual([...cache.keys()], ['c', 'a'])
})

contract('maxSize bounds the sum of sizes and evicts as many as it takes', (t, LRUCache) => {
  const cache = new LRUCache<string, string>({
    maxSize: 10,
    sizeCalculation: value => value.length,
  })
  cache.set('a', 'xxx').set('b', 'xxx').set('c', 'xxx')
  t.is(cache.calculatedSize, 9)
  cache.set('d', 'xxxxx')
  t.deepEqual([...cache.keys()], ['d', 'c'])
  t.is(cache.calculatedSize, 8)
})

contract('max and maxSize hold together', (t, LRUCache) => {
  const cache = new LRUCache<number, number>({
    max: 3,
    maxSize: 100,
    sizeCalculation: value => value,
  })
  cache.set(1, 10).set(2, 10).set(3, 10).set(4, 10)
  t.deepEqual([...cache.keys()], [4, 3, 2])
  cache.set(5, 90)
  t.deepEqual([...cache.keys()], [5, 4])
})

contract('maxEntrySize keeps out what alone is too large', (t, LRUCache) => {
  const cache = new LRUCache<string, number>({
    max: 5,
    maxEntrySize: 10,
    sizeCalculation: value => value,
  })
  cache.set('fits', 10).set('not', 11)
  t.deepEqual([...cache.keys()], ['fits'])
})

contract('maxEntrySize alone is no bound', (t, LRUCache) => {
  t.throws(() => new LRUCache({ maxEntrySize: 10 } as never), { instanceOf: TypeError })
})

contract('maxEntrySize is maxSize if left out', (t, LRUCache) => {
  t.is(new LRUCache({ maxSize: 10 }).maxEntrySize, 10)
  t.is(new LRUCache({ maxSize: 10, maxEntrySize: 4 }).maxEntrySize, 4)
  t.is(new LRUCache({ max: 10 }).maxEntrySize, 0)
})

contract('ttl alone is a bound', (t, LRUCache) => {
  const cache = new LRUCache<number, number>({ ttl: 1000, ttlAutopurge: true })
  for (let n = 0; n < 1000; n++) cache.set(n, n)
  t.is(cache.size, 1000)
  t.is(cache.max, 0)
  t.is(cache.maxSize, 0)
  cache.clear()
})

contract('without max, maxSize and ttl there is no cache', (t, LRUCache) => {
  for (const options of [
    {},
    { max: 0 },
    { maxSize: 0 },
    { ttl: 0 },
    { max: 0, maxSize: 0, ttl: 0 },
  ]) {
    t.throws(() => new LRUCache(options as never), { instanceOf: TypeError })
  }
})

contract('max must be a whole number above 0', (t, LRUCache) => {
  for (const max of [-1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, '10', null, {}, true]) {
    t.throws(() => new LRUCache({ max } as never), { instanceOf: TypeError }, String(max))
  }
})

contract('maxSize must be a whole number above 0', (t, LRUCache) => {
  for (const maxSize of [-1, 1.5, Number.POSITIVE_INFINITY, '10', {}]) {
    t.throws(() => new LRUCache({ maxSize } as never), { instanceOf: TypeError }, String(maxSize))
    t.throws(() => new LRUCache({ max: 5, maxSize } as never), { instanceOf: TypeError })
  }
})

contract('maxEntrySize must be a whole number above 0', (t, LRUCache) => {
  for (const maxEntrySize of [-1, 1.5, Number.POSITIVE_INFINITY, '10']) {
    t.throws(() => new LRUCache({ max: 5, maxEntrySize } as never), { instanceOf: TypeError })
    t.throws(() => new LRUCache({ maxSize: 5, maxEntrySize } as never), { instanceOf: TypeError })
  }
})

contract('ttl must be a whole number above 0', (t, LRUCache) => {
  for (const ttl of [-1, 1.5, Number.POSITIVE_INFINITY, '10', {}, true]) {
    t.throws(() => new LRUCache({ max: 5, ttl } as never), { instanceOf: TypeError }, String(ttl))
  }
})

contract('a falsy ttl, maxEntrySize or maxSize is as one left out', (t, LRUCache) => {
  for (const none of [0, null, undefined, false, '', Number.NaN]) {
    t.is(new LRUCache({ max: 5, ttl: none } as never).ttl, 0)
    t.is(new LRUCache({ max: 5, maxEntrySize: none } as never).maxEntrySize || 0, 0)
  }
})

contract('sizeCalculation needs maxSize or maxEntrySize', (t, LRUCache) => {
  const sizeCalculation = () => 1
  t.throws(() => new LRUCache({ max: 5, sizeCalculation }), { instanceOf: TypeError })
  t.notThrows(() => new LRUCache({ max: 5, sizeCalculation, maxEntrySize: 5 }))
  t.notThrows(() => new LRUCache({ sizeCalculation, maxSize: 5 }))
})

contract('sizeCalculation, fetchMethod, memoMethod must be functions', (t, LRUCache) => {
  for (const no of ['f', 1, {}, true]) {
    const given = { maxSize: 5, sizeCalculation: no } as never
    t.throws(() => new LRUCache(given), { instanceOf: TypeError })
    t.throws(() => new LRUCache({ max: 5, fetchMethod: no } as never), { instanceOf: TypeError })
    t.throws(() => new LRUCache({ max: 5, memoMethod: no } as never), { instanceOf: TypeError })
  }
  t.throws(() => new LRUCache({ max: 5, fetchMethod: null } as never), { instanceOf: TypeError })
  t.throws(() => new LRUCache({ max: 5, memoMethod: null } as never), { instanceOf: TypeError })
})

contract('perf must have a now method', (t, LRUCache) => {
  for (const perf of [{}, null, 1, { now: 5 }, { now: null }]) {
    t.throws(() => new LRUCache({ max: 5, perf } as never), { instanceOf: TypeError })
  }
  t.notThrows(() => new LRUCache({ max: 5, perf: { now: () => 1 } }))
})

contract('hooks that are no functions are left aside', (t, LRUCache) => {
  const given = { max: 1, dispose: 'x', disposeAfter: 1, onInsert: {} }
  const cache = new LRUCache<string, number>(given as never)
  cache.set('a', 1).set('b', 2)
  t.is(cache.dispose, undefined)
  t.is(cache.disposeAfter, undefined)
  t.is(cache.onInsert, undefined)
})

contract('the constructor wants options', (t, LRUCache) => {
  const Anything = LRUCache as unknown as new (options?: unknown) => unknown
  t.throws(() => new Anything(), { instanceOf: TypeError })
  t.throws(() => new Anything(null), { instanceOf: TypeError })
  t.throws(() => new Anything(5), { instanceOf: TypeError })
})

contract('an unknown option is left aside', (t, LRUCache) => {
  const cache = new LRUCache<string, number>({ max: 2, foo: 'bar', stale: true } as never)
  cache.set('a', 1)
  t.is(cache.get('a'), 1)
})

contract('it is a class that needs new', (t, LRUCache) => {
  t.throws(() => (LRUCache as unknown as (o: object) => void)({ max: 5 }), {
    instanceOf: TypeError,
  })
})

contract('a large max is allowed', (t, LRUCache) => {
  const cache = new LRUCache<string, number>({ max: 1_000_000 })
  cache.set('a', 1)
  t.is(cache.max, 1_000_000)
  t.is(cache.get('a'), 1)
})
