// What a user has set up on a client of a cluster, or of servers behind sentinels, holds for the connections
// that a cache makes beside it.
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import test, { type ExecutionContext } from 'ava'
import { Cluster, Redis } from 'ioredis'
import { createCluster, createSentinel } from 'redis'
import { installed } from '../router/support.ts'
import { close, closeClients, connectionsOf, kept, place, sessionOf, USER } from './clients.ts'
import { cluster, connectSentinel } from './invalidation.ts'
import { fresh, Host } from './sessions.ts'

const fleet = installed('redis-server') && installed('redis-cli') ? test.serial : test.skip
test.after.always(closeClients)

fleet('what is set up on a client of a cluster holds as well', async t => {
  t.timeout(600_000)
  const nodes = await cluster(t)
  const admins = nodes.map(({ port }) => new Redis({ port, connectionName: 'admin' }))
  for (const admin of admins) {
    t.teardown(() => admin.disconnect())
    await admin.call('ACL', 'SETUSER', 'app', 'on', '>secret', '~*', '&*', '+@all')
  }
  const at = nodes.map(({ port }) => ({ port, host: '127.0.0.1' }))
  const patient = { slotsRefreshTimeout: 30_000 }
  const rootNodes = at.map(socket => ({ socket }))
  const ways: [way: string, prefix: string, client: object][] = [
    [
      'ioredis, lazyConnect, no offline queue',
      '',
      new Cluster(at, {
        ...patient,
        redisOptions: USER,
        lazyConnect: true,
        enableOfflineQueue: false,
      }),
    ],
    [
      'ioredis, no ready check, no retries',
      '',
      new Cluster(at, {
        ...patient,
        ...{ enableReadyCheck: false, retryDelayOnFailover: 0, clusterRetryStrategy: () => null },
        redisOptions: { ...USER, maxRetriesPerRequest: null },
      }),
    ],
    ['ioredis, redisOptions', '', new Cluster(at, { ...patient, redisOptions: USER })],
    [
      'ioredis, keyPrefix',
      'p:',
      new Cluster(at, { ...patient, keyPrefix: 'p:', redisOptions: USER }),
    ],
    [
      'ioredis, enableAutoPipelining',
      '',
      new Cluster(at, { ...patient, redisOptions: USER, enableAutoPipelining: true }),
    ],
    ['ioredis, NAT', '', new Cluster(at, { ...patient, redisOptions: USER, natMap: {} })],
    ['node-redis, defaults', '', createCluster({ rootNodes, defaults: USER })],
    [
      'node-redis, useReplicas',
      '',
      createCluster({ rootNodes, defaults: USER, useReplicas: true }),
    ],
    [
      'node-redis, lazy',
      '',
      createCluster({ rootNodes, defaults: USER, minimizeConnections: true }),
    ],
  ]
  for (const [way, prefix, client] of ways) {
    kept(client)
    if (client instanceof Cluster) {
      if (client.status === 'wait') await client.connect()
      if (client.status !== 'ready') await once(client, 'ready')
    } else await (client as ReturnType<typeof createCluster>).connect()
    const name = `c${Math.random()}`
    const hosts = [new Host(name), new Host(name)] as const
    const given = { timeout: '20s', invalidation: { bound: '20s' } } as const
    const [a, b] = hosts.map(host => sessionOf(t, client, given, host))
    await Promise.all([a!.ready, b!.ready])
    for (const key of ['a', 'b', 'c', 'd', 'e']) {
      t.true(await a!.set(key, fresh(key)), way)
      await hosts[1].hears(key)
      t.is((await b!.get(key))?.encoded, key, way)
    }
    t.deepEqual(
      hosts.flatMap(({ failures }) => failures),
      [],
      way,
    )
    let found = 0
    for (const admin of admins) {
      found += ((await admin.keys(`${prefix}${name}:*`)) as string[]).length
      for (const { user, flags } of connectionsOf(await admin.client('LIST'))) {
        t.true(user === 'app', `${way}: ${user} ${flags}`)
      }
    }
    t.is(found, 5, way)
    await Promise.all([a!.close(), b!.close()])
    close(client)
  }
})

/** Another address of a server, and the ports from which it was reached by that. */
async function forwarded(t: ExecutionContext, port: number) {
  const from = new Set<number>()
  const open = new Set<Socket>()
  const server = createServer(near => {
    const far = connect(port, '127.0.0.1', () => from.add(far.localPort as number))
    for (const [one, other] of [
      [near, far],
      [far, near],
    ] as const) {
      open.add(one)
      one.on('error', () => {}).on('close', () => other.destroy())
      one.pipe(other)
    }
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    server.close()
    for (const socket of open) socket.destroy()
  })
  return { port: (server.address() as AddressInfo).port, from }
}

fleet('servers of a cluster are reached by the addresses that the user maps them to', async t => {
  t.timeout(600_000)
  const nodes = await cluster(t)
  const ways = await Promise.all(nodes.map(({ port }) => forwarded(t, port)))
  const at = ways.map(({ port }) => ({ host: '127.0.0.1', port }))
  const map = Object.fromEntries(nodes.map(({ port }, i) => [`127.0.0.1:${port}`, at[i]!]))
  const rootNodes = at.map(socket => ({ socket }))
  const clients: Record<string, object> = {
    natMap: new Cluster(at, { slotsRefreshTimeout: 30_000, natMap: map }),
    'natMap, a function': new Cluster(at, {
      slotsRefreshTimeout: 30_000,
      natMap: address => map[address] ?? null,
    }),
    nodeAddressMap: createCluster({ rootNodes, nodeAddressMap: map }),
    'nodeAddressMap, a function': createCluster({
      rootNodes,
      nodeAddressMap: address => map[address] as { host: string; port: number },
    }),
  }
  for (const [way, client] of Object.entries(clients)) {
    kept(client)
    if (!(client instanceof Cluster)) await (client as ReturnType<typeof createCluster>).connect()
    else if (client.status !== 'ready') await once(client, 'ready')
    const host = new Host(`c${Math.random()}`)
    const given = { timeout: '20s', invalidation: { bound: '20s' } } as const
    const session = sessionOf(t, client, given, host)
    await session.ready
    for (const key of ['a', 'b', 'c', 'd', 'e']) t.true(await session.set(key, fresh(key)), way)
    t.deepEqual(host.failures, [], way)
    for (const [i, { port }] of nodes.entries()) {
      const admin = new Redis({ port, connectionName: 'admin' })
      for (const { addr, name, flags } of connectionsOf(await admin.client('LIST'))) {
        const own = flags?.includes('M') || flags?.includes('S')
        const isMapped = ways[i]!.from.has(Number(addr?.split(':').at(-1)))
        t.true(own || isMapped, `${way}: ${addr} ${name} ${flags}`)
      }
      admin.disconnect()
    }
    await session.close()
    close(client)
  }
})

fleet('what is set up behind sentinels holds as well', async t => {
  const { port, ask } = await place(t)
  await ask(0, 'CONFIG', 'SET', 'requirepass', '')
  await ask(0, 'ACL', 'SETUSER', 'default', 'on', 'nopass')
  const watched = await connectSentinel(t, 'ioredis', { port } as never)
  const { sentinels } = (watched.client as Redis).options as {
    sentinels: [{ host: string; port: number }]
  }
  const ways: [string, object][] = [
    ['ioredis', new Redis({ sentinels, name: 'm', db: 5, ...USER })],
    [
      'node-redis',
      createSentinel({
        name: 'm',
        sentinelRootNodes: sentinels,
        nodeClientOptions: { database: 5, ...USER },
      }),
    ],
  ]
  for (const [way, client] of ways) {
    kept(client)
    if (client instanceof Redis) await once(client, 'ready')
    else await (client as ReturnType<typeof createSentinel>).connect()
    const host = new Host(`c${Math.random()}`)
    const given = { timeout: '20s', invalidation: { mode: 'bus', bound: '20s' } } as const
    const session = sessionOf(t, client, given, host)
    await session.ready
    t.true(await session.set('k', fresh('v')), way)
    t.is(await ask(5, 'EXISTS', `${host.name}:k`), 1, way)
    t.deepEqual(host.failures, [], way)
    await session.close()
    close(client)
  }
})
