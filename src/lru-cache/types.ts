// The words that a cache and its options share: the names are those of lru-cache 11.
import type { PolicyStats } from '../base/types.ts'

/** The clock of a cache. */
export interface Perf {
  /** Milliseconds since some fixed moment. */
  now: () => number
}

/** How much of the cache an entry takes up, in a unit of your own. */
export type Size = number

/** A span of time, or a moment of the cache's clock. */
export type Milliseconds = number

/** A number of entries. */
export type Count = number

/** The names of the policies. */
export const policies = ['lru', 'lfu', 'auto'] as const

/**
 * Which entry leaves when another needs its room: the one not used for longest, or one seldom
 * used. `lfu` finds more in a cache of the same size and resists scans. `auto` chooses between recency
 * and frequency by itself, by what would have been found of late.
 */
export type Policy = (typeof policies)[number]

/**
 * Why an entry left: it was the least useful of a full cache, a new value took its place, it was
 * deleted, its time was over, or a fetch gave nothing for it.
 */
export type DisposeReason = 'evict' | 'set' | 'delete' | 'expire' | 'fetch'

/** Told of a value that leaves. */
export type Disposer<K, V> = (value: V, key: K, reason: DisposeReason) => void

/** Why a value came: its key is new, it was there already, or it took another's place. */
export type InsertReason = 'add' | 'update' | 'replace'

/** Told of a value that comes. */
export type Inserter<K, V> = (value: V, key: K, reason: InsertReason) => void

/** What waits for `disposeAfter`. */
export type DisposeTask<K, V> = [value: V, key: K, reason: DisposeReason]

/** Gives the size of an entry: a whole number above 0. */
export type SizeCalculator<K, V> = (value: V, key: K) => Size

/** An entry, as `info` and `dump` give it and `load` takes it. */
export interface Entry<V> {
  /** The value. */
  value: V
  /** How long it lives. */
  ttl?: Milliseconds
  /** Its size. */
  size?: Size
  /** When its life began, on the scale of `Date.now()`. */
  start?: Milliseconds
}

/** Counts since the cache was made or `resetStats`, and sizes as they are now. Beyond lru-cache. */
export interface Stats {
  /** `get`s, `memo`s and `fetch`es that found a fresh value. */
  hits: Count
  /** Those that found none, or a stale one. */
  misses: Count
  /** Values stored. */
  sets: Count
  /** Entries deleted. */
  deletes: Count
  /** Entries evicted. */
  evictions: Count
  /** Entries that expired. */
  expirations: Count
  /** Values refused: larger than `maxEntrySize`. */
  rejected: Count
  /** Entries now, with stale ones and first fetches. */
  entries: Count
  /** What their sizes add up to. */
  size: Size
  /** With the policy `'auto'`: what it does, and why. */
  policy?: PolicyStats
}

/** New bounds. Beyond lru-cache. */
export interface ResizeOptions {
  /** The most entries. */
  max?: Count
  /** The most that all entries' sizes may add up to. */
  maxSize?: Size
  /** Of a shared cache: the most bytes, or text as `'256mb'`. */
  maxBytes?: number | string
}

/** The type of a context that there is not. */
// biome-ignore lint/suspicious/noConfusingVoidType: both mean that there is none
export type Nothing = undefined | void

/** What a cache was built with and may be changed later. */
export interface Changeable<K, V> {
  /** How long an entry lives whose `set` does not say; 0: for ever. */
  ttl: Milliseconds
  /** The clock is read once in so many milliseconds; each time, if 0. */
  ttlResolution: Milliseconds
  /** Whether entries are removed when their time is over. */
  ttlAutopurge: boolean
  /** Whether a `get` begins the entry's life anew. */
  updateAgeOnGet: boolean
  /** Whether a `has` does. */
  updateAgeOnHas: boolean
  /** Whether stale values are given back. */
  allowStale: boolean
  /** Whether a value that `set` replaces is not disposed of. */
  noDisposeOnSet: boolean
  /** Whether a `set` of a key that is there leaves its life as it is. */
  noUpdateTTL: boolean
  /** The size above which an entry is not stored; 0: none. */
  maxEntrySize: Size
  /** Gives the size of an entry whose `set` does not. */
  sizeCalculation?: SizeCalculator<K, V>
  /** Whether a fetch that fails leaves the stale entry there. */
  noDeleteOnFetchRejection: boolean
  /** Whether a `get` leaves a stale entry there. */
  noDeleteOnStaleGet: boolean
  /** Whether a fetch that is aborted gives the stale value. */
  allowStaleOnFetchAbort: boolean
  /** Whether a fetch that fails gives the stale value. */
  allowStaleOnFetchRejection: boolean
  /** Whether a fetch that is aborted goes on all the same. */
  ignoreFetchAbort: boolean
  /** What the first fetch of a key counts as, until its value is there. */
  backgroundFetchSize: number
}
