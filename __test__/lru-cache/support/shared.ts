// Shared caches of a test's own.
import { LRUCache } from '../../../src/lru-cache/index.ts'
import '../../../src/lru-cache/shared/index.ts'
import { ManualClock } from '../../../src/testing.ts'

let made = 0

/** A name that no other test has. */
export function unused(): string {
  return `shared test ${made++}`
}

/** A shared cache whose time a test moves. */
export function timed(options: object = {}) {
  const clock = new ManualClock()
  const cache = new LRUCache<string, number>({ shared: unused(), max: 100, clock, ...options })
  return { cache, clock }
}
