// What Bentocache's README and guides show, in one process, written for a `Cache`. Second tiers are in
// bentocache-tier.test.ts, what both do differently in differences.test.ts.
import { tracingChannel } from 'node:diagnostics_channel'
import { EventEmitter } from 'node:events'
import { setImmediate as turn } from 'node:timers/promises'
import test from 'ava'
import { Cache, type CacheOptions, json, type LoadTrace } from '../../src/index.ts'
import { ManualClock } from '../../src/testing.ts'
import { gate } from './support.ts'

interface Boat {
  name: string
  berth?: number
}

/** A cache of a harbour's boats, whose time stands still. */
function harbour(options: CacheOptions<Boat, string> = {}) {
  const clock = new ManualClock()
  const boats = new Cache<string, Boat>({ max: 1000, codec: json<Boat>(), clock, ...options })
  return { boats, clock }
}

test('quick start: a record is loaded once, kept for its time, and loaded again when it changed', async t => {
  const register = new Map([['17', { name: 'Petrel' }]])
  const { boats, clock } = harbour()
  const seen = boats.namespace('boats')
  let reads = 0
  const show = (id: string) =>
    seen.getOrSet(
      id,
      async () => {
        reads++
        return register.get(id)
      },
      { ttl: '5m' },
    )
  const rename = async (id: string, name: string) => {
    register.set(id, { name })
    await seen.invalidate(id)
  }
  for (const _ of [1, 2]) t.deepEqual(await show('17'), { name: 'Petrel' })
  t.is(reads, 1)
  await rename('17', 'Skua')
  t.deepEqual(await show('17'), { name: 'Skua' })
  clock.advance('5m')
  await show('17')
  t.is(reads, 3)
})

test('named caches: each is a cache of its own, with its own options', t => {
  const caches = {
    tides: new Cache({ name: 'tides', maxBytes: '10mb' }),
    weather: new Cache({ name: 'weather', max: 100, ttl: '10m' }),
  }
  caches.tides.set('high', '04:12')
  t.is(caches.weather.get('high'), undefined)
  caches.weather.set('high', 'sun')
  caches.tides.clear()
  t.is(caches.weather.get('high'), 'sun')
  for (const cache of Object.values(caches)) cache.close()
})

test('methods: get, set, has, missing, pull, delete and clear', async t => {
  const { boats, clock } = harbour({ ttl: '30s' })
  t.deepEqual(boats.get('none') ?? { name: 'unknown' }, { name: 'unknown' })
  boats
    .set('a', { name: 'Avocet' })
    .set('b', { name: 'Bittern' }, { ttl: Number.POSITIVE_INFINITY })
  t.deepEqual([boats.has('a'), boats.has('z')], [true, false])
  const pulled = boats.get('a')
  boats.delete('a')
  t.deepEqual(pulled, { name: 'Avocet' })
  t.false(boats.has('a'))
  clock.advance('365d')
  t.deepEqual(boats.get('b'), { name: 'Bittern' })
  boats.set('c', { name: 'Coot' }).set('d', { name: 'Dunlin' })
  t.is(boats.deleteMany(['c', 'd', 'e']), 2)
  const forever = { ttl: Number.POSITIVE_INFINITY }
  await boats.getOrSet('f', () => ({ name: 'Fulmar' }), forever)
  t.is(boats.ttl('f'), Number.POSITIVE_INFINITY)
  boats.clear()
  t.is(boats.size, 0)
  await boats.close()
  t.throws(() => boats.get('b'), { code: 'ERR_CACHE_CLOSED' })
})

test('times are numbers of milliseconds or texts', t => {
  const { boats } = harbour({ ttl: '2.5h', staleIfError: '6h' })
  t.is(boats.set('a', { name: 'Avocet' }).ttl('a'), 9_000_000)
  t.is(boats.set('b', { name: 'Bittern' }, { ttl: 250 }).ttl('b'), 250)
})

test('options of a call go before those of the cache, and those before defaults of your own', async t => {
  const defaults = { ttl: '1h', staleIfError: '6h' } as const
  const { boats } = harbour({ ...defaults, ttl: '30m' })
  await boats.getOrSet('a', () => ({ name: 'Avocet' }))
  await boats.getOrSet('b', () => ({ name: 'Bittern' }), { ttl: '2h' })
  t.deepEqual([boats.ttl('a'), boats.ttl('b')], [1_800_000, 7_200_000])
})

test('tags: entries that share one go together, those of getOrSet and of set', async t => {
  const { boats } = harbour()
  await boats.getOrSet('a', async () => ({ name: 'Avocet' }), { tags: ['east quay', 'sail'] })
  boats.set('b', { name: 'Bittern' }, { tags: ['east quay'] })
  boats.set('c', { name: 'Coot' }, { tags: ['sail'] })
  for (const tag of ['east quay', 'nowhere']) boats.invalidateTag(tag)
  t.deepEqual([...boats.keys()], ['c'])
})

test('tags, life and whether it is kept may depend on what was loaded', async t => {
  const { boats } = harbour({ ttl: '1h' })
  const load = (boat: Boat & { leaves: number }) =>
    boats.getOrSet(boat.name, async (_, load) => {
      load.ttl = boat.leaves
      load.tags = [`berth ${boat.berth}`]
      return boat
    })
  await load({ name: 'Avocet', berth: 3, leaves: 90_000 })
  await load({ name: 'Bittern', berth: 4, leaves: 172_800_000 })
  t.deepEqual([boats.ttl('Avocet'), boats.ttl('Bittern')], [90_000, 172_800_000])
  boats.invalidateTag('berth 3')
  t.deepEqual([...boats.keys()], ['Bittern'])
  const young = harbour({ ttl: boat => (boat.berth === undefined ? '5m' : '2d') }).boats
  young.set('a', { name: 'Avocet' }).set('b', { name: 'Bittern', berth: 4 })
  t.deepEqual([young.ttl('a'), young.ttl('b')], [300_000, 172_800_000])
})

test('a loader may keep nothing, fail, or look at what is stale', async t => {
  const { boats, clock } = harbour({ ttl: '1m', staleIfError: '1h' })
  const skip = () =>
    boats.getOrSet('s', (_, load) => {
      load.keep = false
      return undefined
    })
  for (const _ of [1, 2]) t.is(await skip(), undefined)
  t.false(boats.has('s'))
  const fail = () => {
    throw new RangeError('no such berth')
  }
  await t.throwsAsync(boats.getOrSet('f', fail), { instanceOf: RangeError })
  boats.set('f', { name: 'Fulmar' })
  clock.advance('1m')
  t.deepEqual(await boats.getOrSet('f', fail), { name: 'Fulmar' })
  boats.set('g', { name: 'Gannet', berth: 1 })
  clock.advance('1m')
  const moved = await boats.getOrSet('g', (_, { stale }) => ({
    name: 'Gannet',
    berth: (stale?.berth ?? 0) + 1,
  }))
  t.is(moved?.berth, 2)
})

test('namespaces: cleared alone, nested, and seen from the whole cache', t => {
  const { boats } = harbour()
  const [sail, motor] = [boats.namespace('sail'), boats.namespace('motor')]
  boats.set('tug', { name: 'Gull' })
  sail.set('1', { name: 'Avocet' }).set('2', { name: 'Bittern' })
  sail.namespace('dinghies').set('3', { name: 'Coot' })
  motor.set('1', { name: 'Dunlin' })
  t.deepEqual(boats.get('sail:1'), { name: 'Avocet' })
  t.deepEqual(boats.get('sail:dinghies:3'), { name: 'Coot' })
  sail.namespace('dinghies').clear()
  t.deepEqual([...sail.keys()].toSorted(), ['1', '2'])
  sail.clear()
  t.deepEqual([...boats.keys()].toSorted(), ['motor:1', 'tug'])
  boats.clear()
  t.is(motor.get('1'), undefined)
})

test('grace: while the source is down the last value is given, and the source is left alone', async t => {
  const { boats, clock } = harbour({ ttl: '10m', staleIfError: '6h', retryAfter: '5m' })
  let [reads, isDown] = [0, false]
  const load = async () => {
    reads++
    if (isDown) throw new Error('the register is down')
    return { name: `Avocet ${reads}` }
  }
  const read = () => boats.getOrSet('a', load)
  await read()
  clock.advance('11m')
  isDown = true
  for (const _ of [1, 2, 3]) t.deepEqual(await read(), { name: 'Avocet 1' })
  t.is(reads, 2)
  clock.advance('5m')
  isDown = false
  t.deepEqual(await read(), { name: 'Avocet 3' })
  isDown = true
  clock.advance('6h')
  clock.advance('10m')
  await t.throwsAsync(read(), { message: 'the register is down' })
})

test('grace without a wait: what is stale is given at once while it is loaded anew', async t => {
  const { boats, clock } = harbour({ ttl: '1m', staleWhileRevalidate: '1h' })
  const source = gate<Boat>()
  boats.set('a', { name: 'old' })
  clock.advance('2m')
  t.deepEqual(boats.getOrSetSync('a', source.open), { name: 'old' })
  source.end({ name: 'new' })
  await source.done
  t.deepEqual(boats.get('a'), { name: 'new' })
})

test('an entry can be made stale by hand: gone for get, there for who takes stale values', async t => {
  const { boats, clock } = harbour({ ttl: '1h', staleIfError: '6m' })
  boats.set('a', { name: 'Avocet' })
  boats.expire('a', 1)
  clock.advance(1)
  boats.set('b', { name: 'Bittern' }, { tags: ['b'] }).invalidateTag('b', { stale: true })
  for (const [key, name] of [
    ['a', 'Avocet'],
    ['b', 'Bittern'],
  ] as const) {
    t.is(boats.get(key), undefined)
    const stale = await boats.getOrSet(key, (_, load) => {
      load.keep = false
      return load.stale
    })
    t.deepEqual(stale, { name })
  }
})

test('a soft timeout gives what is stale, a hard one an error, and the load goes on', async t => {
  const { boats, clock } = harbour({ ttl: '10m', staleIfError: '6h' })
  boats.set('a', { name: 'old' })
  clock.advance('10m')
  const source = gate<Boat>()
  const soft = boats.getOrSet('a', source.open, { softTimeout: '200ms', timeout: '1s' })
  clock.advance(200)
  t.deepEqual(await soft, { name: 'old' })
  source.end({ name: 'new' })
  await source.done
  t.deepEqual(boats.get('a'), { name: 'new' })
  const slow = gate<Boat>()
  const hard = boats.getOrSet('b', slow.open, { softTimeout: '200ms', timeout: '1s' })
  clock.advance('1s')
  await t.throwsAsync(hard, { code: 'ERR_LOAD_TIMEOUT' })
  slow.end({ name: 'late' })
  await slow.done
  t.deepEqual(boats.get('b'), { name: 'late' })
})

test('stampede: ten thousand who ask for a post at once are one read', async t => {
  const posts = new Cache({ max: 100, ttl: '1h' })
  let reads = 0
  const read = async (key: string) => `${key}, read ${++reads}`
  const all = await Promise.all(
    Array.from({ length: 10_000 }, () => posts.getOrSet('post:1', read)),
  )
  t.deepEqual(new Set(all), new Set(['post:1, read 1']))
})

test('a load can be forced, with what the cache has in reserve', async t => {
  const { boats } = harbour()
  boats.set('a', { name: 'old' })
  const anew = (load: () => Boat) => boats.getOrSet('a', load, { fresh: true })
  const failing = () => {
    throw new Error('down')
  }
  t.deepEqual(await anew(failing).catch(() => boats.get('a')), { name: 'old' })
  t.deepEqual(await anew(() => ({ name: 'new' })), { name: 'new' })
  t.deepEqual(boats.get('a'), { name: 'new' })
})

test('events: hits, misses, loads that failed, with an emitter or a logger of your own', async t => {
  const { boats } = harbour({ loader: key => ({ name: key }) })
  const told: string[] = []
  const off = boats.on('hit', ({ key }) => told.push(`hit ${key}`))
  boats.once('miss', ({ key, cache }) => told.push(`miss ${key} of ${cache}`))
  const emitter = new EventEmitter()
  boats.on('load', event => emitter.emit('load', event))
  emitter.on('load', ({ key, reason, failed }) =>
    told.push(`load ${key} for a ${reason}: ${failed ? failed.error : 'well'}`),
  )
  boats.onRemoval((key, _, reason) => told.push(`${reason} ${key}`))
  for (const _ of [1, 2]) await boats.fetch('a')
  off()
  await boats.fetch('a')
  const fail = () => Promise.reject(new Error('down'))
  await t.throwsAsync(boats.getOrSet('b', fail))
  boats.delete('a')
  t.deepEqual(told, [
    'miss a of undefined',
    'load a for a miss: well',
    'hit a',
    'load b for a miss: Error: down',
    'deleted a',
  ])
})

test('failures of loads in the background are told as well, though nobody sees them', async t => {
  const { boats, clock } = harbour({ ttl: '1m', staleWhileRevalidate: '1h' })
  const told: unknown[] = []
  boats.on('load', ({ key, reason, failed }) => told.push([key, reason, failed?.error]))
  boats.set('a', { name: 'old' })
  clock.advance('2m')
  const error = new Error('down')
  t.deepEqual(await boats.getOrSet('a', () => Promise.reject(error)), { name: 'old' })
  await turn()
  t.deepEqual(told, [['a', 'refresh', error]])
})

test.serial(
  'metrics by group of keys, and traces of loads for any cache of the process',
  async t => {
    const { boats } = harbour({ name: 'traced', loader: key => ({ name: key }) })
    t.teardown(() => boats.close())
    const counts = new Map<string, number>()
    const group = (key: string) => key.replace(/^boats:\d+$/, 'boats:*')
    for (const event of ['hit', 'miss'] as const) {
      boats.on(event, ({ key }) => {
        const name = `${event} ${group(key)}`
        counts.set(name, (counts.get(name) ?? 0) + 1)
      })
    }
    const spans: string[] = []
    const traced = tracingChannel<'breakwater:load', LoadTrace>('breakwater:load')
    const handlers = {
      start: ({ cache, key }: LoadTrace) => void spans.push(`start ${cache} ${key}`),
      asyncEnd: ({ cache, key }: LoadTrace) => void spans.push(`end ${cache} ${key}`),
    }
    traced.subscribe(handlers as never)
    t.teardown(() => traced.unsubscribe(handlers as never))
    for (const key of ['boats:1', 'boats:2', 'boats:1', 'tides']) await boats.fetch(key)
    t.deepEqual([...counts].toSorted(), [
      ['hit boats:*', 1],
      ['miss boats:*', 2],
      ['miss tides', 1],
    ])
    t.deepEqual(spans.slice(0, 2), ['start traced boats:1', 'end traced boats:1'])
    const { hits, misses } = boats.stats()
    t.deepEqual([hits, misses], [1, 3])
  },
)

test('values can be written by a serializer of your own', t => {
  const dates = new Cache<string, Date>({
    max: 10,
    codec: {
      encode: date => date.toISOString(),
      decode: text => new Date(String(text)),
    },
  })
  t.deepEqual(dates.set('a', new Date(0)).get('a'), new Date(0))
})
