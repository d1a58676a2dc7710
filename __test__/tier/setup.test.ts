// What a user has set up on a client, in whatever way, holds for the connections that a cache makes beside
// it; what cannot be kept to is refused at once.
import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { Cluster, Redis, type RedisOptions } from 'ioredis'
import { createClient, createClientPool, createCluster, createSentinel } from 'redis'
import { redis as redisTier } from '../../src/tier/redis/index.ts'
import { folderOf } from '../helpers/folders.ts'
import { freePort, installed, redis } from '../router/support.ts'
import { cluster, connectSentinel } from './invalidation.ts'
import { fresh, Host } from './sessions.ts'

const check = installed('redis-server') ? test : test.skip
const fleet = installed('redis-server') && installed('redis-cli') ? test.serial : test.skip

/** A server with users, TLS and a socket, and how to see what it has. */
interface Place {
  port: number
  tls: number
  path: string
  ca: Buffer
  /** Asks in a database, by the user that may do anything. */
  ask(database: number, ...args: string[]): Promise<unknown>
}

const USER = { username: 'app', password: 'secret' }

async function place(t: ExecutionContext): Promise<Place> {
  const dir = folderOf(t, 'setup')
  const [key, cert] = ['key.pem', 'cert.pem'].map(name => join(dir, name)) as [string, string]
  const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=IP:127.0.0.1']
  const made = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1']
  const files = ['-nodes', '-days', '2', '-keyout', key, '-out', cert]
  execFileSync('openssl', [...made, ...files, ...subject], { stdio: 'ignore' })
  const [tls, path] = [await freePort(), join(dir, 'redis.sock')]
  const secure = ['--tls-cert-file', cert, '--tls-key-file', key, '--tls-auth-clients', 'no']
  const more = ['--tls-port', `${tls}`, ...secure, '--unixsocket', path, '--requirepass', 'root']
  const { port } = await redis(t, ...more)
  const admin = new Redis({ port, host: '127.0.0.1', password: 'root', connectionName: 'admin' })
  t.teardown(() => admin.disconnect())
  await admin.call('ACL', 'SETUSER', 'app', 'on', '>secret', '~*', '&*', '+@all')
  return {
    port,
    tls,
    path,
    ca: readFileSync(cert),
    async ask(database, ...args) {
      const [, [, reply]] = (await admin
        .pipeline()
        .select(database)
        .call(...(args as [string]))
        .exec()) as [unknown, [unknown, unknown]]
      return reply
    },
  }
}

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

async function io(options: RedisOptions, then?: (client: Redis) => unknown): Promise<Redis> {
  const client = Reflect.construct(Redis, [options]) as Redis
  client.on('error', () => {})
  await then?.(client)
  if (client.status !== 'ready' && !options.lazyConnect) await once(client, 'ready')
  return client
}

type NodeOptions = NonNullable<Parameters<typeof createClient>[0]>

async function node(
  options: NodeOptions,
  then?: (client: ReturnType<typeof createClient>) => unknown,
) {
  const client = createClient(options) as ReturnType<typeof createClient>
  client.on('error', () => {})
  await client.connect()
  return (await then?.(client)) ?? client
}

const ioAt = ({ port }: Place, more: RedisOptions = {}) => ({
  port,
  host: '127.0.0.1',
  password: 'root',
  ...more,
})
const nodeAt = ({ port }: Place, more: NodeOptions = {}): NodeOptions => ({
  socket: { port, host: '127.0.0.1' },
  password: 'root',
  ...more,
})

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
      const client = Reflect.construct(Mine, [ioAt(p, { db: 5 })]) as Mine
      client.on('error', () => {})
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

function at({ port }: Place): Promise<Redis> {
  const client = new Redis(`redis://app:secret@127.0.0.1:${port}/5`)
  client.on('error', () => {})
  return once(client, 'ready').then(() => client)
}

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

/** The connections that a server has, but for the one that asks. */
function connectionsOf(text: unknown): Record<string, string>[] {
  return String(text)
    .trim()
    .split('\n')
    .map(line =>
      Object.fromEntries(line.split(' ').map(part => part.split('=') as [string, string])),
    )
    .filter(({ name }) => name !== 'admin')
}

function close(client: object): void {
  if ('disconnect' in client && 'status' in client) (client as Redis).disconnect()
  else (client as ReturnType<typeof createClient>).destroy()
}

for (const [library, ways] of Object.entries({ ioredis, 'node-redis': nodeRedis })) {
  check(`what is set up on a client holds for the connections beside it: ${library}`, async t => {
    t.timeout(120_000)
    const there = await place(t)
    for (const { way, client: open, ...expected } of ways) {
      const { database = 0, user, name, prefix = '' } = expected
      for (const mode of ['tracking', 'bus'] as const) {
        const client = await open(there)
        const title = `${way}, ${mode}`
        const tierName = `c${Math.random()}`
        const hosts = [new Host(tierName), new Host(tierName)] as const
        const tier = redisTier(client, { timeout: '20s', invalidation: { mode, bound: '20s' } })
        const [a, b] = hosts.map(host => tier.open(host)) as [
          ReturnType<typeof tier.open>,
          ReturnType<typeof tier.open>,
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

check('a user that only a command has said is refused with the reason', async t => {
  const there = await place(t)
  await there.ask(0, 'CONFIG', 'SET', 'requirepass', '')
  await there.ask(0, 'ACL', 'SETUSER', 'default', 'nopass')
  const { port } = there
  const clients: object[] = [
    await io({ port, host: '127.0.0.1' }, c => c.auth('app', 'secret')),
    await node({ socket: { port, host: '127.0.0.1' } }, c =>
      c.sendCommand(['AUTH', 'app', 'secret']).then(() => c),
    ),
  ]
  for (const client of clients) t.teardown(() => close(client))
  for (const closed of [false, true]) {
    // With a default user that may do anything, and with one that has a password.
    if (closed) await there.ask(0, 'ACL', 'SETUSER', 'default', 'resetpass', '>other')
    for (const client of clients) {
      const host = new Host('refused')
      const session = redisTier(client, { timeout: '20s' }).open(host)
      await session.ready
      const [operation, error] = host.failures.at(-1)!
      t.is(operation, 'invalidation')
      t.regex(error.message, /cannot have its user.*`username` and `password`/)
      t.notRegex(error.message, /secret/)
      t.true(await session.set('k', fresh('v')), 'its own connection is of use all the same')
      await session.close()
    }
  }
})

/** What a user may not do, and the operations that are told to fail then. */
const rights: [rule: string, failing: string[]][] = [
  ['+@all', []],
  ['-select', []],
  ['-@dangerous', []],
  ['-publish', []],
  ['-client|info', []],
  ['-client', ['invalidation']],
  ['-client|tracking', ['invalidation']],
  ['-ping', []],
  ['-subscribe', ['invalidation']],
  ['resetchannels', ['invalidation']],
  ['-@connection', ['invalidation']],
  ['-set', ['clear', 'hot', 'invalidateTag', 'lease', 'set']],
  ['-@scripting', ['clear', 'delete', 'invalidateTag', 'set']],
  ['-@write', ['clear', 'delete', 'hot', 'invalidateTag', 'invalidation', 'lease', 'set']],
]

for (const library of ['ioredis', 'node-redis'] as const) {
  check(`what a user has no right to is told, and nothing waits for it: ${library}`, async t => {
    t.timeout(240_000)
    const { port, ask } = await place(t)
    const few = { username: 'few', password: 'secret' }
    for (const [rule, failing] of rights) {
      const rules = ['on', '>secret', '~*', '&*', '+@all', rule]
      await ask(0, 'ACL', 'SETUSER', 'few', 'reset', ...rules)
      const client =
        library === 'ioredis'
          ? await io({ port, host: '127.0.0.1', ...few })
          : await node({ socket: { port, host: '127.0.0.1' }, ...few })
      const host = new Host('rights')
      const breaker = { failures: 1000 }
      // No sign of life is asked for meanwhile.
      const invalidation = { heartbeat: '1m', bound: '2m' } as const
      const session = redisTier(client, { timeout: '20s', breaker, invalidation }).open(host)
      await session.ready
      const isDeaf = host.failures.length > 0
      await session.set('k', fresh('v'))
      await session.get('k')
      await session.lease('k', 1)
      await session.delete(['k'])
      await session.invalidateTag('tag')
      await session.publishHot([{ key: 'k', count: 1 }])
      await session.clear()
      await session.close()
      close(client)
      // A write that was refused makes it ask whether the server still is what it was.
      const later = host.failures.filter(
        ([operation]) => operation !== 'publish' && operation !== 'invalidation',
      )
      const told = new Set(later.map(([operation]) => operation))
      if (isDeaf) told.add('invalidation')
      t.deepEqual([...told].sort(), failing, rule)
      for (const [, error] of host.failures) {
        t.regex(error.message, /NOPERM|does not track|can't run this command/, rule)
      }
    }
  })
}

check('the database of a client holds where the server has no CLIENT INFO', async t => {
  t.timeout(120_000)
  const there = await place(t)
  await there.ask(0, 'ACL', 'SETUSER', 'old', 'on', '>secret', '~*', '&*', '+@all', '-client|info')
  const old = { username: 'old', password: 'secret' }
  const clients: object[] = [
    await io(ioAt(there, old), c => c.call('select', '5')),
    await node(nodeAt(there, old), c => c.select(5).then(() => c)),
    await node(nodeAt(there, old), c => c.sendCommand(['SELECT', '5']).then(() => c)),
  ]
  for (const client of clients) {
    const host = new Host('old')
    const session = redisTier(client, { timeout: '20s', invalidation: { bound: '20s' } }).open(host)
    await session.ready
    const made = connectionsOf(await there.ask(0, 'CLIENT', 'LIST'))
    for (const { db, name } of made.filter(({ user }) => user === 'old')) t.is(db, '5', name)
    t.true(await session.set('k', fresh('v')))
    t.is(await there.ask(5, 'EXISTS', 'old:k'), 1)
    await session.close()
    close(client)
  }
})

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

fleet('what is set up on a client of a cluster holds as well', async t => {
  t.timeout(120_000)
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
    ;(client as Redis).on('error', () => {})
    if (client instanceof Cluster) {
      if (client.status === 'wait') await client.connect()
      if (client.status !== 'ready') await once(client, 'ready')
    } else await (client as ReturnType<typeof createCluster>).connect()
    const name = `c${Math.random()}`
    const hosts = [new Host(name), new Host(name)] as const
    const given = { timeout: '20s', invalidation: { bound: '20s' } } as const
    const [a, b] = hosts.map(host => redisTier(client, given).open(host))
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
  t.timeout(120_000)
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
    ;(client as Redis).on('error', () => {})
    if (!(client instanceof Cluster)) await (client as ReturnType<typeof createCluster>).connect()
    else if (client.status !== 'ready') await once(client, 'ready')
    const host = new Host(`c${Math.random()}`)
    const given = { timeout: '20s', invalidation: { bound: '20s' } } as const
    const session = redisTier(client, given).open(host)
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
    ;(client as Redis).on('error', () => {})
    if (client instanceof Redis) await once(client, 'ready')
    else await (client as ReturnType<typeof createSentinel>).connect()
    const host = new Host(`c${Math.random()}`)
    const session = redisTier(client, { timeout: '20s', invalidation: { mode: 'bus' } }).open(host)
    await session.ready
    t.true(await session.set('k', fresh('v')), way)
    t.is(await ask(5, 'EXISTS', `${host.name}:k`), 1, way)
    t.deepEqual(host.failures, [], way)
    await session.close()
    close(client)
  }
})
