// Four worker threads ask one cache for the same reports: each report is computed once, by whichever
// thread asks first, and all get it.
//
//   npm run build && node examples/workers.mjs
import { once } from 'node:events'
import { isMainThread, parentPort, threadId, Worker } from 'node:worker_threads'
import { Cache } from 'breakwater'

const THREADS = 4
const REPORTS = 100
const ROUNDS = 100

/** Computed by this thread. */
let computed = 0

const reports = new Cache({
  name: 'reports', // the same name in any thread is the same cache
  max: 10_000,
  ttl: '1m',
  loader: async id => {
    computed++
    await new Promise(resolve => setTimeout(resolve, 5)) // a query
    return { id, by: threadId, rows: Array.from({ length: 10 }, (_, row) => `${id}, row ${row}`) }
  },
})

if (isMainThread) {
  const workers = Array.from({ length: THREADS }, () => new Worker(new URL(import.meta.url)))
  const next = worker => once(worker, 'message').then(([message]) => message)
  await Promise.all(workers.map(next)) // all are ready
  for (const worker of workers) worker.postMessage('go')
  const counts = await Promise.all(workers.map(next))
  const total = counts.reduce((sum, count) => sum + count, 0)
  console.log(
    `${THREADS} workers asked ${THREADS * ROUNDS * REPORTS} times for ${REPORTS} reports.`,
  )
  console.log(`Computed: ${total}, by the workers: ${counts.join(', ')}.`)
} else {
  parentPort.postMessage('ready')
  await once(parentPort, 'message')
  for (let round = 0; round < ROUNDS; round++) {
    await Promise.all(Array.from({ length: REPORTS }, (_, id) => reports.fetch(`report ${id}`)))
  }
  parentPort.postMessage(computed)
}
await reports.close()
