// A port of this machine that nobody listens on, and that no connection takes by chance.
import { once } from 'node:events'
import { createServer } from 'node:net'

/**
 * Below what systems give to connections: there a client, or one that tries to reach a server that is down
 * and meets itself, could take the port of a server for as long as it lives. A cluster's second port, 10,000
 * higher, is below that too.
 */
const FIRST = 11_000
const LAST = 22_000

export async function freePort() {
  for (;;) {
    const port = FIRST + Math.floor(Math.random() * (LAST - FIRST))
    if ((await free(port)) && (await free(port + 10_000))) return port
  }
}

/** Whether a server can listen there. */
async function free(port) {
  const server = createServer().listen(port, '127.0.0.1')
  try {
    await once(server, 'listening')
  } catch (error) {
    if (error.code === 'EADDRINUSE' || error.code === 'EACCES') return false
    throw error
  }
  server.close()
  await once(server, 'close')
  return true
}
