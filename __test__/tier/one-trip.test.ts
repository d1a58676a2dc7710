// What a value costs that only the second tier has: one command, and no timer of its own.
import { createHook } from 'node:async_hooks'
import test from 'ava'
import { Cache } from '../../src/index.ts'
import { redis as tier } from '../../src/tier/redis/index.ts'
import { installed, redis } from '../router/support.ts'
import { connect, libraries } from './invalidation.ts'

const check = installed('redis-server') ? test.serial : test.skip

/** Keys that are written, and how many of them the process holds: those before are only in Redis. */
const KEYS = 400
const HELD = 16

/** How many timers are set while something is done. */
async function timersSet(act: () => Promise<void>): Promise<number> {
  let count = 0
  const hook = createHook({
    init(_, type) {
      if (type === 'Timeout') count++
    },
  }).enable()
  try {
    await act()
  } finally {
    hook.disable()
  }
  return count
}

for (const library of libraries) {
  check(`a value that only Redis has costs one command, and no timer: ${library}`, async t => {
    t.timeout(60_000)
    const { port } = await redis(t)
    const { client, send } = await connect(t, library, port)
    const cache = new Cache<string, string>({
      name: `one trip ${Math.random()}`,
      max: HELD,
      ttl: '1h',
      // Signs of life have commands and timers of their own, and none comes in between.
      tier: tier(client, { timeout: '20s', invalidation: { heartbeat: '1d', bound: '2d' } }),
    })
    t.teardown(() => cache.close())
    await cache.ready
    const keys = Array.from({ length: KEYS }, (_, id) => `user:${id}`)
    for (const key of keys) await cache.put(key, `value of ${key}`)
    const counted = async () => {
      const lines = String(await send('INFO', 'commandstats')).split('\r\n')
      const calls = new Map<string, number>()
      for (const line of lines) {
        const [, command, count] = /^cmdstat_(.+):calls=(\d+)/.exec(line) ?? []
        if (command !== undefined) calls.set(command, Number(count))
      }
      return calls
    }
    const read = async () => {
      for (const key of keys) {
        const value = await cache.getOrSet(key, () => t.fail(`${key} was loaded`))
        t.is(value, `value of ${key}`)
      }
    }
    // The first reads ask for the server's time as well.
    await read()
    const hits = cache.stats().tierHits
    const before = await counted()
    const set = await timersSet(read)
    const after = await counted()
    const asked = cache.stats().tierHits - hits
    t.true(asked > KEYS - 2 * HELD, `${asked} were asked for`)
    const more = (command: string) => (after.get(command) ?? 0) - (before.get(command) ?? 0)
    t.is(more('mget'), asked)
    for (const command of ['get', 'time', 'eval', 'evalsha', 'getrange']) t.is(more(command), 0)
    // Some are of the libraries.
    t.true(set < asked / 20, `${set} timers for ${asked} reads`)
  })
}
