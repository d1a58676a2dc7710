// A server that is no longer what it was, though it answers: a replica now, one that loads, one whose user
// may no longer write, one whose cluster is down. It is lost within two signs of life, also where nobody
// reads or writes, and heard again when it is what it was, or when the way leads to one that is.
import { once } from 'node:events'
import { type AddressInfo, createServer, connect as dial, type Socket } from 'node:net'
import test, { type ExecutionContext } from 'ava'
import { Redis } from 'ioredis'
import { redis as redisTier } from '../../src/tier/redis/index.ts'
import { installed, redis, type Served } from '../router/support.ts'
import { cluster, connect, connectCluster, libraries } from './invalidation.ts'
import { fresh, Host } from './sessions.ts'

const check = installed('redis-server') ? test : test.skip
const fleet = installed('redis-server') && installed('redis-cli') ? test.serial : test.skip

/** A cache's side that keeps what it is told of its coverage. */
class Covered extends Host {
  readonly told: string[] = []
  #waiting: (() => void)[] = []

  override lost(): void {
    this.#tell('lost')
  }
  override regained(): void {
    this.#tell('regained')
  }

  /** Resolves when this is what it was told last. */
  async is(state: string): Promise<void> {
    while (this.told.at(-1) !== state) {
      await new Promise<void>(resolve => this.#waiting.push(resolve))
    }
  }

  #tell(state: string): void {
    this.told.push(state)
    for (const wake of this.#waiting.splice(0)) wake()
  }
}

type Mode = 'tracking' | 'bus'

async function open(t: ExecutionContext, client: object, mode: Mode) {
  const host = new Covered(`role${Math.random()}`)
  const invalidation = { mode, heartbeat: 50, bound: 20_000 } as const
  const session = redisTier(client, { timeout: '20s', invalidation }).open(host)
  t.teardown(() => session.close())
  t.teardown(() => {
    const failures = host.failures.map(([operation, { message }]) => `${operation}: ${message}`)
    if (!t.passed) console.error(t.title, host.told, failures, host.changes)
  })
  await session.ready
  t.deepEqual(host.told, ['regained'])
  return { host, session }
}

/** Has the server say no for a reason, and yes again. */
interface Change {
  what: string
  /** What the server answers then. */
  error: RegExp
  begin(admin: Redis, server: Served): Promise<unknown>
  end(admin: Redis): Promise<unknown>
}

const changes: Change[] = [
  {
    what: 'became a replica',
    error: /READONLY/,
    begin: admin => admin.replicaof('127.0.0.1', '1'),
    end: admin => admin.replicaof('NO', 'ONE'),
  },
  {
    what: 'is a replica without its master, that serves nothing',
    error: /MASTERDOWN|READONLY/,
    async begin(admin) {
      await admin.config('SET', 'replica-serve-stale-data', 'no')
      await admin.replicaof('127.0.0.1', '1')
    },
    end: admin => admin.replicaof('NO', 'ONE'),
  },
  {
    what: 'no longer lets its user write',
    error: /NOPERM/,
    begin: admin => admin.call('ACL', 'SETUSER', 'default', '-@write'),
    end: admin => admin.call('ACL', 'SETUSER', 'default', '+@all'),
  },
  {
    what: 'no longer lets its user have the keys',
    error: /NOPERM/,
    begin: admin => admin.call('ACL', 'SETUSER', 'default', 'resetkeys', '~other:*'),
    end: admin => admin.call('ACL', 'SETUSER', 'default', 'allkeys'),
  },
  {
    what: 'is busy with a script',
    error: /BUSY|answer/,
    async begin(admin) {
      await admin.config('SET', 'busy-reply-threshold', '1')
      void admin.eval('while true do end', 0).catch(() => {})
    },
    async end(admin) {
      const { port = 0 } = admin.options
      const other = new Redis({ port, host: '127.0.0.1', enableReadyCheck: false })
      other.on('error', () => {})
      while ((await other.script('KILL').catch(() => 'again')) === 'again');
      other.disconnect()
    },
  },
]

for (const library of libraries) {
  for (const mode of ['tracking', 'bus'] as const) {
    check(`a server that answers but is not what it was is lost: ${library}, ${mode}`, async t => {
      t.timeout(180_000)
      for (const { what, error, begin, end } of changes) {
        const server = await redis(t)
        const { client } = await connect(t, library, server.port)
        const admin = new Redis({ port: server.port, host: '127.0.0.1' })
        t.teardown(() => admin.disconnect())
        await admin.call('ACL', 'SETUSER', 'root', 'on', 'nopass', '~*', '&*', '+@all')
        await admin.call('AUTH', 'root', '')
        const { host, session } = await open(t, client, mode)
        await begin(admin, server)
        // Nobody reads or writes.
        await host.is('lost')
        t.deepEqual(host.told, ['regained', 'lost'], what)
        t.regex(String(host.failures.at(-1)![1].message), error, what)
        await end(admin)
        await host.is('regained')
        t.deepEqual(host.told, ['regained', 'lost', 'regained'], what)
        while (!(await session.set('k', fresh('v'))));
        t.is((await session.get('k'))?.encoded, 'v', what)
        await session.close()
      }
    })

    check(`after a failover the way to the new master is taken: ${library}, ${mode}`, async t => {
      t.timeout(180_000)
      const long = { freshFor: 3_600_000 }
      // Else a replica waits for others that may come.
      const soon = ['--repl-diskless-sync-delay', '0']
      const [first, second] = [await redis(t, ...soon), await redis(t, ...soon)]
      const admins = [first, second].map(({ port }) => new Redis({ port, host: '127.0.0.1' }))
      for (const admin of admins) t.teardown(() => admin.disconnect())
      const [old, replica] = admins as [Redis, Redis]
      await replica.replicaof('127.0.0.1', `${first.port}`)
      while (!(await replica.info('replication')).includes('master_link_status:up'));
      // As a name does that leads elsewhere after the failover, for connections that are made then.
      let to = first.port
      const proxy = await passing(t, () => to)
      const { client } = await connect(t, library, proxy)
      const { host, session } = await open(t, client, mode)
      t.true(await session.set('k', fresh('v', long)))
      while ((await old.wait(1, 1_000)) < 1);
      await replica.replicaof('NO', 'ONE')
      // It hears no more of what is written.
      await old.replicaof('127.0.0.1', '1')
      to = second.port
      await host.is('lost')
      await host.is('regained')
      // The user's own connection still leads to the old one: the cache's do not.
      if (mode === 'tracking') {
        t.true(await session.set('k', fresh('new', long)))
        t.is((await session.get('k'))?.encoded, 'new')
      }
      const other = await connect(t, library, second.port)
      const patient = { timeout: '20s', invalidation: { mode, bound: '20s' } } as const
      const beside = redisTier(other.client, patient)
      const writer = beside.open(new Host(host.name))
      t.teardown(() => writer.close())
      await writer.ready
      host.changes.length = 0
      t.true(await writer.set('k', fresh('theirs')))
      await host.hears('k')
    })
  }

  check(`a server that loads is not heard until it is done: ${library}`, async t => {
    t.timeout(180_000)
    const server = await redis(t, '--enable-debug-command', 'yes')
    const { port } = server
    const admin = new Redis({ port, host: '127.0.0.1' })
    t.teardown(() => admin.disconnect())
    const { client } = await connect(t, library, port)
    const { host } = await open(t, client, 'tracking')
    await admin.call('DEBUG', 'POPULATE', '20000', 'filler', '100')
    await admin.config(
      'SET',
      'key-load-delay',
      '100',
      'loading-process-events-interval-bytes',
      '1024',
    )
    // It answers meanwhile, that it loads.
    void admin.call('DEBUG', 'RELOAD', 'NOFLUSH', 'MERGE').catch(() => {})
    await host.is('lost')
    await host.is('regained')
    t.regex(host.failures.map(([, { message }]) => message).join(), /LOADING|answer/)
    t.truthy(server)
  })

  fleet(`a cluster that is down is lost: ${library}`, async t => {
    t.timeout(180_000)
    const nodes = await cluster(t)
    const { client } = await connectCluster(t, library, nodes)
    const { host } = await open(t, client, 'tracking')
    // Its slots are of nobody: the others answer, but for signs of life all commands with an error.
    const admin = new Redis({ port: nodes[1]!.port, host: '127.0.0.1' })
    t.teardown(() => admin.disconnect())
    const slots = (await admin.cluster('SLOTS')) as unknown as [number, number, [string, number]][]
    const [from] = slots.find(([, , [, port]]) => port === nodes[1]!.port)!
    await admin.cluster('DELSLOTS', from)
    await host.is('lost')
    await admin.cluster('ADDSLOTS', from)
    await host.is('regained')
  })
}

/** A port that leads, connection by connection, to where it leads just then. */
async function passing(t: ExecutionContext, to: () => number): Promise<number> {
  const sockets = new Set<Socket>()
  const server = createServer(near => {
    const far = dial(to(), '127.0.0.1')
    for (const [from, into] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(from)
      from.on('error', () => {})
      from.on('close', () => into.destroy())
      from.pipe(into)
    }
  }).listen(0, '127.0.0.1')
  t.teardown(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  await once(server, 'listening')
  return (server.address() as AddressInfo).port
}
