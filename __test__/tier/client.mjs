// A process that opens a cache over a client of a library, does something, closes the client and not the
// cache, and so should end. Not TypeScript, since it is what makes TypeScript work there.
import { Cluster, Redis } from 'ioredis'
import { createClient, createCluster, createSentinel } from 'redis'
import { register } from 'tsx/esm/api'

register()
const { Cache } = await import('../../src/index.ts')
const { redis } = await import('../../src/tier/redis/index.ts')

const { library, how, mode, ports } = JSON.parse(process.argv[2])
const makers = {
  ioredis: {
    single: at => new Redis(at),
    cluster: at => new Cluster([at], { slotsRefreshTimeout: 30_000 }),
    sentinel: at => new Redis({ sentinels: [at], name: 'm' }),
  },
  'node-redis': {
    single: at => createClient({ socket: at }),
    cluster: at => createCluster({ rootNodes: [{ socket: at }] }),
    sentinel: at => createSentinel({ name: 'm', sentinelRootNodes: [at] }),
  },
}
const told = {}
for (const [kind, port] of Object.entries(ports)) {
  const client = makers[library][kind]({ host: '127.0.0.1', port })
  client.on('error', () => {})
  if (library === 'node-redis') await client.connect()
  told[kind] = []
  for (const name of ['a', 'b']) {
    const tier = redis(client, { timeout: '20s', invalidation: { mode, bound: '20s' } })
    const cache = new Cache({ name: `${kind} ${name}`, max: 100, codec: 'string', tier })
    cache.on('tier', ({ state, error }) => told[kind].push(state, error?.message ?? ''))
    await cache.ready
    await cache.put('k', 'v')
  }
  await client[how]()
}
process.on('exit', () => console.log(JSON.stringify(told)))
