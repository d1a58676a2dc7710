// A node in front of a Redis Cluster of real servers.
import test from 'ava'
import { createRouter } from 'breakwater/router'
import { Cluster } from 'ioredis'
import { createCluster } from 'redis'
import { Raw, redis, serve } from '../support.ts'
import { cluster, hasCluster, join, type Member, move, promote, settled, until } from './cluster.ts'
import { busy } from './load.ts'
import { PATIENT } from './support.ts'

const clustered = hasCluster ? test : test.skip

clustered('keys of all slots are read and written as of one server', async t => {
  t.timeout(180_000)
  const { url, masters } = await cluster(t)
  const node = await serve(t, '--store', url, ...PATIENT)
  const client = await Raw.open(t, node.port)
  for (let n = 0; n < 200; n++) t.is(await client.send('SET', `k${n}`, `v${n}`), '+OK\r\n')
  for (let round = 0; round < 2; round++) {
    for (let n = 0; n < 200; n++) {
      const value = `v${n}`
      t.is(await client.send('GET', `k${n}`), `$${value.length}\r\n${value}\r\n`)
    }
  }
  for (const { raw } of masters) t.not(await raw.send('DBSIZE'), ':0\r\n')
  t.true((await client.send('MSET', 'a', '1', 'b', '2')).length > 0)
  t.is(await client.send('MSET', '{a}1', '1', '{a}2', '2'), '+OK\r\n')
  t.is(await client.send('MGET', '{a}1', '{a}2'), '*2\r\n$1\r\n1\r\n$1\r\n2\r\n')
  t.is(await client.send('MULTI'), '+OK\r\n')
  t.is(await client.send('INCR', '{a}1'), '+QUEUED\r\n')
  t.is(await client.send('GET', '{a}2'), '+QUEUED\r\n')
  t.is(await client.send('EXEC'), '*2\r\n:2\r\n$1\r\n2\r\n')
})

clustered('slots move under load: no reply is wrong, none is an error', async t => {
  t.timeout(300_000)
  const made = await cluster(t, 3, 0)
  const [a, b, c] = made.masters as [Member, Member, Member]
  const node = await serve(t, '--threads', '2', '--store', made.url, ...PATIENT)
  const load = await busy(t, node.port)
  await until(() => load.made() > 300)
  // Those that the clients' keys are in.
  const slots = new Set<number>()
  for (let n = 0; n < 40; n++) {
    slots.add(Number((await a.raw.send('CLUSTER', 'KEYSLOT', `c1:${n}`)).slice(1)))
  }
  // One imports and exports nothing: servers that do both at once may each name the other as owner.
  for (const slot of [...slots].filter(slot => slot < 5461 || slot >= 10_922)) {
    await move(slot, slot < 5461 ? a : c, b, made.masters)
  }
  const then = load.made()
  await until(() => load.made() > then + 300)
  const { errors } = await load.stop()
  t.deepEqual(errors, [])
})

clustered('a master gives its place to its replica under load: no reply is wrong', async t => {
  t.timeout(300_000)
  const made = await cluster(t)
  const node = await serve(t, '--threads', '2', '--store', made.url, ...PATIENT)
  const load = await busy(t, node.port)
  await until(() => load.made() > 300)
  for (const replica of made.replicas) {
    await promote(replica)
    const then = load.made()
    await until(() => load.made() > then + 200)
  }
  const { errors } = await load.stop()
  t.deepEqual(errors, [])
})

clustered('a master is killed under load: no reply is wrong, and no client hangs', async t => {
  t.timeout(300_000)
  const made = await cluster(t)
  const node = await serve(t, '--threads', '2', '--store', made.url, ...PATIENT)
  const load = await busy(t, node.port, { forgets: true })
  await until(() => load.made() > 300)
  await made.masters[1]!.stop('SIGKILL')
  await promote(made.replicas[1]!, 'FORCE')
  const then = load.made()
  await until(() => load.made() > then + 400)
  const { errors } = await load.stop()
  for (const error of errors) t.regex(error, /^-(ERR the store at|CLUSTERDOWN)/)
  const client = await Raw.open(t, node.port)
  for (let n = 0; n < 100; n++) t.is(await client.send('SET', `k${n}`, 'v'), '+OK\r\n')
})

clustered('clients that speak the cluster protocol work through the node', async t => {
  t.timeout(300_000)
  const made = await cluster(t, 3, 0)
  const node = await serve(t, '--threads', '2', '--store', made.url, ...PATIENT)
  const io = new Cluster([{ host: '127.0.0.1', port: node.port }])
  t.teardown(() => io.disconnect())
  io.on('error', () => {})
  const nodeRedis = createCluster({ rootNodes: [{ url: `redis://127.0.0.1:${node.port}` }] })
  nodeRedis.on('error', () => {})
  await nodeRedis.connect()
  t.teardown(() => nodeRedis.destroy())
  for (let n = 0; n < 50; n++) {
    t.is(await io.set(`k${n}`, `v${n}`), 'OK')
    t.is(await nodeRedis.get(`k${n}`), `v${n}`)
  }
  t.deepEqual(await io.mget('{a}1', '{a}2'), [null, null])
  t.deepEqual(await io.pipeline().set('{p}1', '1').incr('{p}1').exec(), [
    [null, 'OK'],
    [null, 2],
  ])
  t.deepEqual(await nodeRedis.multi().set('{q}1', 'x').get('{q}1').exec(), ['OK', 'x'])
  const raw = await Raw.open(t, node.port)
  t.is(await raw.send('CLUSTER', 'KEYSLOT', 'foo'), ':12182\r\n')
  t.is(await raw.send('READONLY'), '+OK\r\n')
  t.regex(await raw.send('CLUSTER', 'NODES'), /127\.0\.0\.1:\d+@\d+ myself,master .* 0-16383\n/)
  t.regex(await raw.send('CLUSTER', 'FAILOVER'), /^-ERR this is about one server/)
  await raw.send('SET', 'foo', '1')
  t.is(await raw.send('CLUSTER', 'COUNTKEYSINSLOT', '12182'), ':1\r\n')
  t.is(await raw.send('SELECT', '1'), '-ERR SELECT is not allowed in cluster mode\r\n')
  t.regex(await raw.send('MONITOR'), /^-ERR not in front of a cluster/)
})

clustered(
  'a cluster that says private addresses is reached by those of the announce map',
  async t => {
    t.timeout(300_000)
    const made = await cluster(t, 2, 0)
    for (const { raw } of made.masters) {
      await raw.send('CONFIG', 'SET', 'cluster-announce-hostname', 'hidden.invalid')
      await raw.send('CONFIG', 'SET', 'cluster-preferred-endpoint-type', 'hostname')
    }
    const announce = Object.fromEntries(
      made.masters.map(({ port }) => [`hidden.invalid:${port}`, `127.0.0.1:${port}`]),
    )
    const [a, b] = made.masters as [Member, Member]
    await until(
      async () => (await a.raw.send('CLUSTER', 'SLOTS')).split('hidden.invalid').length > 2,
    )
    await until(
      async () => (await b.raw.send('CLUSTER', 'SLOTS')).split('hidden.invalid').length > 2,
    )
    const router = createRouter({ threads: 1, store: { url: made.url, announce } })
    t.teardown(() => router.close())
    const { port } = await router.listen({ port: 0 })
    const client = await Raw.open(t, port!)
    for (let n = 0; n < 50; n++) t.is(await client.send('SET', `k${n}`, 'v'), '+OK\r\n')
  },
)

clustered('seeds that are no cluster, or away, are named', async t => {
  t.timeout(180_000)
  const alone = await redis(t)
  const url = `redis-cluster://127.0.0.1:1,127.0.0.1:${alone.port}`
  const node = await serve(t, '--threads', '1', '--store', url)
  const client = await Raw.open(t, node.port)
  t.regex(
    await client.send('GET', 'k'),
    /^-CLUSTERDOWN the cluster's slots are not known: .*(cluster support disabled|unreachable)/,
  )
  t.is(await client.send('PING'), '+PONG\r\n')
  const made = await cluster(t, 1, 0)
  const partly = `redis-cluster://127.0.0.1:1,127.0.0.1:${made.masters[0]!.port}`
  const other = await serve(t, '--threads', '1', '--store', partly)
  const another = await Raw.open(t, other.port)
  t.is(await another.send('SET', 'k', 'v'), '+OK\r\n')
})

clustered('a server joins and leaves under load: no reply is wrong, none is an error', async t => {
  t.timeout(300_000)
  const made = await cluster(t, 2, 0)
  const [a, b] = made.masters as [Member, Member]
  const node = await serve(t, '--threads', '2', '--store', made.url, ...PATIENT)
  const load = await busy(t, node.port)
  const added = await join(t, made)
  await until(() => load.made() > 300)
  const slots = new Set<number>()
  for (let n = 0; n < 40; n++) {
    slots.add(Number((await a.raw.send('CLUSTER', 'KEYSLOT', `c2:${n}`)).slice(1)))
  }
  const all = [a, b, added]
  for (const slot of slots) await move(slot, slot < 8192 ? a : b, added, all)
  const then = load.made()
  await until(() => load.made() > then + 300)
  await settled(all)
  for (const slot of slots) await move(slot, added, a, all)
  await settled(all)
  const back = load.made()
  await until(() => load.made() > back + 600)
  for (const one of [a, b]) await one.raw.send('CLUSTER', 'FORGET', added.id)
  await added.stop('SIGKILL')
  const last = load.made()
  await until(() => load.made() > last + 300)
  const { errors } = await load.stop()
  t.deepEqual(errors, [])
})
