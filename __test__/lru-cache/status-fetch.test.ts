// The status objects of fetches, field by field.
import { contract } from './support/implementations.ts'
import { make, type Status, told } from './support/status.ts'
import { deferred, settle } from './support/time.ts'

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
