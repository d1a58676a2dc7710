// A store for Keyv, versions 5 and 6.
import type { Cache } from '../cache/cache.ts'
import { type CacheOrOptions, cacheOf } from './given.ts'

/** One entry of {@link KeyvStore.setMany}. */
export interface KeyvStoreEntry<V> {
  /** The key. */
  key: string
  /** The value. */
  value: V
  /** How long it lives, in milliseconds. */
  ttl?: number | undefined
}

/**
 * Keeps what a Keyv stores in a {@link Cache}. Takes a cache, or the options of one.
 *
 * Keyv turns values into text by itself. Where it is told not to, the cache's codec keeps what it
 * stores then, which are objects `{ value, expires }`.
 *
 * A store belongs to one Keyv. Several share a cache, each under its own namespace, through a
 * store each.
 *
 * @example
 * ```ts
 * import { KeyvStore } from 'breakwater/keyv'
 * import { Keyv } from 'keyv'
 *
 * const users = new Keyv({
 *   store: new KeyvStore({ name: 'keyv', maxBytes: '64mb' }),
 *   namespace: 'users',
 *   ttl: 60_000,
 * })
 * await users.set('1', { name: 'Alice' })
 * assert.deepEqual(await users.get('1'), { name: 'Alice' })
 * ```
 */
export class KeyvStore<V = string> {
  /** The cache that keeps it all. */
  readonly cache: Cache<string, V>
  /** Keyv 5 iterates over a store only if it names a dialect that Keyv knows. */
  readonly opts: Record<string, unknown> = { dialect: 'redis' }
  /**
   * Keyv 5 writes its namespace here and begins its keys by it. It does not exist until then:
   * Keyv 6 would take it for a wish to see keys without their namespace.
   */
  declare namespace?: string | undefined
  readonly #own: boolean

  /** @throws InvalidOptionError `ERR_INVALID_OPTION`: an option that cannot be. */
  constructor(cacheOrOptions: CacheOrOptions<V> = {}) {
    const { cache, own } = cacheOf(cacheOrOptions)
    this.cache = cache
    this.#own = own
  }

  /** The value of a key, or `undefined`. */
  async get(key: string): Promise<V | undefined> {
    return this.cache.get(key)
  }

  /** The values of many keys, in their order. */
  async getMany(keys: string[]): Promise<(V | undefined)[]> {
    return this.cache.getMany(keys)
  }

  /**
   * Stores a value. One that is `undefined`, or that ends before now, removes the key.
   *
   * @param ttl - how long it lives, in milliseconds; as the cache says if left out. As in Keyv, 0 and
   * what is no finite number mean that it does not end.
   */
  async set(key: string, value: V, ttl?: number): Promise<boolean> {
    this.#set(key, value, ttl)
    return true
  }

  /** Stores many values, in their order. */
  async setMany(entries: KeyvStoreEntry<V>[]): Promise<boolean[]> {
    for (const { key, value, ttl } of entries) this.#set(key, value, ttl)
    return entries.map(() => true)
  }

  #set(key: string, value: V, ttl: number | undefined): void {
    const life = lifeOf(ttl)
    const none = value === undefined || (life !== undefined && life < 0)
    if (none) this.cache.delete(key)
    else this.cache.set(key, value, life === undefined ? undefined : { ttl: life })
  }

  // There is no deleteMany: Keyv deletes one by one then, and tells of each key what became of it.

  /** Removes a key; whether it had a value. */
  async delete(key: string): Promise<boolean> {
    return this.cache.delete(key)
  }

  /** Whether a key has a value. */
  async has(key: string): Promise<boolean> {
    return this.cache.has(key)
  }

  /** Of each key, whether it has a value. */
  async hasMany(keys: string[]): Promise<boolean[]> {
    return keys.map(key => this.cache.has(key))
  }

  /** Removes the entries of the namespace, or all if there is none. */
  async clear(): Promise<void> {
    if (!this.namespace) return this.cache.clear()
    for (const key of this.#keys(this.namespace)) this.cache.delete(key)
  }

  /** The entries of a namespace, or all if none is given, as {@link Cache.keys} iterates. */
  async *iterator(namespace?: string): AsyncGenerator<[string, V], void> {
    for (const key of this.#keys(namespace)) {
      const value = this.cache.peek(key)
      if (value !== undefined) yield [key, value]
    }
  }

  /** Closes the cache, if this store opened it. */
  async disconnect(): Promise<void> {
    if (this.#own) this.cache.close()
  }

  /** Keyv 5 writes `namespace:key`, Keyv 6 `namespace::key`. */
  *#keys(namespace: string | undefined): Generator<string> {
    const prefix = namespace ? `${namespace}:` : ''
    for (const key of this.cache.keys()) {
      if (typeof key === 'string' && key.startsWith(prefix)) yield key
    }
  }
}

/** What Keyv means by a ttl: `undefined` leaves it to the cache. */
function lifeOf(ttl: unknown): number | undefined {
  if (ttl === undefined || ttl === null) return undefined
  const ends = typeof ttl === 'number' && Number.isFinite(ttl) && ttl !== 0
  return ends ? ttl : Number.POSITIVE_INFINITY
}
