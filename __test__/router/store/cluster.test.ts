// A node in front of a Redis Cluster of real servers.
import test, { type ExecutionContext } from 'ava'
import { Raw, serve } from '../support.ts'
import { bulk, cluster, hasCluster, type Member, move, until } from './cluster.ts'

const clustered = hasCluster ? test : test.skip

clustered('keys of all slots are read and written as of one server', async t => {
  t.timeout(180_000)
  const { url, masters } = await cluster(t)
  const node = await serve(t, '--store', url)
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

/**
 * Clients that write and read keys of their own until they are told to stop. A cluster `forgets`
 * writes where a master is killed that had not passed them on.
 */
async function busy(t: ExecutionContext, port: number, forgets = false, clients = 6) {
  let [stopped, number] = [false, 0]
  const errors: string[] = []
  const work = Array.from({ length: clients }, async (_, at) => {
    const client = await Raw.open(t, port)
    // What each key may have: one value, or several where a write may have been done or not.
    const may = new Map<string, Set<string>>()
    for (let n = 0; !stopped; n++) {
      const [key, value] = [`c${at}:${n % 40}`, `${++number}`]
      const before = may.get(key) ?? new Set(['-1'])
      const reply = await client.send('SET', key, value)
      if (reply === '+OK\r\n') may.set(key, new Set(forgets ? [...before, value] : [value]))
      else {
        errors.push(reply)
        may.set(key, new Set([...before, value]))
      }
      for (let read = 0; read < 3; read++) {
        const got = await client.send('GET', key)
        if (got.startsWith('-')) {
          errors.push(got)
          continue
        }
        const seen = got === '$-1\r\n' ? '-1' : bulk(got)
        if (!may.get(key)!.has(seen)) t.fail(`${key} has ${seen}, not ${[...may.get(key)!]}`)
        if (!forgets) may.set(key, new Set([seen]))
      }
    }
  })
  const stop = async () => {
    stopped = true
    await Promise.all(work)
    return { errors, number }
  }
  return { stop, made: () => number }
}

clustered('slots move under load: no reply is wrong, none is an error', async t => {
  t.timeout(300_000)
  const made = await cluster(t, 3, 0)
  const [a, b, c] = made.masters as [Member, Member, Member]
  const node = await serve(t, '--threads', '2', '--store', made.url)
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
  const node = await serve(t, '--threads', '2', '--store', made.url)
  const load = await busy(t, node.port)
  await until(() => load.made() > 300)
  for (const replica of made.replicas) {
    await until(async () => (await replica.raw.send('CLUSTER', 'FAILOVER')) === '+OK\r\n')
    await until(async () => (await replica.raw.send('ROLE')).includes('master'))
    const then = load.made()
    await until(() => load.made() > then + 200)
  }
  const { errors } = await load.stop()
  t.deepEqual(errors, [])
})

clustered('a master is killed under load: no reply is wrong, and no client hangs', async t => {
  t.timeout(300_000)
  const made = await cluster(t)
  const node = await serve(t, '--threads', '2', '--store', made.url)
  const load = await busy(t, node.port, true)
  await until(() => load.made() > 300)
  await made.masters[1]!.stop('SIGKILL')
  await until(async () => (await made.replicas[1]!.raw.send('ROLE')).includes('master'))
  const then = load.made()
  await until(() => load.made() > then + 400)
  const { errors } = await load.stop()
  for (const error of errors) t.regex(error, /^-(ERR the store at|CLUSTERDOWN)/)
  const client = await Raw.open(t, node.port)
  for (let n = 0; n < 100; n++) t.is(await client.send('SET', `k${n}`, 'v'), '+OK\r\n')
})
