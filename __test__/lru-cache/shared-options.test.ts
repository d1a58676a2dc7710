// Shared caches: options, keys and values that cannot be, and fetches.
import test from 'ava'
import {
  InvalidKeyError,
  InvalidOptionError,
  InvalidValueError,
  OptionCombinationError,
  OptionConflictError,
} from '../../src/index.ts'
import { LRUCache } from '../../src/lru-cache/index.ts'
import '../../src/lru-cache/shared/index.ts'
import { timed, unused } from './support/shared.ts'
import { deferred, outcome, settle } from './support/time.ts'

test('policy and codec are those of whoever made the cache', t => {
  const shared = unused()
  new LRUCache<string, string>({ shared, max: 10, policy: 'lfu', codec: 'json' }).set('a', 'b')
  t.is(new LRUCache<string, string>({ shared }).get('a'), 'b')
  t.throws(() => new LRUCache({ shared, policy: 'lru' }), { instanceOf: OptionConflictError })
  t.throws(() => new LRUCache({ shared, max: 11 }), { instanceOf: OptionConflictError })
  t.throws(() => new LRUCache({ shared, codec: 'structured' }), { instanceOf: OptionConflictError })
})

const combinations: Record<string, unknown> = {
  dispose: () => {},
  disposeAfter: () => {},
  onInsert: () => {},
  noDisposeOnSet: true,
  maxSize: 100,
  maxEntrySize: 100,
  sizeCalculation: () => 1,
  allowStale: true,
  noDeleteOnStaleGet: true,
  allowStaleOnFetchAbort: true,
  perf: { now: () => 1 },
  codec: 'heap',
}

for (const [option, value] of Object.entries(combinations)) {
  test(`shared cannot be combined with ${option}, and says so at construction`, t => {
    const options = { shared: unused(), max: 5, [option]: value }
    const error = t.throws(() => new LRUCache(options as never), {
      instanceOf: OptionCombinationError,
      code: 'ERR_OPTION_COMBINATION',
    })
    t.is((error as unknown as OptionCombinationError).option, option)
    t.true(error.message.includes(option) && error.message.includes('shared'))
    const off = { ...options, [option]: undefined }
    t.notThrows(() => new LRUCache(off as never))
  })
}

test('codec, maxBytes and near need shared', t => {
  for (const options of [{ codec: 'json' }, { maxBytes: '1mb' }, { near: false }]) {
    t.throws(() => new LRUCache({ max: 5, ...options } as never), {
      instanceOf: OptionCombinationError,
    })
  }
})

test('a call refuses the options that the constructor refuses', async t => {
  const { cache } = timed()
  const refused = { instanceOf: OptionCombinationError, code: 'ERR_OPTION_COMBINATION' }
  t.throws(() => cache.get('a', { allowStale: true }), refused)
  t.throws(() => cache.peek('a', { allowStale: true }), refused)
  t.throws(() => cache.has('a', { status: {} }), refused)
  t.throws(() => cache.set('a', 1, { size: 5 }), refused)
  t.throws(() => cache.set('a', 1, { start: 5 }), refused)
  await t.throwsAsync(cache.fetch('a', { allowStale: true }), refused)
  t.throws(() => cache.pop(), refused)
  t.throws(() => Object.assign(cache, { allowStale: true }), { instanceOf: TypeError })
  t.is(cache.size, 0)
})

test('keys that are objects or symbols are refused at the call', t => {
  const cache = new LRUCache<NonNullable<unknown>, number>({ shared: unused(), max: 5 })
  for (const key of [{}, [], Symbol('s'), 1n, true, () => 1, null]) {
    for (const call of ['get', 'peek', 'has', 'delete', 'getRemainingTTL', 'info'] as const) {
      const error = { instanceOf: InvalidKeyError, code: 'ERR_INVALID_KEY' }
      t.throws(() => cache[call](key as never), error)
    }
    t.throws(() => cache.set(key as never, 1), { instanceOf: InvalidKeyError })
  }
  cache.set(1, 1).set('1', 2)
  t.is(cache.get(1), 1)
})

test('values that no codec takes are refused at the call', t => {
  const cache = new LRUCache<string, object>({ shared: unused(), max: 5 })
  t.throws(() => cache.set('a', () => 1), { instanceOf: InvalidValueError })
  t.throws(() => cache.set('a', { f: () => 1 }), { code: 'ERR_INVALID_VALUE' })
  t.is(cache.size, 0)
})

test('bad options name themselves', t => {
  for (const [option, value] of Object.entries({
    shared: '',
    max: -1,
    maxBytes: 'much',
    jitter: 2,
    policy: 'fifo',
  })) {
    const error = t.throws(() => new LRUCache({ shared: unused(), [option]: value } as never), {
      instanceOf: InvalidOptionError,
      code: 'ERR_INVALID_OPTION',
    })
    t.is((error as unknown as InvalidOptionError).option, option)
  }
  t.throws(() => new LRUCache({ shared: 5 } as never), { instanceOf: InvalidOptionError })
  t.throws(() => new LRUCache({ shared: unused(), fetchMethod: 5 } as never), {
    instanceOf: TypeError,
  })
})

test('a subclass cannot be shared', t => {
  class Users extends LRUCache<string, object> {}
  t.throws(() => new Users({ shared: unused(), max: 5 }), { instanceOf: OptionCombinationError })
})

test('fetch asks once for all who wait in this worker', async t => {
  const calls: (ReturnType<typeof deferred<number>> & { context: unknown })[] = []
  const { cache } = timed({
    fetchMethod: (_key: string, _old: unknown, { context }: { context: unknown }) => {
      const call = { ...deferred<number>(), context }
      calls.push(call)
      return call.promise
    },
  })
  const promises = [cache.fetch('a', { context: 1 }), cache.fetch('a', { context: 2 })]
  t.is(calls.length, 1)
  calls[0]!.resolve(7)
  t.deepEqual(await Promise.all(promises), [7, 7])
  t.is(await cache.fetch('a'), 7)
  const refreshed = cache.fetch('a', { forceRefresh: true, ttl: 50 })
  t.is(cache.get('a'), 7)
  calls[1]!.resolve(8)
  t.is(await refreshed, 8)
  t.is(cache.getRemainingTTL('a'), 50)
  const failing = outcome(cache.fetch('a', { forceRefresh: true }))
  calls[2]!.reject(new Error('no'))
  t.deepEqual(await failing, { error: 'no' })
  t.is(cache.get('a'), 8)
  const allowed = cache.fetch('a', { forceRefresh: true, allowStaleOnFetchRejection: true })
  calls[3]!.reject(new Error('no'))
  t.is(await allowed, 8)
  const nothing = cache.forceFetch('b')
  calls[4]!.resolve(undefined as never)
  await t.throwsAsync(nothing, { message: 'fetch() returned undefined' })
  t.is(calls.length, 5)
})

test('a fetch that was replaced, deleted, cleared or aborted stores nothing', async t => {
  const calls: ReturnType<typeof deferred<number>>[] = []
  const { cache } = timed({
    fetchMethod: () => {
      calls.push(deferred<number>())
      return calls.at(-1)!.promise
    },
  })
  const fetched = () => outcome(cache.fetch('a'))
  const replaced = fetched()
  cache.set('a', 5)
  t.deepEqual(await replaced, { error: 'replaced' })
  cache.delete('a')
  const deleted = fetched()
  cache.delete('a')
  t.deepEqual(await deleted, { error: 'deleted' })
  const cleared = fetched()
  cache.clear()
  t.deepEqual(await cleared, { error: 'deleted' })
  const controller = new AbortController()
  const aborted = outcome(cache.fetch('a', { signal: controller.signal }))
  controller.abort(new Error('enough'))
  t.deepEqual(await aborted, { error: 'enough' })
  const ignored = cache.fetch('b', { signal: controller.signal, ignoreFetchAbort: true })
  await t.throwsAsync(ignored, { message: 'enough' })
  for (const call of calls) call.resolve(1)
  await settle()
  t.is(cache.size, 0)
  const late = new AbortController()
  const going = cache.fetch('c', { signal: late.signal, ignoreFetchAbort: true })
  late.abort(new Error('enough'))
  calls.at(-1)!.resolve(3)
  t.is(await going, 3)
  t.is(cache.get('c'), 3)
})

test('options of a call that are no object are refused', async t => {
  const { cache } = timed({ fetchMethod: () => 1, memoMethod: () => 1 })
  for (const given of [0, 60_000, '', 'text', true, null]) {
    const options = given as never
    const calls = [
      () => cache.set('a', 1, options),
      () => cache.get('a', options),
      () => cache.has('a', options),
      () => cache.peek('a', options),
      () => cache.memo('a', options),
    ]
    for (const call of calls) t.throws(call, { instanceOf: TypeError }, `${call} ${given}`)
    await t.throwsAsync(() => cache.fetch('a', options), { instanceOf: TypeError })
  }
  t.is(cache.size, 0)
})
