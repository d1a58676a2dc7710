// Rules of users against Redis itself: what it permits to a user of the same rules, command by command
// and key by key. BREAKWATER_ROUNDS=50 compares a million pairs.
import test from 'ava'
import { chance, type Draw } from '../../helpers/random.ts'
import { encode, installed, Raw } from '../support.ts'
import { as, asRedis, guarded, usersOf } from './support.ts'

const compared = installed('redis-server') ? test : test.skip
const PAIRS = 20_000 * Number(process.env.BREAKWATER_ROUNDS ?? 1)
const SEED = Number(process.env.BREAKWATER_SEED ?? 1)

const KEYS = ['a:1', 'a:2', 'b:1', 'c', 'ab', '*', 'a*', 'news', 'news:1', '\\', '[x']
const RULES = [
  '~*',
  '~a:*',
  '~b:*',
  '~a*',
  '%R~a:*',
  '%W~a:*',
  '%R~*',
  '%W~b:*',
  '%RW~c',
  '~?',
  '~[ab]:1',
  '~\\*',
  '&*',
  '&news',
  '&news:*',
  '&a*',
  '&c',
  '+@all',
  '-@all',
  '+@read',
  '+@write',
  '-@dangerous',
  '-@write',
  '+@keyspace',
  '+@string',
  '+@pubsub',
  '-@slow',
  '+@fast',
  '+@connection',
  '+@admin',
  '-@admin',
  '+get',
  '-get',
  '+set',
  '+config',
  '-config|set',
  '+config|get',
  '+object',
  '-object|freq',
  '+acl|whoami',
  '+sort',
  '-keys',
] // prettier-ignore
const WORDS = [
  '1',
  '0',
  '2',
  'GET',
  'SET',
  'STORE',
  'BY',
  'LIMIT',
  'STREAMS',
  'KEYS',
  'AUTH',
  'COUNT',
]
/** Commands whose keys are counted, or stand behind a word. `K` is a key. */
const SHAPES = [
  'eval x 1 K',
  'eval x 2 K K K',
  'evalsha x 1 K',
  'fcall f 2 K K',
  'zunionstore K 2 K K',
  'zdiff 1 K',
  'zinterstore K 1 K',
  'lmpop 2 K K LEFT',
  'zmpop 1 K MIN',
  'blmpop 0 1 K LEFT',
  'sintercard 2 K K',
  'xread STREAMS K K 0 0',
  'xreadgroup GROUP g c STREAMS K 0',
  'set K v',
  'set K v GET',
  'set K get',
  'set K v EX 5 GET',
  'bitfield K GET u8 0',
  'bitfield K SET u8 0 1',
  'bitop AND K K K',
  'copy K K',
  'georadius K 1 1 1 m STORE K',
  'georadius K 1 1 1 m',
  'georadiusbymember K x 1 m STORE K',
  'sort K STORE K',
  'sort K',
  'migrate h 1 K 0 1',
  'object encoding K',
  'memory usage K',
  'pfmerge K K K',
  'lmove K K LEFT LEFT',
  'zrangestore K K 0 1',
  'geosearchstore K K x',
  'publish K m',
  'spublish K m',
  'subscribe K K',
  'ssubscribe K',
  'psubscribe K',
  'unsubscribe K',
  'mset K v K v',
  'msetnx K v',
  'mget K K K',
  'del K K',
  'exists K K',
  'rename K K',
  'smove K K x',
  'xgroup create K g 0',
  'xinfo stream K',
  'watch K K',
  'bitcount K',
  'getex K EX 1',
  'touch K',
] // prettier-ignore

/** Of others, words at random name no keys for Redis: these have shapes alone. */
const COUNTED = new Set([
  'bitfield',
  'migrate',
  'pfdebug',
  'pfmerge',
  'sort',
  'sort_ro',
  'xreadgroup',
  'zdiffstore',
  'zinterstore',
  'zunionstore',
])

/** Commands that reach keys which they do not name: the node permits them to who may use all keys. */
const REACHING = new Set([
  'keys',
  'scan',
  'randomkey',
  'flushall',
  'flushdb',
  'swapdb',
  'monitor',
  'eval',
  'eval_ro',
  'evalsha',
  'evalsha_ro',
  'fcall',
  'fcall_ro',
  'slowlog|get',
  'cluster|getkeysinslot',
  'debug',
  'restore-asking',
]) // prettier-ignore

const reaches = (name: string) => REACHING.has(name.toLowerCase())

const rulesBy = (draw: Draw): string =>
  Array.from({ length: 1 + draw([0, 1, 2, 3, 4, 5, 6]) }, () => draw(RULES)).join(' ')

function request(draw: Draw, commands: readonly [name: string, arity: number][]): string[] {
  if (draw([0, 1]) === 0) {
    return draw(SHAPES)
      .split(' ')
      .map(word => (word === 'K' ? draw(KEYS) : word))
  }
  const [name, arity] = draw(commands)
  const parts = name.split('|')
  const count = Math.abs(arity) - parts.length + (arity < 0 ? draw([0, 1, 2, 3]) : 0)
  const others = Array.from({ length: count }, () => draw(draw([KEYS, KEYS, WORDS])))
  return [...parts, ...others]
}

/** All commands of a server and their arities. */
async function commandsOf(server: Raw): Promise<[name: string, arity: number][]> {
  const text = await server.send('COMMAND')
  const found = [...text.matchAll(/\*10\r\n\$\d+\r\n(\S+)\r\n:(-?\d+)\r\n/g)]
  return found.map(([, name, arity]) => [name!, Number(arity)])
}

/** Rules that Redis takes: some contradict each other. */
async function users(draw: Draw, count: number, server: Raw): Promise<Record<string, string>> {
  const all: Record<string, string> = {}
  while (Object.keys(all).length < count) {
    const [name, rules] = [`u${Object.keys(all).length}`, rulesBy(draw)]
    const words = ['ACL', 'SETUSER', name, 'reset', 'on', `>${name}`, ...rules.split(' ')]
    if ((await server.send(...words)) === '+OK\r\n') all[name] = rules
  }
  return all
}

compared('a user may do what a user of Redis with the same rules may do', async t => {
  t.timeout(600_000)
  t.log(`BREAKWATER_SEED=${SEED}`)
  const draw = chance(SEED)
  const server = await asRedis(t, {})
  const direct = await Raw.open(t, server.port)
  const rules = await users(draw, 24, direct)
  const node = await as(t, 'chief', await guarded(t, usersOf(rules), server))
  const commands = (await commandsOf(direct)).filter(
    ([name]) => !REACHING.has(name) && !COUNTED.has(name),
  )
  for (let done = 0; done < PAIRS; done += 500) {
    const asked = Array.from({ length: 500 }, () => {
      const words = request(draw, commands)
      return ['ACL', 'DRYRUN', draw(Object.keys(rules)), ...words]
    }).filter(([, , , name, part]) => !reaches(name!) && !reaches(`${name}|${part}`))
    const bytes = Buffer.concat(asked.map(encode))
    for (const raw of [direct, node]) raw.write(bytes)
    const [expected, said] = await Promise.all([direct, node].map(raw => raw.replies(asked.length)))
    for (const [at, words] of asked.entries()) {
      if (`${expected![at]}` === `${said![at]}`) continue
      t.is(`${said![at]}`, `${expected![at]}`, `${words.join(' ')}  ${rules[words[2]!]}`)
    }
  }
  t.pass()
})
