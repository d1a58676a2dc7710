// Which options a reload may change, and what it says of those that it may not.
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import {
  createRouter,
  type RouterConfig,
  type RouterOptions,
  type StoreOptions,
} from 'breakwater/router'
import { fieldsOf } from '../../docs/code.ts'
import { Authority } from '../../helpers/certificates.ts'
import { Raw } from '../support.ts'
import { RESTS, start } from './support.ts'

const STORE: StoreOptions = {
  url: 'redis://127.0.0.1:1',
  replicas: ['redis://127.0.0.1:2'],
  maxLag: '10s',
}
const authority = new Authority()
const [one, two] = [authority.sign(['one.test']), authority.sign(['two.test'])]
const AUDIT = join(mkdtempSync(join(tmpdir(), 'breakwater-reload-')), 'audit.log')
const LOGGER = { debug() {}, info() {}, warn() {}, error() {} }

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
  warm: [{ store: STORE.url }, { store: STORE.url, warm: { from: 'hot' } }, ['warm']],
  'warm.from': [
    { store: STORE.url, warm: { from: 'hot' } },
    { store: STORE.url, warm: { from: 'http://127.0.0.1:1' } },
    ['warm.from'],
  ],
  'warm.tokenFile': [
    { store: STORE.url, warm: { from: 'http://127.0.0.1:1' } },
    { store: STORE.url, warm: { from: 'http://127.0.0.1:1', tokenFile: 'token' } },
    ['warm.tokenFile'],
  ],
  'warm.every': [
    { store: STORE.url, warm: { from: 'hot' } },
    { store: STORE.url, warm: { from: 'hot', every: '10s' } },
    ['warm.every'],
  ],
  'warm.budget': [
    { store: STORE.url, warm: { from: 'hot' } },
    { store: STORE.url, warm: { from: 'hot', budget: '10s' } },
    ['warm.budget'],
  ],
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
