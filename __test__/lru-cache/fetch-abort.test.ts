// fetches that something ends before they arrive.
import { fetching } from './support/fetching.ts'
import { contract } from './support/implementations.ts'
import { outcome, settle } from './support/time.ts'

const message = (signal: AbortSignal): unknown => signal.aborted && (signal.reason as Error).message

contract('evicting a fetch in flight rejects it with evicted', async (t, LRUCache) => {
  const { cache, calls, taken } = fetching(LRUCache, { max: 2 })
  const promise = outcome(cache.fetch('a'))
  cache.set('b', 2).set('c', 3)
  t.is(message(calls[0]!.signal), 'evicted')
  t.deepEqual(await promise, { error: 'evicted' })
  calls[0]!.resolve(1)
  await settle()
  t.deepEqual([...cache.keys()], ['c', 'b'])
  t.deepEqual(
    taken().filter(([hook]) => hook !== 'onInsert'),
    [],
  )
})

contract('evicting a fetch over a stale value disposes of that value', async (t, LRUCache) => {
  const { cache, clock, calls, taken } = fetching(LRUCache, { max: 2 })
  cache.set('a', 1, { ttl: 10 })
  clock.advance(11)
  const promise = outcome(cache.fetch('a'))
  taken()
  cache.set('b', 2).set('c', 3)
  t.is(message(calls[0]!.signal), 'evicted')
  t.deepEqual(await promise, { error: 'evicted' })
  t.deepEqual(taken(), [
    ['onInsert', 'b', 2, 'add'],
    ['dispose', 'a', 1, 'evict'],
    ['onInsert', 'c', 3, 'add'],
    ['disposeAfter', 'a', 1, 'evict'],
  ])
})

contract(
  'more fetches at once than there is room: the first are evicted, the last stored',
  async (t, LRUCache) => {
    const { cache, calls } = fetching(LRUCache, { max: 2 })
    const promises = ['a', 'b', 'c', 'd'].map(key => outcome(cache.fetch(key)))
    t.is(cache.size, 2)
    for (const [i, call] of calls.entries()) call.resolve(i)
    t.deepEqual(await Promise.all(promises), [
      { error: 'evicted' },
      { error: 'evicted' },
      { value: 2 },
      { value: 3 },
    ])
    t.deepEqual(
      [...cache],
      [
        ['d', 3],
        ['c', 2],
      ],
    )
  },
)

contract('deleting a fetch in flight rejects it with deleted', async (t, LRUCache) => {
  const { cache, calls, taken } = fetching(LRUCache, { max: 2 })
  cache.set('b', 2)
  taken()
  const promise = outcome(cache.fetch('a'))
  t.true(cache.delete('a'))
  t.is(message(calls[0]!.signal), 'deleted')
  t.deepEqual(await promise, { error: 'deleted' })
  calls[0]!.resolve(1)
  await settle()
  t.false(cache.has('a'))
  t.deepEqual(taken(), [])
})

contract('clearing rejects fetches in flight with deleted', async (t, LRUCache) => {
  const { cache, calls } = fetching(LRUCache, { max: 2 })
  const promises = ['a', 'b'].map(key => outcome(cache.fetch(key)))
  cache.clear()
  t.deepEqual(await Promise.all(promises), [{ error: 'deleted' }, { error: 'deleted' }])
  for (const call of calls) call.resolve(1)
  await settle()
  t.is(cache.size, 0)
})

contract(
  'setting over a fetch in flight rejects it with replaced, and the value stays',
  async (t, LRUCache) => {
    const { cache, calls, taken } = fetching(LRUCache, { max: 2 })
    const promise = outcome(cache.fetch('a'))
    cache.set('a', 5)
    t.is(message(calls[0]!.signal), 'replaced')
    t.deepEqual(await promise, { error: 'replaced' })
    calls[0]!.resolve(1)
    await settle()
    t.is(cache.get('a'), 5)
    t.deepEqual(taken(), [['onInsert', 'a', 5, 'add']])
  },
)

contract('setting over a fetch over a stale value disposes of that value', async (t, LRUCache) => {
  const { cache, taken } = fetching(LRUCache, { max: 2 })
  cache.set('a', 1)
  const promise = outcome(cache.fetch('a', { forceRefresh: true }))
  taken()
  cache.set('a', 5)
  t.deepEqual(await promise, { error: 'replaced' })
  t.deepEqual(taken(), [
    ['dispose', 'a', 1, 'set'],
    ['onInsert', 'a', 5, 'replace'],
    ['disposeAfter', 'a', 1, 'set'],
  ])
})

contract('pop of a first fetch in flight passes over it', async (t, LRUCache) => {
  const { cache } = fetching(LRUCache, { max: 2 })
  const promise = outcome(cache.fetch('a'))
  cache.set('b', 2)
  t.is(cache.pop(), 2)
  t.is(cache.size, 0)
  t.deepEqual(await promise, { error: 'evicted' })
})

contract('pop of a fetch over a value gives that value', async (t, LRUCache) => {
  const { cache } = fetching(LRUCache, { max: 2 })
  cache.set('a', 1)
  const promise = outcome(cache.fetch('a', { forceRefresh: true }))
  t.is(cache.pop(), 1)
  t.deepEqual(await promise, { error: 'evicted' })
})

contract('a signal that aborts rejects with its reason and leaves nothing', async (t, LRUCache) => {
  const { cache, calls } = fetching(LRUCache, { max: 2 })
  const controller = new AbortController()
  const promise = cache.fetch('a', { signal: controller.signal })
  t.false(calls[0]!.signal.aborted)
  const reason = new Error('enough')
  controller.abort(reason)
  t.true(calls[0]!.signal.aborted)
  t.is(calls[0]!.signal.reason, reason)
  await t.throwsAsync(promise, { is: reason })
  t.is(cache.size, 0)
  calls[0]!.resolve(1)
  await settle()
  t.is(cache.size, 0)
})

contract('a signal that aborts when the fetch has arrived changes nothing', async (t, LRUCache) => {
  const { cache, calls } = fetching(LRUCache, { max: 2 })
  const controller = new AbortController()
  const promise = cache.fetch('a', { signal: controller.signal })
  calls[0]!.resolve(1)
  t.is(await promise, 1)
  controller.abort(new Error('late'))
  await settle()
  t.is(cache.get('a'), 1)
})

contract('an aborted fetch over a stale value deletes it', async (t, LRUCache) => {
  const { cache, clock } = fetching(LRUCache, { max: 2, ttl: 10 })
  cache.set('a', 1).set('b', 2, { ttl: 0 })
  clock.advance(11)
  const controller = new AbortController()
  const promise = outcome(cache.fetch('a', { signal: controller.signal }))
  controller.abort(new Error('enough'))
  t.deepEqual(await promise, { error: 'enough' })
  t.deepEqual([...cache.keys()], ['b'])
  t.is(cache.size, 1)
})

contract('with ignoreFetchAbort the fetch goes on and is stored', async (t, LRUCache) => {
  const { cache, calls } = fetching(LRUCache, { max: 2, ignoreFetchAbort: true })
  const controller = new AbortController()
  const promise = cache.fetch('a', { signal: controller.signal })
  controller.abort(new Error('enough'))
  t.true(calls[0]!.signal.aborted)
  calls[0]!.resolve(1)
  t.is(await promise, 1)
  t.is(cache.get('a'), 1)
})

contract(
  'with ignoreFetchAbort an evicted fetch still gives its value, which is not stored',
  async (t, LRUCache) => {
    const { cache, calls } = fetching(LRUCache, { max: 2, ignoreFetchAbort: true })
    const promise = cache.fetch('a')
    cache.set('b', 2).set('c', 3)
    t.is(message(calls[0]!.signal), 'evicted')
    calls[0]!.resolve(1)
    t.is(await promise, 1)
    t.deepEqual([...cache.keys()], ['c', 'b'])
  },
)

contract(
  'with ignoreFetchAbort a deleted fetch still gives its value, which is not stored',
  async (t, LRUCache) => {
    const { cache, calls } = fetching(LRUCache, { max: 2, ignoreFetchAbort: true })
    cache.set('b', 2)
    const promise = cache.fetch('a')
    cache.delete('a')
    calls[0]!.resolve(1)
    t.is(await promise, 1)
    t.deepEqual([...cache.keys()], ['b'])
  },
)

contract('ignoreFetchAbort of a fetch holds for that fetch', async (t, LRUCache) => {
  const { cache, calls } = fetching(LRUCache, { max: 2 })
  const controller = new AbortController()
  const promise = cache.fetch('a', { signal: controller.signal, ignoreFetchAbort: true })
  controller.abort(new Error('enough'))
  calls[0]!.resolve(1)
  t.is(await promise, 1)
})

contract(
  'with allowStaleOnFetchAbort an aborted fetch gives the stale value at once',
  async (t, LRUCache) => {
    const { cache, clock } = fetching(LRUCache, { max: 2, ttl: 10, allowStaleOnFetchAbort: true })
    cache.set('a', 1)
    clock.advance(11)
    const controller = new AbortController()
    const promise = cache.fetch('a', { signal: controller.signal })
    controller.abort(new Error('enough'))
    t.is(await promise, 1)
    t.is(cache.size, 1)
    t.is(cache.peek('a', { allowStale: true }), 1)
  },
)

contract('with both abort options the late value is stored after all', async (t, LRUCache) => {
  const { cache, clock, calls } = fetching(LRUCache, {
    max: 2,
    ttl: 10,
    allowStaleOnFetchAbort: true,
    ignoreFetchAbort: true,
  })
  cache.set('a', 1)
  clock.advance(11)
  const controller = new AbortController()
  const promise = cache.fetch('a', { signal: controller.signal })
  controller.abort(new Error('enough'))
  t.is(await promise, 1)
  calls[0]!.resolve(2)
  await settle()
  t.is(cache.get('a'), 2)
})

contract(
  'with allowStaleOnFetchAbort an aborted first fetch gives undefined',
  async (t, LRUCache) => {
    const { cache } = fetching(LRUCache, { max: 2, allowStaleOnFetchAbort: true })
    const controller = new AbortController()
    const promise = cache.fetch('a', { signal: controller.signal })
    controller.abort(new Error('enough'))
    t.is(await promise, undefined)
  },
)

contract(
  'aborting one of two fetches of a key ends both if it was the first',
  async (t, LRUCache) => {
    const { cache } = fetching(LRUCache, { max: 2 })
    const controller = new AbortController()
    const first = outcome(cache.fetch('a', { signal: controller.signal }))
    const second = outcome(cache.fetch('a'))
    controller.abort(new Error('enough'))
    t.deepEqual(await Promise.all([first, second]), [{ error: 'enough' }, { error: 'enough' }])
  },
)

contract('the signal of a later fetch of the key ends nothing', async (t, LRUCache) => {
  const { cache, calls } = fetching(LRUCache, { max: 2 })
  const controller = new AbortController()
  const first = cache.fetch('a')
  const second = cache.fetch('a', { signal: controller.signal })
  controller.abort(new Error('enough'))
  calls[0]!.resolve(1)
  t.deepEqual(await Promise.all([first, second]), [1, 1])
})

contract('a fetch after one that was deleted begins anew', async (t, LRUCache) => {
  const { cache, calls } = fetching(LRUCache, { max: 2 })
  const first = outcome(cache.fetch('a'))
  cache.delete('a')
  const second = outcome(cache.fetch('a'))
  t.is(calls.length, 2)
  calls[0]!.resolve(1)
  calls[1]!.resolve(2)
  t.deepEqual(await Promise.all([first, second]), [{ error: 'deleted' }, { value: 2 }])
  t.is(cache.get('a'), 2)
})

contract('load rejects fetches in flight with deleted', async (t, LRUCache) => {
  const { cache, calls } = fetching(LRUCache, { max: 2 })
  const promise = outcome(cache.fetch('a'))
  cache.load([['a', { value: 5 }]])
  t.deepEqual(await promise, { error: 'deleted' })
  calls[0]!.resolve(1)
  await settle()
  t.is(cache.get('a'), 5)
})
