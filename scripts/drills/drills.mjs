// The drills, each of which plays a runbook of docs/operations.md: what goes wrong, what shows it, the cure.
import { createHmac, randomBytes } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createAdmin } from 'breakwater/admin'
import { check, until } from './stage.mjs'

/** How many reads a server of Redis has had of one kind. */
async function reads(client, command = 'get') {
  const text = await client.info('commandstats')
  return Number(new RegExp(`cmdstat_${command}:calls=(\\d+)`).exec(text)?.[1] ?? 0)
}

/** What a promise rejects with, or what it gives. */
const settled = promise => promise.catch(error => error)

export const drills = {
  /** Many clients miss the same key at once. */
  async stampede(stage) {
    const store = await stage.redis()
    const direct = stage.client(store.port)
    await direct.set('page', 'x')
    const options = { store: store.url, routes: ['*,mode=off'] }
    const { port, reload, status } = await stage.node(options)
    const clients = Array.from({ length: 50 }, () => stage.client(port))
    await Promise.all(clients.map(client => client.ping()))
    const burst = async () => {
      const before = await reads(direct)
      await Promise.all(clients.map(client => client.get('page')))
      return (await reads(direct)) - before
    }
    const provoked = await burst()
    check(provoked === 50, 'each of 50 clients reads the store')
    stage.say('provoked', `50 clients read one key: reads of the store: ${provoked}`)
    const [route] = (await status()).stats.routes
    check(route.passed === 50 && route.joined === 0, 'all pass, and none joins another')
    stage.say('shows', `routes[${route.match}]: passed ${route.passed}, joined ${route.joined}`)
    await reload({ routes: ['*,ttl=1m,jitter=0.1,refreshAhead=0.2'] })
    const cured = await burst()
    stage.say('cure', `the route remembers again: reads of the store: ${cured}`)
    check(cured <= 1, 'one read is enough for all')
  },

  /** One key has most of the reads, and goes to the store each time. */
  async 'hot-key'(stage) {
    const store = await stage.redis()
    const routes = ['user:*,mode=off']
    const { router, port, reload, status } = await stage.node({ store: store.url, routes })
    const client = stage.client(port)
    await client.set('user:1', 'x')
    const hot = ({ hotKeys } = router.stats()) => hotKeys.find(({ key }) => key === 'user:1')
    await until(async () => {
      await Promise.all(Array.from({ length: 500 }, () => client.get('user:1')))
      return hot() !== undefined
    }, 'user:1 turns hot')
    const { share, readsPerSecond } = hot((await status()).stats)
    check(/user:1/.test(await client.info('hotkeys')), 'INFO names it')
    stage.say('provoked', 'one key has nearly all reads that go to the store')
    const percent = Math.round(share * 100)
    stage.say(
      'shows',
      `hotKeys: user:1, ${percent} % of the reads, ${Math.round(readsPerSecond)} a second`,
    )
    await reload({ routes: ['user:1*,ttl=5s', ...routes] })
    const direct = stage.client(store.port)
    const before = await reads(direct)
    await Promise.all(Array.from({ length: 500 }, () => client.get('user:1')))
    const after = (await reads(direct)) - before
    stage.say('cure', `a route of its own remembers it: of 500 reads, the store answers ${after}`)
    check(after <= 2, 'the store has peace')
  },

  /** Clients get what is no longer so, since the store is away and the route allows it. */
  async 'stale-data'(stage) {
    const store = await stage.redis()
    const routes = ['*,ttl=100ms,staleIfError=1h']
    const { router, port, reload, words, status } = await stage.node({ store: store.url, routes })
    const client = stage.client(port)
    await client.set('price', 'old')
    await client.get('price')
    await store.kill()
    await until(() => router.stats().upstream[0].state === 'down', 'the store is seen to be away')
    check((await client.get('price')) === 'old', 'the old value is given')
    stage.say('provoked', 'the store is away: the node goes on giving what it had')
    const [{ staleGiven }] = (await status()).stats.routes
    check(staleGiven > 0, 'that is counted')
    check(/^primary +\S+ down, /m.test(await words()), 'the command says that the store is away')
    stage.say('shows', `routes[*].staleGiven: ${staleGiven}; upstream[0].state: down`)
    await reload({ routes: ['*,ttl=100ms,readConcern=consistent'] })
    const refused = await settled(client.get('price'))
    check(/unreachable/.test(refused?.message), 'an error is given instead')
    await stage.redis(store.port)
    await until(async () => (await settled(client.set('price', 'new'))) === 'OK', 'it is back')
    check((await client.get('price')) === 'new', 'the new value is given')
    stage.say('cure', 'consistent reads: an error while the store is away, then what is so')
  },

  /** The store dies, and comes back. */
  async 'store-down'(stage) {
    const store = await stage.redis()
    const options = { store: store.url, storeTimeout: '2s' }
    const { router, port, words, status } = await stage.node(options)
    const client = stage.client(port)
    await client.set('a', '1')
    await store.kill()
    await until(() => router.stats().upstream[0].state === 'down', 'the store is seen to be away')
    const refused = await settled(client.get('a'))
    check(refused instanceof Error, 'a request ends in an error rather than to wait')
    stage.say('provoked', `the store is killed: ${refused.message.slice(0, 60)}`)
    const counts = async () => (await status()).stats.upstream[0]
    await until(async () => (await counts()).failures > 0, 'the node tries to connect again')
    const { state, losses, failures } = await counts()
    check(state === 'down' && losses > 0, 'the loss is counted')
    check(/^primary +\S+ down, /m.test(await words()), 'the command says it')
    stage.say('shows', `upstream[0]: ${state}, ${losses} lost, ${failures} tries failed`)
    check(router.isReady, 'the node stays ready, for all nodes would cease to be at once')
    await stage.redis(store.port)
    await until(() => router.stats().upstream[0].state === 'up', 'the node is connected again')
    check((await client.set('a', '2')) === 'OK' && (await client.get('a')) === '2', 'it serves')
    stage.say('cure', 'the store is started again: the node connects by itself')
  },

  /** A store of the node's own is full, and refuses. */
  async 'memory-full'(stage) {
    const options = { policy: 'none', maxBytes: '4mb' }
    const { port, reload, words, status } = await stage.node(options)
    const client = stage.client(port)
    let refused
    for (let at = 0; !(refused instanceof Error) && at < 10_000; at++) {
      refused = await settled(client.set(`key:${at}`, 'x'.repeat(10_000)))
    }
    check(/^OOM/.test(refused.message), 'a write is refused')
    stage.say('provoked', `writes are refused: ${refused.message.slice(0, 50)}`)
    const { bytes, maxBytes, entries, evictions } = (await status()).stats
    check(bytes > 0.99 * maxBytes && evictions === 0, 'memory is at its bound')
    check(/^memory +\S+/m.test(await words()), 'the command says how much it is')
    stage.say('shows', `bytes ${bytes} of ${maxBytes}, entries ${entries}, evictions ${evictions}`)
    await reload({ maxBytes: '64mb' })
    check((await client.set('more', 'x'.repeat(10_000))) === 'OK', 'there is room again')
    stage.say('cure', 'a larger maxBytes by a reload; a policy that evicts needs a new start')
  },

  /** One of several stores has nearly all keys. */
  async imbalance(stage) {
    const stores = [await stage.redis(), await stage.redis()]
    const ring = stores.map(({ url }) => url)
    const options = { store: { ring, hashTags: true } }
    const { port, reload, words, status } = await stage.node(options)
    const client = stage.client(port)
    const requests = async () => (await status()).stats.upstream.map(({ requests }) => requests)
    const counted = async () => {
      const before = await requests()
      await Promise.all(Array.from({ length: 1000 }, (_, at) => client.set(`{shop}:${at}`, 'x')))
      return (await requests()).map((count, at) => count - before[at])
    }
    const [least, most] = (await counted()).sort((a, b) => a - b)
    check(most > 10 * least, 'one store has nearly all requests')
    check((await words()).match(/^primary /gm)?.length === 2, 'the command has a line for each')
    stage.say('provoked', 'all keys have the same hash tag: they lie in one store')
    stage.say('shows', `upstream[].requests: ${most} and ${least}`)
    await reload({ store: { ring, hashTags: false } })
    const [less, more] = (await counted()).sort((a, b) => a - b)
    stage.say('cure', `hashTags: false, or other tags: ${more} and ${less} requests`)
    check(more < 3 * less, 'both stores have their share')
  },

  /** A stranger has the token of the admin entrance, the password of a user, and a token of another one. */
  async 'token-leak'(stage) {
    const [file, key, revoked] = ['token', 'key.jwk', 'revoked'].map(name =>
      join(stage.folder, name),
    )
    const secret = randomBytes(32)
    writeFileSync(key, JSON.stringify({ kty: 'oct', k: secret.toString('base64url') }))
    writeFileSync(revoked, '')
    const tokens = { keys: [key], revoked, acl: '~{sub}:* +@read' }
    const operator = { name: 'operator', password: 'of the operator' }
    const users = (name, password) => {
      return { tokens, users: [operator, { name, password, permissions: ['read'] }] }
    }
    const { router, port, reload, status } = await stage.node(users('shop', 'the leaked password'))
    const leaked = 'the-leaked-admin-token'
    writeFileSync(file, leaked)
    const admin = createAdmin(router, { listen: '127.0.0.1:0', tokenFile: file })
    stage.atEnd(() => admin.close())
    const address = await admin.listen()
    const enters = async token => {
      const headers = { authorization: `Bearer ${token}` }
      return (await fetch(`http://${address}/status`, { headers })).status
    }
    const ways = [
      { username: 'shop', password: 'the leaked password' },
      { password: signed({ sub: 'ada', jti: 'leaked' }, secret) },
    ].map(way => ({ ...way, retryStrategy: null, enableReadyCheck: false }))
    const strangers = ways.map(way => stage.client(port, way))
    for (const [at, key] of ['a', 'ada:1'].entries()) await strangers[at].get(key)
    check((await enters(leaked)) === 200, 'the stranger enters')
    stage.say('provoked', 'a stranger reads keys as two users, and the status of the node')
    const keeper = stage.client(port, { username: 'operator', password: operator.password })
    const list = await keeper.client('LIST')
    check(/ user=shop /.test(list) && / user=ada /.test(list), 'CLIENT LIST says who is connected')
    const { clients, connections } = (await status()).stats
    check(clients === 3 && connections >= 3, 'they are counted')
    stage.say('shows', `clients: ${clients}, connections: ${connections}; CLIENT LIST: shop, ada`)
    writeFileSync(file, 'a-new-token-for-the-admins')
    admin.reload()
    writeFileSync(revoked, 'leaked\n')
    const gone = strangers.map(each => new Promise(resolve => each.once('close', resolve)))
    // A user of another name: whoever came by the old one is disconnected.
    await reload(users('shop2', 'a new one'))
    await Promise.all(gone)
    check((await enters(leaked)) === 401, 'the old token is refused')
    check((await enters('a-new-token-for-the-admins')) === 200, 'the new one is taken')
    for (const [at, key] of ['a', 'ada:1'].entries()) {
      const again = stage.client(port, ways[at])
      check((await settled(again.get(key))) instanceof Error, 'what has leaked is refused')
    }
    check((await keeper.ping()) === 'PONG', 'nobody else is disconnected')
    stage.say('cure', 'a new token, a new user, a revoked one, by a reload: the stranger is out')
  },
}

/** A token of HS256. */
function signed(claims, secret) {
  const exp = Math.floor(Date.now() / 1000) + 3600
  const parts = [
    { alg: 'HS256', typ: 'JWT' },
    { ...claims, exp },
  ]
  const text = parts.map(part => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.')
  return `${text}.${createHmac('sha256', secret).update(text).digest('base64url')}`
}
