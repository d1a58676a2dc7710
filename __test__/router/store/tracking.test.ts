// CLIENT TRACKING through a node: clients are told of the changes that the node is told of, as by the store
// itself, without connections of their own.
import { setTimeout as sleep } from 'node:timers/promises'
import test, { type ExecutionContext } from 'ava'
import { chance } from '../../helpers/random.ts'
import { encode, Raw, redis } from '../support.ts'
import { front, hasRedis, info } from './support.ts'

const SEED = Number(process.env.BREAKWATER_SEED ?? Date.now() % 2 ** 31)
const ROUNDS = Number(process.env.BREAKWATER_ROUNDS ?? 1)
const fronted = hasRedis ? test : test.skip

/** The keys that a push or a message names: `all` if it names none. */
function keysOf(news: string): string[] | 'all' | undefined {
  const at = news.search(/invalidate\r\n(?=[*_]|\$-1)/)
  if (at < 0) return undefined
  const [head, ...rest] = news.slice(at + 'invalidate\r\n'.length).split('\r\n')
  if (head === '_' || head === '$-1') return 'all'
  return rest.filter((_, n) => n % 2 === 1)
}

/** A client that tracks, and what it has heard. */
class Tracking {
  /** Keys that it has read, and whether it was told of a change since. */
  readonly known = new Map<string, 'valid' | 'told'>()
  readonly raw: Raw
  /** Who is told in its place. */
  readonly ear: Raw | undefined
  heard = 0

  constructor(raw: Raw, ear?: Raw) {
    this.raw = raw
    this.ear = ear
  }

  static async open(t: ExecutionContext, port: number, words: string[]): Promise<Tracking> {
    const raw = await Raw.open(t, port)
    if (!words.includes('REDIRECT')) {
      await raw.send('HELLO', '3')
      t.is(await raw.send('CLIENT', 'TRACKING', 'ON', ...words), '+OK\r\n')
      return new Tracking(raw)
    }
    const ear = await Raw.open(t, port)
    const id = /:(\d+)/.exec(await ear.send('CLIENT', 'ID'))![1]!
    await ear.send('SUBSCRIBE', '__redis__:invalidate')
    const given = words.map(word => (word === 'ID' ? id : word))
    t.is(await raw.send('CLIENT', 'TRACKING', 'ON', ...given), '+OK\r\n')
    return new Tracking(raw, ear)
  }

  /** Sends commands at once; the reply to the last one. */
  async send(...commands: string[][]): Promise<string> {
    this.raw.write(Buffer.concat(commands.map(encode)))
    let reply = ''
    for (const _ of commands) reply = await this.#reply(this.raw)
    return reply
  }

  /** Notes that it knows what these keys have. */
  reads(keys: string[]): void {
    for (const key of keys) this.known.set(key, 'valid')
  }

  /** Takes what has come. */
  async listen(): Promise<void> {
    this.raw.write(encode(['PING']))
    await this.#reply(this.raw)
    if (!this.ear) return
    this.ear.write(encode(['PING']))
    await this.#reply(this.ear)
  }

  async #reply(raw: Raw): Promise<string> {
    for (;;) {
      const [bytes] = await raw.replies(1)
      if (bytes === undefined) throw new Error('the connection has ended')
      const text = String(bytes)
      const keys = /^(>|\*3\r\n\$7\r\nmessage)/.test(text) ? keysOf(text) : undefined
      if (keys === undefined) return text
      this.heard++
      for (const key of keys === 'all' ? [...this.known.keys()] : keys) {
        if (this.known.has(key)) this.known.set(key, 'told')
      }
    }
  }
}

fronted('a thousand clients that track cost the store no connection', async t => {
  t.timeout(240_000)
  const { store, node } = await front(t, ['--threads', '4'])
  const direct = await Raw.open(t, store.port)
  const few = await Promise.all(Array.from({ length: 40 }, () => Tracking.open(t, node.port, [])))
  for (const client of few) await client.send(['GET', 'k'])
  const before = Number(await info(direct, 'clients', 'connected_clients'))
  // One for the four threads each, which tells of changes, and the one that asks.
  t.true(before <= 4 + 1, `${before}`)
  const many = await Promise.all(
    Array.from({ length: 1000 }, () => Tracking.open(t, node.port, [])),
  )
  for (const client of [...few, ...many]) {
    t.is(await client.send(['GET', 'k']), '_\r\n')
    client.reads(['k'])
  }
  t.true(Number(await info(direct, 'clients', 'connected_clients')) <= 4 + 1)
  t.true(Number(await info(direct, 'clients', 'tracking_clients')) <= 4)
  await direct.send('SET', 'k', '1')
  for (const client of [...few, ...many]) {
    while (client.known.get('k') !== 'told') await client.listen()
    t.is(client.heard, 1)
  }
})

fronted('what is not remembered is tracked as well', async t => {
  t.timeout(120_000)
  const { store, node } = await front(t, ['--threads', '2', '--route', '*,mode=off'])
  const direct = await Raw.open(t, store.port)
  await direct.send('SET', 'k', '1')
  await direct.send('RPUSH', 'l', 'a')
  const kinds = [[], ['REDIRECT', 'ID']]
  const reads: string[][][] = [
    [['GET', 'k']],
    [['TTL', 'k']],
    [['EVAL', "return redis.call('get', KEYS[1])", '1', 'k']],
    [['MULTI'], ['GET', 'k'], ['EXEC']],
    [['WATCH', 'k'], ['GET', 'k'], ['UNWATCH']],
    [['WATCH', 'other'], ['MULTI'], ['STRLEN', 'k'], ['EXEC']],
    [['XREAD', 'BLOCK', '1', 'STREAMS', 'k', '$']],
    [
      ['SELECT', '3'],
      ['GET', 'k'],
      ['SELECT', '0'],
    ],
  ]
  for (const words of kinds) {
    const client = await Tracking.open(t, node.port, words)
    for (const commands of reads) {
      await client.send(...commands)
      client.reads(['k'])
      // A write to any database ends it.
      await direct.send('APPEND', 'k', 'x')
      while (client.known.get('k') !== 'told') await client.listen()
    }
    t.true(client.heard >= reads.length)
  }
})

fronted('a client that waits is told at once', async t => {
  t.timeout(120_000)
  const { store, node } = await front(t, ['--threads', '1'])
  const direct = await Raw.open(t, store.port)
  const client = await Tracking.open(t, node.port, [])
  await client.send(['GET', 'k'])
  client.raw.write(encode(['BLPOP', 'l', '0']))
  while ((await info(direct, 'clients', 'blocked_clients')) !== '1') await sleep(5)
  await direct.send('SET', 'k', '1')
  t.is(keysOf(String((await client.raw.replies(1))[0]))?.[0], 'k')
  await direct.send('RPUSH', 'l', 'a')
  t.is(String((await client.raw.replies(1))[0]), '*2\r\n$1\r\nl\r\n$1\r\na\r\n')
})

fronted('OPTIN and OPTOUT: what is said of the next request holds for it alone', async t => {
  t.timeout(120_000)
  const { store, node } = await front(t, ['--threads', '2'])
  const direct = await Raw.open(t, store.port)
  const [optin, optout] = [
    await Tracking.open(t, node.port, ['OPTIN']),
    await Tracking.open(t, node.port, ['OPTOUT']),
  ]
  const yes = ['CLIENT', 'CACHING', 'YES']
  const no = ['CLIENT', 'CACHING', 'NO']
  await optin.send(['GET', 'a'], yes, ['GET', 'b'], ['GET', 'c'])
  await optin.send(yes, ['MULTI'], ['GET', 'd'], ['GET', 'e'], ['EXEC'], ['GET', 'f'])
  await optout.send(['GET', 'a'], no, ['GET', 'b'], ['GET', 'c'])
  await optout.send(no, ['MULTI'], ['GET', 'd'], ['GET', 'e'], ['EXEC'], ['GET', 'f'])
  const all = ['a', 'b', 'c', 'd', 'e', 'f', 'end']
  for (const client of [optin, optout]) client.reads(all)
  await optin.send(yes, ['GET', 'end'])
  await optout.send(['GET', 'end'])
  for (const key of all) await direct.send('SET', key, '1')
  const told = async (client: Tracking) => {
    while (client.known.get('end') !== 'told') await client.listen()
    return all.filter(key => client.known.get(key) === 'told').join(' ')
  }
  t.is(await told(optin), 'b d e end')
  t.is(await told(optout), 'a c f end')
})

fronted('everybody is told of everything when the connections that tell are lost', async t => {
  t.timeout(120_000)
  const { store, node } = await front(t, ['--threads', '3'])
  const direct = await Raw.open(t, store.port)
  const clients = await Promise.all([
    ...Array.from({ length: 12 }, () => Tracking.open(t, node.port, [])),
    Tracking.open(t, node.port, ['REDIRECT', 'ID']),
    Tracking.open(t, node.port, ['BCAST', 'PREFIX', 'k']),
  ])
  for (const client of clients) {
    await client.send(['GET', 'k'])
    client.reads(['k', 'never read'])
  }
  await direct.send('CLIENT', 'KILL', 'TYPE', 'normal')
  // The one of the redirected client alone is no news of its own: its ear subscribes, and is not cut.
  for (const client of clients) {
    while (client.known.get('never read') !== 'told') await client.listen()
  }
  // And of changes after that, as soon as there are connections again.
  const client = clients[0]!
  while ((await client.send(['GET', 'k'])).startsWith('-')) await sleep(5)
  client.reads(['k'])
  await direct.send('SET', 'k', '1')
  while (client.known.get('k') !== 'told') await client.listen()
  const wide = clients.at(-1)!
  wide.reads(['k2'])
  while (wide.known.get('k2') !== 'told') {
    await direct.send('SET', 'k2', '1')
    await wide.listen()
  }
  t.pass()
})

fronted('what CLIENT TRACKING says is what the store itself says', async t => {
  t.timeout(120_000)
  const [theirs, { node }] = await Promise.all([redis(t), front(t, ['--threads', '1'])])
  const tracking = (...words: string[]) => ['CLIENT', 'TRACKING', ...words]
  const sequences: string[][][] = [
    [tracking('ON'), tracking('ON'), tracking('OFF'), tracking('OFF')],
    [tracking('ON', 'OPTIN'), tracking('ON', 'OPTOUT'), tracking('ON', 'BCAST'), tracking('ON')],
    [tracking('ON', 'OPTOUT'), tracking('ON', 'OPTIN'), ['CLIENT', 'CACHING', 'NO']],
    [tracking('ON', 'OPTIN', 'OPTOUT'), tracking('ON', 'BCAST', 'OPTIN'), tracking('MAYBE')],
    [tracking('ON', 'PREFIX', 'a'), tracking('ON', 'NONSENSE'), tracking('ON', 'REDIRECT')],
    [tracking('ON', 'REDIRECT', 'x'), tracking('ON', 'REDIRECT', '999999'), tracking()],
    [tracking('ON', 'REDIRECT', '-1'), tracking('OFF', 'BCAST', 'OPTIN'), tracking('OFF', 'NO')],
    [tracking('ON', 'BCAST', 'PREFIX', 'a', 'PREFIX', 'ab'), tracking('ON', 'BCAST')],
    [tracking('ON', 'BCAST', 'PREFIX', 'a'), tracking('ON', 'BCAST', 'PREFIX', 'ab')],
    [tracking('ON', 'BCAST', 'PREFIX', 'a'), tracking('ON', 'BCAST', 'PREFIX', 'b')],
    [['CLIENT', 'CACHING', 'YES'], tracking('ON'), ['CLIENT', 'CACHING', 'YES']],
    [tracking('ON', 'OPTIN'), ['CLIENT', 'CACHING', 'NO'], ['CLIENT', 'CACHING', 'MAYBE']],
    [tracking('ON', 'OPTIN'), ['CLIENT', 'CACHING', 'YES'], ['CLIENT', 'TRACKINGINFO'], ['PING']],
    [
      ['CLIENT', 'CACHING'],
      ['CLIENT', 'GETREDIR', 'x'],
      ['CLIENT', 'TRACKINGINFO', 'x'],
    ],
  ]
  for (const protocol of ['2', '3']) {
    for (const sequence of sequences) {
      const pair = [await Raw.open(t, theirs.port), await Raw.open(t, node.port)] as const
      for (const raw of pair) await raw.send('HELLO', protocol)
      const after = [['CLIENT', 'TRACKINGINFO'], ['CLIENT', 'GETREDIR'], ['RESET']]
      for (const words of [...sequence, ...after, ['CLIENT', 'TRACKINGINFO']]) {
        const [said, ours] = await Promise.all(pair.map(raw => raw.send(...words)))
        t.is(ours, said, `RESP${protocol}: ${words.join(' ')}`)
      }
    }
  }
})

const KINDS: readonly string[][] = [
  [],
  [],
  ['OPTIN'],
  ['OPTOUT'],
  ['REDIRECT', 'ID'],
  ['BCAST', 'PREFIX', 'k1', 'PREFIX', 'l'],
  ['BCAST'],
]
/** Databases; a change of a key in one is told to who has read it in another. */
const DATABASES = ['0', '1', '2']
const KEYS = ['k1', 'k2', 'k3', 'h1', 'h2', 'l1']

/** Has a server evict all that it has. */
async function evict(raw: Raw): Promise<void> {
  await raw.send('CONFIG', 'SET', 'maxmemory-policy', 'allkeys-random')
  await raw.send('CONFIG', 'SET', 'maxmemory', '1')
  while (/^db/m.test(await raw.send('INFO', 'keyspace'))) await raw.send('SET', 'too', 'much')
  await raw.send('CONFIG', 'SET', 'maxmemory', '0')
}

fronted('clients are told of all that the store itself would tell them', async t => {
  t.timeout(600_000)
  t.log(`seed ${SEED}`)
  const draw = chance(SEED)
  const memory = ['--max-bytes', '32mb']
  const [theirs, { store, node }] = await Promise.all([
    redis(t),
    front(t, ['--threads', '3', ...memory]),
  ])
  const open = (port: number) => Promise.all(KINDS.map(words => Tracking.open(t, port, words)))
  const [expected, actual] = [await open(theirs.port), await open(node.port)]
  // Who writes: at the store, and through the node.
  const writers = [
    [await Raw.open(t, theirs.port), await Raw.open(t, store.port)],
    [await Raw.open(t, theirs.port), await Raw.open(t, node.port)],
  ] as const
  const reads = (): [string[][], string[]] => {
    const [key, other] = [draw(KEYS.slice(0, 3)), draw(KEYS.slice(0, 3))]
    const [hash, list] = [draw(['h1', 'h2']), 'l1']
    return draw<[string[][], string[]]>([
      [[['GET', key]], [key]],
      [[['MGET', key, other]], [key, other]],
      [[['STRLEN', key]], [key]],
      [[['EXISTS', key, other]], [key, other]],
      [[['HGETALL', hash]], [hash]],
      [[['HLEN', hash]], [hash]],
      [[['OBJECT', 'ENCODING', list]], [list]],
      [[['LRANGE', list, '0', '-1']], [list]],
      [[['EVAL', "return redis.call('exists', KEYS[1])", '1', key]], [key]],
      [
        [['MULTI'], ['GET', key], ['LLEN', list], ['EXEC']],
        [key, list],
      ],
    ])
  }
  const writes = (): string[] => {
    const [key, other] = [draw(KEYS.slice(0, 3)), draw(KEYS.slice(0, 3))]
    return draw<string[]>([
      ['SET', key, draw(['1', '2', '3'])],
      ['DEL', key],
      ['MSET', key, 'x', other, 'y'],
      ['PEXPIRE', key, '1'],
      ['SET', key, 'short', 'PX', '1'],
      ['HSET', draw(['h1', 'h2']), draw(['a', 'b']), draw(['1', '2'])],
      ['RPUSH', 'l1', 'x'],
      ['LTRIM', 'l1', '1', '0'],
      ['EVAL', "return redis.call('set', KEYS[1], 'by a script')", '1', key],
      ['RENAME', 'l1', 'l1'],
      ['UNLINK', 'h1', 'h2'],
      ['APPEND', key, 'x'],
      ...(draw([1, 2, 3, 4]) === 1 ? [['FLUSHALL']] : []),
    ])
  }
  for (let round = 0; round < 400 * ROUNDS; round++) {
    if (draw([1, 2, 3]) > 1) {
      const at = draw([...KINDS.keys()])
      const [commands, keys] = reads()
      const says: string[][] = at === 2 && draw([true, false]) ? [['CLIENT', 'CACHING', 'YES']] : []
      if (at === 3 && draw([true, false])) says.push(['CLIENT', 'CACHING', 'NO'])
      const select = ['SELECT', draw(DATABASES)]
      for (const clients of [expected, actual]) {
        await clients[at]!.send(select, ...says, ...commands)
        clients[at]!.reads(keys)
      }
      continue
    }
    const evicts = draw([...Array(20).keys()]) === 0
    const words = evicts ? ['evictions'] : writes()
    const db = draw(DATABASES)
    for (const raw of writers.flat()) await raw.send('SELECT', db)
    for (const raw of evicts ? writers[0] : draw(writers)) {
      await (evicts ? evict(raw) : raw.send(...words))
    }
    // Each server finds out in its own time that a key is over.
    const ends = words[0] === 'PEXPIRE' || words.includes('PX')
    for (const raw of writers[0]) {
      while (ends && (await raw.send('EXISTS', words[1]!)) === ':1\r\n') await sleep(1)
    }
    for (const client of expected) await client.listen()
    for (const [at, client] of actual.entries()) {
      const misses = () =>
        [...expected[at]!.known].filter(
          ([key, is]) => is === 'told' && client.known.get(key) !== is,
        )
      for (let waits = 0; misses().length > 0; waits++) {
        if (waits === 2_000) {
          return t.fail(`${KINDS[at]} misses ${misses()} in round ${round}, after ${words}`)
        }
        await client.listen()
        await sleep(1)
      }
    }
  }
  t.pass()
})

for (const protocol of ['2', '3']) {
  fronted(`RESP${protocol}: MONITOR tells of all that the store does`, async t => {
    t.timeout(120_000)
    const { store, node } = await front(t, ['--threads', '1'])
    const direct = await Raw.open(t, store.port)
    const watcher = await Raw.open(t, node.port)
    await watcher.send('HELLO', protocol)
    t.is(await watcher.send('MONITOR'), '+OK\r\n')
    await direct.send('SET', 'k', 'by another')
    const other = await Raw.open(t, node.port)
    await other.send('SET', 'k', 'through the node')
    const lines: string[] = []
    while (!lines.some(line => line.includes('through the node'))) {
      lines.push(String((await watcher.replies(1))[0]))
    }
    t.true(lines.some(line => /^\+\d+\.\d+ \[0 [^\]]+\] "SET" "k" "by another"\r\n$/.test(line)))
    t.regex(await watcher.send('GET', 'k'), /^-ERR/)
    // It ends with the store.
    await store.stop('SIGKILL')
    await watcher.rest()
    t.is(await other.send('PING'), '+PONG\r\n')
  })
}
