// Writes on a condition: one step across all threads, with whatever codec and near cache.
import test from 'ava'
import { Cache, type CacheOptions, type Codec, type CodecName } from '../../src/index.ts'
import { ManualClock } from '../../src/testing.ts'
import { inWorker } from '../helpers/worker.ts'

const THREADS = 3
const ROUNDS = 2000

for (const codec of ['any', 'number', 'json'] as const) {
  test(`no increment is lost between threads: ${codec}`, async t => {
    const name = `increments ${codec}`
    const cache = new Cache<string, number>({ name, max: 100, codec })
    const work = Array.from({ length: THREADS }, () =>
      inWorker(
        ({ breakwater, data }) => {
          const same = breakwater.Cache.open<string, number>(data.name)
          for (let i = 0; i < data.rounds; i++) {
            same.increment('a')
            same.get('a')
          }
          return same.get('a')
        },
        { name, rounds: ROUNDS },
      ),
    )
    for (let i = 0; i < ROUNDS; i++) {
      cache.increment('a', 2)
      cache.get('a')
    }
    await Promise.all(work)
    // A copy that was kept is not the last.
    t.is(cache.get('a'), (THREADS + 2) * ROUNDS)
  })
}

test('no update is lost between threads, and each is of the value before', async t => {
  const name = 'updates'
  const cache = new Cache<string, { n: number; by: string[] }>({ name, max: 100 })
  const work = Array.from({ length: THREADS }, (_, thread) =>
    inWorker(
      ({ breakwater, data }) => {
        const same = breakwater.Cache.open<string, { n: number; by: string[] }>(data.name)
        for (let i = 0; i < 300; i++) {
          same.update('a', value => ({
            n: (value?.n ?? 0) + 1,
            by: [...(value?.by ?? []), `${data.thread}`].slice(-5),
          }))
        }
      },
      { name, thread },
    ),
  )
  await Promise.all(work)
  t.is(cache.get('a')?.n, THREADS * 300)
  t.is(cache.get('a')?.by.length, 5)
})

test('of many threads that set if absent one does', async t => {
  const name = 'absent'
  const cache = new Cache<string, string>({ name, max: 10_000 })
  const keys = 500
  const won = await Promise.all(
    Array.from({ length: THREADS }, (_, thread) =>
      inWorker(
        ({ breakwater, data }) => {
          const same = breakwater.Cache.open<string, string>(data.name)
          let won = 0
          for (let i = 0; i < data.keys; i++) {
            if (same.setIfAbsent(`${i}`, `${data.thread}`)) won++
          }
          return won
        },
        { name, thread, keys },
      ),
    ),
  )
  t.is(
    won.reduce((a, b) => a + b),
    keys,
  )
  t.is(cache.size, keys)
})

const upper: Codec<string> = {
  name: 'upper',
  encode: value => value.toUpperCase(),
  decode: stored => String(stored).toLowerCase(),
}
const samples: [CodecName | Codec<never>, unknown, unknown][] = [
  ['any', { n: 1 }, 'text'],
  ['any', Buffer.from('a'), null],
  ['any', true, 5n],
  ['string', 'a', 'b€'],
  ['number', Number.NaN, -0],
  ['bytes', Buffer.from('a'), Buffer.alloc(100_000, 1)],
  ['json', { a: [1] }, { b: null }],
  ['structured', new Map([[1, 2]]), new Set(['a'])],
  ['heap', { a: 1 }, { b: 2 }],
  [upper as Codec<never>, 'a', 'b'],
]

for (const [i, [codec, one, two]] of samples.entries()) {
  const make = (options: Partial<CacheOptions<unknown, string>> = {}) =>
    new Cache<string, unknown>({ max: 10, codec: codec as CodecName, ...options })

  test(`they take values of every codec: ${i} ${typeof codec === 'string' ? codec : 'custom'}`, t => {
    const cache = make()
    t.true(cache.setIfAbsent('a', one))
    t.false(cache.setIfAbsent('a', two))
    t.deepEqual(cache.get('a'), one)
    const seen: unknown[] = []
    const result = cache.update('a', value => {
      seen.push(value)
      return two
    })
    t.deepEqual([seen, result, cache.get('a')], [[one], two, two])
    t.is(
      cache.update('a', () => undefined),
      undefined,
    )
    t.false(cache.has('a'))
    t.is(
      cache.update('a', value => {
        t.is(value, undefined)
        return undefined
      }),
      undefined,
    )
    t.deepEqual(
      cache.update('a', () => one),
      one,
    )
    t.deepEqual(cache.get('a'), one)
    const failed = t.throws(() =>
      cache.update('a', () => {
        throw new Error('of the caller')
      }),
    )
    t.is(failed?.message, 'of the caller')
    t.deepEqual(cache.get('a'), one)
  })

  test(`without a ttl an entry keeps its end, a new one gets the cache's: ${i}`, t => {
    const clock = new ManualClock()
    const cache = make({ ttl: 1000, clock })
    cache.set('a', one, { ttl: 500 })
    clock.advance(100)
    cache.update('a', () => two)
    t.is(cache.ttl('a'), 400)
    cache.update('a', () => one, { ttl: 50 })
    t.is(cache.ttl('a'), 50)
    cache.update('b', () => one)
    t.is(cache.ttl('b'), 1000)
    clock.advance(100)
    t.true(cache.setIfAbsent('a', two, { ttl: 70 }))
    t.is(cache.ttl('a'), 70)
  })
}

test('a counter counts from its beginning, and keeps the end that it was given first', t => {
  for (const codec of ['any', 'number', 'json', 'structured', 'heap'] as const) {
    const clock = new ManualClock()
    const cache = new Cache<string, number>({ max: 10, codec, clock })
    t.is(cache.increment('a'), 1, codec)
    t.is(cache.increment('a', -3), -2)
    t.is(cache.increment('b', 0.5, { initial: 10, ttl: 100 }), 10.5)
    clock.advance(60)
    t.is(cache.increment('b', 1, { ttl: 100 }), 11.5)
    t.is(cache.ttl('b'), 40, codec)
    clock.advance(40)
    t.is(cache.increment('b', 1, { ttl: 100 }), 1)
    t.is(cache.get('a'), -2)
  }
})

test('what is no number is refused, and stays', t => {
  const invalid = { code: 'ERR_INVALID_VALUE' }
  for (const codec of ['any', 'json', 'heap'] as const) {
    const cache = new Cache<string, unknown>({ max: 10, codec })
    cache.set('a', 'text').set('b', Number.MAX_VALUE)
    t.throws(() => cache.increment('a'), { ...invalid, message: /a sum with what is no number/ })
    t.throws(() => cache.increment('b', Number.MAX_VALUE), { ...invalid, message: /not finite/ })
    t.deepEqual([cache.get('a'), cache.get('b')], ['text', Number.MAX_VALUE])
    for (const wrong of [Number.NaN, Number.POSITIVE_INFINITY, '1', null]) {
      t.throws(() => cache.increment('a', wrong as never), { code: 'ERR_INVALID_OPTION' })
      const options = { initial: wrong as never }
      t.throws(() => cache.increment('a', 1, options), { code: 'ERR_INVALID_OPTION' })
    }
    t.throws(() => cache.update('a', 5 as never), { code: 'ERR_INVALID_OPTION' })
  }
  const texts = new Cache<string, string>({ max: 10, codec: 'string' })
  t.throws(() => texts.increment('a'), { code: 'ERR_INVALID_VALUE' })
})

test('stale values and remembered failures are no values to them', async t => {
  const clock = new ManualClock()
  const cache = new Cache<string, string>({
    max: 10,
    ttl: 10,
    staleIfError: 1000,
    negativeTtl: 1000,
    clock,
    loader: () => undefined,
  })
  cache.set('stale', 'old')
  clock.advance(20)
  await cache.fetch('nothing')
  for (const key of ['stale', 'nothing']) {
    t.is(
      cache.update(key, value => {
        t.is(value, undefined, key)
        return 'new'
      }),
      'new',
    )
    t.is(cache.get(key), 'new')
    cache.delete(key)
  }
  cache.set('stale', 'old')
  clock.advance(20)
  await cache.fetch('nothing')
  t.true(cache.setIfAbsent('stale', 'new'))
  t.true(cache.setIfAbsent('nothing', 'new'))
})

test('an older version changes nothing, and no update tries for ever', t => {
  const cache = new Cache<string, string>({ max: 10 })
  cache.set('a', 'seven', { version: 7 })
  t.is(
    cache.update('a', () => 'six', { version: 6 }),
    'seven',
  )
  t.is(
    cache.update('a', () => 'eight', { version: 8 }),
    'eight',
  )
  t.is(cache.info('a')?.version, 8)
})

test('tags hold, and views clear what they counted', t => {
  const cache = new Cache<string, number>({ max: 10 })
  const views = cache.namespace('views')
  t.is(views.increment('a'), 1)
  t.is(views.increment('a', 4), 5)
  t.true(views.setIfAbsent('b', 1))
  t.is(
    views.update('c', () => 3, { tags: ['own'] }),
    3,
  )
  t.is(cache.get('views:a'), 5)
  t.is(views.info('c')?.tagCount, 2)
  cache.invalidateTag('own')
  t.false(views.touch('c'))
  views.clear()
  t.deepEqual([views.get('a'), views.get('b'), views.get('c')], [undefined, undefined, undefined])
})

test('removals of updates are told as those of sets and deletes', t => {
  const cache = new Cache<string, number>({ max: 10 })
  const told: string[] = []
  cache.onRemoval((key, value, reason) => told.push(`${key} ${value} ${reason}`))
  cache.increment('a')
  cache.increment('a')
  cache.update('a', () => 7)
  cache.update('a', () => undefined)
  t.deepEqual(told, ['a 1 replaced', 'a 2 replaced', 'a 7 deleted'])
})

test('with touch each read that hits begins a life anew, its own or that of the cache', async t => {
  const clock = new ManualClock()
  const options = { max: 10, ttl: 100, touch: true, clock, loader: () => undefined }
  for (const codec of ['any', 'json', 'bytes', 'string'] as const) {
    const value = codec === 'bytes' ? Buffer.from('v') : 'v'
    const cache = new Cache<string, unknown>({ ...options, codec })
    cache.set('a', value)
    cache.setMany([['b', value]], { ttl: 50 })
    cache.set('endless', value, { ttl: Number.POSITIVE_INFINITY })
    const reads: ((key: string) => unknown)[] = [
      key => cache.get(key),
      key => cache.fetch(key),
      key => cache.getMany([key])[0],
      key => cache.fetchSync(key),
    ]
    for (const read of reads) {
      clock.advance(40)
      for (const key of ['a', 'b', 'endless']) t.deepEqual(await read(key), value, codec)
      t.deepEqual([cache.ttl('a'), cache.ttl('b')], [100, 50])
      t.is(cache.ttl('endless'), Number.POSITIVE_INFINITY)
    }
    // These read nothing for anybody.
    clock.advance(40)
    cache.peek('b')
    cache.has('b')
    cache.info('b')
    t.is(cache.ttl('b'), 10)
    clock.advance(10)
    t.is(cache.get('b'), undefined)
  }
  t.throws(() => new Cache({ ...options, near: true }), { code: 'ERR_OPTION_COMBINATION' })
  t.throws(() => new Cache({ max: 1, touch: 1 as never }), { code: 'ERR_INVALID_OPTION' })
})

test('with touch the ttl that a load gave is known as that of a set is', async t => {
  const clock = new ManualClock()
  const options = { max: 10, ttl: 100, touch: true, clock }
  const ways: Record<string, () => Promise<Cache<string, string>>> = {
    loader: async () => {
      const cache = new Cache<string, string>({
        ...options,
        loader: (_, load) => {
          load.ttl = 1000
          return 'v'
        },
      })
      await cache.fetch('a')
      return cache
    },
    call: async () => {
      const cache = new Cache<string, string>({ ...options, loader: () => 'v' })
      await cache.fetch('a', { ttl: 1000 })
      return cache
    },
    'function of the cache': async () => {
      const cache = new Cache<string, string>({ ...options, ttl: () => 1000, loader: () => 'v' })
      await cache.fetch('a')
      return cache
    },
  }
  for (const [name, load] of Object.entries(ways)) {
    const cache = await load()
    for (let i = 0; i < 3; i++) {
      clock.advance(900)
      t.is(cache.get('a'), 'v', name)
      t.is(cache.ttl('a'), 1000, name)
    }
  }
})

test('info tells what is known, and counts no hit', t => {
  const clock = new ManualClock()
  const cache = new Cache<string, string>({ max: 10, ttl: 1000, staleIfError: 1000, clock })
  cache.set('a', '1', { tags: ['x', 'y'], version: 3 })
  clock.advance(100)
  const { bytes = 0, hits, ...rest } = cache.info('a') ?? {}
  t.deepEqual(rest, { ttl: 900, age: 100, tagCount: 2, version: 3 } as never)
  t.true(bytes > 0 && hits !== undefined)
  cache.set('b', '1', { ttl: Number.POSITIVE_INFINITY })
  t.is(cache.info('b')?.ttl, Number.POSITIVE_INFINITY)
  t.is(cache.info('none'), undefined)
  clock.advance(1000)
  t.is(cache.info('a'), undefined, 'a stale value')
  t.is(cache.stats().hits, 0)
})
