// Clients decide by versions what they may send: through a node they see the store's.
import { spawnSync } from 'node:child_process'
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import { Raw } from '../support.ts'
import { front, hasRedis, info } from './support.ts'

const fronted = hasRedis ? test : test.skip
const CLIENTS = new URL('../../clients/', import.meta.url)
const PYTHON = fileURLToPath(new URL('.venv/bin/python', CLIENTS))
const require = createRequire(new URL('package.json', CLIENTS))

/** What is used of BullMQ's connection. */
type Bull = new (
  options: object,
) => {
  on(event: 'error', called: () => void): void
  client: Promise<unknown>
  close(): Promise<void>
  redisVersion: string
}

/** The server and version in a reply to `HELLO`. */
const named = (hello: string) =>
  /server\r\n\$\d+\r\n(\S+)\r\n\$7\r\nversion\r\n\$\d+\r\n(\S+)/.exec(hello)?.slice(1)

fronted(
  'HELLO names the server and version of the store to the first client, in both protocols',
  async t => {
    t.timeout(120_000)
    for (const protocol of ['2', '3']) {
      const { store, node } = await front(t)
      const [direct, first] = [await Raw.open(t, store.port), await Raw.open(t, node.port)]
      // A pipeline waits with it, and keeps its order.
      first.write(`HELLO ${protocol}\r\nPING\r\n`)
      const [hello, pong] = await first.replies(2)
      t.deepEqual(named(String(hello)), named(await direct.send('HELLO', protocol)))
      t.is(String(pong), '+PONG\r\n')
      t.is(named(String(hello))?.[1], await info(direct, 'server', 'redis_version'))
      t.is(
        await info(first, 'server', 'redis_version'),
        await info(direct, 'server', 'redis_version'),
      )
    }
  },
)

fronted('a client is greeted though the store is away, and with what it was', async t => {
  t.timeout(120_000)
  const { store, node } = await front(t, ['--store-timeout', '2s'])
  const known = named(await (await Raw.open(t, node.port)).send('HELLO', '3'))
  await store.stop('SIGKILL')
  const late = await Raw.open(t, node.port)
  t.deepEqual(named(await late.send('HELLO', '3')), known)
  // Once it is known to be away, the node answers for itself.
  let told = await info(late, 'server', 'redis_version')
  while (told === undefined) told = await info(late, 'server', 'redis_version')
  t.is(told as string, known![1]!)
})

fronted('BullMQ and redis-py conclude the same through a node as directly', async t => {
  t.timeout(180_000)
  const { store, node } = await front(t)
  const { RedisConnection } = require('bullmq') as { RedisConnection: Bull }
  const script = `
import redis, sys
r = redis.Redis(port=int(sys.argv[1]), protocol=3)
c = r.connection_pool.get_connection()
print(r.info('server')['redis_version'], c.handshake_metadata.get(b'version') or c.handshake_metadata.get('version'))`
  const concluded = async (port: number) => {
    const connection = new RedisConnection({ port, host: '127.0.0.1' })
    connection.on('error', () => {})
    t.teardown(() => connection.close())
    await connection.client
    const bull = connection.redisVersion
    const python = spawnSync(PYTHON, ['-c', script, `${port}`], { encoding: 'utf8' })
    t.is(python.status, 0, python.stderr)
    return [bull, python.stdout]
  }
  const [through, direct] = [await concluded(node.port), await concluded(store.port)]
  t.deepEqual(through, direct)
  t.truthy(direct[0])
})
