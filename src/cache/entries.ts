// Reads and writes of one key, done when they return: the first of the classes that make a Cache.
import { CacheClosedError, InvalidHandleError } from '../base/errors.ts'
import { Lifetimes } from '../base/lifetimes.ts'
import type { Timers } from '../base/timers.ts'
import type { CacheHandle, CacheKey, Duration, SetOptions } from '../base/types.ts'
import { milliseconds } from '../base/units.ts'
import type { Values } from '../codec/values.ts'
import type { Events } from '../events/events.ts'
import { Listeners } from '../events/removal-listeners.ts'
import { earlyWindow, noteOf } from '../loading/freshness.ts'
import type { LoadingHost } from '../loading/host.ts'
import type { LoadingPolicy } from '../loading/options.ts'
import { binding, type Native, receivers, type Stored } from '../native/native.ts'
import { openPort, STATE, State } from '../native/port.ts'
import type { Near } from '../near/near.ts'
import type { Second } from '../tier/second.ts'
import { checkSetOptions } from './call-options.ts'
import type { Prepared } from './conditional.ts'
import { HEAP_HAS_NO_HANDLE, make, type Open, openCache } from './opening.ts'
import type { CacheOptions } from './options.ts'

// Constants, so that V8 knows what the hottest methods call: see `enter_cache` in the binding.
const { get, getAndTouch, getNear, peek, has, set, delete: remove } = binding

/** A write of which all is known that can be before it is done. */
export interface Ready {
  readonly options: SetOptions | undefined
  /** Milliseconds; `undefined`: as long as the cache says. */
  readonly life: number | undefined
  /** Left out if the value is encoded when it is stored. */
  readonly encoded?: unknown
}

/**
 * Reads and writes of one key, done when they return. See {@link Cache}, which has all methods.
 */
export class Entries<K extends CacheKey = string, V = unknown> {
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
  #closed = false
  /** What is written here goes there as well. */
  #second: Second | undefined

  /** @param open - opens the cache of these options. */
  protected constructor(options: CacheOptions<V, K>, open: Open = make) {
    const opened = openCache<V>(options, open)
    this.#policy = opened.policy
    this.#native = opened.native
    this.#at = this.#native.number
    this.#touches = opened.touches
    this.#values = opened.values
    this.#textOut = this.#values.textOut
    this.#read = stored => this.#values.read(stored)
    this.#near = opened.near
    this.#reads = this.#near
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

  /** @internal */
  protected get stored(): Values<V> {
    return this.#values
  }

  /** @internal */
  protected get lives(): Lifetimes<K, V> {
    return this.#lives
  }

  /** @internal */
  protected get near(): Near<V> | undefined {
    return this.#near
  }

  /** @internal */
  protected get second(): Second | undefined {
    return this.#second
  }

  /** @internal */
  protected get listeners(): Listeners<K, V> {
    return this.#listeners
  }

  /**
   * Whether a read of many keys reads one after the other: a copy spares more of decoding than calling
   * once spares of calls.
   * @internal
   */
  protected get readsEach(): boolean {
    return this.#touches || this.#near?.spares === true
  }

  /**
   * Whether a write of many entries writes one after the other.
   * @internal
   */
  protected get writesEach(): boolean {
    const { slots } = this.#values
    return this.#touches || this.#refreshes || this.#second !== undefined || slots !== undefined
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
      const slot = near.find(key)
      return slot < 0 ? this.#load(near, key) : near.at(slot)
    }
    if (near === undefined && this.#near !== undefined) this.#pass(this.#near)
    const stored = this.#touches ? getAndTouch(this.#at, key) : get(this.#at, key)
    return this.#textOut && stored !== true ? (stored as V | undefined) : this.#decode(stored)
  }

  /** As {@link Cache.get}, but nothing is counted and the policy is not told. */
  peek(key: K): V | undefined {
    const near = this.#near
    const slot = near?.glance(key) ?? -1
    if (slot >= 0) return near?.at(slot)
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
    if (this.#second !== undefined) {
      this.needKey(key)
      void this.#second.session.delete([key])
    }
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

  /** Milliseconds that a value has left; `Infinity` if it does not expire, `undefined` if none. */
  ttl(key: K): number | undefined {
    return binding.ttl(this.#at, key)
  }

  /** Gives a value `ttl` from now, without jitter; whether there was one. */
  expire(key: K, ttl: Duration): boolean {
    return binding.expire(this.#at, key, milliseconds('ttl', ttl))
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
    if (near !== undefined) {
      const slot = near.find(key)
      return slot < 0 ? undefined : near.at(slot)
    }
    if (this.#near !== undefined) this.#pass(this.#near)
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
      touches: this.#touches,
      weighsCost: this.#native.weigh === 'cost',
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
        if (near === undefined) return this.#decode(stored) as V
        const value = near.keep(key, stored, this.#read)
        if (near.rests) this.#reads = undefined
        return value
      },
    }
  }

  /**
   * Refuses what no key can be.
   * @internal
   */
  protected needKey(key: K): void {
    has(this.#at, key)
  }

  /**
   * Finds out whatever {@link Entries.storeReady} would have to refuse, but that there is no room.
   * @internal
   */
  protected makeReady(key: K, value: V, options: SetOptions | undefined): Ready {
    this.needKey(key)
    checkSetOptions(options)
    noteOf({ ...options })
    const life = this.#lives.of(options, value, key)
    return { options, life, encoded: this.#values.encodeAhead(value) }
  }

  /**
   * Stores a value that {@link Entries.makeReady} gave; when it is in the second tier too, if there is one.
   * @internal
   */
  protected storeReady(key: K, value: V, ready: Ready): Promise<unknown> | undefined {
    this.#near?.tell()
    return this.#put(key, value, ready)
  }

  #store(key: K, value: V, options: SetOptions | undefined): void {
    checkSetOptions(options)
    void this.#put(key, value, { options, life: this.#lives.of(options, value, key) })
  }

  #put(key: K, value: V, { options, life, encoded: ahead }: Ready): Promise<unknown> | undefined {
    const { here, note, own } = this.prepare(options, life)
    const encoded = ahead === undefined ? this.#values.encode(value) : ahead
    const isPlain = note === undefined && own === 0
    let stored = false
    try {
      if (isPlain) set(this.#at, key, encoded, here)
      stored = isPlain || binding.setNoted(this.#at, key, encoded, here, note, own)
    } finally {
      if (!stored) this.#values.slots?.free(encoded as number)
    }
    return stored ? this.send(key, encoded, options, life) : undefined
  }

  /**
   * How a value is stored whose life is known; `undefined`: that of the cache.
   * @internal
   */
  protected prepare(options: SetOptions | undefined, life: number | undefined): Prepared {
    const second = this.#second
    const freshFor = life ?? this.endless
    const here = second === undefined ? life : second.lifeHere(freshFor)
    const early = this.#refreshes ? earlyWindow(this.#policy, freshFor, here ?? freshFor, 0) : 0
    const note = noteOf({ ...options, cover: second?.cover, early })
    const isOwn = options?.ttl !== undefined || this.#lives.ttlOf !== undefined
    const ends = here !== undefined && here !== Number.POSITIVE_INFINITY
    return { here, note, own: this.#touches && isOwn && ends ? 1 : 0 }
  }

  /**
   * A value was stored: it goes to the second tier as well.
   * @internal
   */
  protected send(
    key: K,
    encoded: unknown,
    options: SetOptions | undefined,
    life: number | undefined,
  ): Promise<unknown> | undefined {
    const freshFor = life ?? this.endless
    return this.#second?.store(key, { ...options, encoded: encoded as string, freshFor, cost: 0 })
  }

  /**
   * How long values live that are told nothing else, in milliseconds.
   * @internal
   */
  protected get endless(): number {
    return this.#lives.ttl ?? Number.POSITIVE_INFINITY
  }
}
