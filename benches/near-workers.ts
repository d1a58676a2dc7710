/**
 * Two worker threads and one cache: one writes 10,000 keys a second, the other reads through its
 * near cache. No read may return less than what the writer had finished before the read began. Told
 * besides: the reader's throughput beside that of a reader whom nobody disturbs.
 */
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { isMainThread, parentPort, type Worker, workerData } from 'node:worker_threads'
import { Cache, type CacheHandle, json } from './lib/breakwater.ts'
import { key, profile, short, zipf } from './lib/data.ts'
import { median, type Row, table, times } from './lib/report.ts'
import { quotient } from './lib/rounds.ts'
import { thread } from './lib/thread.ts'

/** Operations that the writer does in a second, and after how many sets it deletes a key. */
const RATE = 10_000
const DELETES = 50
/** How long a part of a round lasts, in milliseconds. */
const PART = 500

/** A value: which key it belongs to, and which operation on that key stored it. */
type Value = Profile & { version: number }
type Profile = ReturnType<typeof profile>

/**
 * What both threads know of each key: the number of the last operation on it that began, and of the
 * last one that ended. A deletion's number is odd, a set's even, and 0 is the set at the start.
 */
interface Board {
  begun: Int32Array
  ended: Int32Array
}

/** What a worker needs. */
interface Setting {
  role: 'reader' | 'writer'
  handle: CacheHandle
  entries: number
  board: Board
  /** Whether the writer is to write. */
  writing: Int32Array
}

/** What the reader is asked, and what it answers. */
type Request = { work: 'read' | 'check'; ms: number }
interface Report {
  reads: number
  ms: number
  /** Reads that returned less than what had been stored before, and the first of them. */
  stale: number
  /** Reads that found nothing, though nobody deletes the key. */
  lost: number
  example?: string
}

/** Runs it and returns its figures. */
export async function nearWorkers(options: { sizes: number[]; seconds: number }): Promise<Row[]> {
  const rows: Row[] = []
  for (const entries of options.sizes) rows.push(...(await contest(entries, options.seconds)))
  return rows
}

async function contest(entries: number, seconds: number): Promise<Row[]> {
  const cache = new Cache<string, Value>({ max: 2 * entries, codec: json<Value>() })
  for (let id = 0; id < entries; id++) cache.set(key(id), { ...profile(id), version: 0 })
  const shared = (length: number) => new Int32Array(new SharedArrayBuffer(4 * length))
  const setting = {
    handle: cache.handle,
    entries,
    board: { begun: shared(entries), ended: shared(entries) },
    writing: shared(1),
  }
  const start = (role: Setting['role']) =>
    thread(import.meta.url, { workerData: { ...setting, role } satisfies Setting })
  const workers = [start('reader'), start('writer')] as const
  await Promise.all(workers.map(worker => once(worker, 'message')))
  const [reader] = workers
  // A set takes two numbers, and so do a deletion and the set after it.
  const writes = () => setting.board.ended.reduce((sum, count) => sum + count, 0) / 2

  const quiet: number[] = []
  const disturbed: number[] = []
  const checked: Report = { reads: 0, ms: 0, stale: 0, lost: 0 }
  let written = 0
  let during = 0
  await ask(reader, { work: 'read', ms: 2 * PART })
  while (checked.ms < seconds * 1000) {
    quiet.push(rate(await ask(reader, { work: 'read', ms: PART })))
    const before = writes()
    const began = performance.now()
    Atomics.store(setting.writing, 0, 1)
    Atomics.notify(setting.writing, 0)
    disturbed.push(rate(await ask(reader, { work: 'read', ms: PART })))
    add(checked, await ask(reader, { work: 'check', ms: 4 * PART }))
    Atomics.store(setting.writing, 0, 0)
    during += performance.now() - began
    // The writer ends what it has begun.
    await sleep(20)
    written += writes() - before
  }
  const { hits, nearHits } = cache.stats()
  await Promise.all(workers.map(worker => worker.terminate()))
  cache.close()

  const ratio = 1 / quotient(quiet, disturbed)
  console.log(`\nnear-workers: ${short(entries)} objects, zipf, ${seconds} s of checked reads`)
  table([
    ['undisturbed', `${median(quiet).toFixed(2)} M reads/s`, ''],
    [
      `beside ${(written / during).toFixed(1)} k writes/s`,
      `${median(disturbed).toFixed(2)} M reads/s`,
      times(ratio),
    ],
    ['reads checked', checked.reads, ''],
    ['stale', checked.stale, ''],
    ['lost', checked.lost, ''],
    ['near hits', `${((nearHits / hits) * 100).toFixed(0)} %`, ''],
  ])
  if (checked.stale + checked.lost > 0) {
    console.log(`  ${checked.example}`)
    process.exitCode = 1
  }
  const row = { bench: 'near-workers', entries, side: 'breakwater' }
  return [
    { ...row, what: 'undisturbed', value: median(quiet), unit: 'M reads/s' },
    { ...row, what: 'beside a writer', value: median(disturbed), unit: 'M reads/s', ratio },
    { ...row, what: 'stale reads', value: checked.stale, unit: `of ${checked.reads}` },
  ]
}

const rate = ({ reads, ms }: Report) => reads / ms / 1000

async function ask(reader: Worker, request: Request): Promise<Report> {
  reader.postMessage(request)
  const [report] = await once(reader, 'message')
  return report as Report
}

function add(sum: Report, { reads, ms, stale, lost, example }: Report): void {
  sum.reads += reads
  sum.ms += ms
  sum.stale += stale
  sum.lost += lost
  if (example !== undefined) sum.example ??= example
}

/** In the writer: sets keys and now and then deletes one, evenly over the time. */
async function write({ entries, board, writing }: Setting, cache: Cache<string, Value>) {
  const ids = zipf(entries, MASK + 1, 2)
  const pause = new Int32Array(new SharedArrayBuffer(4))
  const values = Array.from({ length: 1024 }, (_, id) => profile(id))
  let turn = 0
  for (;;) {
    Atomics.wait(writing, 0, 0)
    const start = performance.now()
    let done = 0
    while (Atomics.load(writing, 0) === 1) {
      const due = ((performance.now() - start) * RATE) / 1000
      for (; done < due; done++, turn++) {
        const id = ids[turn & MASK] as number
        operate(id, turn % DELETES === 0, cache, board, values[id & 1023] as Profile)
      }
      Atomics.wait(pause, 0, 0, 1)
    }
  }
}

/** One operation on a key; a deletion is followed by a set, or reads would soon find little. */
function operate(
  id: number,
  deletes: boolean,
  cache: Cache<string, Value>,
  { begun, ended }: Board,
  value: Profile,
): void {
  const last = Atomics.load(ended, id)
  if (deletes) {
    Atomics.store(begun, id, last + 1)
    cache.delete(key(id))
    Atomics.store(ended, id, last + 1)
  }
  Atomics.store(begun, id, last + 2)
  cache.set(key(id), { ...value, id, version: last + 2 })
  Atomics.store(ended, id, last + 2)
}

const MASK = 2 ** 20 - 1
let turn = 0

/** In the reader: reads only. */
function read(ms: number, ids: Uint32Array, keys: string[], cache: Cache<string, Value>): Report {
  const start = performance.now()
  let reads = 0
  let found = 0
  while (performance.now() - start < ms) {
    for (let at = 0; at < 1000; at++, reads++) {
      if (cache.get(keys[ids[turn++ & MASK] as number] as string)?.active) found++
    }
  }
  if (found === 0) throw new Error('no read found anything')
  return { reads, ms: performance.now() - start, stale: 0, lost: 0 }
}

/** In the reader: looks at the board before and after each read. */
function check(
  ms: number,
  ids: Uint32Array,
  keys: string[],
  cache: Cache<string, Value>,
  { begun, ended }: Board,
): Report {
  const start = performance.now()
  const report: Report = { reads: 0, ms, stale: 0, lost: 0 }
  while (performance.now() - start < ms) {
    for (let at = 0; at < 1000; at++) {
      const id = ids[turn++ & MASK] as number
      const before = Atomics.load(ended, id)
      const value = cache.get(keys[id] as string)
      const after = Atomics.load(begun, id)
      const version = value?.version
      report.reads++
      if (version === undefined) {
        // Nobody deleted it since: no operation began, and the last one was a set.
        if (before !== after || before % 2 === 1) continue
        report.lost++
      } else if (version >= before && version <= after && value?.id === id) continue
      else report.stale++
      report.example ??= `key ${id}: ${version} read, ${before} stored before, ${after} begun after`
    }
  }
  report.ms = performance.now() - start
  return report
}

if (!isMainThread && parentPort) {
  const port = parentPort
  const setting = workerData as Setting
  const { role, handle, entries, board } = setting
  const cache = Cache.attach<string, Value>(handle, { codec: json<Value>() })
  port.postMessage('ready')
  if (role === 'writer') write(setting, cache)
  else {
    const ids = zipf(entries, MASK + 1)
    const keys = Array.from({ length: entries }, (_, id) => key(id))
    port.on('message', ({ work, ms }: Request) => {
      const report =
        work === 'read' ? read(ms, ids, keys, cache) : check(ms, ids, keys, cache, board)
      port.postMessage(report)
    })
  }
}
