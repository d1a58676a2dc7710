// Every option at 0, below it, at no number, huge, absent and of another type: what lru-cache does.
import test from 'ava'
import { LRUCache as Ours } from '../../src/lru-cache/index.ts'
import { flagsAt } from './support/flags.ts'
import { type Any, implementations, type LRUCacheClass } from './support/implementations.ts'
import { settle } from './support/time.ts'

const odd: readonly unknown[] = [
  0,
  -1,
  -0.5,
  1.5,
  Number.NaN,
  Number.POSITIVE_INFINITY,
  Number.NEGATIVE_INFINITY,
  2 ** 53,
  1e300,
  undefined,
  null,
  '5',
  '',
  true,
  false,
  {},
]

/** lru-cache adds sizes up as they are: with text it never returns. */
const numbers = odd.filter(value => typeof value === 'number' || value === undefined)

/** Those that lru-cache itself would need hours or all memory for are left out. */
const options: Record<string, readonly unknown[]> = {
  max: [...odd, 2 ** 32, 2 ** 32 + 1],
  maxSize: [...odd, 2 ** 31, 2 ** 32],
  maxEntrySize: [...odd, 2 ** 31, 2 ** 32],
  ttl: [...odd, 2 ** 31, 2 ** 32],
  ttlResolution: [...odd, 2 ** 31, 2 ** 32],
  backgroundFetchSize: [...numbers, 3, 100, 2 ** 31],
  sizeCalculation: odd,
  fetchMethod: odd,
  memoMethod: odd,
  dispose: odd,
  disposeAfter: odd,
  onInsert: odd,
  perf: odd,
  ttlAutopurge: odd,
  ...flagsAt(odd),
  allowStaleOnFetchAbort: odd,
  ignoreFetchAbort: odd,
}

/** Caches that an option is given to besides. */
const others: readonly object[] = [
  { max: 3 },
  { maxSize: 10, sizeCalculation: () => 2 },
  { max: 3, ttl: 1000, ttlAutopurge: true },
  { max: 3, maxEntrySize: 5, sizeCalculation: () => 2, fetchMethod: async () => 7 },
  { maxSize: 10, sizeCalculation: () => 2, fetchMethod: async () => 7 },
]

const attempt = <T>(f: () => T): T | string => {
  try {
    return f()
  } catch (error) {
    return Object.getPrototypeOf(error).constructor.name
  }
}

/** What a cache of these options does: all that can be seen but the clock. */
async function observe(LRUCache: LRUCacheClass, given: object): Promise<unknown[]> {
  let cache: InstanceType<LRUCacheClass>
  try {
    cache = new LRUCache(given as never)
  } catch (error) {
    return [Object.getPrototypeOf(error).constructor.name]
  }
  const seen: unknown[] = []
  const look = () => seen.push([cache.size, cache.calculatedSize, [...cache.keys()]])
  for (const key of ['a', 'b', 'c', 'd']) seen.push(attempt(() => cache.set(key, key) === cache))
  look()
  if (cache.fetchMethod !== undefined) {
    const fetches = ['x', 'x', 'y'].map(key => cache.fetch(key as Any))
    look()
    for (const result of await Promise.allSettled(fetches)) {
      seen.push(result.status === 'fulfilled' ? result.value : result.reason?.constructor?.name)
    }
    await settle()
    look()
  }
  seen.push(attempt(() => cache.memo('m' as Any)))
  seen.push(attempt(() => cache.get('d')))
  seen.push(attempt(() => cache.has('c')))
  seen.push(attempt(() => cache.delete('b')))
  seen.push(attempt(() => cache.pop()))
  look()
  seen.push(attempt(() => cache.clear()))
  look()
  const { max, maxSize, maxEntrySize, ttl, ttlResolution, backgroundFetchSize } = cache
  seen.push({ max, maxSize, maxEntrySize, ttl, ttlResolution, backgroundFetchSize })
  return seen
}

const [[, Theirs]] = implementations as unknown as [[string, LRUCacheClass]]

for (const [option, values] of Object.entries(options)) {
  test.serial(`${option}: any value does what it does in lru-cache`, async t => {
    for (const value of values) {
      for (const other of others) {
        const given = { ...other, [option]: value }
        // lru-cache calls what is no function, and its timers overflow: only the constructor counts.
        const theirs = await observe(Theirs, given)
        t.deepEqual(
          await observe(Ours as never, given),
          theirs,
          `${String(value)} ${Object.keys(other)}`,
        )
      }
    }
  })
}

test.serial('per call: any size, ttl and start does what it does in lru-cache', t => {
  const amounts = [0, -1, 1.5, Number.NaN, 2 ** 31, 1e300, undefined]
  const clock = { now: () => 1000 }
  const run = (LRUCache: LRUCacheClass, of: object, given: object) => {
    const cache = new LRUCache({ ...of, perf: clock, ttlResolution: 0 } as never)
    const seen: unknown[] = [attempt(() => cache.set('a', 1, given as never) === cache)]
    seen.push(cache.get('a'), cache.has('a'), cache.getRemainingTTL('a'), cache.calculatedSize)
    return seen
  }
  for (const of of [{ max: 3 }, { max: 3, ttl: 50 }, { maxSize: 10 }]) {
    for (const ttl of amounts) {
      for (const start of amounts) {
        const given = { ttl, start, ...('maxSize' in of ? { size: 1 } : {}) }
        t.deepEqual(run(Ours as never, of, given), run(Theirs, of, given), `${ttl} ${start}`)
      }
    }
    for (const size of amounts) {
      t.deepEqual(run(Ours as never, of, { size }), run(Theirs, of, { size }), String(size))
    }
  }
})

/** How a method is called with options. */
const calls: Record<string, (cache: InstanceType<LRUCacheClass>, options: never) => unknown> = {
  set: (cache, options) => cache.set('a', 2, options),
  get: (cache, options) => cache.get('a', options),
  has: (cache, options) => cache.has('a', options),
  peek: (cache, options) => cache.peek('a', options),
  memo: (cache, options) => cache.memo('a', options),
  find: (cache, options) => cache.find(() => true, options),
  fetch: (cache, options) => cache.fetch('a', options),
  forceFetch: (cache, options) => cache.forceFetch('a', options),
}

test.serial('per call: what is no object is refused as lru-cache refuses it', t => {
  const run = (LRUCache: LRUCacheClass, method: string, given: unknown) => {
    const cache = new LRUCache<Any, Any>({
      max: 3,
      ttl: 1000,
      memoMethod: () => 3,
      fetchMethod: () => 4,
    })
    cache.set('a', 1)
    const result = attempt(() => calls[method]!(cache, given as never))
    const seen = result instanceof Promise ? 'a promise' : result === cache ? 'the cache' : result
    return [seen, cache.get('a'), cache.size]
  }
  for (const method of Object.keys(calls)) {
    for (const given of [...odd, [], Symbol.iterator, 5n, () => 1]) {
      const [ours, theirs] = [Ours as never, Theirs].map(type => run(type, method, given))
      t.deepEqual(ours, theirs, `${method} ${String(given)}`)
    }
  }
})

test.serial('load: any entry does what it does in lru-cache', t => {
  const fields = ['ttl', 'start', 'size', 'status', 'noUpdateTTL', 'noDisposeOnSet']
  const run = (LRUCache: LRUCacheClass, of: object, entry: object) => {
    const told: unknown[] = []
    const options = { ...of, perf: { now: () => 1000 }, ttlResolution: 0 }
    const dispose = (...args: unknown[]) => told.push(args)
    const cache = new LRUCache({ ...options, dispose } as never)
    const seen = attempt(() => cache.load([['a', { value: 1, ...entry } as never]]))
    const left = cache.getRemainingTTL('a')
    // The clock of portable starts is the system's.
    const lives = left > 1e6 || left < -1e6 ? left > 0 : Math.round(left / 100)
    cache.set('a', 2, { size: 'maxSize' in of ? 1 : undefined } as never)
    return [seen, lives, cache.get('a'), cache.size, cache.calculatedSize, told]
  }
  const numeric = odd.filter(value => typeof value !== 'object' || value === null)
  for (const of of [{ max: 3 }, { max: 3, ttl: 50 }, { maxSize: 10, ttl: 50 }]) {
    for (const field of fields) {
      for (const value of numeric) {
        const entry = { ...('maxSize' in of ? { size: 1 } : {}), ttl: 10_000, [field]: value }
        const [ours, theirs] = [Ours as never, Theirs].map(type => run(type, of, entry))
        t.deepEqual(ours, theirs, `${Object.keys(of)} ${field} ${String(value)}`)
      }
    }
  }
})

test.serial(
  'without process.emitWarning the warning of an unbounded cache goes to the console',
  t => {
    const { emitWarning } = process
    const { error } = console
    const said: string[] = []
    process.emitWarning = undefined as never
    console.error = text => said.push(text)
    try {
      t.notThrows(() => new Ours({ ttl: 5, ttlAutopurge: false }))
    } finally {
      process.emitWarning = emitWarning
      console.error = error
    }
    t.regex(said.join(), /^\[LRU_CACHE_UNBOUNDED\] UnboundedCacheWarning: /)
  },
)
