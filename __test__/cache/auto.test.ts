// `policy: 'auto'`: it follows what is asked for, and its statistics say what it does and why.
import test from 'ava'
import { Cache, type Weigh } from '../../src/index.ts'
import { ManualClock } from '../../src/testing.ts'

const SIZE = 500

/** Asks for each key, and stores those that are missing; the share of hits. */
function run(cache: Cache<number, string>, keys: Iterable<number>): number {
  let hits = 0
  let count = 0
  for (const key of keys) {
    if (cache.get(key) === undefined) cache.set(key, 'v')
    else hits++
    count++
  }
  return hits / count
}

/** A loop over more keys than there is room for. */
function* loop(times: number): Generator<number> {
  for (let at = 0; at < times; at++) yield at % (1.3 * SIZE)
}

test('a loop that is too large is served by frequency, and the statistics say so', t => {
  const [auto, lru] = (['auto', 'lru'] as const).map(
    policy => new Cache<number, string>({ max: SIZE, policy, shards: 1 }),
  ) as [Cache<number, string>, Cache<number, string>]
  run(auto, loop(30_000))
  t.true(run(auto, loop(30_000)) > 0.4)
  t.is(run(lru, loop(30_000)), 0)
  const { policy } = auto.stats()
  t.is(policy.name, 'auto')
  t.is(policy.sampled, 1)
  t.true((policy.judged ?? 0) > 10)
  t.true((policy.switches ?? 0) > 0)
  const ratios = policy.hitRatios ?? {}
  t.true((ratios[policy.rule ?? ''] ?? 0) > (ratios.clock ?? 1))
})

test('a cache that has not evicted follows nobody, and other policies are a name', t => {
  const auto = new Cache<number, string>({ max: SIZE, policy: 'auto' })
  auto.set(1, 'v')
  t.like(auto.stats().policy, { name: 'auto', rule: 's3-fifo', sampled: 0, switches: 0 })
  for (const policy of ['lru', 'lfu', 'random', 'none'] as const) {
    t.deepEqual(new Cache({ max: 1, policy }).stats().policy, { name: policy })
  }
})

test('threads must agree on the policy', t => {
  const cache = new Cache({ name: 'auto policy', max: 10, policy: 'auto' })
  t.throws(() => new Cache({ name: 'auto policy', max: 10, policy: 'lfu' }), {
    code: 'ERR_OPTION_CONFLICT',
  })
  t.notThrows(() => new Cache({ name: 'auto policy', policy: 'auto' }))
  void cache
})

/** Keys without pattern, the small ones far more often. */
function* skewed(times: number): Generator<number> {
  let state = 2026
  for (let at = 0; at < times; at++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    yield Math.floor((state / 2 ** 32) ** 4 * 5000)
  }
}

/** Whether a key is one of eight, as good as drawn. */
const isOdd = (key: number): boolean => Math.imul(key + 1, 0x9e3779b1) >>> 29 === 0

test('what is weighed is hit more of: reads, or bytes', t => {
  const spared = (weigh: Weigh) => {
    const cache = new Cache<number, string>({ max: 500, policy: 'auto', weigh, shards: 1 })
    const hit = { reads: 0, bytes: 0 }
    for (const key of skewed(60_000)) {
      const length = isOdd(key) ? 16_384 : 128
      if (cache.get(key) === undefined) cache.set(key, 'v'.repeat(length))
      else {
        hit.reads++
        hit.bytes += length
      }
    }
    const { policy } = cache.stats()
    t.is(policy.weigh, weigh)
    t.true((policy.judged ?? 0) > 10)
    t.is(policy.sampled, 1)
    t.is('s3-fifo-2-weighed' in (policy.hitRatios ?? {}), weigh === 'bytes')
    return hit
  }
  const [hits, bytes] = [spared('hits'), spared('bytes')]
  t.true(hits.reads > bytes.reads * 1.05, `${hits.reads} and ${bytes.reads} reads`)
  t.true(bytes.bytes > hits.bytes * 1.05, `${hits.bytes} and ${bytes.bytes} bytes`)
})

test('what took long to load stays, if cost is weighed', async t => {
  const spared = async (weigh: Weigh) => {
    const clock = new ManualClock()
    let spent = 0
    const cache = new Cache<number, string>({
      max: 300,
      policy: 'auto',
      weigh,
      shards: 1,
      clock,
      loader: key => {
        const took = isOdd(key) ? 100 : 1
        spent += took
        clock.advance(took)
        return 'v'
      },
    })
    for (const key of skewed(40_000)) await cache.fetch(key)
    t.is(cache.stats().policy.weigh, weigh)
    return spent
  }
  const [hits, cost] = [await spared('hits'), await spared('cost')]
  t.true(cost < hits * 0.9, `${cost} ms of loads, and ${hits} if hits are weighed`)
})

test('weigh is for auto alone, and threads must agree on it', t => {
  const combined = { code: 'ERR_OPTION_COMBINATION', message: /weigh \('bytes'\).*policy 'lfu'/ }
  t.throws(() => new Cache({ max: 10, weigh: 'bytes' }), combined)
  t.throws(() => new Cache({ max: 10, policy: 'lfu', weigh: 'bytes' }), combined)
  const cache = new Cache({ name: 'weighed', max: 10, policy: 'auto', weigh: 'bytes' })
  t.throws(() => new Cache({ name: 'weighed', policy: 'auto', weigh: 'cost' }), {
    code: 'ERR_OPTION_CONFLICT',
  })
  t.notThrows(() => new Cache({ name: 'weighed', policy: 'auto' }))
  t.is(cache.stats().policy.weigh, 'bytes')
})
