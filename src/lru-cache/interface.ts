// What a cache is to the compiler: its options, its methods and what they tell, which speak of one
// another and so stand in one file.
import '../base/platform.ts'
import type { SharedStore } from './shared-options.ts'
import type { Report } from './status.ts'
import type {
  Changeable,
  Count,
  Disposer,
  Entry,
  Inserter,
  Milliseconds,
  Nothing,
  Perf,
  Policy,
  ResizeOptions,
  Size,
  SizeCalculator,
  Stats,
} from './types.ts'

/** What a {@link Fetcher} is told besides the key and the value that it replaces. */
export interface FetcherOptions<K, V, FC = unknown> {
  /** Aborted when the result is of no use any more. */
  signal: AbortSignal
  /** The options of the fetch. What a fetcher changes here counts when its value is stored. */
  options: FetcherFetchOptions<K, V, FC>
  /** What the caller gave as `context`. */
  context: FC
}

/** Filled in by the method that it is given to: what happened, and why. */
export interface Status<K, V, FC = unknown> extends Report<K, V> {
  /** The cache. */
  cache?: LRUCache<K & Some, V & Some, FC>
}

/** The options of a cache that say how a value is read and stored, which a call may override. */
type Stored =
  | 'allowStale'
  | 'updateAgeOnGet'
  | 'noDeleteOnStaleGet'
  | 'sizeCalculation'
  | 'ttl'
  | 'noDisposeOnSet'
  | 'noUpdateTTL'

/** Those that say what becomes of a fetch, likewise. */
type Fetched =
  | 'noDeleteOnFetchRejection'
  | 'allowStaleOnFetchRejection'
  | 'ignoreFetchAbort'
  | 'allowStaleOnFetchAbort'

/** What a fetch may override, as a {@link Fetcher} sees it. */
export interface FetcherFetchOptions<K, V, FC = unknown>
  extends Pick<OptionsBase<K, V, FC>, Stored | Fetched> {
  /** Filled in. */
  status?: Status<K, V, FC>
  /** The size of the entry. */
  size?: Size
}

/** The options of `fetch` and `forceFetch`. */
export interface FetchOptions<K, V, FC> extends FetcherFetchOptions<K, V, FC> {
  /** Fetches even if the entry is fresh. */
  forceRefresh?: boolean
  /** Handed to the `fetchMethod`. */
  context?: FC
  /** Aborts the fetch. */
  signal?: AbortSignal
}

/** The options of a fetch that must have a context. */
export interface FetchOptionsWithContext<K, V, FC> extends FetchOptions<K, V, FC> {
  /** Handed to the `fetchMethod`. */
  context: FC
}

/** The options of a fetch that has no context. */
export interface FetchOptionsNoContext<K, V, FC extends Nothing = undefined>
  extends FetchOptions<K, V, FC> {
  /** Nothing. */
  context?: FC
}

/** The options of `memo`. */
export interface MemoOptions<K, V, FC = unknown>
  extends Pick<OptionsBase<K, V, FC>, Stored | Fetched> {
  /** Computes even if there is a value. */
  forceRefresh?: boolean
  /** Handed to the `memoMethod`. */
  context?: FC
  /** Filled in. */
  status?: Status<K, V, FC>
}

/** The options of a `memo` that must have a context. */
export interface MemoOptionsWithContext<K, V, FC> extends MemoOptions<K, V, FC> {
  /** Handed to the `memoMethod`. */
  context: FC
}

/** The options of a `memo` that has no context. */
export interface MemoOptionsNoContext<K, V, FC extends Nothing = undefined>
  extends MemoOptions<K, V, FC> {
  /** Nothing. */
  context?: FC
}

/** What a {@link Memoizer} is told besides the key and the value that it replaces. */
export interface MemoizerOptions<K, V, FC = unknown> {
  /** What the value will be stored with. A memoizer may change it. */
  options: MemoizerMemoOptions<K, V, FC>
  /** What the caller gave as `context`. */
  context: FC
}

/** What a {@link Memoizer} may override. */
export interface MemoizerMemoOptions<K, V, FC = unknown>
  extends Pick<OptionsBase<K, V, FC>, Stored> {
  /** Filled in. */
  status?: Status<K, V, FC>
  /** The size of the entry. */
  size?: Size
  /** When the entry's life began. */
  start?: Milliseconds
}

/** The options of `has`. */
export interface HasOptions<K, V, FC> extends Pick<OptionsBase<K, V, FC>, 'updateAgeOnHas'> {
  /** Filled in. */
  status?: Status<K, V, FC>
}

/** The options of `get`. */
export interface GetOptions<K, V, FC>
  extends Pick<OptionsBase<K, V, FC>, 'allowStale' | 'updateAgeOnGet' | 'noDeleteOnStaleGet'> {
  /** Filled in. */
  status?: Status<K, V, FC>
}

/** The options of `peek`. */
export interface PeekOptions<K, V, FC> extends Pick<OptionsBase<K, V, FC>, 'allowStale'> {
  /** Filled in. */
  status?: Status<K, V, FC>
}

/** The options of `set`. */
export interface SetOptions<K, V, FC>
  extends Pick<
    OptionsBase<K, V, FC>,
    'sizeCalculation' | 'ttl' | 'noDisposeOnSet' | 'noUpdateTTL' | 'jitter'
  > {
  /** The size of the entry: `sizeCalculation` is not asked then. */
  size?: Size
  /** When the entry's life began, by the cache's clock; now, if left out. */
  start?: Milliseconds
  /** Filled in. */
  status?: Status<K, V, FC>
}

/** Finds the value of a key elsewhere. */
export type Fetcher<K, V, FC = unknown> = (
  key: K,
  staleValue: V | undefined,
  options: FetcherOptions<K, V, FC>,
) => Promise<V | Nothing> | V | Nothing

/** Computes the value of a key. */
export type Memoizer<K, V, FC = unknown> = (
  key: K,
  staleValue: V | undefined,
  options: MemoizerOptions<K, V, FC>,
) => V

/** How to build a cache. At least one of `max`, `maxSize` and `ttl` must be given. */
export interface OptionsBase<K, V, FC> {
  /** The most entries. */
  max?: Count
  /** How long an entry lives, a whole number above 0; for ever, if left out or 0. */
  ttl?: Milliseconds
  /** The clock is read once in so many milliseconds; each time, if 0. 1 if left out. */
  ttlResolution?: Milliseconds
  /** Removes entries when their time is over, and not only when they are asked for. */
  ttlAutopurge?: boolean
  /** A `get` begins the entry's life anew. */
  updateAgeOnGet?: boolean
  /** A `has` begins the entry's life anew. */
  updateAgeOnHas?: boolean
  /** Gives stale values back, for the last time. */
  allowStale?: boolean
  /** Told of each value that leaves, before it does. Must not change the cache. */
  dispose?: Disposer<K, V>
  /** Told of each value that comes. */
  onInsert?: Inserter<K, V>
  /** Told of each value that left, when the call that removed it is done. */
  disposeAfter?: Disposer<K, V>
  /** A value that `set` replaces is not disposed of. */
  noDisposeOnSet?: boolean
  /** A `set` of a key that is there leaves its life as it is. */
  noUpdateTTL?: boolean
  /** The most that all entries' sizes may add up to. */
  maxSize?: Size
  /** What the first fetch of a key counts as, until its value is there. 1 if left out. */
  backgroundFetchSize?: number
  /** The size above which an entry is not stored; `maxSize`, if left out. */
  maxEntrySize?: Size
  /** Gives the size of an entry whose `set` does not. */
  sizeCalculation?: SizeCalculator<K, V>
  /** Where `fetch` takes values from. */
  fetchMethod?: Fetcher<K, V, FC>
  /** Where `memo` takes values from. */
  memoMethod?: Memoizer<K, V, FC>
  /** A fetch that fails leaves the stale entry there. */
  noDeleteOnFetchRejection?: boolean
  /** A `get` leaves a stale entry there. */
  noDeleteOnStaleGet?: boolean
  /** A fetch that fails gives the stale value. */
  allowStaleOnFetchRejection?: boolean
  /** A fetch that is aborted gives the stale value. */
  allowStaleOnFetchAbort?: boolean
  /** A fetch that is aborted goes on all the same. */
  ignoreFetchAbort?: boolean
  /** The clock: `performance`, if left out. */
  perf?: Perf
  /** Beyond lru-cache: which entry leaves when another needs its room; `'lru'` if left out. */
  policy?: Policy
  /**
   * Beyond lru-cache: each entry lives its ttl x (1 ± `jitter`), drawn evenly: from 0 up to, not
   * including, 1.
   */
  jitter?: number
  /** Beyond lru-cache: draws the jitter, evenly from 0 up to, not including, 1. */
  random?: () => number
}

/** Options with `max`. */
export interface OptionsMaxLimit<K, V, FC> extends OptionsBase<K, V, FC> {
  /** The most entries. */
  max: Count
}

/** Options with `ttl` alone: entries must leave by themselves then. */
export interface OptionsTTLLimit<K, V, FC> extends OptionsBase<K, V, FC> {
  /** How long an entry lives. */
  ttl: Milliseconds
  /** Whether entries are removed when their time is over. */
  ttlAutopurge: boolean
}

/** Options with `maxSize`. */
export interface OptionsSizeLimit<K, V, FC> extends OptionsBase<K, V, FC> {
  /** The most that all entries' sizes may add up to. */
  maxSize: Size
}

/** The options of a cache that every worker of the process shares. Beyond lru-cache. */
export interface SharedOptions<K, V, FC>
  extends SharedStore<V>,
    Pick<
      OptionsBase<K, V, FC>,
      | 'max'
      | 'ttl'
      | 'jitter'
      | 'random'
      | 'policy'
      | 'updateAgeOnGet'
      | 'updateAgeOnHas'
      | 'noUpdateTTL'
      | 'fetchMethod'
      | 'memoMethod'
      | 'allowStaleOnFetchRejection'
      | 'ignoreFetchAbort'
      | 'noDeleteOnFetchRejection'
      | 'ttlAutopurge'
    > {}

/** How to build a cache: bounded by at least one of `max`, `maxSize` and `ttl`, or `shared`. */
export type Options<K, V, FC> =
  | OptionsMaxLimit<K, V, FC>
  | OptionsSizeLimit<K, V, FC>
  | OptionsTTLLimit<K, V, FC>
  | SharedOptions<K, V, FC>

/** Any key, any value: neither null nor undefined. */
type Some = NonNullable<unknown>

/** The options of `fetch`, whose context is needed or not as the type of contexts says. */
export type Fetching<K, V, FC> = unknown extends FC
  ? FetchOptions<K, V, FC>
  : FC extends Nothing
    ? FetchOptionsNoContext<K, V, FC>
    : FetchOptionsWithContext<K, V, FC>

/** The options of `memo`, likewise. */
export type Memoizing<K, V, FC> = unknown extends FC
  ? MemoOptions<K, V, FC>
  : FC extends Nothing
    ? MemoOptionsNoContext<K, V, FC>
    : MemoOptionsWithContext<K, V, FC>

/** The type, unless a context is needed. */
export type Contextless<FC, T> = unknown extends FC ? T : FC extends Nothing ? T : never

/** Called for an entry. */
export type Visitor<K extends Some, V extends Some, FC, T> = (
  value: V,
  key: K,
  cache: LRUCache<K, V, FC>,
) => T

/** A cache, whether it is of one worker or shared by all. */
export interface LRUCache<K extends Some, V extends Some, FC = unknown> extends Changeable<K, V> {
  /** The most entries; 0: any number. */
  get max(): Count
  /** The most that all entries' sizes may add up to; 0: anything. */
  get maxSize(): Size
  /** What all entries' sizes add up to. */
  get calculatedSize(): Size
  /** How many entries there are, with stale ones and first fetches. */
  get size(): Count
  /** The clock. */
  get perf(): Perf
  /** Where `fetch` takes values from. */
  get fetchMethod(): Fetcher<K, V, FC> | undefined
  /** Where `memo` takes values from. */
  get memoMethod(): Memoizer<K, V, FC> | undefined
  /** Told of each value that leaves, before it does. */
  get dispose(): Disposer<K, V> | undefined
  /** Told of each value that comes. */
  get onInsert(): Inserter<K, V> | undefined
  /** Told of each value that left. */
  get disposeAfter(): Disposer<K, V> | undefined
  /** Which entry leaves when another needs its room. Beyond lru-cache. */
  get policy(): Policy
  /** Each entry lives its ttl x (1 ± `jitter`). Beyond lru-cache. */
  get jitter(): number
  /** Draws the jitter. Beyond lru-cache. */
  get random(): () => number
  /** What `Object.prototype.toString` calls it. */
  get [Symbol.toStringTag](): string

  /**
   * Stores a value, as the newest entry. `undefined` deletes the key.
   *
   * @throws TypeError if sizes are bounded and there is none, or one where they are not.
   */
  set(key: K, value: V | undefined, options?: SetOptions<K, V, FC>): this

  /** The value of a key, which becomes the newest entry; a stale one is deleted. */
  get(key: K, options?: GetOptions<K, V, FC>): V | undefined

  /** As {@link LRUCache.get}, but the order stays as it is, and nothing is deleted. */
  peek(key: K, options?: PeekOptions<K, V, FC>): V | undefined

  /** Whether a key has a value that is not stale. The order stays as it is. */
  has(key: K, options?: HasOptions<K, V, FC>): boolean

  /** Deletes a key; whether it was there. */
  delete(key: K): boolean

  /** Deletes all entries. */
  clear(): void

  /** Evicts the oldest entry and gives its value. */
  pop(): V | undefined

  /**
   * The value of a key: the cached one if it is fresh, or else what `fetchMethod` gives, which is
   * stored. Callers that ask for a key at the same time share one call. Without a `fetchMethod`,
   * as {@link LRUCache.get}.
   *
   * @example
   * ```ts
   * import { LRUCache } from 'breakwater/lru-cache'
   *
   * const cache = new LRUCache<string, number>({ max: 10, fetchMethod: async key => key.length })
   * assert.equal(await cache.fetch('four'), 4)
   * assert.equal(cache.get('four'), 4)
   * ```
   */
  fetch(key: K, options: Fetching<K, V, FC>): Promise<V | undefined>
  fetch(
    key: Contextless<FC, K>,
    options?: Contextless<FC, Fetching<K, V, FC>>,
  ): Promise<V | undefined>

  /** As {@link LRUCache.fetch}, but it fails if there is no value. */
  forceFetch(key: K, options: Fetching<K, V, FC>): Promise<V>
  forceFetch(key: Contextless<FC, K>, options?: Contextless<FC, Fetching<K, V, FC>>): Promise<V>

  /**
   * The value of a key: the cached one if it is fresh, or else what `memoMethod` gives, which is
   * stored.
   *
   * @throws Error if there is no `memoMethod`.
   */
  memo(key: K, options: Memoizing<K, V, FC>): V
  memo(key: Contextless<FC, K>, options?: Contextless<FC, Memoizing<K, V, FC>>): V

  /** The value of the first entry, from the newest on, of which a function says yes; it is used. */
  find(fn: Visitor<K, V, FC, boolean>, options?: GetOptions<K, V, FC>): V | undefined

  /** Calls a function for each entry, from the newest on. The order stays as it is. */
  forEach(fn: Visitor<K, V, FC, unknown>, self?: unknown): void

  /** As {@link LRUCache.forEach}, from the oldest on. */
  rforEach(fn: Visitor<K, V, FC, unknown>, self?: unknown): void

  /** The keys, from the newest on. The order stays as it is; entries may be deleted meanwhile. */
  keys(): Generator<K, void, unknown>

  /** As {@link LRUCache.keys}, from the oldest on. */
  rkeys(): Generator<K, void, unknown>

  /** The values, from the newest on. */
  values(): Generator<V, void, unknown>

  /** As {@link LRUCache.values}, from the oldest on. */
  rvalues(): Generator<V | undefined, void, unknown>

  /** The keys and values, from the newest on. */
  entries(): Generator<[K, V], void, unknown>

  /** As {@link LRUCache.entries}, from the oldest on. */
  rentries(): Generator<[K, V], void, unknown>

  /** As {@link LRUCache.entries}. */
  [Symbol.iterator](): Generator<[K, V], void, unknown>

  /** What is known of an entry, a stale one as well: `ttl` is what remains of its life. */
  info(key: K): Entry<V> | undefined

  /** All entries, from the oldest on, stale ones as well, for {@link LRUCache.load}. */
  dump(): [K, Entry<V>][]

  /** Puts entries in the place of those that are there. */
  load(entries: Iterable<[K, Entry<V>]>): void

  /** Deletes stale entries; whether there were any. */
  purgeStale(): boolean

  /** How long an entry still lives: `Infinity` without a ttl, 0 if there is none. */
  getRemainingTTL(key: K): Milliseconds

  /** The values of many keys, in their order, as {@link LRUCache.get}. Beyond lru-cache. */
  getMany(keys: Iterable<K>, options?: GetOptions<K, V, FC>): (V | undefined)[]

  /** Stores many values, in their order, as {@link LRUCache.set}. Beyond lru-cache. */
  setMany(entries: Iterable<readonly [K, V]>, options?: SetOptions<K, V, FC>): this

  /** Counts since the cache was made, or since {@link LRUCache.resetStats}. Beyond lru-cache. */
  stats(): Stats

  /** Sets the counts back to zero. Beyond lru-cache. */
  resetStats(): void

  /**
   * Changes the bounds; what does not fit any more is evicted. Beyond lru-cache.
   *
   * @throws TypeError if a bound cannot be, or `maxSize` is given where entries have no sizes.
   */
  resize(bounds: ResizeOptions): void

  /**
   * Lets the cache go: one of this worker's own is cleared; a shared one stays for the others, and
   * methods of this instance throw `ERR_CACHE_CLOSED`. Beyond lru-cache.
   */
  close(): void

  /** {@link LRUCache.close}, for `using`. Beyond lru-cache. */
  [Symbol.dispose](): void
}
