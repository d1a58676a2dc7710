// Crowds at the door of a node, and readers that take little or nothing: what waits in all is bounded, who is
// cut is told of, and everybody else is served.
import { setTimeout as sleep } from 'node:timers/promises'
import test, { type ExecutionContext } from 'ava'
import { createRouter, type LogFields, type RouterOptions } from 'breakwater/router'
import { Authority } from '../helpers/certificates.ts'
import { hasRedis, patientFront } from './store/support.ts'
import { encode, Raw, tlsWay } from './support.ts'

const fronted = hasRedis ? test.serial : test.serial.skip
const MEGABYTE = 1024 * 1024
const MEGA = Buffer.alloc(MEGABYTE, 'v')

async function node(t: ExecutionContext, options: RouterOptions) {
  t.timeout(120_000)
  const told: LogFields[] = []
  const tell = (fields: LogFields) => void told.push(fields)
  const logger = { debug: tell, info: tell, warn: tell, error: tell }
  const given = { threads: 1, maxBytes: '64mb', logger, logConnections: true, ...options } as const
  const router = createRouter(given)
  t.teardown(() => router.close())
  const { port } = await router.listen({ port: 0 })
  /** Why connections ended, in their order. */
  const causes = () => told.flatMap(({ cause }) => (cause === undefined ? [] : [String(cause)]))
  return { router, port, causes }
}

test('connections beyond their rate wait, who is there is served, and all are let in', async t => {
  const { router, port } = await node(t, { connections: { perSecond: 1 } })
  const first = await Raw.open(t, port)
  t.is(await first.send('PING'), '+PONG\r\n')
  const crowd = await Promise.all([1, 2, 3].map(() => Raw.open(t, port)))
  let served = 0
  const all = crowd.map(async client => {
    t.is(await client.send('PING'), '+PONG\r\n')
    served++
  })
  while (router.stats().heldBackByRate === 0) await sleep(5)
  t.is(await first.send('PING'), '+PONG\r\n')
  t.true(served < 3, 'a second has one more')
  t.is(router.stats().heldBackByHandshakes, 0)
  await Promise.all(all)
})

for (const driver of ['native', 'net'] as const) {
  test(`${driver}: who begins no handshake is hung up on, and its place is another's`, async t => {
    const way = tlsWay(new Authority())
    const [, cert, , key] = way.flags as [string, string, string, string]
    const connections = driver === 'native' ? { handshakes: 1 } : undefined
    const { router, port } = await node(t, { driver, tls: { cert, key }, connections })
    const silent = await Raw.open(t, port)
    const later = Raw.open(t, port, way)
    t.is(String(await silent.rest()), '')
    t.is(await (await later).send('PING'), '+PONG\r\n')
    t.is(router.stats().clients, 1)
  })

  test.serial(
    `${driver}: a subscriber that takes nothing is cut, and who takes a little never is`,
    async t => {
      const { router, port, causes } = await node(t, { driver, slowReaderTimeout: '2s' })
      const [deaf, slow, client] = [
        await Raw.open(t, port),
        await Raw.open(t, port),
        await Raw.open(t, port),
      ]
      t.regex(await deaf.send('SUBSCRIBE', 'news'), /subscribe/)
      deaf.socket.pause()
      t.is(await client.send('SET', 'large', MEGA), '+OK\r\n')
      slow.socket.pause()
      slow.write(Buffer.concat(Array.from({ length: 64 }, () => encode(['GET', 'large']))))
      let going = true
      const taking = (async () => {
        // A piece at a time, for longer than a client may take nothing.
        while (going) {
          slow.socket.read(1)
          await sleep(100)
          slow.socket.read()
        }
      })()
      for (let n = 0; n < 24; n++) await client.send('PUBLISH', 'news', MEGA)
      while (router.stats().buffers.cutSlow === 0) await sleep(5)
      while (causes().length === 0) await sleep(5)
      t.deepEqual(causes(), ['slow'])
      await sleep(2_500)
      going = false
      await taking
      t.is(router.stats().buffers.cutSlow, 1)
      slow.socket.resume()
      t.is((await slow.replies(64)).length, 64)
    },
  )

  test(`${driver}: a subscriber with 32 MB of messages to take is disconnected, and no other`, async t => {
    const { port, causes } = await node(t, { driver })
    const [deaf, hears, client] = [
      await Raw.open(t, port),
      await Raw.open(t, port),
      await Raw.open(t, port),
    ]
    for (const one of [deaf, hears]) t.regex(await one.send('SUBSCRIBE', 'news'), /subscribe/)
    deaf.socket.pause()
    let sent = 0
    while (causes().length === 0) {
      await client.send('PUBLISH', 'news', MEGA)
      t.is((await hears.replies(1))[0]!.length > MEGABYTE, true)
      sent++
    }
    t.is(causes().length, 1)
    t.true(sent > 32, `${sent}`)
    t.is(await client.send('PUBLISH', 'news', 'x'), ':1\r\n')
  })
}

fronted('at the bound on all that waits the greediest client is cut, and no other', async t => {
  t.timeout(120_000)
  const { store, router, port } = await patientFront(t, { maxBuffers: '32mb' })
  const [greedy, other, watch] = [
    await Raw.open(t, port),
    await Raw.open(t, port),
    await Raw.open(t, port),
  ]
  for (const client of [greedy, other]) t.is(await client.send('SET', 'k', 'v'), '+OK\r\n')
  store.process.kill('SIGSTOP')
  t.teardown(() => store.process.kill('SIGCONT'))
  // Sent and not done, or not written to the store: the store takes none of it.
  const written = other.send('SET', 'mine', Buffer.alloc(2 * MEGABYTE, 'm'))
  while (router.stats().buffers.bytes < 1) await sleep(5)
  let sent = 0
  while (router.stats().buffers.cut === 0 && sent < 200) {
    greedy.write(encode(['SET', `k${sent++}`, MEGA]))
    await sleep(1)
  }
  t.is(router.stats().buffers.cut, 1)
  await greedy.rest()
  t.is(await watch.send('PING'), '+PONG\r\n')
  t.is(router.stats().buffers.maxBytes, 32 * MEGABYTE)
  store.process.kill('SIGCONT')
  t.is(await written, '+OK\r\n')
  t.is(await other.send('STRLEN', 'mine'), `:${2 * MEGABYTE}\r\n`)
  t.regex(await watch.send('INFO', 'load'), /clients_cut_for_buffers:1\r\n/)
  while (router.stats().buffers.bytes > 0) await sleep(5)
})
