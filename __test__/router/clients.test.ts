// The clients that people use, against a router of several threads, in both protocols.
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import test from 'ava'
import { Redis } from 'ioredis'
import { createClient } from 'redis'
import { installed, serve } from './support.ts'

const execute = promisify(execFile)
const cli = installed('redis-cli') ? test : test.skip
const benchmark = installed('redis-benchmark') ? test : test.skip

/** Each command once, with the reply that a client gives as text, number or list. */
const rounds: [command: string, reply: unknown][] = [
  ['PING', 'PONG'],
  ['ECHO hello', 'hello'],
  ['SELECT 1', 'OK'],
  ['SELECT 0', 'OK'],
  ['SET a 1', 'OK'],
  ['GET a', '1'],
  ['GET missing', null],
  ['SET a 2 GET', '1'],
  ['SET a 3 NX', null],
  ['SET t 1 EX 100', 'OK'],
  ['SETNX a 1', 0],
  ['SETEX e 100 v', 'OK'],
  ['PSETEX p 100000 v', 'OK'],
  ['GETSET a 4', '2'],
  ['GETEX a EX 100', '4'],
  ['PERSIST a', 1],
  ['GETDEL e', 'v'],
  ['MSET b 1 c 2', 'OK'],
  ['MGET b c missing', ['1', '2', null]],
  ['MSETNX b 1 d 2', 0],
  ['APPEND b 23', 3],
  ['STRLEN b', 3],
  ['GETRANGE b 1 2', '23'],
  ['SETRANGE b 1 9', 3],
  ['INCR n', 1],
  ['INCRBY n 9', 10],
  ['DECR n', 9],
  ['DECRBY n 4', 5],
  ['INCRBYFLOAT n 0.5', '5.5'],
  ['EXISTS a b missing', 2],
  ['TOUCH a missing', 1],
  ['TYPE a', 'string'],
  ['TYPE missing', 'none'],
  ['RENAME c r', 'OK'],
  ['RENAMENX r a', 0],
  ['COPY a a2', 1],
  ['EXPIRE a 100', 1],
  ['TTL a', 100],
  ['PEXPIRE a 100000', 1],
  ['EXPIREAT a 99999999999', 1],
  ['EXPIRETIME a', 99999999999],
  ['PEXPIREAT a 99999999999123', 1],
  ['PEXPIRETIME a', 99999999999123],
  ['TTL missing', -2],
  ['PTTL r', -1],
  ['UNLINK a2 missing', 1],
  ['DEL p t', 2],
  ['KEYS *', ['a', 'b', 'n', 'r']],
  ['DBSIZE', 4],
  ['SCAN 0 MATCH nothing COUNT 1000', ['0', []]],
  ['CLIENT SETNAME me', 'OK'],
  ['CLIENT GETNAME', 'me'],
  ['CLIENT SETINFO LIB-NAME test', 'OK'],
  ['CLIENT KILL ID 999999', 0],
  ['COMMAND GETKEYS MSET a 1 b 2', ['a', 'b']],
  ['FLUSHDB', 'OK'],
  ['RANDOMKEY', null],
  ['FLUSHALL', 'OK'],
  ['CONFIG RESETSTAT', 'OK'],
]

for (const protocol of [2, 3] as const) {
  test(`node-redis passes a round trip of every command in RESP${protocol}`, async t => {
    const { port } = await serve(t, '--threads', '2')
    const client = createClient({ RESP: protocol, socket: { port, host: '127.0.0.1' } })
    await client.connect()
    for (const [command, reply] of rounds) {
      const got = await client.sendCommand(command.split(' '))
      t.deepEqual(JSON.parse(JSON.stringify(got)), reply, command)
    }
    t.deepEqual(
      { ...(await client.configGet('maxmemory-policy')) },
      { 'maxmemory-policy': 'allkeys-lfu' },
    )
    t.true((await client.commandCount()) > 50)
    t.is((await client.clientInfo()).name, 'me')
    t.regex(await client.info(), /redis_version:7/)
    await client.close()
  })

  test(`ioredis passes a round trip of every command in RESP${protocol}`, async t => {
    const { port } = await serve(t, '--threads', '2')
    const client = new Redis({ port, host: '127.0.0.1', protocol } as never)
    t.teardown(() => client.disconnect())
    for (const [command, reply] of rounds) {
      const [name = '', ...args] = command.split(' ')
      t.deepEqual(await client.call(name, ...args), reply, command)
    }
    t.regex(await client.info('server'), /breakwater_version/)
    t.is(await client.quit(), 'OK')
  })
}

test('pipelines of many clients keep their order', async t => {
  const { port } = await serve(t, '--threads', '2')
  const clients = Array.from({ length: 8 }, () => new Redis({ port, host: '127.0.0.1' }))
  t.teardown(() => {
    for (const client of clients) client.disconnect()
  })
  await Promise.all(
    clients.map(async (client, own) => {
      const pipeline = client.pipeline()
      for (let n = 0; n < 2000; n++) pipeline.set(`k:${own}:${n}`, `${n}`).get(`k:${own}:${n}`)
      const replies = (await pipeline.exec()) ?? []
      const values = replies.filter((_, at) => at % 2 === 1).map(([, value]) => value)
      t.deepEqual(
        values,
        Array.from({ length: 2000 }, (_, n) => `${n}`),
      )
    }),
  )
})

test('values of megabytes come back as they went, whatever their bytes', async t => {
  const { port } = await serve(t, '--threads', '2', '--max-bytes', '256mb')
  const client = new Redis({ port, host: '127.0.0.1' })
  t.teardown(() => client.disconnect())
  const value = Buffer.alloc(20 * 1024 * 1024, '\r\n$5\0\xff', 'latin1')
  await client.set('large', value)
  t.true(value.equals((await client.getBuffer('large'))!))
})

cli('redis-cli sets and gets', async t => {
  const { port } = await serve(t)
  const ask = async (...args: string[]) =>
    (await execute('redis-cli', ['-p', `${port}`, ...args])).stdout.trim()
  t.is(await ask('set', 'harbour', 'calm'), 'OK')
  t.is(await ask('get', 'harbour'), 'calm')
  t.is(await ask('-3', 'get', 'missing'), '')
  t.regex(await ask('--scan'), /^harbour$/)
  t.regex(await ask('command', 'docs', 'get'), /Reads a key/)
})

for (const pipeline of ['1', '16']) {
  benchmark(`redis-benchmark -P ${pipeline} runs without an error`, async t => {
    const { port } = await serve(t)
    const args = ['-p', `${port}`, '-t', 'get,set,mset,incr', '-n', '5000', '-P', pipeline, '-q']
    const { stdout, stderr } = await execute('redis-benchmark', args)
    t.notRegex(stdout + stderr, /error|warning/i)
    t.is(stdout.match(/requests per second/g)?.length, 4)
  })
}
