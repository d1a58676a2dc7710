// The cache that an adapter works on: one that its user has, or one that it opens for its user.

import { InvalidOptionError } from '../base/errors.ts'
import { Cache } from '../cache/cache.ts'
import type { StoreOptions } from '../cache/options.ts'

/** What an adapter is given. */
export type CacheOrOptions<V> = Cache<string, V> | StoreOptions<V>

/** The cache, and whether it was opened here, so that whoever asked for it closes it. */
export function cacheOf<V>(given: CacheOrOptions<V>): { cache: Cache<string, V>; own: boolean } {
  return isCache(given)
    ? { cache: given, own: false }
    : { cache: new Cache<string, V>(given), own: true }
}

/** Whether it is a cache, of this copy of the package or of its CommonJS one. */
function isCache<V>(given: CacheOrOptions<V>): given is Cache<string, V> {
  if (typeof given !== 'object' || given === null) {
    throw new InvalidOptionError('options', given, 'a Cache, or the options of one')
  }
  return 'getMany' in given && 'hotKeys' in given
}
