// The drills, each of which plays a runbook of docs/operations.md: what goes wrong, what shows it, the cure.
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
    const { router, port, reload } = await stage.node({ store: store.url, routes: ['*,mode=off'] })
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
    const [route] = router.stats().routes
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
    const { router, port, reload } = await stage.node({ store: store.url, routes })
    const client = stage.client(port)
    await client.set('user:1', 'x')
    const hot = () => router.stats().hotKeys.find(({ key }) => key === 'user:1')
    await until(async () => {
      await Promise.all(Array.from({ length: 500 }, () => client.get('user:1')))
      return hot() !== undefined
    }, 'user:1 turns hot')
    const { share, readsPerSecond } = hot()
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
    const { router, port, reload } = await stage.node({ store: store.url, routes })
    const client = stage.client(port)
    await client.set('price', 'old')
    await client.get('price')
    await store.kill()
    await until(() => router.stats().upstream[0].state === 'down', 'the store is seen to be away')
    check((await client.get('price')) === 'old', 'the old value is given')
    stage.say('provoked', 'the store is away: the node goes on giving what it had')
    const [{ staleGiven }] = router.stats().routes
    check(staleGiven > 0, 'that is counted')
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
    const { router, port } = await stage.node({ store: store.url, storeTimeout: '2s' })
    const client = stage.client(port)
    await client.set('a', '1')
    await store.kill()
    await until(() => router.stats().upstream[0].state === 'down', 'the store is seen to be away')
    const refused = await settled(client.get('a'))
    check(refused instanceof Error, 'a request ends in an error rather than to wait')
    stage.say('provoked', `the store is killed: ${refused.message.slice(0, 60)}`)
    const [{ state, losses, failures }] = router.stats().upstream
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
    const { router, port, reload } = await stage.node(options)
    const client = stage.client(port)
    let refused
    for (let at = 0; !(refused instanceof Error) && at < 10_000; at++) {
      refused = await settled(client.set(`key:${at}`, 'x'.repeat(10_000)))
    }
    check(/^OOM/.test(refused.message), 'a write is refused')
    stage.say('provoked', `writes are refused: ${refused.message.slice(0, 50)}`)
    const { bytes, entries, evictions } = router.stats()
    stage.say('shows', `bytes ${bytes} of 4194304, entries ${entries}, evictions ${evictions}`)
    await reload({ maxBytes: '64mb' })
    check((await client.set('more', 'x'.repeat(10_000))) === 'OK', 'there is room again')
    stage.say('cure', 'a larger maxBytes by a reload; a policy that evicts needs a new start')
  },

  /** One of several stores has nearly all keys. */
  async imbalance(stage) {
    const stores = [await stage.redis(), await stage.redis()]
    const ring = stores.map(({ url }) => url)
    const { router, port, reload } = await stage.node({ store: { ring, hashTags: true } })
    const client = stage.client(port)
    const counted = async () => {
      const before = router.stats().upstream.map(({ requests }) => requests)
      await Promise.all(Array.from({ length: 1000 }, (_, at) => client.set(`{shop}:${at}`, 'x')))
      return router.stats().upstream.map(({ requests }, at) => requests - before[at])
    }
    const [least, most] = (await counted()).sort((a, b) => a - b)
    check(most > 10 * least, 'one store has nearly all requests')
    stage.say('provoked', 'all keys have the same hash tag: they lie in one store')
    stage.say('shows', `upstream[].requests: ${most} and ${least}`)
    await reload({ store: { ring, hashTags: false } })
    const [less, more] = (await counted()).sort((a, b) => a - b)
    stage.say('cure', `hashTags: false, or other tags: ${more} and ${less} requests`)
    check(more < 3 * less, 'both stores have their share')
  },

  /** A stranger has the token of the admin entrance, and the password of a user. */
  async 'token-leak'(stage) {
    const user = password => ({ users: [{ name: 'shop', password, permissions: ['read'] }] })
    const { router, port, reload } = await stage.node(user('the leaked password'))
    const file = join(stage.folder, 'token')
    const leaked = 'the-leaked-admin-token'
    writeFileSync(file, leaked)
    const admin = createAdmin(router, { listen: '127.0.0.1:0', tokenFile: file })
    stage.atEnd(() => admin.close())
    const address = await admin.listen()
    const enters = async token => {
      const headers = { authorization: `Bearer ${token}` }
      return (await fetch(`http://${address}/status`, { headers })).status
    }
    const options = { username: 'shop', password: 'the leaked password', retryStrategy: null }
    const stranger = stage.client(port, options)
    await stranger.get('a')
    check((await enters(leaked)) === 200, 'the stranger enters')
    stage.say('provoked', 'a stranger reads keys, and the status of the node')
    stage.say('shows', `clients: ${router.stats().clients}, and who they are: CLIENT LIST`)
    writeFileSync(file, 'a-new-token-for-the-admins')
    admin.reload()
    const gone = new Promise(resolve => stranger.once('close', resolve))
    // A user of another name: whoever came by the old one is disconnected.
    await reload({ users: [{ name: 'shop2', password: 'a new one', permissions: ['read'] }] })
    await gone
    check((await enters(leaked)) === 401, 'the old token is refused')
    check((await enters('a-new-token-for-the-admins')) === 200, 'the new one is taken')
    const again = stage.client(port, options)
    check((await settled(again.get('a'))) instanceof Error, 'the old password is refused')
    stage.say('cure', 'a new token and a new user, by a reload: the stranger is out')
  },
}
