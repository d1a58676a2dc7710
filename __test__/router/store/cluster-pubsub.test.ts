// Channels of shards in front of a cluster: one subscription of the node at the master of each channel's
// slot, which follows the slot, for clients that take the node for one server.
import { setTimeout as sleep } from 'node:timers/promises'
import test, { type ExecutionContext } from 'ava'
import { random } from '../../helpers/random.ts'
import { encode, Raw, serve } from '../support.ts'
import { cluster, hasCluster, type Member, move, promote, settled, until } from './cluster.ts'
import { PATIENT, texts } from './support.ts'

const clustered = hasCluster ? test : test.skip

/** The texts of messages. */
const messages = (pushed: Buffer[]) => pushed.map(push => String(push).split('\r\n').at(-2)!)

/** The slot of a channel. */
const slotOf = async (raw: Raw, channel: string) =>
  Number((await raw.send('CLUSTER', 'KEYSLOT', channel)).slice(1))

/** A client that subscribes, as soon as that is taken. */
async function subscribed(t: ExecutionContext, port: number, ...channels: string[]): Promise<Raw> {
  for (;;) {
    const client = await Raw.open(t, port)
    if (!(await client.send('SSUBSCRIBE', ...channels)).startsWith('-')) {
      await client.replies(channels.length - 1)
      return client
    }
    client.socket.destroy()
    await sleep(5)
  }
}

/** The master of a channel's slot, of three that have equal shares. */
async function ownerOf(masters: Member[], channel: string): Promise<Member> {
  const slot = await slotOf(masters[0]!.raw, channel)
  return masters[Math.min(Math.floor((slot * masters.length) / 16_384), masters.length - 1)]!
}

for (const protocol of ['2', '3']) {
  clustered(`RESP${protocol}: channels of shards are heard at their masters, once`, async t => {
    t.timeout(300_000)
    const made = await cluster(t, 3, 1)
    const node = await serve(t, '--store', made.url, ...PATIENT, '--threads', '2')
    const channels = Array.from({ length: 12 }, (_, at) => `news:${at}`)
    const clients = await Promise.all(
      Array.from({ length: 6 }, async () => {
        const client = await Raw.open(t, node.port)
        await client.send('HELLO', protocol)
        client.write(encode(['SSUBSCRIBE', ...channels]))
        await client.replies(channels.length)
        return client
      }),
    )
    const publisher = await Raw.open(t, node.port)
    t.deepEqual((await texts(publisher, 'PUBSUB', 'SHARDCHANNELS')).sort(), [...channels].sort())
    const counts = channels.map(name => `$${name.length}\r\n${name}\r\n:1\r\n`).join('')
    t.is(await publisher.send('PUBSUB', 'SHARDNUMSUB', ...channels), `*24\r\n${counts}`)
    const sent: string[] = []
    for (const channel of channels) {
      t.is(await publisher.send('SPUBLISH', channel, `${channel} through the node`), ':1\r\n')
      const owner = await ownerOf(made.masters, channel)
      t.is(await owner.raw.send('SPUBLISH', channel, `${channel} past it`), ':1\r\n')
      sent.push(`${channel} through the node`, `${channel} past it`)
    }
    for (const client of clients) {
      t.deepEqual(messages(await client.replies(sent.length)).sort(), [...sent].sort())
    }
    for (const client of clients) client.socket.destroy()
    while ((await texts(publisher, 'PUBSUB', 'SHARDCHANNELS')).length > 0) await sleep(5)
  })
}

clustered('what a client sends and gets is what its master would send', async t => {
  t.timeout(300_000)
  const made = await cluster(t, 3, 0)
  const node = await serve(t, '--store', made.url, ...PATIENT, '--threads', '2')
  const owner = await ownerOf(made.masters, '{a}0')
  const draw = random(20)
  for (const protocol of ['2', '3']) {
    const clients = [await Raw.open(t, owner.port), await Raw.open(t, node.port)] as const
    const [ofOwner, ofNode] = [await Raw.open(t, owner.port), await Raw.open(t, node.port)]
    for (const client of clients) await client.send('HELLO', protocol)
    const subscribed = new Set<string>()
    for (let step = 0; step < 200; step++) {
      const channel = `{a}${Math.floor(draw() * 5)}`
      const kind = Math.floor(draw() * 4)
      if (kind === 3) {
        const replies = [
          await ofOwner.send('SPUBLISH', channel, `${step}`),
          await ofNode.send('SPUBLISH', `${channel}`, `${step}`),
        ]
        // Both publish to the one cluster: each client hears both.
        const count = subscribed.has(channel) ? 2 : 0
        t.deepEqual(replies, [`:${count}\r\n`, `:${count}\r\n`])
        const heard = await Promise.all(clients.map(client => client.replies(count)))
        t.deepEqual(heard[1], heard[0])
        continue
      }
      const name = kind === 0 ? 'SUNSUBSCRIBE' : 'SSUBSCRIBE'
      if (kind === 0) subscribed.delete(channel)
      else subscribed.add(channel)
      const replies = await Promise.all(clients.map(client => client.send(name, channel)))
      t.is(replies[1], replies[0])
      // The node's own subscription follows.
      const count = `:${subscribed.has(channel) ? 2 : 0}\r\n`
      await until(async () =>
        (await ofOwner.send('PUBSUB', 'SHARDNUMSUB', channel)).endsWith(count),
      )
    }
    for (const client of clients) client.socket.destroy()
    await until(async () => (await texts(ofOwner, 'PUBSUB', 'SHARDCHANNELS')).length === 0)
  }
})

clustered('a subscription follows its slot, and its client is not told', async t => {
  t.timeout(300_000)
  const made = await cluster(t, 3, 0)
  const node = await serve(t, '--store', made.url, ...PATIENT, '--threads', '2')
  const [one, two, three] = made.masters as [Member, Member, Member]
  const channel = 'news:1'
  const slot = await slotOf(one.raw, channel)
  const client = await subscribed(t, node.port, channel, 'other:1', 'other:2')
  const publisher = await Raw.open(t, node.port)
  const first = await ownerOf(made.masters, channel)
  let [at, sent] = [first, 0]
  for (const to of [two, three, one, first].filter((each, n, all) => all[n - 1] !== each)) {
    if (to === at) continue
    await move(slot, at, to, made.masters)
    await settled(made.masters)
    at = to
    // Meanwhile messages have nobody who hears them, as in front of any client of a cluster.
    await until(async () => {
      const reply = await publisher.send('SPUBLISH', channel, `m${sent}`)
      if (reply === ':1\r\n') sent++
      return reply === ':1\r\n'
    })
    t.is(await to.raw.send('SPUBLISH', channel, `m${sent++}`), ':1\r\n')
  }
  t.deepEqual(
    messages(await client.replies(sent)),
    Array.from({ length: sent }, (_, n) => `m${n}`),
  )
})

clustered('where a replica takes over, nobody hears a message twice', async t => {
  t.timeout(300_000)
  const made = await cluster(t, 3, 1)
  const node = await serve(t, '--store', made.url, ...PATIENT, '--threads', '2')
  const channels = Array.from({ length: 12 }, (_, at) => `news:${at}`)
  const client = await subscribed(t, node.port, ...channels)
  const publisher = await Raw.open(t, node.port)
  const [taken, lost]: [string[], string[]] = [[], []]
  let over = false
  const work = (async () => {
    for (let n = 0; !over && !publisher.ended; n++) {
      const reply = await publisher.send('SPUBLISH', channels[n % channels.length]!, `m${n}`)
      if (reply === ':1\r\n') taken.push(`m${n}`)
      else if (reply.startsWith('-')) lost.push(reply)
    }
  })()
  // By agreement with its master, which stays as its replica, and ends its subscriptions.
  for (const replica of made.replicas) await promote(replica)
  await settled([...made.masters, ...made.replicas])
  over = true
  await work
  t.deepEqual(lost, [])
  // The old master may be heard still, as a replica of the new one, which does not count who hears that.
  const [heard, ended]: [string[], Set<string>] = [[], new Set()]
  const hearing = (async () => {
    while (ended.size < channels.length) {
      const [push] = await client.replies(1)
      if (!push) throw new Error('the node has hung up')
      const [channel, , text] = String(push).split('\r\n').slice(-4) as [string, string, string]
      if (text === 'end') ended.add(channel)
      else heard.push(text)
    }
  })()
  for (const channel of channels) {
    const hears = until(async () => {
      await publisher.send('SPUBLISH', channel, 'end')
      return ended.has(channel)
    })
    await Promise.race([hears, hearing])
  }
  await hearing
  t.is(new Set(heard).size, heard.length)
  const all = new Set(heard)
  t.deepEqual(
    taken.filter(text => !all.has(text)),
    [],
  )
})

clustered('a master that is lost cuts those who hear its channels, and no others', async t => {
  t.timeout(300_000)
  const made = await cluster(t, 3, 1)
  const node = await serve(t, '--store', made.url, ...PATIENT, '--threads', '2')
  const [first, second] = made.masters as [Member, Member, Member]
  const channels = Array.from({ length: 50 }, (_, at) => `news:${at}`)
  const owners: Member[] = []
  for (const channel of channels) owners.push(await ownerOf(made.masters, channel))
  const of = (member: Member) => channels[owners.indexOf(member)]!
  const [cut, stays] = [
    await subscribed(t, node.port, of(first), of(second)),
    await subscribed(t, node.port, of(second)),
  ]
  await first.stop('SIGKILL')
  t.is(String(await cut.rest()), '')
  await promote(made.replicas[0]!, 'TAKEOVER')
  const back = await subscribed(t, node.port, of(first))
  const publisher = await Raw.open(t, node.port)
  await until(async () => (await publisher.send('SPUBLISH', of(first), 'calm')) === ':1\r\n')
  t.deepEqual(messages(await back.replies(1)), ['calm'])
  t.is(await publisher.send('SPUBLISH', of(second), 'still here'), ':1\r\n')
  t.deepEqual(messages(await stays.replies(1)), ['still here'])
})
