// A cache over a second tier in Redis: what two caches of one name, as two processes have them, see of
// each other. Unnamed to each other here, since of one process the same name is the same cache.
import { setTimeout as sleep } from 'node:timers/promises'
import test, { type ExecutionContext } from 'ava'
import { Cache, type CacheOptions, json } from '../../src/index.ts'
import { redis as tier } from '../../src/tier/redis/index.ts'
import { connect, type Library, libraries } from './invalidation.ts'
import { servers } from './servers.ts'

interface User {
  name: string
}

/** Waits until something is so. */
async function until(what: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await what())) await sleep(1)
}

/** A value when it stays: what is read before the news of it came is forgotten when they come. */
async function settled(cache: Cache<string, User>, key: string): Promise<User | undefined> {
  for (;;) {
    await cache.fetch(key)
    await sleep(20)
    const value = cache.get(key)
    if (value !== undefined) return value
  }
}

/** A process's cache: in a worker of its own names would be shared, so each test process has one. */
async function open(
  t: ExecutionContext,
  library: Library,
  port: number,
  options: Partial<CacheOptions<User, string>> = {},
  given: Parameters<typeof tier>[1] = {},
) {
  const { client } = await connect(t, library, port)
  const cache = new Cache<string, User>({
    name: `users ${Math.random()}`,
    max: 1000,
    codec: json<User>(),
    // Long enough for a machine that is busy.
    tier: renamed(
      tier(client, { timeout: '20s', invalidation: { bound: '20s' }, ...given }),
      'users',
    ),
    ...options,
  })
  t.teardown(() => cache.close())
  if (options.warm === undefined) await cache.ready
  return cache
}

/** Waits until Redis has so many users: a load does not wait for that. */
async function inStore(t: ExecutionContext, port: number, count: number): Promise<void> {
  const { send } = await connect(t, 'ioredis', port)
  await until(async () => ((await send('KEYS', 'users:*')) as string[]).length >= count)
}

/** A tier that takes the cache for one of another name, as it would be in another process. */
function renamed(inner: ReturnType<typeof tier>, name: string): ReturnType<typeof tier> {
  return { open: host => inner.open({ ...host, name }) }
}

for (const { title, start } of servers) {
  for (const library of libraries) {
    test(`what one process loads another finds in the store: ${library}, ${title}`, async t => {
      const { port } = await start(t)
      let loads = 0
      const loader = async (id: string) => ({ name: `user ${id} ${++loads}` })
      const one = await open(t, library, port, { loader, ttl: '1h' })
      const other = await open(t, library, port, { loader, ttl: '1h' })
      t.deepEqual(await one.fetch('1'), { name: 'user 1 1' })
      // Storing it is not waited for.
      const { send } = await connect(t, library, port)
      while ((await send('EXISTS', 'users:1')) !== 1);
      t.deepEqual(await other.fetch('1'), { name: 'user 1 1' })
      t.is(loads, 1)
      t.like(one.stats(), { loads: 1, tierHits: 0 })
      t.like(other.stats(), { loads: 1, tierHits: 1 })
      t.true(other.ttl('1')! > 3_500_000)
    })

    test(`a write of one process is seen by the other: ${library}, ${title}`, async t => {
      const { port } = await start(t)
      const loader = () => undefined
      const one = await open(t, library, port, { loader })
      const other = await open(t, library, port, { loader })
      await one.put('1', { name: 'Ada' })
      t.deepEqual(await settled(other, '1'), { name: 'Ada' })
      await one.put('1', { name: 'Grace' })
      await until(() => other.get('1') === undefined)
      t.deepEqual(await settled(other, '1'), { name: 'Grace' })
      t.deepEqual(one.get('1'), { name: 'Grace' }, 'its own write is not news to a process')
      await other.remove('1')
      await until(() => one.get('1') === undefined)
      t.is(await one.fetch('1'), undefined)
      await one.put('2', { name: 'Eve' }, { tags: ['team'] })
      await settled(other, '2')
      one.invalidateTag('team')
      await until(() => other.get('2') === undefined)
      t.is(await other.fetch('2'), undefined)
    })
  }

  test(`a load that began before a write of another process does not undo it: ${title}`, async t => {
    const { port } = await start(t)
    let end: ((value: User) => void) | undefined
    const slow = await open(t, 'ioredis', port, {
      loader: () => new Promise<User>(resolve => (end = resolve)),
    })
    const other = await open(t, 'ioredis', port, { loader: () => undefined })
    slow.set('mark', { name: 'mark' })
    const loaded = slow.fetch('1')
    await until(() => end !== undefined)
    await other.put('1', { name: 'new' })
    // News comes in order: what was told before this is known as well.
    await other.put('mark', { name: 'newer' })
    await until(() => slow.get('mark') === undefined)
    end?.({ name: 'old' })
    t.deepEqual(await loaded, { name: 'old' })
    t.is(slow.get('1'), undefined)
    t.deepEqual(await settled(other, '1'), { name: 'new' })
    t.deepEqual(await slow.fetch('1'), { name: 'new' })
  })

  test(`of all processes one loads a key, if asked to: ${title}`, async t => {
    const { port } = await start(t)
    let loads = 0
    const loader = async () => {
      loads++
      await sleep(100)
      return { name: 'once' }
    }
    const caches = await Promise.all(
      Array.from({ length: 4 }, () => open(t, 'ioredis', port, { loader, tierLease: true })),
    )
    const all = await Promise.all(caches.flatMap(cache => [cache.fetch('1'), cache.fetch('1')]))
    t.deepEqual(all, Array(8).fill({ name: 'once' }))
    t.is(loads, 1)
  })

  test(`reads of what is here go on while Redis is gone, and what was missed is forgotten: ${title}`, async t => {
    const server = await start(t)
    const events: string[] = []
    let loads = 0
    const cache = await open(
      t,
      'ioredis',
      server.port,
      {
        loader: async id => ({ name: `user ${id} ${++loads}` }),
        staleIfError: '1h',
        onTierLoss: 'stale',
      },
      { timeout: 100, breaker: { failures: 2, halfOpenAfter: 200 } },
    )
    cache.on('tier', ({ state }) => events.push(state))
    cache.on('breaker', ({ of, state }) => events.push(`${of} ${state}`))
    await cache.ready
    await cache.fetch('hot')
    await until(() => cache.get('hot') !== undefined)
    await server.stop()
    await until(() => events.includes('lost'))
    t.is(cache.get('hot'), undefined, 'it may have changed unheard')
    for (let i = 0; i < 20; i++) {
      t.truthy(await cache.fetch('hot'))
      t.truthy(await cache.fetch(`cold ${i}`))
    }
    t.true(events.includes('tier open'), events.join())
    t.true(cache.ttl('cold 19')! <= 1_001, 'while nothing is heard values do not live long')
    await start(t, '--port', String(server.port))
    for (let i = 0; !events.includes('tier closed'); i++) {
      await cache.fetch(`later ${i}`)
      await sleep(20)
    }
    await until(() => events.includes('regained'))
  })

  test(`a new process over a warm fleet has its hot keys before it is ready: ${title}`, async t => {
    const { port } = await start(t)
    const loader = async (id: string) => ({ name: `user ${id}` })
    const warm = { from: 'tier', keys: 500 } as const
    const old = await open(t, 'ioredis', port, { loader, warm })
    await old.ready
    for (let i = 0; i < 300; i++) await old.fetch(String(i))
    await inStore(t, port, 300)
    await old.close()
    const fresh = await open(t, 'ioredis', port, {
      loader: () => t.fail() as never,
      warm,
    })
    t.deepEqual(await fresh.ready, { loaded: 300, complete: true })
    t.deepEqual(fresh.get('299'), { name: 'user 299' })
  })

  test(`a new process takes the hottest of the keys that the fleet reads, and no more than fit: ${title}`, async t => {
    const { port } = await start(t)
    const loader = async (id: string) => ({ name: `user ${id}` })
    const old = await open(t, 'ioredis', port, { loader, warm: { from: 'tier' } })
    await old.ready
    const all = Array.from({ length: 900 }, (_, id) => `${id}`)
    for (const id of all) await old.fetch(id)
    const hot = all.filter(id => Number(id) % 10 === 0)
    for (let i = 0; i < 3; i++) for (const id of hot) old.get(id)
    await inStore(t, port, all.length)
    await old.close()
    const given = { loader: () => t.fail() as never, warm: { from: 'tier' } } as const
    for (const bounds of [{ max: 100 }, { maxBytes: '32kb' }]) {
      const fresh = await open(t, 'ioredis', port, { ...given, ...bounds })
      const { loaded, complete } = await fresh.ready
      t.true(complete)
      t.true(loaded >= hot.length && loaded < all.length, `${loaded}`)
      t.is(fresh.stats().evictions, 0)
      for (const id of hot) t.true(fresh.has(id), id)
      await fresh.close()
    }
  })
}

test('a new process takes no more large values than fit', async t => {
  const { port } = await servers[0]!.start(t)
  const loader = async (id: string) => ({ name: `user ${id} `.repeat(500) })
  const old = await open(t, 'ioredis', port, { loader, warm: { from: 'tier' } })
  await old.ready
  const all = Array.from({ length: 300 }, (_, id) => `${id}`)
  for (const id of all) await old.fetch(id)
  for (const id of all) old.get(id)
  await inStore(t, port, all.length)
  await old.close()
  const given = { loader: () => t.fail() as never, warm: { from: 'tier' } } as const
  const fresh = await open(t, 'ioredis', port, { ...given, maxBytes: '512kb' })
  const { loaded } = await fresh.ready
  t.true(loaded >= 50 && loaded < all.length, `${loaded}`)
  t.is(fresh.stats().evictions, 0)
})

test('a cache with a tier needs a name, and values that can be stored', async t => {
  const given = { open: () => t.fail() as never }
  t.throws(() => new Cache({ max: 1, tier: given }), {
    code: 'ERR_INVALID_OPTION',
    message: /^name/,
  })
  t.throws(() => new Cache({ max: 1, tier: given, codec: 'heap' }), {
    code: 'ERR_OPTION_COMBINATION',
  })
  t.throws(() => new Cache({ max: 1, name: 'x', tier: {} as never }), {
    code: 'ERR_INVALID_OPTION',
    message: /^tier/,
  })
})
