/**
 * Two processes over one redis-server, each with a cache: how long after a write of one the other
 * reads what was written. The reader asks for the key every millisecond.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { Redis } from 'ioredis'
import { createClient } from 'redis'
import { redis } from '../dist/tier/redis/index.js'
import { Cache, json } from './lib/breakwater.ts'
import { answer, Child } from './lib/child.ts'
import { redisServer } from './lib/redis-server.ts'
import { median, type Row, table } from './lib/report.ts'

const LIBRARIES = ['ioredis', 'node-redis'] as const
const MODES = ['tracking', 'bus'] as const
const WAYS = ['put', 'set'] as const
/** Keys that are written in turn; the reader has all of them. */
const KEYS = 100
/** Milliseconds from the end of a write to the next one. */
const PACE = 2

/** What the reader is told: to open its cache, to wait for so many writes, what it saw. */
type Request = Setting | { writes: number } | { seen: true }

interface Setting {
  library: (typeof LIBRARIES)[number]
  mode: (typeof MODES)[number]
  port: number
}

/** Its place in the row of writes. */
interface Value {
  n: number
}

/** Runs it and returns its figures. */
export async function fleet(options: { writes: number }): Promise<Row[]> {
  const server = await redisServer()
  const rows: Row[] = []
  const lines: string[][] = [['', 'median', 'p99', 'max']]
  try {
    for (const library of LIBRARIES) {
      for (const mode of MODES) {
        for (const way of WAYS) {
          const delays = await measure({ library, mode, port: server.port }, way, options.writes)
          delays.sort((a, b) => a - b)
          const figures = {
            median: median(delays),
            p99: delays[Math.floor(delays.length * 0.99)] as number,
            max: delays.at(-1) as number,
          }
          const side = `${mode}, ${way}, ${library}`
          const row = { bench: 'fleet', entries: KEYS, side, unit: 'ms' }
          for (const [what, value] of Object.entries(figures)) {
            rows.push({ ...row, what: `write to read elsewhere, ${what}`, value })
          }
          lines.push([side, ...Object.values(figures).map(value => value.toFixed(2))])
        }
      }
    }
  } finally {
    await server.stop()
  }
  console.log(
    `\nfleet: a write in one process until another reads it, ${options.writes} writes, ms`,
  )
  table(lines)
  return rows
}

/** Milliseconds from each write to the other process's reading it. */
async function measure(setting: Setting, way: (typeof WAYS)[number], writes: number) {
  const reader = new Child(new URL(import.meta.url))
  const { cache, close } = await open(setting)
  try {
    // Those before the first one that counts warm up.
    const warm = KEYS * 2
    const begun: bigint[] = []
    for (let n = 0; n < KEYS; n++) await cache.put(`${n}`, { n })
    await reader.ask(setting satisfies Request)
    await reader.ask({ writes: KEYS + warm + writes } satisfies Request)
    for (let n = KEYS; n < KEYS + warm + writes; n++) {
      if (n >= KEYS + warm) begun.push(process.hrtime.bigint())
      const written = cache[way](`${n % KEYS}`, { n })
      if (written instanceof Promise) await written
      await sleep(PACE)
    }
    const seen = await reader.ask<bigint[]>({ seen: true } satisfies Request)
    return begun.map((time, at) => Number((seen[warm + at] as bigint) - time) / 1e6)
  } finally {
    await close()
    await reader.end()
  }
}

/** A process's cache. */
async function open({ library, mode, port }: Setting) {
  const [client, end] = await connected(library, port)
  const cache = new Cache<string, Value>({
    name: `fleet-${library}-${mode}`,
    max: 10 * KEYS,
    ttl: '1h',
    codec: json<Value>(),
    tier: redis(client, { invalidation: { mode } }),
    loader: () => undefined,
  })
  await cache.ready
  const close = async () => {
    await cache.close()
    end()
  }
  return { cache, close }
}

async function connected(library: Setting['library'], port: number) {
  if (library === 'ioredis') {
    const client = new Redis({ port, host: '127.0.0.1' })
    return [client, () => client.disconnect()] as const
  }
  const client = createClient({ socket: { port, host: '127.0.0.1' } })
  await client.connect()
  return [client, () => client.destroy()] as const
}

/** In the reader: reads each key until it has what was written last. */
async function watch(cache: Cache<string, Value>, writes: number): Promise<bigint[]> {
  const seen: bigint[] = []
  for (let n = KEYS; n < writes; n++) {
    for (;;) {
      const known = cache.fetchSync(`${n % KEYS}`)
      const value = known instanceof Promise ? await known : known
      if (value === undefined) throw new Error(`${n % KEYS} is lost`)
      if (value.n >= n) break
      // Not at once: that would take a core from who has something to do.
      await sleep(1)
    }
    seen.push(process.hrtime.bigint())
  }
  return seen
}

if (process.send && process.argv[1] === fileURLToPath(import.meta.url)) {
  let cache: Cache<string, Value>
  let seen: Promise<bigint[]>
  // Connections would keep it alive.
  process.once('disconnect', () => process.exit())
  answer<Request>(async request => {
    if ('seen' in request) return seen
    if ('writes' in request) {
      seen = watch(cache, request.writes)
      return true
    }
    cache = (await open(request)).cache
    for (let n = 0; n < KEYS; n++) await cache.fetch(`${n}`)
    return true
  })
}
