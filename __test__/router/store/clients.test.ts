// Unchanged clients through a node in front of a store: what they subscribe to, wait for, watch and track.
import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import test, { type ExecutionContext } from 'ava'
import { Cache } from 'breakwater'
import { redis as redisTier } from 'breakwater/redis'
import { Redis } from 'ioredis'
import { BasicClientSideCache, createClient } from 'redis'
import { encode, Raw } from '../support.ts'
import { calls, front, hasRedis, info, subscribers } from './support.ts'

const fronted = hasRedis ? test : test.skip
const execute = promisify(execFile)

/** Waits until `isTrue`, looking again and again. */
async function until(isTrue: () => Promise<boolean> | boolean): Promise<void> {
  while (!(await isTrue())) await sleep(5)
}

/** A client of ioredis until the test ends. */
function ioredis(t: ExecutionContext, port: number, protocol: 2 | 3 = 2): Redis {
  const client = new Redis({ port, host: '127.0.0.1', protocol } as never)
  client.on('error', () => {})
  t.teardown(() => client.disconnect())
  return client
}

for (const protocol of ['2', '3']) {
  fronted(`RESP${protocol}: all clients of a thread share one subscription`, async t => {
    t.timeout(120_000)
    const { store, node } = await front(t, ['--threads', '1'])
    const direct = await Raw.open(t, store.port)
    const clients = await subscribers(t, node.port, protocol)
    t.is(await direct.send('PUBSUB', 'NUMSUB', 'news'), '*2\r\n$4\r\nnews\r\n:1\r\n')
    t.is(await direct.send('PUBLISH', 'news', 'calm'), ':2\r\n')
    const mark = protocol === '2' ? '*' : '>'
    for (const client of clients) {
      t.deepEqual((await client.replies(2)).map(String), [
        `${mark}3\r\n$7\r\nmessage\r\n$4\r\nnews\r\n$4\r\ncalm\r\n`,
        `${mark}4\r\n$8\r\npmessage\r\n$2\r\nn*\r\n$4\r\nnews\r\n$4\r\ncalm\r\n`,
      ])
    }
    for (const client of clients.slice(1)) client.socket.destroy()
    await clients[0]!.send('UNSUBSCRIBE', 'news')
    await until(async () => (await direct.send('PUBSUB', 'CHANNELS')) === '*0\r\n')
    t.is(await direct.send('PUBLISH', 'news', 'gone'), ':1\r\n')
    clients[0]!.socket.destroy()
    await until(async () => (await direct.send('PUBSUB', 'NUMPAT')) === ':0\r\n')
  })
}

fronted('a subscriber that takes no messages is cut, and the others are not', async t => {
  t.timeout(180_000)
  const { node } = await front(t, ['--threads', '1'])
  const [slow, quick, publisher] = [
    await Raw.open(t, node.port),
    await Raw.open(t, node.port),
    await Raw.open(t, node.port),
  ]
  await slow.send('SUBSCRIBE', 'flood')
  await quick.send('SUBSCRIBE', 'flood')
  slow.socket.pause()
  const message = 'x'.repeat(1024 * 1024)
  let heard = 0
  for (; !slow.socket.closed && heard < 80; heard++) {
    await publisher.send('PUBLISH', 'flood', message)
    t.is(
      (await quick.replies(1))[0]?.length,
      `*3\r\n$7\r\nmessage\r\n$5\r\nflood\r\n$1048576\r\n`.length + 1048578,
    )
  }
  slow.socket.resume()
  await slow.rest()
  t.is(await publisher.send('PING'), '+PONG\r\n')
})

fronted('connections of single clients come back and are used again', async t => {
  t.timeout(120_000)
  const { store, node } = await front(t, ['--threads', '1'])
  const direct = await Raw.open(t, store.port)
  const client = await Raw.open(t, node.port)
  const work = async () => {
    await client.send('WATCH', 'k')
    await client.send('MULTI')
    await client.send('INCR', 'k')
    t.regex(await client.send('EXEC'), /^\*1\r\n:\d+\r\n$/)
    await client.send('RPUSH', 'l', 'a')
    t.is(await client.send('BLPOP', 'l', '0'), '*2\r\n$1\r\nl\r\n$1\r\na\r\n')
  }
  await work()
  const opened = await info(direct, 'stats', 'total_connections_received')
  for (let n = 0; n < 50; n++) await work()
  t.is(await info(direct, 'stats', 'total_connections_received'), opened)
  // Without watching a transaction needs no connection of its own.
  const others = await Promise.all(Array.from({ length: 50 }, () => Raw.open(t, node.port)))
  const done = await Promise.all(
    others.map(async other => {
      other.write(Buffer.concat([['MULTI'], ['INCR', 'n'], ['EXEC']].map(encode)))
      return String((await other.replies(3))[2])
    }),
  )
  t.is(new Set(done).size, 50)
  t.is(await info(direct, 'stats', 'total_connections_received'), opened)
})

fronted('who goes while it waits takes nothing with it', async t => {
  t.timeout(120_000)
  const { store, node } = await front(t, ['--threads', '1'])
  const direct = await Raw.open(t, store.port)
  const waits = await Raw.open(t, node.port)
  waits.write(encode(['BLPOP', 'l', '0']))
  await until(async () => (await info(direct, 'clients', 'blocked_clients')) === '1')
  waits.socket.end()
  await until(async () => (await info(direct, 'clients', 'blocked_clients')) === '0')
  t.is(await direct.send('RPUSH', 'l', 'a'), ':1\r\n')
  t.is(await direct.send('LLEN', 'l'), ':1\r\n')
})

fronted('a pipeline that is written before it is read is answered whole', async t => {
  t.timeout(120_000)
  const { node } = await front(t, ['--threads', '1'])
  const client = await Raw.open(t, node.port)
  const count = 20_000
  client.write(Buffer.concat(Array.from({ length: count }, () => encode(['INCR', 'n']))))
  const replies = await client.replies(count)
  t.is(String(replies.at(-1)), `:${count}\r\n`)
})

fronted('a client of RESP3 is told of changes of what it read', async t => {
  t.timeout(120_000)
  const { store, node } = await front(t, ['--threads', '1'])
  const [direct, client] = [await Raw.open(t, store.port), await Raw.open(t, node.port)]
  await client.send('HELLO', '3')
  t.is(await client.send('CLIENT', 'TRACKING', 'ON'), '+OK\r\n')
  t.is(await client.send('GET', 'k'), '_\r\n')
  await direct.send('SET', 'k', '1')
  t.is(String((await client.replies(1))[0]), '>2\r\n$10\r\ninvalidate\r\n*1\r\n$1\r\nk\r\n')
  t.is(await client.send('CLIENT', 'GETREDIR'), ':0\r\n')
  t.is(await client.send('GET', 'k'), '$1\r\n1\r\n')
})

fronted('a client of RESP2 has another one told of changes', async t => {
  t.timeout(120_000)
  const { store, node } = await front(t, ['--threads', '2'])
  const direct = await Raw.open(t, store.port)
  const [ear, client] = [await Raw.open(t, node.port), await Raw.open(t, node.port)]
  const id = /:(\d+)/.exec(await ear.send('CLIENT', 'ID'))![1]!
  t.regex(await ear.send('SUBSCRIBE', '__redis__:invalidate'), /subscribe/)
  const words = ['ON', 'REDIRECT', id, 'BCAST', 'PREFIX', 'p:', 'NOLOOP']
  t.is(await client.send('CLIENT', 'TRACKING', ...words), '+OK\r\n')
  await client.send('SET', 'p:own', '1')
  await direct.send('SET', 'other', '1')
  await direct.send('SET', 'p:k', '1')
  const told = String((await ear.replies(1))[0])
  t.is(told, '*3\r\n$7\r\nmessage\r\n$20\r\n__redis__:invalidate\r\n*1\r\n$3\r\np:k\r\n')
})

fronted('the client-side cache of node-redis', async t => {
  t.timeout(120_000)
  const { store, node } = await front(t, ['--threads', '1'])
  const direct = await Raw.open(t, store.port)
  const clientSideCache = new BasicClientSideCache({ maxEntries: 100 })
  const url = `redis://127.0.0.1:${node.port}`
  const client = createClient({ url, RESP: 3, clientSideCache })
  client.on('error', () => {})
  await client.connect()
  t.teardown(() => client.destroy())
  await direct.send('SET', 'k', '1')
  t.is(await client.get('k'), '1')
  const before = await calls(direct, 'get')
  t.is(await client.get('k'), '1')
  t.is(await calls(direct, 'get'), before)
  await direct.send('SET', 'k', '2')
  await until(async () => (await client.get('k')) === '2')
  t.pass()
})

for (const library of ['ioredis', 'node-redis']) {
  fronted(`breakwater/redis with ${library}: a node stands in front of the store`, async t => {
    t.timeout(120_000)
    const { node, store } = await front(t, ['--threads', '2'])
    const connect = async () => {
      if (library === 'ioredis') return ioredis(t, node.port)
      const client = createClient({ url: `redis://127.0.0.1:${node.port}` })
      client.on('error', () => {})
      await client.connect()
      t.teardown(() => client.destroy())
      return client
    }
    let loads = 0
    const open = async (name: string) => {
      // A machine that is busy for two seconds is no lost connection.
      const patient = { timeout: '20s', invalidation: { bound: '20s' } } as const
      const tier = redisTier(await connect(), patient)
      const cache = new Cache<string, number>({
        name: `${name} ${library}`,
        max: 100,
        ttl: '1m',
        tier: { open: host => tier.open({ ...host, name: 'shared' }) },
        loader: () => ++loads,
      })
      t.teardown(() => cache.close())
      await cache.ready
      return cache
    }
    const direct = await Raw.open(t, store.port)
    const [one, other] = [await open('one'), await open('other')]
    t.is(await one.fetch('k'), 1)
    // Storing it is not waited for.
    await until(async () => (await direct.send('EXISTS', 'shared:k')) === ':1\r\n')
    t.is(await other.fetch('k'), 1)
    one.delete('k')
    // The other one hears of it, and loads anew.
    await until(async () => (await other.fetch('k')) === 2)
  })
}

fronted('redis-cli and redis-benchmark', async t => {
  t.timeout(240_000)
  const { node } = await front(t, ['--threads', '2'])
  const cli = async (...words: string[]) =>
    (await execute('redis-cli', ['-p', `${node.port}`, ...words])).stdout.trim()
  t.is(await cli('set', 'k', 'v'), 'OK')
  t.is(await cli('-3', 'get', 'k'), 'v')
  t.is(await cli('eval', 'return redis.call("get", KEYS[1])', '1', 'k'), 'v')
  t.is(await cli('--scan'), 'k')
  t.regex(await cli('monitor-no-such'), /unknown command/)
  const { stdout } = await execute('redis-benchmark', [
    ...['-p', `${node.port}`, '-n', '1000', '-c', '10', '-q', '-t'],
    'ping,set,get,incr,lpush,rpush,lpop,rpop,sadd,hset,spop,zadd,zpopmin,lrange,mset',
  ])
  t.is(stdout.match(/requests per second/g)?.length, 20)
})

for (const protocol of [2, 3] as const) {
  fronted(`ioredis, RESP${protocol}: everyday work`, async t => {
    t.timeout(120_000)
    const { node } = await front(t, ['--threads', '2'])
    const client = ioredis(t, node.port, protocol)
    const other = ioredis(t, node.port, protocol)
    const ear = ioredis(t, node.port, protocol)
    await ear.subscribe('a', 'b')
    await ear.psubscribe('c*')
    const heard = once(ear, 'message')
    const matched = once(ear, 'pmessage')
    t.is(await client.publish('b', 'one'), 1)
    t.deepEqual(await heard, ['b', 'one'])
    await client.publish('cat', 'two')
    t.deepEqual(await matched, ['c*', 'cat', 'two'])
    await ear.unsubscribe('a', 'b')

    await client.watch('n')
    await other.set('n', '1')
    t.is(await client.multi().incr('n').exec(), null)
    t.deepEqual(await client.multi().incr('n').exec(), [[null, 2]])

    client.defineCommand('double', {
      numberOfKeys: 1,
      lua: "return redis.call('incrby', KEYS[1], ARGV[1])",
    })
    const scripts = client as Redis & { double(key: string, by: number): Promise<number> }
    t.is(await scripts.double('n', 2), 4)
    await client.script('FLUSH')
    t.is(await scripts.double('n', 2), 6)
    await t.throwsAsync(client.evalsha('f'.repeat(40), 0), { message: /NOSCRIPT/ })

    // A lock as redlock has it.
    t.is(await client.set('lock', 'mine', 'PX', 10_000, 'NX'), 'OK')
    t.is(await other.set('lock', 'yours', 'PX', 10_000, 'NX'), null)
    const release =
      "if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('del', KEYS[1]) end return 0"
    t.is(await other.eval(release, 1, 'lock', 'yours'), 0)
    t.is(await client.eval(release, 1, 'lock', 'mine'), 1)

    await client.xgroup('CREATE', 's', 'g', '$', 'MKSTREAM')
    const entry = other.xreadgroup('GROUP', 'g', 'me', 'BLOCK', 0, 'STREAMS', 's', '>')
    const id = await client.xadd('s', '*', 'f', 'v')
    t.true(JSON.stringify(await entry).includes(id!))
    t.is(await client.xack('s', 'g', id!), 1)

    await client.mset(Object.fromEntries(Array.from({ length: 500 }, (_, n) => [`scan:${n}`, 'x'])))
    const found = new Set<string>()
    let cursor = '0'
    do {
      const [next, keys] = await client.scan(cursor, 'MATCH', 'scan:*', 'COUNT', 50)
      for (const key of keys) found.add(key)
      cursor = next
    } while (cursor !== '0')
    t.is(found.size, 500)
  })
}
