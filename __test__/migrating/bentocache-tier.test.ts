// What Bentocache's guides show of several tiers and several processes, written for a `Cache`.
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import test from 'ava'
import { Cache, json, type Tier, type TierValue } from '../../src/index.ts'
import { redis as tier } from '../../src/tier/redis/index.ts'
import { installed, redis } from '../router/support.ts'
import { connect } from '../tier/invalidation.ts'
import { inProcess, settled, stored, until } from './support.ts'

const check = installed('redis-server') ? test : test.skip

interface Boat {
  name: string
}

check('two tiers: what one process sets or removes, the other sees', async t => {
  const { port } = await redis(t)
  const loader = () => undefined
  const options = { maxBytes: '10mb', loader } as const
  const [one, other] = await Promise.all([
    inProcess<Boat>(t, port, 'boats', options),
    inProcess<Boat>(t, port, 'boats', options),
  ])
  await one.put('boat:42', { name: 'Avocet' })
  t.deepEqual(await settled(other, 'boat:42'), { name: 'Avocet' })
  await one.put('boat:42', { name: 'Bittern' })
  await until(() => other.get('boat:42') === undefined)
  t.deepEqual(await settled(other, 'boat:42'), { name: 'Bittern' })
  await other.remove('boat:42')
  await until(() => one.get('boat:42') === undefined)
  t.is(await one.fetch('boat:42'), undefined)
})

check('two tiers: one process loads, all have it; tags and groups hold for all', async t => {
  const { port } = await redis(t)
  let reads = 0
  const loader = async (key: string, load: { tags: readonly string[] | undefined }) => {
    load.tags = ['register']
    return { name: `${key} ${++reads}` }
  }
  const [one, other] = await Promise.all([
    inProcess<Boat>(t, port, 'boats', { loader }),
    inProcess<Boat>(t, port, 'boats', { loader }),
  ])
  await one.fetch('a')
  await stored(t, port, 'boats:a')
  await stored(t, port, 'boats:a')
  t.deepEqual(await settled(other, 'a'), { name: 'a 1' })
  one.invalidateTag('register')
  await until(() => other.get('a') === undefined)
  t.deepEqual(await other.fetch('a'), { name: 'a 2' })
  await one.namespace('sail').put('b', { name: 'Bittern' })
  const sail = other.namespace('sail')
  const none = () => undefined
  await until(async () => (await sail.getOrSet('b', none))?.name === 'Bittern')
  one.namespace('sail').clear()
  await until(() => sail.get('b') === undefined)
  t.is(await sail.getOrSet('b', none), undefined)
})

check('a walk through: three processes, many callers, a register that fails', async t => {
  const { port } = await redis(t)
  let [reads, isDown] = [0, false]
  const loader = async (id: string) => {
    reads++
    await sleep(20)
    if (isDown) throw new Error('the register is down')
    return { name: `boat ${id}` }
  }
  const fleet = await Promise.all(
    [0, 1, 2].map(() =>
      inProcess<Boat>(t, port, 'boats', {
        loader,
        // Long enough for all that is asked before its end, on a machine that is busy.
        ttl: 5_000,
        staleIfError: '6h',
        retryAfter: '30s',
        tierLease: true,
        given: { grace: '6h' },
      }),
    ),
  )
  const all = async () => {
    const calls = fleet.flatMap(cache => Array.from({ length: 100 }, () => cache.fetch('7')))
    return new Set((await Promise.all(calls)).map(boat => boat?.name))
  }
  t.deepEqual(await all(), new Set(['boat 7']))
  t.is(reads, 1)
  for (const cache of fleet) await settled(cache, '7')
  isDown = true
  for (const cache of fleet) await until(() => cache.get('7') === undefined)
  const before = reads
  for (const _ of [1, 2]) t.deepEqual(await all(), new Set(['boat 7']))
  t.true(reads <= before + fleet.length, 'each process tries once, and waits')
})

check('a value made stale by hand stays for who takes it, also over a second tier', async t => {
  const { port } = await redis(t)
  const boats = await inProcess<Boat>(t, port, 'boats', { staleIfError: '6h' })
  await boats.put('a', { name: 'Avocet' }, { tags: ['a'] })
  boats.invalidateTag('a', { stale: true })
  t.is(boats.get('a'), undefined)
  const failing = () => Promise.reject(new Error('the register is down'))
  t.deepEqual(await boats.getOrSet('a', failing), { name: 'Avocet' })
  t.deepEqual(await boats.getOrSet('a', () => ({ name: 'Skua' }), { fresh: true }), {
    name: 'Skua',
  })
})

check('several caches over one client: their names keep them apart, clear takes one', async t => {
  const { port } = await redis(t)
  const { client, send } = await connect(t, 'ioredis', port)
  const [boats, tides] = ['boats', 'tides'].map(
    name => new Cache({ name, max: 100, tier: tier(client, { timeout: '20s' }) }),
  )
  t.teardown(() => Promise.all([boats?.close(), tides?.close()]))
  await Promise.all([boats?.ready, tides?.ready])
  await Promise.all([boats?.put('1', 'Avocet'), tides?.put('1', '04:12')])
  t.is(await send('EXISTS', 'boats:1', 'tides:1'), 2)
  boats?.clear()
  t.is(boats?.get('1'), undefined)
  t.is(tides?.get('1'), '04:12')
})

check('Redis gone: nothing fails, it is left alone for a while, and that is told', async t => {
  const server = await redis(t)
  let reads = 0
  const boats = await inProcess<Boat>(t, server.port, 'boats', {
    loader: async id => ({ name: `${id} ${++reads}` }),
    uncoveredTtl: '1m',
    given: { timeout: 200, breaker: { failures: 1, halfOpenAfter: '1h' } },
  })
  const told = new Set<string>()
  boats.on('tier', ({ state }) => told.add(state))
  boats.on('breaker', ({ of, state }) => told.add(`${of} ${state}`))
  server.process.kill('SIGKILL')
  await once(server.process, 'exit')
  await until(() => told.has('lost'))
  t.deepEqual(await boats.fetch('a'), { name: 'a 1' })
  await boats.put('b', { name: 'Bittern' })
  await boats.remove('b')
  boats.invalidateTag('sail')
  t.deepEqual(await boats.fetch('a'), { name: 'a 1' })
  await until(() => told.has('failed') && told.has('tier open'))
})

/** A second tier of one's own: anything that keeps texts. */
function shelf(): Tier & { texts: Map<string, string> } {
  const texts = new Map<string, string>()
  const nothing = async () => {}
  return {
    texts,
    open: ({ name, timers }) => ({
      ready: Promise.resolve(),
      async get(key) {
        const text = texts.get(`${name}:${key}`)
        if (text === undefined) return undefined
        const { end, ...value } = JSON.parse(text) as TierValue & { end: number | null }
        return { ...value, freshFor: (end ?? Number.POSITIVE_INFINITY) - timers.now() }
      },
      async set(key, { freshFor, ...value }) {
        texts.set(`${name}:${key}`, JSON.stringify({ ...value, end: timers.now() + freshFor }))
        return true
      },
      async delete(keys) {
        for (const key of keys) texts.delete(`${name}:${key}`)
      },
      async clear() {
        texts.clear()
      },
      lease: async () => ({ release: nothing }),
      fleetHot: async () => [],
      invalidateTag: nothing,
      written: nothing,
      publishHot: nothing,
      close: nothing,
    }),
  }
}

test('a second tier of your own: whatever keeps texts', async t => {
  const store = shelf()
  const open = (name: string) =>
    new Cache<string, Boat>({ name, max: 10, codec: json(), tier: store, ttl: '1h' })
  const first = open('shelf')
  await first.put('a', { name: 'Avocet' })
  await first.close()
  t.deepEqual([...store.texts.keys()], ['shelf:a'])
  const second = open('shelf')
  t.teardown(() => second.close())
  t.is(second.get('a'), undefined)
  t.deepEqual(await second.getOrSet('a', () => t.fail() as never), { name: 'Avocet' })
  await second.remove('a')
  t.is(await second.getOrSet('a', () => undefined), undefined)
})
