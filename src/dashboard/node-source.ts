// A routing node as a dashboard shows it, through its public methods.
import type {
  HotKeyStats,
  LatencyStats,
  Router,
  RouterStats,
  RouteStats,
  UpstreamStats,
} from '../router/index.ts'
import type { RouterRoute } from '../router/routes.ts'
import type { Action, ActionName, Look, Outcome, Rows, Shape } from './frames.ts'
import { DOUBLING, percentile } from './histogram.ts'
import { CHARTS, COLUMNS, EMBEDDED, GAUGES, type Name, TABLES, THREADS } from './node-shape.ts'
import { keyText, Rates, rowsOf, type Source, share, sum, type Tell } from './source.ts'

/** What a node can be asked for beyond what {@link Router} has. */
export interface NodeControl {
  /** Ends the node in order, as a signal would. */
  drain?: (() => void) | undefined
}

/** The share of the reads from which on it is told that a key is hot. */
const NOTABLE = 0.1
/** How many keys that turn hot at once are told, and how many characters of each. */
const MOST_HOT = 3
const LONGEST = 64

type Latency = 'p50' | 'p90' | 'p99' | 'storeP50' | 'storeP90' | 'storeP99'

/** Shows a router. */
export class NodeSource implements Source {
  readonly shape: Shape
  readonly #router: Router
  readonly #control: NodeControl
  readonly #rates = new Rates()
  #tell: Tell = () => {}
  #last: RouterStats | undefined

  constructor(router: Router, id: string, control: NodeControl) {
    this.#router = router
    this.#control = control
    const isEmbedded = router.stats().upstream.length === 0
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
        : ['pin', 'unpin', 'route', 'restart', ...drains],
      removals: false,
    }
  }

  start(tell: Tell): void {
    this.#tell = tell
    this.#rates.clear()
    this.#last = undefined
  }

  stop(): void {
    this.#tell = () => {}
  }

  look(now: number): Look {
    const stats = this.#router.stats()
    this.#rates.begin(now)
    this.#compare(stats)
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
        rates[at]!,
        share(rates[at]!, all),
        store.inFlight,
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

  /** Tells of what has changed since the last look. */
  #compare(stats: RouterStats): void {
    const last = this.#last
    this.#last = stats
    if (last === undefined) {
      this.#past(stats)
      return
    }
    const tell = this.#tell
    if (stats.reloads > last.reloads)
      tell({ level: 'info', text: 'The configuration was reloaded.' })
    if (stats.reloadRefused && stats.reloadRefused.at !== last.reloadRefused?.at) {
      tell({ level: 'warn', text: `A reload was refused: ${stats.reloadRefused.why}` })
    }
    const faults = stats.faults - last.faults
    if (faults > 0) tell({ level: 'bad', text: `${faults} faults cost clients their connections.` })
    const replaced = stats.replaced - last.replaced
    if (replaced > 0) tell({ level: 'bad', text: `${replaced} threads failed and were replaced.` })
    this.#compareStores(last.upstream, stats.upstream)
    this.#compareHot(last.hotKeys, stats.hotKeys)
  }

  #compareStores(last: readonly UpstreamStats[], now: readonly UpstreamStats[]): void {
    const before = new Map(last.map(({ address, state }) => [address, state]))
    for (const { address, state } of now) {
      const was = before.get(address)
      if (was === state) continue
      const level = state === 'up' ? 'good' : state === 'unknown' ? 'info' : 'bad'
      this.#tell({ level, text: `The store ${address} is ${state}.` })
    }
    const left = last.filter(({ address }) => !now.some(store => store.address === address))
    for (const { address } of left)
      this.#tell({ level: 'info', text: `The store ${address} left.` })
  }

  #compareHot(last: readonly HotKeyStats[], now: readonly HotKeyStats[]): void {
    const before = new Set(last.filter(({ share }) => share >= NOTABLE).map(({ key }) => key))
    const came = now.filter(({ key, share }) => share >= NOTABLE && !before.has(key))
    for (const { key } of came.slice(0, MOST_HOT)) {
      this.#tell({ level: 'note', text: `${key.slice(0, LONGEST)} turned hot.` })
    }
  }

  /** Tells of what is known of the time before anybody watched. */
  #past({ reloadedAt, reloadRefused }: RouterStats): void {
    if (reloadedAt !== undefined) {
      this.#tell({ at: reloadedAt, level: 'info', text: 'The configuration was reloaded.' })
    }
    if (reloadRefused !== undefined) {
      const { at, why } = reloadRefused
      this.#tell({ at, level: 'warn', text: `A reload was refused: ${why}` })
    }
  }

  async act({ action, key, text = '', mode = 'on' }: Action): Promise<Outcome> {
    switch (action) {
      case 'pin':
        return this.#pin(pinned => [...new Set([...pinned, key!.text])])
      case 'unpin':
        return this.#pin(pinned => pinned.filter(each => each !== key!.text))
      case 'route':
        return this.#switch(text, mode)
      case 'restart':
        await this.#router.restart()
        this.#tell({ level: 'info', text: 'The threads were restarted.' })
        return { ok: true, text: 'All threads were restarted.' }
      case 'drain':
        this.#tell({ level: 'warn', text: 'The node drains.' })
        this.#control.drain?.()
        return { ok: true, text: 'The node drains, and ends.' }
      default:
        return { ok: false, text: `A node knows no ${action}.` }
    }
  }

  async #pin(change: (pinned: string[]) => string[]): Promise<Outcome> {
    return this.#reload(() => {
      const options = this.#router.options()
      const pinned = change(options.hotKeys?.pinned ?? [])
      return { ...options, hotKeys: { ...options.hotKeys, pinned } }
    })
  }

  async #switch(match: string, mode: 'off' | 'shadow' | 'on'): Promise<Outcome> {
    return this.#reload(() => {
      const options = this.#router.options()
      const routes = options.routes ?? []
      if (!routes.some(route => matchOf(route) === match)) {
        // The route that there is without being named.
        return { ...options, routes: [...routes, { match, mode }] }
      }
      return {
        ...options,
        routes: routes.map(route => (matchOf(route) === match ? withMode(route, mode) : route)),
      }
    })
  }

  async #reload(config: Parameters<Router['reload']>[0]): Promise<Outcome> {
    const { changed } = await this.#router.reload(config)
    return { ok: true, text: `Reloaded: ${changed.join(', ') || 'nothing has changed'}.` }
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

function matchOf(route: string | RouterRoute): string {
  return typeof route === 'string' ? route.split(',')[0]! : route.match
}

function modeOf(route: string | RouterRoute): string {
  if (typeof route !== 'string') return route.mode ?? 'on'
  return /,mode=(\w+)/.exec(route)?.[1] ?? 'on'
}

function withMode(
  route: string | RouterRoute,
  mode: 'off' | 'shadow' | 'on',
): string | RouterRoute {
  if (typeof route !== 'string') return { ...route, mode }
  return `${route.replace(/,mode=[^,]*/, '')},mode=${mode}`
}
