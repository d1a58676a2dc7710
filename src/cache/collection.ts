// A cache as a collection: many keys at once, writes on a condition, iteration, bounds, counts, files.
import { pairOf, pairs, plainArray } from '../base/checks.ts'
import { InvalidOptionError } from '../base/errors.ts'
import { filePath } from '../base/file-path.ts'
import type {
  CacheKey,
  CacheStats,
  HotKey,
  RemovalListener,
  SetOptions,
  Skew,
} from '../base/types.ts'
import { checkTag } from '../loading/freshness.ts'
import { BytesOf, entries, keys } from '../native/iterate.ts'
import { binding } from '../native/native.ts'
import {
  checkIncrementOptions,
  checkInvalidateTagOptions,
  checkSetOptions,
} from './call-options.ts'
import { ConditionalWrites, type IncrementOptions } from './conditional.ts'
import { Entries } from './entries.ts'
import { type EntryInfo, infoOf } from './info.ts'
import { type CacheOptions, checkBounds, checkObject } from './options.ts'

/** All methods of a cache that never wait, but for files. See {@link Cache}, which loads as well. */
export class Collection<K extends CacheKey = string, V = unknown> extends Entries<K, V> {
  #conditionalWrites: ConditionalWrites<K, V> | undefined

  /** The values of many keys in one native call, in their order; `undefined` where there is none. */
  getMany(keys: readonly K[]): (V | undefined)[] {
    if (this.readsEach) {
      return Array.from(plainArray('keys', keys), key => this.get(key))
    }
    const list = binding.getMany(this.at, plainArray('keys', keys))
    const bytes = new BytesOf(list)
    if (this.stored.textOut && bytes.areNone) return list as (V | undefined)[]
    this.near?.decoded()
    return list.map(stored =>
      stored === undefined ? undefined : this.stored.decode(bytes.next(stored)),
    )
  }

  /**
   * Stores many values in one native call, in their order. If one is refused, those before it are
   * stored and those after it are not.
   *
   * @param entries - a `Map` or any other iterable of `[key, value]`.
   */
  setMany(entries: Iterable<readonly [K, V]>, options?: SetOptions): this {
    checkSetOptions(options)
    const noted = options?.tags !== undefined || options?.version !== undefined
    if (noted || this.writesEach) {
      for (const entry of pairs(entries)) {
        const [key, value] = pairOf(entry)
        this.set(key, value, options)
      }
      return this
    }
    const given = pairs(entries)
    const keys: K[] = []
    const values: unknown[] = []
    const lives: number[] = []
    let isDefault = true
    try {
      for (const entry of given) {
        const [key, value] = pairOf(entry)
        const life = this.lives.of(options, value, key)
        values.push(this.stored.encode(value))
        keys.push(key)
        lives.push(life ?? this.endless)
        if (life !== undefined) isDefault = false
      }
    } finally {
      this.near?.tell()
      binding.setMany(this.at, keys, values, isDefault ? undefined : lives)
    }
    return this
  }

  /** Removes many keys in one native call; how many had a value. */
  deleteMany(keys: readonly K[]): number {
    const list = plainArray('keys', keys)
    // All are removed in both or none is.
    if (this.second !== undefined) for (const key of list) this.needKey(key)
    const removed = binding.deleteMany(this.at, list)
    if (this.second !== undefined) void this.second.session.delete(list)
    return removed
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
    if (this.second !== undefined) void this.second.session.invalidateTag(tag)
    binding.invalidateTag(this.at, tag, soft ? 1 : 0)
  }

  /**
   * Copies a value of bytes into `buffer`, without making a Buffer for it.
   *
   * @returns the value's length in bytes. If that is more than `buffer` has, nothing was copied.
   * `undefined` if there is no value.
   * @throws CodecMismatchError `ERR_CODEC_MISMATCH`: the codec does not store bytes.
   *
   * @example
   * ```ts
   * import { Cache, bytes } from 'breakwater'
   *
   * const cache = new Cache({ max: 100, codec: bytes() })
   * cache.set('key', Buffer.from('value'))
   * const buffer = Buffer.alloc(16)
   * const length = cache.getInto('key', buffer)
   * assert.equal(buffer.toString('utf8', 0, length), 'value')
   * ```
   */
  getInto(key: K, buffer: Uint8Array): number | undefined {
    if (!(buffer instanceof Uint8Array)) {
      throw new InvalidOptionError('buffer', buffer, 'a Buffer or Uint8Array')
    }
    return binding.getInto(this.at, key, buffer)
  }

  /**
   * Starts an entry's life anew: it ends when it would if it was stored now. The ttl is the cache's, or
   * with {@link CacheOptions.touch} that of its own `set`. What does not end stays so.
   *
   * @returns whether there was one.
   *
   * @example
   * ```ts
   * import { Cache } from 'breakwater'
   * import { ManualClock } from 'breakwater/testing'
   *
   * const clock = new ManualClock()
   * const cache = new Cache({ max: 100, ttl: '10m', clock })
   * cache.set('session', 'alice')
   * clock.advance('9m')
   * assert.equal(cache.touch('session'), true)
   * assert.equal(cache.ttl('session'), 600_000)
   * ```
   */
  touch(key: K): boolean {
    return binding.touch(this.at, key)
  }

  /**
   * What is known of an entry. It counts no hit.
   *
   * @example
   * ```ts
   * import { Cache } from 'breakwater'
   *
   * const cache = new Cache({ max: 100, ttl: '1m' })
   * cache.set('a', '1', { tags: ['letters'], version: 7 })
   * const info = cache.info('a')
   * assert.equal(info?.version, 7)
   * assert.equal(info?.tagCount, 1)
   * assert.ok(info!.ttl > 59_000)
   * assert.equal(cache.info('b'), undefined)
   * ```
   */
  info(key: K): EntryInfo | undefined {
    return infoOf(binding.info(this.at, key))
  }

  /**
   * Adds to a number, in one step across all threads; a key that is not there counts from `initial`.
   *
   * @param options - `ttl` and `jitter` are those of an entry that this makes: one that is there keeps
   * its end.
   * @returns the sum.
   * @throws InvalidValueError `ERR_INVALID_VALUE`: the key has no number, or the sum is not finite.
   *
   * @example
   * ```ts
   * import { Cache } from 'breakwater'
   *
   * const cache = new Cache<string, number>({ max: 100 })
   * assert.equal(cache.increment('visits'), 1)
   * assert.equal(cache.increment('visits', 5), 6)
   * assert.equal(cache.increment('stock', -1, { initial: 10, ttl: '1h' }), 9)
   * ```
   */
  increment(key: K, by = 1, options?: IncrementOptions): number {
    checkIncrementOptions(options)
    return this.#conditional.increment(key, by, options)
  }

  /**
   * Stores a value unless the key has one, in one step across all threads.
   *
   * @returns whether it was stored.
   *
   * @example
   * ```ts
   * import { Cache } from 'breakwater'
   *
   * const locks = new Cache({ max: 100 })
   * assert.equal(locks.setIfAbsent('report', 'worker 1', { ttl: '30s' }), true)
   * assert.equal(locks.setIfAbsent('report', 'worker 2', { ttl: '30s' }), false)
   * ```
   */
  setIfAbsent(key: K, value: V, options?: SetOptions): boolean {
    checkSetOptions(options)
    return this.#conditional.setIfAbsent(key, value, options)
  }

  /**
   * Makes a value of the one that the key has, in one step across all threads.
   *
   * @param change - given the value, or `undefined`; gives the new one, or `undefined` to remove it.
   * It is called again if another thread was faster, and must not wait.
   * @param options - without `ttl` an entry keeps its end.
   * @returns the new value.
   *
   * @example
   * ```ts
   * import { Cache } from 'breakwater'
   *
   * const carts = new Cache<string, string[]>({ max: 100 })
   * carts.update('alice', cart => [...(cart ?? []), 'apple'])
   * assert.deepEqual(carts.update('alice', cart => [...(cart ?? []), 'pear']), ['apple', 'pear'])
   * carts.update('alice', () => undefined)
   * assert.equal(carts.has('alice'), false)
   * ```
   */
  update(
    key: K,
    change: (value: V | undefined) => V | undefined,
    options?: SetOptions,
  ): V | undefined {
    checkSetOptions(options)
    return this.#conditional.update(key, change, options)
  }

  /** Entries now, with those that expired and were not collected yet. */
  get size(): number {
    return binding.size(this.at)
  }

  /** Bytes charged now: index, keys, values, policy. Never more than `maxBytes`. */
  get bytes(): number {
    return binding.bytes(this.at)
  }

  /**
   * The keys, in no particular order. Like all iteration it works in batches and may go on while
   * any worker writes: what is there from beginning to end is visited at least once, what comes or
   * goes meanwhile may be, and a change of size may show an entry again.
   */
  keys(): Generator<K, undefined, undefined> {
    return keys<K>(this.at)
  }

  /** The values, as {@link Cache.keys} iterates. */
  *values(): Generator<V, undefined, undefined> {
    for (const [, value] of this.entries()) yield value
  }

  /** The entries, as {@link Cache.keys} iterates. */
  entries(): Generator<[K, V], undefined, undefined> {
    return entries<K, V>(this.at, stored => this.stored.decode(stored))
  }

  /** Calls `f` with each entry, as {@link Cache.keys} iterates. */
  forEach(f: (value: V, key: K, cache: this) => void): void {
    if (typeof f !== 'function') throw new InvalidOptionError('f', f, 'a function')
    for (const [key, value] of this.entries()) f(value, key, this)
  }

  /** The entries, as {@link Cache.keys} iterates. */
  [Symbol.iterator](): Generator<[K, V], undefined, undefined> {
    return this.entries()
  }

  /** Counts of the whole cache, whoever uses it: exact while one thread does. */
  stats(): CacheStats {
    return binding.stats(this.at)
  }

  /** Sets the counts back to zero. */
  resetStats(): void {
    binding.resetStats(this.at)
  }

  /** The keys read most, most read first. */
  hotKeys(limit = 10): HotKey<K>[] {
    if (!Number.isSafeInteger(limit) || limit < 0) {
      throw new InvalidOptionError('limit', limit, 'a whole number')
    }
    this.near?.tell()
    const list = binding.hotKeys(this.at, limit)
    const hot: HotKey<K>[] = []
    for (let i = 0; i < list.length; i += 2) {
      hot.push({ key: list[i] as K, count: list[i + 1] as number })
    }
    return hot
  }

  /** Which share of the reads the keys have that are read most: never too high for the sample. */
  skew(): Skew {
    this.near?.tell()
    const [top1, top10, top100] = binding.skew(this.at)
    return { top1, top10, top100 }
  }

  /** The most entries, and the most bytes, that there may be; `undefined` where that is not bounded. */
  get bounds(): { max: number | undefined; maxBytes: number | undefined } {
    const [max, maxBytes] = binding.bounds(this.at)
    return { max, maxBytes }
  }

  /** Changes the bounds and evicts what no longer fits. A bound that is left out stays. */
  resize(bounds: Pick<CacheOptions, 'max' | 'maxBytes'>): void {
    checkObject('bounds', bounds)
    const { max, maxBytes } = checkBounds(bounds)
    const [hadMax, hadMaxBytes] = binding.bounds(this.at)
    binding.resize(this.at, max ?? hadMax, maxBytes ?? hadMaxBytes)
  }

  /**
   * Writes all entries to a file, off the main thread: beside it first, renamed when complete.
   *
   * @returns how many entries.
   * @throws SnapshotIoError `ERR_SNAPSHOT_IO`: it could not be written.
   */
  async save(path: string | URL): Promise<number> {
    return binding.save(this.at, filePath(path, this.stored.slots !== undefined))
  }

  /**
   * Adds the entries of a file that {@link Cache.save} wrote, off the main thread. A damaged file
   * is refused whole.
   *
   * @returns how many entries.
   * @throws SnapshotDamagedError `ERR_SNAPSHOT_DAMAGED`: it is not an intact snapshot.
   * @throws SnapshotIoError `ERR_SNAPSHOT_IO`: it could not be read.
   * @throws SnapshotNoRoomError `ERR_SNAPSHOT_NO_ROOM`: not all of it fits.
   */
  async load(path: string | URL): Promise<number> {
    return binding.load(this.at, filePath(path, this.stored.slots !== undefined))
  }

  /**
   * Tells `listener` of entries that leave, whichever worker caused it. What this isolate causes
   * it is told of at the end of the call that caused it, or soon after when thousands were told in one
   * turn of the event loop; the rest soon after. It does not keep the process alive. Removals wait in a queue of at most 64 MB for each isolate: those that find it
   * full are not told but counted in `stats().removalsDropped`.
   *
   * @returns a function that takes the listener away.
   *
   * @example
   * ```ts
   * import { Cache } from 'breakwater'
   *
   * const cache = new Cache({ max: 100 })
   * const left: string[] = []
   * cache.onRemoval((key, value, reason) => left.push(`${key} ${value} ${reason}`))
   * cache.set('a', '1').set('a', '2').delete('a')
   * assert.deepEqual(left, ['a 1 replaced', 'a 2 deleted'])
   * ```
   */
  onRemoval(listener: RemovalListener<K, V>): () => void {
    if (typeof listener !== 'function') {
      throw new InvalidOptionError('listener', listener, 'a function')
    }
    return this.listeners.add(listener)
  }

  /** {@link Cache.close}, for `using`. */
  [Symbol.dispose](): void {
    this.close()
  }

  /** Writes on a condition; made when they are first needed. */
  get #conditional(): ConditionalWrites<K, V> {
    this.#conditionalWrites ??= new ConditionalWrites<K, V>({
      at: this.at,
      codec: this.codecName,
      values: this.stored,
      lives: this.lives,
      tellReads: () => this.near?.tell(),
      prepare: (options, life) => this.prepare(options, life),
      stored: (...stored) => void this.send(...stored),
      peek: key => this.peek(key),
      ttl: key => this.ttl(key),
      set: (key, value, options) => this.set(key, value, options),
      delete: key => this.delete(key),
      removed: key => void this.second?.session.delete([key]),
    })
    return this.#conditionalWrites
  }
}
