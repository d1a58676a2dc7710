// A thread of a test's process that opens the cache by the name that the test gives it, over its own
// connection, and does what it is told. Not TypeScript, since it is what makes TypeScript work there.
import { parentPort as port, workerData } from 'node:worker_threads'
import { Redis } from 'ioredis'
import { register } from 'tsx/esm/api'

register()
const { Cache } = await import('../../src/index.ts')
const { redis } = await import('../../src/tier/redis/index.ts')

const { name, tierName, redisPort, invalidation } = workerData
const client = new Redis({ port: redisPort, host: '127.0.0.1' })
const inner = redis(client, { timeout: '20s', invalidation })
const told = []
const tier = {
  open: host =>
    inner.open({
      ...host,
      name: tierName,
      changed(keys) {
        told.push(...keys)
        host.changed(keys)
      },
      cleared() {
        told.push('*')
        host.cleared()
      },
    }),
}
const cache = new Cache({ name, max: 1000, tier, loader: () => undefined })
await cache.ready

const acts = {
  put: (key, value, options) => cache.put(key, value, options),
  remove: key => cache.remove(key),
  fetch: key => cache.fetch(key),
  get: key => cache.get(key),
  clearAndPut(key, value) {
    cache.clear()
    return cache.put(key, value)
  },
  invalidateAndPut(tag, key, value) {
    cache.invalidateTag(tag)
    return cache.put(key, value, { tags: [tag] })
  },
  /** What came from elsewhere, when all that was asked has been answered. */
  async told() {
    await client.ping()
    return told
  },
  async end() {
    await cache.close()
    client.disconnect()
  },
}
port.on('message', async ({ id, act, args }) => {
  port.postMessage({ id, answer: await acts[act](...args) })
  if (act === 'end') port.close()
})
port.postMessage({ id: 0 })
