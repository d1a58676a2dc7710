// What other processes change is heard of by tracking, and that it is not is noticed.
import { setImmediate } from 'node:timers/promises'
import test from 'ava'
import { timersOf } from '../../src/base/timers.ts'
import { random } from '../helpers/random.ts'
import { installed, redis } from '../router/support.ts'
import {
  cluster,
  connect,
  connectCluster,
  connections,
  connectSentinel,
  grow,
  libraries,
  Side,
  sends,
} from './invalidation.ts'
import { servers } from './servers.ts'

const server = installed('redis-server') ? test : test.skip
// One after the other: each is three servers.
const fleet = installed('redis-server') && installed('redis-cli') ? test.serial : test.skip
const tracking = { mode: 'tracking', heartbeat: 1000, bound: 2000 } as const

for (const library of libraries) {
  for (const { title, start } of servers) {
    server(`${library}: a write is heard of by others and not by who wrote: ${title}`, async t => {
      const { port } = await start(t)
      const [one, two] = await Promise.all([connect(t, library, port), connect(t, library, port)])
      const [a, b] = [await Side.open(t, one, tracking), await Side.open(t, two, tracking)]
      await Promise.all([a.hears('regained'), b.hears('regained')])
      await a.write('a')
      t.deepEqual(await b.hears('key a'), ['key a'])
      await b.write('b')
      // The server tells in the order of the writes.
      t.deepEqual(await a.hears('key b'), ['key b'])
      await one.send('DEL', 't:c:v:a')
      t.deepEqual(await a.hears('key a'), ['key a'])
      t.deepEqual(await b.hears('key a'), ['key a'])
    })
  }

  for (const { title, start } of servers) {
    server(
      `${library}: tags, everything and keys that the store has not are told of: ${title}`,
      async t => {
        const { port } = await start(t)
        const user = await connect(t, library, port)
        const [a, b] = [await Side.open(t, user, tracking), await Side.open(t, user, tracking)]
        await Promise.all([a.hears('regained'), b.hears('regained')])
        a.channel.publish({ keys: ['gone', 'ä\0{}'], tags: ['sale'] })
        t.deepEqual(await b.hears('tag sale'), ['key gone', 'key ä\0{}', 'tag sale'])
        a.channel.publish({ clear: true })
        t.deepEqual(await b.hears('cleared'), ['cleared'])
        await user.send('INCR', 't:c:g:news')
        t.deepEqual(await b.hears('tag news'), ['tag news'])
        t.deepEqual(await a.hears('tag news'), ['tag news'], 'and nothing of its own')
        await user.send('INCR', 't:c:g:')
        t.deepEqual(await b.hears('cleared'), ['cleared'])
        t.is(await user.send('EXISTS', 't:c:m:'), 0)
        const keys = (await user.send('KEYS', 't:c:m:*')) as string[]
        t.deepEqual(keys, [], 'marks do not stay')
      },
    )
  }

  for (const { title, start } of servers) {
    for (const which of ['hearing', 'tracked'] as const) {
      server(
        `${library}: the loss of the ${which} connection is noticed at once: ${title}`,
        async t => {
          const { port } = await start(t)
          const user = await connect(t, library, port)
          const a = await Side.open(t, user, tracking)
          await a.hears('regained')
          const writer = a.channel.writer()
          const [id] = (await connections(user.send))[which]
          await user.send('CLIENT', 'KILL', 'ID', id!)
          t.deepEqual(await a.hears('lost'), ['lost'])
          t.is(a.channel.writer(), undefined)
          await a.recovers()
          t.not(a.channel.writer(), writer)
          await a.write('mine')
          await user.send('SET', 't:c:v:theirs', 'x')
          t.deepEqual(await a.hears('key theirs'), ['key theirs'])
          const { hearing, tracked } = await connections(user.send)
          t.deepEqual([hearing.length, tracked.length], [1, 1], 'nothing is left of the first ones')
        },
      )
    }
  }

  for (const { title, start } of servers) {
    server(
      `${library}: a server that was killed and started again is heard again: ${title}`,
      async t => {
        const first = await start(t)
        const user = await connect(t, library, first.port)
        const a = await Side.open(t, user, tracking)
        await a.hears('regained')
        await first.stop('SIGKILL')
        t.deepEqual(await a.hears('failed'), ['lost', 'failed'])
        a.channel.publish({ tags: ['meanwhile'] })
        await start(t, '--port', `${first.port}`)
        const b = await Side.open(t, user, tracking)
        await b.hears('regained')
        await a.recovers()
        t.deepEqual(
          await b.hears('tag meanwhile'),
          ['tag meanwhile'],
          'told late rather than never',
        )
        await user.send('SET', 't:c:v:k', 'x')
        await a.hears('key k')
      },
    )
  }

  for (const { title, start } of servers) {
    server(`${library}: a flushed store clears: ${title}`, async t => {
      const { port } = await start(t)
      const user = await connect(t, library, port)
      const a = await Side.open(t, user, tracking)
      await a.hears('regained')
      await user.send('FLUSHALL')
      t.deepEqual(await a.hears('cleared'), ['cleared'])
    })
  }

  for (const { title, start } of servers) {
    server(
      `${library}: a server that no longer answers is lost within the bound: ${title}`,
      async t => {
        const { port, process } = await start(t)
        const user = await connect(t, library, port)
        const a = await Side.open(t, user, tracking)
        await a.hears('regained')
        process.kill('SIGSTOP')
        a.clock.advance(1000)
        t.deepEqual(a.told, [])
        a.clock.advance(1000)
        t.deepEqual(await a.hears('lost'), ['lost'])
        process.kill('SIGCONT')
        await a.recovers()
      },
    )
  }

  server(`${library}: a server that answers stays heard`, async t => {
    const { port } = await redis(t)
    const user = await connect(t, library, port)
    const a = await Side.open(t, user, tracking)
    await a.hears('regained')
    for (let beat = 0; beat < 20; beat++) {
      const pings = await pingsOf(user.send)
      a.clock.advance(1000)
      while ((await pingsOf(user.send)) < pings + 2) await setImmediate()
      // The server has sent those answers before it reads this, and they are read in the same turn at the
      // latest: before the next sign of life.
      await user.send('ECHO', 'beat')
      await setImmediate()
    }
    t.deepEqual(a.told, [])
  })

  server(
    `${library}: a server that refuses to track is left for the bus, with the reason`,
    async t => {
      const { port } = await redis(t)
      const user = await connect(t, library, port)
      await user.send('ACL', 'SETUSER', 'default', '-client|tracking')
      const auto = { ...tracking, mode: 'auto' } as const
      const [a, b] = [await Side.open(t, user, auto), await Side.open(t, user, auto)]
      t.deepEqual(await a.hears('regained'), ['failed', 'regained'])
      t.regex(String((a.errors[0] as Error).cause), /permission/)
      t.false(a.channel.tracks)
      t.is(a.channel.writer(), undefined)
      await b.hears('regained')
      a.channel.publish({ keys: ['k'] })
      t.deepEqual(await b.hears('key k'), ['key k'])

      const c = await Side.open(t, user, tracking)
      t.deepEqual(await c.hears('failed'), ['lost', 'failed'])
      await user.send('ACL', 'SETUSER', 'default', '+client|tracking')
      await c.recovers()
    },
  )

  server(
    `${library}: what a script writes comes back, unless a plain command touches it last`,
    async t => {
      const { port } = await redis(t)
      const user = await connect(t, library, port)
      const a = await Side.open(t, user, tracking)
      await a.hears('regained')
      const send = sends(a.channel.writer()!)
      await send('EVAL', "return redis.call('SET', KEYS[1], 'x')", '1', 't:c:v:scripted')
      t.deepEqual(await a.hears('key scripted'), ['key scripted'])
      // The last to touch a key counts as who wrote it; nobody comes between in a transaction.
      const store = "return redis.call('SET', KEYS[1], 'x', 'PX', 9000)"
      await Promise.all([
        send('MULTI'),
        send('EVAL', store, '1', 't:c:v:touched'),
        send('PEXPIRE', 't:c:v:touched', '9001', 'GT'),
        send('EXEC'),
      ])
      await user.send('SET', 't:c:v:end', 'x')
      t.deepEqual(await a.hears('key end'), ['key end'])
    },
  )

  server(`${library}: behind a sentinel changes are heard of as well`, async t => {
    const master = await redis(t)
    const user = await connectSentinel(t, library, master)
    const auto = { ...tracking, mode: 'auto' } as const
    const [a, b] = [await Side.open(t, user, auto), await Side.open(t, user, auto)]
    await Promise.all([a.hears('regained'), b.hears('regained')])
    // A sentinel client of node-redis does not say by which connection it hears.
    t.is(a.channel.tracks, library === 'ioredis')
    a.channel.publish({ keys: ['k'] })
    t.deepEqual(await b.hears('key k'), ['key k'])
    const direct = await connect(t, library, master.port)
    for (const id of (await connections(direct.send)).hearing) {
      await direct.send('CLIENT', 'KILL', 'ID', id)
    }
    await Promise.all([a.hears('lost'), b.hears('lost')])
    await Promise.all([a.recovers(), b.recovers()])
    a.channel.publish({ tags: ['t'] })
    await b.hears('tag t')
  })

  for (const { title, start } of servers) {
    server(
      `${library}: nothing is left of a channel that is closed, whatever it was doing: ${title}`,
      async t => {
        const { port, process } = await start(t)
        const user = await connect(t, library, port)
        const { all } = await connections(user.send)
        const standing = await Side.open(t, user, tracking)
        await standing.hears('regained')
        const unheard = await Side.open(t, user, tracking)
        await unheard.hears('regained')
        const [, id] = (await connections(user.send)).hearing
        await user.send('CLIENT', 'KILL', 'ID', id!)
        await unheard.hears('lost')
        const connecting = Side.start(user, tracking)
        await Promise.all([standing, unheard, connecting].map(({ channel }) => channel.close()))
        await connecting.channel.ready
        standing.channel.publish({ clear: true })
        t.is(standing.channel.writer(), undefined)
        while ((await connections(user.send)).all > all) await setImmediate()
        for (const { timers } of [standing, unheard, connecting]) t.is(timers.waiting, 0)

        const stuck = await Side.open(t, user, tracking)
        process.kill('SIGSTOP')
        stuck.channel.publish({ clear: true })
        const closed = stuck.channel.close()
        stuck.clock.advance(1000)
        await closed
        t.is(stuck.timers.waiting, 0)
        process.kill('SIGCONT')
      },
    )
  }

  for (const { title, start } of servers) {
    server(
      `${library}: nothing is missed after it hears again, whatever is cut when: ${title}`,
      async t => {
        const { port } = await start(t)
        const [one, two] = await Promise.all([connect(t, library, port), connect(t, library, port)])
        const draw = random(7)
        // Whenever it fails it tries again soon: the clock is the system's.
        const often = { mode: 'tracking', heartbeat: 5, bound: 10_000 } as const
        const a = await Side.open(t, one, often, timersOf(undefined))
        // A cache that keeps what it reads until it is told to forget.
        const keys = Array.from({ length: 8 }, (_, at) => `k${at}`)
        const cache = new Map<string, unknown>()
        const epochs = new Map<string, number>()
        const forget = (key: string) => {
          cache.delete(key)
          epochs.set(key, (epochs.get(key) ?? 0) + 1)
        }
        let [covered, losses] = [false, 0]
        const digest = () => {
          for (const told of a.told.splice(0)) {
            if (told === 'lost') losses++
            if (told === 'lost') covered = false
            else if (told === 'regained') covered = true
            if (told.startsWith('key ')) forget(told.slice(4))
            else if (told !== 'failed') for (const key of keys) forget(key)
          }
        }
        a.heeds(digest)
        const read = async (key: string) => {
          const writer = a.channel.writer()
          if (cache.has(key) || writer === undefined) return
          const epoch = epochs.get(key)
          const value = await sends(writer)('GET', `t:c:v:${key}`).catch(() => undefined)
          if (covered && epochs.get(key) === epoch) cache.set(key, value)
        }
        // As long as it takes for enough to be lost: what is cut while it connects is no loss.
        for (let step = 0, version = 0; step < 400 || losses <= 10; step++) {
          const key = keys[Math.floor(draw() * keys.length)]!
          const write = two.send('SET', `t:c:v:${key}`, `${version++}`)
          if (draw() < 0.1) {
            const { hearing, tracked } = await connections(two.send)
            const id = (draw() < 0.5 ? hearing : tracked)[0]
            if (id !== undefined) await two.send('CLIENT', 'KILL', 'ID', id)
          }
          const reads = keys.map(read)
          await (draw() < 0.5 ? Promise.all([write, ...reads]) : write)
        }
        while (!covered) await setImmediate()
        await Promise.all(keys.map(read))
        // What is told last is told after all that is still under way.
        await two.send('SET', 't:c:v:end', 'x')
        while (!epochs.has('end')) await setImmediate()
        t.true(cache.size > 0)
        t.true(losses > 10)
        for (const [key, value] of cache) t.is(value, await two.send('GET', `t:c:v:${key}`), key)
      },
    )
  }

  fleet(
    `${library}: every master of a cluster is heard, and the loss of one is noticed`,
    async t => {
      const nodes = await cluster(t)
      const [one, two] = [
        await connectCluster(t, library, nodes),
        await connectCluster(t, library, nodes),
      ]
      const [a, b] = [await Side.open(t, one, tracking), await Side.open(t, two, tracking)]
      await Promise.all([a.hears('regained'), b.hears('regained')])
      const keys = Array.from({ length: 30 }, (_, at) => `k${at}`)
      for (const key of keys) {
        await a.write(key)
        t.deepEqual(await b.hears(`key ${key}`), [`key ${key}`])
      }
      a.channel.publish({ keys: ['gone'], tags: ['sale'] })
      t.deepEqual(await b.hears('tag sale'), ['key gone', 'tag sale'])
      t.deepEqual(a.told, [])

      const single = await connect(t, library, nodes[1]!.port)
      for (const which of ['hearing', 'tracked'] as const) {
        for (const id of (await connections(single.send))[which]) {
          await single.send('CLIENT', 'KILL', 'ID', id)
        }
        await Promise.all([a.hears('lost'), b.hears('lost')])
        await Promise.all([a.recovers(), b.recovers()])
      }
      for (const key of keys) await a.write(key)
      for (const key of keys) await b.hears(`key ${key}`)
      await nodes[2]!.stop('SIGKILL')
      await Promise.all([a.hears('lost'), b.hears('lost')])
    },
  )

  fleet(
    `${library}: a master that joins a cluster is heard with the next sign of life`,
    async t => {
      const nodes = await cluster(t)
      const user = await connectCluster(t, library, nodes)
      const a = await Side.open(t, user, tracking)
      await a.hears('regained')
      const joined = await grow(t, nodes)
      a.clock.advance(1000)
      t.deepEqual(await a.hears('lost'), ['lost'])
      await a.recovers()
      const direct = await connect(t, library, joined.port)
      const slot = Number(
        ((await direct.send('CLUSTER', 'SLOTS')) as [number, number, [string, number]][]).find(
          ([, , [, port]]) => port === joined.port,
        )?.[0],
      )
      let key = 0
      while ((await direct.send('CLUSTER', 'KEYSLOT', `t:c:v:${key}`)) !== slot) key++
      await direct.send('SET', `t:c:v:${key}`, 'x')
      await a.hears(`key ${key}`)
    },
  )
}

async function pingsOf(send: (...args: string[]) => Promise<unknown>): Promise<number> {
  return Number(
    /cmdstat_ping:calls=(\d+)/.exec(String(await send('INFO', 'commandstats')))?.[1] ?? 0,
  )
}
