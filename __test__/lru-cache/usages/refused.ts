// What the types refuse.
import { LRUCache } from 'lru-cache'

const cache = new LRUCache<string, number>({ max: 5 })

// @ts-expect-error without a bound
new LRUCache<string, number>({})
// @ts-expect-error without options
new LRUCache<string, number>()
// @ts-expect-error a ttl alone does not bound, unless entries are purged
new LRUCache<string, number>({ ttl: 5 })
// @ts-expect-error a bound is a number
new LRUCache<string, number>({ max: '5' })
// @ts-expect-error an option of lru-cache 6
new LRUCache<string, number>({ max: 5, maxAge: 5 })
// @ts-expect-error the length of lru-cache 6
new LRUCache<string, number>({ max: 5, length: () => 1 })
// @ts-expect-error a flag is a boolean
new LRUCache<string, number>({ max: 5, allowStale: 'yes' })
// @ts-expect-error sizes are numbers
new LRUCache<string, number>({ maxSize: 5, sizeCalculation: () => 'large' })
// @ts-expect-error null is no key
export type NullKey = LRUCache<null, number>
// @ts-expect-error undefined is no value
export type UndefinedValue = LRUCache<string, undefined>
// @ts-expect-error nor is a value that may be undefined
export type MaybeValue = LRUCache<string, number | undefined>
// @ts-expect-error unknown may be undefined
export type UnknownValue = LRUCache<string, unknown>

// @ts-expect-error another key
cache.get(5)
// @ts-expect-error another value
cache.set('a', 'b')
// @ts-expect-error null is no number
cache.set('a', null)
// @ts-expect-error no such option
cache.set('a', 1, { maxAge: 5 })
// @ts-expect-error an option of another method
cache.get('a', { ttl: 5 })
// @ts-expect-error an option of another method
cache.has('a', { allowStale: true })
// @ts-expect-error an option of another method
cache.peek('a', { updateAgeOnGet: true })
// @ts-expect-error delete has none
cache.delete('a', {})
// @ts-expect-error a value may be missing
export const certain: number = cache.get('a')
// @ts-expect-error a fetch may give nothing
export const fetched: Promise<number> = cache.fetch('a')
// @ts-expect-error what bounds the cache cannot be changed
cache.max = 10
// @ts-expect-error nor can that
cache.maxSize = 10
// @ts-expect-error nor the size
cache.size = 0
// @ts-expect-error nor a hook
cache.dispose = () => {}
// @ts-expect-error nor the method
cache.fetchMethod = async () => 1
// @ts-expect-error no such method: it was `reset` once
cache.reset()
// @ts-expect-error nor that: it was `del` once
cache.del('a')
// @ts-expect-error nor that: it was `prune` once
cache.prune()
// @ts-expect-error the entries of lru-cache 6
cache.load([{ k: 'a', v: 1 }])

const contextual = new LRUCache<string, number, { user: string }>({
  max: 5,
  fetchMethod: async (_key, _stale, { context }) => context.user.length,
  memoMethod: (_key, _stale, { context }) => context.user.length,
})
// @ts-expect-error a context is needed
contextual.fetch('a')
// @ts-expect-error also with other options
contextual.fetch('a', { ttl: 5 })
// @ts-expect-error another context
contextual.fetch('a', { context: { name: 'b' } })
// @ts-expect-error a context is needed
contextual.memo('a')
// @ts-expect-error a context is needed
contextual.forceFetch('a')

const bare = new LRUCache<string, number, void>({ max: 5 })
// @ts-expect-error there is no context
bare.fetch('a', { context: 'b' })

new LRUCache<string, number>({
  max: 5,
  // @ts-expect-error another value
  fetchMethod: async () => 'a',
})
new LRUCache<string, number>({
  max: 5,
  // @ts-expect-error another value
  memoMethod: () => 'a',
})
new LRUCache<string, number>({
  max: 5,
  dispose: (value, key, reason) => {
    // @ts-expect-error the value is a number
    value.length
    // @ts-expect-error the key is a text
    key.toFixed()
    // @ts-expect-error no such reason
    return reason === 'stale'
  },
})
new LRUCache<string, number>({
  max: 5,
  onInsert: (_value, _key, reason) => {
    // @ts-expect-error no such reason
    return reason === 'set'
  },
})

// @ts-expect-error a clock must have now
new LRUCache<string, number>({ max: 5, perf: {} })
// @ts-expect-error a cache of other values
export const other: LRUCache<string, string> = cache
