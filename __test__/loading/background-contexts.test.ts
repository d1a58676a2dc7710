// Work that outlasts the call which began it runs in the context (AsyncLocalStorage) of nobody: it
// neither acts for a request that is over nor keeps it. One row for each task of the background.
import { AsyncLocalStorage } from 'node:async_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import test, { type ExecutionContext } from 'ava'
import { Redis } from 'ioredis'
import { Cache, type Tier } from '../../src/index.ts'
import type { TierHost, TierSession } from '../../src/tier/contract.ts'
import { redis as redisTier } from '../../src/tier/redis/index.ts'
import { installed, redis } from '../router/support.ts'

const requests = new AsyncLocalStorage<string>()

/** Notes in which context something is done. */
type See = (what: string) => void

/** A tier that notes who asks it. */
function tierOf(see: See, different: Partial<TierSession> = {}, open = (_: TierHost) => {}): Tier {
  const noted =
    <T>(what: string, value: T) =>
    async (): Promise<T> => {
      see(what)
      return value
    }
  return {
    open: host => {
      open(host)
      return {
        ready: Promise.resolve(),
        get: noted('get', undefined),
        set: noted('set', true),
        delete: noted('delete', undefined),
        invalidateTag: noted('invalidateTag', undefined),
        clear: noted('clear', undefined),
        lease: async () => ({ release: noted('release', undefined) }),
        written: noted('written', undefined),
        publishHot: noted('publishHot', undefined),
        fleetHot: async () => {
          see('fleetHot')
          return ['a', 'b']
        },
        close: async () => {},
        ...different,
      }
    },
  }
}

let names = 0
const name = () => `background ${names++}`

interface Task {
  /** What is to be seen, all of it in no context. */
  what: string[]
  /** Begins the task within a request; what it gives is called when all has been seen. */
  begin(see: See): () => unknown
}

const tasks: Record<string, Task> = {
  'a warm start from the tier': {
    what: ['fleetHot', 'get'],
    begin: see => {
      const cache = new Cache({ max: 10, name: name(), tier: tierOf(see), warm: { from: 'tier' } })
      return () => cache.close()
    },
  },
  'saving the hot set': {
    what: ['publishHot'],
    begin: see => {
      const warm = { from: 'tier', every: 5 } as const
      const cache = new Cache({ max: 10, name: name(), tier: tierOf(see), warm })
      return () => cache.close()
    },
  },
  'an invalidation that is done again': {
    what: ['delete'],
    begin: see => {
      let times = 0
      const later = async () => {
        if (++times > 1) see('delete')
      }
      const cache = new Cache({ max: 10, name: name(), tier: tierOf(see, { delete: later }) })
      void cache.invalidate('a', { again: 5 })
      return () => cache.close()
    },
  },
  'writing behind, and its retries': {
    what: ['writer', 'retried', 'onWriteError'],
    begin: see => {
      const cache = new Cache<string, string>({
        max: 10,
        writeBehind: {
          maxDelay: 5,
          retries: 1,
          backOff: { initial: 5 },
          writer: (_, { failures }) => {
            see(failures === 0 ? 'writer' : 'retried')
            throw new Error('no')
          },
          onWriteError: () => see('onWriteError'),
        },
      })
      void cache.put('a', 'b')
      return () => cache.close()
    },
  },
  'the end of entries': {
    what: ['removal', 'expire'],
    begin: see => {
      const cache = new Cache<string, string>({ max: 10, ttl: 5 })
      cache.onRemoval(() => see('removal'))
      cache.on('expire', () => see('expire'))
      cache.set('a', 'b')
      return () => cache.close()
    },
  },
  'the timers of a tier': {
    what: ['timer', 'again'],
    begin: see => {
      const open = ({ timers }: TierHost) => {
        timers.after(1, () => {
          see('timer')
          timers.after(1, () => see('again'))
        })
      }
      const cache = new Cache({ max: 10, name: name(), tier: tierOf(() => {}, {}, open) })
      return () => cache.close()
    },
  },
}

/** Waits until all has been seen, and tells in which contexts. */
async function run(t: ExecutionContext, { what, begin }: Task): Promise<void> {
  const seen = new Map<string, unknown[]>()
  const see = (what: string) => {
    seen.set(what, [...(seen.get(what) ?? []), requests.getStore()])
  }
  const end = requests.run('maker', () => begin(see))
  while (what.some(each => !seen.has(each))) await sleep(5)
  // What comes again and again must not come back into it.
  await sleep(50)
  await end()
  for (const each of what) t.deepEqual([...new Set(seen.get(each))], [undefined], each)
}

for (const [title, task] of Object.entries(tasks)) {
  test(`runs in the context of nobody: ${title}`, async t => {
    t.timeout(120_000)
    await run(t, task)
  })
}

/** An ioredis client that notes who makes connections of it, and by which commands of those. */
function noted(port: number, see: See): Redis {
  const client = new Redis(port)
  client.on('error', () => {})
  const { duplicate } = client
  client.duplicate = options => {
    see('connect')
    const copy = duplicate.call(client, options)
    copy.duplicate = client.duplicate
    const { call } = copy
    copy.call = ((...args: [string]) => {
      see(args[0])
      return call.apply(copy, args)
    }) as typeof copy.call
    return copy
  }
  return client
}

const check = installed('redis-server') ? test : test.skip

for (const mode of ['tracking', 'bus'] as const) {
  check(`runs in the context of nobody: connections over Redis, ${mode}`, async t => {
    t.timeout(120_000)
    const { port } = await redis(t)
    const admin = new Redis(port)
    t.teardown(() => admin.disconnect())
    const seen = new Map<string, unknown[]>()
    const see = (what: string) => {
      seen.set(what, [...(seen.get(what) ?? []), requests.getStore()])
    }
    const count = (what: string) => seen.get(what)?.length ?? 0
    await requests.run('maker', async () => {
      const client = noted(port, see)
      const invalidation = { mode, heartbeat: 20, bound: 20_000 }
      const tier = redisTier(client, { timeout: '20s', invalidation })
      const cache = new Cache<string, string>({ max: 10, name: name(), codec: 'string', tier })
      await cache.ready
      const made = count('connect')
      // Its connections end, in the middle of a call of somebody's.
      await requests.run('writer', () => cache.put('a', 'b'))
      await admin.call('CLIENT', 'KILL', 'TYPE', 'pubsub')
      await requests.run('writer', () => cache.put('a', 'c'))
      while (count('connect') <= made) await sleep(5)
      const signs = count('PING') + count('DEL')
      while (count('PING') + count('DEL') < signs + 6) await sleep(5)
      await cache.close()
      client.disconnect()
    })
    for (const what of ['connect', 'PING', 'DEL']) {
      t.deepEqual([...new Set(seen.get(what))], seen.has(what) ? [undefined] : [], what)
    }
  })
}

check('runs in the context of nobody: removals that are owed to Redis', async t => {
  t.timeout(120_000)
  const { port } = await redis(t)
  const admin = new Redis(port)
  const client = new Redis(port)
  t.teardown(() => {
    admin.disconnect()
    client.disconnect()
  })
  client.on('error', () => {})
  const seen: unknown[] = []
  const breaker = { failures: 1e6 }
  const tier = redisTier(client, { timeout: '20s', invalidation: false, breaker })
  const cache = new Cache<string, string>({ max: 10, name: name(), tier })
  await cache.put('a', 'b')
  const stored = () => admin.get(`${cache.name}:a`)
  const before = await stored()
  const scripts = (sign: '+' | '-') =>
    admin.call('ACL', 'SETUSER', 'default', `${sign}evalsha`, `${sign}eval`)
  await scripts('-')
  await requests.run('writer', () => cache.invalidate('a'))
  // All that the library sends goes by this.
  const { sendCommand } = client
  client.sendCommand = (...args) => {
    seen.push(requests.getStore())
    return sendCommand.apply(client, args)
  }
  while (seen.length < 2) await sleep(5)
  await scripts('+')
  while ((await stored()) === before) await sleep(5)
  t.deepEqual([...new Set(seen)], [undefined])
  await cache.close()
})
