// A process of its own, in which nothing is alive but what one case leaves: `alive.test.ts`.
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Writable } from 'node:stream'
import { Cache } from 'breakwater'
import { createAdmin } from 'breakwater/admin'
import { dashboard } from 'breakwater/dashboard'
import { LRUCache } from 'breakwater/lru-cache'
import { registerMetrics } from 'breakwater/metrics'
import { redis } from 'breakwater/redis'
import { createRouter } from 'breakwater/router'
import { createPool } from 'breakwater/routing'
import { Redis } from 'ioredis'
import { Registry } from 'prom-client'
import { createClient } from 'redis'

/** Somebody watches a dashboard over no connection. */
const watch = url => {
  const response = new Writable({ write: (_, __, done) => done() })
  const request = { method: 'GET', url, headers: { host: 'localhost' } }
  const show = dashboard(new Cache({ max: 10, name: 'shown' }), { every: '1m' })
  show(request, Object.assign(response, { setHeader: () => response }))
}

const never = () => new Promise(() => {})

/** Says that a case came to its end. */
const say = what => () => process.stdout.write(what)

const stale = async options => {
  const cache = new Cache({ max: 10, ttl: 1, ...options })
  cache.set('a', 'old')
  await new Promise(resolve => setTimeout(resolve, 20))
  return cache
}

/** A tier that has nothing, with some of it different. */
const tierOf = different => ({
  open: host => ({
    ready: Promise.resolve(),
    get: async () => undefined,
    set: async () => true,
    delete: async () => {},
    invalidateTag: async () => {},
    clear: async () => {},
    lease: async () => ({ release: async () => {} }),
    written: (_, ms) => new Promise(resolve => host.timers.after(ms, resolve)),
    publishHot: async () => {},
    fleetHot: async () => [],
    close: async () => {},
    ...different,
  }),
})

/** A cache whose hot set is in a tier. */
const warm = (different, options) =>
  new Cache({ max: 10, name: 'alive', tier: tierOf(different), warm: { from: 'tier', ...options } })

/** A cache of which another process loads everything. */
const beside = (tierLease, options) =>
  stale({ name: 'alive', tier: tierOf({ lease: async () => undefined }), tierLease, ...options })

/** Clients that do not keep the process. */
const clients = {
  async ioredis(at) {
    const client = new Redis({ ...at, enableReadyCheck: false })
    await once(
      client.on('error', () => {}),
      'ready',
    )
    client.stream.unref()
    return client
  },
  async 'node-redis'(at) {
    const client = createClient({ socket: at })
    await client.on('error', () => {}).connect()
    client.unref()
    return client
  },
}

const at = () => ({ host: '127.0.0.1', port: Number(process.argv[4]) })

/** Sends the server one command. */
const order = async (...words) => {
  const client = new Redis(at())
  await client.call(...words)
  client.disconnect()
}

/** A cache over a server that is there and does not answer. */
const unanswered = async (library, options) => {
  const client = await clients[library](at())
  const tier = redis(client, { timeout: 50, invalidation: false, ...options })
  const cache = new Cache({ max: 10, name: 'alive', tier })
  await cache.ready
  await order('CLIENT', 'PAUSE', '600000', 'ALL')
  return cache
}

/** A cache of which another process loads a key. */
const leased = async options => {
  const client = await clients.ioredis(at())
  await order('SET', 'alive~l:a', 'theirs')
  const tier = redis(client, { timeout: '1m', invalidation: false })
  return stale({ name: 'alive', tier, tierLease: true, loader: key => key, ...options })
}

/** A router with a client that stays until it is told to go. */
const router = async (driver, options) => {
  const node = createRouter({ maxBytes: '16mb', threads: 1, driver, ...options })
  const { port } = await node.listen({ port: 0 })
  const client = connect(port, '127.0.0.1').on('error', () => {})
  client.write('PING\r\n')
  await once(client, 'data')
  return node
}

/** A pool of one worker. */
const pool = options => {
  const file = new URL('../routing/tasks/tasks.mjs', import.meta.url)
  return createPool({ file, route: task => task.key, workers: 1, retries: 0, ...options })
}
/** A task of it. */
const task = what => ({ do: what, key: 'a' })

/** Somebody waits for a timer: the process lives until it has fired. */
const awaited = {
  async softTimeout() {
    const cache = await stale({ staleIfError: '1h', softTimeout: 50, loader: never })
    cache.fetch('a').then(say('done'))
  },
  timeout() {
    const cache = new Cache({ max: 10, timeout: 50, loader: never })
    cache.fetch('a').catch(say('done'))
  },
  lockTimeout() {
    const cache = new Cache({ max: 10, lockTimeout: 50 })
    cache.getOrSet('a', never)
    cache.getOrSet('a', () => 'value', { signal: new AbortController().signal }).then(say('done'))
  },
  retry() {
    let tries = 0
    const loader = () => {
      if (++tries === 1) throw new Error('once more')
      return 'value'
    }
    const origin = { retry: { retries: 1, backOff: { initial: 50 } } }
    new Cache({ max: 10, origin, loader }).fetch('a').then(say('done'))
  },
  async 'retry of a refresh'() {
    let tries = 0
    const loader = () => {
      if (++tries === 1) throw new Error('once more')
      return 'value'
    }
    const origin = { retry: { retries: 1, backOff: { initial: 500 } } }
    const cache = await stale({ staleWhileRevalidate: '1h', lockTimeout: 50, origin, loader })
    await cache.fetch('a')
    cache.fetch('a', { fresh: true }).then(say('done'))
  },
  rate() {
    const origin = { rate: { limit: 1, per: 50 } }
    const cache = new Cache({ max: 10, origin, loader: key => key })
    Promise.all(['a', 'b'].map(key => cache.fetch(key))).then(say('done'))
  },
  async 'rate of a refresh'() {
    const origin = { rate: { limit: 1, per: 1000 } }
    const options = { staleWhileRevalidate: '1h', lockTimeout: 50, origin }
    const cache = await stale({ ...options, loader: key => key })
    await cache.fetch('b')
    await cache.fetch('a')
    cache.fetch('a', { fresh: true }).then(say('done'))
  },
  batch() {
    const batchLoader = keys => keys
    new Cache({ max: 10, batchLoader, batch: { when: 50 } }).fetch('a').then(say('done'))
  },
  async 'batch of a refresh'() {
    const options = { staleWhileRevalidate: '1h', lockTimeout: 50, batch: { when: 1000 } }
    const cache = await stale({ ...options, batchLoader: keys => keys })
    await cache.fetch('a')
    cache.fetch('a', { fresh: true }).then(say('done'))
  },
  writer() {
    const cache = new Cache({ max: 10, writer: never, writeThrough: { timeout: 50 } })
    cache.put('a', 'value').catch(say('done'))
  },
  'writeBehind: maxDelay'() {
    const writeBehind = { writer: say('done'), maxDelay: 50 }
    new Cache({ max: 10, writeBehind }).put('a', 'value')
  },
  'writeBehind: retry'() {
    let tries = 0
    const writer = async () => {
      if (++tries === 1) throw new Error('once more')
      say('done')()
    }
    const writeBehind = { writer, maxDelay: 1, retries: 1, backOff: { initial: 50 } }
    new Cache({ max: 10, writeBehind }).put('a', 'value')
  },
  'writeBehind: closeTimeout'() {
    const writeBehind = { writer: never, closeTimeout: 50, onWriteError: () => {} }
    const cache = new Cache({ max: 10, writeBehind })
    cache.put('a', 'value')
    cache.close().then(say('done'))
  },
  'warm: budget'() {
    warm({ fleetHot: never }, { budget: 50 }).ready.then(say('done'))
  },
  'warm: rate'() {
    const fleetHot = async () => Array.from({ length: 3 }, (_, i) => `key ${i}`)
    warm({ fleetHot }, { rate: 30, budget: '1h' }).ready.then(say('done'))
  },
  async tierLease() {
    const cache = await beside(true, { lockTimeout: 50, loader: key => key })
    cache.fetch('a').then(say('done'))
  },
  async 'redis: timeout, node-redis'() {
    const cache = await unanswered('node-redis')
    cache.fetch('a', { loader: key => key }).then(say('done'))
  },
  async 'redis: timeout, ioredis'() {
    const cache = await unanswered('ioredis')
    cache.put('a', 'b').then(say('done'))
  },
  async 'redis: lease'() {
    const cache = await leased({ lockTimeout: 300 })
    cache.fetch('b', { fresh: true })
    cache.fetch('a', { fresh: true }).then(say('done'))
  },
  async 'redis: ready'() {
    const client = await clients['node-redis'](at())
    await order('CLIENT', 'PAUSE', '600000', 'ALL')
    const tier = redis(client, { invalidation: { heartbeat: 20, bound: 100 } })
    new Cache({ max: 10, name: 'alive', tier }).ready.then(say('done'))
  },
  async 'redis: close'() {
    const cache = await unanswered('ioredis', { invalidation: { heartbeat: 20, bound: 100 } })
    cache.close().then(say('done'))
  },
  'pool: timeout'() {
    pool({ timeout: 50 }).run(task('spin')).catch(say('done'))
  },
  'pool: restart'() {
    pool({ retries: 1 }).run(task('die')).catch(say('done'))
  },
  async 'pool: stuckAfter'() {
    const one = pool({ stuckAfter: 50 })
    await one.run(task('spin'), { timeout: 50 }).catch(() => {})
    one.run(task('echo')).then(say('done'))
  },
  async 'pool: close'() {
    const one = pool()
    await one.run(task('echo'))
    one.run(task('spin')).catch(() => {})
    one.close().then(say('done'))
  },
  'pool: close while it starts'() {
    pool().close().then(say('done'))
  },
  async 'router: net'() {
    const node = await router('net')
    node.close().then(say('done'))
  },
  async 'router: native'() {
    const node = await router('auto')
    node.close().then(say('done'))
  },
  async 'router: drain'() {
    const node = await router('net', { threads: 0, drain: { over: 250, within: 50 } })
    node.close().then(say('done'))
  },
  async 'admin: close'() {
    const node = await router('net', { threads: 0 })
    const admin = createAdmin(node, { listen: '127.0.0.1:0' })
    const { port } = new URL(`http://${await admin.listen()}`)
    // Half a request: it is waited for, and cut.
    const socket = connect(port, '127.0.0.1', () => socket.write('GET /livez HTTP/1.1\r\n'))
    socket.on('error', () => {})
    await once(socket, 'connect')
    node.close()
    admin.close().then(say('done'))
  },
  async 'router: warmUp'() {
    const node = await router('auto', { store: 'redis://127.0.0.1:1' })
    node.warmUp().then(say('done'))
    setTimeout(() => node.close(), 50)
  },
}

/** Who waits no longer, of those that waited for an hour. */
const given = { max: 10, ttl: 1, timeout: 50, lockTimeout: '1h' }

/** Nobody waits for a timer, or it would help nobody: the process ends. */
const forgotten = {
  'dashboard: samples': () => watch('/events'),
  'dashboard: removals': () => watch('/removals?source=shown'),
  'metrics: the first minute'() {
    registerMetrics(new Registry(), { caches: { alive: new Cache({ max: 10 }) } })
  },
  async 'router: audit'() {
    const folder = mkdtempSync(join(tmpdir(), 'breakwater-'))
    const node = createRouter({
      maxBytes: '16mb',
      threads: 1,
      audit: { file: join(folder, 'log') },
    })
    await node.listen({ port: 0 })
    await node.close()
    rmSync(folder, { recursive: true })
  },
  async 'router: warm'() {
    const folder = mkdtempSync(join(tmpdir(), 'breakwater-'))
    const [store, warm] = ['redis://127.0.0.1:1', { from: join(folder, 'hot') }]
    const node = createRouter({ maxBytes: '16mb', threads: 1, store, warm })
    await node.listen({ port: 0 })
    await node.close()
    rmSync(folder, { recursive: true })
  },
  async 'router: onHotKey'() {
    const store = 'redis://127.0.0.1:1'
    const node = createRouter({ maxBytes: '16mb', threads: 1, store, onHotKey: () => {} })
    await node.listen({ port: 0 })
    await node.close()
  },
  async 'router: logger'() {
    const logger = { debug() {}, info() {}, warn() {}, error() {} }
    const node = createRouter({ maxBytes: '16mb', threads: 1, logger })
    for (let times = 0; times < 20; times++) await node.reload({ threads: 0 }).catch(() => {})
  },
  async 'router: memory that is listened to'() {
    const store = 'redis://127.0.0.1:1'
    const node = createRouter({ maxBytes: '16mb', threads: 1, store })
    await node.listen({ port: 0 })
    node.memory.listen(() => {})
    await node.close()
  },
  async 'router: onStore'() {
    const store = 'redis://127.0.0.1:1'
    const node = createRouter({ maxBytes: '16mb', threads: 1, store, onStore: () => {} })
    await node.listen({ port: 0 })
    await node.close()
  },
  async 'router: deadline of a hook'() {
    const asked = new Promise(resolve => {
      const onCommand = {
        async: true,
        deadline: '1h',
        handle() {
          resolve()
          return never()
        },
      }
      const drain = { within: 10 }
      const node = createRouter({ maxBytes: '16mb', threads: 0, drain, hooks: { onCommand } })
      node.listen({ port: 0 }).then(async ({ port }) => {
        const socket = connect(port, '127.0.0.1').on('error', () => {})
        socket.write('PING\r\n')
        await asked
        await node.close()
        socket.destroy()
      })
    })
    await asked
  },
  lockTimeout() {
    new Cache({ max: 10, lockTimeout: '1h' }).getOrSet('a', never)
  },
  async 'lockTimeout, once given up'() {
    const cache = new Cache(given)
    const both = [never, never].map(loader => cache.getOrSet('a', loader).catch(() => {}))
    await Promise.all(both)
  },
  async retry() {
    const origin = { retry: { retries: 1, backOff: { initial: '1h', max: '1h' } } }
    const loader = () => {
      throw new Error('no')
    }
    const cache = await stale({ staleWhileRevalidate: '1h', origin, loader })
    await cache.fetch('a')
  },
  async 'retry, once given up'() {
    const origin = { retry: { retries: 1, backOff: { initial: '1h', max: '1h' } } }
    const loader = () => {
      throw new Error('no')
    }
    await new Cache({ ...given, origin, loader }).fetch('a').catch(() => {})
  },
  async rate() {
    const origin = { rate: { limit: 1, per: '1h' } }
    const cache = await stale({ staleWhileRevalidate: '1h', origin, loader: key => key })
    await cache.fetch('b')
    await cache.fetch('a')
  },
  async 'rate, once given up'() {
    const origin = { rate: { limit: 1, per: '1h' } }
    const cache = new Cache({ ...given, origin, loader: key => key })
    await cache.fetch('b')
    await cache.fetch('a').catch(() => {})
  },
  async batch() {
    const cache = await stale({
      staleWhileRevalidate: '1h',
      batchLoader: keys => keys,
      batch: { when: '1h' },
    })
    await cache.fetch('a')
  },
  async 'batch, once given up'() {
    const cache = new Cache({ ...given, batchLoader: keys => keys, batch: { when: '1h' } })
    await cache.fetch('a').catch(() => {})
  },
  async breaker() {
    const breaker = { failures: 1, halfOpenAfter: '1h' }
    const loader = () => {
      throw new Error('no')
    }
    await new Cache({ max: 10, origin: { breaker }, loader }).fetch('a').catch(() => {})
  },
  async 'breaker that tries'() {
    let tries = 0
    const loader = () => {
      if (++tries === 1) throw new Error('no')
      return never()
    }
    const breaker = { failures: 1, halfOpenAfter: 1 }
    const cache = new Cache({ ...given, origin: { breaker }, loader })
    await cache.fetch('a').catch(() => {})
    await new Promise(resolve => setTimeout(resolve, 20))
    await cache.fetch('a').catch(() => {})
  },
  again() {
    new Cache({ max: 10 }).invalidate('a', { again: '1h' })
  },
  'warm: budget'() {
    warm({ fleetHot: never }, { budget: '1h' })
  },
  'warm: rate'() {
    warm({ fleetHot: async () => ['a', 'b', 'c'] }, { rate: 1, budget: '1h' })
  },
  async 'warm: every'() {
    await warm({}, { every: '1h' }).ready
  },
  async tierLease() {
    const options = { staleWhileRevalidate: '1h', lockTimeout: '1h', loader: key => key }
    const cache = await beside(true, options)
    await cache.fetch('a')
  },
  async 'redis: lease'() {
    const cache = await leased({ lockTimeout: '1h', staleWhileRevalidate: '1h' })
    await cache.fetch('a')
  },
  async 'redis: removals that are owed'() {
    const cache = await unanswered('ioredis')
    await cache.invalidate('a')
  },
  async 'redis: heartbeat'() {
    const client = new Redis(at())
    const tier = redis(client, { invalidation: { heartbeat: '1h' } })
    await new Cache({ max: 10, name: 'alive', tier }).ready
    await client.quit()
  },
  async 'pool: restart'() {
    const one = pool()
    for (let i = 0; i < 4; i++) await one.run(task('die')).catch(() => {})
  },
  async 'pool: stuckAfter'() {
    await pool({ stuckAfter: '1h' })
      .run(task('spin'), { timeout: 50 })
      .catch(() => {})
  },
  async 'drop-in: ttlAutopurge'() {
    new LRUCache({ max: 10, ttl: 3_600_000, ttlAutopurge: true }).set('a', 1)
  },
  async 'drop-in: ttlResolution'() {
    const cache = new LRUCache({ max: 10, ttl: 3_600_000, ttlResolution: 3_600_000 })
    cache.set('a', 1)
    cache.get('a')
  },
}

const [kind, name] = process.argv.slice(2)
const cases = { awaited, forgotten }
const names = Object.entries(cases).map(([kind, of]) => [kind, Object.keys(of)])
if (kind === 'names') say(JSON.stringify(Object.fromEntries(names)))()
else await cases[kind][name]()
