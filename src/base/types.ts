// The shapes that the methods of a cache take and give.

/**
 * A key: a string, a number or bytes. Keys of different types are different keys, as in a `Map`:
 * `1`, `'1'` and `Buffer.from('1')` are three. At most 65,535 bytes.
 */
export type CacheKey = string | number | Uint8Array

/**
 * Which entry leaves when another needs its room.
 *
 * - `lru`: the one not used for longest.
 * - `lfu`: one seldom used; resists scans.
 * - `auto`: by recency, by frequency or by something between, whichever hits most of late.
 * - `random`: any.
 * - `none`: no entry leaves; a `set` that does not fit throws `ERR_CACHE_FULL`.
 */
export type Policy = 'lru' | 'lfu' | 'auto' | 'random' | 'none'

/** All policies. */
export const policies: readonly Policy[] = ['lru', 'lfu', 'auto', 'random', 'none']

/**
 * What the policy `auto` hits as much of as it can.
 *
 * - `hits`: reads, each of which counts alike.
 * - `bytes`: bytes of keys and values. For what is paid by the byte: traffic, disks.
 * - `cost`: the time that loading took. What `fetch` and its kind load says how long it took; what is
 *   `set` counts as a millisecond.
 */
export type Weigh = 'hits' | 'bytes' | 'cost'

/** All that can be weighed. */
export const weighs: readonly Weigh[] = ['hits', 'bytes', 'cost']

/** A span of time: milliseconds, or text as `'250ms'`, `'30s'`, `'5m'`, `'2h'`, `'1d'`, `'1w'`. */
export type Duration = number | string

/**
 * An amount of memory: bytes, text as `'512kb'`, `'256mb'`, `'2gb'` (powers of 1024), or a share as
 * `'25%'` of the memory that the process may use: its cgroup's limit, or else the machine's.
 */
export type Size = number | string

/** Why an entry left. */
export type RemovalReason = 'evicted' | 'expired' | 'deleted' | 'replaced' | 'cleared'

/**
 * Told of an entry that left. What it throws is reported as an uncaught exception and stops
 * neither the call that removed the entry nor other listeners.
 */
export type RemovalListener<K, V> = (key: K, value: V, reason: RemovalReason) => void

/** How one entry differs from the cache's defaults. */
export interface SetOptions {
  /** How long the entry lives. `Infinity`: until something evicts or deletes it. */
  ttl?: Duration | undefined
  /** The entry lives `ttl` x (1 ± `jitter`), drawn evenly: from 0 up to, not including, 1. */
  jitter?: number | undefined
  /** Names by which {@link Cache.invalidateTag} finds the entry: at most 64, of 256 characters. */
  tags?: readonly string[] | undefined
  /**
   * The value's version, a whole number: it does not take the place of a value that has a higher
   * one. A value without takes the place of any.
   */
  version?: number | undefined
}

/** How much a near cache keeps, and how. */
export interface NearOptions {
  /** The most copies; {@link CacheOptions.max} if that is less; 8,192 if left out. */
  max?: number | undefined
  /** The most bytes: of each copy those that its value takes in the cache; 16 MB if left out. */
  maxBytes?: Size | undefined
  /** Whether the values that are handed out are frozen, with all that they hold. */
  freeze?: boolean | undefined
}

/** Counts since the cache was made or `resetStats`, and sizes as they are now. */
export interface CacheStats {
  /** `get`s that found an entry. */
  hits: number
  /** Of these, those that the near caches of the isolates answered. */
  nearHits: number
  /** `get`s that found none. */
  misses: number
  /** Entries stored. */
  sets: number
  /** Entries deleted. */
  deletes: number
  /** Entries evicted. */
  evictions: number
  /** Entries that expired. */
  expirations: number
  /** Entries refused: too large, or the cache was full and its policy `none`. */
  rejected: number
  /** Removals that this instance's `onRemoval` listeners were not told of: see there. */
  removalsDropped: number
  /** Entries now, with those that expired and were not collected yet. */
  entries: number
  /** Bytes charged now: index, keys, values, policy. */
  bytes: number
  /** Of these, bytes that are neither key nor value. */
  overhead: number
  /** The policy, and for `auto` what it does now and why. */
  policy: PolicyStats
}

/**
 * What a cache evicts by. All but `name` is for `auto` alone: it runs small copies of the cache,
 * without values, under several rules, and lets the rule evict whose copy hits most of late.
 */
export interface PolicyStats {
  /** The policy. */
  name: Policy
  /**
   * The rule in force, in most shards: `'s3-fifo'`, `'s3-fifo-2'`, `'s3-fifo-20'`, `'s3-fifo-40'`
   * (the share of the small queue in per cent; 10 without a number), `'clock'` (recency),
   * `'tinylfu-1'`, `'tinylfu-10'` (frequency); where entries weigh differently, as bounds by bytes
   * have it, also `'s3-fifo-2-weighed'`.
   */
  rule?: string
  /** What is weighed. */
  weigh?: Weigh
  /**
   * Each rule's hit ratio of late, 0 to 1, in its copy: why `rule` is in force. Of reads, of bytes or of
   * cost, as `weigh` says.
   */
  hitRatios?: Record<string, number>
  /** One key of so many is followed; 0: the copies are not at work, since nothing was evicted yet or
   * the bounds are too small. */
  sampled?: number
  /** How often the rules were compared. */
  judged?: number
  /** How often another rule came into force. */
  switches?: number
}

/** A key that is read often. */
export interface HotKey<K> {
  /** The key. */
  key: K
  /** How often it was read, estimated from a sample of the reads. */
  count: number
}

/** Which share of the reads of late the keys have that are read most, from 0 to 1, from a sample. */
export interface Skew {
  /** Of the one key that is read most. */
  top1: number
  /** Of the 10 keys that are read most. */
  top10: number
  /** Of the 100 keys that are read most. */
  top100: number
}

/**
 * What opens a cache in another worker of the same process: post it there and give it to
 * {@link Cache.attach}. It keeps nothing alive.
 */
export interface CacheHandle {
  /** The cache's number. */
  readonly breakwater: number
  /** The process in which it has that number. */
  readonly process: string
}
