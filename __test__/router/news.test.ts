// What clients are told without having asked, by a real Redis and by a node with a store of its own: the
// same changes for the same programs of reads, writes, expiries and flushes, and the same messages.
import { setTimeout as sleep } from 'node:timers/promises'
import test, { type ExecutionContext } from 'ava'
import { random } from '../helpers/random.ts'
import { encode, installed, Raw, redis, replyEnd, serve } from './support.ts'

const SEED = Number(process.env.BREAKWATER_SEED ?? Date.now() % 2 ** 31)
const compare = installed('redis-server') ? test : test.skip

/** How a node serves. */
const NODES = {
  'a thread': ['--threads', '1'],
  'two threads': ['--threads', '2'],
  'the sockets of Node.js': ['--threads', '2', '--driver', 'net'],
}

/** A client, and what it is told beside its replies. */
class Told {
  readonly raw: Raw
  readonly #keys: string[] = []
  readonly other: string[] = []
  /** How many keys it was told of so far, each as often as it was. */
  count = 0

  constructor(raw: Raw) {
    this.raw = raw
  }

  /** The reply to a command; what comes before it that is none is kept. */
  async send(...words: string[]): Promise<string> {
    this.raw.write(encode(words))
    for (;;) {
      const [bytes] = await this.raw.replies(1)
      if (bytes === undefined) return 'closed'
      const text = bytes.toString('latin1')
      const isPush = text[0] === '>' || /^\*3\r\n\$7\r\nmessage\r\n/.test(text)
      if (!isPush) return text
      this.#note(bytes)
    }
  }

  /** The keys that it was told of since it was asked last, sorted, each once; `*` is all. */
  told(): string {
    return [...new Set(this.#keys.splice(0))].sort().join(' ')
  }

  #note(bytes: Buffer): void {
    const words = elements(bytes)
    const last = words.at(-1)!
    const before = this.#keys.length
    if (!/invalidate/.test(words.slice(0, -1).join())) this.other.push(bytes.toString('latin1'))
    else if (last.startsWith('*') && !last.startsWith('*-1')) {
      this.#keys.push(...elements(Buffer.from(last, 'latin1')).map(word => word.split('\r\n')[1]!))
    } else this.#keys.push('*')
    this.count += this.#keys.length - before
  }
}

/** The elements of an array or a push. */
function elements(reply: Buffer): string[] {
  const all: string[] = []
  let at = reply.indexOf('\r\n') + 2
  while (at < reply.length) {
    const end = replyEnd(reply, at)
    all.push(reply.toString('latin1', at, end))
    at = end
  }
  return all
}

/** How a client tracks. */
const MODES: Record<string, string[]> = {
  reads: [],
  'reads but its own': ['NOLOOP'],
  'what it opts in': ['OPTIN'],
  'all but what it opts out': ['OPTOUT'],
  everything: ['BCAST'],
  'two prefixes but its own': ['BCAST', 'PREFIX', 'a', 'PREFIX', 'b', 'NOLOOP'],
}

/** Clients of one server: each that tracks has one that it redirects to, or speaks RESP3. */
async function clients(t: ExecutionContext, port: number, redirects: boolean) {
  const all: { asks: Told; hears: Told }[] = []
  for (const mode of Object.values(MODES)) {
    const asks = new Told(await Raw.open(t, port))
    const hears = redirects ? new Told(await Raw.open(t, port)) : asks
    if (redirects) {
      const id = /:(\d+)/.exec(await hears.send('CLIENT', 'ID'))![1]!
      await hears.send('SUBSCRIBE', '__redis__:invalidate')
      await asks.send('CLIENT', 'TRACKING', 'ON', 'REDIRECT', id, ...mode)
    } else {
      await asks.send('HELLO', '3')
      await asks.send('CLIENT', 'TRACKING', 'ON', ...mode)
    }
    all.push({ asks, hears })
  }
  return all
}

/** A command by chance. */
function invent(draw: () => number): string[] {
  const key = () => 'abc'[Math.floor(draw() * 3)]! + Math.floor(draw() * 4)
  const commands: (() => string[])[] = [
    () => ['GET', key()],
    () => ['MGET', key(), key(), key()],
    () => ['EXISTS', key(), key()],
    () => ['STRLEN', key()],
    () => ['TTL', key()],
    () => ['SET', key(), 'v'],
    () => ['SET', key(), 'v', 'NX'],
    () => ['SET', key(), 'v', 'GET'],
    () => ['SET', key(), 'v', 'EX', '1000'],
    () => ['MSET', key(), 'v', key(), 'w'],
    () => ['MSETNX', key(), 'v', key(), 'w'],
    () => ['DEL', key(), key()],
    () => ['GETDEL', key()],
    () => ['GETSET', key(), 'x'],
    () => ['GETEX', key(), 'PERSIST'],
    () => ['GETEX', key(), 'EX', '1000'],
    () => ['EXPIRE', key(), '1000'],
    () => ['EXPIRE', key(), '-1'],
    () => ['EXPIRE', key(), '10000', 'NX'],
    () => ['PERSIST', key()],
    () => ['APPEND', key(), 'x'],
    () => ['SETRANGE', key(), '2', 'x'],
    () => ['SETRANGE', key(), '2', ''],
    () => ['INCR', key()],
    () => ['RENAME', key(), key()],
    () => ['RENAMENX', key(), key()],
    () => ['COPY', key(), key()],
    () => ['TOUCH', key()],
    () => ['CLIENT', 'CACHING', 'YES'],
    () => ['CLIENT', 'CACHING', 'NO'],
    () => ['CLIENT', 'TRACKINGINFO'],
    () => ['FLUSHDB'],
    () => ['FLUSHALL'],
  ]
  // Flushes end what was read: seldom.
  const which = draw() < 0.01 ? commands.length - 1 - Math.floor(draw() * 2) : undefined
  return commands[which ?? Math.floor(draw() * (commands.length - 2))]!()
}

/** Waits until both are told the same; what differs if they are not in the end. */
async function agree(pairs: [Told, Told][], names: string[]): Promise<string | undefined> {
  for (const [i, [theirs, ours]] of pairs.entries()) {
    await theirs.send('PING')
    const expected = theirs.told()
    // Ours may be told by another thread, a little later.
    let got = new Set<string>()
    for (let attempt = 0; attempt < 500; attempt++) {
      await ours.send('PING')
      for (const key of ours.told().split(' ')) if (key !== '') got.add(key)
      if ([...got].sort().join(' ') === expected) break
      await sleep(attempt < 5 ? 1 : 10)
    }
    const told = [...got].sort().join(' ')
    if (told !== expected) return `${names[i]}: Redis tells '${expected}', we '${told}'`
    got = new Set()
  }
  return undefined
}

for (const [how, args] of Object.entries(NODES)) {
  for (const redirects of [false, true]) {
    const way = redirects ? 'RESP2, redirected' : 'RESP3'
    compare(`clients are told of the same changes as by Redis: ${way}, ${how}`, async t => {
      t.timeout(180_000)
      t.log(`seed ${SEED}`)
      const draw = random(SEED)
      const [theirs, ours] = await Promise.all([redis(t), serve(t, '--max-bytes', '64mb', ...args)])
      const [one, other] = [
        await clients(t, theirs.port, redirects),
        await clients(t, ours.port, redirects),
      ]
      const pairs = one.map(({ hears }, i): [Told, Told] => [hears, other[i]!.hears])
      const history: string[] = []
      for (let round = 0; round < 60; round++) {
        // What one step changes is told before the next: else what is read again is told twice.
        for (let step = 0; step < 8; step++) {
          const [who, words] = [Math.floor(draw() * one.length), invent(draw)]
          history.push(`${Object.keys(MODES)[who]}: ${words.join(' ')}`)
          const replies = await Promise.all([one, other].map(all => all[who]!.asks.send(...words)))
          // Numbers of clients and times are each server's own.
          if (!['TRACKINGINFO', 'TTL'].some(word => words.includes(word))) {
            t.is(replies[1], replies[0], history.slice(-5).join('\n'))
          }
          const differs = await agree(pairs, Object.keys(MODES))
          if (differs !== undefined) {
            t.fail(`seed ${SEED}:\n${history.slice(-12).join('\n')}\n${differs}`)
            return
          }
        }
      }
      t.pass()
    })
  }
}

for (const [how, args] of Object.entries(NODES)) {
  compare(`a key that expires is told as by Redis: ${how}`, async t => {
    t.timeout(120_000)
    const servers = await Promise.all([redis(t), serve(t, '--max-bytes', '64mb', ...args)])
    for (const { port } of servers) {
      const [reads, all, other] = [
        new Told(await Raw.open(t, port)),
        new Told(await Raw.open(t, port)),
        new Told(await Raw.open(t, port)),
      ]
      await reads.send('HELLO', '3')
      await all.send('HELLO', '3')
      await reads.send('CLIENT', 'TRACKING', 'ON')
      await all.send('CLIENT', 'TRACKING', 'ON', 'BCAST', 'PREFIX', 'k')
      await other.send('SET', 'k', 'v', 'PX', '60000')
      while (!all.told()) await all.send('PING')
      await reads.send('GET', 'k')
      const before = all.count
      await other.send('PEXPIRE', 'k', '2000')
      for (let told = ''; told === ''; told = reads.told()) await reads.send('PING')
      // Who has read it is told of its end, and that it was there behind a read says that it was read.
      const isRead = (await reads.send('GET', 'k')) === '$1\r\nv\r\n'
      const held = await other.send('EXISTS', 'k')
      // The change and the end, which a machine that stalls may tell of together. Nobody writes any more.
      while (all.count < before + 2) {
        await sleep(5)
        await all.send('PING')
      }
      if (isRead || held === ':1\r\n') {
        for (let told = ''; told === ''; told = reads.told()) {
          await sleep(5)
          await reads.send('PING')
        }
      }
      t.is(await other.send('EXISTS', 'k'), ':0\r\n')
    }
  })

  test(`a key that makes room is told: ${how}`, async t => {
    t.timeout(120_000)
    const { port } = await serve(t, '--max-bytes', '1mb', ...args)
    const [reads, other] = [new Told(await Raw.open(t, port)), new Told(await Raw.open(t, port))]
    await other.send('SET', 'first', 'x'.repeat(1000))
    await reads.send('HELLO', '3')
    await reads.send('CLIENT', 'TRACKING', 'ON')
    await reads.send('GET', 'first')
    for (let i = 0; (await other.send('EXISTS', 'first')) === ':1\r\n'; i++) {
      await other.send('SET', `key ${i}`, 'x'.repeat(1000))
    }
    for (let told = ''; told !== 'first'; told = reads.told()) await reads.send('PING')
    t.pass()
  })

  compare(`messages of channels and patterns come as from Redis: ${how}`, async t => {
    t.timeout(120_000)
    const servers = await Promise.all([redis(t), serve(t, '--max-bytes', '64mb', ...args)])
    const told: string[][] = []
    for (const { port } of servers) {
      const all: string[] = []
      const hears = [await Raw.open(t, port), await Raw.open(t, port), await Raw.open(t, port)]
      const tells = new Told(await Raw.open(t, port))
      all.push(await new Told(hears[1]!).send('PING'))
      hears[1]!.write(encode(['HELLO', '3']))
      await hears[1]!.replies(1)
      const steps: [number, string[], number][] = [
        [0, ['SUBSCRIBE', 'one', 'two', 'one'], 3],
        [0, ['PSUBSCRIBE', 't?o'], 1],
        [1, ['PSUBSCRIBE', '*', 'o*'], 2],
        [1, ['SUBSCRIBE', 'one'], 1],
        [2, ['UNSUBSCRIBE'], 1],
        [2, ['PUNSUBSCRIBE', 'x', 'y'], 2],
        [2, ['SUBSCRIBE', 'two'], 1],
        [0, ['GET', 'x'], 1],
        [0, ['PING'], 1],
        [0, ['PING', 'hi'], 1],
        [1, ['PING'], 1],
      ]
      for (const [who, words, count] of steps) {
        hears[who]!.write(encode(words))
        all.push(...(await hears[who]!.replies(count)).map(String))
      }
      for (const words of [
        ['PUBLISH', 'one', 'first'],
        ['PUBLISH', 'two', 'second'],
        ['PUBLISH', 'none', ''],
        ['PUBSUB', 'CHANNELS', 'o*'],
        ['PUBSUB', 'NUMSUB', 'one', 'two', 'three'],
        ['PUBSUB', 'NUMPAT'],
        ['PUBSUB', 'NUMBAT'],
        ['PUBSUB', 'CHANNELS', 'a', 'b'],
      ]) {
        all.push(await tells.send(...words))
      }
      // Those of one channel are in order; here each has its own.
      all.push((await hears[0]!.replies(3)).map(String).sort().join())
      all.push((await hears[1]!.replies(5)).map(String).sort().join())
      all.push((await hears[2]!.replies(1)).map(String).sort().join())
      const ends: [number, string[], number][] = [
        [0, ['UNSUBSCRIBE', 'one'], 1],
        [0, ['PUNSUBSCRIBE'], 1],
        [0, ['UNSUBSCRIBE'], 1],
        [0, ['GET', 'x'], 1],
        [1, ['RESET'], 1],
        [1, ['PUNSUBSCRIBE'], 1],
      ]
      for (const [who, words, count] of ends) {
        hears[who]!.write(encode(words))
        all.push(...(await hears[who]!.replies(count)).map(String))
      }
      all.push(await tells.send('PUBLISH', 'one', 'last'))
      hears[2]!.socket.destroy()
      while ((await tells.send('PUBLISH', 'two', 'last')) !== ':0\r\n');
      told.push(all)
    }
    t.deepEqual(told[1], told[0])
  })
}

test('a client of a node that takes no messages is disconnected', async t => {
  t.timeout(180_000)
  const { port } = await serve(t, '--threads', '2', '--max-bytes', '64mb')
  const [hears, tells] = [await Raw.open(t, port), new Told(await Raw.open(t, port))]
  await hears.send('SUBSCRIBE', 'c')
  hears.socket.pause()
  const message = 'x'.repeat(1024 * 1024)
  for (let count = 0; count < 400; count++) {
    if ((await tells.send('PUBLISH', 'c', message)) === ':0\r\n') {
      t.pass()
      return
    }
  }
  t.fail('it is connected still')
})

for (const driver of ['native', 'net']) {
  test(`${driver}: 32 MB of messages wait for a client, and no more`, async t => {
    t.timeout(180_000)
    const flags = ['--threads', '1', '--max-bytes', '16mb', '--driver', driver]
    const { port } = await serve(t, ...flags)
    const [hears, tells] = [await Raw.open(t, port), await Raw.open(t, port)]
    await hears.send('SUBSCRIBE', 'c')
    hears.socket.pause()
    const message = 'x'.repeat(256 * 1024)
    let waits = 0
    while ((await tells.send('PUBLISH', 'c', message)) === ':1\r\n') waits += message.length
    const mebibytes = waits / 2 ** 20
    // What the system takes for a connection waits as well.
    t.true(mebibytes >= 32 && mebibytes <= 64, `${mebibytes} MB`)
  })
}
