// The status objects, field by field.
import { contract } from './support/implementations.ts'
import { make, type Status, told } from './support/status.ts'

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

contract('status of find tells of its get', (t, LRUCache) => {
  const { cache } = make(LRUCache)
  cache.set('a', 1)
  const status: Status = {}
  cache.find(() => true, { status })
  t.deepEqual({ ...status }, { get: 'hit' })
})
