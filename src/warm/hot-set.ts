// The hot set of a cache: which keys it is, and how its values get to a file.
import type { CacheKey, Duration, HotKey } from '../base/types.ts'

/** The cache whose hot set it is. */
interface Readable<K, V> {
  ttl(key: K): number | undefined
  peek(key: K): V | undefined
}

/** An empty cache of the same codec, which takes the hot set and writes it. */
interface Savable<K, V> {
  set(key: K, value: V, options: { ttl: Duration | undefined; jitter: number }): unknown
  save(path: string | URL): Promise<number>
  close(): unknown
}

/** Kinds of keys by how hot the engine says that they are. */
const HEATS = 8

/**
 * The keys that are read most, most first.
 *
 * @param hot - those whose reads were counted, most first.
 * @param others - `[key, heat, key, heat, ...]`, in no particular order.
 */
export function hottest<K extends CacheKey>(
  hot: readonly HotKey<K>[],
  others: readonly (K | number)[],
  limit: number,
): HotKey<K>[] {
  const known = new Set(hot.map(({ key }) => key))
  const byHeat = Array.from({ length: HEATS }, (): HotKey<K>[] => [])
  for (let i = 0; i < others.length; i += 2) {
    const [key, heat] = [others[i] as K, others[i + 1] as number]
    if (!known.has(key)) byHeat[heat]?.push({ key, count: heat + 1 })
  }
  return [hot, ...byHeat.reverse()].flat().slice(0, limit)
}

/** This part of the bytes is left to tables that grow, and to entries that take more than others. */
const SPARE = 1 / 8
/** So many entries tell how large they are. */
const FIRST = 16

/**
 * How many more entries fit, if they are as large as those that are there: nothing that is hot is to leave
 * for what is less so.
 */
export function roomOf(
  { size, bytes }: { readonly size: number; readonly bytes: number },
  [max = Number.POSITIVE_INFINITY, maxBytes]: readonly [number | undefined, number | undefined],
): number {
  const places = Math.max(0, max - size)
  if (maxBytes === undefined) return places
  if (size === 0) return Math.min(places, FIRST)
  const left = maxBytes * (1 - SPARE) - bytes
  return Math.min(places, Math.max(0, Math.floor(left / (bytes / size))))
}

/**
 * Takes the values of these keys now; the result writes them to a file.
 *
 * @param copy - an empty cache of the same codec, which is closed in the end.
 */
export function saver<K extends CacheKey, V>(
  cache: Readable<K, V>,
  copy: Savable<K, V>,
  keys: readonly K[],
  path: string | URL,
): () => Promise<void> {
  try {
    for (const key of keys) {
      const ttl = cache.ttl(key)
      const value = ttl === undefined ? undefined : cache.peek(key)
      if (value !== undefined) copy.set(key, value, { ttl, jitter: 0 })
    }
  } catch (error) {
    copy.close()
    throw error
  }
  return async () => {
    try {
      await copy.save(path)
    } finally {
      copy.close()
    }
  }
}
