// The settings of a cache, by the names of the options: some may change, the others are getters.

import type { Fetcher, Memoizer, OptionsBase } from './interface.ts'
import { check, type Fixed, fix } from './options.ts'
import { isPositive } from './sizes.ts'
import type {
  Changeable,
  Disposer,
  Inserter,
  Milliseconds,
  Perf,
  Policy,
  Size,
  SizeCalculator,
} from './types.ts'

/** What a cache was built with. */
export class Settings<K, V, FC> implements Changeable<K, V> {
  readonly #fixed: Fixed<K, V, FC>
  ttl: Milliseconds
  ttlResolution: Milliseconds
  ttlAutopurge: boolean
  updateAgeOnGet: boolean
  updateAgeOnHas: boolean
  allowStale: boolean
  noDisposeOnSet: boolean
  noUpdateTTL: boolean
  maxEntrySize: Size
  sizeCalculation?: SizeCalculator<K, V>
  noDeleteOnFetchRejection: boolean
  noDeleteOnStaleGet: boolean
  allowStaleOnFetchAbort: boolean
  allowStaleOnFetchRejection: boolean
  ignoreFetchAbort: boolean
  backgroundFetchSize: number

  /**
   * @throws TypeError as lru-cache does, if an option cannot be.
   * @throws InvalidOptionError `ERR_INVALID_OPTION`: an option that lru-cache does not have.
   */
  constructor(given: OptionsBase<K, V, FC>) {
    check(given)
    this.#fixed = fix(given)
    const { ttlResolution = 1, backgroundFetchSize = 1 } = given
    this.ttl = given.ttl || 0
    this.ttlResolution = isPositive(ttlResolution) || ttlResolution === 0 ? ttlResolution : 1
    this.ttlAutopurge = !!given.ttlAutopurge
    this.updateAgeOnGet = !!given.updateAgeOnGet
    this.updateAgeOnHas = !!given.updateAgeOnHas
    this.allowStale = !!given.allowStale
    this.noDisposeOnSet = !!given.noDisposeOnSet
    this.noUpdateTTL = !!given.noUpdateTTL
    this.maxEntrySize = given.maxEntrySize || given.maxSize || 0
    this.sizeCalculation = given.sizeCalculation as SizeCalculator<K, V>
    this.noDeleteOnFetchRejection = !!given.noDeleteOnFetchRejection
    this.noDeleteOnStaleGet = !!given.noDeleteOnStaleGet
    this.allowStaleOnFetchAbort = !!given.allowStaleOnFetchAbort
    this.allowStaleOnFetchRejection = !!given.allowStaleOnFetchRejection
    this.ignoreFetchAbort = !!given.ignoreFetchAbort
    this.backgroundFetchSize = backgroundFetchSize
  }

  get perf(): Perf {
    return this.#fixed.perf
  }

  get fetchMethod(): Fetcher<K, V, FC> | undefined {
    return this.#fixed.fetchMethod
  }

  get memoMethod(): Memoizer<K, V, FC> | undefined {
    return this.#fixed.memoMethod
  }

  get policy(): Policy {
    return this.#fixed.policy
  }

  get jitter(): number {
    return this.#fixed.jitter
  }

  get random(): () => number {
    return this.#fixed.random
  }

  get dispose(): Disposer<K, V> | undefined {
    return this.#fixed.dispose
  }

  get onInsert(): Inserter<K, V> | undefined {
    return this.#fixed.onInsert
  }

  get disposeAfter(): Disposer<K, V> | undefined {
    return this.#fixed.disposeAfter
  }
}
