// A crowd in front of the node: many ask for one key, many want a connection of their own, one sends
// more than may wait. The store notices little of it.
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import test, { type ExecutionContext } from 'ava'
import { encode, Raw, redis, serve } from '../support.ts'
import { calls, front, hasRedis } from './support.ts'

const CONNECTIONS = Number(process.env.BREAKWATER_CONNECTIONS ?? 2_000)
/** How many requests ask for a key that ends again and again. */
const REQUESTS = 40_000
const THREADS = 2

const fronted = hasRedis ? test.serial : test.serial.skip

async function connect(t: ExecutionContext, port: number, count: number): Promise<Raw[]> {
  const clients: Raw[] = []
  // As many as a backlog holds, so that none is refused.
  while (clients.length < count) {
    const more = Math.min(200, count - clients.length)
    clients.push(...(await Promise.all(Array.from({ length: more }, () => Raw.open(t, port)))))
  }
  return clients
}

fronted('of all who ask for a cold key at once, one asks the store', async t => {
  t.timeout(240_000)
  const { store, node } = await front(t, ['--threads', '2'])
  const direct = await Raw.open(t, store.port)
  const value = 'x'.repeat(1000)
  await direct.send('SET', 'cold', value)
  const clients = await connect(t, node.port, CONNECTIONS)
  const before = await calls(direct, 'get')
  const answers = await Promise.all(clients.map(client => client.send('GET', 'cold')))
  t.deepEqual([...new Set(answers)], [`$1000\r\n${value}\r\n`])
  t.is((await calls(direct, 'get')) - before, 1)
})

/** A store with one value, slow to give it, in a thread of its own. */
async function slowStore(t: ExecutionContext) {
  const seen = new Int32Array(new SharedArrayBuffer(12))
  const file = new URL('../../helpers/slow-store.mjs', import.meta.url)
  const worker = new Worker(file, { workerData: seen.buffer })
  t.teardown(() => worker.terminate())
  const [port] = (await once(worker, 'message')) as [number]
  return {
    port,
    /** The most who asked for it at once. */
    most: () => Atomics.load(seen, 1),
    /** How often it was asked for. */
    all: () => Atomics.load(seen, 2),
  }
}

// With 0.05 it is read ahead so late that it ends before the store has answered.
for (const refreshAhead of [0, 0.05, 0.5]) {
  test.serial(
    `a key that ends again and again under load is not read by the crowd, read ahead: ${refreshAhead}`,
    async t => {
      t.timeout(240_000)
      const store = await slowStore(t)
      const route = `*,ttl=40ms,jitter=0,refreshAhead=${refreshAhead}`
      const url = `redis://127.0.0.1:${store.port}`
      const node = await serve(t, '--store', url, '--threads', `${THREADS}`, '--route', route)
      const clients = await connect(t, node.port, 8)
      const batch = Buffer.concat(Array.from({ length: 50 }, () => encode(['GET', 'hot'])))
      const work = async (client: Raw) => {
        for (let sent = 0; sent < REQUESTS / clients.length || store.all() < 3; sent += 50) {
          client.write(batch)
          const replies = await client.replies(50)
          if (!replies.every(reply => reply.equals(Buffer.from('$5\r\nvalue\r\n')))) {
            return t.fail(`${replies.map(String)}`)
          }
        }
      }
      await Promise.all(clients.map(work))
      let told = ''
      const count = (name: string) => Number(new RegExp(`[,:]${name}=(\\d+)`).exec(told)?.[1])
      // Until the other thread has added up what it counted, and the store was asked what is on its way to it.
      do told = await clients[0]!.send('INFO', 'routes')
      while (store.all() !== count('misses') + count('refreshed'))
      t.log(`${REQUESTS} requests, ${store.all()} reads of the store: ${told}`)
      t.is(store.most(), 1, 'who asked the store at a time')
      t.true(store.all() >= 3, 'it ended and was read again')
      // It is read where it has ended, or is about to, and nowhere else.
      t.is(store.all(), count('misses') + count('refreshed'))
      t.is(count('passed'), 0)
    },
  )
}

fronted(
  'who wants a connection of its own when all are lent waits, is told, and gets one later',
  async t => {
    t.timeout(240_000)
    const { node } = await front(t, ['--threads', '1', '--store-timeout', '60s'])
    const clients: Raw[] = []
    while (clients.length < 1024) {
      const more = await connect(t, node.port, 64)
      const told = await Promise.all(more.map(client => client.send('WATCH', 'k')))
      t.deepEqual([...new Set(told)], ['+OK\r\n'])
      clients.push(...more)
    }
    const late = await Raw.open(t, node.port)
    const why = await late.send('WATCH', 'k')
    t.is(
      why,
      '-ERR no connection of its own to the store became free in 2000 ms: all 1024 of this thread are in use\r\n',
    )
    // It goes on being served, and so is everybody.
    t.is(await late.send('SET', 'k', 'v'), '+OK\r\n')
    const waits = late.send('WATCH', 'k')
    t.is(await clients[0]!.send('UNWATCH'), '+OK\r\n')
    // A machine that stalls may make it wait too long; by now one is free.
    if ((await waits) !== '+OK\r\n') t.is(await late.send('WATCH', 'k'), '+OK\r\n')
    clients[1]!.socket.destroy()
    t.is(await clients[0]!.send('WATCH', 'k'), '+OK\r\n')
  },
)

fronted('more requests than a store may owe wait in the node: none is refused', async t => {
  t.timeout(240_000)
  const { store, node } = await front(t, ['--threads', '1', '--route', 'off:*,mode=off'])
  const [reader, clients] = [await Raw.open(t, node.port), await connect(t, node.port, 16)]
  await reader.send('SET', 'warm', 'v')
  for (let n = 0; n < 2; n++) t.is(await reader.send('GET', 'warm'), '$1\r\nv\r\n')
  // Each may have 1,024 on their way: together that is more than 10,000 at once.
  const each = 2_000
  const line = (n: number) => encode(n % 2 === 0 ? ['SET', 'off:k', `${n}`] : ['GET', 'off:none'])
  const lines = Buffer.concat(Array.from({ length: each }, (_, n) => line(n)))
  const right = ['+OK\r\n', '$-1\r\n']
  const late = '-ERR the store has not answered in time\r\n'
  for (let done = 0; done < 3; ) {
    store.process.kill('SIGSTOP')
    for (const client of clients) client.write(lines)
    // What memory has is given all the same.
    for (let n = 0; n < 10; n++) t.is(await reader.send('GET', 'warm'), '$1\r\nv\r\n')
    store.process.kill('SIGCONT')
    const replies = await Promise.all(clients.map(client => client.replies(each)))
    const wrong = replies.flatMap(of => of.map(String).filter((text, n) => text !== right[n % 2]))
    // A machine that stalls may make them late; nobody is told anything else.
    t.deepEqual(wrong.filter(text => text !== late).slice(0, 3), [])
    if (wrong.length === 0) done++
  }
})

fronted('a value that is larger than what may wait to be written is written', async t => {
  t.timeout(240_000)
  const { node } = await front(t, ['--threads', '1'])
  const clients = await connect(t, node.port, 3)
  const value = Buffer.alloc(24 * 1024 * 1024, 'v')
  const set = (client: Raw, at: number) => client.send('SET', `large${at}`, value)
  t.deepEqual(await Promise.all(clients.map(set)), ['+OK\r\n', '+OK\r\n', '+OK\r\n'])
  t.is(await clients[0]!.send('STRLEN', 'large2'), `:${value.length}\r\n`)
})

fronted('WAIT tells of the replicas that have what was written', async t => {
  t.timeout(240_000)
  const { store, node } = await front(t, ['--threads', '2'])
  const replica = await redis(t, '--replicaof', '127.0.0.1', `${store.port}`)
  const client = await Raw.open(t, node.port)
  t.is(await client.send('WAIT', '1', '0'), ':1\r\n', 'once it has come')
  for (let n = 0; n < 20; n++) {
    client.write(Buffer.concat([encode(['SET', 'k', `${n}`]), encode(['WAIT', '1', '60000'])]))
    t.deepEqual((await client.replies(2)).map(String), ['+OK\r\n', ':1\r\n'])
    const copy = await Raw.open(t, replica.port)
    t.is(await copy.send('GET', 'k'), `$${`${n}`.length}\r\n${n}\r\n`)
    copy.socket.destroy()
  }
  t.is(await client.send('WAIT', '2', '10'), ':1\r\n', 'there is one')
})

fronted(
  'who sends more than may wait behind a command that waits is told so and disconnected',
  async t => {
    t.timeout(240_000)
    const { store, node } = await front(t, ['--threads', '1'])
    const [client, other] = [await Raw.open(t, node.port), await Raw.open(t, node.port)]
    client.write(encode(['BLPOP', 'nothing', '0']))
    const piece = encode(['SET', 'k', 'v'.repeat(1024 * 1024 - 64)])
    // 63 of them may wait; the end of the connection ends the writing.
    for (let sent = 0; sent < 63; sent++) client.write(piece)
    t.is(await other.send('SET', 'k', 'mine'), '+OK\r\n')
    for (let sent = 0; sent < 4; sent++) client.write(piece)
    const last = String(await client.rest())
    t.is(last, '-ERR Protocol error: too many commands wait for replies to be read\r\n')
    // None of them was done, and everybody else is served.
    t.is(await other.send('GET', 'k'), '$4\r\nmine\r\n')
    const direct = await Raw.open(t, store.port)
    while (/cmd=blpop/.test(await direct.send('CLIENT', 'LIST'))) await sleep(5)
    t.pass()
  },
)
