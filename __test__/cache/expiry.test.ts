import test from 'ava'
import { Cache, type RemovalReason } from '../../src/index.ts'
import { ManualClock } from '../../src/testing.ts'

test('an entry lives as long as the cache says, to the millisecond', t => {
  const clock = new ManualClock()
  const cache = new Cache({ max: 10, ttl: '1s', clock })
  cache.set('a', '1')
  t.is(cache.ttl('a'), 1000)
  clock.advance(999)
  t.is(cache.ttl('a'), 1)
  t.is(cache.get('a'), '1')
  clock.advance(1)
  t.is(cache.ttl('a'), undefined)
  t.is(cache.get('a'), undefined)
  t.is(cache.peek('a'), undefined)
  t.false(cache.has('a'))
  t.false(cache.delete('a'))
  t.false(cache.expire('a', 5))
  t.deepEqual(cache.getMany(['a']), [undefined])
  t.deepEqual([...cache], [])
})

test('a set may give its own ttl, or none', t => {
  const clock = new ManualClock()
  const cache = new Cache({ max: 10, ttl: '1s', clock })
  cache.set('default', 'v').set('long', 'v', { ttl: '1m' })
  cache.set('short', 'v', { ttl: 10 }).set('ever', 'v', { ttl: Number.POSITIVE_INFINITY })
  cache.setMany([['many', 'v']], { ttl: 20 })
  t.deepEqual(
    ['default', 'long', 'short', 'ever', 'many', 'none'].map(key => cache.ttl(key)),
    [1000, 60_000, 10, Number.POSITIVE_INFINITY, 20, undefined],
  )
  clock.advance('10m')
  t.deepEqual([...cache.keys()], ['ever'])
})

test('without a ttl entries stay', t => {
  const clock = new ManualClock()
  const cache = new Cache({ max: 10, clock })
  cache.set('a', '1')
  clock.advance('52w')
  t.is(cache.get('a'), '1')
  t.is(cache.ttl('a'), Number.POSITIVE_INFINITY)
})

test('a fraction of a millisecond is rounded up', t => {
  const clock = new ManualClock()
  const cache = new Cache({ max: 10, clock })
  cache.set('a', '1', { ttl: 0.25 })
  t.is(cache.get('a'), '1')
  clock.advance(1)
  t.is(cache.get('a'), undefined)
})

test('a new value begins a new life', t => {
  const clock = new ManualClock()
  const cache = new Cache({ max: 10, ttl: 100, clock })
  cache.set('a', '1')
  clock.advance(60)
  cache.set('a', '2')
  clock.advance(60)
  t.is(cache.get('a'), '2')
})

test('expire changes how long an entry has left', t => {
  const clock = new ManualClock()
  const cache = new Cache({ max: 10, ttl: 100, jitter: 0.5, clock })
  cache.set('a', '1')
  t.true(cache.expire('a', '1h'))
  t.is(cache.ttl('a'), 3_600_000)
  t.true(cache.expire('a', Number.POSITIVE_INFINITY))
  t.is(cache.ttl('a'), Number.POSITIVE_INFINITY)
  t.true(cache.expire('a', 5))
  clock.advance(5)
  t.is(cache.get('a'), undefined)
  t.false(cache.expire('nothing', 5))
})

test('what expires is collected without being asked for', t => {
  const clock = new ManualClock()
  const cache = new Cache({ max: 1000, clock })
  const left: [string, RemovalReason][] = []
  cache.onRemoval((key, _, reason) => left.push([key, reason]))
  for (let i = 1; i <= 500; i++) cache.set(`key ${i}`, 'v', { ttl: i * 8 })
  clock.advance(250 * 8)
  t.is(cache.size, 250)
  t.is(left.length, 250)
  t.true(left.every(([, reason]) => reason === 'expired'))
  t.is(cache.stats().expirations, 250)
  clock.advance(250 * 8)
  t.is(cache.size, 0)
})

test('expired memory comes back by itself, on the real clock', async t => {
  const cache = new Cache({ max: 1000, ttl: 1 })
  const gone = new Promise<void>(done => {
    let count = 0
    cache.onRemoval(() => ++count === 100 && done())
  })
  for (let i = 0; i < 100; i++) cache.set(`key ${i}`, 'v')
  // The listener does not keep the process alive, so something else has to.
  const alive = setInterval(() => {}, 1000)
  await gone
  clearInterval(alive)
  t.is(cache.size, 0)
})

/** A generator of numbers from 0 up to 1 that gives the same ones each time. */
function seeded(seed: number): () => number {
  let state = seed
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 2 ** 32
  }
}

test('jitter spreads lives evenly over ttl x (1 ± jitter)', t => {
  const clock = new ManualClock()
  const cache = new Cache({ max: 20_000, ttl: 1000, jitter: 0.2, random: seeded(7), clock })
  const buckets = new Array<number>(8).fill(0)
  for (let i = 0; i < 8000; i++) {
    const life = cache.set(`${i}`, 'v').ttl(`${i}`) as number
    t.true(life >= 800 && life <= 1200)
    const bucket = Math.min(7, Math.floor((life - 800) / 50))
    buckets[bucket] = (buckets[bucket] as number) + 1
  }
  // 1,000 are expected in each; six standard deviations are 177.
  for (const count of buckets) t.true(Math.abs(count - 1000) < 177, `${buckets}`)
})

test('jitter reaches both ends and no further', t => {
  const clock = new ManualClock()
  let draw = 0
  const cache = new Cache({ max: 10, ttl: 1000, jitter: 0.1, random: () => draw, clock })
  t.is(cache.set('least', 'v').ttl('least'), 900)
  draw = 0.5
  t.is(cache.set('middle', 'v').ttl('middle'), 1000)
  draw = 1 - Number.EPSILON
  t.is(cache.set('most', 'v').ttl('most'), 1100)
})

test('a set may give its own jitter, or none', t => {
  const clock = new ManualClock()
  const cache = new Cache({ max: 10, ttl: 1000, jitter: 0.1, random: () => 0, clock })
  t.is(cache.set('a', 'v', { jitter: 0.5 }).ttl('a'), 500)
  t.is(cache.set('b', 'v', { jitter: 0 }).ttl('b'), 1000)
  t.is(cache.set('c', 'v', { ttl: 100 }).ttl('c'), 90)
  t.is(cache.set('d', 'v', { ttl: 1, jitter: 0.9 }).ttl('d'), 1)
  t.is(cache.set('e', 'v', { ttl: Number.POSITIVE_INFINITY }).ttl('e'), Number.POSITIVE_INFINITY)
  cache.setMany([['f', 'v']])
  t.is(cache.ttl('f'), 900)
})

test('a clock is moved by whole, positive durations', t => {
  const clock = new ManualClock()
  clock.advance('2s')
  t.is(clock.now, 2000)
  for (const wrong of [0, -1, 0.5, 'x', Number.POSITIVE_INFINITY]) {
    t.throws(() => clock.advance(wrong), { code: 'ERR_INVALID_OPTION' })
  }
  t.is(clock.now, 2000)
})
