// CLIENT TRACKING with NOLOOP through a node: every client is told of the changes of all others, and not of
// its own, as by the store itself, over the connections that all share.
import { setTimeout as sleep } from 'node:timers/promises'
import test, { type ExecutionContext } from 'ava'
import { chance } from '../../helpers/random.ts'
import { encode, Raw, redis } from '../support.ts'
import { front, hasRedis, info } from './support.ts'

const SEED = Number(process.env.BREAKWATER_SEED ?? Date.now() % 2 ** 31)
const ROUNDS = Number(process.env.BREAKWATER_ROUNDS ?? 1)
const fronted = hasRedis ? test : test.skip

/** A client that tracks, who is told in its place, and what that one was told. */
class Quiet {
  readonly asks: Raw
  readonly hears: Raw
  /** Keys that it was told of and was not asked for; `*` is all. */
  #told = new Set<string>()

  constructor(asks: Raw, hears: Raw) {
    this.asks = asks
    this.hears = hears
  }

  static async open(t: ExecutionContext, port: number, mode: readonly string[]): Promise<Quiet> {
    const redirects = mode.includes('REDIRECT')
    const asks = await Raw.open(t, port)
    const hears = redirects ? await Raw.open(t, port) : asks
    const quiet = new Quiet(asks, hears)
    let words = [...mode]
    if (redirects) {
      const id = /:(\d+)/.exec(await hears.send('CLIENT', 'ID'))![1]!
      await hears.send('SUBSCRIBE', '__redis__:invalidate')
      words = words.map(word => (word === 'ID' ? id : word))
    } else await asks.send('HELLO', '3')
    t.is(await quiet.send(['CLIENT', 'TRACKING', 'ON', ...words]), '+OK\r\n')
    return quiet
  }

  /** Sends commands at once; the reply to the last one. */
  async send(...commands: string[][]): Promise<string> {
    this.asks.write(Buffer.concat(commands.map(encode)))
    let reply = ''
    for (const _ of commands) reply = await this.#reply(this.asks)
    return reply
  }

  /** What it has been told since it was asked last. */
  async told(): Promise<Set<string>> {
    for (const raw of new Set([this.asks, this.hears])) {
      raw.write(encode(['PING']))
      await this.#reply(raw)
    }
    const told = this.#told
    this.#told = new Set()
    return told
  }

  async #reply(raw: Raw): Promise<string> {
    for (;;) {
      const [bytes] = await raw.replies(1)
      if (bytes === undefined) throw new Error('the connection has ended')
      const text = String(bytes)
      const at = text.search(/invalidate\r\n(?=[*_]|\$-1)/)
      if (!/^(>|\*3\r\n\$7\r\nmessage)/.test(text) || at < 0) return text
      const [head, ...rest] = text.slice(at + 'invalidate\r\n'.length).split('\r\n')
      if (head === '_' || head === '$-1') this.#told.add('*')
      else for (const key of rest.filter((_, n) => n % 2 === 1)) this.#told.add(key)
    }
  }
}

/** How clients track; two of each, so that one hears of what the other one writes. */
const MODES: readonly (readonly string[])[] = [
  ['NOLOOP'],
  ['NOLOOP'],
  ['NOLOOP', 'REDIRECT', 'ID'],
  ['OPTIN', 'NOLOOP'],
  ['OPTOUT', 'NOLOOP'],
  ['BCAST', 'NOLOOP'],
  ['BCAST', 'NOLOOP'],
  ['BCAST', 'PREFIX', 'a', 'PREFIX', 'l', 'NOLOOP'],
  ['BCAST', 'PREFIX', 'a', 'PREFIX', 'l', 'NOLOOP'],
  ['BCAST', 'NOLOOP', 'REDIRECT', 'ID'],
  ['BCAST'],
  [],
]

/** What a client sends in one step, and whether the replies leave open what that has changed. */
interface Step {
  commands: string[][]
  doubtful?: boolean
}

function invent(draw: ReturnType<typeof chance>): Step {
  const key = () => draw(['a1', 'a2', 'b1', 'b2'])
  const list = () => draw(['l1', 'l2'])
  const simple = (): string[] =>
    draw<() => string[]>([
      () => ['GET', key()],
      () => ['GET', key()],
      () => ['MGET', key(), key()],
      () => ['EXISTS', key()],
      () => ['LRANGE', list(), '0', '-1'],
      () => ['LLEN', list()],
      () => ['SET', key(), 'v'],
      () => ['SET', key(), 'v', 'NX'],
      () => ['SET', key(), 'v', 'XX'],
      () => ['SET', key(), 'v', 'PX', '1000000'],
      () => ['MSET', key(), 'v', key(), 'w'],
      () => ['MSETNX', key(), 'v', key(), 'w'],
      () => ['DEL', key()],
      () => ['GETDEL', key()],
      () => ['GETSET', key(), 'x'],
      () => ['EXPIRE', key(), '1000'],
      () => ['EXPIRE', key(), '-1'],
      () => ['PERSIST', key()],
      () => ['APPEND', key(), 'x'],
      () => ['SETRANGE', key(), '2', 'x'],
      () => ['RPUSH', list(), 'x'],
      () => ['LPOP', list()],
      () => ['RPUSHX', list(), 'x'],
      () => ['LREM', list(), '0', 'x'],
      () => ['LMOVE', list(), list(), 'LEFT', 'RIGHT'],
      () => ['RENAMENX', key(), key()],
      () => ['COPY', key(), key()],
      () => ['INCR', 'l1'],
    ])()
  return draw<() => Step>([
    ...Array.from({ length: 12 }, () => () => ({ commands: [simple()] })),
    () => ({ commands: [['DEL', key(), key()]], doubtful: true }),
    () => ({ commands: [['LTRIM', list(), '0', '1']], doubtful: true }),
    () => ({ commands: [['SET', key(), 'v', 'GET']], doubtful: true }),
    () => ({ commands: [['RENAME', key(), key()]], doubtful: true }),
    () => ({
      commands: [['EVAL', "return redis.call('set', KEYS[1], 'x')", '1', key()]],
      doubtful: true,
    }),
    () => ({ commands: [['MULTI'], simple(), simple(), ['EXEC']], doubtful: true }),
    () => ({ commands: [['WATCH', 'w'], ['MULTI'], simple(), ['EXEC']], doubtful: true }),
    () => ({ commands: [simple(), simple(), simple()], doubtful: true }),
    () => ({ commands: [['CLIENT', 'CACHING', draw(['YES', 'NO'])], simple()] }),
    () => ({ commands: [draw([0, 1, 2, 3, 4]) === 0 ? ['FLUSHALL'] : ['PING']] }),
  ])()
}

for (const threads of ['1', '3']) {
  fronted(`who is told of what, as by the store itself: threads ${threads}`, async t => {
    t.timeout(600_000)
    t.log(`seed ${SEED}`)
    const draw = chance(SEED)
    const [theirs, { store, node }] = await Promise.all([
      redis(t),
      front(t, ['--threads', threads]),
    ])
    const all = (port: number) => Promise.all(MODES.map(mode => Quiet.open(t, port, mode)))
    const [expected, actual] = [await all(theirs.port), await all(node.port)]
    // Who writes past the node.
    const [past, there] = [await Raw.open(t, store.port), await Raw.open(t, theirs.port)]
    const history: string[] = []
    const allowed = new Map<number, Set<string>>()
    // Keys that a client may be told of once more than by the store, and those that it has been told of so
    // since it has read them: it keeps nothing of these.
    const dropped = MODES.map(() => new Set<string>())
    const doubts = MODES.map(() => new Set<string>())
    for (let round = 0; round < 500 * ROUNDS; round++) {
      const who = draw([-1, ...MODES.keys()])
      const { commands, doubtful: open } = invent(draw)
      // What has another form in RESP2 goes over a connection that tells of nothing.
      const apart = MODES[who]?.includes('REDIRECT') && commands.some(([name]) => name === 'LPOP')
      const doubtful = open || apart
      history.push(`${who} ${MODES[who]?.join(' ') ?? 'past'}: ${commands.join(' ; ')}`)
      if (who < 0) {
        for (const raw of [there, past]) for (const words of commands) await raw.send(...words)
      } else {
        const said = [await expected[who]!.send(...commands), await actual[who]!.send(...commands)]
        t.is(said[1], said[0], history.slice(-3).join('\n'))
      }
      const named = commands.flat().filter(word => /^[abl][12]$/.test(word))
      for (const at of MODES.keys()) {
        const told = await expected[at]!.told()
        const got = await actual[at]!.told()
        // Another thread may tell a little later.
        if (at === who) for (const key of named) dropped[at]!.delete(key)
        const kept = [...told].filter(key => !dropped[at]!.has(key))
        for (let tries = 0; !kept.every(key => got.has(key) || got.has('*')); tries++) {
          if (tries === 2_000) {
            return t.fail(`seed ${SEED}: ${at} ${MODES[at]} is not told ${[...told]}, but ${[...got]}:
              ${history.slice(-12).join('\n')}`)
          }
          await sleep(tries < 20 ? 0 : 5)
          for (const key of await actual[at]!.told()) got.add(key)
        }
        const may = allowed.get(at) ?? new Set()
        const broadcasts = MODES[at]!.includes('BCAST')
        if (doubtful && broadcasts) for (const key of named) may.add(key)
        if (doubtful && at === who) for (const key of named) doubts[at]!.add(key)
        for (const key of got) if (doubts[at]!.delete(key)) may.add(key)
        for (const key of told) may.add(key)
        for (const key of got) if (!told.has(key)) dropped[at]!.add(key)
        const more = [...got].filter(key => !may.has(key))
        if (more.length > 0) {
          return t.fail(`seed ${SEED}: ${at} ${MODES[at]} is told ${more} as well:
            ${history.slice(-12).join('\n')}`)
        }
        // News of two threads may bring the same key one after the other.
        allowed.set(at, new Set([...told, ...(doubtful ? named : [])]))
      }
    }
    t.pass()
  })
}

fronted('a thousand clients with NOLOOP cost the store few connections', async t => {
  t.timeout(240_000)
  const { store, node } = await front(t, ['--threads', '2'])
  const direct = await Raw.open(t, store.port)
  const modes = [['NOLOOP'], ['BCAST', 'NOLOOP'], ['BCAST', 'PREFIX', 'k', 'NOLOOP']]
  const open = (at: number) => Quiet.open(t, node.port, modes[at % modes.length]!)
  const clients = await Promise.all(Array.from({ length: 1_000 }, (_, at) => open(at)))
  for (const client of clients) await client.send(['GET', 'k'], ['SET', `k${'x'}`, '1'])
  const connections = Number(await info(direct, 'clients', 'connected_clients'))
  // For each thread one that all share, and one for each of the two lists of prefixes.
  t.true(connections <= 2 * 3 + 2, `${connections}`)
  await direct.send('SET', 'k', '1')
  for (const client of clients) {
    const told = new Set<string>()
    while (!told.has('k')) for (const key of await client.told()) told.add(key)
  }
})
