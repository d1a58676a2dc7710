// A worker thread of the routing node: accepts connections from the shared listener.
import { createServer } from 'node:net'
import { parentPort, workerData } from 'node:worker_threads'
import { NativeDriverError } from '../base/errors.ts'
import { attachRouter } from '../native/router.ts'
import { Driver } from './driver.ts'
import { SERVER } from './listener.ts'
import type { DriverName } from './options.ts'
import { serveNatively } from './sockets.ts'

/** What the main thread hands to a worker. */
export interface Assignment {
  /** The router's number in the process. */
  router: number
  /** A descriptor of the listening socket, this worker's own. */
  fd: number
  /** Which driver is to serve. */
  driver: DriverName
}

/** What a worker tells when it serves. */
export interface Listening {
  driver: 'native' | 'net'
}

const { router, fd, driver: wanted } = workerData as Assignment
const sockets = wanted === 'net' ? undefined : serveNatively(router, fd)
if (sockets === undefined && wanted === 'native') throw new NativeDriverError()

if (sockets === undefined) {
  const driver = new Driver(attachRouter(router))
  const server = createServer(SERVER, socket => driver.accept(socket))
  server.listen({ fd }, () => serve('net', () => driver.drain(server)))
} else {
  serve('native', () => sockets.drain())
}

/** Tells that clients are served, until any message asks for the end. */
function serve(driver: Listening['driver'], drain: () => Promise<void>): void {
  parentPort?.postMessage({ driver } satisfies Listening)
  parentPort?.once('message', async () => {
    await drain()
    process.exit(0)
  })
}
