// fetches that fail or give nothing, and the sizes of those in flight.
import { fetching } from './support/fetching.ts'
import { contract } from './support/implementations.ts'
import { outcome, settle } from './support/time.ts'

contract('concurrent fetches share one failure', async (t, LRUCache) => {
  const { cache, calls } = fetching(LRUCache)
  const promises = [cache.fetch('a'), cache.fetch('a')].map(outcome)
  calls[0]!.reject(new Error('no'))
  t.deepEqual(await Promise.all(promises), [{ error: 'no' }, { error: 'no' }])
  t.is(cache.size, 0)
})

contract('a fetch that resolves with undefined leaves nothing', async (t, LRUCache) => {
  const { cache, calls, taken } = fetching(LRUCache)
  const promise = cache.fetch('a')
  calls[0]!.resolve(undefined as never)
  t.is(await promise, undefined)
  t.is(cache.size, 0)
  t.deepEqual(taken(), [])
})

contract(
  'a fetch over a stale value that resolves with undefined keeps the stale value',
  async (t, LRUCache) => {
    const { cache, clock, calls } = fetching(LRUCache, { ttl: 10 })
    cache.set('a', 1)
    clock.advance(11)
    const promise = cache.fetch('a')
    calls[0]!.resolve(undefined as never)
    t.is(await promise, undefined)
    t.is(cache.size, 1)
    t.is(cache.peek('a', { allowStale: true }), 1)
  },
)

contract('a fetch that fails rejects and leaves nothing', async (t, LRUCache) => {
  const { cache, calls, taken } = fetching(LRUCache)
  const error = new Error('no')
  const promise = cache.fetch('a')
  calls[0]!.reject(error)
  await t.throwsAsync(promise, { is: error })
  t.is(cache.size, 0)
  t.deepEqual(taken(), [])
  const again = cache.fetch('a')
  calls[1]!.resolve(1)
  t.is(await again, 1)
})

contract('fetchMethod that throws rejects', async (t, LRUCache) => {
  const error = new Error('no')
  const cache = new LRUCache<string, number>({
    max: 5,
    fetchMethod: () => {
      throw error
    },
  })
  let promise: Promise<unknown> | undefined
  t.notThrows(() => {
    promise = cache.fetch('a')
  })
  await t.throwsAsync(promise!, { is: error })
  t.is(cache.size, 0)
})

contract('a fetch over a stale value that fails deletes it', async (t, LRUCache) => {
  const { cache, clock, calls } = fetching(LRUCache, { ttl: 10 })
  cache.set('a', 1).set('b', 2, { ttl: 0 })
  clock.advance(11)
  const promise = cache.fetch('a')
  calls[0]!.reject(new Error('no'))
  await t.throwsAsync(promise, { message: 'no' })
  t.is(cache.size, 1)
  t.is(cache.peek('a', { allowStale: true }), undefined)
})

contract(
  'with noDeleteOnFetchRejection a failed fetch rejects and keeps the stale value',
  async (t, LRUCache) => {
    const { cache, clock, calls } = fetching(LRUCache, { ttl: 10, noDeleteOnFetchRejection: true })
    cache.set('a', 1)
    clock.advance(11)
    const promise = cache.fetch('a')
    calls[0]!.reject(new Error('no'))
    await t.throwsAsync(promise, { message: 'no' })
    t.is(cache.peek('a', { allowStale: true }), 1)
    const first = cache.fetch('new')
    calls[1]!.reject(new Error('no'))
    await t.throwsAsync(first, { message: 'no' })
    t.is(cache.size, 1)
  },
)

contract('noDeleteOnFetchRejection of a fetch holds for that fetch', async (t, LRUCache) => {
  const { cache, calls } = fetching(LRUCache)
  cache.set('a', 1)
  const promise = cache.fetch('a', { forceRefresh: true, noDeleteOnFetchRejection: true })
  calls[0]!.reject(new Error('no'))
  await t.throwsAsync(promise, { message: 'no' })
  t.is(cache.get('a'), 1)
})

contract(
  'with allowStaleOnFetchRejection a failed fetch gives the stale value and keeps it',
  async (t, LRUCache) => {
    const { cache, clock, calls } = fetching(LRUCache, {
      ttl: 10,
      allowStaleOnFetchRejection: true,
    })
    cache.set('a', 1)
    clock.advance(11)
    const promise = cache.fetch('a')
    calls[0]!.reject(new Error('no'))
    t.is(await promise, 1)
    t.is(cache.peek('a', { allowStale: true }), 1)
  },
)

contract(
  'with allowStaleOnFetchRejection a failed first fetch gives undefined',
  async (t, LRUCache) => {
    const { cache, calls } = fetching(LRUCache, { allowStaleOnFetchRejection: true })
    const promise = cache.fetch('a')
    calls[0]!.reject(new Error('no'))
    t.is(await promise, undefined)
    t.is(cache.size, 0)
  },
)

contract('allowStaleOnFetchRejection of a fetch holds for that fetch', async (t, LRUCache) => {
  const { cache, calls } = fetching(LRUCache)
  cache.set('a', 1)
  const promise = cache.fetch('a', { forceRefresh: true, allowStaleOnFetchRejection: true })
  calls[0]!.reject(new Error('no'))
  t.is(await promise, 1)
  t.is(cache.get('a'), 1)
})

contract("a failure behind a stale value that was given is nobody's", async (t, LRUCache) => {
  const { cache, clock, calls } = fetching(LRUCache, { ttl: 10, allowStale: true })
  cache.set('a', 1)
  clock.advance(11)
  t.is(await cache.fetch('a'), 1)
  calls[0]!.reject(new Error('no'))
  await settle()
  t.is(cache.size, 0)
})

contract(
  'forceFetch gives the value, and rejects where fetch gives undefined',
  async (t, LRUCache) => {
    const { cache, calls } = fetching(LRUCache)
    const promise = cache.forceFetch('a')
    calls[0]!.resolve(1)
    t.is(await promise, 1)
    t.is(await cache.forceFetch('a'), 1)
    const nothing = cache.forceFetch('b')
    calls[1]!.resolve(undefined as never)
    await t.throwsAsync(nothing, { instanceOf: Error })
    const bare = new LRUCache<string, number>({ max: 5 })
    await t.throwsAsync(bare.forceFetch('x'), { instanceOf: Error })
    t.is(await bare.set('x', 1).forceFetch('x'), 1)
  },
)

contract('a fetch in flight has the size backgroundFetchSize', async (t, LRUCache) => {
  const { cache, calls } = fetching(LRUCache, { maxSize: 10, sizeCalculation: (v: number) => v })
  t.is(cache.backgroundFetchSize, 1)
  const first = cache.fetch('a')
  t.is(cache.calculatedSize, 1)
  cache.backgroundFetchSize = 3
  const second = cache.fetch('b')
  t.is(cache.calculatedSize, 4)
  calls[0]!.resolve(5)
  calls[1]!.resolve(2)
  await Promise.all([first, second])
  t.is(cache.calculatedSize, 7)
})

contract('several fetches in flight are not lost for their size', async (t, LRUCache) => {
  const { cache, calls } = fetching(LRUCache, {
    max: 0,
    maxSize: 100,
    sizeCalculation: (v: number) => v,
    backgroundFetchSize: 20,
  })
  const keys = ['a', 'b', 'c', 'd', 'e']
  const promises = keys.map(key => cache.fetch(key))
  t.is(cache.calculatedSize, 100)
  for (const call of calls) call.resolve(10)
  t.deepEqual(await Promise.all(promises), [10, 10, 10, 10, 10])
  t.deepEqual([...cache.rkeys()], keys)
  t.is(cache.calculatedSize, 50)
})

contract('a fetch over a stale value keeps the size of that value', async (t, LRUCache) => {
  const { cache, calls } = fetching(LRUCache, { maxSize: 10, sizeCalculation: (v: number) => v })
  cache.set('a', 6)
  const promise = cache.fetch('a', { forceRefresh: true })
  t.is(cache.calculatedSize, 6)
  calls[0]!.resolve(2)
  await promise
  t.is(cache.calculatedSize, 2)
})

contract('a fetched value that is too large is given and not stored', async (t, LRUCache) => {
  const { cache, calls } = fetching(LRUCache, { maxSize: 10, sizeCalculation: (v: number) => v })
  const promise = cache.fetch('a')
  calls[0]!.resolve(11)
  t.is(await promise, 11)
  t.is(cache.size, 0)
  t.is(cache.calculatedSize, 0)
})

contract('a size that is refused when a fetch arrives rejects it', async (t, LRUCache) => {
  const { cache, calls } = fetching(LRUCache, { maxSize: 10 })
  const promise = cache.fetch('a')
  calls[0]!.resolve(1)
  await t.throwsAsync(promise, { instanceOf: TypeError })
})
