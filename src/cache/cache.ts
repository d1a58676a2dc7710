// The cache that a user sees: what never waits (collection.ts), what loads (loading-cache.ts), and writes,
// warm starts and the end.
import { checkIterable } from '../base/checks.ts'
import { CacheClosedError, InvalidHandleError, InvalidOptionError } from '../base/errors.ts'
import type { CacheHandle, CacheKey, SetOptions } from '../base/types.ts'
import type { CodecName } from '../codec/codecs.ts'
import type { Loader } from '../loading/load.ts'
import { binding } from '../native/native.ts'
import type { Second } from '../tier/second.ts'
import { hottest, roomOf, saver } from '../warm/hot-set.ts'
import { checkWarm, Warm, type WarmHost, type WarmStart } from '../warm/warm.ts'
import type { WriteBehindStats } from '../writing/behind.ts'
import type { WriteEntry } from '../writing/queue.ts'
import { type InvalidateOptions, Writing } from '../writing/writing.ts'
import { checkInvalidateOptions, checkSetOptions } from './call-options.ts'
import type { Ready } from './entries.ts'
import { apply, type Invalidation } from './invalidations.ts'
import { LoadingCache } from './loading-cache.ts'
import { Namespace, type NamespaceHost } from './namespace.ts'
import { HEAP_HAS_NO_HANDLE, type Open } from './opening.ts'
import { type CacheOptions, checkObject } from './options.ts'

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
export class Cache<K extends CacheKey = string, V = unknown> extends LoadingCache<K, V> {
  readonly #warm: Warm<K> | undefined
  #writes: Writing<K, V, Ready> | undefined
  #closing: Promise<void> | undefined

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
    const warm = checkWarm(given.warm, given.tier !== undefined)
    super(given, opening?.open)
    this.#warm = warm && new Warm(warm, this.#warmHost(), this.timers)
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
    this.events.endRemovals()
    this.endLoads()
    const written = this.#writes?.close()
    super.close()
    try {
      await written
      await save?.()
    } finally {
      await this.second?.close()
      // What was written last was told as well.
      this.events.close()
    }
  }

  get #writing(): Writing<K, V, Ready> {
    this.#writes ??= new Writing(
      this.options,
      {
        ready: (...write) => this.makeReady(...write),
        needKey: key => this.needKey(key),
        store: async (key, value, ready) => {
          // Closed meanwhile, it keeps nothing, but what the second tier has is older than the origin.
          if (this.closed) await this.forgetAll([key])
          else await this.storeReady(key, value, ready)
        },
        forget: async key => this.forgetAll([key]),
        tell: (by, keys, begun, failed) => {
          const { write } = this.events
          if (!write.isHeard) return
          write.emit({ by, keys, duration: this.timers.now() - begun, failed })
        },
      },
      this.timers,
    )
    return this.#writes
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
    const heard = this.second?.session.ready ?? Promise.resolve()
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
    checkIterable('events', events, 'an iterable of invalidations, at once or by waiting', true)
    let count = 0
    for await (const event of events) {
      if (this.closed) break
      apply(event, {
        forget: keys => void this.forgetAll(keys),
        deleteOlder: (key, version) => this.deleteOlder(key, version),
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
    return this.options.loader
  }

  /** @internal */
  protected override pendingWrite(key: K): WriteEntry<K, V> | undefined {
    return this.#writing.find(key)
  }

  #warmHost(): WarmHost<K> {
    const session = () => (this.second as Second).session
    return {
      hottest: limit =>
        hottest(this.hotKeys(limit), binding.hottest(this.at, limit) as (K | number)[], limit),
      room: () => roomOf(this, binding.bounds(this.at)),
      fetchFromTier: async key => (await this.loading.fromTier(key)) !== undefined,
      tierReady: () => session().ready,
      fleetHot: limit => session().fleetHot(limit),
      failures: () => this.second?.failures ?? 0,
      publishHot: keys => session().publishHot(keys),
      load: path => this.load(path),
      saver: (keys, path) => {
        const codec = this.options.codec ?? (this.codecName as CodecName)
        const copy = new Cache<K, V>({ max: Math.max(1, keys.length), codec, near: false })
        return saver(this, copy, keys, path)
      },
    }
  }
}
