// Namespaces: views of a cache whose keys begin with a name, and which are cleared in one step.
import { types } from 'node:util'
import { pairOf, pairs } from '../base/checks.ts'
import { article } from '../base/describe.ts'
import { InvalidKeyError, InvalidOptionError } from '../base/errors.ts'
import type { Duration, SetOptions } from '../base/types.ts'
import type { BatchLoader } from '../loading/batch.ts'
import { checkTags } from '../loading/freshness.ts'
import type { Load, Loader } from '../loading/load.ts'
import type { FetchOptions } from '../loading/options.ts'
import type { InvalidateOptions } from '../writing/writing.ts'
import { checkFetchManyOptions, checkIsOptions } from './call-options.ts'
import type { IncrementOptions } from './conditional.ts'
import type { EntryInfo } from './info.ts'

/** The most characters of a name. */
const LONGEST = 128
/** The most characters of nested names with the colons between: they are part of a tag. */
const LONGEST_PATH = 200
/** How deep namespaces may be nested: each adds a tag to its entries. */
const DEEPEST = 8

type Value<V> = V | undefined

/** What a namespace needs of the cache that it is a view of. */
export interface NamespaceHost<V> {
  /**
   * What `fetch` calls if the call has no loader, if it can be called for a single key. Known here,
   * so that the tags that it sets do not take the place of the namespace's.
   */
  readonly loader?: Loader<string, V> | undefined
  get(key: string): Value<V>
  peek(key: string): Value<V>
  has(key: string): boolean
  set(key: string, value: V, options?: SetOptions): unknown
  delete(key: string): boolean
  getMany(keys: readonly string[]): Value<V>[]
  setMany(entries: Iterable<readonly [string, V]>, options?: SetOptions): unknown
  deleteMany(keys: readonly string[]): number
  fetch(key: string, options?: FetchOptions<string, V>): Promise<Value<V>>
  fetchSync(key: string, options?: FetchOptions<string, V>): Value<V> | Promise<Value<V>>
  getOrSet(
    key: string,
    loader: Loader<string, V>,
    options?: FetchOptions<string, V>,
  ): Promise<Value<V>>
  getOrSetSync(
    key: string,
    loader: Loader<string, V>,
    options?: FetchOptions<string, V>,
  ): Value<V> | Promise<Value<V>>
  fetchHas(key: string): Promise<boolean>
  fetchMany(
    keys: readonly string[],
    batchLoader?: BatchLoader<string, V>,
    options?: Omit<FetchOptions<string, V>, 'loader'>,
  ): Promise<Value<V>[]>
  increment(key: string, by?: number, options?: IncrementOptions): number
  setIfAbsent(key: string, value: V, options?: SetOptions): boolean
  update(key: string, change: (value: Value<V>) => Value<V>, options?: SetOptions): Value<V>
  touch(key: string): boolean
  info(key: string): EntryInfo | undefined
  put(key: string, value: V, options?: SetOptions): Promise<void>
  remove(key: string): Promise<void>
  invalidate(key: string, options?: InvalidateOptions): Promise<void>
  ttl(key: string): number | undefined
  expire(key: string, ttl: Duration): boolean
  invalidateTag(tag: string, options?: { stale?: boolean | undefined }): void
  keys(): Iterable<unknown>
}

/** Checks the name of a namespace. */
export function checkNamespace(name: string): string {
  const fits = typeof name === 'string' && name !== '' && name.length <= LONGEST
  if (fits && !name.includes(':')) return name
  const allowed = `a text of 1 to ${LONGEST} characters without ':'`
  throw new InvalidOptionError('namespace', name, allowed)
}

/**
 * A view of a cache: its key `a` is the cache's key `v2:a`. The view keeps nothing itself: another of
 * the same name is the same. Its keys are strings. A key of the cache that begins with `v2:`, or one
 * of a namespace within this one, is one of this view's too.
 *
 * Its entries carry a tag of the namespace, by which {@link Namespace.clear} finds them; snapshots
 * leave out entries that have tags.
 */
export class Namespace<V> {
  readonly #host: NamespaceHost<V>
  /** Its name, with those of the namespaces that it is in: `v2` or `v2:users`. */
  readonly path: string
  readonly #prefix: string
  /** One for it and for each namespace that it is in. */
  readonly #tags: readonly string[]
  readonly #plain: SetOptions
  /** Batch loaders that are given keys as they are here, by those that were given. */
  readonly #batches = new WeakMap<BatchLoader<string, V>, BatchLoader<string, V>>()

  /** @param parent - the namespace that it is in. */
  constructor(host: NamespaceHost<V>, name: string, parent?: Namespace<V>) {
    checkNamespace(name)
    this.#host = host
    this.path = parent === undefined ? name : `${parent.path}:${name}`
    const above = parent === undefined ? [] : parent.#tags
    if (this.path.length > LONGEST_PATH || above.length === DEEPEST) {
      const allowed = `in at most ${DEEPEST - 1} others, with names of at most ${LONGEST_PATH} characters together`
      throw new InvalidOptionError('namespace', name, allowed)
    }
    this.#prefix = `${this.path}:`
    this.#tags = [...above, `breakwater:namespace:${this.path}`]
    this.#plain = { tags: this.#tags }
  }

  /** A namespace in this one: its key `a` is `b:a` here. */
  namespace(name: string): Namespace<V> {
    return new Namespace(this.#host, name, this)
  }

  /** See {@link Cache.get}. */
  get(key: string): V | undefined {
    return this.#host.get(this.#full(key))
  }

  /** See {@link Cache.peek}. */
  peek(key: string): V | undefined {
    return this.#host.peek(this.#full(key))
  }

  /** See {@link Cache.has}. */
  has(key: string): boolean {
    return this.#host.has(this.#full(key))
  }

  /** See {@link Cache.set}. */
  set(key: string, value: V, options?: SetOptions): this {
    this.#host.set(this.#full(key), value, this.#tagged(options))
    return this
  }

  /** See {@link Cache.delete}. */
  delete(key: string): boolean {
    return this.#host.delete(this.#full(key))
  }

  /** See {@link Cache.getMany}. */
  getMany(keys: readonly string[]): (V | undefined)[] {
    return this.#host.getMany(this.#all(keys))
  }

  /** See {@link Cache.setMany}. */
  setMany(entries: Iterable<readonly [string, V]>, options?: SetOptions): this {
    const full: [string, V][] = []
    for (const entry of pairs(entries)) {
      const [key, value] = pairOf(entry)
      full.push([this.#full(key), value])
    }
    this.#host.setMany(full, this.#tagged(options))
    return this
  }

  /** See {@link Cache.deleteMany}. */
  deleteMany(keys: readonly string[]): number {
    return this.#host.deleteMany(this.#all(keys))
  }

  /**
   * See {@link Cache.fetch}. A loader of the call is given the key as it is here, the loader of the
   * cache the whole one.
   */
  async fetch(key: string, options?: FetchOptions<string, V>): Promise<V | undefined> {
    return this.fetchSync(key, options)
  }

  /** See {@link Cache.fetchSync}, and {@link Namespace.fetch}. */
  fetchSync(
    key: string,
    options?: FetchOptions<string, V>,
  ): V | undefined | Promise<V | undefined> {
    const given = options?.loader
    // What is no function is for the cache to refuse.
    const own = typeof given === 'function' ? this.#own(given) : given
    const loader = own ?? this.#host.loader
    return this.#host.fetchSync(this.#full(key), {
      ...this.#tagged(options),
      ...(typeof loader === 'function' && { loader: this.#tagging(loader) }),
    })
  }

  /** See {@link Cache.getOrSet}. The loader is given the key as it is here. */
  async getOrSet(
    key: string,
    loader: Loader<string, V>,
    options?: FetchOptions<string, V>,
  ): Promise<V | undefined> {
    return this.getOrSetSync(key, loader, options)
  }

  /** See {@link Cache.getOrSetSync}. The loader is given the key as it is here. */
  getOrSetSync(
    key: string,
    loader: Loader<string, V>,
    options?: FetchOptions<string, V>,
  ): V | undefined | Promise<V | undefined> {
    // What is no function is for the cache to refuse.
    const own = typeof loader === 'function' ? this.#tagging(this.#own(loader)) : loader
    return this.#host.getOrSetSync(this.#full(key), own, this.#tagged(options))
  }

  /** See {@link Cache.fetchHas}. */
  async fetchHas(key: string): Promise<boolean> {
    return this.#host.fetchHas(this.#full(key))
  }

  /**
   * See {@link Cache.fetchMany}. A batch loader of the call is given the keys as they are here, that of
   * the cache whole ones.
   *
   * @example
   * ```ts
   * import { Cache } from 'breakwater'
   *
   * const teams = new Cache({ max: 100 }).namespace('team-7')
   * const names = await teams.fetchMany(['1', '2'], ids => ids.map(id => `member ${id}`))
   * assert.deepEqual(names, ['member 1', 'member 2'])
   * assert.equal(teams.get('2'), 'member 2')
   * ```
   */
  async fetchMany(
    keys: readonly string[],
    batchLoader?: BatchLoader<string, V>,
    options?: Omit<FetchOptions<string, V>, 'loader'>,
  ): Promise<(V | undefined)[]> {
    const full = this.#all(keys)
    checkFetchManyOptions(options)
    if (batchLoader === undefined) return Promise.all(keys.map(key => this.fetch(key, options)))
    // What is no function is for the cache to refuse.
    const own = typeof batchLoader === 'function' ? this.#ownBatch(batchLoader) : batchLoader
    return this.#host.fetchMany(full, own, this.#tagged(options))
  }

  /**
   * See {@link Cache.increment}.
   *
   * @example
   * ```ts
   * import { Cache } from 'breakwater'
   *
   * const views = new Cache<string, number>({ max: 100 }).namespace('views')
   * assert.equal(views.increment('/home'), 1)
   * assert.equal(views.increment('/home'), 2)
   * views.clear()
   * assert.equal(views.increment('/home'), 1)
   * ```
   */
  increment(key: string, by = 1, options?: IncrementOptions): number {
    return this.#host.increment(this.#full(key), by, this.#tagged(options))
  }

  /** See {@link Cache.setIfAbsent}. */
  setIfAbsent(key: string, value: V, options?: SetOptions): boolean {
    return this.#host.setIfAbsent(this.#full(key), value, this.#tagged(options))
  }

  /** See {@link Cache.update}. */
  update(
    key: string,
    change: (value: V | undefined) => V | undefined,
    options?: SetOptions,
  ): V | undefined {
    return this.#host.update(this.#full(key), change, this.#tagged(options))
  }

  /** See {@link Cache.touch}. */
  touch(key: string): boolean {
    return this.#host.touch(this.#full(key))
  }

  /** See {@link Cache.info}. */
  info(key: string): EntryInfo | undefined {
    return this.#host.info(this.#full(key))
  }

  /** See {@link Cache.put}. A writer is given the whole key. */
  async put(key: string, value: V, options?: SetOptions): Promise<void> {
    return this.#host.put(this.#full(key), value, this.#tagged(options))
  }

  /** See {@link Cache.remove}. */
  async remove(key: string): Promise<void> {
    return this.#host.remove(this.#full(key))
  }

  /** See {@link Cache.invalidate}. */
  async invalidate(key: string, options?: InvalidateOptions): Promise<void> {
    return this.#host.invalidate(this.#full(key), options)
  }

  /** See {@link Cache.ttl}. */
  ttl(key: string): number | undefined {
    return this.#host.ttl(this.#full(key))
  }

  /** See {@link Cache.expire}. */
  expire(key: string, ttl: Duration): boolean {
    return this.#host.expire(this.#full(key), ttl)
  }

  /** See {@link Cache.invalidateTag}: tags are the whole cache's, for all namespaces. */
  invalidateTag(tag: string, options?: { stale?: boolean | undefined }): void {
    this.#host.invalidateTag(tag, options)
  }

  /** Its keys, as they are here. Goes through all keys of the cache. */
  *keys(): Generator<string, undefined, undefined> {
    for (const key of this.#host.keys()) {
      if (typeof key === 'string' && key.startsWith(this.#prefix)) {
        yield key.slice(this.#prefix.length)
      }
    }
  }

  /**
   * Removes what was stored through this view, any other of its name, and the namespaces in it,
   * however much, in one step.
   */
  clear(): void {
    this.#host.invalidateTag(this.#tags.at(-1)!)
  }

  #full(key: string): string {
    if (typeof key === 'string') return this.#prefix + key
    const got = article(key === null ? 'null' : typeof key)
    throw new InvalidKeyError(got, 'a string in a namespace')
  }

  #all(keys: readonly string[]): string[] {
    if (Array.isArray(keys)) return keys.map(key => this.#full(key))
    throw new InvalidOptionError('keys', keys, 'an array')
  }

  /** The options with the tags of the namespace. */
  #tagged<O extends SetOptions>(options: O | undefined): O | SetOptions {
    if (options === undefined || options === null) return this.#plain
    checkIsOptions(options)
    return { ...options, tags: [...this.#tags, ...checkTags(options.tags)] }
  }

  /** A loader that is given the key as it is here. */
  #own(loader: Loader<string, V>): Loader<string, V> {
    return (key, load) => loader(key.slice(this.#prefix.length), load)
  }

  /** The same for a batch loader: always the same one, so that its keys share a batch. */
  #ownBatch(batchLoader: BatchLoader<string, V>): BatchLoader<string, V> {
    const known = this.#batches.get(batchLoader)
    if (known !== undefined) return known
    const own: BatchLoader<string, V> = async (keys, context) => {
      const cut = keys.map(key => key.slice(this.#prefix.length))
      const result = await batchLoader(cut, context)
      return types.isMap(result) ? cut.map(key => result.get(key)) : result
    }
    this.#batches.set(batchLoader, own)
    return own
  }

  /** A loader whose values have the tags of the namespace, whatever tags it sets. */
  #tagging(loader: Loader<string, V>): Loader<string, V> {
    const tag = (load: Load<V>) => {
      load.tags = [...new Set([...this.#tags, ...checkTags(load.tags)])]
    }
    return (key, load) => {
      const value = loader(key, load)
      if (typeof (value as PromiseLike<unknown> | undefined)?.then !== 'function') {
        tag(load)
        return value
      }
      return (value as PromiseLike<Value<V>>).then(loaded => {
        tag(load)
        return loaded
      })
    }
  }
}
