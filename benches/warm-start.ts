/**
 * A new process over a warm fleet: how many of its first requests it answers itself, and how long it
 * takes to be ready. Two processes serve requests over one redis-server until their caches are warm;
 * then new ones start, one after the other, each with its caches empty.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { Redis } from 'ioredis'
import { redis } from '../dist/tier/redis/index.js'
import { Cache, json } from './lib/breakwater.ts'
import { answer, Child } from './lib/child.ts'
import { key, profile, shuffled, zipf } from './lib/data.ts'
import { redisServer } from './lib/redis-server.ts'
import { median, type Row, table } from './lib/report.ts'

/** Keys that are asked for, and requests that a process of the fleet serves before it counts. */
const KEYS = 100_000
const REQUESTS = 400_000
/** Requests of the fleet, and of a new process, that count. */
const COUNTED = 100_000
const FIRST = 100
const FLEET = 2

interface Case {
  name: string
  max: number
  /** The hot set; the product's default if left out. */
  keys?: number
  /** It begins with nothing. */
  cold?: boolean
}

const CASES: readonly Case[] = [
  { name: 'room for a tenth', max: KEYS / 10 },
  { name: 'room for half', max: KEYS / 2 },
  { name: 'room for half, 10k hot keys', max: KEYS / 2, keys: KEYS / 10 },
  { name: 'room for all', max: 2 * KEYS },
  { name: 'room for a tenth, not warm', max: KEYS / 10, cold: true },
]

type Request = { open: Case; port: number; seed: number } | { serve: number; from: number }

interface Opened {
  /** Milliseconds until it was ready. */
  ms: number
  loaded: number
}

/** Runs it and returns its figures. */
export async function warmStart(options: { starts: number }): Promise<Row[]> {
  const rows: Row[] = []
  const lines: string[][] = [['', 'fleet', 'first 100', 'points', 'ready ms', 'longest', 'values']]
  for (const one of CASES) {
    const { fleet, starts } = await measure(one, options.starts)
    const ratio = mean(starts.map(({ ratio }) => ratio))
    const times = starts.map(({ ms }) => ms)
    const loaded = median(starts.map(({ loaded }) => loaded))
    const row = { bench: 'warm-start', entries: KEYS }
    const side = one.name
    rows.push(
      { ...row, side, what: 'hit ratio of the fleet', value: 100 * fleet, unit: '%' },
      { ...row, side, what: 'hit ratio of the first 100', value: 100 * ratio, unit: '%' },
      { ...row, side, what: 'until ready, median', value: median(times), unit: 'ms' },
      { ...row, side, what: 'until ready, longest', value: Math.max(...times), unit: 'ms' },
    )
    lines.push([
      side,
      `${(100 * fleet).toFixed(1)} %`,
      `${(100 * ratio).toFixed(1)} %`,
      (100 * (ratio - fleet)).toFixed(1),
      median(times).toFixed(0),
      Math.max(...times).toFixed(0),
      `${loaded}`,
    ])
  }
  console.log(`\nwarm-start: ${KEYS} keys, Zipf 0.99; ${options.starts} starts`)
  table(lines)
  return rows
}

const mean = (list: readonly number[]) => list.reduce((sum, value) => sum + value, 0) / list.length

async function measure(one: Case, starts: number) {
  const server = await redisServer()
  const { port } = server
  const fleet: Child[] = []
  try {
    for (let at = 0; at < FLEET; at++) {
      const child = new Child(new URL(import.meta.url))
      fleet.push(child)
      await child.ask<Opened>({ open: { ...one, cold: false }, port, seed: at + 1 } as Request)
    }
    const serve = (requests: number, from: number) =>
      Promise.all(fleet.map(child => child.ask<number>({ serve: requests, from } as Request)))
    await serve(REQUESTS, 0)
    const ratio = mean(await serve(COUNTED, REQUESTS))
    // Longer than it takes to tell what is hot.
    await sleep(3 * EVERY)
    const out: (Opened & { ratio: number })[] = []
    for (let at = 0; at < starts; at++) {
      const child = new Child(new URL(import.meta.url))
      const opened = await child.ask<Opened>({ open: one, port, seed: 100 + at } as Request)
      out.push({ ...opened, ratio: await child.ask<number>({ serve: FIRST, from: 0 } as Request) })
      await child.end()
    }
    return { fleet: ratio, starts: out }
  } finally {
    for (const child of fleet) await child.end()
    await server.stop()
  }
}

/** Milliseconds from one saying of what is hot to the next. */
const EVERY = 1000

let cache: Cache<string, ReturnType<typeof profile>>
let ids: Uint32Array
let ranks: Uint32Array

async function open({ max, keys, cold }: Case, port: number, seed: number): Promise<Opened> {
  ids = shuffled(KEYS)
  ranks = zipf(KEYS, REQUESTS + COUNTED, seed)
  const client = new Redis({ port, host: '127.0.0.1' })
  await client.ping()
  const start = performance.now()
  cache = new Cache({
    name: 'users',
    max,
    ttl: '1h',
    codec: json<ReturnType<typeof profile>>(),
    tier: redis(client),
    loader: key => profile(Number(key.slice(5))),
    ...(!cold && { warm: { from: 'tier', every: EVERY, ...(keys && { keys }) } }),
  })
  const { loaded } = await cache.ready
  return { ms: performance.now() - start, loaded }
}

/** Serves requests, some at a time; the share of them that the cache had. */
async function serve(requests: number, from: number): Promise<number> {
  let hits = 0
  let waiting: Promise<unknown>[] = []
  for (let at = from; at < from + requests; at++) {
    const found = cache.fetchSync(key(ids[ranks[at] as number] as number))
    if (!(found instanceof Promise)) hits++
    else if (waiting.push(found) === 50) {
      await Promise.all(waiting)
      waiting = []
    }
  }
  await Promise.all(waiting)
  return hits / requests
}

if (process.send && process.argv[1] === fileURLToPath(import.meta.url)) {
  // As if it crashed: it does not tell what is hot once more.
  process.once('disconnect', () => process.exit())
  answer<Request>(request =>
    'open' in request
      ? open(request.open, request.port, request.seed)
      : serve(request.serve, request.from),
  )
}
