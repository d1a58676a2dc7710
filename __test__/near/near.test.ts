import test from 'ava'
import { bytes, Cache, type CacheOptions, heap, json, type Policy } from '../../src/index.ts'
import { ManualClock } from '../../src/testing.ts'
import { inWorker } from '../helpers/worker.ts'

interface User {
  name: string
  tags: string[]
}

const alice = { name: 'Alice', tags: ['a'] }

test('a value is decoded once, and shared from then on', t => {
  const cache = new Cache({ max: 10, codec: json<User>() })
  cache.set('1', alice)
  const first = cache.get('1')
  t.deepEqual(first, alice)
  t.is(cache.get('1'), first)
  t.is(cache.peek('1'), first)
  t.deepEqual(cache.getMany(['1', '2']), [first, undefined])
  t.is(cache.getMany(['1'])[0], first)
})

test('near: false decodes each time', t => {
  const cache = new Cache({ max: 10, codec: json<User>(), near: false })
  cache.set('1', alice)
  t.not(cache.get('1'), cache.get('1'))
  t.is(cache.stats().nearHits, 0)
})

const codecs: [string, CacheOptions<never>, unknown, unknown][] = [
  ['string', {}, 'one', 'two \u{1f30a}'],
  ['number', { codec: 'number' }, 1, -0.5],
  ['bytes', { codec: 'bytes' }, Buffer.from('one'), Buffer.from('two')],
  ['json', { codec: 'json' }, { n: 1 }, [null]],
  ['structured', { codec: 'structured' }, new Map([[1, new Date(5)]]), new Set([1])],
  ['heap', { codec: 'heap' }, Symbol('one'), () => 2],
  ['custom', { codec: { encode: String, decode: () => undefined } as never }, 'one', undefined],
]

for (const [name, options, one, two] of codecs) {
  test(`each codec has a near cache: ${name}`, t => {
    const [first, second] = name === 'custom' ? [undefined, undefined] : [one, two]
    // Of what needs no decoding, a copy is made at the second read.
    const plain = ['string', 'number', 'bytes', 'heap'].includes(name)
    for (const key of ['key', 7, '__proto__', '', '\ud800', Number.NaN, 0]) {
      // Each in a cache of its own: the misses of two keys may be counted as those of one.
      const cache = new Cache<string | number, unknown>({ max: 10, ...options } as object)
      cache.set(key, one)
      for (let i = 0; i < 3; i++) t.deepEqual(cache.get(key), first)
      cache.set(key, two)
      for (let i = 0; i < 3; i++) t.deepEqual(cache.get(key), second)
      t.true(cache.delete(key))
      t.is(cache.get(key), undefined)
      t.like(cache.stats(), { hits: 6, nearHits: plain ? 3 : 4, misses: 1 }, String(key))
    }
  })
}

test('keys of different types have different copies', t => {
  const cache = new Cache<string | number | Uint8Array>({ max: 10 })
  cache.set(1, 'number').set('1', 'string').set(Buffer.from('1'), 'bytes')
  for (let i = 0; i < 2; i++) {
    t.is(cache.get(1), 'number')
    t.is(cache.get('1'), 'string')
    t.is(cache.get(Buffer.from('1')), 'bytes')
  }
  cache.set(Number.NaN, 'nan').set(0, 'zero')
  t.deepEqual([cache.get(Number.NaN), cache.get(-0), cache.get(0)], ['nan', 'zero', 'zero'])
  const key = Buffer.from('a')
  cache.set(key, 'a')
  t.is(cache.get(key), 'a')
  key[0] = 0x62
  t.is(cache.get(key), undefined)
})

const changes: [string, (cache: Cache<string, User>) => unknown, User | undefined][] = [
  ['set', cache => cache.set('1', { name: 'Bob', tags: [] }), { name: 'Bob', tags: [] }],
  [
    'setMany',
    cache => cache.setMany([['1', { name: 'Eve', tags: [] }]]),
    { name: 'Eve', tags: [] },
  ],
  ['delete', cache => cache.delete('1'), undefined],
  ['deleteMany', cache => cache.deleteMany(['0', '1']), undefined],
  ['clear', cache => cache.clear(), undefined],
  ['eviction', cache => cache.resize({ max: 1 }) ?? cache.set('2', alice), undefined],
]

for (const [name, change, after] of changes) {
  test(`no copy outlives a ${name} in the same isolate`, t => {
    const cache = new Cache({ max: 10, codec: json<User>() })
    cache.set('1', alice)
    cache.get('1')
    cache.get('1')
    t.is(cache.stats().nearHits, 1)
    change(cache)
    t.deepEqual(cache.get('1'), after)
    t.deepEqual(cache.peek('1'), after)
    t.deepEqual(cache.getMany(['1']), [after])
  })

  test(`no copy outlives a ${name} in another isolate`, async t => {
    const cache = new Cache({ name: `outlives ${name}`, max: 10, codec: json<User>() })
    cache.set('1', alice)
    cache.get('1')
    cache.get('1')
    t.is(cache.stats().nearHits, 1)
    await inWorker(
      ({ breakwater, data }) => {
        const codec = breakwater.json<User>()
        const cache = new breakwater.Cache<string, User>({ name: data.name, codec })
        new Function('cache', 'alice', `return (${data.change})(cache)`)(cache, data.alice)
      },
      { name: cache.name, change: change.toString(), alice },
    )
    t.deepEqual(cache.get('1'), after)
    t.deepEqual(cache.peek('1'), after)
  })
}

test('a copy ends with its entry, to the millisecond', t => {
  const clock = new ManualClock()
  const cache = new Cache({ max: 100_000, ttl: 100, clock, codec: json<User>() })
  cache.set('1', alice)
  // A key whose changes leave the copy of the first one alone, as those of nearly all do.
  let other = 1
  do {
    cache.get('1')
    cache.set(String(++other), alice).resetStats()
    cache.get('1')
  } while (cache.stats().nearHits === 0)
  const second = String(other)
  cache.resetStats()
  t.is(cache.get('1'), cache.get('1'))
  t.is(cache.get(second), cache.get(second))
  cache.expire(second, 200)
  clock.advance(99)
  t.deepEqual(cache.get('1'), alice)
  clock.advance(1)
  t.is(cache.peek('1'), undefined)
  t.is(cache.get('1'), undefined)
  t.deepEqual(cache.get(second), alice)
  cache.expire(second, 50)
  clock.advance(50)
  t.is(cache.get(second), undefined)
  t.like(cache.stats(), { hits: 6, nearHits: 4, misses: 2 })
})

test('on the clock of the system no copy outlives its entry', t => {
  const cache = new Cache({ max: 10, codec: json<User>() })
  for (let round = 0; round < 20; round++) {
    cache.set('1', alice, { ttl: 3 })
    // What is gone before the read begins is not read.
    for (let there = true; there; ) {
      there = cache.has('1')
      const read = cache.get('1')
      if (!there && read !== undefined) t.fail()
    }
  }
  t.true(cache.stats().nearHits > 0)
})

test('a copy of an entry that ends is used until then', t => {
  const cache = new Cache({ max: 10, ttl: '1h', codec: json<User>() })
  cache.set('1', alice)
  t.is(cache.get('1'), cache.get('1'))
  t.is(cache.stats().nearHits, 1)
})

test('there are at most so many copies', t => {
  const cache = new Cache({ max: 100, codec: json<number>(), near: { max: 4 } })
  for (let n = 0; n < 100; n++) cache.set(String(n), n)
  for (let round = 0; round < 3; round++) {
    for (let n = 0; n < 4; n++) t.is(cache.get(String(n)), n)
  }
  t.is(cache.stats().nearHits, 8)
  cache.resetStats()
  for (let n = 0; n < 100; n++) t.is(cache.get(String(n)), n)
  t.true(cache.stats().nearHits <= 4)
})

test('the keys that are read most take the places of others', t => {
  const cache = new Cache({ max: 1000, codec: json<number>(), near: { max: 8 } })
  for (let n = 0; n < 1000; n++) cache.set(String(n), n)
  for (let n = 0; n < 8; n++) cache.get(String(n))
  for (let i = 0; i < 2000; i++) {
    t.is(cache.get(String(900 + (i % 4))), 900 + (i % 4))
    t.is(cache.get(String(i % 800)), i % 800)
  }
  t.true(cache.stats().nearHits > 1500, `${cache.stats().nearHits} of 4008`)
})

test('copies take at most so many bytes, and none takes most of them', t => {
  const near = { maxBytes: '64kb' }
  const cache = new Cache({ max: 1000, codec: json<string>(), near })
  const text = (n: number) => String(n).padEnd(2000, '.')
  for (let n = 0; n < 100; n++) cache.set(String(n), text(n))
  for (let n = 0; n < 100; n++) cache.get(String(n))
  t.is(cache.stats().nearHits, 0)
  for (let n = 0; n < 100; n++) t.is(cache.get(String(n)), text(n))
  t.true(cache.stats().nearHits <= 30)
  cache.set('large', 'x'.repeat(60_000))
  cache.resetStats()
  cache.get('large')
  t.is(cache.get('large')?.length, 60_000)
  t.is(cache.stats().nearHits, 0)
})

test('a near cache that finds little steps aside, and all reads stay right', t => {
  const cache = new Cache({ max: 10_000, codec: json<number>(), near: { max: 16 } })
  for (let n = 0; n < 5000; n++) cache.set(String(n), n)
  for (let round = 0; round < 3; round++) {
    for (let n = 0; n < 5000; n++) t.is(cache.get(String(n)), n)
  }
  t.like(cache.stats(), { hits: 15_000, misses: 0 })
  // It comes back for keys that are read again and again.
  for (let i = 0; i < 50_000; i++) t.is(cache.get('7'), 7)
  t.true(cache.stats().nearHits > 1000)
})

for (const policy of ['lfu', 'lru'] satisfies Policy[]) {
  test(`what copies answer counts as used: ${policy}`, t => {
    const cache = new Cache({ max: 200, policy, codec: json<number>() })
    const hot = Array.from({ length: 20 }, (_, n) => `hot ${n}`)
    for (const key of hot) cache.set(key, 1)
    for (let n = 0; n < 10_000; n++) {
      cache.set(`cold ${n}`, n)
      for (const key of hot) cache.get(key)
    }
    t.true(hot.every(key => cache.has(key)))
    const { nearHits, misses } = cache.stats()
    t.is(misses, 0)
    t.true(nearHits > 150_000, String(nearHits))
  })
}

test('what copies answer in one isolate stays while another one writes', async t => {
  const options = { name: 'hot elsewhere', max: 200 } as const
  const cache = new Cache(options)
  for (let n = 0; n < 20; n++) cache.set(`hot ${n}`, 'value')
  // Rounds that the reader made, and whether it is to end.
  const shared = new Int32Array(new SharedArrayBuffer(8))
  const reader = inWorker(({ breakwater, data }) => {
    const cache = new breakwater.Cache({ name: 'hot elsewhere' })
    let lost = 0
    while (Atomics.load(data, 1) === 0) {
      for (let n = 0; n < 20; n++) {
        if (cache.get(`hot ${n}`) !== undefined) continue
        lost++
        cache.set(`hot ${n}`, 'value')
      }
      Atomics.add(data, 0, 1)
      Atomics.notify(data, 0)
    }
    cache.close()
    return lost
  }, shared)
  for (let n = 0; n < 20_000; n++) {
    cache.set(`cold ${n}`, 'value')
    if (n % 10 !== 0) continue
    // Two rounds: one of them began after these were set.
    const rounds = Atomics.load(shared, 0)
    while (Atomics.load(shared, 0) < rounds + 2) await new Promise(setImmediate)
  }
  Atomics.store(shared, 1, 1)
  // What is told while another thread holds the lock is lost: now and then a key goes all the same.
  t.true(((await reader) as number) < 20)
  const { nearHits, hits } = cache.stats()
  t.true(nearHits > 0.5 * hits, `${nearHits} of ${hits}`)
})

test('lru stays exact while one thread reads copies', t => {
  const max = 50
  const cache = new Cache<number, number>({ max, policy: 'lru', codec: 'json' })
  const model = new Map<number, number>()
  let state = 1
  const draw = (below: number) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return Math.floor((state / 2 ** 32) * below)
  }
  for (let i = 0; i < 50_000; i++) {
    const key = draw(80)
    if (draw(3) > 0) {
      const value = model.get(key)
      t.is(cache.get(key), value)
      if (value !== undefined) model.delete(key)
      if (value !== undefined) model.set(key, value)
    } else {
      cache.set(key, i)
      model.delete(key)
      model.set(key, i)
      if (model.size > max) model.delete(model.keys().next().value as number)
    }
  }
  t.deepEqual([...cache.keys()].sort(), [...model.keys()].sort())
  t.true(cache.stats().nearHits > 1000)
})

test('the keys read most are known though copies answer', t => {
  const cache = new Cache({ max: 100 })
  for (let n = 0; n < 100; n++) cache.set(String(n), 'value')
  for (let i = 0; i < 100_000; i++) cache.get(String(i % 3 === 0 ? i % 100 : 42))
  const [hottest] = cache.hotKeys(1)
  t.is(hottest?.key, '42')
  t.true(hottest !== undefined && hottest.count > 40_000 && hottest.count < 100_000)
})

test('hits of copies are counted once, in all isolates, and also of those that are gone', async t => {
  const cache = new Cache({ name: 'near counts', max: 10 })
  cache.set('1', 'one')
  const read = ({ breakwater }: { breakwater: typeof import('../../src/index.ts') }) => {
    const cache = new breakwater.Cache({ name: 'near counts' })
    for (let i = 0; i < 100; i++) cache.get('1')
  }
  await inWorker(read)
  await inWorker(read)
  for (let i = 0; i < 10; i++) cache.get('1')
  t.like(cache.stats(), { hits: 210, nearHits: 204, misses: 0 })
  cache.resetStats()
  t.like(cache.stats(), { hits: 0, nearHits: 0 })
  cache.get('1')
  t.like(cache.stats(), { hits: 1, nearHits: 1 })
})

test('freeze: what is shared cannot be changed, however deep', t => {
  const cache = new Cache<string, User>({ max: 10, codec: 'json', near: { freeze: true } })
  cache.set('1', { name: 'Alice', tags: ['a'] })
  for (const user of [cache.get('1'), cache.get('1'), cache.peek('1'), [...cache.values()][0]]) {
    t.throws(() => user?.tags.push('b'), { instanceOf: TypeError })
    t.throws(() => Object.assign(user as User, { name: 'Bob' }), { instanceOf: TypeError })
  }
  t.deepEqual(cache.get('1'), alice)
})

test('freeze leaves alone what cannot be frozen', t => {
  const codec = 'structured'
  const cache = new Cache<string, unknown>({ max: 10, codec, near: { freeze: true } })
  const value: Record<string, unknown> = { bytes: new Uint8Array([1]), when: new Date(1) }
  value.self = value
  cache.set('1', value)
  t.deepEqual(cache.get('1'), value)
  t.true(Object.isFrozen(cache.get('1')))
})

test('a codec may use the cache that it decodes for', t => {
  const cache: Cache<string, string> = new Cache<string, string>({
    max: 100,
    near: { max: 2 },
    codec: {
      encode: String,
      decode: stored => (stored === 'leaf' ? 'leaf' : `${stored}(${cache.get(String(stored))})`),
    },
  })
  cache.set('c', 'leaf').set('b', 'c').set('a', 'b')
  for (let i = 0; i < 20; i++) {
    t.is(cache.get('a'), 'b(c(leaf))')
    t.is(cache.get('b'), 'c(leaf)')
    t.is(cache.get('c'), 'leaf')
  }
})

test('a codec that throws leaves nothing behind', t => {
  let fails = true
  const decode = (stored: unknown) => {
    if (fails) throw new Error('not today')
    return String(stored)
  }
  const cache = new Cache<string, string>({ max: 10, codec: { encode: String, decode } })
  cache.set('1', 'one')
  t.throws(() => cache.get('1'), { code: 'ERR_DECODE' })
  fails = false
  t.is(cache.get('1'), 'one')
  t.is(cache.get('1'), 'one')
  fails = true
  t.is(cache.get('1'), 'one')
  cache.set('1', 'two')
  t.throws(() => cache.get('1'), { code: 'ERR_DECODE' })
})

test('a closed cache gives no copies', t => {
  const cache = new Cache({ max: 10 })
  cache.set('1', 'one')
  cache.get('1')
  cache.close()
  t.throws(() => cache.get('1'), { code: 'ERR_CACHE_CLOSED' })
  t.throws(() => cache.peek('1'), { code: 'ERR_CACHE_CLOSED' })
})

test('bytes are copied for each caller', t => {
  const cache = new Cache({ max: 10, codec: bytes() })
  cache.set('1', Buffer.from('one'))
  for (let i = 0; i < 3; i++) {
    const copy = cache.get('1')
    t.true(Buffer.isBuffer(copy))
    t.is(copy?.toString(), 'one')
    copy?.fill(0)
  }
  t.is(cache.stats().nearHits, 1)
})

test('heap gives the very object, from the near cache too', t => {
  const cache = new Cache({ max: 10, codec: heap<object>() })
  const session = {}
  cache.set('1', session)
  t.is(cache.get('1'), session)
  t.is(cache.get('1'), session)
  const other = {}
  cache.set('1', other)
  t.is(cache.get('1'), other)
})

test('two instances of one isolate do not mislead each other', t => {
  const one = new Cache({ name: 'twice', max: 10, codec: json<number>() })
  const two = new Cache({ name: 'twice', codec: json<number>() })
  for (let n = 1; n < 100; n++) {
    one.set('key', n)
    t.is(two.get('key'), n)
    two.set('key', -n)
    t.is(one.get('key'), -n)
  }
})

const wrong: [unknown, RegExp][] = [
  [{ max: 0 }, /near\.max must be a whole number of copies above 0, not 0/],
  [{ max: 1.5 }, /near\.max/],
  [{ maxBytes: 'much' }, /near\.maxBytes must be .* not 'much'/],
  [{ maxBytes: -1 }, /near\.maxBytes/],
  [{ freeze: 'yes' }, /near\.freeze must be true or false, not 'yes'/],
  [{ size: 1 }, /unknown option 'near\.size': options are near\.max, near\.maxBytes, near\.freeze/],
  ['on', /near must be true, false or an object/],
  [null, /near must be true, false or an object/],
]

for (const [near, message] of wrong) {
  test(`a near cache that cannot be is refused: ${JSON.stringify(near)}`, t => {
    t.throws(() => new Cache({ max: 10, near: near as never }), {
      code: 'ERR_INVALID_OPTION',
      message,
    })
  })
}

for (const codec of ['heap', 'bytes'] as const) {
  test(`freeze is refused where it cannot be: ${codec}`, t => {
    t.throws(() => new Cache<string, never>({ max: 10, codec, near: { freeze: true } }), {
      code: 'ERR_INVALID_OPTION',
      message: /near\.freeze must be false/,
    })
  })
}

test('who asks for copies of a cache that keeps no versions is told', t => {
  const cache = new Cache({ name: 'without', max: 10, near: false })
  t.throws(() => new Cache({ name: 'without', near: true }), {
    code: 'ERR_OPTION_CONFLICT',
    message: /near false.*true/,
  })
  const same = new Cache({ name: 'without' })
  cache.set('1', 'one')
  t.is(same.get('1'), 'one')
  t.is(same.get('1'), 'one')
  t.is(same.stats().nearHits, 0)
  const with_ = new Cache({ name: 'with', max: 10 })
  t.notThrows(() => new Cache({ name: 'with', near: false }).close())
  with_.close()
})

test('what was deleted is kept alive by no copy', async t => {
  const cache = new Cache({ max: 10, codec: heap<object>() })
  const make = () => {
    const value = { data: new Array(1000).fill(0) }
    cache.set('1', value)
    cache.get('1')
    cache.get('1')
    return new WeakRef(value)
  }
  const kept = make()
  await new Promise(setImmediate)
  cache.delete('1')
  for (let i = 0; i < 50 && kept.deref() !== undefined; i++) {
    await new Promise(setImmediate)
    globalThis.gc?.()
  }
  t.is(kept.deref(), undefined)
})

test('strings under long keys have copies only if somebody asks for them', t => {
  const key = 'session:1:profile'
  const hits = (options: CacheOptions<string>) => {
    const cache = new Cache({ max: 10, ...options })
    cache.set(key, 'value')
    for (let i = 0; i < 10; i++) t.is(cache.get(key), 'value')
    t.is(cache.peek(key), 'value')
    return cache.stats().nearHits
  }
  t.is(hits({}), 0)
  t.is(hits({ near: true }), 8)
})
