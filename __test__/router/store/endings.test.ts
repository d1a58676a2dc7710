// What threads have read of the store when they end, or lose a connection: the store tells of changes to
// the connection that has read, and to no other one.
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Worker } from 'node:worker_threads'
import test, { type ExecutionContext } from 'ava'
import { createRouter } from 'breakwater/router'
import { Raw, redis } from '../support.ts'
import { calls, hasRedis } from './support.ts'

const fronted = hasRedis ? test.serial : test.skip

async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await condition())) await sleep(5)
}

/** Reads a key. */
const get = (client: Raw, key: string): Promise<string> => client.send('GET', key)

/**
 * A node of four threads, each of which has read some of these keys, and that remembers what all of them
 * are; and a client of the store itself.
 */
async function warmed(t: ExecutionContext) {
  t.timeout(180_000)
  const workers: Worker[] = []
  const note = (worker: Worker) => void workers.push(worker)
  process.on('worker', note)
  const store = await redis(t)
  const router = createRouter({
    threads: 4,
    maxBytes: '64mb',
    store: `redis://127.0.0.1:${store.port}`,
    routes: ['*,ttl=1h'],
  })
  t.teardown(async () => {
    process.off('worker', note)
    await router.close()
  })
  const { port } = await router.listen({ port: 0 })
  const direct = await Raw.open(t, store.port)
  const keys: string[] = []
  const clients = () => Promise.all(Array.from({ length: 25 }, () => Raw.open(t, port)))
  /** Has clients read all keys once, which have this value; how often the store is asked for that. */
  const read = async (value: string) => {
    const all = await clients()
    const before = await calls(direct, 'get')
    for (const [at, key] of keys.entries()) {
      t.is(await get(all[at % all.length]!, key), `$${value.length}\r\n${value}\r\n`, key)
    }
    return (await calls(direct, 'get')) - before
  }
  const write = async (value: string) => {
    for (const key of keys) await direct.send('SET', key, value)
  }
  /** All clients hear of what is written. */
  const hears = async (value: string) => {
    await write(value)
    for (const client of await clients()) {
      for (const key of keys) {
        await until(async () => (await get(client, key)) === `$${value.length}\r\n${value}\r\n`)
      }
    }
  }
  await router.warmUp()
  // Which thread takes a client is the system's choice: more keys, until all threads have read some. None is
  // written once it was read: news of that would come late to one thread or another.
  const readers = new Set<string>()
  do {
    const more = Array.from({ length: 500 }, (_, at) => `key:${keys.length + at}`)
    keys.push(...more)
    for (const key of more) await direct.send('SET', key, 'old')
    for (let at = 0; at < more.length; at += 25) {
      const all = await clients()
      const few = more.slice(at, at + 25)
      await Promise.all(few.map((key, nth) => get(all[nth]!, key)))
      await Promise.all(all.map(client => client.send('QUIT')))
      // It has read, whatever it is asked later: a connection that is quiet is asked whether it is there.
      for (const id of await last(direct, 'pttl')) readers.add(id)
    }
  } while (readers.size < 4)
  t.is(await read('old'), 0)
  return { router, direct, keys, readers, read, hears, workers }
}

/** The connections of the node by which the store tells of changes, that have asked for one of these last. */
async function last(direct: Raw, ...commands: string[]): Promise<string[]> {
  const list = await direct.send('CLIENT', 'LIST', 'TYPE', 'normal')
  const lines = list.split('\n').filter(line => / flags=\w*t\w* /.test(line))
  return lines
    .filter(line => commands.some(command => line.includes(` cmd=${command} `)))
    .map(line => /id=(\d+)/.exec(line)![1]!)
}

fronted('a thread that ends costs the others nothing of what was read', async t => {
  const { router, direct, keys, readers, read, hears, workers } = await warmed(t)
  await workers[0]!.terminate()
  await until(() => router.stats().replaced === 1)
  // Its connection has been asked whether all has been heard.
  await until(async () => (await last(direct, 'ping')).length >= 1)
  const there = await last(direct, 'ping', 'pttl')
  t.deepEqual([...readers].sort(), there.sort(), 'all connections that have read are there')
  const asked = (await read('old')) + (await read('old'))
  t.true(asked <= 50, `${asked} of ${2 * keys.length} reads asked the store`)
  await hears('new')
})

fronted('a restart of all threads costs nothing of what was read', async t => {
  const { router, keys, read, hears } = await warmed(t)
  await router.restart()
  const asked = (await read('old')) + (await read('old'))
  t.true(asked <= 50, `${asked} of ${2 * keys.length} reads asked the store`)
  await hears('new')
})

fronted('a connection that is lost costs what was read over it, and no more', async t => {
  const { router, direct, keys, readers, read, hears } = await warmed(t)
  const [id] = readers
  t.is(await direct.send('CLIENT', 'KILL', 'ID', id!), ':1\r\n')
  const counts = () => router.stats().upstream[0]!
  await until(() => counts().losses === 1 && counts().connections === 4)
  const asked = await read('old')
  t.true(asked > 0 && asked < keys.length, `${asked} of ${keys.length} keys were read anew`)
  await hears('new')
})

/** What stands between a node and its store, and swallows what comes over all connections so far. */
async function swallower(t: ExecutionContext, store: number) {
  const open = new Set<Socket>()
  const swallowed = new Set<Socket>()
  const server = createServer(near => {
    const far = connect(store, '127.0.0.1')
    open.add(near)
    const pass = (from: Socket, to: Socket) => {
      from.on('data', chunk => void (swallowed.has(near) || to.write(chunk)))
      from.on('error', () => {})
      from.on('close', () => to.destroy())
    }
    pass(near, far)
    pass(far, near)
  })
  t.teardown(() => {
    for (const socket of open) socket.destroy()
    server.close()
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    swallow() {
      for (const socket of open) swallowed.add(socket)
    },
  }
}

fronted(
  'what the network swallows is missed before long, and nothing old is given then',
  async t => {
    t.timeout(120_000)
    const store = await redis(t)
    const between = await swallower(t, store.port)
    const router = createRouter({
      threads: 1,
      maxBytes: '16mb',
      store: `redis://127.0.0.1:${between.port}`,
      routes: ['*,ttl=1h'],
    })
    t.teardown(() => router.close())
    const { port } = await router.listen({ port: 0 })
    const [client, direct] = [await Raw.open(t, port), await Raw.open(t, store.port)]
    await direct.send('SET', 'k', 'old')
    t.is(await get(client, 'k'), '$3\r\nold\r\n')
    between.swallow()
    await direct.send('SET', 'k', 'new')
    t.is(await get(client, 'k'), '$3\r\nold\r\n', 'nobody can know')
    await until(async () => (await get(client, 'k')) === '$3\r\nnew\r\n')
  },
)
