// Every method with every option, and what each gives.
import { LRUCache } from 'lru-cache'

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
function is<A, B>(_: Same<A, B>): void {}

const cache = new LRUCache<string, number>({ max: 5 })
type Cache = typeof cache

is<ReturnType<Cache['get']>, number | undefined>(true)
is<ReturnType<Cache['peek']>, number | undefined>(true)
is<ReturnType<Cache['pop']>, number | undefined>(true)
is<ReturnType<Cache['has']>, boolean>(true)
is<ReturnType<Cache['delete']>, boolean>(true)
is<ReturnType<Cache['purgeStale']>, boolean>(true)
is<ReturnType<Cache['clear']>, void>(true)
is<ReturnType<Cache['getRemainingTTL']>, number>(true)
is<ReturnType<Cache['dump']>, [string, LRUCache.Entry<number>][]>(true)
is<ReturnType<Cache['info']>, LRUCache.Entry<number> | undefined>(true)
is<Cache['size'], number>(true)
is<Cache['fetchMethod'], LRUCache.Fetcher<string, number, unknown> | undefined>(true)
is<Cache['dispose'], LRUCache.Disposer<string, number> | undefined>(true)

const status: LRUCache.Status<string, number> = {}
cache
  .set('a', 1, {
    ttl: 5,
    size: 1,
    start: 1,
    sizeCalculation: value => value,
    noDisposeOnSet: true,
    noUpdateTTL: true,
    status,
  })
  .set('b', undefined)
export const got: number | undefined = cache.get('a', {
  allowStale: true,
  updateAgeOnGet: true,
  noDeleteOnStaleGet: true,
  status,
})
cache.peek('a', { allowStale: true, status })
cache.has('a', { updateAgeOnHas: true, status })
cache.find((value, key, self) => value > 1 && key.length > 1 && self.size > 1, { status })
// biome-ignore lint/suspicious/useIterableCallbackReturn: what is given back is left aside
cache.forEach((value, key, self) => self.set(key, value + 1))
cache.forEach(function (this: Date, value) {
  this.setTime(value)
}, new Date())
cache.rforEach(value => value)
cache.load(cache.dump())
cache.load([['a', { value: 1, ttl: 5, size: 1, start: 1 }]])

for (const [key, value] of cache) console.log(key.length, value.toFixed())
for (const [key, value] of cache.entries()) console.log(key.length, value.toFixed())
for (const key of cache.keys()) console.log(key.length)
for (const value of cache.values()) console.log(value.toFixed())
for (const key of cache.rkeys()) console.log(key.length)
for (const value of cache.rvalues()) console.log(value?.toFixed())
for (const pair of cache.rentries()) console.log(pair.length)
export const map: Map<string, number> = new Map(cache)
export const object: Record<string, number> = Object.fromEntries(cache.entries())
export const iterable: Iterable<[string, number]> = cache
export const keys: string[] = [...cache.keys()]
export const generator: Generator<string, void, unknown> = cache.keys()
export const tag: string = cache[Symbol.toStringTag]

const told: (number | boolean | string | Error | undefined)[] = [
  status.op,
  status.get,
  status.set,
  status.has,
  status.peek,
  status.fetch,
  status.memo,
  status.delete,
  status.ttl,
  status.start,
  status.now,
  status.remainingTTL,
  status.entrySize,
  status.totalCalculatedSize,
  status.maxEntrySizeExceeded,
  status.key,
  status.value,
  status.oldValue,
  status.forceRefresh,
  status.fetchDispatched,
  status.fetchUpdated,
  status.fetchError,
  status.fetchAborted,
  status.fetchAbortIgnored,
  status.fetchResolved,
  status.fetchRejected,
  status.returnedStale,
]
console.log(told, status.cache?.size, status.context)
if (status.get === 'stale-fetching' || status.has === 'stale' || status.set === 'replace') {
  console.log(status.fetch === 'inflight')
}

// Fields that may be changed.
cache.ttl = 5
cache.ttlResolution = 0
cache.ttlAutopurge = true
cache.updateAgeOnGet = true
cache.updateAgeOnHas = true
cache.allowStale = true
cache.noDisposeOnSet = true
cache.noUpdateTTL = true
cache.maxEntrySize = 5
cache.sizeCalculation = (value, key) => value + key.length
cache.noDeleteOnFetchRejection = true
cache.noDeleteOnStaleGet = true
cache.allowStaleOnFetchAbort = true
cache.allowStaleOnFetchRejection = true
cache.ignoreFetchAbort = true
cache.backgroundFetchSize = 2
export const bounds: [number, number, number] = [cache.max, cache.maxSize, cache.calculatedSize]
export const perf: { now(): number } = cache.perf
