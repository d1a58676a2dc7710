// What several processes have counted, as if one had. What says how things are now is of those that
// live; what has been counted is of those too that have ended.
import { mergeLatencies, type NativeLatencies } from '../native/router.ts'
import type { HotKeyStats } from './hot-keys.ts'
import type { KnownKey } from './memory.ts'
import type {
  HookStats,
  LatencyStats,
  Report,
  RouterStats,
  RouteStats,
  StoreBreakerState,
  UpstreamStats,
} from './stats.ts'

/** Whether a number is how things are now, or was counted since the start. */
type Tense = 'now' | 'counted'

/** The numbers that are added up. */
const NODE: Record<Exclude<NumbersOf<Report>, 'reloads' | 'largestHerd' | 'errorsOfOne'>, Tense> = {
  clients: 'now',
  connections: 'counted',
  refused: 'counted',
  commands: 'counted',
  bytesReceived: 'counted',
  bytesSent: 'counted',
  faults: 'counted',
  hits: 'counted',
  misses: 'counted',
  evictions: 'counted',
  expirations: 'counted',
  entries: 'now',
  bytes: 'now',
  herds: 'counted',
  errors: 'counted',
  handshakes: 'counted',
  handshakesFailed: 'counted',
  heldBackByRate: 'counted',
  heldBackByHandshakes: 'counted',
}
const SERVER: Record<NumbersOf<UpstreamStats>, Tense> = {
  connections: 'now',
  connects: 'counted',
  losses: 'counted',
  failures: 'counted',
  requests: 'counted',
  inFlight: 'now',
  pinned: 'now',
  pinnedIdle: 'now',
  pinnedWaiting: 'now',
  misses: 'now',
  waitingMisses: 'now',
  turnedAway: 'counted',
  opened: 'counted',
}
/** Of breakers, the one that asks least says how it is. */
const BREAKERS: readonly StoreBreakerState[] = ['open', 'half-open', 'closed']

/** How much is told of latencies. */
type Detail = 'read' | 'whole'

/** What stays of a process that has ended. */
export function lasting(report: Report): Report {
  return {
    ...report,
    ...nothing(NODE),
    errorsOfOne: 0,
    buffers: { ...report.buffers, bytes: 0, maxBytes: 0 },
    hotKeys: [],
    threads: report.threads.map(thread => ({ ...thread, queue: 0 })),
    upstream: report.upstream.map(server => ({
      ...server,
      ...nothing(SERVER),
      state: 'down',
      breaker: 'closed',
    })),
  }
}

/**
 * All reports together; each list is of those that have served in one seat, one after the other.
 *
 * @param detail - `'whole'`: it may be merged with others again.
 */
export function merged(
  seats: readonly (readonly Report[])[],
  detail: Detail = 'read',
): Report | undefined {
  const all = seats.flat()
  const [first] = all
  if (first === undefined) return undefined
  const of = <V>(read: (report: Report) => V) => all.map(read)
  return {
    ...sums(all, namesOf(NODE)),
    maxBytes: sum(of(({ maxBytes }) => maxBytes ?? Number.NaN)) || undefined,
    buffers: summed(of(({ buffers }) => buffers)),
    reloads: first.reloads,
    reloadedAt: first.reloadedAt,
    reloadRefused: first.reloadRefused,
    requests: summed(of(({ requests }) => requests)),
    latency: byClass(
      of(({ latency }) => latency),
      detail,
    ),
    waited: latencies(
      of(({ waited }) => waited),
      detail,
    ),
    largestHerd: Math.max(...of(({ largestHerd }) => largestHerd)),
    errorsOfOne: Math.max(...of(({ errorsOfOne }) => errorsOfOne)),
    staleGiven: summed(of(({ staleGiven }) => staleGiven)),
    refusals: summed(of(({ refusals }) => refusals)),
    cold: summed(of(({ cold }) => cold)),
    hooks: hooksOf(of(({ hooks }) => hooks)),
    skew: skewOf(all),
    threads: seats.map(reports => summed(reports.flatMap(({ threads }) => threads))),
    upstream: grouped(of(({ upstream }) => upstream).flat(), serverOf, all => server(all, detail)),
    routes: grouped(of(({ routes }) => routes).flat(), ({ match }) => match, route),
    hotKeys: grouped(of(({ hotKeys }) => hotKeys).flat(), ({ key }) => key, hotKey).sort(
      (one, other) => other.share - one.share,
    ),
  }
}

/** What memories are told first, if several hold something of a key. */
const TOLD: readonly KnownKey['memory'][] = ['reply', 'reads', 'stale', 'nothing']

/** What several processes know of a key; `undefined` if there are none. */
export function mergedKey(
  all: readonly { process: number; answer: KnownKey }[],
): KnownKey | undefined {
  const known = all.map(({ answer }) => answer)
  const ageOf = ({ reply }: KnownKey) => reply?.age ?? 0
  const byMemory = (one: KnownKey, other: KnownKey) =>
    TOLD.indexOf(one.memory) - TOLD.indexOf(other.memory) || ageOf(one) - ageOf(other)
  const [first] = known.toSorted(byMemory)
  if (first === undefined) return undefined
  const shares = known.flatMap(({ hotShare }) => hotShare ?? [])
  return {
    ...first,
    store: known.find(({ store }) => store !== undefined)?.store,
    hotShare: shares.length === 0 ? undefined : Math.max(...shares),
    bytes: sum(known.map(({ bytes }) => bytes)),
    processes: all
      .filter(({ answer }) => answer.memory !== 'nothing')
      .map(({ process }) => process),
  }
}

function server(all: UpstreamStats[], detail: Detail): UpstreamStats {
  const lags = all.flatMap(({ lag }) => lag ?? [])
  return {
    ...(all.find(({ state }) => state === 'up') ?? all.at(-1)!),
    ...sums(all, namesOf(SERVER)),
    breaker: BREAKERS.find(state => all.some(({ breaker }) => breaker === state)) ?? 'closed',
    lag: lags.length === 0 ? undefined : Math.max(...lags),
    latency: byClass(
      all.map(({ latency }) => latency),
      detail,
    ),
  }
}

function serverOf({ role, address }: UpstreamStats): string {
  return `${role} ${address}`
}

function hooksOf(all: HookStats[]): HookStats {
  const kinds = all.map(({ kinds }) => kinds)
  return {
    ...summed(all.map(({ kinds: _, ...counts }) => counts)),
    kinds: kinds[0]!.map(({ hook }, at) => ({
      hook,
      ...summed(kinds.map(each => each[at]!).map(({ hook: _, ...counts }) => counts)),
    })),
  }
}

function route(all: RouteStats[]): RouteStats {
  const { match, stale } = all[0]!
  const counts = all.map(({ match: _, stale: __, ...counts }) => counts)
  return {
    match,
    ...summed(counts),
    stale: stale.map((_, age) => sum(all.map(({ stale }) => stale[age] ?? 0))),
  }
}

/** A key that is hot in several processes: its share is that of the reads of these. */
function hotKey(all: HotKeyStats[]): HotKeyStats {
  const readsPerSecond = sum(all.map(({ readsPerSecond }) => readsPerSecond))
  const reads = sum(
    all.map(({ share, readsPerSecond }) => (share > 0 ? readsPerSecond / share : 0)),
  )
  return { ...all[0]!, readsPerSecond, share: reads > 0 ? readsPerSecond / reads : all[0]!.share }
}

/** The mean of all, by how much each has read. */
function skewOf(all: readonly Report[]): RouterStats['skew'] {
  const reads = all.map(({ hits, misses }) => hits + misses)
  const mean = (share: keyof RouterStats['skew']) =>
    sum(all.map(({ skew }, at) => skew[share] * reads[at]!)) / Math.max(1, sum(reads))
  return { top1: mean('top1'), top10: mean('top10'), top100: mean('top100') }
}

function byClass(all: RouterStats['latency'][], detail: Detail): RouterStats['latency'] {
  const of = (kind: keyof RouterStats['latency']) =>
    latencies(
      all.map(each => each[kind]),
      detail,
    )
  return { read: of('read'), write: of('write'), other: of('other') }
}

/** What each recorded is told whole, since no percentile of all comes from those of each. */
function latencies(all: LatencyStats[], detail: Detail): LatencyStats {
  const whole = (all as NativeLatencies[]).flatMap(({ whole }) => whole ?? [])
  const read = mergeLatencies(whole, sum(all.map(({ sum }) => sum)))
  return detail === 'read' ? read : Object.assign(read, { whole })
}

/** Things that are the same one, as one. */
function grouped<T>(all: T[], nameOf: (one: T) => string, merge: (same: T[]) => T): T[] {
  const byName = new Map<string, T[]>()
  for (const one of all) {
    const same = byName.get(nameOf(one))
    if (same === undefined) byName.set(nameOf(one), [one])
    else same.push(one)
  }
  return [...byName.values()].map(merge)
}

type NumbersOf<T> = { [K in keyof T]: T[K] extends number ? K : never }[keyof T] & string

/** Some fields, added up. */
function sums<T, K extends NumbersOf<T>>(all: readonly T[], fields: readonly K[]) {
  const entries = fields.map(field => [field, sum(all.map(one => one[field] as number))])
  return Object.fromEntries(entries) as Record<K, number>
}

/** Objects of nothing but numbers, added up. */
function summed<T extends object>(all: readonly T[]): T {
  return sums(all, Object.keys(all[0] ?? {}) as NumbersOf<T>[]) as T
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((sum, number) => sum + number, 0)
}

function namesOf<K extends string>(table: Record<K, Tense>): K[] {
  return Object.keys(table) as K[]
}

/** What is left now of one that has ended. */
function nothing<K extends string>(table: Record<K, Tense>): Partial<Record<K, number>> {
  const now = namesOf(table).filter(name => table[name] === 'now')
  return Object.fromEntries(now.map(name => [name, 0])) as Partial<Record<K, number>>
}
