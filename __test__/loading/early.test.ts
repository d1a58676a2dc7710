// When values are loaded anew before their end: by XFetch as its formula says, by refreshAhead at a
// fraction of the life. What a load took is measured, and kept with its value.
import { setImmediate as turn } from 'node:timers/promises'
import test from 'ava'
import { Cache, type CacheOptions } from '../../src/index.ts'
import { ManualClock } from '../../src/testing.ts'
import { random } from '../helpers/random.ts'

const TTL = 100_000
const KEYS = 4_000

/** What chi-square exceeds once in a thousand times, by degrees of freedom. */
const SELDOM: Readonly<Record<number, number>> = { 8: 26.1 }

type Texts = Cache<string, string>

/** Lets what is under way come to its end. */
async function settle() {
  for (let i = 0; i < 3; i++) await turn()
}

/** Loads all keys at once, each of which takes `cost` milliseconds. */
async function load(cache: Texts, clock: ManualClock, keys: readonly string[], cost: number) {
  let end = () => {}
  const done = new Promise<void>(resolve => (end = resolve))
  const all = Promise.all(keys.map(key => cache.getOrSet(key, () => done.then(() => key))))
  await settle()
  if (cost > 0) clock.advance(cost)
  end()
  await all
}

/** Reads each key that is not in `begun`, and puts those there whose load this begins. */
function read(cache: Texts, keys: readonly string[], begun: Set<string>): number {
  const before = begun.size
  for (const key of keys) {
    if (begun.has(key)) continue
    cache.getOrSetSync(key, () => {
      begun.add(key)
      // Never ends: the value stays what it is.
      return new Promise<string>(() => {})
    })
  }
  return begun.size - before
}

/** Reads at these times before the end; how many of the keys were loaded anew at each, and never. */
async function refreshes(
  options: CacheOptions<string, string>,
  cost: number,
  times: readonly number[],
  through?: (cache: Texts) => Texts,
): Promise<number[]> {
  const clock = new ManualClock()
  const cache = new Cache<string, string>({
    max: 2 * KEYS,
    ttl: TTL,
    clock,
    random: random(11),
    lockTimeout: '1d',
    ...options,
  })
  const keys = Array.from({ length: KEYS }, (_, id) => `key ${id}`)
  await load(cache, clock, keys, cost)
  const reader = through?.(cache) ?? cache
  const begun = new Set<string>()
  const counts: number[] = []
  for (const left of times) {
    clock.advance((cache.ttl('key 0') as number) - left)
    counts.push(read(reader, keys, begun))
    await settle()
  }
  reader.close()
  cache.close()
  return [...counts, KEYS - begun.size]
}

/** How far counts are from what the formula lets expect: a read at d refreshes with exp(-d / mean). */
function distance(counts: readonly number[], times: readonly number[], mean: number): number {
  let left = KEYS
  let sum = 0
  for (const [at, time] of [...times, 0].entries()) {
    const expected = left * Math.exp(-time / mean)
    sum += ((counts[at] as number) - expected) ** 2 / expected
    left -= expected
  }
  return sum
}

/** Reads at multiples of what a load took. */
const MULTIPLES = [5, 4, 3, 2.5, 2, 1.5, 1, 0.5]

for (const [beta, cost] of [
  [1, 1_000],
  [1, 50],
  [0.5, 1_000],
  [2, 1_000],
  [1, 3_000],
] as const) {
  test(`refreshes come as XFetch says: beta ${beta}, loads of ${cost} ms`, async t => {
    const mean = beta * cost
    const times = MULTIPLES.map(multiple => multiple * mean)
    const counts = await refreshes({ earlyRefresh: { beta } }, cost, times)
    const found = distance(counts, times, mean)
    t.true(found < SELDOM[MULTIPLES.length]!, `${found}: ${counts}`)
    t.true(distance(counts, times, mean * 1.25) > 100, 'the test tells another mean from this one')
    t.true(distance(counts, times, mean * 0.8) > 100, 'the test tells another mean from this one')
  })
}

test('what a load took is known to whoever reads the value', async t => {
  // Another instance, which has loaded nothing: it has what is kept with the values.
  const name = 'cost of loads'
  const times = MULTIPLES.map(multiple => multiple * 1_000)
  const through = () => new Cache<string, string>({ name, random: random(12), earlyRefresh: true })
  const counts = await refreshes({ name, earlyRefresh: true }, 1_000, times, through)
  const found = distance(counts, times, 1_000)
  t.true(found < SELDOM[MULTIPLES.length]!, `${found}: ${counts}`)
})

test('what a load took is measured anew with each load', async t => {
  const clock = new ManualClock()
  // A draw of 1 - 1/e: the value is loaded anew if no more than the cost is left.
  const cache = new Cache<string, string>({
    max: 10,
    ttl: TTL,
    clock,
    earlyRefresh: true,
    random: () => 1 - 1 / Math.E,
  })
  let loads = 0
  for (const cost of [100, 5_000, 7, 900]) {
    await load(cache, clock, ['a'], cost)
    const isDueAt = (left: number) => {
      clock.advance((cache.ttl('a') as number) - left)
      cache.getOrSetSync('a', () => {
        loads++
        throw new Error('not now')
      })
    }
    loads = 0
    isDueAt(cost + 1)
    t.is(loads, 0, `${cost}`)
    isDueAt(cost - 1)
    t.is(loads, 1, `${cost}`)
    await settle()
    clock.advance(TTL)
  }
})

test('values that load faster than a millisecond are not loaded anew long before', async t => {
  const times = [1_000, 100, 20]
  t.deepEqual(await refreshes({ earlyRefresh: true }, 0, times), [0, 0, 0, KEYS])
})

test('refreshAhead is a fraction of each value’s own life', async t => {
  const clock = new ManualClock()
  const cache = new Cache<string, string>({
    max: 2 * KEYS,
    ttl: TTL,
    jitter: 0.2,
    random: random(5),
    clock,
    refreshAhead: 0.75,
    lockTimeout: '1d',
  })
  const keys = Array.from({ length: 1_000 }, (_, id) => `key ${id}`)
  await load(cache, clock, keys, 1_000)
  const lives = new Map(keys.map(key => [key, cache.ttl(key) as number]))
  const begun = new Set<string>()
  const step = 500
  for (let age = step; begun.size < keys.length && age < TTL; age += step) {
    clock.advance(step)
    const before = new Set(begun)
    read(cache, keys, begun)
    for (const key of begun) {
      if (before.has(key)) continue
      const due = 0.75 * (lives.get(key) as number)
      t.true(age >= due - 1 && age < due + step + 1, `${key}: ${age}, due at ${due}`)
    }
  }
  t.is(begun.size, keys.length)
})
