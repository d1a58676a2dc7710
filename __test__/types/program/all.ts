// A program that uses each entry that needs no peer.
import { BreakwaterError, Cache, string } from 'breakwater'
import { LRUCache } from 'breakwater/lru-cache'
import 'breakwater/lru-cache/shared'
import { memoize } from 'breakwater/memoize'
import { redis } from 'breakwater/redis'
import { ManualClock } from 'breakwater/testing'

const clock = new ManualClock()
const cache = new Cache<string, string>({ max: 10, codec: string(), ttl: '5m', clock })
export const user: string | undefined = cache.get('a')
export const shared = new LRUCache<string, { name: string }>({ shared: 'users', max: 5 })
export const parts = [memoize, redis]
export const isOurs = (error: unknown): error is BreakwaterError => error instanceof BreakwaterError
