// Through a node, clients get the bytes that the store itself would give them: the same sequences of
// commands go to a Redis, and through a node to another one, while others write to both.
import test, { type ExecutionContext } from 'ava'
import { encode, Raw, random, redis } from '../support.ts'
import { front, hasRedis } from './support.ts'

const SEED = Number(process.env.BREAKWATER_SEED ?? Date.now() % 2 ** 31)
const ROUNDS = 150 * Number(process.env.BREAKWATER_ROUNDS ?? 1)
const compare = hasRedis ? test : test.skip

type Draw = () => number

const pick = <T>(draw: Draw, list: readonly T[]): T => list[Math.floor(draw() * list.length)]!
const key = (draw: Draw) => `k${Math.floor(draw() * 8)}`
const value = (draw: Draw) => pick(draw, ['', 'v', '12', '3.5', 'x'.repeat(300), 'ä€\u{1f600}'])
const member = (draw: Draw) => pick(draw, ['a', 'b', 'c', 'd', 'e'])
const whole = (draw: Draw) => `${Math.floor(draw() * 10) - 3}`

/** One command for each kind of data and of effect; drawn evenly, `GET` more often. */
const kinds: readonly ((draw: Draw) => string[])[] = [
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
  d => ['HSET', key(d), member(d), value(d)],
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
  d => ['PFADD', key(d), member(d)],
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
    const clients: (readonly [Raw, Raw])[] = []
    for (let n = 0; n < 3; n++) {
      clients.push([await Raw.open(t, theirs.port), await Raw.open(t, node.port)])
      const [a, b] = clients[n]!
      // The greeting names the connection: it is not compared.
      await Promise.all([a.send('HELLO', version), b.send('HELLO', version)])
    }
    const others = [await Raw.open(t, theirs.port), await Raw.open(t, store.port)] as const
    const watcher = await Raw.open(t, node.port)
    for (let round = 0; round < ROUNDS; round++) {
      if (!(await same(t, pick(draw, clients), batch(draw)))) return
      if (draw() < 0.2) {
        const commands = batch(draw)
        if (!(await same(t, others, commands))) return
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
