// The status objects, field by field.
import type { LRUCache as Cache } from 'lru-cache'
import { contract, type LRUCacheClass } from './support/implementations.ts'
import { Clock, deferred, settle, timed } from './support/time.ts'

type Status = Cache.Status<string, number>

/** What a status says, but for the cache, which must be the one that was asked. */
function told(status: Status, cache: unknown): object {
  const { cache: self, ...rest } = status
  return { ...rest, self: self === cache }
}

function make(LRUCache: LRUCacheClass, options: object = {}) {
  const clock = new Clock()
  const cache = new LRUCache<string, number>({ max: 5, ...timed(clock), ...options })
  return { clock, cache }
}

contract('status of a get that hits', (t, LRUCache) => {
  const { cache } = make(LRUCache)
  cache.set('a', 1)
  const status: Status = {}
  cache.get('a', { status })
  t.deepEqual(told(status, cache), { op: 'get', key: 'a', get: 'hit', value: 1, self: true })
})

contract('status of a get that misses', (t, LRUCache) => {
  const { cache } = make(LRUCache)
  const status: Status = {}
  cache.get('a', { status })
  t.deepEqual(told(status, cache), { op: 'get', key: 'a', get: 'miss', self: true })
})

contract('status of a get with ttl tells its times', (t, LRUCache) => {
  const { cache, clock } = make(LRUCache, { ttl: 100 })
  cache.set('a', 1)
  clock.advance(30)
  const status: Status = {}
  cache.get('a', { status })
  const times = { ttl: 100, start: 1000, now: 1030, remainingTTL: 70 }
  t.deepEqual(told(status, cache), {
    op: 'get',
    key: 'a',
    get: 'hit',
    value: 1,
    ...times,
    self: true,
  })
})

contract('status of a stale get', (t, LRUCache) => {
  const { cache, clock } = make(LRUCache, { ttl: 10 })
  cache.set('a', 1).set('b', 2)
  clock.advance(11)
  const times = { ttl: 10, start: 1000, now: 1011, remainingTTL: -1 }
  const status: Status = {}
  cache.get('a', { status })
  t.deepEqual(told(status, cache), { op: 'get', key: 'a', get: 'stale', ...times, self: true })
  const allowing: Status = {}
  cache.get('b', { status: allowing, allowStale: true })
  t.deepEqual(told(allowing, cache), {
    op: 'get',
    key: 'b',
    get: 'stale',
    value: 2,
    returnedStale: true,
    ...times,
    self: true,
  })
})

contract(
  'status of an entry without ttl in a cache that keeps ttls has no times',
  (t, LRUCache) => {
    const { cache } = make(LRUCache, { ttl: 10 })
    cache.set('a', 1, { ttl: 0 })
    const status: Status = {}
    cache.get('a', { status })
    t.deepEqual(told(status, cache), { op: 'get', key: 'a', get: 'hit', value: 1, self: true })
  },
)

contract('status of has: hit, miss, stale', (t, LRUCache) => {
  const { cache, clock } = make(LRUCache, { ttl: 10 })
  cache.set('a', 1)
  const hit: Status = {}
  cache.has('a', { status: hit })
  t.deepEqual(told(hit, cache), {
    op: 'has',
    key: 'a',
    has: 'hit',
    ttl: 10,
    start: 1000,
    now: 1000,
    remainingTTL: 10,
    self: true,
  })
  clock.advance(11)
  const stale: Status = {}
  cache.has('a', { status: stale })
  t.deepEqual(told(stale, cache), {
    op: 'has',
    key: 'a',
    has: 'stale',
    ttl: 10,
    start: 1000,
    now: 1011,
    remainingTTL: -1,
    self: true,
  })
  const miss: Status = {}
  cache.has('x', { status: miss })
  t.deepEqual(told(miss, cache), { op: 'has', key: 'x', has: 'miss', self: true })
})

contract('status of a has that renews tells the new life', (t, LRUCache) => {
  const { cache, clock } = make(LRUCache, { ttl: 10, updateAgeOnHas: true })
  cache.set('a', 1)
  clock.advance(5)
  const status: Status = {}
  cache.has('a', { status })
  t.is(status.remainingTTL, 10)
  t.is(status.start, 1005)
})

contract('status of a get that renews tells the life before', (t, LRUCache) => {
  const { cache, clock } = make(LRUCache, { ttl: 10, updateAgeOnGet: true })
  cache.set('a', 1)
  clock.advance(4)
  const status: Status = {}
  cache.get('a', { status })
  t.is(status.remainingTTL, 6)
  t.is(cache.getRemainingTTL('a'), 10)
})

contract('status of peek: hit, miss, stale', (t, LRUCache) => {
  const { cache, clock } = make(LRUCache, { ttl: 10 })
  cache.set('a', 1)
  const hit: Status = {}
  cache.peek('a', { status: hit })
  t.deepEqual(told(hit, cache), { op: 'peek', key: 'a', peek: 'hit', value: 1, self: true })
  const miss: Status = {}
  cache.peek('x', { status: miss })
  t.deepEqual(told(miss, cache), { op: 'peek', key: 'x', peek: 'miss', self: true })
  clock.advance(11)
  const stale: Status = {}
  cache.peek('a', { status: stale })
  t.deepEqual(told(stale, cache), { op: 'peek', key: 'a', peek: 'stale', self: true })
  const allowing: Status = {}
  cache.peek('a', { status: allowing, allowStale: true })
  t.deepEqual(told(allowing, cache), { op: 'peek', key: 'a', peek: 'hit', value: 1, self: true })
})

contract('status of set: add, replace, update', (t, LRUCache) => {
  const { cache } = make(LRUCache)
  const add: Status = {}
  cache.set('a', 1, { status: add })
  t.deepEqual(told(add, cache), { op: 'set', key: 'a', value: 1, set: 'add', self: true })
  const replace: Status = {}
  cache.set('a', 2, { status: replace })
  t.deepEqual(told(replace, cache), {
    op: 'set',
    key: 'a',
    value: 2,
    set: 'replace',
    oldValue: 1,
    self: true,
  })
  const update: Status = {}
  cache.set('a', 2, { status: update })
  t.deepEqual(told(update, cache), { op: 'set', key: 'a', value: 2, set: 'update', self: true })
})

contract('status of set of undefined', (t, LRUCache) => {
  const { cache } = make(LRUCache)
  cache.set('a', 1)
  const status: Status = {}
  cache.set('a', undefined, { status })
  t.deepEqual(told(status, cache), { op: 'set', key: 'a', set: 'deleted', self: true })
})

contract('status of set tells times', (t, LRUCache) => {
  const { cache, clock } = make(LRUCache, { ttl: 100 })
  const status: Status = {}
  cache.set('a', 1, { status })
  t.deepEqual(told(status, cache), {
    op: 'set',
    key: 'a',
    value: 1,
    set: 'add',
    ttl: 100,
    start: 1000,
    now: 1000,
    remainingTTL: 100,
    self: true,
  })
  clock.advance(40)
  const kept: Status = {}
  cache.set('a', 2, { status: kept, noUpdateTTL: true })
  t.deepEqual(told(kept, cache), {
    op: 'set',
    key: 'a',
    value: 2,
    set: 'replace',
    oldValue: 1,
    ttl: 100,
    start: 1000,
    now: 1040,
    remainingTTL: 60,
    self: true,
  })
})

contract('status of set tells sizes', (t, LRUCache) => {
  const { cache } = make(LRUCache, { maxSize: 10, sizeCalculation: (v: number) => v })
  cache.set('a', 3)
  const status: Status = {}
  cache.set('b', 4, { status })
  t.deepEqual(told(status, cache), {
    op: 'set',
    key: 'b',
    value: 4,
    set: 'add',
    entrySize: 4,
    totalCalculatedSize: 7,
    self: true,
  })
  const same: Status = {}
  cache.set('b', 4, { status: same })
  t.deepEqual(told(same, cache), { op: 'set', key: 'b', value: 4, set: 'update', self: true })
  const evicting: Status = {}
  cache.set('b', 9, { status: evicting })
  t.deepEqual(told(evicting, cache), {
    op: 'set',
    key: 'b',
    value: 9,
    set: 'replace',
    oldValue: 4,
    entrySize: 9,
    totalCalculatedSize: 9,
    self: true,
  })
})

contract('status of an oversize set', (t, LRUCache) => {
  const { cache } = make(LRUCache, { maxSize: 10, sizeCalculation: (v: number) => v })
  const status: Status = {}
  cache.set('a', 11, { status })
  t.deepEqual(told(status, cache), {
    op: 'set',
    key: 'a',
    value: 11,
    set: 'miss',
    maxEntrySizeExceeded: true,
    self: true,
  })
})

contract('status of memo: miss, hit, refresh', (t, LRUCache) => {
  let n = 0
  const { cache } = make(LRUCache, { memoMethod: () => ++n })
  const miss: Status = {}
  cache.memo('a', { status: miss })
  t.deepEqual(told(miss, cache), { op: 'memo', key: 'a', memo: 'miss', value: 1, self: true })
  const hit: Status = {}
  cache.memo('a', { status: hit })
  t.deepEqual(told(hit, cache), { op: 'memo', key: 'a', memo: 'hit', value: 1, self: true })
  const refresh: Status = {}
  cache.memo('a', { status: refresh, forceRefresh: true, context: 'c' } as never)
  t.deepEqual(told(refresh, cache), {
    op: 'memo',
    key: 'a',
    memo: 'miss',
    forceRefresh: true,
    context: 'c',
    value: 2,
    self: true,
  })
})

contract('status of fetch without fetchMethod is that of a get', async (t, LRUCache) => {
  const { cache } = make(LRUCache)
  cache.set('a', 1)
  const status: Status = {}
  await cache.fetch('a', { status })
  t.deepEqual(told(status, cache), { op: 'fetch', key: 'a', fetch: 'get', get: 'hit', self: true })
})

contract('status of a fetch that misses', async (t, LRUCache) => {
  const { cache } = make(LRUCache, { fetchMethod: async () => 7 })
  const status: Status = {}
  const promise = cache.fetch('a', { status, context: 'c' } as never)
  t.deepEqual(told(status, cache), {
    op: 'fetch',
    key: 'a',
    fetch: 'miss',
    context: 'c',
    fetchDispatched: true,
    self: true,
  })
  await promise
  t.deepEqual(told(status, cache), {
    op: 'fetch',
    key: 'a',
    fetch: 'miss',
    context: 'c',
    fetchDispatched: true,
    fetchResolved: true,
    fetchUpdated: true,
    set: 'add',
    value: 7,
    self: true,
  })
})

contract('status of a fetch that hits', async (t, LRUCache) => {
  const { cache } = make(LRUCache, { fetchMethod: async () => 7, ttl: 100 })
  cache.set('a', 1)
  const status: Status = {}
  await cache.fetch('a', { status })
  t.deepEqual(told(status, cache), {
    op: 'fetch',
    key: 'a',
    fetch: 'hit',
    ttl: 100,
    start: 1000,
    now: 1000,
    remainingTTL: 100,
    self: true,
  })
})

contract('status of a fetch that finds one in flight', async (t, LRUCache) => {
  const { promise, resolve } = deferred<number>()
  const { cache } = make(LRUCache, { fetchMethod: () => promise })
  const first = cache.fetch('a')
  const status: Status = {}
  const second = cache.fetch('a', { status })
  t.deepEqual(told(status, cache), { op: 'fetch', key: 'a', fetch: 'inflight', self: true })
  resolve(7)
  t.deepEqual(await Promise.all([first, second]), [7, 7])
  t.deepEqual(told(status, cache), { op: 'fetch', key: 'a', fetch: 'inflight', self: true })
})

contract('status of a fetch of a stale entry', async (t, LRUCache) => {
  const { cache, clock } = make(LRUCache, { fetchMethod: async () => 7, ttl: 10, allowStale: true })
  cache.set('a', 1)
  clock.advance(11)
  const status: Status = {}
  t.is(await cache.fetch('a', { status }), 1)
  t.is(status.fetch, 'stale')
  t.is(status.returnedStale, true)
  await settle()
  t.deepEqual(told(status, cache), {
    op: 'fetch',
    key: 'a',
    fetch: 'stale',
    returnedStale: true,
    fetchDispatched: true,
    fetchResolved: true,
    fetchUpdated: true,
    set: 'replace',
    value: 7,
    oldValue: 1,
    ttl: 10,
    start: 1011,
    now: 1011,
    remainingTTL: 10,
    self: true,
  })
})

contract('status of an inflight fetch that gives a stale value', async (t, LRUCache) => {
  const { promise, resolve } = deferred<number>()
  const { cache, clock } = make(LRUCache, { fetchMethod: () => promise, ttl: 10, allowStale: true })
  cache.set('a', 1)
  clock.advance(11)
  const first = cache.fetch('a')
  const status: Status = {}
  t.is(await cache.fetch('a', { status }), 1)
  t.deepEqual(told(status, cache), {
    op: 'fetch',
    key: 'a',
    fetch: 'inflight',
    returnedStale: true,
    self: true,
  })
  resolve(2)
  t.is(await first, 1)
})

contract('status of a forced refresh', async (t, LRUCache) => {
  const { cache } = make(LRUCache, { fetchMethod: async () => 7 })
  cache.set('a', 1)
  const status: Status = {}
  t.is(await cache.fetch('a', { status, forceRefresh: true }), 7)
  t.deepEqual(told(status, cache), {
    op: 'fetch',
    key: 'a',
    fetch: 'refresh',
    forceRefresh: true,
    fetchDispatched: true,
    fetchResolved: true,
    fetchUpdated: true,
    set: 'replace',
    value: 7,
    oldValue: 1,
    self: true,
  })
})

contract('status of a fetch that fails', async (t, LRUCache) => {
  const error = new Error('mine')
  const { cache } = make(LRUCache, { fetchMethod: () => Promise.reject(error) })
  const status: Status = {}
  await t.throwsAsync(cache.fetch('a', { status }), { is: error })
  t.deepEqual(told(status, cache), {
    op: 'fetch',
    key: 'a',
    fetch: 'miss',
    fetchDispatched: true,
    fetchRejected: true,
    fetchError: error,
    self: true,
  })
})

contract('status of a fetch that fails and gives the stale value', async (t, LRUCache) => {
  const error = new Error('mine')
  const { cache, clock } = make(LRUCache, {
    fetchMethod: () => Promise.reject(error),
    ttl: 10,
    allowStaleOnFetchRejection: true,
  })
  cache.set('a', 1)
  clock.advance(11)
  const status: Status = {}
  t.is(await cache.fetch('a', { status }), 1)
  t.deepEqual(told(status, cache), {
    op: 'fetch',
    key: 'a',
    fetch: 'stale',
    fetchDispatched: true,
    fetchRejected: true,
    fetchError: error,
    returnedStale: true,
    self: true,
  })
})

contract('status of a fetch that is aborted', async (t, LRUCache) => {
  const { promise } = deferred<number>()
  const { cache } = make(LRUCache, { fetchMethod: () => promise })
  const status: Status = {}
  const controller = new AbortController()
  const reason = new Error('enough')
  const fetching = cache.fetch('a', { status, signal: controller.signal })
  controller.abort(reason)
  await t.throwsAsync(fetching, { is: reason })
  t.deepEqual(told(status, cache), {
    op: 'fetch',
    key: 'a',
    fetch: 'miss',
    fetchDispatched: true,
    fetchAborted: true,
    fetchError: reason,
    self: true,
  })
})

contract('status of a fetch whose abort is ignored', async (t, LRUCache) => {
  const { promise, resolve } = deferred<number>()
  const { cache } = make(LRUCache, { fetchMethod: () => promise, ignoreFetchAbort: true })
  const status: Status = {}
  const controller = new AbortController()
  const reason = new Error('enough')
  const fetching = cache.fetch('a', { status, signal: controller.signal })
  controller.abort(reason)
  resolve(7)
  t.is(await fetching, 7)
  t.is(status.fetchAborted, true)
  t.is(status.fetchAbortIgnored, true)
  t.is(status.fetchError, reason)
  t.is(status.fetchUpdated, true)
  t.is(status.fetchResolved, undefined)
})

contract('status of get, has and peek while a first fetch is in flight', async (t, LRUCache) => {
  const { promise, resolve } = deferred<number>()
  const { cache } = make(LRUCache, { fetchMethod: () => promise })
  const fetching = cache.fetch('a')
  const got: Status = {}
  t.is(cache.get('a', { status: got }), undefined)
  t.deepEqual(told(got, cache), { op: 'get', key: 'a', get: 'fetching', self: true })
  const had: Status = {}
  t.false(cache.has('a', { status: had }))
  t.deepEqual(told(had, cache), { op: 'has', key: 'a', self: true })
  const peeked: Status = {}
  t.is(cache.peek('a', { status: peeked }), undefined)
  t.deepEqual(told(peeked, cache), { op: 'peek', key: 'a', peek: 'miss', self: true })
  resolve(1)
  await fetching
})

contract('status of a get of a stale entry that is being fetched', async (t, LRUCache) => {
  const { promise, resolve } = deferred<number>()
  const { cache, clock } = make(LRUCache, { fetchMethod: () => promise, ttl: 10 })
  cache.set('a', 1)
  clock.advance(11)
  const fetching = cache.fetch('a')
  const status: Status = {}
  t.is(cache.get('a', { status }), undefined)
  t.is(status.get, 'stale-fetching')
  const allowing: Status = {}
  t.is(cache.get('a', { status: allowing, allowStale: true }), 1)
  t.is(allowing.get, 'stale-fetching')
  t.is(allowing.returnedStale, true)
  t.is(allowing.value, 1)
  resolve(2)
  await fetching
})

contract('status of a set over a fetch in flight', async (t, LRUCache) => {
  const { promise } = deferred<number>()
  const { cache } = make(LRUCache, { fetchMethod: () => promise })
  const fetching = cache.fetch('a')
  const status: Status = {}
  cache.set('a', 5, { status })
  t.deepEqual(told(status, cache), { op: 'set', key: 'a', value: 5, set: 'add', self: true })
  await t.throwsAsync(fetching, { message: 'replaced' })
})

contract('status of find tells of its get', (t, LRUCache) => {
  const { cache } = make(LRUCache)
  cache.set('a', 1)
  const status: Status = {}
  cache.find(() => true, { status })
  t.deepEqual({ ...status }, { get: 'hit' })
})
