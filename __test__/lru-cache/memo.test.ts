// memo: values made when they are missing.
import { contract } from './support/implementations.ts'
import { Clock, timed } from './support/time.ts'

contract('memo makes a missing value, stores it and gives it', (t, LRUCache) => {
  const calls: unknown[] = []
  const cache = new LRUCache<string, string>({
    max: 5,
    memoMethod: (key, stale, { options, context }) => {
      calls.push([key, stale, options, context])
      return `made ${key}`
    },
  })
  t.is(cache.memo('a'), 'made a')
  t.is(cache.memo('a'), 'made a')
  t.is(cache.get('a'), 'made a')
  t.is(calls.length, 1)
  const [[key, stale, options, context]] = calls as [unknown[]]
  t.deepEqual([key, stale, context], ['a', undefined, undefined])
  t.is(typeof options, 'object')
})

contract('memo without memoMethod throws an Error', (t, LRUCache) => {
  const cache = new LRUCache<string, string>({ max: 5 })
  t.throws(() => cache.memo('a'), { instanceOf: Error })
  cache.set('a', 'b')
  t.throws(() => cache.memo('a'), { instanceOf: Error })
})

contract('memo hands the context on', (t, LRUCache) => {
  const cache = new LRUCache<string, string, { user: string }>({
    max: 5,
    memoMethod: (key, _stale, { context }) => `${key} of ${context.user}`,
  })
  t.is(cache.memo('a', { context: { user: 'alice' } }), 'a of alice')
  t.is(cache.memo('a', { context: { user: 'bob' } }), 'a of alice')
})

contract(
  'memo with forceRefresh makes the value anew and gives the method the old one',
  (t, LRUCache) => {
    const old: unknown[] = []
    let n = 0
    const cache = new LRUCache<string, number>({
      max: 5,
      memoMethod: (_key, stale) => {
        old.push(stale)
        return ++n
      },
    })
    t.is(cache.memo('a'), 1)
    t.is(cache.memo('a', { forceRefresh: true }), 2)
    t.is(cache.get('a'), 2)
    t.deepEqual(old, [undefined, 1])
  },
)

contract('memo gives the method the stale value that allowStale lets through', (t, LRUCache) => {
  const clock = new Clock()
  const old: unknown[] = []
  const cache = new LRUCache<string, number>({
    max: 5,
    ttl: 10,
    ...timed(clock),
    memoMethod: (_key, stale) => {
      old.push(stale)
      return 2
    },
  })
  cache.set('a', 1).set('b', 1)
  clock.advance(11)
  t.is(cache.memo('a', { allowStale: true }), 1)
  t.is(cache.memo('b', { allowStale: true, forceRefresh: true }), 2)
  t.is(cache.memo('c'), 2)
  t.deepEqual(old, [1, undefined])
})

contract('memo stores with the options of the call', (t, LRUCache) => {
  const clock = new Clock()
  const cache = new LRUCache<string, number>({ max: 5, ...timed(clock), memoMethod: () => 1 })
  cache.memo('a', { ttl: 50 })
  t.is(cache.getRemainingTTL('a'), 50)
  const sized = new LRUCache<string, number>({ maxSize: 10, memoMethod: () => 1 })
  sized.memo('a', { sizeCalculation: () => 4 })
  t.is(sized.calculatedSize, 4)
})

contract('memoMethod may change the options with which its value is stored', (t, LRUCache) => {
  const clock = new Clock()
  const cache = new LRUCache<string, number>({
    max: 5,
    ttl: 10,
    ...timed(clock),
    memoMethod: (_key, _stale, { options }) => {
      options.ttl = 5000
      return 1
    },
  })
  cache.memo('a')
  t.is(cache.getRemainingTTL('a'), 5000)
})

contract('what memoMethod throws reaches the caller and nothing is stored', (t, LRUCache) => {
  const error = new Error('mine')
  const cache = new LRUCache<string, number>({
    max: 5,
    memoMethod: () => {
      throw error
    },
  })
  t.is(
    t.throws(() => cache.memo('a')),
    error,
  )
  t.is(cache.size, 0)
})

contract('memoMethod that gives undefined stores nothing', (t, LRUCache) => {
  const cache = new LRUCache<string, number>({ max: 5, memoMethod: () => undefined as never })
  t.is(cache.memo('a'), undefined as never)
  t.false(cache.has('a'))
})

contract('memo fires onInsert', (t, LRUCache) => {
  const calls: unknown[] = []
  const cache = new LRUCache<string, number>({
    max: 5,
    memoMethod: () => 1,
    onInsert: (...args) => calls.push(args),
  })
  cache.memo('a')
  cache.memo('a')
  t.deepEqual(calls, [[1, 'a', 'add']])
})

contract('memo keeps falsy values', (t, LRUCache) => {
  let calls = 0
  const cache = new LRUCache<string, number>({
    max: 5,
    memoMethod: () => {
      calls++
      return 0
    },
  })
  t.is(cache.memo('a'), 0)
  t.is(cache.memo('a'), 0)
  t.is(calls, 1)
})
