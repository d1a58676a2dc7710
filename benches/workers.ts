/** Two worker threads that read one cache, against one. */

import { once } from 'node:events'
import { availableParallelism } from 'node:os'
import { isMainThread, parentPort, type Worker, workerData } from 'node:worker_threads'
import { Cache } from './lib/breakwater.ts'
import { key, short, text, zipf } from './lib/data.ts'
import { median, type Row, table, times } from './lib/report.ts'
import { thread } from './lib/thread.ts'

const MASK = 2 ** 20 - 1

/** Runs it and returns its figures. */
export async function workers(options: { sizes: number[]; rounds: number }): Promise<Row[]> {
  const rows: Row[] = []
  for (const entries of options.sizes) {
    const cache = new Cache<string, string>({ max: 2 * entries })
    for (let id = 0; id < entries; id++) cache.set(key(id), text(id))
    const readers = [1, 2].map(seed =>
      thread(import.meta.url, { workerData: { handle: cache.handle, entries, seed } }),
    )
    await Promise.all(readers.map(reader => once(reader, 'message')))
    const one: number[] = []
    const two: number[] = []
    // Round 0 warms up; alone, the readers take turns.
    for (let round = 0; round <= options.rounds; round++) {
      const alone = await read(readers.filter((_, at) => at === round % 2))
      const both = await read(readers)
      if (round === 0) continue
      one.push(alone)
      two.push(both)
    }
    await Promise.all(readers.map(reader => reader.terminate()))
    cache.close()
    const [single, double] = [median(one), median(two)]
    const ratio = double / single
    console.log(
      `\nworkers: get, fresh keys, ${short(entries)} entries, ${availableParallelism()} cores`,
    )
    table([
      ['', 'Mops/s', ''],
      ['1 worker', single.toFixed(2), ''],
      ['2 workers', double.toFixed(2), times(ratio)],
    ])
    const row = { bench: 'workers', what: 'get, fresh keys', entries, unit: 'Mops/s' }
    rows.push({ ...row, side: '1 worker', value: single })
    rows.push({ ...row, side: '2 workers', value: double, ratio })
  }
  return rows
}

/** Million gets a second of all readers together, for half a second. */
async function read(readers: Worker[]): Promise<number> {
  const start = Date.now() + 20
  const figures = readers.map(async reader => {
    reader.postMessage({ start, end: start + 500 })
    const [mops] = await once(reader, 'message')
    return mops as number
  })
  return (await Promise.all(figures)).reduce((sum, mops) => sum + mops, 0)
}

if (!isMainThread && parentPort) {
  const port = parentPort
  const { handle, entries, seed } = workerData
  const cache = Cache.attach<string, string>(handle)
  const ids = zipf(entries, MASK + 1, seed)
  port.on('message', ({ start, end }: { start: number; end: number }) => {
    while (Date.now() < start);
    let ops = 0
    let hits = 0
    while (Date.now() < end) {
      for (let at = 0; at < 1000; at++, ops++) {
        if (cache.get(`user:${ids[ops & MASK]}`) !== undefined) hits++
      }
    }
    if (hits !== ops) throw new Error(`${ops - hits} of ${ops} missed`)
    port.postMessage(ops / (end - start) / 1000)
  })
  port.postMessage('ready')
}
