// A routing node as a dashboard shows it, through its public methods.
import { dateNow } from '../base/runtime.ts'
import type {
  HotKeyStats,
  LatencyStats,
  Router,
  RouterStats,
  RouteStats,
  UpstreamStats,
} from '../router/index.ts'
import type { Action, ActionName, Look, Outcome, Rows, Shape } from './frames.ts'
import { DOUBLING, percentile } from './histogram.ts'
import { aboutOf } from './node-about.ts'
import { NodeActions, type NodeControl } from './node-actions.ts'
import { NodeMoments } from './node-moments.ts'
import { matchOf, modeOf } from './node-routes.ts'
import { CHARTS, COLUMNS, EMBEDDED, GAUGES, type Name, TABLES, THREADS } from './node-shape.ts'
import {
  keyText,
  Rates,
  rowsOf,
  type Source,
  share,
  sum,
  type Tell,
  type TellRemovals,
} from './source.ts'

/** What is shown where all keys are meant. */
const ALL = '*'
const OF_MEMORY: readonly ActionName[] = ['inspect', 'invalidate', 'invalidatePrefix', 'flush']

type Latency = 'p50' | 'p90' | 'p99' | 'storeP50' | 'storeP90' | 'storeP99'

/** Shows a router. */
export class NodeSource implements Source {
  readonly shape: Shape
  readonly #router: Router
  readonly #rates = new Rates()
  readonly #actions: NodeActions
  readonly #moments: NodeMoments

  constructor(router: Router, id: string, control: NodeControl) {
    this.#router = router
    this.#actions = new NodeActions(router, control)
    this.#moments = new NodeMoments(router)
    const isEmbedded = router.options().store === undefined
    const ofMemory = router.memory === undefined ? [] : OF_MEMORY
    const drains: ActionName[] = control.drain === undefined ? [] : ['drain']
    this.shape = {
      id,
      name: id,
      kind: 'node',
      columns: COLUMNS,
      gauges: GAUGES.filter(({ column }) => !isEmbedded || EMBEDDED.has(column)),
      charts: CHARTS.filter(({ series }) => !isEmbedded || EMBEDDED.has(series[0]!.column)),
      heat: {
        title: isEmbedded ? 'Latency, distribution' : 'Latency of the stores, distribution',
        bounds: DOUBLING,
      },
      tables: isEmbedded ? [THREADS] : [...TABLES, THREADS],
      actions: isEmbedded
        ? ['restart', ...drains]
        : [...ofMemory, 'pin', 'unpin', 'route', 'restart', ...drains],
      ...(router.memory === undefined ? {} : { removals: 'Invalidations' }),
    }
  }

  start(tell: Tell): void {
    this.#rates.clear()
    this.#moments.start(tell)
  }

  stop(): void {
    this.#moments.stop()
  }

  look(now: number): Look {
    const stats = this.#router.stats()
    this.#rates.begin(now)
    this.#moments.compare(stats)
    const latencies = this.#latencies(stats)
    const values = { ...this.#values(stats), ...latencies.values }
    return {
      values: COLUMNS.map(name => values[name]),
      heat: latencies.heat,
      tables: {
        threads: this.#threads(stats.threads),
        hot: hotRows(stats.hotKeys),
        routes: rowsOf(stats.routes.map(route => this.#route(route))),
        stores: this.#stores(stats.upstream),
      },
      about: aboutOf(this.#router.options(), stats),
      ...this.#state(stats),
    }
  }

  #state({ upstream }: RouterStats): Pick<Look, 'state' | 'stateText'> {
    if (this.#router.address() === null) return { state: 'down', stateText: 'does not listen' }
    const away = upstream.filter(({ state }) => state !== 'up' && state !== 'unknown')
    if (away.length === 0) return { state: 'up', stateText: 'up' }
    const isDown = upstream.every(({ state }) => state !== 'up')
    const shown = away.map(({ address, state }) => `${address} is ${state}`).join(', ')
    return { state: isDown ? 'down' : 'degraded', stateText: shown }
  }

  /** Percentiles since the last look, of the node itself and of all its stores. */
  #latencies(stats: RouterStats) {
    const own = this.#rates.grownAll('own', added(Object.values(stats.latency))) ?? []
    const each = stats.upstream.flatMap(({ latency }) => Object.values(latency))
    const stores = this.#rates.grownAll('stores', added(each)) ?? []
    const of = (counts: number[], part: number) => percentile(counts, part, DOUBLING)
    const values: Record<Latency, number | null> = {
      p50: of(own, 0.5),
      p90: of(own, 0.9),
      p99: of(own, 0.99),
      storeP50: of(stores, 0.5),
      storeP90: of(stores, 0.9),
      storeP99: of(stores, 0.99),
    }
    return { values, heat: stats.upstream.length === 0 ? own : stores }
  }

  #threads(threads: RouterStats['threads']): Rows {
    return rowsOf(
      threads.map(({ requests, queue, busy }, at) => {
        const busyNow = this.#rates.rate(`busy ${at}`, busy)
        return [
          `${at + 1}`,
          this.#rates.rate(`thread ${at}`, requests),
          busyNow === null ? null : Math.min(1, busyNow / 1000),
          queue,
        ]
      }),
    )
  }

  #values(stats: RouterStats): Record<Exclude<Name, Latency>, number | null> {
    const rate = (name: Name, count: number) => this.#rates.rate(name, count)
    const ofRoutes = (pick: (route: RouteStats) => number) =>
      stats.routes.reduce((all, route) => all + pick(route), 0)
    const isEmbedded = stats.upstream.length === 0
    const hits = rate('hits', isEmbedded ? stats.hits : ofRoutes(route => route.hits))
    const misses = rate('misses', isEmbedded ? stats.misses : ofRoutes(route => route.misses))
    const joined = rate(
      'joined',
      ofRoutes(route => route.joined),
    )
    return {
      commands: rate('commands', stats.commands),
      hits,
      misses,
      joined,
      ratio: share(hits, sum([hits, misses, joined])),
      requests: rate(
        'requests',
        stats.upstream.reduce((all, { requests }) => all + requests, 0),
      ),
      passed: rate(
        'passed',
        ofRoutes(route => route.passed),
      ),
      stale: rate(
        'stale',
        ofRoutes(route => route.staleGiven),
      ),
      refreshed: rate(
        'refreshed',
        ofRoutes(route => route.refreshed),
      ),
      evictions: rate('evictions', stats.evictions),
      expirations: rate('expirations', stats.expirations),
      entries: stats.entries,
      bytes: stats.bytes,
      maxBytes: stats.maxBytes ?? null,
      errors: rate('errors', stats.errors),
      clients: stats.clients,
      connections: rate('connections', stats.connections),
      refused: rate('refused', stats.refused),
      received: rate('received', stats.bytesReceived),
      sent: rate('sent', stats.bytesSent),
      inFlight: stats.upstream.reduce((all, { inFlight }) => all + inFlight, 0),
      storeConnections: stats.upstream.reduce((all, { connections }) => all + connections, 0),
      storeConnects: rate(
        'storeConnects',
        stats.upstream.reduce((all, { connects }) => all + connects, 0),
      ),
    }
  }

  #route(route: RouteStats) {
    const { match, hits, misses, joined, passed, shadowed, staleGiven, verified, stale } = route
    const rate = (name: string, count: number) => this.#rates.rate(`${match} ${name}`, count)
    const [answered, asked, waited] = [
      rate('hits', hits),
      rate('misses', misses),
      rate('joined', joined),
    ]
    const different = stale.reduce((all, count) => all + count, 0)
    return [
      match,
      this.#mode(match),
      answered,
      asked,
      share(answered, sum([answered, asked, waited])),
      waited,
      rate('passed', passed),
      rate('shadowed', shadowed),
      rate('staleGiven', staleGiven),
      share(different, verified),
    ]
  }

  #mode(match: string): string {
    const routes = this.#router.options().routes ?? []
    const found = routes.find(route => matchOf(route) === match)
    return found === undefined ? 'on' : modeOf(found)
  }

  #stores(upstream: readonly UpstreamStats[]): Rows {
    const rates = upstream.map(({ address, requests }) =>
      this.#rates.rate(`to ${address}`, requests),
    )
    const all = sum(rates)
    return rowsOf(
      upstream.map((store, at) => [
        store.address,
        store.role,
        store.state,
        store.breaker,
        rates[at]!,
        share(rates[at]!, all),
        store.inFlight,
        store.waitingMisses,
        this.#rates.rate(`turned ${store.address}`, store.turnedAway),
        this.#p99(store),
        store.connections,
        this.#rates.rate(`connects ${store.address}`, store.connects),
        store.losses,
        store.failures,
        store.lag ?? null,
      ]),
    )
  }

  #p99({ address, latency }: UpstreamStats): number | null {
    const grown = this.#rates.grownAll(`took ${address}`, added(Object.values(latency)))
    return percentile(grown ?? [], 0.99, DOUBLING)
  }

  removals(tell: TellRemovals): () => void {
    return this.#router.memory!.listen(({ routes, keys, everything }) => {
      const at = dateNow()
      const all = everything.map(cause => ({ at, key: keyText(ALL), reason: `all, ${cause}` }))
      const some = keys.map(({ key, cause }) => ({ at, key: keyText(textOf(key)), reason: cause }))
      tell(
        [...all, ...some],
        routes.map(({ match, count }) => [match, count]),
      )
    })
  }

  act(action: Action): Promise<Outcome> {
    return this.#actions.act(action)
  }
}

/** The buckets of several histograms, added. */
function added(all: readonly LatencyStats[]): number[] {
  const [first, ...others] = all.map(({ buckets }) => buckets)
  return (first ?? []).map((count, at) =>
    others.reduce((sum, buckets) => sum + (buckets[at] ?? 0), count),
  )
}

function hotRows(hotKeys: readonly HotKeyStats[]): Rows {
  return rowsOf(
    hotKeys.map(({ key, share, readsPerSecond, store, route, copies, pinned }) => [
      keyText(key),
      share,
      readsPerSecond,
      store ?? null,
      route,
      copies,
      pinned,
    ]),
  )
}

/** A key of a client: its text, if it is one. */
function textOf(key: Buffer): string | Buffer {
  const text = key.toString()
  return Buffer.from(text).equals(key) ? text : key
}
