// What a user has set up on a client, in whatever way, holds for the connections that a cache makes beside
// it; what cannot be kept to is refused at once.
import { once } from 'node:events'
import test from 'ava'
import { Cluster, Redis, type RedisOptions } from 'ioredis'
import { createClient, createClientPool } from 'redis'
import { redis as redisTier } from '../../src/tier/redis/index.ts'
import { installed } from '../router/support.ts'
import {
  at,
  close,
  closeClients,
  connectionsOf,
  io,
  ioAt,
  kept,
  type NodeOptions,
  node,
  nodeAt,
  type Place,
  place,
  sessionOf,
  USER,
} from './clients.ts'
import { fresh, Host } from './sessions.ts'

const check = installed('redis-server') ? test : test.skip
test.after.always(closeClients)

/** What connections are to be like. */
interface Expected {
  database?: number
  user?: string
  name?: string
  prefix?: string
}

/** One way to set something up, and what it comes to. */
interface Way extends Expected {
  way: string
  client(place: Place): Promise<object>
}

const ioredis: Way[] = [
  { way: 'db', database: 5, client: p => io(ioAt(p, { db: 5 })) },
  { way: 'all in a URL', database: 5, user: 'app', client: at },
  { way: 'select()', database: 5, client: p => io(ioAt(p), c => c.select(5)) },
  { way: 'select() over db', database: 5, client: p => io(ioAt(p, { db: 3 }), c => c.select(5)) },
  { way: "call('select')", database: 5, client: p => io(ioAt(p), c => c.call('select', '5')) },
  {
    way: 'select() that is not answered yet',
    database: 5,
    client: p =>
      io(ioAt(p), c => {
        void c.select(5)
      }),
  },
  {
    way: 'select() before it connects',
    database: 5,
    client: p =>
      io(ioAt(p, { lazyConnect: true }), c => {
        void c.select(5)
      }),
  },
  { way: 'username', user: 'app', client: p => io(ioAt(p, USER)) },
  {
    way: 'RESP2',
    database: 5,
    user: 'app',
    client: p => io(ioAt(p, { protocol: 2, db: 5, ...USER })),
  },
  { way: 'connectionName', name: 'mine', client: p => io(ioAt(p, { connectionName: 'mine' })) },
  {
    way: 'CLIENT SETNAME',
    name: 'mine',
    client: p => io(ioAt(p), c => c.client('SETNAME', 'mine')),
  },
  { way: 'keyPrefix', prefix: 'pre:', client: p => io(ioAt(p, { keyPrefix: 'pre:' })) },
  { way: 'stringNumbers', client: p => io(ioAt(p, { stringNumbers: true })) },
  { way: 'replyMapping', client: p => io(ioAt(p, { replyMapping: 'resp3' } as RedisOptions)) },
  { way: 'enableAutoPipelining', client: p => io(ioAt(p, { enableAutoPipelining: true })) },
  { way: 'commandTimeout', client: p => io(ioAt(p, { commandTimeout: 10_000 })) },
  { way: 'readOnly', client: p => io(ioAt(p, { readOnly: true })) },
  { way: 'lazyConnect', database: 5, client: p => io(ioAt(p, { lazyConnect: true, db: 5 })) },
  {
    way: 'enableOfflineQueue: false',
    database: 5,
    client: p => io(ioAt(p, { enableOfflineQueue: false, db: 5 })),
  },
  { way: 'retryStrategy: null', client: p => io(ioAt(p, { retryStrategy: null } as never)) },
  { way: 'maxRetriesPerRequest: null', client: p => io(ioAt(p, { maxRetriesPerRequest: null })) },
  { way: 'maxRetriesPerRequest: 0', client: p => io(ioAt(p, { maxRetriesPerRequest: 0 })) },
  { way: 'reconnectOnError', client: p => io(ioAt(p, { reconnectOnError: () => 2 })) },
  { way: 'enableReadyCheck: false', client: p => io(ioAt(p, { enableReadyCheck: false })) },
  { way: 'socketTimeout', client: p => io(ioAt(p, { socketTimeout: 20_000 })) },
  { way: 'disableClientInfo', client: p => io(ioAt(p, { disableClientInfo: true })) },
  {
    way: 'autoResendUnfulfilledCommands: false',
    client: p => io(ioAt(p, { autoResendUnfulfilledCommands: false })),
  },
  {
    way: 'keyPrefix, a database and a name',
    database: 5,
    prefix: 'pre:',
    name: 'mine',
    client: p => io(ioAt(p, { keyPrefix: 'pre:', db: 5, connectionName: 'mine' })),
  },
  {
    way: 'its own duplicate()',
    database: 5,
    name: 'own',
    client: async p => {
      const client = await io(ioAt(p, { db: 5, connectionName: 'own' }))
      const { duplicate } = client
      client.duplicate = more => duplicate.call(client, { ...more, connectionName: 'own' })
      return client
    },
  },
  {
    way: 'a class of its own',
    database: 5,
    client: async p => {
      class Mine extends Redis {}
      const client = kept(Reflect.construct(Mine, [ioAt(p, { db: 5 })]) as Mine)
      await once(client, 'ready')
      return client
    },
  },
  { way: 'a socket', client: p => io({ path: p.path, password: 'root' }) },
  {
    way: 'TLS',
    client: p => io({ port: p.tls, host: '127.0.0.1', password: 'root', tls: { ca: p.ca } }),
  },
]

const nodeRedis: Way[] = [
  { way: 'database', database: 5, client: p => node(nodeAt(p, { database: 5 })) },
  {
    way: 'all in a URL',
    database: 5,
    user: 'app',
    client: p => node({ url: `redis://app:secret@127.0.0.1:${p.port}/5` }),
  },
  {
    way: 'select() over a URL',
    database: 5,
    client: p => node({ url: `redis://:root@127.0.0.1:${p.port}/3` }, c => void c.select(5)),
  },
  { way: 'select()', database: 5, client: p => node(nodeAt(p), c => c.select(5).then(() => c)) },
  {
    way: 'SELECT',
    database: 5,
    client: p => node(nodeAt(p), c => c.sendCommand(['SELECT', '5']).then(() => c)),
  },
  {
    way: 'select() that is not answered yet',
    database: 5,
    client: p => node(nodeAt(p), c => void c.select(5)),
  },
  { way: 'username', user: 'app', client: p => node(nodeAt(p, USER)) },
  {
    way: 'credentialsProvider',
    user: 'app',
    client: p =>
      node({
        socket: { port: p.port, host: '127.0.0.1' },
        credentialsProvider: { type: 'async-credentials-provider', credentials: async () => USER },
      }),
  },
  {
    way: 'RESP2',
    database: 5,
    user: 'app',
    client: p => node(nodeAt(p, { RESP: 2, database: 5, ...USER })),
  },
  {
    way: 'RESP3',
    database: 5,
    user: 'app',
    client: p => node(nodeAt(p, { RESP: 3, database: 5, ...USER })),
  },
  { way: 'name', name: 'mine', client: p => node(nodeAt(p, { name: 'mine' })) },
  {
    way: 'CLIENT SETNAME',
    name: 'mine',
    client: p => node(nodeAt(p), c => c.sendCommand(['CLIENT', 'SETNAME', 'mine']).then(() => c)),
  },
  {
    way: 'keyPrefix',
    prefix: 'pre:',
    client: p => node(nodeAt(p, { keyPrefix: 'pre:' } as NodeOptions)),
  },
  {
    way: 'commandOptions: types',
    client: p =>
      node(nodeAt(p, { commandOptions: { typeMapping: { 58: String, 36: Buffer, 43: Buffer } } })),
  },
  {
    way: 'commandOptions: a time limit',
    client: p => node(nodeAt(p, { commandOptions: { timeout: 9_000 } })),
  },
  {
    way: 'withTypeMapping()',
    client: p => node(nodeAt(p), c => c.withTypeMapping({ 58: String })) as never,
  },
  {
    way: 'clientSideCache',
    client: p => node(nodeAt(p, { RESP: 3, clientSideCache: { ttl: 1000 } } as NodeOptions)),
  },
  {
    way: 'emitInvalidate',
    client: p => node(nodeAt(p, { RESP: 3, emitInvalidate: true } as NodeOptions)),
  },
  { way: 'disableOfflineQueue', client: p => node(nodeAt(p, { disableOfflineQueue: true })) },
  { way: 'commandsQueueMaxLength', client: p => node(nodeAt(p, { commandsQueueMaxLength: 100 })) },
  {
    way: 'socket.reconnectStrategy: false',
    client: p =>
      node(nodeAt(p, { socket: { port: p.port, host: '127.0.0.1', reconnectStrategy: false } })),
  },
  {
    way: 'socket.connectTimeout and socketTimeout',
    client: p =>
      node(
        nodeAt(p, {
          socket: {
            ...{ port: p.port, host: '127.0.0.1' },
            ...{ connectTimeout: 20_000, socketTimeout: 20_000 },
          },
        }),
      ),
  },
  { way: 'clientInfoTag', client: p => node(nodeAt(p, { clientInfoTag: 'mine' })) },
  { way: 'disableClientInfo', client: p => node(nodeAt(p, { disableClientInfo: true })) },
  { way: 'unref()', client: p => node(nodeAt(p), c => void c.unref()) },
  {
    way: 'a database, a name and a prefix',
    database: 5,
    name: 'mine',
    prefix: 'pre:',
    client: p => node(nodeAt(p, { database: 5, name: 'mine', keyPrefix: 'pre:' } as NodeOptions)),
  },
  {
    way: 'its own duplicate()',
    database: 5,
    name: 'own',
    client: p =>
      node(nodeAt(p, { database: 5, name: 'own' }), c => {
        const { duplicate } = c
        const mine = (more: object) => duplicate.call(c as never, { ...more, name: 'own' } as never)
        c.duplicate = mine as never
      }),
  },
  { way: 'pingInterval', client: p => node(nodeAt(p, { pingInterval: 50 })) },
  {
    way: 'a socket',
    client: p => node({ socket: { path: p.path, tls: false }, password: 'root' }),
  },
  {
    way: 'TLS',
    client: p =>
      node({ socket: { port: p.tls, host: '127.0.0.1', tls: true, ca: p.ca }, password: 'root' }),
  },
]

for (const [library, ways] of Object.entries({ ioredis, 'node-redis': nodeRedis })) {
  check(`what is set up on a client holds for the connections beside it: ${library}`, async t => {
    t.timeout(600_000)
    const there = await place(t)
    for (const { way, client: open, ...expected } of ways) {
      const { database = 0, user, name, prefix = '' } = expected
      for (const mode of ['tracking', 'bus'] as const) {
        const client = await open(there)
        const title = `${way}, ${mode}`
        const tierName = `c${Math.random()}`
        const hosts = [new Host(tierName), new Host(tierName)] as const
        const options = { timeout: '20s', invalidation: { mode, bound: '20s' } } as const
        const [a, b] = [
          sessionOf(t, client, options, hosts[0]),
          sessionOf(t, client, options, hosts[1]),
        ]
        await Promise.all([a.ready, b.ready])
        t.deepEqual(
          hosts.flatMap(({ failures }) => failures),
          [],
          title,
        )
        t.true(await a.set('k', fresh('v')), title)
        await hosts[1].hears('k')
        t.is((await b.get('k'))?.encoded, 'v', title)
        await a.delete(['gone'])
        await b.written('free', 20)
        t.is(await there.ask(database, 'EXISTS', `${prefix}${tierName}:k`), 1, title)
        const made = connectionsOf(await there.ask(0, 'CLIENT', 'LIST'))
        t.is(made.length, 5, title)
        for (const one of made) {
          t.is(one.db, String(database), title)
          if (user !== undefined) t.is(one.user, user, title)
          if (name !== undefined) t.is(one.name, name, title)
        }
        t.deepEqual(
          hosts.flatMap(({ failures }) => failures),
          [],
          title,
        )
        await Promise.all([a.close(), b.close()])
        close(client)
        while (connectionsOf(await there.ask(0, 'CLIENT', 'LIST')).length > 0);
      }
    }
  })
}

test('what cannot be kept to is refused when it is given', t => {
  const options = { lazyConnect: true } as const
  const none = [{ host: '127.0.0.1', port: 1 }]
  const wrong: [object, RegExp][] = [
    [new Redis({ ...options, role: 'slave' }), /role: 'slave'/],
    [new Redis({ ...options, monitor: true }), /monitor/],
    [new Cluster(none, { ...options, scaleReads: 'slave' }), /scaleReads: 'slave'/],
    [new Cluster(none, { ...options, scaleReads: 'all' }), /scaleReads: 'all'/],
    [new Cluster(none, { ...options, scaleReads: () => [] as never }), /scaleReads/],
    [createClientPool(), /pool/],
    [new Redis(options).pipeline(), /client of ioredis or of node-redis/],
    [createClient().multi(), /client of ioredis or of node-redis/],
  ]
  for (const [client, message] of wrong) {
    t.throws(() => redisTier(client), { code: 'ERR_INVALID_OPTION', message })
  }
})
