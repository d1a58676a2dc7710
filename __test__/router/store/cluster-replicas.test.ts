// Reads from replicas of a Redis Cluster: they go there, and no reply is wrong while slots move and
// masters change.
import test from 'ava'
import { createRouter } from 'breakwater/router'
import { Raw, serve } from '../support.ts'
import { agreed, cluster, hasCluster, type Member, move, promote, until } from './cluster.ts'
import { busy, slotsOf } from './load.ts'
import { calls, PATIENT } from './support.ts'

const clustered = hasCluster ? test : test.skip

/** How often replicas were asked for values. */
async function asked(replicas: readonly Member[]): Promise<number> {
  const counts = await Promise.all(replicas.map(({ raw }) => calls(raw, 'get')))
  return counts.reduce((sum, count) => sum + count, 0)
}

for (const mode of ['on', 'off']) {
  clustered(`slots move and masters change while replicas are read, memory ${mode}`, async t => {
    t.timeout(300_000)
    const made = await cluster(t)
    const [a, b, c] = made.masters as [Member, Member, Member]
    const reads = ['--read-from', 'preferReplica', '--route', `*,mode=${mode}`]
    const node = await serve(t, '--threads', '2', '--store', made.url, ...PATIENT, ...reads)
    const load = await busy(t, node.port)
    await until(async () => (await asked(made.replicas)) > 100)
    for (const slot of await slotsOf(a.raw, 1)) {
      if (slot < 5461 || slot >= 10_922) {
        await move(slot, slot < 5461 ? a : c, b, [...made.masters, ...made.replicas])
      }
    }
    const moved = load.made()
    await until(() => load.made() > moved + 300)
    for (const replica of made.replicas) {
      await promote(replica)
      const then = load.made()
      await until(() => load.made() > then + 200)
    }
    await agreed({ ...made, masters: made.replicas, replicas: made.masters })
    const before = await asked(made.masters)
    await until(async () => (await asked(made.masters)) > before + 50)
    const { errors } = await load.stop()
    t.deepEqual(errors, [])
  })
}

clustered('what a replica says is not there is asked of its master', async t => {
  t.timeout(180_000)
  const made = await cluster(t, 2, 1)
  const [a, b] = made.masters as [Member, Member]
  const reads = ['--read-from', 'preferReplica', '--route', '*,mode=off']
  const node = await serve(t, '--threads', '1', '--store', made.url, ...PATIENT, ...reads)
  const client = await Raw.open(t, node.port)
  await until(async () => (await client.send('SET', '{a}1', 'x')) === '+OK\r\n')
  await until(async () => {
    await client.send('GET', '{a}1')
    return (await asked(made.replicas)) > 0
  })
  const slot = (await a.raw.send('CLUSTER', 'KEYSLOT', '{a}1')).slice(1).trim()
  const [from, to] = Number(slot) < 8192 ? [a, b] : [b, a]
  const at = made.replicas[made.masters.indexOf(from)]!
  // It leaves its slot's replicas, which know nothing of a slot that moves.
  await to.raw.send('CLUSTER', 'SETSLOT', slot, 'IMPORTING', from.id)
  await from.raw.send('CLUSTER', 'SETSLOT', slot, 'MIGRATING', to.id)
  const keys = ['KEYS', '{a}1']
  t.is(
    await from.raw.send('MIGRATE', '127.0.0.1', `${to.port}`, '', '0', '5000', ...keys),
    '+OK\r\n',
  )
  await at.raw.send('READONLY')
  await until(async () => (await at.raw.send('EXISTS', '{a}1')) === ':0\r\n')
  for (let n = 0; n < 20; n++) {
    t.is(await client.send('GET', '{a}1'), '$1\r\nx\r\n')
    t.is(await client.send('STRLEN', '{a}1'), ':1\r\n')
    t.is(await client.send('TYPE', '{a}1'), '+string\r\n')
  }
  t.is(await client.send('GET', 'none'), '$-1\r\n')
})

clustered('a reload says that replicas of a cluster are read, and that they are not', async t => {
  t.timeout(180_000)
  const made = await cluster(t)
  const config = { threads: 1, store: made.url, routes: [{ match: '*', mode: 'off' as const }] }
  const router = createRouter(config)
  t.teardown(() => router.close())
  const { port } = await router.listen({ port: 0 })
  const client = await Raw.open(t, port!)
  const readAll = async () => {
    for (let n = 0; n < 50; n++) t.is(await client.send('GET', `k${n}`), '$1\r\nv\r\n')
  }
  for (let n = 0; n < 50; n++) await client.send('SET', `k${n}`, 'v')
  await readAll()
  t.is(await asked(made.replicas), 0)
  const { changed } = await router.reload({ ...config, readFrom: 'preferReplica' })
  t.deepEqual(changed, ['routes[*].readFrom'])
  await until(async () => {
    await readAll()
    return (await asked(made.replicas)) > 50
  })
  await router.reload(config)
  const before = await asked(made.replicas)
  await readAll()
  t.is(await asked(made.replicas), before)
})
