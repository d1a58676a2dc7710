// `policy: 'auto'` of the drop-in: it follows what is asked for, as the engine's does, and says why.
import test from 'ava'
import { Cache } from '../../src/index.ts'
import { LRUCache } from '../../src/lru-cache/index.ts'

/** Numbers from 0 up to, not including, 1, the same for the same seed. */
function numbers(seed: number): () => number {
  let state = seed
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state / 2 ** 32
  }
}

type Pattern = (i: number, size: number, random: () => number) => string

/** What is asked for, request by request, of caches of so many entries. */
const patterns: Record<string, Pattern> = {
  'a loop that is too large': (i, size) => `loop:${i % Math.floor(1.3 * size)}`,
  'skewed keys': (_, size, random) => `skewed:${Math.floor(random() ** 6 * 20 * size)}`,
  'skewed keys and a scan': (i, size, random) =>
    i % 3 === 0 ? `scan:${i}` : `skewed:${Math.floor(random() ** 5 * 20 * size)}`,
  'what came of late': (i, size, random) =>
    `late:${Math.max(0, i - Math.floor(random() ** 3 * 3 * size))}`,
}

interface Asked {
  get(key: string): number | undefined
  set(key: string, value: number): unknown
}

/** Asks for each key and stores those that are missing; the share of hits behind the first tenth. */
function share(cache: Asked, pattern: Pattern, size: number, count: number, seed = 1): number {
  const random = numbers(seed)
  let hits = 0
  for (let i = 0; i < count; i++) {
    const key = pattern(i, size, random)
    if (cache.get(key) === undefined) cache.set(key, 1)
    else if (i >= count / 10) hits++
  }
  return hits / (0.9 * count)
}

const auto = (max: number) => new LRUCache<string, number>({ max, policy: 'auto' })

for (const size of [100, 600, 5000]) {
  const count = Math.max(100_000, 40 * size)
  for (const [name, pattern] of Object.entries(patterns)) {
    test(`${name}, ${size} entries: as good as the better of lru and lfu, and as the engine`, t => {
      const best = Math.max(
        ...(['lru', 'lfu'] as const).map(policy =>
          share(new LRUCache<string, number>({ max: size, policy }), pattern, size, count),
        ),
      )
      const engine = new Cache<string, number>({ max: size, policy: 'auto', shards: 1 })
      const [its, ours] = [engine, auto(size)].map(cache => share(cache, pattern, size, count))
      t.true(ours! > best - 0.02, `${ours} of ${best}`)
      t.true(Math.abs(ours! - its!) < 0.06, `${ours}, the engine ${its}`)
    })
  }
}

test('one cache follows a pattern that changes, and what it had under another rule may leave', t => {
  const cache = auto(1000)
  for (const round of [1, 2]) {
    for (const [name, pattern] of Object.entries(patterns)) {
      const alone = share(auto(1000), pattern, 1000, 300_000, round)
      const found = share(cache, pattern, 1000, 300_000, round)
      t.true(found > alone - 0.05, `${name}: ${found} of ${alone}`)
      t.is(cache.size, 1000)
    }
  }
  t.true((cache.stats().policy?.switches ?? 0) >= 3)
})

test('what it says that each rule would have found is what a cache under it finds', t => {
  const cache = auto(400)
  const pattern = patterns['skewed keys'] as Pattern
  share(cache, pattern, 400, 100_000)
  const policy = cache.stats().policy
  const lfu = share(new LRUCache({ max: 400, policy: 'lfu' }), pattern, 400, 100_000)
  t.true(Math.abs((policy?.hitRatios?.['s3-fifo'] ?? 0) - lfu) < 0.03)
  t.true((policy?.hitRatios?.[policy.rule ?? ''] ?? 0) > lfu - 0.03)
  t.is(policy?.sampled, 1)
  t.true((policy?.judged ?? 0) > 100)
})

test('a cache that has not evicted follows nobody, and other policies have nothing to tell', t => {
  const cache = auto(500)
  cache.set('a', 1)
  t.like(cache.stats().policy, { name: 'auto', rule: 's3-fifo', sampled: 0, switches: 0 })
  t.is(cache.policy, 'auto')
  for (const policy of ['lru', 'lfu'] as const) {
    t.false('policy' in new LRUCache({ max: 1, policy }).stats())
  }
  for (let i = 0; i < 600; i++) cache.set(`key:${i}`, i)
  t.is(cache.stats().policy?.sampled, 1)
  cache.clear()
  t.is(cache.stats().policy?.sampled, 0)
})

test('a cache that becomes far larger or smaller is watched anew', t => {
  const cache = auto(100)
  const ask = () => share(cache, patterns['skewed keys'] as Pattern, 4000, 50_000)
  ask()
  t.is(cache.stats().policy?.sampled, 1)
  cache.resize({ max: 4000 })
  ask()
  t.is(cache.stats().policy?.sampled, 8)
  cache.resize({ max: 40 })
  ask()
  t.is(cache.stats().policy?.sampled, 1)
  t.is(cache.size, 40)
})

test('keys without a hash, as objects, are evicted all the same', t => {
  const cache = new LRUCache<object, number>({ max: 100, policy: 'auto' })
  const keys = Array.from({ length: 1000 }, () => ({}))
  for (const [i, key] of [...keys, ...keys].entries()) cache.set(key, i)
  t.is(cache.size, 100)
  t.is(cache.stats().policy?.judged, 0)
})

test('a shared cache takes the policy of the engine', t => {
  const cache = new LRUCache<string, number>({ shared: 'auto', max: 100, policy: 'auto' })
  t.is(cache.policy, 'auto')
  t.is(cache.stats().policy?.name, 'auto')
  const other = new LRUCache<string, number>({ shared: 'not auto', max: 100 })
  t.false('policy' in other.stats())
  cache.close()
  other.close()
})

test('whatever rule is in force, in whatever order entries come, leave and are too large', t => {
  const random = numbers(7)
  const cache = new LRUCache<string, number>({
    ...{ max: 200, maxSize: 2000, policy: 'auto' },
    sizeCalculation: value => value,
  })
  const model = new Map<string, number>()
  const names = Object.values(patterns)
  for (let i = 0; i < 120_000; i++) {
    const pattern = names[Math.floor(i / 10_000) % names.length] as Pattern
    const key = pattern(i, 150, random)
    const found = cache.get(key)
    if (found === undefined) model.delete(key)
    t.is(found, model.get(key))
    const value = random() < 0.0005 ? 2000 : 1 + Math.floor(random() * 15)
    if (random() < 0.02) {
      cache.delete(key)
      model.delete(key)
    } else if (found === undefined || random() < 0.1) {
      cache.set(key, value)
      model.set(key, value)
    }
    if (random() < 0.0001) cache.resize({ max: 50 + Math.floor(random() * 400) })
    if (random() < 0.00005) {
      cache.clear()
      model.clear()
    }
    if (cache.size > cache.max || cache.calculatedSize > 2000) t.fail(`${cache.size} entries`)
  }
  t.is(new Set(cache.keys()).size, cache.size)
  let size = 0
  for (const [key, value] of cache.entries() as Iterable<[string, number]>) {
    t.is(model.get(key), value)
    size += value
  }
  t.is(cache.calculatedSize, size)
  t.true((cache.stats().policy?.switches ?? 0) > 3)
})
