// `policy: 'auto'`: it follows what is asked for, and its statistics say what it does and why.
import test from 'ava'
import { Cache } from '../../src/index.ts'

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
