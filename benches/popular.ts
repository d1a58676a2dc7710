/**
 * A popular key that comes to its end again and again under 20,000 requests a second, while its
 * origin takes 50 ms: how often that is asked, and how long requests wait. Each side runs in a
 * process of its own, one after the other, and is compared with itself while nothing expires.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { answer } from './lib/child.ts'
import {
  aside,
  BENTO,
  bento,
  breakwater,
  cacheManager,
  LAYERED,
  layered,
  lruCache,
  MANAGER,
} from './lib/loading-sides.ts'
import { type Row, table } from './lib/report.ts'
import { withChildren } from './lib/rounds.ts'
import { OURS, PEER } from './lib/sides.ts'

/** Milliseconds that the origin takes, and that a value lives. */
const ORIGIN = 50
const TTL = 1000
/** From this long before its end on a value is loaded anew, by those who look ahead. */
const AHEAD = 200
/** Requests a second. */
const RATE = 20_000
/** Seconds without expiry, which what follows is compared with. */
const WARM = 3

const SIDES: Readonly<Record<string, ReturnType<typeof breakwater>>> = {
  [`${OURS}: get, load, set`]: aside,
  [`${OURS}: getOrSet`]: breakwater(),
  [`${OURS}: staleWhileRevalidate`]: breakwater({ staleWhileRevalidate: '1m' }),
  [`${OURS}: earlyRefresh`]: breakwater({ earlyRefresh: true }),
  [`${OURS}: refreshAhead`]: breakwater({ refreshAhead: 1 - AHEAD / TTL }),
  [BENTO]: bento(),
  [`${BENTO}: grace, timeout 0`]: bento({}, { grace: '1m', timeout: 0 }),
  [MANAGER]: cacheManager(),
  [`${MANAGER}: refreshThreshold`]: cacheManager({ refreshThreshold: AHEAD }),
  [`${PEER}: fetch`]: lruCache(),
  [`${PEER}: fetch, allowStale`]: lruCache({ allowStale: true }),
  [LAYERED]: layered(),
  [`${LAYERED}: refresh`]: layered({ ttlLeftBeforeRefreshInMsecs: AHEAD }),
}

type Request = { side: string; ttl: number } | { seconds: number }

/** What became of the requests of some seconds. */
interface Outcome {
  /** The most loads under way at a time, and all of them. */
  atOnce: number
  loads: number
  /** From when a request was due until it was answered: milliseconds, sorted. */
  latencies: Float64Array
  /** Milliseconds since the load of the oldest value that was given had begun. */
  oldest: number
}

/** Runs it and returns its figures. */
export async function popular(options: { seconds: number }): Promise<Row[]> {
  const { seconds } = options
  console.log(
    `\npopular: ${RATE} requests a second for ${seconds} s, ttl ${TTL} ms, origin ${ORIGIN} ms`,
  )
  const lines: string[][] = [['', ...Object.keys(figures(NOTHING, NOTHING))]]
  const rows: Row[] = []
  for (const side of Object.keys(SIDES)) {
    const warm = await measure(side, 3_600_000, WARM)
    const out = figures(await measure(side, TTL, seconds), warm)
    lines.push([side, ...Object.values(out).map(({ text }) => text)])
    for (const [what, { value, unit }] of Object.entries(out)) {
      rows.push({ bench: 'popular', what, entries: 1, side, value, unit })
    }
  }
  table(lines)
  return rows
}

const NOTHING: Outcome = { atOnce: 0, loads: 0, latencies: new Float64Array(1), oldest: 0 }

/** What is told of an outcome, beside that of a warm cache. */
function figures({ atOnce, loads, latencies, oldest }: Outcome, warm: Outcome) {
  const bound = quantile(warm.latencies, 0.999)
  const count = (value: number) => ({ value, unit: '', text: value.toFixed(0) })
  const ms = (value: number) => ({ value, unit: 'ms', text: value.toFixed(1) })
  const slow = latencies.length - above(latencies, bound)
  const share = (100 * slow) / latencies.length
  return {
    'loads at once': count(atOnce),
    loads: count(loads),
    p50: ms(quantile(latencies, 0.5)),
    p99: ms(quantile(latencies, 0.99)),
    'longest ms': ms(quantile(latencies, 1)),
    'longest, warm': ms(quantile(warm.latencies, 1)),
    'waited for the origin': count(latencies.length - above(latencies, ORIGIN / 2)),
    'slower than warm p99.9': { value: share, unit: '%', text: `${share.toFixed(2)} %` },
    'oldest value, ms': ms(oldest),
  }
}

const quantile = (sorted: Float64Array, share: number) =>
  sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] as number

/** The place of the first one above a bound. */
function above(sorted: Float64Array, bound: number): number {
  const place = sorted.findIndex(value => value > bound)
  return place < 0 ? sorted.length : place
}

const measure = (side: string, ttl: number, seconds: number) =>
  withChildren(import.meta.url, { [side]: { side, ttl } satisfies Request }, async children => {
    const [child] = children.values()
    await child?.ask<Outcome>({ seconds: 1 } satisfies Request)
    return (await child?.ask<Outcome>({ seconds } satisfies Request)) ?? NOTHING
  })

const KEY = 'popular'

let read: (key: string) => Promise<string | undefined | null>
let now = 0
let most = 0
let loads = 0

function make(name: string, ttl: number): true {
  const build = SIDES[name]
  if (build === undefined) throw new Error(`no such side: ${name}`)
  const side = build<string>({ max: 1000, ttl, objects: false, origin })
  read = side.read
  return true
}

/** Takes its time, and says when it was asked. */
async function origin(): Promise<string> {
  const begun = performance.now()
  loads++
  most = Math.max(most, ++now)
  await sleep(ORIGIN)
  now--
  return `${begun}`
}

/** Requests come whether others have been answered or not. */
async function run(seconds: number): Promise<Outcome> {
  // Whoever is first has to wait, on all sides.
  await read(KEY)
  loads = most = 0
  const total = seconds * RATE
  const latencies = new Float64Array(total)
  const outcome = { oldest: 0 }
  const start = performance.now()
  const all: Promise<void>[] = []
  const request = async (at: number) => {
    const value = await read(KEY)
    const end = performance.now()
    if (!(Number(value) <= end)) throw new Error(`a request was answered by ${value}`)
    latencies[at] = end - (start + (at * 1000) / RATE)
    outcome.oldest = Math.max(outcome.oldest, end - Number(value))
  }
  for (let sent = 0; sent < total; ) {
    const due = Math.min(total, Math.floor(((performance.now() - start) * RATE) / 1000))
    for (; sent < due; sent++) all.push(request(sent))
    await sleep(1)
  }
  await Promise.all(all)
  return { ...outcome, atOnce: most, loads, latencies: latencies.sort() }
}

if (process.send && process.argv[1] === fileURLToPath(import.meta.url)) {
  answer<Request>(request =>
    'seconds' in request ? run(request.seconds) : make(request.side, request.ttl),
  )
}
