/** The caches that are compared where keys are of any type and values are numbers. */
import hashlru from 'hashlru'
import { createLRU } from 'lru.min'
import { LRUCache as Peer } from 'lru-cache'
import { LRUMap, LRUMapWithDelete } from 'mnemonist'
import QuickLRU from 'quick-lru'
import { lru as tinyLru } from 'tiny-lru'
import { Cache, type CacheOptions, number } from './breakwater.ts'
import { LRUCache } from './drop-in.ts'
import { OURS, PEER } from './sides.ts'

/** A key: anything but undefined and null. */
export type Key = NonNullable<unknown>

/** What all of them can do. */
export interface NumberMap {
  get(key: Key): number | undefined | null
  set(key: Key, value: number): unknown
  /** Frees what is not on JavaScript's heap. */
  close?(): void
}

/** The drop-in, by the name under which it is reported. */
export const DROP_IN = 'drop-in'

/** `Cache` without its near cache. */
export const OURS_FAR = `${OURS} without near`

const ours = (options: CacheOptions<number>): NumberMap =>
  new Cache<string, number>({
    ...options,
    policy: 'lru',
    codec: number(),
  }) as unknown as NumberMap

/** Builders of all sides, ours first: of the most entries that they may hold. */
export const ANY_KEY: Readonly<Record<string, (max: number) => NumberMap>> = {
  [OURS]: max => ours({ max }),
  [OURS_FAR]: max => ours({ max, near: false }),
  [DROP_IN]: max => new LRUCache<Key, number>({ max }),
  [PEER]: max => new Peer<Key, number>({ max }),
  'tiny-lru': max => tinyLru<number>(max) as unknown as NumberMap,
  'quick-lru': max => new QuickLRU<Key, number>({ maxSize: max }),
  'lru.min': max => createLRU<Key, number>({ max }),
  mnemonist: max => new LRUMap<Key, number>(max),
  'mnemonist with delete': max => new LRUMapWithDelete<Key, number>(max),
  // Its types name a default export, and it is a CommonJS module that is the function itself.
  hashlru: max => (hashlru as unknown as (max: number) => NumberMap)(max),
  Map: () => new Map<Key, number>(),
}

/** The side that keeps no bound: the floor of what the others can reach. */
export const FLOOR = 'Map'
