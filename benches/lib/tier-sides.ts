/** The caches that have a second tier in Redis, each built and called the way its readme says. */
import KeyvRedis, { createClient } from '@keyv/redis'
import { BentoCache, bentostore } from 'bentocache'
import { memoryDriver } from 'bentocache/drivers/memory'
import { redisDriver } from 'bentocache/drivers/redis'
import { createCache } from 'cache-manager'
import { Redis } from 'ioredis'
import { Keyv } from 'keyv'
import QuickLRU from 'quick-lru'
import { redis } from '../../dist/tier/redis/index.js'
import { Cache, json } from './breakwater.ts'
import { BENTO, type LoadingNeeds, type LoadingSide, MANAGER } from './loading-sides.ts'
import { OURS } from './sides.ts'

/** What a side is built for. */
export interface TierNeeds<V> extends LoadingNeeds<V> {
  /** Where redis-server listens, on loopback. */
  port: number
}

/** A side, ready to be asked. */
export interface TierSide<V> extends LoadingSide<V> {
  /** Stores a value in both tiers. */
  write(key: string, value: V): Promise<unknown>
  close(): unknown
}

type Build = <V>(needs: TierNeeds<V>) => Promise<TierSide<V>>

const HOST = '127.0.0.1'

/** Ours over a client. */
function breakwater<V>({ max, ttl, origin }: TierNeeds<V>, client: object, end: () => unknown) {
  const cache = new Cache<string, V>({
    name: `ours-${process.pid}`,
    max,
    ttl,
    codec: json<V>(),
    tier: redis(client),
  })
  const side: TierSide<V> = {
    read: key => cache.getOrSet(key, () => origin(key)),
    write: (key, value) => cache.put(key, value),
    async close() {
      await cache.close()
      await end()
    },
  }
  return cache.ready.then(() => side)
}

const overIoRedis: Build = needs => {
  const client = new Redis({ port: needs.port, host: HOST })
  return breakwater(needs, client, () => client.disconnect())
}

/** The client that Keyv brings. */
const overNodeRedis: Build = async needs => {
  const client = createClient({ socket: { port: needs.port, host: HOST } })
  await client.connect()
  return breakwater(needs, client, () => client.destroy())
}

const bento: Build = async <V>({ max, ttl, origin, port }: TierNeeds<V>) => {
  const connection = new Redis({ port, host: HOST })
  const store = bentostore()
    .useL1Layer(memoryDriver({ maxItems: max }))
    // Its types are of a client of another major version.
    .useL2Layer(redisDriver({ connection: connection as never }))
  const cache = new BentoCache({ default: 'both', stores: { both: store }, ttl })
  return {
    read: key => cache.getOrSet<V>({ key, factory: () => origin(key) }) as Promise<V>,
    write: (key, value) => cache.set({ key, value }),
    close: () => connection.disconnect(),
  }
}

const cacheManager: Build = async <V>({ max, ttl, origin, port }: TierNeeds<V>) => {
  const memory = new Keyv({ store: new QuickLRU({ maxSize: max }) })
  const shared = new Keyv(new KeyvRedis(`redis://${HOST}:${port}`), { useKeyPrefix: false })
  const cache = createCache({ ttl, stores: [memory, shared] })
  return {
    read: key => cache.wrap<V>(key, () => origin(key)),
    write: (key, value) => cache.set(key, value),
    close: () => cache.disconnect(),
  }
}

/** Ours by the other library. */
export const OURS_TOO = `${OURS}, node-redis`
/** By the library that each is to be compared with. */
export const TIER_SIDES: Readonly<Record<string, Build>> = {
  [`${OURS}, ioredis`]: overIoRedis,
  [`${BENTO}, ioredis`]: bento,
  [OURS_TOO]: overNodeRedis,
  [`${MANAGER}, node-redis`]: cacheManager,
}
