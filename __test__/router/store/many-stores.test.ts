// Many clients of many stores: each thread of the node has one connection to each store, and clients
// that come anew open none.
import test, { type ExecutionContext } from 'ava'
import { Raw, type Served } from '../support.ts'
import { hasRedis, info, ring } from './support.ts'

const many = hasRedis ? test : test.skip
const STORES = 6
const THREADS = 4
const CLIENTS = 100
/** Enough that each client asks each store for something. */
const keys = Array.from({ length: 24 }, (_, at) => `user:${at}`)

/** Connections that the node has to each store, and how many clients each store has had. */
async function connections(direct: readonly Raw[]) {
  const own = async (raw: Raw) =>
    ((await raw.send('CLIENT', 'LIST')).match(/ name=breakwater /g) ?? []).length
  const had = async (raw: Raw) => Number(await info(raw, 'stats', 'total_connections_received'))
  return { own: await Promise.all(direct.map(own)), had: await Promise.all(direct.map(had)) }
}

/** Clients that do what most do: write, read, count, read several, delete. */
async function work(t: ExecutionContext, node: Served, protocol: string): Promise<Raw[]> {
  const client = async (_: unknown, n: number) => {
    const raw = await Raw.open(t, node.port)
    if (protocol === '3') await raw.send('HELLO', '3')
    for (const key of keys) {
      const own = `${key}:${n}`
      t.is(await raw.send('SET', own, '1', 'NX', 'EX', '1000'), '+OK\r\n')
      t.is(await raw.send('SET', own, '2', 'NX'), protocol === '3' ? '_\r\n' : '$-1\r\n')
      t.is(await raw.send('INCR', own), ':2\r\n')
      t.is(await raw.send('GET', own), '$1\r\n2\r\n')
      t.is(
        await raw.send('MGET', own, key),
        `*2\r\n$1\r\n2\r\n${protocol === '3' ? '_' : '$-1'}\r\n`,
      )
      t.is(await raw.send('DEL', own, `${own}:none`), ':1\r\n')
    }
    return raw
  }
  return Promise.all(Array.from({ length: CLIENTS }, client))
}

for (const protocol of ['2', '3']) {
  many(
    `RESP${protocol}: a connection for each thread and store, also when clients come anew`,
    async t => {
      t.timeout(300_000)
      const { stores, node } = await ring(t, STORES, ['--threads', `${THREADS}`])
      const direct = await Promise.all(stores.map(({ port }) => Raw.open(t, port)))
      const first = await work(t, node, protocol)
      const { own, had } = await connections(direct)
      for (const count of own) t.true(count <= THREADS, `${own} connections`)
      for (const raw of first) raw.socket.destroy()
      await work(t, node, protocol)
      const after = await connections(direct)
      t.true(after.own.reduce((sum, count) => sum + count, 0) <= STORES * THREADS)
      // A thread that had no client before opens its own.
      const opened = after.had.map((count, at) => count - had[at]!)
      for (const [at, count] of opened.entries()) t.is(count, after.own[at]! - own[at]!)
    },
  )
}
