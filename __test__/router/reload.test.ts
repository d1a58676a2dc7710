// Reloading a node while it serves: which options may change, what becomes of those who are connected,
// and that a request is judged by one configuration.
import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import {
  createRouter,
  type Router,
  type RouterConfig,
  type RouterOptions,
  type StoreOptions,
} from 'breakwater/router'
import { Redis } from 'ioredis'
import { fieldsOf } from '../docs/code.ts'
import { Authority } from '../helpers/certificates.ts'
import { folderOf } from '../helpers/folders.ts'
import { random } from '../helpers/random.ts'
import { calls, hasRedis } from './store/support.ts'
import { Raw, redis, serve } from './support.ts'

const fronted = hasRedis ? test : test.skip
const DRIVERS = ['native', 'net'] as const

async function start(t: ExecutionContext, options: RouterOptions) {
  t.timeout(180_000)
  const router = createRouter({ threads: 1, maxBytes: '64mb', ...options })
  t.teardown(() => router.close())
  const { port } = await router.listen({ port: 0 })
  return { router, port }
}

// ---- what may change

const STORE: StoreOptions = {
  url: 'redis://127.0.0.1:1',
  replicas: ['redis://127.0.0.1:2'],
  maxLag: '10s',
}
const authority = new Authority()
const [one, two] = [authority.sign(['one.test']), authority.sign(['two.test'])]
const AUDIT = join(mkdtempSync(join(tmpdir(), 'breakwater-reload-')), 'audit.log')
const LOGGER = { debug() {}, info() {}, warn() {}, error() {} }
const RESTS = 'until the node is started anew, not'

/** Each option: two values of it, and what a reload from one to the other says. */
const OPTIONS: Record<
  string,
  [from: RouterOptions, to: RouterOptions, changed: string[] | RegExp]
> = {
  threads: [{ threads: 1 }, { threads: 2 }, ['threads']],
  workers: [{ threads: undefined, workers: 1 }, { threads: undefined, workers: 2 }, ['workers']],
  mode: [
    { store: STORE.url },
    { store: STORE.url, threads: undefined, mode: 'processes' },
    RegExp(`^mode must be 'threads' ${RESTS} 'processes'$`),
  ],
  drain: [{}, { drain: {} }, []],
  'drain.over': [{}, { drain: { over: '10s' } }, ['drain.over']],
  'drain.within': [{}, { drain: { within: '10s' } }, ['drain.within']],
  maxBytes: [{ maxBytes: '16mb' }, { maxBytes: '32mb' }, ['maxBytes']],
  policy: [{}, { policy: 'lru' }, RegExp(`^policy must be 'lfu' ${RESTS} 'lru'$`)],
  password: [{ password: 'a' }, { password: 'b' }, ['users[default].password']],
  users: [
    { users: [{ name: 'ada', permissions: ['read'] }, { name: 'bob' }] },
    { users: [{ name: 'ada', readConcern: 'consistent' }, { name: 'eve' }] },
    ['users[ada].permissions', 'users[ada].readConcern', 'users[bob]', 'users[eve]'],
  ],
  maxClients: [{ maxClients: 7 }, {}, ['maxClients']],
  maxBuffers: [{ maxBuffers: '64mb' }, { maxBuffers: '32mb' }, ['maxBuffers']],
  maxValueBytes: [{}, { maxValueBytes: '1mb' }, ['maxValueBytes']],
  slowReaderTimeout: [{}, { slowReaderTimeout: '1m' }, ['slowReaderTimeout']],
  connections: [{}, { connections: {} }, []],
  'connections.perSecond': [{}, { connections: { perSecond: 9 } }, ['connections.perSecond']],
  'connections.handshakes': [{}, { connections: { handshakes: 9 } }, ['connections.handshakes']],
  tracking: [{}, { tracking: {} }, []],
  'tracking.maxKeys': [{}, { tracking: { maxKeys: 10 } }, ['tracking.maxKeys']],
  'tracking.maxKeysPerClient': [
    {},
    { tracking: { maxKeysPerClient: 10 } },
    ['tracking.maxKeysPerClient'],
  ],
  hotKeys: [{ store: STORE.url }, { store: STORE.url, hotKeys: { pinned: [] } }, []],
  'hotKeys.pinned': [
    { store: STORE.url, hotKeys: { pinned: ['a'] } },
    { store: STORE.url, hotKeys: { pinned: ['a', 'b'] } },
    ['hotKeys.pinned'],
  ],
  onHotKey: [{ store: STORE.url }, { store: STORE.url, onHotKey: () => {} }, ['onHotKey']],
  logger: [{}, { logger: LOGGER }, ['logger']],
  logLevel: [{ logLevel: 'info' }, { logLevel: 'error' }, ['logLevel']],
  logConnections: [
    { logger: LOGGER },
    { logger: LOGGER, logConnections: true },
    ['logConnections'],
  ],
  // Any file: nothing listens that would read it.
  hooks: [{}, { hooks: import.meta.url }, ['hooks']],
  driver: [{ driver: 'net' }, {}, RegExp(`^driver must be 'net' ${RESTS} 'auto'$`)],
  store: [
    { store: 'redis://:secret@127.0.0.1:1' },
    { store: 'redis://:other@127.0.0.1:1' },
    RegExp(`^store must be 127.0.0.1:1 \\(tcp\\) ${RESTS} 127.0.0.1:1 \\(tcp\\) with other cred`),
  ],
  'store.url': [
    { store: STORE },
    { store: { ...STORE, url: 'rediss://127.0.0.1:1' } },
    RegExp(`^store must be 127.0.0.1:1 \\(tcp\\) ${RESTS} 127.0.0.1:1 \\(tls\\)$`),
  ],
  'store.replicas': [
    { store: STORE },
    { store: STORE.url },
    RegExp(`^store.replicas must be 127.0.0.1:2 \\(tcp\\) ${RESTS} none$`),
  ],
  'store.cluster': [
    { store: STORE.url },
    { store: { url: STORE.url, cluster: true } },
    RegExp(`^store.cluster must be false ${RESTS} true$`),
  ],
  'store.announce': [
    { store: { url: STORE.url, cluster: true, announce: { 'a:1': 'b:2' } } },
    { store: { url: STORE.url, cluster: true, announce: { 'a:1': 'b:3' } } },
    RegExp(`^store.announce must be a:1 at b:2 ${RESTS} a:1 at b:3$`),
  ],
  'store.maxLag': [
    { store: STORE },
    { store: { ...STORE, maxLag: '5s' } },
    RegExp(`^store.maxLag must be 10000 ms ${RESTS} 5000 ms$`),
  ],
  'store.ring': [
    { store: ['redis://127.0.0.1:1', 'redis://127.0.0.1:2'] },
    { store: ['redis://127.0.0.1:1,weight=2', 'redis://127.0.0.1:3'] },
    ['store.ring'],
  ],
  'store.whenDown': [
    { store: { ring: ['redis://127.0.0.1:1'] } },
    { store: { ring: ['redis://127.0.0.1:1'], whenDown: 'next' } },
    ['store.whenDown'],
  ],
  'store.hashTags': [
    { store: { ring: ['redis://127.0.0.1:1'] } },
    { store: { ring: ['redis://127.0.0.1:1'], hashTags: false } },
    ['store.hashTags'],
  ],
  misses: [{ store: STORE }, { store: STORE, misses: {} }, []],
  'misses.max': [{ store: STORE }, { store: STORE, misses: { max: 7 } }, ['misses.max']],
  'misses.queue': [{ store: STORE }, { store: STORE, misses: { queue: 7 } }, ['misses.queue']],
  'misses.wait': [{ store: STORE }, { store: STORE, misses: { wait: '2s' } }, ['misses.wait']],
  breaker: [{ store: STORE }, { store: STORE, breaker: false }, ['breaker.failures']],
  'breaker.failures': [
    { store: STORE },
    { store: STORE, breaker: { failures: 7 } },
    ['breaker.failures'],
  ],
  'breaker.halfOpenAfter': [
    { store: STORE },
    { store: STORE, breaker: { halfOpenAfter: '2s' } },
    ['breaker.halfOpenAfter'],
  ],
  onStore: [{ store: STORE.url }, { store: STORE.url, onStore: () => {} }, ['onStore']],
  storeTimeout: [{ store: STORE }, { store: STORE, storeTimeout: '3s' }, ['storeTimeout']],
  storeRetry: [{ store: STORE }, { store: STORE, storeRetry: '1s' }, ['storeRetry']],
  readFrom: [{ store: STORE }, { store: STORE, readFrom: 'preferReplica' }, ['routes[*].readFrom']],
  routes: [
    { store: STORE.url, routes: ['a:*', 'b:*,ttl=5s'] },
    { store: STORE.url, routes: ['b:*,ttl=1s,mode=shadow', 'c:*'] },
    ['routes[a:*]', 'routes[b:*].mode', 'routes[b:*].ttl', 'routes[c:*]'],
  ],
  storeTls: [
    { store: 'rediss://127.0.0.1:1' },
    { store: 'rediss://127.0.0.1:1', storeTls: { serverName: 'other' } },
    ['storeTls'],
  ],
  tls: [{}, { tls: one }, RegExp(`^tls must be none ${RESTS} given$`)],
  'tls.cert': [{ tls: one }, { tls: two }, ['tls']],
  'tls.ca': [{ tls: one }, { tls: { ...one, ca: authority.cert } }, ['tls']],
  identity: [
    { tls: { ...one, ca: authority.cert }, identity: { certificate: 'CN' } },
    { tls: { ...one, ca: authority.cert } },
    ['identity.certificate'],
  ],
  'identity.certificate': [
    { tls: { ...one, ca: authority.cert }, identity: { certificate: 'CN' } },
    { tls: { ...one, ca: authority.cert }, identity: { certificate: 'SAN-URI' } },
    ['identity.certificate'],
  ],
  'identity.map': [
    { tls: { ...one, ca: authority.cert }, identity: { certificate: 'CN' } },
    { tls: { ...one, ca: authority.cert }, identity: { certificate: 'CN', map: { a: 'b' } } },
    ['identity.map'],
  ],
  tokens: [{ tokens: { keys: [one.cert] } }, {}, ['tokens']],
  'tokens.keys': [
    { tokens: { keys: [one.cert] } },
    { tokens: { keys: [two.cert] } },
    ['tokens.keys'],
  ],
  'tokens.issuer': [
    { tokens: { keys: [one.cert] } },
    { tokens: { keys: [one.cert], issuer: 'a' } },
    ['tokens.issuer'],
  ],
  'tokens.audience': [
    { tokens: { keys: [one.cert] } },
    { tokens: { keys: [one.cert], audience: 'a' } },
    ['tokens.audience'],
  ],
  'tokens.claim': [
    { tokens: { keys: [one.cert] } },
    { tokens: { keys: [one.cert], claim: 'name' } },
    ['tokens.claim'],
  ],
  'tokens.acl': [
    { tokens: { keys: [one.cert] } },
    { tokens: { keys: [one.cert], acl: '~{sub}:* +@read' } },
    ['tokens.acl'],
  ],
  'tokens.clockSkew': [
    { tokens: { keys: [one.cert] } },
    { tokens: { keys: [one.cert], clockSkew: '5s' } },
    ['tokens.clockSkew'],
  ],
  'tokens.revoked': [
    { tokens: { keys: [one.cert] } },
    { tokens: { keys: [one.cert], revoked: one.cert } },
    ['tokens.revoked'],
  ],
  'tokens.limits': [
    { tokens: { keys: [one.cert], acl: '~{sub}:*' } },
    { tokens: { keys: [one.cert], acl: '~{sub}:*', limits: {} } },
    ['tokens.limits'],
  ],
  'tokens.limits.requestsPerSecond': [
    { tokens: { keys: [one.cert], acl: '~{sub}:*', limits: { requestsPerSecond: 1 } } },
    { tokens: { keys: [one.cert], acl: '~{sub}:*', limits: { requestsPerSecond: 2 } } },
    ['tokens.limits'],
  ],
  'tokens.limits.bytesPerSecond': [
    { tokens: { keys: [one.cert], acl: '~{sub}:*', limits: { bytesPerSecond: 1 } } },
    { tokens: { keys: [one.cert], acl: '~{sub}:*', limits: { bytesPerSecond: 2 } } },
    ['tokens.limits'],
  ],
  'tokens.limits.connections': [
    { tokens: { keys: [one.cert], acl: '~{sub}:*', limits: { connections: 1 } } },
    { tokens: { keys: [one.cert], acl: '~{sub}:*', limits: { connections: 2 } } },
    ['tokens.limits'],
  ],
  'tokens.limits.inFlight': [
    { tokens: { keys: [one.cert], acl: '~{sub}:*', limits: { inFlight: 1 } } },
    { tokens: { keys: [one.cert], acl: '~{sub}:*', limits: { inFlight: 2 } } },
    ['tokens.limits'],
  ],
  'tokens.limits.bufferedBytes': [
    { tokens: { keys: [one.cert], acl: '~{sub}:*', limits: { bufferedBytes: 1 } } },
    { tokens: { keys: [one.cert], acl: '~{sub}:*', limits: { bufferedBytes: 2 } } },
    ['tokens.limits'],
  ],
  audit: [{}, { audit: { file: AUDIT } }, ['audit.file', 'audit.keys']],
  'audit.file': [{ audit: { file: AUDIT } }, { audit: { file: `${AUDIT}.2` } }, ['audit.file']],
  'audit.keys': [
    { audit: { file: AUDIT } },
    { audit: { file: AUDIT, keys: 'hashed' } },
    ['audit.keys'],
  ],
  'tls.authClients': [
    { tls: { ...one, ca: authority.cert } },
    { tls: { ...one, ca: authority.cert, authClients: 'optional' } },
    ['tls'],
  ],
}
// Those whose groups stand for them.
const GROUPED = ['tls.key', 'storeTls.ca', 'storeTls.cert', 'storeTls.key', 'storeTls.serverName']

for (const [option, [from, to, expected]] of Object.entries(OPTIONS)) {
  test(`${option} is reloaded, or refused with its value now and the one asked for`, async t => {
    t.timeout(60_000)
    const router = createRouter({ threads: 1, maxBytes: '16mb', ...from })
    t.teardown(() => router.close())
    const next = { threads: 1, maxBytes: '16mb', ...to } as const
    if (expected instanceof RegExp) {
      const error = await t.throwsAsync(router.reload(next), { code: 'ERR_INVALID_OPTION' })
      t.regex(error!.message, expected)
      t.notRegex(error!.message, /secret|other@/)
      t.is(router.stats().reloadRefused?.why, error!.message)
      t.is(router.stats().reloads, 0)
    } else {
      t.deepEqual([...(await router.reload(next)).changed].sort(), [...expected].sort())
      t.is(router.stats().reloads, 1)
      t.true(Math.abs(Date.now() - router.stats().reloadedAt!) < 60_000)
      t.deepEqual((await router.reload(next)).changed, [])
    }
  })
}

test('the table of what may change has every option', t => {
  const known = [...fieldsOf('breakwater/router', 'RouterOptions')].filter(
    name => !GROUPED.includes(name),
  )
  t.deepEqual(Object.keys(OPTIONS).sort(), known.sort())
})

test('a store of a ring is met as before, and a ring is no store alone', async t => {
  const router = createRouter({ threads: 1, store: ['redis://:secret@127.0.0.1:1'] })
  t.teardown(() => router.close())
  for (const [store, message] of [
    [
      ['redis://:other@127.0.0.1:1'],
      `store.ring[0] must be 127.0.0.1:1 (tcp) ${RESTS} 127.0.0.1:1`,
    ],
    ['redis://:secret@127.0.0.1:1', `store must be a ring of stores ${RESTS} 127.0.0.1:1 (tcp)`],
  ] as const) {
    const error = await t.throwsAsync(router.reload({ threads: 1, store } as RouterOptions))
    t.true(error?.message.startsWith(message), error?.message)
    t.notRegex(error?.message ?? '', /other@|secret/)
  }
})

test('where it listens cannot change', async t => {
  const { router } = await start(t, {})
  const given = { threads: 1, maxBytes: '64mb' } as const
  t.deepEqual((await router.reload({ ...given, listen: { port: 0 } })).changed, [])
  await t.throwsAsync(router.reload({ ...given, listen: { port: 1 } }), {
    message: `listen must be 127.0.0.1:0 ${RESTS} 127.0.0.1:1`,
  })
})

test('a configuration that is wrong in one place is refused whole', async t => {
  const users = [{ name: 'default', permissions: ['read' as const] }]
  const { router, port } = await start(t, {})
  const client = await Raw.open(t, port)
  for (const wrong of [
    { users, maxClients: 0 },
    { users, policy: 'lru' },
    { users, tls: { cert: 'nowhere', key: 'nowhere' } },
    { users, store: 'redis://127.0.0.1:1' },
    { users, maxBytes: 1 },
  ] as RouterConfig[]) {
    await t.throwsAsync(router.reload({ threads: 1, ...wrong }), { code: 'ERR_INVALID_OPTION' })
    t.is(await client.send('SET', 'k', 'v'), '+OK\r\n')
  }
  const failing = () => Promise.reject(new Error('no such file'))
  await t.throwsAsync(router.reload(failing), { message: 'no such file' })
  t.regex(
    await client.send('INFO', 'reload'),
    /reload_count:0\r\n[\s\S]*reload_refusal:no such file\r/,
  )
  await router.reload({ threads: 1, maxBytes: '64mb', users })
  t.regex(await client.send('SET', 'k', 'v'), /^-NOPERM /)
  t.regex(await client.send('INFO', 'reload'), /reload_count:1\r\nreload_last_time:[1-9]/)
})

test('a router that is closed cannot reload', async t => {
  const router = createRouter({ threads: 1 })
  await router.close()
  await t.throwsAsync(router.reload(), { code: 'ERR_ROUTER_STATE' })
})

// ---- users, as in Redis

/** Users as a node has them, and as Redis is told of them. */
const ALL: NonNullable<RouterOptions['users']> = [
  { name: 'default', password: 'd' },
  { name: 'ada', password: 'a' },
  { name: 'bob', password: 'b' },
]
const withBob = (bob: (typeof ALL)[number]) => [ALL[0]!, ALL[1]!, bob]
/** What is done to users, and what clients that are connected as `ada` and `bob` notice. */
const DEEDS: [deed: string, users: typeof ALL, acl: string[][]][] = [
  ['a user is deleted', ALL.slice(0, 2), [['DELUSER', 'bob']]],
  [
    'a password is changed',
    withBob({ name: 'bob', password: 'c' }),
    [['SETUSER', 'bob', 'resetpass', '>c']],
  ],
  [
    'permissions are taken',
    withBob({ name: 'bob', password: 'b', permissions: ['read'] }),
    [['SETUSER', 'bob', '-@write']],
  ],
  [
    'the permission to subscribe is taken',
    withBob({ name: 'bob', password: 'b', permissions: ['write'] }),
    [['SETUSER', 'bob', '-@read', 'resetchannels']],
  ],
]

/** What clients of `bob` see, who are connected before: by turns of what they do after it. */
async function noticed(t: ExecutionContext, port: number, change: () => Promise<unknown>) {
  const admin = await Raw.open(t, port)
  await admin.send('AUTH', 'd')
  const clients = await Promise.all(
    ['ada', 'bob', 'bob', 'bob'].map(async name => {
      const client = await Raw.open(t, port)
      t.is(await client.send('AUTH', name, name[0]!), '+OK\r\n')
      return client
    }),
  )
  const [ada, writer, reader, subscriber] = clients as [Raw, Raw, Raw, Raw]
  await subscriber.send('SUBSCRIBE', 'news')
  const stranger = await Raw.open(t, port)
  await change()
  const said = async (client: Raw, ...words: string[]) =>
    (await client.send(...words)).replace(/'.*|this user.*|User.*/, '')
  const seen = [
    await said(ada, 'SET', 'k', 'v'),
    await said(writer, 'SET', 'k', 'v'),
    await said(reader, 'GET', 'k'),
    await said(await Raw.open(t, port), 'AUTH', 'bob', 'b'),
    await said(await Raw.open(t, port), 'AUTH', 'bob', 'c'),
    await said(stranger, 'GET', 'k'),
  ]
  await admin.send('PUBLISH', 'news', 'x')
  return { seen, heard: (await subscriber.replies(1)).length }
}

for (const driver of DRIVERS) {
  for (const [deed, users, acl] of DEEDS) {
    fronted(
      `${driver}: ${deed}: clients that are connected notice what they notice with Redis`,
      async t => {
        const { router, port } = await start(t, { users: ALL, driver, threads: 2 })
        const reload = () => router.reload({ threads: 2, maxBytes: '64mb', driver, users })
        const server = await redis(t, '--requirepass', 'd')
        const direct = await Raw.open(t, server.port)
        await direct.send('AUTH', 'd')
        for (const name of ['ada', 'bob']) {
          await direct.send('ACL', 'SETUSER', name, 'on', `>${name[0]}`, '~*', '&*', '+@all')
        }
        const change = async () => {
          for (const words of acl) t.regex(await direct.send('ACL', ...words), /^(\+OK|:1)/)
        }
        t.deepEqual(await noticed(t, port, reload), await noticed(t, server.port, change))
      },
    )
  }
}

test('a client that needs no name goes on with the user that it is, and needs one if there is none', async t => {
  const { router, port } = await start(t, {})
  const reload = (users: RouterOptions['users']) =>
    router.reload({ threads: 1, maxBytes: '64mb', users })
  const client = await Raw.open(t, port)
  t.is(await client.send('SET', 'k', 'v'), '+OK\r\n')
  // As after `CONFIG SET requirepass`: who is in stays, who comes needs the password.
  await reload([{ name: 'default', password: 'p' }])
  t.is(await client.send('GET', 'k'), '$1\r\nv\r\n')
  const late = await Raw.open(t, port)
  t.regex(await late.send('GET', 'k'), /^-NOAUTH /)
  await reload([{ name: 'default' }])
  t.is(await late.send('GET', 'k'), '$1\r\nv\r\n')
  await reload([{ name: 'ada', password: 'p' }])
  t.is(String(await late.rest()), '')
  t.is(String(await client.rest()), '')
})

// ---- routes

fronted('what was remembered under other routes is given no longer than these would', async t => {
  const behind = await redis(t)
  const store = `redis://127.0.0.1:${behind.port}`
  const { router, port } = await start(t, { store, routes: ['*,ttl=1h,negativeTtl=1h'] })
  const [client, direct] = [await Raw.open(t, port), await Raw.open(t, behind.port)]
  const reload = (...routes: string[]) =>
    router.reload({ threads: 1, maxBytes: '64mb', store, routes })
  /** Whether the store was asked for it. */
  const asked = async (...words: string[]) => {
    const before = await calls(direct, words[0]!.toLowerCase())
    await client.send(...words)
    return (await calls(direct, words[0]!.toLowerCase())) > before
  }
  await direct.send('SET', 'there', 'x')
  await direct.send('HSET', 'hash', 'f', 'x')
  const reads = [
    ['GET', 'there'],
    ['HGETALL', 'hash'],
    ['GET', 'absent'],
    ['HGETALL', 'absent'],
  ]
  const which = async () => {
    const all: boolean[] = []
    for (const read of reads) all.push(await asked(...read))
    return all.map(Number).join('')
  }
  t.is(await which(), '1111')
  t.is(await which(), '0000')
  // Longer, or of no matter to what is there: all is given as before.
  await reload('*,ttl=2h,negativeTtl=2h', 'other:*')
  t.is(await which(), '0000')
  // What could have been remembered for a millisecond is over.
  await new Promise(resolve => setTimeout(resolve, 5))
  await reload('*,ttl=1,jitter=0,negativeTtl=0,admission=false')
  t.is(await which(), '1111')
  await reload('*,ttl=1h,negativeTtl=1h,admission=false')
  await which()
  t.is(await which(), '0000')
  await reload('*,ttl=1h,negativeTtl=0')
  t.is(await which(), '0011')
  await reload('*,ttl=1h,mode=off')
  t.is(await which(), '1111')
  await reload('*,ttl=1h,readConcern=consistent')
  t.is(await which(), '1111')
  await reload('*,ttl=1h,commands=hgetall')
  t.regex(await which(), /^1.1.$/)
  await reload('*,ttl=1h,maxReplyBytes=1')
  t.is(await which(), '1111')
  // Counts go on with the route of the same keys.
  t.true(router.stats().routes[0]!.hits > 0)
})

// ---- at one moment

for (const driver of DRIVERS) {
  test(`${driver}: a request that begins after a reload is judged by it, on every thread`, async t => {
    const draw = random(7)
    const { router, port } = await start(t, { threads: 3, driver })
    const clients = await Promise.all(Array.from({ length: 24 }, () => Raw.open(t, port)))
    for (let round = 0; round < 60; round++) {
      const writes = draw() < 0.5
      const permissions = writes ? ['all' as const] : ['read' as const]
      const users = [{ name: 'default', permissions }]
      await router.reload({ threads: 3, maxBytes: '64mb', driver, users })
      for (const client of clients) client.write('SET k v\r\nGET k\r\n')
      for (const client of clients) {
        const [set] = await client.replies(2)
        t.regex(String(set), writes ? /^\+OK/ : /^-NOPERM/)
      }
    }
  })
}

/** Reloads until it is told to stop, by turns; how often. */
async function reloads(router: Router, configs: RouterConfig[], going: () => boolean) {
  let count = 0
  for (; going(); count++) {
    await router.reload(configs[count % configs.length]!)
    if (count % 7 === 0) {
      await router.reload({ maxClients: -1 }).catch(() => {})
    }
    await new Promise(resolve => setImmediate(resolve))
  }
  return count
}

fronted('hundreds of reloads under load lose no connection and cause no error', async t => {
  t.timeout(300_000)
  const behind = await redis(t)
  const store = `redis://127.0.0.1:${behind.port}`
  const users = [
    { name: 'default' },
    { name: 'ada', password: 'a', permissions: ['read', 'write'] },
  ] as RouterOptions['users']
  const base: RouterConfig = { threads: 2, maxBytes: '64mb', store, users }
  const router = createRouter(base)
  t.teardown(() => router.close())
  const { port } = await router.listen({ port: 0 })
  const configs: RouterConfig[] = [
    { ...base, routes: ['k:1*,ttl=1s', '*,ttl=5s'] },
    { ...base, maxClients: 500, routes: ['*,mode=shadow'] },
    { ...base, users: [...users!, { name: 'eve', password: 'e' }], maxBytes: '32mb' },
    { ...base, routes: ['k:*,mode=off', '*,readConcern=consistent'] },
    { ...base, tracking: { maxKeys: 5 }, routes: ['k:2*,refreshAhead=0.5,verify=0.5', '*'] },
  ]
  let going = true
  const clients = Array.from({ length: 12 }, (_, at) => {
    const name = at % 2 === 0 ? {} : { username: 'ada', password: 'a' }
    const client = new Redis({ port, host: '127.0.0.1', retryStrategy: () => null, ...name })
    client.on('error', () => {})
    t.teardown(() => client.disconnect())
    return client
  })
  let ends = 0
  for (const client of clients) client.on('close', () => ends++)
  const heard: string[] = []
  const subscriber = clients[0]!
  subscriber.on('message', (_, message) => heard.push(message as string))
  await subscriber.subscribe('news')
  const work = clients.slice(1).map(async (client, at) => {
    let done = 0
    for (; done < 300; done++) {
      const key = `k:${done % 40}:${at}`
      await client.set(key, `${done}`)
      // It reads its own writes, whatever the rules are.
      t.is(await client.get(key), `${done}`)
      const all = await client.multi().incr(`n:${at}`).get(key).exec()
      t.is(all?.[1]?.[1], `${done}`)
      await client.publish('news', `${at}:${done}`)
    }
    return done
  })
  const loads = Promise.all(work).finally(() => {
    going = false
  })
  const count = await reloads(router, configs, () => going || router.stats().reloads < 300)
  await loads
  // A message comes over another connection than the reply to who published it.
  while (heard.length < 11 * 300) await new Promise(resolve => setTimeout(resolve, 5))
  await subscriber.unsubscribe()
  t.true(count >= 300 - 1)
  t.is(ends, 0, 'no connection was lost')
  t.is(heard.length, 11 * 300)
  for (let at = 0; at < 11; at++) t.is(await clients[1]!.get(`n:${at}`), '300')
})

test('a transaction whose user loses a permission before EXEC is not done', async t => {
  if (!hasRedis) return t.pass()
  const behind = await redis(t)
  const store = `redis://127.0.0.1:${behind.port}`
  const { router, port } = await start(t, { store })
  const client = await Raw.open(t, port)
  await client.send('MULTI')
  await client.send('SET', 'k', 'v')
  const users = [{ name: 'default', permissions: ['read' as const] }]
  await router.reload({ threads: 1, maxBytes: '64mb', store, users })
  t.regex(await client.send('EXEC'), /^-EXECABORT /)
  t.is(await client.send('GET', 'k'), '$-1\r\n')
})

test('a lower maxClients keeps those who are there, and refuses who comes', async t => {
  const { router, port } = await start(t, {})
  const clients = await Promise.all([1, 2, 3].map(() => Raw.open(t, port)))
  for (const client of clients) await client.send('PING')
  await router.reload({ threads: 1, maxBytes: '64mb', maxClients: 2 })
  for (const client of clients) t.is(await client.send('PING'), '+PONG\r\n')
  const late = await Raw.open(t, port)
  t.is(String(await late.rest()), '-ERR max number of clients reached\r\n')
})

// ---- by the command

const config = (text: string) => `listen: { port: 0 }\nthreads: 1\n${text}`

test('SIGHUP reloads the file, or says what is wrong and goes on', async t => {
  t.timeout(180_000)
  const file = join(folderOf(t, 'reload'), 'breakwater.config.yaml')
  writeFileSync(file, config('maxClients: 7'))
  const node = await serve(t, '--config', file)
  const client = await Raw.open(t, node.port)
  const most = async () => /maxclients:(\d+)/.exec(await client.send('INFO', 'clients'))?.[1]
  t.is(await most(), '7')
  writeFileSync(file, config('maxClients: 8'))
  node.process.kill('SIGHUP')
  await node.says(/breakwater: reloaded: maxClients\n/)
  t.is(await most(), '8')
  writeFileSync(file, config('maxClients: none'))
  node.process.kill('SIGHUP')
  await node.says(/not reloaded: .*yaml: maxClients must be a whole number .* not 'none'\n/)
  writeFileSync(file, 'maxClients: [')
  node.process.kill('SIGHUP')
  await node.says(/not reloaded: breakwater\.config\.yaml cannot be read: it is not well-formed/)
  writeFileSync(file, config('policy: lru'))
  node.process.kill('SIGHUP')
  await node.says(/yaml: policy must be 'lfu' until the node is started anew, not 'lru'\n/)
  t.is(await most(), '8')
  t.regex(await client.send('INFO', 'reload'), /reload_count:1\r\n[\s\S]*refusal:policy must be/)
})

test('a module is read anew, and flags win over it as at the start', async t => {
  t.timeout(180_000)
  const dir = folderOf(t, 'reload')
  for (const kind of ['mjs', 'cjs', 'ts']) {
    const file = join(dir, `own.${kind}`)
    const write = (most: number) => {
      const given = `{ maxClients: ${most}, tracking: { maxKeys: ${most} } }`
      writeFileSync(file, kind === 'cjs' ? `module.exports = ${given}` : `export default ${given}`)
    }
    write(7)
    const node = await serve(t, '--config', file, '--threads', '1', '--max-clients', '9')
    for (const most of [8, 9]) {
      write(most)
      node.process.kill('SIGHUP')
      await node.says(RegExp(`(breakwater: reloaded: tracking.maxKeys\n){${most - 7}}`))
    }
    const client = await Raw.open(t, node.port)
    t.regex(await client.send('INFO', 'clients'), /maxclients:9\r/)
  }
})

test('--watch reloads when the file changes, and reads on after one that is wrong', async t => {
  t.timeout(180_000)
  const file = join(folderOf(t, 'reload'), 'breakwater.config.yaml')
  writeFileSync(file, config('maxClients: 7'))
  const node = await serve(t, '--config', file, '--watch')
  writeFileSync(file, config('maxClients:'.repeat(2)))
  await node.says(/not reloaded/)
  writeFileSync(file, config('maxClients: 123'))
  await node.says(/breakwater: reloaded: maxClients\n/)
  const client = await Raw.open(t, node.port)
  t.regex(await client.send('INFO', 'clients'), /maxclients:123\r/)
})
