// The cache that a user sees: what never waits (collection.ts), and what loads, writes and tells.
import { CacheClosedError, InvalidHandleError, InvalidOptionError } from '../base/errors.ts'
import { type Timers, timersOf } from '../base/timers.ts'
import type { CacheHandle, CacheKey, CacheStats, SetOptions } from '../base/types.ts'
import type { CodecName } from '../codec/codecs.ts'
import { type CacheEventName, type CacheListener, Events } from '../events/events.ts'
import type { BatchLoader } from '../loading/batch.ts'
import { type LoadStats, noLoads } from '../loading/counts.ts'
import { checkTag } from '../loading/freshness.ts'
import type { Loader } from '../loading/load.ts'
import { Loading } from '../loading/loading.ts'
import { checkLoader, type FetchOptions } from '../loading/options.ts'
import { binding } from '../native/native.ts'
import type { Second } from '../tier/second.ts'
import { hottest, roomOf, saver } from '../warm/hot-set.ts'
import { checkWarm, Warm, type WarmHost, type WarmStart } from '../warm/warm.ts'
import type { WriteBehindStats } from '../writing/behind.ts'
import { type InvalidateOptions, Writing } from '../writing/writing.ts'
import {
  checkFetchManyOptions,
  checkFetchOptions,
  checkInvalidateOptions,
  checkInvalidateTagOptions,
  checkSetOptions,
} from './call-options.ts'
import { Collection } from './collection.ts'
import { apply, type Invalidation } from './invalidations.ts'
import { Namespace, type NamespaceHost } from './namespace.ts'
import { HEAP_HAS_NO_HANDLE, type Open } from './opening.ts'
import { type CacheOptions, checkObject } from './options.ts'
import { openSecond } from './second-tier.ts'

/** How a cache that is there already is opened; what is left out is as the cache has it. */
export type OpenCacheOptions<V = unknown, K extends CacheKey = CacheKey> = Omit<
  CacheOptions<V, K>,
  'name'
>

/** What the constructor takes instead of options, by `open` and `attach`. */
class Opening {
  constructor(
    readonly open: Open,
    readonly options: object,
  ) {}
}

/**
 * A cache off the V8 heap, which every worker of the process can share.
 *
 * Every method but `close`, `closed` and `name` throws `ERR_CACHE_CLOSED` once the cache is closed,
 * and `ERR_INVALID_KEY` or `ERR_KEY_TOO_LONG` for a key that is no {@link CacheKey}.
 *
 * @example
 * ```ts
 * import { Cache, json } from 'breakwater'
 *
 * interface User { name: string }
 *
 * const users = new Cache<string, User>({
 *   name: 'users', // the same name in any worker of the process is the same cache
 *   max: 100_000,
 *   maxBytes: '256mb',
 *   policy: 'lfu',
 *   ttl: '5m',
 *   jitter: 0.1, // each entry lives ttl x (1 ± 0.1)
 *   codec: json<User>(),
 * })
 * users.set('1', { name: 'Alice' })
 * assert.equal(users.get('1')?.name, 'Alice')
 * assert.equal(users.get('2'), undefined)
 * ```
 */
export class Cache<K extends CacheKey = string, V = unknown> extends Collection<K, V> {
  readonly #options: CacheOptions<V, K>
  readonly #timers: Timers
  readonly #events: Events<K>
  readonly #second: Second | undefined
  readonly #warm: Warm<K> | undefined
  #writes: Writing<K, V> | undefined
  #closing: Promise<void> | undefined
  #loads: Loading<K, V> | undefined

  /**
   * Makes a cache, or opens the one of this `name`. A cache that has to be made needs a bound.
   *
   * @throws NoSuchCacheError `ERR_NO_SUCH_CACHE`: there is no bound, and no cache of this `name`.
   * @throws InvalidOptionError `ERR_INVALID_OPTION`: an option that cannot be.
   * @throws OptionCombinationError `ERR_OPTION_COMBINATION`: options that do not go together.
   * @throws OptionConflictError `ERR_OPTION_CONFLICT`: the cache of this name is different.
   */
  constructor(options: CacheOptions<V, K>) {
    const opening = options instanceof Opening ? options : undefined
    const given = opening === undefined ? options : (opening.options as CacheOptions<V, K>)
    checkObject('options', given)
    super(given, opening?.open)
    this.#options = given
    this.#timers = timersOf(given.clock)
    this.#events = new Events(this.name)
    try {
      const warm = checkWarm(given.warm, given.tier !== undefined)
      const host = () => this.loadingHost(this.#timers, this.#events)
      this.#second = openSecond(given, host, () => this.clearHere())
      if (this.#second !== undefined) this.attachSecond(this.#second)
      this.#events.tellRemovals(listener => this.onRemoval(listener))
      this.#warm = warm && new Warm(warm, this.#warmHost(), this.#timers)
    } catch (error) {
      super.close()
      void this.#second?.close()
      throw error
    }
  }

  /**
   * Opens the cache of a name, which must be there already.
   *
   * @param options - as those of the constructor: how this instance loads and writes, and whatever it
   * relies on. `codec`: needed if the cache has a codec of your own.
   * @throws NoSuchCacheError `ERR_NO_SUCH_CACHE`: no open cache of this process has this name.
   * @throws OptionConflictError `ERR_OPTION_CONFLICT`: the cache of this name is different.
   *
   * @example
   * ```ts
   * import { Cache } from 'breakwater'
   *
   * const first = new Cache({ name: 'pages', max: 100 })
   * const same = Cache.open('pages')
   * first.set('/', 'home')
   * assert.equal(same.get('/'), 'home')
   * ```
   */
  static open<K extends CacheKey = string, V = unknown>(
    name: string,
    options: OpenCacheOptions<V, K> = {},
  ): Cache<K, V> {
    checkObject('options', options)
    const open: Open = asked => {
      if (asked.name === undefined)
        throw new InvalidOptionError('name', name, 'the name of a cache')
      return binding.open({ ...asked, max: undefined, maxBytes: undefined })
    }
    return new Cache<K, V>(new Opening(open, { ...options, name }) as unknown as CacheOptions<V, K>)
  }

  /**
   * Opens the cache of a handle that another worker posted.
   *
   * @param options - as those of {@link Cache.open}.
   * @throws InvalidHandleError `ERR_INVALID_HANDLE`: it is closed, or of another process.
   * @throws OptionConflictError `ERR_OPTION_CONFLICT`: the cache of this handle is different.
   *
   * @example
   * ```ts
   * import { Cache } from 'breakwater'
   *
   * const cache = new Cache({ max: 100 })
   * // worker.postMessage(cache.handle), and there:
   * const same = Cache.attach(cache.handle)
   * cache.set('key', 'value')
   * assert.equal(same.get('key'), 'value')
   * ```
   */
  static attach<K extends CacheKey = string, V = unknown>(
    handle: CacheHandle,
    options: OpenCacheOptions<V, K> = {},
  ): Cache<K, V> {
    checkObject('options', options)
    const { breakwater: id, process }: Partial<CacheHandle> = handle ?? {}
    if (typeof id !== 'number' || typeof process !== 'string') {
      throw new InvalidHandleError('a handle must be the `handle` of a cache')
    }
    const open: Open = ({ clock }) => {
      const native = binding.attach(id, process, clock)
      if (native.codec !== 'heap') return native
      binding.close(native.number)
      throw new InvalidHandleError(HEAP_HAS_NO_HANDLE)
    }
    return new Cache<K, V>(new Opening(open, options) as unknown as CacheOptions<V, K>)
  }

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
    if (options === undefined) {
      return this.#nearHit(key) ?? this.#loading.fetch(key, undefined, undefined)
    }
    checkFetchOptions(options)
    const { loader, fresh } = options
    if (loader !== undefined) checkLoader('loader', loader)
    const copy = fresh === true ? undefined : this.#nearHit(key)
    return copy ?? this.#loading.fetch(key, loader, options)
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
    checkFetchOptions(options)
    const copy = options?.fresh === true ? undefined : this.#nearHit(key)
    return copy ?? this.#loading.fetch(key, loader, options)
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
    const held = await this.#second?.session.get(key)
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
    const loader = batchLoader && this.#loading.batched(batchLoader)
    // A key that cannot be fails as a load does, so that no load before it is left unheard.
    return Promise.all(
      keys.map(async key => {
        const copy = options?.fresh === true ? undefined : this.#nearHit(key)
        return copy ?? this.#loading.fetch(key, loader, options)
      }),
    )
  }

  /**
   * Removes all values that were stored with a tag, however many, in one step. A load that is under
   * way keeps its right to store only if it does not have the tag.
   *
   * @param options - `stale`: they stay for who takes stale values, as if they had come to their end.
   *
   * @example
   * ```ts
   * import { Cache } from 'breakwater'
   *
   * const cache = new Cache({ max: 10 })
   * cache.set('a', '1', { tags: ['letters'] }).set('b', '2', { tags: ['letters', 'other'] })
   * cache.invalidateTag('letters')
   * assert.equal(cache.get('b'), undefined)
   * ```
   */
  invalidateTag(tag: string, options?: { stale?: boolean | undefined }): void {
    checkInvalidateTagOptions(options)
    const soft = options?.stale ?? false
    if (typeof soft !== 'boolean') throw new InvalidOptionError('stale', soft, 'true or false')
    checkTag(tag)
    // Before it is done here: what another thread reads from now on is looked at again.
    if (this.#second !== undefined) void this.#second.session.invalidateTag(tag)
    binding.invalidateTag(this.at, tag, soft ? 1 : 0)
  }

  /**
   * Stores a value where it really belongs, by the `writer`, and then in the cache; or in the cache,
   * and later where it belongs, with `writeBehind`. Without either it is a `set` that waits for the
   * second tier.
   *
   * @throws WriteFailedError `ERR_WRITE_FAILED`: the writer failed. The cache has no value then.
   * @throws WriteQueueFullError `ERR_WRITE_QUEUE_FULL`: see {@link WriteBehindOptions.whenFull}.
   *
   * @example
   * ```ts
   * import { Cache } from 'breakwater'
   *
   * const database = new Map<string, string>()
   * const cache = new Cache<string, string>({
   *   max: 10,
   *   loader: key => database.get(key),
   *   writer: async entry => {
   *     if (entry.kind === 'set') database.set(entry.key, entry.value)
   *     else database.delete(entry.key)
   *   },
   * })
   * await cache.put('a', '1')
   * assert.equal(database.get('a'), '1')
   * assert.equal(cache.get('a'), '1')
   * ```
   */
  async put(key: K, value: V, options?: SetOptions): Promise<void> {
    this.needOpen()
    checkSetOptions(options)
    return this.#writing.put(key, value, options)
  }

  /** Removes a key as {@link Cache.put} stores one. */
  async remove(key: K): Promise<void> {
    this.needOpen()
    return this.#writing.remove(key)
  }

  /**
   * Removes a key from the cache and its second tier, because it changed where it really is; with
   * `again` once more after a while.
   *
   * @example
   * ```ts
   * import { Cache } from 'breakwater'
   *
   * const cache = new Cache({ max: 10 })
   * cache.set('a', '1')
   * await cache.invalidate('a', { again: '500ms' })
   * assert.equal(cache.has('a'), false)
   * ```
   */
  async invalidate(key: K, options?: InvalidateOptions): Promise<void> {
    this.needOpen()
    checkInvalidateOptions(options)
    return this.#writing.invalidate(key, options)
  }

  /** Resolves when the writes that came before have reached the origin, or were given up. */
  async flush(): Promise<void> {
    this.needOpen()
    await this.#writes?.flush()
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

  /** What became of writes behind; `undefined` if there are none. */
  get writeStats(): WriteBehindStats | undefined {
    this.needOpen()
    return this.#writes?.stats
  }

  /**
   * Lets the cache go: nothing is loaded any more, and what is to be written behind is. The last
   * instance of the process to do so frees its memory; until then the others go on. Closing twice does
   * nothing.
   *
   * @returns resolves when everything is written and connections of its own are closed.
   */
  override close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  /** {@link Cache.close}, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #close(): Promise<void> {
    const save = this.#warm?.close()
    this.#events.endRemovals()
    this.#loads?.close()
    const written = this.#writes?.close()
    super.close()
    try {
      await written
      await save?.()
    } finally {
      await this.#second?.close()
      // What was written last was told as well.
      this.#events.close()
    }
  }

  get #writing(): Writing<K, V> {
    this.#writes ??= new Writing(
      this.#options,
      {
        store: async (key, value, options) => {
          await this.storeAll(key, value, options)
        },
        forget: async key => this.forgetAll([key]),
        tell: (by, keys, begun, failed) => {
          const { write } = this.#events
          if (!write.isHeard) return
          write.emit({ by, keys, duration: this.#timers.now() - begun, failed })
        },
      },
      this.#timers,
    )
    return this.#writes
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
   * What a warm start brought, when it is over (see {@link WarmOptions}) and changes in the second tier
   * are heard of, or cannot be for now. Never rejects.
   *
   * @example
   * ```ts
   * import { Cache } from 'breakwater'
   *
   * const cache = new Cache({ max: 10 })
   * assert.deepEqual(await cache.ready, { loaded: 0, complete: true })
   * ```
   */
  get ready(): Promise<WarmStart> {
    if (this.closed) return Promise.reject(new CacheClosedError())
    if (this.#warm !== undefined) return this.#warm.ready
    const heard = this.#second?.session.ready ?? Promise.resolve()
    return heard.then(() => ({ loaded: 0, complete: true }))
  }

  /**
   * Does invalidations as they come, in their order, until there are no more or the cache is closed.
   * An event that cannot be fails it; those before it are done.
   *
   * @param events - such as the entries of a Redis stream: see the guide.
   * @returns how many were done.
   *
   * @example
   * ```ts
   * import { Cache } from 'breakwater'
   *
   * async function* changes() {
   *   yield { namespace: 'users', keys: ['1'], version: 7 }
   * }
   * const cache = new Cache({ max: 10 })
   * const users = cache.namespace('users')
   * users.set('1', 'old', { version: 6 })
   * await cache.consume(changes())
   * users.set('1', 'late', { version: 6 })
   * assert.equal(users.get('1'), undefined)
   * users.set('1', 'new', { version: 7 })
   * assert.equal(users.get('1'), 'new')
   * ```
   */
  async consume(
    events: AsyncIterable<Invalidation<K>> | Iterable<Invalidation<K>>,
  ): Promise<number> {
    this.needOpen()
    let count = 0
    for await (const event of events) {
      if (this.closed) break
      apply(event, {
        forget: keys => void this.forgetAll(keys),
        bury: (key, version) => this.buryAll(key, version),
      })
      count++
    }
    return count
  }

  /**
   * A view of this cache whose keys begin with `name` and a colon: for versions of what values are, for
   * tenants. Its `clear` takes one step.
   *
   * @example
   * ```ts
   * import { Cache } from 'breakwater'
   *
   * const cache = new Cache({ max: 100 })
   * const users = cache.namespace('users-v2')
   * users.set('1', 'Alice')
   * assert.equal(cache.get('users-v2:1'), 'Alice')
   * users.clear()
   * assert.equal(users.get('1'), undefined)
   * ```
   */
  namespace(name: string): Namespace<V> {
    this.needOpen()
    return new Namespace(this as unknown as NamespaceHost<V>, name)
  }

  /** What `fetch` calls, for views of this cache. @internal */
  get loader(): Loader<K, V> | undefined {
    return this.#options.loader
  }

  /** What a near copy gives, which is a hit. */
  #nearHit(key: K): V | undefined {
    const copy = this.nearCopy(key)
    if (copy !== undefined && this.#events.hit.isHeard) this.#events.hit.emit({ key })
    return copy
  }

  #warmHost(): WarmHost<K> {
    const session = () => (this.#second as Second).session
    return {
      hottest: limit =>
        hottest(this.hotKeys(limit), binding.hottest(this.at, limit) as (K | number)[], limit),
      room: () => roomOf(this, binding.bounds(this.at)),
      fetchFromTier: async key => (await this.#loading.fromTier(key)) !== undefined,
      tierReady: () => session().ready,
      fleetHot: limit => session().fleetHot(limit),
      failures: () => this.#second?.failures ?? 0,
      publishHot: keys => session().publishHot(keys),
      load: path => this.load(path),
      saver: (keys, path) => {
        const codec = this.#options.codec ?? (this.codecName as CodecName)
        const copy = new Cache<K, V>({ max: Math.max(1, keys.length), codec, near: false })
        return saver(this, copy, keys, path)
      },
    }
  }

  get #loading(): Loading<K, V> {
    if (this.#loads === undefined) {
      const pending = this.#options.writeBehind && ((key: K) => this.#writing.find(key))
      const host = { ...this.loadingHost(this.#timers, this.#events), pending }
      this.#loads = new Loading(host, this.#options, this.#second)
    }
    return this.#loads
  }
}
