// The user's client ends before the cache: what the cache has beside it ends with it, is told, and comes
// back with it.
import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import test from 'ava'
import { type Cluster, Redis } from 'ioredis'
import { createClient } from 'redis'
import { redis as redisTier } from '../../src/tier/redis/index.ts'
import { installed, redis } from '../router/support.ts'
import { cluster, connectCluster, connections, connectSentinel, sends } from './invalidation.ts'
import { fresh, Host } from './sessions.ts'

const check = installed('redis-server') ? test.serial : test.skip
const program = fileURLToPath(new URL('client.mjs', import.meta.url))

const WAYS = {
  ioredis: ['quit', 'disconnect'],
  'node-redis': ['close', 'destroy'],
} as const

check('a process ends when its client is closed and the cache is not', async t => {
  t.timeout(180_000)
  const { port } = await redis(t)
  const nodes = await cluster(t)
  const { client } = await connectSentinel(t, 'ioredis', await redis(t))
  const [sentinel] = (client as Redis).options.sentinels as [{ port: number }]
  const ports = { single: port, cluster: nodes[0]!.port, sentinel: sentinel.port }
  for (const [library, ways] of Object.entries(WAYS)) {
    const ended = ways.map(async (how, i) => {
      const given = { library, how, mode: i === 0 ? 'auto' : 'bus', ports }
      const args = [program, JSON.stringify(given)]
      const { stdout } = await promisify(execFile)(process.execPath, args, { timeout: 90_000 })
      for (const [kind, told] of Object.entries(JSON.parse(stdout) as Record<string, string[]>)) {
        t.is(told.filter(state => state === 'lost').length, 2, `${library} ${kind} ${how}`)
        t.true(
          told.some(text => /closed, or never opened/.test(text)),
          `${library} ${kind} ${how}`,
        )
      }
    })
    await Promise.all(ended)
  }
})

for (const library of ['ioredis', 'node-redis'] as const) {
  check(
    `a client that is closed takes its connections along, and brings them back: ${library}`,
    async t => {
      const { port } = await redis(t)
      const at = { port, host: '127.0.0.1' }
      const admin = new Redis(at)
      t.teardown(() => admin.disconnect())
      const client = library === 'ioredis' ? new Redis(at) : createClient({ socket: at })
      client.on('error', () => {})
      if (client instanceof Redis) await once(client, 'ready')
      else await client.connect()
      const before = client.listenerCount('end')
      const told: string[] = []
      const hosts = Array.from({ length: 12 }, (_, i) => new Host(`end${i}`))
      const sessions = hosts.map(host => {
        host.lost = () => void told.push('lost')
        host.regained = () => void told.push('regained')
        return redisTier(client, { timeout: '20s', invalidation: { bound: '20s' } }).open(host)
      })
      await Promise.all(sessions.map(({ ready }) => ready))
      t.is(told.splice(0).join(), Array(12).fill('regained').join())
      t.is(client.listenerCount('end'), before + 1, 'one listener for all')
      for (let round = 0; round < 2; round++) {
        if (client instanceof Redis) client.disconnect()
        else client.destroy()
        while ((await connections(sends(admin))).all > 1 || told.length < 12);
        t.is(told.splice(0).join(), Array(12).fill('lost').join())
        t.is(await sessions[0]!.get('k'), undefined)
        t.regex(hosts[0]!.failures.at(-1)![1].message, /closed, or never opened/)
        await client.connect()
        while (told.length < 12) await new Promise(setImmediate)
        t.is(told.splice(0).join(), Array(12).fill('regained').join())
        t.true(await sessions[0]!.set('k', fresh('v')))
        t.is((await sessions[0]!.get('k'))?.encoded, 'v')
      }
      await Promise.all(sessions.map(session => session.close()))
      t.is(client.listenerCount('end'), before)
      client.disconnect()
    },
  )
}

check('nothing is sent behind a QUIT, which would cost the caller its answer', async t => {
  t.timeout(60_000)
  const { port } = await redis(t)
  const client = new Redis({ port, host: '127.0.0.1' })
  const sentinel = await connectSentinel(t, 'ioredis', await redis(t))
  const fleet = await connectCluster(t, 'ioredis', await cluster(t))
  for (const of of [client, sentinel.client, fleet.client] as Redis[]) {
    of.on('error', () => {})
    if (of.status !== 'ready') await once(of, 'ready')
    const host = new Host(`quit${Math.random()}`)
    const session = redisTier(of, { timeout: '20s', invalidation: { bound: '20s' } }).open(host)
    await session.ready
    t.true(await session.set('k', fresh('v')))
    const sent: string[] = []
    const nodes = of.isCluster ? (of as never as Cluster).nodes() : [of]
    // What the write left to be read has been asked for.
    await Promise.all(nodes.map(node => node.ping()))
    for (const node of nodes) {
      const send = node.sendCommand
      node.sendCommand = (command, ...rest) => {
        sent.push(command.name)
        return send.call(node, command, ...rest)
      }
    }
    const quit = of.quit()
    await Promise.all([session.get('k'), session.get('other'), session.set('k', fresh('w'))])
    t.is(await quit, 'OK')
    t.deepEqual(sent, Array(nodes.length).fill('quit'))
    await session.close()
  }
})

test('a client that was never opened is waited for, and keeps no process', async t => {
  const client = createClient()
  const host = new Host('unopened')
  const told: string[] = []
  host.lost = () => void told.push('lost')
  const session = redisTier(client).open(host)
  await session.ready
  t.deepEqual(told, ['lost'])
  t.regex(host.failures[0]![1].message, /closed, or never opened/)
  await session.close()
})
