// Metrics for Prometheus: what a registry of prom-client collects when it is scraped.
import { InvalidOptionError } from '../base/errors.ts'
import { BOUNDS, labelsOf, type Metric, type Sample } from './metric.ts'
import { type Sources, type Watched, watchSources } from './sources.ts'

/** A registry of prom-client. */
export interface MetricRegistry {
  registerMetric(metric: never): void
  removeSingleMetric(name: string): void
}

/** What each registry collects. */
const registries = new WeakMap<MetricRegistry, Set<Watched>>()

/**
 * Has a registry of prom-client collect the metrics of caches and nodes: all of `docs/metrics.md`. They are
 * read when it is scraped. Called again, it adds others.
 *
 * @returns a function that ends that, for these caches and nodes.
 * @throws InvalidOptionError (`ERR_INVALID_OPTION`): no registry, or a cache without a name
 *
 * @example
 * ```ts
 * import { Cache } from 'breakwater'
 * import { registerMetrics } from 'breakwater/metrics'
 * import { Registry } from 'prom-client'
 *
 * const pages = new Cache({ name: 'articles', max: 100, loader: (path: string) => `the page of ${path}` })
 * const registry = new Registry()
 * registerMetrics(registry, { caches: [pages] })
 * await pages.fetch('/')
 * assert.match(await registry.metrics(), /breakwater_cache_loads_total\{cache="articles"\} 1/)
 * await pages.close()
 * ```
 */
export function registerMetrics(registry: MetricRegistry, sources: Sources): () => void {
  if (typeof (registry as Partial<MetricRegistry> | null)?.registerMetric !== 'function') {
    throw new InvalidOptionError('registry', registry, 'a registry of prom-client')
  }
  const watched = watchSources(sources)
  const known = registries.get(registry)
  const all = known ?? new Set<Watched>()
  all.add(watched)
  if (known === undefined) {
    registries.set(registry, all)
    for (const { kind, metrics } of watched.kinds) {
      for (const metric of metrics) {
        const samples = () => [...all].flatMap(each => each.read(kind, metric))
        registry.registerMetric(new Collected(metric, samples) as never)
      }
    }
  }
  return () => {
    all.delete(watched)
    watched.stop()
  }
}

/** A value, as prom-client writes it. */
interface Line {
  labels: Record<string, string | number>
  value: number
  metricName?: string
}

/** A metric, as a registry asks it. */
class Collected {
  /** A registry for OpenMetrics renames counters. */
  name: string
  readonly help: string
  readonly type: string
  readonly labelNames: readonly string[]
  readonly aggregator = 'sum'
  readonly #metric: Metric<never>
  readonly #samples: () => Sample[]

  constructor(metric: Metric<never>, samples: () => Sample[]) {
    const { name, help, type, labels } = metric
    this.#metric = metric
    this.name = name
    this.help = help
    this.type = type
    this.labelNames = labels
    this.#samples = samples
  }

  async get() {
    const { name, help, type, aggregator } = this
    const values = this.#samples().flatMap(sample => this.#lines(sample))
    return { name, help, type, aggregator, values }
  }

  /** What was counted stays: it is read, not kept. */
  reset(): void {}

  #lines(sample: Sample): Line[] {
    const { value } = sample
    const named = labelsOf(this.#metric, sample)
    if (typeof value === 'number') return [{ labels: named, value }]
    let below = 0
    const buckets = BOUNDS.map((le, at) => {
      below += value.counts[at] ?? 0
      return { labels: { ...named, le }, value: below, metricName: `${this.name}_bucket` }
    })
    const count = below + (value.counts[BOUNDS.length] ?? 0)
    return [
      ...buckets,
      { labels: { ...named, le: '+Inf' }, value: count, metricName: `${this.name}_bucket` },
      { labels: named, value: value.sum, metricName: `${this.name}_sum` },
      { labels: named, value: count, metricName: `${this.name}_count` },
    ]
  }
}
