/** The caches that load what they do not have, each built and called the way its readme says. */
import { BentoCache, bentostore } from 'bentocache'
import { memoryDriver } from 'bentocache/drivers/memory'
import { createCache } from 'cache-manager'
import { Loader } from 'layered-loader/core'
import { LRUCache } from 'lru-cache'
import { Cache, type CacheOptions, json } from './breakwater.ts'
import { OURS, PEER } from './sides.ts'

/** Gives the value of a key; so long as it does, the key is being loaded. */
export type Origin<V> = (key: string) => Promise<V>

/** What a side is built for. */
export interface LoadingNeeds<V> {
  /** The most entries that it holds. */
  max: number
  /** How long an entry lives, in milliseconds. */
  ttl: number
  /** The values are objects. */
  objects: boolean
  origin: Origin<V>
}

/** A side, ready to be asked. */
export interface LoadingSide<V> {
  /** The value of a key, awaited. */
  read(key: string): Promise<V | undefined | null>
  /** The value if it is there, or else a promise of it. Absent where there is no such thing. */
  readNow?(key: string): V | undefined | null | Promise<V | undefined | null>
}

// biome-ignore lint/complexity/noBannedTypes: lru-cache wants values that are not nothing
type Some = {}
type Build = <V extends Some>(needs: LoadingNeeds<V>) => LoadingSide<V>

/** What keeps a value from being missed when it ends. */
type Early = 'staleWhileRevalidate' | 'earlyRefresh' | 'refreshAhead'

/** Ours, with options more. */
export const breakwater =
  (options: Pick<CacheOptions, Early> = {}): Build =>
  <V>({ max, ttl, objects, origin }: LoadingNeeds<V>) => {
    const codec = objects ? { codec: json<V>() } : {}
    const cache = new Cache<string, V>({ max, ttl, ...codec, ...options })
    return {
      read: key => cache.getOrSet(key, () => origin(key)),
      readNow: key => cache.getOrSetSync(key, () => origin(key)),
    }
  }

/** Ours, told how to load when it is made. */
const toldOnce: Build = <V>({ max, ttl, objects, origin }: LoadingNeeds<V>) => {
  const codec = objects ? { codec: json<V>() } : {}
  const cache = new Cache<string, V>({ max, ttl, ...codec, loader: key => origin(key) })
  return { read: key => cache.fetch(key), readNow: key => cache.fetchSync(key) }
}

/** What a program writes that has a cache, and nothing more: look, load, store. */
export const aside: Build = <V>({ max, ttl, objects, origin }: LoadingNeeds<V>) => {
  const cache = new Cache<string, V>({ max, ttl, ...(objects && { codec: json<V>() }) })
  return {
    async read(key) {
      const known = cache.get(key)
      if (known !== undefined) return known
      const value = await origin(key)
      cache.set(key, value)
      return value
    },
  }
}

/** bentocache over its memory driver. */
export const bento =
  (store: { serialize?: false } = {}, options: { grace?: string; timeout?: number } = {}): Build =>
  <V>({ max, ttl, origin }: LoadingNeeds<V>) => {
    const driver = memoryDriver({ maxItems: max, ...store } as Parameters<typeof memoryDriver>[0])
    const cache = new BentoCache({
      default: 'memory',
      stores: { memory: bentostore().useL1Layer(driver) },
      ttl,
      ...options,
    })
    return { read: key => cache.getOrSet<V>({ key, factory: () => origin(key) }) as Promise<V> }
  }

/** cache-manager over the store in memory that it has by itself. */
export const cacheManager =
  (options: { refreshThreshold?: number } = {}): Build =>
  <V>({ ttl, origin }: LoadingNeeds<V>) => {
    const cache = createCache({ ttl, ...options })
    return { read: key => cache.wrap<V>(key, () => origin(key)) }
  }

/** lru-cache's `fetch`. */
export const lruCache =
  (options: { allowStale?: boolean } = {}): Build =>
  <V extends Some>({ max, ttl, origin }: LoadingNeeds<V>) => {
    const cache = new LRUCache<string, V>({ max, ttl, fetchMethod: key => origin(key), ...options })
    return {
      read: key => cache.fetch(key),
      readNow: key => cache.get(key) ?? cache.fetch(key),
    }
  }

/** layered-loader with its cache in memory alone. */
export const layered =
  (options: { ttlLeftBeforeRefreshInMsecs?: number } = {}): Build =>
  <V>({ max, ttl, origin }: LoadingNeeds<V>) => {
    const loader = new Loader<V>({
      inMemoryCache: { cacheType: 'lru-map', maxItems: max, ttlInMsecs: ttl, ...options },
      dataSourceGetOneFn: key => origin(key),
    })
    return {
      read: key => loader.get(key),
      readNow: key => loader.getInMemoryOnly(key) ?? loader.getAsyncOnly(key),
    }
  }

export const BENTO = 'bentocache'
export const BENTO_PLAIN = 'bentocache, serialize: false'
export const MANAGER = 'cache-manager'
export const LAYERED = 'layered-loader'

/** Ours, told how to load when it is made, as lru-cache and layered-loader are; others are at each read. */
export const OURS_ONCE = `${OURS}: fetch`
export const TOLD_ONCE: readonly string[] = [PEER, LAYERED]

/** All sides in their simplest form, ours first. */
export const LOADING_SIDES: Readonly<Record<string, Build>> = {
  [OURS]: breakwater(),
  [OURS_ONCE]: toldOnce,
  [BENTO]: bento(),
  [BENTO_PLAIN]: bento({ serialize: false }),
  [MANAGER]: cacheManager(),
  [PEER]: lruCache(),
  [LAYERED]: layered(),
}
