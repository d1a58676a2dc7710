// Entries that were stored together end at times that are spread evenly over their window, so that
// their loads are too.
import test from 'ava'
import { Cache, type CacheOptions } from '../../src/index.ts'
import { ManualClock } from '../../src/testing.ts'
import { random } from '../helpers/random.ts'

const ENTRIES = 10_000
const TTL = 60_000
const JITTER = 0.1
/** Lives are between these: ttl x (1 ± jitter). */
const SHORTEST = TTL * (1 - JITTER)
const LONGEST = TTL * (1 + JITTER)
/** Parts of the window in which the ends are counted. */
const PARTS = 20

/** What chi-square of 19 degrees of freedom exceeds once in a thousand, and once in 10^9 times. */
const SELDOM = 43.8
const NEVER = 83.4

const keys = Array.from({ length: ENTRIES }, (_, id) => `key ${id}`)

type Texts = Cache<string, string>

/** How entries come to be stored together. */
const ways: Record<string, (cache: Texts) => unknown> = {
  set: cache => {
    for (const key of keys) cache.set(key, 'value')
  },
  setMany: cache => cache.setMany(keys.map(key => [key, 'value'] as const)),
  put: cache => Promise.all(keys.map(key => cache.put(key, 'value'))),
  fetch: cache => Promise.all(keys.map(key => cache.fetch(key))),
  'fetch with tags': cache => Promise.all(keys.map(key => cache.fetch(key, { tags: ['all'] }))),
  fetchMany: cache => cache.fetchMany(keys, some => some.map(() => 'value')),
}

/** How many entries end in each part of the window, when all are stored at once. */
async function endsOf(options: CacheOptions<string, string>, store: (cache: Texts) => unknown) {
  const clock = new ManualClock()
  const cache = new Cache<string, string>({
    max: 2 * ENTRIES,
    ttl: TTL,
    clock,
    loader: () => 'value',
    ...options,
  })
  await store(cache)
  let there = keys
  const alive = () => {
    there = there.filter(key => cache.has(key))
    return there.length
  }
  clock.advance(SHORTEST - 1)
  const before = alive()
  const ends: number[] = []
  let left = before
  for (let part = 0; part < PARTS; part++) {
    clock.advance((LONGEST - SHORTEST) / PARTS)
    const now = alive()
    ends.push(left - now)
    left = now
  }
  clock.advance(2)
  const after = alive()
  cache.close()
  return { ends, before, after }
}

/** How far counts are from being even. */
function chiSquare(counts: readonly number[]): number {
  const expected = ENTRIES / counts.length
  return counts.reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0)
}

for (const [way, store] of Object.entries(ways)) {
  test(`the ends of entries that came together are spread evenly: ${way}`, async t => {
    const options = { jitter: JITTER, random: random(42) }
    const { ends, before, after } = await endsOf(options, store)
    t.is(before, ENTRIES, 'none ends before the window')
    t.is(after, 0, 'none ends after it')
    t.true(chiSquare(ends) < SELDOM, `${chiSquare(ends)}: ${ends}`)
  })
}

test('the ends are spread evenly by chance that nobody gave', async t => {
  const { ends, before, after } = await endsOf({ jitter: JITTER }, ways.set!)
  t.deepEqual([before, after], [ENTRIES, 0])
  t.true(chiSquare(ends) < NEVER, `${chiSquare(ends)}: ${ends}`)
})

test('a set has a jitter of its own', async t => {
  const store = (cache: Texts) => {
    for (const key of keys) cache.set(key, 'value', { ttl: TTL, jitter: JITTER })
  }
  const { ends, before, after } = await endsOf({ ttl: '1h', random: random(7) }, store)
  t.deepEqual([before, after], [ENTRIES, 0])
  t.true(chiSquare(ends) < SELDOM, `${chiSquare(ends)}: ${ends}`)
})

test('without jitter, and with half of it, the same count finds them uneven', async t => {
  for (const jitter of [0, JITTER / 2]) {
    const { ends } = await endsOf({ jitter, random: random(42) }, ways.set!)
    t.true(chiSquare(ends) > NEVER)
  }
})

test('neighbours do not end together', async t => {
  // Even on the whole, and yet in waves: the ends of keys that were stored one after the other must
  // not depend on each other.
  const cache = new Cache<string, string>({
    max: 2 * ENTRIES,
    ttl: TTL,
    jitter: JITTER,
    random: random(3),
  })
  for (const key of keys) cache.set(key, 'value')
  const lives = keys.map(key => (cache.ttl(key) as number) - TTL)
  const product = lives.slice(1).reduce((sum, life, at) => sum + life * (lives[at] as number), 0)
  const square = lives.reduce((sum, life) => sum + life * life, 0)
  // Of a standard deviation of 1 / sqrt(n), four.
  t.true(Math.abs(product / square) < 4 / Math.sqrt(ENTRIES), `${product / square}`)
})
