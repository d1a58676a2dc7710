// The hot set of a cache: which keys it is, and how its values get to a file.
import type { Store } from './store.ts'
import type { CacheKey } from './types.ts'

/** The keys that are read most, most first, and then any others. */
export function hottest<K extends CacheKey, V>(
  cache: Store<K, V>,
  limit: number,
): { key: K; count: number }[] {
  const hot = new Map<K, number>()
  for (const { key, count } of cache.hotKeys(limit)) hot.set(key, count)
  for (const key of cache.keys()) {
    if (hot.size >= limit) break
    if (!hot.has(key)) hot.set(key, 1)
  }
  return Array.from(hot, ([key, count]) => ({ key, count }))
}

/**
 * Takes the values of these keys now; the result writes them to a file.
 *
 * @param copy - an empty cache of the same codec, which is closed in the end.
 */
export function saver<K extends CacheKey, V>(
  cache: Store<K, V>,
  copy: Store<K, V>,
  keys: readonly K[],
  path: string | URL,
): () => Promise<void> {
  for (const key of keys) {
    const ttl = cache.ttl(key)
    const value = ttl === undefined ? undefined : cache.peek(key)
    if (value !== undefined) copy.set(key, value, { ttl, jitter: 0 })
  }
  return async () => {
    try {
      await copy.save(path)
    } finally {
      copy.close()
    }
  }
}
