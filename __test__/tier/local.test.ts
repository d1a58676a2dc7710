// How long values live in a cache that has them from its second tier, and when they are loaded anew.
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import test, { type ExecutionContext } from 'ava'
import { Cache, type CacheOptions } from '../../src/index.ts'
import { ManualClock } from '../../src/testing.ts'
import { redis as tier } from '../../src/tier/redis/index.ts'
import { installed, redis } from '../router/support.ts'
import { connect } from './invalidation.ts'

const check = installed('redis-server') ? test : test.skip

/** A cache of names over a server, and how often they were loaded. */
async function open(
  t: ExecutionContext,
  port: number,
  options: CacheOptions<string, string>,
  given: Parameters<typeof tier>[1] = {},
) {
  const { client, send } = await connect(t, 'ioredis', port)
  const counts = { loads: 0, refreshes: 0 }
  const cache = new Cache<string, string>({
    name: `local ${Math.random()}`,
    max: 100,
    // Long enough for a machine that is busy.
    tier: tier(client, { timeout: '20s', invalidation: { bound: '20s' }, ...given }),
    loader: key => `${key} ${++counts.loads}`,
    ...options,
  })
  cache.on('refresh', () => counts.refreshes++)
  t.teardown(() => cache.close())
  await cache.ready
  return { cache, counts, send }
}

check('a value may live for less here than in the tier, which is then asked again', async t => {
  const { port } = await redis(t)
  const clock = new ManualClock()
  // What is heard of is heard by the real time.
  const alone = { invalidation: false } as const
  const { cache, counts, send } = await open(
    t,
    port,
    { clock, ttl: '10m', localTtl: '1m', refreshAhead: 0.8 },
    alone,
  )
  t.is(await cache.fetch('loaded'), 'loaded 1')
  await cache.put('put', 'x')
  t.deepEqual([cache.ttl('loaded'), cache.ttl('put')], [60_000, 60_000])
  while (Number(await send('DBSIZE')) < 2);
  clock.advance(59_999)
  t.is(cache.fetchSync('loaded'), 'loaded 1')
  t.is(counts.refreshes, 0, 'its end here is not its true end')
  clock.advance(1)
  t.deepEqual([cache.get('loaded'), cache.get('put')], [undefined, undefined])
  t.deepEqual([await cache.fetch('loaded'), await cache.fetch('put')], ['loaded 1', 'x'])
  t.deepEqual([counts.loads, cache.ttl('loaded')], [1, 60_000])
})

check(
  'while nothing is heard values live shortly, and are not loaded anew at each read',
  async t => {
    const server = await redis(t)
    const options = { ttl: '10m', uncoveredTtl: '2m', refreshAhead: 0.5 } as const
    const given = { timeout: 100, breaker: { failures: 1 } }
    const { cache, counts } = await open(t, server.port, options, given)
    const lost = new Promise<void>(resolve => {
      cache.on('tier', ({ state }) => state === 'lost' && resolve())
    })
    server.process.kill('SIGKILL')
    await once(server.process, 'exit')
    await lost
    await cache.fetch('a')
    // Rounded up.
    t.true(cache.ttl('a')! <= 120_001)
    for (let i = 0; i < 20; i++) await cache.fetch('a')
    t.deepEqual(counts, { loads: 1, refreshes: 0 })
  },
)

check('without a loader a fetch gives what the tier has', async t => {
  const { port } = await redis(t)
  const options = { loader: undefined, name: 'alone' } as const
  const alone = { invalidation: false } as const
  const { cache, send } = await open(t, port, options, alone)
  t.is(await cache.fetch('a'), undefined)
  await cache.put('a', 'x')
  while (Number(await send('DBSIZE')) < 1);
  await cache.close()
  const { cache: next } = await open(t, port, { ...options, negativeTtl: '1h' }, alone)
  t.is(await next.fetch('a'), 'x')
  t.is(await next.fetch('b'), undefined)
})

check('a source that failed is left alone also for values that only the tier has', async t => {
  const { port } = await redis(t)
  const alone = { invalidation: false, grace: '1h' } as const
  const name = `stale ${Math.random()}`
  const { cache, send } = await open(t, port, { name, ttl: 1 }, alone)
  await cache.fetch('a')
  while (Number(await send('DBSIZE')) < 1);
  await cache.close()
  let loads = 0
  const loader = () => {
    loads++
    throw new Error('sick')
  }
  const clock = new ManualClock()
  const options = { name, clock, ttl: '1m', staleIfError: '1h', retryAfter: '5s', loader } as const
  const { cache: next } = await open(t, port, options, alone)
  const reasons: string[] = []
  next.on('stale', ({ reason }) => reasons.push(reason))
  const load = () => next.fetch('a')
  t.deepEqual([await load(), await load(), await load()], ['a 1', 'a 1', 'a 1'])
  t.is(loads, 1)
  t.deepEqual(reasons, ['error', 'error', 'error'])
  await t.throwsAsync(next.fetch('other'), { message: 'sick' })
  clock.advance('5s')
  t.is(await load(), 'a 1')
  t.is(loads, 3)
})

check('what was removed in the background is not read again, from the first time on', async t => {
  const { port } = await redis(t)
  for (const act of ['delete', 'clear', 'invalidateTag'] as const) {
    // Each with a connection of its own, that has sent no script.
    const { cache, counts, send } = await open(t, port, { loader: undefined })
    await cache.put('a', 'old', { tags: ['tag'] })
    await send('SCRIPT', 'FLUSH')
    const { cache: again } = await open(t, port, { name: cache.name as string })
    t.is(await again.fetch('a'), 'old')
    again[act](act === 'invalidateTag' ? 'tag' : 'a')
    t.is(await again.fetch('a'), 'a 1', act)
    t.is(counts.loads, 0)
    await Promise.all([again.close(), cache.close()])
    await send('FLUSHALL')
  }
})

check('an entry may have 64 tags of its own beside what its tier gives it', async t => {
  const { port } = await redis(t)
  const tags = Array.from({ length: 64 }, (_, i) => `tag ${i}`)
  const { cache } = await open(t, port, { onTierLoss: 'stale' })
  await cache.put('a', 'x', { tags })
  t.is(cache.get('a'), 'x')
  const given = { tags: [...tags, 'one more'] }
  await t.throwsAsync(cache.put('a', 'y', given), { code: 'ERR_INVALID_OPTION' })
  cache.invalidateTag('tag 63')
  t.is(cache.get('a'), undefined)
})

test('how long values live here must be a time', t => {
  const given = { open: () => t.fail() as never }
  for (const localTtl of [0, -1, 'soon', null]) {
    const options = { name: 'local', max: 1, tier: given, localTtl: localTtl as never }
    t.throws(() => new Cache(options), { code: 'ERR_INVALID_OPTION', message: /^localTtl/ })
  }
})

check('a load in which changes stop to be heard of is given, and stored nowhere', async t => {
  const { port } = await redis(t)
  let finish = (_value: string) => {}
  let loads = 0
  const loader = () => {
    loads++
    return new Promise<string>(resolve => {
      finish = resolve
    })
  }
  const { cache, send } = await open(t, port, { loader })
  const states: string[] = []
  cache.on('tier', ({ state }) => states.push(state))
  const first = cache.fetch('a')
  while (loads < 1) await sleep(1)
  await send('CLIENT', 'KILL', 'TYPE', 'pubsub')
  while (!states.includes('regained')) await sleep(1)
  finish('first')
  t.is(await first, 'first')
  const second = cache.fetch('a')
  while (loads < 2) await sleep(1)
  t.is(Number(await send('EXISTS', `${cache.name}:a`)), 0)
  finish('second')
  t.is(await second, 'second')
  while (Number(await send('EXISTS', `${cache.name}:a`)) < 1) await sleep(1)
  t.is(await cache.fetch('a'), 'second')
})
