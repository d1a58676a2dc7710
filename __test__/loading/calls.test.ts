// What single calls say and promise: grace, jitter, events; that no call leaves a rejection unheard;
// that whoever can load does; and errors on their way to other threads.
import { setImmediate as turn } from 'node:timers/promises'
import test from 'ava'
import { fromText, toText } from '../../src/base/failure.ts'
import { Cache, type CacheKey } from '../../src/index.ts'
import { ManualClock } from '../../src/testing.ts'
import type { Tier, TierValue } from '../../src/tier/contract.ts'

test('jitter of a call holds for what is loaded', async t => {
  const draws = [0, 0.999]
  const cache = new Cache<string, string>({
    max: 10,
    ttl: 100_000,
    clock: new ManualClock(),
    random: () => draws.shift() ?? 0.5,
    loader: key => key,
  })
  await cache.fetch('low', { jitter: 0.5 })
  await cache.fetch('high', { jitter: 0.5 })
  await cache.fetch('plain')
  t.deepEqual(
    ['low', 'high', 'plain'].map(key => Math.round(cache.ttl(key)! / 1000)),
    [50, 150, 100],
  )
})

test('a call has a grace of its own, at most what the cache keeps', async t => {
  const clock = new ManualClock()
  let loads = 0
  const options = { max: 10, clock, ttl: 1_000, staleWhileRevalidate: '10s', staleIfError: '1m' }
  const cache = new Cache<string, string>({ ...options, loader: () => `value ${++loads}` })
  t.is(await cache.fetch('a'), 'value 1')
  clock.advance('2s')
  t.is(await cache.fetch('a', { staleWhileRevalidate: 0, staleIfError: 0 }), 'value 2')
  clock.advance('30s')
  t.is(await cache.fetch('a', { staleWhileRevalidate: '1m' }), 'value 2')
  await turn()
  t.is(await cache.fetch('a'), 'value 3')
  clock.advance('2s')
  const fail = () => Promise.reject(new Error('down'))
  const strict = { staleWhileRevalidate: 0, staleIfError: 0 }
  await t.throwsAsync(cache.getOrSet('a', fail, strict), { message: 'down' })
  t.is(await cache.getOrSet('a', fail, { staleWhileRevalidate: 0 }), 'value 3')
  for (const option of ['staleWhileRevalidate', 'staleIfError']) {
    const error = await t.throwsAsync(cache.fetch('b', { [option]: '2m' }), {
      code: 'ERR_INVALID_OPTION',
    })
    t.true(error.message.includes(option) && error.message.includes('60000'), error.message)
  }
})

test('every hit of fetch and its kind is told, near or not', async t => {
  for (const near of [false, true]) {
    const cache = new Cache<string, string>({ max: 10, near, loader: key => key })
    cache.set('a', 'x')
    let hits = 0
    cache.on('hit', () => hits++)
    const calls = [
      () => cache.fetch('a'),
      () => cache.fetchSync('a'),
      () => cache.fetch('a', {}),
      () => cache.getOrSet('a', () => 'y'),
      () => cache.getOrSetSync('a', () => 'y'),
      () => cache.fetchMany(['a']),
    ]
    for (let round = 0; round < 10; round++) for (const call of calls) await call()
    t.is(hits, 10 * calls.length, String(near))
  }
})

test('a namespace has the calls that give a hit at once, and asks whether there is one', async t => {
  const cache = new Cache<string, string>({ max: 10 })
  const users = cache.namespace('users')
  t.false(await users.fetchHas('1'))
  t.is(await users.getOrSetSync('1', id => `user ${id}`), 'user 1')
  t.is(
    users.getOrSetSync('1', () => 'other'),
    'user 1',
  )
  t.is(users.fetchSync('1'), 'user 1')
  t.true(await users.fetchHas('1'))
  t.true(await cache.fetchHas('users:1'))
  users.clear()
  t.false(await users.fetchHas('1'))
})

const badKey = {} as never
const failing = () => Promise.reject(new Error('down'))

/** Calls that throw or reject while something else of theirs fails. */
const unheard: Record<string, (cache: Cache<string, string>) => unknown> = {
  fetchMany: cache => cache.fetchMany(['a', badKey]),
  'fetchMany with a loader': cache => cache.fetchMany(['a', badKey], failing),
  'fetchMany of a namespace': cache => cache.namespace('n').fetchMany(['a', badKey]),
  'fetchMany of a namespace with a loader': cache =>
    cache.namespace('n').fetchMany(['a', badKey], failing),
  fetch: cache => cache.fetch(badKey),
  'fetch twice': cache => Promise.all([cache.fetch('a'), cache.fetch('a')]),
  'getOrSet with tags that cannot be': cache =>
    cache.getOrSet('a', failing, { tags: [''] as never }),
  'fetch with a signal': cache => {
    const controller = new AbortController()
    const promise = cache.fetch('a', { signal: controller.signal })
    controller.abort(new Error('left'))
    return promise
  },
  'fetch and close': cache => {
    const promise = cache.fetch('a')
    return Promise.all([promise, cache.close()])
  },
  'put of what cannot be': cache => cache.put('a', Symbol('x') as never),
  'put with a key that cannot be': cache => cache.put(badKey, 'x'),
  remove: cache => cache.remove(badKey),
  invalidate: cache => cache.invalidate(badKey, { again: 1 }),
}

for (const [name, call] of Object.entries(unheard)) {
  test.serial(`no rejection is left unheard: ${name}`, async t => {
    const reasons: unknown[] = []
    const hear = (reason: unknown) => reasons.push(reason)
    process.on('unhandledRejection', hear)
    const cache = new Cache<string, string>({ max: 10, clock: new ManualClock(), loader: failing })
    const hold = new Cache<string, string>({ max: 10 })
    await t.throwsAsync(async () => call(cache))
    for (let i = 0; i < 4; i++) await turn()
    process.off('unhandledRejection', hear)
    t.deepEqual(reasons, [])
    await Promise.all([cache.close(), hold.close()])
  })
}

/** A tier whose answers are given by hand. */
function slowTier() {
  const asked: ((value: TierValue | undefined) => void)[] = []
  const tier: Tier = {
    open: () => ({
      ready: Promise.resolve(),
      get: () => new Promise(resolve => asked.push(resolve)),
      set: async () => true,
      delete: async () => {},
      invalidateTag: async () => {},
      clear: async () => {},
      lease: async () => ({ release: async () => {} }),
      written: async () => {},
      publishHot: async () => {},
      fleetHot: async (): Promise<CacheKey[]> => ['hot'],
      close: async () => {},
    }),
  }
  return { tier, asked }
}

for (const elsewhere of [false, true]) {
  test(`who can load does, though a warm start asks the tier for the key: ${elsewhere}`, async t => {
    const { tier, asked } = slowTier()
    const name = `warm ${elsewhere}`
    const warm = new Cache<string, string>({
      name,
      max: 10,
      tier,
      warm: { from: 'tier' },
      loader: key => `loaded ${key}`,
    })
    const other = elsewhere
      ? new Cache<string, string>({ name, max: 10, loader: key => `loaded ${key}` })
      : warm
    while (asked.length === 0) await turn()
    const all = [other.fetch('hot'), other.fetch('hot', { timeout: '1m' })]
    asked[0]!(undefined)
    for (let i = 0; i < 4; i++) await turn()
    for (const answer of asked.splice(1)) answer(undefined)
    t.deepEqual(await Promise.all(all), ['loaded hot', 'loaded hot'])
    await Promise.all([warm.close(), other.close()])
  })
}

test('fetchHas asks the second tier and loads nothing', async t => {
  const { tier, asked } = slowTier()
  const loader = () => t.fail() as never
  const cache = new Cache<string, string>({ name: 'has', max: 10, tier, loader })
  const value = { encoded: 'x', cost: 0 }
  for (const [freshFor, has] of [
    [1000, true],
    [-1, false],
  ] as const) {
    const found = cache.fetchHas('a')
    asked.pop()!({ ...value, freshFor })
    t.is(await found, has)
  }
  cache.set('a', 'here')
  t.true(await cache.fetchHas('a'))
  t.is(asked.length, 0)
  await cache.close()
})

/** Errors of which something cannot be written. */
const awkward: Record<string, unknown> = {
  'a cycle': (() => {
    const cycle: Record<string, unknown> = {}
    cycle.self = cycle
    return cycle
  })(),
  'a bigint': 1n,
  'a value that throws when it is written': {
    toJSON() {
      throw new Error('no')
    },
  },
  'more than fits': 'x'.repeat(100_000),
  'a function': () => {},
}

for (const [name, value] of Object.entries(awkward)) {
  test(`of an error all fields are kept but those that cannot be: ${name}`, t => {
    const error = Object.assign(new RangeError('no such user'), {
      first: 1,
      odd: value,
      code: 'E_USER',
      status: 404,
    })
    Object.defineProperty(error, 'thrower', {
      enumerable: true,
      get() {
        throw new Error('no')
      },
    })
    const kept = fromText(toText(error)) as typeof error
    t.true(kept instanceof RangeError)
    const { message, code, status, first } = kept
    t.deepEqual([message, code, status, first], ['no such user', 'E_USER', 404, 1])
    t.false('odd' in kept)
    t.true(toText(error).length <= 32_768)
  })
}

test('of an error that is too long what programs ask for is kept', t => {
  const error = Object.assign(new Error('x'.repeat(100_000)), { code: 'E_LONG', status: 500 })
  const kept = fromText(toText(error)) as typeof error
  t.deepEqual([kept.code, kept.status], ['E_LONG', 500])
  t.is(kept.message.length, 4096)
})

test('an error under errorTtl keeps its fields', async t => {
  const cache = new Cache<string, string>({ max: 10, errorTtl: '1m' })
  const cyclic: Record<string, unknown> = {}
  cyclic.self = cyclic
  const error = Object.assign(new Error('down'), { code: 'E_DOWN', status: 503, cyclic })
  await t.throwsAsync(
    cache.getOrSet('a', () => Promise.reject(error)),
    { is: error },
  )
  await t.throwsAsync(
    cache.getOrSet('a', () => 'x'),
    { code: 'E_DOWN', message: 'down' },
  )
})

test('a signal that throws fails its own caller: the load goes on for all others', async t => {
  const evil = (part: 'addEventListener' | 'removeEventListener') =>
    Object.assign(new EventTarget(), {
      aborted: false,
      [part]: () => {
        throw new Error('evil')
      },
    }) as unknown as AbortSignal
  const cache = new Cache<string, string>({ max: 10 })
  let loads = 0
  const load = async () => {
    await turn()
    return `value ${++loads}`
  }
  const failing = cache.getOrSet('a', load, { signal: evil('addEventListener') })
  const beside = cache.getOrSet('a', load)
  await t.throwsAsync(failing, { message: 'evil' })
  t.is(await beside, 'value 1')
  t.is(cache.get('a'), 'value 1')
  t.is(await cache.fetch('a'), 'value 1')
})
