// A process that opens a cache over a client of a library, does something, closes the client and not the
// cache, and so should end. Not TypeScript, since it is what makes TypeScript work there.
import { Cluster, Redis } from 'ioredis'
import { createClient, createCluster, createSentinel } from 'redis'
import { register } from 'tsx/esm/api'

register()
const { Cache } = await import('../../src/index.ts')
const { redis } = await import('../../src/tier/redis/index.ts')

const { library, kind, how, port, mode } = JSON.parse(process.argv[2])
const at = { host: '127.0.0.1', port }
const makers = {
  'ioredis single': () => new Redis(at),
  'ioredis cluster': () => new Cluster([at], { slotsRefreshTimeout: 30_000 }),
  'ioredis sentinel': () => new Redis({ sentinels: [at], name: 'm' }),
  'node-redis single': () => createClient({ socket: at }),
  'node-redis cluster': () => createCluster({ rootNodes: [{ socket: at }] }),
  'node-redis sentinel': () => createSentinel({ name: 'm', sentinelRootNodes: [at] }),
}
const client = makers[`${library} ${kind}`]()
client.on('error', () => {})
if (library === 'node-redis') await client.connect()
const caches = ['a', 'b'].map(name => {
  const invalidation = { mode, heartbeat: 100, bound: 5000 }
  const tier = redis(client, { timeout: '20s', invalidation })
  return new Cache({ name, max: 100, codec: 'string', tier, loader: key => key })
})
const told = []
for (const cache of caches) {
  cache.on('tier', ({ state, error }) => told.push(state, error?.message ?? ''))
  await cache.ready
  await cache.put('k', 'v')
}
await client[how]()
process.on('exit', () => console.log(JSON.stringify(told)))
