// The drop-in for lru-cache: its class by its name, and the types that go with it.
import { LRUCache as OfOneWorker } from './cache.ts'
import type * as Types from './interface.ts'
import type * as Words from './types.ts'

export type { DisposeTask, Perf } from './types.ts'

/** Any key, any value: neither null nor undefined. */
type Some = NonNullable<unknown>

/** Makes caches. */
export interface LRUCacheConstructor {
  /**
   * Makes a cache. Another cache may be given as the options: the new one is empty.
   *
   * @throws TypeError as lru-cache does, if an option cannot be.
   * @throws InvalidOptionError `ERR_INVALID_OPTION`: an option that lru-cache does not have.
   * @throws OptionCombinationError `ERR_OPTION_COMBINATION`: options that exclude each other.
   */
  new <K extends Some, V extends Some, FC = unknown>(
    options: Types.Options<K, V, FC> | LRUCache<K, V, FC>,
  ): LRUCache<K, V, FC>
}

/**
 * A cache on the V8 heap with the interface of lru-cache 11: any key, any value, and the least
 * recently used entry leaves when there is no room.
 *
 * @example
 * ```ts
 * import { LRUCache } from 'breakwater/lru-cache'
 *
 * const cache = new LRUCache<string, number>({ max: 2 })
 * cache.set('a', 1).set('b', 2)
 * cache.get('a')
 * cache.set('c', 3) // 'b' leaves
 * assert.deepEqual([...cache.keys()], ['c', 'a'])
 * ```
 */
export const LRUCache: LRUCacheConstructor = OfOneWorker

/** A cache, of one worker or shared by all. */
export type LRUCache<K extends Some, V extends Some, FC = unknown> = Types.LRUCache<K, V, FC>

/** The types that go with the class. */
export declare namespace LRUCache {
  export type Size = Words.Size
  export type Milliseconds = Words.Milliseconds
  export type Count = Words.Count
  export type Perf = Words.Perf
  export type Policy = Words.Policy
  export type Stats = Words.Stats
  export type ResizeOptions = Words.ResizeOptions
  export type DisposeReason = Words.DisposeReason
  export type Disposer<K, V> = Words.Disposer<K, V>
  export type InsertReason = Words.InsertReason
  export type Inserter<K, V> = Words.Inserter<K, V>
  export type SizeCalculator<K, V> = Words.SizeCalculator<K, V>
  export type Status<K, V, FC = unknown> = Types.Status<K, V, FC>
  export type Fetcher<K, V, FC = unknown> = Types.Fetcher<K, V, FC>
  export type FetcherOptions<K, V, FC = unknown> = Types.FetcherOptions<K, V, FC>
  export type FetcherFetchOptions<K, V, FC = unknown> = Types.FetcherFetchOptions<K, V, FC>
  export type FetchOptions<K, V, FC> = Types.FetchOptions<K, V, FC>
  export type FetchOptionsWithContext<K, V, FC> = Types.FetchOptionsWithContext<K, V, FC>
  export type FetchOptionsNoContext<
    K,
    V,
    FC extends Words.Nothing = undefined,
  > = Types.FetchOptionsNoContext<K, V, FC>
  export type Memoizer<K, V, FC = unknown> = Types.Memoizer<K, V, FC>
  export type MemoOptions<K, V, FC = unknown> = Types.MemoOptions<K, V, FC>
  export type MemoOptionsWithContext<K, V, FC> = Types.MemoOptionsWithContext<K, V, FC>
  export type MemoOptionsNoContext<
    K,
    V,
    FC extends Words.Nothing = undefined,
  > = Types.MemoOptionsNoContext<K, V, FC>
  export type MemoizerOptions<K, V, FC = unknown> = Types.MemoizerOptions<K, V, FC>
  export type MemoizerMemoOptions<K, V, FC = unknown> = Types.MemoizerMemoOptions<K, V, FC>
  export type HasOptions<K, V, FC> = Types.HasOptions<K, V, FC>
  export type GetOptions<K, V, FC> = Types.GetOptions<K, V, FC>
  export type PeekOptions<K, V, FC> = Types.PeekOptions<K, V, FC>
  export type SetOptions<K, V, FC> = Types.SetOptions<K, V, FC>
  export type OptionsBase<K, V, FC> = Types.OptionsBase<K, V, FC>
  export type OptionsMaxLimit<K, V, FC> = Types.OptionsMaxLimit<K, V, FC>
  export type OptionsTTLLimit<K, V, FC> = Types.OptionsTTLLimit<K, V, FC>
  export type OptionsSizeLimit<K, V, FC> = Types.OptionsSizeLimit<K, V, FC>
  export type Options<K, V, FC> = Types.Options<K, V, FC>
  export type Entry<V> = Words.Entry<V>
  export type SharedOptions<K, V, FC> = Types.SharedOptions<K, V, FC>
}
