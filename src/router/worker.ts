// A worker thread of the routing node: accepts connections from the shared listener.
import { createServer } from 'node:net'
import { parentPort, workerData } from 'node:worker_threads'
import { attachRouter } from '../native/router.ts'
import { Driver } from './driver.ts'
import { SERVER } from './listener.ts'

/** What the main thread hands to a worker. */
export interface Assignment {
  /** The router's number in the process. */
  router: number
  /** A descriptor of the listening socket, this worker's own. */
  fd: number
}

const { router, fd } = workerData as Assignment
const driver = new Driver(attachRouter(router))
const server = createServer(SERVER, socket => driver.accept(socket))

server.listen({ fd }, () => parentPort?.postMessage('listening'))
// Any message asks for the end.
parentPort?.once('message', async () => {
  await driver.drain(server)
  process.exit(0)
})
