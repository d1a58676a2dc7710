// fetch: values that are fetched when they are missing or stale.
import { fetching } from './support/fetching.ts'
import { contract } from './support/implementations.ts'
import { outcome, settle } from './support/time.ts'

contract('fetch without fetchMethod is an asynchronous get', async (t, LRUCache) => {
  const cache = new LRUCache<string, number>({ max: 5 })
  cache.set('a', 1).set('b', 2)
  const promise = cache.fetch('a')
  t.true(promise instanceof Promise)
  t.is(await promise, 1)
  t.is(await cache.fetch('x'), undefined)
  t.deepEqual([...cache.keys()], ['a', 'b'])
})

contract(
  'fetch of a missing key calls fetchMethod with key, undefined and options',
  async (t, LRUCache) => {
    const calls: unknown[][] = []
    const cache = new LRUCache<string, number>({
      max: 5,
      fetchMethod: async (...args) => {
        calls.push(args)
        return 7
      },
    })
    t.is(await cache.fetch('a', { context: 'c' } as never), 7)
    t.is(cache.get('a'), 7)
    t.is(calls.length, 1)
    const [key, stale, { signal, options, context, ...rest }] = calls[0] as [
      string,
      unknown,
      Record<string, unknown>,
    ]
    t.is(key, 'a')
    t.is(stale, undefined)
    t.true(signal instanceof AbortSignal)
    t.is(context, 'c')
    t.deepEqual(rest, {})
    t.deepEqual(Object.keys(options as object).sort(), [
      'allowStale',
      'allowStaleOnFetchAbort',
      'allowStaleOnFetchRejection',
      'ignoreFetchAbort',
      'noDeleteOnFetchRejection',
      'noDeleteOnStaleGet',
      'noDisposeOnSet',
      'noUpdateTTL',
      'signal',
      'size',
      'sizeCalculation',
      'status',
      'ttl',
      'updateAgeOnGet',
    ])
  },
)

contract('fetch of a live entry gives it and fetches nothing', async (t, LRUCache) => {
  const { cache, calls } = fetching(LRUCache)
  cache.set('a', 1)
  t.is(await cache.fetch('a'), 1)
  t.is(calls.length, 0)
})

contract('fetchMethod is called at once, before fetch returns', (t, LRUCache) => {
  const { cache, calls } = fetching(LRUCache)
  cache.fetch('a')
  t.is(calls.length, 1)
})

contract('fetchMethod may give its value without a promise', async (t, LRUCache) => {
  const cache = new LRUCache<string, number>({ max: 5, fetchMethod: () => 7 })
  t.is(await cache.fetch('a'), 7)
  t.is(cache.get('a'), 7)
})

contract(
  'a first fetch in flight counts in size, has is false, and iteration omits it',
  async (t, LRUCache) => {
    const { cache, calls } = fetching(LRUCache)
    const promise = cache.fetch('a')
    t.is(cache.size, 1)
    t.false(cache.has('a'))
    t.is(cache.get('a'), undefined)
    t.is(cache.peek('a'), undefined)
    t.deepEqual([...cache.keys()], [])
    t.deepEqual([...cache.values()], [])
    t.deepEqual([...cache], [])
    t.deepEqual([...cache.rkeys()], [])
    t.deepEqual([...cache.rvalues()], [])
    t.deepEqual([...cache.rentries()], [])
    t.deepEqual(cache.dump(), [])
    t.is(cache.info('a'), undefined)
    cache.forEach(() => void t.fail())
    cache.rforEach(() => void t.fail())
    t.is(
      cache.find(() => true),
      undefined,
    )
    calls[0]!.resolve(1)
    t.is(await promise, 1)
    t.true(cache.has('a'))
    t.deepEqual([...cache], [['a', 1]])
  },
)

contract('concurrent fetches of a key share one call', async (t, LRUCache) => {
  const { cache, calls } = fetching(LRUCache)
  const promises = [cache.fetch('a'), cache.fetch('a'), cache.fetch('a')]
  t.is(calls.length, 1)
  calls[0]!.resolve(7)
  t.deepEqual(await Promise.all(promises), [7, 7, 7])
})

contract('the options of the first of concurrent fetches win', async (t, LRUCache) => {
  const { cache, calls } = fetching(LRUCache)
  const first = cache.fetch('a', { ttl: 100 })
  const second = cache.fetch('a', { ttl: 999, forceRefresh: true })
  calls[0]!.resolve(1)
  await Promise.all([first, second])
  t.is(calls.length, 1)
  t.is(cache.getRemainingTTL('a'), 100)
})

contract('several fetches in flight at once are each stored', async (t, LRUCache) => {
  const { cache, calls } = fetching(LRUCache)
  const promises = ['a', 'b', 'c', 'd', 'e'].map(key => cache.fetch(key))
  t.is(cache.size, 5)
  for (const i of [3, 0, 4, 1, 2]) calls[i]!.resolve(i)
  t.deepEqual(await Promise.all(promises), [0, 1, 2, 3, 4])
  t.deepEqual([...cache.rvalues()].sort(), [0, 1, 2, 3, 4])
  t.is(cache.size, 5)
})

contract('a fetch that resolves makes its entry the most recent', async (t, LRUCache) => {
  const { cache, calls } = fetching(LRUCache)
  const promise = cache.fetch('a')
  cache.set('b', 2)
  calls[0]!.resolve(1)
  await promise
  t.deepEqual([...cache.keys()], ['a', 'b'])
})

contract('a fetch of a stale entry gives the method the stale value', async (t, LRUCache) => {
  const { cache, clock, calls } = fetching(LRUCache, { ttl: 10 })
  cache.set('a', 1)
  clock.advance(11)
  const promise = cache.fetch('a')
  t.is(calls[0]!.stale, 1)
  calls[0]!.resolve(2)
  t.is(await promise, 2)
  t.is(cache.get('a'), 2)
  t.is(cache.getRemainingTTL('a'), 10)
})

contract('with allowStale a fetch gives the stale value while it fetches', async (t, LRUCache) => {
  const { cache, clock, calls, taken } = fetching(LRUCache, { ttl: 10, allowStale: true })
  cache.set('a', 1)
  clock.advance(11)
  taken()
  t.is(await cache.fetch('a'), 1)
  t.is(await cache.fetch('a'), 1)
  t.is(calls.length, 1)
  calls[0]!.resolve(2)
  await settle()
  t.is(cache.get('a'), 2)
  t.deepEqual(taken(), [
    ['dispose', 'a', 1, 'set'],
    ['onInsert', 'a', 2, 'replace'],
    ['disposeAfter', 'a', 1, 'set'],
  ])
})

contract('a stale entry that is being fetched is shown as what it was', async (t, LRUCache) => {
  const { cache, clock, calls } = fetching(LRUCache, { ttl: 10 })
  cache.set('a', 1)
  clock.advance(11)
  const promise = cache.fetch('a')
  t.is(cache.size, 1)
  t.false(cache.has('a'))
  t.is(cache.get('a'), undefined)
  t.is(cache.size, 1)
  t.is(cache.get('a', { allowStale: true }), 1)
  t.is(cache.peek('a', { allowStale: true }), 1)
  t.is(cache.info('a')?.value, 1)
  t.is(cache.dump()[0]?.[1].value, 1)
  calls[0]!.resolve(2)
  t.is(await promise, 2)
})

contract(
  'forceRefresh fetches although the entry lives, and get gives the old value meanwhile',
  async (t, LRUCache) => {
    const { cache, calls, taken } = fetching(LRUCache)
    cache.set('a', 1)
    taken()
    const promise = cache.fetch('a', { forceRefresh: true })
    t.is(calls.length, 1)
    t.is(calls[0]!.stale, 1)
    t.is(cache.get('a'), 1)
    t.true(cache.has('a'))
    const seen: unknown[] = []
    cache.forEach((value, key) => void seen.push([key, value]))
    t.deepEqual(seen, [['a', 1]])
    calls[0]!.resolve(2)
    t.is(await promise, 2)
    t.deepEqual(taken(), [
      ['dispose', 'a', 1, 'set'],
      ['onInsert', 'a', 2, 'replace'],
      ['disposeAfter', 'a', 1, 'set'],
    ])
  },
)

contract(
  'forceRefresh with allowStale gives the present value and fetches behind',
  async (t, LRUCache) => {
    const { cache, calls } = fetching(LRUCache)
    cache.set('a', 1)
    t.is(await cache.fetch('a', { forceRefresh: true, allowStale: true }), 1)
    calls[0]!.resolve(2)
    await settle()
    t.is(cache.get('a'), 2)
  },
)

contract('a fetched identical value fires onInsert update', async (t, LRUCache) => {
  const { cache, calls, taken } = fetching(LRUCache)
  cache.set('a', 1)
  taken()
  const promise = cache.fetch('a', { forceRefresh: true })
  calls[0]!.resolve(1)
  await promise
  t.deepEqual(taken(), [['onInsert', 'a', 1, 'update']])
})

contract('a first fetch fires onInsert add once, when it resolves', async (t, LRUCache) => {
  const { cache, calls, taken } = fetching(LRUCache)
  const promise = cache.fetch('a')
  t.deepEqual(taken(), [])
  calls[0]!.resolve(1)
  await promise
  t.deepEqual(taken(), [['onInsert', 'a', 1, 'add']])
})

contract('fetch stores with the options of the call', async (t, LRUCache) => {
  const { cache, calls } = fetching(LRUCache, { maxSize: 100 })
  const promise = cache.fetch('a', { ttl: 50, size: 4 })
  calls[0]!.resolve(1)
  await promise
  t.is(cache.getRemainingTTL('a'), 50)
  t.is(cache.calculatedSize, 4)
})

contract(
  'fetchMethod may change the options with which its value is stored',
  async (t, LRUCache) => {
    const { cache } = fetching(LRUCache, {
      ttl: 10,
      fetchMethod: async (
        _key: string,
        _stale: unknown,
        { options }: { options: { ttl: number } },
      ) => {
        options.ttl = 5000
        return 1
      },
    })
    await cache.fetch('a')
    t.is(cache.getRemainingTTL('a'), 5000)
  },
)

contract('the life of a fetched entry begins when it arrives', async (t, LRUCache) => {
  const { cache, clock, calls } = fetching(LRUCache, { ttl: 100 })
  const promise = cache.fetch('a')
  clock.advance(70)
  calls[0]!.resolve(1)
  await promise
  t.is(cache.getRemainingTTL('a'), 100)
})

contract('updateAgeOnGet holds for a fetch that hits', async (t, LRUCache) => {
  const { cache, clock } = fetching(LRUCache, { ttl: 100 })
  cache.set('a', 1)
  clock.advance(60)
  await cache.fetch('a')
  t.is(cache.getRemainingTTL('a'), 40)
  await cache.fetch('a', { updateAgeOnGet: true })
  t.is(cache.getRemainingTTL('a'), 100)
})

contract(
  'forceFetch does not refresh what lives, unless forceRefresh is given',
  async (t, LRUCache) => {
    const { cache, calls } = fetching(LRUCache)
    cache.set('a', 1)
    t.is(await cache.forceFetch('a'), 1)
    t.is(calls.length, 0)
    const promise = cache.forceFetch('a', { forceRefresh: true })
    calls[0]!.resolve(2)
    t.is(await promise, 2)
  },
)

contract('fetch and memo of one cache live together', async (t, LRUCache) => {
  const { cache, calls } = fetching(LRUCache, { memoMethod: () => 5 })
  const promise = cache.fetch('a')
  t.is(cache.memo('a'), 5)
  calls[0]!.resolve(1)
  t.deepEqual(await outcome(promise), { error: 'replaced' })
  t.is(cache.get('a'), 5)
})

contract('a promise may be a value without being taken for a fetch', (t, LRUCache) => {
  const cache = new LRUCache<string, Promise<number>>({ max: 5, fetchMethod: () => undefined })
  const promise = Promise.resolve(1)
  cache.set('a', promise)
  t.is(cache.get('a'), promise)
  t.deepEqual([...cache.keys()], ['a'])
})
