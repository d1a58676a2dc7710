// The metrics of a routing node: see docs/metrics.md.
import type {
  ClassLatencies,
  HookKindStats,
  LatencyStats,
  Router,
  RouterStats,
  RouteStats,
  UpstreamStats,
} from '../router/index.ts'
import { type Distribution, each, type Metric, metric, one, type Sample } from './metric.ts'

/** What is read of a node, once a scrape. */
export interface NodeSource {
  readonly stats: RouterStats
  readonly status: ReturnType<Router['status']>
}

/** Reads a node. */
export function nodeSource(router: Router): NodeSource {
  return { stats: router.stats(), status: router.status() }
}

type Read = (source: NodeSource) => Sample[]

const rows: Metric<NodeSource>[] = []

function row(
  type: Metric<unknown>['type'],
  labels: string[],
  name: string,
  help: string,
  read: Read,
) {
  rows.push(metric(type, `breakwater_node_${name}`, help, ['node', ...labels], read))
}

function counter(name: string, help: string, of: (stats: RouterStats) => number) {
  row('counter', [], name, help, ({ stats }) => one(of(stats)))
}

function gauge(name: string, help: string, of: (source: NodeSource) => number | undefined) {
  row('gauge', [], name, help, source => one(of(source)))
}

const sum = (counts: number[]) => counts.reduce((sum, count) => sum + count, 0)

const seconds = (latency: LatencyStats): Distribution => ({
  counts: latency.buckets,
  sum: latency.sum / 1_000,
})

const byClass = ({ read, write, other }: ClassLatencies) => ({
  read: seconds(read),
  write: seconds(write),
  other: seconds(other),
})

row('gauge', ['version', 'policy'], 'info', '1, with what the node is.', ({ stats, status }) =>
  one(1, status.version, stats.policy),
)
gauge('ready', '1 while clients should be sent to the node, else 0.', ({ status }) =>
  status.ready ? 1 : 0,
)
gauge('start_time_seconds', 'When it began to listen, in Unix seconds.', ({ status }) =>
  status.startedAt === undefined ? undefined : status.startedAt / 1_000,
)

gauge('clients', 'Clients connected now.', ({ stats }) => stats.clients)
counter('connections_total', 'Clients ever connected.', stats => stats.connections)
counter(
  'disconnections_total',
  'Clients that have gone.',
  stats => stats.connections - stats.clients,
)
counter('refused_total', 'Clients turned away because there were too many.', stats => stats.refused)
row(
  'counter',
  ['outcome'],
  'handshakes_total',
  'Handshakes of TLS with clients, by outcome: done or failed.',
  ({ stats }) => each({ done: stats.handshakes, failed: stats.handshakesFailed }),
)
row(
  'counter',
  ['reason'],
  'held_back_total',
  'How often connections had to wait until they were let in: for their rate, or for handshakes.',
  ({ stats }) => each({ rate: stats.heldBackByRate, handshakes: stats.heldBackByHandshakes }),
)
gauge(
  'buffer_bytes',
  'Bytes that wait: of clients, for them, and for stores.',
  ({ stats }) => stats.buffers.bytes,
)
gauge('buffer_max_bytes', 'The most that may wait.', ({ stats }) => stats.buffers.maxBytes)
row(
  'counter',
  ['reason'],
  'clients_cut_total',
  'Clients disconnected, by the reason: too much memory waited in all, or of their user, or they were slow to read.',
  ({ stats: { buffers } }) =>
    each({ memory: buffers.cut, user: buffers.cutByUser, slow: buffers.cutSlow }),
)
const hooks = (stats: RouterStats, of: (kind: HookKindStats) => number) =>
  stats.hooks.kinds.map(kind => ({ labels: [kind.hook], value: of(kind) }))
row('counter', ['hook'], 'hook_calls_total', 'Calls of hooks.', ({ stats }) =>
  hooks(stats, ({ asked }) => asked),
)
row(
  'counter',
  ['hook', 'reason'],
  'hook_failures_total',
  'Calls of hooks that failed: by an error, or by a timeout.',
  ({ stats }) =>
    stats.hooks.kinds.flatMap(({ hook, failed, late }) => [
      { labels: [hook, 'error'], value: failed - late },
      { labels: [hook, 'timeout'], value: late },
    ]),
)
row(
  'counter',
  ['hook'],
  'hook_seconds_total',
  'How long hooks took, from question to answer.',
  ({ stats }) => hooks(stats, ({ seconds }) => seconds),
)
counter('received_bytes_total', 'Bytes received from clients.', stats => stats.bytesReceived)
counter('sent_bytes_total', 'Bytes of replies.', stats => stats.bytesSent)

row(
  'counter',
  ['class'],
  'requests_total',
  'Requests taken, by class of command: read, write or other.',
  ({ stats }) => each(stats.requests),
)
counter('errors_total', 'Replies to clients that were errors.', stats => stats.errors)
row(
  'counter',
  ['reason'],
  'refusals_total',
  'What the node refused: unauthenticated, password, permission, or a limit: requests, bytes, in_flight, connections, value.',
  ({ stats: { refusals } }) => {
    const { inFlight, ...others } = refusals
    return each({ ...others, in_flight: inFlight })
  },
)
gauge(
  'client_errors_max',
  'The most errors that one client has got who is connected.',
  ({ stats }) => stats.errorsOfOne,
)
row(
  'histogram',
  ['class'],
  'latency_seconds',
  'How long the node took for what it answered itself, by class.',
  ({ stats }) => each(byClass(stats.latency)),
)
row(
  'counter',
  ['outcome'],
  'reads_total',
  'Reads of values: hit, from memory; joined, with the reply to another one; miss, all others.',
  ({ stats }) => each(readsOf(stats)),
)
row(
  'counter',
  ['outcome'],
  'cold_reads_total',
  'Reads in the first minute after the start: hit or miss.',
  ({ stats }) => each({ hit: stats.cold.hits, miss: stats.cold.misses }),
)
row(
  'histogram',
  [],
  'waited_seconds',
  'How long reads waited for the reply to another one.',
  ({ stats }) => one(seconds(stats.waited)),
)
counter(
  'herds_total',
  'Replies of a store that more than 10 reads waited for.',
  stats => stats.herds,
)
gauge(
  'herd_size_max',
  'The most reads that waited for one reply since the start.',
  ({ stats }) => stats.largestHerd,
)
row(
  'counter',
  ['reason'],
  'stale_given_total',
  'Replies given beyond their time: the store was unreachable, has failed while it was asked, was busy, or its breaker was open.',
  ({ stats }) => each(stats.staleGiven),
)

gauge('entries', 'Entries in memory.', ({ stats }) => stats.entries)
gauge('memory_bytes', 'Bytes charged for entries.', ({ stats }) => stats.bytes)
gauge('memory_max_bytes', 'The most that may be charged.', ({ stats }) => stats.maxBytes)
counter('evictions_total', 'Entries evicted to make room.', stats => stats.evictions)
counter('expirations_total', 'Entries that expired.', stats => stats.expirations)
row(
  'gauge',
  ['top'],
  'skew_ratio',
  'The share of reads in memory that the top 1, 10 and 100 keys have, from a sample.',
  ({ stats }) => each({ 1: stats.skew.top1, 10: stats.skew.top10, 100: stats.skew.top100 }),
)

function route(
  type: 'counter',
  labels: string[],
  name: string,
  help: string,
  of: (route: RouteStats) => Sample[],
) {
  row(type, ['route', ...labels], name, help, ({ stats }) =>
    stats.routes.flatMap(each =>
      of(each).map(({ labels, value }) => ({ labels: [each.match, ...labels], value })),
    ),
  )
}

route(
  'counter',
  ['outcome'],
  'route_reads_total',
  'Reads of a route: hit, miss, joined, passed by the memory, shadowed, or left_out since written too often.',
  ({ hits, misses, joined, passed, shadowed, leftOut }) =>
    each({ hit: hits, miss: misses, joined, passed, shadowed, left_out: leftOut }),
)
route(
  'counter',
  ['outcome'],
  'route_replies_total',
  'Replies of a store: stored, or dropped since their keys changed or they did not fit.',
  ({ stored, dropped }) => each({ stored, dropped }),
)
route('counter', [], 'route_stale_given_total', 'Replies given beyond their time.', of =>
  one(of.staleGiven),
)
route(
  'counter',
  [],
  'route_refreshes_total',
  'Reads before the end of a reply, to replace it.',
  of => one(of.refreshed),
)
route(
  'counter',
  [],
  'route_warmed_total',
  'Reads of what another process or node had read most, by one that began.',
  of => one(of.warmed),
)
route('counter', [], 'route_verified_total', 'Replies from memory compared with the store.', of =>
  one(of.verified),
)
route(
  'counter',
  ['age'],
  'route_stale_found_total',
  'Of the replies compared, those that were different, by their age: up to 20ms, 200ms, 2s, 20s, or older.',
  of => each(Object.fromEntries(AGES.map((age, at) => [age, of.stale[at] ?? 0]))),
)

function store(
  type: Metric<unknown>['type'],
  labels: string[],
  name: string,
  help: string,
  of: (store: UpstreamStats) => Sample[],
) {
  row(type, ['store', 'role', ...labels], name, help, ({ stats }) =>
    stats.upstream.flatMap(each =>
      of(each).map(({ labels, value }) => ({
        labels: [each.address, each.role, ...labels],
        value,
      })),
    ),
  )
}

store('gauge', [], 'store_up', '1 while a store can be used, else 0.', ({ state }) =>
  one(state === 'up' ? 1 : 0),
)
store('gauge', [], 'store_lag_seconds', 'How far behind a replica is at the most.', ({ lag }) =>
  one(lag === undefined ? undefined : lag / 1_000),
)
store('gauge', [], 'store_connections', 'Connections to a store that serve.', of =>
  one(of.connections),
)
store('counter', [], 'store_connects_total', 'Connections that began to serve.', of =>
  one(of.connects),
)
store('counter', [], 'store_losses_total', 'Connections that served and were lost.', of =>
  one(of.losses),
)
store('counter', [], 'store_failures_total', 'Tries to connect that came to nothing.', of =>
  one(of.failures),
)
store('counter', [], 'store_requests_total', 'Requests sent, with those of the node itself.', of =>
  one(of.requests),
)
store('gauge', [], 'store_in_flight', 'Requests that wait for their replies.', of =>
  one(of.inFlight),
)
store('gauge', [], 'store_pinned', 'Connections that belong to single clients.', of =>
  one(of.pinned),
)
store('gauge', [], 'store_pinned_waiting', 'Clients that wait for one of these.', of =>
  one(of.pinnedWaiting),
)
store('gauge', [], 'store_misses', 'Reads not in memory that a store is asked.', of =>
  one(of.misses),
)
store('gauge', [], 'store_misses_waiting', 'Reads that wait until a store may be asked.', of =>
  one(of.waitingMisses),
)
store(
  'counter',
  [],
  'store_turned_away_total',
  'Reads that were not sent since the store was busy.',
  of => one(of.turnedAway),
)
store('gauge', ['state'], 'store_breaker', '1 for the state of the breaker, else 0.', of =>
  each(Object.fromEntries(BREAKERS.map(state => [state, of.breaker === state ? 1 : 0]))),
)
store('counter', [], 'store_breaker_opened_total', 'How often the breaker has opened.', of =>
  one(of.opened),
)
store(
  'histogram',
  ['class'],
  'store_latency_seconds',
  'How long a store took for what clients asked, by class.',
  of => each(byClass(of.latency)),
)

function thread(
  type: 'counter' | 'gauge',
  name: string,
  help: string,
  of: (thread: RouterStats['threads'][number]) => number,
) {
  row(type, ['thread'], name, help, ({ stats }) =>
    stats.threads.map((each, at) => ({ labels: [`${at}`], value: of(each) })),
  )
}

thread('counter', 'thread_requests_total', 'Requests taken by a thread.', of => of.requests)
thread(
  'counter',
  'thread_busy_seconds_total',
  'How long the turns of a thread took.',
  of => of.busy / 1_000,
)
thread('gauge', 'thread_queue', 'Tasks that the last turn of a thread left.', of => of.queue)
row(
  'gauge',
  ['among'],
  'imbalance_ratio',
  'Requests of the busiest over the mean, since the start, among threads and stores.',
  ({ stats }) => each(stats.imbalance),
)
counter('threads_replaced_total', 'Threads that failed and were replaced.', stats => stats.replaced)
counter(
  'faults_total',
  'Bugs in the node, each of which cost clients their connections.',
  stats => stats.faults,
)
counter('reloads_total', 'Reloads of the configuration.', stats => stats.reloads)
row(
  'gauge',
  [],
  'reload_refused_time_seconds',
  'When a reload was refused last, in Unix seconds.',
  ({ stats }) => one(stats.reloadRefused && stats.reloadRefused.at / 1_000),
)

/** All of them. */
export const nodeMetrics: readonly Metric<NodeSource>[] = rows

const BREAKERS = ['closed', 'open', 'half-open']
const AGES = ['20ms', '200ms', '2s', '20s', 'older']

/** What became of the reads of values. */
function readsOf({ upstream, routes, hits, misses }: RouterStats) {
  if (upstream.length === 0) return { hit: hits, miss: misses, joined: 0 }
  const all = (of: (route: RouteStats) => number) => sum(routes.map(of))
  return {
    hit: all(route => route.hits),
    miss: all(({ misses, passed, shadowed, leftOut }) => misses + passed + shadowed + leftOut),
    joined: all(route => route.joined),
  }
}
