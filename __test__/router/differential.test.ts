// The same commands go to a real Redis and to us, and must be answered with the same bytes, save
// for what docs/serve.md lists.
import test, { type ExecutionContext } from 'ava'
import { Redis } from 'ioredis'
import { random } from '../helpers/random.ts'
import { script } from './commands.ts'
import { encode, installed, Raw, redis, replyEnd, serve } from './support.ts'

const SEED = Number(process.env.BREAKWATER_SEED ?? Date.now() % 2 ** 31)
const ROUNDS = 3000
const compare = installed('redis-server') ? test : test.skip

type Words = (string | Buffer)[]

/** Two connections, one to each server, that are told the same. */
async function pair(t: ExecutionContext, redisArgs: string[] = [], ourArgs: string[] = []) {
  const [theirs, ours] = await Promise.all([
    redis(t, ...redisArgs),
    serve(t, '--threads', '1', '--max-bytes', '256mb', ...ourArgs),
  ])
  return async () => [await Raw.open(t, theirs.port), await Raw.open(t, ours.port)] as const
}

/** Sends the commands to both in one piece; fails at the first that is answered differently. */
async function same(t: ExecutionContext, [theirs, ours]: readonly [Raw, Raw], commands: Words[]) {
  const bytes = Buffer.concat(commands.map(encode))
  theirs.write(bytes)
  ours.write(bytes)
  const [expected, got] = await Promise.all([
    theirs.replies(commands.length),
    ours.replies(commands.length),
  ])
  for (const [at, words] of commands.entries()) {
    const [want, have] = [normal(words, expected[at]), normal(words, got[at])]
    if (want === have || close(words, want, have)) continue
    const before = commands
      .slice(Math.max(0, at - 5), at + 1)
      .map(show)
      .join('\n  ')
    t.fail(`seed ${SEED}:\n  ${before}\nRedis answers ${want}, we ${have}`)
    return
  }
  t.pass()
}

function show(words: Words): string {
  return words.map(word => JSON.stringify(word.toString('latin1' as never)).slice(0, 80)).join(' ')
}

/** Whether two replies tell the same time, but for what passed between the two servers. */
function close(words: Words, want: string, have: string): boolean {
  const slack = { pttl: 5000, pexpiretime: 5000, ttl: 5, expiretime: 5 }
  const command = words[0]?.toString().toLowerCase() as keyof typeof slack
  const [wanted, had] = [want, have].map(reply => Number(/^:(\d+)\r\n$/.exec(reply)?.[1]))
  return Math.abs(wanted! - had!) <= slack[command]
}

/** A reply without what may differ: the order of what has none, cursors, and numbers of clients. */
function normal(words: Words, reply: Buffer | undefined): string {
  if (reply === undefined) return 'nothing'
  const text = reply.toString('latin1')
  switch (words[0]?.toString().toLowerCase()) {
    case 'keys':
      return parts(reply).sort().join()
    case 'scan':
      // Cursors are our own; a whole round is compared elsewhere.
      return text.startsWith('*2') ? 'scanned' : text
    case 'config':
      // Redis walks a table whose seed is new in each process: several settings have no order.
      return text.split('\r\n').sort().join()
    case 'hello':
      return text.replace(/\r\n:\d+\r\n(\$4\r\nmode)/, '\r\n:id\r\n$1')
    default:
      return text
  }
}

/** The elements of an array. */
function parts(reply: Buffer): string[] {
  const elements: string[] = []
  let at = reply.indexOf('\r\n') + 2
  while (at < reply.length) {
    const end = replyEnd(reply, at)
    elements.push(reply.toString('latin1', at, end))
    at = end
  }
  return elements
}

compare('the written script is answered as Redis answers it, in RESP2 and RESP3', async t => {
  const open = await pair(t)
  for (const version of ['2', '3']) {
    const both = await open()
    await same(t, both, [['HELLO', version], ['FLUSHALL'], ...script])
  }
})

compare('random commands are answered as Redis answers them', async t => {
  t.log(`seed ${SEED}`)
  const open = await pair(t)
  const draw = random(SEED)
  for (const version of ['2', '3']) {
    const both = await open()
    await same(t, both, [['HELLO', version], ['FLUSHALL']])
    for (let round = 0; round < ROUNDS / 50; round++) {
      await same(
        t,
        both,
        Array.from({ length: 50 }, () => invent(draw)),
      )
    }
  }
})

compare('what the protocol forbids is answered as Redis answers it', async t => {
  const open = await pair(t)
  const requests = [
    '*x\r\n',
    '*1\r\nx\r\n',
    '*1\r\n\r\n',
    '*1\r\n$-1\r\n',
    '*1\r\n$536870913\r\n',
    '*1\r\n$x\r\n',
    '*-1\r\nQUIT\r\n',
    '*0\r\nQUIT\r\n',
    '\r\n\r\nQUIT\r\n',
    '*1\r\n$4\r\nPINGxyQUIT\r\n',
    '*99999999999\r\n',
    '*+1\r\n',
    '*01\r\n',
    '*\r\n',
    'set a "b\r\n',
    "set a 'b\r\n",
    'echo "a"b\r\n',
    'echo "\\x41\\n\\t\\"" \r\nQUIT\r\n',
    "echo 'it\\'s'\r\nQUIT\r\n",
    'POST / HTTP/1.1\r\n\r\n',
    'host: here\r\n',
    `${'a'.repeat(70_000)}`,
    `*${'1'.repeat(70_000)}`,
    `*1\r\n$${'1'.repeat(70_000)}`,
    '*1\r\n$0\r\n\r\nQUIT\r\n',
    'quit now\r\nPING\r\n',
    'nothing  "such as" this\r\nQUIT\r\n',
    `*3\r\n$3\r\nfoo\r\n$2\r\n\r\n\r\n$200\r\n${'y'.repeat(200)}\r\nQUIT\r\n`,
  ]
  for (const request of requests) {
    const both = await open()
    for (const one of both) one.write(request)
    const [want, have] = await Promise.all(both.map(one => one.rest()))
    t.is(String(have), String(want), JSON.stringify(request.slice(0, 40)))
  }
})

compare('strangers are answered as Redis answers them', async t => {
  const open = await pair(t, ['--requirepass', 'secret'], ['--requirepass', 'secret'])
  const commands: Words[] = [
    ['GET', 'a'],
    ['nothing'],
    ['GET'],
    ['PING'],
    ['HELLO'],
    ['HELLO', '3'],
    ['HELLO', '4'],
    ['AUTH', 'wrong'],
    ['AUTH', 'default', 'wrong'],
    ['AUTH', 'nobody', 'secret'],
    ['HELLO', '3', 'AUTH', 'default', 'wrong'],
    ['AUTH', 'a', 'b', 'c'],
    ['AUTH'],
    ['CLIENT', 'ID'],
    ['COMMAND', 'COUNT'],
    ['SELECT', '1'],
    ['RESET'],
    ['HELLO', '3', 'AUTH', 'default', 'secret', 'SETNAME', 'me'],
    ['GET', 'a'],
    ['CLIENT', 'GETNAME'],
    ['RESET'],
    ['CLIENT', 'GETNAME'],
    ['AUTH', 'secret'],
    ['GET', 'a'],
  ]
  const both = await open()
  // One at a time: a patched Redis hangs up on strangers whose replies pile up.
  for (const words of commands) await same(t, both, [words])
  for (const request of ['*11\r\n', '*2\r\n$4\r\nAUTH\r\n$16385\r\n']) {
    const both = await open()
    for (const one of both) one.write(request)
    const [want, have] = await Promise.all(both.map(one => one.rest()))
    t.is(String(have), String(want))
  }
})

compare('a whole scan finds the keys that Redis finds', async t => {
  const open = await pair(t)
  const both = await open()
  const keys = Array.from({ length: 500 }, (_, n) => `key:${n % 7}:${n}`)
  await same(t, both, [
    ['MSET', ...keys.flatMap(key => [key, 'x'])],
    ['SELECT', '2'],
    ['SET', 'other', 'x'],
    ['SELECT', '0'],
  ])
  for (const options of [
    [],
    ['COUNT', '7'],
    ['MATCH', 'key:3:*'],
    ['TYPE', 'string'],
    ['TYPE', 'list'],
  ]) {
    const [want, have] = await Promise.all(both.map(one => scan(one, options)))
    t.deepEqual(have, want, options.join(' '))
  }
})

compare('how many keys end, and when, is told as Redis tells it: of many, about so', async t => {
  const open = await pair(t)
  const both = await open()
  const told = async (one: Raw) => {
    const lines = (await one.send('INFO', 'keyspace')).match(/^db\d+:.*$/gm) ?? []
    return lines.map(line => line.match(/\d+/g)!.map(Number))
  }
  const alike = async (slack: number) => {
    const [want, have] = await Promise.all(both.map(told))
    t.is(have!.length, want!.length)
    for (const [at, [db, keys, ending, left]] of want!.entries()) {
      const [ourDb, ourKeys, ourEnding, ourLeft] = have![at]!
      t.deepEqual([ourDb, ourKeys], [db, keys])
      t.true(Math.abs(ourEnding! - ending!) <= slack * keys!, `${ourEnding} of ${ending}`)
      // Redis itself takes a sample, now and then.
      if (left! > 0)
        t.true(Math.abs(ourLeft! - left!) < 0.1 * left! + 20_000, `${ourLeft}, ${left}`)
    }
  }
  const fill = (from: number, to: number) =>
    Array.from({ length: to - from }, (_, n) => {
      const key = `key:${from + n}`
      return (from + n) % 4 === 0 ? ['SET', key, 'x', 'EX', '1000'] : ['SET', key, 'x']
    })
  await same(t, both, [...fill(0, 300), ['SELECT', '3'], ['SET', 'other', 'x'], ['SELECT', '0']])
  await alike(0)
  await same(t, both, fill(300, 10_000))
  await alike(0.08)
})

compare('every command is described as Redis describes it', async t => {
  const [theirs, ours] = await Promise.all([redis(t), serve(t, '--threads', '1')])
  const [want, have] = await Promise.all(
    [theirs, ours].map(async ({ port }) => {
      const client = new Redis({ port, host: '127.0.0.1' })
      t.teardown(() => client.disconnect())
      return client
    }),
  )
  const names = ((await have!.call('COMMAND', 'LIST')) as string[]).filter(
    // Our own.
    name => !name.startsWith('bw.'),
  )
  t.true(names.length > 50)
  for (const name of names) {
    const [[expected], [got]] = (await Promise.all(
      [want, have].map(client => client!.call('COMMAND', 'INFO', name)),
    )) as [[unknown[]], [unknown[]]]
    t.deepEqual(described(got), described(expected), name)
    const subcommands = new Map((expected[9] as unknown[][]).map(one => [one[0], one]))
    for (const own of got[9] as unknown[][]) {
      const known = subcommands.get(own[0])
      if (known !== undefined) t.deepEqual(described(own), described(known), String(own[0]))
    }
  }
})

/** A command's description without the notes on its keys and without its subcommands. */
function described([name, arity, flags, first, last, step, categories, tips, keys]: unknown[]) {
  const set = (names: unknown) => [...(names as string[])].sort()
  const specifications = (keys as unknown[][]).map(fields => {
    const at = fields.indexOf('notes')
    return at < 0 ? fields : fields.filter((_, index) => index !== at && index !== at + 1)
  })
  return [name, arity, set(flags), first, last, step, set(categories), tips, specifications]
}

async function scan(client: Raw, options: string[]): Promise<string[]> {
  const found = new Set<string>()
  let cursor = '0'
  do {
    client.write(encode(['SCAN', cursor, ...options]))
    const [next, keys] = parts((await client.replies(1))[0]!)
    cursor = next!.split('\r\n')[1]!
    for (const key of parts(Buffer.from(keys!, 'latin1'))) found.add(key)
  } while (cursor !== '0')
  return [...found].sort()
}

/**
 * How many lives of keys were invented: so many millions of seconds, or of milliseconds. No key ends while it
 * is asked for, and no two live equally long: of equal ones, GT and LT would tell how fast a server is.
 */
let spans = 0

/** A command drawn by chance: mostly sensible, sometimes not. */
function invent(draw: () => number): Words {
  const pick = <T>(from: readonly T[]): T => from[Math.floor(draw() * from.length)]!
  const key = () => pick(['a', 'b', 'c', 'd', 'a key', '', 'k:1', 'k:2'])
  const value = (): string | Buffer =>
    pick([
      ...['', '0', '1', '-1', '10', '007', ' 1', '1.5', '-0.25', '1e3', 'hello', 'x'.repeat(100)],
      ...['9223372036854775807', '-9223372036854775808', '9223372036854775808', 'inf', '3.0e10'],
      Buffer.from([0, 255, 13, 10, 36]),
    ])
  const integer = () =>
    pick(['0', '1', '-1', '5', '-3', '100', 'x', '1.5', '', '9223372036854775807'])
  const long = () => `${1_000_000 * ++spans}`
  const span = () => pick([long(), long(), long(), '-5', '0', 'x', '9223372036854775807'])
  const flags = (words: string[]) => words.filter(() => draw() < 0.25)
  const command: Words = pick<() => Words>([
    () => ['GET', key()],
    () => ['SET', key(), value()],
    () => [
      'SET',
      key(),
      value(),
      ...flags(['NX', 'XX', 'GET', 'KEEPTTL', 'nonsense'].filter(() => draw() < 0.6)),
      ...(draw() < 0.4 ? [pick(['EX', 'PX']), span()] : []),
    ],
    () => ['SETNX', key(), value()],
    () => ['SETEX', key(), span(), value()],
    () => ['PSETEX', key(), span(), value()],
    () => ['GETSET', key(), value()],
    () => ['GETDEL', key()],
    () => [
      'GETEX',
      key(),
      ...(draw() < 0.7 ? pick([['PERSIST'], ['EX', span()], ['PX', span()], ['EX'], ['NX']]) : []),
    ],
    () => ['MGET', key(), key(), key()],
    () => ['MSET', key(), value(), key(), value()],
    () => ['MSETNX', key(), value(), key(), value()],
    () => ['MSET', key(), value(), key()],
    () => ['APPEND', key(), value()],
    () => ['STRLEN', key()],
    () => ['GETRANGE', key(), integer(), integer()],
    () => ['SUBSTR', key(), integer(), integer()],
    () => ['SETRANGE', key(), pick(['0', '1', '7', '-1', 'x']), value()],
    () => ['INCR', key()],
    () => ['DECR', key()],
    () => ['INCRBY', key(), value()],
    () => ['DECRBY', key(), value()],
    () => ['INCRBYFLOAT', key(), value()],
    () => ['DEL', key(), key()],
    () => ['UNLINK', key()],
    () => ['EXISTS', key(), key()],
    () => ['TOUCH', key(), key()],
    () => ['TYPE', key()],
    () => ['RENAME', key(), key()],
    () => ['RENAMENX', key(), key()],
    () => ['COPY', key(), key(), ...flags(['REPLACE'])],
    () => ['COPY', key(), key(), 'DB', pick(['0', '1', '15', '16', 'x']), ...flags(['REPLACE'])],
    () => [pick(['EXPIRE', 'PEXPIRE']), key(), span(), ...flags(['NX', 'XX', 'GT', 'LT'])],
    () => [
      pick(['EXPIREAT', 'PEXPIREAT']),
      key(),
      pick(['1', '99999999999', '-1', 'x', '0']),
      ...flags(['NX', 'XX', 'GT', 'LT']),
    ],
    () => [pick(['TTL', 'PTTL', 'EXPIRETIME', 'PEXPIRETIME', 'PERSIST']), key()],
    () => ['KEYS', pick(['*', 'a*', '[a-b]', 'k:?', '[^a]', '\\a', '*k*y'])],
    () => ['SCAN', pick(['0', 'x']), ...flags(['COUNT', 'MATCH'])],
    () => ['SELECT', pick(['0', '0', '1', '2', '16', 'x'])],
    () => (draw() < 0.1 ? ['FLUSHDB', ...flags(['ASYNC', 'SYNC'])] : ['ECHO', value()]),
    () => [pick(['NOTHING', 'get ', 'LPUSH2']), value(), key()],
    () => ['PING', ...flags(['a', 'b'])],
    () => ['SET'],
    () => ['GET', key(), key()],
  ])()
  return command
}
