// Stands between a node and its store, and spoils what the store says: late, cut off, garbled.
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createConnection, createServer } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'

/** How late what is slow is, in milliseconds. */
const DELAY = 150

/** How it spoils: what is done with a chunk of replies. */
const WAYS = {
  none: (chunk, to) => to.write(chunk),
  slow: (chunk, to) => to.write(chunk),
  /** Half of the replies end in their middle, and their connections with them. */
  halves(chunk, to) {
    if (Math.random() < 0.5) to.write(chunk)
    else to.end(chunk.subarray(0, chunk.length >> 1), () => to.destroy())
  },
  garbage(chunk, to) {
    if (Math.random() < 0.5) return to.write(chunk)
    const garbage = randomBytes(64)
    // No reply begins so: what by chance does is one, and nobody could tell that it is another's.
    garbage[0] |= 0x80
    to.write(garbage)
  },
}

export class SpoilingProxy {
  /** Where the store is. */
  target
  #way = WAYS.none
  #sockets = new Set()
  #server = createServer(client => this.#join(client))

  constructor(target) {
    this.target = target
  }

  async listen() {
    this.#server.listen(0, '127.0.0.1')
    await once(this.#server, 'listening')
    return this.#server.address().port
  }

  /** Spoils replies from now on; `none` does not. */
  spoil(way) {
    this.#way = WAYS[way]
  }

  /** Ends all connections. */
  cut() {
    for (const socket of this.#sockets) socket.destroy()
  }

  close() {
    this.cut()
    this.#server.close()
  }

  #join(client) {
    const store = createConnection({ port: this.target, host: '127.0.0.1', noDelay: true })
    client.setNoDelay(true)
    for (const [one, other] of [
      [client, store],
      [store, client],
    ]) {
      this.#sockets.add(one)
      one.on('error', () => {})
      one.on('close', () => {
        this.#sockets.delete(one)
        other.destroy()
      })
    }
    client.on('data', chunk => store.write(chunk))
    // What is late holds up what comes behind it.
    let before = Promise.resolve()
    store.on('data', chunk => {
      const late = this.#way === WAYS.slow ? sleep(DELAY) : undefined
      before = before.then(async () => {
        await late
        if (!client.destroyed) this.#way(chunk, client)
      })
    })
  }
}
