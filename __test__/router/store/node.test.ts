// A node in front of a Redis: what it spares the store, what it keeps true, and what happens when the
// store is not what it should be.
import { once } from 'node:events'
import { createServer } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import test from 'ava'
import { createRouter } from 'breakwater/router'
import { Redis } from 'ioredis'
import { createClient } from 'redis'
import { freePort } from '../../../scripts/free-port.mjs'
import { encode, Raw, run, serve } from '../support.ts'
import { calls, front, hasRedis, info } from './support.ts'

const fronted = hasRedis ? test : test.skip

/** Waits until `isTrue`, looking again and again. */
async function until(isTrue: () => Promise<boolean>): Promise<void> {
  while (!(await isTrue())) await sleep(5)
}

fronted('a value that is read often is read from the store once', async t => {
  const { store, node } = await front(t, ['--threads', '1'])
  const [direct, client] = [await Raw.open(t, store.port), await Raw.open(t, node.port)]
  await direct.send('SET', 'hot', 'value')
  await client.send('GET', 'hot')
  await until(async () => {
    const before = await calls(direct, 'get')
    await client.send('GET', 'hot')
    return (await calls(direct, 'get')) === before
  })
  const before = await calls(direct, 'get')
  for (let n = 0; n < 500; n++) t.is(await client.send('GET', 'hot'), '$5\r\nvalue\r\n')
  t.is(await calls(direct, 'get'), before)
})

fronted('what another client writes to the store is heard of', async t => {
  const { store, node } = await front(t, ['--threads', '2'])
  const direct = await Raw.open(t, store.port)
  const clients = await Promise.all(Array.from({ length: 8 }, () => Raw.open(t, node.port)))
  for (let n = 0; n < 50; n++) {
    await direct.send('SET', 'a', `${n}`)
    for (const client of clients) {
      const reply = `$${`${n}`.length}\r\n${n}\r\n`
      await until(async () => (await client.send('GET', 'a')) === reply)
    }
  }
  await direct.send('FLUSHALL')
  for (const client of clients) {
    await until(async () => (await client.send('GET', 'a')) === '$-1\r\n')
  }
  t.pass()
})

fronted('a value is given no longer than it lives in the store', async t => {
  const { store, node } = await front(t, ['--threads', '1'])
  const [direct, client] = [await Raw.open(t, store.port), await Raw.open(t, node.port)]
  // Longer, where it was over before it was read.
  for (let life = 2_000; ; life *= 2) {
    await direct.send('SET', 'short', 'v', 'PX', `${life}`)
    if ((await client.send('GET', 'short')) === '$1\r\nv\r\n') break
  }
  await until(async () => (await direct.send('EXISTS', 'short')) === ':0\r\n')
  await until(async () => (await client.send('GET', 'short')) === '$-1\r\n')
  t.pass()
})

fronted('a thousand clients have a handful of connections, also when they come anew', async t => {
  t.timeout(120_000)
  const { store, node } = await front(t, ['--threads', '2'])
  const direct = await Raw.open(t, store.port)
  const connect = () =>
    Promise.all(
      Array.from({ length: 500 }, async (_, n) => {
        const client = await Raw.open(t, node.port)
        t.is(await client.send('SET', `k${n}`, `${n}`), '+OK\r\n')
        t.is(await client.send('GET', `k${n}`), `$${`${n}`.length}\r\n${n}\r\n`)
        return client
      }),
    )
  const first = await connect()
  // Two threads, two protocols, and the one that asks.
  t.true(Number(await info(direct, 'clients', 'connected_clients')) <= 5)
  const opened = await info(direct, 'stats', 'total_connections_received')
  for (const client of first) client.socket.destroy()
  await connect()
  t.is(await info(direct, 'stats', 'total_connections_received'), opened)
})

fronted('clients that ask for one key at once cause one read', async t => {
  const { store, node } = await front(t, ['--threads', '1'])
  const direct = await Raw.open(t, store.port)
  const clients = await Promise.all(Array.from({ length: 200 }, () => Raw.open(t, node.port)))
  await Promise.all(clients.map(client => client.send('PING')))
  await direct.send('SET', 'cold', 'x'.repeat(1000))
  const before = await calls(direct, 'get')
  // The store stands still until all have asked.
  direct.write(encode(['DEBUG', 'SLEEP', '0.3']))
  const answers = clients.map(client => client.send('GET', 'cold'))
  t.is(new Set(await Promise.all(answers)).size, 1)
  await direct.replies(1)
  t.is((await calls(direct, 'get')) - before, 1)
})

for (const version of ['2', '3']) {
  fronted(`RESP${version}: a client reads its own writes, across its pipelines`, async t => {
    const { node } = await front(t, ['--threads', '2'])
    const clients = await Promise.all(Array.from({ length: 6 }, () => Raw.open(t, node.port)))
    await Promise.all(clients.map(client => client.send('HELLO', version)))
    await Promise.all(
      clients.map(async (client, who) => {
        for (let n = 0; n < 60; n++) {
          const key = `own${n % 3}:${who}`
          const pipeline = Array.from({ length: 8 }, (_, at) => [
            ['SET', key, `${n}.${at}`],
            ['GET', key],
          ]).flat()
          client.write(Buffer.concat(pipeline.map(encode)))
          const replies = (await client.replies(pipeline.length)).map(String)
          for (let at = 0; at < 8; at++) {
            const value = `${n}.${at}`
            t.is(replies[2 * at + 1], `$${value.length}\r\n${value}\r\n`)
          }
        }
      }),
    )
  })
}

fronted('each client chooses its database', async t => {
  const { store, node } = await front(t, ['--threads', '1'])
  const clients = await Promise.all(Array.from({ length: 5 }, () => Raw.open(t, node.port)))
  await Promise.all(clients.map((client, db) => client.send('SELECT', `${db}`)))
  for (let n = 0; n < 20; n++) {
    await Promise.all(clients.map((client, db) => client.send('SET', 'k', `${db}:${n}`)))
    for (const [db, client] of clients.entries()) {
      const value = `${db}:${n}`
      t.is(await client.send('GET', 'k'), `$${value.length}\r\n${value}\r\n`)
    }
  }
  const direct = await Raw.open(t, store.port)
  await direct.send('SELECT', '3')
  t.is(await direct.send('GET', 'k'), '$4\r\n3:19\r\n')
})

fronted('ioredis and node-redis do their work through it', async t => {
  const { node } = await front(t, ['--threads', '2'])
  const ioredis = new Redis({ port: node.port, host: '127.0.0.1' })
  const subscriber = ioredis.duplicate()
  t.teardown(() => {
    ioredis.disconnect()
    subscriber.disconnect()
  })
  await ioredis.set('a', '1')
  t.is(await ioredis.get('a'), '1')
  t.deepEqual(await ioredis.multi().incr('a').incr('a').exec(), [
    [null, 2],
    [null, 3],
  ])
  t.is(await ioredis.get('a'), '3')
  await ioredis.hset('h', { x: 1, y: 2 })
  t.deepEqual(await ioredis.hgetall('h'), { x: '1', y: '2' })
  t.is(await ioredis.eval('return ARGV[1]', 0, 'lua'), 'lua')
  await subscriber.subscribe('news')
  const heard = once(subscriber, 'message')
  t.is(await ioredis.publish('news', 'calm'), 1)
  t.deepEqual(await heard, ['news', 'calm'])
  const blocked = subscriber.duplicate()
  t.teardown(() => blocked.disconnect())
  const popped = blocked.blpop('queue', 0)
  await until(async () => (await ioredis.lpush('queue', 'job')) > 0)
  t.deepEqual(await popped, ['queue', 'job'])
  await ioredis.xgroup('CREATE', 'stream', 'group', '$', 'MKSTREAM')
  const entry = blocked.xreadgroup(
    'GROUP',
    'group',
    'me',
    'COUNT',
    1,
    'BLOCK',
    0,
    'STREAMS',
    'stream',
    '>',
  )
  await ioredis.xadd('stream', '*', 'field', 'value')
  t.is(((await entry) as [string, unknown][])[0]![0], 'stream')

  for (const RESP of [2, 3] as const) {
    const client = createClient({ url: `redis://127.0.0.1:${node.port}`, RESP })
    await client.connect()
    t.teardown(() => client.destroy())
    await client.set('b', 'value')
    t.is(await client.get('b'), 'value')
    await client.hSet('map', { one: '1' })
    t.is((await client.hGetAll('map')).one, '1')
    t.deepEqual(await client.multi().set('c', '1').get('c').exec(), ['OK', '1'])
  }
})

fronted('users may do what they are permitted, whether the cache has it or not', async t => {
  const { node } = await front(t, ['--threads', '1', '--user', 'w:w', '--user', 'r:r:read'])
  const [writer, reader] = [await Raw.open(t, node.port), await Raw.open(t, node.port)]
  t.regex(await reader.send('GET', 'a'), /^-NOAUTH /)
  t.regex(await reader.send('NOSUCH'), /^-NOAUTH /)
  t.is(await writer.send('AUTH', 'w', 'w'), '+OK\r\n')
  t.is(await writer.send('SET', 'a', '1'), '+OK\r\n')
  t.is(await writer.send('GET', 'a'), '$1\r\n1\r\n')
  t.is(await reader.send('AUTH', 'r', 'r'), '+OK\r\n')
  t.is(await reader.send('GET', 'a'), '$1\r\n1\r\n')
  for (const words of [
    ['SET', 'a', '2'],
    ['DEL', 'a'],
    ['EVAL', 'return 1', '0'],
    ['FLUSHALL'],
    ['CONFIG', 'GET', '*'],
    ['BLPOP', 'l', '0'],
    ['NOSUCH'],
    ['PUBLISH', 'a', 'b'],
    ['SORT', 'l', 'STORE', 'a'],
    ['XREADGROUP', 'GROUP', 'g', 'c', 'STREAMS', 's', '>'],
  ]) {
    t.regex(await reader.send(...words), /^-NOPERM /, words.join(' '))
  }
  t.is(await reader.send('MULTI'), '+OK\r\n')
  t.regex(await reader.send('SET', 'a', '2'), /^-NOPERM /)
  t.is(await writer.send('GET', 'a'), '$1\r\n1\r\n')
})

fronted(
  'a store that dies is told of in clear words, nothing stale is given, and it comes back',
  async t => {
    const port = await freePort()
    const url = `redis://127.0.0.1:${port}`
    const { node, store } = await front(t, ['--threads', '1'])
    const client = await Raw.open(t, node.port)
    await client.send('SET', 'a', '1')
    await until(async () => (await client.send('GET', 'a')) === '$1\r\n1\r\n')
    store.process.kill('SIGKILL')
    await until(async () => (await client.send('GET', 'a')).startsWith('-ERR the store at'))
    const [error] = [await client.send('SET', 'a', '2')]
    t.regex(error, /^-ERR the store at 127\.0\.0\.1:\d+ is unreachable: .+\r\n$/)
    t.is(await client.send('PING'), '+PONG\r\n')

    const late = await serve(t, '--threads', '1', '--store', url)
    const early = await Raw.open(t, late.port)
    t.regex(await early.send('GET', 'a'), /^-ERR the store at .* is unreachable/)
    const { redis } = await import('../support.ts')
    await redis(t, '--port', `${port}`)
    await until(async () => (await early.send('SET', 'a', '3')) === '+OK\r\n')
    t.is(await early.send('GET', 'a'), '$1\r\n3\r\n')
  },
)

fronted('the password of the store is given, and never shown', async t => {
  const { store } = await front(t, [], ['--requirepass', 'open sesame'])
  const secret = encodeURIComponent('open sesame')
  const good = await serve(
    t,
    '--threads',
    '1',
    '--store',
    `redis://:${secret}@127.0.0.1:${store.port}`,
  )
  const client = await Raw.open(t, good.port)
  t.is(await client.send('SET', 'a', '1'), '+OK\r\n')
  const bad = await serve(
    t,
    '--threads',
    '1',
    '--store',
    `redis://:wrong-one@127.0.0.1:${store.port}`,
  )
  const refused = await Raw.open(t, bad.port)
  let reply = ''
  await until(async () => {
    reply = await refused.send('GET', 'a')
    return reply.includes('WRONGPASS')
  })
  t.false(reply.includes('wrong-one'))
  for (const { output } of [good, bad]) t.notRegex(output(), /sesame|wrong-one/)
  const info = await client.send('INFO')
  t.false(info.includes('sesame'))
})

for (const protocol of ['2', '3']) {
  fronted(
    `RESP${protocol}: INFO is what the store says, and behind it what the node says`,
    async t => {
      t.timeout(120_000)
      const { store, node } = await front(
        t,
        ['--threads', '1'],
        ['--maxmemory-policy', 'noeviction'],
      )
      const [direct, client] = [await Raw.open(t, store.port), await Raw.open(t, node.port)]
      for (const one of [direct, client]) await one.send('HELLO', protocol)
      await client.send('SET', 'k', 'v')
      const all = await client.send('INFO')
      for (const field of [
        `tcp_port:${store.port}`,
        `process_id:${store.process.pid}`,
        'role:master',
        'db0:keys=1',
        'maxmemory_policy:noeviction',
        'node_clients:1',
        `node_process_id:${node.process.pid}`,
        `upstream_address:127.0.0.1:${store.port}`,
      ]) {
        t.true(all.includes(`\r\n${field}`), field)
      }
      t.is(await client.send('INFO', 'keyspace'), await direct.send('INFO', 'keyspace'))
      t.regex(await client.send('INFO', 'cache'), /# Cache\r\ncache_entries:\d+\r\n/)
      await store.stop('SIGKILL')
      await until(async () => !(await client.send('INFO')).includes(`tcp_port:${store.port}`))
      t.regex(await client.send('INFO'), /breakwater_version.*# Node\r\n.*# Upstream\r\n/s)
    },
  )
}

fronted('a store that speaks nonsense is given up and tried again', async t => {
  const nonsense = createServer(socket => {
    socket.on('error', () => {})
    socket.on('data', () => socket.write('HTTP/1.1 400 Bad Request\r\n\r\n'))
  }).listen(0, '127.0.0.1')
  await once(nonsense, 'listening')
  t.teardown(() => nonsense.close())
  const { port } = nonsense.address() as { port: number }
  const node = await serve(t, '--threads', '1', '--store', `redis://127.0.0.1:${port}`)
  const client = await Raw.open(t, node.port)
  await until(async () => (await client.send('GET', 'a')).includes('speaks no RESP'))
  t.is(await client.send('PING'), '+PONG\r\n')
})

test('a store that cannot be is refused by name, without its secrets', async t => {
  for (const store of [
    '',
    'localhost',
    'http://127.0.0.1',
    'rediss://127.0.0.1/3',
    'unix://',
    'unix:///',
    'redis://127.0.0.1/3',
    'redis://127.0.0.1:99999',
    'redis://user@127.0.0.1',
    'redis://:a%ZZ@127.0.0.1',
    'redis://127.0.0.1?db=1',
    7 as unknown as string,
  ]) {
    const error = t.throws(() => createRouter({ store, maxBytes: '16mb' }), {
      code: 'ERR_INVALID_OPTION',
    })
    t.regex(String(error?.message), /store/)
  }
  const combined = () => createRouter({ store: 'redis://127.0.0.1', driver: 'net' })
  t.throws(combined, { code: 'ERR_OPTION_COMBINATION' })
  const { code, output } = await run('serve', '--store', 'redis://:hidden@127.0.0.1/x/y')
  t.not(code, 0)
  t.regex(output, /--store/)
  t.notRegex(output, /hidden/)
})
