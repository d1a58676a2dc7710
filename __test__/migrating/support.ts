// What the tests of migrating share: loads that wait for the test, and caches as processes of a fleet
// have them.
import { setTimeout as sleep, setImmediate as turn } from 'node:timers/promises'
import type { ExecutionContext } from 'ava'
import { Cache, type CacheOptions, type Tier } from '../../src/index.ts'
import { type RedisTierOptions, redis as redisTier } from '../../src/tier/redis/index.ts'
import { connect } from '../tier/invalidation.ts'

/** A load that waits for the test, and a promise of its end as the cache has taken note of it. */
export function gate<V>() {
  let end: (value: V) => void
  const value = new Promise<V>(resolve => {
    end = resolve
  })
  return {
    open: () => value,
    end: (value: V) => end(value),
    /** Resolves when who waits for the load has heard of it. */
    get done() {
      return value.then(() => turn())
    },
  }
}

/** Waits until something is so. */
export async function until(what: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await what())) await sleep(1)
}

/** How a process of a fleet opens a cache. */
export interface Process<V> extends Partial<CacheOptions<V, string>> {
  given?: RedisTierOptions
}

/**
 * The cache of this name as another process has it, until the test ends. In one process the same name
 * is the same cache: here each has a name of its own, of which the tier knows nothing.
 */
export async function inProcess<V>(
  t: ExecutionContext,
  port: number,
  name: string,
  { given, ...options }: Process<V> = {},
): Promise<Cache<string, V>> {
  const { client } = await connect(t, 'ioredis', port)
  // Long enough for a machine that is busy.
  const patient = { timeout: '20s', invalidation: { bound: '20s' } } as const
  const tier = renamed(redisTier(client, { ...patient, ...given }), name)
  const cache = new Cache<string, V>({
    name: `${name} ${Math.random()}`,
    max: 1000,
    codec: 'json' as never,
    tier,
    ...options,
  })
  t.teardown(() => cache.close())
  await cache.ready
  return cache
}

/** Waits until Redis has these keys: a load does not wait for that. */
export async function stored(t: ExecutionContext, port: number, ...keys: string[]): Promise<void> {
  const { send } = await connect(t, 'ioredis', port)
  await until(async () => (await send('EXISTS', ...keys)) === keys.length)
}

function renamed(tier: Tier, name: string): Tier {
  return { open: host => tier.open({ ...host, name }) }
}

/** The value of a key when it stays: what is read before news of it came is forgotten when they do. */
export async function settled<V>(cache: Cache<string, V>, key: string): Promise<V | undefined> {
  await until(async () => {
    await cache.fetch(key)
    await sleep(20)
    return cache.get(key) !== undefined
  })
  return cache.get(key)
}
