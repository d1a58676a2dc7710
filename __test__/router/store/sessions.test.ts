// What a session is through a node: the same bytes as from the store itself, for transactions, watched
// keys, commands that wait, subscriptions and replies that are not wanted.
import test, { type ExecutionContext } from 'ava'
import { random } from '../../helpers/random.ts'
import { encode, Raw, redis } from '../support.ts'
import { front, hasRedis } from './support.ts'

const SEED = Number(process.env.BREAKWATER_SEED ?? Date.now() % 2 ** 31)
const ROUNDS = 300 * Number(process.env.BREAKWATER_ROUNDS ?? 1)
const compare = hasRedis ? test : test.skip

type Commands = readonly (readonly string[])[]

/** Two servers that are asked the same: a Redis, and a node in front of another one. */
interface Twins {
  theirs: number
  ours: number
  /** The store behind the node. */
  store: number
}

async function twins(t: ExecutionContext): Promise<Twins> {
  const [theirs, { store, node }] = await Promise.all([redis(t), front(t, ['--threads', '1'])])
  return { theirs: theirs.port, ours: node.port, store: store.port }
}

/** Opens a client of a server in a protocol; its greeting names it and is not looked at. */
async function greet(t: ExecutionContext, port: number, protocol: string): Promise<Raw> {
  const client = await Raw.open(t, port)
  await client.send('HELLO', protocol)
  return client
}

/**
 * Sends commands to both at once, and holds the bytes of all replies against each other. `PING` has the
 * reply that is skipped.
 */
async function same(
  t: ExecutionContext,
  pair: readonly Raw[],
  commands: Commands,
): Promise<boolean> {
  const bytes = Buffer.concat([...commands, ['PING'], ['RESET']].map(encode))
  for (const client of pair) client.write(bytes)
  const told = (client: Raw) => client.upTo('+RESET\r\n')
  const [theirs, ours] = await Promise.all(pair.map(told))
  if (theirs === ours) return true
  const sent = commands.map(words => words.join(' ')).join('\n  ')
  t.fail(`seed ${SEED}:\n  ${sent}\nRedis:\n${theirs}\nThe node:\n${ours}`)
  return false
}

/** What no transaction can do. */
const closed = [['MONITOR'], ['SSUBSCRIBE', 'a'], ['SYNC'], ['PSYNC', '?', '-1'], ['SAVE']]

/** Sequences with their names. */
const sequences: Record<string, Commands> = {
  'a transaction is done as a whole': [
    ['MULTI'],
    ['SET', 'k', '1'],
    ['INCR', 'k'],
    ['LPUSH', 'k', 'x'],
    ['GET', 'k'],
    ['EXEC'],
    ['GET', 'k'],
  ],
  'an empty transaction': [['MULTI'], ['EXEC']],
  'a transaction that is given up': [['MULTI'], ['SET', 'k', '2'], ['DISCARD'], ['GET', 'k']],
  'a command that does not exist ends it': [
    ['MULTI'],
    ['NOSUCH', 'a', 'b'],
    ['SET', 'k', '3'],
    ['EXEC'],
    ['GET', 'k'],
  ],
  'too few words end it': [['MULTI'], ['SET', 'k'], ['SET', 'k', '3'], ['EXEC'], ['EXEC']],
  'a part that does not exist ends it': [['MULTI'], ['XGROUP', 'NOSUCH', 'k'], ['EXEC']],
  'too few words for a part': [['MULTI'], ['XGROUP', 'CREATE', 'k'], ['EXEC']],
  'no transaction in a transaction': [['MULTI'], ['MULTI'], ['SET', 'k', '4'], ['EXEC']],
  'no watching in a transaction': [['MULTI'], ['WATCH', 'k'], ['SET', 'k', '5'], ['EXEC']],
  'there is none to do or to give up': [['EXEC'], ['DISCARD'], ['UNWATCH'], ['MULTI', 'x']],
  'words too many for what ends one': [['MULTI'], ['EXEC', 'x'], ['EXEC']],
  'what waits does not wait in one': [['MULTI'], ['BLPOP', 'nokey', '0'], ['EXEC']],
  'a database is chosen in one': [
    ['MULTI'],
    ['SELECT', '3'],
    ['SET', 'three', '3'],
    ['EXEC'],
    ['GET', 'three'],
    ['SELECT', '0'],
    ['GET', 'three'],
  ],
  'a database that does not exist is chosen in one': [
    ['MULTI'],
    ['SELECT', '99'],
    ['SET', 'k', '6'],
    ['EXEC'],
    ['GET', 'k'],
  ],
  'a watched key that changes': [
    ['SET', 'w', '1'],
    ['WATCH', 'w'],
    ['SET', 'w', '2'],
    ['MULTI'],
    ['SET', 'w', '3'],
    ['EXEC'],
    ['GET', 'w'],
  ],
  'a watched key that stays': [
    ['WATCH', 'w', 'v'],
    ['GET', 'w'],
    ['MULTI'],
    ['SET', 'w', '4'],
    ['EXEC'],
    ['GET', 'w'],
  ],
  'a transaction subscribes': [
    ['MULTI'],
    ['SUBSCRIBE', 'a', 'b'],
    ['PSUBSCRIBE', 'a*'],
    ['SET', 'k', '1'],
    ['PING'],
    ['GET', 'k'],
    ['UNSUBSCRIBE', 'b'],
    ['PUNSUBSCRIBE'],
    ['SUNSUBSCRIBE'],
    ['EXEC'],
    ['PING'],
    ['UNSUBSCRIBE'],
    ['GET', 'k'],
  ],
  'a transaction speaks of its connection': [
    ['MULTI'],
    ['CLIENT', 'GETNAME'],
    ['CLIENT', 'SETNAME', 'me'],
    ['GET', 'k'],
    ['CLIENT', 'GETNAME'],
    ['CLIENT', 'NO-EVICT', 'ON'],
    ['CLIENT', 'CACHING', 'YES'],
    ['CLIENT', 'TRACKINGINFO'],
    ['CLIENT', 'GETREDIR'],
    ['CLIENT', 'KILL', 'ID', '999999'],
    ['AUTH', 'x'],
    ['AUTH', 'default', 'x'],
    ['HELLO', '9'],
    ['SET', 'k', '2'],
    ['EXEC'],
    ['CLIENT', 'GETNAME'],
  ],
  'it does nothing of that if a key has changed': [
    ['WATCH', 'k'],
    ['SET', 'k', '1'],
    ['MULTI'],
    ['CLIENT', 'SETNAME', 'me'],
    ['SUBSCRIBE', 'a'],
    ['EXEC'],
    ['CLIENT', 'GETNAME'],
    ['GET', 'k'],
  ],
  'nor if it is given up, or was refused': [
    ['MULTI'],
    ['CLIENT', 'SETNAME', 'me'],
    ['DISCARD'],
    ['MULTI'],
    ['CLIENT', 'SETNAME', 'me'],
    ['CLIENT', 'NOSUCH'],
    ['EXEC'],
    ['CLIENT', 'GETNAME'],
  ],
  'with watched keys and another database as well': [
    ['WATCH', 'k'],
    ['MULTI'],
    ['SELECT', '1'],
    ['CLIENT', 'SETNAME', 'me'],
    ['SET', 'k', 'one'],
    ['EXEC'],
    ['GET', 'k'],
    ['CLIENT', 'GETNAME'],
  ],
  'a transaction says that it wants no replies': [
    ['MULTI'],
    ['GET', 'k'],
    ['CLIENT', 'REPLY', 'OFF'],
    ['GET', 'k'],
    ['EXEC'],
    ['GET', 'k'],
    ['CLIENT', 'REPLY', 'ON'],
    ['MULTI'],
    ['CLIENT', 'REPLY', 'SKIP'],
    ['GET', 'k'],
    ['EXEC'],
    ['GET', 'k'],
    ['PING'],
  ],
  'what no transaction can do': [
    ...closed.flatMap(words => [['MULTI'], words, ['GET', 'k'], ['EXEC']]),
    ['MULTI'],
    ['SHUTDOWN'],
    ['EXEC'],
    ['MULTI'],
    ['READONLY'],
    ['EXEC'],
  ],
  'watching ends': [['WATCH', 'w'], ['SET', 'w', '5'], ['UNWATCH'], ['MULTI'], ['PING'], ['EXEC']],
  'giving up ends watching': [
    ['WATCH', 'w'],
    ['MULTI'],
    ['DISCARD'],
    ['SET', 'w', '6'],
    ['MULTI'],
    ['GET', 'w'],
    ['EXEC'],
  ],
  'a failed transaction ends watching': [
    ['WATCH', 'w'],
    ['MULTI'],
    ['NOSUCH'],
    ['EXEC'],
    ['SET', 'w', '7'],
    ['MULTI'],
    ['GET', 'w'],
    ['EXEC'],
  ],
  'a database is chosen while keys are watched': [
    ['WATCH', 'w'],
    ['SELECT', '4'],
    ['SET', 'w', 'four'],
    ['GET', 'w'],
    ['MULTI'],
    ['GET', 'w'],
    ['EXEC'],
    ['GET', 'w'],
    ['SELECT', '0'],
    ['GET', 'w'],
  ],
  'what waits and has not to': [
    ['RPUSH', 'list', 'a', 'b', 'c'],
    ['BLPOP', 'list', '0'],
    ['BRPOP', 'list', '0'],
    ['LRANGE', 'list', '0', '-1'],
    ['BLMOVE', 'list', 'other', 'LEFT', 'RIGHT', '0'],
    ['BLMPOP', '0', '1', 'other', 'LEFT'],
    ['BLPOP', 'nolist', '0.01'],
    ['BLPOP', 'nolist', 'never'],
    ['BLPOP', 'nolist'],
    ['WAIT', '0', '10'],
  ],
  'streams that are waited for': [
    ['XADD', 'stream', '1-1', 'f', 'v'],
    ['XREAD', 'BLOCK', '0', 'STREAMS', 'stream', '0'],
    ['XREAD', 'BLOCK', '10', 'STREAMS', 'stream', '$'],
    ['XGROUP', 'CREATE', 'stream', 'g', '0'],
    ['XREADGROUP', 'GROUP', 'g', 'me', 'BLOCK', '0', 'STREAMS', 'stream', '>'],
    ['XACK', 'stream', 'g', '1-1'],
    ['DEL', 'stream'],
  ],
  'subscriptions are confirmed in order': [
    ['SUBSCRIBE', 'a', 'b', 'a'],
    ['PSUBSCRIBE', 'p*', 'q*'],
    ['SSUBSCRIBE', 's'],
    ['UNSUBSCRIBE', 'b', 'nosuch'],
    ['PUNSUBSCRIBE', 'q*'],
    ['SUNSUBSCRIBE', 's'],
    ['PING'],
    ['PING', 'x'],
    ['UNSUBSCRIBE'],
    ['PUNSUBSCRIBE'],
    ['UNSUBSCRIBE'],
    ['PUNSUBSCRIBE'],
    ['SUNSUBSCRIBE'],
    ['SUBSCRIBE'],
    ['PING'],
    ['GET', 'k'],
  ],
  'what a subscriber may not do': [
    ['SUBSCRIBE', 'a'],
    ['GET', 'k'],
    ['OBJECT', 'ENCODING', 'k'],
    ['GET'],
    ['NOSUCH'],
    ['UNSUBSCRIBE'],
    ['GET', 'k'],
  ],
  'replies that are not wanted': [
    ['CLIENT', 'REPLY', 'SKIP'],
    ['SET', 'k', '8'],
    ['GET', 'k'],
    ['CLIENT', 'REPLY', 'SKIP'],
    ['PING'],
    ['PING'],
    ['CLIENT', 'REPLY', 'OFF'],
    ['GET', 'k'],
    ['PING'],
    ['NOSUCH'],
    ['MULTI'],
    ['INCR', 'k'],
    ['EXEC'],
    ['CLIENT', 'REPLY', 'SKIP'],
    ['CLIENT', 'REPLY', 'ON'],
    ['GET', 'k'],
    ['CLIENT', 'REPLY', 'NOSUCH'],
  ],
  'what tracking is': [
    ['CLIENT', 'TRACKING', 'OFF'],
    ['CLIENT', 'TRACKINGINFO'],
    ['CLIENT', 'GETREDIR'],
    ['CLIENT', 'CACHING', 'YES'],
    ['CLIENT', 'TRACKING', 'ON', 'OPTIN', 'OPTOUT'],
    ['CLIENT', 'TRACKING', 'ON', 'REDIRECT', '99999'],
    ['CLIENT', 'TRACKING', 'NOSUCH'],
  ],
  'scripts by their hashes': [
    ['SCRIPT', 'LOAD', 'return KEYS[1]'],
    ['EVALSHA', '4a2267357833227dd98abdedb8cf24b15a986445', '1', 'k'],
    ['EVALSHA', 'ffffffffffffffffffffffffffffffffffffffff', '0'],
    ['SCRIPT', 'EXISTS', '4a2267357833227dd98abdedb8cf24b15a986445'],
    ['EVAL', 'return redis.call("NOSUCH")', '0'],
  ],
  'what the cluster is asked': [
    ['ASKING'],
    ['READONLY'],
    ['READWRITE'],
    ['CLUSTER', 'KEYSLOT', 'k'],
  ],
  'commands describe themselves': [
    ['COMMAND', 'COUNT'],
    ['COMMAND', 'INFO', 'get', 'nosuch'],
    ['COMMAND', 'GETKEYS', 'MSET', 'a', '1', 'b', '2'],
  ],
}

for (const protocol of ['2', '3']) {
  compare(`RESP${protocol}: sequences of sessions are answered as by the store`, async t => {
    t.timeout(120_000)
    const { theirs, ours } = await twins(t)
    for (const [name, commands] of Object.entries(sequences)) {
      const pair = [await greet(t, theirs, protocol), await greet(t, ours, protocol)]
      t.true(await same(t, pair, commands), name)
      for (const client of pair) client.socket.destroy()
    }
  })

  compare(`RESP${protocol}: random sequences of sessions are answered as by the store`, async t => {
    t.timeout(240_000)
    t.log(`seed ${SEED}`)
    const draw = random(SEED + Number(protocol))
    const pick = <T>(list: readonly T[]): T => list[Math.floor(draw() * list.length)]!
    const key = () => pick(['x', 'y', 'z'])
    const kinds: readonly (() => string[])[] = [
      ...Array(3).fill(() => ['MULTI']),
      ...Array(3).fill(() => ['EXEC']),
      () => ['DISCARD'],
      () => ['WATCH', key()],
      () => ['WATCH', key(), key()],
      () => ['UNWATCH'],
      () => ['SET', key(), pick(['1', '2'])],
      () => ['INCR', key()],
      () => ['GET', key()],
      () => ['GET', key()],
      () => ['DEL', key()],
      () => ['APPEND', key(), '1'],
      () => ['RPUSH', pick(['l', 'm']), 'a'],
      () => ['LPOP', pick(['l', 'm'])],
      () => ['RPUSH', 'l', 'a', 'b'],
      () => ['BLPOP', 'l', 'm', '0.001'],
      () => ['BLMOVE', 'l', 'm', 'LEFT', 'LEFT', '0.001'],
      () => ['SELECT', pick(['0', '1', '99'])],
      () => ['SUBSCRIBE', pick(['a', 'b'])],
      () => ['PSUBSCRIBE', pick(['a*', 'b*'])],
      () => ['UNSUBSCRIBE', pick(['a', 'b'])],
      () => ['PUNSUBSCRIBE', pick(['a*', 'b*'])],
      () => ['PING'],
      () => ['ECHO', 'x'],
      () => ['GET'],
      () => ['NOSUCH'],
      () => ['CLIENT', 'REPLY', pick(['SKIP', 'SKIP', 'OFF', 'ON'])],
      () => ['CLIENT', pick(['GETNAME', 'GETREDIR', 'TRACKINGINFO', 'NOSUCH'])],
      () => ['CLIENT', 'SETNAME', pick(['one', 'two', 'not one'])],
      () => ['CLIENT', 'CACHING', 'YES'],
      () => ['AUTH', ...pick([[], ['x'], ['default', 'x']])],
      () => ['HELLO', pick(['9', 'x'])],
      ...closed.map(words => () => words),
      () => ['EVAL', "return redis.call('incr', KEYS[1])", '1', key()],
      () => ['EVAL', "return redis.call('set', 'x', '7')", '0'],
    ]
    const { theirs, ours } = await twins(t)
    let pair: Raw[] = []
    for (let round = 0; round < ROUNDS; round++) {
      if (round % 50 === 0) {
        for (const client of pair) client.socket.destroy()
        pair = [await Raw.open(t, theirs), await Raw.open(t, ours)]
      }
      for (const client of pair) await client.send('HELLO', protocol)
      const commands = Array.from({ length: 1 + Math.floor(draw() * 15) }, () => pick(kinds)())
      // What no transaction can do would be something else outside of one, as where a client of RESP2
      // subscribes, which cannot begin one.
      let [queues, hears] = [false, false]
      const fit = commands.filter(words => {
        const [name] = words
        if (name === 'MULTI') queues = true
        if (name === 'EXEC' || name === 'DISCARD') queues = false
        hears ||= /^P?SUBSCRIBE$/.test(name!)
        return (queues && !hears) || !closed.includes(words)
      })
      if (!(await same(t, pair, fit))) return
    }
    t.pass()
  })
}
