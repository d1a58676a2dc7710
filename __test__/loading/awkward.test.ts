// Loaders, clients and names that are not as one would wish: what docs/loading.md says of each.
import { setImmediate as turn } from 'node:timers/promises'
import test from 'ava'
import { Cache, json } from '../../src/index.ts'
import { ManualClock } from '../../src/testing.ts'
import { redis as tier } from '../../src/tier/redis/index.ts'
import { gate } from '../migrating/support.ts'
import { installed, redis } from '../router/support.ts'
import { connect, libraries } from '../tier/invalidation.ts'

const check = installed('redis-server') ? test : test.skip

test('tags of the loader are known when it is done: a joiner may get the old value once', async t => {
  for (const known of [true, false]) {
    const { open, end } = gate<string>()
    const cache = new Cache<string, string>({ max: 10 })
    let loads = 0
    const load = async (_: string, load: { tags: readonly string[] | undefined }) => {
      const value = ++loads === 1 ? await open() : 'new'
      load.tags = ['team']
      return value
    }
    const options = known ? { tags: ['team'] } : {}
    const first = cache.getOrSet('a', load, options)
    cache.invalidateTag('team')
    const second = cache.getOrSet('a', load, options)
    end('old')
    t.is(await first, 'old')
    t.is(await second, known ? 'new' : 'old')
    if (!known) t.is(cache.get('a'), undefined, 'the old value is not stored')
    t.is(await cache.getOrSet('a', load, options), 'new')
    t.is(cache.get('a'), 'new')
  }
})

test('a load that never settles holds up who has no timeout, and nobody after lockTimeout', async t => {
  const clock = new ManualClock()
  const cache = new Cache<string, string>({ max: 10, clock, lockTimeout: '10s' })
  const never = () => new Promise<string>(() => {})
  let settled = false
  void cache.getOrSet('a', never).finally(() => (settled = true))
  const bounded = cache.getOrSet('a', never, { timeout: '5s' })
  const leaving = new AbortController()
  const left = cache.getOrSet('a', never, { signal: leaving.signal })
  clock.advance('5s')
  await t.throwsAsync(bounded, { code: 'ERR_LOAD_TIMEOUT' })
  leaving.abort(new Error('left'))
  await t.throwsAsync(left, { message: 'left' })
  clock.advance('5s')
  t.is(await cache.getOrSet('a', () => 'value'), 'value')
  await turn()
  t.false(settled)
  t.is(cache.get('a'), 'value')
})

test('a loader may give anything that can be waited for, also what fails when it is', async t => {
  const cache = new Cache<string, string>({ max: 10 })
  const thenable = (then: unknown) => () => ({ then }) as unknown as Promise<string>
  const given = thenable((resolve: (value: string) => void) => resolve('value'))
  t.is(await cache.getOrSet('a', given), 'value')
  const throwing = thenable(() => {
    throw new RangeError('in then')
  })
  await t.throwsAsync(cache.getOrSet('b', throwing), { instanceOf: RangeError })
  const nested = thenable((resolve: (value: unknown) => void) =>
    resolve(Promise.resolve(undefined)),
  )
  t.is(await cache.getOrSet('c', nested), undefined)
  t.deepEqual([...cache.keys()], ['a'])
})

test('a promise of undefined is no value: asked for again, or remembered for negativeTtl', async t => {
  const clock = new ManualClock()
  for (const negativeTtl of [undefined, '30s']) {
    let loads = 0
    const loader = async () => void loads++
    const cache = new Cache<string, string>({ max: 10, clock, loader, negativeTtl })
    for (const _ of [1, 2]) t.is(await cache.fetch('a'), undefined)
    t.is(loads, negativeTtl === undefined ? 2 : 1)
    t.deepEqual([cache.has('a'), cache.get('a'), [...cache.keys()]], [false, undefined, []])
  }
})

test('what the codec refuses fails all who wait, and nothing else', async t => {
  const clock = new ManualClock()
  const codec = json<unknown>()
  const cache = new Cache<string, unknown>({ max: 10, codec, clock, ttl: '1s', staleIfError: '1h' })
  const refused = async () => () => {}
  const all = await Promise.allSettled([1, 2, 3].map(() => cache.getOrSet('a', refused)))
  for (const one of all) {
    t.is(one.status === 'rejected' && one.reason.code, 'ERR_INVALID_VALUE')
  }
  await cache.getOrSet('a', async () => ({ ok: true }))
  clock.advance('1s')
  t.deepEqual(await cache.getOrSet('a', refused), { ok: true }, 'what is stale goes before')
  const batch = (keys: readonly string[]) => keys.map(key => (key === 'x' ? 1n : key))
  const some = await Promise.allSettled(['x', 'y'].map(key => cache.fetchMany([key], batch)))
  t.deepEqual(
    some.map(({ status }) => status),
    ['rejected', 'fulfilled'],
  )
})

test('a cache that is closed says so, whichever way it is asked', async t => {
  const cache = new Cache<string, string>({ max: 10, loader: key => key })
  cache.set('a', 'x')
  const users = cache.namespace('users')
  await cache.close()
  const closed = { code: 'ERR_CACHE_CLOSED' }
  const load = () => t.fail() as never
  t.throws(() => cache.fetchSync('a'), closed)
  t.throws(() => cache.getOrSetSync('a', load), closed)
  t.throws(() => cache.invalidateTag('tag'), closed)
  t.throws(() => users.clear(), closed)
  const calls = [
    () => cache.fetch('a'),
    () => cache.getOrSet('a', load),
    () => cache.fetchMany(['a', 'b']),
    () => cache.put('a', 'y'),
    () => users.fetchMany(['a'], load),
  ]
  for (const call of calls) await t.throwsAsync(call(), closed)
  await t.notThrowsAsync(cache.close())
})

for (const library of libraries) {
  check(`a client that was closed leaves a cache without its second tier: ${library}`, async t => {
    const { port } = await redis(t)
    const { client } = await connect(t, library, port)
    let loads = 0
    const cache = new Cache<string, string>({
      name: `closed client ${library}`,
      max: 10,
      loader: key => `${key} ${++loads}`,
      // Otherwise the tier has connections of its own beside it.
      tier: tier(client, { invalidation: false }),
    })
    t.teardown(() => cache.close())
    await cache.ready
    const told: string[] = []
    cache.on('tier', ({ operation }) => told.push(String(operation)))
    const { disconnect, destroy } = client as { disconnect(): void; destroy?(): void }
    if (destroy) destroy.call(client)
    else disconnect.call(client)
    t.is(await cache.fetch('a'), 'a 1')
    await cache.put('b', 'x')
    await cache.remove('b')
    cache.invalidateTag('tag')
    cache.clear()
    t.is(await cache.fetch('a'), 'a 2')
    t.true(told.includes('get'), told.join())
  })
}

const strange = [
  '__proto__',
  'constructor',
  ' ',
  '\0',
  '🌊'.repeat(128),
  'x'.repeat(256),
  '*',
  '{a}',
]

test('tags and namespaces may have any name that is not empty or huge', t => {
  for (const name of strange) {
    const cache = new Cache<string, string>({ max: 10 })
    cache.set('a', '1', { tags: [name] }).set('b', '2')
    cache.invalidateTag(name)
    t.deepEqual([...cache.keys()], ['b'], name)
    if (name.length > 128) continue
    const space = cache.namespace(name).set('a', '1')
    t.is(cache.get(`${name}:a`), '1')
    space.clear()
    t.deepEqual([...cache.keys()], ['b'], name)
  }
})

test('tags that cannot be fail the load that gives them, and nothing is stored', async t => {
  const cache = new Cache<string, string>({ max: 10 })
  const most = Array.from({ length: 64 }, (_, i) => `${i}`)
  for (const tags of [[''], ['x'.repeat(257)], [...most, 'one more'], [7], 'tag']) {
    const load = (_: string, load: { tags: readonly string[] | undefined }) => {
      load.tags = tags as string[]
      return 'value'
    }
    const wrong = { code: 'ERR_INVALID_OPTION', message: /^tags?/ }
    await t.throwsAsync(cache.getOrSet('a', load), wrong)
    await t.throwsAsync(cache.namespace('n').getOrSet('a', load), wrong)
  }
  t.is(cache.size, 0)
  await cache.getOrSet('a', () => 'value', { tags: most })
  t.true(cache.has('a'))
  // A namespace takes one for itself, and for each that it is in.
  const nested = cache.namespace('n').namespace('m')
  t.throws(() => nested.set('a', 'x', { tags: most.slice(1) }), { code: 'ERR_INVALID_OPTION' })
  t.is(nested.set('a', 'x', { tags: most.slice(2) }).get('a'), 'x')
})
