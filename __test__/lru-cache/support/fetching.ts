// A cache whose fetches a test settles.

import { recorder } from './hooks.ts'
import type { LRUCacheClass } from './implementations.ts'
import { Clock, deferred, timed } from './time.ts'

/** A call of `fetchMethod` that waits to be settled. */
interface Call extends ReturnType<typeof deferred<number>> {
  key: string
  stale: number | undefined
  signal: AbortSignal
}

/** `calls` are the fetches in their order; `taken` what the hooks were told. */
export function fetching(LRUCache: LRUCacheClass, options: object = {}) {
  const clock = new Clock()
  const { hooks, taken } = recorder<string, number>()
  const calls: Call[] = []
  const cache = new LRUCache<string, number>({
    max: 5,
    ...timed(clock),
    ...hooks,
    fetchMethod: (key, stale, { signal }) => {
      const call = { ...deferred<number>(), key, stale, signal }
      calls.push(call)
      return call.promise
    },
    ...options,
  })
  return { cache, clock, calls, taken }
}
