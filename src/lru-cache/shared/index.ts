// The cache that every worker of the process shares, with the methods of the drop-in.

import { CacheClosedError, EntryTooLargeError, OptionCombinationError } from '../../base/errors.ts'
import type { CacheKey, SetOptions } from '../../base/types.ts'
import type { Cache } from '../../cache/cache.ts'
import type * as Types from '../interface.ts'
import { type OpenShared, offer, SHARED } from '../sharing.ts'
import type * as Words from '../types.ts'
import { Calls, type Saving } from './calls.ts'
import { open, refuse } from './options.ts'
import { Unshared } from './unshared.ts'

type Some = NonNullable<unknown>

/** What the compiler can compare: neither overloads nor what gives the cache itself. */
type Methods<K extends Some, V extends Some, FC> = Omit<
  Types.LRUCache<K, V, FC>,
  'fetch' | 'forceFetch' | 'memo' | 'set' | 'setMany'
>

/** What `new LRUCache({ shared })` gives: its methods, over a {@link Cache}. */
export class SharedCache<K extends Some, V extends Some, FC = unknown>
  extends Unshared
  implements Methods<K, V, FC>
{
  readonly #cache: Cache<K & CacheKey, V>
  readonly #calls: Calls<K, V, FC>
  readonly #options: Types.SharedOptions<K, V, FC>
  #max: Words.Count
  /** How long an entry lives whose `set` does not say; 0: as the cache was made. */
  ttl: Words.Milliseconds
  updateAgeOnGet: boolean
  updateAgeOnHas: boolean
  noUpdateTTL: boolean
  allowStaleOnFetchRejection: boolean
  ignoreFetchAbort: boolean

  /** An `LRUCache` to `instanceof`. */
  get [SHARED](): true {
    return true
  }

  constructor(options: Types.SharedOptions<K, V, FC>) {
    super()
    this.#cache = open<K & CacheKey, V>(options as Types.SharedOptions<K & CacheKey, V, unknown>)
    this.#options = { ...options, shared: options.shared }
    this.#max = options.max || 0
    this.ttl = options.ttl || 0
    this.updateAgeOnGet = !!options.updateAgeOnGet
    this.updateAgeOnHas = !!options.updateAgeOnHas
    this.noUpdateTTL = !!options.noUpdateTTL
    this.allowStaleOnFetchRejection = !!options.allowStaleOnFetchRejection
    this.ignoreFetchAbort = !!options.ignoreFetchAbort
    this.#calls = new Calls(this, (key, value, saving) => this.#store(key, value, saving))
  }

  get shared(): string {
    return this.#options.shared
  }

  get codec(): Types.SharedOptions<K, V, FC>['codec'] {
    return this.#options.codec
  }

  get near(): Types.SharedOptions<K, V, FC>['near'] {
    return this.#options.near
  }

  get maxBytes(): Types.SharedOptions<K, V, FC>['maxBytes'] {
    return this.#options.maxBytes
  }

  get max(): Words.Count {
    return this.#max
  }

  get size(): Words.Count {
    return this.#cache.size
  }

  get calculatedSize(): Words.Size {
    return this.#cache.bytes
  }

  get policy(): Words.Policy {
    return this.#options.policy ?? 'lru'
  }

  get jitter(): number {
    return this.#options.jitter ?? 0
  }

  get random(): () => number {
    return this.#options.random ?? Math.random
  }

  get fetchMethod(): Types.Fetcher<K, V, FC> | undefined {
    return this.#options.fetchMethod
  }

  get memoMethod(): Types.Memoizer<K, V, FC> | undefined {
    return this.#options.memoMethod
  }

  get(key: K, options?: Types.GetOptions<K, V, FC>): V | undefined {
    if (options !== undefined) refuse(options)
    const value = this.#cache.get(key as K & CacheKey)
    if ((options?.updateAgeOnGet ?? this.updateAgeOnGet) && value !== undefined) this.#renew(key)
    return value
  }

  peek(key: K, options?: Types.PeekOptions<K, V, FC>): V | undefined {
    if (options !== undefined) refuse(options)
    return this.#cache.peek(key as K & CacheKey)
  }

  has(key: K, options?: Types.HasOptions<K, V, FC>): boolean {
    if (options !== undefined) refuse(options)
    const there = this.#cache.has(key as K & CacheKey)
    if (there && (options?.updateAgeOnHas ?? this.updateAgeOnHas)) this.#renew(key)
    return there
  }

  set(key: K, value: V | undefined, options?: Types.SetOptions<K, V, FC>): this {
    if (options !== undefined) refuse(options)
    this.#calls.abort(key, value === undefined ? 'deleted' : 'replaced')
    if (value === undefined) this.#cache.delete(key as K & CacheKey)
    else this.#store(key, value, options)
    return this
  }

  delete(key: K): boolean {
    this.#calls.abort(key, 'deleted')
    return this.#cache.delete(key as K & CacheKey)
  }

  clear(): void {
    this.#calls.abortAll(new Error('deleted'))
    this.#cache.clear()
  }

  getMany(keys: Iterable<K>, options: Types.GetOptions<K, V, FC> = {}): (V | undefined)[] {
    refuse(options)
    const all = [...keys] as (K & CacheKey)[]
    const values = this.#cache.getMany(all)
    if (options.updateAgeOnGet ?? this.updateAgeOnGet) {
      for (const [at, key] of all.entries()) if (values[at] !== undefined) this.#renew(key)
    }
    return values
  }

  setMany(entries: Iterable<readonly [K, V]>, options?: Types.SetOptions<K, V, FC>): this {
    for (const [key, value] of entries) this.set(key, value, options)
    return this
  }

  /** Calls that the cache does not answer share one call of the fetch method in this worker. */
  async fetch(key: K, options: Types.FetchOptions<K, V, FC> = {}): Promise<V | undefined> {
    refuse(options)
    if (this.fetchMethod === undefined) return this.get(key, options)
    const underWay = this.#calls.of(key)
    if (underWay !== undefined) return underWay
    options.signal?.throwIfAborted()
    const old = this.get(key, options)
    if (old !== undefined && !options.forceRefresh) return old
    return this.#calls.begin(key, old, options)
  }

  async forceFetch(key: K, options: Types.FetchOptions<K, V, FC> = {}): Promise<V> {
    const value = await this.fetch(key, options)
    if (value === undefined) throw new Error('fetch() returned undefined')
    return value
  }

  memo(key: K, options: Types.MemoOptions<K, V, FC> = {}): V {
    refuse(options)
    const { memoMethod } = this
    if (memoMethod === undefined) throw new Error('memo needs the option memoMethod')
    const { context, forceRefresh, ...saving } = options
    const old = this.get(key, options)
    if (old !== undefined && !forceRefresh) return old
    const value = memoMethod(key, old, { options: saving, context: context as FC })
    this.set(key, value, saving)
    return value
  }

  find(
    fn: Types.Visitor<K, V, FC, boolean>,
    options: Types.GetOptions<K, V, FC> = {},
  ): V | undefined {
    for (const [key, value] of this.entries()) {
      if (fn(value, key, this.#asLRUCache)) return this.get(key, options)
    }
    return undefined
  }

  forEach(fn: Types.Visitor<K, V, FC, unknown>, self: unknown = this): void {
    for (const [key, value] of this.entries()) fn.call(self, value, key, this.#asLRUCache)
  }

  rforEach(fn: Types.Visitor<K, V, FC, unknown>, self: unknown = this): void {
    this.forEach(fn, self)
  }

  *keys(): Generator<K, void, unknown> {
    for (const key of this.#cache.keys()) yield key
  }

  *values(): Generator<V, void, unknown> {
    for (const value of this.#cache.values()) yield value
  }

  *entries(): Generator<[K, V], void, unknown> {
    for (const entry of this.#cache.entries()) yield entry
  }

  rkeys(): Generator<K, void, unknown> {
    return this.keys()
  }

  rvalues(): Generator<V, void, unknown> {
    return this.values()
  }

  rentries(): Generator<[K, V], void, unknown> {
    return this.entries()
  }

  [Symbol.iterator](): Generator<[K, V], void, unknown> {
    return this.entries()
  }

  info(key: K): Words.Entry<V> | undefined {
    const value = this.#cache.peek(key as K & CacheKey)
    if (value === undefined) return undefined
    const ttl = this.getRemainingTTL(key)
    return ttl === Number.POSITIVE_INFINITY ? { value } : { value, ttl, start: Date.now() }
  }

  dump(): [K, Words.Entry<V>][] {
    const entries: [K, Words.Entry<V>][] = []
    for (const [key, value] of this.entries()) {
      const left = this.getRemainingTTL(key)
      // Another worker may have deleted it just now.
      if (left === 0) continue
      const ttl = left === Number.POSITIVE_INFINITY ? 0 : left
      entries.push([key, { value, ttl, start: Date.now() }])
    }
    return entries
  }

  load(entries: Iterable<[K, Words.Entry<V>]>): void {
    this.clear()
    for (const [key, { value, ttl, start }] of entries) {
      const age = start ? Date.now() - start : 0
      if (!ttl) this.set(key, value, ttl === 0 ? { ttl } : undefined)
      else if (ttl > age) this.set(key, value, { ttl: ttl - age, jitter: 0 })
    }
  }

  getRemainingTTL(key: K): Words.Milliseconds {
    return this.#cache.ttl(key as K & CacheKey) ?? 0
  }

  /** Whether there were any: the engine removes stale entries by itself. */
  purgeStale(): boolean {
    return false
  }

  /** @throws OptionCombinationError: the engine evicts, and only when it must. */
  pop(): never {
    throw new OptionCombinationError('pop', 'called', 'shared', 'delete a key instead')
  }

  stats(): Words.Stats {
    const {
      nearHits: _,
      removalsDropped: __,
      bytes,
      overhead: ___,
      policy,
      ...counts
    } = this.#cache.stats()
    return { ...counts, size: bytes, ...(policy.name === 'auto' && { policy }) }
  }

  resetStats(): void {
    this.#cache.resetStats()
  }

  resize({ max, maxBytes, ...rest }: Words.ResizeOptions): void {
    refuse(rest)
    const bounds = { max, maxBytes }
    const given = Object.entries(bounds).filter(([, value]) => value !== undefined)
    this.#cache.resize(Object.fromEntries(given))
    this.#max = max ?? this.#max
  }

  close(): void {
    this.#calls.abortAll(new CacheClosedError())
    this.#cache.close()
  }

  [Symbol.dispose](): void {
    this.close()
  }

  get #asLRUCache(): Types.LRUCache<K, V, FC> {
    return this as unknown as Types.LRUCache<K, V, FC>
  }

  #renew(key: K): void {
    const left = this.#cache.ttl(key as K & CacheKey)
    const mortal = left !== undefined && left !== Number.POSITIVE_INFINITY
    if (mortal && this.ttl > 0) this.#cache.expire(key as K & CacheKey, this.ttl)
  }

  #store(key: K, value: V, saving: Saving | undefined): void {
    try {
      this.#cache.set(key as K & CacheKey, value, this.#lifetime(key, saving))
    } catch (error) {
      if (!(error instanceof EntryTooLargeError)) throw error
      // As in lru-cache: what is too large is not stored, and what was there is of no use.
      this.#cache.delete(key as K & CacheKey)
    }
  }

  /** The life to give an entry; `undefined`: as the cache was made. */
  #lifetime(key: K, saving: Saving = {}): SetOptions | undefined {
    const { noUpdateTTL = this.noUpdateTTL, jitter } = saving
    if (noUpdateTTL) {
      const left = this.#cache.ttl(key as K & CacheKey)
      if (left !== undefined) return { ttl: left, jitter: 0 }
    }
    const changed = this.ttl === (this.#options.ttl || 0) ? undefined : this.ttl
    const ttl = saving.ttl ?? changed
    if (ttl === undefined && jitter === undefined) return undefined
    return { ttl: ttl === 0 ? Number.POSITIVE_INFINITY : ttl, jitter }
  }
}

/** Makes a shared cache. */
export const openShared: OpenShared = <K extends Some, V extends Some, FC>(
  options: Types.SharedOptions<K, V, FC>,
) => new SharedCache(options) as unknown as Types.LRUCache<K, V, FC>

offer(openShared)
