// What is there and what is not: the methods of a cache that never wait, each one native call.
import { plainArray } from '../base/checks.ts'
import { CacheClosedError, InvalidHandleError, InvalidOptionError } from '../base/errors.ts'
import { filePath } from '../base/file-path.ts'
import { Lifetimes } from '../base/lifetimes.ts'
import type { Timers } from '../base/timers.ts'
import type {
  CacheHandle,
  CacheKey,
  CacheStats,
  Duration,
  HotKey,
  RemovalListener,
  SetOptions,
} from '../base/types.ts'
import { milliseconds } from '../base/units.ts'
import { codingOf } from '../codec/codecs.ts'
import { Values } from '../codec/values.ts'
import type { Events } from '../events/events.ts'
import { Listeners } from '../events/removal-listeners.ts'
import { earlyWindow, noteOf } from '../loading/freshness.ts'
import type { LoadingHost } from '../loading/host.ts'
import { checkLoading, graceOf, type LoadingPolicy } from '../loading/options.ts'
import { BytesOf, entries, keys } from '../native/iterate.ts'
import { binding, type Native, receivers, type Stored } from '../native/native.ts'
import { openPort, STATE, State } from '../native/port.ts'
import { Near } from '../near/near.ts'
import type { Second } from '../tier/second.ts'
import { ConditionalWrites, type IncrementOptions, type Prepared } from './conditional.ts'
import { type EntryInfo, infoOf } from './info.ts'
import {
  agreedCoding,
  type CacheOptions,
  check,
  checkAgreement,
  checkBounds,
  checkGrace,
  checkNear,
  checkObject,
  checkTouch,
  kindOfValues,
  type NearLimits,
  needBound,
  type OpenOptions,
} from './options.ts'

// Constants, so that V8 knows what the hottest methods call: see `enter_cache` in the binding.
const { get, getAndTouch, getNear, peek, has, set, delete: remove } = binding

/** How long the version of a value that was removed is remembered, in milliseconds. */
const REMEMBERED = 60_000

/** Why a cache has no handle. */
export const HEAP_HAS_NO_HANDLE = "a cache of codec 'heap' belongs to one isolate: it has no handle"

/** Opens a cache. */
export type Open = (options: OpenOptions) => Native

/** The cache of this name, or else a new one. */
function make(options: OpenOptions): Native {
  needBound(options)
  return binding.open(options)
}

/**
 * Reads and writes of a cache, all of them done when they return. See {@link Cache}, which loads as
 * well.
 */
export class Store<K extends CacheKey = string, V = unknown> {
  readonly #policy: LoadingPolicy
  readonly #native: Native
  /** What the native side knows this instance by. */
  readonly #at: number
  readonly #values: Values<V>
  readonly #lives: Lifetimes<K, V>
  readonly #listeners: Listeners<K, V>
  /** Whether a `set` of text or a number without options needs nothing done here. */
  readonly #textIn: boolean
  /** Whether a `set` of any other value does neither. */
  readonly #otherIn: boolean
  /** Whether values are loaded anew before their end, also those that were set. */
  readonly #refreshes: boolean
  /** Whether what does not come out as bytes comes out as it is. */
  readonly #textOut: boolean
  #near: Near<V> | undefined
  /** The near cache, unless it rests. */
  #reads: Near<V> | undefined
  readonly #read: (stored: Stored) => V
  /** Whether each read that hits begins an entry's life anew. */
  readonly #touches: boolean
  #conditionalWrites: ConditionalWrites<K, V> | undefined
  #closed = false
  /** What is written here goes there as well. */
  #second: Second | undefined

  /** @param open - opens the cache of these options. */
  protected constructor(options: CacheOptions<V, K>, open: Open = make) {
    this.#policy = checkLoading(options)
    const asked = check(options, graceOf(this.#policy))
    this.#native = open(asked)
    this.#at = this.#native.number
    try {
      if (!this.#native.created) checkAgreement(options, asked, this.#native)
      checkGrace(this.#policy, this.#native)
      const coding = agreedCoding(codingOf(options.codec), this.#native)
      this.#touches = checkTouch(options)
      // A copy would answer where the cache is to know of the read.
      const near = this.#touches ? undefined : checkNear(options.near, coding, this.#native.max)
      this.#values = new Values(coding, near?.freeze ?? false)
      this.#textOut = this.#values.textOut
      this.#read = stored => this.#values.read(stored)
      this.#near = near && this.#openNear(near)
      this.#reads = this.#near
    } catch (error) {
      binding.close(this.#at)
      throw error
    }
    const { ttl, jitter } = this.#native
    const ttlOf = typeof options.ttl === 'function' ? options.ttl : undefined
    this.#lives = new Lifetimes(ttl, jitter, options.random ?? Math.random, ttlOf)
    this.#refreshes = this.#policy.refreshAhead !== undefined
    const asGiven = !this.#lives.drawn && !this.#refreshes && options.tier === undefined
    this.#textIn = asGiven && this.#values.textIn
    this.#otherIn = asGiven && this.#values.allIn
    const must = this.#values.slots === undefined ? 0 : 1
    this.#listeners = new Listeners(receivers, this.#values, {
      on: () => binding.listen(this.#at, must),
      off: () => binding.unlisten(this.#at),
    })
  }

  #openNear({ bounds, longestKey }: NearLimits): Near<V> | undefined {
    const { policy, codec, systemClock } = this.#native
    return Near.open<V>({
      ...bounds,
      at: this.#at,
      exact: policy === 'lru',
      systemClock,
      values: kindOfValues(codec),
      longestKey,
    })
  }

  /**
   * What the native side knows this instance by.
   * @internal
   */
  protected get at(): number {
    return this.#at
  }

  /**
   * For what does not ask the native side at once.
   *
   * @throws CacheClosedError `ERR_CACHE_CLOSED`: this instance was closed.
   * @internal
   */
  protected needOpen(): void {
    if (this.#closed) throw new CacheClosedError()
  }

  /**
   * The name of its codec.
   * @internal
   */
  protected get codecName(): string {
    return this.#native.codec
  }

  /** The name, if it has one. */
  get name(): string | undefined {
    return this.#native.name
  }

  /**
   * Post this to a worker and open the cache there by {@link Cache.attach}.
   *
   * @throws InvalidHandleError `ERR_INVALID_HANDLE`: the codec is `heap`.
   */
  get handle(): CacheHandle {
    if (this.#values.slots !== undefined) throw new InvalidHandleError(HEAP_HAS_NO_HANDLE)
    binding.size(this.#at)
    return { breakwater: this.#native.id, process: this.#native.process }
  }

  /** Whether this instance was closed. */
  get closed(): boolean {
    return this.#closed
  }

  /** The value of a key, or `undefined`. Counts a hit or a miss and tells the policy. */
  get(key: K): V | undefined {
    const near = this.#reads
    // What has no length, as a number, compares as not greater.
    if (near !== undefined && !(((key as string | undefined)?.length as number) > near.longest)) {
      const place = near.find(key)
      return place < 0 ? this.#load(near, key) : near.at(place)
    }
    if (near === undefined && this.#near !== undefined) this.#pass(this.#near)
    const stored = this.#touches ? getAndTouch(this.#at, key) : get(this.#at, key)
    return this.#textOut && stored !== true ? (stored as V | undefined) : this.#decode(stored)
  }

  /** As {@link Cache.get}, but nothing is counted and the policy is not told. */
  peek(key: K): V | undefined {
    const near = this.#near
    const place = near?.glance(key) ?? -1
    if (place >= 0) return near?.at(place)
    const stored = peek(this.#at, key)
    return this.#textOut && stored !== true ? (stored as V | undefined) : this.#decode(stored)
  }

  #decode(stored: Stored | undefined): V | undefined {
    if (stored === undefined) return undefined
    this.#near?.decoded()
    return this.#values.read(stored)
  }

  #load(near: Near<V>, key: K): V | undefined {
    near.order()
    const stored = getNear(this.#at, key)
    const value = stored === undefined ? near.miss() : near.keep(key, stored, this.#read)
    if (near.rests) this.#reads = undefined
    return value
  }

  /** A read passes by a near cache that rests. */
  #pass(near: Near<V>): void {
    near.passed()
    if (!near.rests) this.#reads = near
  }

  /** Whether a key has a value. Counts nothing. */
  has(key: K): boolean {
    return has(this.#at, key)
  }

  /**
   * Stores a value.
   *
   * @throws InvalidValueError `ERR_INVALID_VALUE`: the codec refuses it.
   * @throws EntryTooLargeError `ERR_ENTRY_TOO_LARGE`: it alone exceeds `maxBytes`.
   * @throws CacheFullError `ERR_CACHE_FULL`: it does not fit and the policy is `none`.
   *
   * @example
   * ```ts
   * import { Cache } from 'breakwater'
   *
   * const cache = new Cache({ max: 100, ttl: '5m' })
   * cache.set('a', '1').set('b', '2', { ttl: '1h', jitter: 0.1 })
   * assert.ok(cache.ttl('b')! > 50 * 60_000)
   * ```
   */
  set(key: K, value: V, options?: SetOptions): this {
    this.#near?.tell()
    const isText = typeof value === 'string' || typeof value === 'number'
    if (options === undefined && (isText ? this.#textIn : this.#otherIn)) {
      set(this.#at, key, value)
    } else {
      this.#store(key, value, options)
    }
    return this
  }

  /** Removes a key; whether it had a value. */
  delete(key: K): boolean {
    this.#near?.forget(key)
    if (this.#second !== undefined) void this.#second.session.delete([key])
    return remove(this.#at, key)
  }

  /** Removes everything that was there when it began. */
  clear(): void {
    if (this.#second !== undefined) void this.#second.session.clear()
    this.clearHere()
  }

  /** @internal */
  protected clearHere(): void {
    binding.clear(this.#at)
    this.#near?.clear()
  }

  /** The values of many keys in one native call, in their order; `undefined` where there is none. */
  getMany(keys: readonly K[]): (V | undefined)[] {
    // What a copy spares of decoding is more than what calling once spares of calls.
    if (this.#near?.spares === true || this.#touches) {
      return Array.from(plainArray('keys', keys), key => this.get(key))
    }
    const list = binding.getMany(this.#at, plainArray('keys', keys))
    const bytes = new BytesOf(list)
    if (this.#textOut && bytes.areNone) return list as (V | undefined)[]
    this.#near?.decoded()
    return list.map(stored =>
      stored === undefined ? undefined : this.#values.decode(bytes.next(stored)),
    )
  }

  /**
   * Stores many values in one native call, in their order. If one is refused, those before it are
   * stored and those after it are not.
   *
   * @param entries - a `Map` or any other iterable of `[key, value]`.
   */
  setMany(entries: Iterable<readonly [K, V]>, options?: SetOptions): this {
    const noted = options?.tags !== undefined || options?.version !== undefined
    if (
      noted ||
      this.#touches ||
      this.#refreshes ||
      this.#second !== undefined ||
      this.#values.slots !== undefined
    ) {
      for (const [key, value] of entries) this.set(key, value, options)
      return this
    }
    const keys: K[] = []
    const values: unknown[] = []
    const lives: number[] = []
    let isDefault = true
    try {
      for (const [key, value] of entries) {
        const life = this.#lives.of(options, value, key)
        values.push(this.#values.encode(value))
        keys.push(key)
        lives.push(life ?? this.#endless)
        if (life !== undefined) isDefault = false
      }
    } finally {
      this.#near?.tell()
      binding.setMany(this.#at, keys, values, isDefault ? undefined : lives)
    }
    return this
  }

  /** Removes many keys in one native call; how many had a value. */
  deleteMany(keys: readonly K[]): number {
    const list = plainArray('keys', keys)
    const removed = binding.deleteMany(this.#at, list)
    if (this.#second !== undefined) void this.#second.session.delete(list)
    return removed
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
    return binding.getInto(this.#at, key, buffer)
  }

  /** Milliseconds that a value has left; `Infinity` if it does not expire, `undefined` if none. */
  ttl(key: K): number | undefined {
    return binding.ttl(this.#at, key)
  }

  /** Gives a value `ttl` from now, without jitter; whether there was one. */
  expire(key: K, ttl: Duration): boolean {
    return binding.expire(this.#at, key, milliseconds('ttl', ttl))
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
    return binding.touch(this.#at, key)
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
   * assert.equal(info?.tags, 1)
   * assert.ok(info!.ttl > 59_000)
   * assert.equal(cache.info('b'), undefined)
   * ```
   */
  info(key: K): EntryInfo | undefined {
    return infoOf(binding.info(this.#at, key))
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
    return this.#conditional.update(key, change, options)
  }

  /** Entries now, with those that expired and were not collected yet. */
  get size(): number {
    return binding.size(this.#at)
  }

  /** Bytes charged now: index, keys, values, policy. Never more than `maxBytes`. */
  get bytes(): number {
    return binding.bytes(this.#at)
  }

  /**
   * The keys, in no particular order. Like all iteration it works in batches and may go on while
   * any worker writes: what is there from beginning to end is visited at least once, what comes or
   * goes meanwhile may be, and a change of size may show an entry again.
   */
  keys(): Generator<K, undefined, undefined> {
    return keys<K>(this.#at)
  }

  /** The values, as {@link Cache.keys} iterates. */
  *values(): Generator<V, undefined, undefined> {
    for (const [, value] of this.entries()) yield value
  }

  /** The entries, as {@link Cache.keys} iterates. */
  entries(): Generator<[K, V], undefined, undefined> {
    return entries<K, V>(this.#at, stored => this.#values.decode(stored))
  }

  /** Calls `f` with each entry, as {@link Cache.keys} iterates. */
  forEach(f: (value: V, key: K, cache: this) => void): void {
    for (const [key, value] of this.entries()) f(value, key, this)
  }

  /** The entries, as {@link Cache.keys} iterates. */
  [Symbol.iterator](): Generator<[K, V], undefined, undefined> {
    return this.entries()
  }

  /** Counts of the whole cache, whoever uses it: exact while one thread does. */
  stats(): CacheStats {
    return binding.stats(this.#at)
  }

  /** Sets the counts back to zero. */
  resetStats(): void {
    binding.resetStats(this.#at)
  }

  /** The keys read most, most read first. */
  hotKeys(limit = 10): HotKey<K>[] {
    if (!Number.isSafeInteger(limit) || limit < 0) {
      throw new InvalidOptionError('limit', limit, 'a whole number')
    }
    this.#near?.tell()
    const list = binding.hotKeys(this.#at, limit)
    const hot: HotKey<K>[] = []
    for (let i = 0; i < list.length; i += 2) {
      hot.push({ key: list[i] as K, count: list[i + 1] as number })
    }
    return hot
  }

  /** Changes the bounds and evicts what no longer fits. A bound that is left out stays. */
  resize(bounds: Pick<CacheOptions, 'max' | 'maxBytes'>): void {
    checkObject('bounds', bounds)
    const { max, maxBytes } = checkBounds(bounds)
    const [hadMax, hadMaxBytes] = binding.bounds(this.#at)
    binding.resize(this.#at, max ?? hadMax, maxBytes ?? hadMaxBytes)
  }

  /**
   * Writes all entries to a file, off the main thread: beside it first, renamed when complete.
   *
   * @returns how many entries.
   * @throws SnapshotIoError `ERR_SNAPSHOT_IO`: it could not be written.
   */
  async save(path: string | URL): Promise<number> {
    return binding.save(this.#at, filePath(path, this.#values.slots !== undefined))
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
    return binding.load(this.#at, filePath(path, this.#values.slots !== undefined))
  }

  /**
   * Tells `listener` of entries that leave, whichever worker caused it. What this isolate causes
   * it is told of at the end of the call that caused it, or soon after when thousands were told in one
   * turn of the event loop; the rest soon after. It does not keep the
   * process alive. Removals wait in a queue of at most 64 MB for each isolate: those that find it
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
    return this.#listeners.add(listener)
  }

  /**
   * Lets the cache go. The last instance of the process to do so frees its memory; until then the
   * others go on. Closing twice does nothing.
   */
  close(): void {
    this.#closed = true
    this.#near?.clear()
    this.#near = undefined
    this.#reads = undefined
    this.#listeners.close()
    binding.close(this.#at)
    this.#values.slots?.clear()
  }

  /**
   * The near copy of a key's value; `undefined` if there is none that is good.
   * @internal
   */
  protected nearCopy(key: K): V | undefined {
    const near = this.#reads
    if (near !== undefined && !(((key as string | undefined)?.length as number) > near.longest)) {
      const place = near.find(key)
      return place < 0 ? undefined : near.at(place)
    }
    if (near === undefined && this.#near !== undefined) this.#pass(this.#near)
    return undefined
  }

  /**
   * From now on what is written here goes there as well.
   * @internal
   */
  protected attachSecond(second: Second): void {
    this.#second = second
  }

  /**
   * This cache as its loads see it.
   * @internal
   */
  protected loadingHost(timers: Timers, events: Events<K>): LoadingHost<K, V> {
    const { port, getWithState } = openPort(this.#at)
    return {
      name: this.name,
      at: this.#at,
      port,
      values: this.#values,
      lives: this.#lives,
      timers,
      policy: this.#policy,
      grace: this.#native.grace,
      events,
      takesNull: !this.#values.allIn,
      isClosed: () => this.#closed,
      nearCopy: key => this.nearCopy(key),
      find: key => {
        this.#reads?.order()
        const stored = getWithState(this.#at, key)
        const isFresh = port[STATE] === State.FRESH || port[STATE] === State.EARLY
        if (isFresh && this.#touches) binding.touch(this.#at, key)
        if (!isFresh) this.#reads?.miss()
        return stored
      },
      take: (key, stored) => {
        const near = this.#reads
        if (near === undefined || ((key as string).length as number) > near.longest) {
          return this.#decode(stored) as V
        }
        const value = near.keep(key, stored, this.#read)
        if (near.rests) this.#reads = undefined
        return value
      },
    }
  }

  /** {@link Cache.close}, for `using`. */
  [Symbol.dispose](): void {
    this.close()
  }

  /**
   * Stores a value; when it is in the second tier too, if there is one.
   * @internal
   */
  protected storeAll(
    key: K,
    value: V,
    options: SetOptions | undefined,
  ): Promise<unknown> | undefined {
    this.#near?.tell()
    return this.#store(key, value, options)
  }

  /**
   * Forgets keys; when the second tier has as well, if there is one.
   * @internal
   */
  protected forgetAll(keys: readonly K[]): Promise<void> | undefined {
    if (!this.#closed) binding.deleteMany(this.#at, keys)
    return this.#second?.session.delete(keys)
  }

  /**
   * Removes a value that is older than `version`, and keeps older ones from coming back.
   * @internal
   */
  protected buryAll(key: K, version: number): void {
    if (!this.#closed && binding.bury(this.#at, key, version, REMEMBERED)) {
      void this.#second?.session.delete([key])
    }
  }

  #store(key: K, value: V, options: SetOptions | undefined): Promise<unknown> | undefined {
    const life = this.#lives.of(options, value, key)
    const { here, note, own } = this.#prepare(options, life)
    const encoded = this.#values.encode(value)
    const isPlain = note === undefined && own === 0
    let stored = false
    try {
      if (isPlain) set(this.#at, key, encoded, here)
      stored = isPlain || binding.setNoted(this.#at, key, encoded, here, note, own)
    } finally {
      if (!stored) this.#values.slots?.free(encoded as number)
    }
    return stored ? this.#send(key, encoded, options, life) : undefined
  }

  /** How a value is stored whose life is known; `undefined`: that of the cache. */
  #prepare(options: SetOptions | undefined, life: number | undefined): Prepared {
    const second = this.#second
    const freshFor = life ?? this.#endless
    const here = second === undefined ? life : second.life(freshFor)
    const early = this.#refreshes ? earlyWindow(this.#policy, freshFor, here ?? freshFor, 0) : 0
    const note = noteOf({ ...options, cover: second?.cover, early })
    const isOwn = options?.ttl !== undefined || this.#lives.ttlOf !== undefined
    const ends = here !== undefined && here !== Number.POSITIVE_INFINITY
    return { here, note, own: this.#touches && isOwn && ends ? 1 : 0 }
  }

  /** A value was stored: it goes to the second tier as well. */
  #send(
    key: K,
    encoded: unknown,
    options: SetOptions | undefined,
    life: number | undefined,
  ): Promise<unknown> | undefined {
    const freshFor = life ?? this.#endless
    return this.#second?.store(key, { ...options, encoded: encoded as string, freshFor, cost: 0 })
  }

  /** Writes on a condition; made when they are first needed. */
  get #conditional(): ConditionalWrites<K, V> {
    this.#conditionalWrites ??= new ConditionalWrites<K, V>({
      at: this.#at,
      codec: this.#native.codec,
      values: this.#values,
      lives: this.#lives,
      tellReads: () => this.#near?.tell(),
      prepare: (options, life) => this.#prepare(options, life),
      stored: (...stored) => void this.#send(...stored),
      peek: key => this.peek(key),
      ttl: key => this.ttl(key),
      set: (key, value, options) => this.set(key, value, options),
      delete: key => this.delete(key),
      removed: key => void this.#second?.session.delete([key]),
    })
    return this.#conditionalWrites
  }

  /** How long values live that are told nothing else, in milliseconds. */
  get #endless(): number {
    return this.#lives.ttl ?? Number.POSITIVE_INFINITY
  }
}
