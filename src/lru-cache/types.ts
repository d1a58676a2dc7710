// The shapes that the drop-in's methods take and give: the names are those of lru-cache 11.
import type { LRUCache } from './index.ts'
import type { SharedOptions } from './shared/options.ts'

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

/**
 * Which entry leaves when another needs its room: the one not used for longest, or one seldom
 * used. `lfu` finds more in a cache of the same size and resists scans.
 */
export type Policy = 'lru' | 'lfu'

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
export interface Status<K, V, FC = unknown> {
  /** The method. */
  op?: 'get' | 'set' | 'memo' | 'fetch' | 'delete' | 'has' | 'peek'
  /** What `set` did; `miss`: the entry is too large and was not stored. */
  set?: 'add' | 'update' | 'replace' | 'miss' | 'deleted'
  /** Why an entry was removed. */
  delete?: DisposeReason
  /** What `peek` found. */
  peek?: 'hit' | 'miss' | 'stale'
  /** Whether `memo` found a value. */
  memo?: 'hit' | 'miss'
  /** What was given as `context`. */
  context?: unknown
  /** How long the entry lives. */
  ttl?: Milliseconds
  /** When its life began. */
  start?: Milliseconds
  /** The moment that its age was computed for. */
  now?: Milliseconds
  /** How long it still lives; below 0 if it is stale. */
  remainingTTL?: Milliseconds
  /** The size of the entry. */
  entrySize?: Size
  /** The size of all entries. */
  totalCalculatedSize?: Size
  /** The entry is larger than `maxEntrySize`. */
  maxEntrySizeExceeded?: true
  /** The key. */
  key?: K
  /** The value that was stored or found. */
  value?: V
  /** The value that was replaced. */
  oldValue?: V
  /** What `has` found. */
  has?: 'hit' | 'stale' | 'miss'
  /** What `fetch` found; `get`: the cache has no `fetchMethod`. */
  fetch?: 'get' | 'inflight' | 'miss' | 'hit' | 'stale' | 'refresh'
  /** Whether a refresh was asked for. */
  forceRefresh?: boolean
  /** The `fetchMethod` was called. */
  fetchDispatched?: true
  /** What it gave was stored. */
  fetchUpdated?: true
  /** Why the fetch failed. */
  fetchError?: Error
  /** It was aborted. */
  fetchAborted?: true
  /** It was aborted, and what it gave counts all the same. */
  fetchAbortIgnored?: true
  /** The `fetchMethod` gave a result. */
  fetchResolved?: true
  /** The `fetchMethod` failed. */
  fetchRejected?: true
  /** What `get` found. */
  get?: 'stale' | 'hit' | 'miss' | 'fetching' | 'stale-fetching'
  /** A stale value was given back. */
  returnedStale?: true
  /** A trace of this fetch was begun. */
  trace?: boolean
  /** The cache. */
  cache?: LRUCache<K & NonNullable<unknown>, V & NonNullable<unknown>, FC>
}

/** What a fetch may override, as a {@link Fetcher} sees it. */
export interface FetcherFetchOptions<K, V, FC = unknown>
  extends Pick<
    OptionsBase<K, V, FC>,
    | 'allowStale'
    | 'updateAgeOnGet'
    | 'noDeleteOnStaleGet'
    | 'sizeCalculation'
    | 'ttl'
    | 'noDisposeOnSet'
    | 'noUpdateTTL'
    | 'noDeleteOnFetchRejection'
    | 'allowStaleOnFetchRejection'
    | 'ignoreFetchAbort'
    | 'allowStaleOnFetchAbort'
  > {
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

/** The type of a context that there is not. */
// biome-ignore lint/suspicious/noConfusingVoidType: both mean that there is none
export type Nothing = undefined | void

/** The options of a fetch that has no context. */
export interface FetchOptionsNoContext<K, V, FC extends Nothing = undefined>
  extends FetchOptions<K, V, FC> {
  /** Nothing. */
  context?: FC
}

/** The options of `memo`. */
export interface MemoOptions<K, V, FC = unknown>
  extends Pick<
    OptionsBase<K, V, FC>,
    | 'allowStale'
    | 'updateAgeOnGet'
    | 'noDeleteOnStaleGet'
    | 'sizeCalculation'
    | 'ttl'
    | 'noDisposeOnSet'
    | 'noUpdateTTL'
    | 'noDeleteOnFetchRejection'
    | 'allowStaleOnFetchRejection'
    | 'ignoreFetchAbort'
    | 'allowStaleOnFetchAbort'
  > {
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
  extends Pick<
    OptionsBase<K, V, FC>,
    | 'allowStale'
    | 'updateAgeOnGet'
    | 'noDeleteOnStaleGet'
    | 'sizeCalculation'
    | 'ttl'
    | 'noDisposeOnSet'
    | 'noUpdateTTL'
  > {
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

/** How to build a cache: bounded by at least one of `max`, `maxSize` and `ttl`, or `shared`. */
export type Options<K, V, FC> =
  | OptionsMaxLimit<K, V, FC>
  | OptionsSizeLimit<K, V, FC>
  | OptionsTTLLimit<K, V, FC>
  | SharedOptions<K, V, FC>

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
