// The clients of the demo, in a process of their own: many applications, each with its connections. Without
// nodes a client is connected to all stores and knows where keys live; with them, to one of the nodes.
import { Redis } from 'ioredis'

/** The clients that are connected. */
let clients = []
/** How long a client waits for a reply, in milliseconds: then it counts as failed. */
const PATIENCE = 2000

/** One application. */
class Client {
  #connections

  /** @param number - which of the nodes it is connected to, if it is not to all. */
  constructor(ports, number, isDirect) {
    const own = isDirect ? ports : [ports[number % ports.length]]
    this.#connections = own.map(port => {
      const options = { port, enableReadyCheck: false, commandTimeout: PATIENCE }
      const wait = { maxRetriesPerRequest: 0, retryStrategy: () => 100, enableOfflineQueue: true }
      return new Redis({ ...options, ...wait }).on('error', () => {})
    })
  }

  get(key) {
    return this.#connections[placeOf(key) % this.#connections.length].get(key)
  }

  set(key, value) {
    return this.#connections[placeOf(key) % this.#connections.length].set(key, value)
  }

  leave() {
    for (const connection of this.#connections) connection.disconnect()
  }
}

/** Which store a key lives in, as clients agree on it. */
function placeOf(key) {
  let sum = 0
  for (let at = 0; at < key.length; at++) sum = (sum * 31 + key.charCodeAt(at)) >>> 0
  return sum
}

function join({ ports, isDirect = false, clients: count }) {
  clients = Array.from({ length: count }, (_, number) => new Client(ports, number, isDirect))
}

function leave() {
  for (const client of clients) client.leave()
  clients = []
}

/** How long something takes, in milliseconds, and whether it failed. */
async function timed(call) {
  const begun = performance.now()
  const failed = await call().then(
    () => false,
    () => true,
  )
  return { took: performance.now() - begun, failed }
}

function summed(all) {
  const times = all.filter(({ failed }) => !failed).map(({ took }) => took)
  times.sort((a, b) => a - b)
  const of = part => times[Math.min(times.length - 1, Math.floor(part * times.length))] ?? null
  return {
    done: times.length,
    failed: all.length - times.length,
    p50: of(0.5),
    p99: of(0.99),
    last: times.at(-1) ?? null,
  }
}

const orders = {
  leave,

  /** All clients connect. */
  async connect(order) {
    if (clients.length > 0) leave()
    join(order)
    return summed(await Promise.all(clients.map(client => timed(() => client.get('front-page')))))
  },

  /** All clients go, and as many come at once and ask for something. */
  async redeploy(order) {
    leave()
    join(order)
    const keys = order.each ?? 1
    const first = clients.map((client, at) =>
      timed(async () => {
        for (let n = 0; n < keys; n++) await client.get(`user:${(at + n) % order.keys}`)
      }),
    )
    return summed(await Promise.all(first))
  },

  /** All clients ask for the same key at once. */
  async together({ key }) {
    return summed(await Promise.all(clients.map(client => timed(() => client.get(key)))))
  },

  /** All clients read all keys, each of them all at once. */
  async readAll({ keys }) {
    const names = Array.from({ length: keys }, (_, at) => `user:${at}`)
    const reads = clients.flatMap(client => names.map(key => timed(() => client.get(key))))
    return summed(await Promise.all(reads))
  },

  /** Clients read for a while, one request after the other; a share of them one key. */
  async read({ seconds, keys, hot = 0, writes = 0, pace = 0, ...order }) {
    if (clients.length === 0) join(order)
    const end = performance.now() + seconds * 1000
    const all = []
    let round = 0
    const work = async client => {
      while (performance.now() < end) {
        const at = (round++ * 7919) % keys
        const key = round % 100 < hot * 100 ? 'front-page' : `user:${at}`
        const isWrite = round % 1000 < writes * 1000
        all.push(await timed(() => (isWrite ? client.set(key, 'y'.repeat(200)) : client.get(key))))
        if (pace > 0) await new Promise(resolve => setTimeout(resolve, pace))
      }
    }
    await Promise.all(clients.map(work))
    return summed(all)
  },
}

process.on('message', async order => {
  try {
    process.send((await orders[order.do](order)) ?? {})
  } catch (error) {
    process.send?.({ error: error.message })
  }
})
// Whoever started it has gone.
process.on('disconnect', () => process.exit(0))
// Ctrl+C is for whoever started it.
process.on('SIGINT', () => {})
