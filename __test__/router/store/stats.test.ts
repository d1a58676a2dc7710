// What a node counts of the servers behind it: the same in `stats()` and in `INFO`, and true.
import { setTimeout as sleep } from 'node:timers/promises'
import test from 'ava'
import { createRouter, type Router } from 'breakwater/router'
import { encode, Raw, redis } from '../support.ts'
import { hasRedis, info, replicaOf } from './support.ts'

const fronted = hasRedis ? test : test.skip

async function until(isTrue: () => Promise<boolean> | boolean): Promise<void> {
  while (!(await isTrue())) await sleep(5)
}

/** The fields of a line of `INFO`, under the names of `stats()`. */
function fields(line: string): Record<string, string> {
  const camel = (name: string) => name.replace(/_(.)/g, (_, letter: string) => letter.toUpperCase())
  return Object.fromEntries(
    line.split(',').map(field => {
      const [name = '', value = ''] = field.split('=')
      return [camel(name), value]
    }),
  )
}

/** The lines of a section of `INFO` that begin with a name and a number. */
async function lines(client: Raw, section: string, name: string) {
  const text = await client.send('INFO', section)
  return [...text.matchAll(new RegExp(`^${name}\\d+:(.*?)\\r?$`, 'gm'))].map(([, line]) =>
    fields(line!),
  )
}

/** As `INFO` has an object of `stats()`: without what has no value, or is no line of its own. */
function shown(stats: object): Record<string, string> {
  const plain = Object.entries(stats).filter(
    ([, value]) => value !== undefined && typeof value !== 'object',
  )
  return Object.fromEntries(plain.map(([name, value]) => [name, String(value)]))
}

fronted('stats() and INFO agree: servers, routes, memory, the node', async t => {
  t.timeout(180_000)
  const store = await redis(t, '--repl-diskless-sync-delay', '0')
  const replica = await replicaOf(t, store)
  const router: Router = createRouter({
    threads: 1,
    maxBytes: '16mb',
    store: {
      url: `redis://127.0.0.1:${store.port}`,
      replicas: [`redis://127.0.0.1:${replica.port}`],
    },
    readFrom: 'preferReplica',
    routes: ['a:*,ttl=1m', 'b:*,mode=off'],
  })
  t.teardown(() => router.close())
  const { port } = await router.listen({ port: 0 })
  const client = await Raw.open(t, port)
  const upstream = () => router.stats().upstream
  for (let n = 0; n < 20; n++) {
    await client.send('SET', `a:${n}`, 'v')
    await client.send('GET', `a:${n}`)
    await client.send('GET', `a:${n}`)
    await client.send('GET', `b:${n}`)
  }
  await client.send('WATCH', 'a:1')
  await until(() => upstream()[1]?.state === 'up')
  t.is(upstream().length, 2)
  t.is(upstream()[0]!.address, `127.0.0.1:${store.port}`)
  t.deepEqual([upstream()[0]!.role, upstream()[1]!.role], ['primary', 'replica'])
  t.true(upstream()[0]!.requests > 20)
  t.is(upstream()[0]!.lag, undefined)
  await until(() => upstream()[0]!.pinned === 1 && upstream()[0]!.pinnedIdle === 0)
  await client.send('UNWATCH')
  await until(() => upstream()[0]!.pinnedIdle === 1)
  // All that moves by itself, a moment between two looks: until both looks are of one moment.
  await until(async () => {
    const before = router.stats()
    const [servers, routes] = [
      await lines(client, 'upstream', 'upstream'),
      await lines(client, 'routes', 'route'),
    ]
    const plain = ({
      lag: _lag,
      requests: _requests,
      inFlight: _inFlight,
      ...rest
    }: Record<string, string>) => rest
    const [have, want] = [servers.map(plain), before.upstream.map(shown).map(plain)]
    const same = JSON.stringify(have.map(sorted)) === JSON.stringify(want.map(sorted))
    const alike =
      JSON.stringify(routes.map(sorted)) === JSON.stringify(before.routes.map(shown).map(sorted))
    return same && alike
  })
  const stats = router.stats()
  const cache = await client.send('INFO', 'cache')
  for (const name of ['entries', 'bytes', 'hits', 'misses', 'evictions', 'expirations'] as const) {
    t.true(cache.includes(`cache_${name}:${stats[name]}\r\n`), name)
  }
  const node = await client.send('INFO', 'node')
  for (const [name, value] of [
    ['clients', stats.clients],
    ['connections', stats.connections],
    ['refused', stats.refused],
  ]) {
    t.true(node.includes(`node_${name}:${value}\r\n`), String(name))
  }
  t.is(Object.keys(stats.upstream[0]!).length, 19)
})

fronted('connections are counted as they serve, are lost, and cannot be made', async t => {
  t.timeout(180_000)
  const store = await redis(t)
  const url = `redis://127.0.0.1:${store.port}`
  const router = createRouter({ threads: 1, maxBytes: '16mb', store: url })
  t.teardown(() => router.close())
  const { port } = await router.listen({ port: 0 })
  const [client, direct] = [await Raw.open(t, port), await Raw.open(t, store.port)]
  const counts = () => router.stats().upstream[0]!
  t.is(counts().state, 'down')
  await client.send('SET', 'k', 'v')
  await until(() => counts().state === 'up')
  await client.send('GET', 'k')
  // The test's own connection is the one that is not the node's.
  const connected = async () => Number(await info(direct, 'clients', 'connected_clients')) - 1
  await until(async () => counts().connections === (await connected()))
  const { connects } = counts()
  const waits = await Raw.open(t, port)
  waits.write(encode(['BLPOP', 'nothing', '0']))
  await until(() => counts().inFlight === 1 && counts().pinned === 1)
  waits.socket.destroy()
  await until(() => counts().inFlight === 0 && counts().pinned === 0)
  await direct.send('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes')
  await until(() => counts().losses > 0)
  await until(async () => (await client.send('GET', 'k')) === '$1\r\nv\r\n')
  t.true(counts().connects > connects)
  await store.stop('SIGKILL')
  await until(async () => {
    await client.send('GET', 'k')
    return counts().failures > 0
  })
  await until(() => counts().connections === 0 && counts().inFlight === 0)
  t.is(counts().state, 'down')
})

function sorted(fields: Record<string, string>): [string, string][] {
  return Object.entries(fields).sort(([a], [b]) => (a < b ? -1 : 1))
}
