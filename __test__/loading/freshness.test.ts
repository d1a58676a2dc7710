import { setImmediate as turn } from 'node:timers/promises'
import test from 'ava'
import { Cache, type CacheOptions, json } from '../../src/index.ts'
import { ManualClock } from '../../src/testing.ts'

/** A cache whose loader counts, and gives what it counts; it can be held back and made to fail. */
function setUp(options: CacheOptions<{ n: number }, string>) {
  const clock = new ManualClock()
  const source = {
    loads: 0,
    error: undefined as unknown,
    hold: undefined as Promise<void> | undefined,
  }
  const cache = new Cache<string, { n: number }>({
    max: 100,
    codec: json(),
    clock,
    loader: async () => {
      const n = ++source.loads
      await source.hold
      if (source.error !== undefined) throw source.error
      return { n }
    },
    ...options,
  })
  return { cache, clock, source }
}

/** Lets what is under way come to its end. */
async function settle() {
  for (let i = 0; i < 3; i++) await turn()
}

test('a stale value is given at once while one load brings a new one', async t => {
  const { cache, clock, source } = setUp({ ttl: '10s', staleWhileRevalidate: '5s' })
  await cache.fetch('a')
  clock.advance('10s')
  t.is(cache.get('a'), undefined, 'a get knows no stale values')
  t.deepEqual(cache.fetchSync('a'), { n: 1 })
  t.deepEqual(cache.fetchSync('a'), { n: 1 })
  t.is(source.loads, 2)
  await settle()
  t.deepEqual(cache.fetchSync('a'), { n: 2 })
  t.is(source.loads, 2)
  clock.advance('15s')
  t.deepEqual(await cache.fetchSync('a'), { n: 3 }, 'past that time it is waited for')
})

test('a stale value ends when its grace does, to the millisecond', async t => {
  const { cache, clock } = setUp({ ttl: '10s', staleWhileRevalidate: '5s' })
  cache.set('a', { n: 0 })
  clock.advance(14_999)
  t.deepEqual(cache.fetchSync('a', { loader: () => new Promise(() => {}) }), { n: 0 })
  clock.advance(1)
  t.true(cache.fetchSync('a', { loader: () => ({ n: 9 }) }) instanceof Promise)
})

test('a load that fails gives what is stale, and the source is left alone for a while', async t => {
  const { cache, clock, source } = setUp({ ttl: '10s', staleIfError: '1m', retryAfter: '2s' })
  await cache.fetch('a')
  clock.advance('10s')
  source.error = new Error('sick')
  t.deepEqual(await cache.fetch('a'), { n: 1 })
  t.is(source.loads, 2)
  for (let i = 0; i < 10; i++) t.deepEqual(cache.fetchSync('a'), { n: 1 })
  t.is(source.loads, 2)
  clock.advance('2s')
  t.deepEqual(await cache.fetch('a'), { n: 1 })
  t.is(source.loads, 3)
  clock.advance('2s')
  source.error = undefined
  t.deepEqual(await cache.fetch('a'), { n: 4 })
  clock.advance('71s')
  source.error = new Error('sick')
  await t.throwsAsync(
    cache.fetch('a'),
    { message: 'sick' },
    'past its grace there is only the error',
  )
})

test('a background load that fails harms nobody and is not tried at each read', async t => {
  const { cache, clock, source } = setUp({ ttl: '10s', staleWhileRevalidate: '1m' })
  await cache.fetch('a')
  clock.advance('10s')
  source.error = new Error('sick')
  for (let i = 0; i < 5; i++) {
    t.deepEqual(cache.fetchSync('a'), { n: 1 })
    await settle()
  }
  t.is(source.loads, 2)
})

test('a value that was set is loaded anew in the last part of its life as well', async t => {
  const { cache, clock, source } = setUp({ ttl: '10s', refreshAhead: 0.8 })
  cache.set('a', { n: 8 }).setMany([['b', { n: 9 }]])
  clock.advance(7_999)
  t.deepEqual([cache.fetchSync('a'), cache.fetchSync('b')], [{ n: 8 }, { n: 9 }])
  t.is(source.loads, 0)
  clock.advance(1)
  t.deepEqual([cache.fetchSync('a'), cache.fetchSync('b')], [{ n: 8 }, { n: 9 }])
  await settle()
  t.deepEqual([cache.fetchSync('a'), cache.fetchSync('b')], [{ n: 1 }, { n: 2 }])
})

test('a value is loaded anew in the last part of its life, while it is given', async t => {
  const { cache, clock, source } = setUp({ ttl: '10s', refreshAhead: 0.8 })
  await cache.fetch('a')
  clock.advance(7_999)
  cache.fetchSync('a')
  t.is(source.loads, 1)
  clock.advance(1)
  t.deepEqual(cache.fetchSync('a'), { n: 1 })
  t.deepEqual(cache.fetchSync('a'), { n: 1 })
  t.is(source.loads, 2)
  await settle()
  t.deepEqual(cache.fetchSync('a'), { n: 2 })
  t.true(cache.ttl('a')! > 9_999)
})

test('the chance of an early load is that of XFetch', async t => {
  // The draw says what the chance is: at a distance d the value is loaded if -ln(1 - u) >= d / cost.
  const draws: number[] = []
  const clock = new ManualClock()
  let loads = 0
  const cache = new Cache<string, string>({
    max: 10,
    ttl: '100s',
    earlyRefresh: true,
    clock,
    random: () => draws.shift() ?? 0,
    loader: () => {
      loads++
      clock.advance(1_000)
      return 'value'
    },
  })
  await cache.fetch('a')
  // Loading took a second; two seconds are left.
  clock.advance(cache.ttl('a')! - 2_000)
  draws.push(1 - Math.exp(-1.99))
  cache.fetchSync('a')
  t.is(loads, 1)
  draws.push(1 - Math.exp(-2.01))
  cache.fetchSync('a')
  t.is(loads, 2)
  t.is(draws.length, 0, 'each read in the window draws once')
  await settle()
  cache.fetchSync('a')
  t.is(loads, 2, 'a new value is far from its end: no draw')
})

test('that there is nothing is remembered for negativeTtl, errors for errorTtl', async t => {
  const clock = new ManualClock()
  let loads = 0
  let give: () => string | undefined | null = () => undefined
  const cache = new Cache<string, string>({
    max: 10,
    clock,
    negativeTtl: '5s',
    errorTtl: '1s',
    loader: () => {
      loads++
      return give()
    },
  })
  t.is(await cache.fetch('a'), undefined)
  t.is(cache.fetchSync('a'), undefined)
  t.false(cache.has('a'))
  t.is(cache.get('a'), undefined)
  t.is(cache.ttl('a'), undefined)
  t.deepEqual([...cache.keys()], [])
  clock.advance('5s')
  give = () => null
  t.is(await cache.fetch('a'), null as never)
  t.is(cache.fetchSync('a'), null as never)
  t.is(loads, 2)
  const error = Object.assign(new RangeError('no \u{1f30a}'), { status: 404 })
  give = () => {
    throw error
  }
  await t.throwsAsync(cache.fetch('b'), { is: error })
  const again = await t.throwsAsync(cache.fetch('b'), {
    instanceOf: RangeError,
    message: error.message,
  })
  t.is((again as typeof error).status, 404)
  t.is(loads, 3)
  clock.advance('1s')
  give = () => 'value'
  t.is(await cache.fetch('b'), 'value')
  cache.set('a', 'set')
  t.is(cache.fetchSync('a'), 'set', 'a set takes the place of what is negative')
})

test('after softTimeout a caller is given what is stale, and the load goes on', async t => {
  const { cache, clock, source } = setUp({ ttl: '10s', staleIfError: '1m', softTimeout: 50 })
  await cache.fetch('a')
  clock.advance('10s')
  let go = () => {}
  source.hold = new Promise(resolve => (go = resolve))
  const slow = cache.fetch('a')
  const slower = cache.fetch('a', { softTimeout: '1h' })
  clock.advance(50)
  t.deepEqual(await slow, { n: 1 })
  go()
  t.deepEqual(await slower, { n: 2 })
  t.deepEqual(cache.fetchSync('a'), { n: 2 })
})

test('timeout gives what is stale rather than an error', async t => {
  const { cache, clock, source } = setUp({ ttl: '10s', staleIfError: '1m', timeout: 50 })
  await cache.fetch('a')
  clock.advance('10s')
  source.hold = new Promise(() => {})
  const slow = cache.fetch('a')
  clock.advance(50)
  t.deepEqual(await slow, { n: 1 })
  const none = cache.fetch('b')
  clock.advance(50)
  await t.throwsAsync(none, { code: 'ERR_LOAD_TIMEOUT' })
})

test('tags take all their values with them, also those whose load is under way', async t => {
  const { cache, clock, source } = setUp({ staleIfError: '1m' })
  cache
    .set('a', { n: 1 }, { tags: ['x', 'y'] })
    .set('b', { n: 2 }, { tags: ['y'] })
    .set('c', { n: 3 })
  cache.get('a')
  cache.get('a')
  cache.invalidateTag('x')
  t.deepEqual([cache.get('a'), cache.get('b'), cache.get('c')], [undefined, { n: 2 }, { n: 3 }])
  cache.set('a', { n: 4 }, { tags: ['x'] })
  t.deepEqual(cache.get('a'), { n: 4 })
  // By the options: who asks after it does not wait for a load that began before.
  let go = () => {}
  source.hold = new Promise(resolve => (go = resolve))
  const first = cache.fetch('d', { tags: ['x'] })
  cache.invalidateTag('x')
  const second = cache.fetch('d', { tags: ['x'] })
  t.is(source.loads, 2)
  go()
  t.deepEqual([await first, await second], [{ n: 1 }, { n: 2 }])
  t.deepEqual(cache.get('d'), { n: 2 })
  // By the loader: what it brings is given and not kept.
  const late = cache.fetch('e', {
    loader: async (_, load) => {
      load.tags = ['x']
      await turn()
      return { n: 7 }
    },
  })
  cache.invalidateTag('x')
  t.deepEqual(await late, { n: 7 })
  t.is(cache.get('e'), undefined)
  // Soft: it is stale.
  cache.set('f', { n: 8 }, { tags: ['x'] })
  cache.invalidateTag('x', { stale: true })
  t.is(cache.get('f'), undefined)
  source.error = new Error('sick')
  t.deepEqual(await cache.fetch('f'), { n: 8 })
  clock.advance('2m')
})

test('what an invalidation made stale ends with its grace, however long its life was', async t => {
  const { cache, clock, source } = setUp({ ttl: '1h', staleIfError: '1m', retryAfter: 1 })
  cache.set('a', { n: 0 }, { tags: ['x'] })
  cache.invalidateTag('x', { stale: true })
  const sick = new Error('sick')
  source.error = sick
  clock.advance('59s')
  cache.invalidateTag('x', { stale: true })
  t.deepEqual(await cache.fetch('a'), { n: 0 })
  clock.advance('1s')
  await t.throwsAsync(cache.fetch('a'), { is: sick })
})

test('what is remembered as missing or failed is forgotten by its tags', async t => {
  let loads = 0
  let give: () => string | undefined = () => undefined
  const cache = new Cache<string, string>({
    max: 10,
    negativeTtl: '1h',
    errorTtl: '1h',
    loader: async (key, load) => {
      loads++
      if (key === 'own') load.tags = ['x']
      await turn()
      return give()
    },
  })
  const tags = { tags: ['x'] }
  for (const stale of [false, true]) {
    for (const [key, options] of [
      ['given', tags],
      ['own', {}],
    ] as const) {
      loads = 0
      await cache.fetch(key, options)
      t.is(cache.fetchSync(key, options), undefined)
      t.is(loads, 1)
      cache.invalidateTag('x', { stale })
      await cache.fetch(key, options)
      t.is(loads, 2, `${key} ${stale}`)
      const late = cache.fetch(key, { ...options, fresh: true })
      cache.invalidateTag('x', { stale })
      await late
      await cache.fetch(key, options)
      t.is(loads, 4, 'what was found before the invalidation is not remembered')
      cache.delete(key)
    }
  }
  const error = new Error('sick')
  give = () => {
    throw error
  }
  await t.throwsAsync(cache.fetch('failed', tags), { is: error })
  give = () => 'well'
  await t.throwsAsync(cache.fetch('failed', tags), { message: 'sick' })
  cache.invalidateTag('x')
  t.is(await cache.fetch('failed', tags), 'well')
})

test('clearing a namespace forgets what is remembered as missing', async t => {
  const cache = new Cache<string, string>({ max: 10, negativeTtl: '1h' })
  const names = cache.namespace('names')
  t.is(await names.getOrSet('a', () => undefined), undefined)
  names.clear()
  t.is(await names.getOrSet('a', () => 'Ada'), 'Ada')
})

test('a version that is known to be gone keeps older ones away', async t => {
  const cache = new Cache<string, string>({ max: 10, negativeTtl: '1h' })
  const gone = () => undefined
  t.is(await cache.getOrSet('a', gone, { version: 5 }), undefined)
  cache.set('a', 'four', { version: 4 })
  t.is(cache.get('a'), undefined)
  cache.set('a', 'six', { version: 6 })
  t.is(await cache.getOrSet('a', gone, { version: 5, fresh: true }), undefined)
  t.is(cache.get('a'), 'six')
})

test('a version never takes the place of a higher one', async t => {
  const cache = new Cache<string, string>({ max: 10 })
  cache.set('a', 'five', { version: 5 }).set('a', 'four', { version: 4 })
  t.is(cache.get('a'), 'five')
  cache.set('a', 'five again', { version: 5 }).set('a', 'six', { version: 6 })
  t.is(cache.get('a'), 'six')
  t.is(await cache.getOrSet('a', () => 'one', { version: 1, fresh: true }), 'one')
  t.is(cache.get('a'), 'six', 'what is loaded and older is given and not kept')
  cache.set('a', 'plain')
  t.is(cache.get('a'), 'plain', 'a value without a version takes the place of any')
})

for (const [option, value] of [
  ['tags', 'x'],
  ['tags', ['']],
  ['tags', [7]],
  ['tags', ['x'.repeat(257)]],
  ['tags', Array(65).fill('x')],
  ['version', -1],
  ['version', 1.5],
  ['version', '1'],
] as const) {
  test(`a set names what cannot be: ${option} ${JSON.stringify(value).slice(0, 20)}`, async t => {
    const cache = new Cache({ max: 10 })
    const message = option === 'tags' ? /^tags?/ : /^version/
    t.throws(() => cache.set('a', 'b', { [option]: value }), {
      code: 'ERR_INVALID_OPTION',
      message,
    })
    await t.throwsAsync(
      cache.getOrSet('a', () => 'b', { [option]: value }),
      {
        code: 'ERR_INVALID_OPTION',
        message,
      },
    )
    t.is(cache.size, 0)
  })
}

test('names of tags that cannot be are refused when they are invalidated', t => {
  const cache = new Cache({ max: 10 })
  for (const tag of ['', 'x'.repeat(257), 7, undefined, null]) {
    t.throws(() => cache.invalidateTag(tag as never), {
      code: 'ERR_INVALID_OPTION',
      message: /^tag/,
    })
  }
})

test('stale values are taken for no longer than the cache of that name keeps them', t => {
  const options = { name: 'grace', max: 10, ttl: '1s', staleIfError: '1m' } as const
  const cache = new Cache(options)
  t.notThrows(() => new Cache({ name: 'grace', staleWhileRevalidate: '30s' }).close())
  t.throws(() => new Cache({ name: 'grace', staleWhileRevalidate: '2m' }), {
    code: 'ERR_OPTION_CONFLICT',
    message: /staleWhileRevalidate/,
  })
  cache.close()
})
