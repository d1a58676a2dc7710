import { setImmediate as turn } from 'node:timers/promises'
import test from 'ava'
import { Cache, heap, json, type LoadingOptions, number } from '../../src/index.ts'
import { ManualClock } from '../../src/testing.ts'

/** A loader whose loads end when the test says so. */
function stepwise<V>() {
  const loads: { key: string; signal: AbortSignal; end(value: V | Promise<V>): void }[] = []
  const loader = (key: string, { signal }: { signal: AbortSignal }) =>
    new Promise<V>(resolve => loads.push({ key, signal, end: resolve }))
  return { loads, loader }
}

test('a hit of fetchSync is no promise, a miss is one', async t => {
  const cache = new Cache({ max: 10, loader: (key: string) => key.toUpperCase() })
  const missed = cache.fetchSync('a')
  t.true(missed instanceof Promise)
  t.is(await missed, 'A')
  t.is(cache.fetchSync('a'), 'A')
  t.is(await cache.fetch('a'), 'A')
})

test('getOrSet loads by the loader of the call and keeps what it gives', async t => {
  const cache = new Cache<string, { n: number }>({ max: 10, codec: json(), near: false })
  t.deepEqual(await cache.getOrSet('a', async () => ({ n: 1 })), { n: 1 })
  t.deepEqual(await cache.getOrSet('a', async () => ({ n: 2 })), { n: 1 })
  t.deepEqual(
    cache.getOrSetSync('a', () => t.fail() as never),
    { n: 1 },
  )
})

test('the error of a load reaches all who wait, and is not remembered', async t => {
  let loads = 0
  const error = new RangeError('no such thing')
  const cache = new Cache<string, string>({
    max: 10,
    loader: async () => {
      loads++
      throw error
    },
  })
  const all = await Promise.allSettled([cache.fetch('a'), cache.fetch('a'), cache.fetch('a')])
  for (const one of all) t.is(one.status === 'rejected' && one.reason, error)
  t.is(loads, 1)
  await t.throwsAsync(cache.fetch('a'), { is: error })
  t.is(loads, 2)
})

test("with leaderError 'next' only who asked first gets the error", async t => {
  let loads = 0
  const cache = new Cache<string, string>({
    max: 10,
    leaderError: 'next',
    loader: async () => {
      if (++loads < 3) throw new Error(`load ${loads}`)
      return 'value'
    },
  })
  const all = await Promise.allSettled([cache.fetch('a'), cache.fetch('a'), cache.fetch('a')])
  t.is(all[0].status === 'rejected' && all[0].reason.message, 'load 1')
  t.is(all[1].status === 'rejected' && all[1].reason.message, 'load 2')
  t.deepEqual(all[2], { status: 'fulfilled', value: 'value' })
})

test('a loader that throws at once, or things that are no errors, fails as one that rejects', async t => {
  const cache = new Cache<string, string>({ max: 10 })
  const thrown = (value: unknown) => () => {
    throw value
  }
  await t.throwsAsync(cache.getOrSet('a', thrown(new TypeError('at once'))), {
    instanceOf: TypeError,
    message: 'at once',
  })
  for (const value of ['text', undefined, null, 7, { code: 1 }]) {
    const caught = await cache.getOrSet('a', thrown(value)).then(
      () => t.fail() as never,
      error => error,
    )
    t.is(caught, value)
  }
  t.is(await cache.getOrSet('a', () => 'value'), 'value')
})

test('what the codec refuses fails the load with a clear error', async t => {
  const cache = new Cache<string, number>({ max: 10, codec: number() })
  await t.throwsAsync(
    cache.getOrSet('a', () => 'text' as never),
    { code: 'ERR_INVALID_VALUE', message: /'number' cannot store a string/ },
  )
  const cycle: { self?: unknown } = {}
  cycle.self = cycle
  const objects = new Cache<string, object>({ max: 10, codec: json() })
  await t.throwsAsync(
    objects.getOrSet('a', () => cycle),
    { code: 'ERR_INVALID_VALUE' },
  )
  t.is(cache.size, 0)
})

test('a value that does not fit is given and not kept', async t => {
  const cache = new Cache({ maxBytes: 64 * 1024 })
  const long = 'x'.repeat(100_000)
  t.is(await cache.getOrSet('a', () => long), long)
  t.is(cache.get('a'), undefined)
  const full = new Cache({ max: 1, policy: 'none' })
  full.set('b', 'b')
  t.is(await full.getOrSet('a', () => 'a'), 'a')
  t.is(full.get('a'), undefined)
})

test('set and delete during a load leave what they did, and who waits gets what was loaded', async t => {
  const { loads, loader } = stepwise<string>()
  const cache = new Cache<string, string>({ max: 10, loader })
  const first = cache.fetch('a')
  cache.set('a', 'newer')
  loads[0]!.end('old')
  t.is(await first, 'old')
  t.is(cache.get('a'), 'newer')
  const second = cache.fetch('b')
  cache.delete('b')
  const third = cache.fetch('b')
  t.is(loads.length, 3, 'who asks after the delete does not wait for a load that began before')
  loads[1]!.end('old')
  loads[2]!.end('new')
  t.deepEqual(await Promise.all([second, third]), ['old', 'new'])
  t.is(cache.get('b'), 'new')
})

test('what a clear or a close interrupts is given and not kept', async t => {
  const { loads, loader } = stepwise<string>()
  const cache = new Cache<string, string>({ max: 10, loader })
  const first = cache.fetch('a')
  cache.clear()
  loads[0]!.end('value')
  t.is(await first, 'value')
  t.is(cache.get('a'), undefined)
  const second = cache.fetch('b')
  cache.close()
  loads[1]!.end('value')
  t.is(await second, 'value')
  await t.throwsAsync(cache.fetch('a'), { code: 'ERR_CACHE_CLOSED' })
})

test('a caller that aborts waits no more, and the load ends when nobody waits', async t => {
  const { loads, loader } = stepwise<string>()
  const cache = new Cache<string, string>({ max: 10, loader })
  const [one, other] = [new AbortController(), new AbortController()]
  const first = cache.fetch('a', { signal: one.signal })
  const second = cache.fetch('a', { signal: other.signal })
  one.abort(new Error('one'))
  await t.throwsAsync(first, { message: 'one' })
  t.false(loads[0]!.signal.aborted)
  other.abort(new Error('other'))
  await t.throwsAsync(second, { message: 'other' })
  t.true(loads[0]!.signal.aborted)
  loads[0]!.end('late')
  await turn()
  t.is(cache.get('a'), undefined)
  const third = cache.fetch('a')
  t.is(loads.length, 2, 'who asks then begins a new load')
  loads[1]!.end('value')
  t.is(await third, 'value')
  t.throws(() => cache.fetchSync('c', { signal: AbortSignal.abort(), loader: 'x' as never }))
  const aborted = AbortSignal.abort(new Error('before'))
  await t.throwsAsync(cache.fetch('c', { signal: aborted }), { message: 'before' })
  t.is(loads.length, 2)
})

test('a caller waits for its timeout, and the load goes on for the cache', async t => {
  const { loads, loader } = stepwise<string>()
  const clock = new ManualClock()
  const cache = new Cache<string, string>({ max: 10, loader, clock, timeout: '1s' })
  const patient = cache.fetch('a', { timeout: '1m' })
  const first = cache.fetch('a')
  clock.advance(999)
  clock.advance(1)
  await t.throwsAsync(first, { code: 'ERR_LOAD_TIMEOUT', message: /1000 ms/ })
  t.false(loads[0]!.signal.aborted)
  loads[0]!.end('value')
  t.is(await patient, 'value')
  t.is(cache.get('a'), 'value')
})

test('a load that takes longer than lockTimeout keeps nobody from trying', async t => {
  const { loads, loader } = stepwise<string>()
  const clock = new ManualClock()
  const cache = new Cache<string, string>({ max: 10, loader, clock, lockTimeout: '10s' })
  const all = [cache.fetch('a'), cache.fetch('a')]
  clock.advance('10s')
  t.is(loads.length, 2)
  loads[1]!.end('second')
  t.deepEqual(await Promise.all(all), ['second', 'second'])
  t.is(cache.get('a'), 'second')
  loads[0]!.end('first')
  await turn()
  t.is(cache.get('a'), 'second')
})

test('who alone waits for a load that is overdue gets its value, and others begin a new one', async t => {
  const { loads, loader } = stepwise<string>()
  const clock = new ManualClock()
  const cache = new Cache<string, string>({ max: 10, loader, clock, lockTimeout: '10s' })
  const first = cache.fetch('a')
  clock.advance('10s')
  t.is(loads.length, 1)
  const second = cache.fetch('a')
  t.is(loads.length, 2)
  loads[0]!.end('first')
  t.is(await first, 'first')
  t.is(cache.get('a'), undefined)
  loads[1]!.end('second')
  t.is(await second, 'second')
  t.is(cache.get('a'), 'second')
})

test('undefined and null are given and, unless told otherwise, not kept', async t => {
  let loads = 0
  const cache = new Cache<string, string>({ max: 10, codec: 'string' })
  for (const nothing of [undefined, null]) {
    const loader = () => {
      loads++
      return nothing
    }
    t.is(await cache.getOrSet('a', loader), nothing as never)
    t.is(await cache.getOrSet('a', async () => loader()), nothing as never)
  }
  t.is(loads, 4)
  t.is(cache.size, 0)
  const objects = new Cache<string, object | null>({ max: 10, codec: json(), near: false })
  t.is(await objects.getOrSet('a', () => null), null)
  t.true(objects.has('a'), 'a codec that takes null keeps it')
})

test('objects of a heap cache are loaded, shared and let go', async t => {
  const cache = new Cache<string, object>({ max: 2, codec: heap() })
  const object = {}
  t.is(await cache.getOrSet('a', () => object), object)
  t.is(cache.get('a'), object)
  const { loads, loader } = stepwise<object>()
  const pending = cache.getOrSet('b', loader)
  cache.delete('b')
  loads[0]!.end(object)
  t.is(await pending, object)
  t.is(cache.get('b'), undefined)
})

test('the function of the ttl is asked for each value, set or loaded', async t => {
  const clock = new ManualClock()
  const cache = new Cache<string, string>({
    max: 10,
    clock,
    ttl: (value, key) => (key === 'short' ? 10 : value.length * 1000),
  })
  cache.set('short', 'x').set('long', 'xxx')
  await cache.getOrSet('loaded', () => 'xx')
  cache.set('given', 'x', { ttl: '1h' })
  t.deepEqual(
    ['short', 'long', 'loaded', 'given'].map(key => cache.ttl(key)),
    [10, 3000, 2000, 3_600_000],
  )
  const bad = new Cache<string, string>({ max: 10, ttl: () => -1 })
  t.throws(() => bad.set('a', 'b'), { code: 'ERR_INVALID_OPTION', message: /ttl/ })
  await t.throwsAsync(
    bad.getOrSet('a', () => 'b'),
    { code: 'ERR_INVALID_OPTION' },
  )
})

test('what a loader says of a load goes before the options', async t => {
  const cache = new Cache<string, string>({ max: 10, ttl: '1h' })
  await cache.getOrSet(
    'a',
    (_, load) => {
      load.ttl = '10s'
      return 'value'
    },
    { ttl: '5m' },
  )
  t.true(cache.ttl('a')! <= 10_000)
  await cache.getOrSet('b', () => 'value', { ttl: '5m' })
  t.true(cache.ttl('b')! <= 300_000 && cache.ttl('b')! > 200_000)
  await cache.getOrSet('c', (_, load) => {
    load.keep = false
    return 'value'
  })
  t.false(cache.has('c'))
})

test('fresh loads although there is a value', async t => {
  let n = 0
  const cache = new Cache<string, string>({ max: 10, loader: () => String(++n) })
  t.is(await cache.fetch('a'), '1')
  t.is(await cache.fetch('a'), '1')
  t.is(await cache.fetch('a', { fresh: true }), '2')
  t.is(await cache.fetch('a'), '2')
})

test('without a loader a miss says what is missing', async t => {
  const cache = new Cache({ max: 10 })
  cache.set('a', 'value')
  t.is(await cache.fetch('a'), 'value')
  await t.throwsAsync(cache.fetch('b'), { code: 'ERR_NO_LOADER' })
  t.throws(() => cache.fetchSync('b'), { code: 'ERR_NO_LOADER' })
})

test('keys that are none fail the promise of fetch', async t => {
  const cache = new Cache({ max: 10, loader: () => 'x' })
  for (const key of [undefined, null, {}, [], true, Symbol('x')]) {
    await t.throwsAsync(cache.fetch(key as never), { code: 'ERR_INVALID_KEY' })
  }
  await t.throwsAsync(cache.fetch('x'.repeat(70_000)), { code: 'ERR_KEY_TOO_LONG' })
})

const wrong: [keyof LoadingOptions, unknown][] = [
  ['loader', 'loader'],
  ['staleWhileRevalidate', '5x'],
  ['staleIfError', -1],
  ['retryAfter', 0],
  ['refreshAhead', 1],
  ['refreshAhead', 0],
  ['refreshAhead', '0.5'],
  ['earlyRefresh', { beta: 0 }],
  ['earlyRefresh', 'yes'],
  ['negativeTtl', 'soon'],
  ['errorTtl', Number.NaN],
  ['softTimeout', {}],
  ['timeout', []],
  ['lockTimeout', null],
  ['leaderError', 'all'],
]
for (const [option, value] of wrong) {
  test(`an option of loading that cannot be is named: ${option} ${String(value)}`, t => {
    const error = t.throws(() => new Cache({ max: 1, [option]: value }), {
      code: 'ERR_INVALID_OPTION',
    })
    t.true(error?.message.startsWith(option), error?.message)
  })
}
