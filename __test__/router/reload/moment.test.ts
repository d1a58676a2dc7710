// A reload happens at one moment: a request is judged by one configuration, and no connection is lost.
import test from 'ava'
import { createRouter, type Router, type RouterConfig, type RouterOptions } from 'breakwater/router'
import { Redis } from 'ioredis'
import { random } from '../../helpers/random.ts'
import { hasRedis } from '../store/support.ts'
import { Raw, redis } from '../support.ts'
import { start } from './support.ts'

const fronted = hasRedis ? test : test.skip
const DRIVERS = ['native', 'net'] as const

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

test('a lower maxClients keeps those who are there, and refuses who comes', async t => {
  const { router, port } = await start(t, {})
  const clients = await Promise.all([1, 2, 3].map(() => Raw.open(t, port)))
  for (const client of clients) await client.send('PING')
  await router.reload({ threads: 1, maxBytes: '64mb', maxClients: 2 })
  for (const client of clients) t.is(await client.send('PING'), '+PONG\r\n')
  const late = await Raw.open(t, port)
  t.is(String(await late.rest()), '-ERR max number of clients reached\r\n')
})
