// A cache of one worker on the V8 heap: the class of the drop-in, with all its methods.
import { Core } from './core.ts'
import { Cursor } from './cursor.ts'
import { fetch } from './fetching.ts'
import type * as Types from './interface.ts'
import { checkMax, checkOptions, checkPositive } from './options.ts'
import { dump, info, load } from './portable.ts'
import { holds, memo, peek, read } from './reading.ts'
import { Settings } from './settings.ts'
import { isShared, openShared, shareable } from './sharing.ts'
import { store } from './storing.ts'
import type { Count, Entry, Milliseconds, ResizeOptions, Size, Stats } from './types.ts'

type Some = NonNullable<unknown>

/** No options. */
const NONE = {}

/** What `new LRUCache` gives, unless the cache is shared. */
export class LRUCache<K extends Some, V extends Some, FC = unknown>
  extends Settings<K, V, FC>
  implements Types.LRUCache<K, V, FC>
{
  readonly #core!: Core<K, V, FC>

  /** A shared cache is of another class and an `LRUCache` all the same, of any copy of this file. */
  static override [Symbol.hasInstance](value: unknown): boolean {
    // biome-ignore lint/complexity/noThisInStatic: the class that is asked for, which may be another
    return isInstance(this, value)
  }

  // biome-ignore lint/correctness/noUnreachableSuper: what is given back instead is made already
  constructor(options: Types.Options<K, V, FC> | Types.LRUCache<K, V, FC>) {
    if (shareable<K, V, FC>(options, new.target === LRUCache)) {
      // Another class, which has none of this one's parts, but is an instance of it all the same.
      // biome-ignore lint/correctness/noConstructorReturn: one class for all caches, as users have it
      return openShared(options) as LRUCache<K, V, FC>
    }
    const given = options as Types.OptionsBase<K, V, FC>
    super(given)
    this.#core = new Core(this, given)
    if (this.ttl !== 0) this.#core.aging()
  }

  get max(): Count {
    return this.#core.max
  }

  get maxSize(): Size {
    return this.#core.maxSize
  }

  get calculatedSize(): Size {
    return this.#core.sizes?.total ?? 0
  }

  get size(): Count {
    return this.#core.size
  }

  get [Symbol.toStringTag](): string {
    return 'LRUCache'
  }

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

  peek(key: K, options?: Types.PeekOptions<K, V, FC>): V | undefined {
    const core = this.#core
    if (options !== undefined) return peek(core, key, this.#told('peek', key, options))
    return core.ages === undefined ? core.values[core.keys.find(key)] : peek(core, key, NONE)
  }

  has(key: K, options?: Types.HasOptions<K, V, FC>): boolean {
    const core = this.#core
    if (options !== undefined) return holds(core, key, this.#told('has', key, options))
    if (core.ages !== undefined) return holds(core, key, NONE)
    const slot = core.keys.find(key)
    return core.fetches === undefined ? slot !== 0 : core.values[slot] !== undefined
  }

  delete(key: K): boolean {
    return this.#core.delete(key, 'delete')
  }

  clear(): void {
    this.#core.clear()
  }

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

  fetch(key: K, options: Types.Fetching<K, V, FC>): Promise<V | undefined>
  fetch(
    key: Types.Contextless<FC, K>,
    options?: Types.Contextless<FC, Types.Fetching<K, V, FC>>,
  ): Promise<V | undefined>
  fetch(key: K, options: Types.FetchOptions<K, V, FC> = {}): Promise<V | undefined> {
    return this.#fetch(key, options)
  }

  forceFetch(key: K, options: Types.Fetching<K, V, FC>): Promise<V>
  forceFetch(
    key: Types.Contextless<FC, K>,
    options?: Types.Contextless<FC, Types.Fetching<K, V, FC>>,
  ): Promise<V>
  forceFetch(key: K, options: Types.FetchOptions<K, V, FC> = {}): Promise<V> {
    return insist(this.#fetch(key, options))
  }

  #fetch(key: K, options: Types.FetchOptions<K, V, FC>): Promise<V | undefined> {
    checkOptions(options)
    const { status, context } = options
    if (status && context) status.context = context
    return fetch(this.#core, key, options, () => this.#told('fetch', key, options))
  }

  memo(key: K, options: Types.Memoizing<K, V, FC>): V
  memo(key: Types.Contextless<FC, K>, options?: Types.Contextless<FC, Types.Memoizing<K, V, FC>>): V
  memo(key: K, options: Types.MemoOptions<K, V, FC> = {}): V {
    const { status, context } = options
    if (status && context) status.context = context
    const told = this.#told('memo', key, options)
    return memo(this.#core, key, told, (value, save) => store(this.#core, key, value, save))
  }

  find(
    fn: Types.Visitor<K, V, FC, boolean>,
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

  forEach(fn: Types.Visitor<K, V, FC, unknown>, self: unknown = this): void {
    this.#each(this.#cursor(false), fn, self)
  }

  rforEach(fn: Types.Visitor<K, V, FC, unknown>, self: unknown = this): void {
    this.#each(this.#cursor(true), fn, self)
  }

  keys(): Generator<K, void, unknown> {
    return this.#iterate(false, slot => this.#core.keys.keyOf(slot))
  }

  rkeys(): Generator<K, void, unknown> {
    return this.#iterate(true, slot => this.#core.keys.keyOf(slot))
  }

  values(): Generator<V, void, unknown> {
    return this.#iterate(false, (_, value) => value)
  }

  rvalues(): Generator<V | undefined, void, unknown> {
    return this.#iterate(true, (_, value) => value)
  }

  entries(): Generator<[K, V], void, unknown> {
    return this.#iterate(false, (slot, value) => this.#entry(slot, value))
  }

  rentries(): Generator<[K, V], void, unknown> {
    return this.#iterate(true, (slot, value) => this.#entry(slot, value))
  }

  [Symbol.iterator](): Generator<[K, V], void, unknown> {
    return this.entries()
  }

  info(key: K): Entry<V> | undefined {
    return info(this.#core, key)
  }

  dump(): [K, Entry<V>][] {
    return dump(this.#core)
  }

  load(entries: Iterable<[K, Entry<V>]>): void {
    load(this.#core, entries)
  }

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

  getRemainingTTL(key: K): Milliseconds {
    const slot = this.#core.keys.find(key)
    if (slot === 0) return 0
    return this.#core.ages?.remaining(slot) ?? Number.POSITIVE_INFINITY
  }

  getMany(keys: Iterable<K>, options?: Types.GetOptions<K, V, FC>): (V | undefined)[] {
    return Array.from(keys, key => this.get(key, options))
  }

  setMany(entries: Iterable<readonly [K, V]>, options?: Types.SetOptions<K, V, FC>): this {
    for (const [key, value] of entries) this.set(key, value, options)
    return this
  }

  stats(): Stats {
    const { counts, queues } = this.#core
    const policy = queues?.report()
    const now = { entries: this.size, size: this.calculatedSize }
    return { ...counts, ...now, ...(policy && { policy }) }
  }

  resetStats(): void {
    this.#core.counts.reset()
  }

  resize({ max, maxSize }: ResizeOptions): void {
    const core = this.#core
    if (max !== undefined) checkMax(max)
    if (maxSize !== undefined) checkPositive('maxSize', maxSize)
    if (maxSize !== undefined && core.sizes === undefined) {
      throw new TypeError('maxSize cannot be set later: entries of this cache have no sizes')
    }
    core.resize(max, maxSize)
  }

  close(): void {
    this.clear()
  }

  [Symbol.dispose](): void {
    this.close()
  }

  /**
   * A call's options, whose status is told what is called.
   *
   * @throws TypeError if they are none.
   */
  #told<T extends { status?: Types.Status<K, V, FC> }>(
    op: NonNullable<Types.Status<K, V, FC>['op']>,
    key: K,
    options: T,
  ): T {
    checkOptions(options)
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

  #each(cursor: Cursor<K, V, FC>, fn: Types.Visitor<K, V, FC, unknown>, self: unknown): void {
    const core = this.#core
    for (let slot = cursor.next(); slot !== 0; slot = cursor.next()) {
      const value = core.values[slot]
      if (value !== undefined) fn.call(self, value, core.keys.keyOf(slot), this)
    }
  }

  #entry(slot: number, value: V): [K, V] | undefined {
    const key = this.#core.keys.keyOf(slot)
    return key === undefined ? undefined : [key, value]
  }

  /** Gives what `give` makes of each entry, unless that is `undefined`. */
  *#iterate<T>(
    reverse: boolean,
    give: (slot: number, value: V) => T | undefined,
  ): Generator<T, void, unknown> {
    const core = this.#core
    const cursor = this.#cursor(reverse)
    for (let slot = cursor.next(); slot !== 0; slot = cursor.next()) {
      const value = core.values[slot]
      if (value === undefined || core.fetching(slot)) continue
      const given = give(slot, value)
      if (given !== undefined) yield given
    }
  }
}

/** The value that a fetch gives, which it has to. */
async function insist<V>(fetched: Promise<V | undefined>): Promise<V> {
  const value = await fetched
  if (value === undefined) throw new Error('fetch() returned undefined')
  return value
}

/** Whether a class made the value, or would have if it were not shared. */
function isInstance(type: typeof LRUCache, value: unknown): boolean {
  if (Function.prototype[Symbol.hasInstance].call(type, value)) return true
  return type === LRUCache && isShared(value)
}
