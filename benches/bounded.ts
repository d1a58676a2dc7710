/**
 * The byte bound under churn: four workers store values of 16 bytes to 200 KB in one cache for a
 * minute. The ledger must never exceed `maxBytes`, and resident memory must stay near it.
 */
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads'
import { bytes, Cache } from './lib/breakwater.ts'
import { random } from './lib/data.ts'
import { type Row, table } from './lib/report.ts'

const WORKERS = 4
const LARGEST = 200_000
const KEYS = 100_000

/** Runs it and returns its figures. */
export async function bounded(options: { maxBytes: number; seconds: number }): Promise<Row[]> {
  const { maxBytes, seconds } = options
  const cache = new Cache<string, Uint8Array>({ maxBytes, codec: bytes() })
  const workers = Array.from(
    { length: WORKERS },
    (_, seed) =>
      new Worker(fileURLToPath(import.meta.url), { workerData: { handle: cache.handle, seed } }),
  )
  await Promise.all(workers.map(worker => once(worker, 'message')))
  const before = process.memoryUsage.rss()
  for (const worker of workers) worker.postMessage(seconds)
  let resident = 0
  let ledger = 0
  const end = Date.now() + seconds * 1000
  while (Date.now() < end) {
    await sleep(10)
    ledger = Math.max(ledger, cache.bytes)
    resident = Math.max(resident, process.memoryUsage.rss() - before)
  }
  const reports = await Promise.all(workers.map(worker => once(worker, 'message')))
  let sets = 0
  for (const [report] of reports) {
    sets += report.sets
    ledger = Math.max(ledger, report.ledger)
  }
  await Promise.all(workers.map(worker => worker.terminate()))
  const entries = cache.size
  cache.close()

  const percent = (value: number) => `${((value / maxBytes) * 100).toFixed(1)} %`
  const mib = (value: number) => (value / 2 ** 20).toFixed(1)
  console.log(`\nbounded: ${mib(maxBytes)} MiB, ${WORKERS} workers, ${seconds} s, ${sets} sets`)
  table([
    ['', 'MiB', 'of the bound'],
    ['highest ledger', mib(ledger), percent(ledger)],
    ['highest resident growth', mib(resident), percent(resident)],
  ])
  if (ledger > maxBytes) process.exitCode = 1
  const row = { bench: 'bounded', entries, unit: 'of the bound', side: 'breakwater' }
  return [
    { ...row, what: 'highest ledger', value: ledger / maxBytes },
    { ...row, what: 'highest resident growth', value: resident / maxBytes },
  ]
}

if (!isMainThread && parentPort) {
  const port = parentPort
  const { handle, seed } = workerData
  const cache = Cache.attach<string, Uint8Array>(handle, { codec: bytes() })
  const source = Buffer.alloc(LARGEST, 'breakwater')
  const next = random(seed + 1)
  port.once('message', async (seconds: number) => {
    let sets = 0
    let ledger = 0
    const end = Date.now() + seconds * 1000
    while (Date.now() < end) {
      for (let at = 0; at < 256; at++, sets++) {
        // Sizes evenly spread over the orders of magnitude.
        const size = Math.round(16 * (LARGEST / 16) ** (next() / 2 ** 32))
        cache.set(`key:${next() % KEYS}`, source.subarray(0, size))
        if (next() % 4 === 0) cache.delete(`key:${next() % KEYS}`)
        ledger = Math.max(ledger, cache.bytes)
      }
    }
    port.postMessage({ sets, ledger })
  })
  port.postMessage('ready')
}
