// A store for cache-manager, version 7: what it asks of a Keyv, without the Keyv between.

import type { CreateCacheOptions } from 'cache-manager'
import { dateNow } from '../base/runtime.ts'
import type { CacheOrOptions } from './given.ts'
import { KeyvStore } from './keyv.ts'

/** What cache-manager calls a store. */
export type Store = NonNullable<CreateCacheOptions['stores']>[number]

/** A value with its end, as cache-manager's `ttl` and `wrap` ask for it. */
interface Raw<V> {
  value: V
  /** Milliseconds since 1970; left out if it does not expire. */
  expires?: number
}

/**
 * A store for `createCache` of cache-manager. Takes a cache, or the options of one.
 *
 * @throws InvalidOptionError `ERR_INVALID_OPTION`: an option that cannot be.
 *
 * @example
 * ```ts
 * import { createStore } from 'breakwater/cache-manager'
 * import { createCache } from 'cache-manager'
 *
 * const cache = createCache({
 *   stores: [createStore({ name: 'app', maxBytes: '64mb' })],
 *   ttl: 60_000,
 *   refreshThreshold: 10_000,
 * })
 * const load = async () => ({ name: 'Alice' })
 * assert.deepEqual(await cache.wrap('user:1', load), { name: 'Alice' })
 * assert.deepEqual(await cache.get('user:1'), { name: 'Alice' })
 * ```
 */
export function createStore<V = unknown>(cacheOrOptions: CacheOrOptions<V> = {}): Store {
  return new ManagedStore(cacheOrOptions) as unknown as Store
}

/** Serves a Keyv as well, for frameworks that put one around every store. */
class ManagedStore<V> extends KeyvStore<V> {
  override get(key: string): Promise<V | undefined>
  override get(key: string, options: { raw: true }): Promise<Raw<V> | undefined>
  override async get(key: string, options?: { raw?: boolean }): Promise<V | Raw<V> | undefined> {
    const value = this.cache.get(key)
    if (value === undefined || options?.raw !== true) return value
    const left = this.cache.ttl(key)
    return left === undefined || left === Number.POSITIVE_INFINITY
      ? { value }
      : { value, expires: dateNow() + left }
  }
}
