// Millions of reads of near caches while other threads write: none is older than what was known
// before it began, be it from a write that returned or from what any thread has read.
import test from 'ava'
import { Cache } from '../../src/index.ts'
import { start } from '../helpers/worker.ts'

const KEYS = 8
const READERS = 2
const READS = 2_000_000

interface Race {
  name: string
  kind: 'number' | 'json'
  reads: number
  /** For each key the latest number that somebody knows to be there, or to be gone. */
  known: Int32Array
  /** Readers that have finished. */
  done: Int32Array
}

for (const kind of ['number', 'json'] as const) {
  test(`no read is older than what was known before it: ${kind}`, async t => {
    t.timeout(240_000)
    const name = `interleavings ${kind}`
    const cache = new Cache<number, unknown>({ name, max: 1000, codec: kind })
    const race: Race = {
      name,
      kind,
      reads: kind === 'number' ? READS : READS / 4,
      known: new Int32Array(new SharedArrayBuffer(4 * KEYS)),
      done: new Int32Array(new SharedArrayBuffer(4)),
    }
    const writer = result(start(write, race))
    const readers = Array.from({ length: READERS }, () => result(start(read, race)))
    for (const reader of readers) {
      const { stale, hits } = (await reader) as { stale: string[]; hits: number }
      t.deepEqual(stale, [])
      t.true(hits > 0)
    }
    t.true(((await writer) as number) > 1000)
    const { nearHits, hits } = cache.stats()
    t.true(nearHits > hits / 10, `${nearHits} of ${hits}`)
  })
}

async function result(worker: ReturnType<typeof start>): Promise<unknown> {
  const [message] = await new Promise<[{ value: unknown; error?: Error }]>(resolve => {
    worker.once('message', message => resolve([message]))
  })
  if (message.error !== undefined) throw message.error
  return message.value
}

/** Numbers rise, key by key; now and then a key is deleted: then older numbers are gone as well. */
function write({
  breakwater,
  data,
}: {
  breakwater: typeof import('../../src/index.ts')
  data: Race
}) {
  const { name, kind, known, done } = data
  const cache = new breakwater.Cache<number, unknown>({ name, codec: kind })
  let n = 0
  while (Atomics.load(done, 0) < 2) {
    n++
    const key = n % known.length
    const lot = n % 31
    if (lot === 0) cache.delete(key)
    else if (lot === 1) cache.setMany([[key, kind === 'json' ? { n } : n]])
    else cache.set(key, kind === 'json' ? { n } : n)
    Atomics.store(known, key, Math.max(n, Atomics.load(known, key)))
    if (n === known.length) Atomics.notify(known, 0)
    // In bursts, so that copies are used between them.
    if (n % 64 === 0) Atomics.wait(done, 0, Atomics.load(done, 0), 0.2)
  }
  return n
}

function read({
  breakwater,
  data,
}: {
  breakwater: typeof import('../../src/index.ts')
  data: Race
}) {
  const { name, kind, reads, known, done } = data
  const cache = new breakwater.Cache<number, unknown>({ name, codec: kind })
  const stale: string[] = []
  let hits = 0
  // Not before the writer: there would be nothing to read.
  Atomics.wait(known, 0, 0)
  for (let i = 0; i < reads; i++) {
    const key = (i >> 3) % known.length
    const before = Atomics.load(known, key)
    const value = cache.get(key)
    if (value === undefined) continue
    hits++
    const seen = kind === 'json' ? (value as { n: number }).n : (value as number)
    if (seen < before && stale.length < 10) stale.push(`key ${key}: ${seen} after ${before}`)
    // What one thread has seen, no other may miss from now on.
    for (let now = before; seen > now; now = Atomics.load(known, key)) {
      if (Atomics.compareExchange(known, key, now, seen) === now) break
    }
  }
  cache.close()
  Atomics.add(done, 0, 1)
  return { stale, hits }
}
