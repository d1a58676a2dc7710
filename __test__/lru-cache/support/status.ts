// What a status object says.
import type { LRUCache as Cache } from 'lru-cache'
import type { LRUCacheClass } from './implementations.ts'
import { Clock, timed } from './time.ts'

export type Status = Cache.Status<string, number>

/** What a status says, but for the cache, which must be the one that was asked. */
export function told(status: Status, cache: unknown): object {
  const { cache: self, ...rest } = status
  return { ...rest, self: self === cache }
}

/** A cache whose time is read at each look. */
export function make(LRUCache: LRUCacheClass, options: object = {}) {
  const clock = new Clock()
  const cache = new LRUCache<string, number>({ max: 5, ...timed(clock), ...options })
  return { clock, cache }
}
