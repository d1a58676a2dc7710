// Hot reads that go to several servers: copies in the stores of a ring, and replicas. Each store gets
// its share, and nobody is given what is older than a write that was answered.
import { AsyncLocalStorage } from 'node:async_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import test, { type ExecutionContext } from 'ava'
import { createRouter, type HotKeyEvent, type RouterOptions } from 'breakwater/router'
import { random } from '../../helpers/random.ts'
import { Raw, redis, type Served } from '../support.ts'
import { calls, hasRedis, replicate, ring, ringOf, texts } from './support.ts'

const several = hasRedis ? test : test.skip
const HOT = 'front-page'
const COPIES = ['--threads', '2', '--route', '*,mode=off,copies=5', '--hot-key', HOT]

const open = (t: ExecutionContext, port: number, count: number) =>
  Promise.all(Array.from({ length: count }, () => Raw.open(t, port)))

/** How often servers were asked for a value since `before`. */
async function gets(raws: readonly Raw[], before: number[] = []): Promise<number[]> {
  const counts = await Promise.all(raws.map(raw => calls(raw, 'get')))
  return counts.map((count, at) => count - (before[at] ?? 0))
}

several('few clients that wait for each reply load all stores alike', async t => {
  t.timeout(240_000)
  const { stores, node } = await ring(t, 5, COPIES)
  const raws = await Promise.all(stores.map(({ port }) => Raw.open(t, port)))
  const clients = await open(t, node.port, 4)
  await clients[0]!.send('SET', HOT, 'news')
  const draw = random(7)
  const key = () => (draw() < 0.3 ? HOT : `user:${Math.floor(draw() * 5_000)}`)
  let ratio = Number.POSITIVE_INFINITY
  for (let round = 0; ratio > 1.3; round++) {
    const before = await gets(raws)
    const work = clients.map(async client => {
      for (let n = 0; n < 500; n++) {
        const asked = key()
        if (asked === HOT) t.is(await client.send('GET', HOT), '$4\r\nnews\r\n')
        else await client.send('GET', asked)
      }
    })
    await Promise.all(work)
    const counts = await gets(raws, before)
    ratio = (Math.max(...counts) * 5) / counts.reduce((sum, count) => sum + count)
    t.log(`round ${round}: ${counts}, ${ratio.toFixed(2)} times the mean`)
  }
  const owner = ringOf(stores).locate(HOT)
  t.regex(
    await clients[0]!.send('INFO', 'hotkeys'),
    new RegExp(
      `key=${HOT},share=[0-9.]+,reads_per_second=\\d+,pinned=1,route=\\*,store=${owner},copies=4\r`,
    ),
  )
  // The stores of the copies have nothing that lasts.
  for (const raw of raws) {
    const names = (await texts(raw, 'KEYS', `${HOT}#*`)).filter(name => name.startsWith(HOT))
    for (const name of names) t.true(Number((await raw.send('PTTL', name)).slice(1)) > 0)
  }
})

/** Reads while others write, until `writes` are done: no read may miss a write that was answered. */
async function race(
  t: ExecutionContext,
  port: number,
  { writers, readers, writes }: { writers: number; readers: number; writes: number },
): Promise<void> {
  let [last, answered, over] = [0, 0, false]
  const reading = (await open(t, port, readers)).map(async client => {
    while (!over) {
      const least = answered
      const [got] = await texts(client, 'HGET', HOT, 'n')
      if (Number(got) < least) t.fail(`read ${got} after ${least} was answered`)
    }
  })
  // One write at a time, by whichever client: so that they have an order.
  const clients = await open(t, port, writers)
  for (let n = 0; n < writes; n++) {
    const value = ++last
    await clients[n % writers]!.send('HSET', HOT, 'n', `${value}`)
    answered = value
    const [own] = await texts(clients[(n + 1) % writers]!, 'HGET', HOT, 'n')
    t.is(Number(own), value)
    // Now and then time enough for copies.
    if (n % 20 === 0) await sleep(25)
  }
  over = true
  await Promise.all(reading)
}

several('a read never finds less in a copy than a write that was answered', async t => {
  t.timeout(240_000)
  const { node } = await ring(t, 5, COPIES)
  const client = await Raw.open(t, node.port)
  await client.send('HSET', HOT, 'n', '0')
  await race(t, node.port, { writers: 3, readers: 8, writes: 400 })
})

several('a read never finds less in a replica than a write that was answered', async t => {
  t.timeout(240_000)
  const flags = ['--threads', '2', '--route', '*,mode=off', '--hot-key', HOT]
  const { node } = await replicate(t, ['--read-from', 'preferReplica', ...flags])
  const client = await Raw.open(t, node.port)
  await client.send('HSET', HOT, 'n', '0')
  await race(t, node.port, { writers: 3, readers: 8, writes: 400 })
})

several('reads of a hot key go to all replicas', async t => {
  t.timeout(240_000)
  const flags = ['--threads', '1', '--route', '*,mode=off', '--hot-key', HOT]
  const { store, replicas, node } = await replicate(t, ['--read-from', 'replica', ...flags])
  const raws = await Promise.all([store, ...replicas].map(({ port }) => Raw.open(t, port)))
  const [client] = (await open(t, node.port, 1)) as [Raw]
  const reads = 400
  let counts: number[]
  do {
    const before = await gets(raws)
    for (let n = 0; n < reads; n++) await client.send('GET', HOT)
    counts = await gets(raws, before)
  } while (counts[0] !== 0 || counts.slice(1).some(count => count < reads / 3))
  t.pass()
})

/** A node in this process, in front of five stores, whose route has copies. */
async function start(t: ExecutionContext, more: Partial<RouterOptions> = {}) {
  const stores = await Promise.all(Array.from({ length: 5 }, () => redis(t)))
  const options = {
    threads: 1,
    store: stores.map(({ port }) => `redis://127.0.0.1:${port}`),
    routes: ['*,mode=off,copies=3,negativeTtl=1m'],
    hotKeys: { pinned: [HOT] },
    ...more,
  }
  const router = createRouter(options)
  t.teardown(() => router.close())
  const { port } = await router.listen({ port: 0 })
  const client = await Raw.open(t, port)
  /** Reads until other stores have copies of the reply. */
  const copied = async (...words: string[]): Promise<string> => {
    for (;;) {
      const reply = await client.send(...words)
      if (router.stats().hotKeys[0]!.copies === 2) return reply
    }
  }
  return { stores, options, router, port, client, copied }
}

/** The stores that are asked for copies of the hot key, in the order of the ring. */
function behind(stores: readonly Served[]): Served[] {
  const names = ringOf(stores).successors(HOT, 3)
  return names.map(name => stores.find(({ port }) => name.endsWith(`:${port}`))!)
}

several(
  'copies are of replies: of all types, of both protocols, and of what is not there',
  async t => {
    t.timeout(240_000)
    const { client, port, copied } = await start(t)
    const other = await Raw.open(t, port)
    await other.send('HELLO', '3')
    const alike = async (reply2: string, reply3: string, ...words: string[]) => {
      t.is(await copied(...words), reply2)
      for (let n = 0; n < 20; n++) {
        t.is(await client.send(...words), reply2)
        t.is(await other.send(...words), reply3)
      }
    }
    await alike('$-1\r\n', '_\r\n', 'GET', HOT)
    await client.send('SET', HOT, 'a\r\nb')
    await alike('$4\r\na\r\nb\r\n', '$4\r\na\r\nb\r\n', 'GET', HOT)
    await alike('$1\r\nb\r\n', '$1\r\nb\r\n', 'GETRANGE', HOT, '3', '3')
    await client.send('DEL', HOT)
    await client.send('HSET', HOT, 'f', 'v')
    const [pair2, pair3] = ['*2\r\n$1\r\nf\r\n$1\r\nv\r\n', '%1\r\n$1\r\nf\r\n$1\r\nv\r\n']
    await alike(pair2, pair3, 'HGETALL', HOT)
  },
)

several('writes past the node are heard, a key that expires does so in its copies', async t => {
  t.timeout(240_000)
  const { client, stores, copied } = await start(t)
  await client.send('SET', HOT, 'old')
  await copied('GET', HOT)
  const owner = await Raw.open(t, behind(stores)[0]!.port)
  await owner.send('SET', HOT, 'new')
  while ((await texts(client, 'GET', HOT))[0] !== 'new');
  for (let n = 0; n < 20; n++) t.deepEqual(await texts(client, 'GET', HOT), ['new'])
  await client.send('SET', HOT, 'short', 'PX', '3000')
  await copied('GET', HOT)
  while ((await texts(client, 'GET', HOT))[0] !== '(nil)') await sleep(20)
  for (let n = 0; n < 20; n++) t.deepEqual(await texts(client, 'GET', HOT), ['(nil)'])
})

several('a store that loses its copies, or is lost, costs no reply', async t => {
  t.timeout(240_000)
  const { client, stores, copied } = await start(t)
  await client.send('SET', HOT, 'news')
  await copied('GET', HOT)
  const [, one, two] = behind(stores)
  const raw = await Raw.open(t, one!.port)
  await raw.send('FLUSHALL')
  for (let n = 0; n < 50; n++) t.deepEqual(await texts(client, 'GET', HOT), ['news'])
  await copied('GET', HOT)
  await two!.stop()
  for (let n = 0; n < 50; n++) t.deepEqual(await texts(client, 'GET', HOT), ['news'])
})

several('a hook hears of keys that turn hot and cool down, outside of any request', async t => {
  t.timeout(240_000)
  const events: HotKeyEvent[] = []
  const storage = new AsyncLocalStorage<string>()
  const contexts = new Set<string | undefined>()
  const warnings: Error[] = []
  const warned = (warning: Error) => warnings.push(warning)
  process.on('warning', warned)
  t.teardown(() => process.off('warning', warned))
  const onHotKey = (event: HotKeyEvent) => {
    events.push(event)
    contexts.add(storage.getStore())
    throw new Error('of the hook')
  }
  const { router, client, options } = await storage.run('a request', () =>
    start(t, { onHotKey, hotKeys: { pinned: ['pinned'] } }),
  )
  const reading = async (key: (n: number) => string, until: () => boolean) => {
    for (let n = 0; !until(); n++) await client.send('GET', key(n))
  }
  await reading(
    n => (n % 3 === 0 ? HOT : `user:${n}`),
    () => events.some(({ key, kind }) => key === HOT && kind === 'hot'),
  )
  t.like(events[0], { kind: 'hot', key: 'pinned', pinned: true, route: '*' })
  const hot = events.find(({ key }) => key === HOT)!
  t.like(hot, { pinned: false, route: '*' })
  t.true(hot.share >= 0.05 && hot.readsPerSecond > 0)
  t.is(hot.store, ringOf(await storesOf(options)).locate(HOT))
  await reading(
    n => `user:${n}`,
    () => events.some(({ key, kind }) => key === HOT && kind === 'cool'),
  )
  t.deepEqual([...contexts], [undefined])
  while (!warnings.some(warning => 'code' in warning && warning.code === 'BREAKWATER_HOOK')) {
    await sleep(5)
  }
  // Another hook, and no key that is pinned, by another configuration.
  const next: HotKeyEvent[] = []
  const config = {
    ...options,
    hotKeys: {},
    onHotKey: (event: HotKeyEvent) => void next.push(event),
  }
  t.deepEqual((await router.reload(config)).changed, ['onHotKey', 'hotKeys.pinned'])
  while (!next.some(({ key, kind }) => key === 'pinned' && kind === 'cool')) await sleep(5)
  t.pass()
})

async function storesOf(options: { store?: unknown }): Promise<Served[]> {
  const urls = options.store as string[]
  return urls.map(url => ({ port: Number(url.split(':').at(-1)) }) as Served)
}

test('copies that cannot be right, and keys that cannot be pinned, are refused in words', t => {
  const of = (options: RouterOptions) => () => createRouter(options)
  const store = ['redis://127.0.0.1:1', 'redis://127.0.0.1:2']
  const url = 'redis://127.0.0.1:1'
  const refused: [RouterOptions, RegExp][] = [
    [{ store: url, routes: ['a:*,copies=2'] }, /routes\[0\]\.copies.*other stores of a ring/],
    [{ store: 'redis-cluster://127.0.0.1:1', routes: ['*,copies=2'] }, /other stores of a ring/],
    [{ store, routes: ['a:*,copies=2,ttl=Infinity'] }, /copies have to end/],
    [{ store, routes: ['a:*,copies=9'] }, /a whole number from 1 to 8/],
    [{ store, routes: ['a:*,copies=0'] }, /a whole number from 1 to 8/],
    [{ store, hotKeys: { pinned: 'a' as never } }, /hotKeys\.pinned.*a list of keys/],
    [{ store, hotKeys: { pinned: ['a', ''] } }, /hotKeys\.pinned\[1\]/],
    [{ store, hotKeys: { pinned: Array(1001).fill('a') } }, /at most 1000 keys.*1001/],
    [{ store, hotKeys: { pins: [] } as never }, /hotKeys\.pins/],
    [{ store, hotKeys: [] as never }, /hotKeys/],
    [{ store, onHotKey: 'log' as never }, /onHotKey.*a function/],
    [{ hotKeys: { pinned: ['a'] } }, /hotKeys.*no store/],
    [{ onHotKey: () => {} }, /onHotKey.*no store/],
  ]
  for (const [options, message] of refused) t.throws(of(options), { message })
})
