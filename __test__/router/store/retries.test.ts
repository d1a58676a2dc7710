// What is lost with its connection after the store has done it: reads are asked again, and nothing that may
// change anything is.
import test from 'ava'
import { createRouter } from 'breakwater/router'
import { cuttingProxy } from '../../helpers/cutting-proxy.ts'
import { encode, Raw, redis } from '../support.ts'
import { calls, hasRedis, patientFront } from './support.ts'

const fronted = hasRedis ? test : test.skip

/** What each key has. */
const FILLED = `
SET text 12
HSET hash f 1
RPUSH list a b
SADD set a
ZADD zset 1 a
XADD stream 1-1 f v
GEOADD geo 13 38 a`

/** Requests that only look. */
const READS = `
GET text
MGET text none
GETRANGE text 0 0
STRLEN text
BITCOUNT text
EXISTS text
TYPE text
TTL text
PTTL text
EXPIRETIME text
HGET hash f
HMGET hash f g
HGETALL hash
HLEN hash
HEXISTS hash f
LRANGE list 0 -1
LLEN list
LINDEX list 0
SMEMBERS set
SISMEMBER set a
SCARD set
ZRANGE zset 0 -1
ZSCORE zset a
ZCARD zset
XLEN stream
XRANGE stream - +
GEOPOS geo a
GEOSEARCH geo FROMMEMBER a BYRADIUS 1 km`

/** Requests that change something, or may. */
const OTHERS = `
SET text 13
SETNX fresh 1
GETSET text 14
APPEND text 1
INCR text
INCRBYFLOAT text 1
GETDEL text
GETEX text EX 100
SETRANGE text 1 x
SETBIT text 1 1
BITFIELD text INCRBY u8 0 1
MSET text 1 other 2
HSET hash g 1
HINCRBY hash f 1
HDEL hash f
LPUSH list c
LPOP list
RPOPLPUSH list list
LMOVE list list LEFT RIGHT
SADD set b
SPOP set
SMOVE set other:set a
ZADD zset 2 b
ZINCRBY zset 1 a
ZPOPMIN zset
XADD stream * f v
XTRIM stream MAXLEN 0
PFADD hyper a
GEOADD geo 14 38 b
EXPIRE text 100
PERSIST text
RENAME text text:2
COPY hash hash:2
DEL hash
UNLINK list
SORT set STORE sorted ALPHA
PUBLISH text hello
EVAL redis.call('incr',KEYS[1])return(1) 1 text
SWAPDB 3 4
FLUSHDB`

const wordsOf = (text: string) =>
  text
    .trim()
    .split('\n')
    .map(line => line.split(' '))
const LOST = /^-ERR the store at \S+ is unreachable: /

for (const protocol of ['2', '3']) {
  fronted(
    `RESP${protocol}: a read whose reply is lost is asked again, and what may change anything never is`,
    async t => {
      t.timeout(180_000)
      const store = await redis(t)
      const proxy = await cuttingProxy(t, store.port)
      const router = createRouter({
        threads: 1,
        maxBytes: '16mb',
        store: `redis://127.0.0.1:${proxy.port}`,
        storeTimeout: '10m',
        storeRetry: '10m',
        breaker: false,
      })
      t.teardown(() => router.close())
      const { port } = await router.listen({ port: 0 })
      const [client, direct] = [await Raw.open(t, port), await Raw.open(t, store.port)]
      for (const one of [client, direct]) await one.send('HELLO', protocol)
      let cuts = 0
      for (const [requests, isRead] of [
        [wordsOf(READS), true],
        [wordsOf(OTHERS), false],
      ] as const) {
        for (const words of requests) {
          const line = words.join(' ')
          await direct.send('FLUSHALL')
          for (const fill of wordsOf(FILLED)) await direct.send(...fill)
          const expected = isRead ? await direct.send(...words) : undefined
          await direct.send('CONFIG', 'RESETSTAT')
          proxy.lose(encode(words).toString())
          const reply = await client.send(...words)
          t.is(proxy.cuts(), ++cuts, line)
          if (isRead) t.is(reply, expected!, line)
          else t.regex(reply, LOST, line)
          // Behind it on the connection that is made anew, whatever would be asked again.
          t.regex(await client.send('ECHO', 'behind'), /behind/)
          t.regex(await client.send('DBSIZE'), /^:/)
          t.is(await calls(direct, words[0]!.toLowerCase()), isRead ? 2 : 1, line)
        }
      }
    },
  )
}

fronted('a transaction whose reply is lost is not done again', async t => {
  t.timeout(120_000)
  const store = await redis(t)
  const proxy = await cuttingProxy(t, store.port)
  const url = `redis://127.0.0.1:${proxy.port}`
  const patient = { storeTimeout: '10m', storeRetry: '10m' } as const
  const router = createRouter({ threads: 1, maxBytes: '16mb', store: url, ...patient })
  t.teardown(() => router.close())
  const { port } = await router.listen({ port: 0 })
  const [client, direct] = [await Raw.open(t, port), await Raw.open(t, store.port)]
  for (const reads of [false, true]) {
    await client.send('MULTI')
    const [words, told] = reads ? [['GET', 'n'], 'get'] : [['INCR', 'n'], 'incr']
    t.is(await client.send(...words), '+QUEUED\r\n')
    await direct.send('CONFIG', 'RESETSTAT')
    proxy.lose('EXEC')
    t.regex(await client.send('EXEC'), LOST)
    t.is(await client.send('SET', 'behind', '1'), '+OK\r\n')
    t.is(await calls(direct, told), 1)
  }
  t.is(await direct.send('GET', 'n'), '$1\r\n1\r\n')
})

fronted('what is late is not asked again, and the late reply is nobody else’s', async t => {
  t.timeout(120_000)
  const { store, port, wait } = await patientFront(t, { storeRetry: '10m', breaker: false })
  const clients = await Promise.all(Array.from({ length: 12 }, () => Raw.open(t, port)))
  const direct = await Raw.open(t, store.port)
  for (const [at, client] of clients.entries()) {
    await client.send('SET', `mine:${at}`, `${at}`)
    await client.send('SET', `other:${at}`, `other ${at}`)
  }
  await direct.send('CONFIG', 'RESETSTAT')
  store.process.kill('SIGSTOP')
  t.teardown(() => store.process.kill('SIGCONT'))
  await wait('300ms')
  const late = '-ERR the store has not answered in time\r\n'
  // Reads of several commands, and a write, all over one connection.
  const requests = ['GET', 'STRLEN', 'TTL', 'INCR']
  const asked = clients.map((client, at) => client.send(requests[at % 4]!, `mine:${at}`))
  t.deepEqual([...new Set(await Promise.all(asked))], [late])
  await wait('10m')
  // These are behind the late ones, whose replies come first.
  const behind = clients.map((client, at) => client.send('GET', `other:${at}`))
  store.process.kill('SIGCONT')
  for (const [at, reply] of (await Promise.all(behind)).entries()) {
    const value = `other ${at}`
    t.is(reply, `$${value.length}\r\n${value}\r\n`)
  }
  for (const [at, client] of clients.entries()) {
    const value = at % 4 === 3 ? `${at + 1}` : `${at}`
    t.is(await client.send('GET', `mine:${at}`), `$${value.length}\r\n${value}\r\n`, 'once')
  }
  t.is(await calls(direct, 'incr'), 3)
  t.is(await calls(direct, 'strlen'), 3)
})
