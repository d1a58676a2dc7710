// A connection that the store closes right behind what it says last: both reach the node in one event,
// which must see the end as well as the words. Nobody else tells of it where the node only listens.
import { setTimeout as sleep } from 'node:timers/promises'
import test, { type ExecutionContext } from 'ava'
import { Raw, type Served } from '../support.ts'
import { front, hasRedis } from './support.ts'

const fronted = hasRedis ? test : test.skip

/** Has the store do something and then close its connections to the node, which sees all of it at once. */
async function together(t: ExecutionContext, store: Served, node: Served, last: string[]) {
  const direct = await Raw.open(t, store.port)
  node.process.kill('SIGSTOP')
  try {
    await direct.send(...last)
    const killed = [
      await direct.send('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes'),
      await direct.send('CLIENT', 'KILL', 'TYPE', 'pubsub'),
    ]
    t.true(killed.some(reply => reply !== ':0\r\n'))
    // Whoever was killed is closed once the store has come round again.
    await direct.send('PING')
  } finally {
    node.process.kill('SIGCONT')
  }
  return direct
}

async function open(t: ExecutionContext, node: Served): Promise<Raw> {
  const client = await Raw.open(t, node.port)
  await client.send('HELLO', '3')
  return client
}

/** Reads what comes until it is this. */
async function until(client: Raw, fits: (text: string) => boolean): Promise<void> {
  for (;;) {
    const [next] = await client.replies(1)
    if (next === undefined || fits(String(next))) return
  }
}

fronted('who tracks by prefixes hears that the connection that tells is lost', async t => {
  t.timeout(60_000)
  const { store, node } = await front(t, ['--threads', '1'])
  const client = await open(t, node)
  t.is(await client.send('CLIENT', 'TRACKING', 'ON', 'BCAST'), '+OK\r\n')
  const direct = await together(t, store, node, ['SET', 'k', 'one'])
  // What the store said last, and that all may have changed: now, and when it is heard again.
  await until(client, text => text.includes('\r\nk\r\n'))
  await until(client, text => text.endsWith('invalidate\r\n_\r\n'))
  await until(client, text => text.endsWith('invalidate\r\n_\r\n'))
  let told = false
  const heard = until(client, text => text.includes('\r\nother\r\n')).then(() => {
    told = true
  })
  while (!told) {
    await direct.send('SET', 'other', 'two')
    await sleep(10)
  }
  await heard
})

fronted('who subscribes is cut when the connection that hears is lost', async t => {
  t.timeout(60_000)
  const { store, node } = await front(t, ['--threads', '1'])
  const client = await open(t, node)
  await client.send('SUBSCRIBE', 'news')
  await together(t, store, node, ['PUBLISH', 'news', 'last'])
  const heard: string[] = []
  for (let [next] = await client.replies(1); next !== undefined; [next] = await client.replies(1)) {
    heard.push(String(next))
  }
  t.deepEqual(heard, ['>3\r\n$7\r\nmessage\r\n$4\r\nnews\r\n$4\r\nlast\r\n'])
})

fronted('what is remembered is read anew when the connection that tells of it is lost', async t => {
  t.timeout(60_000)
  const { store, node } = await front(t, ['--threads', '1', '--route', '*,ttl=1h'])
  const client = await open(t, node)
  for (const key of ['kept', 'changed']) {
    await client.send('SET', key, 'one')
    for (let n = 0; n < 3; n++) t.is(await client.send('GET', key), '$3\r\none\r\n')
  }
  const direct = await together(t, store, node, ['SET', 'changed', 'two'])
  // Nobody tells of this one: the node must know that.
  await direct.send('SET', 'kept', 'two')
  while ((await client.send('GET', 'kept')) !== '$3\r\ntwo\r\n') await sleep(10)
  t.is(await client.send('GET', 'changed'), '$3\r\ntwo\r\n')
})
