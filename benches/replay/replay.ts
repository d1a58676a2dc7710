/** Replays requests through caches: each is a `get`, each miss a `set`; entries have unit size. */
import { LRUCache as Peer } from 'lru-cache'
import { type Policy as AnyPolicy, policies } from '../../src/base/types.ts'
import { Cache } from '../lib/breakwater.ts'
import { LRUCache } from '../lib/drop-in.ts'
import type { Id } from './formats.ts'

/** A policy that can be replayed: one that makes room by itself. */
export type Policy = Exclude<AnyPolicy, 'none'>
/** The policies that can be replayed. */
export const POLICIES = policies.filter(policy => policy !== 'none')

/** The classes that a trace can run through: `Cache`, the drop-in and lru-cache itself. */
export const CLASSES = ['Cache', 'drop-in', 'lru-cache'] as const
/** One of {@link CLASSES}. */
export type Class = (typeof CLASSES)[number]

/** A class with one of its policies. */
export interface Side {
  class: Class
  policy: Policy
}

/** What a trace needs. */
interface Store {
  get(id: Id): string | undefined
  set(id: Id, value: string): unknown
  close?(): void
}

/** How a cache of a class is built, by those of its policies that can be replayed. */
const BUILD: Record<Class, Partial<Record<Policy, (max: number) => Store>>> = {
  Cache: {
    lru: max => new Cache<Id, string>({ max, policy: 'lru' }),
    lfu: max => new Cache<Id, string>({ max, policy: 'lfu' }),
    auto: max => new Cache<Id, string>({ max, policy: 'auto' }),
    random: max => new Cache<Id, string>({ max, policy: 'random' }),
  },
  'drop-in': {
    lru: max => new LRUCache<Id, string>({ max }),
    lfu: max => new LRUCache<Id, string>({ max, policy: 'lfu' }),
    auto: max => new LRUCache<Id, string>({ max, policy: 'auto' }),
  },
  'lru-cache': { lru: max => new Peer<Id, string>({ max }) },
}

/** The classes with each of the policies that they have. */
export function sidesOf(classes: readonly Class[], policies: readonly Policy[]): Side[] {
  return classes.flatMap(name =>
    policies.filter(policy => BUILD[name][policy]).map(policy => ({ class: name, policy })),
  )
}

/** A side's name in the report: that of the policy, for `Cache`. */
export const nameOf = (side: Side) =>
  side.class === 'Cache' ? side.policy : `${side.class} ${side.policy}`

/** A cache that a trace runs through. */
export class Replay {
  readonly side: Side
  readonly capacity: number
  requests = 0
  hits = 0
  /** Time spent in the cache, in milliseconds. */
  time = 0
  readonly #cache: Store

  constructor(side: Side, capacity: number) {
    const build = BUILD[side.class][side.policy]
    if (!build) throw new Error(`${side.class} has no policy ${side.policy}`)
    this.side = side
    this.capacity = capacity
    this.#cache = build(capacity)
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
    this.#cache.close?.()
  }
}
