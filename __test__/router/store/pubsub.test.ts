// Subscriptions through a node in front of a store: one for each topic for the whole process.
import { setTimeout as sleep } from 'node:timers/promises'
import test from 'ava'
import { Raw, redis, serveMortal } from '../support.ts'
import { front, hasRedis, info, subscribers } from './support.ts'

const fronted = hasRedis ? test : test.skip

/** How many connections of the store subscribe to something. */
async function ears(direct: Raw): Promise<number> {
  const list = await direct.send('CLIENT', 'LIST', 'TYPE', 'pubsub')
  return list.split('\n').filter(line => line.startsWith('id=')).length
}

/** The texts of messages, in their order. */
const texts = (messages: Buffer[]) => messages.map(message => String(message).split('\r\n').at(-2))

for (const protocol of ['2', '3']) {
  fronted(`RESP${protocol}: all clients of all threads share one subscription`, async t => {
    t.timeout(240_000)
    const { store, node } = await front(t, ['--threads', '4'])
    const direct = await Raw.open(t, store.port)
    const topics = { pattern: 'spor*', more: [['SSUBSCRIBE', 'shard']] }
    const clients = await subscribers(t, node.port, protocol, { count: 100, ...topics })
    t.is(await direct.send('PUBSUB', 'NUMSUB', 'news'), '*2\r\n$4\r\nnews\r\n:1\r\n')
    t.is(await direct.send('PUBSUB', 'SHARDNUMSUB', 'shard'), '*2\r\n$5\r\nshard\r\n:1\r\n')
    t.is(await direct.send('PUBSUB', 'NUMPAT'), ':1\r\n')
    t.is(await ears(direct), 1)
    // In the order in which they were published, whichever way: by anybody, to any channel.
    const publishers = [direct, await Raw.open(t, node.port), await Raw.open(t, node.port)]
    const expected = Array.from({ length: 300 }, (_, n) => `m${n}`)
    for (const [n, text] of expected.entries()) {
      const words = [
        ['PUBLISH', 'news', text],
        ['PUBLISH', 'sport', text],
        ['SPUBLISH', 'shard', text],
      ][n % 3]!
      t.is(await publishers[n % publishers.length]!.send(...words), ':1\r\n')
    }
    for (const client of clients) t.deepEqual(texts(await client.replies(300)), expected)
    for (const client of clients.slice(1)) client.socket.destroy()
    await clients[0]!.send('UNSUBSCRIBE')
    while ((await direct.send('PUBSUB', 'CHANNELS')) !== '*0\r\n') await sleep(5)
    t.is(await direct.send('PUBSUB', 'NUMPAT'), ':1\r\n')
    clients[0]!.socket.destroy()
    while ((await direct.send('PUBSUB', 'NUMPAT')) !== ':0\r\n') await sleep(5)
    t.is(await info(direct, 'stats', 'rejected_connections'), '0')
  })
}

fronted(
  'who subscribes is cut when the store is lost, and hears again when it is back',
  async t => {
    t.timeout(240_000)
    const { store, node } = await front(t, ['--threads', '3'])
    const before = await Promise.all(Array.from({ length: 30 }, () => Raw.open(t, node.port)))
    for (const client of before) await client.send('SUBSCRIBE', 'news')
    await store.stop('SIGKILL')
    // It is told by the end of its connection, as by the store itself.
    for (const client of before) t.is(String(await client.rest()), '')
    // Meanwhile there are errors, and nobody waits in vain.
    const meanwhile = await Raw.open(t, node.port)
    t.regex(await meanwhile.send('SUBSCRIBE', 'news'), /^-ERR the store at .* is unreachable/)

    await redis(t, '--port', `${store.port}`)
    const direct = await Raw.open(t, store.port)
    const after = await Promise.all(
      Array.from({ length: 30 }, async () => {
        for (;;) {
          const client = await Raw.open(t, node.port)
          const reply = await client.send('SUBSCRIBE', 'news')
          if (!reply.startsWith('-')) return client
          client.socket.destroy()
        }
      }),
    )
    t.is(await ears(direct), 1)
    await direct.send('PUBLISH', 'news', 'calm')
    for (const client of after) t.deepEqual(texts(await client.replies(1)), ['calm'])
  },
)

fronted('a channel that the node may not subscribe to harms nobody else', async t => {
  t.timeout(120_000)
  const { store, node } = await front(t, ['--threads', '2'])
  const direct = await Raw.open(t, store.port)
  await direct.send('ACL', 'SETUSER', 'default', 'resetchannels', '&news')
  const [fine, curious] = [await Raw.open(t, node.port), await Raw.open(t, node.port)]
  await fine.send('SUBSCRIBE', 'news')
  t.regex(await curious.send('SUBSCRIBE', 'secret'), /^-NOPERM/)
  t.is(await curious.send('PING'), '+PONG\r\n')
  t.regex(await curious.send('SUBSCRIBE', 'news'), /:1\r\n$/)
  await direct.send('PUBLISH', 'news', 'calm')
  for (const client of [fine, curious]) t.deepEqual(texts(await client.replies(1)), ['calm'])
})

fronted('when a thread ends, nobody of another thread misses a message', async t => {
  t.timeout(240_000)
  const store = await redis(t)
  const url = `redis://127.0.0.1:${store.port}`
  const node = await serveMortal(t, '--port', '0', '--store', url, '--threads', '4')
  const [direct, publisher] = [await Raw.open(t, store.port), await Raw.open(t, store.port)]
  const hears = async () => {
    const list = await direct.send('CLIENT', 'LIST', 'TYPE', 'pubsub')
    return [...list.matchAll(/(?:^|\n)id=(\d+) /g)].map(match => match[1])
  }

  /** A client that subscribes, and what it has heard. */
  class Subscriber {
    last = -1
    ended = false
    readonly raw: Raw

    constructor(raw: Raw) {
      this.raw = raw
      void this.#listen()
    }

    static async open(): Promise<Subscriber> {
      const raw = await Raw.open(t, node.port)
      const told = await raw.send('SUBSCRIBE', 'news')
      if (!told.startsWith('-') && told !== '') return new Subscriber(raw)
      raw.socket.destroy()
      return Subscriber.open()
    }

    async #listen(): Promise<void> {
      for (let [next] = await this.raw.replies(1); next; [next] = await this.raw.replies(1)) {
        const number = Number(texts([next])[0])
        if (this.last >= 0) t.is(number, this.last + 1, 'in order, none twice, none missing')
        this.last = number
      }
      this.ended = true
    }
  }

  let [published, over] = [0, false]
  const publishing = (async () => {
    for (; !over; published++) await publisher.send('PUBLISH', 'news', `${published}`)
  })()
  let all = await Promise.all(Array.from({ length: 40 }, () => Subscriber.open()))
  const first = [...all]
  // Until every thread that there was has ended, the one that hears the store as well.
  while (first.some(one => !one.ended)) {
    const before = await hears()
    node.process.kill('SIGUSR2')
    const told = node.output().length
    // It may be one without clients.
    const noticed = () => all.some(one => one.ended) || node.output().length > told
    while (!noticed()) await sleep(5)
    const marks = published + 1
    while (all.some(one => !one.ended && one.last < marks)) await sleep(5)
    all = all.filter(one => !one.ended)
    // Its connection has gone over to another thread.
    if (all.length > 0) t.deepEqual(await hears(), before)
    const fresh = Array.from({ length: 40 - all.length }, () => Subscriber.open())
    all.push(...(await Promise.all(fresh)))
  }
  over = true
  await publishing
  t.is((await hears()).length, 1)
})
