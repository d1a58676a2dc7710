// What a TypeScript user writes in an ES module: checked, and wrong uses must be refused.
import { bytes, Cache, json } from 'breakwater'
import { KeyvStore } from 'breakwater/keyv'
import { LRUCache } from 'breakwater/lru-cache'
import { memoize } from 'breakwater/memoize'
import { createUseCacheHandler, type UseCacheHandler } from 'breakwater/nextjs'

interface User {
  name: string
}
const users = new Cache<string, User>({ name: 'users', max: 10, ttl: '5m', codec: json<User>() })
users.set('1', { name: 'Alice' })
export const name: string | undefined = users.get('1')?.name
export const many: (User | undefined)[] = users.getMany(['1', '2'])

export const blob: Uint8Array | undefined = new Cache<string, Uint8Array>({
  max: 10,
  codec: bytes(),
}).get('a')

// @ts-expect-error a key has the cache's type
users.get(1)
// @ts-expect-error no such policy
new Cache({ policy: 'fifo' })

const options: LRUCache.Options<string, User, unknown> = { max: 10, ttl: 5000 }
export const local: LRUCache<string, User> = new LRUCache(options)
export const shared = new LRUCache<string, User>({ shared: 'users', max: 10, codec: json<User>() })
export const fetched: Promise<User | undefined> = shared.fetch('1')

// @ts-expect-error a cache of one worker needs a bound
new LRUCache<string, User>({ allowStale: true })
export const store: Promise<string | undefined> = new KeyvStore({ max: 10 }).get('a')
export const handler: UseCacheHandler = createUseCacheHandler({ max: 10 })
const double = memoize((n: number) => n * 2, { max: 10 })
export const doubled: number = double(1)
// @ts-expect-error an argument has the function's type
double('1')
