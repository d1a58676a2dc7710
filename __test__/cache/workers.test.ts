import { once } from 'node:events'
import test from 'ava'
import { bytes, Cache, type CacheOptions, json, NoSuchCacheError } from '../../src/index.ts'
import { ManualClock } from '../../src/testing.ts'
import { inWorker, start } from '../helpers/worker.ts'

test('the same name is the same cache in every worker', async t => {
  const cache = new Cache({ name: 'shared', max: 100 })
  cache.set('from', 'main')
  const seen = await inWorker(({ breakwater }) => {
    const same = new breakwater.Cache({ name: 'shared', max: 100 })
    const seen = same.get('from')
    same.set('from', 'worker')
    return seen
  })
  t.is(seen, 'main')
  t.is(cache.get('from'), 'worker')
})

test('a handle opens the cache in the worker that it is posted to', async t => {
  const cache = new Cache({ max: 100, codec: json<{ n: number }>() })
  cache.set('a', { n: 1 })
  const seen = await inWorker(({ breakwater, data }) => {
    const same = breakwater.Cache.attach<string, { n: number }>(data)
    same.set('b', { n: 2 })
    return same.get('a')
  }, cache.handle)
  t.deepEqual(seen, { n: 1 })
  t.deepEqual(cache.get('b'), { n: 2 })
})

test('a handle of a codec of your own asks for the codec', t => {
  const codec = { name: 'upper', encode: (s: string) => s.toUpperCase(), decode: String }
  const cache = new Cache({ max: 100, codec })
  cache.set('a', 'b')
  t.is(Cache.attach(cache.handle, { codec }).get('a'), 'B')
  t.throws(() => Cache.attach(cache.handle), { code: 'ERR_INVALID_OPTION', message: /'upper'/ })
  t.throws(() => Cache.attach(cache.handle, { codec: 'string' }), {
    code: 'ERR_OPTION_CONFLICT',
    message: /codec 'upper'.*'string'/,
  })
})

test('a handle of a closed cache, or of none, is refused', async t => {
  const cache = new Cache({ max: 100 })
  const { handle } = cache
  t.deepEqual(structuredClone(handle), handle)
  cache.close()
  t.throws(() => Cache.attach(handle), { code: 'ERR_INVALID_HANDLE' })
  await t.throwsAsync(
    inWorker(({ breakwater, data }) => void breakwater.Cache.attach(data), handle),
    { message: /no open cache of this process/ },
  )
  for (const wrong of [null, undefined, {}, { breakwater: 'x' }, { breakwater: -1 }, 5]) {
    t.throws(() => Cache.attach(wrong as never), { code: 'ERR_INVALID_HANDLE' })
  }
})

const clock = new ManualClock()
const conflicts: [CacheOptions<never>, RegExp][] = [
  [{ max: 5 }, /has max 10, which conflicts with 5/],
  [{ maxBytes: '2mb' }, /has maxBytes 1048576, which conflicts with 2097152/],
  [{ policy: 'lru' }, /has policy 'lfu', which conflicts with 'lru'/],
  [{ ttl: '2s' }, /has ttl 1000, which conflicts with 2000/],
  [{ jitter: 0.5 }, /has jitter 0.1, which conflicts with 0.5/],
  [{ codec: 'json' }, /has codec 'any', which conflicts with 'json'/],
  [{ shards: 4 }, /has shards 2, which conflicts with 4/],
  [{ clock: new ManualClock() }, /has clock 'another ManualClock', which conflicts with an object/],
  [{ near: true }, /has near false, which conflicts with true/],
  [{ near: { max: 5 } }, /has near false, which conflicts with an object/],
  [{ staleIfError: '2m' }, /has staleIfError 60000, which conflicts with 120000/],
  [{ staleWhileRevalidate: '1h' }, /has staleWhileRevalidate 60000, which conflicts with 3600000/],
]

for (const [i, [option, message]] of conflicts.entries()) {
  test(`a named cache cannot have another ${Object.keys(option)}: ${i}`, t => {
    const name = `conflict ${i}`
    const bounds = { max: 10, maxBytes: '1mb' }
    const asked = { ttl: '1s', jitter: 0.1, shards: 2, staleIfError: '1m', near: false, clock }
    const options = { name, ...bounds, ...asked }
    const cache = new Cache(options)
    const conflict = { code: 'ERR_OPTION_CONFLICT', message }
    t.throws(() => new Cache({ name, ...option }), conflict)
    t.throws(() => Cache.open(name, option), conflict)
    t.throws(() => Cache.attach(cache.handle, option), conflict)
    // The same options, or none, are fine, and the failed attempts left nothing behind.
    new Cache(options).close()
    new Cache({ name }).close()
    Cache.open(name).close()
    Cache.open(name, { ...bounds, ...asked }).close()
    Cache.attach(cache.handle, { ...bounds, ...asked }).close()
    cache.set('a', '1')
    cache.close()
    t.is(new Cache({ name, ...bounds, ...option }).get('a'), undefined)
  })
}

test('a cache of the system clock conflicts with a manual one, and a handle with another name', t => {
  const cache = new Cache({ name: 'system', max: 10 })
  t.throws(() => Cache.open('system', { clock }), {
    code: 'ERR_OPTION_CONFLICT',
    message: /the cache 'system' has clock 'system'/,
  })
  const other = { name: 'other' } as object
  t.throws(() => Cache.attach(cache.handle, other), {
    code: 'ERR_OPTION_CONFLICT',
    message: /has name 'system', which conflicts with 'other'/,
  })
  t.throws(() => Cache.attach(new Cache({ max: 5 }).handle, { max: 6 }), {
    code: 'ERR_OPTION_CONFLICT',
    message: /this cache has max 5, which conflicts with 6/,
  })
})

test('a name opens the cache that is there, and never makes one', t => {
  const missing = { code: 'ERR_NO_SUCH_CACHE', instanceOf: NoSuchCacheError }
  const error = t.throws(() => Cache.open('nobody'), {
    ...missing,
    message: /named 'nobody': the first to open it gives a bound, max or maxBytes/,
  })
  t.is(error.cache, 'nobody')
  t.throws(() => new Cache({ name: 'nobody' }), missing)
  // Whoever opens may know the bounds; making it is the constructor's.
  t.throws(() => Cache.open('nobody', { max: 10 }), missing)
  for (const wrong of ['', 5, undefined, 'x'.repeat(257)]) {
    t.throws(() => Cache.open(wrong as never), { code: 'ERR_INVALID_OPTION', message: /name/ })
  }
  t.throws(() => Cache.open('nobody', null as never), { code: 'ERR_INVALID_OPTION' })
  const cache = new Cache({ name: 'somebody', max: 10 })
  Cache.open('somebody').set('a', '1')
  t.is(cache.get('a'), '1')
})

test('whoever opens a cache takes all that whoever makes one takes', async t => {
  const name = 'all options'
  const cache = new Cache<string, { n: number }>({ name, max: 100, codec: json() })
  const written: string[] = []
  const options = {
    codec: json<{ n: number }>(),
    near: { freeze: true },
    loader: (key: string) => ({ n: Number(key) }),
    writer: ({ key }: { key: string }) => void written.push(key),
    ttl: (value: { n: number }) => value.n * 1000,
    origin: { concurrency: 2 },
  }
  for (const open of [
    () => Cache.open<string, { n: number }>(name, options),
    () => Cache.attach<string, { n: number }>(cache.handle, options),
    () => new Cache<string, { n: number }>({ name, ...options }),
  ]) {
    const opened = open()
    t.deepEqual(await opened.fetch('5'), { n: 5 })
    await opened.put('7', { n: 7 })
    const [five, seven] = [cache.ttl('5') as number, cache.ttl('7') as number]
    t.true(five <= 5001 && five > 4000, String(five))
    t.true(seven <= 7001 && seven > 6000, String(seven))
    t.true(Object.isFrozen(opened.get('7')))
    cache.clear()
    void opened.close()
  }
  t.deepEqual(written, ['7', '7', '7'])
})

test('after a resize both the first bounds and the present ones are agreeable', t => {
  const cache = new Cache({ name: 'resized', max: 10 })
  cache.resize({ max: 20 })
  new Cache({ name: 'resized', max: 10 })
  new Cache({ name: 'resized', max: 20 })
  t.throws(() => new Cache({ name: 'resized', max: 15 }), { code: 'ERR_OPTION_CONFLICT' })
})

test('options that are left out are those of the cache', t => {
  const cache = new Cache({ name: 'inherits', max: 10, ttl: 1000, jitter: 0.5, codec: json() })
  const same = new Cache<string, object>({ name: 'inherits' })
  cache.set('a', { n: 1 })
  t.deepEqual(same.get('a'), { n: 1 })
  const life = same.set('b', {}).ttl('b') as number
  t.true(life > 0 && life <= 1500)
})

test('closing one instance leaves the others, and the last one takes all with it', t => {
  const [first, second] = [new Cache({ name: 'last', max: 10 }), new Cache({ name: 'last' })]
  first.set('a', '1')
  first.close()
  t.throws(() => first.get('a'), { code: 'ERR_CACHE_CLOSED' })
  t.is(second.get('a'), '1')
  second.close()
  const anew = new Cache({ name: 'last', max: 99 })
  t.is(anew.get('a'), undefined)
})

test('a worker that ends without closing gives back what it had', async t => {
  await inWorker(({ breakwater }) => {
    new breakwater.Cache({ name: 'forgotten', max: 10 }).set('a', '1')
  })
  const anew = new Cache({ name: 'forgotten', max: 11 })
  t.is(anew.get('a'), undefined)
})

test('a worker that crashes harms nobody', async t => {
  const cache = new Cache({ name: 'crash', max: 100 })
  const worker = start(({ breakwater }) => {
    const same = new breakwater.Cache({ name: 'crash' })
    same.onRemoval(() => {})
    same.set('a', 'before the crash')
    setImmediate(() => {
      throw new Error('crash')
    })
    return new Promise(() => {})
  })
  const [error] = await once(worker, 'error')
  t.is(error.message, 'crash')
  t.is(cache.get('a'), 'before the crash')
  cache.set('a', 'after')
  cache.clear()
  t.is(cache.size, 0)
})

test('workers write and read one cache at the same time', async t => {
  const cache = new Cache({ name: 'busy', max: 5000, codec: bytes() })
  const work = async (seed: number) =>
    inWorker(({ breakwater, data }) => {
      const same = new breakwater.Cache<string, Buffer>({ name: 'busy' })
      let wrong = 0
      for (let i = 0; i < 30_000; i++) {
        const n = (i * 31 + data * 7919) % 8000
        const got = same.get(`${n}`)
        if (got !== undefined && !got.equals(Buffer.alloc((n % 200) + 1, n))) wrong++
        if (i % 3 === 0) same.set(`${n}`, Buffer.alloc((n % 200) + 1, n))
        if (i % 97 === 0) same.delete(`${n}`)
      }
      return wrong
    }, seed)
  t.deepEqual(await Promise.all([work(1), work(2), work(3)]), [0, 0, 0])
  t.true(cache.size <= 5000)
  for (const [key, value] of cache) {
    const n = Number(key)
    t.true(value.equals(Buffer.alloc((n % 200) + 1, n)))
  }
})
