// An HTTP gateway in which each customer has a worker thread: the header `x-routing-key` picks it.
// All requests of a customer meet the same worker, whose cache knows that customer.
//
//   npm run build && node examples/gateway.mjs
import { once } from 'node:events'
import { createServer } from 'node:http'
import { createPool } from 'breakwater/routing'

const pool = createPool({
  file: new URL('./gateway-worker.mjs', import.meta.url),
  route: request => request.customer,
  workers: 4,
  timeout: '2s',
  data: { entries: 1_000 },
})

/** What a failure is to an HTTP client. */
const STATUS = { ERR_POOL_BUSY: 503, ERR_TASK_TIMEOUT: 504, ERR_WORKER_DIED: 502 }

const server = createServer(async (request, response) => {
  const customer = request.headers['x-routing-key']
  if (typeof customer !== 'string') {
    return response.writeHead(400).end('the header x-routing-key is missing\n')
  }
  const gone = new AbortController()
  response.once('close', () => gone.abort())
  try {
    const answer = await pool.run({ customer, path: request.url }, { signal: gone.signal })
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(answer))
  } catch (error) {
    if (!response.destroyed) response.writeHead(STATUS[error.code] ?? 500).end(`${error.message}\n`)
  }
})

await once(server.listen(0, '127.0.0.1'), 'listening')
const { port } = server.address()

// Customers ask again and again. Each is loaded once, by the worker that owns it.
/** How many customers each worker has loaded. */
const loads = new Map()
for (let round = 0; round < 5; round++) {
  const customers = Array.from({ length: 40 }, (_, i) => `customer-${i}`)
  for (const customer of customers) {
    const headers = { 'x-routing-key': customer }
    const response = await fetch(`http://127.0.0.1:${port}/profile`, { headers })
    const answer = await response.json()
    loads.set(answer.worker, answer.loads)
  }
}
const total = [...loads.values()].reduce((sum, times) => sum + times, 0)
console.log(`200 requests of 40 customers: ${total} loads by ${loads.size} workers.`)

server.close()
server.closeAllConnections()
await pool.drain()
