// Messages over several stores: who subscribes through a node hears once what is published at any store,
// through the node and past it, while stores are lost, join and leave.
import { setTimeout as sleep } from 'node:timers/promises'
import test, { type ExecutionContext } from 'ava'
import { createRouter } from 'breakwater/router'
import { Raw, redis, type Served, serveMortal } from '../support.ts'
import { hasRedis, ring, ringOf, ringStore, texts } from './support.ts'

const several = hasRedis ? test : test.skip

/** The texts of messages. */
const messages = (pushed: Buffer[]) => pushed.map(push => String(push).split('\r\n').at(-2)!)

/** Names of keys or channels, one of each store. */
function oneInEach(stores: readonly Served[], prefix: string): string[] {
  const ring = ringOf(stores)
  return stores.map(({ port }) => {
    for (let n = 0; ; n++) {
      if (ring.locate(`${prefix}${n}`) === `127.0.0.1:${port}`) return `${prefix}${n}`
    }
  })
}

/** A client that subscribes, as soon as that is taken. */
async function subscribed(t: ExecutionContext, port: number, ...words: string[]): Promise<Raw> {
  for (;;) {
    const client = await Raw.open(t, port)
    if (!(await client.send(...words)).startsWith('-')) {
      await client.replies(words.length - 2)
      return client
    }
    client.socket.destroy()
    await sleep(5)
  }
}

/** Publishes until somebody hears it; a store may be lost, and nobody know that yet. */
async function publish(publisher: Raw, ...words: string[]): Promise<void> {
  while ((await publisher.send(...words)) !== ':1\r\n') await sleep(5)
}

for (const protocol of ['2', '3']) {
  several(`RESP${protocol}: messages of each store are heard once, on all threads`, async t => {
    t.timeout(240_000)
    const { stores, node } = await ring(t, 3, ['--threads', '2'])
    const channels = oneInEach(stores, 'news:')
    const ways = [
      ['SUBSCRIBE', ...channels],
      ['SSUBSCRIBE', ...channels],
      ['PSUBSCRIBE', 'news:*'],
    ]
    const clients = await Promise.all(
      Array.from({ length: 9 }, async (_, at) => {
        const client = await Raw.open(t, node.port)
        await client.send('HELLO', protocol)
        const [name, ...of] = ways[at % 3]!
        client.write(Buffer.from(`${name} ${of.join(' ')}\r\n`))
        await client.replies(of.length)
        return client
      }),
    )
    const publisher = await Raw.open(t, node.port)
    t.deepEqual((await texts(publisher, 'PUBSUB', 'CHANNELS')).sort(), [...channels].sort())
    t.deepEqual((await texts(publisher, 'PUBSUB', 'SHARDCHANNELS')).sort(), [...channels].sort())
    t.is(await publisher.send('PUBSUB', 'NUMPAT'), ':1\r\n')
    const counts = channels.map(name => `$${name.length}\r\n${name}\r\n:1\r\n`).join('')
    t.is(await publisher.send('PUBSUB', 'NUMSUB', ...channels), `*6\r\n${counts}`)
    t.is(await publisher.send('PUBSUB', 'SHARDNUMSUB', ...channels), `*6\r\n${counts}`)
    const direct = await Promise.all(stores.map(({ port }) => Raw.open(t, port)))
    const sent: string[] = []
    for (const [at, channel] of channels.entries()) {
      const own = await Raw.open(t, stores[at]!.port)
      t.regex(await own.send('SUBSCRIBE', channel), /:1\r\n$/)
      // Two who subscribe at the channel's store: the node, and by its pattern once more; and one past it.
      t.is(await publisher.send('PUBLISH', channel, `${channel}a`), ':3\r\n')
      t.deepEqual(messages(await own.replies(1)), [`${channel}a`])
      t.is(await publisher.send('SPUBLISH', channel, `${channel}b`), ':1\r\n')
      sent.push(`${channel}a`, `${channel}b`)
      // Whoever publishes past the node may do so at any store.
      for (const [of, store] of direct.entries()) {
        await store.send('PUBLISH', channel, `${channel}${of}`)
        sent.push(`${channel}${of}`)
      }
    }
    for (const [at, client] of clients.entries()) {
      const ofShards = at % 3 === 1
      const own = sent.filter(text => text.endsWith('b') === ofShards)
      t.deepEqual(messages(await client.replies(own.length)).sort(), own.sort())
    }
  })
}

several('scripts, transactions and keys tell of what they do at their stores', async t => {
  t.timeout(240_000)
  const { stores, node } = await ring(t, 3, ['--threads', '2'])
  const publisher = await Raw.open(t, node.port)
  t.is(await publisher.send('CONFIG', 'SET', 'notify-keyspace-events', 'E$'), '+OK\r\n')
  const clients = [
    await subscribed(t, node.port, 'SUBSCRIBE', 'news', '__keyevent@0__:set'),
    await subscribed(t, node.port, 'PSUBSCRIBE', 'n*', '__keyevent@0__:s*'),
  ]
  const sent: string[] = []
  for (const key of oneInEach(stores, 'k:')) {
    const script = "return redis.call('PUBLISH', 'news', ARGV[1])"
    await publisher.send('EVAL', script, '1', key, `script ${key}`)
    await publisher.send('MULTI')
    await publisher.send('SET', key, 'v')
    await publisher.send('PUBLISH', 'news', `transaction ${key}`)
    await publisher.send('EXEC')
    await publisher.send('PUBLISH', 'news', `plain ${key}`)
    sent.push(`script ${key}`, key, `transaction ${key}`, `plain ${key}`)
  }
  for (const client of clients) {
    t.deepEqual(messages(await client.replies(sent.length)).sort(), [...sent].sort())
  }
})

several('one client publishes in the order in which it sends, whichever stores', async t => {
  t.timeout(240_000)
  const { stores, node } = await ring(t, 3, ['--threads', '2'])
  const channels = oneInEach(stores, 'news:')
  const client = await subscribed(t, node.port, 'SUBSCRIBE', ...channels)
  const publisher = await Raw.open(t, node.port)
  const sent = Array.from({ length: 300 }, (_, n) => ['PUBLISH', channels[n % 3]!, `m${n}`])
  publisher.write(Buffer.from(sent.map(words => `${words.join(' ')}\r\n`).join('')))
  const replies = await publisher.replies(sent.length)
  t.true(replies.every(reply => String(reply) === ':1\r\n'))
  const heard = messages(await client.replies(sent.length))
  for (const of of [0, 1, 2]) {
    const own = sent.map(words => words[2]!).filter((_, n) => n % 3 === of)
    t.deepEqual(
      heard.filter(text => own.includes(text)),
      own,
    )
  }
})

several('a store that is lost cuts those who hear its channels, and no others', async t => {
  t.timeout(240_000)
  const { stores, node } = await ring(t, 3, ['--threads', '2', '--when-down', 'next'])
  const second = stores[1]!
  const [ofFirst, ofSecond, ofThird] = oneInEach(stores, 'news:') as [string, string, string]
  const own = await Promise.all([
    subscribed(t, node.port, 'SSUBSCRIBE', ofSecond),
    subscribed(t, node.port, 'SUBSCRIBE', ofThird, ofSecond),
    subscribed(t, node.port, 'PSUBSCRIBE', 'news:*'),
    subscribed(t, node.port, 'SUBSCRIBE', '__keyevent@0__:set'),
  ])
  const stays = await subscribed(t, node.port, 'SUBSCRIBE', ofFirst, ofThird)
  const publisher = await Raw.open(t, node.port)
  await second.stop('SIGKILL')
  // They may have missed something: they are told as by a store itself.
  for (const client of own) t.is(String(await client.rest()), '')
  // Whoever comes again hears the store that stands in.
  const back = await subscribed(t, node.port, 'SUBSCRIBE', ofSecond, ofFirst)
  await publish(publisher, 'PUBLISH', ofSecond, 'calm')
  t.deepEqual(messages(await back.replies(1)), ['calm'])
  await publisher.send('PUBLISH', ofFirst, 'still here')
  t.deepEqual(messages(await stays.replies(1)), ['still here'])
  t.deepEqual(messages(await back.replies(1)), ['still here'])
  // The store is back: its channels move to it, and nobody is cut or misses anything.
  await ringStore(t, second.port)
  const direct = await Raw.open(t, second.port)
  const key = oneInEach(stores, 'k:')[1]!
  let sent = 0
  for (; (await direct.send('DBSIZE')) === ':0\r\n'; sent++) {
    t.is(await publisher.send('PUBLISH', ofSecond, `m${sent}`), ':1\r\n')
    await publisher.send('SET', key, 'v')
  }
  const heard = async () => (await direct.send('INFO', 'commandstats')).includes('cmdstat_publish:')
  for (; !(await heard()); sent++) {
    t.is(await publisher.send('PUBLISH', ofSecond, `m${sent}`), ':1\r\n')
  }
  const expected = Array.from({ length: sent }, (_, n) => `m${n}`)
  t.deepEqual(messages(await back.replies(sent)), expected)
})

several('without a stand-in, the channels of a lost store are refused, and no others', async t => {
  t.timeout(240_000)
  const { stores, node } = await ring(t, 3, ['--threads', '2', '--store-timeout', '2s'])
  const second = stores[1]!
  const [ofFirst, ofSecond] = oneInEach(stores, 'news:') as [string, string]
  const [cut, stays] = [
    await subscribed(t, node.port, 'SUBSCRIBE', ofSecond),
    await subscribed(t, node.port, 'SUBSCRIBE', ofFirst),
  ]
  await second.stop('SIGKILL')
  t.is(String(await cut.rest()), '')
  const publisher = await Raw.open(t, node.port)
  t.regex(await publisher.send('PUBLISH', ofSecond, 'm'), /^-ERR the store at .* is unreachable/)
  t.regex(await publisher.send('SUBSCRIBE', ofSecond), /^-ERR the store at .* is unreachable/)
  const all = await subscribed(t, node.port, 'PSUBSCRIBE', 'news:*')
  t.is(await publisher.send('PUBLISH', ofFirst, 'calm'), ':2\r\n')
  t.deepEqual(messages(await stays.replies(1)), ['calm'])
  t.deepEqual(messages(await all.replies(1)), ['calm'])
  // What is heard everywhere is heard at the store that is back as well.
  await ringStore(t, second.port)
  const direct = await Raw.open(t, second.port)
  while ((await direct.send('PUBSUB', 'NUMPAT')) === ':0\r\n') await sleep(5)
  await publish(publisher, 'PUBLISH', ofSecond, 'back')
  t.deepEqual(messages(await all.replies(1)), ['back'])
})

/** A node in this process, in front of these stores. */
async function start(t: ExecutionContext, stores: readonly Served[]) {
  const options = (of: readonly Served[]) => ({
    threads: 2,
    maxBytes: '64mb' as const,
    store: of.map(({ port }) => `redis://127.0.0.1:${port}`),
  })
  const router = createRouter(options(stores))
  t.teardown(() => router.close())
  const { port } = await router.listen({ port: 0 })
  return { port: port!, reload: (of: readonly Served[]) => router.reload(options(of)) }
}

several('channels move with the ring, and nothing that is published is lost', async t => {
  t.timeout(240_000)
  const stores = await Promise.all(Array.from({ length: 4 }, () => redis(t)))
  const [one, two, three, four] = stores as [Served, Served, Served, Served]
  const { port, reload } = await start(t, [one, two, three])
  const channels = Array.from({ length: 30 }, (_, at) => `news:${at}`)
  const clients = [
    await subscribed(t, port, 'SSUBSCRIBE', ...channels),
    await subscribed(t, port, 'SUBSCRIBE', ...channels),
    await subscribed(t, port, 'PSUBSCRIBE', 'news:*'),
  ]
  const publishers = await Promise.all(Array.from({ length: 4 }, () => Raw.open(t, port)))
  let [over, sent] = [false, 0]
  const work = publishers.map(async (publisher, of) => {
    for (let n = 0; !over; n++) {
      const channel = channels[(n * 7 + of) % channels.length]!
      t.is(await publisher.send('SPUBLISH', channel, `${of}:${n}`), ':1\r\n')
      t.is(await publisher.send('PUBLISH', channel, `${of}:${n}`), ':2\r\n')
      sent++
    }
  })
  // Another first store, one that joins, one that leaves.
  for (const next of [
    [one, two, three, four],
    [four, two, three],
    [two, four],
    [one, two, three],
  ]) {
    await reload(next)
    const expected = ringOf(next)
    const direct = await Promise.all(next.map(store => Raw.open(t, store.port)))
    for (const store of direct) await store.send('CONFIG', 'RESETSTAT')
    // Each store has its share of the messages.
    for (const [at, { port }] of next.entries()) {
      if (!channels.some(each => expected.locate(each) === `127.0.0.1:${port}`)) continue
      while (!(await direct[at]!.send('INFO', 'commandstats')).includes('cmdstat_publish:')) {
        await sleep(5)
      }
    }
  }
  over = true
  await Promise.all(work)
  for (const client of clients) {
    const heard = messages(await client.replies(sent))
    t.is(new Set(heard).size, sent)
  }
  // What has left is heard no more.
  const direct = await Raw.open(t, four.port)
  while ((await direct.send('PUBSUB', 'NUMPAT')) !== ':0\r\n') await sleep(20)
})

several('when a thread ends, nobody of another thread misses a message of any store', async t => {
  t.timeout(300_000)
  const stores = await Promise.all(Array.from({ length: 3 }, () => redis(t)))
  const flags = stores.flatMap(({ port }) => ['--store', `redis://127.0.0.1:${port}`])
  const node = await serveMortal(t, '--port', '0', ...flags, '--threads', '3')
  const channels = oneInEach(stores, 'news:')
  const last = () => new Map<string, number>()
  const all = new Set<{ heard: Map<string, number>; ended: boolean }>()
  const open = async () => {
    const raw = await subscribed(t, node.port, 'SUBSCRIBE', ...channels)
    const one = { heard: last(), ended: false }
    all.add(one)
    void (async () => {
      for (let [next] = await raw.replies(1); next; [next] = await raw.replies(1)) {
        const [channel, number] = String(next)
          .split('\r\n')
          .filter((_, at) => at === 4 || at === 6) as [string, string]
        const before = one.heard.get(channel)
        if (before !== undefined) t.is(Number(number), before + 1, 'none twice, none missing')
        one.heard.set(channel, Number(number))
      }
      one.ended = true
    })()
    return one
  }
  const first = await Promise.all(Array.from({ length: 30 }, open))
  let [published, over] = [0, false]
  const direct = await Promise.all(stores.map(({ port }) => Raw.open(t, port)))
  const publishing = (async () => {
    for (; !over; published++) {
      await Promise.all(direct.map((raw, at) => raw.send('PUBLISH', channels[at]!, `${published}`)))
    }
  })()
  /** Until all who are connected have heard what is published from now on. */
  const caughtUp = async () => {
    const mark = published + 1
    const behind = ({ heard, ended }: { heard: Map<string, number>; ended: boolean }) =>
      !ended && channels.some(channel => (heard.get(channel) ?? -1) < mark)
    while ([...all].some(behind)) await sleep(5)
  }
  // One thread may have accepted all of them.
  await caughtUp()
  // Until every thread that there was has ended, the one that hears the stores as well.
  while (first.some(one => !one.ended)) {
    const told = node.output().length
    node.process.kill('SIGUSR2')
    while (![...all].some(one => one.ended) && node.output().length === told) await sleep(5)
    await caughtUp()
    for (const one of all) if (one.ended) all.delete(one)
    await Promise.all(Array.from({ length: 30 - all.size }, open))
  }
  await caughtUp()
  over = true
  await publishing
})
