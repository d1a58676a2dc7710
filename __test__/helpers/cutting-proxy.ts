// Stands between a node and its store: a connection by which a marked request has gone is cut once the store
// has done the request, before its reply comes back.
import { once } from 'node:events'
import { type AddressInfo, createConnection, createServer, type Socket } from 'node:net'
import type { ExecutionContext } from 'ava'

export interface CuttingProxy {
  port: number
  /** The next request with this text in it is done, and its reply is lost with the connection. */
  lose(mark: string): void
  /** How many connections were cut so. */
  cuts(): number
}

/** A proxy before the store at a port, until the test ends. */
export async function cuttingProxy(t: ExecutionContext, target: number): Promise<CuttingProxy> {
  const sockets = new Set<Socket>()
  let [mark, cuts] = ['', 0]
  const server = createServer({ noDelay: true }, client => {
    const store = createConnection({ port: target, host: '127.0.0.1', noDelay: true })
    let isMarked = false
    for (const [one, other] of [
      [client, store],
      [store, client],
    ] as const) {
      sockets.add(one)
      one.on('error', () => {})
      one.on('close', () => {
        sockets.delete(one)
        other.destroy()
      })
    }
    client.on('data', chunk => {
      if (mark !== '' && chunk.includes(mark)) [isMarked, mark] = [true, '']
      store.write(chunk)
    })
    store.on('data', chunk => {
      if (!isMarked) return client.write(chunk)
      cuts++
      client.destroy()
    })
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    server.close()
    for (const socket of sockets) socket.destroy()
  })
  const { port } = server.address() as AddressInfo
  return {
    port,
    lose(text) {
      mark = text
    },
    cuts: () => cuts,
  }
}
