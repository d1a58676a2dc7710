// A second tier in Redis, by a client of ioredis or node-redis.
import type { Tier } from '../contract.ts'
import { clientOf } from './clients/known.ts'
import { checkRedisTier, type RedisTierOptions } from './options.ts'
import { RedisSession } from './session/session.ts'

export type { Duration, Size } from '../../base/types.ts'
export type { BreakerOptions } from '../../guard/breaker.ts'
export type { CompressionName } from '../compression.ts'
export type { Tier, TierHost, TierLease, TierMark, TierSession, TierValue } from '../contract.ts'
export type { InvalidationOptions } from './channel/options.ts'
export type { RedisTierOptions } from './options.ts'

/**
 * A second tier that processes share over Redis: what one has loaded the others find there, and what
 * one writes the others forget.
 *
 * The client stays yours: connect it, listen to its errors, close it after the caches. Where Redis
 * fails, a cache does without it; `timeout` and `breaker` say when.
 *
 * @param client - of ioredis (`Redis`, also with Sentinels, or `Cluster`) or of node-redis
 * (`createClient`, `createSentinel`, `createCluster`). Redis 6 or later.
 * @throws InvalidOptionError `ERR_INVALID_OPTION`: an option that cannot be, or what is no client.
 */
export function redis(client: object, options?: RedisTierOptions): Tier {
  const checked = checkRedisTier(options)
  const known = clientOf(client)
  return { open: host => new RedisSession(known, checked, host) }
}
