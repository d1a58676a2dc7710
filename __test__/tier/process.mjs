// A process of a fleet that shares a server: opens a cache over it, and does what it is told. Not
// TypeScript, since it is what makes TypeScript work there.
import { Redis } from 'ioredis'
import { createClient } from 'redis'
import { register } from 'tsx/esm/api'

register()
const { Cache } = await import('../../src/index.ts')
const { redis } = await import('../../src/tier/redis/index.ts')

const { library, port, protocol, mode } = JSON.parse(process.argv[2])
const address = { host: '127.0.0.1', port }
const client =
  library === 'ioredis'
    ? new Redis({ ...address, protocol })
    : createClient({ socket: address, RESP: protocol })
client.on('error', () => {})
if (library !== 'ioredis') await client.connect()

let loads = 0
const cache = new Cache({
  name: 'fleet',
  max: 1000,
  ttl: '1h',
  codec: 'json',
  tierLease: true,
  lockTimeout: '1m',
  onTierLoss: 'drop',
  // Long enough for a machine that is busy.
  tier: redis(client, { timeout: '20s', invalidation: { mode, bound: '20s' } }),
  loader: async key => {
    loads++
    await new Promise(resolve => setTimeout(resolve, 50))
    return `${key} by ${process.pid}`
  },
})
const states = []
cache.on('tier', ({ state }) => states.push(state))

const acts = {
  ready: () => cache.ready.then(() => true),
  put: (key, value, options) => cache.put(key, value, options),
  remove: key => cache.remove(key),
  clear: () => cache.clear(),
  fetch: key => cache.fetch(key),
  get: key => cache.get(key) ?? null,
  tag: tag => cache.invalidateTag(tag),
  loads: () => loads,
  states: () => states,
  async end() {
    await cache.close()
    if (library === 'ioredis') client.disconnect()
    else client.destroy()
    process.disconnect()
  },
}
process.on('message', async ({ id, act, args }) => {
  const answer = await acts[act](...args)
  if (process.connected) process.send({ id, answer })
})
process.send({ id: 0, answer: 'here' })
