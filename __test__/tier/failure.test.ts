// A second tier of which the server or the client is gone: the cache does without it.
import test from 'ava'
import { Redis } from 'ioredis'
import { createClient } from 'redis'
import { InvalidOptionError, TierError } from '../../src/base/errors.ts'
import { ManualClock } from '../../src/testing.ts'
import type { TierSession } from '../../src/tier/contract.ts'
import { slotOf } from '../../src/tier/redis/clients/slots.ts'
import { redis as redisTier } from '../../src/tier/redis/index.ts'
import { countedTimers } from '../helpers/timers.ts'
import { installed, redis } from '../router/support.ts'
import { cluster, connect, connectCluster, libraries } from './invalidation.ts'
import { servers } from './servers.ts'
import { fresh, Host, openSession } from './sessions.ts'

const check = installed('redis-server') ? test : test.skip

/** Everything a session does, none of which may reject or hang. */
async function everything(session: TierSession): Promise<unknown[]> {
  const lease = session.lease('k', 1000)
  return Promise.all([
    session.get('k'),
    session.set('k', fresh('v')),
    session.delete(['k']),
    session.invalidateTag('t'),
    session.clear(),
    session.publishHot([{ key: 'k', count: 1 }]),
    session.fleetHot(10),
    lease.then(lease => lease?.release()),
    session.written('k', 20),
  ])
}

for (const { title, start } of servers) {
  for (const library of libraries) {
    check(
      `a server that is killed and comes back is done without meanwhile: ${library}, ${title}`,
      async t => {
        const server = await start(t)
        const { client } = await connect(t, library, server.port)
        const { session, host } = openSession(t, client, {
          timeout: 500,
          breaker: { failures: 3, halfOpenAfter: 20 },
          invalidation: { heartbeat: 100, bound: 1000 },
        })
        await session.ready
        while (!(await session.set('k', fresh('v')))) await new Promise(setImmediate)
        await server.stop('SIGKILL')
        while (!host.states.includes('open')) t.is(await session.get('k'), undefined)
        t.deepEqual((await everything(session)).slice(0, 2), [undefined, false])
        const own = host.failures.filter(([operation]) => operation !== 'invalidation')
        t.true(own.length > 0)
        t.true(own.every(([, error]) => error instanceof TierError))
        await start(t, '--port', String(server.port))
        // The clear that failed is done first.
        do {
          await session.set('k', fresh('again'))
          await new Promise(setImmediate)
        } while ((await session.get('k'))?.encoded !== 'again')
        t.is(host.states.at(-1), 'closed')
      },
    )

    check(
      `a server that is killed in the middle leaves nothing open: ${library}, ${title}`,
      async t => {
        const server = await start(t)
        const { client } = await connect(t, library, server.port)
        const clock = new ManualClock()
        const timers = countedTimers(clock)
        const host = new Host('middle', timers)
        const session = redisTier(client, { timeout: 500 }).open(host)
        await session.ready
        await session.set('k', fresh('v'))
        const under = Array.from({ length: 20 }, () => everything(session))
        let settled = false
        const all = Promise.all([...under, server.stop('SIGKILL')]).then(() => session.close())
        void all.then(() => (settled = true))
        while (!settled) {
          clock.advance(50)
          await new Promise(setImmediate)
        }
        // What nobody waits for ends by its own time limit.
        clock.advance(500)
        t.is(timers.waiting, 0)
        t.deepEqual(await session.get('k'), undefined)
        const told = host.failures.length
        await everything(session)
        t.is(host.failures.length, told, 'a closed session says nothing')
      },
    )

    check(
      `a client that was closed is an error that says so, and no value: ${library}, ${title}`,
      async t => {
        const server = await start(t)
        const { client } = await connect(t, library, server.port)
        const { session, host } = openSession(t, client)
        await session.set('k', fresh('v'))
        if (client instanceof Redis) client.disconnect()
        else (client as ReturnType<typeof createClient>).destroy()
        t.is(await session.get('k'), undefined)
        const [operation, error] = host.failures[0]!
        t.is(operation, 'get')
        t.true(error instanceof TierError)
        t.regex(error.message, /not connected|is down|closed/)
        t.false(await session.set('other', fresh('v')))
        t.truthy(await session.lease('k', 1000), 'everybody may load')
        t.deepEqual(await session.fleetHot(10), [])
        // The test's own end closes it once more.
        if (!(client instanceof Redis)) {
          await (client as ReturnType<typeof createClient>).connect()
          t.is((await session.get('k'))?.encoded, 'v')
        }
      },
    )
  }
}

test('a client that was never connected is an error that says so', async t => {
  const { session, host } = openSession(t, createClient())
  t.is(await session.get('k'), undefined)
  t.regex(host.failures[0]![1].message, /closed, or never opened/)
})

check('a client waits for its first connection', async t => {
  const { port } = await redis(t)
  const client = new Redis({ port, host: '127.0.0.1', lazyConnect: true })
  t.teardown(() => client.disconnect())
  const { session } = openSession(t, client)
  t.true(await session.set('k', fresh('v')))
})

check('a server that does not answer in time is not waited for', async t => {
  const server = await redis(t)
  const { client } = await connect(t, 'ioredis', server.port)
  const clock = new ManualClock()
  const host = new Host('late', countedTimers(clock))
  const session = redisTier(client, { timeout: 300, invalidation: false }).open(host)
  server.process.kill('SIGSTOP')
  const found = session.get('k')
  // It is sent at the end of the tick.
  await new Promise(setImmediate)
  clock.advance(300)
  t.is(await found, undefined)
  t.regex(host.failures[0]![1].message, /within 300 ms/)
  server.process.kill('SIGCONT')
  await session.close()
})

test('what is no client, and options that cannot be, are errors that name them', t => {
  for (const client of [null, undefined, 'redis://', {}, 5, () => {}]) {
    const error = t.throws(() => redisTier(client as object), { instanceOf: InvalidOptionError })
    t.is(error?.option, 'client')
  }
  const client = createClient()
  const wrong: [string, object][] = [
    ['prefix', { prefix: 5 }],
    ['prefix', { prefix: 'x'.repeat(257) }],
    ['prefix', { prefix: 'a{}' }],
    ['prefix', { prefix: '\ud800' }],
    ['ttl', { ttl: -1 }],
    ['grace', { grace: Number.POSITIVE_INFINITY }],
    ['timeout', { timeout: 'soon' }],
    ['compression', { compression: 'gzip' }],
    ['compressAbove', { compressAbove: 0 }],
    ['maxValueSize', { maxValueSize: 'huge' }],
    ['rememberDeletions', { rememberDeletions: 0 }],
    ['breaker.failures', { breaker: { failures: 0 } }],
    ['invalidation.mode', { invalidation: { mode: 'none' } }],
    ['options.tll', { tll: 5 }],
  ]
  for (const [option, options] of wrong) {
    const error = t.throws(() => redisTier(client, options), { instanceOf: InvalidOptionError })
    t.is(error?.option, option)
  }
})

// One after the other: each is three servers.
const fleet = installed('redis-server') && installed('redis-cli') ? test.serial : test.skip

for (const library of libraries) {
  fleet(`a master of a cluster that dies takes only its keys along: ${library}`, async t => {
    const nodes = await cluster(t)
    for (const { port } of nodes) {
      const { send } = await connect(t, library, port)
      for (const key of ['', 'foo', '{foo}x', 'a{}b', 'a{b}{c}', '{', '}{', 'ü']) {
        t.is(await send('CLUSTER', 'KEYSLOT', key), slotOf(Buffer.from(key)))
      }
      await send('CONFIG', 'SET', 'cluster-require-full-coverage', 'no')
    }
    const { client, send } = await connectCluster(t, library, nodes)
    const name = 'parts'
    // It does not try again what it has found to be gone, however long the rest takes.
    const options = { timeout: 2_000, breaker: { halfOpenAfter: '1h' } } as const
    const { session, host } = openSession(t, client, options, name)
    const keys = Array.from({ length: 60 }, (_, i) => `k${i}`)
    const stored = await Promise.all(keys.map(key => session.set(key, fresh(key))))
    t.true(stored.every(Boolean))
    const slots = (await send('CLUSTER', 'SLOTS')) as [number, number, [string, number]][]
    const masterOf = (key: string) => {
      const slot = slotOf(Buffer.from(key))
      return slots.find(([from, to]) => from <= slot && slot <= to)![2][1]
    }
    // Not the one that says which values count.
    const epoch = masterOf(`{${name}}~e`)
    const victim = nodes.find(({ port }) => port !== epoch)!
    const lives = keys.map(key => masterOf(`${name}:${key}`) !== victim.port)
    t.true(lives.includes(true) && lives.includes(false))
    await victim.stop('SIGKILL')
    for (let round = 0; round < 8; round++) {
      const found = await Promise.all(keys.map(key => session.get(key)))
      t.deepEqual(
        found.map(value => value?.encoded),
        keys.map((key, i) => (lives[i] ? key : undefined)),
      )
    }
    for (const [i, key] of keys.entries()) {
      if (lives[i]) t.true(await session.set(key, fresh('new')), key)
    }
    t.deepEqual(host.states, ['open'])
  })
}
