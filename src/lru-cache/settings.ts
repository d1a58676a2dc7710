// The settings of a cache, by the names of the options: some may change, the others are getters.
import { check, type Fixed, fix } from './options.ts'
import { isPositive } from './sizes.ts'
import type * as Types from './types.ts'

/** What a cache was built with. */
export class Settings<K, V, FC> {
  readonly #fixed: Fixed<K, V, FC>
  /** How long an entry lives whose `set` does not say; 0: for ever. */
  ttl: Types.Milliseconds
  /** The clock is read once in so many milliseconds; each time, if 0. */
  ttlResolution: Types.Milliseconds
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
  maxEntrySize: Types.Size
  /** Gives the size of an entry whose `set` does not. */
  sizeCalculation?: Types.SizeCalculator<K, V>
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

  /**
   * @throws TypeError as lru-cache does, if an option cannot be.
   * @throws InvalidOptionError `ERR_INVALID_OPTION`: an option that lru-cache does not have.
   */
  constructor(given: Types.OptionsBase<K, V, FC>) {
    check(given)
    this.#fixed = fix(given)
    const { ttlResolution = 1 } = given
    this.ttl = given.ttl || 0
    this.ttlResolution = isPositive(ttlResolution) || ttlResolution === 0 ? ttlResolution : 1
    this.ttlAutopurge = !!given.ttlAutopurge
    this.updateAgeOnGet = !!given.updateAgeOnGet
    this.updateAgeOnHas = !!given.updateAgeOnHas
    this.allowStale = !!given.allowStale
    this.noDisposeOnSet = !!given.noDisposeOnSet
    this.noUpdateTTL = !!given.noUpdateTTL
    this.maxEntrySize = given.maxEntrySize || given.maxSize || 0
    this.sizeCalculation = given.sizeCalculation as Types.SizeCalculator<K, V>
    this.noDeleteOnFetchRejection = !!given.noDeleteOnFetchRejection
    this.noDeleteOnStaleGet = !!given.noDeleteOnStaleGet
    this.allowStaleOnFetchAbort = !!given.allowStaleOnFetchAbort
    this.allowStaleOnFetchRejection = !!given.allowStaleOnFetchRejection
    this.ignoreFetchAbort = !!given.ignoreFetchAbort
    this.backgroundFetchSize = given.backgroundFetchSize ?? 1
  }

  /** The clock. */
  get perf(): Types.Perf {
    return this.#fixed.perf
  }

  /** Where `fetch` takes values from. */
  get fetchMethod(): Types.Fetcher<K, V, FC> | undefined {
    return this.#fixed.fetchMethod
  }

  /** Where `memo` takes values from. */
  get memoMethod(): Types.Memoizer<K, V, FC> | undefined {
    return this.#fixed.memoMethod
  }

  /** Which entry leaves when another needs its room. Beyond lru-cache. */
  get policy(): Types.Policy {
    return this.#fixed.policy
  }

  /** Each entry lives its ttl x (1 ± `jitter`). Beyond lru-cache. */
  get jitter(): number {
    return this.#fixed.jitter
  }

  /** Draws the jitter. Beyond lru-cache. */
  get random(): () => number {
    return this.#fixed.random
  }

  /** Told of each value that leaves, before it does. */
  get dispose(): Types.Disposer<K, V> | undefined {
    return this.#fixed.dispose
  }

  /** Told of each value that comes. */
  get onInsert(): Types.Inserter<K, V> | undefined {
    return this.#fixed.onInsert
  }

  /** Told of each value that left. */
  get disposeAfter(): Types.Disposer<K, V> | undefined {
    return this.#fixed.disposeAfter
  }
}
