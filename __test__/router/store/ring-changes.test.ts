// A ring of five stores loses one and gains one: a fifth of the keys moves each time, and what the node
// remembers of all others is not asked for again.
import test, { type ExecutionContext } from 'ava'
import { createRouter } from 'breakwater/router'
import { Ring } from '../../../src/routing/index.ts'
import { Raw, redis, type Served } from '../support.ts'
import { calls, hasRedis, texts } from './support.ts'

const several = hasRedis ? test : test.skip
const COUNT = 2_000
const keys = Array.from({ length: COUNT }, (_, at) => `user:${at}`)

/** A store with a name, by which keys are placed: by its port, some would have far more of them than others. */
interface Named extends Served {
  name: string
}

const named = async (t: ExecutionContext, name: string): Promise<Named> => ({
  ...(await redis(t)),
  name,
})

const ringOf = (stores: readonly Named[]): Ring =>
  new Ring(
    stores.map(({ name }) => name),
    { hashTags: true },
  )

/** A node in this process, in front of these stores. */
async function start(t: ExecutionContext, stores: readonly Named[], whenDown?: 'next') {
  const options = (of: readonly Named[]) => ({
    threads: 2,
    maxBytes: '64mb' as const,
    store: {
      ring: of.map(({ port, name }) => ({ url: `redis://127.0.0.1:${port}`, name })),
      whenDown,
    },
    routes: ['*,ttl=10m,jitter=0,negativeTtl=10m'],
  })
  const router = createRouter(options(stores))
  t.teardown(() => router.close())
  const { port } = await router.listen({ port: 0 })
  const reload = (of: readonly Named[]) => router.reload(options(of))
  return { client: await Raw.open(t, port), reload, router }
}

/** How often the stores were asked for a value. */
async function asked(t: ExecutionContext, stores: readonly Served[]): Promise<number> {
  const each = stores.map(async ({ port }) => calls(await Raw.open(t, port), 'get'))
  return (await Promise.all(each)).reduce((sum, count) => sum + count, 0)
}

/** Reads all keys, one by one; how many values the stores were asked for. */
async function missesOf(
  t: ExecutionContext,
  client: Raw,
  stores: readonly Served[],
  of = keys,
): Promise<number> {
  const before = await asked(t, stores)
  for (const key of of) await client.send('GET', key)
  return (await asked(t, stores)) - before
}

const five = (t: ExecutionContext) =>
  Promise.all(['one', 'two', 'three', 'four', 'five'].map(name => named(t, name)))
const near = (t: ExecutionContext, count: number) =>
  t.true(count > COUNT * 0.2 * 0.8 && count < COUNT * 0.2 * 1.2, `${count} of ${COUNT} moved`)

several(
  'one that leaves by configuration hands on its keys, and one that joins gets as many',
  async t => {
    t.timeout(240_000)
    const stores = await five(t)
    const { client, reload } = await start(t, stores)
    for (const key of keys) await client.send('SET', key, key)
    t.is(await missesOf(t, client, stores), COUNT)
    t.is(await missesOf(t, client, stores), 0, 'all is remembered')
    const [left, ...four] = stores as [Named, ...Named[]]
    const before = ringOf(stores)
    const hers = keys.filter(key => before.locate(key) === left.name)
    t.deepEqual((await reload(four)).changed, ['store.ring'])
    near(t, hers.length)
    t.is(await missesOf(t, client, stores), hers.length, 'no other key is asked for')
    for (const key of hers) t.deepEqual(await texts(client, 'GET', key), ['(nil)'])
    // The one that leaves is not asked any more, and what it says changes nothing.
    const gone = await Raw.open(t, left.port)
    await gone.send('SET', hers[0]!, 'of another time')
    t.deepEqual(await texts(client, 'GET', hers[0]!), ['(nil)'])
    // Another one joins.
    const joined = await named(t, 'six')
    await reload([...four, joined])
    const after = ringOf([...four, joined])
    const without = ringOf(four)
    const moved = keys.filter(key => without.locate(key) !== after.locate(key))
    near(t, moved.length)
    t.is(await missesOf(t, client, [...four, joined]), moved.length)
    for (const key of moved.slice(0, 20)) t.is(await client.send('SET', key, 'new'), '+OK\r\n')
    const direct = await Raw.open(t, joined.port)
    t.deepEqual(await texts(direct, 'MGET', ...moved.slice(0, 20)), Array(20).fill('new'))
    t.is(await missesOf(t, client, [...four, joined]), 20)
    // Nothing has changed: nothing is forgotten.
    t.deepEqual((await reload([...four, joined])).changed, [])
    t.is(await missesOf(t, client, [...four, joined]), 0)
  },
)

several('one that is lost costs its own keys, and its return as well, and no others', async t => {
  t.timeout(240_000)
  const stores = await five(t)
  const { client } = await start(t, stores, 'next')
  for (const key of keys) await client.send('SET', key, key)
  await missesOf(t, client, stores)
  const [lost, ...four] = stores as [Named, ...Named[]]
  const before = ringOf(stores)
  const hers = keys.filter(key => before.locate(key) === lost.name)
  const others = keys.filter(key => !hers.includes(key))
  near(t, hers.length)
  await lost.stop('SIGKILL')
  while ((await client.send('SET', hers[0]!, 'stand-in')) !== '+OK\r\n');
  t.is(await missesOf(t, client, four, others), 0, 'no other key is asked for')
  // Clients load what they do not find: after that it is remembered as before.
  for (const key of hers) await client.send('SET', key, key)
  t.is(await missesOf(t, client, four, hers), hers.length)
  t.is(await missesOf(t, client, four, hers), 0)
  const back = await redis(t, '--port', `${lost.port}`)
  while ((await texts(client, 'GET', hers[0]!))[0] !== '(nil)');
  t.is(await missesOf(t, client, four, others), 0, 'no other key is asked for')
  for (const key of hers) t.deepEqual(await texts(client, 'GET', key), ['(nil)'])
  t.true((await asked(t, [{ ...back, port: lost.port }])) >= hers.length - 1)
})
