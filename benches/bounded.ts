/**
 * The byte bound under churn: four workers store values of 16 bytes to 200 KB in one cache for a
 * minute. The ledger must never exceed `maxBytes`, and resident memory must stay near it. Of what the
 * process grows by, what the V8 heaps of the workers have committed is told apart.
 */
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { getHeapStatistics } from 'node:v8'
import { isMainThread, parentPort, type Worker, workerData } from 'node:worker_threads'
import { bytes, Cache, type CacheHandle } from './lib/breakwater.ts'
import { random } from './lib/data.ts'
import { type Row, table } from './lib/report.ts'
import { thread } from './lib/thread.ts'

const WORKERS = 4
const LARGEST = 200_000
const KEYS = 100_000

/** What a worker saw. */
interface Report {
  sets: number
  /** The highest `cache.bytes`. */
  ledger: number
}
interface Request {
  handle: CacheHandle
  seconds: number
  /** Where it notes what its V8 heap has in memory, and in which place. */
  heaps: Float64Array
  at: number
}

/** Runs it and returns its figures. */
export async function bounded(options: { maxBytes: number; seconds: number }): Promise<Row[]> {
  const { maxBytes, seconds } = options
  // A small young generation, for what grows shall be the cache and not the workers' heaps.
  const resourceLimits = { maxYoungGenerationSizeMb: 2 }
  const workers = Array.from({ length: WORKERS }, (_, seed) =>
    thread(import.meta.url, { workerData: seed, resourceLimits }),
  )
  await Promise.all(workers.map(worker => once(worker, 'message')))
  // What the workers take by themselves is there before the count begins.
  const idle = await churn(workers, 2 ** 20, 1)
  const before = process.memoryUsage.rss()
  const { resident, ledger, heap, sets, entries } = await churn(workers, maxBytes, seconds)
  await Promise.all(workers.map(worker => worker.terminate()))

  const growth = resident - before
  const heaps = heap - idle.heap
  const percent = (value: number) => `${((value / maxBytes) * 100).toFixed(1)} %`
  const mib = (value: number) => (value / 2 ** 20).toFixed(1)
  console.log(`\nbounded: ${mib(maxBytes)} MiB, ${WORKERS} workers, ${seconds} s, ${sets} sets`)
  table([
    ['', 'MiB', 'of the bound'],
    ['highest ledger', mib(ledger), percent(ledger)],
    ['highest resident growth', mib(growth), percent(growth)],
    ['of that V8 heaps, at most', mib(heaps), percent(heaps)],
    ['without these, at least', mib(growth - heaps), percent(growth - heaps)],
  ])
  if (ledger > maxBytes) process.exitCode = 1
  const row = { bench: 'bounded', entries, unit: 'of the bound', side: 'breakwater' }
  return [
    { ...row, what: 'highest ledger', value: ledger / maxBytes },
    { ...row, what: 'highest resident growth', value: growth / maxBytes },
    { ...row, what: 'without V8 heaps, at least', value: (growth - heaps) / maxBytes },
  ]
}

/** Lets the workers store for a while, and watches. */
async function churn(workers: Worker[], maxBytes: number, seconds: number) {
  const cache = new Cache<string, Uint8Array>({ maxBytes, codec: bytes() })
  const heaps = new Float64Array(new SharedArrayBuffer(8 * workers.length))
  const reports = Promise.all(
    workers.map(async (worker, at) => {
      worker.postMessage({ handle: cache.handle, seconds, heaps, at } satisfies Request)
      const [report] = await once(worker, 'message')
      return report as Report
    }),
  )
  const seen = { ledger: 0, resident: 0, heap: 0, sets: 0, entries: 0 }
  const end = Date.now() + seconds * 1000
  while (Date.now() < end) {
    await sleep(10)
    seen.ledger = Math.max(seen.ledger, cache.bytes)
    const resident = process.memoryUsage.rss()
    if (resident > seen.resident) {
      seen.resident = resident
      seen.heap = heaps.reduce((sum, heap) => sum + heap, 0)
    }
  }
  for (const { sets, ledger } of await reports) {
    seen.sets += sets
    seen.ledger = Math.max(seen.ledger, ledger)
  }
  seen.entries = cache.size
  cache.close()
  return seen
}

/** In a worker: stores values of sizes evenly spread over the orders of magnitude. */
function store({ handle, seconds, heaps, at }: Request, next: () => number): Report {
  const cache = Cache.attach<string, Uint8Array>(handle, { codec: bytes() })
  const source = Buffer.alloc(LARGEST, 'breakwater')
  const report: Report = { sets: 0, ledger: 0 }
  const end = Date.now() + seconds * 1000
  while (Date.now() < end) {
    for (let n = 0; n < 256; n++) {
      const size = Math.round(16 * (LARGEST / 16) ** (next() / 2 ** 32))
      cache.set(`key:${next() % KEYS}`, source.subarray(0, size))
      if (next() % 4 === 0) cache.delete(`key:${next() % KEYS}`)
      report.sets++
      report.ledger = Math.max(report.ledger, cache.bytes)
    }
    heaps[at] = getHeapStatistics().total_physical_size
  }
  cache.close()
  return report
}

if (!isMainThread && parentPort) {
  const port = parentPort
  const next = random(workerData + 1)
  port.on('message', (request: Request) => port.postMessage(store(request, next)))
  port.postMessage('ready')
}
