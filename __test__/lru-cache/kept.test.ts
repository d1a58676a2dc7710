// What a cache keeps: no timer without an entry that it waits for, and nothing of what has left.
import { setImmediate } from 'node:timers/promises'
import type { ExecutionContext } from 'ava'
import { contractSerial, type LRUCacheClass } from './support/implementations.ts'

/** Timers that were set and neither fired nor were cleared, while `run` runs. */
function pendingTimers<T>(run: (pending: Set<unknown>) => T): T {
  const pending = new Set<unknown>()
  const { setTimeout, clearTimeout } = globalThis
  globalThis.setTimeout = ((...args: Parameters<typeof setTimeout>) => {
    const timer = setTimeout(...args)
    pending.add(timer)
    return timer
  }) as typeof setTimeout
  globalThis.clearTimeout = timer => {
    pending.delete(timer)
    clearTimeout(timer)
  }
  try {
    return run(pending)
  } finally {
    Object.assign(globalThis, { setTimeout, clearTimeout })
    for (const timer of pending) clearTimeout(timer as NodeJS.Timeout)
  }
}

type Cache = InstanceType<LRUCacheClass>

/** Ways for the last entries that may expire, `a` and `b`, to leave or to live for ever. */
const ways: Record<string, (cache: Cache) => void> = {
  delete: cache => {
    for (const key of ['a', 'b']) cache.delete(key)
  },
  pop: cache => {
    for (const _ of ['a', 'b']) cache.pop()
  },
  clear: cache => cache.clear(),
  eviction: cache => {
    for (const key of ['x', 'y']) cache.set(key, 1, { ttl: 0 })
  },
  'set without ttl': cache => {
    for (const key of ['a', 'b']) cache.set(key, 1, { ttl: 0 })
  },
  'set of undefined': cache => {
    for (const key of ['a', 'b']) cache.set(key, undefined)
  },
  load: cache => cache.load([]),
}

for (const [way, leave] of Object.entries(ways)) {
  contractSerial(`${way} of all that can expire leaves no timer`, (t, LRUCache) => {
    pendingTimers(pending => {
      const cache: Cache = new LRUCache({ max: 2, ttl: 1e6, ttlAutopurge: true, ttlResolution: 0 })
      cache.set('a', 1).set('b', 2)
      t.true(pending.size > 0)
      leave(cache)
      t.is(pending.size, 0)
      cache.set('c', 1)
      t.true(pending.size > 0)
    })
  })
}

contractSerial('entries that come and go in any order leave no timer', (t, LRUCache) => {
  pendingTimers(pending => {
    const cache: Cache = new LRUCache({ max: 50, ttl: 1e6, ttlAutopurge: true, ttlResolution: 0 })
    for (let i = 0; i < 5000; i++) {
      cache.set(`k${(i * 7919) % 83}`, i, { ttl: 1e5 + ((i * 104729) % 1e5) })
      if (i % 3 === 0) cache.delete(`k${(i * 31) % 83}`)
      if (i % 7 === 0) cache.pop()
    }
    t.true(pending.size > 0)
    for (const key of [...cache.keys()]) cache.delete(key)
    t.is(pending.size, 0)
  })
})

/** Whether all are collected, soon. */
async function collected(t: ExecutionContext, refs: WeakRef<object>[]): Promise<void> {
  for (let i = 0; i < 50 && refs.some(ref => ref.deref() !== undefined); i++) {
    await setImmediate()
    globalThis.gc?.()
  }
  t.deepEqual(
    refs.map(ref => ref.deref()),
    refs.map(() => undefined),
  )
}

contractSerial('a dropped cache whose entries have left is collected', async (t, LRUCache) => {
  const make = (leave: (cache: Cache) => void) => {
    const cache: Cache = new LRUCache({ max: 2, ttl: 1e6, ttlAutopurge: true, ttlResolution: 0 })
    cache.set('a', 1).set('b', 2)
    leave(cache)
    return new WeakRef<object>(cache)
  }
  await collected(t, Object.values(ways).map(make))
})

contractSerial(
  'keys and values that have left are collected, though the cache stays',
  async (t, LRUCache) => {
    const cache = new LRUCache<object, object>({ max: 2, ttl: 1e6, ttlAutopurge: true })
    const refs: WeakRef<object>[] = []
    const fresh = () => {
      const made = { made: refs.length }
      refs.push(new WeakRef(made))
      return made
    }
    const steps = [
      () => cache.delete([...cache.keys()][0] as object),
      () => cache.pop(),
      () => cache.clear(),
      () => cache.load([]),
    ]
    for (const step of steps) {
      for (let i = 0; i < 4; i++) cache.set(fresh(), fresh())
      step()
    }
    cache.clear()
    await collected(t, refs)
    t.is(cache.size, 0)
  },
)
