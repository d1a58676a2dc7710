// Sizes: where they come from, what they must be, and how they add up.

import { recorder } from './support/hooks.ts'
import { contract, type LRUCacheClass } from './support/implementations.ts'

function sized(LRUCache: LRUCacheClass, options: object = {}) {
  return new LRUCache<string, string>({
    maxSize: 10,
    sizeCalculation: value => value.length,
    ...options,
  })
}

contract('sizeCalculation gets the value and the key', (t, LRUCache) => {
  const calls: unknown[] = []
  const cache = new LRUCache<string, string>({
    maxSize: 10,
    sizeCalculation: (...args) => {
      calls.push(args)
      return 1
    },
  })
  cache.set('k', 'v')
  t.deepEqual(calls, [['v', 'k']])
})

contract('calculatedSize is the sum of the sizes', (t, LRUCache) => {
  const cache = sized(LRUCache)
  t.is(cache.calculatedSize, 0)
  cache.set('a', 'xx').set('b', 'xxx')
  t.is(cache.calculatedSize, 5)
  cache.set('a', 'x')
  t.is(cache.calculatedSize, 4)
  cache.delete('b')
  t.is(cache.calculatedSize, 1)
  cache.pop()
  t.is(cache.calculatedSize, 0)
  cache.set('c', 'xxxx')
  cache.clear()
  t.is(cache.calculatedSize, 0)
})

contract('without maxSize and maxEntrySize calculatedSize is 0', (t, LRUCache) => {
  const cache = new LRUCache<string, string>({ max: 5 })
  cache.set('a', 'xx')
  t.is(cache.calculatedSize, 0)
  t.false('size' in cache.info('a')!)
})

contract('with maxEntrySize alone sizes are summed and evict nothing', (t, LRUCache) => {
  const cache = new LRUCache<string, string>({
    max: 5,
    maxEntrySize: 3,
    sizeCalculation: value => value.length,
  })
  cache.set('a', 'xxx').set('b', 'xxx').set('c', 'xxx')
  t.is(cache.calculatedSize, 9)
  t.is(cache.size, 3)
})

contract('size of a set goes before sizeCalculation', (t, LRUCache) => {
  const cache = sized(LRUCache, { sizeCalculation: () => t.fail() })
  cache.set('a', 'xxxxxxxxxxxxx', { size: 2 })
  t.is(cache.calculatedSize, 2)
  t.is(cache.info('a')?.size, 2)
})

contract('sizeCalculation of a set goes before that of the cache', (t, LRUCache) => {
  const cache = sized(LRUCache)
  cache.set('a', 'xxx', { sizeCalculation: () => 7 })
  t.is(cache.calculatedSize, 7)
})

contract('without sizeCalculation each set must give a size', (t, LRUCache) => {
  const cache = new LRUCache<string, string>({ maxSize: 10 })
  t.throws(() => cache.set('a', 'x'), { instanceOf: TypeError })
  t.is(cache.size, 0)
  cache.set('a', 'x', { size: 3 })
  t.is(cache.calculatedSize, 3)
})

contract('a size must be a whole number above 0', (t, LRUCache) => {
  const cache = new LRUCache<string, string>({ maxSize: 10 })
  for (const size of [0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, '3', {}]) {
    t.throws(() => cache.set('a', 'x', { size } as never), { instanceOf: TypeError }, String(size))
  }
  t.is(cache.size, 0)
})

contract('what sizeCalculation gives must be a whole number above 0', (t, LRUCache) => {
  for (const size of [0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, '3', undefined]) {
    const cache = sized(LRUCache, { sizeCalculation: () => size })
    t.throws(() => cache.set('a', 'x'), { instanceOf: TypeError }, String(size))
    t.is(cache.size, 0)
    t.is(cache.calculatedSize, 0)
  }
})

contract('a size that is no whole number falls back to sizeCalculation', (t, LRUCache) => {
  const cache = sized(LRUCache)
  cache.set('a', 'xxx', { size: -5 })
  t.is(cache.calculatedSize, 3)
  cache.set('a', 'xxxx', { size: 1.5 })
  t.is(cache.calculatedSize, 4)
})

contract('a refused size leaves the old entry as it was', (t, LRUCache) => {
  const cache = new LRUCache<string, string>({ maxSize: 10 })
  cache.set('b', 'y', { size: 2 }).set('a', 'x', { size: 3 })
  t.throws(() => cache.set('b', 'new', { size: -1 }), { instanceOf: TypeError })
  t.is(cache.peek('b'), 'y')
  t.is(cache.calculatedSize, 5)
  t.deepEqual([...cache.keys()], ['a', 'b'])
})

contract('sizeCalculation of a set must be a function', (t, LRUCache) => {
  const cache = sized(LRUCache)
  t.throws(() => cache.set('a', 'x', { sizeCalculation: 'f' } as never), { instanceOf: TypeError })
})

contract('what sizeCalculation throws reaches the caller and changes nothing', (t, LRUCache) => {
  const cache = sized(LRUCache)
  cache.set('a', 'xx')
  const error = new RangeError('mine')
  const thrown = t.throws(() =>
    cache.set('a', 'y', {
      sizeCalculation: () => {
        throw error
      },
    }),
  )
  t.is(thrown as unknown, error)
  t.is(cache.get('a'), 'xx')
  t.is(cache.calculatedSize, 2)
})

contract('without maxSize and maxEntrySize a size is refused', (t, LRUCache) => {
  const cache = new LRUCache<string, string>({ max: 5 })
  t.throws(() => cache.set('a', 'x', { size: 1 }), { instanceOf: TypeError })
  t.throws(() => cache.set('a', 'x', { sizeCalculation: () => 1 }), { instanceOf: TypeError })
  t.notThrows(() => cache.set('a', 'x', { size: 0 }))
  t.is(cache.size, 1)
})

contract(
  'an oversize set deletes the old entry of its key and evicts nothing else',
  (t, LRUCache) => {
    const { hooks, taken } = recorder<string, string>()
    const cache = sized(LRUCache, hooks)
    cache.set('a', 'xx').set('b', 'xx').set('c', 'xx')
    taken()
    cache.set('b', 'xxxxxxxxxxx')
    t.deepEqual([...cache.keys()], ['c', 'a'])
    t.is(cache.calculatedSize, 4)
    t.deepEqual(taken(), [
      ['dispose', 'b', 'xx', 'set'],
      ['disposeAfter', 'b', 'xx', 'set'],
    ])
    cache.set('new', 'xxxxxxxxxxx')
    t.deepEqual([...cache.keys()], ['c', 'a'])
    t.deepEqual(taken(), [])
  },
)

contract('an entry of exactly maxSize empties the rest', (t, LRUCache) => {
  const cache = sized(LRUCache)
  cache.set('a', 'xx').set('b', 'xx').set('c', 'xxxxxxxxxx')
  t.deepEqual([...cache.keys()], ['c'])
  t.is(cache.calculatedSize, 10)
})

contract('an update that grows evicts others, not itself', (t, LRUCache) => {
  const cache = sized(LRUCache)
  cache.set('a', 'xxx').set('b', 'xxx').set('c', 'xxx')
  cache.set('a', 'xxxxxxx')
  t.deepEqual([...cache.keys()], ['a', 'c'])
  t.is(cache.calculatedSize, 10)
})

contract('setting the identical value keeps its old size', (t, LRUCache) => {
  const cache = sized(LRUCache)
  cache.set('a', 'xxx')
  cache.set('a', 'xxx', { size: 7 })
  t.is(cache.calculatedSize, 3)
})
