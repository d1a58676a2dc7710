// Shared caches: the same cache in every worker thread, with the methods of the drop-in.
import { once } from 'node:events'
import test from 'ava'
import { LRUCache as Theirs } from 'lru-cache'
import { CacheClosedError, OptionCombinationError } from '../../src/index.ts'
import { LRUCache } from '../../src/lru-cache/index.ts'
import '../../src/lru-cache/shared/index.ts'
import { ManualClock } from '../../src/testing.ts'
import { inWorker, start } from '../helpers/worker.ts'
import { seeded } from './support/programs.ts'
import { timed, unused } from './support/shared.ts'

interface User {
  name: string
  seen?: Map<string, Date>
}

test('another worker reads what this one wrote, and back', async t => {
  const shared = unused()
  const cache = new LRUCache<string, User>({ shared, max: 1000, ttl: 60_000 })
  const seen = new Map([['here', new Date(5)]])
  cache.set('alice', { name: 'Alice', seen })
  const got = await inWorker(({ LRUCache, data }) => {
    const same = new LRUCache<string, User>({ shared: data })
    const alice = same.get('alice')
    same.set('bob', { name: `Bob, after ${alice?.name}` })
    same.delete('nobody')
    return {
      instance: same instanceof LRUCache,
      alice,
      size: same.size,
      left: same.getRemainingTTL('bob'),
    }
  }, shared)
  t.true(got.instance)
  t.deepEqual(got.alice, { name: 'Alice', seen })
  t.is(got.size, 2)
  t.true(got.left > 50_000 && got.left <= 60_100)
  t.deepEqual(cache.get('bob'), { name: 'Bob, after Alice' })
  t.is(cache.size, 2)
})

test('many workers fill one cache at once', async t => {
  const shared = unused()
  const cache = new LRUCache<string, number>({ shared, max: 10_000 })
  const workers = [0, 1, 2, 3].map(worker =>
    inWorker(
      ({ LRUCache, data }) => {
        const same = new LRUCache<string, number>({ shared: data.shared })
        for (let i = 0; i < 1000; i++) same.set(`${data.worker}:${i}`, i)
        return same.has(`${data.worker}:999`)
      },
      { shared, worker },
    ),
  )
  t.deepEqual(await Promise.all(workers), [true, true, true, true])
  t.is(cache.size, 4000)
  t.is(cache.get('3:500'), 500)
  t.is([...cache.keys()].length, 4000)
})

test('what a worker deletes or clears is gone for all', async t => {
  const shared = unused()
  const cache = new LRUCache<string, number>({ shared, max: 100 })
  cache.set('a', 1).set('b', 2).set('c', 3)
  await inWorker(
    ({ LRUCache, data }) => void new LRUCache<string, number>({ shared: data }).delete('a'),
    shared,
  )
  t.deepEqual([...cache.keys()].sort(), ['b', 'c'])
  await inWorker(
    ({ LRUCache, data }) => new LRUCache<string, number>({ shared: data }).clear(),
    shared,
  )
  t.is(cache.size, 0)
})

test('a worker that ends takes nothing with it, and a message tells of a change at once', async t => {
  const shared = unused()
  const cache = new LRUCache<string, number>({ shared, max: 100 })
  const worker = start(({ LRUCache, port, data }) => {
    const same = new LRUCache<string, number>({ shared: data })
    port.once('message', () => port.postMessage({ value: same.get('asked') }))
    same.set('ready', 1)
    port.postMessage({ value: 'ready' })
  }, shared)
  await once(worker, 'message')
  t.is(cache.get('ready'), 1)
  cache.set('asked', 7)
  worker.postMessage('now')
  const messages: unknown[] = []
  worker.on('message', message => messages.push(message.value))
  await once(worker, 'exit')
  t.true(messages.includes(7))
  t.is(cache.get('ready'), 1)
})

test('a shared cache is an LRUCache', t => {
  const shared = unused()
  const cache = new LRUCache<string, number>({ shared, max: 5, ttl: 50 })
  t.true(cache instanceof LRUCache)
  t.is(Object.prototype.toString.call(cache), '[object LRUCache]')
  t.is(cache.max, 5)
  t.is(cache.ttl, 50)
  t.is(cache.maxSize, 0)
  t.is(cache.dispose, undefined)
  t.false(cache.allowStale)
})

test('a shared cache may be given as the options of another: it is the same', t => {
  const codec = {
    name: 'date',
    encode: (date: Date) => date.toJSON(),
    decode: (text: unknown) => new Date(String(text)),
  }
  const cache = new LRUCache<string, Date>({ shared: unused(), max: 5, maxBytes: '1mb', codec })
  const again = new LRUCache<string, Date>(cache)
  cache.set('a', new Date(5))
  t.deepEqual(again.get('a'), new Date(5))
})

test('each method of the class is one of a shared cache as well', t => {
  const cache = new LRUCache({ shared: unused(), max: 5 })
  const own = (prototype: object) => Reflect.ownKeys(prototype).filter(key => key !== 'constructor')
  const known = new Set<string | symbol>()
  for (
    let prototype = Object.getPrototypeOf(cache);
    prototype !== Object.prototype;
    prototype = Object.getPrototypeOf(prototype)
  ) {
    for (const key of own(prototype)) known.add(key)
  }
  const plain = new LRUCache({ max: 5 })
  for (let at: object = plain; at !== Object.prototype; at = Object.getPrototypeOf(at)) {
    for (const key of own(at)) t.true(known.has(key) || Object.hasOwn(cache, key), String(key))
  }
})

test('get, peek, has, set, delete, clear and size', t => {
  const { cache } = timed()
  t.is(cache.set('a', 1), cache)
  t.is(cache.get('a'), 1)
  t.is(cache.peek('a'), 1)
  t.true(cache.has('a'))
  t.is(cache.size, 1)
  t.is(cache.set('a', undefined), cache)
  t.is(cache.get('a'), undefined)
  cache.set('a', 0)
  t.is(cache.get('a'), 0)
  t.true(cache.delete('a'))
  t.false(cache.delete('a'))
  cache.set('b', 1)
  cache.clear()
  t.is(cache.size, 0)
})

test('values are copies', t => {
  const cache = new LRUCache<string, User>({ shared: unused(), max: 5 })
  const alice = { name: 'Alice' }
  cache.set('a', alice)
  alice.name = 'Bob'
  t.is(cache.get('a')?.name, 'Alice')
})

test('what is read twice in one worker is one object, unless near says otherwise', t => {
  const of = (near: boolean | { freeze: true }) => {
    const cache = new LRUCache<string, User>({ shared: unused(), max: 5, near })
    cache.set('a', { name: 'Alice' })
    for (let i = 0; i < 10; i++) cache.get('a')
    return [cache.get('a')!, cache.get('a')!] as const
  }
  const [one, same] = of(true)
  t.is(one, same)
  const [first, second] = of(false)
  t.not(first, second)
  t.deepEqual(first, second)
  const [frozen] = of({ freeze: true })
  t.throws(() => Object.assign(frozen, { name: 'Bob' }), { instanceOf: TypeError })
})

test('max bounds the entries by recency', t => {
  const { cache } = timed({ max: 3 })
  cache.set('a', 1).set('b', 2).set('c', 3)
  cache.get('a')
  cache.set('d', 4)
  t.deepEqual([...cache.keys()].sort(), ['a', 'c', 'd'])
})

test('used by one worker, a shared cache keeps what lru-cache would keep', t => {
  const seed = Date.now() % 2 ** 31
  const random = seeded(seed)
  const { cache } = timed({ max: 50 })
  const model = new Theirs<string, number>({ max: 50 })
  let differences = 0
  for (let i = 0; i < 20_000; i++) {
    const key = `k${Math.floor(random() ** 2 * 120)}`
    const what = random()
    if (what < 0.4) {
      cache.set(key, i)
      model.set(key, i)
    } else if (what < 0.9) {
      if (cache.get(key) !== model.get(key)) differences++
    } else if (what < 0.95) {
      if (cache.has(key) !== model.has(key) || cache.peek(key) !== model.peek(key)) differences++
    } else if (cache.delete(key) !== model.delete(key)) differences++
    if (cache.size !== model.size) differences++
  }
  t.is(differences, 0, `seed ${seed}`)
  t.deepEqual([...cache.keys()].sort(), [...model.keys()].sort())
})

test('maxBytes bounds the bytes, and what alone is too large is not stored', t => {
  const cache = new LRUCache<string, string>({ shared: unused(), maxBytes: '64kb' })
  for (let i = 0; i < 1000; i++) cache.set(`k${i}`, 'x'.repeat(500))
  t.true(cache.size < 200)
  t.true(cache.calculatedSize <= 65_536)
  cache.set('k999', 'y'.repeat(100_000))
  t.false(cache.has('k999'))
})

test('resize changes the bounds', t => {
  const { cache } = timed({ max: 10 })
  for (let i = 0; i < 10; i++) cache.set(`k${i}`, i)
  cache.resize({ max: 4 })
  t.is(cache.size, 4)
  t.is(cache.max, 4)
  t.throws(() => cache.resize({ maxSize: 5 }), { instanceOf: OptionCombinationError })
})

test('getMany and setMany', t => {
  const { cache } = timed()
  t.is(
    cache.setMany(
      [
        ['a', 1],
        ['b', 2],
      ],
      { ttl: 10 },
    ),
    cache,
  )
  t.deepEqual(cache.getMany(['a', 'x', 'b']), [1, undefined, 2])
  t.is(cache.getRemainingTTL('b'), 10)
})

test('entries live as long as the cache or the set says', t => {
  const { cache, clock } = timed({ ttl: 100 })
  cache.set('a', 1).set('b', 2, { ttl: 500 }).set('ever', 3, { ttl: 0 })
  clock.advance(99)
  t.is(cache.getRemainingTTL('a'), 1)
  t.is(cache.get('a'), 1)
  clock.advance(1)
  t.is(cache.get('a'), undefined)
  t.is(cache.getRemainingTTL('a'), 0)
  t.is(cache.getRemainingTTL('b'), 400)
  t.is(cache.getRemainingTTL('ever'), Number.POSITIVE_INFINITY)
  t.false(cache.purgeStale())
})

test('a changed ttl holds for what is set from then on', t => {
  const { cache } = timed({ ttl: 100 })
  cache.ttl = 700
  cache.set('a', 1)
  t.is(cache.getRemainingTTL('a'), 700)
  cache.ttl = 0
  cache.set('a', 1)
  t.is(cache.getRemainingTTL('a'), Number.POSITIVE_INFINITY)
})

test('an instance without ttl takes that of the cache', t => {
  const shared = unused()
  const clock = new ManualClock()
  const first = new LRUCache<string, number>({ shared, max: 10, ttl: 100, clock })
  new LRUCache<string, number>({ shared }).set('a', 1)
  t.is(first.getRemainingTTL('a'), 100)
})

test('jitter draws the life of each entry', t => {
  const draws = [0, 0.75]
  const { cache } = timed({ ttl: 1000, jitter: 0.1, random: () => draws.shift() ?? 0.5 })
  cache.set('a', 1).set('b', 2)
  t.is(cache.getRemainingTTL('a'), 900)
  t.is(cache.getRemainingTTL('b'), 1050)
})

test('updateAgeOnGet and updateAgeOnHas begin the life anew', t => {
  const { cache, clock } = timed({ ttl: 100, updateAgeOnGet: true })
  cache.set('a', 1).set('ever', 2, { ttl: 0 })
  clock.advance(60)
  cache.get('a')
  t.is(cache.getRemainingTTL('a'), 100)
  clock.advance(60)
  cache.get('a', { updateAgeOnGet: false })
  cache.has('a')
  t.is(cache.getRemainingTTL('a'), 40)
  cache.has('a', { updateAgeOnHas: true })
  t.is(cache.getRemainingTTL('a'), 100)
  cache.get('ever')
  t.is(cache.getRemainingTTL('ever'), Number.POSITIVE_INFINITY)
  clock.advance(50)
  cache.getMany(['a'])
  t.is(cache.getRemainingTTL('a'), 100)
})

test('noUpdateTTL keeps the life of an entry that is there', t => {
  const { cache, clock } = timed({ ttl: 100, noUpdateTTL: true })
  cache.set('a', 1)
  clock.advance(60)
  cache.set('a', 2)
  t.is(cache.get('a'), 2)
  t.is(cache.getRemainingTTL('a'), 40)
  cache.set('a', 3, { noUpdateTTL: false })
  t.is(cache.getRemainingTTL('a'), 100)
})

test('iteration shows each entry once, in no particular order', t => {
  const { cache } = timed()
  for (let i = 0; i < 50; i++) cache.set(`k${i}`, i)
  const numbers = Array.from({ length: 50 }, (_, i) => i)
  const ascending = (a: number, b: number) => a - b
  t.deepEqual([...cache.values()].sort(ascending), numbers)
  t.deepEqual([...cache.rvalues()].map(Number).sort(ascending), numbers)
  t.is(new Set(cache.keys()).size, 50)
  t.is(new Set(cache.rkeys()).size, 50)
  t.is(new Map(cache).get('k7'), 7)
  t.is([...cache.entries()].length, 50)
  t.is([...cache.rentries()].length, 50)
  const seen: unknown[] = []
  cache.forEach((value, _key, self) => void seen.push(self === cache && value))
  cache.rforEach((value, _key, self) => void seen.push(self === cache && value))
  t.is(seen.length, 100)
  t.false(seen.includes(false))
  t.is(
    cache.find(value => value === 9),
    9,
  )
  for (const key of cache.keys()) cache.delete(key)
  t.is(cache.size, 0)
})

test('info, dump and load', t => {
  const { cache, clock } = timed({ ttl: 100_000 })
  cache.set('a', 1).set('ever', 2, { ttl: 0 })
  clock.advance(30_000)
  t.is(cache.info('x'), undefined)
  t.deepEqual(cache.info('ever'), { value: 2 })
  t.is(cache.info('a')?.ttl, 70_000)
  const dumped = cache.dump()
  t.is(dumped.length, 2)
  const other = timed({ ttl: 999 }).cache
  other.set('old', 1)
  other.load(dumped)
  t.false(other.has('old'))
  t.is(other.get('a'), 1)
  t.true(other.getRemainingTTL('a') <= 70_000)
  t.is(other.getRemainingTTL('ever'), Number.POSITIVE_INFINITY)
  const hour = 3_600_000
  other.load([
    ['past', { value: 1, ttl: hour, start: Date.now() - 2 * hour }],
    ['plain', { value: 2 }],
  ])
  t.false(other.has('past'))
  t.is(other.getRemainingTTL('plain'), 999)
  const local = new LRUCache<string, number>({ max: 10 })
  local.load(dumped)
  t.is(local.get('ever'), 2)
})

test('stats count for all workers', async t => {
  const shared = unused()
  const cache = new LRUCache<string, number>({ shared, max: 100 })
  cache.set('a', 1)
  cache.get('a')
  await inWorker(({ LRUCache, data }) => {
    const same = new LRUCache<string, number>({ shared: data })
    same.get('a')
    same.get('x')
  }, shared)
  const { hits, misses, sets, entries, size } = cache.stats()
  t.deepEqual([hits, misses, sets, entries], [2, 1, 1, 1])
  t.true(size > 0)
  cache.resetStats()
  t.is(cache.stats().hits, 0)
})

test('memo makes a value that no worker has made yet', async t => {
  let calls = 0
  const shared = unused()
  const options = { shared, max: 10, memoMethod: () => ++calls }
  const cache = new LRUCache<string, number>(options)
  t.is(cache.memo('a'), 1)
  t.is(cache.memo('a'), 1)
  t.is(cache.memo('a', { forceRefresh: true }), 2)
  const there = await inWorker(
    ({ LRUCache, data }) =>
      new LRUCache<string, number>({ shared: data, memoMethod: () => 99 }).memo('a'),
    shared,
  )
  t.is(there, 2)
  t.throws(() => new LRUCache<string, number>({ shared }).memo('a'), { instanceOf: Error })
})

test('a closed cache refuses, and the others go on', t => {
  const shared = unused()
  const one = new LRUCache<string, number>({ shared, max: 5 })
  const two = new LRUCache<string, number>({ shared })
  one.set('a', 1)
  one.close()
  one.close()
  t.throws(() => one.get('a'), { instanceOf: CacheClosedError })
  t.is(two.get('a'), 1)
  two[Symbol.dispose]()
  t.is(new LRUCache<string, number>({ shared, max: 5 }).size, 0)
})

test('closing a cache of one worker clears it', t => {
  const cache = new LRUCache<string, number>({ max: 5 }).set('a', 1)
  cache.close()
  t.is(cache.size, 0)
})
