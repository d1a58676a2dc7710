// A cache that loads and tells of it: `fetch` and its kind, the second tier that they read, events.
import { InvalidOptionError } from '../base/errors.ts'
import { type Timers, timersOf } from '../base/timers.ts'
import type { CacheKey, CacheStats } from '../base/types.ts'
import { type CacheEventName, type CacheListener, Events } from '../events/events.ts'
import type { BatchLoader } from '../loading/batch.ts'
import { type LoadStats, noLoads } from '../loading/counts.ts'
import type { Loader } from '../loading/load.ts'
import { Loading } from '../loading/loading.ts'
import { checkLoader, type FetchOptions } from '../loading/options.ts'
import { binding } from '../native/native.ts'
import type { WriteEntry } from '../writing/queue.ts'
import { checkFetchManyOptions, checkFetchOptions } from './call-options.ts'
import { Collection } from './collection.ts'
import type { Open } from './opening.ts'
import type { CacheOptions } from './options.ts'
import { openSecond } from './second-tier.ts'

/** How long the version of a value that was removed is remembered, in milliseconds. */
const REMEMBERED = 60_000

/** All methods of a cache that load. See {@link Cache}, which writes and tells as well. */
export abstract class LoadingCache<K extends CacheKey = string, V = unknown> extends Collection<
  K,
  V
> {
  readonly #options: CacheOptions<V, K>
  readonly #timers: Timers
  readonly #events: Events<K>
  /** Whether anybody hears of hits: of its own, since reads of near copies count in nanoseconds. */
  #hitsHeard = false
  #loads: Loading<K, V> | undefined

  /** @param open - opens the cache of these options. */
  protected constructor(options: CacheOptions<V, K>, open: Open | undefined) {
    super(options, open)
    this.#options = options
    this.#timers = timersOf(options.clock)
    this.#events = new Events(this.name, isHeard => {
      this.#hitsHeard = isHeard
    })
    try {
      const host = () => this.loadingHost(this.#timers, this.#events)
      const second = openSecond(options, host, () => this.clearHere())
      if (second !== undefined) this.attachSecond(second)
      this.#events.tellRemovals(listener => this.onRemoval(listener))
    } catch (error) {
      super.close()
      void this.second?.close()
      throw error
    }
  }

  /** @internal */
  protected get options(): CacheOptions<V, K> {
    return this.#options
  }

  /** @internal */
  protected get timers(): Timers {
    return this.#timers
  }

  /** @internal */
  protected get events(): Events<K> {
    return this.#events
  }

  /**
   * The write behind of a key that has not reached the origin yet.
   * @internal
   */
  protected abstract pendingWrite(key: K): WriteEntry<K, V> | undefined

  /**
   * The value of a key: the one that the cache has, or else the one that the loader gives, which is
   * called once for all who ask meanwhile, in all threads of the process.
   *
   * What the loader gives is handed as it is to who asked in its thread: do not change it.
   *
   * @returns `undefined` if the loader gave that.
   * @throws NoLoaderError `ERR_NO_LOADER`: there is no value, and no loader was given.
   * @throws LoadTimeoutError `ERR_LOAD_TIMEOUT`: see {@link LoadingOptions.timeout}.
   * @throws what the loader throws. In another thread, an error of the same name, message and fields.
   *
   * @example
   * ```ts
   * import { Cache, json } from 'breakwater'
   *
   * interface User { name: string }
   * let loads = 0
   * const users = new Cache({
   *   max: 1000,
   *   ttl: '5m',
   *   staleWhileRevalidate: '1m',
   *   codec: json<User>(),
   *   loader: async (id: string) => {
   *     loads++
   *     return { name: `user ${id}` }
   *   },
   * })
   * const all = await Promise.all([users.fetch('1'), users.fetch('1'), users.fetch('1')])
   * assert.deepEqual(all[2], { name: 'user 1' })
   * assert.equal(loads, 1)
   * ```
   */
  fetch(key: K, options?: FetchOptions<K, V>): Promise<V | undefined> {
    try {
      return Promise.resolve(this.fetchSync(key, options))
    } catch (error) {
      return Promise.reject(error)
    }
  }

  /**
   * As {@link Cache.fetch}, but a value that the cache has is given at once, not by a promise.
   *
   * @example
   * ```ts
   * import { Cache } from 'breakwater'
   *
   * const cache = new Cache({ max: 10, loader: async (key: string) => key.toUpperCase() })
   * assert.equal(await cache.fetchSync('a'), 'A')
   * assert.equal(cache.fetchSync('a'), 'A')
   * ```
   */
  fetchSync(key: K, options?: FetchOptions<K, V>): V | undefined | Promise<V | undefined> {
    if (options === undefined || options === null) {
      return this.#nearHit(key) ?? this.loading.fetch(key, undefined, undefined)
    }
    const { loader, fresh } = options
    if (loader !== undefined) checkLoader('loader', loader)
    checkFetchOptions(options)
    const copy = fresh === true ? undefined : this.#nearHit(key)
    return copy ?? this.loading.fetch(key, loader, options)
  }

  /**
   * As {@link Cache.fetch} with this loader.
   *
   * @example
   * ```ts
   * import { Cache } from 'breakwater'
   *
   * const cache = new Cache({ max: 10 })
   * assert.equal(await cache.getOrSet('a', async key => `value of ${key}`), 'value of a')
   * assert.equal(cache.get('a'), 'value of a')
   * ```
   */
  getOrSet(key: K, loader: Loader<K, V>, options?: FetchOptions<K, V>): Promise<V | undefined> {
    try {
      return Promise.resolve(this.getOrSetSync(key, loader, options))
    } catch (error) {
      return Promise.reject(error)
    }
  }

  /** As {@link Cache.fetchSync} with this loader. */
  getOrSetSync(
    key: K,
    loader: Loader<K, V>,
    options?: FetchOptions<K, V>,
  ): V | undefined | Promise<V | undefined> {
    checkLoader('loader', loader)
    if (options === undefined || options === null) {
      return this.#nearHit(key) ?? this.loading.fetch(key, loader, undefined)
    }
    checkFetchOptions(options)
    const copy = options.fresh === true ? undefined : this.#nearHit(key)
    return copy ?? this.loading.fetch(key, loader, options)
  }

  /**
   * Whether a key has a value here, or in the second tier. Nothing is loaded.
   *
   * @example
   * ```ts
   * import { Cache } from 'breakwater'
   *
   * const cache = new Cache({ max: 10 }).set('a', 1)
   * assert.equal(await cache.fetchHas('a'), true)
   * assert.equal(await cache.fetchHas('b'), false)
   * ```
   */
  async fetchHas(key: K): Promise<boolean> {
    if (this.has(key)) return true
    const held = await this.second?.session.get(key)
    return held !== undefined && held.freshFor > 0
  }

  /**
   * The values of many keys, in their order: those that the cache does not have are loaded together
   * with all others that are missed in this tick, at most `batch.maxBatch` at a time, and each of them
   * once for all who ask.
   *
   * @param batchLoader - goes before the cache's.
   * @throws what the batch loader throws, or gives for a key: the first of them.
   *
   * @example
   * ```ts
   * import { Cache } from 'breakwater'
   *
   * const cache = new Cache({ max: 10 })
   * cache.set('a', 'known')
   * const values = await cache.fetchMany(['a', 'b', 'c'], async keys => {
   *   assert.deepEqual(keys, ['b', 'c'])
   *   return keys.map(key => `value of ${key}`)
   * })
   * assert.deepEqual(values, ['known', 'value of b', 'value of c'])
   * ```
   */
  async fetchMany(
    keys: readonly K[],
    batchLoader?: BatchLoader<K, V>,
    options?: Omit<FetchOptions<K, V>, 'loader'>,
  ): Promise<(V | undefined)[]> {
    if (!Array.isArray(keys)) throw new InvalidOptionError('keys', keys, 'an array')
    if (batchLoader !== undefined) checkLoader('batchLoader', batchLoader)
    checkFetchManyOptions(options)
    const loader = batchLoader && this.loading.batched(batchLoader)
    // A key that cannot be fails as a load does, so that no load before it is left unheard.
    return Promise.all(
      keys.map(async key => {
        const copy = options?.fresh === true ? undefined : this.#nearHit(key)
        return copy ?? this.loading.fetch(key, loader, options ?? undefined)
      }),
    )
  }

  /**
   * Counts of the whole cache, whoever uses it, which are exact while one thread does; and of the loads
   * of this instance.
   *
   * @example
   * ```ts
   * import { Cache } from 'breakwater'
   *
   * const cache = new Cache({ max: 10, loader: async (key: string) => key.toUpperCase() })
   * await Promise.all([cache.fetch('a'), cache.fetch('a')])
   * await cache.fetch('a')
   * const { hits, misses, loads, coalesced } = cache.stats()
   * assert.deepEqual({ hits, misses, loads, coalesced }, { hits: 1, misses: 2, loads: 1, coalesced: 1 })
   * ```
   */
  override stats(): CacheStats & LoadStats {
    return { ...super.stats(), ...(this.#loads?.counts ?? noLoads()) }
  }

  override resetStats(): void {
    super.resetStats()
    if (this.#loads !== undefined) Object.assign(this.#loads.counts, noLoads())
  }

  /**
   * Tells `listener` of what this instance does: see {@link CacheEvents}. Events of reads are those of
   * `fetch` and its kind; `get`s are counted by {@link Cache.stats}. What nobody listens to costs
   * nothing; the same goes out by `node:diagnostics_channel` as `breakwater:hit` and so on.
   *
   * @returns a function that takes the listener away.
   *
   * @example
   * ```ts
   * import { Cache } from 'breakwater'
   *
   * const cache = new Cache({ max: 10, loader: (key: string) => key.toUpperCase() })
   * const seen: string[] = []
   * cache.on('miss', ({ key }) => seen.push(`miss ${key}`))
   * cache.on('hit', ({ key }) => seen.push(`hit ${key}`))
   * await cache.fetch('a')
   * await cache.fetch('a')
   * assert.deepEqual(seen, ['miss a', 'hit a'])
   * ```
   */
  on<E extends CacheEventName>(event: E, listener: CacheListener<E, K>): () => void {
    this.needOpen()
    return this.#events.on(event, listener)
  }

  /** As {@link Cache.on}, of the next event alone. */
  once<E extends CacheEventName>(event: E, listener: CacheListener<E, K>): () => void {
    this.needOpen()
    return this.#events.once(event, listener)
  }

  /**
   * Removes a listener that {@link Cache.on} or {@link Cache.once} added; of several of one function
   * the last that was added. Nothing happens if there is none, or the cache is closed.
   */
  off<E extends CacheEventName>(event: E, listener: CacheListener<E, K>): void {
    this.#events.off(event, listener)
  }

  /**
   * Forgets keys; when the second tier has as well, if there is one.
   * @internal
   */
  protected forgetAll(keys: readonly K[]): Promise<void> | undefined {
    if (!this.closed) binding.deleteMany(this.at, keys)
    return this.second?.session.delete(keys)
  }

  /**
   * Removes a value that is older than `version`, and keeps older ones from coming back.
   * @internal
   */
  protected deleteOlder(key: K, version: number): void {
    if (!this.closed && binding.deleteOlder(this.at, key, version, REMEMBERED)) {
      void this.second?.session.delete([key])
    }
  }

  /** What a near copy gives, which is a hit. */
  #nearHit(key: K): V | undefined {
    const copy = this.nearCopy(key)
    if (copy !== undefined && this.#hitsHeard) this.#events.hit.emit({ key })
    return copy
  }

  /** @internal */
  protected endLoads(): void {
    this.#loads?.close()
  }

  /**
   * The loads of this instance, which the first call makes.
   * @internal
   */
  protected get loading(): Loading<K, V> {
    if (this.#loads === undefined) {
      const pending = this.#options.writeBehind && ((key: K) => this.pendingWrite(key))
      const host = { ...this.loadingHost(this.#timers, this.#events), pending }
      this.#loads = new Loading(host, this.#options, this.second)
    }
    return this.#loads
  }
}
