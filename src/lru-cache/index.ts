// The drop-in for lru-cache: its class, with the same methods, options and semantics.
import { Core } from './core.ts'
import { Cursor } from './cursor.ts'
import { checkMax, checkPositive } from './options.ts'
import { dump, info, load } from './portable.ts'
import { fetch, holds, look, memo, read } from './reading.ts'
import { Settings } from './settings.ts'
import { SharedCache } from './shared/index.ts'
import { type SharedOptions as SharedOptionsOf, shareable } from './shared/options.ts'
import { Unshared } from './shared/unshared.ts'
import { store } from './storing.ts'
import type * as Types from './types.ts'

export type { DisposeTask, Perf } from './types.ts'

type Some = NonNullable<unknown>

/** The options of `fetch`, whose context is needed or not as the type of contexts says. */
type Fetching<K, V, FC> = unknown extends FC
  ? Types.FetchOptions<K, V, FC>
  : FC extends Types.Nothing
    ? Types.FetchOptionsNoContext<K, V, FC>
    : Types.FetchOptionsWithContext<K, V, FC>

/** The options of `memo`, likewise. */
type Memoizing<K, V, FC> = unknown extends FC
  ? Types.MemoOptions<K, V, FC>
  : FC extends Types.Nothing
    ? Types.MemoOptionsNoContext<K, V, FC>
    : Types.MemoOptionsWithContext<K, V, FC>

/** The type, unless a context is needed. */
type Contextless<FC, T> = unknown extends FC ? T : FC extends Types.Nothing ? T : never

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
export class LRUCache<K extends Some, V extends Some, FC = unknown> extends Settings<K, V, FC> {
  readonly #core!: Core<K, V, FC>

  /**
   * Makes a cache. Another cache may be given as the options: the new one is empty.
   *
   * @throws TypeError as lru-cache does, if an option cannot be.
   * @throws InvalidOptionError `ERR_INVALID_OPTION`: an option that lru-cache does not have.
   * @throws OptionCombinationError `ERR_OPTION_COMBINATION`: options that exclude each other.
   */
  // biome-ignore lint/correctness/noUnreachableSuper: what is given back instead is made already
  constructor(options: Types.Options<K, V, FC> | LRUCache<K, V, FC>) {
    if (shareable<K, V, FC>(options, new.target === LRUCache)) {
      // Another class, which has none of this one's parts, but is an instance of it all the same.
      // biome-ignore lint/correctness/noConstructorReturn: one class for all caches, as users have it
      return new SharedCache(options) as unknown as LRUCache<K, V, FC>
    }
    const given = options as Types.OptionsBase<K, V, FC>
    super(given)
    this.#core = new Core(this, given)
    if (this.ttl !== 0) this.#core.aging()
  }

  /** The most entries; 0: any number. */
  get max(): Types.Count {
    return this.#core.max
  }

  /** The most that all entries' sizes may add up to; 0: anything. */
  get maxSize(): Types.Size {
    return this.#core.maxSize
  }

  /** What all entries' sizes add up to. */
  get calculatedSize(): Types.Size {
    return this.#core.sizes?.total ?? 0
  }

  /** How many entries there are, with stale ones and first fetches. */
  get size(): Types.Count {
    return this.#core.size
  }

  /** What `Object.prototype.toString` calls it. */
  get [Symbol.toStringTag](): string {
    return 'LRUCache'
  }

  /**
   * Stores a value, as the newest entry. `undefined` deletes the key.
   *
   * @throws TypeError if sizes are bounded and there is none, or one where they are not.
   */
  set(key: K, value: V | undefined, options?: Types.SetOptions<K, V, FC>): this {
    const core = this.#core
    if (
      options === undefined &&
      core.plain &&
      value !== undefined &&
      core.ages === undefined &&
      this.ttl === 0
    ) {
      core.put(key, value)
    } else {
      store(core, key, value, options === undefined ? {} : this.#told('set', key, options))
    }
    return this
  }

  /** The value of a key, which becomes the newest entry; a stale one is deleted. */
  get(key: K, options?: Types.GetOptions<K, V, FC>): V | undefined {
    const core = this.#core
    if (options !== undefined) {
      const value = read(core, key, this.#told('get', key, options))
      if (options.status && value !== undefined) options.status.value = value
      return value
    }
    if (core.ages !== undefined) return read(core, key, NONE)
    const slot = core.keys.find(key)
    if (slot === 0) {
      core.counts.misses++
      return undefined
    }
    core.counts.hits++
    core.use(slot)
    return core.values[slot]
  }

  /** As {@link LRUCache.get}, but the order stays as it is, and nothing is deleted. */
  peek(key: K, options?: Types.PeekOptions<K, V, FC>): V | undefined {
    const core = this.#core
    if (options !== undefined) return look(core, key, this.#told('peek', key, options))
    return core.ages === undefined ? core.values[core.keys.find(key)] : look(core, key, NONE)
  }

  /** Whether a key has a value that is not stale. The order stays as it is. */
  has(key: K, options?: Types.HasOptions<K, V, FC>): boolean {
    const core = this.#core
    if (options !== undefined) return holds(core, key, this.#told('has', key, options))
    if (core.ages !== undefined) return holds(core, key, NONE)
    const slot = core.keys.find(key)
    return core.flights === undefined ? slot !== 0 : core.values[slot] !== undefined
  }

  /** Deletes a key; whether it was there. */
  delete(key: K): boolean {
    return this.#core.delete(key, 'delete')
  }

  /** Deletes all entries. */
  clear(): void {
    this.#core.clear()
  }

  /** Evicts the oldest entry and gives its value. */
  pop(): V | undefined {
    const core = this.#core
    try {
      while (core.size > 0) {
        const value = core.values[core.victim()]
        core.evict()
        if (value !== undefined) return value
      }
      return undefined
    } finally {
      core.hooks.settle()
    }
  }

  /**
   * The value of a key: the cached one if it is fresh, or else what `fetchMethod` gives, which is
   * stored. Callers that ask for a key at the same time share one call. Without a `fetchMethod`,
   * as {@link LRUCache.get}.
   *
   * @example
   * ```ts
   * import { LRUCache } from 'breakwater/lru-cache'
   *
   * const cache = new LRUCache<string, number>({ max: 10, fetchMethod: async key => key.length })
   * assert.equal(await cache.fetch('four'), 4)
   * assert.equal(cache.get('four'), 4)
   * ```
   */
  fetch(key: K, options: Fetching<K, V, FC>): Promise<V | undefined>
  fetch(
    key: Contextless<FC, K>,
    options?: Contextless<FC, Fetching<K, V, FC>>,
  ): Promise<V | undefined>
  fetch(key: K, options: Types.FetchOptions<K, V, FC> = {}): Promise<V | undefined> {
    const { status, context } = options
    if (status && context) status.context = context
    return fetch(this.#core, key, this.#told('fetch', key, options))
  }

  /** As {@link LRUCache.fetch}, but it fails if there is no value. */
  forceFetch(key: K, options: Fetching<K, V, FC>): Promise<V>
  forceFetch(key: Contextless<FC, K>, options?: Contextless<FC, Fetching<K, V, FC>>): Promise<V>
  async forceFetch(key: K, options: Types.FetchOptions<K, V, FC> = {}): Promise<V> {
    const value = await this.fetch(key, options as Fetching<K, V, FC>)
    if (value === undefined) throw new Error('fetch() returned undefined')
    return value
  }

  /**
   * The value of a key: the cached one if it is fresh, or else what `memoMethod` gives, which is
   * stored.
   *
   * @throws Error if there is no `memoMethod`.
   */
  memo(key: K, options: Memoizing<K, V, FC>): V
  memo(key: Contextless<FC, K>, options?: Contextless<FC, Memoizing<K, V, FC>>): V
  memo(key: K, options: Types.MemoOptions<K, V, FC> = {}): V {
    const { status, context } = options
    if (status && context) status.context = context
    const told = this.#told('memo', key, options)
    return memo(this.#core, key, told, (value, save) => store(this.#core, key, value, save))
  }

  /** The value of the first entry, from the newest on, of which a function says yes; it is used. */
  find(
    fn: (value: V, key: K, cache: LRUCache<K, V, FC>) => boolean,
    options: Types.GetOptions<K, V, FC> = {},
  ): V | undefined {
    const core = this.#core
    const cursor = this.#cursor(false)
    for (let slot = cursor.next(); slot !== 0; slot = cursor.next()) {
      const value = core.values[slot]
      if (value === undefined) continue
      const key = core.keys.keyOf(slot)
      if (fn(value, key, this)) return read(core, key, options)
    }
    return undefined
  }

  /** Calls a function for each entry, from the newest on. The order stays as it is. */
  forEach(
    fn: (value: V, key: K, cache: LRUCache<K, V, FC>) => unknown,
    self: unknown = this,
  ): void {
    this.#each(this.#cursor(false), fn, self)
  }

  /** As {@link LRUCache.forEach}, from the oldest on. */
  rforEach(
    fn: (value: V, key: K, cache: LRUCache<K, V, FC>) => unknown,
    self: unknown = this,
  ): void {
    this.#each(this.#cursor(true), fn, self)
  }

  /** The keys, from the newest on. The order stays as it is; entries may be deleted meanwhile. */
  keys(): Generator<K, void, unknown> {
    return this.#walk(false, slot => this.#core.keys.keyOf(slot))
  }

  /** As {@link LRUCache.keys}, from the oldest on. */
  rkeys(): Generator<K, void, unknown> {
    return this.#walk(true, slot => this.#core.keys.keyOf(slot))
  }

  /** The values, from the newest on. */
  values(): Generator<V, void, unknown> {
    return this.#walk(false, (_, value) => value)
  }

  /** As {@link LRUCache.values}, from the oldest on. */
  rvalues(): Generator<V | undefined, void, unknown> {
    return this.#walk(true, (_, value) => value)
  }

  /** The keys and values, from the newest on. */
  entries(): Generator<[K, V], void, unknown> {
    return this.#walk(false, (slot, value) => [this.#core.keys.keyOf(slot), value])
  }

  /** As {@link LRUCache.entries}, from the oldest on. */
  rentries(): Generator<[K, V], void, unknown> {
    return this.#walk(true, (slot, value) => [this.#core.keys.keyOf(slot), value])
  }

  /** As {@link LRUCache.entries}. */
  [Symbol.iterator](): Generator<[K, V], void, unknown> {
    return this.entries()
  }

  /** What is known of an entry, a stale one as well: `ttl` is what remains of its life. */
  info(key: K): Types.Entry<V> | undefined {
    return info(this.#core, key)
  }

  /** All entries, from the oldest on, stale ones as well, for {@link LRUCache.load}. */
  dump(): [K, Types.Entry<V>][] {
    return dump(this.#core)
  }

  /** Puts entries in the place of those that are there. */
  load(entries: Iterable<[K, Types.Entry<V>]>): void {
    load(this.#core, entries)
  }

  /** Deletes stale entries; whether there were any. */
  purgeStale(): boolean {
    const core = this.#core
    let deleted = false
    const cursor = new Cursor(core, true, true)
    for (let slot = cursor.next(); slot !== 0; slot = cursor.next()) {
      if (!core.stale(slot)) continue
      core.expire(slot)
      deleted = true
    }
    return deleted
  }

  /** How long an entry still lives: `Infinity` without a ttl, 0 if there is none. */
  getRemainingTTL(key: K): Types.Milliseconds {
    const slot = this.#core.keys.find(key)
    if (slot === 0) return 0
    return this.#core.ages?.remaining(slot) ?? Number.POSITIVE_INFINITY
  }

  /** The values of many keys, in their order, as {@link LRUCache.get}. Beyond lru-cache. */
  getMany(keys: Iterable<K>, options?: Types.GetOptions<K, V, FC>): (V | undefined)[] {
    return Array.from(keys, key => this.get(key, options))
  }

  /** Stores many values, in their order, as {@link LRUCache.set}. Beyond lru-cache. */
  setMany(entries: Iterable<readonly [K, V]>, options?: Types.SetOptions<K, V, FC>): this {
    for (const [key, value] of entries) this.set(key, value, options)
    return this
  }

  /** Counts since the cache was made, or since {@link LRUCache.resetStats}. Beyond lru-cache. */
  stats(): Types.Stats {
    return { ...this.#core.counts, entries: this.size, size: this.calculatedSize }
  }

  /** Sets the counts back to zero. Beyond lru-cache. */
  resetStats(): void {
    this.#core.counts.reset()
  }

  /**
   * Changes the bounds; what does not fit any more is evicted. Beyond lru-cache.
   *
   * @throws TypeError if a bound cannot be, or `maxSize` is given where entries have no sizes.
   */
  resize({ max, maxSize }: Types.ResizeOptions): void {
    const core = this.#core
    if (max !== undefined) checkMax(max)
    if (maxSize !== undefined) checkPositive('maxSize', maxSize)
    if (maxSize !== undefined && core.sizes === undefined) {
      throw new TypeError('maxSize cannot be set later: entries of this cache have no sizes')
    }
    core.resize(max, maxSize)
  }

  /**
   * Lets the cache go: one of this worker's own is cleared; a shared one stays for the others, and
   * methods of this instance throw `ERR_CACHE_CLOSED`. Beyond lru-cache.
   */
  close(): void {
    this.clear()
  }

  /** {@link LRUCache.close}, for `using`. Beyond lru-cache. */
  [Symbol.dispose](): void {
    this.close()
  }

  /** A call's options, whose status is told what is called. */
  #told<T extends { status?: Types.Status<K, V, FC> }>(
    op: NonNullable<Types.Status<K, V, FC>['op']>,
    key: K,
    options: T,
  ): T {
    const { status } = options
    if (status) {
      status.op = op
      status.key = key
      status.cache = this
    }
    return options
  }

  #cursor(reverse: boolean): Cursor<K, V, FC> {
    return new Cursor(this.#core, reverse, this.allowStale)
  }

  #each(
    cursor: Cursor<K, V, FC>,
    fn: (value: V, key: K, cache: LRUCache<K, V, FC>) => unknown,
    self: unknown,
  ): void {
    const core = this.#core
    for (let slot = cursor.next(); slot !== 0; slot = cursor.next()) {
      const value = core.values[slot]
      if (value !== undefined) fn.call(self, value, core.keys.keyOf(slot), this)
    }
  }

  *#walk<T>(reverse: boolean, give: (slot: number, value: V) => T): Generator<T, void, unknown> {
    const core = this.#core
    const cursor = this.#cursor(reverse)
    for (let slot = cursor.next(); slot !== 0; slot = cursor.next()) {
      const value = core.values[slot]
      if (value !== undefined && !core.fetching(slot)) yield give(slot, value)
    }
  }
}

// A shared cache is an LRUCache to `instanceof`.
Object.setPrototypeOf(Unshared.prototype, LRUCache.prototype)

const NONE = {}

/** The types that go with the class. */
export declare namespace LRUCache {
  export type Size = Types.Size
  export type Milliseconds = Types.Milliseconds
  export type Count = Types.Count
  export type Perf = Types.Perf
  export type Policy = Types.Policy
  export type Stats = Types.Stats
  export type ResizeOptions = Types.ResizeOptions
  export type DisposeReason = Types.DisposeReason
  export type Disposer<K, V> = Types.Disposer<K, V>
  export type InsertReason = Types.InsertReason
  export type Inserter<K, V> = Types.Inserter<K, V>
  export type SizeCalculator<K, V> = Types.SizeCalculator<K, V>
  export type Status<K, V, FC = unknown> = Types.Status<K, V, FC>
  export type Fetcher<K, V, FC = unknown> = Types.Fetcher<K, V, FC>
  export type FetcherOptions<K, V, FC = unknown> = Types.FetcherOptions<K, V, FC>
  export type FetcherFetchOptions<K, V, FC = unknown> = Types.FetcherFetchOptions<K, V, FC>
  export type FetchOptions<K, V, FC> = Types.FetchOptions<K, V, FC>
  export type FetchOptionsWithContext<K, V, FC> = Types.FetchOptionsWithContext<K, V, FC>
  export type FetchOptionsNoContext<
    K,
    V,
    FC extends Types.Nothing = undefined,
  > = Types.FetchOptionsNoContext<K, V, FC>
  export type Memoizer<K, V, FC = unknown> = Types.Memoizer<K, V, FC>
  export type MemoOptions<K, V, FC = unknown> = Types.MemoOptions<K, V, FC>
  export type MemoOptionsWithContext<K, V, FC> = Types.MemoOptionsWithContext<K, V, FC>
  export type MemoOptionsNoContext<
    K,
    V,
    FC extends Types.Nothing = undefined,
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
  export type Entry<V> = Types.Entry<V>
  export type SharedOptions<K, V, FC> = SharedOptionsOf<K, V, FC>
}
