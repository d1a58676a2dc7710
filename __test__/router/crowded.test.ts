// Crowds at the door of a node, and clients that send more than is good for all: what waits is bounded, and
// everybody else is served.
import { setTimeout as sleep } from 'node:timers/promises'
import test, { type ExecutionContext } from 'ava'
import { createRouter, type RouterOptions } from 'breakwater/router'
import { Authority } from '../helpers/certificates.ts'
import { hasRedis, patientFront } from './store/support.ts'
import { encode, Raw, tlsWay } from './support.ts'

const fronted = hasRedis ? test.serial : test.serial.skip
const MEGABYTE = 1024 * 1024
const MEGA = Buffer.alloc(MEGABYTE, 'v')

async function node(t: ExecutionContext, options: RouterOptions) {
  t.timeout(120_000)
  const router = createRouter({ threads: 1, maxBytes: '64mb', ...options })
  t.teardown(() => router.close())
  const { port } = await router.listen({ port: 0 })
  return { router, port }
}

test('connections beyond their rate wait, who is there is served, and all are let in', async t => {
  const { router, port } = await node(t, { connections: { perSecond: 1 } })
  const first = await Raw.open(t, port)
  t.is(await first.send('PING'), '+PONG\r\n')
  const crowd = await Promise.all([1, 2, 3].map(() => Raw.open(t, port)))
  const all = crowd.map(async client => t.is(await client.send('PING'), '+PONG\r\n'))
  while (router.stats().heldBackByRate === 0) await sleep(5)
  t.is(await first.send('PING'), '+PONG\r\n')
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
  // Not done; what the system takes for the store does not wait in the node.
  const written = other.send('SET', 'mine', Buffer.alloc(2 * MEGABYTE, 'm'))
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
