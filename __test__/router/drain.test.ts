// How a node ends: each client in its slice, everybody in the end, and nobody later than is due to it.
import { once } from 'node:events'
import test, { type ExecutionContext } from 'ava'
import { createRouter, type RouterOptions } from 'breakwater/router'
import { hasRedis } from './store/support.ts'
import { Raw, redis } from './support.ts'

const fronted = hasRedis ? test : test.skip
const MODES: RouterOptions[] = [{ threads: 0 }, { threads: 2 }, { mode: 'processes', workers: 2 }]

/** A node in front of a store that answers as long as a test lets it. */
async function fronting(t: ExecutionContext, options: RouterOptions) {
  t.timeout(180_000)
  const behind = await redis(t)
  const store = `redis://127.0.0.1:${behind.port}`
  const router = createRouter({ maxBytes: '64mb', store, storeTimeout: '1h', ...options })
  const { port } = await router.listen({ port: 0 })
  return { behind, router, port }
}

for (const mode of MODES) {
  const name = JSON.stringify(mode)

  fronted(`all clients are disconnected in slices, and the node has ended: ${name}`, async t => {
    const { router, port } = await fronting(t, { ...mode, drain: { over: '1s' } })
    const clients = await Promise.all(Array.from({ length: 60 }, () => Raw.open(t, port)))
    for (const client of clients) t.is(await client.send('PING'), '+PONG\r\n')
    let left = clients.length
    /** How many were there still when the others had just left: one slice after the other. */
    const slices = new Set<number>()
    const gone = clients.map(async ({ socket }) => {
      await once(socket, 'close')
      left--
      setImmediate(() => slices.add(left))
    })
    await router.close()
    await Promise.all(gone)
    t.is(left, 0)
    t.true(slices.size > 2, `${[...slices]}`)
    t.is(router.status().state, 'closed')
  })

  fronted(`a client whose reply never comes is cut once its time is over: ${name}`, async t => {
    const { behind, router, port } = await fronting(t, { ...mode, drain: { within: '50ms' } })
    const client = await Raw.open(t, port)
    t.is(await client.send('SET', 'key', 'value'), '+OK\r\n')
    behind.process.kill('SIGSTOP')
    const reply = client.send('GET', 'other')
    await router.close()
    t.is(await reply, '')
    t.is(router.status().state, 'closed')
  })

  fronted(`a client that comes while a node ends is refused: ${name}`, async t => {
    const { router, port } = await fronting(t, { ...mode, drain: { over: '1h' } })
    const client = await Raw.open(t, port)
    t.is(await client.send('PING'), '+PONG\r\n')
    const closed = router.close()
    for (;;) {
      const another = await Raw.open(t, port).catch(error => error.code)
      if (another === 'ECONNREFUSED') break
      // Let in before the node heard of its end: that is waited for as all others are.
      if (another instanceof Raw) another.socket.destroy()
    }
    t.is(await client.send('PING'), '+PONG\r\n')
    client.socket.destroy()
    await closed
  })
}
