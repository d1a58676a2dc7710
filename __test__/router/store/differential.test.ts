// Through a node, clients get the bytes that the store itself would give them: the same sequences of
// commands go to a Redis, and through a node to another one, while others write to both.
import test, { type ExecutionContext } from 'ava'
import { Cluster, Redis } from 'ioredis'
import { random } from '../../helpers/random.ts'
import { encode, Raw, redis, serve } from '../support.ts'
import { cluster } from './cluster.ts'
import { calls, front, hasRedis, PATIENT, replicate, ring, ringOf } from './support.ts'

const SEED = Number(process.env.BREAKWATER_SEED ?? Date.now() % 2 ** 31)
const ROUNDS = 150 * Number(process.env.BREAKWATER_ROUNDS ?? 1)
const compare = hasRedis ? test : test.skip

type Draw = () => number

const pick = <T>(draw: Draw, list: readonly T[]): T => list[Math.floor(draw() * list.length)]!
const key = (draw: Draw) => `k${Math.floor(draw() * 8)}`
const value = (draw: Draw) => pick(draw, ['', 'v', '12', '3.5', 'x'.repeat(300), 'ä€\u{1f600}'])
const member = (draw: Draw) => pick(draw, ['a', 'b', 'c', 'd', 'e'])
const whole = (draw: Draw) => `${Math.floor(draw() * 10) - 3}`

/** What leaves a hash small: the order of a large one's fields is each server's own. */
const short = (draw: Draw) => pick(draw, ['', 'v', '12', '3.5', 'ä€\u{1f600}'])
const field = (draw: Draw) => pick(draw, ['f', 'g', 'h', 'i'])
const place = (draw: Draw) => pick(draw, ['Palermo', 'Catania', 'Roma'])
const set = (draw: Draw) => `s${Math.floor(draw() * 3)}`

/** Reads whose replies the node remembers, of every type and form. */
const reads: readonly ((draw: Draw) => string[])[] = [
  d => ['get', key(d)],
  d => ['STRLEN', key(d)],
  d => ['GETRANGE', key(d), '1', whole(d)],
  d => ['SUBSTR', key(d), '0', '1'],
  d => ['GETBIT', key(d), '7'],
  d => ['BITCOUNT', key(d), '0', '1'],
  d => ['BITPOS', key(d), '1'],
  d => ['BITFIELD_RO', key(d), 'GET', 'u4', '3'],
  d => ['MGET', key(d), key(d)],
  d => ['EXISTS', key(d)],
  d => ['TYPE', key(d)],
  d => ['LCS', key(d), key(d)],
  // Who counts one writes the sum into it: it has a key that is not read as a text.
  d => ['PFCOUNT', `p${key(d)}`, `p${key(d)}`],
  d => ['PFCOUNT', key(d), key(d)],
  d => ['HGET', key(d), member(d)],
  d => ['HMGET', key(d), member(d), member(d)],
  d => ['HGETALL', `h${key(d)}`],
  d => ['HKEYS', `h${key(d)}`],
  d => ['HVALS', `h${key(d)}`],
  d => ['HGET', `h${key(d)}`, field(d)],
  d => ['HMGET', `h${key(d)}`, field(d), field(d)],
  d => ['HLEN', key(d)],
  d => ['HEXISTS', key(d), member(d)],
  d => ['HSTRLEN', key(d), member(d)],
  d => ['HGET', `l${key(d)}`, member(d)],
  d => ['HMGET', `l${key(d)}`, member(d), member(d)],
  d => ['LLEN', key(d)],
  d => ['LINDEX', key(d), whole(d)],
  d => ['LPOS', key(d), value(d)],
  d => ['LPOS', key(d), value(d), 'COUNT', '2'],
  d => ['LRANGE', key(d), whole(d), '-1'],
  d => ['SMEMBERS', set(d)],
  d => ['SMISMEMBER', set(d), whole(d), whole(d)],
  d => ['SISMEMBER', set(d), whole(d)],
  d => ['SINTER', set(d), set(d)],
  d => ['SUNION', set(d), set(d)],
  d => ['SDIFF', set(d), set(d)],
  d => ['SCARD', set(d)],
  d => ['ZRANGE', key(d), '0', '-1'],
  d => ['ZRANGE', key(d), '-inf', '+inf', 'BYSCORE', 'WITHSCORES'],
  d => ['ZREVRANGE', key(d), '0', '1', 'withscores'],
  d => ['ZRANGEBYSCORE', key(d), '-inf', '2', 'WITHSCORES', 'LIMIT', '0', '2'],
  d => ['ZREVRANGEBYSCORE', key(d), '+inf', '(1'],
  d => ['ZSCORE', key(d), member(d)],
  d => ['ZMSCORE', key(d), member(d), member(d)],
  d => ['ZCARD', key(d)],
  d => ['ZCOUNT', key(d), '-inf', '+inf'],
  d => ['ZRANK', key(d), member(d)],
  d => ['ZREVRANK', key(d), member(d)],
  d => ['GEOPOS', `g${key(d)}`, place(d), place(d)],
  d => ['GEODIST', `g${key(d)}`, place(d), place(d), 'km'],
  d => ['GEOHASH', `g${key(d)}`, place(d), place(d)],
  d => `GEOSEARCH g${key(d)} FROMLONLAT 13 38 BYRADIUS 300 km ASC WITHCOORD WITHDIST`.split(' '),
  d => ['XRANGE', key(d), '-', '+'],
  d => ['XREVRANGE', key(d), '+', '-', 'COUNT', '1'],
  d => ['XLEN', key(d)],
]

/** One command for each kind of data and of effect; drawn evenly, reads more often. */
const kinds: readonly ((draw: Draw) => string[])[] = [
  ...reads,
  ...reads,
  d => ['HSET', `h${key(d)}`, field(d), short(d)],
  d => ['HSET', `l${key(d)}`, member(d), value(d)],
  d => ['HDEL', `h${key(d)}`, field(d), field(d)],
  d => ['SADD', set(d), whole(d), whole(d)],
  d => ['SREM', set(d), whole(d)],
  d => ['SMOVE', set(d), set(d), whole(d)],
  d => ['ZINCRBY', key(d), '0.1', member(d)],
  d => ['ZADD', key(d), pick(d, ['inf', '-inf', '1e30', '0.3']), member(d)],
  d => ['GEOADD', `g${key(d)}`, pick(d, ['13.361389', '15.087269']), '38.1', place(d)],
  d => ['LSET', key(d), '0', value(d)],
  d => ['GETEX', key(d), 'PERSIST'],
  d => ['SWAPDB', '0', pick(d, ['1', '2'])],
  ...Array(8).fill((d: Draw) => ['GET', key(d)]),
  d => ['SET', key(d), value(d)],
  d => ['SET', key(d), value(d), 'KEEPTTL'],
  d => ['SET', key(d), value(d), pick(d, ['NX', 'XX', 'GET'])],
  d => ['SETRANGE', key(d), '3', value(d)],
  d => ['APPEND', key(d), value(d)],
  d => ['INCRBY', key(d), whole(d)],
  d => ['INCRBYFLOAT', key(d), '0.5'],
  d => ['GETDEL', key(d)],
  d => ['GETRANGE', key(d), '0', '3'],
  d => ['MSET', key(d), value(d), key(d), value(d)],
  d => ['MGET', key(d), key(d), key(d)],
  d => ['DEL', key(d), key(d)],
  d => ['UNLINK', key(d)],
  d => ['EXISTS', key(d), key(d)],
  d => ['TYPE', key(d)],
  d => ['RENAME', key(d), key(d)],
  d => ['COPY', key(d), key(d), 'REPLACE'],
  d => ['PERSIST', key(d)],
  d => ['EXPIRE', key(d), '1000'],
  d => ['SETBIT', key(d), '7', pick(d, ['0', '1'])],
  d => ['BITCOUNT', key(d)],
  d => ['HSET', key(d), member(d), short(d)],
  d => ['HGET', key(d), member(d)],
  d => ['HGETALL', key(d)],
  d => ['HDEL', key(d), member(d)],
  d => ['HINCRBYFLOAT', key(d), member(d), '1.5'],
  d => ['RPUSH', key(d), value(d), value(d)],
  d => ['LPOP', key(d)],
  d => ['LRANGE', key(d), '0', '-1'],
  d => ['LMPOP', '2', key(d), key(d), 'LEFT'],
  d => ['SADD', key(d), member(d), member(d)],
  d => ['SISMEMBER', key(d), member(d)],
  d => ['SCARD', key(d)],
  d => ['ZADD', key(d), whole(d), member(d)],
  d => ['ZRANGE', key(d), '0', '-1', 'WITHSCORES'],
  d => ['ZSCORE', key(d), member(d)],
  d => ['ZUNIONSTORE', key(d), '2', key(d), key(d)],
  d => ['SORT', key(d), 'ALPHA', 'STORE', key(d)],
  d => ['PFADD', `p${key(d)}`, member(d)],
  d => ['PFCOUNT', `p${key(d)}`],
  d => ['PFCOUNT', key(d)],
  d => ['XADD', key(d), '*', 'f', value(d)].map(word => (word === '*' ? '1-*' : word)),
  d => ['XLEN', key(d)],
  d => ['EVAL', "return redis.call('set', KEYS[1], ARGV[1])", '1', key(d), value(d)],
  d => ['EVAL', "return redis.call('get', KEYS[1])", '1', key(d)],
  d => ['LCS', key(d), key(d), 'LEN'],
  () => ['DBSIZE'],
  () => ['PING'],
  () => ['ECHO', 'hello'],
  () => ['NOSUCH', 'command'],
  () => ['GET'],
  d => ['GET', key(d), key(d)],
  d => ['SELECT', pick(d, ['0', '1', '2'])],
  () => ['FLUSHDB'],
]

/** A few commands, some of them a transaction. */
function batch(draw: Draw): string[][] {
  const commands = Array.from({ length: 1 + Math.floor(draw() * 12) }, () =>
    pick(draw, kinds)(draw),
  )
  if (draw() > 0.1) return commands
  // In a transaction what is queued is answered alike, whatever it is.
  return [['MULTI'], ...commands.filter(([name]) => name !== 'SELECT'), ['EXEC']]
}

async function same(
  t: ExecutionContext,
  [theirs, ours]: readonly [Raw, Raw],
  commands: string[][],
): Promise<boolean> {
  const bytes = Buffer.concat(commands.map(encode))
  theirs.write(bytes)
  ours.write(bytes)
  const count = commands.length
  const [expected, got] = await Promise.all([theirs.replies(count), ours.replies(count)])
  for (const at of commands.keys()) {
    const [want, have] = [expected[at]?.toString(), got[at]?.toString()]
    if (want === have) continue
    const before = commands.slice(0, at + 1).map(each => each.join(' '))
    t.fail(`seed ${SEED}:\n  ${before.join('\n  ')}\nRedis answers ${want}, the node ${have}`)
    return false
  }
  t.deepEqual(words(got), words(expected))
  return words.length > 0
}

/** Three clients of a server, and of a node. */
async function three(t: ExecutionContext, version: string, theirs: number, ours: number) {
  const clients: (readonly [Raw, Raw])[] = []
  for (let n = 0; n < 3; n++) {
    clients.push([await Raw.open(t, theirs), await Raw.open(t, ours)])
    const [a, b] = clients[n]!
    // The greeting names the connection: it is not compared.
    await Promise.all([a.send('HELLO', version), b.send('HELLO', version)])
  }
  return clients
}

const words = (replies: Buffer[]) => replies.map(String)

for (const version of ['2', '3']) {
  compare(`RESP${version}: random sequences of three clients, while others write`, async t => {
    t.timeout(120_000)
    t.log(`seed ${SEED}`)
    const draw = random(SEED + Number(version))
    const [theirs, { store, node }] = await Promise.all([
      redis(t),
      front(t, ['--threads', '1', '--max-bytes', '64mb']),
    ])
    const clients = await three(t, version, theirs.port, node.port)
    const others = [await Raw.open(t, theirs.port), await Raw.open(t, store.port)] as const
    const watcher = await Raw.open(t, node.port)
    for (let round = 0; round < ROUNDS; round++) {
      if (!(await same(t, pick(draw, clients), batch(draw)))) return
      if (draw() < 0.2) {
        // Servers tell nobody of a `SWAPDB`.
        const commands = batch(draw).filter(([name]) => name !== 'SWAPDB')
        if (commands.length > 0 && !(await same(t, others, commands))) return
        // News come in their order: when this is heard of, so is all before it.
        const mark = `${round}`
        await others[1].send('SELECT', '0')
        await others[0].send('SELECT', '0')
        await others[1].send('SET', 'mark', mark)
        await others[0].send('SET', 'mark', mark)
        while (!(await watcher.send('GET', 'mark')).includes(`\r\n${mark}\r\n`));
      }
    }
  })
}

for (const version of ['2', '3']) {
  for (const mode of ['on', 'off']) {
    compare(`RESP${version}, read from replicas, memory ${mode}: random sequences`, async t => {
      t.timeout(180_000)
      t.log(`seed ${SEED}`)
      const draw = random(SEED + Number(version))
      const args = ['--read-from', 'preferReplica', '--route', `*,mode=${mode}`]
      const [theirs, { node, replicas }] = await Promise.all([
        redis(t),
        replicate(t, ['--threads', '2', '--max-bytes', '64mb', ...args]),
      ])
      const clients = await three(t, version, theirs.port, node.port)
      const direct = await Promise.all(replicas.map(({ port }) => Raw.open(t, port)))
      const asked = async () => {
        let sum = 0
        for (const replica of direct) {
          for (const name of ['get', 'mget', 'type', 'hget']) sum += await calls(replica, name)
        }
        return sum
      }
      // Who writes is another client than who reads, mostly: all see what was answered before. It goes on
      // until replicas, which catch up in their own time, have been read.
      for (let round = 0; round < ROUNDS || (await asked()) === 0; round++) {
        if (!(await same(t, pick(draw, clients), batch(draw)))) return
      }
      t.true((await asked()) > 0)
    })
  }
}

/** Where commands have keys that have to be in one store. */
const TOGETHER: Record<string, (words: string[]) => string[]> = {
  LCS: words => words.slice(1, 3),
  RENAME: words => words.slice(1),
  COPY: words => words.slice(1, 3),
  SMOVE: words => words.slice(1, 3),
  PFCOUNT: words => words.slice(1),
  SINTER: words => words.slice(1),
  SUNION: words => words.slice(1),
  SDIFF: words => words.slice(1),
  LMPOP: words => words.slice(2, 4),
  ZUNIONSTORE: words => [words[1]!, words[3]!, words[4]!],
  SORT: words => [words[1]!, words[4]!],
}
const KEYLESS = ['DBSIZE', 'PING', 'ECHO', 'NOSUCH', 'SELECT', 'FLUSHDB', 'SWAPDB', 'MULTI', 'EXEC']

/** Commands of which the node does all that several stores can do; the others that it is asked. */
function apart(
  commands: string[][],
  place: (key: string) => unknown,
): { done: string[][]; refused: string[][] } {
  const crosses = (words: string[]) =>
    new Set((TOGETHER[words[0]!]?.(words) ?? []).map(place)).size > 1
  if (commands[0]?.[0] === 'MULTI') {
    // What is in a transaction is done by one store.
    const [first] = commands.filter(words => !KEYLESS.includes(words[0]!) && words.length > 1)
    const home = first && place(keysOf(first)[0]!)
    commands = commands.filter(
      words =>
        ['MULTI', 'EXEC', 'PING', 'ECHO'].includes(words[0]!) ||
        (!KEYLESS.includes(words[0]!) &&
          words.length > 1 &&
          keysOf(words).every(key => place(key) === home)),
    )
  }
  return {
    done: commands.filter(words => !crosses(words)),
    refused: commands.filter(crosses),
  }
}

for (const version of ['2', '3']) {
  for (const mode of ['on', 'off']) {
    compare(`RESP${version}, a ring of five stores, memory ${mode}: random sequences`, async t => {
      t.timeout(180_000)
      t.log(`seed ${SEED}`)
      const draw = random(SEED + Number(version))
      const [theirs, { stores, node }] = await Promise.all([
        redis(t),
        ring(t, 5, ['--threads', '2', '--max-bytes', '64mb', '--route', `*,mode=${mode}`]),
      ])
      const placing = ringOf(stores)
      const clients = await three(t, version, theirs.port, node.port)
      t.true(await sameApart(t, draw, clients, key => placing.locate(key)))
    })
  }
}

/** Goes through rounds; whether something was refused that concerns several stores, and all else was the same. */
async function sameApart(
  t: ExecutionContext,
  draw: Draw,
  clients: readonly (readonly [Raw, Raw])[],
  place: (key: string) => unknown,
  without: string[] = [],
): Promise<boolean> {
  let refusals = 0
  for (let round = 0; round < ROUNDS; round++) {
    const pair = pick(draw, clients)
    const asked = batch(draw).filter(([name]) => !without.includes(name!))
    const { done, refused } = apart(asked, place)
    for (const words of refused) {
      const refusal = "-CROSSSLOT Keys in request don't hash to the same slot\r\n"
      t.is(await pair[1].send(...words), refusal, words.join(' '))
      refusals++
    }
    if (done.length > 0 && !(await same(t, pair, done))) return false
  }
  return refusals > 0
}

/** Where the keys of these tests are in a cluster. */
async function slotsOf(raw: Raw): Promise<(key: string) => string> {
  const slots = new Map<string, string>()
  for (let n = 0; n < 8; n++) {
    for (const key of [`k${n}`, `hk${n}`, `lk${n}`, `pk${n}`, `gk${n}`, `s${n}`]) {
      slots.set(key, await raw.send('CLUSTER', 'KEYSLOT', key))
    }
  }
  return key => slots.get(key)!
}

/** What a cluster has none of, or does otherwise: databases. */
const NOT_IN_CLUSTERS = ['SELECT', 'SWAPDB']

for (const version of ['2', '3']) {
  for (const reads of ['primary', 'preferReplica']) {
    for (const mode of ['on', 'off']) {
      const how = `read from ${reads}, memory ${mode}`
      compare(`RESP${version}, a cluster, ${how}: random sequences`, async t => {
        t.timeout(300_000)
        t.log(`seed ${SEED}`)
        const draw = random(SEED + Number(version))
        const [theirs, made] = await Promise.all([redis(t), cluster(t)])
        const flags = ['--read-from', reads, '--route', `*,mode=${mode}`, '--max-bytes', '64mb']
        const node = await serve(t, '--threads', '2', '--store', made.url, ...PATIENT, ...flags)
        const place = await slotsOf(made.masters[0]!.raw)
        const clients = await three(t, version, theirs.port, node.port)
        t.true(await sameApart(t, draw, clients, place, NOT_IN_CLUSTERS))
      })
    }
  }
}

compare('a client that speaks the protocol of clusters: random sequences', async t => {
  t.timeout(300_000)
  t.log(`seed ${SEED}`)
  const draw = random(SEED)
  const [theirs, made] = await Promise.all([redis(t), cluster(t)])
  const node = await serve(t, '--threads', '2', '--store', made.url, ...PATIENT)
  const place = await slotsOf(made.masters[0]!.raw)
  const one = new Redis(theirs.port)
  const other = new Cluster([{ host: '127.0.0.1', port: node.port }])
  for (const client of [one, other]) {
    client.on('error', () => {})
    t.teardown(() => client.disconnect())
  }
  const said = async (client: Redis | Cluster, [name, ...words]: string[]) => {
    try {
      return JSON.stringify(await client.call(name!, ...words))
    } catch (error) {
      return (error as Error).message
    }
  }
  for (let round = 0; round < ROUNDS * 4; round++) {
    const words = pick(draw, kinds)(draw)
    const { done } = apart([words], place)
    // Of a command without its key the client itself does not know where it goes.
    const bare = words.length === 1 && words[0] === 'GET'
    if (bare || done.length === 0 || NOT_IN_CLUSTERS.includes(words[0]!)) continue
    const [want, have] = [await said(one, words), await said(other, words)]
    if (want !== have) return t.fail(`seed ${SEED}: ${words.join(' ')}: ${want}, not ${have}`)
  }
  t.pass()
})

/** The keys of a command of this test. */
function keysOf(words: string[]): string[] {
  const [name, ...rest] = words as [string, ...string[]]
  if (TOGETHER[name]) return TOGETHER[name](words)
  if (['MGET', 'DEL', 'UNLINK', 'EXISTS'].includes(name)) return rest
  if (name === 'MSET') return rest.filter((_, at) => at % 2 === 0)
  if (name === 'EVAL') return [words[3]!]
  return [rest[0]!]
}
