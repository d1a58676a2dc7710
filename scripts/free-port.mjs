// A port of this machine that nobody listens on, that no connection takes by chance, and that nobody else
// is given.
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { createServer } from 'node:net'

/**
 * Below what systems give to connections: there a client, or one that tries to reach a server that is down
 * and meets itself, could take the port of a server for as long as it lives. A cluster's second port, 10,000
 * higher, is below that too, and no first one.
 */
const FIRST = 11_000
const LAST = 21_000

/** The port is this process's until that ends, whether somebody listens on it or not. */
export async function freePort() {
  for (;;) {
    const port = FIRST + Math.floor(Math.random() * (LAST - FIRST))
    if (!(await held(port))) continue
    if ((await free(port)) && (await free(port + 10_000))) return port
  }
}

/**
 * Holds a port against other processes that look for one: by a socket of datagrams, which goes with its
 * process. It has the second port's number, where no server is in its way: one may hear datagrams at the
 * first. False if another process holds the port.
 */
async function held(port) {
  const socket = createSocket('udp4').unref()
  socket.bind({ port: port + 10_000, address: '127.0.0.1', exclusive: true })
  const isOurs = await isThere(socket)
  if (!isOurs) socket.close()
  return isOurs
}

/** Whether a server can listen there. */
async function free(port) {
  const server = createServer().listen(port, '127.0.0.1')
  if (!(await isThere(server))) return false
  server.close()
  await once(server, 'close')
  return true
}

/** Whether a socket has the place that it asked for. */
async function isThere(socket) {
  try {
    await once(socket, 'listening')
    return true
  } catch (error) {
    if (error.code === 'EADDRINUSE' || error.code === 'EACCES') return false
    throw error
  }
}
