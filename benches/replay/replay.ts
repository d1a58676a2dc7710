/** Replays requests through caches: each is a `get`, each miss a `set`; entries have unit size. */
import { Cache } from '../lib/breakwater.ts'
import type { Id } from './formats.ts'

/** The policies that can be replayed. */
export const POLICIES = ['lru', 'lfu', 'random'] as const
/** One of {@link POLICIES}. */
export type Policy = (typeof POLICIES)[number]

/** A cache that a trace runs through. */
export class Replay {
  readonly policy: Policy
  readonly capacity: number
  requests = 0
  hits = 0
  /** Time spent in the cache, in milliseconds. */
  time = 0
  readonly #cache: Cache<Id, string>

  constructor(policy: Policy, capacity: number) {
    this.policy = policy
    this.capacity = capacity
    this.#cache = new Cache<Id, string>({ max: capacity, policy })
  }

  /** Sends requests. */
  run(ids: ArrayLike<Id>): void {
    const cache = this.#cache
    let hits = 0
    const start = performance.now()
    for (let at = 0; at < ids.length; at++) {
      const id = ids[at] as Id
      if (cache.get(id) !== undefined) hits++
      else cache.set(id, '')
    }
    this.time += performance.now() - start
    this.requests += ids.length
    this.hits += hits
  }

  /** The share of requests that found their key, in percent. */
  get ratio(): number {
    return (this.hits / this.requests) * 100
  }

  /** Million requests a second. */
  get rate(): number {
    return this.requests / this.time / 1000
  }

  close(): void {
    this.#cache.close()
  }
}
